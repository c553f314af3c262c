//! A trip is a flight and a hotel: when there is no hotel the flight that was booked is given back.

use std::sync::Arc;

use futures_util::StreamExt;
use lapin::Channel;
use lapin::options::BasicAckOptions;
use leveret::{Broker, Publish};

use crate::{LIMIT, consume, declare, open, send};

const QUEUES: [&str; 5] = ["trips", "flights", "hotels", "no-hotel", "flights-back"];

/// What a service passes on for a message, if anything.
fn next(queue: &str) -> Option<&'static str> {
    match queue {
        "trips" => Some("flights"),
        "flights" => Some("hotels"),
        "hotels" => Some("no-hotel"),
        "no-hotel" => Some("flights-back"),
        _ => None,
    }
}

/// The program under test: one service for each queue.
async fn serve(channel: Channel, queue: &'static str) -> lapin::Result<()> {
    let mut steps = consume(&channel, queue).await?;
    while let Some(step) = steps.next().await {
        let step = step?;
        if let Some(next) = next(queue) {
            send(&channel, next, &step.data).await?;
        }
        step.acker.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

async fn start(broker: &Broker) -> Channel {
    let channel = open(broker).await;
    for queue in QUEUES {
        declare(&channel, queue, &[]).await;
    }
    for queue in QUEUES {
        tokio::spawn(serve(open(broker).await, queue));
    }
    channel
}

fn assert_compensated(broker: &Broker) {
    let journal = broker.journal();
    let step = |queue: &str| journal.acked().in_queue(queue);
    QUEUES.iter().for_each(|queue| drop(step(queue).assert_one()));
    let taken_back = journal.published().with_key("flights-back");
    for queue in ["flights", "hotels", "no-hotel"] {
        journal.published().with_key(queue).assert_before(&taken_back);
    }
    journal.assert_nothing_lost();
}

#[tokio::test]
async fn current_thread() {
    let broker = Broker::for_tests();
    let channel = start(&broker).await;
    assert!(send(&channel, "trips", b"Lisbon").await.unwrap());
    broker.eventually_async(|b| b.journal().acked().count() == 5, LIMIT).await;
    broker.wait_until_idle_async(LIMIT).await.unwrap();
    assert_compensated(&broker);
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_thread() {
    let broker = Broker::for_tests();
    let channel = start(&broker).await;
    assert!(send(&channel, "trips", b"Lisbon").await.unwrap());
    broker.eventually(|b| b.journal().acked().count() == 5, LIMIT);
    broker.wait_until_idle(LIMIT).unwrap();
    assert_compensated(&broker);
}

#[test]
fn blocking() {
    let broker = Arc::new(Broker::for_tests());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    for queue in QUEUES {
        channel.queue_declare(queue).unwrap();
    }
    for queue in QUEUES {
        let service = broker.connect().unwrap().open_channel().unwrap();
        std::thread::spawn(move || {
            for step in service.basic_consume(queue)? {
                if let Some(next) = next(queue) {
                    service.basic_publish(Publish::to_queue(next).body(step.body().to_vec()))?;
                }
                step.ack()?;
            }
            Ok::<_, leveret::Error>(())
        });
    }
    assert!(broker.publish(Publish::to_queue("trips").body("Lisbon")).wait().unwrap().is_ack());
    broker.eventually(|b| b.journal().acked().count() == 5, LIMIT);
    broker.wait_until_idle(LIMIT).unwrap();
    assert_compensated(&broker);
}
