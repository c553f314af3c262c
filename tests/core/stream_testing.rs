//! What tests do with streams: look into them, hold them, go back, and let things go wrong.

use leveret::{
    Broker, Channel, Consume, Consumer, Publish, QueueDeclare, StreamHandle, StreamStart,
};

struct Bench {
    broker: Broker,
    channel: Channel,
    stream: StreamHandle,
}

impl Bench {
    /// A stream `s` that holds these bodies.
    fn new(bodies: &[&str]) -> Self {
        let broker = Broker::for_tests();
        let channel = broker.connect().unwrap().open_channel().unwrap();
        let declare = QueueDeclare::new("s").durable().argument("x-queue-type", "stream");
        channel.queue_declare_with(&declare).unwrap();
        channel.basic_qos(10).unwrap();
        let stream = broker.stream("/", "s").unwrap();
        let bench = Self { broker, channel, stream };
        bodies.iter().for_each(|body| assert!(bench.publish(body).unwrap()));
        bench
    }

    /// Whether a message is confirmed.
    fn publish(&self, body: &str) -> leveret::Result<bool> {
        let publish = Publish::to_queue("s").body(body.to_owned());
        Ok(self.channel.publish(publish).wait()?.is_ack())
    }

    fn consume(&self) -> Consumer {
        let consume = Consume::new("s").argument("x-stream-offset", "first");
        self.channel.basic_consume_with(&consume).unwrap()
    }

    fn all(&self) -> Vec<String> {
        let messages = self.broker.stream("/", "s").unwrap().read(StreamStart::First).unwrap();
        messages.into_iter().map(|message| message.unwrap().text()).collect()
    }
}

fn next(consumer: &Consumer) -> Option<String> {
    consumer.try_recv().map(|delivery| delivery.text())
}

#[test]
fn the_journal_tells_who_has_acknowledged_a_message_of_a_stream() {
    let bench = Bench::new(&[]);
    let (one, two) = (bench.consume(), bench.consume());
    assert!(bench.publish("a").unwrap());
    bench.stream.append(Publish::to_queue("s").body("b")).unwrap();
    let journal = bench.broker.journal();
    journal.delivered().in_queue("s").assert_count(4);
    journal.acked().assert_none();
    for consumer in [&one, &two] {
        consumer.try_recv().unwrap().ack().unwrap();
    }
    one.try_recv().unwrap().reject().unwrap();
    two.try_recv().unwrap().requeue().unwrap();
    journal.acked().in_queue("s").assert_texts(["a", "a"]);
    journal.rejected().in_queue("s").assert_texts(["b"]);
    journal.requeued().in_queue("s").assert_texts(["b"]);
}

#[test]
fn a_snapshot_brings_back_messages_and_offsets() {
    let bench = Bench::new(&["a", "b"]);
    bench.stream.set_offset("audit", 0).unwrap();
    let snapshot = bench.broker.snapshot().unwrap();
    assert_eq!((snapshot.queue_count(), snapshot.message_count()), (1, 2));
    assert!(bench.publish("c").unwrap());
    bench.stream.set_offset("audit", 2).unwrap();
    bench.stream.set_offset("other", 1).unwrap();
    bench.broker.restore(&snapshot).unwrap();
    assert_eq!(bench.all(), ["a", "b"]);
    let stream = bench.broker.stream("/", "s").unwrap();
    assert_eq!(stream.offsets(), [("audit".to_owned(), 0)]);
    assert_eq!(stream.append(Publish::to_queue("s").body("d")).unwrap(), 2);
    bench.channel.queue_delete("s").unwrap();
    bench.broker.restore(&snapshot).unwrap();
    assert_eq!(bench.all(), ["a", "b"]);
}

#[test]
fn looking_takes_nothing_and_holding_lets_go_one_by_one() {
    let bench = Bench::new(&["a", "b", "c"]);
    let queue = bench.broker.queue("/", "s").unwrap();
    let texts: Vec<_> = queue.peek(2).unwrap().iter().map(|message| message.text()).collect();
    assert_eq!(texts, ["a", "b"]);
    queue.hold().unwrap();
    let consumer = bench.consume();
    assert_eq!(next(&consumer), None);
    queue.release(1).unwrap();
    assert_eq!(next(&consumer).as_deref(), Some("a"));
    assert_eq!(next(&consumer), None);
    let unacked = queue.unacked();
    assert_eq!((unacked.len(), unacked[0].message.text().as_str()), (1, "a"));
    queue.end_hold().unwrap();
    assert_eq!([next(&consumer), next(&consumer)], [Some("b".into()), Some("c".into())]);
    assert_eq!(queue.counts().ready, 3);
}

#[test]
fn what_goes_wrong_on_purpose_goes_wrong_with_streams() {
    let bench = Bench::new(&["a"]);
    let faults = bench.broker.faults();
    faults.publishes().for_routing_key("s").nth(1).refuse(404, "not today");
    assert_eq!(bench.publish("b").unwrap_err().reply_code(), 404);
    assert_eq!(bench.all(), ["a"]);
    faults.confirms().nth(1).nack();
    assert!(!bench.publish("c").unwrap(), "it is nacked");
    assert_eq!(bench.all(), ["a", "c"], "and there all the same");
    faults.deliveries().nth(1).twice();
    let consumer = bench.consume();
    let got: Vec<_> = std::iter::from_fn(|| next(&consumer)).collect();
    assert_eq!(got, ["a", "a", "c"]);
    bench.broker.faults().assert_all_fired();
}

#[test]
fn a_reset_leaves_no_stream() {
    let bench = Bench::new(&["a"]);
    bench.broker.reset().unwrap();
    assert_eq!(bench.broker.stream("/", "s").unwrap_err().reply_code(), 404);
    assert!(bench.stream.append(Publish::to_queue("s")).is_err());
}
