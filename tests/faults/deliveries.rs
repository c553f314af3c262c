//! Deliveries that come twice, or late.

use super::*;

#[tokio::test]
async fn a_message_is_delivered_twice() {
    let broker = broker();
    let rule = broker.faults().deliveries().matching(|m| m.body() == b"2").twice();
    let channel = connect(&broker).await.create_channel().await.unwrap();
    let mut consumer = consume(&channel).await;
    ["1", "2", "3"].iter().for_each(|body| put(&broker, body));
    let mut got = Vec::new();
    for _ in 0..4 {
        let delivery = next(&mut consumer).await.unwrap();
        ack(&delivery).await;
        let body = String::from_utf8(delivery.data).unwrap();
        got.push((delivery.delivery_tag, body, delivery.redelivered));
    }
    let expected = [(1, "1", false), (2, "2", false), (3, "2", true), (4, "3", false)];
    assert!(got.iter().map(|(tag, body, again)| (*tag, body.as_str(), *again)).eq(expected));
    assert_eq!(rule.fired(), 1);
    declare(&channel, "all acknowledged").await.expect("both were known delivery tags");
    assert_eq!(counts(&broker).unacked, 0);
}

#[tokio::test]
async fn prefetch_holds_though_messages_come_twice() {
    let broker = broker();
    broker.faults().deliveries().twice();
    let channel = connect(&broker).await.create_channel().await.unwrap();
    channel.basic_qos(1, BasicQosOptions { global: true }).await.unwrap();
    let mut consumer = consume(&channel).await;
    (0..4).for_each(|n| put(&broker, &n.to_string()));
    for n in 0..4 {
        let both = [next(&mut consumer).await.unwrap(), next(&mut consumer).await.unwrap()];
        assert!(both.iter().all(|delivery| delivery.data == n.to_string().as_bytes()));
        broker.advance(Duration::ZERO);
        assert_eq!(counts(&broker).unacked, 1);
        for delivery in &both {
            ack(delivery).await;
        }
    }
}

#[tokio::test]
async fn a_delivery_is_late_and_others_overtake_it() {
    let broker = broker();
    let minute = Duration::from_secs(60);
    broker.faults().deliveries().nth(1).delay(minute);
    let channel = connect(&broker).await.create_channel().await.unwrap();
    let mut consumer = consume(&channel).await;
    ["1", "2"].iter().for_each(|body| put(&broker, body));
    let delivery = next(&mut consumer).await.unwrap();
    assert_eq!((delivery.data.as_slice(), delivery.delivery_tag), (b"2".as_slice(), 1));
    assert_eq!(counts(&broker).unacked, 2);
    assert_eq!(broker.next_deadline(), Some(broker.now() + minute));
    broker.advance(minute);
    let late = next(&mut consumer).await.unwrap();
    assert_eq!((late.data.as_slice(), late.delivery_tag), (b"1".as_slice(), 2));
    assert!(!late.redelivered);
    ack(&late).await;
    ack(&delivery).await;
    declare(&channel, "all acknowledged").await.unwrap();
    assert_eq!(counts(&broker).unacked, 0);
}

#[tokio::test]
async fn what_is_late_goes_back_when_its_consumer_or_channel_ends() {
    let broker = broker();
    let minute = Duration::from_secs(60);
    let rule = broker.faults().deliveries().delay(minute);
    let channel = connect(&broker).await.create_channel().await.unwrap();
    let consumer = consume(&channel).await;
    put(&broker, "1");
    let tag = consumer.tag();
    channel.basic_cancel(tag, BasicCancelOptions::default()).await.unwrap();
    broker.advance(minute);
    assert_eq!(drain(&broker), [("1".to_owned(), true)]);

    let _consumer = consume(&channel).await;
    put(&broker, "2");
    channel.close(200, "done".into()).await.unwrap();
    assert_eq!(drain(&broker), [("2".to_owned(), true)]);
    broker.advance(minute);
    assert_eq!((rule.fired(), counts(&broker).ready), (2, 0));
}
