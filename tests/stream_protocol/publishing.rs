//! Publishers, confirms, deduplication.

use leveret::Broker;
use leveret_stream_protocol::{OffsetSpec, Published, Request, Response};

use crate::client::{Client, Code, batch, batch_of, published};
use crate::listening;

fn with_stream() -> (Broker, Client) {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    client.create("s");
    (broker, client)
}

fn sequence(client: &mut Client, reference: &str) -> u64 {
    let request = Request::QueryPublisherSequence { reference, stream: "s" };
    client.ask(request, |response| match response {
        Response::QueryPublisherSequence { code: Code::Ok, sequence } => *sequence,
        other => panic!("{other:?}"),
    })
}

/// Everything in the stream.
fn stored(client: &mut Client, count: usize) -> Vec<String> {
    client.subscribe(200, "s", OffsetSpec::First, 1000);
    let mut texts = Vec::new();
    while texts.len() < count {
        texts.extend(client.delivered().texts());
    }
    client.ok(Request::Unsubscribe { subscription: 200 });
    client.assert_nothing_more();
    texts
}

#[test]
fn messages_are_confirmed_and_stored_in_order() {
    let (_broker, mut client) = with_stream();
    assert_eq!(client.declare(5, "", "s"), Code::Ok);
    client.publish(5, 10, &["a", "b"]);
    client.publish(5, 3, &["c"]);
    assert_eq!(client.confirms(5, 3), [10, 11, 3]);
    assert_eq!(stored(&mut client, 3), ["a", "b", "c"]);
}

#[test]
fn what_was_published_before_is_confirmed_and_not_stored() {
    let (_broker, mut client) = with_stream();
    assert_eq!(client.declare(1, "me", "s"), Code::Ok);
    client.publish(1, 5, &["5", "6"]);
    assert_eq!(client.confirms(1, 2), [5, 6]);
    client.publish_all(1, &[published(6, "6"), published(5, "5")]);
    client.publish_all(1, &[published(3, "3"), published(7, "7")]);
    let mut confirmed = client.confirms(1, 4);
    confirmed.sort_unstable();
    assert_eq!(confirmed, [3, 5, 6, 7]);
    assert_eq!(sequence(&mut client, "me"), 7);
    assert_eq!(sequence(&mut client, "somebody"), 0);
    assert_eq!(stored(&mut client, 3), ["5", "6", "7"]);
    // The name is known after its publisher is gone.
    client.ok(Request::DeletePublisher { publisher: 1 });
    assert_eq!(sequence(&mut client, "me"), 7);
}

#[test]
fn what_is_published_again_is_confirmed_in_a_frame_of_its_own() {
    let (_broker, mut client) = with_stream();
    client.declare(1, "me", "s");
    let [zero, one] = [published(0, "a"), published(1, "b")];
    client.publish_all(1, &[zero, zero, one, one, published(2, "c")]);
    let confirm = |ids: &str| format!("PublishConfirm {{ publisher: 1, publishing_ids: {ids} }}");
    assert_eq!(client.shown(), confirm("[0, 1]"));
    assert_eq!(client.shown(), confirm("[0, 1, 2]"));
    assert_eq!(stored(&mut client, 3), ["a", "b", "c"]);
}

#[test]
fn publishers_are_declared_once() {
    let (_broker, mut client) = with_stream();
    assert_eq!(client.declare(1, "me", "s"), Code::Ok);
    assert_eq!(client.declare(1, "", "s"), Code::PreconditionFailed);
    assert_eq!(client.declare(2, "me", "s"), Code::PreconditionFailed);
    assert_eq!(client.declare(2, "me too", "s"), Code::Ok);
    assert_eq!(client.declare(3, "", "s"), Code::Ok);
    assert_eq!(client.declare(4, "", "s"), Code::Ok);
    assert_eq!(client.declare(5, "", "nowhere"), Code::StreamDoesNotExist);
    assert_eq!(client.declare(5, &"x".repeat(256), "s"), Code::PreconditionFailed);
    client.ok(Request::DeletePublisher { publisher: 1 });
    let gone = client.code(Request::DeletePublisher { publisher: 1 });
    assert_eq!(gone, Code::PublisherDoesNotExist);
    assert_eq!(client.declare(1, "me", "s"), Code::Ok);
}

#[test]
fn messages_of_nobody_are_refused() {
    let (_broker, mut client) = with_stream();
    client.publish(9, 1, &["a", "b"]);
    assert_eq!(
        client.shown(),
        "PublishError { publisher: 9, errors: [(1, PublisherDoesNotExist), \
         (2, PublisherDoesNotExist)] }"
    );
}

#[test]
fn a_batch_has_one_id_and_many_offsets() {
    let (_broker, mut client) = with_stream();
    client.declare(1, "me", "s");
    let data = batch_of(&["b", "c", "d"]);
    let entry = batch(&data, 3);
    let in_batch = Published { publishing_id: 2, filter_value: None, entry };
    client.publish_all(1, &[published(1, "a"), in_batch, published(3, "e")]);
    assert_eq!(client.confirms(1, 3), [1, 2, 3]);
    client.subscribe(1, "s", OffsetSpec::First, 10);
    let delivered = client.delivered();
    let offsets: Vec<_> = delivered.messages.iter().map(|(offset, _)| *offset).collect();
    assert_eq!((delivered.texts().concat(), offsets), ("abcde".to_owned(), vec![0, 1, 2, 3, 4]));
    client.publish_all(1, &[in_batch]);
    assert_eq!(client.confirms(1, 1), [2]);
    client.assert_nothing_more();
}

#[test]
fn two_connections_may_have_the_same_name() {
    let (broker, mut one) = with_stream();
    let mut other = Client::open(crate::listen(&broker));
    assert_eq!(one.declare(1, "me", "s"), Code::Ok);
    assert_eq!(other.declare(1, "me", "s"), Code::Ok);
    one.publish_each(1, 1, &["1", "2"]);
    other.publish(1, 2, &["2", "3"]);
    let mut confirmed = other.confirms(1, 2);
    confirmed.sort_unstable();
    assert_eq!(confirmed, [2, 3]);
    assert_eq!(stored(&mut one, 3), ["1", "2", "3"]);
}

#[test]
fn an_alarm_holds_publishers_back() {
    let (broker, mut client) = with_stream();
    client.declare(1, "", "s");
    client.publish_each(1, 1, &["before"]);
    broker.set_memory_alarm(true);
    let mut other = Client::open(crate::listen(&broker));
    assert_eq!(other.declare(1, "", "s"), Code::PreconditionFailed);
    // It is not read from the moment when the alarm is seen.
    client.publish(1, 2, &["seen"]);
    assert_eq!(client.confirms(1, 1), [2]);
    client.publish(1, 3, &["after"]);
    other.subscribe(1, "s", OffsetSpec::Offset(2), 10);
    other.assert_nothing_more();
    broker.set_memory_alarm(false);
    assert_eq!(client.confirms(1, 1), [3]);
    assert_eq!(other.texts(1), ["after"]);
}

#[test]
fn many_messages_in_flight_are_all_confirmed() {
    let (_broker, mut client) = with_stream();
    client.declare(1, "", "s");
    for batch in 0..600_u64 {
        let texts: Vec<String> = (0..200).map(|n| format!("{batch}.{n}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        client.publish(1, batch * 200, &texts);
    }
    assert_eq!(client.confirms(1, 120_000).len(), 120_000);
    client.subscribe(1, "s", OffsetSpec::Last, 10);
    assert_eq!(client.delivered().messages.last().unwrap().0, 119_999);
}
