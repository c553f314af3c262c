//! Faults that tests declare, and what a client of the stream protocol sees of them.

use std::time::Duration;

use leveret::faults::Method;
use leveret::{Broker, Machine, ManualClock, Publish, QueueDeclare};
use leveret_stream_protocol::{ClientFrame, OffsetSpec, Request, ServerFrame};

use crate::client::{Client, Code, wait_until};
use crate::{listen, listening_with};

/// A broker on a manual clock with the stream `s`, and a client that publishes to it as number 1.
fn with_publisher() -> (Broker, Client) {
    let (broker, address) = listening_with(Broker::builder().manual_clock(ManualClock::default()));
    let mut client = Client::open(address);
    client.create("s");
    assert_eq!(client.declare(1, "", "s"), Code::Ok);
    (broker, client)
}

/// Everything in the stream, as text.
fn stored(broker: &Broker) -> Vec<String> {
    let messages = broker.queue("/", "s").unwrap().peek(100).unwrap();
    messages.iter().map(|message| message.text()).collect()
}

/// As AMQP 1.0 has a message whose body is this.
fn message(body: &str) -> Vec<u8> {
    [&[0x00, 0x53, 0x75, 0xa0, u8::try_from(body.len()).unwrap()], body.as_bytes()].concat()
}

/// Publishes messages in one frame, with ids from 1 on.
fn publish(client: &mut Client, bodies: &[&str]) {
    let messages: Vec<_> = bodies.iter().map(|body| message(body)).collect();
    let published: Vec<_> = (1..)
        .zip(&messages)
        .map(|(publishing_id, message)| leveret_stream_protocol::Published {
            publishing_id,
            filter_value: None,
            entry: leveret_stream_protocol::Entry::Message(message),
        })
        .collect();
    client.publish_all(1, &published);
}

fn assert_over(client: &mut Client) {
    assert_eq!(client.try_frame(), None, "the connection is not lost");
}

#[test]
fn a_publish_is_lost_with_its_connection() {
    let (broker, mut client) = with_publisher();
    let rule = broker.faults().publishes().for_queue("s").nth(3).drop_connection();
    publish(&mut client, &["a", "b", "c", "d"]);
    assert_eq!(client.confirms(1, 2), [1, 2]);
    assert_over(&mut client);
    assert_eq!((stored(&broker).concat().as_str(), rule.fired()), ("ab", 1));
}

#[test]
fn a_publish_took_effect_and_its_client_has_not_heard_of_it() {
    let (broker, mut client) = with_publisher();
    let faults = broker.faults();
    faults.publishes().matching(|m| m.body() == b"b").afterwards().drop_connection();
    publish(&mut client, &["a", "b", "c"]);
    assert_eq!(client.confirms(1, 1), [1]);
    assert_over(&mut client);
    assert_eq!(stored(&broker).concat(), "ab");
}

#[test]
fn publishes_are_refused_one_by_one() {
    let (broker, mut client) = with_publisher();
    let faults = broker.faults();
    faults.publishes().nth(2).refuse(404, "no exchange");
    faults.publishes().nth(3).unroutable();
    publish(&mut client, &["a", "b", "c", "d"]);
    let frames = [client.shown(), client.shown(), client.shown()].concat();
    for (id, code) in [(2, "StreamDoesNotExist"), (3, "StreamDoesNotExist")] {
        assert!(frames.contains(&format!("errors: [({id}, {code})]")), "{frames}");
    }
    assert!(frames.contains("publishing_ids: [1, 4]"), "{frames}");
    assert_eq!(stored(&broker).concat(), "ad");
    faults.assert_all_fired();
}

#[test]
fn a_publisher_is_told_something_else_than_what_is_so() {
    let (broker, mut client) = with_publisher();
    let confirms = || broker.faults().confirms().for_routing_key("s");
    let held = confirms().matching(|m| m.body() == b"held").hold();
    confirms().matching(|m| m.body() == b"nacked").nack();
    confirms().matching(|m| m.body() == b"dropped").nack_and_drop();
    confirms().matching(|m| m.body() == b"lost").lose();
    publish(&mut client, &["held", "nacked", "dropped", "lost", "plain"]);
    let frames = [client.shown(), client.shown(), client.shown()].concat();
    for id in [2, 3] {
        assert!(frames.contains(&format!("errors: [({id}, InternalError)]")), "{frames}");
    }
    assert!(frames.contains("publishing_ids: [5]"), "{frames}");
    client.assert_nothing_more();
    assert_eq!(held.release(), 1);
    assert_eq!(client.confirms(1, 1), [1]);
    assert_eq!(stored(&broker), ["held", "nacked", "lost", "plain"]);
}

