//! The real server, killed in the middle of its work again and again: what it has promised to its
//! clients is compared with what it finds in its directory. `LEVERET_KILL_ROUNDS=200` does more.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use leveret::Broker;

use crate::declarations::{declaration, queues};
use crate::model::{Found, Id, Model, Queue};
use crate::random::Random;
use crate::server::Server;
use crate::simulation::look_at;
use crate::support::Directory;

const ROUNDS: usize = 5;
const CLIENTS: usize = 4;

/// Publishes that wait for their confirms at the same time.
const WINDOW: usize = 30;

/// A client that hears nothing for so long gives up: its server was killed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Client {
    model: Model,
    random: Random,
    name: String,
    published: u64,
    /// Messages whose confirm came.
    confirmed: usize,
}

impl Client {
    fn new(number: usize, random: Random) -> Self {
        let name = format!("k{number}");
        let mut queues = queues(&name);
        // Time passes here as it likes.
        queues.iter_mut().for_each(|queue| queue.ttl_ms = None);
        let model = Model { queues, serial: 0 };
        Self { model, random, name, published: 0, confirmed: 0 }
    }

    /// Works until the server is gone.
    async fn work(&mut self, uri: &str) {
        let worked = tokio::time::timeout(PATIENCE, self.work_off(uri)).await;
        if let Ok(Err(error)) = worked {
            assert!(
                !matches!(error.kind(), lapin::ErrorKind::ProtocolError(_)),
                "the server refuses something: {error}"
            );
        }
    }

    async fn work_off(&mut self, uri: &str) -> lapin::Result<()> {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let exchange = self.exchange();
        let none = FieldTable::default();
        channel
            .exchange_declare(exchange.as_str().into(), ExchangeKind::Fanout, options, none)
            .await?;
        loop {
            let at = self.random.below(self.model.queues.len());
            match self.random.below(20) {
                _ if !self.model.queues[at].present => self.declare(&channel, at).await?,
                0..8 => self.publish(&channel, at).await?,
                8..17 => self.take(&channel, at).await?,
                17 => self.purge(&channel, at).await?,
                18 => self.delete(&channel, at).await?,
                _ => self.bind(&channel, at).await?,
            }
        }
    }

    fn exchange(&self) -> String {
        format!("{}.fan", self.name)
    }

    /// Publishes a number of messages, then waits for their confirms.
    async fn publish(&mut self, channel: &Channel, at: usize) -> lapin::Result<()> {
        let to_all = self.random.one_in(3);
        let queue = self.model.queues[at].name.clone();
        let (exchange, key) =
            if to_all { (self.exchange(), String::new()) } else { (String::new(), queue.clone()) };
        let mut confirms = Vec::new();
        for _ in 0..1 + self.random.below(WINDOW) {
            self.published += 1;
            let name = format!("{}-{}", self.name, self.published);
            let body = format!("{name}:{}", "x".repeat(self.random.below(2000)));
            for to in 0..self.model.queues.len() {
                let goes = if to_all { self.model.queues[to].bound } else { to == at };
                if goes {
                    let to = self.model.queues[to].name.clone();
                    self.model.publish(&to, &name, true, 0);
                }
            }
            let properties = BasicProperties::default().with_delivery_mode(2);
            let (exchange, key) = (exchange.as_str().into(), key.as_str().into());
            let options = BasicPublishOptions::default();
            confirms.push(
                channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await?,
            );
        }
        let count = confirms.len();
        for confirm in confirms {
            assert!(confirm.await?.is_ack());
        }
        if !to_all || self.model.queues.iter().any(|queue| queue.bound) {
            self.model.confirm();
            self.confirmed += count;
        }
        Ok(())
    }

    /// Takes some messages; acknowledges, returns or rejects each.
    async fn take(&mut self, channel: &Channel, at: usize) -> lapin::Result<()> {
        let queue = self.model.queues[at].name.clone();
        for _ in 0..self.random.below(30) {
            let got = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await;
            if got.is_err() {
                // The answer was perhaps on its way: what it would have been counts as sent.
                self.model.queues[at].ready().take(1).for_each(|entry| entry.delivered = true);
            }
            let got = got?;
            let Some(got) = got else {
                let left = self.model.queues[at].ready().count();
                assert_eq!(left, 0, "{queue} does not give out what it has");
                return Ok(());
            };
            let id = identify(&got.delivery);
            let entry = self.model.queues[at].ready().find(|entry| entry.id == id);
            let Some(entry) = entry else { panic!("{queue} gives out {id:?}, which is gone") };
            entry.delivered = true;
            let serial = entry.serial;
            match self.random.below(6) {
                0 => {
                    self.model.give_back(&queue, serial);
                    let options = BasicNackOptions { requeue: true, ..Default::default() };
                    got.delivery.acker.nack(options).await?;
                }
                1 | 2 => {
                    self.model.die(&queue, serial, 0);
                    got.delivery.acker.reject(BasicRejectOptions { requeue: false }).await?;
                }
                _ => {
                    entry.leaving = true;
                    got.delivery.acker.ack(BasicAckOptions::default()).await?;
                }
            }
        }
        Ok(())
    }

