//! Those who have a lot kept for them, and those who vanish while they are held back.

use leveret::{Broker, Limits};

use crate::client::Client;
use crate::hostile::{End, Honest, assert_bounded, served_beside};
use crate::{frames, listening, wait_until};

pub(super) const WATERMARK: usize = 8 << 20;
const BODY: usize = 50_000;

/// More than there is room for, in the broker and in all sockets.
const FLOOD: usize = 512 << 20;

pub(super) fn short_of_memory() -> Limits {
    Limits::new().memory_high_watermark_bytes(WATERMARK)
}

/// Does it again and again, and looks at the memory each time.
fn hoard(broker: &Broker, end: &End, mut again: impl FnMut()) {
    while !end.has_come() {
        again();
        assert_bounded(broker, WATERMARK);
    }
}

#[test]
fn publishers_that_vanish_while_they_are_held_back_leave_nothing() {
    let (broker, address) = listening(short_of_memory());
    served_beside(address, Honest::declare, |end| {
        hoard(&broker, end, || {
            // Whole messages in a transaction that never ends, and one that is never whole.
            let mut client = Client::with_channel(address);
            client.declare("hoard");
            client.ask(&frames::tx_select(1));
            let octets = frames::publish(1, "hoard", &[0; BODY]);
            client.flood(&octets, FLOOD).expect("it is held back");
        });
    });
    wait_until("nothing is left", || broker.memory_total() < WATERMARK / 2);
}

#[test]
fn deliveries_and_replies_that_nobody_reads_are_bounded() {
    let (broker, address) = listening(short_of_memory());
    served_beside(address, Honest::declare, |end| {
        hoard(&broker, end, || {
            let greedy: Vec<_> = (0..10)
                .map(|number| {
                    let mut client =
                        Client::narrow(address).opened(frames::CAPABILITIES, 0).channel(1);
                    client.declare(&format!("unread {number}"));
                    client.consume(&format!("unread {number}"), "greedy", true);
                    client
                })
                .collect();
            let publish = |number| frames::publish(1, &format!("unread {number}"), &[0; BODY]);
            let all: Vec<u8> = (0..10).flat_map(publish).collect();
            let mut publisher = Client::with_channel(address);
            publisher.flood(&all, FLOOD).expect("it is held back");
            assert_bounded(&broker, WATERMARK);
            drop((greedy, publisher));
            let mut client = Client::with_channel(address);
            (0..10).for_each(|number| {
                drop(client.ask(&frames::queue_delete(1, &format!("unread {number}"))));
            });
        });
    });
}

#[test]
fn what_is_opened_and_never_used_is_bounded() {
    let (broker, address) = listening(short_of_memory());
    served_beside(address, Honest::declare, |end| {
        hoard(&broker, end, || {
            let mut client = Client::with_channel(address);
            client.declare("shared");
            for number in 2..200 {
                client.open_channel(number);
                client.ask(&frames::consume(number, "shared", "idle", false));
            }
        });
    });
    wait_until("nothing is left", || broker.memory_total() < WATERMARK / 2);
}
