//! What is counted of queues, exchanges, channels and virtual hosts, and how fast it grows.

use leveret::internals::{
    ChannelMode, ChannelTotals, Churn, ExchangeTotals, HostTotals, INTERVAL_MS, QueueTotals, Span,
    View,
};
use leveret::{Broker, Consume, ExchangeDeclare, Publish, QueueDeclare};

use crate::support::{World, int, quorum_queue, string, table, waiting};

fn view(broker: &Broker) -> View {
    View::of(broker)
}

fn queue(world: &World, queue: &str) -> QueueTotals {
    view(&world.broker).queue("/", queue).unwrap().messages.totals
}

fn host(world: &World) -> HostTotals {
    view(&world.broker).virtual_host("/").unwrap().messages.totals
}

/// The only channel of the world.
fn channel(world: &World) -> ChannelTotals {
    let channels = view(&world.broker).channels();
    channels.first().expect("an open channel").1.messages.totals
}

#[test]
fn a_queue_counts_what_comes_and_what_is_taken() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["0", "1", "2", "3", "4"]);
    world.take("q").unwrap();
    let got = world.get("q");
    got.ack().unwrap();
    let consumer = world.channel.basic_consume("q").unwrap();
    let deliveries: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
    assert_eq!(deliveries.len(), 3);
    deliveries[2].ack_multiple().unwrap();
    assert!(world.channel.basic_get("q").unwrap().is_none());
    let expected = QueueTotals {
        publish: 5,
        get: 1,
        get_no_ack: 1,
        get_empty: 1,
        deliver: 3,
        ack: 4,
        ..QueueTotals::default()
    };
    assert_eq!(queue(&world, "q"), expected);
    assert_eq!((expected.deliver_get(), expected.messages()), (5, 0));
    assert_eq!(channel(&world), ChannelTotals { publish: 5, routed: 5, ..same(expected) });
}

/// What a channel counts of deliveries, if one channel has done everything.
fn same(queue: QueueTotals) -> ChannelTotals {
    ChannelTotals {
        deliver: queue.deliver,
        deliver_no_ack: queue.deliver_no_ack,
        get: queue.get,
        get_no_ack: queue.get_no_ack,
        get_empty: queue.get_empty,
        ack: queue.ack,
        redeliver: queue.redeliver,
        ..ChannelTotals::default()
    }
}

#[test]
fn what_comes_back_is_counted_when_it_goes_out_again() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["again"]);
    world.get("q").requeue().unwrap();
    let consumer = world.channel.basic_consume("q").unwrap();
    consumer.try_recv().expect("the message").requeue().unwrap();
    assert_eq!(waiting(&consumer), ["again"]);
    let totals = queue(&world, "q");
    assert_eq!((totals.get, totals.deliver, totals.redeliver, totals.ack), (1, 2, 2, 0));
    assert_eq!(channel(&world).redeliver, 2);
    assert_eq!((totals.messages_ready, totals.messages_unacknowledged), (0, 1));
}

#[test]
fn deaths_are_counted_by_reason_and_by_what_becomes_of_them() {
    let world = World::new();
    world.declare("dead");
    let dlx = || ("x-dead-letter-exchange", string(""));
    let to_dead = || ("x-dead-letter-routing-key", string("dead"));
    world.declare_with("ttl", [("x-message-ttl", int(10)), dlx(), to_dead()]);
    world.declare_with("short", [("x-max-length", int(1))]);
    let limited = quorum_queue("limited", [("x-delivery-limit", int(0)), dlx(), to_dead()]);
    world.channel.queue_declare_with(&limited).unwrap();
    world.publish("ttl", ["a", "b"]);
    world.advance_ms(10);
    world.publish("short", ["c", "d", "e"]);
    world.publish("limited", ["f", "g"]);
    world.get("limited").requeue().unwrap();
    world.get("limited").reject().unwrap();
    assert_eq!(queue(&world, "ttl").expired, 2);
    assert_eq!(queue(&world, "short").maxlen, 2);
    let limited = queue(&world, "limited");
    assert_eq!((limited.delivery_limit, limited.rejected), (1, 1));
    assert_eq!(queue(&world, "dead").publish, 4);
    let types = view(&world.broker).node().by_type;
    let deaths = |name: &str| types.iter().find(|t| t.queue_type == name).unwrap().deaths;
    assert_eq!(deaths("classic").expired_at_most_once, 2);
    assert_eq!(deaths("classic").maxlen_disabled, 2);
    assert_eq!(deaths("quorum").delivery_limit_at_most_once, 1);
    assert_eq!(deaths("quorum").rejected_at_most_once, 1);
}

