//! Many of a kind: what is done with one of them takes as long however many there are. Time is
//! that of the processor, so that others on the same machine do not count.

use leveret::{
    AMQPValue, Binding, Broker, Channel, Consume, ExchangeDeclare, Policy, Publish, QueueDeclare,
};

/// So many times as many are tried.
const TIMES: usize = 8;

/// If each takes as long as before, so does the whole but for [`TIMES`]; if each is looked at for
/// each, it takes 64 times as long.
const TIMES_MAX: u128 = 16;

/// Time that does not count: what is done once, and what the clock does not tell apart.
const FLOOR_NS: u128 = 4_000_000;

/// What this thread has had of the processor, in nanoseconds.
#[cfg(target_os = "linux")]
fn worked_ns() -> u128 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u128 * 1_000_000_000 + time.tv_nsec as u128
}

/// Elsewhere it is only tried that it works.
#[cfg(not(target_os = "linux"))]
fn worked_ns() -> u128 {
    0
}

/// Does it with `few` and with many more, and fails if the time has grown by more than that.
fn takes_in_proportion(few: usize, work: impl Fn(usize)) {
    let time = |count| {
        let begun = worked_ns();
        work(count);
        worked_ns() - begun
    };
    // The first one pays for what is made once.
    work(few / TIMES);
    let (less, more) = (time(few), time(few * TIMES));
    let max = (less + FLOOR_NS) * TIMES_MAX;
    assert!(more < max, "{few} took {less} ns, {TIMES} times as many {more} ns");
}

fn channel(broker: &Broker) -> Channel {
    broker.connect().unwrap().open_channel().unwrap()
}

fn stream() -> QueueDeclare {
    QueueDeclare::new("s").durable().argument("x-queue-type", "stream")
}

fn consume_often(channel: &Channel, queue: &str, count: usize) -> Vec<leveret::Consumer> {
    (0..count).map(|_| channel.basic_consume(queue).unwrap()).collect()
}

#[test]
fn consumers_of_one_queue_come_and_go_in_the_same_time() {
    takes_in_proportion(2_000, |count| {
        let broker = Broker::for_tests();
        let channel = channel(&broker);
        channel.queue_declare("q").unwrap();
        let mut consumers = consume_often(&channel, "q", count);
        // From the middle, as it is the hardest to find.
        while !consumers.is_empty() {
            consumers.swap_remove(consumers.len() / 2).cancel();
        }
        assert_eq!(broker.counts("q").unwrap().consumers, 0);
    });
}

#[test]
fn waiting_to_be_the_single_active_consumer_costs_nobody_anything() {
    takes_in_proportion(2_000, |count| {
        let broker = Broker::for_tests();
        let channel = channel(&broker);
        let single = QueueDeclare::new("q").argument("x-single-active-consumer", true);
        channel.queue_declare_with(&single).unwrap();
        let consumers = consume_often(&channel, "q", count);
        // Each time it is the active one that goes.
        consumers.into_iter().for_each(leveret::Consumer::cancel);
        assert_eq!(broker.counts("q").unwrap().consumers, 0);
    });
}

#[test]
fn consumers_with_priorities_of_their_own_come_and_go_in_the_same_time() {
    takes_in_proportion(2_000, |count| {
        let broker = Broker::for_tests();
        let channel = channel(&broker);
        channel.queue_declare("q").unwrap();
        let priority = |number: usize| (number * 7919 % count) as i32;
        let consume = |number| Consume::new("q").argument("x-priority", priority(number));
        let consumers = (0..count).map(|number| channel.basic_consume_with(&consume(number)));
        let consumers: Vec<_> = consumers.collect::<Result<_, _>>().unwrap();
        consumers.into_iter().for_each(leveret::Consumer::cancel);
    });
}

#[test]
fn consumers_that_go_with_what_they_have_come_back_in_the_same_time() {
    takes_in_proportion(500, |count| {
        let broker = Broker::for_tests();
        let channel = channel(&broker);
        let quorum = QueueDeclare::new("q").durable().argument("x-queue-type", "quorum");
        channel.queue_declare_with(&quorum).unwrap();
        let tag = |number: usize| Consume::new("q").consumer_tag(number.to_string());
        let consume = |number| channel.basic_consume_with(&tag(number)).unwrap();
        let consumers: Vec<_> = (0..count).map(consume).collect();
        channel.publish_all((0..count).map(|_| Publish::to_queue("q"))).unwrap();
        let had: Vec<_> = consumers.iter().map(|consumer| consumer.try_recv().unwrap()).collect();
        consumers.into_iter().for_each(leveret::Consumer::cancel);
        let again: Vec<_> = (0..count).map(consume).collect();
        had.iter().for_each(|delivery| delivery.ack().unwrap());
        drop(again);
        assert_eq!(broker.counts("q").unwrap().unacked, 0);
    });
}

