//! The real server, killed again and again while messages move: dead letters that are kept until
//! they are delivered, in circles of retries and to several queues and a stream, what comes back to
//! quorum queues, and delayed messages. Some kills come while it recovers from the one before.
//! Afterwards each message is in one place. `LEVERET_KILL_ROUNDS=200` does more.

use std::collections::HashMap;
use std::time::Duration;

use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};

use leveret::StreamStart;

use crate::random::Random;
use crate::server::Server;
use crate::stream_model::name_of;
use crate::support::{Directory, START, bodies, builder, channel, durable, table};

const ROUNDS: usize = 5;
const CLIENTS: usize = 3;

/// Kills while it recovers are fewer than this after each while it works.
const EARLY_MAX: usize = 3;

/// Publishes that wait for their confirms at the same time.
const WINDOW: usize = 20;

/// Deliveries of one queue that wait to be settled at the same time.
const TAKEN: usize = 10;

/// A client that hears nothing for so long gives up: its server was killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// All that is delayed or expires has its time before that.
const LATER: u64 = START + 50 * 365 * 86_400_000;

/// Exchanges and keys with which they are published.
const WAYS: [(&str, &str); 6] = [
    ("", "in"),
    ("", "work"),
    ("", "limited"),
    ("later", "work"),
    ("later", "end"),
    ("later", "log"),
];

/// Where messages come to, in the order in which they move from one to another.
const QUEUES: [&str; 5] = ["in", "work", "retry", "limited", "end"];

/// How often something has to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// It was not confirmed yet, or was acknowledged.
    Perhaps,
    Once,
    Never,
}

impl Expected {
    fn allows(self, found: usize) -> bool {
        match self {
            Self::Perhaps => found <= 1,
            Self::Once => found == 1,
            Self::Never => found == 0,
        }
    }
}

/// What is known of a message.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// In all [`QUEUES`] together, and among those that are delayed.
    itself: Expected,
    /// In the first of them and among the copies, of which one is made when it leaves that.
    copy: Expected,
    /// In the first of them, among those that are delayed, and in the stream, which gets one when
    /// it leaves these, and keeps it.
    logged: Expected,
}

/// One who publishes and takes, with queues of his own.
struct Client {
    random: Random,
    name: String,
    published: usize,
    known: HashMap<String, Known>,
    /// Messages whose confirm came.
    confirmed: usize,
    /// Deliveries of messages that had been dead-lettered before.
    moved: usize,
}

impl Client {
    fn new(number: usize, random: Random) -> Self {
        let (known, name) = (HashMap::new(), format!("m{number}"));
        Self { random, name, published: 0, known, confirmed: 0, moved: 0 }
    }

    fn own(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    /// Works until the server is gone.
    async fn work(&mut self, uri: &str) {
        let worked = tokio::time::timeout(PATIENCE, self.work_off(uri)).await;
        if let Ok(Err(error)) = worked {
            let is_refusal = matches!(error.kind(), lapin::ErrorKind::ProtocolError(_));
            assert!(!is_refusal, "the server refuses something: {error}");
        }
    }

    async fn work_off(&mut self, uri: &str) -> lapin::Result<()> {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        self.declare(&channel).await?;
        loop {
            match self.random.below(8) {
                0..2 => self.publish(&channel).await?,
                2..5 => self.take(&channel, "work", Some(4)).await?,
                5 => self.take(&channel, "limited", Some(1)).await?,
                6 => self.take(&channel, "end", None).await?,
                _ => self.take(&channel, "copies", None).await?,
            }
        }
    }

    async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        let keeping = |exchange: &str, key: &str| {
            let mut arguments = table([
                ("x-queue-type", "quorum".into()),
                ("x-overflow", "reject-publish".into()),
                ("x-dead-letter-strategy", "at-least-once".into()),
                ("x-dead-letter-exchange", exchange.into()),
                ("x-delivery-limit", (-1).into()),
            ]);
            if !key.is_empty() {
                let key = AMQPValue::LongString(self.own(key).into());
                arguments.insert("x-dead-letter-routing-key".into(), key);
            }
            arguments
        };
        let with = |mut arguments: FieldTable, name: &str, value: i64| {
            arguments.insert(name.into(), AMQPValue::LongLongInt(value));
            arguments
        };
        let retry = table([
            ("x-dead-letter-exchange", "".into()),
            ("x-dead-letter-routing-key", self.own("work").as_str().into()),
            ("x-message-ttl", 40.into()),
            ("x-overflow", "reject-publish".into()),
            ("x-max-length", 12.into()),
        ]);
        let queues = [
            ("copies", FieldTable::default()),
            ("log", table([("x-queue-type", "stream".into())])),
            ("end", FieldTable::default()),
            ("retry", retry),
            ("work", keeping("", "retry")),
            ("limited", with(keeping("", "end"), "x-delivery-limit", 2)),
            ("in", with(keeping(&self.own("fan"), ""), "x-message-ttl", 15)),
        ];
        let delayed = table([("x-delayed-type", "direct".into())]);
        let exchanges = [
            ("fan", ExchangeKind::Fanout, FieldTable::default(), ["work", "copies", "log"]),
            (
                "later",
                ExchangeKind::Custom("x-delayed-message".into()),
                delayed,
                ["work", "end", "log"],
            ),
        ];
        for (name, arguments) in queues {
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            channel.queue_declare(self.own(name).into(), options, arguments).await?;
        }
        for (name, kind, arguments, queues) in exchanges {
            let exchange = self.own(name);
            let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
            channel.exchange_declare(exchange.as_str().into(), kind, options, arguments).await?;
            for queue in queues.map(|queue| self.own(queue)) {
                let (to, options) = (queue.as_str().into(), QueueBindOptions::default());
                let (from, none) = (exchange.as_str().into(), FieldTable::default());
                channel.queue_bind(to, from, queue.as_str().into(), options, none).await?;
            }
        }
        Ok(())
    }

