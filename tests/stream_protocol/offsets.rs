//! Offsets that the server keeps by name.

use leveret_stream_protocol::{ClientFrame, Request, Response};

use crate::client::{Client, Code};
use crate::listening;

fn query(client: &mut Client, reference: &str, stream: &str) -> (Code, u64) {
    client.ask(Request::QueryOffset { reference, stream }, |response| match response {
        Response::QueryOffset { code, offset } => (*code, *offset),
        other => panic!("{other:?}"),
    })
}

fn store(client: &mut Client, reference: &str, stream: &str, offset: u64) {
    client.send(&ClientFrame::StoreOffset { reference, stream, offset });
}

#[test]
fn the_last_one_stored_is_told() {
    let (_broker, address) = listening();
    let mut client = Client::open(address);
    assert_eq!(query(&mut client, "me", "s"), (Code::StreamDoesNotExist, 0));
    client.create("s");
    assert_eq!(query(&mut client, "me", "s"), (Code::NoOffset, 0));
    for offset in [5, 9, 7] {
        store(&mut client, "me", "s", offset);
    }
    store(&mut client, "you", "s", 1);
    let mut other = Client::open(address);
    client.assert_nothing_more();
    assert_eq!(query(&mut other, "me", "s"), (Code::Ok, 7));
    assert_eq!(query(&mut other, "you", "s"), (Code::Ok, 1));
}

#[test]
fn what_cannot_be_stored_is_not_spoken_of() {
    let (_broker, address) = listening();
    let mut client = Client::open(address);
    store(&mut client, "me", "nowhere", 5);
    client.create("s");
    let long = "x".repeat(256);
    store(&mut client, &long, "s", 5);
    assert_eq!(query(&mut client, &long, "s"), (Code::NoOffset, 0));
    client.assert_nothing_more();
}
