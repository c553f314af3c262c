//! Streams without a channel: appended to, read as iterators, tailed, offsets by name.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_util::Stream;
use leveret::{
    Broker, Consume, Error, ManualClock, Publish, QueueDeclare, StreamHandle, StreamMessage,
    StreamReader, StreamStart, Timestamp,
};

/// How long a thread waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

fn declare(broker: &Broker, declare: QueueDeclare) -> StreamHandle {
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let declare = declare.durable().argument("x-queue-type", "stream");
    channel.queue_declare_with(&declare).unwrap();
    broker.stream("/", &declare.queue).unwrap()
}

/// A stream `s` that holds these bodies.
fn stream<'a>(broker: &Broker, bodies: impl IntoIterator<Item = &'a str>) -> StreamHandle {
    let stream = declare(broker, QueueDeclare::new("s"));
    stream.append_all(bodies.into_iter().map(event)).unwrap();
    stream
}

fn event(body: &str) -> Publish {
    Publish::to_queue("s").body(body.to_owned())
}

fn rest(reader: &mut StreamReader) -> Vec<(u64, String)> {
    reader.iter().map(Result::unwrap).map(|message| (message.offset(), message.text())).collect()
}

fn read(stream: &StreamHandle, start: StreamStart) -> Vec<(u64, String)> {
    rest(&mut stream.read(start).unwrap())
}

fn bodies(of: &[(u64, String)]) -> Vec<&str> {
    of.iter().map(|(_, body)| body.as_str()).collect()
}

#[test]
fn what_is_appended_is_read_from_any_offset() {
    let broker = Broker::new();
    let stream = stream(&broker, ["a", "b", "c"]);
    assert_eq!((stream.first_offset(), stream.next_offset()), (0, 3));
    assert_eq!(stream.append(event("d").message_type("last")).unwrap(), 3);
    let all = [(0, "a".into()), (1, "b".into()), (2, "c".into()), (3, "d".into())];
    assert_eq!(read(&stream, StreamStart::First), all);
    assert_eq!(read(&stream, StreamStart::Offset(2)), all[2..]);
    assert_eq!(read(&stream, StreamStart::Last), all[3..]);
    assert_eq!(read(&stream, StreamStart::Next), []);
    let last = stream.read(StreamStart::Offset(3)).unwrap().try_recv().unwrap().unwrap();
    let properties = last.properties();
    assert_eq!(properties.kind().as_ref().map(|kind| kind.as_str()), Some("last"));
    assert_eq!((last.routing_key(), last.exchange()), ("s", ""));
}

#[test]
fn an_iterator_ends_with_what_is_there_and_goes_on_later() {
    let broker = Broker::new();
    let stream = stream(&broker, ["a"]);
    let mut reader = stream.read(StreamStart::First).unwrap();
    assert_eq!(bodies(&rest(&mut reader)), ["a"]);
    assert!(reader.try_recv().is_none());
    stream.append(event("b")).unwrap();
    assert_eq!(bodies(&rest(&mut reader)), ["b"]);
    // An offset that is yet to come is waited for: nothing before it is read.
    let mut late = stream.read(StreamStart::Offset(3)).unwrap();
    stream.append_all([event("c"), event("d"), event("e")]).unwrap();
    assert_eq!(bodies(&rest(&mut late)), ["d", "e"]);
}

#[test]
fn one_of_several_who_expect_the_same_offset_succeeds() {
    let broker = Broker::builder().journal(100).build();
    let stream = stream(&broker, ["a"]);
    let racers = (0..8).map(|racer| {
        let stream = stream.clone();
        thread::spawn(move || stream.append_at(1, [event(&racer.to_string())]))
    });
    let outcomes: Vec<_> = racers.collect::<Vec<_>>().into_iter().map(|it| it.join()).collect();
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let refused = Error::UnexpectedOffset { expected: 1, next: 2 };
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(1..2)).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(refused.clone())).count(), 7);
    assert_eq!(refused.reply_code(), 406);
    assert_eq!(stream.next_offset(), 2);
    assert!(stream.append_at(3, [event("early")]).is_err());
    // The journal tells of nothing that was refused.
    broker.journal().enqueued().in_queue("s").assert_count(2);
}

