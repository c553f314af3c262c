//! A publisher that loses nothing when the broker crashes, and the test that shows it: it sends
//! again what was not confirmed, and what then comes twice is known by its message id.
//!
//!     cargo run --example survives_a_crash

use std::collections::BTreeMap;
use std::error::Error;

use leveret::{Broker, Channel, Machine, Publish, QueueDeclare, Result};

/// The code under test: orders leave this outbox when the broker has confirmed them.
struct Outbox {
    orders: BTreeMap<String, &'static str>,
    sent: usize,
}

impl Outbox {
    fn new(orders: &[&'static str]) -> Self {
        let numbered = orders.iter().enumerate();
        let orders = numbered.map(|(number, order)| (format!("order-{number}"), *order));
        Self { orders: orders.collect(), sent: 0 }
    }

    /// Sends what is left, until that is done or the connection is lost.
    fn send(&mut self, channel: &Channel) -> Result<()> {
        channel.queue_declare_with(&QueueDeclare::new("orders").durable())?;
        while let Some((id, order)) = self.orders.first_key_value() {
            let publish = Publish::to_queue("orders").body(*order).persistent().message_id(id);
            self.sent += 1;
            if channel.publish(publish).wait()?.is_ack() {
                self.orders.pop_first();
            }
        }
        Ok(())
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    // The machine keeps what was synced when a broker on it crashes.
    let machine = Machine::new();
    let mut outbox = Outbox::new(&["a hare", "a fox", "an owl", "a hedgehog"]);
    // The first broker crashes before the second order, the next one right after it took another:
    // whether that order is on disk is a matter of luck.
    for (number, crash) in [(2, false), (1, true)] {
        let broker = Broker::builder().open_on_machine(&machine)?;
        let publishes = broker.faults().publishes().nth(number);
        if crash {
            publishes.afterwards().crash()
        } else {
            publishes.crash()
        };
        if let Err(lost) = outbox.send(&broker.connect()?.open_channel()?) {
            println!("{} orders are left: {lost}", outbox.orders.len());
        }
        broker.faults().assert_all_fired();
    }
    let broker = Broker::builder().open_on_machine(&machine)?;
    let channel = broker.connect()?.open_channel()?;
    outbox.send(&channel)?;

    let mut arrived = BTreeMap::new();
    while let Some(order) = channel.basic_get_no_ack("orders")? {
        let id = order.properties().message_id().clone().map(|id| id.to_string());
        arrived.insert(id, order.text());
    }
    let orders: Vec<_> = arrived.values().collect();
    assert_eq!(orders, ["a hare", "a fox", "an owl", "a hedgehog"]);
    println!("{} orders arrived, though they were sent {} times", orders.len(), outbox.sent);
    Ok(())
}
