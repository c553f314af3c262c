//! Dead letters along a chain: rejected in the first queue, expired at once in those between, at
//! rest in the last. One line for each figure; as a test with a hundredth of the messages.
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]

use leveret::{AMQPValue, Broker, Channel, ManualClock, Nack, Publish, QueueDeclare};

mod figures;

use figures::{nanoseconds, print, scaled, timed};

const BODY: &[u8] = b"sixteen octets!!";
const QUEUES: usize = 5;

fn name(number: usize) -> String {
    format!("q{number}")
}

/// Each queue but the last dead-letters to the next; those between keep nothing.
fn declare_chain(channel: &Channel) {
    channel.exchange_declare("dlx", "direct").expect("a new exchange");
    for number in 0..QUEUES {
        let mut declare = QueueDeclare::new(name(number));
        let arguments = &mut declare.arguments;
        let mut set = |name: &str, value| {
            arguments.insert(name.into(), value);
        };
        if number + 1 < QUEUES {
            set("x-dead-letter-exchange", AMQPValue::LongString("dlx".into()));
            let next = AMQPValue::LongString(name(number + 1).into());
            set("x-dead-letter-routing-key", next);
            if number > 0 {
                set("x-message-ttl", AMQPValue::LongLongInt(0));
            }
        }
        channel.queue_declare_with(&declare).expect("a new queue");
        channel.queue_bind(&name(number), "dlx", &name(number)).expect("bound");
    }
}

/// Sends `count` messages down the chain; `reject` rejects all that the first queue gave out.
fn run(what: &str, count: u64, reject: impl Fn(&Channel, u64)) {
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let connection = broker.connect().expect("an open broker");
    let channel = connection.open_channel().expect("a channel");
    declare_chain(&channel);
    let publish = Publish::to_queue(name(0)).body(BODY);
    for _ in 0..count {
        channel.basic_publish(publish.clone()).expect("published");
        channel.basic_get(&name(0)).expect("the queue").expect("a message");
    }
    let ((), elapsed) = timed(|| reject(&channel, count));
    let hops = count * (QUEUES as u64 - 1);
    print(what, count as f64 / elapsed.as_secs_f64(), "messages/s");
    print(format!("{what}, each of 4 steps"), nanoseconds(elapsed) / hops as f64, "ns");
    let arrived = channel.queue_delete(&name(QUEUES - 1)).expect("deleted");
    assert_eq!(arrived as u64, count);
}

fn main() {
    let count = scaled(200_000);
    run("reject one by one, chain of 5 queues", count, |channel, count| {
        for tag in 1..=count {
            channel.basic_nack(tag, &Nack::new()).expect("rejected");
        }
    });
    run("reject all at once, chain of 5 queues", count, |channel, _| {
        channel.basic_nack(0, &Nack::new().multiple()).expect("rejected");
    });
}
