//! Routes over several exchanges, alternate exchanges, sender-selected routing.

use leveret::{AMQPValue, Binding, Channel, ExchangeDeclare, ExchangeDelete, Publish};

use crate::support::{World, int, refusal, string, table};

fn declare(channel: &Channel, exchange: &str, kind: &str) {
    channel.exchange_declare(exchange, kind).unwrap();
}

fn with_alternate(channel: &Channel, exchange: &str, alternate: &str) {
    let arguments = table([("alternate-exchange", string(alternate))]);
    let declare = ExchangeDeclare::new(exchange, "direct").arguments(arguments);
    channel.exchange_declare_with(&declare).unwrap();
}

fn send(channel: &Channel, exchange: &str, key: &str) {
    channel.basic_publish(Publish::to_exchange(exchange, key).body("m").mandatory()).unwrap();
}

fn keys(keys: &[&str]) -> AMQPValue {
    let keys: Vec<_> = keys.iter().map(|key| string(key)).collect();
    AMQPValue::FieldArray(keys.into())
}

#[test]
fn a_queue_gets_a_message_once_however_many_ways_lead_to_it() {
    let world = World::new();
    declare(&world.channel, "in", "topic");
    declare(&world.channel, "out", "fanout");
    world.declare("q");
    for key in ["a.*", "#", "a.b"] {
        world.channel.queue_bind("q", "in", key).unwrap();
    }
    world.channel.queue_bind("q", "out", "").unwrap();
    world.channel.exchange_bind("out", "in", "a.#").unwrap();
    send(&world.channel, "in", "a.b");
    assert_eq!(world.ready("q"), 1);
}

#[test]
fn sender_selected_keys_that_are_no_strings_are_passed_over() {
    let world = World::new();
    for queue in ["a", "b", "c"] {
        world.declare(queue);
    }
    let mixed = |key| AMQPValue::FieldArray(vec![int(5), string(key), AMQPValue::Void].into());
    let publish = Publish::to_queue("a").header("CC", mixed("b")).header("BCC", mixed("c"));
    world.channel.basic_publish(publish).unwrap();
    assert_eq!([world.ready("a"), world.ready("b"), world.ready("c")], [1, 1, 1]);
    let delivery = world.get("b");
    assert_eq!(delivery.headers(), table([("CC", mixed("b"))]));
}

#[test]
fn exchanges_bound_in_a_circle_end() {
    let world = World::new();
    for exchange in ["a", "b"] {
        declare(&world.channel, exchange, "fanout");
    }
    world.channel.exchange_bind("b", "a", "").unwrap();
    world.channel.exchange_bind("a", "b", "").unwrap();
    world.declare("q");
    world.channel.queue_bind("q", "a", "").unwrap();
    send(&world.channel, "b", "");
    assert_eq!(world.ready("q"), 1);
    world.channel.exchange_unbind("a", "b", "").unwrap();
    send(&world.channel, "b", "");
    assert_eq!(world.ready("q"), 1);
    assert!(world.channel.take_returned().is_some());
}

#[test]
fn an_alternate_exchange_gets_what_cannot_be_routed() {
    let world = World::new();
    with_alternate(&world.channel, "first", "second");
    with_alternate(&world.channel, "second", "third");
    declare(&world.channel, "third", "fanout");
    for (queue, exchange, key) in
        [("one", "first", "k"), ("two", "second", "k2"), ("rest", "third", "")]
    {
        world.declare(queue);
        world.channel.queue_bind(queue, exchange, key).unwrap();
    }
    for key in ["k", "k2", "other"] {
        send(&world.channel, "first", key);
    }
    assert_eq!([world.ready("one"), world.ready("two"), world.ready("rest")], [1, 1, 1]);
    assert!(world.channel.take_returned().is_none());
}

#[test]
fn alternate_exchanges_in_a_circle_end_and_missing_ones_are_nobody() {
    let world = World::new();
    with_alternate(&world.channel, "a", "b");
    with_alternate(&world.channel, "b", "a");
    with_alternate(&world.channel, "c", "missing");
    for exchange in ["a", "c"] {
        send(&world.channel, exchange, "k");
        assert_eq!(world.channel.take_returned().unwrap().exchange(), exchange);
    }
}

#[test]
fn a_remembered_route_follows_changes_of_bindings() {
    let world = World::new();
    declare(&world.channel, "x", "direct");
    world.declare("p");
    world.declare("q");
    world.channel.queue_bind("p", "x", "k").unwrap();
    send(&world.channel, "x", "k");
    let other = world.open_channel();
    other.queue_bind("q", "x", "k").unwrap();
    send(&world.channel, "x", "k");
    other.queue_unbind("p", "x", "k").unwrap();
    send(&world.channel, "x", "k");
    assert_eq!((world.ready("p"), world.ready("q")), (2, 2));
    other.exchange_delete("x").unwrap();
    let gone = world.channel.basic_publish(Publish::to_exchange("x", "k"));
    assert_eq!(refusal(gone), (404, "no exchange 'x' in vhost '/'".to_owned()));
}

