//! What is shown and how: which list, in which order, from where on.

use serde_json::{Map, Value};

use super::asking::{Query, Seen};
use super::columns::{Kind, What};
use crate::program::ctl::failure::{self, Failure};
use crate::program::ctl::output::Said;

/// What the user looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub what: What,
    /// The column that it is sorted by.
    pub order: usize,
    /// The other way round.
    pub is_reversed: bool,
    /// Part of the names of those that are shown.
    pub filter: String,
    /// The filter is being typed.
    pub is_typing: bool,
    /// Rows before the first one on the screen.
    pub first: usize,
    pub is_paused: bool,
}

impl View {
    /// Fails if there is no such column.
    pub(super) fn new(what: What, sort: Option<&str>, filter: &str) -> Result<Self, Failure> {
        let columns = what.columns();
        let place = |name: &str| columns.iter().position(|column| column.name == name);
        let order = match sort {
            None => what.first_order(),
            Some(name) => place(&name.to_lowercase()).ok_or_else(|| {
                let names: Vec<_> = columns.iter().map(|column| column.name).collect();
                let text = format!("there is no column '{name}': known are {}", names.join(", "));
                Failure::new(failure::USAGE, text)
            })?,
        };
        let filter = filter.to_owned();
        let (is_reversed, is_typing, is_paused) = (false, false, false);
        Ok(Self { what, order, is_reversed, filter, is_typing, first: 0, is_paused })
    }

    /// The other list.
    pub(super) fn turn_over(&mut self) {
        self.what = match self.what {
            What::Queues => What::Connections,
            What::Connections => What::Queues,
        };
        self.order = self.what.first_order();
        (self.is_reversed, self.first) = (false, 0);
    }

    /// Moves by so many rows.
    pub(super) fn scroll(&mut self, by: isize, all: usize) {
        self.first = self.first.saturating_add_signed(by).min(all.saturating_sub(1));
    }

    /// What to ask for, for so many rows.
    pub(super) fn query(&self, vhost: Option<&str>, rows: usize) -> Query {
        let column = &self.what.columns()[self.order];
        Query {
            what: self.what,
            vhost: vhost.map(str::to_owned),
            sort: column.field,
            is_descending: (column.kind != Kind::Text) != self.is_reversed,
            filter: self.filter.clone(),
            first: self.first,
            rows,
        }
    }
}

/// The value that a row has at a dotted name.
pub(super) fn value<'a>(row: &'a Value, field: &str) -> &'a Value {
    field.split('.').try_fold(row, |value, name| value.get(name)).unwrap_or(&Value::Null)
}

/// All that was seen, as other commands print it.
pub(super) fn table(what: What, seen: &Seen) -> Said {
    let columns: Vec<_> = what.columns().iter().map(|column| column.name).collect();
    let row = |row: &Value| -> Map<String, Value> {
        let cells = what.columns().iter().map(|column| {
            let found = match (value(row, column.field), column.kind) {
                (Value::Null, Kind::Text) => Value::String(String::new()),
                (Value::Null, Kind::Count) => 0.into(),
                (Value::Null, _) => 0.0.into(),
                (found, _) => found.clone(),
            };
            (column.name.to_owned(), found)
        });
        cells.collect()
    };
    Said::rows(&columns, seen.rows.iter().map(row).collect())
}