#[test]
fn what_no_rule_is_about_stays_together() {
    let (broker, mut client) = with_publisher();
    broker.faults().publishes().nth(3).refuse(406, "not this one");
    publish(&mut client, &["a", "b", "c", "d"]);
    client.subscribe(1, "s", OffsetSpec::First, 10);
    let mut chunks = Vec::new();
    while chunks.len() < 2 {
        let frame = client.frame();
        if let Ok(ServerFrame::Deliver { chunk, .. }) = ServerFrame::read(&frame) {
            let chunk = leveret_stream_protocol::Chunk::read(chunk).unwrap();
            chunks.push((chunk.header.first_offset, chunk.header.records));
        }
    }
    assert_eq!(chunks, [(0, 2), (2, 1)]);
}

#[test]
fn requests_are_refused_or_lost() {
    let (broker, mut client) = with_publisher();
    let faults = broker.faults();
    faults.on(Method::QueueDeclare).for_queue("t").nth(1).refuse(406, "not now");
    let create = |stream| Request::Create { stream, arguments: Vec::new() };
    assert_eq!(client.code(create("t")), Code::PreconditionFailed);
    assert!(broker.queue("/", "t").is_err());
    client.ok(create("t"));
    faults.on(Method::BasicConsume).for_queue("t").close_connection(320, "going down");
    let subscribe = Request::Subscribe {
        subscription: 1,
        stream: "t",
        offset: OffsetSpec::First,
        credit: 1,
        properties: None,
    };
    client.send(&ClientFrame::Request { correlation: 99, request: subscribe });
    let shown = client.shown();
    assert!(shown.contains("Close") && shown.contains("code: 1"), "{shown}");
    assert!(shown.contains("reason: \"going down\""), "{shown}");

    let mut client = Client::open(listen(&broker));
    faults.on(Method::QueueDeclare).for_queue("u").afterwards().drop_connection();
    client.send(&ClientFrame::Request { correlation: 99, request: create("u") });
    assert_over(&mut client);
    assert!(broker.queue("/", "u").is_ok());

    let mut client = Client::open(listen(&broker));
    let lost = faults.on(Method::BasicAck).for_queue("s").nth(2).drop_connection();
    for offset in [3, 4] {
        client.send(&ClientFrame::StoreOffset { reference: "me", stream: "s", offset });
    }
    assert_over(&mut client);
    assert_eq!(broker.stream("/", "s").unwrap().offset("me"), Some(3));
    assert_eq!((lost.fired(), faults.rules().len()), (1, 4));
    faults.assert_all_fired();
}

#[test]
fn connecting_fails_twice() {
    let (broker, _client) = with_publisher();
    let address = listen(&broker);
    let rule = broker.faults().on(Method::ConnectionOpen).times(2).drop_connection();
    for _ in 0..2 {
        let mut client = Client::connect(address);
        assert_eq!(client.log_in("guest", "guest"), Code::Ok);
        client.tune(0);
        let request = Request::Open { virtual_host: "/" };
        client.send(&ClientFrame::Request { correlation: 99, request });
        assert_over(&mut client);
    }
    Client::open(address).assert_nothing_more();
    assert_eq!((rule.seen(), rule.fired()), (3, 2));
}

#[test]
fn a_client_is_not_read_for_a_while() {
    let (broker, mut client) = with_publisher();
    let rule = broker.faults().publishes().nth(1).stop_reading();
    publish(&mut client, &["a"]);
    assert_eq!(client.confirms(1, 1), [1]);
    publish(&mut client, &["b"]);
    let mut other = Client::open(listen(&broker));
    other.subscribe(1, "s", OffsetSpec::First, 10);
    other.delivered();
    other.assert_nothing_more();
    assert_eq!(rule.release(), 1);
    assert_eq!(client.confirms(1, 1), [1]);
    other.delivered();
}

#[test]
fn chunks_come_twice_late_or_never() {
    let (broker, mut client) = with_publisher();
    client.publish_each(1, 1, &["a", "b", "c", "d"]);
    let deliveries = || broker.faults().deliveries().for_queue("s");
    deliveries().nth(1).twice();
    let late = deliveries().nth(2).delay(Duration::from_secs(60));
    deliveries().nth(3).afterwards().drop_connection();
    client.subscribe(1, "s", OffsetSpec::First, 100);
    assert_eq!(client.texts(2), ["a", "a"]);
    client.assert_nothing_more();
    broker.advance(Duration::from_secs(59));
    client.assert_nothing_more();
    assert_eq!(late.fired(), 1);
    broker.advance(Duration::from_secs(1));
    assert_eq!(client.texts(2), ["b", "c"]);
    assert_over(&mut client);
    broker.faults().assert_all_fired();

    broker.faults().clear();
    deliveries().close_connection(541, "cannot be read");
    let mut client = Client::open(listen(&broker));
    client.subscribe(1, "s", OffsetSpec::First, 100);
    let shown = client.shown();
    assert!(shown.contains("Close") && shown.contains("code: 15"), "{shown}");
}