#[test]
fn dead_letters_that_must_arrive_are_counted_when_they_have() {
    let world = World::new();
    let strict = quorum_queue(
        "strict",
        [
            ("x-dead-letter-exchange", string("")),
            ("x-dead-letter-routing-key", string("later")),
            ("x-dead-letter-strategy", string("at-least-once")),
            ("x-overflow", string("reject-publish")),
        ],
    );
    world.channel.queue_declare_with(&strict).unwrap();
    world.publish("strict", ["a"]);
    world.get("strict").reject().unwrap();
    let deaths = || view(&world.broker).node().by_type[0].deaths;
    assert_eq!((deaths().rejected_at_least_once, deaths().confirmed), (1, 0));
    world.declare("later");
    world.advance_ms(1000);
    assert_eq!(world.ready("later"), 1);
    let types = view(&world.broker).node().by_type;
    let quorum = types.iter().find(|t| t.queue_type == "quorum").unwrap().deaths;
    assert_eq!((quorum.rejected_at_least_once, quorum.confirmed), (1, 1));
}

#[test]
fn a_full_queue_counts_what_it_refuses_and_a_purge_what_it_drops() {
    let world = World::new();
    let arguments = [("x-max-length", int(2)), ("x-overflow", string("reject-publish"))];
    world.declare_with("q", arguments);
    for body in ["a", "b", "c"] {
        let publish = Publish::to_queue("q").body(body);
        let confirmed = world.channel.publish(publish).wait().unwrap();
        assert_eq!(confirmed.is_ack(), body != "c");
    }
    world.channel.queue_purge("q").unwrap();
    let totals = queue(&world, "q");
    assert_eq!((totals.publish, totals.refused, totals.purged), (3, 1, 2));
    let channel = channel(&world);
    assert_eq!((channel.publish, channel.publish_confirm, channel.confirm), (3, 3, 2));
    let status = &view(&world.broker).channels()[0].1;
    assert_eq!(status.messages_unconfirmed, 0, "a refusal settles it as well");
}

#[test]
fn octets_are_told_apart_by_where_messages_are() {
    let world = World::new();
    world.declare("q");
    let persistent = |body: &'static str| Publish::to_queue("q").body(body).persistent();
    world.channel.basic_publish(persistent("12345")).unwrap();
    world.channel.basic_publish(persistent("123")).unwrap();
    world.publish("q", ["12"]);
    let first = world.get("q");
    let status = view(&world.broker).queue("/", "q").unwrap();
    let pair = |volume: leveret::internals::Volume| (volume.messages, volume.bytes);
    assert_eq!(pair(status.ready), (2, 5));
    assert_eq!(pair(status.unacknowledged), (1, 5));
    assert_eq!(pair(status.persistent), (2, 8));
    assert_eq!(pair(status.paged_out), (0, 0));
    first.ack().unwrap();
    world.drain("q");
    let status = view(&world.broker).queue("/", "q").unwrap();
    assert_eq!(pair(status.ready.and(status.unacknowledged).and(status.persistent)), (0, 0));
}

#[test]
fn the_first_message_tells_its_timestamp() {
    let world = World::new();
    world.declare("q");
    let timestamp = || view(&world.broker).queue("/", "q").unwrap().head_message_timestamp;
    assert_eq!(timestamp(), None);
    for at in [1_700_000_000, 1_800_000_000] {
        let properties = leveret::BasicProperties::default().with_timestamp(at);
        let publish = Publish::to_queue("q").body("m").properties(properties);
        world.channel.basic_publish(publish).unwrap();
    }
    assert_eq!(timestamp(), Some(1_700_000_000));
    let first = world.get("q");
    assert_eq!(timestamp(), Some(1_700_000_000), "it is still there");
    first.ack().unwrap();
    assert_eq!(timestamp(), Some(1_800_000_000));
}

