//! A client of streams that does what chance says, and keeps a model of what it may rely on.

use std::collections::VecDeque;
use std::time::Duration;

use leveret::{Broker, Channel, Confirming, Consume, Consumer, Delivery, Publish, StreamHandle};

use crate::power::Machine;
use crate::random::Random;
use crate::stream_model::{Log, READER, name_of};
use crate::worker::{Answer, NoAnswer, answer};

/// How long a message that has to come may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client of a stream has open.
#[derive(Default)]
struct Open {
    confirming: Vec<Confirming>,
    /// What was acknowledged when the last of them was sent.
    acknowledged: u64,
    reader: Option<(Channel, Consumer)>,
    /// What it has got, by offset, from the first on that is not settled.
    held: VecDeque<(u64, Held)>,
    /// The next message that it gets.
    next: u64,
}

enum Held {
    Delivery(Delivery),
    /// It holds the offset back until it comes again, to the next reader.
    GivenBack,
    Settled,
}

pub(crate) struct StreamSession<'a> {
    broker: &'a Broker,
    machine: &'a Machine,
    channel: Channel,
    open: Vec<Open>,
}

impl<'a> StreamSession<'a> {
    pub(crate) fn new(
        broker: &'a Broker,
        machine: &'a Machine,
        channel: Channel,
        logs: &mut [Log],
    ) -> Result<Self, NoAnswer> {
        let open = logs.iter().map(|_| Open::default()).collect();
        let session = Self { broker, machine, channel, open };
        for log in logs.iter_mut().filter(|log| !log.present) {
            session.declare(log)?;
        }
        Ok(session)
    }

    /// Does something.
    pub(crate) fn step(&mut self, logs: &mut [Log], random: &mut Random) -> Answer {
        let at = random.below(logs.len());
        let log = &mut logs[at];
        if !log.present {
            return self.declare(log);
        }
        match random.below(100) {
            0..30 => self.send(log, at, random),
            30..50 => self.confirm(log, at),
            50..60 => self.append(log, at, random),
            60..80 => self.read(log, at, random),
            80..94 => self.settle(log, at, random),
            94..99 => self.leave(log, at),
            _ => self.delete(log, at),
        }
    }

    fn declare(&self, log: &mut Log) -> Answer {
        log.uncertain = true;
        log.forget();
        answer(self.channel.queue_declare_with(&log.declaration()))?;
        (log.uncertain, log.present) = (false, true);
        Ok(())
    }

    fn delete(&mut self, log: &mut Log, at: usize) -> Answer {
        log.uncertain = true;
        self.open[at] = Open::default();
        answer(self.channel.queue_delete(&log.name))?;
        (log.uncertain, log.present) = (false, false);
        log.forget();
        Ok(())
    }

    fn send(&mut self, log: &mut Log, at: usize, random: &mut Random) -> Answer {
        for _ in 0..1 + random.below(8) {
            let publish = message(log, random);
            self.open[at].confirming.push(self.channel.publish(publish));
        }
        self.open[at].acknowledged = log.acknowledged;
        Ok(())
    }

    fn confirm(&mut self, log: &mut Log, at: usize) -> Answer {
        let open = &mut self.open[at];
        for confirming in open.confirming.drain(..) {
            assert!(answer(confirming.wait())?.is_ack());
        }
        log.confirm(open.acknowledged);
        Ok(())
    }

    fn stream(&self, log: &Log) -> Result<StreamHandle, NoAnswer> {
        answer(self.broker.stream("/", &log.name))
    }

    fn append(&mut self, log: &mut Log, at: usize, random: &mut Random) -> Answer {
        let first = log.sent.len() as u64;
        let messages: Vec<_> = (0..1 + random.below(4)).map(|_| message(log, random)).collect();
        let count = messages.len() as u64;
        let stream = self.stream(log)?;
        let appended = match random.below(2) {
            0 => stream.append_all(messages),
            _ => stream.append_at(first, messages),
        };
        assert_eq!(answer(appended)?, first..first + count, "{}", log.name);
        self.open[at].acknowledged = log.acknowledged;
        log.confirm(log.acknowledged);
        Ok(())
    }

