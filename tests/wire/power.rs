//! Publishes to several queues and on several channels that come at once, and the power fails: what
//! was confirmed is there.

use std::collections::BTreeMap;
use std::io::Write;

use amq_protocol::protocol::{AMQPClass, basic};
use leveret::storage::testing::{Machine, Remains};
use leveret::{Broker, QueueDeclare};

use crate::client::{Client, Frame};
use crate::gathered::{Dice, Outcomes};
use crate::in_memory::{self, Blocking};
use crate::{frames, wait_until};

const CHANNELS: u16 = 3;

/// They are durable but for the last.
const QUEUES: [&str; 4] = ["a", "b", "c", "t"];

/// A publish, as its channel has numbered it.
struct Published {
    queue: &'static str,
    body: String,
    /// Whether it is there after a restart once it is confirmed.
    is_lasting: bool,
}

fn open(remains: &Remains, seed: u64) -> (Machine, Broker) {
    let machine = Machine::new(remains, seed);
    machine.cut_after(1 << 40);
    let broker = Broker::builder().open_on(machine.records(), machine.disk()).unwrap();
    (machine, broker)
}

/// A publish to a queue.
fn publish_with(channel: u16, queue: &str, is_persistent: bool, body: &[u8]) -> Vec<u8> {
    let mut octets = frames::basic_publish(channel, queue, false);
    let mut header = vec![0, 60, 0, 0];
    header.extend((body.len() as u64).to_be_bytes());
    header.extend([0x10, 0, if is_persistent { 2 } else { 1 }]); // delivery-mode
    octets.extend(frames::frame(2, channel, &header));
    for part in body.chunks(100_000) {
        octets.extend(frames::frame(3, channel, part));
    }
    octets
}

fn declare(broker: &Broker, name: &str, durable: bool) {
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let mut declare = QueueDeclare::new(name);
    declare.durable = durable;
    channel.queue_declare_with(&declare).unwrap();
}

fn bodies(broker: &Broker, queue: &str) -> Vec<String> {
    let messages = broker.queue("/", queue).unwrap().peek(10_000).unwrap();
    messages.iter().map(|queued| String::from_utf8_lossy(queued.body()).into()).collect()
}

/// Publishes of each channel.
type All = BTreeMap<u16, Vec<Published>>;

/// So many publishes to the queues, now in runs, now by turns, most of them persistent: their
/// octets. They are noted.
fn publishes(dice: &mut Dice, count: usize, published: &mut All) -> Vec<u8> {
    let mut octets = Vec::new();
    let (mut queue, mut channel, mut is_persistent) = ("a", 1, true);
    for _ in 0..count {
        if dice.throw(3) > 0 {
            queue = QUEUES[dice.throw(4) as usize];
        }
        if dice.throw(3) == 0 {
            channel = 1 + dice.throw(u64::from(CHANNELS)) as u16;
        }
        if dice.throw(6) == 0 {
            is_persistent = dice.throw(4) > 0;
        }
        let number = published.values().map(Vec::len).sum::<usize>();
        let body = format!("{number}");
        octets.extend(publish_with(channel, queue, is_persistent, body.as_bytes()));
        let is_lasting = is_persistent && queue != "t";
        published.entry(channel).or_default().push(Published { queue, body, is_lasting });
    }
    octets
}

/// Publishes in a few parts, each when the one before is confirmed, until the connection ends or
/// all is done. Tells what was published and how many of it were confirmed.
fn publish(mut client: Client<Blocking>, mut dice: Dice) -> (All, BTreeMap<u16, usize>) {
    let (mut published, mut outcomes) = (All::new(), BTreeMap::<u16, Outcomes>::new());
    'parts: for _ in 0..8 {
        let octets = publishes(&mut dice, 50, &mut published);
        if client.socket.write_all(&octets).is_err() {
            break;
        }
        while !published.iter().all(|(channel, published)| {
            outcomes.get(channel).is_some_and(|known| known.accepted.len() == published.len())
        }) {
            match client.frame() {
                Some(Frame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)))) => {
                    let outcomes = outcomes.entry(channel).or_default();
                    outcomes.note(ack.delivery_tag, ack.multiple, true);
                }
                Some(_) => {}
                None => break 'parts,
            }
        }
    }
    let count = |(channel, outcomes): (u16, Outcomes)| (channel, outcomes.accepted.len());
    (published, outcomes.into_iter().map(count).collect())
}

