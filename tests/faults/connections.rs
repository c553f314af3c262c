//! Connections and channels that end.

use leveret::faults::Method;

use super::*;

/// The client has lost its connection without being told anything.
async fn assert_lost(connection: &Connection, error: &lapin::Error) {
    assert_eq!(reply(error), None, "{error}");
    until("the loss", || !connection.status().connected()).await;
}

#[tokio::test]
async fn the_third_publish_is_lost_with_the_connection() {
    let broker = broker();
    let rule = broker.faults().on(Method::BasicPublish).nth(3).drop_connection();
    let connection = connect(&broker).await;
    let channel = confirming(&connection).await;
    // All three may come in one chunk: what was asked for before is answered all the same.
    let mut confirms = Vec::new();
    for body in ["1", "2", "3"] {
        confirms.push(send(&channel, ("", "q"), body).await.unwrap());
    }
    let mut confirms = confirms.into_iter();
    for _ in 0..2 {
        let confirm = within("a confirm", confirms.next().unwrap()).await.unwrap();
        assert_eq!(confirm, Confirmation::Ack(None));
    }
    let error = within("the end", confirms.next().unwrap()).await.unwrap_err();
    assert_lost(&connection, &error).await;
    assert_eq!((rule.fired(), rule.seen()), (1, 3));
    assert_eq!(drain(&broker).len(), 2);
    assert_eq!(connect(&broker).await.status().username(), "guest", "another may come");
}

#[tokio::test]
async fn the_third_publish_arrives_and_the_client_never_hears_of_it() {
    let broker = broker();
    broker.faults().on(Method::BasicPublish).nth(3).afterwards().drop_connection();
    let connection = connect(&broker).await;
    let channel = confirming(&connection).await;
    let mut confirms = Vec::new();
    for body in ["1", "2", "3"] {
        confirms.push(send(&channel, ("", "q"), body).await.unwrap());
    }
    let last = confirms.pop().unwrap();
    for confirm in confirms {
        assert!(within("a confirm", confirm).await.unwrap().is_ack());
    }
    let error = within("the end", last).await.unwrap_err();
    assert_lost(&connection, &error).await;
    assert_eq!(drain(&broker).len(), 3);
}

#[tokio::test]
async fn a_queue_is_declared_and_the_client_does_not_know() {
    let broker = broker();
    let declares = || broker.faults().on(Method::QueueDeclare);
    let before = declares().for_queue("a").drop_connection();
    let after = declares().for_queue("b").afterwards().drop_connection();
    for queue in ["a", "b"] {
        let connection = connect(&broker).await;
        let channel = connection.create_channel().await.unwrap();
        declare(&channel, "unaffected").await.unwrap();
        let error = declare(&channel, queue).await.unwrap_err();
        assert_lost(&connection, &error).await;
    }
    assert_eq!((before.fired(), after.fired()), (1, 1));
    let host = broker.virtual_host("/").unwrap();
    assert!(host.queue("a").is_err() && host.queue("b").is_ok());
}

#[tokio::test]
async fn a_delivery_is_lost_with_the_connection() {
    for afterwards in [false, true] {
        let broker = broker();
        let faults = broker.faults();
        let mut when = faults.deliveries().for_queue("q").nth(2);
        if afterwards {
            when = when.afterwards();
        }
        when.drop_connection();
        let connection = connect(&broker).await;
        let channel = connection.create_channel().await.unwrap();
        let mut consumer = consume(&channel).await;
        ["1", "2", "3"].iter().for_each(|body| put(&broker, body));
        let mut got = Vec::new();
        let error = loop {
            match next(&mut consumer).await {
                Ok(delivery) => got.push(delivery.data),
                Err(error) => break error,
            }
        };
        assert_lost(&connection, &error).await;
        let expected: &[&[u8]] = if afterwards { &[b"1", b"2"] } else { &[b"1"] };
        assert_eq!(got, expected, "afterwards: {afterwards}");
        until("the return of what was not acknowledged", || counts(&broker).unacked == 0).await;
        assert!(drain(&broker).iter().map(|(body, _)| body).eq(["1", "2", "3"]));
        faults.assert_all_fired();
    }
}