#[test]
fn an_exchange_counts_what_comes_and_how_many_queues_get_it() {
    let world = World::new();
    world.channel.exchange_declare("x", "fanout").unwrap();
    for name in ["a", "b"] {
        world.declare(name);
        world.channel.queue_bind(name, "x", "").unwrap();
    }
    for _ in 0..3 {
        world.channel.basic_publish(Publish::to_exchange("x", "k").body("m")).unwrap();
    }
    let exchange = |name| view(&world.broker).exchange("/", name).unwrap().totals;
    assert_eq!(exchange("x"), ExchangeTotals { publish_in: 3, publish_out: 6 });
    world.publish("a", ["default"]);
    assert_eq!(exchange(""), ExchangeTotals { publish_in: 1, publish_out: 1 });
    let channel = channel(&world);
    assert_eq!((channel.publish, channel.routed), (4, 7));
}

#[test]
fn an_exchange_that_delays_counts_what_goes_out_when_it_does() {
    let world = World::new();
    let delayed = ExchangeDeclare::new("x", "x-delayed-message");
    let delayed = delayed.argument("x-delayed-type", "direct");
    world.channel.exchange_declare_with(&delayed).unwrap();
    world.declare("q");
    world.channel.queue_bind("q", "x", "k").unwrap();
    let headers = table([("x-delay", int(100))]);
    let properties = leveret::BasicProperties::default().with_headers(headers);
    let publish = Publish::to_exchange("x", "k").body("m").properties(properties);
    world.channel.basic_publish(publish).unwrap();
    let exchange = || view(&world.broker).exchange("/", "x").unwrap().totals;
    assert_eq!(exchange(), ExchangeTotals { publish_in: 1, publish_out: 0 });
    world.advance_ms(100);
    assert_eq!(exchange(), ExchangeTotals { publish_in: 1, publish_out: 1 });
    assert_eq!(channel(&world).drop_unroutable, 0);
}

#[test]
fn unroutable_publishes_are_counted_as_dropped_or_returned() {
    let world = World::new();
    world.channel.basic_publish(Publish::to_queue("nowhere").body("m")).unwrap();
    world.channel.basic_publish(Publish::to_queue("nowhere").body("m").mandatory()).unwrap();
    let totals = channel(&world);
    assert_eq!((totals.publish, totals.routed), (2, 0));
    assert_eq!((totals.drop_unroutable, totals.return_unroutable), (1, 1));
    assert_eq!((host(&world).drop_unroutable, host(&world).return_unroutable), (1, 1));
}

#[test]
fn a_channel_tells_what_waits_on_it() {
    let world = World::new();
    world.declare("q");
    let channel = world.open_channel();
    channel.tx_select().unwrap();
    channel.basic_qos(7).unwrap();
    let status = || view(&world.broker).channels().pop().unwrap().1;
    assert_eq!((status().id.number, status().mode), (2, ChannelMode::Transaction));
    world.publish("q", ["a", "b"]);
    let got = channel.basic_get("q").unwrap().unwrap();
    channel.basic_publish(Publish::to_queue("q").body("c")).unwrap();
    got.ack().unwrap();
    let before = status();
    assert_eq!((before.messages_uncommitted, before.acks_uncommitted), (1, 1));
    assert_eq!((before.prefetch_count, before.messages.totals.publish), (7, 0));
    assert_eq!(before.messages.totals.ack, 0);
    channel.tx_commit().unwrap();
    let after = status();
    assert_eq!((after.messages_uncommitted, after.acks_uncommitted), (0, 0));
    assert_eq!((after.messages.totals.publish, after.messages.totals.ack), (1, 1));
    channel.basic_get("q").unwrap().unwrap();
    assert_eq!(status().messages_unacknowledged, 1);
}

