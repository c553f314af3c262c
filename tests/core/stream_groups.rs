//! Consumers of streams that take turns: of those with one name one at a time reads.

use leveret::internals::View;
use leveret::{
    Broker, Channel, Consume, Consumer, Delivery, Publish, QueueDeclare, SuperStreamDeclare,
};

struct Group {
    broker: Broker,
}

impl Group {
    /// A stream `s`.
    fn new() -> Self {
        let broker = Broker::for_tests();
        let declare = QueueDeclare::new("s").durable().argument("x-queue-type", "stream");
        channel(&broker).queue_declare_with(&declare).unwrap();
        Self { broker }
    }

    fn publish(&self, bodies: impl IntoIterator<Item = u32>) {
        let bodies = bodies.into_iter().map(|body| Publish::to_queue("s").body(body.to_string()));
        self.broker.publish_all(bodies).unwrap();
    }

    fn join(&self) -> (Channel, Consumer) {
        join(&self.broker, &in_group("s"))
    }
}

fn channel(broker: &Broker) -> Channel {
    broker.connect().unwrap().open_channel().unwrap()
}

fn in_group(stream: &str) -> Consume {
    Consume::new(stream)
        .argument("x-stream-consumer-name", "app")
        .argument("x-single-active-consumer", true)
        .argument("x-stream-offset", "first")
}

/// A member on a connection of its own, that gets up to four messages at a time.
fn join(broker: &Broker, consume: &Consume) -> (Channel, Consumer) {
    let channel = channel(broker);
    channel.basic_qos(4).unwrap();
    let consumer = channel.basic_consume_with(consume).unwrap();
    (channel, consumer)
}

fn take(consumer: &Consumer) -> Vec<Delivery> {
    std::iter::from_fn(|| consumer.try_recv()).collect()
}

/// Gets and acknowledges everything there is, in the windows in which it comes.
fn work(consumer: &Consumer) -> Vec<String> {
    let mut done = Vec::new();
    while let Some(delivery) = consumer.try_recv() {
        done.push(delivery.text());
        delivery.ack().unwrap();
    }
    done
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery.text()).collect()
}

#[test]
fn one_of_a_name_reads_and_the_next_goes_on_behind_what_it_acknowledged() {
    let group = Group::new();
    group.publish(0..10);
    let ((one, first), (_two, second)) = (group.join(), group.join());
    let got = take(&first);
    assert_eq!(texts(&got), ["0", "1", "2", "3"]);
    got[1].ack_multiple().unwrap();
    assert_eq!(texts(&take(&first)), ["4", "5"]);
    assert!(take(&second).is_empty());
    // It goes with 2 to 5 in hand: they come again.
    one.close();
    assert_eq!(work(&second), ["2", "3", "4", "5", "6", "7", "8", "9"]);
    group.publish(10..12);
    assert_eq!(work(&second), ["10", "11"]);
}

#[test]
fn whose_turn_it_is_is_told() {
    let group = Group::new();
    let ((_one, first), (_two, second)) = (group.join(), group.join());
    let told = || {
        let consumers = View::of(&group.broker).consumers("/", "s").unwrap();
        let told = consumers.iter().map(|it| (it.tag.to_string(), it.active, it.activity.as_str()));
        told.collect::<Vec<_>>()
    };
    let (one, two) = (first.tag().to_owned(), second.tag().to_owned());
    assert_eq!(told(), [(one, true, "single_active"), (two.clone(), false, "waiting")]);
    first.cancel();
    assert_eq!(told(), [(two, true, "single_active")]);
}

#[test]
fn others_read_as_they_like() {
    let group = Group::new();
    group.publish(0..2);
    let (_one, first) = group.join();
    let other = in_group("s").argument("x-stream-consumer-name", "other");
    let (_two, other) = join(&group.broker, &other);
    let plain = Consume::new("s").argument("x-stream-offset", "first");
    let (_three, plain) = join(&group.broker, &plain);
    for consumer in [&first, &other, &plain] {
        assert_eq!(work(consumer), ["0", "1"]);
    }
}

#[test]
fn a_member_has_a_name_and_a_partition_that_there_is() {
    let group = Group::new();
    let channel = channel(&group.broker);
    let strange = in_group("s").argument("x-super-stream", "orders");
    let refused = channel.basic_consume_with(&strange).unwrap_err();
    assert_eq!(refused.reply_code(), 406);
    assert!(refused.to_string().contains("the stream is no partition of it"), "{refused}");
    // Nothing is left of them: the next is the first.
    group.publish([0]);
    assert_eq!(work(&group.join().1), ["0"]);
    // Without a name nobody waits for others.
    let nameless = Consume::new("s")
        .argument("x-single-active-consumer", true)
        .argument("x-stream-offset", "first");
    let readers = [(), ()].map(|()| join(&group.broker, &nameless));
    for (_, consumer) in &readers {
        assert_eq!(work(consumer), ["0"]);
    }
}