    async fn declare(&mut self, channel: &Channel, at: usize) -> lapin::Result<()> {
        let queue = &mut self.model.queues[at];
        queue.uncertain = true;
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let arguments = declaration(queue).arguments;
        channel.queue_declare(queue.name.as_str().into(), options, arguments).await?;
        (queue.uncertain, queue.present) = (false, true);
        self.model.confirm();
        self.bind(channel, at).await
    }

    async fn bind(&mut self, channel: &Channel, at: usize) -> lapin::Result<()> {
        let exchange = self.exchange();
        let queue = &mut self.model.queues[at];
        let (to, from) = (queue.name.as_str().into(), exchange.as_str().into());
        queue.binding_uncertain = true;
        let none = FieldTable::default();
        if queue.bound {
            channel.queue_unbind(to, from, "".into(), none).await?;
        } else {
            channel.queue_bind(to, from, "".into(), QueueBindOptions::default(), none).await?;
        }
        (queue.binding_uncertain, queue.bound) = (false, !queue.bound);
        Ok(())
    }

    async fn purge(&mut self, channel: &Channel, at: usize) -> lapin::Result<()> {
        let queue = &mut self.model.queues[at];
        queue.clear();
        channel.queue_purge(queue.name.as_str().into(), QueuePurgeOptions::default()).await?;
        self.model.confirm();
        Ok(())
    }

    async fn delete(&mut self, channel: &Channel, at: usize) -> lapin::Result<()> {
        let queue = &mut self.model.queues[at];
        queue.clear();
        queue.uncertain = true;
        channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default()).await?;
        (queue.uncertain, queue.present, queue.bound) = (false, false, false);
        self.model.confirm();
        Ok(())
    }
}

fn identify(delivery: &Delivery) -> Id {
    let body = String::from_utf8(delivery.data.clone()).unwrap();
    let body = body.split(':').next().unwrap().to_owned();
    let headers = delivery.properties.headers().clone().unwrap_or_default();
    let died_in = match headers.inner().get("x-first-death-queue") {
        Some(lapin::types::AMQPValue::LongString(name)) => Some(name.to_string()),
        _ => None,
    };
    Id { body, died_in }
}

/// What is in the directory of a server that was killed.
fn look(directory: &Directory, queues: &[(&[Queue], String)]) -> Vec<Vec<Option<Found>>> {
    let copy = directory.crash();
    let broker = Broker::builder().open(copy.path()).unwrap();
    let recovery = broker.recovery();
    assert_eq!((recovery.left_out.len(), recovery.damage.len()), (0, 0), "{recovery:?}");
    queues.iter().map(|(queues, exchange)| look_at(&broker, queues, exchange)).collect()
}

#[test]
fn a_server_that_is_killed_keeps_its_promises() {
    let rounds = std::env::var("LEVERET_KILL_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut random = Random::new(7);
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|number| Client::new(number, Random::new(random.next()))).collect();
    let directory = Directory::new();
    let mut there = 0;
    for round in 0..rounds {
        let after = Duration::from_millis(50 + random.next() % 700);
        let server = Server::start(&directory.path());
        server.kill_while(after, &mut clients, |runtime, client: &mut Client, uri| {
            runtime.block_on(client.work(uri));
        });
        let queues: Vec<_> = clients.iter().map(|c| (&c.model.queues[..], c.exchange())).collect();
        let found = look(&directory, &queues);
        for (client, found) in clients.iter_mut().zip(found) {
            let wrong = client.model.check(&found, false, false, 0);
            assert!(wrong.is_empty(), "round {round}:\n{wrong}");
            there += found.iter().flatten().map(|found| found.messages.len()).sum::<usize>();
            client.model.adopt(found, 0);
        }
    }
    let confirmed: usize = clients.iter().map(|client| client.confirmed).sum();
    println!("{rounds} rounds, {confirmed} confirmed, {there} found, 0 lost, 0 wrongly back");
    assert!(confirmed > 0 && there > 0, "the server did nothing");
}
