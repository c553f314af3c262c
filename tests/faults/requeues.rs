//! Messages that come back in another order.

use super::*;

#[tokio::test]
async fn what_is_rejected_goes_to_the_end() {
    let broker = broker();
    let rule = broker.faults().requeues().for_queue("q").nth(1).to_the_end();
    ["1", "2", "3"].iter().for_each(|body| put(&broker, body));
    let channel = connect(&broker).await.create_channel().await.unwrap();
    for _ in 0..2 {
        let got = channel.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().unwrap();
        got.delivery.acker.reject(BasicRejectOptions { requeue: true }).await.unwrap();
    }
    declare(&channel, "both rejected").await.unwrap();
    // The first went to the end; the second to where it was.
    let order = drain(&broker);
    let order: Vec<_> = order.iter().map(|(body, again)| (body.as_str(), *again)).collect();
    assert_eq!(order, [("2", true), ("3", false), ("1", true)]);
    assert_eq!(rule.fired(), 1);
}

#[tokio::test]
async fn what_a_lost_connection_held_goes_to_the_end() {
    let broker = broker();
    broker.faults().requeues().to_the_end();
    ["1", "2", "3"].iter().for_each(|body| put(&broker, body));
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    for _ in 0..2 {
        channel.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    }
    connection.close(200, "done".into()).await.unwrap();
    assert!(drain(&broker).iter().map(|(body, _)| body).eq(["3", "1", "2"]));
}