#[test]
fn a_reader_finds_a_time() {
    let clock = ManualClock::new(Timestamp::from_millis(1_000_000));
    let broker = Broker::builder().manual_clock(clock).build();
    let stream = stream(&broker, ["a"]);
    broker.advance(Duration::from_secs(60));
    stream.append(event("b")).unwrap();
    let at = |ms| StreamStart::Time(Timestamp::from_millis(ms));
    assert_eq!(bodies(&read(&stream, at(0))), ["a", "b"]);
    assert_eq!(bodies(&read(&stream, at(1_000_001))), ["b"]);
    assert_eq!(read(&stream, at(1_060_001)), []);
    let messages = stream.read(StreamStart::First).unwrap().into_iter().map(Result::unwrap);
    let messages: Vec<StreamMessage> = messages.collect();
    let times: Vec<u64> = messages.iter().map(|it| it.appended_at().as_millis()).collect();
    assert_eq!(times, [1_000_000, 1_060_000]);
}

#[test]
fn a_named_reader_goes_on_behind_what_it_has_done_with() {
    let broker = Broker::new();
    let stream = stream(&broker, ["a", "b", "c"]);
    let mut one = stream.read_as("audit", StreamStart::First).unwrap();
    assert_eq!(one.try_recv().unwrap().unwrap().body(), b"a");
    assert_eq!(stream.offset("audit"), None, "it is at work on the first");
    assert_eq!(one.try_recv().unwrap().unwrap().body(), b"b");
    assert_eq!(stream.offset("audit"), Some(0));
    drop(one);
    let again = rest(&mut stream.read_as("audit", StreamStart::Next).unwrap());
    assert_eq!(bodies(&again), ["b", "c"]);
    assert_eq!(stream.offset("audit"), Some(2));
    assert_eq!(rest(&mut stream.read_as("audit", StreamStart::First).unwrap()), []);
}

#[test]
fn names_are_those_of_consumers() {
    let broker = Broker::new();
    let stream = stream(&broker, ["a", "b", "c", "d"]);
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.basic_qos(2).unwrap();
    let consume = || {
        let consume = Consume::new("s").argument("x-stream-consumer-name", "audit");
        channel.basic_consume_with(&consume.argument("x-stream-offset", "first")).unwrap()
    };
    let consumer = consume();
    assert_eq!(consumer.recv().unwrap().body(), b"a");
    consumer.recv().unwrap().ack_multiple().unwrap();
    drop(consumer);
    assert_eq!(stream.offsets(), [("audit".to_owned(), 1)]);
    let mut reader = stream.read_as("audit", StreamStart::First).unwrap();
    assert_eq!(bodies(&rest(&mut reader)), ["c", "d"]);

    // Back, and to the beginning.
    stream.set_offset("audit", 0).unwrap();
    assert_eq!(consume().recv().unwrap().body(), b"b");
    stream.reset_offset("audit").unwrap();
    assert_eq!(stream.offsets(), []);
    assert_eq!(consume().recv().unwrap().body(), b"a");
    for name in ["", &"n".repeat(256)] {
        let refused = stream.set_offset(name, 0).unwrap_err();
        assert_eq!(refused.reply_code(), 406);
        assert!(stream.read_as(name, StreamStart::First).is_err());
    }
    // Who never had an offset can be set to one, and forgotten although it has none.
    stream.set_offset("other", 3).unwrap();
    stream.reset_offset("nobody").unwrap();
    assert_eq!(stream.offsets(), [("other".to_owned(), 3)]);
}

