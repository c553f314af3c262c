//! A broker inside the program that clients reach over AMQP 0-9-1: here lapin, on a free port.
//!
//!     cargo run --example gateway

use std::error::Error;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use leveret::Broker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::new();
    let address = broker.listen("127.0.0.1:0")?;
    println!("AMQP on {address}, user guest, password guest");

    // Any client of RabbitMQ will do, in any language.
    let uri = format!("amqp://guest:guest@{address}");
    let client = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = client.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (options, arguments) = (QueueDeclareOptions::default(), FieldTable::default());
    channel.queue_declare("greetings".into(), options, arguments).await?;
    let confirm = channel
        .basic_publish(
            "".into(),
            "greetings".into(),
            BasicPublishOptions::default(),
            b"hello from lapin",
            BasicProperties::default(),
        )
        .await?
        .await?;
    assert!(confirm.is_ack());

    // The program itself needs no socket: both sides use the same queues.
    let greeting = broker.connect()?.open_channel()?.basic_get("greetings")?;
    let greeting = greeting.ok_or("there is no message")?;
    println!("received: {}", greeting.text());
    greeting.ack()?;

    client.close(200, "bye".into()).await?;
    Ok(())
}