#[test]
fn all_connections_are_closed_or_lost() {
    let (broker, mut client) = with_publisher();
    assert_eq!(broker.faults().close_connections(541, "no more"), 1);
    let shown = client.shown();
    assert!(shown.contains("code: 15") && shown.contains("no more"), "{shown}");
    client.send(&ClientFrame::CloseAnswer { correlation: 1, code: 1 });
    wait_until("the end", || broker.connection_count() == 0);
    let mut client = Client::open(listen(&broker));
    assert_eq!(broker.faults().drop_connections(), 1);
    assert_over(&mut client);
}

#[test]
fn what_was_confirmed_survives_a_crash() {
    let mut lengths = [false; 2];
    for seed in 0..20 {
        let machine = Machine::with_seed(seed);
        let open = || {
            let broker = Broker::builder().manual_clock(ManualClock::default());
            let broker = broker.open_on_machine(&machine).unwrap();
            let client = Client::open(listen(&broker));
            (broker, client)
        };
        let (broker, mut client) = open();
        client.create("s");
        client.declare(1, "me", "s");
        let rule = broker.faults().publishes().nth(3).afterwards().crash();
        client.publish_each(1, 1, &["a", "b"]);
        client.publish(1, 3, &["c"]);
        assert_over(&mut client);
        assert_eq!(rule.fired(), 1);
        drop(broker);
        let (broker, mut client) = open();
        let left = stored(&broker);
        assert_eq!(left[..2], ["a", "b"]);
        lengths[left.len() - 2] = true;
        // Whoever sends it again sends it once.
        client.declare(1, "me", "s");
        client.publish(1, 3, &["c"]);
        assert_eq!(client.confirms(1, 1), [3]);
        assert_eq!(stored(&broker), ["a", "b", "c"]);
    }
    assert!(lengths[0], "what was not synced was always there");
}

#[test]
fn appends_without_a_connection_meet_faults_too() {
    let machine = Machine::new();
    let broker = Broker::builder().open_on_machine(&machine).unwrap();
    let stream = QueueDeclare::new("s").durable().argument("x-queue-type", "stream");
    broker.connect().unwrap().open_channel().unwrap().queue_declare_with(&stream).unwrap();
    let stream = broker.stream("/", "s").unwrap();
    let append = |body: &str| {
        let appended = stream.append(Publish::to_queue("s").body(body.to_owned()));
        appended.map_err(|error| error.reply_code())
    };
    let faults = broker.faults();
    faults.publishes().for_queue("s").nth(2).refuse(406, "not this one");
    faults.confirms().matching(|m| m.body() == b"nacked").nack();
    faults.confirms().matching(|m| m.body() == b"dropped").nack_and_drop();
    let held = faults.confirms().matching(|m| m.body() == b"held").hold();
    assert_eq!((append("a"), append("b")), (Ok(0), Err(406)));
    assert_eq!((append("nacked"), append("dropped")), (Err(541), Err(541)));
    std::thread::scope(|scope| {
        let late = scope.spawn(|| append("held"));
        wait_until("the append", || stream.next_offset() == 3);
        wait_until("the confirm", || held.release() == 1);
        assert_eq!(late.join().unwrap(), Ok(2));
    });
    assert_eq!(stored(&broker), ["a", "nacked", "held"]);
    faults.assert_all_fired();
    faults.clear();
    let sequence = stream.append_at(3, [Publish::to_queue("s").body("c")]);
    assert_eq!(sequence.unwrap(), 3..4);
    faults.publishes().afterwards().crash();
    assert_eq!(append("d"), Err(320));
    drop((stream, broker));
    let broker = Broker::builder().open_on_machine(&machine).unwrap();
    assert_eq!(stored(&broker)[..4], ["a", "nacked", "held", "c"]);
    let lost = broker.faults().confirms().lose();
    let stream = broker.stream("/", "s").unwrap();
    std::thread::scope(|scope| {
        let lost_for = scope.spawn(|| stream.append(Publish::to_queue("s").body("e")));
        wait_until("the append", || lost.fired() == 1);
        lost.remove();
        assert!(lost_for.join().unwrap().is_err());
    });
}

#[test]
fn the_journal_knows_what_is_so() {
    let broker = Broker::for_tests();
    let mut client = Client::open(listen(&broker));
    client.create("s");
    client.declare(1, "", "s");
    broker.faults().confirms().nth(1).nack();
    publish(&mut client, &["a"]);
    assert!(client.shown().starts_with("PublishError"));
    broker.journal().enqueued().in_queue("s").assert_texts(["a"]);
    assert_eq!(stored(&broker), ["a"]);
}
