//! What fails is tried again half a minute later, by a queue with a TTL; the third try succeeds.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::Channel;
use lapin::options::BasicAckOptions;
use lapin::types::AMQPValue;
use leveret::{Broker, Publish, QueueDeclare};

use crate::{LIMIT, consume, declare, open, send, text};

const PAUSE: Duration = Duration::from_secs(30);

/// How often the job was dead already.
fn deaths(body: &[u8]) -> usize {
    body.iter().filter(|octet| **octet == b'!').count()
}

/// The program under test.
async fn work(channel: Channel) -> lapin::Result<()> {
    let mut jobs = consume(&channel, "jobs").await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        if deaths(&job.data) < 2 {
            send(&channel, "retry", &[&job.data, &b"!"[..]].concat()).await?;
        }
        job.acker.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

async fn start(broker: &Broker) -> Channel {
    let channel = open(broker).await;
    declare(&channel, "jobs", &[]).await;
    let ttl = AMQPValue::LongUInt(30_000);
    let back = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text("jobs"))];
    declare(&channel, "retry", &[&[("x-message-ttl", ttl)], &back[..]].concat()).await;
    tokio::spawn(work(open(broker).await));
    channel
}

fn assert_three_tries(broker: &Broker) {
    let journal = broker.journal();
    journal.delivered().in_queue("jobs").assert_texts(["resize", "resize!", "resize!!"]);
    journal.dead_lettered().in_queue("retry").to_queue("jobs").assert_count(2);
    assert_eq!(broker.counts("retry").unwrap().ready, 0);
}

#[tokio::test]
async fn current_thread() {
    let broker = Broker::for_tests();
    let channel = start(&broker).await;
    assert!(send(&channel, "jobs", b"resize").await.unwrap());
    for _ in 0..2 {
        broker.wait_for_queue_async("retry", |q| q.ready == 1).await.unwrap();
        broker.advance_async(PAUSE).await;
    }
    broker.eventually_async(|b| b.journal().acked().count() == 3, LIMIT).await;
    assert_three_tries(&broker);
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_thread() {
    let broker = Broker::for_tests();
    let channel = start(&broker).await;
    assert!(send(&channel, "jobs", b"resize").await.unwrap());
    for _ in 0..2 {
        broker.wait_for_queue("retry", |q| q.ready == 1).unwrap();
        broker.advance(PAUSE);
    }
    broker.eventually(|b| b.journal().acked().count() == 3, LIMIT);
    assert_three_tries(&broker);
}

#[test]
fn blocking() {
    let broker = Arc::new(Broker::for_tests());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("jobs").unwrap();
    let retry = QueueDeclare::new("retry")
        .argument("x-message-ttl", 30_000)
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", "jobs");
    channel.queue_declare_with(&retry).unwrap();
    let worker = broker.connect().unwrap().open_channel().unwrap();
    std::thread::spawn(move || {
        for job in worker.basic_consume("jobs")? {
            if deaths(job.body()) < 2 {
                let again = format!("{}!", job.text());
                worker.basic_publish(Publish::to_queue("retry").body(again))?;
            }
            job.ack()?;
        }
        Ok::<_, leveret::Error>(())
    });
    assert!(broker.publish(Publish::to_queue("jobs").body("resize")).wait().unwrap().is_ack());
    for _ in 0..2 {
        broker.wait_for_queue("retry", |q| q.ready == 1).unwrap();
        broker.advance(PAUSE);
    }
    broker.eventually(|b| b.journal().acked().count() == 3, LIMIT);
    assert_three_tries(&broker);
}
