//! Invoices that nobody takes within an hour are reminded of.

use std::error::Error;
use std::time::Duration;

use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ConnectionProperties};
use leveret::Broker;

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(1);

// The program under test: what lies in `invoices` for an hour goes to `reminders`.
async fn declare_queues(channel: &Channel) -> lapin::Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongUInt(3_600_000));
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("reminders".into()));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("invoices".into(), durable, arguments).await?;
    channel.queue_declare("reminders".into(), durable, FieldTable::default()).await?;
    Ok(())
}

async fn send(channel: &Channel, invoice: &str) -> lapin::Result<()> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let confirm = channel.basic_publish(
        "".into(),
        "invoices".into(),
        options,
        invoice.as_bytes(),
        properties,
    );
    confirm.await?.await?;
    Ok(())
}

#[tokio::test]
async fn an_invoice_is_reminded_of_after_an_hour() -> Result<(), Box<dyn Error>> {
    let broker = Broker::for_tests();
    let connection = leveret::lapin::connect(&broker, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    declare_queues(&channel).await?;
    send(&channel, "invoice 7").await?;

    broker.advance(HOUR - MOMENT);
    broker.journal().dead_lettered().assert_none();
    broker.advance(MOMENT);
    broker.journal().dead_lettered().in_queue("invoices").to_queue("reminders").assert_one();

    let reminder = channel.basic_get("reminders".into(), BasicGetOptions { no_ack: true }).await?;
    assert_eq!(reminder.map(|got| got.delivery.data), Some(b"invoice 7".to_vec()));
    Ok(())
}
