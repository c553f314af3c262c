//! Creating and deleting streams, and what is told of them.

use leveret_stream_protocol::{NO_BROKER, OffsetSpec, Request, Response};

use crate::client::{Client, Code};
use crate::listening;

fn create(client: &mut Client, stream: &str, arguments: &[(&str, &str)]) -> Code {
    client.code(Request::Create { stream, arguments: arguments.to_vec() })
}

#[test]
fn streams_are_created_once() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    let arguments = [("max-length-bytes", "1000000"), ("max-age", "1h"), ("unknown", "x")];
    assert_eq!(create(&mut client, "s", &arguments), Code::Ok);
    assert_eq!(create(&mut client, "s", &arguments), Code::StreamAlreadyExists);
    assert_eq!(create(&mut client, "s", &[("max-age", "2h")]), Code::PreconditionFailed);
    let queue = broker.virtual_host("/").unwrap().queue("s").unwrap();
    assert!(queue.is_durable());
    let arguments = queue.arguments().inner().keys().map(ToString::to_string);
    let names: Vec<String> = arguments.collect();
    assert_eq!(names, ["x-max-age", "x-max-length-bytes", "x-queue-type"]);
}

#[test]
fn what_makes_no_stream_is_a_failed_precondition() {
    let (_broker, address) = listening();
    let mut client = Client::open(address);
    for (name, arguments) in [
        ("", &[][..]),
        ("\r\n", &[]),
        ("amq.stream", &[]),
        ("s", &[("max-length-bytes", "much")]),
        ("s", &[("initial-cluster-size", "0")]),
        ("s", &[("stream-filter-size-bytes", "15")]),
        ("s", &[("stream-filter-size-bytes", "256")]),
        ("s", &[("queue-leader-locator", "elsewhere")]),
    ] {
        let code = create(&mut client, name, arguments);
        assert_eq!(code, Code::PreconditionFailed, "{name:?} {arguments:?}");
    }
    assert_eq!(create(&mut client, "  ", &[("max-age", "7x")]), Code::Ok);
    assert_eq!(create(&mut client, "a\nb", &[]), Code::Ok);
    assert_eq!(client.code(Request::Delete { stream: "ab" }), Code::Ok);
}

#[test]
fn streams_alone_are_deleted() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    assert_eq!(client.code(Request::Delete { stream: "q" }), Code::StreamDoesNotExist);
    assert_eq!(client.code(Request::Delete { stream: "s" }), Code::StreamDoesNotExist);
    client.create("s");
    assert_eq!(client.code(Request::Delete { stream: "s" }), Code::Ok);
    client.assert_nothing_more();
    client.create("s");
}

#[test]
fn users_of_a_stream_are_told_when_it_is_deleted() {
    let (broker, address) = listening();
    let mut one = Client::open(address);
    let mut other = Client::open(address);
    one.create("s");
    assert_eq!(one.declare(1, "", "s"), Code::Ok);
    other.subscribe(1, "s", OffsetSpec::First, 10);
    assert_eq!(one.code(Request::Delete { stream: "s" }), Code::Ok);
    let update = "MetadataUpdate { code: StreamNotAvailable, stream: \"s\" }";
    assert_eq!((one.shown(), other.shown()), (update.to_owned(), update.to_owned()));
    // The ids are free again, and the publisher is no more.
    one.publish(1, 7, &["late"]);
    assert_eq!(one.shown(), "PublishError { publisher: 1, errors: [(7, PublisherDoesNotExist)] }");
    assert_eq!(one.declare(1, "", "s"), Code::StreamDoesNotExist);
    one.create("s");
    assert_eq!(one.declare(1, "", "s"), Code::Ok);
    other.subscribe(1, "s", OffsetSpec::First, 10);
    // By whatever protocol.
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_delete("s").unwrap();
    assert_eq!((one.shown(), other.shown()), (update.to_owned(), update.to_owned()));
}

#[test]
fn metadata_says_where_streams_are() {
    let (_broker, address) = listening();
    let mut client = Client::open(address);
    client.create("s");
    client.ask(Request::Metadata { streams: vec!["nowhere", "s", "s"] }, |response| {
        let Response::Metadata { brokers, streams } = response else { panic!() };
        assert_eq!(brokers.len(), 1);
        assert_eq!((brokers[0].host, brokers[0].port), ("127.0.0.1", address.port().into()));
        let shown: Vec<_> =
            streams.iter().map(|it| (it.stream, it.code, it.leader, it.replicas.len())).collect();
        let missing = ("nowhere", Code::StreamDoesNotExist, NO_BROKER, 0);
        assert_eq!(shown, [missing, ("s", Code::Ok, brokers[0].index, 0)]);
    });
    client.ask(Request::Metadata { streams: vec!["nowhere"] }, |response| {
        assert!(matches!(response, Response::Metadata { brokers, .. } if brokers.is_empty()));
    });
}

#[test]
fn stats_name_chunks_or_minus_one() {
    let (_broker, address) = listening();
    let mut client = Client::open(address);
    let stats = |client: &mut Client, stream: &str| {
        client.ask(Request::StreamStats { stream }, |response| {
            let Response::StreamStats { code, stats } = response else { panic!() };
            let values = stats.iter().map(|(name, value)| format!("{name}={value}"));
            (*code, values.collect::<Vec<_>>().join(" "))
        })
    };
    assert_eq!(stats(&mut client, "s"), (Code::StreamDoesNotExist, String::new()));
    client.create("s");
    let ids = "first_chunk_id=-1 last_chunk_id=-1 committed_chunk_id=-1";
    let empty = format!("{ids} committed_offset=-1");
    assert_eq!(stats(&mut client, "s"), (Code::Ok, empty));
    client.declare(1, "", "s");
    client.publish_each(1, 0, &["a", "b", "c"]);
    let ids = "first_chunk_id=0 last_chunk_id=2 committed_chunk_id=2";
    let three = format!("{ids} committed_offset=2");
    assert_eq!(stats(&mut client, "s"), (Code::Ok, three));
}