/// Publishes and cuts the power after so many operations of the disk. Tells how many publishes that
/// have to be there were confirmed, and how many not.
fn publish_until_the_power_fails(seed: u64) -> (usize, usize) {
    let mut dice = Dice(seed);
    let (machine, broker) = open(&Remains::default(), seed);
    QUEUES.into_iter().for_each(|name| declare(&broker, name, name != "t"));
    let mut client = in_memory::opened(&broker, 0);
    (2..=CHANNELS).for_each(|channel| client.open_channel(channel));
    (1..=CHANNELS).for_each(|channel| drop(client.ask(&frames::confirm_select(channel))));
    machine.cut_after(16 + dice.throw(28));
    let publisher = std::thread::spawn(move || publish(client, dice));
    wait_until("all is confirmed or the power is off", || {
        machine.is_off() || publisher.is_finished()
    });
    machine.cut();
    drop(broker);
    let (published, accepted) = publisher.join().unwrap();

    let (_machine, broker) = open(&machine.after_cut(), seed);
    let (mut confirmed, mut unconfirmed) = (0, 0);
    for name in ["a", "b", "c"] {
        let found = bodies(&broker, name);
        let in_order = found.is_sorted_by_key(|body| body.parse::<u32>().unwrap());
        assert!(in_order, "{name} has {found:?}, seed {seed}");
        for (channel, published) in &published {
            let accepted = accepted.get(channel).copied().unwrap_or_default();
            for (number, publish) in published.iter().enumerate() {
                if publish.queue != name || !publish.is_lasting {
                    assert!(publish.queue != name || !found.contains(&publish.body));
                } else if number < accepted {
                    let body = &publish.body;
                    assert!(found.contains(body), "{body} is not in {name}, seed {seed}");
                    confirmed += 1;
                } else {
                    unconfirmed += 1;
                }
            }
        }
    }
    (confirmed, unconfirmed)
}

#[test]
fn what_was_confirmed_of_publishes_that_came_at_once_is_there_after_a_power_cut() {
    let runs: Vec<_> = (1..=20).map(publish_until_the_power_fails).collect();
    let is_cut = |(confirmed, unconfirmed): &&(usize, usize)| *confirmed > 0 && *unconfirmed > 0;
    assert!(runs.iter().any(|run| is_cut(&run)), "the power failed between them: {runs:?}");
}

/// What a channel without confirms has set aside goes with what waits for its confirm.
#[test]
fn nothing_is_confirmed_on_any_channel_while_the_disk_fails() {
    let (machine, broker) = open(&Remains::default(), 1);
    declare(&broker, "a", true);
    declare(&broker, "t", false);
    let mut client = in_memory::opened(&broker, 0);
    client.open_channel(2);
    client.ask(&frames::confirm_select(2));
    let by_turns = [(1, "a"), (1, "t"), (2, "a"), (1, "t"), (2, "a")];
    let octets = by_turns.map(|(on, to)| publish_with(on, to, true, b"m")).concat();
    client.send(&octets);
    client.confirmed(2, 2);
    machine.simulated_disk().fail_writes(u32::MAX);
    client.send(&octets);
    wait_until("all came", || crate::counts(&broker, "a").ready == 6);
    machine.cut();
    drop(broker);
    while let Some(frame) = client.frame() {
        let is_confirm =
            matches!(frame, Frame::Method(_, AMQPClass::Basic(basic::AMQPMethod::Ack(_))));
        assert!(!is_confirm, "{frame:?}");
    }
}

#[test]
fn what_is_acknowledged_of_what_came_by_turns_is_gone_after_a_restart() {
    let (machine, broker) = open(&Remains::default(), 1);
    declare(&broker, "a", true);
    declare(&broker, "b", true);
    let mut client = in_memory::opened(&broker, 0);
    client.ask(&frames::confirm_select(1));
    let publish = |number: usize| {
        publish_with(1, ["a", "b"][number % 2], number % 8 < 6, format!("{number}").as_bytes())
    };
    client.send(&(0..40).flat_map(publish).collect::<Vec<_>>());
    client.confirmed(1, 40);
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let consumer = channel.basic_consume("a").unwrap();
    (0..10).for_each(|_| consumer.recv().unwrap().ack().unwrap());
    drop((consumer, channel, client));
    broker.close("over", crate::PATIENCE);
    let (_machine, broker) = open(&machine.after_exit(), 1);
    let expected = |queue: usize, from: usize| {
        let numbers = (from..40).filter(|number| number % 2 == queue && number % 8 < 6);
        numbers.map(|number| number.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((bodies(&broker, "a"), bodies(&broker, "b")), (expected(0, 20), expected(1, 0)));
}
