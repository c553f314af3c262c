//! Streams over a restart, a crash, and power cuts.

use std::time::Duration;

use leveret::{
    AMQPValue, Broker, Channel, Consume, Consumer, Durability, Machine, ManualClock, OpenError,
    Publish, QueueDeclare, StreamStart, Timestamp,
};

use crate::power;
use crate::random::Random;
use crate::support::*;

/// How long a consumer waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

fn stream(queue: &str) -> QueueDeclare {
    durable(queue).argument("x-queue-type", "stream")
}

fn read(channel: &Channel, consume: &Consume) -> Consumer {
    channel.basic_qos(1000).unwrap();
    channel.basic_consume_with(consume).unwrap()
}

fn from(offset: i64) -> Consume {
    Consume::new("s").argument("x-stream-offset", offset)
}

/// So many messages with their offsets.
fn take(consumer: &Consumer, count: usize) -> Vec<(i64, String)> {
    let next = || {
        let delivery = consumer.recv_timeout(PATIENCE).expect("another message");
        let offset = match delivery.headers().inner().get("x-stream-offset") {
            Some(AMQPValue::LongLongInt(offset)) => *offset,
            other => panic!("{other:?}"),
        };
        (offset, String::from_utf8(delivery.body().to_vec()).unwrap())
    };
    (0..count).map(|_| next()).collect()
}

fn numbered(numbers: std::ops::Range<i64>) -> Vec<(i64, String)> {
    numbers.map(|number| (number, number.to_string())).collect()
}

fn fill(channel: &Channel, numbers: std::ops::Range<i64>) {
    let publishes = numbers.map(|number| Publish::to_queue("s").body(number.to_string()));
    channel.publish_all(publishes).unwrap();
}

fn messages(broker: &Broker) -> usize {
    broker.virtual_host("/").unwrap().queue("s").unwrap().counts().ready
}

#[test]
fn a_stream_goes_on_after_a_restart() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&stream("s").argument("x-max-age", "365D")).unwrap();
    let tail = read(&one, &Consume::new("s"));
    fill(&one, 0..100);
    assert_eq!(take(&tail, 100), numbered(0..100));
    drop((tail, one, broker));

    let broker = directory.open();
    assert!(broker.recovery().clean && broker.recovery().torn.is_empty());
    assert_eq!(broker.recovery().messages, 100);
    let one = channel(&broker);
    one.queue_declare_with(&stream("s").argument("x-max-age", "365D")).unwrap();
    assert_eq!(take(&read(&one, &from(60)), 40), numbered(60..100));
    let all = read(&one, &from(0));
    fill(&one, 100..110);
    assert_eq!(take(&all, 110), numbered(0..110));
}

#[test]
fn what_was_confirmed_survives_a_crash() {
    for durability in [Durability::Fsync, Durability::Buffered] {
        let directory = Directory::new();
        let broker = directory.open_with(|builder| builder.durability(durability));
        let one = channel(&broker);
        one.queue_declare_with(&stream("s")).unwrap();
        fill(&one, 0..50);
        let copy = directory.crash();
        let after = copy.open();
        assert_eq!(messages(&after), 50);
        assert_eq!(take(&read(&channel(&after), &from(0)), 50), numbered(0..50));
    }
}

#[test]
fn a_deleted_stream_is_gone_with_its_files_and_another_one_is_new() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&stream("s")).unwrap();
    fill(&one, 0..50);
    one.queue_delete("s").unwrap();
    one.queue_declare_with(&stream("s")).unwrap();
    fill(&one, 0..3);
    drop((one, broker));
    let files = std::fs::read_dir(directory.path().join("streams")).unwrap();
    assert!(files.count() <= 3, "a segment, its side file, how far it is");
    let broker = directory.open();
    assert!(broker.recovery().left_out.is_empty(), "{:?}", broker.recovery().left_out);
    assert_eq!(take(&read(&channel(&broker), &from(0)), 3), numbered(0..3));
}

#[test]
fn a_named_consumer_goes_on_over_a_restart_and_a_crash() {
    let directory = Directory::new();
    let named = from(0).argument("x-stream-consumer-name", "projection");
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&stream("s")).unwrap();
    fill(&one, 0..20);
    let consumer = read(&one, &named);
    for _ in 0..5 {
        consumer.recv_timeout(PATIENCE).unwrap().ack().unwrap();
    }
    drop((consumer, one, broker));

    let broker = directory.open();
    let one = channel(&broker);
    let consumer = read(&one, &named);
    let sixth = consumer.recv_timeout(PATIENCE).unwrap();
    assert_eq!(sixth.text(), "5");
    sixth.ack().unwrap();
    // What comes after it takes its offset along.
    fill(&one, 20..21);
    let copy = directory.crash();
    let after = copy.open();
    let found = take(&read(&channel(&after), &named), 15);
    assert!(found == numbered(6..21) || found == numbered(5..20), "{found:?}");
}