    /// Reads on, from where it has got to.
    fn read(&mut self, log: &Log, at: usize, random: &mut Random) -> Answer {
        let stream = self.stream(log)?;
        let open = &mut self.open[at];
        if open.reader.is_none() {
            let channel = answer(answer(self.broker.connect())?.open_channel())?;
            answer(channel.basic_qos(1000))?;
            let consume = Consume::new(&log.name)
                .argument("x-stream-offset", "first")
                .argument("x-stream-consumer-name", READER);
            let consumer = answer(channel.basic_consume_with(&consume))?;
            (open.reader, open.next) = (Some((channel, consumer)), log.acknowledged);
        }
        let Some((_, consumer)) = &open.reader else { return Ok(()) };
        for _ in 0..1 + random.below(10) {
            if open.next.max(stream.first_offset()) >= log.confirmed as u64 {
                break;
            }
            let Some(delivery) = consumer.recv_timeout(PATIENCE) else {
                assert!(self.machine.is_off(), "{} does not give out {}", log.name, open.next);
                return Err(NoAnswer);
            };
            let offset = offset_of(&delivery);
            let skipped = open.next..offset;
            let gone = stream.first_offset();
            assert!(
                open.next == offset || offset > open.next && offset <= gone,
                "{} gives out {offset} instead of {}, and begins with {gone}",
                log.name,
                skipped.start,
            );
            assert_eq!(name_of(delivery.body()), log.sent[offset as usize], "{}", log.name);
            open.held.push_back((offset, Held::Delivery(delivery)));
            open.next = offset + 1;
        }
        Ok(())
    }

    /// Settles something of what was read.
    fn settle(&mut self, log: &mut Log, at: usize, random: &mut Random) -> Answer {
        let open = &mut self.open[at];
        if open.held.is_empty() {
            return Ok(());
        }
        let place = if random.one_in(3) { random.below(open.held.len()) } else { 0 };
        let held = &mut open.held[place].1;
        let delivery = match std::mem::replace(held, Held::Settled) {
            Held::Delivery(delivery) => delivery,
            other => {
                *held = other;
                return Ok(());
            }
        };
        let settled = match random.below(8) {
            0 => {
                *held = Held::GivenBack;
                delivery.requeue()
            }
            1 => delivery.reject(),
            _ => delivery.ack(),
        };
        while let Some((offset, Held::Settled)) = open.held.front() {
            log.acknowledged = log.acknowledged.max(offset + 1);
            open.held.pop_front();
        }
        let next = open.held.front().map_or(log.acknowledged, |(offset, _)| *offset);
        log.done = log.done.max(next);
        answer(settled)
    }

    /// Stops to read.
    fn leave(&mut self, log: &mut Log, at: usize) -> Answer {
        let stream = self.stream(log)?;
        let open = &mut self.open[at];
        let Some((channel, _)) = open.reader.take() else { return Ok(()) };
        open.held.clear();
        channel.close();
        let kept = stream.offset(READER).map_or(0, |offset| offset + 1);
        if self.machine.is_off() {
            return Err(NoAnswer);
        }
        let (least, most) = (log.acknowledged, log.done.max(log.acknowledged));
        assert!((least..=most).contains(&kept), "{}: {kept} of {least} to {most}", log.name);
        log.acknowledged = kept;
        Ok(())
    }
}

/// The next message, which no other is like.
fn message(log: &mut Log, random: &mut Random) -> Publish {
    let name = format!("{}-{}", log.name, random.next());
    let length = if random.one_in(10) { 1200 } else { random.below(200) };
    let body = format!("{name}:{}", "x".repeat(length));
    log.sent.push(name);
    Publish::to_queue(&log.name).body(body)
}

fn offset_of(delivery: &Delivery) -> u64 {
    match delivery.headers().inner().get("x-stream-offset") {
        Some(leveret::AMQPValue::LongLongInt(offset)) => u64::try_from(*offset).unwrap(),
        other => panic!("{other:?}"),
    }
}
