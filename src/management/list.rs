//! What lists have in common: order, pages, columns, and that they are sent while they are made.

use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::json;

use crate::access::Pattern;
use crate::management::answer::{Answer, Body, Outcome, Refusal};
use crate::management::call::{Call, Query};
use crate::management::json::{Columns, Object};
use crate::management::order::{Row, Sorted};

const PAGE_SIZE_DEFAULT: usize = 100;
const PAGE_SIZE_MAX: i64 = 500;

/// Octets that are made at a time: so much of a list is in memory.
const PIECE_BYTES: usize = 32 << 10;

/// How a list is sorted unless the request says otherwise.
pub(super) const BY_NAME: &[&str] = &["vhost", "name"];

/// Answers with a list, or with a page of it if the request asks for one.
pub(super) fn list<R: Row>(call: &Call, rows: Vec<R>, order: &'static [&'static str]) -> Outcome {
    let page = Page::parse(&call.query)?;
    let columns = Columns::parse(call.query.get("columns"));
    match page {
        None => Ok(Answer::json_body(stream(Sorted::new(&call.query, rows, order), columns))),
        Some(page) => page.answer(&call.query, rows, order, &columns),
    }
}

/// Answers with all of a list, whatever the request says of pages.
pub(super) fn whole<R: Row>(call: &Call, rows: Vec<R>, order: &'static [&'static str]) -> Outcome {
    let columns = Columns::parse(call.query.get("columns"));
    Ok(Answer::json_body(stream(Sorted::new(&call.query, rows, order), columns)))
}

/// Answers with one object.
pub(super) fn one(call: &Call, object: Object) -> Outcome {
    Ok(Answer::json(&Columns::parse(call.query.get("columns")).of(object)))
}

/// Writes a list piece by piece, as it is taken. What fits in one piece is sent with its length.
fn stream<R: Row>(rows: Sorted<R>, columns: Columns) -> Body {
    let mut pieces = Pieces { rows, columns, begun: false, ended: false };
    let first = pieces.next().unwrap_or_default();
    if pieces.ended {
        return Body::Whole(first);
    }
    Body::Pieces(Box::new(std::iter::once(first).chain(pieces)))
}

struct Pieces<R> {
    rows: Sorted<R>,
    columns: Columns,
    begun: bool,
    ended: bool,
}

impl<R: Row> Iterator for Pieces<R> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut piece = Vec::with_capacity(PIECE_BYTES + 1024);
        while piece.len() < PIECE_BYTES {
            let Some(row) = self.rows.next() else {
                piece.extend_from_slice(if self.begun { b"]" } else { b"[]" });
                self.ended = true;
                break;
            };
            piece.push(if self.begun { b',' } else { b'[' });
            self.begun = true;
            // Texts and numbers always can be written.
            let _ = serde_json::to_writer(&mut piece, &self.columns.of(row.render()));
        }
        Some(piece.into())
    }
}

/// The page that a request asks for.
#[derive(Debug)]
struct Page {
    number: usize,
    size: usize,
    filter: Filter,
}

/// Which names a page shows.
#[derive(Debug)]
enum Filter {
    All,
    Part(String),
    Matching(Pattern),
}

impl Filter {
    fn parse(query: &Query) -> Outcome<Self> {
        let Some(name) = query.get("name").filter(|name| !name.is_empty()) else {
            return Ok(Self::All);
        };
        if !query.is_true("use_regex") {
            return Ok(Self::Part(name.to_lowercase()));
        }
        let pattern = Pattern::new(&format!("(?i){name}"));
        Ok(Self::Matching(pattern.map_err(|_| Refusal::bad("Pagination parameters are invalid"))?))
    }

    fn shows(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Part(part) => name.to_lowercase().contains(part),
            Self::Matching(pattern) => pattern.matches(name),
        }
    }
}

