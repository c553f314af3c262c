//! Channels and connections that end: nobody is overtaken, and nothing goes to who ends as well.

use leveret::{AMQPValue, Channel, Connection, Consumer, Delivery, QueueDeclare};

use crate::support::{World, int, quorum_queue, string, table, text};

/// A body, with `!` if it was delivered before.
fn marked(delivery: &Delivery) -> String {
    text(delivery) + if delivery.redelivered() { "!" } else { "" }
}

fn waiting(consumer: &Consumer) -> Vec<String> {
    std::iter::from_fn(|| consumer.try_recv()).map(|delivery| marked(&delivery)).collect()
}

/// Both types of queues, with a single active consumer.
fn single_active() -> [QueueDeclare; 2] {
    let flag = || ("x-single-active-consumer", AMQPValue::Boolean(true));
    let arguments = table([flag()]);
    let classic = QueueDeclare::new("q").arguments(arguments);
    [classic, quorum_queue("q", [flag()])]
}

fn world_with(queue: &QueueDeclare) -> World {
    let world = World::new();
    world.channel.queue_declare_with(queue).unwrap();
    world
}

fn consume(channel: &Channel, prefetch: u16) -> Consumer {
    channel.basic_qos(prefetch).unwrap();
    channel.basic_consume("q").unwrap()
}

/// All that the queue has, got one by one.
fn drain(world: &World) -> Vec<String> {
    std::iter::from_fn(|| world.take("q")).map(|delivery| marked(&delivery)).collect()
}

#[test]
fn the_next_single_active_consumer_gets_what_came_back_first() {
    type Ending = fn(&Connection, &Channel, Consumer);
    let endings: [Ending; 3] = [
        |connection, _, _| connection.close(),
        |_, channel, _| channel.close(),
        // What nobody took of what the consumer was given.
        |_, _, consumer| drop(consumer),
    ];
    for queue in single_active() {
        for ending in endings {
            let world = world_with(&queue);
            let connection = world.broker.connect().unwrap();
            let channel = connection.open_channel().unwrap();
            let first = consume(&channel, 3);
            world.publish("q", ["0", "1", "2", "3", "4", "5"]);
            let second = consume(&world.channel, 2);
            assert!(second.try_recv().is_none());
            ending(&connection, &channel, first);
            let mut seen = Vec::new();
            for _ in 0..3 {
                seen.extend(waiting(&second));
                world.channel.basic_ack_multiple(0).unwrap();
            }
            assert_eq!(seen, ["0!", "1!", "2!", "3", "4", "5"]);
        }
    }
}

#[test]
fn a_consumer_of_another_connection_gets_what_came_back_in_order() {
    let world = world_with(&quorum_queue("q", []));
    let connection = world.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    let held = consume(&channel, 3);
    world.publish("q", ["0", "1", "2", "3"]);
    let other = consume(&world.channel, 1);
    assert_eq!(waiting(&other), ["3"]);
    connection.close();
    world.channel.basic_ack_multiple(0).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(waiting(&other));
        world.channel.basic_ack_multiple(0).unwrap();
    }
    assert_eq!(seen, ["0!", "1!", "2!"]);
    drop(held);
}

#[test]
fn a_connection_that_ends_does_not_feed_its_own_channels() {
    let limited = quorum_queue("q", [("x-delivery-limit", int(1))]);
    let competing = quorum_queue("q", []);
    for queue in single_active().into_iter().chain([limited, competing]) {
        let world = world_with(&queue);
        world.publish("q", ["0", "1", "2", "3", "4", "5"]);
        let connection = world.broker.connect().unwrap();
        let channels: Vec<_> = (0..3).map(|_| connection.open_channel().unwrap()).collect();
        let consumers: Vec<_> = channels.iter().map(|channel| consume(channel, 1)).collect();
        let sent = consumers.iter().map(|consumer| waiting(consumer).len()).sum::<usize>();
        connection.close();
        assert_eq!(world.ready("q"), 6, "one lost connection uses up no limit");
        let first = consume(&world.channel, 6);
        let taken = std::iter::from_fn(|| first.try_recv());
        let taken: Vec<_> = taken.map(|got| (marked(&got), got.delivery_count())).collect();
        let quorum = queue.durable;
        let expected = (0..6).map(|at| match at < sent {
            true => (format!("{at}!"), quorum.then_some(1)),
            false => (at.to_string(), None),
        });
        assert_eq!(taken, expected.collect::<Vec<_>>());
    }
}

#[test]
fn what_several_channels_had_of_a_quorum_queue_comes_back_as_it_was_handed_out() {
    let world = world_with(&quorum_queue("q", []));
    let connection = world.broker.connect().unwrap();
    let channels: Vec<_> = (0..2).map(|_| connection.open_channel().unwrap()).collect();
    let consumers: Vec<_> = channels.iter().map(|channel| consume(channel, 0)).collect();
    world.publish("q", ["0", "1", "2", "3"]);
    assert_eq!(consumers.iter().map(waiting).collect::<Vec<_>>(), [["0", "2"], ["1", "3"]]);
    connection.close();
    assert_eq!(drain(&world), ["0!", "1!", "2!", "3!"]);
}

#[test]
fn dead_letters_of_a_connection_that_ends_do_not_go_to_its_other_consumers() {
    let world = World::new();
    world.declare("dead");
    let dead_letters = [
        ("x-delivery-limit", int(0)),
        ("x-dead-letter-exchange", string("")),
        ("x-dead-letter-routing-key", string("dead")),
    ];
    world.channel.queue_declare_with(&quorum_queue("q", dead_letters)).unwrap();
    world.publish("q", ["a"]);
    let connection = world.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    let held = channel.basic_get("q").unwrap().unwrap();
    let consumer = channel.basic_consume("dead").unwrap();
    connection.close();
    assert!(consumer.try_recv().is_none());
    assert!(!world.get("dead").redelivered());
    drop(held);
}

#[test]
fn what_was_acknowledged_in_a_transaction_comes_back_with_the_rest() {
    for queue in single_active() {
        let world = world_with(&queue);
        let channel = world.open_channel();
        let consumer = consume(&channel, 3);
        world.publish("q", ["0", "1", "2", "3"]);
        let second = consume(&world.channel, 4);
        channel.tx_select().unwrap();
        let held: Vec<_> = (0..3).map(|_| consumer.recv().unwrap()).collect();
        held[1].ack().unwrap();
        channel.close();
        assert_eq!(waiting(&second), ["0!", "1!", "2!", "3"]);
    }
}
