//! Super streams: created, found, routed and deleted.

use leveret::{Broker, ExchangeDeclare, Publish, SuperStreamDeclare, SuperStreamError};
use leveret_stream_protocol::{OffsetSpec, Request, Response};

use crate::client::{Client, Code};
use crate::listening;

fn create(client: &mut Client, name: &str, partitions: &[&str], keys: &[&str]) -> Code {
    client.code(Request::CreateSuperStream {
        name,
        partitions: partitions.to_vec(),
        binding_keys: keys.to_vec(),
        arguments: vec![("max-age", "1D")],
    })
}

fn partitions(client: &mut Client, super_stream: &str) -> (Code, Vec<String>) {
    client.ask(Request::Partitions { super_stream }, |response| match response {
        Response::Partitions { code, streams } => {
            (*code, streams.iter().map(|name| (*name).to_owned()).collect())
        }
        other => panic!("{other:?}"),
    })
}

fn route(client: &mut Client, super_stream: &str, routing_key: &str) -> (Code, Vec<String>) {
    client.ask(Request::Route { routing_key, super_stream }, |response| match response {
        Response::Route { code, streams } => {
            (*code, streams.iter().map(|name| (*name).to_owned()).collect())
        }
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_super_stream_is_an_exchange_with_streams() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    assert_eq!(create(&mut client, "i", &["i-b", "i-a"], &["b", "a"]), Code::Ok);
    assert_eq!(partitions(&mut client, "i"), (Code::Ok, vec!["i-b".into(), "i-a".into()]));
    assert_eq!(route(&mut client, "i", "a"), (Code::Ok, vec!["i-a".into()]));
    assert_eq!(route(&mut client, "i", "c"), (Code::Ok, vec![]));
    assert_eq!(route(&mut client, "nowhere", "a").0, Code::StreamDoesNotExist);
    assert_eq!(partitions(&mut client, "nowhere").0, Code::StreamDoesNotExist);
    // Everybody sees it, and may declare it as RabbitMQ makes it.
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let exchange = ExchangeDeclare::new("i", "direct").durable().argument("x-super-stream", true);
    channel.exchange_declare_with(&exchange).unwrap();
    let host = broker.virtual_host("/").unwrap();
    assert!(host.queue("i-a").unwrap().arguments().contains_key("x-max-age"));
}

#[test]
fn what_is_there_or_makes_no_sense_is_refused_and_leaves_nothing() {
    let (_broker, address) = listening();
    let mut client = Client::open(address);
    client.create("i-1");
    assert_eq!(create(&mut client, "i", &["i-0", "i-1"], &["0", "1"]), Code::StreamAlreadyExists);
    for (name, partitions, keys) in [
        ("i", &["i-0", "i-2"][..], &["0"][..]),
        ("i", &["i-0", "i-0"], &["0", "1"]),
        ("i", &[], &[]),
        ("", &["i-0"], &["0"]),
        ("amq.i", &["i-0"], &["0"]),
        ("i", &["amq.0"], &["0"]),
    ] {
        assert_eq!(create(&mut client, name, partitions, keys), Code::PreconditionFailed);
    }
    client.ask(Request::Metadata { streams: vec!["i-0"] }, |response| {
        let Response::Metadata { streams, .. } = response else { panic!() };
        assert_eq!(streams[0].code, Code::StreamDoesNotExist);
    });
    assert_eq!(partitions(&mut client, "i").0, Code::StreamDoesNotExist);
    assert_eq!(create(&mut client, "i", &["i-0"], &["0"]), Code::Ok);
    assert_eq!(create(&mut client, "i", &["i-9"], &["0"]), Code::StreamAlreadyExists);
}

#[test]
fn deleting_a_super_stream_deletes_its_partitions() {
    let (_broker, address) = listening();
    let mut client = Client::open(address);
    create(&mut client, "i", &["i-0", "i-1"], &["0", "1"]);
    client.declare(1, "", "i-1");
    let mut other = Client::open(address);
    other.subscribe(1, "i-0", OffsetSpec::First, 1);
    client.ok(Request::DeleteSuperStream { name: "i" });
    let update =
        |stream| format!("MetadataUpdate {{ code: StreamNotAvailable, stream: \"{stream}\" }}");
    assert_eq!((client.shown(), other.shown()), (update("i-1"), update("i-0")));
    for name in ["i", "amq.direct"] {
        assert_eq!(client.code(Request::DeleteSuperStream { name }), Code::StreamDoesNotExist);
    }
    assert_eq!(create(&mut client, "i", &["i-0"], &["0"]), Code::Ok);
}

/// `hello1` is for partition 1 of 3, whoever publishes it.
#[test]
fn keys_that_are_published_over_amqp_are_hashed_as_clients_hash_them() {
    let (broker, address) = listening();
    broker.create_super_stream("/", &SuperStreamDeclare::new("i", 3)).unwrap();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    for key in ["hello1", "2"] {
        let publish = Publish::to_exchange("i", key).body("x");
        assert!(channel.publish(publish).wait().unwrap().is_ack());
    }
    let mut client = Client::open(address);
    for (stream, expected) in [("i-0", 0), ("i-1", 1), ("i-2", 1)] {
        client.subscribe(1, stream, OffsetSpec::First, 10);
        let got: usize = (0..expected).map(|_| client.delivered().messages.len()).sum();
        assert_eq!(got, expected, "{stream}");
        client.assert_nothing_more();
        client.ok(Request::Unsubscribe { subscription: 1 });
    }
    // Stream clients are told what is bound, and hash by themselves.
    assert_eq!(route(&mut client, "i", "hello1"), (Code::Ok, vec![]));
    assert_eq!(route(&mut client, "i", "2"), (Code::Ok, vec!["i-2".into()]));
}

#[test]
fn the_embedding_program_has_super_streams_as_well() {
    let broker = Broker::new();
    let sales = SuperStreamDeclare::by_keys("sales", ["eu", "us"]).argument("x-max-age", "1D");
    broker.create_super_stream("/", &sales).unwrap();
    assert_eq!(broker.partitions("/", "sales").unwrap(), ["sales-eu", "sales-us"]);
    let again = broker.create_super_stream("/", &sales).unwrap_err();
    assert_eq!(again.to_string(), "exchange 'sales' in vhost '/' already exists");
    let none = broker.create_super_stream("/", &SuperStreamDeclare::new("none", 0)).unwrap_err();
    assert!(matches!(none, SuperStreamError::Invalid(_)));
    let wrong = SuperStreamDeclare::new("w", 2).argument("x-max-age", "soon");
    assert!(matches!(broker.create_super_stream("/", &wrong), Err(SuperStreamError::Refused(_))));
    assert!(broker.partitions("/", "w").is_err(), "nothing is left of it");
    let deleted = broker.delete_super_stream("/", "sales").unwrap();
    assert_eq!(deleted.len(), 2);
    assert!(broker.delete_super_stream("/", "sales").is_err());
}