#[test]
fn confirms_of_queues_and_streams_come_in_their_order() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&stream("s")).unwrap();
    one.queue_declare_with(&durable("q")).unwrap();
    for queue in ["s", "q"] {
        one.queue_bind(queue, "amq.fanout", "").unwrap();
    }
    let mut confirming = Vec::new();
    for number in 0..300 {
        let body = number.to_string();
        let publish = match number % 3 {
            0 => Publish::to_queue("s"),
            1 => Publish::to_queue("q"),
            _ => Publish::to_exchange("amq.fanout", ""),
        };
        confirming.push(one.publish(publish.body(body).persistent()));
    }
    assert!(confirming.into_iter().all(|confirming| confirming.wait().unwrap().is_ack()));
    let copy = directory.crash();
    let after = copy.open();
    assert_eq!(messages(&after), 200);
    assert_eq!(drain(&channel(&after), "q").len(), 200);
}

#[test]
fn a_dead_letter_is_in_the_stream_before_it_leaves_its_queue() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&stream("s")).unwrap();
    let arguments =
        table([("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", "s".into())]);
    one.queue_declare_with(&durable_with("q", arguments)).unwrap();
    for number in 0..20 {
        confirm(&one, persistent("q", &number.to_string()));
    }
    for _ in 0..20 {
        one.basic_get("q").unwrap().unwrap().reject().unwrap();
        let copy = directory.crash();
        let after = copy.open();
        let (there, left) = (messages(&after), drain(&channel(&after), "q").len());
        assert!(there + left >= 20, "{there} {left}");
    }
    drop((one, broker));
    let broker = directory.open();
    assert_eq!((messages(&broker), drain(&channel(&broker), "q").len()), (20, 0));
}

#[test]
fn retention_goes_on_over_a_restart() {
    let directory = Directory::new();
    let small = stream("s")
        .argument("x-stream-max-segment-size-bytes", 500_i64)
        .argument("x-max-age", "60s");
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&small).unwrap();
    for number in 0..20 {
        confirm(&one, Publish::to_queue("s").body(format!("{number:0200}")));
    }
    assert_eq!(messages(&broker), 20);
    drop((one, broker));
    let broker = directory.open_with(|_| builder(START + 30_000));
    assert_eq!(messages(&broker), 20);
    broker.advance(Duration::from_secs(31));
    assert!(messages(&broker) < 3, "{}", messages(&broker));
    let one = channel(&broker);
    confirm(&one, Publish::to_queue("s").body("20"));
    let found = take(&read(&one, &from(20)), 1);
    assert_eq!(found, [(20, "20".to_owned())]);
}

#[test]
fn a_damaged_chunk_costs_itself_and_is_reported() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&stream("s")).unwrap();
    for number in 0..20 {
        confirm(&one, Publish::to_queue("s").body(number.to_string()));
    }
    drop((one, broker));
    let files = std::fs::read_dir(directory.path().join("streams")).unwrap();
    let mut chunks = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let path = chunks.find(|path| path.extension().is_some_and(|e| e == "chunks")).unwrap();
    let mut octets = std::fs::read(&path).unwrap();
    let at = octets.windows(3).position(|three| three == [0xB0, 0, 0]).unwrap();
    octets[at + 400] ^= 1;
    std::fs::write(&path, octets).unwrap();
    let broker = directory.open();
    let damage = &broker.recovery().damage;
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert!(damage[0].file.ends_with(".chunks"));
    let found = take(&read(&channel(&broker), &from(0)), 19);
    assert_eq!(found.iter().filter(|(offset, body)| *body == offset.to_string()).count(), 19);
}

