//! A service that is written with lapin, tested against a real broker in the same process: no
//! port, no container, and the hour that an order may stay unpaid passes at once.
//!
//!     cargo run --example lapin_in_memory --features lapin

use std::error::Error;
use std::time::Duration;

use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use leveret::Broker;

/// The code under test. It gets a connection, and does not know to what.
struct Shop {
    channel: Channel,
}

impl Shop {
    async fn open(connection: &Connection) -> lapin::Result<Self> {
        let channel = connection.create_channel().await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-message-ttl".into(), AMQPValue::LongUInt(3_600_000));
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
        let to = AMQPValue::LongString("orders.expired".into());
        arguments.insert("x-dead-letter-routing-key".into(), to);
        channel.queue_declare("orders.unpaid".into(), Default::default(), arguments).await?;
        let none = FieldTable::default();
        channel.queue_declare("orders.expired".into(), Default::default(), none).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { channel })
    }

    async fn order(&self, what: &str) -> lapin::Result<()> {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let queue = "orders.unpaid".into();
        let confirm =
            self.channel.basic_publish("".into(), queue, options, what.as_bytes(), properties);
        confirm.await?.await.map(drop)
    }

    /// The next order that nobody paid for in time.
    async fn next_expired(&self) -> lapin::Result<Option<String>> {
        let options = BasicGetOptions { no_ack: true };
        let got = self.channel.basic_get("orders.expired".into(), options).await?;
        Ok(got.map(|order| String::from_utf8_lossy(&order.data).into_owned()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::for_tests();
    let connection = leveret::lapin::connect(&broker, ConnectionProperties::default()).await?;
    let shop = Shop::open(&connection).await?;

    shop.order("a hare of bronze").await?;
    broker.advance(Duration::from_millis(3_599_999));
    assert_eq!(shop.next_expired().await?, None);
    broker.advance(Duration::from_millis(1));
    let expired = shop.next_expired().await?;
    assert_eq!(expired.as_deref(), Some("a hare of bronze"));
    println!("an hour later: {} was not paid for", expired.unwrap_or_default());

    // The test looks behind the scenes without a client.
    let behind = broker.connect()?.open_channel()?;
    assert!(behind.basic_get("orders.unpaid")?.is_none());
    connection.close(200, "done".into()).await?;
    Ok(())
}
