//! What a channel does.

use std::time::Duration;

use futures_util::StreamExt as _;
use leveret::{
    Binding, Confirmed, Consume, ExchangeDeclare, Nack, Publish, QueueDeclare, QueueDelete,
};

use crate::{Connect, filled, next, text};

/// How long nothing has to come.
const A_WHILE: Duration = Duration::from_millis(300);

pub(crate) fn get(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    channel.queue_declare("get").unwrap();
    let publish = Publish::to_queue("get")
        .body("hello")
        .content_type("text/plain")
        .header("kind", "greeting")
        .priority(3)
        .message_id("m1");
    channel.basic_publish(publish).unwrap();
    let passive = QueueDeclare::new("get").passive();
    assert_eq!(channel.queue_declare_with(&passive).unwrap().message_count, 1);
    let got = channel.basic_get("get").unwrap().unwrap();
    assert_eq!((got.exchange(), got.routing_key()), ("", "get"));
    assert_eq!((text(&got), got.redelivered(), got.consumer_tag()), ("hello".into(), false, None));
    let properties = got.properties();
    assert_eq!(properties.content_type().as_ref().map(|kind| kind.as_str()), Some("text/plain"));
    assert_eq!((properties.priority(), properties.headers().is_some()), (&Some(3), true));
    got.ack().unwrap();
    assert!(channel.basic_get("get").unwrap().is_none());
    channel.basic_publish(Publish::to_queue("get").body("again")).unwrap();
    assert!(channel.basic_get_no_ack("get").unwrap().is_some());
    channel.queue_delete("get").unwrap();
}

pub(crate) fn confirms(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    channel.queue_declare("confirms").unwrap();
    let publishes: Vec<_> =
        (0..10).map(|_| channel.publish(Publish::to_queue("confirms").body("x"))).collect();
    for confirming in publishes {
        assert!(confirming.wait().unwrap().is_ack());
    }
    assert!(channel.publish(Publish::to_queue("nowhere")).wait().unwrap().is_ack());
    channel.basic_publish(Publish::to_queue("confirms")).unwrap();
    let many = (0..500).map(|_| Publish::to_queue("confirms").body("x"));
    assert_eq!(channel.publish_all(many).unwrap(), 500);
    assert_eq!(channel.queue_purge("confirms").unwrap(), 511);
    channel.queue_delete("confirms").unwrap();
}

pub(crate) fn returns(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    let lost = || Publish::to_queue("nowhere").body("lost").mandatory();
    channel.basic_publish(lost()).unwrap();
    assert_eq!(channel.take_returned().map(|message| text(&message)), Some("lost".into()));
    assert!(channel.take_returned().is_none());
    match channel.publish(lost()).wait().unwrap() {
        Confirmed::Returned(message) => assert_eq!(text(&message), "lost"),
        other => panic!("{other:?}"),
    }
    channel.queue_declare("somewhere").unwrap();
    let found = || Publish::to_queue("somewhere").mandatory();
    assert_eq!(channel.publish_all([found(), lost(), found()]).unwrap(), 2);
    channel.queue_delete("somewhere").unwrap();
}

pub(crate) fn refusals(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    let full = QueueDeclare::new("full")
        .argument("x-max-length", 1)
        .argument("x-overflow", "reject-publish");
    channel.queue_declare_with(&full).unwrap();
    let publish = || channel.publish(Publish::to_queue("full").body("x")).wait().unwrap();
    assert!(publish().is_ack());
    // RabbitMQ may take one more before it notices.
    let refused = (0..5).filter(|_| matches!(publish(), Confirmed::Nack)).count();
    assert!(refused >= 4, "{refused}");
    channel.queue_delete("full").unwrap();
}

pub(crate) fn consumers(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    filled(&channel, "consumers", 50);
    let consume = Consume::new("consumers").consumer_tag("mine");
    let consumer = channel.basic_consume_with(&consume).unwrap();
    assert_eq!(consumer.tag(), "mine");
    for number in 0..20 {
        let delivery = next(&consumer);
        assert_eq!((text(&delivery), delivery.consumer_tag()), (number.to_string(), Some("mine")));
        delivery.ack().unwrap();
    }
    let mut rest = Vec::new();
    while rest.len() < 30 {
        rest.extend(consumer.recv_many(10));
    }
    rest.last().unwrap().ack_multiple().unwrap();
    assert!(consumer.recv_timeout(A_WHILE).is_none());
    drop(consumer);
    assert_eq!(channel.queue_delete("consumers").unwrap(), 0);
}

pub(crate) fn prefetch(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    filled(&channel, "prefetch", 5);
    channel.basic_qos(2).unwrap();
    let consumer = channel.basic_consume("prefetch").unwrap();
    let first = next(&consumer);
    next(&consumer);
    assert!(consumer.recv_timeout(A_WHILE).is_none());
    first.ack().unwrap();
    assert_eq!(text(&next(&consumer)), "2");
    drop(consumer);
    channel.queue_delete("prefetch").unwrap();
}

