//! The house rules that a program can check: rooms and their order, circles, sizes, the clock,
//! loose ends. `house.rs` has the plan of the house.
//!
//!     cargo test --test tidy -- --nocapture rooms
//!
//! prints the rooms with what they import.
//!
//! Every Rust file is parsed. An import is what `use` names and each path in code, in types and
//! among the tokens that a macro is given, followed through re-exports to the file that has the
//! thing; comments and what only tests have are left out. Not seen are methods that are called
//! without naming their type, and what a macro makes.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod facts;
mod graph;
mod house;
mod modules;
mod order;
mod planted;
mod sizes;
mod source;
mod words;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use crate::graph::Graph;
use crate::house::{CIRCLES, CRATES, ENTRIES_MAX, ROOMS};
use crate::modules::Modules;
use crate::order::Rooms;
use crate::source::Source;

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let sources = source::read_tree(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(sources.iter().any(|s| s.path == "src/lib.rs"), "the sources were not found");
    sources
});

fn assert_none(breaches: &[String]) {
    let mut text = String::new();
    breaches.iter().for_each(|line| writeln!(text, "  {line}").unwrap());
    assert!(breaches.is_empty(), "breaches of the house rules ({}):\n{text}", breaches.len());
}

#[test]
fn every_room_imports_only_rooms_below_it() {
    let modules = Modules::of(&SOURCES, CRATES);
    let graph = Graph::of(&SOURCES, &modules);
    let rooms = Rooms::new(&SOURCES, &graph, ROOMS);
    let mut report = Vec::new();
    modules.check_all_have_a_crate(ROOMS, &mut report);
    rooms.check_list(&mut report);
    rooms.check_order(&mut report);
    assert_none(&report);
}

#[test]
fn files_import_each_other_in_no_circle() {
    let modules = Modules::of(&SOURCES, CRATES);
    let graph = Graph::of(&SOURCES, &modules);
    let mut report = Vec::new();
    order::check_circles(&SOURCES, &graph, CIRCLES, &mut report);
    assert_none(&report);
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut report = Vec::new();
    SOURCES.iter().for_each(|source| sizes::check(source, &mut report));
    sizes::check_share(&SOURCES, &mut report);
    assert_none(&report);
}

#[test]
fn nothing_is_said_that_does_not_belong_here() {
    let mut report = Vec::new();
    // This is where such words are listed.
    let own = ["tests/tidy/words.rs", "tests/tidy/planted.rs"];
    for source in SOURCES.iter().filter(|source| !source.is_in(&own)) {
        words::check(source, &mut report);
    }
    assert_none(&report);
}

/// Prints the rooms from the top down.
#[test]
fn rooms_are_few() {
    let modules = Modules::of(&SOURCES, CRATES);
    let graph = Graph::of(&SOURCES, &modules);
    println!("{}", Rooms::new(&SOURCES, &graph, ROOMS).describe());
    let rooms: usize = ROOMS[0].1.iter().map(|storey| storey.len()).sum();
    assert!(rooms <= ENTRIES_MAX, "{rooms} entries in src/; the limit is {ENTRIES_MAX}");
}

#[test]
fn the_first_test_of_the_docs_is_one_that_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let block = format!("```rust\n{}```\n", read("tests/first_test.rs"));
    assert!(read("docs/testing.md").contains(&block), "tests/first_test.rs is not in the docs");
}
