//! Answers as tables for people and as JSON or CSV for programs.

use std::io::{self, Write as _};

use clap::ValueEnum;
use serde_json::{Map, Value};

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Format {
    /// Columns with tabs between them
    Table,
    /// Columns in a frame
    PrettyTable,
    /// JSON
    Json,
    /// A JSON object on each line
    JsonStream,
    /// Values with commas between them
    Csv,
}

/// What a command has to say.
#[derive(Debug)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// A text, and the same as JSON.
    Text(String, Value),
    /// Rows of these columns.
    Rows { columns: Vec<String>, rows: Vec<Map<String, Value>>, header_if_empty: bool },
}

impl Said {
    /// A text; as JSON that all is well.
    pub(super) fn well(text: impl Into<String>) -> Self {
        Self::Text(text.into(), serde_json::json!({"result": "ok"}))
    }

    /// Rows of these columns.
    pub(super) fn rows(columns: &[&str], rows: Vec<Map<String, Value>>) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self::Rows { columns, rows, header_if_empty: true }
    }
}

/// Writes it on standard output.
pub(super) fn print(said: &Said, format: Format, headers: bool) {
    let text = written(said, format, headers);
    if !text.is_empty() {
        // Whoever reads may have enough of it, as `head` has.
        let _ = writeln!(io::stdout(), "{text}");
    }
}

fn written(said: &Said, format: Format, headers: bool) -> String {
    match (said, format) {
        (Said::Nothing, _) => String::new(),
        (Said::Text(_, value), Format::Json | Format::JsonStream) => value.to_string(),
        (Said::Text(text, _), _) => text.clone(),
        (Said::Rows { columns, rows, .. }, Format::Json) => {
            let rows: Vec<_> = rows.iter().map(|row| picked(columns, row)).collect();
            match rows.is_empty() {
                true => "[\n]".to_owned(),
                false => format!("[\n{}\n]", rows.join("\n,")),
            }
        }
        (Said::Rows { columns, rows, .. }, Format::JsonStream) => {
            let rows: Vec<_> = rows.iter().map(|row| picked(columns, row)).collect();
            rows.join("\n")
        }
        (Said::Rows { columns, rows, header_if_empty }, format) => {
            let texts = |row: &Map<String, Value>| -> Vec<String> {
                let cell = |column: &String| match row.get(column) {
                    Some(Value::Object(table)) if TABLES.contains(&column.as_str()) => pairs(table),
                    value => text(value.unwrap_or(&Value::Null)),
                };
                columns.iter().map(cell).collect()
            };
            let mut lines: Vec<Vec<String>> = rows.iter().map(texts).collect();
            let has_header = headers && (*header_if_empty || !lines.is_empty());
            match format {
                Format::PrettyTable => framed(columns, &lines),
                Format::Csv => {
                    let line = |line: &Vec<String>| {
                        let quoted =
                            line.iter().map(|text| format!("\"{}\"", text.replace('"', "\"\"")));
                        quoted.collect::<Vec<_>>().join(",")
                    };
                    if has_header {
                        lines.insert(0, columns.clone());
                    }
                    lines.iter().map(line).collect::<Vec<_>>().join("\r\n")
                }
                _ => {
                    if has_header {
                        lines.insert(0, columns.clone());
                    }
                    lines.iter().map(|line| line.join("\t")).collect::<Vec<_>>().join("\n")
                }
            }
        }
    }
}

/// A row as JSON, with its columns in their order.
fn picked(columns: &[String], row: &Map<String, Value>) -> String {
    let pick = |column: &String| {
        let value = row.get(column).cloned().unwrap_or(Value::String(String::new()));
        format!("{}:{value}", Value::String(column.clone()))
    };
    format!("{{{}}}", columns.iter().map(pick).collect::<Vec<_>>().join(","))
}

/// A value in a table: lists as `[a, b]`, nothing for null.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Columns with tables of AMQP, which RabbitMQ's tools write as Erlang does.
const TABLES: &[&str] = &["arguments", "client_properties"];

/// A table of AMQP: `[{"a",1}]`.
fn pairs(table: &Map<String, Value>) -> String {
    let pair = |(name, value): (&String, &Value)| {
        format!("{{{},{}}}", Value::String(name.clone()), term(value))
    };
    format!("[{}]", table.iter().map(pair).collect::<Vec<_>>().join(","))
}

fn term(value: &Value) -> String {
    match value {
        Value::Object(table) => pairs(table),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(term).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn framed(columns: &[String], lines: &[Vec<String>]) -> String {
    let width = |index: usize| {
        let texts = lines.iter().filter_map(|line| line.get(index)).chain(columns.get(index));
        texts.map(|text| text.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let rule = |left: &str, middle: &str, right: &str| {
        let dashes: Vec<_> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}", dashes.join(middle))
    };
    let row = |line: &[String]| {
        let cells: Vec<_> =
            line.iter().zip(&widths).map(|(text, width)| format!(" {text:<width$} ")).collect();
        format!("│{}│", cells.join("│"))
    };
    let mut all = vec![rule("┌", "┬", "┐"), row(columns), rule("├", "┼", "┤")];
    all.extend(lines.iter().map(|line| row(line)));
    all.push(rule("└", "┴", "┘"));
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Said {
        let row = |value: Value| match value {
            Value::Object(row) => row,
            _ => Map::new(),
        };
        let rows = vec![row(serde_json::json!({"user": "a", "tags": ["x", "y"], "n": 1}))];
        Said::rows(&["user", "tags"], rows)
    }

    #[test]
    fn tables_of_amqp_are_written_as_terms() {
        let arguments = serde_json::json!({"l": [1, "a"], "n": 5, "t": {"b": true}, "x": "y"});
        let row = Map::from_iter([("arguments".to_owned(), arguments)]);
        let said = Said::rows(&["arguments"], vec![row.clone()]);
        let terms = r#"[{"l",[1,"a"]},{"n",5},{"t",[{"b",true}]},{"x","y"}]"#;
        assert_eq!(written(&said, Format::Table, false), terms);
        let json = r#"{"arguments":{"l":[1,"a"],"n":5,"t":{"b":true},"x":"y"}}"#;
        assert_eq!(written(&said, Format::Json, false), format!("[\n{json}\n]"));
        let parameter =
            Said::rows(&["value"], vec![Map::from_iter([("value".into(), row.into())])]);
        assert!(written(&parameter, Format::Table, false).starts_with("{\"arguments\":{"));
    }

    #[test]
    fn rows_are_written_as_rabbitmqs_tools_do() {
        assert_eq!(written(&said(), Format::Table, true), "user\ttags\na\t[x, y]");
        assert_eq!(written(&said(), Format::Table, false), "a\t[x, y]");
        let json = "[\n{\"user\":\"a\",\"tags\":[\"x\",\"y\"]}\n]";
        assert_eq!(written(&said(), Format::Json, true), json);
        assert_eq!(written(&said(), Format::Csv, true), "\"user\",\"tags\"\r\n\"a\",\"[x, y]\"");
        assert!(written(&said(), Format::PrettyTable, true).contains("│ a    │ [x, y] │"));
    }
}