#[test]
fn channels_and_consumers_are_listed_with_what_they_were_opened_with() {
    let world = World::new();
    world.declare_with("q", [("x-single-active-consumer", true.into())]);
    world.channel.basic_qos(3).unwrap();
    let consume = |tag: &str| Consume::new("q").consumer_tag(tag).argument("x-priority", 5);
    let first = world.channel.basic_consume_with(&consume("first")).unwrap();
    let second = world.channel.basic_consume_with(&consume("second")).unwrap();
    let consumers = view(&world.broker).consumers("/", "q").unwrap();
    let told: Vec<_> = consumers
        .iter()
        .map(|c| (c.tag.as_str(), c.active, c.activity.as_str(), c.prefetch_count, c.priority))
        .collect();
    let expected = [("first", true, "single_active", 3, 5), ("second", false, "waiting", 3, 5)];
    assert_eq!(told, expected);
    assert_eq!(consumers[0].consumer_timeout_ms, 1_800_000);
    assert!(consumers[0].ack_required && consumers[0].arguments == consume("").arguments);
    let status = view(&world.broker).queue("/", "q").unwrap();
    let active = status.single_active_consumer.expect("an active consumer");
    assert_eq!((active.tag.as_str(), active.channel.number), ("first", 1));
    assert_eq!(view(&world.broker).channels()[0].1.consumers, 2);
    drop(first);
    let active = view(&world.broker).queue("/", "q").unwrap().single_active_consumer;
    assert_eq!(active.expect("the next one").tag.as_str(), "second");
    assert_eq!(view(&world.broker).channels()[0].1.consumers, 1);
    drop(second);
}

#[test]
fn capacity_is_the_part_of_the_time_in_which_a_consumer_could_take_a_message() {
    let world = World::new();
    world.declare("q");
    let capacity = || view(&world.broker).queue("/", "q").unwrap().consumer_capacity;
    assert_eq!(capacity(), 0.0);
    world.channel.basic_qos(1).unwrap();
    let consumer = world.channel.basic_consume("q").unwrap();
    world.advance_ms(1000);
    assert_eq!(capacity(), 1.0);
    world.publish("q", ["a", "b"]);
    world.advance_ms(20_000);
    assert!(capacity() < 0.001, "it keeps a message all the time: {}", capacity());
    consumer.try_recv().unwrap().ack().unwrap();
    consumer.try_recv().unwrap().ack().unwrap();
    world.advance_ms(20_000);
    assert!(capacity() > 0.999, "it is idle: {}", capacity());
}

#[test]
fn nothing_that_is_gone_is_forgotten() {
    let world = World::new();
    let other = world.broker.connect().unwrap();
    let channel = other.open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    for _ in 0..4 {
        channel.basic_publish(Publish::to_queue("q").body("m")).unwrap();
    }
    channel.basic_get("q").unwrap().unwrap().ack().unwrap();
    let before = host(&world);
    assert_eq!((before.publish, before.get, before.ack, before.messages_ready), (4, 1, 1, 3));
    channel.queue_delete("q").unwrap();
    drop(channel);
    other.close();
    let after = host(&world);
    assert_eq!(after, HostTotals { messages_ready: 0, ..before });
    let churn = view(&world.broker).node().churn.totals;
    let expected = Churn {
        connection_created: 2,
        connection_closed: 1,
        channel_created: 2,
        channel_closed: 1,
        queue_declared: 1,
        queue_created: 1,
        queue_deleted: 1,
    };
    assert_eq!(churn, expected);
}

#[test]
fn the_node_counts_what_its_virtual_hosts_have() {
    let world = World::new();
    world.broker.add_virtual_host("other");
    let other = world.broker.connect_to("other").unwrap();
    let channel = other.open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    let consumer = channel.basic_consume("q").unwrap();
    channel.basic_publish(Publish::to_queue("q").body("m")).unwrap();
    world.declare("q");
    world.channel.queue_declare("q").unwrap();
    let node = view(&world.broker).node();
    let objects = node.objects;
    assert_eq!((objects.connections, objects.channels, objects.publishers), (2, 2, 1));
    assert_eq!((objects.queues, objects.consumers), (2, 1));
    assert_eq!(objects.exchanges, 2 * world.broker.virtual_hosts()[0].exchanges().len());
    assert_eq!((node.messages.totals.publish, node.messages.totals.deliver), (1, 1));
    let other = view(&world.broker).virtual_host("other").unwrap();
    assert_eq!((other.objects.queues, other.messages.totals.messages()), (1, 1));
    assert_eq!(node.churn.totals.queue_declared, 3);
    world.advance_ms(1500);
    assert_eq!(view(&world.broker).node().uptime_ms, 1500);
    drop(consumer);
}

