//! Single active consumers: who gets a stream, or a partition of a super stream.

use std::net::SocketAddr;

use leveret::{Broker, SuperStreamDeclare};
use leveret_stream_protocol::{OffsetSpec, Request};

use crate::client::{Client, Code, subscription_to};
use crate::listening;

const GROUP: [(&str, &str); 2] = [("name", "app"), ("single-active-consumer", "true")];

fn in_group(client: &mut Client, id: u8, stream: &str, super_stream: Option<&str>) {
    let mut properties = GROUP.to_vec();
    properties.extend(super_stream.map(|name| ("super-stream", name)));
    client.ok(subscription_to(id, stream, OffsetSpec::First, 10, &properties));
}

fn with_stream(texts: &[&str]) -> (Broker, SocketAddr, Client) {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    client.create("s");
    client.declare(1, "", "s");
    client.publish_each(1, 0, texts);
    (broker, address, client)
}

#[test]
fn one_of_a_group_is_active_and_begins_where_it_says() {
    let (_broker, _, mut client) = with_stream(&["a", "b", "c"]);
    in_group(&mut client, 1, "s", None);
    assert_eq!(client.consumer_update(), (0, 1, true));
    // Nothing is sent before it has answered.
    client.assert_nothing_more();
    client.answer_update(0, OffsetSpec::Offset(1));
    assert_eq!(client.texts(2), ["b", "c"]);
    in_group(&mut client, 2, "s", None);
    client.assert_nothing_more();
    client.ok(Request::Unsubscribe { subscription: 1 });
    assert_eq!(client.consumer_update(), (1, 2, true));
    client.answer_update(1, OffsetSpec::None);
    assert_eq!(client.texts(3), ["a", "b", "c"]);
}

#[test]
fn who_loses_its_connection_is_followed_by_the_next() {
    let (_broker, address, mut client) = with_stream(&["a"]);
    let mut first = Client::open(address);
    in_group(&mut first, 1, "s", None);
    let (correlation, ..) = first.consumer_update();
    first.answer_update(correlation, OffsetSpec::First);
    assert_eq!(first.texts(1), ["a"]);
    in_group(&mut client, 5, "s", None);
    client.assert_nothing_more();
    drop(first);
    assert_eq!(client.consumer_update(), (0, 5, true));
}

#[test]
fn credit_of_an_inactive_consumer_counts_and_is_an_error() {
    let (_broker, address, mut client) = with_stream(&["a", "b", "c", "d", "e", "f"]);
    let mut first = Client::open(address);
    in_group(&mut first, 1, "s", None);
    first.consumer_update();
    let properties = GROUP.to_vec();
    client.ok(subscription_to(2, "s", OffsetSpec::First, 1, &properties));
    client.credit(2, 4);
    assert_eq!(client.shown(), "CreditError { code: PreconditionFailed, subscription: 2 }");
    drop(first);
    let (correlation, ..) = client.consumer_update();
    client.answer_update(correlation, OffsetSpec::First);
    assert_eq!(client.texts(5), ["a", "b", "c", "d", "e"]);
    client.assert_nothing_more();
}

#[test]
fn a_name_alone_makes_no_group() {
    let (_broker, _, mut client) = with_stream(&["a"]);
    for id in [1, 2] {
        client.ok(subscription_to(id, "s", OffsetSpec::First, 1, &[("name", "app")]));
        assert_eq!(client.texts(1), ["a"]);
    }
}

#[test]
fn partitions_are_shared_and_handed_over_in_order() {
    let (broker, address) = listening();
    broker.create_super_stream("/", &SuperStreamDeclare::new("i", 2)).unwrap();
    let mut one = Client::open(address);
    for (id, partition) in [(0, "i-0"), (1, "i-1")] {
        in_group(&mut one, id, partition, Some("i"));
        assert_eq!(one.consumer_update(), (id.into(), id, true));
        one.answer_update(id.into(), OffsetSpec::First);
    }
    let mut other = Client::open(address);
    in_group(&mut other, 0, "i-0", Some("i"));
    // Of partition 0 the first consumer has the turn, of partition 1 the second.
    in_group(&mut other, 1, "i-1", Some("i"));
    assert_eq!(one.consumer_update(), (2, 1, false));
    other.assert_nothing_more();
    one.answer_update(2, OffsetSpec::None);
    assert_eq!(other.consumer_update(), (0, 1, true));
    other.answer_update(0, OffsetSpec::Next);
    // Who goes gives back what he had.
    drop(other);
    assert_eq!(one.consumer_update(), (3, 1, true));
}

#[test]
fn who_goes_without_answering_is_followed_at_once() {
    let (broker, address) = listening();
    broker.create_super_stream("/", &SuperStreamDeclare::new("i", 2)).unwrap();
    let mut one = Client::open(address);
    in_group(&mut one, 1, "i-1", Some("i"));
    one.consumer_update();
    one.answer_update(0, OffsetSpec::First);
    let mut other = Client::open(address);
    in_group(&mut other, 1, "i-1", Some("i"));
    assert_eq!(one.consumer_update(), (1, 1, false));
    drop(one);
    assert_eq!(other.consumer_update(), (0, 1, true));
}

#[test]
fn a_stream_is_the_same_partition_for_all_of_a_group() {
    let (broker, address) = listening();
    broker.create_super_stream("/", &SuperStreamDeclare::new("i", 2)).unwrap();
    let mut client = Client::open(address);
    in_group(&mut client, 1, "i-1", Some("i"));
    let properties = GROUP.to_vec();
    let without = subscription_to(2, "i-1", OffsetSpec::First, 10, &properties);
    assert_eq!(client.code(without), Code::PreconditionFailed);
}

#[cfg(feature = "server")]
#[test]
fn the_command_line_lists_groups_and_who_is_in_them() {
    let (broker, address) = listening();
    let http = broker.serve_http("127.0.0.1:0").unwrap();
    let ctl = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_leveret"));
        command.args(["ctl", "-q"]).args(words).env("LEVERET_CTL_URL", format!("http://{http}"));
        let said = command.output().unwrap();
        let (output, errors) = (said.stdout, said.stderr);
        (said.status.code().unwrap(), String::from_utf8([output, errors].concat()).unwrap())
    };
    broker.create_super_stream("/", &SuperStreamDeclare::new("orders", 2)).unwrap();
    let mut client = Client::open(address);
    in_group(&mut client, 1, "orders-0", Some("orders"));
    let (correlation, ..) = client.consumer_update();
    client.answer_update(correlation, OffsetSpec::First);
    in_group(&mut client, 2, "orders-0", Some("orders"));
    client.create("s");
    in_group(&mut client, 3, "s", None);
    let expected = "stream\treference\tpartition_index\tconsumers\n\
                    orders-0\tapp\t0\t2\ns\tapp\t-1\t1\n";
    assert_eq!(ctl(&["list_stream_consumer_groups"]), (0, expected.to_owned()));
    let of = ["list_stream_group_consumers", "--stream", "orders-0", "--reference"];
    let (status, members) = ctl(&[&of[..], &["app"], &["subscription_id", "state"]].concat());
    assert_eq!(status, 0, "{members}");
    assert_eq!(members, "subscription_id\tstate\n1\tactive\n2\tinactive\n");
    let (status, text) = ctl(&[&of[..], &["nobody"]].concat());
    assert!(status == 65 && text.contains("The group does not exist."), "{text}");
    let columns = ["list_stream_connections", "user", "subscriptions", "connection_state"];
    let (status, shown) = ctl(&columns);
    assert_eq!((status, shown.lines().nth(1)), (0, Some("guest\t3\trunning")), "{shown}");
}
