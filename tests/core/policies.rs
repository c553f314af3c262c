//! Policies, operator policies, and queues that are held.

use leveret::{ApplyTo, Policy, PolicyError, VirtualHostHandle};
use leveret::{ExchangeDeclare, Publish};

use crate::support::{World, int, quorum_queue, string, table, waiting};

fn host(world: &World) -> VirtualHostHandle {
    world.broker.virtual_host("/").expect("the default virtual host")
}

#[test]
fn a_shorter_length_drops_at_once_and_is_lifted_with_the_policy() {
    let world = World::new();
    world.declare("jobs.a");
    world.declare("other");
    world.publish("jobs.a", ["1", "2", "3"]);
    world.publish("other", ["1", "2", "3"]);
    let policy = Policy::new("^jobs\\.").with("max-length", int(2));
    host(&world).set_policy("short", policy).unwrap();
    assert_eq!((world.ready("jobs.a"), world.ready("other")), (2, 3));
    world.publish("jobs.a", ["4"]);
    assert_eq!(world.ready("jobs.a"), 2);
    assert!(host(&world).remove_policy("short"));
    world.publish("jobs.a", ["5"]);
    assert_eq!(world.drain("jobs.a"), ["3", "4", "5"]);
    assert!(!host(&world).remove_policy("short"));
}

#[test]
fn a_classic_queue_is_cut_before_it_refuses_and_a_quorum_queue_refuses_alone() {
    let world = World::new();
    world.declare("classic");
    world.channel.queue_declare_with(&quorum_queue("quorum", [])).unwrap();
    let refusing = [("x-overflow", string("reject-publish"))];
    world.declare_with("refusing", refusing.clone());
    let queues = ["classic", "quorum", "refusing"];
    for queue in queues {
        world.publish(queue, ["1", "2", "3", "4"]);
    }
    let policy = Policy::new("").with("max-length", int(2));
    let policy = policy.with("overflow", string("reject-publish"));
    host(&world).set_policy("short", policy.clone()).unwrap();
    assert_eq!(queues.map(|queue| world.ready(queue)), [2, 4, 4]);
    for queue in queues {
        world.publish(queue, ["5"]);
    }
    assert_eq!(world.drain("classic"), ["3", "4"]);
    // It refuses by now, and is not cut again.
    host(&world).set_policy("short", policy.with("max-length", int(9))).unwrap();
    world.publish("classic", ["6", "7"]);
    let shorter = Policy::new("").with("max-length", int(1));
    let shorter = shorter.with("overflow", string("reject-publish"));
    host(&world).set_policy("short", shorter).unwrap();
    assert_eq!(world.drain("classic"), ["6", "7"]);
}

#[test]
fn policies_apply_to_queues_that_are_declared_later() {
    let world = World::new();
    host(&world).set_policy("short", Policy::new("q").with("max-length", int(1))).unwrap();
    world.declare("q");
    world.publish("q", ["a", "b"]);
    assert_eq!(world.drain("q"), ["b"]);
}

#[test]
fn the_highest_priority_counts_alone() {
    let world = World::new();
    let host = host(&world);
    let low = Policy::new("q").with("max-length", int(1)).with("message-ttl", int(5));
    host.set_policy("low", low).unwrap();
    let high = Policy { priority: 1, ..Policy::new("q").with("max-length", int(3)) };
    host.set_policy("high", high).unwrap();
    world.declare("q");
    world.publish("q", ["a", "b", "c", "d"]);
    world.advance_ms(100);
    assert_eq!(world.drain("q"), ["b", "c", "d"]);
}

#[test]
fn the_smallest_of_argument_policy_and_operator_policy_counts() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(3))]);
    let host = host(&world);
    host.set_policy("p", Policy::new("q").with("max-length", int(5))).unwrap();
    world.publish("q", ["1", "2", "3", "4"]);
    assert_eq!(world.ready("q"), 3);
    host.set_operator_policy("o", Policy::new("q").with("max-length", int(2))).unwrap();
    assert_eq!(world.ready("q"), 2);
    assert!(host.remove_operator_policy("o"));
    world.publish("q", ["5"]);
    assert_eq!(world.drain("q"), ["3", "4", "5"]);
}

#[test]
fn a_time_to_live_applies_to_what_comes_later() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["before"]);
    host(&world).set_policy("p", Policy::new("q").with("message-ttl", int(50))).unwrap();
    world.publish("q", ["after"]);
    world.advance_ms(60);
    assert_eq!(world.take("q").map(|delivery| delivery.body().to_vec()), Some(b"before".to_vec()));
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn queues_expire_by_policy() {
    let world = World::new();
    world.declare("q");
    host(&world).set_policy("p", Policy::new("q").with("expires", int(1000))).unwrap();
    world.advance_ms(999);
    assert!(world.queue("q").is_some());
    world.advance_ms(1);
    assert!(world.queue("q").is_none());
}

#[test]
fn dead_letters_go_where_the_policy_says_unless_the_argument_says_it() {
    let world = World::new();
    for queue in ["by.policy", "by.argument"] {
        world.declare(queue);
    }
    world.declare("plain");
    let arguments = [
        ("x-dead-letter-exchange", string("")),
        ("x-dead-letter-routing-key", string("by.argument")),
    ];
    world.declare_with("own", arguments);
    let policy = Policy::new("^(plain|own)$")
        .with("dead-letter-exchange", string(""))
        .with("dead-letter-routing-key", string("by.policy"));
    host(&world).set_policy("dlx", policy).unwrap();
    for queue in ["plain", "own"] {
        world.publish(queue, [queue]);
        world.get(queue).reject().unwrap();
    }
    assert_eq!(world.drain("by.policy"), ["plain"]);
    assert_eq!(world.drain("by.argument"), ["own"]);
}

