//! Publishes and declarations that are refused, and publishes that find no queue.

use leveret::faults::Method;

use super::*;

#[tokio::test]
async fn a_publish_finds_no_queue() {
    let broker = broker();
    let rule = broker.faults().publishes().for_routing_key("q").nth(2).unroutable();
    let channel = confirming(&connect(&broker).await).await;
    assert_eq!(publish(&channel, "1").await.unwrap(), Confirmation::Ack(None));
    match publish(&channel, "2").await.unwrap() {
        Confirmation::Ack(Some(returned)) => {
            assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
            assert_eq!(returned.delivery.data, b"2");
        }
        other => panic!("not returned: {other:?}"),
    }
    assert_eq!(publish(&channel, "3").await.unwrap(), Confirmation::Ack(None));
    assert_eq!(rule.fired(), 1);
    assert!(drain(&broker).iter().map(|(body, _)| body).eq(["1", "3"]));
}

#[tokio::test]
async fn a_publish_is_refused() {
    let broker = broker();
    let text = "no exchange '' in vhost '/'";
    broker.faults().publishes().matching(|m| m.body() == b"bad").refuse(404, text);
    let connection = connect(&broker).await;
    let channel = confirming(&connection).await;
    assert!(publish(&channel, "good").await.unwrap().is_ack());
    let error = publish(&channel, "bad").await.unwrap_err();
    assert_eq!(reply(&error), Some((404, format!("NOT_FOUND - {text}"))));
    assert!(connection.status().connected());
    assert_eq!(drain(&broker).len(), 1);
}

#[tokio::test]
async fn declarations_are_refused() {
    let broker = broker();
    let faults = broker.faults();
    let declares = || faults.on(Method::QueueDeclare);
    declares().for_queue("a").nth(1).refuse(406, "inequivalent arg 'durable'");
    declares().for_queue("a").nth(2).refuse(405, "locked");
    declares().for_queue("a").nth(3).refuse(541, "out of order");
    faults.on(Method::ExchangeDeclare).for_exchange("e").refuse(403, "not yours");
    let connection = connect(&broker).await;
    for code in [406, 405] {
        let channel = connection.create_channel().await.unwrap();
        let error = declare(&channel, "a").await.unwrap_err();
        assert_eq!(reply(&error).unwrap().0, code);
    }
    let channel = connection.create_channel().await.unwrap();
    let (kind, none) = (lapin::ExchangeKind::Fanout, FieldTable::default());
    let declaring = channel.exchange_declare("e".into(), kind, Default::default(), none);
    let error = within("an error", declaring).await.unwrap_err();
    assert_eq!(reply(&error), Some((403, "ACCESS_REFUSED - not yours".into())));

    let channel = connection.create_channel().await.unwrap();
    let error = declare(&channel, "a").await.unwrap_err();
    assert_eq!(reply(&error).unwrap().0, 541);
    until("the end", || !connection.status().connected()).await;
    let channel = connect(&broker).await.create_channel().await.unwrap();
    declare(&channel, "a").await.unwrap();
    faults.assert_all_fired();
}
