//! What a user may do, as RabbitMQ asks: before it looks whether the stream is there.

use leveret::Broker;
use leveret::access::{AccessControl, Permissions};
use leveret_stream_protocol::{ClientFrame, OffsetSpec, Request, Response};

use crate::client::{Client, Code, subscription_to};
use crate::{listen, listening_with};

/// A broker with a user who may configure, write and read what matches these.
fn limited(configure: &str, write: &str, read: &str) -> (Broker, Client) {
    let (broker, address) = listening_with(Broker::builder());
    allow(broker.access(), configure, write, read);
    let client = Client::open_as(address, "limited", "secret");
    (broker, client)
}

fn allow(access: &AccessControl, configure: &str, write: &str, read: &str) {
    use leveret::access::{PasswordHash, User};
    let permissions = Permissions::new(configure, write, read).unwrap();
    access.permissions.set("limited".into(), "/".into(), permissions);
    if access.users.get("limited").is_none() {
        let hash = PasswordHash::new("secret", PasswordHash::random_salt().unwrap());
        access.users.put(User::new("limited", hash));
    }
}

fn reads(client: &mut Client, stream: &str) -> [Code; 4] {
    let subscribe = client.code(subscription_to(9, stream, OffsetSpec::First, 1, &[]));
    let sequence = Request::QueryPublisherSequence { reference: "me", stream };
    let sequence = client.ask(sequence, |response| match response {
        Response::QueryPublisherSequence { code, .. } => *code,
        other => panic!("{other:?}"),
    });
    let offset = client.ask(Request::QueryOffset { reference: "me", stream }, |response| {
        let Response::QueryOffset { code, .. } = response else { panic!() };
        *code
    });
    let stats = client.ask(Request::StreamStats { stream }, |response| {
        let Response::StreamStats { code, .. } = response else { panic!() };
        *code
    });
    [subscribe, sequence, offset, stats]
}

#[test]
fn without_rights_nothing_is_told_but_where_streams_are() {
    let (broker, mut client) = limited("^$", "^$", "^$");
    Client::open(listen(&broker)).create("s");
    let refused = Code::AccessRefused;
    for stream in ["s", "nowhere"] {
        assert_eq!(client.declare(1, "", stream), refused);
        assert_eq!(client.code(Request::Create { stream, arguments: vec![] }), refused);
        assert_eq!(client.code(Request::Delete { stream }), refused);
        assert_eq!(reads(&mut client, stream), [refused; 4]);
        let name = stream;
        assert_eq!(client.code(Request::DeleteSuperStream { name }), refused);
    }
    client.ask(Request::Metadata { streams: vec!["s"] }, |response| {
        let Response::Metadata { streams, .. } = response else { panic!() };
        assert_eq!(streams[0].code, Code::Ok);
    });
    client.ask(Request::Partitions { super_stream: "amq.direct" }, |response| {
        assert!(matches!(response, Response::Partitions { code: Code::Ok, .. }));
    });
}

#[test]
fn each_right_is_for_its_own() {
    let (broker, mut client) = limited("^c", "^w", "^r");
    let mut guest = Client::open(listen(&broker));
    ["w", "r"].iter().for_each(|stream| guest.create(stream));
    client.create("c");
    assert_eq!(client.declare(1, "", "w"), Code::Ok);
    assert_eq!(client.declare(2, "", "r"), Code::AccessRefused);
    assert_eq!(reads(&mut client, "r"), [Code::Ok, Code::Ok, Code::NoOffset, Code::Ok]);
    assert_eq!(client.code(Request::Delete { stream: "w" }), Code::AccessRefused);
    client.ok(Request::Delete { stream: "c" });
    // An offset may be stored by who reads.
    client.send(&ClientFrame::StoreOffset { reference: "me", stream: "w", offset: 3 });
    client.send(&ClientFrame::StoreOffset { reference: "me", stream: "r", offset: 3 });
    client.assert_nothing_more();
    let offset = |guest: &mut Client, stream| {
        guest.ask(Request::QueryOffset { reference: "me", stream }, |response| {
            let Response::QueryOffset { code, .. } = response else { panic!() };
            *code
        })
    };
    assert_eq!((offset(&mut guest, "w"), offset(&mut guest, "r")), (Code::NoOffset, Code::Ok));
}

#[test]
fn super_streams_need_rights_to_the_exchange_and_each_partition() {
    let (_broker, mut client) = limited("^(i|i-0)$", "^(i|i-0|i-1)$", "^i$");
    let create = |partitions: &[&'static str]| Request::CreateSuperStream {
        name: "i",
        partitions: partitions.to_vec(),
        binding_keys: partitions.to_vec(),
        arguments: vec![],
    };
    assert_eq!(client.code(create(&["i-0", "i-1"])), Code::AccessRefused);
    assert_eq!(client.code(create(&["i-0"])), Code::Ok);
    client.ok(Request::DeleteSuperStream { name: "i" });
}

#[test]
fn who_renews_his_credentials_may_lose_streams() {
    let (broker, mut client) = limited("", ".*", ".*");
    let mut guest = Client::open(listen(&broker));
    ["a", "b"].iter().for_each(|stream| guest.create(stream));
    client.declare(1, "", "a");
    client.subscribe(1, "b", OffsetSpec::Next, 1);
    allow(broker.access(), "", "^$", ".*");
    // Nothing is looked at again until then.
    client.publish(1, 1, &["still"]);
    assert_eq!(client.confirms(1, 1), [1]);
    assert_eq!(client.authenticate("limited", "secret"), Code::Ok);
    assert_eq!(client.shown(), "MetadataUpdate { code: StreamNotAvailable, stream: \"a\" }");
    client.publish(1, 2, &["no more"]);
    assert!(client.shown().starts_with("PublishError"));
    client.ok(Request::Unsubscribe { subscription: 1 });
}
