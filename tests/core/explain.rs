//! Why a message goes where it goes, in words.

use leveret::{AMQPValue, Binding, ExchangeDeclare, FieldTable, Publish};

use crate::support::{World, int, string, table};

fn explain(world: &World, exchange: &str, key: &str) -> leveret::explain::Explanation {
    world.broker.explain("/", exchange, key, &FieldTable::default()).unwrap()
}

#[test]
fn bindings_that_match_and_those_that_nearly_do() {
    let world = World::new();
    world.channel.exchange_declare("orders", "topic").unwrap();
    for (queue, key) in [("all", "#"), ("billing", "order.created"), ("audit", "user.*.removed")] {
        world.declare(queue);
        world.channel.queue_bind(queue, "orders", key).unwrap();
    }
    let expected = "\
A message to exchange 'orders' with key 'order.deleted':
  exchange 'orders' (topic)
    matches: 'orders' -> 'all' with key '#'
    nearly:  'orders' -> 'billing' with key 'order.created': word 2 of the key is 'deleted', not \
                    'created'
It goes to 'all'.
";
    let answer = explain(&world, "orders", "order.deleted");
    assert_eq!(answer.to_string(), expected);
    // What it says is what happens.
    world.channel.basic_publish(Publish::to_exchange("orders", "order.deleted")).unwrap();
    assert_eq!((world.ready("all"), world.ready("billing")), (1, 0));
}

#[test]
fn alternates_and_exchanges_bound_to_others_are_followed() {
    let world = World::new();
    world.channel.exchange_declare("rest", "fanout").unwrap();
    world.channel.exchange_declare("further", "direct").unwrap();
    let alternate = table([("alternate-exchange", string("rest"))]);
    let declare = ExchangeDeclare::new("first", "direct").arguments(alternate);
    world.channel.exchange_declare_with(&declare).unwrap();
    world.channel.exchange_bind("further", "rest", "").unwrap();
    world.declare("end");
    world.channel.queue_bind("end", "further", "k").unwrap();
    let answer = explain(&world, "first", "k");
    let visited: Vec<_> = answer.steps.iter().map(|step| step.exchange.as_str()).collect();
    assert_eq!(visited, ["first", "rest", "further"]);
    assert_eq!(answer.queue_names(), ["end"]);
    let text = answer.to_string();
    assert!(text.contains("no binding matches: it goes on to its alternate, exchange 'rest'"));
    let lost = explain(&world, "first", "K");
    assert!(lost.is_unroutable());
    assert!(lost.to_string().contains("upper and lower case differ"), "{lost}");
    assert!(lost.to_string().contains("dropped, or returned if it is mandatory"));
}

#[test]
fn headers_that_differ_are_named() {
    let world = World::new();
    world.declare("q");
    let arguments = table([("type", string("invoice")), ("size", int(3))]);
    let binding = Binding::new("amq.headers", "").arguments(arguments);
    world.channel.queue_bind_with("q", &binding).unwrap();
    for (size, difference) in [
        (Some(int(4)), "header 'size' is 4, not 3"),
        (Some(string("3")), "header 'size' is the text '3', not 3"),
        (None, "there is no header 'size', which should be 3"),
    ] {
        let mut headers = table([("type", string("invoice"))]);
        if let Some(size) = size {
            headers.insert("size".into(), size);
        }
        let answer = world.broker.explain("/", "amq.headers", "", &headers).unwrap();
        assert!(answer.to_string().contains(difference), "{answer}");
    }
    let headers = table([("type", string("invoice")), ("size", AMQPValue::ShortInt(3))]);
    let answer = world.broker.explain("/", "amq.headers", "", &headers).unwrap();
    assert_eq!(answer.queue_names(), ["q"]);
}

#[test]
fn what_the_queue_would_do() {
    let world = World::new();
    let full = [("x-max-length", int(1)), ("x-message-ttl", int(0)), ("x-expires", int(9000))];
    world.declare_with("a", full);
    world.declare_with("b", [("x-max-length", int(1)), ("x-overflow", string("reject-publish"))]);
    world.declare_with(
        "c",
        [("x-message-ttl", int(50)), ("x-dead-letter-exchange", string("nowhere"))],
    );
    world.publish("b", ["first"]);
    let notes = |queue: &str| explain(&world, "", queue).to_string();
    assert!(notes("a").contains("unless a consumer waits, it expires at once: dropped"));
    assert!(notes("b").contains("it has 1 messages and is full: the message is refused"));
    let dropped = "after 50 ms: then it is dropped, because exchange 'nowhere' is not there";
    assert!(notes("c").contains(dropped));
    assert!(notes("d").contains("there is no queue of that name"));
}

#[test]
fn exchanges_that_pick_tell_whom() {
    let world = World::new();
    world.channel.exchange_declare("pick", "x-consistent-hash").unwrap();
    for queue in ["a", "b"] {
        world.declare(queue);
        world.channel.queue_bind(queue, "pick", "1").unwrap();
    }
    let answer = explain(&world, "pick", "customer 7");
    world.channel.basic_publish(Publish::to_exchange("pick", "customer 7")).unwrap();
    let [picked] = answer.queue_names()[..] else { panic!("{answer}") };
    assert_eq!(world.ready(picked), 1);
}