    /// Publishes a number of messages, then waits for their confirms.
    async fn publish(&mut self, channel: &Channel) -> lapin::Result<()> {
        let mut confirms = Vec::new();
        for _ in 0..1 + self.random.below(WINDOW) {
            let (exchange, key) = WAYS[self.random.below(WAYS.len())];
            self.published += 1;
            let name = format!("{}-{}", self.name, self.published);
            let perhaps = |comes| if comes { Expected::Perhaps } else { Expected::Never };
            let known = Known {
                itself: perhaps(key != "log"),
                copy: perhaps(key == "in"),
                logged: perhaps(key == "in" || key == "log"),
            };
            self.known.insert(name.clone(), known);
            let mut properties = BasicProperties::default().with_delivery_mode(2);
            let mut from = String::new();
            if exchange == "later" {
                let delay = i64::try_from(self.random.below(200)).unwrap();
                let delay = table([("x-delay", delay.into())]);
                (from, properties) = (self.own(exchange), properties.with_headers(delay));
            }
            let body = format!("{name}:{}", "x".repeat(self.random.below(1000)));
            let (key, options) = (self.own(key), BasicPublishOptions::default());
            let (to, key) = (from.as_str().into(), key.as_str().into());
            let confirm =
                channel.basic_publish(to, key, options, body.as_bytes(), properties).await?;
            confirms.push((name, confirm));
        }
        for (name, confirm) in confirms {
            assert!(confirm.await?.is_ack());
            self.confirmed += 1;
            let known = self.known.get_mut(&name).unwrap();
            for expected in [&mut known.itself, &mut known.copy, &mut known.logged] {
                if *expected == Expected::Perhaps {
                    *expected = Expected::Once;
                }
            }
        }
        Ok(())
    }

    /// Takes some messages and acknowledges them, or if `returns` is a number returns so many out
    /// of ten to their queue, and rejects some more.
    async fn take(
        &mut self,
        channel: &Channel,
        queue: &str,
        returns: Option<usize>,
    ) -> lapin::Result<()> {
        let from = self.own(queue);
        let mut taken = Vec::new();
        for _ in 0..TAKEN {
            let options = BasicGetOptions::default();
            let Some(got) = channel.basic_get(from.as_str().into(), options).await? else { break };
            let name = name_of(&got.delivery.data);
            let headers = got.delivery.properties.headers().clone().unwrap_or_default();
            self.moved += usize::from(headers.contains_key("x-death"));
            taken.push((name, got.delivery));
        }
        for (name, delivery) in taken {
            let Some(known) = self.known.get_mut(&name) else { panic!("who is {name}?") };
            let expected = if queue == "copies" { &mut known.copy } else { &mut known.itself };
            assert_ne!(*expected, Expected::Never, "{from} gives out {name}, which is gone");
            let chance = returns.map(|returns| (returns, self.random.below(10)));
            match chance {
                Some((returns, chance)) if chance < returns => {
                    let options = BasicNackOptions { requeue: true, ..Default::default() };
                    delivery.acker.nack(options).await?;
                }
                Some((_, 0..8)) => {
                    delivery.acker.reject(BasicRejectOptions { requeue: false }).await?;
                }
                _ => {
                    *expected = Expected::Perhaps;
                    delivery.acker.ack(BasicAckOptions::default()).await?;
                }
            }
        }
        Ok(())
    }