#[test]
fn routes_to_many_keys_in_turn_follow_changes_of_bindings() {
    let world = World::new();
    declare(&world.channel, "x", "direct");
    world.declare("even");
    world.declare("odd");
    let keys: Vec<_> = (0..5_000).map(|n| (["even", "odd"][n % 2], format!("key.{n}"))).collect();
    for (queue, key) in &keys {
        world.channel.queue_bind(queue, "x", key).unwrap();
    }
    let publisher = world.open_channel();
    // As many as it keeps, fewer, and more.
    for count in [2, 3, 4_096, 1_000, 5_000, 7, 5_000, 1] {
        for _ in 0..2 {
            keys[..count].iter().for_each(|(_, key)| send(&publisher, "x", key));
        }
        let even = 2 * count.div_ceil(2);
        assert_eq!((world.ready("even"), world.ready("odd")), (even, 2 * count - even));
        world.channel.queue_purge("even").unwrap();
        world.channel.queue_purge("odd").unwrap();
    }
    keys[..1_000].iter().for_each(|(_, key)| send(&publisher, "x", key));
    world.channel.queue_unbind("even", "x", "key.0").unwrap();
    world.channel.queue_bind("odd", "x", "key.2").unwrap();
    keys[..4].iter().for_each(|(_, key)| send(&publisher, "x", key));
    assert_eq!((world.ready("even"), world.ready("odd")), (501, 503));
    assert_eq!(publisher.take_returned().unwrap().routing_key(), "key.0");
}

#[test]
fn routes_that_a_channel_keeps_count_as_memory() {
    let world = World::new();
    let used = || world.broker.memory_total();
    world.declare("q");
    declare(&world.channel, "x", "direct");
    let keys: Vec<_> = (0..2_000).map(|n| format!("key.{n}")).collect();
    keys.iter().for_each(|key| world.channel.queue_bind("q", "x", key).unwrap());
    let publisher = world.open_channel();
    let before = used();
    keys.iter().for_each(|key| send(&publisher, "x", key));
    world.channel.queue_purge("q").unwrap();
    let kept = used() - before;
    assert!((200 * 1024..1024 * 1024).contains(&kept), "{kept}");
    drop(publisher);
    assert!(used() < before);
}

#[test]
fn headers_decide_on_a_headers_exchange() {
    let world = World::new();
    world.declare("q");
    let arguments = table([("x-match", string("all")), ("kind", string("pdf"))]);
    let binding = Binding::new("amq.headers", "").arguments(arguments);
    world.channel.queue_bind_with("q", &binding).unwrap();
    let publish = || Publish::to_exchange("amq.headers", "");
    world.channel.basic_publish(publish().header("kind", string("txt"))).unwrap();
    world.channel.basic_publish(publish()).unwrap();
    assert_eq!(world.ready("q"), 0);
    world.channel.basic_publish(publish().header("kind", string("pdf"))).unwrap();
    assert_eq!(world.ready("q"), 1);
}

#[test]
fn the_default_exchange_leads_nowhere_as_an_alternate() {
    let world = World::new();
    world.declare("q");
    with_alternate(&world.channel, "x", "");
    let publish = Publish::to_exchange("x", "q").body("m").mandatory();
    world.channel.basic_publish(publish).unwrap();
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn the_sender_selects_more_routes_by_cc_and_bcc() {
    let world = World::new();
    for queue in ["to", "cc", "bcc"] {
        world.declare(queue);
    }
    let publish = Publish::to_queue("to")
        .body("m")
        .header("CC", keys(&["cc", "to"]))
        .header("BCC", keys(&["bcc"]));
    world.channel.basic_publish(publish).unwrap();
    for queue in ["to", "cc", "bcc"] {
        let delivery = world.take(queue).unwrap();
        let headers = delivery.headers();
        assert_eq!(delivery.routing_key(), "to");
        assert_eq!(headers.inner().get("CC"), Some(&keys(&["cc", "to"])));
        assert!(!headers.contains_key("BCC"));
        assert_eq!(world.ready(queue), 0);
    }
    let wrong = Publish::to_queue("to").header("CC", string("cc"));
    assert_eq!(refusal(world.channel.basic_publish(wrong)).0, 406);
}

#[test]
fn an_auto_delete_exchange_goes_with_its_last_binding() {
    let world = World::new();
    let auto = ExchangeDeclare::new("x", "fanout").auto_delete();
    world.channel.exchange_declare_with(&auto).unwrap();
    world.declare("q");
    world.channel.queue_bind("q", "x", "").unwrap();
    world.channel.queue_delete("q").unwrap();
    assert_eq!(refusal(world.channel.basic_publish(Publish::to_exchange("x", ""))).0, 404);
}

#[test]
fn exchanges_refuse_what_rabbitmq_refuses() {
    let world = World::new();
    let channel = &world.channel;
    declare(channel, "x", "direct");
    assert_eq!(refusal(channel.exchange_declare("x", "topic")).0, 406);
    assert_eq!(refusal(channel.exchange_declare("y", "unknown")).0, 406);
    assert_eq!(refusal(channel.exchange_declare("amq.mine", "direct")).0, 403);
    assert_eq!(refusal(channel.exchange_declare("", "direct")).0, 403);
    assert_eq!(refusal(channel.exchange_delete("amq.direct")).0, 403);
    let internal = ExchangeDeclare::new("inner", "fanout").internal();
    channel.exchange_declare_with(&internal).unwrap();
    let refused = refusal(channel.basic_publish(Publish::to_exchange("inner", "")));
    assert_eq!(refused.1, "cannot publish to internal exchange 'inner' in vhost '/'");
    world.declare("q");
    channel.queue_bind("q", "x", "k").unwrap();
    assert_eq!(refusal(channel.exchange_delete_with(&ExchangeDelete::new("x").if_unused())).0, 406);
    channel.exchange_delete("x").unwrap();
    channel.exchange_delete("x").unwrap();
}
