//! The house rules that a program can check: sizes, layers, the clock, loose ends.
//!
//! Limits of these checks: the text is not parsed. Comments and strings are blanked out by a small
//! scanner (which knows line and nested block comments, plain, raw and byte strings, and character
//! literals); a function is from a line with `fn` to its closing brace. What a macro makes is not
//! seen. `use crate::{a, b}` is understood, a renamed module is not.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Parts of the path that only these may name: what is above them in the picture in
/// docs/ARCHITECTURE.md.
const LAYERS: &[(&str, &[&str])] = &[
    ("src/queue/", &["vhost", "channel", "gateway", "exchange", "tokio", "leveret_storage"]),
    ("src/exchange/", &["vhost", "channel", "gateway", "queue", "tokio", "leveret_storage"]),
    ("src/insight/", &["vhost", "channel", "gateway", "queue", "tokio"]),
    ("src/message/", &["vhost", "channel", "gateway", "queue", "exchange", "tokio"]),
    ("src/vhost/", &["channel", "gateway", "embedded", "tokio"]),
    ("src/channel/", &["gateway", "embedded", "tokio"]),
    ("src/embedded/", &["gateway", "tokio"]),
    ("protocol/src/", &["leveret", "leveret_storage", "tokio"]),
    ("storage/src/", &["leveret", "leveret_protocol", "amq_protocol", "tokio"]),
    ("stream-protocol/src/", &["leveret", "leveret_protocol", "leveret_storage", "tokio"]),
];

/// Where tokio may be named.
const TOKIO: &[&str] =
    &["src/gateway/", "src/lapin/", "src/program/", "tests/", "benches/", "examples/"];

/// Where the clock may be read.
const CLOCK: &[&str] = &["src/time/clock.rs", "src/program/bench", "benches/", "protocol/benches/"];

/// tokio's timers take nothing but tokio's own time.
const TOKIO_TIMER: &str = "src/gateway/connection_timer.rs";

/// Loose ends, in code.
const LOOSE_ENDS: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Loose ends, anywhere.
const MARKS: &[&str] = &["TODO", "FIXME", "XXX"];

/// Places that mean something on one machine only.
const FOREIGN: &[&str] = &["/work/", "/home/", "/root/", "/tmp/t-"];

/// Registries are named by the tools' own configuration. Links to pages of packages are fine.
const REGISTRIES: &[&str] = &[
    "index.crates.io",
    "static.crates.io",
    "registry.npmjs.org",
    "pypi.org/simple",
    "files.pythonhosted.org",
    "repo.maven.apache.org",
    "proxy.golang.org",
    "deb.debian.org",
];

struct File {
    /// Path from the root, with slashes.
    path: String,
    text: String,
    /// The text with comments and strings blanked out; line by line the same.
    code: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

fn read_files(folder: &Path, root: &Path, files: &mut Vec<File>) {
    const SKIPPED: &[&str] = &["target", "node_modules", "corpus", "artifacts", "vendor"];
    const READ: &[&str] = &["rs", "toml", "md", "sh", "py", "js", "go", "java", "php"];
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') && name != ".ci";
        if hidden || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if entry.is_dir() {
            read_files(&entry, root, files);
            continue;
        }
        let extension = entry.extension().map(|e| e.to_string_lossy().into_owned());
        if extension.is_some_and(|e| READ.contains(&e.as_str())) || entry.ends_with(".ci/run") {
            let path = entry.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&entry).unwrap();
            let code = blank_out(&text);
            files.push(File { path, text, code });
        }
    }
}

