//! Sequences of calls as a program makes them that has the broker in itself.

use std::time::Duration;

use leveret::clock::ManualClock;
use leveret::{
    AMQPValue, Binding, Broker, Channel, Connection, Consume, Consumer, ExchangeDeclare, Nack,
    Policy, Publish, QueueDeclare,
};

/// Calls of one sequence.
const CALLS_MAX: usize = 200;

const QUEUES: [&str; 4] = ["a", "b", "c", ""];
const EXCHANGES: [&str; 6] = ["x", "y", "amq.topic", "amq.fanout", "amq.headers", ""];
const KINDS: [&str; 5] = ["direct", "fanout", "topic", "headers", "x-delayed-message"];
const KEYS: [&str; 5] = ["a", "b.c", "#", "*.c", ""];
const ARGUMENTS: [(&str, i32); 9] = [
    ("x-max-length", 2),
    ("x-message-ttl", 5),
    ("x-max-priority", 3),
    ("x-expires", 20),
    ("x-max-length-bytes", 64),
    ("x-single-active-consumer", 1),
    ("x-delivery-limit", 1),
    ("x-message-deduplication", 1),
    ("x-unknown", 0),
];

fn of<T: Copy>(list: &[T], choice: u8) -> T {
    list[usize::from(choice) % list.len()]
}

struct World {
    broker: Broker,
    clock: ManualClock,
    connections: Vec<Connection>,
    channels: Vec<Channel>,
    consumers: Vec<Consumer>,
}

/// Four octets for each call: which one, on which channel, and two choices.
pub fn run(data: &[u8]) {
    let clock = ManualClock::default();
    let broker = Broker::builder().manual_clock(clock.clone()).build();
    let (connections, channels, consumers) = (Vec::new(), Vec::new(), Vec::new());
    let mut world = World { broker, clock, connections, channels, consumers };
    for call in data.chunks_exact(4).take(CALLS_MAX) {
        world.call(call);
    }
    world.end();
}

impl World {
    fn channel(&mut self, choice: u8) -> Channel {
        if self.channels.is_empty() {
            self.open_channel();
        }
        self.channels[usize::from(choice) % self.channels.len()].clone()
    }

    fn open_channel(&mut self) {
        if self.connections.len() < 3 {
            self.connections.push(self.broker.connect().expect("nobody keeps it out"));
        }
        let connection = &self.connections[self.channels.len() % self.connections.len()];
        if let Ok(channel) = connection.open_channel() {
            self.channels.push(channel);
        }
    }

    /// Whether it is refused or not, nothing breaks.
    fn call(&mut self, call: &[u8]) {
        let &[what, on, one, other] = call else { return };
        let channel = self.channel(on);
        match what % 24 {
            0 => drop(channel.queue_declare_with(&queue(one, other))),
            1 => drop(channel.exchange_declare_with(&exchange(one, other))),
            2 | 3 => bind(&channel, what % 24 == 2, one, other),
            4 => drop(channel.queue_delete(of(&QUEUES, one))),
            5 => drop(channel.exchange_delete(of(&EXCHANGES, one))),
            6 => drop(channel.queue_purge(of(&QUEUES, one))),
            7..10 => drop(channel.basic_publish(publish(one, other))),
            10 => drop(channel.publish(publish(one, other))),
            11 => drop(channel.publish_all((0..3).map(|more| publish(one, other ^ more)))),
            12 => drop(channel.basic_get(of(&QUEUES, one))),
            13 => self.consume(&channel, one, other),
            14 => self.consumers.iter().for_each(|consumer| drop(consumer.try_recv())),
            15 if !self.consumers.is_empty() => {
                self.consumers.swap_remove(usize::from(one) % self.consumers.len()).cancel();
            }
            16 => drop(channel.basic_ack_multiple(u64::from(one % 8))),
            17 => {
                let nack = if other % 2 == 0 { Nack::new().requeue() } else { Nack::new() };
                drop(channel.basic_nack(u64::from(one % 8), &nack.multiple()));
            }
            18 => drop(channel.basic_qos(u16::from(one % 4))),
            19 => transact(&channel, one),
            20 => self.clock_on(one),
            21 => self.set_policy(one, other),
            22 => channel.close(),
            23 => self.open_channel(),
            _ => {}
        }
        self.channels.retain(|channel| other % 16 != 15 || channel.basic_qos(0).is_ok());
    }

    fn consume(&mut self, channel: &Channel, one: u8, other: u8) {
        let mut consume = Consume::new(of(&QUEUES, one));
        if other & 1 != 0 {
            consume = consume.no_ack();
        }
        if other & 2 != 0 {
            consume = consume.exclusive();
        }
        if other & 4 != 0 {
            consume = consume.argument("x-priority", i32::from(other >> 4));
        }
        self.consumers.extend(channel.basic_consume_with(&consume));
    }