#[test]
fn rates_move_when_the_clock_does() {
    let world = World::new();
    let view = view(&world.broker);
    world.declare("q");
    let rates = view.measure_rates();
    let rate = || view.queue("/", "q").unwrap().messages.rate("publish");
    world.publish("q", ["a"; 50]);
    assert_eq!(rate(), 0.0, "the interval is not over");
    world.advance_ms(INTERVAL_MS);
    assert_eq!(rate(), 10.0);
    assert_eq!(view.queue("/", "q").unwrap().messages.rate("messages_ready"), 10.0);
    assert_eq!(view.exchange("/", "").unwrap().rate("publish_in"), 10.0);
    assert_eq!(view.channels()[0].1.messages.rate("publish"), 10.0);
    assert_eq!(view.virtual_host("/").unwrap().messages.rate("publish"), 10.0);
    assert_eq!(view.node().messages.rate("messages"), 10.0);
    world.drain("q");
    world.advance_ms(INTERVAL_MS);
    assert_eq!(rate(), 0.0);
    let drained = view.queue("/", "q").unwrap().messages;
    assert_eq!((drained.rate("messages"), drained.rate("get_no_ack")), (-10.0, 10.0));
    world.advance_ms(3_600_000);
    assert_eq!(view.queue("/", "q").unwrap().messages.rate("get_no_ack"), 0.0);
    drop(rates);
    world.publish("q", ["a"; 50]);
    world.advance_ms(2 * INTERVAL_MS);
    assert_eq!(rate(), 0.0, "nobody measures it any more");
}

#[test]
fn what_is_declared_later_has_a_rate_at_once() {
    let world = World::new();
    let view = view(&world.broker);
    let _rates = view.measure_rates();
    world.advance_ms(INTERVAL_MS);
    world.declare("q");
    world.publish("q", ["a"; 5]);
    world.advance_ms(INTERVAL_MS);
    assert_eq!(view.queue("/", "q").unwrap().messages.rate("publish"), 1.0);
    assert_eq!(view.node().churn.rate("queue_created"), 0.2);
}

#[test]
fn curves_are_kept_of_what_somebody_asks_for() {
    let world = World::new();
    let view = view(&world.broker);
    world.declare("q");
    let _rates = view.measure_rates();
    let span = Span { age_ms: 60_000, increment_ms: INTERVAL_MS };
    view.queue_samples("/", "q", span).unwrap();
    for _ in 0..6 {
        world.publish("q", ["a"]);
        world.advance_ms(INTERVAL_MS);
    }
    let samples = view.queue_samples("/", "q", span).unwrap();
    let published: Vec<_> = samples.iter().map(|sample| sample.totals.publish).collect();
    assert_eq!(published, [6, 5, 4, 3, 2, 1]);
    assert!(samples.windows(2).all(|two| two[0].at > two[1].at));
    let all = view.samples(Span { age_ms: 15_000, increment_ms: INTERVAL_MS });
    let ready: Vec<_> = all.iter().map(|sample| sample.totals.messages_ready).collect();
    assert_eq!(ready, [6, 5, 4, 3]);
}

#[test]
fn measuring_rates_is_no_event_that_a_test_waits_for() {
    let world = World::new();
    let _rates = view(&world.broker).measure_rates();
    assert_eq!(world.broker.next_deadline(), None);
    world.declare_with("q", [("x-message-ttl", int(7000))]);
    world.publish("q", ["a"]);
    let start = world.broker.now();
    assert_eq!(world.broker.advance_to_next_event(), Some(start.after_ms(7000)));
    assert_eq!(world.broker.advance_to_next_event(), None);
}

#[test]
fn a_passive_or_repeated_declaration_creates_nothing() {
    let world = World::new();
    world.declare("q");
    world.declare("q");
    world.channel.queue_declare_with(&QueueDeclare::new("q").passive()).unwrap();
    let churn = view(&world.broker).node().churn.totals;
    assert_eq!((churn.queue_declared, churn.queue_created), (2, 1));
}