pub(crate) fn giving_back(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    filled(&channel, "back", 3);
    let take = || channel.basic_get("back").unwrap().unwrap();
    let (first, second) = (take(), take());
    second.nack(&Nack::new().multiple().requeue()).unwrap();
    let again = take();
    assert!(again.redelivered());
    assert_eq!(text(&again), text(&first));
    again.reject().unwrap();
    let second = take();
    assert_eq!(text(&second), "1");
    channel.basic_recover().unwrap();
    let recovered = take();
    assert_eq!((text(&recovered), recovered.redelivered()), ("1".into(), true));
    recovered.requeue().unwrap();
    assert_eq!(channel.queue_delete("back").unwrap(), 2);
}

pub(crate) fn bindings(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    channel.exchange_declare("news", "topic").unwrap();
    channel.exchange_declare_with(&ExchangeDeclare::new("all", "fanout").durable()).unwrap();
    channel.exchange_declare("papers", "headers").unwrap();
    channel.queue_declare("reader").unwrap();
    channel.queue_bind("reader", "news", "sport.#").unwrap();
    channel.exchange_bind("news", "all", "").unwrap();
    let invoices = Binding::new("papers", "").argument("x-match", "all").argument("type", "i");
    channel.queue_bind_with("reader", &invoices).unwrap();
    let ready = || {
        let passive = QueueDeclare::new("reader").passive();
        channel.queue_declare_with(&passive).unwrap().message_count
    };
    for (publish, expected) in [
        (Publish::to_exchange("news", "sport.ski"), 1),
        (Publish::to_exchange("news", "weather"), 1),
        (Publish::to_exchange("all", "sport"), 2),
        (Publish::to_exchange("papers", "").header("type", "i"), 3),
        (Publish::to_exchange("papers", "").header("type", "j"), 3),
    ] {
        channel.basic_publish(publish).unwrap();
        assert_eq!(ready(), expected);
    }
    channel.queue_unbind("reader", "news", "sport.#").unwrap();
    channel.exchange_unbind("news", "all", "").unwrap();
    channel.basic_publish(Publish::to_exchange("all", "sport")).unwrap();
    assert_eq!((ready(), channel.queue_purge("reader").unwrap()), (3, 3));
    for exchange in ["news", "all", "papers"] {
        channel.exchange_delete(exchange).unwrap();
    }
    channel.queue_delete_with(&QueueDelete::new("reader").if_empty()).unwrap();
}

pub(crate) fn transactions(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    channel.queue_declare("tx").unwrap();
    channel.tx_select().unwrap();
    let ready = || {
        let passive = QueueDeclare::new("tx").passive();
        channel.queue_declare_with(&passive).unwrap().message_count
    };
    channel.basic_publish(Publish::to_queue("tx")).unwrap();
    channel.tx_rollback().unwrap();
    assert_eq!(ready(), 0);
    channel.basic_publish(Publish::to_queue("tx")).unwrap();
    channel.tx_commit().unwrap();
    assert_eq!(ready(), 1);
    let refused = channel.publish(Publish::to_queue("tx")).wait().unwrap_err();
    assert_eq!(refused.reply_code(), 406);
    channel.queue_delete("tx").unwrap();
}

pub(crate) fn endings(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    filled(&channel, "endings", 10);
    let consumer = channel.basic_consume("endings").unwrap();
    next(&consumer).ack().unwrap();
    consumer.cancel();
    let again = channel.basic_consume("endings").unwrap();
    assert_eq!(text(&next(&again)), "1", "what nobody took went back");
    let deleting = connect().open_channel().unwrap();
    deleting.queue_delete("endings").unwrap();
    while let Some(delivery) = again.recv() {
        assert!(!text(&delivery).is_empty());
    }
}

pub(crate) fn tasks(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    channel.queue_declare("tasks").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let confirmed = channel.publish(Publish::to_queue("tasks").body("x")).await;
        assert!(confirmed.unwrap().is_ack());
        let mut consumer = channel.basic_consume("tasks").unwrap();
        let delivery = consumer.next().await.unwrap();
        assert_eq!(text(&delivery), "x");
        delivery.ack().unwrap();
    });
    channel.queue_delete("tasks").unwrap();
}

pub(crate) fn last_queue(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    assert_eq!(channel.last_queue(), None);
    assert_eq!(channel.basic_get("").unwrap_err().reply_code(), 404);
    let declared = channel.queue_declare("").unwrap();
    assert_eq!(channel.last_queue().as_ref(), Some(&declared.queue));
    channel.basic_publish(Publish::to_queue(declared.queue.as_str()).body("x")).unwrap();
    assert!(channel.basic_get_no_ack("").unwrap().is_some());
    channel.queue_delete("").unwrap();
}

pub(crate) fn closing(connect: Connect<'_>) {
    let connection = connect();
    let (channel, other) = (connection.open_channel().unwrap(), connection.open_channel().unwrap());
    filled(&channel, "closing", 1);
    let consumer = other.basic_consume("closing").unwrap();
    assert_eq!(text(&next(&consumer)), "0");
    other.close();
    assert!(consumer.recv().is_none());
    assert_eq!(other.basic_get("closing").unwrap_err().reply_code(), 504);
    let back = std::iter::repeat_with(|| channel.basic_get("closing").unwrap()).take(1000);
    assert!(back.flatten().next().unwrap().redelivered());
    channel.queue_delete("closing").unwrap();
    connection.close();
    assert!(connection.open_channel().is_err());
    assert_eq!(channel.queue_declare("closing").unwrap_err().reply_code(), 504);
}