impl Page {
    /// Reads the parameters; `None` if no page is asked for.
    fn parse(query: &Query) -> Outcome<Option<Self>> {
        let number = |name| match query.get(name).map(str::parse::<i64>) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(Refusal::bad("Pagination parameters are invalid")),
        };
        let (page, size) = (number("page")?, number("page_size")?);
        let Some(page) = page else { return Ok(None) };
        let size_is_good = size.is_none_or(|size| (1..=PAGE_SIZE_MAX).contains(&size));
        if page < 1 || !size_is_good {
            let size = size.map_or("undefined".to_owned(), |size| size.to_string());
            let reason =
                format!("Invalid pagination parameters: page number {page}, page size {size}");
            let status = StatusCode::BAD_REQUEST;
            return Err(Refusal::new(status, "invalid_pagination_parameters", reason));
        }
        let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(PAGE_SIZE_DEFAULT);
        let number = usize::try_from(page).unwrap_or(usize::MAX);
        Ok(Some(Self { number, size, filter: Filter::parse(query)? }))
    }

    fn answer<R: Row>(
        &self,
        query: &Query,
        rows: Vec<R>,
        order: &'static [&'static str],
        columns: &Columns,
    ) -> Outcome {
        let total = rows.len();
        let shown: Vec<R> = match &self.filter {
            Filter::All => rows,
            filter => {
                let is_shown = |row: &R| filter.shows(row.text("name").unwrap_or_default());
                rows.into_iter().filter(is_shown).collect()
            }
        };
        let count = shown.len();
        let (number, size) = (self.number, self.size);
        let before = (number - 1).saturating_mul(size);
        // The page after a full last one is empty, and those after it are none.
        if before > count {
            let reason =
                format!("Page out of range, page: {number} page size: {size}, len: {count}");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "page_out_of_range", reason));
        }
        let items = Sorted::new(query, shown, order).skip(before).take(size);
        let items: Vec<Object> = items.map(|row| columns.of(row.render())).collect();
        Ok(Answer::json(&json!({
            "total_count": total,
            "item_count": items.len(),
            "filtered_count": count,
            "page": number,
            "page_size": size,
            "page_count": count.div_ceil(size),
            "items": items,
        })))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::management::json::object;

    const ROWS: usize = 20_000;

    /// What was done with rows: how many were rendered, and how often names were looked at.
    #[derive(Default)]
    struct Work {
        rendered: AtomicUsize,
        compared: AtomicUsize,
    }

    struct Counted(String, Arc<Work>);

    impl Row for Counted {
        fn render(&self) -> Object {
            self.1.rendered.fetch_add(1, Ordering::Relaxed);
            object! {"name": self.0}
        }

        fn text(&self, _name: &str) -> Option<&str> {
            self.1.compared.fetch_add(1, Ordering::Relaxed);
            Some(&self.0)
        }
    }

    #[test]
    fn the_first_piece_of_a_list_leaves_before_the_others_are_made_or_put_in_order() {
        let work = Arc::<Work>::default();
        // Multiples of a number that shares no factor with it: each once, in no order.
        let row = |i: usize| Counted(format!("{:05}", i * 7919 % ROWS), Arc::clone(&work));
        let rows = Sorted::new(&Query::default(), (0..ROWS).map(row).collect(), &["name"]);
        let Body::Pieces(mut pieces) = stream(rows, Columns::parse(None)) else {
            panic!("the list is sent in pieces")
        };
        let mut all = pieces.next().unwrap().to_vec();
        let rendered = work.rendered.load(Ordering::Relaxed);
        let compared = work.compared.load(Ordering::Relaxed);
        assert!(rendered < ROWS / 4, "{rendered} rows were rendered");
        assert!(compared < ROWS * 8, "names were looked at {compared} times");

        pieces.for_each(|piece| all.extend_from_slice(&piece));
        let all: Vec<Object> = serde_json::from_slice(&all).unwrap();
        assert_eq!(all.len(), ROWS);
        assert!(all.iter().map(|row| row["name"].as_str().unwrap()).is_sorted());
        assert_eq!(work.rendered.load(Ordering::Relaxed), ROWS);
        let compared = work.compared.load(Ordering::Relaxed);
        assert!(compared > ROWS * 16, "putting all in order takes more: {compared}");
    }
}
