//! To three nodes of RabbitMQ, under load. Skipped, with a line, where it is not installed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use leveret::{Binding, Broker, ExchangeDeclare, Publish, QueueDeclare};
use parking_lot::Mutex;

use crate::cluster::Cluster;
use crate::command::Migration;
use crate::load::{Came, Places, consume, drain, produce};

const QUEUES: usize = 20;

/// Messages in all queues together before it begins, unless the environment says otherwise.
const MESSAGES: u64 = 20_000;

/// How long anything but moving may take.
const SOON: Duration = Duration::from_secs(60);

fn messages() -> u64 {
    let asked = std::env::var("LEVERET_MIGRATION_MESSAGES").ok();
    asked.map_or(MESSAGES, |number| number.parse().unwrap())
}

fn queue(number: usize) -> String {
    format!("q{number}")
}

/// A leveret with full queues; every second one is a quorum queue.
fn full(each: u64) -> (Broker, String) {
    let broker = Broker::new();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.exchange_declare_with(&ExchangeDeclare::new("work", "topic").durable()).unwrap();
    for number in 0..QUEUES {
        let name = queue(number);
        let kind = if number % 2 == 0 { "quorum" } else { "classic" };
        let declare = QueueDeclare::new(&name).durable().argument("x-queue-type", kind);
        channel.queue_declare_with(&declare).unwrap();
        let binding = Binding::new("work", format!("*.{name}"));
        channel.queue_bind_with(&name, &binding).unwrap();
        let all = (0..each).map(|message| {
            let key = format!("to.{name}");
            Publish::to_exchange("work", key).body(message.to_string()).persistent()
        });
        channel.publish_all(all).unwrap();
    }
    let address = broker.listen("127.0.0.1:0").unwrap();
    (broker, format!("amqp://guest:guest@{address}"))
}

/// All came that was confirmed, to each consumer in order but for what says that it may have come
/// before.
fn check(queue: &str, came: &[Vec<Came>], confirmed: u64) {
    let numbers: HashSet<u64> = came.iter().flatten().map(|came| came.number).collect();
    let missing: Vec<_> = (0..confirmed).filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty(), "{queue} has lost {} messages: {missing:?}", missing.len());
    let mut seen = HashSet::new();
    for came in came {
        let mut last = None;
        for came in came {
            let is_new = seen.insert(came.number);
            assert!(is_new || came.is_flagged, "{queue} has {came:?} twice without a word");
            if !came.is_flagged {
                assert!(last < Some(came.number), "{queue}: {came:?} after {last:?}");
                last = Some(came.number);
            }
        }
    }
}

#[test]
fn a_leveret_under_load_moves_to_a_cluster_of_which_a_node_dies_and_comes_back() {
    let Some(mut cluster) = Cluster::start() else { return };
    let each = messages() / QUEUES as u64;
    let (broker, uri) = full(each);
    let places = Places::at(&uri);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let last = Arc::new(AtomicU64::new(each));
    let producer = runtime.spawn(produce(Arc::clone(&places), QUEUES, each, Arc::clone(&last)));
    let came = Arc::new(Mutex::new(Vec::new()));
    let consumer = {
        let (places, came) = (Arc::clone(&places), Arc::clone(&came));
        runtime.spawn(async move { consume(places, "q0", came).await })
    };

    let migration = Migration::of(&broker, &cluster);
    let dry = migration.run(&["--quorum", "--dry-run"]);
    assert!(dry.is_well && dry.output.contains("this was a dry run"), "{dry:?}");
    assert!(broker.virtual_host("/").unwrap().shovels().is_empty());

    let moving = migration.start(&["--quorum"]);
    let confirmed = |broker: &Broker| {
        let shovels = broker.virtual_host("/").unwrap().shovels();
        shovels.iter().map(|shovel| shovel.confirmed).sum::<u64>()
    };
    let is_far = |broker: &Broker| confirmed(broker) > each * QUEUES as u64 / 4;
    broker.wait_until(SOON * 10, is_far).unwrap();
    cluster.kill(2);
    let further = confirmed(&broker) + each;
    broker.wait_until(SOON * 10, |broker| confirmed(broker) > further).unwrap();
    cluster.boot(2);
    let moved = moving.wait();
    assert!(moved.is_well && moved.output.contains("All queues are empty"), "{moved:?}");
    cluster.wait_for_nodes(3);

    let switched = migration.run(&["--quorum", "--switch"]);
    assert!(switched.is_well, "{switched:?}");
    assert!(broker.virtual_host("/").unwrap().shovels().is_empty());
    // The producer goes on at the cluster.
    let before = last.load(Ordering::Acquire);
    broker.wait_until(SOON, |_| last.load(Ordering::Acquire) > before + 20).unwrap();
    let sent_away = places.sent_away();
    assert!(sent_away.iter().any(|text| text.contains("CONNECTION_FORCED")), "{sent_away:?}");
    places.has_ended.store(true, Ordering::Release);
    runtime.block_on(async {
        producer.await.unwrap();
        consumer.await.unwrap();
    });
    runtime.block_on(check_cluster(&places, &came, last.load(Ordering::Acquire)));
}

async fn check_cluster(places: &Places, taken: &Mutex<Vec<Vec<Came>>>, confirmed: u64) {
    let (_connection, channel) = places.connect().await.unwrap();
    for number in 0..QUEUES {
        let name = queue(number);
        let passive = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
        let declared = channel.queue_declare(name.as_str().into(), passive, Default::default());
        let ready = declared.await.unwrap().message_count() as usize;
        let (came, key) = drain(&channel, &name, ready).await;
        let all = match number {
            0 => [taken.lock().as_slice(), &[came]].concat(),
            _ => {
                assert_eq!(key, format!("to.{name}"));
                vec![came]
            }
        };
        check(&name, &all, confirmed);
    }
}
