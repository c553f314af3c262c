//! Publishes to several queues and on several channels, and acknowledgements on several channels,
//! that come at once: what they do together is what they would do one after the other.

use std::collections::BTreeMap;

use amq_protocol::protocol::{AMQPClass, basic};
use leveret::faults::Method;
use leveret::{Broker, Limits};

use crate::client::{Client, Frame};
use crate::confirms::FULL;
use crate::{counts, frames, listening, wait_until};

const CHANNELS: u16 = 4;
/// The last of them is not in confirm mode.
const PLAIN: u16 = CHANNELS;

/// Numbers that look like chance, the same for a seed.
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % sides
    }
}

/// Where a publish goes.
#[derive(Clone, Copy)]
enum To {
    /// A queue, by its name.
    Queue(&'static str),
    /// No queue; it comes back.
    Nowhere,
    /// The queues `a` and `b`, by an exchange.
    Both,
}

impl To {
    fn by_chance(dice: &mut Dice) -> Self {
        const QUEUES: [&str; 5] = ["a", "b", "c", "d", "full"];
        match dice.throw(16) {
            0 => Self::Nowhere,
            1 => Self::Both,
            n => Self::Queue(QUEUES[n as usize % QUEUES.len()]),
        }
    }

    fn queues(self) -> &'static [&'static str] {
        match self {
            Self::Queue("a") => &["a"],
            Self::Queue("b") => &["b"],
            Self::Queue("c") => &["c"],
            Self::Queue("d") => &["d"],
            Self::Queue(_) => &["full"],
            Self::Nowhere => &[],
            Self::Both => &["a", "b"],
        }
    }

    fn publish(self, channel: u16, body: &[u8]) -> Vec<u8> {
        let (exchange, key) = match self {
            Self::Queue(queue) => ("", queue),
            Self::Nowhere => ("", "nowhere"),
            Self::Both => ("amq.fanout", ""),
        };
        publish_to(channel, exchange, key, body)
    }
}

fn publish_to(channel: u16, exchange: &str, key: &str, body: &[u8]) -> Vec<u8> {
    let publish = basic::Publish {
        exchange: exchange.into(),
        routing_key: key.into(),
        mandatory: true,
        immediate: false,
    };
    let method = AMQPClass::Basic(basic::AMQPMethod::Publish(publish));
    let method = frames::method(channel, method);
    let header = frames::header(channel, body.len() as u64);
    [method, header, frames::frame(3, channel, body)].concat()
}

/// What became of the publishes of a channel, by number.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub accepted: Vec<bool>,
}

impl Outcomes {
    pub(crate) fn note(&mut self, number: u64, multiple: bool, is_accepted: bool) {
        let number = number as usize;
        assert!(number > self.accepted.len(), "{number} was settled before");
        assert!(multiple || number == self.accepted.len() + 1, "one was passed over");
        self.accepted.resize(number, is_accepted);
    }
}

/// Reads until so many publishes are settled on each channel, and so many have come back.
fn outcomes(
    client: &mut Client,
    expected: &BTreeMap<u16, Vec<bool>>,
    mut returned: usize,
) -> BTreeMap<u16, Vec<bool>> {
    let mut all: BTreeMap<u16, Outcomes> = BTreeMap::new();
    let is_settled = |all: &BTreeMap<u16, Outcomes>| {
        expected.iter().all(|(channel, expected)| {
            all.get(channel).is_some_and(|known| known.accepted.len() == expected.len())
        })
    };
    while returned > 0 || !is_settled(&all) {
        match client.frame() {
            Some(Frame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)))) => {
                all.entry(channel).or_default().note(ack.delivery_tag, ack.multiple, true);
            }
            Some(Frame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Nack(nack)))) => {
                all.entry(channel).or_default().note(nack.delivery_tag, nack.multiple, false);
            }
            Some(Frame::Method(_, AMQPClass::Basic(basic::AMQPMethod::Return(_)))) => returned -= 1,
            Some(_) => {} // of a message that comes back
            None => panic!("the connection has ended"),
        }
    }
    all.into_iter().map(|(channel, outcomes)| (channel, outcomes.accepted)).collect()
}

