//! A broker is made what it was.

use leveret::Policy;
use leveret::access::{PasswordHash, Permissions, User};
use leveret::lint::LintLevel;
use leveret::{AMQPValue, Broker, ExchangeDeclare, ManualClock, Publish, QueueDeclare};

use crate::support::{World, broker, int, quorum_queue, string, table, waiting};

fn bodies(broker: &Broker, queue: &str) -> Vec<String> {
    let messages = broker.queue("/", queue).unwrap().peek(100).unwrap();
    messages.iter().map(|message| String::from_utf8_lossy(message.body()).into()).collect()
}

pub(crate) fn names(broker: &Broker) -> (Vec<String>, Vec<String>) {
    let host = broker.virtual_host("/").unwrap();
    let mut queues: Vec<_> = host.queues().iter().map(|q| q.name().to_string()).collect();
    let mut exchanges: Vec<_> = host
        .exchanges()
        .iter()
        .map(|x| format!("{} ({})", x.name(), x.binding_count()))
        .filter(|x| !x.starts_with("amq.") && x != " (0)")
        .collect();
    queues.sort();
    exchanges.sort();
    (queues, exchanges)
}

#[test]
fn definitions_and_messages_are_what_they_were() {
    let world = World::new();
    world.channel.exchange_declare("orders", "topic").unwrap();
    world.channel.exchange_declare("all", "fanout").unwrap();
    world.channel.exchange_bind("all", "orders", "#").unwrap();
    world.declare_with("mail", [("x-max-priority", int(5))]);
    world.channel.queue_bind("mail", "orders", "order.*").unwrap();
    world.publish("mail", ["b", "c"]);
    world.channel.basic_publish(Publish::to_queue("mail").body("a").priority(3)).unwrap();
    world.channel.basic_publish(Publish::to_exchange("orders", "order.new").body("d")).unwrap();
    let before = names(&world.broker);
    let used = world.broker.memory_used();
    let snapshot = world.broker.snapshot().unwrap();
    assert_eq!((snapshot.queue_count(), snapshot.message_count()), (1, 4));

    world.channel.queue_unbind("mail", "orders", "order.*").unwrap();
    world.channel.queue_bind("mail", "orders", "else").unwrap();
    world.channel.exchange_delete("all").unwrap();
    world.channel.exchange_declare("new", "direct").unwrap();
    world.declare("other");
    assert_eq!(world.drain("mail"), ["a", "b", "c", "d"]);
    world.publish("mail", ["x"]);
    world.broker.restore(&snapshot).unwrap();

    assert_eq!(names(&world.broker), before);
    assert_eq!(world.broker.memory_used(), used);
    world.channel.basic_publish(Publish::to_exchange("orders", "order.e").body("e")).unwrap();
    world.channel.basic_publish(Publish::to_exchange("orders", "else").body("no")).unwrap();
    assert_eq!(world.drain("mail"), ["a", "b", "c", "d", "e"]);

    // As often as one likes, and also where the queue is another or there is none.
    world.channel.queue_delete("mail").unwrap();
    world.declare("mail");
    world.broker.restore(&snapshot).unwrap();
    assert_eq!(bodies(&world.broker, "mail"), ["a", "b", "c", "d"]);
    let other = broker();
    other.restore(&snapshot).unwrap();
    assert_eq!(names(&other), before);
    assert_eq!(bodies(&other, "mail"), ["a", "b", "c", "d"]);
}