#[tokio::test]
async fn a_channel_is_closed_and_the_connection_stays() {
    let broker = broker();
    let deletes = broker.faults().on(Method::QueueDelete).close_channel(403, "leave it alone");
    broker.faults().deliveries().afterwards().nth(1).close_channel(406, "too slow");
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    let error = channel.queue_delete("q".into(), QueueDeleteOptions::default()).await.unwrap_err();
    let text = "ACCESS_REFUSED - leave it alone".to_owned();
    assert_eq!(reply(&error), Some((403, text)));
    assert_eq!(deletes.fired(), 1);

    let channel = connection.create_channel().await.unwrap();
    let mut consumer = consume(&channel).await;
    put(&broker, "x");
    assert_eq!(next(&mut consumer).await.unwrap().data, b"x");
    let error = next(&mut consumer).await.unwrap_err();
    assert_eq!(reply(&error), Some((406, "PRECONDITION_FAILED - too slow".into())));
    assert!(connection.status().connected());
    assert_eq!(drain(&broker), [("x".to_owned(), true)]);
}

#[tokio::test]
async fn a_connection_is_closed_with_a_code() {
    let broker = broker();
    broker.faults().on(Method::BasicGet).nth(2).close_connection(320, "going down");
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    let get = || channel.basic_get("q".into(), BasicGetOptions::default());
    assert!(get().await.unwrap().is_none());
    let error = within("an error", get()).await.unwrap_err();
    assert_eq!(reply(&error), Some((320, "CONNECTION_FORCED - going down".into())));
    until("the end", || !connection.status().connected()).await;
}

#[tokio::test]
async fn connecting_fails_twice() {
    let broker = broker();
    let faults = broker.faults();
    faults.on(Method::ConnectionOpen).on_connection("a").nth(1).drop_connection();
    faults.on(Method::ConnectionOpen).on_connection("a").nth(2).close_connection(530, "full");
    faults.on(Method::ChannelOpen).on_connection("a").drop_connection();
    assert_eq!(reply(&connect_as(&broker, "a").await.unwrap_err()), None);
    let error = connect_as(&broker, "a").await.unwrap_err();
    assert_eq!(reply(&error), Some((530, "NOT_ALLOWED - full".into())));
    let connection = connect_as(&broker, "a").await.unwrap();
    let opening = within("an error", connection.create_channel());
    assert_lost(&connection, &opening.await.unwrap_err()).await;
    faults.assert_all_fired();
    assert!(connect_as(&broker, "b").await.unwrap().create_channel().await.is_ok());
}

#[tokio::test]
async fn all_connections_end_at_once() {
    let broker = broker();
    for round in 0..2 {
        let connection = connect(&broker).await;
        let channel = connection.create_channel().await.unwrap();
        let mut consumer = consume(&channel).await;
        let ended = match round {
            0 => broker.faults().drop_connections(),
            _ => broker.faults().close_connections(320, "maintenance"),
        };
        assert_eq!(ended, 1);
        let error = next(&mut consumer).await.unwrap_err();
        let text = "CONNECTION_FORCED - maintenance".to_owned();
        assert_eq!(reply(&error), (round == 1).then_some((320, text)));
        until("the end", || broker.connection_count() == 0).await;
        assert_eq!(counts(&broker).consumers, 0);
    }
}

#[tokio::test]
async fn a_client_that_is_not_read_goes_on_later() {
    let broker = broker();
    let rule = broker.faults().on(Method::BasicPublish).nth(2).stop_reading();
    let connection = connect(&broker).await;
    let channel = confirming(&connection).await;
    for body in ["1", "2"] {
        assert!(publish(&channel, body).await.unwrap().is_ack());
    }
    let third = send(&channel, ("", "q"), "3").await.unwrap();
    broker.advance(Duration::from_secs(3600));
    assert_eq!(counts(&broker).ready, 2, "the third is not read");
    assert!(connection.status().connected());
    assert_eq!(rule.release(), 1);
    assert!(within("a confirm", third).await.unwrap().is_ack());
    assert_eq!(drain(&broker).len(), 3);
}
