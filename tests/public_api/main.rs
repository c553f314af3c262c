//! The public API as text: a change of it shows as a change of docs/public-api.txt.
//!
//!     LEVERET_WRITE_API=1 cargo test --test public_api
//!
//! writes that file anew. The sources are parsed, with all features, so that any Rust will do.
//! What macros make is listed by its name alone, what is derived by the name of the trait.

#![allow(clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod crate_text;
mod list;

use std::fs;
use std::path::Path;

use crate::crate_text::Crate;
use crate::list::List;

/// What a newcomer can still look through.
const ITEMS_MAX: usize = 179;

#[test]
fn the_public_api_is_as_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = Crate::read(&root.join("src/lib.rs"));
    let list = List::of(&code);
    let lines = list.lines();
    let text = format!("{} public items\n\n{}\n", list.len(), lines.join("\n"));
    let file = root.join("docs/public-api.txt");
    if std::env::var_os("LEVERET_WRITE_API").is_some() {
        fs::write(&file, &text).expect("written");
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    let known: Vec<&str> = known.lines().collect();
    let now: Vec<&str> = text.lines().collect();
    let gone = known.iter().filter(|line| !now.contains(line)).map(|line| format!("- {line}"));
    let come = now.iter().filter(|line| !known.contains(line)).map(|line| format!("+ {line}"));
    let changes: Vec<String> = gone.chain(come).collect();
    assert!(
        changes.is_empty() && known == now,
        "the public API is not what docs/public-api.txt says:\n{}\nIf that is meant, run \
         LEVERET_WRITE_API=1 cargo test --test public_api",
        changes.join("\n")
    );
    assert!(list.len() <= ITEMS_MAX, "{} public items; the limit is {ITEMS_MAX}", list.len());
}
