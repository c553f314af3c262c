//! Confirms that say no, are late, or never come.

use leveret::journal::EventKind;

use super::*;

fn orders(broker: &Broker) {
    behind(broker).exchange_declare("orders", "fanout").unwrap();
    behind(broker).queue_bind("q", "orders", "").unwrap();
}

#[tokio::test]
async fn two_publishes_to_an_exchange_are_nacked() {
    let broker = broker();
    orders(&broker);
    let rule = broker.faults().confirms().for_exchange("orders").times(2).nack();
    let channel = confirming(&connect(&broker).await).await;
    assert!(publish(&channel, "another exchange").await.unwrap().is_ack());
    let mut nacked = Vec::new();
    for body in ["1", "2", "3"] {
        let confirm = send(&channel, ("orders", ""), body).await.unwrap();
        nacked.push(within("a confirm", confirm).await.unwrap().is_nack());
    }
    assert_eq!(nacked, [true, true, false]);
    assert_eq!(rule.fired(), 2);
    assert_eq!(drain(&broker).len(), 4, "the queue has them all the same");
}

#[tokio::test]
async fn what_is_nacked_and_dropped_is_in_no_queue() {
    let broker = Broker::for_tests();
    behind(&broker).queue_declare("q").unwrap();
    let rule = broker.faults().confirms().nth(2).nack_and_drop();
    let channel = confirming(&connect(&broker).await).await;
    let mut nacked = Vec::new();
    for body in ["1", "2", "3"] {
        nacked.push(publish(&channel, body).await.unwrap().is_nack());
    }
    assert_eq!((nacked, rule.fired()), (vec![false, true, false], 1));
    broker.journal().published().assert_texts(["1", "2", "3"]);
    broker.journal().enqueued().assert_texts(["1", "3"]);
    broker.journal().nacked().assert_texts(["2"]);
    let embedded = behind(&broker);
    broker.faults().confirms().nack_and_drop();
    let refused = embedded.publish(leveret::Publish::to_queue("q").body("4")).await.unwrap();
    assert!(matches!(refused, leveret::Confirmed::Nack));
    assert_eq!(drain(&broker).len(), 2);
    assert_eq!(
        embedded.publish(leveret::Publish::to_exchange("x", "")).await.unwrap_err().reply_code(),
        404
    );
}

#[tokio::test]
async fn a_confirm_is_held_back_while_others_come() {
    let broker = broker();
    let connection = connect(&broker).await;
    let channel = confirming(&connection).await;
    let rule = broker.faults().confirms().matching(|m| m.body() == b"2").hold();
    assert!(publish(&channel, "1").await.unwrap().is_ack());
    let mut held = Box::pin(send(&channel, ("", "q"), "2").await.unwrap());
    let rest = [send(&channel, ("", "q"), "3").await, send(&channel, ("", "q"), "4").await];
    for confirm in rest {
        assert!(within("a confirm", confirm.unwrap()).await.unwrap().is_ack());
    }
    let pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(held.as_mut().poll(cx).is_pending()));
    assert!(pending.await);
    assert_eq!(rule.release(), 1);
    assert!(within("the confirm", held).await.unwrap().is_ack());

    let held = send(&channel, ("", "q"), "2").await.unwrap();
    until("the publish", || rule.fired() == 2).await;
    rule.remove();
    assert!(within("the confirm", held).await.unwrap().is_ack());
    assert!(publish(&channel, "2").await.unwrap().is_ack());
    assert_eq!((rule.fired(), rule.release()), (2, 0));
}

#[tokio::test]
async fn a_confirm_that_was_held_back_is_gone_with_its_channel() {
    let broker = broker();
    let rule = broker.faults().confirms().hold();
    let connection = connect(&broker).await;
    let channel = confirming(&connection).await;
    let held = send(&channel, ("", "q"), "1").await.unwrap();
    until("the publish", || rule.fired() == 1).await;
    channel.close(200, "done".into()).await.unwrap();
    assert!(within("the end", held).await.is_err());
    rule.release();
    // A confirm on a channel that is closed would be an error of the connection.
    assert!(declare(&connection.create_channel().await.unwrap(), "other").await.is_ok());
}

#[tokio::test]
async fn a_confirm_is_lost() {
    let broker = broker();
    let rule = broker.faults().confirms().for_routing_key("q").nth(2).lose();
    let channel = confirming(&connect(&broker).await).await;
    assert!(publish(&channel, "1").await.unwrap().is_ack());
    let mut lost = Box::pin(send(&channel, ("", "q"), "2").await.unwrap());
    assert!(publish(&channel, "3").await.unwrap().is_ack());
    let pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(lost.as_mut().poll(cx).is_pending()));
    assert!(pending.await);
    assert_eq!(rule.fired(), 1);
    assert_eq!(drain(&broker).len(), 3);
}

#[tokio::test]
async fn the_journal_knows_which_confirms_went_out() {
    let broker = Broker::builder().manual_clock(ManualClock::default()).journal(1000).build();
    behind(&broker).queue_declare("q").unwrap();
    let connection = connect(&broker).await;
    let channel = confirming(&connection).await;
    let rule = broker.faults().confirms().matching(|m| m.body() == b"2").hold();
    let mut confirms = Vec::new();
    for body in ["1", "2", "3"] {
        confirms.push(send(&channel, ("", "q"), body).await.unwrap());
    }
    let last = confirms.pop().unwrap();
    assert!(within("a confirm", last).await.unwrap().is_ack());
    broker.journal().confirmed().assert_texts(["1", "3"]);
    rule.release();
    broker.journal().confirmed().assert_texts(["1", "3", "2"]);
    let tags: Vec<_> = broker.journal().confirmed().iter().map(|e| e.kind.clone()).collect();
    let expected = [1, 3, 2].map(|delivery_tag| EventKind::Confirmed { delivery_tag });
    assert_eq!(tags, expected);

    // The client is gone before it could hear of these.
    let cut = broker.faults().publishes().nth(2).afterwards().drop_connection();
    let channel = confirming(&connect(&broker).await).await;
    for body in ["4", "5"] {
        drop(send(&channel, ("", "q"), body).await.unwrap());
    }
    until("the cut", || cut.fired() == 1).await;
    let is_there = |broker: &Broker| broker.journal().enqueued().with_body("5").count() == 1;
    broker.eventually_async(is_there, Duration::from_secs(10)).await;
    broker.journal().confirmed().with_body("5").assert_none();
}
