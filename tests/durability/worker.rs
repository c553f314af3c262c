//! A client that does what chance says, and keeps a model of what it may rely on.

use leveret::{Broker, Channel, Delivery, ExchangeDeclare, Publish};

use crate::declarations::{declaration, queues};
use crate::model::{Id, Model};
use crate::power::Machine;
use crate::random::Random;
use crate::stream_model::Log;
use crate::stream_worker::StreamSession;

/// The power is off, so that nobody answers.
pub(crate) struct NoAnswer;

pub(crate) type Answer = Result<(), NoAnswer>;

pub(crate) fn answer<T>(result: leveret::Result<T>) -> Result<T, NoAnswer> {
    result.map_err(|_| NoAnswer)
}

pub(crate) struct Worker {
    pub model: Model,
    pub logs: Vec<Log>,
    pub random: Random,
    name: String,
    now_ms: u64,
    published: u64,
}

/// What a worker has open.
struct Session<'a> {
    broker: &'a Broker,
    machine: &'a Machine,
    confirming: Channel,
    plain: Channel,
    tx: Channel,
    held: Vec<(String, u64, Delivery)>,
    streams: StreamSession<'a>,
}

impl Worker {
    /// With queues whose names begin with its own, so that it is alone with them.
    pub(crate) fn new(name: &str, random: Random, now_ms: u64) -> Self {
        let model = Model { queues: queues(name), serial: 0 };
        let logs = Log::two(name);
        Self { model, logs, random, name: name.into(), now_ms, published: 0 }
    }

    pub(crate) fn exchange(&self) -> String {
        format!("{}.fan", self.name)
    }

    /// Works until it has done its part or the power is off.
    pub(crate) fn work(
        &mut self,
        broker: &Broker,
        machine: &Machine,
        operations: usize,
        alone: bool,
    ) {
        match self.work_off(broker, machine, operations, alone) {
            Ok(()) => self.give_back(),
            Err(NoAnswer) => {
                assert!(machine.is_off(), "an operation fails though there is power");
            }
        }
    }

    fn work_off(
        &mut self,
        broker: &Broker,
        machine: &Machine,
        operations: usize,
        alone: bool,
    ) -> Answer {
        let connection = answer(broker.connect())?;
        let mut session = Session {
            broker,
            machine,
            confirming: answer(connection.open_channel())?,
            plain: answer(connection.open_channel())?,
            tx: answer(connection.open_channel())?,
            held: Vec::new(),
            streams: self.open_streams(broker, machine)?,
        };
        answer(session.tx.tx_select())?;
        self.declare_all(&session)?;
        (0..operations).try_for_each(|_| self.step(&mut session, alone))
    }