#[test]
fn whoever_waits_gets_what_is_appended_next() {
    let broker = Broker::new();
    let stream = stream(&broker, ["old"]);
    let mut tail = stream.read(StreamStart::Next).unwrap();
    assert!(tail.recv_timeout(Duration::ZERO).is_none());
    let waiting = thread::spawn(move || {
        let next = tail.recv().unwrap().unwrap();
        (next.offset(), next.text(), tail)
    });
    stream.append(event("new")).unwrap();
    let (offset, text, mut tail) = waiting.join().unwrap();
    assert_eq!((offset, text.as_str()), (1, "new"));
    // What comes over AMQP comes, too.
    let waiting = thread::spawn(move || tail.recv_timeout(PATIENCE).unwrap().unwrap().text());
    assert!(broker.publish(event("published")).wait().unwrap().is_ack());
    assert_eq!(waiting.join().unwrap(), "published");
}

#[test]
fn readers_end_with_the_stream_and_with_the_broker() {
    let broker = Broker::new();
    let doomed = stream(&broker, ["a"]);
    let mut tail = doomed.read(StreamStart::Next).unwrap();
    let waiting = thread::spawn(move || tail.recv().is_none());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_delete("s").unwrap();
    assert!(waiting.join().unwrap());
    assert_eq!(doomed.append(event("b")).unwrap_err().reply_code(), 404);
    assert_eq!(doomed.read(StreamStart::First).unwrap_err().reply_code(), 404);
    assert_eq!(broker.stream("/", "s").unwrap_err().reply_code(), 404);

    let another = stream(&broker, ["c"]);
    assert!(doomed.read(StreamStart::First).is_err(), "it is not the one of that name");
    let mut tail = another.read(StreamStart::Next).unwrap();
    let waiting = thread::spawn(move || tail.recv().is_none());
    broker.close("bye", Duration::ZERO);
    assert!(waiting.join().unwrap());
    assert_eq!(another.append(event("d")).unwrap_err(), Error::BrokerClosed);
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_task_is_woken_when_there_is_more() {
    let broker = Broker::new();
    let stream = stream(&broker, ["a"]);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut reader = pin!(stream.read(StreamStart::First).unwrap());
    let Poll::Ready(Some(Ok(first))) = reader.as_mut().poll_next(&mut context) else {
        panic!("the first is there");
    };
    assert_eq!(first.body(), b"a");
    assert!(reader.as_mut().poll_next(&mut context).is_pending());
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    stream.append(event("b")).unwrap();
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(Some(Ok(second))) = reader.as_mut().poll_next(&mut context) else {
        panic!("the second is there");
    };
    assert_eq!(second.offset(), 1);
    assert!(reader.as_mut().poll_next(&mut context).is_pending());
    broker.close("bye", Duration::ZERO);
    assert_eq!(woken.0.load(Ordering::SeqCst), 2);
    assert!(matches!(reader.poll_next(&mut context), Poll::Ready(None)));
}

#[test]
fn retention_by_the_clock_leaves_out_what_a_reader_has_not_read() {
    let broker = Broker::for_tests();
    let limits = QueueDeclare::new("s").argument("x-max-age", "1h");
    let stream = declare(&broker, limits.argument("x-stream-max-segment-size-bytes", 2000));
    let body = "x".repeat(500);
    let mut reader = stream.read(StreamStart::First).unwrap();
    for _ in 0..22 {
        stream.append(event(&body)).unwrap();
    }
    broker.advance(Duration::from_secs(3601));
    let last = stream.append(event("new")).unwrap();
    let first = stream.first_offset();
    assert!((11..=21).contains(&first), "{stream:?}");
    assert_eq!(reader.try_recv().unwrap().unwrap().offset(), first);
    assert_eq!(rest(&mut reader).last().unwrap().0, last, "the active segment is kept");
}

#[test]
fn other_queues_are_no_streams() {
    let broker = Broker::new();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("jobs").unwrap();
    let refused = broker.stream("/", "jobs").unwrap_err();
    let text = "PRECONDITION_FAILED - queue 'jobs' in vhost '/' is not a stream";
    assert_eq!(refused.reply_text(), text);
    assert_eq!(broker.stream("nowhere", "s").unwrap_err().reply_code(), 530);
}
