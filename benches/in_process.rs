//! A message from who publishes it to who consumes it, within one process: through the broker, and
//! through channels of Rust that know no queues, routes or acknowledgements.
//!
//! Rounds of the three are interleaved, and the median of each is shown, so that what else the
//! machine does meets all of them alike. In a round of one thread every message is taken before the
//! next is sent; of two threads one sends and the other takes; batches are of 256.
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]

mod figures;

use std::hint::black_box;
use std::sync::Arc;
use std::thread;

use figures::{nanoseconds, scaled, timed};
use leveret::{Broker, Channel, Consume, Consumer, Publish};
use tokio::sync::mpsc;

const BODY: &[u8] = b"sixteen octets!!";
const BATCH: usize = 256;
/// Rounds of each kind with each way.
const ROUNDS: usize = 9;

/// One way for messages, with a name.
trait Way {
    fn name(&self) -> &'static str;

    /// One thread sends and takes, by turns.
    fn one_thread(&mut self, count: usize);
    /// The same with an acknowledgement for each.
    fn acknowledged(&mut self, count: usize);
    /// One thread sends, another takes.
    fn two_threads(&mut self, count: usize);
    /// One thread sends a batch and takes it.
    fn batches(&mut self, count: usize);
}

struct Leveret {
    producer: Channel,
    confirming: Channel,
    no_ack: Consumer,
    acking: Consumer,
    _broker: Broker,
}

impl Leveret {
    fn new() -> Self {
        let broker = Broker::new();
        let connection = broker.connect().expect("an open broker");
        let open = || connection.open_channel().expect("a channel");
        let channel = open();
        let consumer = |queue: &str, no_ack| {
            channel.queue_declare(queue).expect("a new queue");
            let consume = Consume::new(queue);
            let consume = if no_ack { consume.no_ack() } else { consume };
            open().basic_consume_with(&consume).expect("a consumer")
        };
        Self {
            no_ack: consumer("fast", true),
            acking: consumer("careful", false),
            producer: open(),
            confirming: open(),
            _broker: broker,
        }
    }
}

/// As a program does it: a message is made where it is published.
fn publish(channel: &Channel, queue: &str) {
    let publish = Publish::to_queue(queue).body(black_box(BODY));
    channel.basic_publish(publish).expect("published");
}

impl Way for Leveret {
    fn name(&self) -> &'static str {
        "leveret"
    }

    fn one_thread(&mut self, count: usize) {
        for _ in 0..count {
            publish(&self.producer, "fast");
            black_box(self.no_ack.recv().expect("a delivery"));
        }
    }

    fn acknowledged(&mut self, count: usize) {
        for _ in 0..count {
            publish(&self.producer, "careful");
            self.acking.recv().expect("a delivery").ack().expect("acknowledged");
        }
    }

    fn two_threads(&mut self, count: usize) {
        thread::scope(|scope| {
            scope.spawn(|| (0..count).for_each(|_| publish(&self.producer, "fast")));
            for _ in 0..count {
                black_box(self.no_ack.recv().expect("a delivery"));
            }
        });
    }

    fn batches(&mut self, count: usize) {
        for _ in 0..count / BATCH {
            let batch = (0..BATCH).map(|_| Publish::to_queue("fast").body(black_box(BODY)));
            self.confirming.publish_all(batch).expect("published");
            assert_eq!(black_box(self.no_ack.recv_many(BATCH)).len(), BATCH);
        }
    }
}

struct Crossbeam {
    sender: crossbeam::channel::Sender<Arc<[u8]>>,
    receiver: crossbeam::channel::Receiver<Arc<[u8]>>,
}

impl Crossbeam {
    fn new() -> Self {
        let (sender, receiver) = crossbeam::channel::unbounded();
        Self { sender, receiver }
    }

    fn send(&self) {
        self.sender.send(black_box(BODY).into()).expect("a receiver");
    }

