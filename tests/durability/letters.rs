//! Messages that move to a stream, on a machine whose power is cut at a random write or sync,
//! several times in a row: dead letters that expire, are rejected, or are kept until they are
//! delivered, and delayed messages. Each is in the stream once, whatever happens in between.
//!
//! A failing seed is printed. `LEVERET_CRASH_SEEDS=3000` tries more, `LEVERET_CRASH_SEEDS=87..88`
//! one of them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use leveret::{
    Broker, Channel, ExchangeDeclare, ManualClock, OpenError, Publish, QueueDeclare, StreamStart,
    Timestamp,
};

use crate::power::{Machine, Remains};
use crate::random::Random;
use crate::seeds;
use crate::stream_model::name_of;
use crate::support::{START, bodies, channel, durable, durable_with, table};
use crate::worker::{Answer, NoAnswer, answer};

const LIVES: usize = 3;

/// A stream that all letters go to.
const LOG: &str = "log";
/// A queue that some of them go to as well, and that is full most of the time.
const FULL: &str = "full";

/// Time in which everything has come where it belongs: all is due, and what was refused is tried
/// again.
const LATER: Duration = Duration::from_secs(60);

/// What is known of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    confirmed: bool,
    /// It goes to [`FULL`] as well,
    to_full: bool,
    /// from where it was taken.
    taken: bool,
}

/// How often each message was found.
type Found = BTreeMap<String, usize>;

struct Client {
    random: Random,
    now_ms: u64,
    sent: BTreeMap<String, Sent>,
}

fn open(machine: &Machine, now_ms: u64) -> Result<Broker, OpenError> {
    Broker::builder()
        .segment_bytes(8 << 10)
        .manual_clock(ManualClock::new(Timestamp::from_millis(now_ms)))
        .open_on(machine.records(), machine.disk())
}

/// From which messages go to the stream: when they expire, when they are rejected, and kept until
/// they are delivered there and to the queue.
fn sources() -> [QueueDeclare; 3] {
    let to_log = |mut arguments: leveret::FieldTable, exchange: &str| {
        let exchange = leveret::AMQPValue::LongString(exchange.into());
        arguments.insert("x-dead-letter-exchange".into(), exchange);
        let key = leveret::AMQPValue::LongString(LOG.into());
        arguments.insert("x-dead-letter-routing-key".into(), key);
        arguments
    };
    let expiring = table([("x-message-ttl", 300.into())]);
    let keeping = || {
        table([
            ("x-queue-type", "quorum".into()),
            ("x-overflow", "reject-publish".into()),
            ("x-dead-letter-strategy", "at-least-once".into()),
            ("x-message-ttl", 1000.into()),
        ])
    };
    [
        durable_with("expiring", to_log(expiring, "")),
        durable_with("rejecting", to_log(keeping(), "")),
        durable_with("keeping", to_log(keeping(), "fan")),
    ]
}

impl Client {
    fn declare(channel: &Channel) -> Answer {
        let stream = durable(LOG)
            .argument("x-queue-type", "stream")
            .argument("x-stream-max-segment-size-bytes", leveret::AMQPValue::LongLongInt(2000));
        answer(channel.queue_declare_with(&stream))?;
        let full = table([("x-overflow", "reject-publish".into()), ("x-max-length", 2.into())]);
        answer(channel.queue_declare_with(&durable_with(FULL, full)))?;
        let delaying = ExchangeDeclare::new("later", "x-delayed-message").durable();
        let delaying = delaying.argument("x-delayed-type", "fanout");
        for exchange in [ExchangeDeclare::new("fan", "fanout").durable(), delaying] {
            answer(channel.exchange_declare_with(&exchange))?;
        }
        for (queue, exchange) in [(LOG, "fan"), (FULL, "fan"), (LOG, "later")] {
            answer(channel.queue_bind(queue, exchange, ""))?;
        }
        sources().iter().try_for_each(|queue| answer(channel.queue_declare_with(queue)).map(drop))
    }

    fn work(&mut self, broker: &Broker, machine: &Machine, steps: usize) -> Answer {
        let one = answer(answer(broker.connect())?.open_channel())?;
        let plain = answer(answer(broker.connect())?.open_channel())?;
        Self::declare(&one)?;
        (0..steps).try_for_each(|_| self.step(broker, machine, &one, &plain))
    }

    fn step(
        &mut self,
        broker: &Broker,
        machine: &Machine,
        one: &Channel,
        plain: &Channel,
    ) -> Answer {
        match self.random.below(100) {
            0..40 => {
                let count = 1 + self.random.below(3);
                let publishes: Vec<_> = (0..count).map(|_| self.message()).collect();
                let confirming =
                    publishes.into_iter().map(|(name, publish)| (name, one.publish(publish)));
                for (name, confirming) in confirming.collect::<Vec<_>>() {
                    assert!(answer(confirming.wait())?.is_ack());
                    self.sent.entry(name).and_modify(|sent| sent.confirmed = true);
                }
                Ok(())
            }
            40..55 => {
                let (_, publish) = self.message();
                answer(plain.basic_publish(publish))
            }
            55..70 => {
                while let Some(delivery) = answer(plain.basic_get("rejecting"))? {
                    answer(delivery.reject())?;
                }
                Ok(())
            }
            70..75 => {
                while let Some(delivery) = answer(plain.basic_get_no_ack(FULL))? {
                    self.sent.entry(name_of(delivery.body())).and_modify(|sent| sent.taken = true);
                }
                Ok(())
            }
            75 if self.random.one_in(8) => {
                machine.fail(&mut self.random);
                Ok(())
            }
            _ => {
                self.now_ms += 200;
                broker.advance(Duration::from_millis(200));
                if machine.is_off() { Err(NoAnswer) } else { Ok(()) }
            }
        }
    }