/// Replaces comments, strings and characters by spaces; keeps line ends.
fn blank_out(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after_name = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if !after_name => prefixed_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        }
        let (blanked, tail) = rest.split_at(length);
        code.extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = tail;
    }
    code
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`; 0 for anything else.
fn prefixed_string(text: &str) -> usize {
    let prefix = text.len() - text.trim_start_matches(['r', 'b', 'c']).len();
    let hashes = text[prefix..].len() - text[prefix..].trim_start_matches('#').len();
    let start = prefix + hashes;
    if prefix > 2 || !text[start..].starts_with('"') {
        return 0;
    }
    if !text[..prefix].contains('r') {
        return if hashes == 0 { prefix + string(&text[prefix..]) } else { 0 };
    }
    let end = format!("\"{}", "#".repeat(hashes));
    text[start + 1..].find(&end).map_or(text.len(), |at| start + 1 + at + end.len())
}

/// A character literal, told from a lifetime by its closing quote.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|&(_, c)| c == '\'').map_or(0, |(at, _)| at + 1)
        }
        Some(_) => chars.next().filter(|&(_, c)| c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

/// Whether `word` occurs in `line` by itself.
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

/// Whether a line names a module or crate in a path: `crate::word`, `word::`, `{word`, `word}`.
fn names_in_path(line: &str, in_use: bool, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        if before.ends_with(is_part) || after.starts_with(is_part) {
            return false;
        }
        let own = before.ends_with("self::");
        let rooted = before.ends_with("crate::") || before.ends_with("super::");
        let leads = after.starts_with("::") && !before.ends_with("::");
        let listed = in_use && (before.ends_with(['{', ' ']) && after.starts_with([',', '}']));
        !own && (rooted || leads || listed)
    })
}

fn check_sizes(file: &File, report: &mut Vec<String>) {
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        report.push(format!("{}: {lines} lines; the limit is {FILE_LINES_MAX}", file.path));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            report.push(format!(
                "{}:{number}: {columns} columns; the limit is {COLUMNS_MAX}",
                file.path
            ));
        }
    }
    for (number, lines) in long_functions(&file.code) {
        report.push(format!(
            "{}:{number}: a function of {lines} lines; the limit is {FUNCTION_LINES_MAX}",
            file.path
        ));
    }
}

/// The first line and the length of functions that are too long.
fn long_functions(code: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !names(line, "fn") {
            continue;
        }
        let mut depth = 0_usize;
        for (end, line) in lines.iter().enumerate().skip(start) {
            let opened = depth > 0 || line.contains('{');
            for c in line.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            let declaration = !opened && line.trim_end().ends_with(';');
            if declaration || opened && depth == 0 {
                if end - start + 1 > FUNCTION_LINES_MAX {
                    found.push((start + 1, end - start + 1));
                }
                break;
            }
        }
    }
    found
}

fn check_layers(file: &File, report: &mut Vec<String>) {
    let banned: Vec<&str> = LAYERS
        .iter()
        .filter(|(place, _)| file.path.starts_with(place))
        .flat_map(|(_, banned)| banned.iter().copied())
        .collect();
    let no_tokio = !file.is_in(TOKIO);
    let mut in_use = false;
    for (number, line) in (1..).zip(file.code.lines()) {
        in_use |= names(line, "use");
        for word in &banned {
            if names_in_path(line, in_use, word) {
                report.push(format!(
                    "{}:{number}: names `{word}`, which is above or beside it",
                    file.path
                ));
            }
        }
        if no_tokio && names(line, "tokio") && !banned.contains(&"tokio") {
            report.push(format!("{}:{number}: only the gateway may name tokio", file.path));
        }
        if line.contains(';') {
            in_use = false;
        }
    }
}

fn check_clock(file: &File, report: &mut Vec<String>) {
    let imports_tokio_time = file.path == TOKIO_TIMER && file.code.contains("use tokio::time::");
    for (number, line) in (1..).zip(file.code.lines()) {
        let reads = line.contains("SystemTime::now")
            || line.contains("Instant::now") && !imports_tokio_time;
        if reads && !file.is_in(CLOCK) {
            report.push(format!("{}:{number}: only src/time/clock.rs reads the clock", file.path));
        }
    }
}

fn check_loose_ends(file: &File, report: &mut Vec<String>) {
    let is_test = file.path.contains("tests/") && file.is_rust();
    for (number, line) in (1..).zip(file.code.lines()) {
        for end in LOOSE_ENDS.iter().filter(|end| file.is_rust() && line.contains(**end)) {
            report.push(format!("{}:{number}: `{end}`", file.path));
        }
        // Waiting on a broker's clock is a method; on the machine's, a function.
        let sleeps = line.replace(".sleep(", "").contains("sleep(");
        if is_test && (sleeps || line.contains("park_timeout(")) {
            report.push(format!("{}:{number}: a test does not sleep", file.path));
        }
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        for mark in MARKS.iter().filter(|mark| names(line, mark)) {
            report.push(format!("{}:{number}: {mark}", file.path));
        }
        for word in FOREIGN.iter().chain(REGISTRIES).filter(|word| line.contains(**word)) {
            report.push(format!("{}:{number}: `{word}` does not belong here", file.path));
        }
    }
}

#[test]
fn the_house_rules_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    read_files(root, root, &mut files);
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the sources were not found");
    let mut report = Vec::new();
    for file in files.iter().filter(|file| file.path != "tests/tidy.rs") {
        if file.is_rust() {
            check_sizes(file, &mut report);
            check_layers(file, &mut report);
            check_clock(file, &mut report);
        }
        check_loose_ends(file, &mut report);
    }
    let mut text = String::new();
    report.iter().for_each(|line| writeln!(text, "  {line}").unwrap());
    assert!(report.is_empty(), "{} breaches of the house rules:\n{text}", report.len());
}

fn file(path: &str, text: &str) -> File {
    File { path: path.into(), text: text.into(), code: blank_out(text) }
}

/// What the checks say of a file with this text.
fn breaches(path: &str, text: &str) -> usize {
    let file = file(path, text);
    let mut report = Vec::new();
    check_sizes(&file, &mut report);
    check_layers(&file, &mut report);
    check_clock(&file, &mut report);
    check_loose_ends(&file, &mut report);
    report.len()
}

#[test]
fn comments_and_strings_are_not_code() {
    let text = "a /* b /* c */ d */ e // f\n'g' '\\'' \"h\\\"i\" r#\"j\"k\"# b\"l\" 'm: n";
    let code: String = blank_out(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, "a e 'm: n");
}

#[test]
fn long_things_are_found() {
    let body = "    call();\n".repeat(FUNCTION_LINES_MAX - 2);
    assert_eq!(breaches("src/a.rs", &format!("fn f() {{\n{body}}}\n")), 0);
    assert_eq!(breaches("src/a.rs", &format!("fn f() {{\n{body}\n}}\n")), 1);
    assert_eq!(breaches("src/a.rs", &"\n".repeat(FILE_LINES_MAX + 1)), 1);
    assert_eq!(breaches("src/a.rs", &"é".repeat(COLUMNS_MAX)), 0);
    assert_eq!(breaches("src/a.rs", &"é".repeat(COLUMNS_MAX + 1)), 1);
}

#[test]
fn layers_are_kept_apart() {
    for bad in [
        "use crate::vhost::VirtualHost;",
        "use crate::{names, vhost};",
        "use crate::{\n    names, vhost::dead_letter,\n};",
        "fn f() { crate::vhost::run() }",
        "use tokio::sync::mpsc;",
        "type T = leveret_storage::Key;",
    ] {
        assert_eq!(breaches("src/queue/a.rs", bad), 1, "{bad}");
    }
    for good in ["use crate::queue::effects;", "/// [`crate::vhost`]", "let vhost = 1;"] {
        assert_eq!(breaches("src/queue/a.rs", good), 0, "{good}");
    }
    assert_eq!(breaches("src/exchange/a.rs", "use crate::queue::Queue;"), 1);
    assert_eq!(breaches("protocol/src/a.rs", "use leveret::Broker;"), 1);
    assert_eq!(breaches("src/broker.rs", "use tokio::runtime::Runtime;"), 1);
    assert_eq!(breaches("src/gateway/a.rs", "use tokio::runtime::Runtime;"), 0);
}

#[test]
fn loose_ends_are_found() {
    for bad in ["let t = Instant::now();", "todo!()", "// TODO: this", "#[ignore]", "/work/here"] {
        assert_eq!(breaches("src/a.rs", bad), 1, "{bad}");
    }
    assert_eq!(breaches("tests/a.rs", "thread::sleep(second);"), 1);
    assert_eq!(breaches("src/time/clock.rs", "let t = Instant::now();"), 0);
}

#[test]
fn the_first_test_of_the_docs_is_one_that_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let block = format!("```rust\n{}```\n", read("tests/first_test.rs"));
    assert!(read("docs/testing.md").contains(&block), "tests/first_test.rs is not in the docs");
}
