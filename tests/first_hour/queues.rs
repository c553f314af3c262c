//! What a test asks of queues, in one call.

use std::time::Duration;

use leveret::{Broker, BrokerBuilder, Publish, QueueDeclare};

#[test]
fn a_broker_for_tests_has_what_tests_want() {
    let broker = Broker::for_tests();
    assert!(broker.has_manual_clock() && broker.journal().is_on());
    broker.advance(Duration::from_secs(1));
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let odd = QueueDeclare::new("q").argument("x-mesage-ttl", 1000);
    channel.queue_declare_with(&odd).unwrap();
    assert_eq!(broker.lints().len(), 1, "{:?}", broker.lints());
    let small = BrokerBuilder::default().for_tests().journal(1).build();
    assert!(small.has_manual_clock());
}

#[test]
fn queues_are_listed_with_their_counts() {
    let broker = Broker::for_tests();
    broker.add_virtual_host("shop");
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let shop = broker.connect_to("shop").unwrap().open_channel().unwrap();
    shop.queue_declare("a").unwrap();
    for queue in ["jobs", "done"] {
        channel.queue_declare(queue).unwrap();
    }
    channel.basic_publish(Publish::to_queue("jobs")).unwrap();
    let listed = broker.queues();
    let names = listed.iter().map(|q| (q.virtual_host(), q.name(), q.counts().ready));
    assert_eq!(names.collect::<Vec<_>>(), [("/", "done", 0), ("/", "jobs", 1), ("shop", "a", 0)]);
    assert_eq!(broker.counts("jobs").unwrap().ready, 1);
    assert_eq!(broker.counts("a").unwrap_err().reply_code(), 404);
    let counts = broker.wait_for_queue("jobs", |q| q.ready == 1 && q.consumers == 0).unwrap();
    assert_eq!((counts.ready, counts.unacked), (1, 0));
}

#[test]
fn rest_is_not_found_before_somebody_consumes() {
    let broker = Broker::for_tests();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("jobs").unwrap();
    channel.basic_publish(Publish::to_queue("jobs")).unwrap();
    let error = broker.wait_until_idle(Duration::ZERO).unwrap_err().to_string();
    assert!(error.starts_with("no consumer came, so there was nothing to come to rest"), "{error}");
    let limit = Duration::from_secs(10);
    std::thread::scope(|scope| {
        let idle = scope.spawn(|| broker.wait_until_idle(limit));
        let jobs = channel.basic_consume("jobs").unwrap();
        jobs.recv().unwrap().ack().unwrap();
        idle.join().unwrap().unwrap();
    });
    broker.wait_until_idle(Duration::ZERO).unwrap();
    broker.reset().unwrap();
    broker.wait_until_idle(Duration::ZERO).unwrap_err();
}
