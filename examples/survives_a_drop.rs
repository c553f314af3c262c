//! A consumer that survives the loss of its connection, and the test that shows it does: an
//! acknowledgement and a delivery are lost on their way, and a connection with each.
//!
//!     cargo run --example survives_a_drop --features lapin

use std::error::Error;
use std::pin::Pin;

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{ConnectionProperties, Consumer};
use leveret::faults::Method;
use leveret::lapin::Connector;
use leveret::{Broker, ManualClock, Publish};

/// The code under test: it charges each order once, whatever happens to its connections.
#[derive(Default)]
struct Cashier {
    deliveries: usize,
    charged: Vec<String>,
}

impl Cashier {
    /// Works until so many orders are charged, over as many connections as it takes.
    async fn charge(&mut self, orders: usize, connector: &Connector) {
        while let Err(error) = self.work(orders, connector).await {
            println!("a connection is over: {error}");
        }
    }

    /// Works for as long as one connection lasts.
    async fn work(&mut self, orders: usize, connector: &Connector) -> lapin::Result<()> {
        let connection = connector.connect(ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let none = FieldTable::default();
        let consuming = channel.basic_consume("orders".into(), "".into(), Default::default(), none);
        let mut consumer = consuming.await?;
        while self.charged.len() < orders {
            let Some(delivery) = next(&mut consumer).await else { break };
            let delivery = delivery?;
            self.deliveries += 1;
            let order = String::from_utf8_lossy(&delivery.data).into_owned();
            // What was delivered before may have been charged, and its acknowledgement lost.
            if !self.charged.contains(&order) {
                self.charged.push(order);
            }
            delivery.acker.ack(BasicAckOptions::default()).await?;
        }
        connection.close(200, "done".into()).await
    }
}

async fn next(consumer: &mut Consumer) -> Option<lapin::Result<Delivery>> {
    std::future::poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let behind = broker.connect()?.open_channel()?;
    behind.queue_declare("orders")?;
    for order in ["a hare", "a fox", "an owl"] {
        behind.basic_publish(Publish::to_queue("orders").body(order))?;
    }
    let faults = broker.faults();
    faults.on(Method::BasicAck).nth(2).drop_connection();
    faults.deliveries().for_queue("orders").nth(4).drop_connection();

    let mut cashier = Cashier::default();
    cashier.charge(3, &Connector::new(&broker)).await;

    faults.assert_all_fired();
    assert_eq!(cashier.charged, ["a hare", "a fox", "an owl"]);
    assert!(behind.basic_get("orders")?.is_none());
    println!("{} deliveries, and each order was charged once", cashier.deliveries);
    Ok(())
}
