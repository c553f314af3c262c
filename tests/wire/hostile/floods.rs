//! Floods of what costs the sender nothing, and large things that go.

use std::io::Write;
use std::thread;

use leveret::{AMQPValue, Binding, Limits, Policy};

use crate::client::Client;
use crate::hostile::{Honest, flood, served_beside, served_while};
use crate::{counts, frames, listening, wait_until};

fn round_beside_flood(octets: &[u8]) {
    let (_broker, address) = listening(Limits::default());
    served_beside(address, Honest::round, |end| {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| flood(address, octets, end));
            }
        });
    });
}

#[test]
fn heartbeats_leave_others_their_share() {
    round_beside_flood(&frames::frame(8, 0, &[]).repeat(8_000));
}

#[test]
fn channels_that_open_and_close_leave_others_their_share() {
    let one = [frames::channel_open(2), frames::channel_close(2)].concat();
    round_beside_flood(&one.repeat(2_000));
}

#[test]
fn declarations_leave_others_their_share() {
    let declare = |number: usize| frames::queue_declare(1, &format!("flood {number}"), false);
    let delete = |number: usize| frames::queue_delete(1, &format!("flood {number}"));
    let all = (0..500).map(declare).chain((0..500).map(delete));
    round_beside_flood(&all.flatten().collect::<Vec<_>>());
}

#[test]
fn consumers_that_come_and_go_leave_others_their_share() {
    let consume = |number: usize| frames::consume(1, "own", &format!("c{number}"), true);
    let cancel = |number: usize| frames::cancel(1, &format!("c{number}"));
    let mut all = frames::queue_declare(1, "own", false);
    all.extend((0..300).flat_map(consume));
    all.extend((0..300).flat_map(cancel));
    round_beside_flood(&all);
}

#[test]
fn bindings_that_go_with_a_queue_or_an_exchange_keep_nobody_waiting() {
    const BINDINGS: usize = 5_000;
    let (broker, address) = listening(Limits::default());
    served_beside(address, Honest::round, |end| {
        let channel = broker.connect().unwrap().open_channel().unwrap();
        while !end.has_come() {
            channel.exchange_declare("x", "topic").unwrap();
            channel.queue_declare("bound").unwrap();
            for number in 0..BINDINGS {
                let binding = Binding::new("x", format!("{}.{number}", number % 7));
                channel.queue_bind_with("bound", &binding).unwrap();
            }
            channel.queue_delete("bound").unwrap();
            channel.exchange_delete("x").unwrap();
        }
    });
}

/// `LEVERET_LARGE_TIMES=40` does it with 200,000 bindings and 100,000 consumers.
#[test]
fn what_is_large_comes_and_goes_while_others_are_served() {
    let times = std::env::var("LEVERET_LARGE_TIMES").ok().and_then(|times| times.parse().ok());
    let (bindings, consumers) = (5_000 * times.unwrap_or(1), 2_500 * times.unwrap_or(1));
    let (broker, address) = listening(Limits::default());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let bind_all = || {
        channel.exchange_declare("x", "topic").unwrap();
        channel.queue_declare("bound").unwrap();
        for number in 0..bindings {
            let binding = Binding::new("x", format!("{}.{number}", number % 7));
            channel.queue_bind_with("bound", &binding).unwrap();
        }
    };
    bind_all();
    served_while(address, &format!("{bindings} bindings go with a queue"), || {
        channel.queue_delete("bound").unwrap();
    });
    bind_all();
    served_while(address, &format!("{bindings} bindings go with an exchange"), || {
        channel.exchange_delete("x").unwrap();
    });
    let mut all = Vec::new();
    served_while(address, &format!("{consumers} consumers come"), || {
        all.extend((0..consumers).map(|_| channel.basic_consume("bound").unwrap()));
    });
    served_while(address, &format!("{consumers} consumers go"), || all.clear());
}

#[test]
fn a_connection_that_ends_with_all_it_has_keeps_nobody_waiting() {
    const MANY: usize = 1_500;
    let (broker, address) = listening(Limits::default());
    served_beside(address, Honest::round, |end| {
        while !end.has_come() {
            let mut client = Client::with_channel(address);
            client.declare("shared");
            let own = |number: usize| frames::queue_declare(1, &format!("own {number}"), true);
            let consume = |number: usize| frames::consume(1, "shared", &number.to_string(), false);
            let all: Vec<u8> = (0..MANY).flat_map(|n| [own(n), consume(n)].concat()).collect();
            let mut writer = client.socket.try_clone().unwrap();
            thread::scope(|scope| {
                scope.spawn(move || writer.write_all(&all).unwrap());
                (0..2 * MANY).for_each(|_| drop(client.method()));
            });
            drop(client);
            wait_until("all are gone", || counts(&broker, "shared").consumers == 0);
        }
    });
}

#[test]
fn a_policy_for_many_queues_keeps_nobody_waiting() {
    let (broker, address) = listening(Limits::default());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    (0..3_000).for_each(|number| drop(channel.queue_declare(&format!("many {number}")).unwrap()));
    let host = broker.virtual_host("/").unwrap();
    served_beside(address, Honest::round, |end| {
        while !end.has_come() {
            let policy = Policy::new("^many").with("max-length", AMQPValue::LongInt(9));
            host.set_policy("many", policy).unwrap();
            host.remove_policy("many");
        }
    });
}
