//! What would pass, or do nothing, in vain, says so.

use std::time::Duration;

use leveret::{Broker, Error, Publish};

use crate::{assert_panics, on_one_thread};

#[test]
fn a_journal_that_is_off_cannot_be_asserted_about() {
    let broker = Broker::new();
    let journal = broker.journal();
    let off = "the journal is off: Broker::for_tests() has one";
    assert_panics(off, || journal.dropped().assert_none());
    assert_panics(off, || journal.assert_nothing_lost());
    assert_panics(off, || journal.published().assert_count(0));
    assert_panics(off, || journal.published().assert_texts([]));
    assert_panics(off, || drop(journal.published().assert_some()));
    assert_panics(off, || drop(journal.assert_published("", "q")));
    assert_panics(off, || journal.published().assert_before(&journal.acked()));
}

#[test]
fn a_journal_that_has_forgotten_cannot_say_that_there_was_nothing() {
    let broker = Broker::builder().journal(4).build();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    channel.basic_publish(Publish::to_queue("nowhere")).unwrap();
    let journal = broker.journal();
    let lost = journal.unroutable().assert_one();
    for _ in 0..3 {
        channel.basic_publish(Publish::to_queue("q")).unwrap();
    }
    let forgot = "the journal has forgotten its";
    assert_panics(forgot, || journal.assert_nothing_lost());
    assert_panics(forgot, || journal.published().assert_count(3));
    assert!(journal.enqueued().assert_some().number > lost.number);
    let newest = journal.events().last().unwrap();
    journal.unroutable().after(&newest).assert_none();
    journal.clear();
    journal.assert_nothing_lost();
}

#[test]
fn a_clock_that_goes_by_itself_is_not_moved() {
    let broker = Broker::new();
    let moved = "moves a manual clock, and this broker runs on the system's";
    assert_panics(moved, || broker.advance(Duration::from_secs(1)));
    assert_panics(moved, || assert!(broker.advance_to_next_event().is_some()));
    assert_eq!(broker.next_deadline(), None, "a question is none");
    let error = on_one_thread(async {
        let broker = std::sync::Arc::new(Broker::new());
        tokio::spawn(async move { broker.advance_async(Duration::ZERO).await }).await.unwrap_err()
    });
    assert!(error.is_panic());
}

#[test]
fn what_is_published_to_nowhere_is_an_error() {
    let broker = Broker::new();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("jobs").unwrap();
    let error = broker.publish(Publish::to_queue("job").body("x")).wait().unwrap_err();
    let text = "NO_ROUTE - no queue got the message to the default exchange with key 'job'; \
                explain tells why";
    assert_eq!((error.reply_code(), &*error.reply_text()), (312, text));
    let two = ["jobs", "job"].map(Publish::to_queue);
    let Err(Error::NoRoute { routing_key, .. }) = broker.publish_all(two) else { panic!() };
    assert_eq!(routing_key, "job");
    assert_eq!(broker.counts("jobs").unwrap().ready, 1, "the others are published");
    channel.exchange_declare("orders", "topic").unwrap();
    let error = broker.publish(Publish::to_exchange("orders", "a.b")).wait().unwrap_err();
    assert!(error.to_string().contains("exchange 'orders' with key 'a.b'"), "{error}");
}

#[test]
fn faults_that_nobody_declared_have_not_all_happened() {
    let broker = Broker::new();
    assert_panics("no fault was declared", || broker.faults().assert_all_fired());
    let _never = broker.faults().confirms().nack();
    assert_panics("1 of the faults never happened", || broker.faults().assert_all_fired());
}

#[test]
fn failed_assertions_point_at_the_test() {
    let broker = Broker::for_tests();
    let journal = broker.journal();
    assert_panics("at least one of them", || drop(journal.assert_published("", "q")));
    assert_panics("1 of them, not 0", || drop(journal.published().assert_one()));
    assert_panics("the bodies [\"a\"], not []", || journal.published().assert_texts(["a"]));
    assert_panics("at least one", || journal.published().assert_before(&journal.acked()));
    let short = Duration::from_millis(1);
    assert_panics("the condition did not hold", || broker.eventually(|_| false, short));
}