    fn open_streams<'a>(
        &mut self,
        broker: &'a Broker,
        machine: &'a Machine,
    ) -> Result<StreamSession<'a>, NoAnswer> {
        let channel = answer(answer(broker.connect())?.open_channel())?;
        StreamSession::new(broker, machine, channel, &mut self.logs)
    }

    /// The channels are closed: what was held goes back.
    fn give_back(&mut self) {
        for entry in self.model.queues.iter_mut().flat_map(|queue| &mut queue.entries) {
            entry.redelivered |= entry.held;
            entry.held = false;
        }
        self.model.expire(self.now_ms);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn declare_all(&mut self, session: &Session<'_>) -> Answer {
        answer(
            session
                .plain
                .exchange_declare_with(&ExchangeDeclare::new(self.exchange(), "fanout").durable()),
        )?;
        for at in 0..self.model.queues.len() {
            if !self.model.queues[at].present {
                self.declare(session, at)?;
                self.bind(session, at)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, session: &mut Session<'_>, alone: bool) -> Answer {
        if self.random.one_in(3) {
            return session.streams.step(&mut self.logs, &mut self.random);
        }
        let at = self.random.below(self.model.queues.len());
        match self.random.below(100) {
            0..20 => self.publish(session, at),
            20..35 => self.confirm(session, at),
            35..45 => self.publish_to_all(session),
            45..47 => self.burst(session, at),
            47..75 => self.take(session, at),
            75..85 => self.settle(session),
            85..90 => self.transact(session, at),
            90 => self.purge(session, at),
            91..93 if self.model.queues[at].present => self.delete(session, at),
            91..95 if !self.model.queues[at].present => self.declare(session, at),
            93..97 if self.model.queues[at].bound => self.unbind(session, at),
            93..97 => self.bind(session, at),
            97 if self.random.one_in(8) => {
                session.machine.fail(&mut self.random);
                Ok(())
            }
            98.. if alone => {
                self.now_ms += 400;
                session.broker.advance(std::time::Duration::from_millis(400));
                self.model.expire(self.now_ms);
                Ok(())
            }
            _ => self.confirm(session, at),
        }
    }

    /// A body that no other message has.
    fn body(&mut self) -> (String, String) {
        self.published += 1;
        let name = format!("{}-{}", self.name, self.published);
        let length = match self.random.below(20) {
            0 => 5000,
            1..4 => 900,
            _ => self.random.below(200),
        };
        let body = format!("{name}:{}", "x".repeat(length));
        (name, body)
    }

    fn message(&mut self, exchange: &str, key: &str) -> (String, bool, Publish) {
        let (name, body) = self.body();
        let persistent = !self.random.one_in(6);
        let publish = Publish::to_exchange(exchange, key).body(body);
        (name, persistent, if persistent { publish.persistent() } else { publish })
    }

    fn publish(&mut self, session: &Session<'_>, at: usize) -> Answer {
        let queue = self.model.queues[at].name.clone();
        let (name, persistent, publish) = self.message("", &queue);
        self.model.publish(&queue, &name, persistent, self.now_ms);
        answer(session.plain.basic_publish(publish))
    }

    fn burst(&mut self, session: &Session<'_>, at: usize) -> Answer {
        (0..self.random.below(60)).try_for_each(|_| self.publish(session, at))
    }

    fn confirm(&mut self, session: &Session<'_>, at: usize) -> Answer {
        let queue = self.model.queues[at].name.clone();
        let (name, persistent, publish) = self.message("", &queue);
        self.model.publish(&queue, &name, persistent, self.now_ms);
        assert!(answer(session.confirming.publish(publish).wait())?.is_ack());
        if self.model.queues[at].present && (persistent || self.model.queues[at].quorum) {
            self.model.confirm();
        }
        Ok(())
    }

    fn publish_to_all(&mut self, session: &Session<'_>) -> Answer {
        let (name, persistent, publish) = self.message(&self.exchange(), "");
        let bound = self.model.queues.iter().filter(|queue| queue.bound);
        let bound: Vec<String> = bound.map(|queue| queue.name.clone()).collect();
        bound.iter().for_each(|to| self.model.publish(to, &name, persistent, self.now_ms));
        if self.random.one_in(2) {
            return answer(session.plain.basic_publish(publish));
        }
        assert!(answer(session.confirming.publish(publish).wait())?.is_ack());
        let mut queues = self.model.queues.iter().filter(|queue| queue.bound);
        if queues.any(|queue| persistent || queue.quorum) {
            self.model.confirm();
        }
        Ok(())
    }

    /// Takes a message, and notes it as held.
    fn get(
        &mut self,
        session: &Session<'_>,
        channel: &Channel,
        at: usize,
    ) -> Result<Option<(u64, Delivery)>, NoAnswer> {
        let queue = &mut self.model.queues[at];
        if !queue.present {
            return Ok(None);
        }
        let Some(delivery) = answer(channel.basic_get(&queue.name))? else {
            if session.machine.is_off() {
                return Err(NoAnswer);
            }
            let left: Vec<_> = queue.ready().map(|entry| entry.id.clone()).collect();
            assert!(left.is_empty(), "{} does not give out {left:?}", queue.name);
            return Ok(None);
        };
        let id = identify(&delivery);
        let sent = queue.entries.iter_mut().filter(|entry| entry.id == id);
        sent.for_each(|entry| entry.delivered = true);
        if session.machine.is_off() {
            // The broker is being closed, which gives back what other channels hold.
            return Err(NoAnswer);
        }
        let classic = !queue.quorum;
        let entry = if classic { queue.ready().next() } else { queue.ready().find(|e| e.id == id) };
        let expected = entry.as_ref().map(|entry| entry.id.clone());
        let Some(entry) = entry.filter(|entry| entry.id == id) else {
            let again = delivery.redelivered();
            panic!("{} gives out {id:?} ({again}) instead of {expected:?}: {queue:?}", queue.name)
        };
        entry.held = true;
        Ok(Some((entry.serial, delivery)))
    }

    fn take(&mut self, session: &mut Session<'_>, at: usize) -> Answer {
        let channel = session.plain.clone();
        let Some((serial, delivery)) = self.get(session, &channel, at)? else { return Ok(()) };
        session.held.push((self.model.queues[at].name.clone(), serial, delivery));
        if self.random.one_in(3) { Ok(()) } else { self.settle(session) }
    }

    fn settle(&mut self, session: &mut Session<'_>) -> Answer {
        if session.held.is_empty() {
            return Ok(());
        }
        let at = self.random.below(session.held.len());
        let (name, serial, delivery) = session.held.swap_remove(at);
        let queue = self.model.queue(&name);
        let entry = queue.and_then(|q| q.entries.iter_mut().find(|e| e.serial == serial));
        match self.random.below(6) {
            0..3 => {
                entry.into_iter().for_each(|entry| (entry.leaving, entry.held) = (true, false));
                answer(delivery.ack())
            }
            3 => {
                self.model.give_back(&name, serial);
                self.model.expire(self.now_ms);
                answer(delivery.requeue())
            }
            _ => {
                self.model.die(&name, serial, self.now_ms);
                answer(delivery.reject())
            }
        }
    }

    fn transact(&mut self, session: &Session<'_>, at: usize) -> Answer {
        let commits = !self.random.one_in(4);
        let target = self.model.queues[self.random.below(self.model.queues.len())].name.clone();
        let mut published = Vec::new();
        for _ in 0..self.random.below(4) {
            let (name, persistent, publish) = self.message("", &target);
            answer(session.tx.basic_publish(publish))?;
            published.push((name, persistent));
        }
        if !commits {
            return answer(session.tx.tx_rollback());
        }
        let taken = self.get(session, &session.tx, at)?;
        if let Some((_, delivery)) = &taken {
            answer(delivery.ack())?;
        }
        for (name, persistent) in published {
            self.model.publish(&target, &name, persistent, self.now_ms);
        }
        let entries = &mut self.model.queues[at].entries;
        let taken = taken.as_ref().map(|(serial, _)| *serial);
        for entry in entries.iter_mut().filter(|entry| Some(entry.serial) == taken) {
            (entry.leaving, entry.held) = (true, false);
        }
        answer(session.tx.tx_commit())?;
        self.model.confirm();
        Ok(())
    }

    fn purge(&mut self, session: &Session<'_>, at: usize) -> Answer {
        let queue = &mut self.model.queues[at];
        if !queue.present {
            return Ok(());
        }
        queue.ready().for_each(|entry| entry.leaving = true);
        answer(session.plain.queue_purge(&queue.name))?;
        self.model.confirm();
        Ok(())
    }

    fn delete(&mut self, session: &mut Session<'_>, at: usize) -> Answer {
        let queue = &mut self.model.queues[at];
        queue.clear();
        queue.uncertain = true;
        session.held.retain(|(from, ..)| *from != queue.name);
        answer(session.plain.queue_delete(&queue.name))?;
        (queue.uncertain, queue.present, queue.bound) = (false, false, false);
        self.model.confirm();
        Ok(())
    }

    fn declare(&mut self, session: &Session<'_>, at: usize) -> Answer {
        let queue = &mut self.model.queues[at];
        queue.uncertain = true;
        answer(session.plain.queue_declare_with(&declaration(queue)))?;
        (queue.uncertain, queue.present) = (false, true);
        self.model.confirm();
        Ok(())
    }

    fn bind(&mut self, session: &Session<'_>, at: usize) -> Answer {
        let exchange = self.exchange();
        let queue = &mut self.model.queues[at];
        if !queue.present {
            return Ok(());
        }
        queue.binding_uncertain = true;
        answer(session.plain.queue_bind(&queue.name, &exchange, ""))?;
        (queue.binding_uncertain, queue.bound) = (false, true);
        Ok(())
    }

    fn unbind(&mut self, session: &Session<'_>, at: usize) -> Answer {
        let exchange = self.exchange();
        let queue = &mut self.model.queues[at];
        queue.binding_uncertain = true;
        answer(session.plain.queue_unbind(&queue.name, &exchange, ""))?;
        (queue.binding_uncertain, queue.bound) = (false, false);
        Ok(())
    }
}

/// Which message it is.
pub(crate) fn identify(delivery: &Delivery) -> Id {
    let body = String::from_utf8(delivery.body().to_vec()).unwrap();
    let body = body.split(':').next().unwrap().to_owned();
    let headers = delivery.headers();
    let died_in = match headers.inner().get("x-first-death-queue") {
        Some(leveret::AMQPValue::LongString(name)) => Some(name.to_string()),
        _ => None,
    };
    Id { body, died_in }
}