    fn clock_on(&self, one: u8) {
        self.broker.advance(Duration::from_millis(u64::from(one)));
        assert!(self.clock.now() >= self.broker.now());
    }

    fn set_policy(&self, one: u8, other: u8) {
        let host = self.broker.virtual_host("/").expect("it is there");
        let (key, value) = of(&ARGUMENTS, other);
        let key = key.strip_prefix("x-").unwrap_or(key);
        let policy = Policy::new(of(&["a", ".*", "^[xb]", ""], one));
        match one % 8 {
            7 => drop(host.remove_policy("policy")),
            _ => drop(host.set_policy("policy", policy.with(key, AMQPValue::LongInt(value)))),
        }
    }

    /// When all are gone, and all queues, nothing counts any more.
    fn end(mut self) {
        self.consumers.clear();
        self.channels.clear();
        self.connections.iter().for_each(Connection::close);
        let channel = self.broker.connect().expect("as before").open_channel().expect("as before");
        for queue in self.broker.queues() {
            let counts = queue.counts();
            assert_eq!((counts.unacked, counts.consumers), (0, 0), "{}", queue.name());
            channel.queue_delete(queue.name()).expect("nobody uses it");
        }
        for exchange in self.broker.virtual_host("/").expect("it is there").exchanges() {
            drop(channel.exchange_delete(exchange.name()));
        }
        channel.close();
        assert_eq!(self.broker.memory_used(), 0, "something counts that is not there");
    }
}

fn queue(one: u8, other: u8) -> QueueDeclare {
    let mut declare = QueueDeclare::new(of(&QUEUES, one));
    if one & 16 != 0 {
        declare = declare.auto_delete();
    }
    if one & 32 != 0 {
        declare = declare.exclusive();
    }
    if one & 64 != 0 {
        declare = declare.durable().argument("x-queue-type", "quorum");
    }
    if other & 128 != 0 {
        declare = declare.argument("x-dead-letter-exchange", of(&EXCHANGES, other));
    }
    let (name, value) = of(&ARGUMENTS, other);
    match name {
        "x-single-active-consumer" | "x-message-deduplication" => {
            declare.argument(name, AMQPValue::Boolean(true))
        }
        _ => declare.argument(name, value),
    }
}

fn exchange(one: u8, other: u8) -> ExchangeDeclare {
    let kind = of(&KINDS, other);
    let mut declare = ExchangeDeclare::new(of(&EXCHANGES, one), kind);
    if other & 128 != 0 {
        declare = declare.auto_delete();
    }
    if kind == "x-delayed-message" {
        declare = declare.argument("x-delayed-type", "topic");
    }
    if other & 64 != 0 {
        declare = declare.argument("alternate-exchange", of(&EXCHANGES, one >> 4));
    }
    declare
}

fn bind(channel: &Channel, is_new: bool, one: u8, other: u8) {
    let (source, key) = (of(&EXCHANGES, one), of(&KEYS, other));
    let target = other >> 4;
    let binding = Binding::new(source, key);
    let binding = if one & 128 != 0 { binding.argument("x-match", "any") } else { binding };
    let _ = match (one & 64 != 0, is_new) {
        (true, true) => channel.exchange_bind_with(of(&EXCHANGES, target), &binding),
        (true, false) => channel.exchange_unbind_with(of(&EXCHANGES, target), &binding),
        (false, true) => channel.queue_bind_with(of(&QUEUES, target), &binding),
        (false, false) => channel.queue_unbind_with(of(&QUEUES, target), &binding),
    };
}

fn publish(one: u8, other: u8) -> Publish {
    let mut publish = Publish::to_exchange(of(&EXCHANGES, one), of(&KEYS, other));
    publish = publish.body(vec![other; usize::from(other % 40)]);
    if one & 16 != 0 {
        publish = publish.expiration_ms(u64::from(other % 8));
    }
    if one & 32 != 0 {
        publish = publish.persistent().priority(other % 5);
    }
    if one & 64 != 0 {
        publish = publish.header("x-delay", i32::from(other));
    }
    if one & 128 != 0 {
        publish = publish.mandatory().header("x-deduplication-header", of(&KEYS, other));
    }
    publish
}

fn transact(channel: &Channel, one: u8) {
    let _ = match one % 3 {
        0 => channel.tx_select(),
        1 => channel.tx_commit(),
        _ => channel.tx_rollback(),
    };
}
