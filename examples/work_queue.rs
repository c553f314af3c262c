//! A work queue: several consumers share it, each with one job at a time (prefetch 1). A worker
//! that goes away loses nothing: its job goes to another one.
//!
//!     cargo run --example work_queue

use std::error::Error;
use std::sync::mpsc;
use std::thread;

use leveret::{Broker, Consumer, Publish};

const JOBS: usize = 30;

/// Works until the consumer ends, and reports each job.
fn work(
    consumer: Consumer,
    worker: usize,
    done: &mpsc::Sender<(String, usize)>,
) -> leveret::Result<()> {
    for job in consumer {
        let name = job.text();
        job.ack()?;
        if done.send((name, worker)).is_err() {
            break;
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::new();
    let connection = broker.connect()?;
    let channel = connection.open_channel()?;
    channel.queue_declare("jobs")?;
    for number in 1..=JOBS {
        channel.basic_publish(Publish::to_queue("jobs").body(format!("job {number}")))?;
    }

    // A worker that takes a job and ends without having done it.
    let quitter = broker.connect()?;
    let job = quitter.open_channel()?.basic_get("jobs")?.ok_or("there is no job")?;
    println!("one worker leaves {} undone", job.text());
    quitter.close();

    let (done, reports) = mpsc::channel();
    let mut workers = Vec::new();
    for worker in 1..=3 {
        let channel = connection.open_channel()?;
        channel.basic_qos(1)?;
        let (consumer, done) = (channel.basic_consume("jobs")?, done.clone());
        workers.push(thread::spawn(move || work(consumer, worker, &done)));
    }

    let mut finished: Vec<_> = reports.iter().take(JOBS).collect();
    channel.queue_delete("jobs")?; // ends the consumers
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    finished.iter().for_each(|(job, worker)| println!("worker {worker}: {job}"));
    finished.sort();
    finished.dedup_by(|(job, _), (other, _)| job == other);
    assert_eq!(finished.len(), JOBS, "every job was done once");
    Ok(())
}
