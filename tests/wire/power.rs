//! Publishes to several queues and on several channels that come at once, and the power fails: what
//! was confirmed is there.

use std::collections::BTreeMap;

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
        octets.extend(frames::basic_publish(channel, queue, false));
        let mut header = vec![0, 60, 0, 0];
        header.extend((body.len() as u64).to_be_bytes());
        header.extend([0x10, 0, if is_persistent { 2 } else { 1 }]); // delivery-mode
        octets.extend(frames::frame(2, channel, &header));
        octets.extend(frames::frame(3, channel, body.as_bytes()));
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
        client.send(&octets);
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
    let channel = broker.connect().unwrap().open_channel().unwrap();
    for name in QUEUES {
        let mut declare = QueueDeclare::new(name);
        declare.durable = name != "t";
        channel.queue_declare_with(&declare).unwrap();
    }
    let mut client = in_memory::opened(&broker, 0);
    (2..=CHANNELS).for_each(|channel| client.open_channel(channel));
    (1..=CHANNELS).for_each(|channel| drop(client.ask(&frames::confirm_select(channel))));
    machine.cut_after(dice.throw(90));
    let publisher = std::thread::spawn(move || publish(client, dice));
    wait_until("all is confirmed or the power is off", || {
        machine.is_off() || publisher.is_finished()
    });
    machine.cut();
    drop((channel, broker));
    let (published, accepted) = publisher.join().unwrap();

    let (_machine, broker) = open(&machine.after_cut(), seed);
    let (mut confirmed, mut unconfirmed) = (0, 0);
    for name in ["a", "b", "c"] {
        let messages = broker.queue("/", name).unwrap().peek(10_000).unwrap();
        let found: Vec<String> =
            messages.iter().map(|message| String::from_utf8_lossy(message.body()).into()).collect();
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
    assert!(runs.iter().filter(is_cut).count() > 2, "the power failed between them: {runs:?}");
}