#[test]
fn consumers_of_queues_that_stay_go_on() {
    let world = World::new();
    world.declare("jobs");
    world.channel.basic_qos(1).unwrap();
    let consumer = world.channel.basic_consume("jobs").unwrap();
    let own = QueueDeclare::new("own").exclusive();
    world.channel.queue_declare_with(&own).unwrap();
    world.broker.queue("/", "jobs").unwrap().hold().unwrap();
    world.publish("jobs", ["a", "b"]);
    world.publish("own", ["mine"]);
    let snapshot = world.broker.snapshot().unwrap();

    world.broker.queue("/", "jobs").unwrap().end_hold().unwrap();
    let first = consumer.recv().unwrap();
    world.channel.queue_purge("own").unwrap();
    world.declare("later");
    let later = world.channel.basic_consume("later").unwrap();
    world.broker.restore(&snapshot).unwrap();
    assert_eq!(later.iter().count(), 0); // its queue is gone, and it has ended
    assert_eq!(world.drain("own"), ["mine"]);
    // The queue is held, as it was.
    assert!(waiting(&consumer).is_empty());
    assert_eq!(bodies(&world.broker, "jobs"), ["a", "b"]);
    world.broker.queue("/", "jobs").unwrap().end_hold().unwrap();
    let again = consumer.try_recv().unwrap();
    assert_eq!((again.body(), again.redelivered()), (&b"a"[..], false));
    first.ack().unwrap(); // of what was before
    assert!(consumer.try_recv().is_none(), "one message at a time");
    again.ack().unwrap();
    assert_eq!(waiting(&consumer), ["b"]);

    let (connection, mut declared) = (world.broker.connect().unwrap(), own);
    declared.queue = "theirs".into();
    connection.open_channel().unwrap().queue_declare_with(&declared).unwrap();
    let snapshot = world.broker.snapshot().unwrap();
    drop(connection);
    world.broker.restore(&snapshot).unwrap();
    assert_eq!(names(&world.broker).0, ["jobs", "own"]);
}

#[test]
fn what_was_delivered_is_there_as_if_given_back() {
    let world = World::new();
    world.channel.queue_declare_with(&quorum_queue("q", [("x-delivery-limit", int(5))])).unwrap();
    world.publish("q", ["a", "b"]);
    let held = world.get("q");
    let snapshot = world.broker.snapshot().unwrap();
    held.ack().unwrap();
    assert_eq!(world.drain("q"), ["b"]);
    world.broker.restore(&snapshot).unwrap();
    assert_eq!(world.broker.queue("/", "q").unwrap().peek(1).unwrap()[0].delivery_count(), 1);
    let again = world.get("q");
    assert_eq!((again.body(), again.redelivered()), (&b"a"[..], true));
    let fresh = world.get("q");
    assert_eq!((fresh.body(), fresh.redelivered()), (&b"b"[..], false));
}

#[test]
fn time_goes_on_from_where_it_was() {
    let world = World::new();
    world.declare("dead");
    world.declare_with(
        "q",
        [
            ("x-message-ttl", int(30_000)),
            ("x-dead-letter-exchange", string("")),
            ("x-dead-letter-routing-key", string("dead")),
        ],
    );
    let delays = ExchangeDeclare::new("delays", "x-delayed-message")
        .arguments(table([("x-delayed-type", string("direct"))]));
    world.channel.exchange_declare_with(&delays).unwrap();
    world.channel.queue_bind("dead", "delays", "k").unwrap();
    let delayed = |body: &'static str, ms| {
        let publish = Publish::to_exchange("delays", "k").body(body).header("x-delay", int(ms));
        world.channel.basic_publish(publish).unwrap();
    };
    world.publish("q", ["short"]);
    delayed("second", 40_000);
    delayed("first", 20_000);
    world.advance_ms(10_000);
    let snapshot = world.broker.snapshot().unwrap();
    assert_eq!(snapshot.message_count(), 3);

    world.advance_ms(3_600_000);
    assert_eq!(world.drain("dead"), ["first", "short", "second"]);
    world.broker.restore(&snapshot).unwrap();
    let deadline = world.broker.next_deadline().unwrap();
    assert_eq!(deadline.as_millis() - world.broker.now().as_millis(), 10_000);
    world.advance_ms(10_000);
    assert_eq!(world.drain("dead"), ["first"]);
    world.advance_ms(9_999);
    assert_eq!(world.drain("dead"), [""; 0]);
    world.advance_ms(1);
    assert_eq!(world.drain("dead"), ["short"]);
    world.broker.restore(&snapshot).unwrap();
    world.broker.restore(&snapshot).unwrap();
    world.advance_ms(30_000);
    assert_eq!(world.drain("dead"), ["first", "short", "second"]);
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn exchanges_remember_what_they_remembered() {
    let world = World::new();
    let declare = |exchange: &str, kind: &str, arguments| {
        let declare = ExchangeDeclare::new(exchange, kind).arguments(arguments);
        world.channel.exchange_declare_with(&declare).unwrap();
    };
    declare("recent", "x-recent-history", table([("x-recent-history-length", int(2))]));
    declare("once", "x-message-deduplication", table([("x-cache-size", int(10))]));
    world.declare("q");
    world.channel.queue_bind("q", "once", "").unwrap();
    let once = |key: &str| {
        let key = AMQPValue::LongString(key.into());
        let publish = Publish::to_exchange("once", "").header("x-deduplication-header", key);
        world.channel.basic_publish(publish.body("once")).unwrap();
    };
    let recent = |body: &str| {
        let publish = Publish::to_exchange("recent", "").body(body.to_owned());
        world.channel.basic_publish(publish).unwrap();
    };
    once("a");
    ["1", "2", "3"].iter().for_each(|body| recent(body));
    let snapshot = world.broker.snapshot().unwrap();
    once("b");
    recent("4");
    world.broker.restore(&snapshot).unwrap();
    assert_eq!(world.drain("q"), ["once"]);
    once("a");
    assert_eq!(world.drain("q"), [""; 0]);
    once("b");
    assert_eq!(world.drain("q"), ["once"]);
    world.channel.queue_bind("q", "recent", "").unwrap();
    assert_eq!(world.drain("q"), ["2", "3"]);
}