    fn receive(&self) {
        black_box(self.receiver.recv().expect("a sender"));
    }
}

impl Way for Crossbeam {
    fn name(&self) -> &'static str {
        "crossbeam"
    }

    fn one_thread(&mut self, count: usize) {
        for _ in 0..count {
            self.send();
            self.receive();
        }
    }

    fn acknowledged(&mut self, count: usize) {
        self.one_thread(count);
    }

    fn two_threads(&mut self, count: usize) {
        thread::scope(|scope| {
            scope.spawn(|| (0..count).for_each(|_| self.send()));
            (0..count).for_each(|_| self.receive());
        });
    }

    fn batches(&mut self, count: usize) {
        for _ in 0..count / BATCH {
            (0..BATCH).for_each(|_| self.send());
            (0..BATCH).for_each(|_| self.receive());
        }
    }
}

struct Tokio {
    sender: mpsc::UnboundedSender<Arc<[u8]>>,
    receiver: mpsc::UnboundedReceiver<Arc<[u8]>>,
}

impl Tokio {
    fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }
}

fn send(sender: &mpsc::UnboundedSender<Arc<[u8]>>) {
    sender.send(black_box(BODY).into()).expect("a receiver");
}

impl Way for Tokio {
    fn name(&self) -> &'static str {
        "tokio mpsc"
    }

    fn one_thread(&mut self, count: usize) {
        for _ in 0..count {
            send(&self.sender);
            black_box(self.receiver.blocking_recv().expect("a sender"));
        }
    }

    fn acknowledged(&mut self, count: usize) {
        self.one_thread(count);
    }

    fn two_threads(&mut self, count: usize) {
        thread::scope(|scope| {
            let sender = &self.sender;
            scope.spawn(move || (0..count).for_each(|_| send(sender)));
            for _ in 0..count {
                black_box(self.receiver.blocking_recv().expect("a sender"));
            }
        });
    }

    fn batches(&mut self, count: usize) {
        let mut taken = Vec::with_capacity(BATCH);
        for _ in 0..count / BATCH {
            (0..BATCH).for_each(|_| send(&self.sender));
            self.receiver.blocking_recv_many(&mut taken, BATCH);
            black_box(&taken);
            taken.clear();
        }
    }
}

/// A kind of round, with its name.
type Kind = (&'static str, fn(&mut dyn Way, usize));

const KINDS: [Kind; 4] = [
    ("one thread", |way, count| way.one_thread(count)),
    ("one thread, acknowledged", |way, count| way.acknowledged(count)),
    ("two threads", |way, count| way.two_threads(count)),
    ("batches of 256", |way, count| way.batches(count)),
];

/// Does rounds of a kind with each way by turns; tells how long a message took with each.
fn measure(ways: &mut [Box<dyn Way>], round: fn(&mut dyn Way, usize)) -> Vec<f64> {
    let count = usize::try_from(scaled(200_000)).expect("a number of messages");
    let mut taken = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for (way, taken) in ways.iter_mut().zip(&mut taken) {
            let ((), elapsed) = timed(|| round(&mut **way, count));
            taken.push(nanoseconds(elapsed) / count as f64);
        }
    }
    taken.into_iter().map(median).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// `cargo bench --bench in_process -- acknowledged` measures only what has this in its name.
fn main() {
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let mut ways: Vec<Box<dyn Way>> =
        vec![Box::new(Leveret::new()), Box::new(Crossbeam::new()), Box::new(Tokio::new())];
    println!("nanoseconds for a message of {} octets, in process", BODY.len());
    print!("{:<28}", "");
    ways.iter().for_each(|way| print!(" {:>12}", way.name()));
    println!();
    for (what, round) in KINDS {
        if only.as_ref().is_some_and(|only| !what.contains(only)) {
            continue;
        }
        print!("{what:<28}");
        measure(&mut ways, round).iter().for_each(|taken| print!(" {taken:>12.0}"));
        println!();
    }
}
