//! Settings that bring the broker nearer to RabbitMQ where that is not an improvement.

use leveret::{AMQPValue, Broker, BrokerBuilder, Consume, ExchangeDeclare, Publish, QueueDeclare};

use crate::support::{declare_with, refusal};

fn builders() -> [(bool, BrokerBuilder); 2] {
    [(false, Broker::builder()), (true, Broker::builder().rabbitmq_faults(true))]
}

#[test]
fn a_mandatory_reply_comes_back_although_it_was_delivered_if_that_is_wanted() {
    for (is_wanted, builder) in builders() {
        let broker = builder.build();
        let connection = broker.connect().unwrap();
        let (asking, answering) =
            (connection.open_channel().unwrap(), connection.open_channel().unwrap());
        let consume = Consume::new("amq.rabbitmq.reply-to").no_ack();
        let replies = asking.basic_consume_with(&consume).unwrap();
        answering.queue_declare("server").unwrap();
        let request = Publish::to_queue("server").reply_to("amq.rabbitmq.reply-to");
        asking.basic_publish(request).unwrap();
        let request = answering.basic_get_no_ack("server").unwrap().unwrap();
        let address = request.properties().reply_to().clone().expect("an address");
        answering.basic_publish(Publish::to_queue(address.as_str()).mandatory()).unwrap();
        assert!(replies.try_recv().is_some(), "it is delivered in any case");
        assert_eq!(answering.take_returned().is_some(), is_wanted);
    }
}

#[test]
fn a_consistent_hash_forgets_a_queue_with_one_of_its_bindings_if_that_is_wanted() {
    for (is_wanted, builder) in builders() {
        let broker = builder.build();
        let connection = broker.connect().unwrap();
        let channel = connection.open_channel().unwrap();
        channel.exchange_declare("x", "x-consistent-hash").unwrap();
        channel.queue_declare("q").unwrap();
        for weight in ["1", "2"] {
            channel.queue_bind("q", "x", weight).unwrap();
        }
        channel.queue_unbind("q", "x", "2").unwrap();
        channel.basic_publish(Publish::to_exchange("x", "k").mandatory()).unwrap();
        assert_eq!(channel.take_returned().is_some(), is_wanted);
        channel.queue_bind("q", "x", "3").unwrap();
        channel.basic_publish(Publish::to_exchange("x", "k").mandatory()).unwrap();
        assert!(channel.take_returned().is_none(), "bound anew it is there again");
    }
}

#[test]
fn what_needs_plugins_is_not_known_without_them() {
    let broker = Broker::builder().without_plugins(true).build();
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    for kind in ["x-random", "x-consistent-hash", "x-modulus-hash", "x-recent-history"] {
        let text = format!("unknown exchange type '{kind}'");
        assert_eq!(refusal(channel.exchange_declare("x", kind)), (406, text));
    }
    let delayed =
        ExchangeDeclare::new("x", "x-delayed-message").argument("x-delayed-type", "direct");
    assert_eq!(refusal(channel.exchange_declare_with(&delayed)).0, 406);
    for kind in ["direct", "fanout", "topic", "headers", "x-local-random"] {
        channel.exchange_declare(kind, kind).unwrap();
    }
    let argument = ("x-message-deduplication", AMQPValue::Boolean(true));
    declare_with(&channel, "q", [argument]).unwrap();
    for _ in 0..2 {
        let publish = Publish::to_queue("q").header("x-deduplication-header", 1);
        channel.basic_publish(publish).unwrap();
    }
    let passive = QueueDeclare::new("q").passive();
    assert_eq!(channel.queue_declare_with(&passive).unwrap().message_count, 2);
}
