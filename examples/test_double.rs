//! Testing code that relies on time, without sleeping: a broker on a manual clock. A job that
//! nobody finishes within a minute is retried, and given up after its second death.
//!
//!     cargo run --example test_double

use std::error::Error;
use std::time::Duration;

use leveret::{AMQPValue, Broker, Channel, Delivery, Publish, QueueDeclare};

/// A queue whose messages go to another queue when they die.
fn declare(channel: &Channel, queue: &str, ttl_ms: u32, next: &str) -> leveret::Result<()> {
    let declare = QueueDeclare::new(queue)
        .argument("x-message-ttl", ttl_ms)
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", next);
    channel.queue_declare_with(&declare).map(drop)
}

/// The code under test: a job that has died twice is given up.
fn should_give_up(job: &Delivery) -> bool {
    match job.headers().inner().get("x-death") {
        Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().len() >= 2,
        _ => false,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::for_tests();
    let channel = broker.connect()?.open_channel()?;
    declare(&channel, "jobs", 60_000, "retries")?;
    declare(&channel, "retries", 30_000, "failures")?;
    channel.queue_declare("failures")?;

    channel.basic_publish(Publish::to_queue("jobs").body("resize image 7"))?;
    broker.advance(Duration::from_millis(59_999));
    let job = channel.basic_get("jobs")?.ok_or("it expired too early")?;
    assert!(!should_give_up(&job));
    job.requeue()?; // back to where it was; its time goes on

    broker.advance(Duration::from_millis(1));
    assert!(channel.basic_get("jobs")?.is_none(), "it expired");
    let retry = channel.basic_get("retries")?.ok_or("it did not reach the second queue")?;
    assert!(!should_give_up(&retry));
    retry.requeue()?;

    broker.advance(Duration::from_secs(3600)); // no time passes
    let failure = channel.basic_get("failures")?.ok_or("it did not reach the last queue")?;
    assert!(should_give_up(&failure));
    println!("{} was given up", failure.text());
    failure.ack()?;
    Ok(())
}
