//! A broker and what it serves end in whatever order they are dropped.

use std::any::Any;
use std::future::Future;
use std::time::Duration;

use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, ConnectionProperties};
use leveret::lapin::Connector;
use leveret::{Broker, ManualClock, Timestamp};

use crate::{on_one_thread, on_threads};

const AT_ONCE: Duration = Duration::from_millis(10);
const HANGS: Duration = Duration::from_secs(10);

type Things = Vec<Box<dyn Any>>;

/// A broker, a connection, a channel and a consumer with a delivery under way.
async fn things(manual: bool) -> Things {
    let builder = Broker::builder();
    let broker = match manual {
        true => builder.manual_clock(ManualClock::default()).build(),
        false => builder.build(),
    };
    let connector = Connector::new(&broker).heartbeat_s(10);
    let connection = connector.connect(ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let none = FieldTable::default;
    channel.queue_declare("q".into(), QueueDeclareOptions::default(), none()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("q".into(), "".into(), options, none()).await.unwrap();
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let sent = channel.basic_publish("".into(), "q".into(), options, b"x", properties).await;
    drop(sent.unwrap());
    vec![Box::new(broker), Box::new(connection), Box::new(channel), Box::new(consumer)]
}

/// The system's time.
fn now() -> Timestamp {
    Broker::new().now()
}

/// All orders of four things.
fn orders() -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for number in 0..256 {
        let order = [number / 64, number / 16 % 4, number / 4 % 4, number % 4];
        if (0..4).all(|thing| order.contains(&thing)) {
            orders.push(order);
        }
    }
    orders
}

fn drop_in_order(things: Things, order: [usize; 4]) {
    let mut things: Vec<_> = things.into_iter().map(Some).collect();
    order.iter().for_each(|&next| drop(things[next].take()));
}

/// How long dropping takes with the end of the runtime, if there is one.
fn dropped(run: impl Fn(std::pin::Pin<Box<dyn Future<Output = Timestamp>>>) -> Timestamp) {
    for manual in [true, false] {
        for order in orders() {
            let attempt = || {
                let began = run(Box::pin(async move {
                    let things = things(manual).await;
                    let began = now();
                    drop_in_order(things, order);
                    // The rest of the test goes on.
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                    }
                    began
                }));
                Duration::from_micros(now().as_micros() - began.as_micros())
            };
            // What hangs by luck does so now and then; what is slow by itself always is.
            let mut attempts = vec![attempt(), attempt(), attempt()];
            while attempts.iter().min() > Some(&AT_ONCE) && attempts.len() < 50 {
                attempts.push(attempt());
            }
            let (best, worst) = (attempts.iter().min().unwrap(), attempts.iter().max().unwrap());
            assert!(best <= &AT_ONCE, "{order:?}, manual: {manual}: {best:?}");
            assert!(worst < &HANGS, "{order:?}, manual: {manual}: {worst:?}");
        }
    }
}

#[test]
fn in_a_runtime_with_one_thread_all_orders_end_at_once() {
    dropped(on_one_thread);
}

#[test]
fn in_a_runtime_with_several_threads_all_orders_end_at_once() {
    dropped(|task| on_threads(2, task));
}

#[test]
fn without_a_runtime_all_orders_end_at_once() {
    dropped(async_rs::util::simple_block_on);
}
