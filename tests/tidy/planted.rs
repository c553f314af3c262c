//! Breaches that are planted in small trees: each is found, and what is like one is not.

use crate::graph::Graph;
use crate::house::{Circle, Storeys};
use crate::modules::Modules;
use crate::order::{self, Rooms};
use crate::source::Source;
use crate::{sizes, words};

const ROOMS: &[Storeys] =
    &[("src", &[&["lib"], &["broker"], &["channel", "gateway"], &["queue"], &["base"]])];
const CRATES: &[(&str, &str)] = &[("leveret", "src/lib.rs"), ("other", "other/src/lib.rs")];
const LIB: &str = "pub mod base; mod broker; mod channel; mod gateway; mod queue;
    pub use self::broker::Broker;
    pub use self::channel as canal;";

/// A house without a fault.
const HOUSE: &[(&str, &str)] = &[
    ("src/lib.rs", LIB),
    ("src/broker.rs", "mod builder; pub use self::builder::Builder; pub struct Broker(Builder);"),
    ("src/broker/builder.rs", "pub struct Builder(crate::channel::Channel, crate::queue::Queue);"),
    (
        "src/channel.rs",
        "use crate::{base::{self, Id}, queue}; pub struct Channel(queue::Queue, Id);",
    ),
    ("src/gateway.rs", "pub struct Gateway;"),
    ("src/queue/mod.rs", "mod state; pub use self::state::State; pub struct Queue;"),
    ("src/queue/state.rs", "use crate::base::Id; pub struct State(Id);"),
    ("src/base.rs", "pub struct Id;"),
];

/// The house with files in place of, or beside, those that it has.
fn house(files: &[(&str, &str)]) -> Vec<Source> {
    let others = HOUSE.iter().filter(|(path, _)| files.iter().all(|(other, _)| other != path));
    let source = |(path, text): &(&str, &str)| Source::new((*path).into(), (*text).into());
    others.chain(files).map(source).collect()
}

/// What is wrong with the rooms of a house.
fn in_rooms(sources: &[Source], circles: &[Circle]) -> Vec<String> {
    let modules = Modules::of(sources, CRATES);
    let graph = Graph::of(sources, &modules);
    let rooms = Rooms::new(sources, &graph, ROOMS);
    let mut report = Vec::new();
    modules.check_all_have_a_crate(ROOMS, &mut report);
    rooms.check_list(&mut report);
    rooms.check_order(&mut report);
    order::check_circles(sources, &graph, circles, &mut report);
    report
}

/// What the other checks say of a file.
fn in_file(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(path.into(), text.into());
    let mut report = Vec::new();
    sizes::check(&source, &mut report);
    words::check(&source, &mut report);
    report
}

#[test]
fn a_house_in_order_has_no_breach() {
    assert_eq!(in_rooms(&house(&[]), &[]), [""; 0]);
}

#[test]
fn imports_upward_are_found() {
    for import in [
        "use crate::broker::Broker;",
        "use crate::Broker;",
        "use crate::{base::Id, broker};",
        "use crate::{base::{self, Id}, broker::{Broker as B, self}};",
        "use crate::broker::*;",
        "use super::super::broker::Broker;",
        "use super::super::Broker;",
        "pub use crate::broker::Broker;",
        "use crate::base::{Id}; mod inner { use super::super::super::broker::Broker; }",
        "fn f() { use crate::broker::Broker; }",
        "fn f() { crate::broker::run() }",
        "fn f(broker: &crate::Broker) {}",
        "fn f() { println!(\"{}\", crate::Broker::name()); }",
        "impl crate::broker::Broker {}",
        "use leveret::Broker;",
        "use ::leveret::broker::Broker;",
    ] {
        let found = in_rooms(&house(&[("src/queue/state.rs", import)]), &[]);
        let expected = "src/queue/state.rs:1: imports src/broker.rs, which is above or beside it";
        assert_eq!(found, [expected], "{import}");
    }
}

#[test]
fn imports_beside_are_found() {
    let text = "use crate::canal::Channel;";
    let found = in_rooms(&house(&[("src/gateway.rs", text)]), &[]);
    let expected = "src/gateway.rs:1: imports src/channel.rs, which is above or beside it";
    assert_eq!(found, [expected]);
}