#[test]
fn users_policies_and_virtual_hosts() {
    let world = World::new();
    let (broker, host) = (&world.broker, world.broker.virtual_host("/").unwrap());
    broker.add_virtual_host("other");
    let access = broker.access();
    let user = |name: &str| User::new(name, PasswordHash::new("secret", [1; 4]));
    access.users.put(user("known"));
    access.permissions.set("known".into(), "/".into(), Permissions::full());
    host.set_policy("p", Policy::new("^q").with("max-length", int(2))).unwrap();
    let snapshot = broker.snapshot().unwrap();

    access.users.put(user("new"));
    access.permissions.set("known".into(), "other".into(), Permissions::full());
    access.permissions.set("known".into(), "/".into(), Permissions::new("", "", "").unwrap());
    host.set_policy("p", Policy::new("^q").with("max-length", int(3))).unwrap();
    host.set_policy("r", Policy::new("^r").with("max-length", int(0))).unwrap();
    host.set_operator_policy("o", Policy::new("^q").with("max-length", int(1))).unwrap();
    broker.add_virtual_host("third");
    let third = broker.connect_to("third").unwrap().open_channel().unwrap();
    third.queue_declare("q").unwrap();
    broker.restore(&snapshot).unwrap();

    assert!(access.users.get("new").is_none());
    assert!(access.permissions.get("known", "other").is_none());
    assert_eq!(access.permissions.get("known", "/").unwrap().read.as_str(), ".*");
    assert!(broker.virtual_host("third").unwrap().queues().is_empty());
    ["q", "r"].iter().for_each(|queue| world.declare(queue));
    world.publish("q", ["a", "b", "c"]);
    world.publish("r", ["a"]);
    assert_eq!((world.ready("q"), world.ready("r")), (2, 1));
}

#[test]
fn bindings_that_come_back_bring_no_messages() {
    let world = World::new();
    let declare = ExchangeDeclare::new("recent", "x-recent-history")
        .arguments(table([("x-recent-history-length", int(2))]));
    world.channel.exchange_declare_with(&declare).unwrap();
    world.channel.basic_publish(Publish::to_exchange("recent", "").body("old")).unwrap();
    world.declare("q");
    let consumer = world.channel.basic_consume("q").unwrap();
    world.channel.queue_bind("q", "recent", "").unwrap();
    assert_eq!(waiting(&consumer), ["old"]);
    world.channel.basic_ack_multiple(0).unwrap();
    let snapshot = world.broker.snapshot().unwrap();
    world.channel.queue_unbind("q", "recent", "").unwrap();
    world.broker.restore(&snapshot).unwrap();
    assert_eq!(waiting(&consumer), [""; 0]);
}

