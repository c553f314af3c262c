//! What a restart leaves.

use std::time::Duration;

use leveret::{Broker, SuperStreamDeclare};
use leveret_stream_protocol::{ClientFrame, OffsetSpec, Request, Response};

use crate::client::{Client, Code};
use crate::listen;

fn open(directory: &std::path::Path) -> (Broker, Client) {
    let broker = Broker::builder().open(directory).unwrap();
    let client = Client::open(listen(&broker));
    (broker, client)
}

#[test]
fn messages_sequences_and_offsets_survive() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, mut client) = open(directory.path());
    client.create("s");
    assert_eq!(client.declare(1, "me", "s"), Code::Ok);
    client.publish(1, 1, &["a", "b"]);
    assert_eq!(client.confirms(1, 2), [1, 2]);
    client.send(&ClientFrame::StoreOffset { reference: "reader", stream: "s", offset: 1 });
    client.assert_nothing_more();
    broker.create_super_stream("/", &SuperStreamDeclare::new("i", 2)).unwrap();
    broker.close("restart", Duration::ZERO);
    drop((broker, client));
    let (broker, mut client) = open(directory.path());
    let sequence = Request::QueryPublisherSequence { reference: "me", stream: "s" };
    client.ask(sequence, |response| {
        assert_eq!(*response, Response::QueryPublisherSequence { code: Code::Ok, sequence: 2 });
    });
    client.ask(Request::QueryOffset { reference: "reader", stream: "s" }, |response| {
        assert_eq!(*response, Response::QueryOffset { code: Code::Ok, offset: 1 });
    });
    client.declare(1, "me", "s");
    client.publish(1, 2, &["b", "c"]);
    let mut confirmed = client.confirms(1, 2);
    confirmed.sort_unstable();
    assert_eq!(confirmed, [2, 3]);
    client.subscribe(1, "s", OffsetSpec::First, 100);
    let mut texts = Vec::new();
    while texts.len() < 3 {
        texts.extend(client.delivered().texts());
    }
    assert_eq!(texts, ["a", "b", "c"]);
    assert_eq!(broker.partitions("/", "i").unwrap(), ["i-0", "i-1"]);
}

#[test]
fn readers_get_what_others_write_to_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, mut client) = open(directory.path());
    client.create("s");
    client.declare(1, "", "s");
    let mut other = Client::open(listen(&broker));
    other.subscribe(1, "s", OffsetSpec::Next, 1000);
    for n in 0..20 {
        client.publish(1, n, &[&n.to_string()]);
    }
    assert_eq!(client.confirms(1, 20).len(), 20);
    let mut texts = Vec::new();
    while texts.len() < 20 {
        texts.extend(other.delivered().texts());
    }
    let expected: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(texts, expected);
    client.ok(Request::Delete { stream: "s" });
    assert!(client.shown().starts_with("MetadataUpdate"));
    assert!(other.shown().starts_with("MetadataUpdate"));
}
