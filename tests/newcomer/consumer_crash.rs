//! A consumer loses its connection before its acknowledgement counts; the next one gets the mail
//! again, and knows that it may have been sent.

use std::sync::Arc;

use futures_util::StreamExt;
use lapin::options::BasicAckOptions;
use leveret::faults::Method;
use leveret::{Broker, Publish};

use crate::{LIMIT, consume, declare, open};

/// The program under test: works, and connects anew when it has lost its connection.
async fn send_mails(broker: Arc<Broker>) {
    loop {
        let channel = open(&broker).await;
        let Ok(mut mails) = consume(&channel, "mails").await else { continue };
        while let Some(Ok(mail)) = mails.next().await {
            if mail.acker.ack(BasicAckOptions::default()).await.is_err() {
                break;
            }
        }
    }
}

fn assert_redelivered(broker: &Broker) {
    broker.faults().assert_all_fired();
    let journal = broker.journal();
    journal.delivered().in_queue("mails").assert_count(2);
    journal.delivered().in_queue("mails").redelivered().assert_one();
    journal.acked().in_queue("mails").assert_one();
    journal.assert_nothing_lost();
}

#[tokio::test]
async fn current_thread() {
    let broker = Arc::new(Broker::for_tests());
    declare(&open(&broker).await, "mails", &[]).await;
    broker.faults().on(Method::BasicAck).nth(1).drop_connection();
    let program = tokio::spawn(send_mails(Arc::clone(&broker)));
    assert!(broker.publish(Publish::to_queue("mails").body("welcome")).await.unwrap().is_ack());
    broker.eventually_async(|b| b.journal().acked().count() == 1, LIMIT).await;
    broker.wait_until_idle_async(LIMIT).await.unwrap();
    assert_redelivered(&broker);
    program.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_thread() {
    let broker = Arc::new(Broker::for_tests());
    declare(&open(&broker).await, "mails", &[]).await;
    broker.faults().on(Method::BasicAck).nth(1).drop_connection();
    let program = tokio::spawn(send_mails(Arc::clone(&broker)));
    assert!(broker.publish(Publish::to_queue("mails").body("welcome")).wait().unwrap().is_ack());
    broker.eventually(|b| b.journal().acked().count() == 1, LIMIT);
    broker.wait_until_idle(LIMIT).unwrap();
    assert_redelivered(&broker);
    program.abort();
}

#[test]
fn blocking() {
    let broker = Arc::new(Broker::for_tests());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("mails").unwrap();
    broker.faults().on(Method::BasicAck).nth(1).drop_connection();
    let program = Arc::clone(&broker);
    let worker = std::thread::spawn(move || {
        for attempt in 1.. {
            let channel = program.connect().unwrap().open_channel().unwrap();
            for mail in channel.basic_consume("mails").unwrap() {
                if mail.ack().is_ok() {
                    return attempt;
                }
            }
        }
        unreachable!("it ends with a mail")
    });
    assert!(broker.publish(Publish::to_queue("mails").body("welcome")).wait().unwrap().is_ack());
    assert_eq!(worker.join().unwrap(), 2);
    broker.wait_until_idle(LIMIT).unwrap();
    assert_redelivered(&broker);
}
