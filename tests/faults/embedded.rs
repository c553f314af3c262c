//! Embedded channels meet the same faults.

use leveret::faults::Method;
use leveret::{Confirmed, Error};

use super::*;

#[test]
fn a_refusal_is_an_error_and_the_channel_stays() {
    let broker = broker();
    broker.faults().on(Method::QueuePurge).refuse(405, "not now");
    let channel = behind(&broker);
    let error = channel.queue_purge("q").unwrap_err();
    assert_eq!(error.reply_text(), "RESOURCE_LOCKED - not now");
    assert!(channel.queue_declare("q").is_ok());
}

#[test]
fn a_lost_connection_closes_all_its_channels() {
    let broker = broker();
    broker.faults().on(Method::BasicAck).nth(1).drop_connection();
    put(&broker, "x");
    let connection = broker.connect().unwrap();
    let (channel, other) = (connection.open_channel().unwrap(), connection.open_channel().unwrap());
    let delivery = channel.basic_get("q").unwrap().unwrap();
    assert_eq!(delivery.ack().unwrap_err(), Error::ConnectionLost);
    assert_eq!(other.queue_declare("q").unwrap_err(), Error::ChannelClosed);
    assert_eq!(drain(&broker), [("x".to_owned(), true)]);
}

#[test]
fn confirms_and_returns_are_as_on_the_wire() {
    let broker = broker();
    let faults = broker.faults();
    faults.confirms().nth(1).nack();
    let held = faults.confirms().nth(2).hold();
    faults.publishes().nth(3).unroutable();
    let channel = behind(&broker);
    let publish = || Publish::to_queue("q").body("x").mandatory();
    assert!(matches!(channel.publish(publish()).wait().unwrap(), Confirmed::Nack));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| channel.publish(publish()).wait().unwrap());
        while held.release() == 0 {
            std::thread::yield_now();
        }
        assert!(waiting.join().unwrap().is_ack());
    });
    assert!(matches!(channel.publish(publish()).wait().unwrap(), Confirmed::Returned(_)));
    faults.assert_all_fired();
}

#[test]
fn deliveries_come_twice_or_late_or_end_the_channel() {
    let broker = broker();
    let faults = broker.faults();
    faults.deliveries().nth(1).twice();
    faults.deliveries().nth(2).delay(Duration::from_secs(1));
    faults.deliveries().nth(3).close_channel(406, "enough");
    let channel = behind(&broker);
    let consumer = channel.basic_consume("q").unwrap();
    put(&broker, "1");
    let both = [consumer.recv().unwrap(), consumer.recv().unwrap()];
    assert!(!both[0].redelivered() && both[1].redelivered());
    both.iter().for_each(|delivery| delivery.ack().unwrap());
    put(&broker, "2");
    assert!(consumer.try_recv().is_none());
    broker.advance(Duration::from_secs(1));
    consumer.recv().unwrap().ack().unwrap();
    put(&broker, "3");
    assert!(consumer.recv().is_none());
    assert_eq!(drain(&broker), [("3".to_owned(), true)]);
    faults.assert_all_fired();
}

#[test]
fn the_journal_says_what_the_publisher_was_told_and_when() {
    let builder = Broker::builder().manual_clock(ManualClock::default()).journal(100);
    let broker = builder.build();
    behind(&broker).queue_declare("q").unwrap();
    let faults = broker.faults();
    faults.confirms().matching(|m| m.body() == b"no").nack();
    let held = faults.confirms().matching(|m| m.body() == b"late").hold();
    faults.confirms().matching(|m| m.body() == b"never").lose();
    let cut = faults.publishes().matching(|m| m.body() == b"cut").afterwards();
    let cut = cut.drop_connection();
    let publishing = |body: &'static str| {
        let channel = behind(&broker);
        let publish = Publish::to_queue("q").body(body);
        std::thread::spawn(move || channel.publish(publish).wait())
    };
    assert!(matches!(publishing("no").join().unwrap(), Ok(Confirmed::Nack)));
    let late = publishing("late");
    broker.eventually(|_| held.fired() == 1, Duration::from_secs(10));
    let _never = publishing("never");
    let has_all = |broker: &Broker| broker.journal().enqueued().with_body("never").count() == 1;
    broker.eventually(has_all, Duration::from_secs(10));
    assert_eq!(publishing("cut").join().unwrap().unwrap_err(), Error::ConnectionLost);
    assert!(publishing("yes").join().unwrap().unwrap().is_ack());
    assert_eq!(cut.fired(), 1);

    let journal = broker.journal();
    journal.nacked().assert_texts(["no"]);
    journal.confirmed().assert_texts(["yes"]);
    broker.advance(Duration::from_secs(5));
    held.release();
    assert!(late.join().unwrap().unwrap().is_ack());
    journal.confirmed().assert_texts(["yes", "late"]);
    let waited = |text: &str| {
        let enqueued = journal.enqueued().with_body(text).assert_one();
        journal.confirmed().with_body(text).assert_one().at.as_millis() - enqueued.at.as_millis()
    };
    assert_eq!((waited("yes"), waited("late")), (0, 5000));
    assert_eq!(journal.enqueued().count(), 5, "the queue has them all");
}
