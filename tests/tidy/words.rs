//! What must not be said: loose ends, the clock outside its file, crates outside their rooms,
//! places of one machine.

use crate::house::{CLIENTS, CLOCK, KEPT_CRATES, TOKIO_TIMER, X_NAMES};
use crate::source::Source;

/// Loose ends, in code.
const LOOSE_ENDS: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore]"];

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

/// All of it, for one file of any language.
pub(crate) fn check(source: &Source, report: &mut Vec<String>) {
    check_paths(source, report);
    check_arguments(source, report);
    for (line, mark) in source.facts.iter().flat_map(|facts| &facts.marks) {
        if LOOSE_ENDS.contains(&mark.as_str()) {
            report.push(format!("{}:{line}: `{mark}`", source.path));
        }
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        for mark in MARKS.iter().filter(|mark| has_word(line, mark)) {
            report.push(format!("{}:{number}: {mark}", source.path));
        }
        for word in FOREIGN.iter().chain(REGISTRIES).filter(|word| line.contains(**word)) {
            report.push(format!("{}:{number}: `{word}` does not belong here", source.path));
        }
    }
}

/// Names of arguments have one place.
fn check_arguments(source: &Source, report: &mut Vec<String>) {
    let Some(facts) = source.facts.as_ref().filter(|_| source.path.starts_with("src/")) else {
        return;
    };
    if source.is_in(X_NAMES) {
        return;
    }
    let texts = facts.texts.iter().filter(|(place, text)| !place.in_tests && is_x_name(text));
    for (place, text) in texts {
        let line = place.line;
        report.push(format!("{}:{line}: '{text}' belongs in src/base/argument.rs", source.path));
    }
}

fn is_x_name(text: &str) -> bool {
    let rest = text.strip_prefix("x-").unwrap_or_default();
    !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

/// The clock, sleep and crates, which are all known by their paths.
fn check_paths(source: &Source, report: &mut Vec<String>) {
    // Programs of other people's clients live by the clocks of these.
    let Some(facts) = source
        .facts
        .as_ref()
        .filter(|_| !CLIENTS.iter().any(|folder| source.path.starts_with(folder)))
    else {
        return;
    };
    let imports = facts.imports.iter().map(|import| (&import.place, &import.path));
    let mentions = facts.mentions.iter().map(|mention| (&mention.place, &mention.path));
    for (place, path) in imports.chain(mentions) {
        let whole = facts.whole_path(path);
        let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
        let mut say = |what: &str| report.push(format!("{}:{}: {what}", source.path, place.line));
        if let [.., "SystemTime" | "Instant", "now"] = whole[..] {
            let is_timer = source.path == TOKIO_TIMER && whole.starts_with(&["tokio", "time"]);
            if !is_timer && !source.is_in(CLOCK) {
                say("only src/time/clock.rs reads the clock");
            }
        }
        let sleeps = whole.len() > 1 && matches!(whole[..], [.., "sleep" | "park_timeout"]);
        if sleeps && source.path.contains("tests/") {
            say("a test does not sleep");
        }
        let kept = KEPT_CRATES.iter().filter(|(name, ..)| whole.first() == Some(name));
        for (name, _, why) in kept.filter(|(_, places, _)| !source.is_in(places)) {
            say(&format!("may not name `{name}`: {why}"));
        }
    }
}

/// Whether `word` occurs in `line` by itself.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}