    /// Compares what was found, and goes on from there. Tells what is wrong.
    fn check(&mut self, found: &Found) -> Vec<String> {
        let mut wrong = Vec::new();
        let (client, none) = (self.name.clone(), HashMap::new());
        let of = |place: &str| found.get(&format!("{client}.{place}")).unwrap_or(&none);
        for (name, known) in &mut self.known {
            let in_place = |place: &str| of(place).get(name).copied().unwrap_or(0);
            let itself = QUEUES.iter().map(|queue| in_place(queue)).sum::<usize>();
            let (itself, copies, logged) = (
                itself + in_place("later"),
                in_place("in") + in_place("copies"),
                in_place("in") + in_place("log"),
            );
            if !known.itself.allows(itself)
                || !known.copy.allows(copies)
                || !known.logged.allows(logged)
            {
                let places: Vec<_> = QUEUES
                    .iter()
                    .chain(&["later", "copies", "log"])
                    .flat_map(|place| vec![*place; in_place(place)])
                    .collect();
                wrong.push(format!("{name}, {known:?}, is in {places:?}"));
            }
            let now = |found| if found > 0 { Expected::Once } else { Expected::Never };
            *known = Known { itself: now(itself), copy: now(copies), logged: now(logged) };
        }
        wrong
    }
}

/// How often each message is in each queue, and in the exchange that delays.
type Found = HashMap<String, HashMap<String, usize>>;

/// What is in the directory of a server that was killed, before anything has its time.
fn look(directory: &Directory, clients: &[Client]) -> Found {
    let copy = directory.crash();
    let mut found = Found::new();
    for now in [START, LATER] {
        let broker = builder(now).open(copy.path()).unwrap();
        let recovery = broker.recovery();
        assert_eq!((recovery.left_out.len(), recovery.damage.len()), (0, 0), "{recovery:?}");
        let one = channel(&broker);
        // Dead letters that could not be delivered are tried again.
        broker.advance(Duration::from_secs(2));
        let host = broker.virtual_host("/").unwrap();
        for client in clients {
            for place in QUEUES.iter().chain(&["copies"]) {
                let queue = client.own(place);
                if host.queue(&queue).is_err() {
                    continue;
                }
                // What is there so late only was delayed.
                let place = if now == LATER { client.own("later") } else { queue.clone() };
                let in_place = found.entry(place).or_default();
                for body in bodies(&one, &queue) {
                    *in_place.entry(name_of(body.as_bytes())).or_default() += 1;
                }
            }
        }
        // Everything is durable that was before, what has moved to a stream, too.
        one.queue_declare_with(&durable("last")).unwrap();
        one.queue_delete("last").unwrap();
        for log in clients.iter().map(|client| client.own("log")).filter(|_| now == LATER) {
            let Ok(stream) = broker.stream("/", &log) else { continue };
            let in_log = found.entry(log).or_default();
            for message in stream.read(StreamStart::First).unwrap() {
                *in_log.entry(name_of(message.unwrap().body())).or_default() += 1;
            }
        }
    }
    found
}

/// Tells how long the server took to be ready.
fn kill_while_it_works(directory: &Directory, clients: &mut [Client], after: Duration) -> Duration {
    let (server, ready) = Server::start_measured(&directory.path());
    server.kill_while(after, clients, |runtime, client: &mut Client, uri| {
        runtime.block_on(client.work(uri));
    });
    ready
}

#[test]
fn what_moves_is_in_one_place_after_a_server_was_killed() {
    let rounds = std::env::var("LEVERET_KILL_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut random = Random::new(11);
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|number| Client::new(number, Random::new(random.next()))).collect();
    let directory = Directory::new();
    let (mut there, mut in_recovery) = (0, 0);
    for round in 0..rounds {
        let after = Duration::from_millis(300 + random.next() % 500);
        let ready = kill_while_it_works(&directory, &mut clients, after);
        for _ in 0..random.below(EARLY_MAX) {
            let part = u32::try_from(random.below(100)).unwrap();
            in_recovery += usize::from(Server::kill_early(&directory.path(), ready * part / 100));
        }
        let found = look(&directory, &clients);
        for client in &mut clients {
            let wrong = client.check(&found);
            assert!(wrong.is_empty(), "round {round}:\n{}", wrong.join("\n"));
        }
        there += found.values().flat_map(HashMap::values).sum::<usize>();
    }
    let sum = |count: fn(&Client) -> usize| clients.iter().map(count).sum::<usize>();
    let (confirmed, moved) = (sum(|client| client.confirmed), sum(|client| client.moved));
    println!(
        "{rounds} rounds and {in_recovery} in recovery, {confirmed} confirmed, {moved} taken after \
         they had moved, {there} found, 0 lost, 0 twice"
    );
    assert!(confirmed > 0 && moved > 0 && there > 0, "the server did nothing");
}
