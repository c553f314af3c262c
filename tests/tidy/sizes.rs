//! How long files, functions and lines may be.

use crate::source::Source;

const FILE_LINES_MAX: usize = 600;
/// From here on a file is a large one.
const FILE_LINES_LARGE: usize = 401;
/// How many of a hundred lines may be in large files.
const LARGE_PERCENT_MAX: usize = 8;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Sizes of one Rust file.
pub(crate) fn check(source: &Source, report: &mut Vec<String>) {
    let Some(facts) = &source.facts else { return };
    let path = &source.path;
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        report.push(format!("{path}: {lines} lines; the limit is {FILE_LINES_MAX}"));
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            report.push(format!("{path}:{number}: {columns} columns; the limit is {COLUMNS_MAX}"));
        }
    }
    for (line, lines) in facts.functions.iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX) {
        report.push(format!(
            "{path}:{line}: a function of {lines} lines; the limit is {FUNCTION_LINES_MAX}"
        ));
    }
}

/// How much of all Rust is in large files.
pub(crate) fn check_share(sources: &[Source], report: &mut Vec<String>) {
    let rust = sources.iter().filter(|source| source.facts.is_some());
    let lines: Vec<(usize, &str)> =
        rust.map(|source| (source.text.lines().count(), source.path.as_str())).collect();
    let large: Vec<_> = lines.iter().filter(|(lines, _)| *lines >= FILE_LINES_LARGE).collect();
    let sum: usize = lines.iter().map(|(lines, _)| lines).sum();
    let in_large: usize = large.iter().map(|(lines, _)| lines).sum();
    if in_large * 100 > sum * LARGE_PERCENT_MAX {
        let names: Vec<String> =
            large.iter().map(|(lines, path)| format!("{path} ({lines})")).collect();
        report.push(format!(
            "{in_large} of {sum} lines are in files of {FILE_LINES_LARGE} lines and more, which is \
             over {LARGE_PERCENT_MAX} %: {}",
            names.join(", ")
        ));
    }
}