#[test]
fn a_queue_with_many_consumers_is_deleted_in_their_time() {
    takes_in_proportion(2_000, |count| {
        let broker = Broker::for_tests();
        let (one, other) = (channel(&broker), channel(&broker));
        one.queue_declare("q").unwrap();
        let consumers = consume_often(&one, "q", count);
        other.queue_delete("q").unwrap();
        // Their tags are free, and those that went with the queue are in nobody's way.
        one.queue_declare("q").unwrap();
        let again = consume_often(&one, "q", count);
        assert_eq!(broker.counts("q").unwrap().consumers, count);
        drop((again, consumers));
    });
}

#[test]
fn readers_of_a_stream_get_what_comes_in_the_same_time_each() {
    takes_in_proportion(500, |count| {
        let broker = Broker::for_tests();
        let channel = channel(&broker);
        channel.basic_qos(10).unwrap();
        channel.queue_declare_with(&stream()).unwrap();
        let mut readers = consume_often(&channel, "s", count);
        for message in 0..3 {
            channel.basic_publish(Publish::to_queue("s")).unwrap();
            for reader in &readers {
                reader.try_recv().unwrap().ack().unwrap();
                assert!(reader.try_recv().is_none(), "{message}");
            }
        }
        // From the middle, as it is the hardest to find; others take their places.
        while readers.len() > count / 2 {
            readers.swap_remove(readers.len() / 2).cancel();
        }
        readers.extend(consume_often(&channel, "s", count / 2));
        assert_eq!(broker.counts("s").unwrap().consumers, count);
    });
}

#[test]
fn waiting_to_be_the_single_active_reader_costs_nobody_anything() {
    takes_in_proportion(1_000, |count| {
        let broker = Broker::for_tests();
        let channel = channel(&broker);
        channel.basic_qos(10).unwrap();
        channel.queue_declare_with(&stream()).unwrap();
        let single = Consume::new("s")
            .argument("x-stream-consumer-name", "app")
            .argument("x-single-active-consumer", true);
        let readers = (0..count).map(|_| channel.basic_consume_with(&single).unwrap());
        let readers: Vec<_> = readers.collect();
        // Each time it is the active one that goes.
        readers.into_iter().for_each(leveret::Consumer::cancel);
        assert_eq!(broker.counts("s").unwrap().consumers, 0);
    });
}

#[test]
fn channels_of_one_connection_come_and_go_in_the_same_time() {
    takes_in_proportion(5_000, |count| {
        let broker = Broker::for_tests();
        let connection = broker.connect().unwrap();
        let open = || connection.open_channel().unwrap();
        let mut channels: Vec<_> = (0..count).map(|_| open()).collect();
        // From the middle, as it is the hardest to find; others come in their place, so many that
        // numbers begin again from 1.
        for _ in 0..count {
            channels.swap_remove(channels.len() / 2);
            channels.push(open());
        }
    });
}

#[test]
fn a_connection_that_ends_gives_back_to_each_queue_in_the_same_time() {
    takes_in_proportion(500, |count| {
        let broker = Broker::for_tests();
        let connection = broker.connect().unwrap();
        let channel = connection.open_channel().unwrap();
        let name = |number: usize| format!("q{number}");
        let consumers: Vec<_> = (0..count)
            .map(|number| {
                channel.queue_declare(&name(number)).unwrap();
                channel.basic_publish(Publish::to_queue(name(number))).unwrap();
                channel.basic_consume(&name(number)).unwrap()
            })
            .collect();
        connection.close();
        assert!((0..count).all(|number| broker.counts(&name(number)).unwrap().ready == 1));
        drop(consumers);
    });
}

#[test]
fn queues_that_are_polled_on_one_channel_are_told_apart_in_the_same_time() {
    takes_in_proportion(500, |count| {
        let broker = Broker::for_tests();
        let channel = channel(&broker);
        let mut had = Vec::new();
        for number in 0..count {
            let name = format!("q{number}");
            channel.queue_declare(&name).unwrap();
            channel.basic_publish(Publish::to_queue(&name)).unwrap();
            had.push(channel.basic_get(&name).unwrap().unwrap());
        }
        had.iter().for_each(|delivery| delivery.ack().unwrap());
    });
}

