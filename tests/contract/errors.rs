//! What is refused, and what that leaves.

use leveret::definitions::Definitions;
use leveret::{Consume, Publish, QueueDeclare, QueueDelete};

use crate::{Connect, filled, next, text};

pub(crate) fn codes(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    filled(&channel, "errors", 2);
    channel.basic_qos(1).unwrap();
    let consumer = channel.basic_consume("errors").unwrap();
    let held = next(&consumer);
    let missing = channel.basic_consume("nonesuch").unwrap_err();
    assert_eq!(missing.reply_code(), 404);
    assert!(missing.reply_text().starts_with("NOT_FOUND - no queue 'nonesuch'"), "{missing:?}");
    assert_eq!(channel.basic_get("nonesuch").unwrap_err().reply_code(), 404);
    let nowhere = || Publish::to_exchange("nonesuch", "key");
    assert_eq!(channel.basic_publish(nowhere()).unwrap_err().reply_code(), 404);
    assert_eq!(channel.publish(nowhere()).wait().unwrap_err().reply_code(), 404);
    let other = QueueDeclare::new("errors").durable();
    assert_eq!(channel.queue_declare_with(&other).unwrap_err().reply_code(), 406);
    let used = QueueDelete::new("errors").if_unused();
    assert_eq!(channel.queue_delete_with(&used).unwrap_err().reply_code(), 406);
    assert_eq!(channel.exchange_declare("amq.mine", "topic").unwrap_err().reply_code(), 403);
    assert_eq!(channel.queue_bind("errors", "nonesuch", "").unwrap_err().reply_code(), 404);
    let passive = QueueDeclare::new("nonesuch").passive();
    assert_eq!(channel.queue_declare_with(&passive).unwrap_err().reply_code(), 404);
    // The channel has what it had.
    held.ack().unwrap();
    assert_eq!(text(&next(&consumer)), "1");
    drop(consumer);
    channel.queue_delete("errors").unwrap();
}

pub(crate) fn acknowledgements(connect: Connect<'_>) {
    let channel = connect().open_channel().unwrap();
    filled(&channel, "acks", 3);
    let take = || channel.basic_get("acks").unwrap().unwrap();
    let (first, second) = (take(), take());
    first.ack().unwrap();
    assert_eq!(
        first.ack().unwrap_err().reply_text(),
        "PRECONDITION_FAILED - unknown delivery tag 1"
    );
    assert_eq!(channel.basic_ack(99).unwrap_err().reply_code(), 406);
    channel.basic_ack_multiple(0).unwrap();
    assert_eq!(second.ack().unwrap_err().reply_code(), 406);
    let free = channel.basic_get_no_ack("acks").unwrap().unwrap();
    assert_eq!(free.ack().unwrap_err().reply_code(), 406);
    let consume = Consume::new("acks").consumer_tag("taken");
    let consumer = channel.basic_consume_with(&consume).unwrap();
    assert_eq!(channel.basic_consume_with(&consume).unwrap_err().reply_code(), 530);
    drop(consumer);
    channel.queue_delete("acks").unwrap();
}

pub(crate) fn exclusive(connect: Connect<'_>) {
    let owner = connect();
    let channel = owner.open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("mine").exclusive()).unwrap();
    let other = connect().open_channel().unwrap();
    assert_eq!(other.basic_consume("mine").unwrap_err().reply_code(), 405);
    assert_eq!(other.queue_declare("mine").unwrap_err().reply_code(), 405);
    let consumer = channel.basic_consume("mine").unwrap();
    channel.basic_publish(Publish::to_queue("mine").body("x")).unwrap();
    assert_eq!(text(&next(&consumer)), "x");
    drop(consumer);
    owner.close();
    let gone = || other.queue_declare_with(&QueueDeclare::new("mine").passive());
    let mut last = std::iter::repeat_with(gone).take(1000).filter_map(Result::err);
    assert!(last.any(|error| error.reply_code() == 404));
}

/// Not among the cases: it takes a user who may not write.
#[test]
fn a_publish_that_is_not_permitted_is_refused_with_its_code() {
    let reader = r#"{"users": [{"name": "reader", "password": "secret", "tags": ""}],
        "permissions": [{"user": "reader", "vhost": "/", "configure": ".*", "write": "^own$",
            "read": ".*"}]}"#;
    let broker = leveret::Broker::new();
    broker.import(&Definitions::from_json(reader.as_bytes()).unwrap()).unwrap();
    let address = broker.listen("127.0.0.1:0").unwrap();
    let there = leveret::remote(&format!("amqp://reader:secret@{address}")).unwrap();
    for connection in [broker.connect_as("reader", "/").unwrap(), there] {
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("mine").unwrap();
        let refused = channel.basic_publish(Publish::to_queue("mine")).unwrap_err();
        assert_eq!(refused.reply_code(), 403, "{refused}");
        assert!(refused.reply_text().starts_with("ACCESS_REFUSED - "), "{refused}");
        channel.queue_delete("mine").unwrap();
    }
}
