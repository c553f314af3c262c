//! Asserting what a saga did through the journal: an order reserves stock, then pays; when the
//! payment fails, the reservation has to be taken back, once, and after the failure.
//!
//!     cargo run --example saga

use std::error::Error;
use std::time::Duration;

use leveret::journal::DeathReason;
use leveret::{Broker, Channel, Delivery, ManualClock, Publish, QueueDeclare};

const LIMIT: Duration = Duration::from_secs(10);

/// One step of the saga, on a thread of its own: takes commands, publishes what follows.
fn serve(
    broker: &Broker,
    queue: &'static str,
    step: impl Fn(&Channel, &Delivery) -> leveret::Result<()> + Send + 'static,
) -> leveret::Result<()> {
    let channel = broker.connect()?.open_channel()?;
    let consumer = channel.basic_consume(queue)?;
    std::thread::spawn(move || {
        for delivery in consumer {
            if let Err(error) = step(&channel, &delivery) {
                eprintln!("{queue}: {error}");
            }
        }
    });
    Ok(())
}

fn send(channel: &Channel, key: &str, order: &Delivery) -> leveret::Result<()> {
    let body = order.body().to_vec();
    channel.basic_publish(Publish::to_exchange("saga", key).body(body))
}

/// The saga under test. No service takes payments: they wait until they expire.
fn start_saga(broker: &Broker) -> leveret::Result<Channel> {
    let channel = broker.connect()?.open_channel()?;
    channel.exchange_declare("saga", "topic")?;
    let payments = QueueDeclare::new("payment.take")
        .argument("x-message-ttl", 30_000)
        .argument("x-dead-letter-exchange", "saga")
        .argument("x-dead-letter-routing-key", "payment.failed");
    channel.queue_declare_with(&payments)?;
    for queue in ["stock.reserve", "stock.release", "payment.take", "payment.failed"] {
        if queue != "payment.take" {
            channel.queue_declare(queue)?;
        }
        channel.queue_bind(queue, "saga", queue)?;
    }
    serve(broker, "stock.reserve", |channel, order| {
        send(channel, "payment.take", order)?;
        order.ack()
    })?;
    serve(broker, "payment.failed", |channel, order| {
        send(channel, "stock.release", order)?;
        order.ack()
    })?;
    serve(broker, "stock.release", |_, order| order.ack())?;
    Ok(channel)
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::builder().manual_clock(ManualClock::default()).journal(1000).build();
    let channel = start_saga(&broker)?;
    let order = Publish::to_exchange("saga", "stock.reserve").body("order 7");
    channel.basic_publish(order)?;

    let journal = broker.journal();
    broker.eventually(|_| !journal.enqueued().in_queue("payment.take").is_empty(), LIMIT);
    broker.wait_until_idle(LIMIT)?;
    journal.published().with_key("stock.release").assert_none();

    broker.advance(Duration::from_secs(30)); // nobody took the payment
    broker.eventually(|_| !journal.acked().in_queue("stock.release").is_empty(), LIMIT);
    broker.wait_until_idle(LIMIT)?;

    let dead = journal.dead_lettered().because(DeathReason::Expired);
    dead.assert_one();
    dead.assert_before(&journal.published().with_key("stock.release"));
    journal.published().with_key("stock.release").assert_texts(["order 7"]);
    journal.delivered().redelivered().assert_none();
    journal.assert_nothing_lost();
    println!("{}", journal.published());
    Ok(())
}
