//! A publisher that is told no tries again, and its order is there once.

use leveret::{Broker, Channel, Confirmed, Publish};

use crate::{declare, open, send};

/// The program under test.
async fn order(channel: &lapin::Channel) -> lapin::Result<usize> {
    for attempt in 1.. {
        if send(channel, "orders", b"a hare of bronze").await? {
            return Ok(attempt);
        }
    }
    unreachable!("it ends with a confirm")
}

fn assert_once(broker: &Broker, attempts: usize) {
    assert_eq!(attempts, 3);
    broker.faults().assert_all_fired();
    broker.journal().published().assert_count(3);
    broker.journal().nacked().assert_count(2);
    broker.journal().enqueued().in_queue("orders").assert_one();
}

async fn nacked() {
    let broker = Broker::for_tests();
    let channel = open(&broker).await;
    declare(&channel, "orders", &[]).await;
    broker.faults().confirms().times(2).nack_and_drop();
    assert_once(&broker, order(&channel).await.unwrap());
}

#[tokio::test]
async fn current_thread() {
    nacked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_thread() {
    nacked().await;
}

/// The program under test, without a runtime.
fn order_blocking(channel: &Channel) -> leveret::Result<usize> {
    for attempt in 1.. {
        let order = Publish::to_queue("orders").body("a hare of bronze");
        if let Confirmed::Ack = channel.publish(order).wait()? {
            return Ok(attempt);
        }
    }
    unreachable!("it ends with a confirm")
}

#[test]
fn blocking() {
    let broker = Broker::for_tests();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("orders").unwrap();
    broker.faults().confirms().times(2).nack_and_drop();
    assert_once(&broker, order_blocking(&channel).unwrap());
}