fn bodies(broker: &Broker, queue: &str) -> Vec<String> {
    let messages = broker.queue("/", queue).unwrap().peek(10_000).unwrap();
    messages.iter().map(|queued| String::from_utf8_lossy(queued.body()).into()).collect()
}

#[test]
fn what_is_published_at_once_is_in_its_queues_in_order_and_confirmed_as_it_went() {
    for seed in 1..=12 {
        let (broker, address) = listening(Limits::default());
        let mut client = Client::with_channel(address);
        (2..=CHANNELS).for_each(|channel| client.open_channel(channel));
        for name in ["a", "b", "c", "d"] {
            client.declare(name);
        }
        client.ask(&frames::queue_declare_with(1, "full", FULL));
        let channel = broker.connect().unwrap().open_channel().unwrap();
        channel.queue_bind("a", "amq.fanout", "").unwrap();
        channel.queue_bind("b", "amq.fanout", "").unwrap();
        (1..PLAIN).for_each(|channel| drop(client.ask(&frames::confirm_select(channel))));

        let mut dice = Dice(seed);
        let (mut octets, mut returned) = (Vec::new(), 0);
        let mut expected: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut settled: BTreeMap<u16, Vec<bool>> = BTreeMap::new();
        let (mut to, mut on) = (To::Queue("a"), 1);
        for number in 0..1500 {
            // Now in runs, now by turns.
            if dice.throw(3) > 0 {
                to = To::by_chance(&mut dice);
            }
            if dice.throw(3) == 0 {
                on = 1 + dice.throw(u64::from(CHANNELS)) as u16;
            }
            let body = format!("{number}");
            octets.extend(to.publish(on, body.as_bytes()));
            returned += usize::from(to.queues().is_empty());
            let mut is_accepted = true;
            for queue in to.queues() {
                let messages = expected.entry(queue).or_default();
                if *queue == "full" && !messages.is_empty() {
                    is_accepted = false;
                } else {
                    messages.push(body.clone());
                }
            }
            if on != PLAIN {
                settled.entry(on).or_default().push(is_accepted);
            }
        }
        client.send(&octets);
        assert_eq!(outcomes(&mut client, &settled, returned), settled, "seed {seed}");
        // What the channel without confirms has published is there when it is answered.
        client.ask(&frames::queue_declare(PLAIN, "a", false));
        for (queue, expected) in expected {
            assert_eq!(bodies(&broker, queue), expected, "{queue}, seed {seed}");
        }
    }
}

#[test]
fn what_waits_for_others_is_there_for_who_asks_next_on_any_channel() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    (2..=3).for_each(|channel| client.open_channel(channel));
    client.declare("a");
    client.declare("b");
    for round in 1..=20 {
        let publishes = [(1, "a"), (2, "b"), (1, "b"), (2, "a")];
        let mut octets = publishes.map(|(on, to)| frames::publish(on, to, b"m")).concat();
        let asked = 1 + round % 3;
        octets.extend(frames::queue_declare(asked, "b", false));
        match client.ask(&octets) {
            AMQPClass::Queue(amq_protocol::protocol::queue::AMQPMethod::DeclareOk(ok)) => {
                assert_eq!(ok.message_count, 2 * u32::from(round));
            }
            other => panic!("not declare-ok: {other:?}"),
        }
    }
}

/// Three channels that consume from `q` with a prefetch, after so many publishes to it.
fn consuming(client: &mut Client, prefetch: u16, messages: u8) {
    client.declare("q");
    for number in 0..messages {
        client.send(&frames::publish(1, "q", &[b'0' + number]));
    }
    (2..=3).for_each(|channel| client.open_channel(channel));
    for channel in 1..=3 {
        client.ask(&frames::qos(channel, prefetch));
        client.ask(&frames::consume(channel, "q", "c", false));
        for _ in 0..prefetch {
            client.content();
        }
    }
}

