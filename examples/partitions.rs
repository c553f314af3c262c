//! Work that is spread over partitions by key: a super stream of three, a worker for each, and
//! another worker who goes on where one has stopped.
//!
//!     cargo run --example partitions

use std::collections::BTreeMap;
use std::error::Error;

use leveret::{Broker, Publish, StreamStart, SuperStreamDeclare};

/// The orders of each customer, as a worker has seen them.
type Seen = BTreeMap<String, Vec<u32>>;

/// Works on up to `max` orders of a partition, from behind what was done before.
fn work(broker: &Broker, partition: &str, max: usize) -> Result<Seen, Box<dyn Error>> {
    let mut seen = Seen::new();
    let stream = broker.stream("/", partition)?;
    // Who bears this name goes on behind the last order that somebody of this name had done with.
    // An order counts as done when the next one is asked for.
    let mut orders = stream.read_as("billing", StreamStart::First)?;
    for _ in 0..max {
        let Some(order) = orders.try_recv() else { break };
        let order = order?;
        seen.entry(order.routing_key().to_owned()).or_default().push(order.text().parse()?);
    }
    Ok(seen)
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::new();
    broker.create_super_stream("/", &SuperStreamDeclare::new("orders", 3))?;

    // The exchange finds the partition by the hash that stream clients use: a customer is always
    // in the same one.
    let channel = broker.connect()?.open_channel()?;
    let customers = ["ada", "bob", "eve", "joe", "kim", "lea", "max", "zoe"];
    for number in 0..10 {
        for customer in customers {
            let order = Publish::to_exchange("orders", customer).body(number.to_string());
            assert!(channel.publish(order).wait()?.is_ack());
        }
    }

    let mut all = Seen::new();
    for partition in broker.partitions("/", "orders")? {
        // The first worker stops after seven orders: the last of them was not done with.
        let begun = work(&broker, &partition, 7)?;
        let rest = work(&broker, &partition, usize::MAX)?;
        let names: Vec<_> = rest.keys().collect();
        println!("{partition}: {names:?}");
        for (customer, orders) in begun.into_iter().chain(rest) {
            all.entry(customer).or_default().extend(orders);
        }
    }

    // Every order was seen, each customer's in order; one of each partition twice at most.
    assert_eq!(all.len(), customers.len());
    for orders in all.values_mut() {
        assert!(orders.is_sorted());
        orders.dedup();
        assert_eq!(*orders, (0..10).collect::<Vec<_>>());
    }
    Ok(())
}
