//! Five and a half minutes of retries in a few milliseconds: a job that fails is tried again after
//! 5 s, 30 s and 5 min, then given up. The clock goes from one event to the next.
//!
//!     cargo run --example time_travel

use std::error::Error;
use std::time::Duration;

use leveret::{AMQPValue, Broker, Channel, Delivery, ManualClock, Publish, QueueDeclare};

/// How long a job waits after its first failure, its second and its third.
const DELAYS_S: [u32; 3] = [5, 30, 300];

/// A queue in which a message waits until it goes back to `jobs`.
fn declare_delay(channel: &Channel, delay_s: u32) -> leveret::Result<()> {
    let declare = QueueDeclare::new(waiting(delay_s))
        .argument("x-message-ttl", delay_s * 1000)
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", "jobs");
    channel.queue_declare_with(&declare).map(drop)
}

fn waiting(delay_s: u32) -> String {
    format!("jobs.in-{delay_s}-s")
}

/// How often a job has failed. What RabbitMQ itself counts, in `x-death`, does not outlast being
/// published again.
fn failures(job: &Delivery) -> usize {
    match job.headers().inner().get("failures") {
        Some(&AMQPValue::LongUInt(failures)) => failures as usize,
        _ => 0,
    }
}

/// The code under test: every attempt fails.
fn fail(channel: &Channel, job: &Delivery) -> leveret::Result<()> {
    let failures = failures(job);
    let next = DELAYS_S.get(failures).map_or("jobs.failed".into(), |&delay_s| waiting(delay_s));
    let count = AMQPValue::LongUInt(failures as u32 + 1);
    let retry = Publish::to_queue(&next).body(job.body().to_vec()).header("failures", count);
    channel.basic_publish(retry)?;
    job.ack()
}

fn main() -> Result<(), Box<dyn Error>> {
    let stopwatch = Broker::new(); // on real time
    let started = stopwatch.now();

    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let channel = broker.connect()?.open_channel()?;
    channel.queue_declare("jobs")?;
    channel.queue_declare("jobs.failed")?;
    DELAYS_S.iter().try_for_each(|&delay_s| declare_delay(&channel, delay_s))?;

    let first = broker.now();
    channel.basic_publish(Publish::to_queue("jobs").body("resize image 7"))?;
    loop {
        if let Some(job) = channel.basic_get("jobs")? {
            let elapsed_s = broker.now().as_seconds() - first.as_seconds();
            println!("after {elapsed_s:>3} s: attempt {}", failures(&job) + 1);
            fail(&channel, &job)?;
        } else if broker.advance_to_next_event().is_none() {
            break;
        }
    }

    let given_up = channel.basic_get("jobs.failed")?.ok_or("it was not given up")?;
    assert_eq!(failures(&given_up), DELAYS_S.len() + 1);
    given_up.ack()?;
    let total = Duration::from_secs(DELAYS_S.iter().map(|&delay_s| u64::from(delay_s)).sum());
    assert_eq!(broker.now(), first + total);
    let real_ms = stopwatch.now().as_millis() - started.as_millis();
    println!("{total:?} passed in {real_ms} ms");
    Ok(())
}