#[test]
fn imports_by_way_of_another_room_are_found() {
    let base = ("src/base.rs", "pub use crate::broker::Builder; pub struct Id;");
    let queue = ("src/queue/state.rs", "use crate::base::Builder;");
    let found = in_rooms(&house(&[base, queue]), &[]);
    let expected = [
        "src/queue/state.rs:1: imports src/broker/builder.rs, which is above or beside it",
        "src/base.rs:1: imports src/broker/builder.rs, which is above or beside it",
    ];
    assert!(expected.iter().all(|line| found.iter().any(|found| found == line)), "{found:?}");
}

#[test]
fn what_only_looks_like_an_import_is_none() {
    for good in [
        "//! [`crate::broker`]",
        "/// [`Broker`](crate::Broker) use crate::broker::Broker;\npub struct State;",
        "// use crate::broker::Broker;",
        "const USE: &str = \"use crate::broker::Broker;\";",
        "#[cfg(test)] mod tests { use crate::broker::Broker; }",
        "#[cfg(test)] use crate::broker::Broker;",
        "pub(in crate::queue) struct State;",
        "fn f(broker: u8) -> u8 { broker }",
        "mod broker { pub struct Broker; } use self::broker::Broker;",
        "use std::sync::Arc; fn f() { Arc::new(1); }",
        "use super::Queue;",
    ] {
        assert_eq!(in_rooms(&house(&[("src/queue/state.rs", good)]), &[]), [""; 0], "{good}");
    }
    let tests = ("src/queue/mod.rs", "#[cfg(test)] mod state; pub struct Queue;");
    let state = ("src/queue/state.rs", "use crate::broker::Broker;");
    assert_eq!(in_rooms(&house(&[tests, state]), &[]), [""; 0]);
}

#[test]
fn entries_have_to_be_listed_and_there() {
    let found = in_rooms(
        &house(&[("src/lib.rs", &format!("{LIB} mod cellar;")), ("src/cellar.rs", "")]),
        &[],
    );
    assert_eq!(
        found,
        ["src/cellar: has no place in the order of rooms: give it one in tests/tidy/house.rs"]
    );
    let found = in_rooms(&house(&[("src/queue/attic.rs", "")]), &[]);
    assert_eq!(found, ["src/queue/attic.rs: is a module of no crate"]);
    let mut sources = house(&[("src/lib.rs", &LIB.replace("mod gateway;", ""))]);
    sources.retain(|source| source.path != "src/gateway.rs");
    let found = in_rooms(&sources, &[]);
    assert_eq!(
        found,
        ["src/gateway: is in the order of rooms (tests/tidy/house.rs), but not there"]
    );
}

#[test]
fn circles_have_to_be_listed_and_there() {
    let circle = house(&[
        (
            "src/queue/mod.rs",
            "mod state; mod paging; pub use self::state::State; pub struct Queue;",
        ),
        ("src/queue/state.rs", "use super::paging::Page; pub struct State(Page);"),
        (
            "src/queue/paging.rs",
            "pub struct Page; impl Page { fn of(state: &crate::queue::State) {} }",
        ),
    ]);
    let found = in_rooms(&circle, &[]);
    let files = "src/queue/paging.rs, src/queue/state.rs";
    let expected = "a circle needs a reason in tests/tidy/house.rs";
    assert_eq!(found, [format!("these import each other: {files}; {expected}")]);
    let listed: &[Circle] = &[("one mechanism", &["src/queue/paging.rs", "src/queue/state.rs"])];
    assert_eq!(in_rooms(&circle, listed), [""; 0]);
    let found = in_rooms(&house(&[]), listed);
    assert_eq!(found, [format!("listed as a circle in tests/tidy/house.rs, and none: {files}")]);
    let wider: &[Circle] = &[("", &["src/base.rs", "src/queue/paging.rs", "src/queue/state.rs"])];
    assert_eq!(in_rooms(&circle, wider).len(), 2);
}

#[test]
fn a_module_is_in_no_circle_with_parts_that_it_only_shows() {
    let face = [
        ("src/queue/mod.rs", "mod state; pub use self::state::State; pub struct Queue;"),
        ("src/queue/state.rs", "use super::Queue; pub struct State(Queue);"),
    ];
    assert_eq!(in_rooms(&house(&face), &[]), [""; 0]);
    let owner =
        ("src/queue/mod.rs", "mod state; pub use self::state::State; pub struct Queue(State);");
    assert_eq!(in_rooms(&house(&[owner, face[1]]), &[]).len(), 1);
}

