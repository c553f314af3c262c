//! A broker inside the program: publish, wait for confirms, consume, acknowledge.
//!
//!     cargo run --example embedded

use std::error::Error;
use std::thread;

use leveret::{Broker, Confirmed, Publish};

fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::new();
    let connection = broker.connect()?;

    let channel = connection.open_channel()?;
    channel.exchange_declare("orders", "topic")?;
    channel.queue_declare("billing")?;
    channel.queue_bind("billing", "orders", "order.#")?;

    // A consumer waits on its own thread. It is an iterator, and ends when it is cancelled or its
    // channel, queue, connection or broker goes away.
    let consumer = connection.open_channel()?.basic_consume("billing")?;
    let billing = thread::spawn(move || -> leveret::Result<Vec<String>> {
        let mut billed = Vec::new();
        for order in consumer.iter().take(3) {
            billed.push(order.text());
            order.ack()?;
        }
        Ok(billed)
    });

    for number in 1..=3 {
        let order = Publish::to_exchange("orders", "order.created").body(format!("order {number}"));
        match channel.publish(order.mandatory()).wait()? {
            Confirmed::Ack => println!("order {number}: accepted"),
            Confirmed::Nack => println!("order {number}: a queue refused it"),
            Confirmed::Returned(message) => println!("nobody wants {message:?}"),
        }
    }
    let billed = billing.join().map_err(|_| "the consumer panicked")??;
    println!("billed: {}", billed.join(", "));
    assert_eq!(billed, ["order 1", "order 2", "order 3"]);
    Ok(())
}
