//! What a program written with lapin finds after the server was killed and started again.

use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use crate::server::Server;
use crate::support::Directory;

const CONFIRMED: usize = 100;

async fn channel(server: &Server) -> (Connection, Channel) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&server.uri, properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    (connection, channel)
}

async fn declare(channel: &Channel) {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("q".into(), durable, FieldTable::default()).await.unwrap();
}

async fn publish(channel: &Channel, body: String) -> lapin::PublisherConfirm {
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let (exchange, key) = ("amq.topic".into(), "a.b".into());
    let options = BasicPublishOptions::default();
    channel.basic_publish(exchange, key, options, body.as_bytes(), persistent).await.unwrap()
}

#[tokio::test]
async fn a_client_finds_what_was_confirmed() {
    let directory = Directory::new();
    let server = Server::start(&directory.path());
    let (connection, one) = channel(&server).await;
    declare(&one).await;
    let bind = QueueBindOptions::default();
    let none = FieldTable::default();
    one.queue_bind("q".into(), "amq.topic".into(), "a.#".into(), bind, none).await.unwrap();
    for number in 0..CONFIRMED {
        let confirm = publish(&one, number.to_string()).await;
        assert!(confirm.await.unwrap().is_ack());
    }
    let mut in_flight = Vec::new();
    for number in CONFIRMED..2 * CONFIRMED {
        in_flight.push(publish(&one, number.to_string()).await);
    }
    server.kill();
    let mut confirmed = CONFIRMED;
    for confirm in in_flight {
        match confirm.await {
            Ok(confirm) if confirm.is_ack() => confirmed += 1,
            _ => break,
        }
    }
    drop((one, connection));

    let server = Server::start(&directory.path());
    let (_connection, two) = channel(&server).await;
    declare(&two).await;
    let mut found = Vec::new();
    let no_ack = BasicGetOptions { no_ack: true };
    while let Some(got) = two.basic_get("q".into(), no_ack).await.unwrap() {
        assert!(got.delivery.redelivered);
        found.push(String::from_utf8(got.delivery.data.clone()).unwrap());
    }
    let expected: Vec<String> = (0..found.len()).map(|number| number.to_string()).collect();
    assert_eq!(found, expected, "in order");
    assert!(found.len() >= confirmed, "{} of {confirmed}", found.len());
    assert!(publish(&two, "routed".into()).await.await.unwrap().is_ack());
    let got = two.basic_get("q".into(), no_ack).await.unwrap();
    assert_eq!(got.unwrap().delivery.data, b"routed", "the binding is there");
    server.kill();
}