#[test]
fn an_alternate_exchange_can_be_set_by_policy() {
    let world = World::new();
    world.declare("rest");
    world.channel.exchange_declare("spare", "fanout").unwrap();
    world.channel.queue_bind("rest", "spare", "").unwrap();
    let declare = ExchangeDeclare::new("main", "direct");
    world.channel.exchange_declare_with(&declare).unwrap();
    let publish = || Publish::to_exchange("main", "nobody").body("m");
    world.channel.basic_publish(publish()).unwrap();
    let policy = Policy {
        apply_to: ApplyTo::Exchanges,
        ..Policy::new("main").with("alternate-exchange", string("spare"))
    };
    host(&world).set_policy("ae", policy).unwrap();
    world.channel.basic_publish(publish()).unwrap();
    assert_eq!(world.ready("rest"), 1);
    host(&world).remove_policy("ae");
    world.channel.basic_publish(publish()).unwrap();
    assert_eq!(world.ready("rest"), 1);
}

#[test]
fn a_policy_may_be_for_one_type_of_queue() {
    let world = World::new();
    world.declare("classic");
    world.channel.queue_declare_with(&quorum_queue("quorum", [])).unwrap();
    let policy =
        Policy { apply_to: ApplyTo::QuorumQueues, ..Policy::new("").with("max-length", int(1)) };
    host(&world).set_policy("p", policy).unwrap();
    for queue in ["classic", "quorum"] {
        world.publish(queue, ["a", "b"]);
    }
    assert_eq!((world.ready("classic"), world.ready("quorum")), (2, 1));
}

#[test]
fn bad_policies_change_nothing() {
    let world = World::new();
    world.declare("q");
    let host = host(&world);
    let refused = |policy| host.set_policy("p", policy).unwrap_err();
    assert_eq!(refused(Policy::new("q")), PolicyError::Empty);
    assert!(matches!(
        refused(Policy::new("(").with("max-length", int(1))),
        PolicyError::Pattern(_)
    ));
    assert_eq!(
        refused(Policy::new("q").with("no-such-key", int(1))).to_string(),
        "Validation failed\n\n[{<<\"no-such-key\">>,1}] are not recognised policy settings\n"
    );
    assert!(matches!(refused(Policy::new("q").with("max-length", int(-1))), PolicyError::Value(_)));
    let not_a_limit = Policy::new("q").with("dead-letter-exchange", string("x"));
    assert!(matches!(host.set_operator_policy("o", not_a_limit), Err(PolicyError::UnknownKeys(_))));
    world.publish("q", ["a", "b"]);
    assert_eq!(world.ready("q"), 2);
}

#[test]
fn a_held_queue_takes_and_does_not_give() {
    let world = World::new();
    world.declare("q");
    let consumer = world.channel.basic_consume("q").unwrap();
    world.broker.queue("/", "q").unwrap().hold().unwrap();
    world.publish("q", ["a", "b"]);
    assert!(waiting(&consumer).is_empty());
    assert!(world.take("q").is_none());
    assert_eq!(world.ready("q"), 2);
    world.broker.queue("/", "q").unwrap().end_hold().unwrap();
    assert_eq!(waiting(&consumer), ["a", "b"]);
    assert!(world.broker.queue("/", "nobody").and_then(|queue| queue.hold()).is_err());
}

#[test]
fn a_delivery_that_is_never_acknowledged_closes_its_channel() {
    let world = World::new();
    world.declare_with("q", [("x-consumer-timeout", int(10_000))]);
    let channel = world.open_channel();
    let consumer = channel.basic_consume("q").unwrap();
    world.publish("q", ["a", "b"]);
    assert_eq!(waiting(&consumer), ["a", "b"]);
    world.advance_ms(9_999);
    assert!(channel.queue_declare("still.open").is_ok());
    world.advance_ms(1);
    assert!(channel.queue_declare("closed").is_err());
    assert!(consumer.recv().is_none());
    assert_eq!(world.drain("q"), ["a", "b"]);
}

#[test]
fn acknowledging_in_time_keeps_the_channel_open() {
    let world = World::new();
    world.declare("q");
    let arguments = table([("x-consumer-timeout", int(1000))]);
    let consume = leveret::Consume::new("q").arguments(arguments);
    let consumer = world.channel.basic_consume_with(&consume).unwrap();
    for _ in 0..5 {
        world.publish("q", ["m"]);
        let delivery = consumer.try_recv().expect("a delivery");
        world.advance_ms(900);
        delivery.ack().unwrap();
    }
    world.advance_ms(5000);
    assert!(world.channel.queue_declare("open").is_ok());
}

#[test]
fn polled_messages_have_all_the_time_and_do_not_hide_those_of_consumers() {
    let world = World::new();
    world.declare_with("q", [("x-consumer-timeout", int(1000))]);
    world.publish("q", ["polled"]);
    let polled = world.get("q");
    let gone = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["gone"]);
    let held = gone.recv().unwrap();
    drop(gone);
    world.advance_ms(5000);
    let channel = world.open_channel();
    let consumer = channel.basic_consume("q").unwrap();
    world.publish("q", ["late"]);
    assert_eq!(waiting(&consumer), ["late"]);
    world.advance_ms(1000);
    assert!(channel.queue_declare("closed").is_err());
    polled.ack().unwrap();
    held.ack().unwrap();
    assert_eq!(world.drain("q"), ["late"]);
}