/// Publishes, reads and acknowledges until the power is cut, again and again. What was confirmed
/// is there, in order and without a gap, and no offset by name is ahead of what was acknowledged.
fn lives(seed: u64) {
    let random = &mut Random::new(seed);
    let machine = Machine::with_seed(seed);
    let named = from(0).argument("x-stream-consumer-name", "n");
    let (mut confirmed, mut acknowledged) = (0_i64, 0_i64);
    for life in 0..4 {
        let broker = Broker::builder().open_on_machine(&machine).unwrap();
        assert!(broker.recovery().damage.is_empty(), "seed {seed}");
        let one = channel(&broker);
        let declare = stream("s").argument("x-stream-max-segment-size-bytes", 4000_i64);
        one.queue_declare_with(&declare).unwrap();
        let there = messages(&broker) as i64;
        assert!(there >= confirmed, "seed {seed}, life {life}: {there} of {confirmed}");
        let found = take(&read(&one, &from(0)), there as usize);
        assert_eq!(found, numbered(0..there), "seed {seed}, life {life}");
        (confirmed, acknowledged) = (there, acknowledged.min(there));
        let reader = channel(&broker);
        let consumer = read(&reader, &named);
        if there > acknowledged || acknowledged > 0 {
            let begins =
                consumer.recv_timeout(Duration::from_millis(if there > 0 { 200 } else { 0 }));
            if let Some(first) = begins {
                let first: i64 = first.text().parse().unwrap();
                assert!(first <= acknowledged, "seed {seed}: {first} was never acknowledged");
            }
        }
        reader.close();
        let other = channel(&broker);
        let consumer = read(&other, &named);
        for _ in 0..random.below(12) {
            let count = 1 + random.below(20) as i64;
            let publishes: Vec<_> = (confirmed..confirmed + count)
                .map(|number| one.publish(Publish::to_queue("s").body(number.to_string())))
                .collect();
            for publish in publishes {
                if publish.wait().is_ok_and(|confirmed| confirmed.is_ack()) {
                    confirmed += 1;
                }
            }
            for _ in 0..random.below(10) {
                let Some(delivery) = consumer.recv_timeout(Duration::from_millis(100)) else {
                    break;
                };
                delivery.ack().unwrap();
                acknowledged = acknowledged.max(delivery.text().parse::<i64>().unwrap() + 1);
            }
        }
        if random.one_in(3) { drop((one, other, consumer, broker)) } else { broker.crash() }
    }
}

#[test]
fn power_cuts_take_nothing_that_was_confirmed() {
    let seeds = std::env::var("LEVERET_CRASH_SEEDS").ok().and_then(|count| count.parse().ok());
    (1..=seeds.unwrap_or(30)).for_each(lives);
}

fn open_on(machine: &power::Machine) -> Result<Broker, OpenError> {
    let clock = ManualClock::new(Timestamp::from_millis(START));
    Broker::builder().manual_clock(clock).open_on(machine.records(), machine.disk())
}

/// A machine without power that has a stream with twenty messages.
fn with_twenty(declare: &QueueDeclare, random: &mut Random) -> power::Remains {
    let machine = power::Machine::new(&power::Remains::nothing(), u64::MAX, random);
    let broker = open_on(&machine).unwrap();
    let one = channel(&broker);
    one.queue_declare_with(declare).unwrap();
    (0..20).for_each(|number| fill(&one, number..number + 1));
    let remains = machine.cut();
    broker.close("there is no power", Duration::ZERO);
    remains
}

#[test]
fn a_stream_whose_deletion_is_cut_off_is_whole_or_gone() {
    let random = &mut Random::new(6);
    let declare = stream("s").argument("x-stream-max-segment-size-bytes", 500_i64);
    let remains = with_twenty(&declare, random);
    let (mut whole, mut gone) = (0, 0);
    for operations in (0..200).flat_map(|operations| [operations; 5]) {
        let machine = power::Machine::new(&remains, operations, random);
        let Ok(broker) = open_on(&machine) else { continue };
        machine.begin_work(1);
        std::thread::scope(|scope| {
            let one = channel(&broker);
            scope.spawn(|| {
                // Without power nobody answers.
                let _ = { one }.queue_delete("s");
                machine.end_work();
            });
            machine.wait();
            broker.close("there is no power", Duration::ZERO);
        });
        let was_cut = machine.is_off();
        let after = power::Machine::new(&machine.cut(), u64::MAX, random);
        let broker = open_on(&after).unwrap();
        assert_eq!(broker.recovery().damage, [], "after {operations} operations");
        match broker.stream("/", "s") {
            Ok(stream) => {
                let found = stream.read(StreamStart::First).unwrap().into_iter().count();
                assert_eq!((found, stream.first_offset()), (20, 0), "after {operations}");
                whole += 1;
            }
            Err(_) => gone += 1,
        }
        if !was_cut {
            break;
        }
    }
    assert!(whole > 0 && gone > 0, "{whole} {gone}");
}

#[test]
fn a_broker_does_not_start_without_one_of_its_streams() {
    let random = &mut Random::new(5);
    let remains = with_twenty(&stream("s"), random);
    let mut refused = 0;
    for operations in 0.. {
        let machine = power::Machine::new(&remains, operations, random);
        match open_on(&machine) {
            Ok(broker) => {
                assert_eq!(messages(&broker), 20, "after {operations} operations");
                break;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "nothing is done to open a broker");
}