/// Three members, each with a consumer of each of six partitions, on a connection of its own.
fn members(broker: &Broker, partitions: &[String]) -> Vec<Vec<(Channel, Consumer)>> {
    let member = || {
        let consume = |partition: &String| in_group(partition).argument("x-super-stream", "orders");
        partitions.iter().map(|partition| join(broker, &consume(partition))).collect()
    };
    (0..3).map(|_| member()).collect()
}

/// The orders of each customer, as somebody has worked on them.
#[derive(Default)]
struct Seen(std::collections::BTreeMap<String, Vec<u32>>);

impl Seen {
    fn note(&mut self, delivery: &Delivery) {
        let orders = self.0.entry(delivery.routing_key().to_owned()).or_default();
        orders.push(delivery.text().parse().unwrap());
    }
}

fn publish_orders(broker: &Broker, numbers: std::ops::Range<u32>) {
    let customers: Vec<String> = (0..30).map(|n| format!("customer-{n}")).collect();
    let orders = numbers.flat_map(|number| {
        customers
            .iter()
            .map(move |customer| Publish::to_exchange("orders", customer).body(number.to_string()))
    });
    broker.publish_all(orders).unwrap();
}

#[test]
fn three_share_six_partitions_and_the_others_take_over_when_one_is_killed() {
    let broker = Broker::new();
    broker.create_super_stream("/", &SuperStreamDeclare::new("orders", 6)).unwrap();
    let partitions = broker.partitions("/", "orders").unwrap();
    let mut members = members(&broker, &partitions);
    publish_orders(&broker, 0..10);
    let mut seen = Seen::default();
    // Each of them works on two partitions. They acknowledge all but the last of what they have.
    let mut unfinished = Vec::new();
    for (number, member) in members.iter().enumerate() {
        let mut busy = 0;
        for (partition, (_, consumer)) in member.iter().enumerate() {
            let got = take(consumer);
            assert_eq!(got.is_empty(), partition % 3 != number, "{partition} of {number}");
            busy += usize::from(!got.is_empty());
            got.iter().for_each(|delivery| seen.note(delivery));
            if let [.., done, last] = &got[..] {
                done.ack_multiple().unwrap();
                unfinished.push((number, last.routing_key().to_owned()));
            }
        }
        assert_eq!(busy, 2);
    }
    // One is killed, with something in hand. Partition by partition the others go on: whoever has
    // to hand one over does so when what it has is settled.
    drop(members.remove(1));
    publish_orders(&broker, 10..20);
    loop {
        let mut idle = true;
        for (_, consumer) in members.iter().flatten() {
            for delivery in take(consumer) {
                seen.note(&delivery);
                delivery.ack_multiple().unwrap();
                idle = false;
            }
        }
        if idle {
            break;
        }
    }
    assert_eq!(seen.0.len(), 30);
    for (customer, orders) in &mut seen.0 {
        // In order but for what came again, and nothing is left out.
        let mut again = 0;
        orders.dedup_by(|next, before| {
            next == before && {
                again += 1;
                true
            }
        });
        assert!(again <= unfinished.iter().filter(|(_, key)| key == customer).count());
        assert_eq!(*orders, (0..20).collect::<Vec<_>>(), "{customer}");
    }
}

#[test]
fn who_had_read_everything_gets_again_what_another_did_not_finish() {
    let broker = Broker::for_tests();
    broker.create_super_stream("/", &SuperStreamDeclare::new("orders", 2)).unwrap();
    let partition = broker.partitions("/", "orders").unwrap().remove(1);
    let consume = in_group(&partition).argument("x-super-stream", "orders");
    broker.publish_all((0..3).map(|n| Publish::to_queue(&partition).body(n.to_string()))).unwrap();
    let (_one, first) = join(&broker, &consume);
    let got = take(&first);
    assert_eq!(texts(&got), ["0", "1", "2"]);
    // Of two the second reads, as soon as the first has nothing in hand.
    let (two, second) = join(&broker, &consume);
    got.iter().for_each(|delivery| delivery.requeue().unwrap());
    assert_eq!(texts(&take(&second)), ["0", "1", "2"]);
    two.close();
    assert_eq!(work(&first), ["0", "1", "2"]);
}