#[test]
fn bindings_go_with_their_queue_in_the_same_time_each() {
    for kind in ["direct", "topic", "headers", "x-consistent-hash", "fanout"] {
        takes_in_proportion(1_000, |count| {
            let broker = Broker::for_tests();
            let channel = channel(&broker);
            channel.exchange_declare_with(&ExchangeDeclare::new("x", kind)).unwrap();
            channel.queue_declare("q").unwrap();
            for number in 1..=count {
                // All of them under the same header.
                let binding = Binding::new("x", number.to_string());
                let binding = binding.argument("name", AMQPValue::Void);
                channel.queue_bind_with("q", &binding).unwrap();
            }
            channel.queue_delete("q").unwrap();
            let host = broker.virtual_host("/").unwrap();
            assert_eq!(host.exchange("x").unwrap().binding_count(), 0, "{kind}");
        });
    }
}

#[test]
fn a_message_finds_each_of_its_queues_in_the_same_time() {
    takes_in_proportion(1_000, |count| {
        let broker = Broker::new();
        let channel = channel(&broker);
        for exchange in ["x", "y"] {
            channel.exchange_declare(exchange, "fanout").unwrap();
        }
        channel.exchange_bind("y", "x", "").unwrap();
        for number in 0..count {
            let name = format!("q{number}");
            channel
                .queue_declare_with(&QueueDeclare::new(&name).argument("x-max-length", 1))
                .unwrap();
            // By both of them it comes once all the same.
            channel.queue_bind(&name, "x", "").unwrap();
            channel.queue_bind(&name, "y", "").unwrap();
        }
        for key in 0..20 {
            // Each has to be routed by itself.
            channel.basic_publish(Publish::to_exchange("x", key.to_string())).unwrap();
        }
        let total = |name: &str| broker.virtual_host("/").unwrap().queue(name).unwrap().counts();
        assert_eq!(total("q0").ready, 1);
    });
}

#[test]
fn queues_that_are_bound_alike_go_in_the_same_time_each() {
    let header = |name: &str| Binding::new("x", "key").argument(name, AMQPValue::Void);
    let key = || Binding::new("x", "key");
    for (kind, binding) in [
        ("direct", key()),
        ("topic", key()),
        ("fanout", key()),
        ("headers", key()),
        ("headers", header("name")),
        ("x-consistent-hash", Binding::new("x", "1")),
    ] {
        takes_in_proportion(500, |count| {
            let broker = Broker::for_tests();
            let channel = channel(&broker);
            channel.exchange_declare("x", kind).unwrap();
            for number in 0..count {
                channel.queue_declare(&format!("q{number}")).unwrap();
                channel.queue_bind_with(&format!("q{number}"), &binding).unwrap();
            }
            // Not in the order in which they came.
            for number in (0..count).map(|number| number * 7919 % count) {
                channel.queue_delete(&format!("q{number}")).unwrap();
            }
            let host = broker.virtual_host("/").unwrap();
            assert_eq!(host.exchange("x").unwrap().binding_count(), 0, "{kind}");
        });
    }
}

#[test]
fn a_policy_finds_each_queue_in_the_same_time() {
    takes_in_proportion(500, |count| {
        let broker = Broker::for_tests();
        let channel = channel(&broker);
        for number in 0..count {
            channel.queue_declare(&format!("q{number}")).unwrap();
        }
        let host = broker.virtual_host("/").unwrap();
        let policy = Policy::new("^q").with("max-length", AMQPValue::LongInt(1));
        host.set_policy("short", policy).unwrap();
        for queue in broker.queues() {
            channel.publish_all([queue.name(), queue.name()].map(Publish::to_queue)).unwrap();
            assert_eq!(queue.counts().ready, 1);
        }
    });
}

#[test]
fn policies_that_are_for_others_cost_nothing() {
    takes_in_proportion(200, |count| {
        let broker = Broker::for_tests();
        let host = broker.virtual_host("/").unwrap();
        for number in 0..count {
            let policy = Policy::new("^none$").with("max-length", AMQPValue::LongInt(1));
            host.set_policy(&format!("p{number}"), policy).unwrap();
        }
        assert!((0..count).all(|number| host.remove_policy(&format!("p{number}"))));
    });
}

#[test]
fn a_connection_has_as_many_channels_as_there_are_numbers() {
    let broker = Broker::for_tests();
    let connection = broker.connect().unwrap();
    let open = || connection.open_channel();
    let mut channels: Vec<_> = (0..u16::MAX).map(|_| open().unwrap()).collect();
    let refusal = open().unwrap_err();
    assert_eq!(refusal.reply_code(), 530, "{refusal}");
    // The number of one that is closed is free again.
    channels.swap_remove(1000);
    channels.push(open().unwrap());
    assert!(open().is_err());
}
