//! What `rabbitmqadmin` shows, in its formats.

use clap::ValueEnum;
use serde_json::Value;

/// How lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Format {
    /// A table in a frame.
    Table,
    /// A block for each row.
    Long,
    /// Columns with tabs between them.
    Tsv,
    /// name="value" for each column.
    Kvp,
    /// JSON in one line.
    RawJson,
    /// JSON for people.
    PrettyJson,
    /// The first column, with spaces between.
    Bash,
}

impl Format {
    /// Whether all columns are shown unless some are named.
    pub(super) fn shows_all(self) -> bool {
        !matches!(self, Self::Table | Self::Tsv | Self::Bash)
    }
}

/// The rows as text; without columns all that they have.
pub(super) fn written(rows: &[Value], columns: &[String], format: Format) -> String {
    match format {
        Format::RawJson => return Value::from(rows.to_vec()).to_string(),
        Format::PrettyJson => {
            // What was read can be written.
            return serde_json::to_string_pretty(rows).unwrap_or_default();
        }
        _ => {}
    }
    let cells: Vec<Vec<(String, String)>> = rows.iter().map(|row| cells(row, columns)).collect();
    match format {
        Format::Bash => {
            let first = |row: &Vec<(String, String)>| row.first().map(|(_, text)| text.clone());
            cells.iter().filter_map(first).collect::<Vec<_>>().join(" ")
        }
        Format::Kvp => {
            let pair = |(name, text): &(String, String)| format!("{name}=\"{text}\"");
            let line = |row: &Vec<_>| row.iter().map(pair).collect::<Vec<_>>().join(" ");
            cells.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Format::Long => long(&cells),
        Format::Tsv => {
            let lines = cells.iter().map(|row| texts(row));
            let lines = std::iter::once(columns.to_vec()).chain(lines);
            lines.map(|line| line.join("\t")).collect::<Vec<_>>().join("\n")
        }
        _ if cells.is_empty() => "No items".to_owned(),
        _ => table(columns, &cells.iter().map(|row| texts(row)).collect::<Vec<_>>()),
    }
}

fn texts(row: &[(String, String)]) -> Vec<String> {
    row.iter().map(|(_, text)| text.clone()).collect()
}

/// The named values of a row, or all of them.
fn cells(row: &Value, columns: &[String]) -> Vec<(String, String)> {
    if !columns.is_empty() {
        let cell = |column: &String| (column.clone(), text(at(row, column)));
        return columns.iter().map(cell).collect();
    }
    let mut all = Vec::new();
    flatten(row, "", &mut all);
    all
}

fn flatten(row: &Value, before: &str, all: &mut Vec<(String, String)>) {
    for (name, value) in row.as_object().into_iter().flatten() {
        match value {
            Value::Object(below) if !below.is_empty() => {
                flatten(value, &format!("{before}{name}."), all);
            }
            value => all.push((format!("{before}{name}"), text(Some(value)))),
        }
    }
}

/// The value at a name such as `message_stats.publish`.
fn at<'a>(row: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(row, |value, part| value.get(part))
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "True".to_owned(),
        Some(Value::Bool(false)) => "False".to_owned(),
        Some(other) => other.to_string(),
    }
}

fn long(cells: &[Vec<(String, String)>]) -> String {
    let rule = "-".repeat(80);
    let mut all = Vec::new();
    for row in cells {
        all.push(rule.clone());
        let width = row.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        all.extend(row.iter().map(|(name, text)| format!("{name:>width$}: {text}")));
    }
    all.push(rule);
    all.join("\n")
}

fn table(columns: &[String], lines: &[Vec<String>]) -> String {
    let width = |index: usize| {
        let texts = lines.iter().filter_map(|line| line.get(index)).chain(columns.get(index));
        texts.flat_map(|text| text.lines()).map(|line| line.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let dashes: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let rule = format!("+{}+", dashes.join("+"));
    let head: Vec<_> =
        columns.iter().zip(&widths).map(|(text, width)| format!(" {text:^width$} ")).collect();
    let mut all = vec![rule.clone(), format!("|{}|", head.join("|")), rule.clone()];
    for line in lines {
        let height = line.iter().map(|text| text.lines().count()).max().unwrap_or(1).max(1);
        for part in 0..height {
            let cell = |(text, width): (&String, &usize)| {
                format!(" {:<width$} ", text.lines().nth(part).unwrap_or_default())
            };
            let cells: Vec<_> = line.iter().zip(&widths).map(cell).collect();
            all.push(format!("|{}|", cells.join("|")));
        }
    }
    all.push(rule);
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_written_as_rabbitmqadmin_does() {
        let rows = [json!({"name": "q", "messages": 3, "details": {"rate": 0.5}})];
        let columns = ["name".to_owned(), "messages".to_owned()];
        let written = |columns: &[String], format| written(&rows, columns, format);
        let frame = "+------+----------+";
        let table = format!("{frame}\n| name | messages |\n{frame}\n| q    | 3        |\n{frame}");
        assert_eq!(written(&columns, Format::Table), table);
        assert_eq!(written(&columns, Format::Tsv), "name\tmessages\nq\t3");
        assert_eq!(written(&columns, Format::Bash), "q");
        assert_eq!(written(&columns, Format::Kvp), "name=\"q\" messages=\"3\"");
        assert!(written(&[], Format::Long).contains("details.rate: 0.5\n"));
        assert_eq!(super::written(&[], &columns, Format::Table), "No items");
    }
}
