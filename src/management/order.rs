//! The order of a list, which is found while the list is taken: the first items leave before the
//! others are compared with each other.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde_json::Value;

use crate::management::call::Query;
use crate::management::json::{Object, at, compare};

/// An item of a list, of which the answer is made late: there may be many.
pub(super) trait Row: Send + 'static {
    /// The item as it is answered.
    fn render(&self) -> Object;

    /// A value of it that is a text and at hand: those that its list is ordered by should be.
    fn text(&self, _name: &str) -> Option<&str> {
        None
    }

    /// A value of it that is a number and at hand: those that lists are often sorted by.
    fn number(&self, _name: &str) -> Option<usize> {
        None
    }

    /// Any value of it.
    fn value(&self, name: &str) -> Value {
        let text = self.text(name).map(Value::from);
        text.or_else(|| self.number(name).map(Value::from))
            .unwrap_or_else(|| value_of(&self.render(), name))
    }
}

impl Row for Object {
    fn render(&self) -> Object {
        self.clone()
    }

    fn text(&self, name: &str) -> Option<&str> {
        at(self, name)?.as_str()
    }

    fn value(&self, name: &str) -> Value {
        value_of(self, name)
    }
}

/// The value at a dotted name of an item; 0 if there is none.
fn value_of(item: &Object, name: &str) -> Value {
    at(item, name).cloned().unwrap_or_else(|| 0.into())
}

/// Rows in their order, each found when it is taken. To begin takes a few comparisons for each row,
/// and to go on as many as their number has binary digits.
pub(super) struct Sorted<R>(BinaryHeap<Item<R>>);

/// A row in a heap, of which the first in order is the greatest.
struct Item<R> {
    row: R,
    /// The value that the request sorts by; nothing if it does not.
    asked: Value,
    /// Rows that are equal otherwise stay as they were.
    place: usize,
    order: Order,
}

/// What rows are sorted by after the value that the request may name.
#[derive(Clone, Copy)]
struct Order {
    names: &'static [&'static str],
    is_reverse: bool,
}

impl<R: Row> Sorted<R> {
    /// Puts rows in the order that the request asks for, or else by the values of these names.
    pub(super) fn new(query: &Query, rows: Vec<R>, names: &'static [&'static str]) -> Self {
        let asked = query.get("sort").filter(|name| !name.is_empty());
        let order = Order { names, is_reverse: query.is_true("sort_reverse") };
        let item = |(place, row): (usize, R)| {
            let asked = asked.map_or(Value::Null, |name| row.value(name));
            Item { row, asked, place, order }
        };
        Self(rows.into_iter().enumerate().map(item).collect())
    }
}

impl<R: Row> Iterator for Sorted<R> {
    type Item = R;

    fn next(&mut self) -> Option<R> {
        self.0.pop().map(|item| item.row)
    }
}

impl<R: Row> Item<R> {
    /// In the order of the list, were it not reversed.
    fn compare(&self, other: &Self) -> Ordering {
        let by_name = |name: &&str| match (self.row.text(name), other.row.text(name)) {
            (Some(one), Some(other)) => one.cmp(other),
            _ => compare(&self.row.value(name), &other.row.value(name)),
        };
        let by_names = || {
            let differs = |order: &Ordering| order.is_ne();
            self.order.names.iter().map(by_name).find(differs).unwrap_or(Ordering::Equal)
        };
        compare(&self.asked, &other.asked)
            .then_with(by_names)
            .then_with(|| self.place.cmp(&other.place))
    }
}

impl<R: Row> Ord for Item<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.compare(other);
        if self.order.is_reverse { order } else { order.reverse() }
    }
}

impl<R: Row> PartialOrd for Item<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R: Row> PartialEq for Item<R> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<R: Row> Eq for Item<R> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::json::object;

    fn sorted(query: &str, rows: &[(&str, u32)]) -> Vec<String> {
        let row = |(name, size): &(&str, u32)| object! {"name": *name, "size": *size};
        let rows = rows.iter().map(row).collect();
        let sorted = Sorted::new(&Query::parse(Some(query)), rows, &["name"]);
        sorted
            .map(|row| row["name"].as_str().unwrap().to_owned() + &row["size"].to_string())
            .collect()
    }

    #[test]
    fn rows_come_by_their_names_or_by_what_the_request_names() {
        let rows = [("b", 1), ("c", 1), ("a", 10), ("b", 0)];
        assert_eq!(sorted("", &rows), ["a10", "b1", "b0", "c1"]);
        assert_eq!(sorted("sort=", &rows), ["a10", "b1", "b0", "c1"]);
        assert_eq!(sorted("sort_reverse=true", &rows), ["c1", "b0", "b1", "a10"]);
        assert_eq!(sorted("sort=size", &rows), ["b0", "b1", "c1", "a10"]);
        assert_eq!(sorted("sort=size&sort_reverse=true", &rows), ["a10", "c1", "b1", "b0"]);
        assert_eq!(sorted("sort=nothing", &rows), ["a10", "b1", "b0", "c1"]);
    }
}
