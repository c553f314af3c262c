//! A broker on a manual clock, and the few words that the tests share.

use std::time::Duration;

use leveret::{
    AMQPValue, Broker, Channel, Connection, Delivery, Error, FieldTable, ManualClock, Publish,
    QueueDeclare, QueueDeclareOk, Result,
};
use leveret::{Counts, QueueHandle};

/// A broker whose time stands still, a connection to it and a channel.
pub(crate) struct World {
    pub broker: Broker,
    pub connection: Connection,
    pub channel: Channel,
}

impl World {
    pub(crate) fn new() -> Self {
        let broker = broker();
        let connection = broker.connect().expect("an open broker");
        let channel = connection.open_channel().expect("an open connection");
        Self { broker, connection, channel }
    }

    pub(crate) fn open_channel(&self) -> Channel {
        self.connection.open_channel().expect("an open connection")
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.broker.advance(Duration::from_millis(ms));
    }

    /// The queue itself, if there is one of that name.
    pub(crate) fn queue(&self, name: &str) -> Option<QueueHandle> {
        self.broker.virtual_host("/").expect("the default virtual host").queue(name).ok()
    }

    pub(crate) fn counts(&self, queue: &str) -> Counts {
        self.queue(queue).expect("a declared queue").counts()
    }

    pub(crate) fn ready(&self, queue: &str) -> usize {
        self.counts(queue).ready
    }

    /// Declares a plain queue.
    pub(crate) fn declare(&self, queue: &str) {
        self.channel.queue_declare(queue).expect("a new queue");
    }

    /// Declares a queue with arguments.
    pub(crate) fn declare_with<const N: usize>(
        &self,
        queue: &str,
        arguments: [(&str, AMQPValue); N],
    ) {
        declare_with(&self.channel, queue, arguments).expect("valid arguments");
    }

    /// Publishes bodies to a queue, in order.
    pub(crate) fn publish<'a>(&self, queue: &str, bodies: impl IntoIterator<Item = &'a str>) {
        for body in bodies {
            let publish = Publish::to_queue(queue).body(body.to_owned());
            self.channel.basic_publish(publish).expect("a published message");
        }
    }

    /// Takes all that is ready, without acknowledgement, and returns the bodies.
    pub(crate) fn drain(&self, queue: &str) -> Vec<String> {
        std::iter::from_fn(|| self.take(queue)).map(|delivery| text(&delivery)).collect()
    }

    /// Takes the next message, without acknowledgement.
    pub(crate) fn take(&self, queue: &str) -> Option<Delivery> {
        self.channel.basic_get_no_ack(queue).expect("a declared queue")
    }

    /// Takes the next message, to be acknowledged.
    pub(crate) fn get(&self, queue: &str) -> Delivery {
        self.channel.basic_get(queue).expect("a declared queue").expect("a ready message")
    }
}

/// A broker whose time stands still.
pub(crate) fn broker() -> Broker {
    Broker::builder().manual_clock(ManualClock::default()).build()
}

pub(crate) fn declare_with<const N: usize>(
    channel: &Channel,
    queue: &str,
    arguments: [(&str, AMQPValue); N],
) -> Result<QueueDeclareOk> {
    let arguments = table(arguments);
    channel.queue_declare_with(&QueueDeclare::new(queue).arguments(arguments))
}

/// A durable quorum queue.
pub(crate) fn quorum_queue<const N: usize>(
    queue: &str,
    more: [(&str, AMQPValue); N],
) -> QueueDeclare {
    let mut arguments = table(more);
    arguments.insert("x-queue-type".into(), string("quorum"));
    QueueDeclare::new(queue).durable().arguments(arguments)
}

pub(crate) fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

pub(crate) fn int(value: i64) -> AMQPValue {
    AMQPValue::LongLongInt(value)
}

pub(crate) fn string(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(delivery.body()).into_owned()
}

/// Bodies of what a consumer can take now.
pub(crate) fn waiting(consumer: &leveret::Consumer) -> Vec<String> {
    std::iter::from_fn(|| consumer.try_recv()).map(|delivery| text(&delivery)).collect()
}

/// Reply code and text of what has to fail.
pub(crate) fn refusal<T>(result: Result<T>) -> (u16, String) {
    let error: Error = result.err().expect("a refusal");
    (error.reply_code(), error.to_string())
}
