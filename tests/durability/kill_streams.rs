//! The real server, killed while clients append to streams and acknowledge what they read, again
//! and again. `LEVERET_KILL_ROUNDS=200` does more.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use leveret::{Broker, StreamStart};

use crate::random::Random;
use crate::server::Server;
use crate::support::Directory;

const ROUNDS: usize = 5;

/// Appends that wait for their confirms at the same time.
const WINDOW: usize = 30;

/// A client that hears nothing for so long gives up: its server was killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Under which the reader's offset is kept.
const READER: &str = "projection";

/// A stream whose messages are their own offsets, and what is known of it.
struct Known {
    name: &'static str,
    arguments: FieldTable,
    /// The number of the next message.
    next: u64,
    /// So many are confirmed.
    confirmed: u64,
    /// Below this the reader has acknowledged some.
    acknowledged: u64,
    /// All of it is kept.
    keeps_all: bool,
}

impl Known {
    fn new(name: &'static str, limits: &[(&str, i64)]) -> Self {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
        let segment = [("x-stream-max-segment-size-bytes", 20_000)];
        for (argument, value) in segment.iter().chain(limits) {
            arguments.insert((*argument).into(), AMQPValue::LongLongInt(*value));
        }
        let keeps_all = limits.is_empty();
        Self { name, arguments, next: 0, confirmed: 0, acknowledged: 0, keeps_all }
    }

    /// Appends and reads until the server is gone.
    async fn work(&mut self, uri: &str, random: &mut Random) {
        let worked = tokio::time::timeout(PATIENCE, self.work_off(uri, random)).await;
        if let Ok(Err(error)) = worked {
            let is_refusal = matches!(error.kind(), lapin::ErrorKind::ProtocolError(_));
            assert!(!is_refusal, "the server refuses something: {error}");
        }
    }

    async fn work_off(&mut self, uri: &str, random: &mut Random) -> lapin::Result<()> {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        let publisher = connection.create_channel().await?;
        publisher.confirm_select(ConfirmSelectOptions::default()).await?;
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        publisher.queue_declare(self.name.into(), options, self.arguments.clone()).await?;
        let reader = connection.create_channel().await?;
        reader.basic_qos(50, BasicQosOptions::default()).await?;
        let mut arguments = FieldTable::default();
        for (argument, value) in [("x-stream-consumer-name", READER), ("x-stream-offset", "first")]
        {
            arguments.insert(argument.into(), AMQPValue::LongString(value.into()));
        }
        let options = BasicConsumeOptions::default();
        let mut consumer =
            reader.basic_consume(self.name.into(), "".into(), options, arguments).await?;
        loop {
            self.append(&publisher, 1 + random.below(WINDOW), random).await?;
            for _ in 0..random.below(WINDOW) {
                // The reader may be at the end.
                let next = tokio::time::timeout(Duration::from_millis(20), consumer.next()).await;
                let Ok(Some(delivery)) = next else { break };
                let delivery = delivery?;
                let offset: u64 = number(&delivery.data);
                self.acknowledged = self.acknowledged.max(offset + 1);
                delivery.acker.ack(BasicAckOptions::default()).await?;
            }
        }
    }

    async fn append(
        &mut self,
        channel: &Channel,
        count: usize,
        random: &mut Random,
    ) -> lapin::Result<()> {
        let mut confirms = Vec::new();
        for _ in 0..count {
            let body = format!("{}:{}", self.next, "x".repeat(random.below(1000)));
            self.next += 1;
            let (options, properties) =
                (BasicPublishOptions::default(), BasicProperties::default());
            let (exchange, key) = ("".into(), self.name.into());
            confirms.push(
                channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await?,
            );
        }
        for confirm in confirms {
            assert!(confirm.await?.is_ack());
            self.confirmed += 1;
        }
        Ok(())
    }

    /// Compares what is known with what there is, and goes on with that.
    fn check(&mut self, broker: &Broker) {
        let Ok(stream) = broker.stream("/", self.name) else {
            assert_eq!(self.confirmed, 0, "{} is gone", self.name);
            self.next = 0;
            return;
        };
        let (first, next) = (stream.first_offset(), stream.next_offset());
        let (confirmed, sent) = (self.confirmed, self.next);
        let name = self.name;
        assert!((confirmed..=sent).contains(&next), "{name}: {next} of {confirmed} to {sent}");
        assert!(!self.keeps_all || first == 0, "{name} has lost what was before {first}");
        assert!(first < next || next == 0, "retention has taken the last segment of {name}");
        let read = stream.read(StreamStart::First).unwrap();
        let read = read.into_iter().map(|message| {
            let message = message.unwrap();
            assert_eq!(number(message.body()), message.offset(), "{name}");
            message.offset()
        });
        assert!(read.eq(first..next), "{name} has a gap");
        let done = stream.offset(READER).map_or(0, |offset| offset + 1);
        // Who has acknowledged all before a gap is behind it: what was there is gone.
        let acknowledged = self.acknowledged.max(first);
        assert!(done <= acknowledged, "{name}: {done} is ahead of {acknowledged}");
        (self.next, self.confirmed) = (next, next);
        // What is not there any more may get another number, and be read again.
        self.acknowledged = self.acknowledged.min(next);
    }
}

fn number(body: &[u8]) -> u64 {
    let body = std::str::from_utf8(body).unwrap();
    body.split(':').next().unwrap().parse().unwrap()
}

#[test]
fn streams_of_a_server_that_is_killed_keep_what_was_confirmed() {
    let rounds = std::env::var("LEVERET_KILL_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut random = Random::new(11);
    let mut streams =
        [Known::new("all", &[]), Known::new("short", &[("x-max-length-bytes", 60_000)])];
    let directory = Directory::new();
    for _ in 0..rounds {
        let server = Server::start(&directory.path());
        let after = Duration::from_millis(100 + random.next() % 700);
        let each = streams.iter_mut().map(|stream| (stream, Random::new(random.next())));
        let each: Vec<_> = each.collect();
        server.kill_while(after, each, |runtime, (stream, mut random), uri| {
            runtime.block_on(stream.work(uri, &mut random));
        });
        let copy = directory.crash();
        let broker = Broker::builder().open(copy.path()).unwrap();
        assert_eq!(broker.recovery().damage, [], "{:?}", broker.recovery());
        streams.iter_mut().for_each(|stream| stream.check(&broker));
    }
    let [all, short] = &streams;
    println!("{rounds} rounds, {} and {} confirmed, 0 lost", all.confirmed, short.confirmed);
    assert!(all.confirmed > 0 && all.acknowledged > 0, "the server did nothing");
}