/// The channel and the body of the next delivery.
fn delivery(client: &mut Client) -> (u16, Vec<u8>) {
    let channel = match client.method() {
        (channel, AMQPClass::Basic(basic::AMQPMethod::Deliver(_))) => channel,
        other => panic!("no delivery but {other:?}"),
    };
    loop {
        match client.frame() {
            Some(Frame::Body(body)) => return (channel, body),
            Some(_) => {}
            None => panic!("the connection has ended"),
        }
    }
}

#[test]
fn who_acknowledges_first_is_served_first_on_whatever_channel() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    consuming(&mut client, 1, 6);
    client.send(&[2, 3, 1].map(|channel| frames::ack(channel, 1, channel == 3)).concat());
    let mut served: Vec<_> = (0..3).map(|_| delivery(&mut client)).collect();
    served.sort_by_key(|(_, body)| body.clone());
    assert_eq!(served, [(2, b"3".to_vec()), (3, b"4".to_vec()), (1, b"5".to_vec())]);
}

#[test]
fn acknowledgements_of_other_channels_count_when_one_is_wrong() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    consuming(&mut client, 2, 6);
    let acks = [(1, 1, false), (2, 2, true), (3, 9, false), (1, 2, false)];
    client.send(&acks.map(|(channel, tag, multiple)| frames::ack(channel, tag, multiple)).concat());
    let mut redelivered = 0;
    let mut is_closed = false;
    while redelivered < 2 || !is_closed {
        match client.frame() {
            Some(Frame::Method(3, AMQPClass::Channel(_))) => is_closed = true,
            Some(Frame::Method(_, AMQPClass::Basic(basic::AMQPMethod::Deliver(_)))) => {
                redelivered += 1;
            }
            Some(_) => {}
            None => panic!("the connection has ended"),
        }
    }
    let counts = counts(&broker, "q");
    assert_eq!((counts.ready, counts.unacked, counts.consumers), (0, 2, 2));
}

#[test]
fn acknowledgements_before_a_wrong_one_count_and_those_behind_it_do_not() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.send(&frames::publish(1, "q", b"m").repeat(8));
    client.ask(&frames::consume(1, "q", "c", false));
    (0..8).for_each(|_| drop(delivery(&mut client)));
    client.send(&frames::ack(1, 5, false));
    // The fifth is not there any more.
    client.send(&(1..=7).map(|tag| frames::ack(1, tag, false)).collect::<Vec<_>>().concat());
    match client.method() {
        (1, AMQPClass::Channel(amq_protocol::protocol::channel::AMQPMethod::Close(close))) => {
            assert_eq!(close.reply_code, 406);
            let text = "PRECONDITION_FAILED - unknown delivery tag 5";
            assert_eq!(close.reply_text.as_str(), text);
            assert_eq!((close.class_id, close.method_id), (60, 80));
        }
        other => panic!("not channel.close: {other:?}"),
    }
    let counts = counts(&broker, "q");
    assert_eq!((counts.ready, counts.unacked), (3, 0));
}

#[test]
fn faults_meet_each_acknowledgement_of_many() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.send(&frames::publish(1, "q", b"m").repeat(5));
    client.ask(&frames::consume(1, "q", "c", false));
    (0..5).for_each(|_| drop(delivery(&mut client)));
    let rule = broker.faults().on(Method::BasicAck).nth(3).afterwards().drop_connection();
    client.send(&(1..=5).map(|tag| frames::ack(1, tag, false)).collect::<Vec<_>>().concat());
    while client.frame().is_some() {}
    assert_eq!((rule.seen(), rule.fired()), (3, 1));
    assert_eq!(counts(&broker, "q").ready, 2);
}