    /// A message that will be in the stream.
    fn message(&mut self) -> (String, Publish) {
        let name = format!("m{}", self.sent.len());
        let body = format!("{name}:{}", "x".repeat(self.random.below(300)));
        let source = ["expiring", "rejecting", "keeping", "later", LOG][self.random.below(5)];
        let to_full = source == "keeping";
        self.sent.insert(name.clone(), Sent { to_full, ..Sent::default() });
        let publish = if source == "later" {
            let delay = i64::try_from(self.random.below(500)).unwrap();
            Publish::to_exchange(source, "").header("x-delay", delay)
        } else {
            Publish::to_queue(source)
        };
        (name, publish.body(body).persistent())
    }

    /// What a broker has in the end that finds these remains.
    fn look(&self, remains: &Remains) -> [Found; 2] {
        let machine = Machine::new(remains, u64::MAX, &mut Random::new(1));
        let broker = open(&machine, self.now_ms).unwrap();
        if !remains.has_failed() {
            assert_eq!(broker.recovery().damage, []);
        }
        assert_eq!(broker.recovery().left_out, [""; 0]);
        let one = channel(&broker);
        Self::declare(&one).unwrap_or_else(|NoAnswer| panic!("it does not answer"));
        let (mut in_log, mut in_full) = (Found::new(), Found::new());
        let mut in_vain = 0;
        while in_vain < 2 {
            broker.advance(LATER);
            let taken = bodies(&one, FULL);
            in_vain = if taken.is_empty() { in_vain + 1 } else { 0 };
            let taken = taken.iter().map(|body| name_of(body.as_bytes()));
            taken.for_each(|name| *in_full.entry(name).or_default() += 1);
        }
        // It is answered when everything is durable that was before.
        one.queue_declare_with(&durable("last")).unwrap();
        one.queue_delete("last").unwrap();
        let log = broker.stream("/", LOG).unwrap();
        assert_eq!(log.first_offset(), 0);
        for message in log.read(StreamStart::First).unwrap() {
            *in_log.entry(name_of(message.unwrap().body())).or_default() += 1;
        }
        // They are there for good.
        let remains = machine.cut();
        drop((one, broker));
        let machine = Machine::new(&remains, u64::MAX, &mut Random::new(1));
        let broker = open(&machine, self.now_ms).unwrap();
        let there = broker.stream("/", LOG).unwrap().next_offset();
        assert_eq!(there, in_log.values().sum::<usize>() as u64);
        [in_log, in_full]
    }

    /// What is wrong.
    fn check(&self, remains: &Remains) -> Vec<String> {
        let [in_log, in_full] = self.look(remains);
        let mut wrong = Vec::new();
        for (name, sent) in &self.sent {
            let count = |found: &Found| found.get(name).copied().unwrap_or(0);
            let (log, full) = (count(&in_log), count(&in_full));
            let must = usize::from(sent.confirmed);
            let must_full = usize::from(sent.confirmed && sent.to_full && !sent.taken);
            let may_full = usize::from(sent.to_full);
            if !(must..=1).contains(&log) || !(must_full..=may_full).contains(&full) {
                wrong.push(format!(
                    "{name}, {sent:?}, is in the stream {log} times, {full} in {FULL}"
                ));
            }
        }
        wrong
    }
}

/// Several lives of a broker; panics if something is lost, or there twice.
fn simulate(seed: u64) {
    let mut random = Random::new(seed);
    let (now_ms, sent) = (START, BTreeMap::new());
    let mut client = Client { random: Random::new(random.next()), now_ms, sent };
    let mut remains = Remains::nothing();
    for life in 0..LIVES {
        let operations = 10 + random.next() % 250;
        let machine = Machine::new(&remains, operations, &mut random);
        remains = match open(&machine, client.now_ms) {
            Ok(broker) => live(&broker, &machine, &mut client, &mut random),
            Err(error) => {
                assert!(machine.is_off(), "it cannot be opened though there is power: {error}");
                machine.cut()
            }
        };
        let wrong = client.check(&remains);
        assert!(wrong.is_empty(), "seed {seed}, life {life}:\n{}", wrong.join("\n"));
    }
}

fn live(broker: &Broker, machine: &Machine, client: &mut Client, random: &mut Random) -> Remains {
    let steps = 10 + random.below(80);
    machine.begin_work(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let worked = catch_unwind(AssertUnwindSafe(|| {
                let worked = client.work(broker, machine, steps);
                assert!(worked.is_ok() || machine.is_off(), "no answer though there is power");
            }));
            machine.end_work();
            worked.unwrap();
        });
        machine.wait();
        if machine.is_off() {
            broker.close("there is no power", Duration::ZERO);
        }
    });
    if machine.is_off() || random.one_in(2) {
        return machine.cut();
    }
    machine.after_exit()
}

#[test]
fn what_moves_to_a_stream_is_there_once() {
    seeds::try_all(seeds::wanted(), simulate);
}