#[test]
fn bindings_of_exclusive_queues_come_back() {
    let world = World::new();
    let own = QueueDeclare::new("own").exclusive();
    world.channel.queue_declare_with(&own).unwrap();
    world.channel.queue_bind("own", "amq.fanout", "").unwrap();
    let snapshot = world.broker.snapshot().unwrap();
    world.channel.queue_unbind("own", "amq.fanout", "").unwrap();
    world.broker.restore(&snapshot).unwrap();
    world.channel.basic_publish(Publish::to_exchange("amq.fanout", "").body("x")).unwrap();
    assert_eq!(world.drain("own"), ["x"]);
}

#[test]
fn the_journal_begins_with_what_is_delivered_again() {
    let broker = Broker::builder().manual_clock(ManualClock::default()).journal(100).build();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    let consumer = channel.basic_consume("q").unwrap();
    channel.basic_publish(Publish::to_queue("q").body("a")).unwrap();
    let snapshot = broker.snapshot().unwrap();
    broker.restore(&snapshot).unwrap();
    assert_eq!(waiting(&consumer).len(), 2);
    channel.basic_ack_multiple(0).unwrap();
    assert_eq!(broker.journal().delivered().count(), 1);
}

#[test]
fn what_is_refused_leaves_the_rest_in_order() {
    let world = World::new();
    world.declare_with("odd", [("x-mesage-ttl", int(1))]);
    let snapshot = world.broker.snapshot().unwrap();
    let strict = Broker::builder().manual_clock(ManualClock::default()).lint(LintLevel::Deny);
    let strict = strict.build();
    let channel = strict.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    let consumer = channel.basic_consume("q").unwrap();
    let waiting = std::thread::spawn(move || consumer.iter().count());
    channel.basic_publish(Publish::to_queue("q").body("a")).unwrap();
    assert_eq!(strict.restore(&snapshot).unwrap_err().reply_code(), 406);
    assert_eq!(waiting.join().unwrap(), 1); // its queue is gone, and it has heard of it
    assert_eq!(strict.memory_used(), 0);
}

#[test]
fn a_shared_prefetch_is_given_back() {
    let world = World::new();
    world.declare("q");
    world.declare("r");
    world.channel.basic_qos_global(1).unwrap();
    let consumer = world.channel.basic_consume("q").unwrap();
    let other = world.channel.basic_consume("r").unwrap();
    let start = world.broker.snapshot().unwrap();
    world.publish("q", ["a", "b"]);
    let snapshot = world.broker.snapshot().unwrap();
    let first = consumer.try_recv().unwrap();
    world.broker.restore(&snapshot).unwrap();
    let again = consumer.try_recv().unwrap();
    assert!(again.redelivered());
    first.ack().unwrap(); // of what was before
    assert!(consumer.try_recv().is_none(), "one message at a time");
    again.ack().unwrap();
    assert_eq!(waiting(&consumer), ["b"]);

    // Consumers of other queues had to wait for it.
    world.publish("r", ["c"]);
    assert!(other.try_recv().is_none());
    world.broker.restore(&start).unwrap();
    world.publish("r", ["d", "e"]);
    let last = other.try_recv().unwrap();
    assert!(other.try_recv().is_none(), "one message at a time");
    last.ack().unwrap();
    assert_eq!(waiting(&other), ["e"]);
}

#[test]
fn what_would_come_back_too_often_is_a_dead_letter() {
    let world = World::new();
    let arguments = [
        ("x-delivery-limit", int(0)),
        ("x-dead-letter-exchange", string("")),
        ("x-dead-letter-routing-key", string("dead")),
    ];
    world.channel.queue_declare_with(&quorum_queue("q", arguments)).unwrap();
    world.declare("dead");
    world.publish("q", ["a"]);
    let held = world.get("q");
    let snapshot = world.broker.snapshot().unwrap();
    held.ack().unwrap();
    world.broker.restore(&snapshot).unwrap();
    assert_eq!((world.ready("q"), world.drain("dead").as_slice()), (0, &["a".to_owned()][..]));
}

#[test]
fn an_exclusive_queue_of_another_broker_is_another_queue() {
    let own = QueueDeclare::new("own").exclusive();
    let (one, other) = (World::new(), World::new());
    one.channel.queue_declare_with(&own).unwrap();
    one.publish("own", ["theirs"]);
    other.channel.queue_declare_with(&own).unwrap();
    other.broker.restore(&one.broker.snapshot().unwrap()).unwrap();
    assert!(other.queue("own").is_none());
}