#[test]
fn long_things_are_found() {
    let body = "    call();\n".repeat(68);
    assert_eq!(in_file("src/a.rs", &format!("fn f() {{\n{body}}}\n")), [""; 0]);
    let method = format!("impl A {{\n/// Text.\nfn f() {{\n{body}\n}}\n}}\n");
    let expected = "src/a.rs:3: a function of 71 lines; the limit is 70";
    assert_eq!(in_file("src/a.rs", &method), [expected]);
    assert_eq!(in_file("src/a.rs", &"\n".repeat(601)), ["src/a.rs: 601 lines; the limit is 600"]);
    assert_eq!(in_file("src/a.rs", &format!("//{}", "é".repeat(98))), [""; 0]);
    let expected = "src/a.rs:1: 101 columns; the limit is 100";
    assert_eq!(in_file("src/a.rs", &format!("//{}", "é".repeat(99))), [expected]);
}

#[test]
fn too_many_large_files_are_found() {
    let share = |large: usize| {
        let small = "\n".repeat(400);
        let large = "\n".repeat(large);
        let mut report = Vec::new();
        let mut sources = house(&[("src/a.rs", &large)]);
        sources.extend((0..15).map(|at| Source::new(format!("src/{at}.rs"), small.clone())));
        sizes::check_share(&sources, &mut report);
        report.len()
    };
    assert_eq!((share(400), share(500), share(700)), (0, 0, 1));
}

#[test]
fn loose_ends_are_found() {
    for bad in [
        "fn f() -> &'static str { \"x-max-length\" }",
        "fn f() { let t = std::time::Instant::now(); }",
        "use std::time::Instant; fn f() { g(Instant::now) }",
        "fn f() { assert!(std::time::SystemTime::now() > t); }",
        "fn f() { todo!() }",
        "fn f() { if a { dbg!(b); } }",
        "// TODO: this",
        "#[test] #[ignore] fn f() {}",
        "const AT: &str = \"/work/here\";",
        "use tokio::sync::mpsc;",
        "fn f() { tokio::spawn(g()); }",
        "type T = leveret_storage::Key;",
        "use parking_lot::{Condvar};",
        "struct A { lock: parking_lot::Mutex<()> }",
    ] {
        assert_eq!(in_file("src/queue/a.rs", bad).len(), 1, "{bad}");
    }
    for good in [
        "#[cfg(test)]\nmod tests { const A: &str = \"x-max-length\"; }",
        "/// `\"x-max-length\"`\nfn f() -> &'static str { \"x-ray 5\" }",
        "/// todo!()\nfn f() {}",
        "fn f() { g(\"dbg!\") }",
        "struct Tokio(tokio_like::A);",
    ] {
        assert_eq!(in_file("src/queue/a.rs", good), [""; 0], "{good}");
    }
    assert_eq!(in_file("docs/a.md", "Read TODO lists."), ["docs/a.md:1: TODO"]);
    assert_eq!(in_file("src/gateway/a.rs", "use tokio::sync::mpsc;"), [""; 0]);
    assert_eq!(in_file("src/time/clock.rs", "fn f() { std::time::Instant::now(); }"), [""; 0]);
    let tokio_time = "use tokio::time::Instant; fn f() { Instant::now(); }";
    assert_eq!(in_file("src/gateway/connection_timer.rs", tokio_time), [""; 0]);
    assert_eq!(in_file("src/gateway/listener.rs", tokio_time).len(), 1);
}

#[test]
fn tests_do_not_sleep() {
    for bad in [
        "use std::thread; fn f() { thread::sleep(second); }",
        "fn f() { select! { () = tokio::time::sleep(second) => {} } }",
        "use std::thread::park_timeout;",
    ] {
        assert_eq!(in_file("tests/a.rs", bad), ["tests/a.rs:1: a test does not sleep"], "{bad}");
    }
    assert_eq!(in_file("tests/a.rs", "fn f() { broker.sleep(second); }"), [""; 0]);
}