#[test]
fn faults_meet_each_confirm_of_publishes_that_are_alike() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.ask(&frames::confirm_select(1));
    let rule = broker.faults().confirms().nth(3).nack_and_drop();
    client.send(&frames::publish(1, "q", b"m").repeat(5));
    wait_until("all came", || rule.seen() == 5 && counts(&broker, "q").ready == 4);
    assert_eq!(rule.fired(), 1);
}

#[test]
fn what_is_too_large_is_refused_behind_one_that_is_alike() {
    let (broker, address) = listening(Limits::new().message_size_max(1000));
    let mut client = Client::with_channel(address);
    client.declare("q");
    let publish = |octets: usize| frames::publish(1, "q", &vec![7; octets]);
    client.send(&[publish(1000), publish(1000), publish(1001)].concat());
    let text = client.channel_closed();
    assert!(text.starts_with("406 PRECONDITION_FAILED - message size 1001"), "{text}");
    assert_eq!(counts(&broker, "q").ready, 2);
}

/// Two keys of one length lead to one queue, by turns and on two channels.
#[test]
fn what_waits_for_one_queue_keeps_its_keys() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.open_channel(2);
    client.declare("q");
    let channel = broker.connect().unwrap().open_channel().unwrap();
    for key in ["k1", "k2"] {
        channel.queue_bind("q", "amq.direct", key).unwrap();
    }
    let (mut dice, mut octets, mut expected) = (Dice(5), Vec::new(), Vec::new());
    for number in 0..400 {
        let key = ["k1", "k2"][dice.throw(2) as usize];
        let on = 1 + dice.throw(2) as u16;
        let body = format!("{number}");
        octets.extend(publish_to(on, "amq.direct", key, body.as_bytes()));
        expected.push((key.to_owned(), body));
    }
    client.send(&octets);
    wait_until("all came", || counts(&broker, "q").ready == 400);
    let found = broker.queue("/", "q").unwrap().peek(1000).unwrap();
    let found = found.iter().map(|queued| {
        (queued.routing_key().to_owned(), String::from_utf8_lossy(queued.body()).into_owned())
    });
    assert!(found.eq(expected));
}

/// What the broker's HTTP server tells at this path.
#[cfg(feature = "management")]
fn told(server: std::net::SocketAddr, path: &str) -> String {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(server).unwrap();
    let head = "Host: 127.0.0.1\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nConnection: close";
    write!(socket, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
#[cfg(feature = "management")]
fn publishes_by_turns_are_counted_where_they_came_and_went_and_told_to_the_journal() {
    for broker in [Broker::new(), Broker::builder().journal(10_000).build()] {
        let address = broker.listen("127.0.0.1:0").unwrap();
        let server = broker.serve_http("127.0.0.1:0").unwrap();
        let mut client = Client::with_channel(address);
        client.open_channel(2);
        client.declare("a");
        client.declare("b");
        let channel = broker.connect().unwrap().open_channel().unwrap();
        channel.queue_bind("a", "amq.direct", "a").unwrap();
        client.ask(&frames::confirm_select(1));
        // Both exchanges lead to `a`, on both channels.
        let ways = [(1, "", "a"), (2, "amq.direct", "a"), (1, "", "b"), (1, "amq.direct", "a")];
        let round = ways.map(|(on, exchange, key)| publish_to(on, exchange, key, b"m"));
        client.send(&round.concat().repeat(25));
        wait_until("all came", || {
            (counts(&broker, "a").ready, counts(&broker, "b").ready) == (75, 25)
        });
        client.confirmed(1, 75);
        let counted = |path: &str, count: &str| {
            let answer = told(server, path);
            assert!(answer.contains(count), "{path}: {answer}");
        };
        counted("/api/exchanges/%2F/amq.direct", "\"publish_in\":50");
        counted("/api/exchanges/%2F/amq.default", "\"publish_in\":50");
        let channels = told(server, "/api/channels?columns=number,message_stats.publish");
        assert!(channels.contains("\"publish\":75") && channels.contains("\"publish\":25"));
        if broker.journal().is_on() {
            assert_eq!(broker.journal().events().published().count(), 100);
        }
    }
}
