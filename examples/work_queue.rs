//! A work queue: several consumers share it, each with one job at a time (prefetch 1). A worker
//! that goes away loses nothing: its job goes to another one.
//!
//!     cargo run --example work_queue

use std::error::Error;
use std::sync::mpsc;
use std::thread;

use leveret::{Broker, Connection, Publish};

const JOBS: usize = 30;

/// Works until the queue is deleted, and reports each job.
fn work(name: usize, connection: &Connection, done: &mpsc::Sender<String>) -> leveret::Result<()> {
    let channel = connection.open_channel()?;
    channel.basic_qos(1)?;
    for job in channel.basic_consume("jobs")? {
        let report = format!("worker {name}: {}", String::from_utf8_lossy(job.body()));
        job.ack()?;
        if done.send(report).is_err() {
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
    println!("one worker leaves {} undone", String::from_utf8_lossy(job.body()));
    quitter.close();

    let (done, reports) = mpsc::channel();
    let workers: Vec<_> = (1..=3)
        .map(|name| {
            let (connection, done) = (connection.clone(), done.clone());
            thread::spawn(move || work(name, &connection, &done))
        })
        .collect();
    drop(done);

    let mut finished: Vec<_> = reports.iter().take(JOBS).collect();
    channel.queue_delete("jobs")?; // ends the consumers
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    finished.iter().for_each(|report| println!("{report}"));
    finished.sort_by_key(|report| report.split(": ").last().map(str::to_owned));
    finished.dedup_by_key(|report| report.split(": ").last().map(str::to_owned));
    assert_eq!(finished.len(), JOBS, "every job was done once");
    Ok(())
}
