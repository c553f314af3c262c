//! What moves from one queue to another is in one of them, whenever the power is cut.

#[cfg(feature = "server")]
use std::io::{Read as _, Write as _};
#[cfg(feature = "server")]
use std::net::TcpStream;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use leveret::storage::testing::{Machine, Remains};
use leveret::{ExchangeDeclare, Publish, StreamStart};

use crate::support::*;

const MESSAGES: usize = 3;

fn open(machine: &Machine) -> leveret::Broker {
    builder(START).segment_bytes(16 << 10).open_on(machine.records(), machine.disk()).unwrap()
}

/// Cuts the power at each moment of what follows from a second that passes; afterwards the queues
/// together have each message once.
fn is_in_one_place(prepared: &Remains, queues: &[&str]) {
    stays_in_one_place(prepared, queues, |_| {});
}

/// The same with what happens before.
fn stays_in_one_place(prepared: &Remains, queues: &[&str], happens: impl Fn(&leveret::Broker)) {
    let all = |broker: &leveret::Broker| {
        let one = channel(broker);
        let mut found: Vec<String> = queues.iter().flat_map(|queue| bodies(&one, queue)).collect();
        found.sort();
        found
    };
    cut_in_between(
        prepared,
        |broker, _| happens(broker),
        |broker, when| {
            broker.advance(Duration::from_secs(2));
            assert_eq!(all(broker), ["0", "1", "2"], "{when}");
        },
    );
}

/// Cuts the power at each moment of what happens and follows from a second that passes, and looks
/// at what is there afterwards.
fn cut_in_between(
    prepared: &Remains,
    happens: impl Fn(&leveret::Broker, &Machine),
    look: impl Fn(&leveret::Broker, &str),
) {
    for operations in 0.. {
        let machine = Machine::new(prepared, operations);
        machine.cut_after(1 << 40);
        let broker = open(&machine);
        machine.cut_after(operations);
        happens(&broker, &machine);
        broker.advance(Duration::from_secs(2));
        drop(broker);
        let is_over = !machine.is_off();
        let remains = if is_over { machine.after_exit() } else { machine.after_cut() };

        let machine = Machine::new(&remains, 1);
        machine.cut_after(1 << 40);
        let broker = open(&machine);
        look(&broker, &format!("the power was cut after {operations} operations"));
        if is_over {
            assert!(operations > 3, "the power was never cut in between");
            break;
        }
    }
}

fn prepare(declare: impl Fn(&leveret::Channel), publish: impl Fn(&str) -> Publish) -> Remains {
    let machine = Machine::new(&Remains::default(), 1);
    machine.cut_after(1 << 40);
    let broker = open(&machine);
    let one = channel(&broker);
    declare(&one);
    for number in 0..MESSAGES {
        confirm(&one, publish(&number.to_string()));
    }
    machine.cut();
    machine.after_cut()
}

#[test]
fn a_dead_letter_is_in_one_queue() {
    let arguments = table([
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "dead".into()),
        ("x-message-ttl", 1000_i64.into()),
    ]);
    let declare = |one: &leveret::Channel| {
        one.queue_declare_with(&durable_with("q", arguments.clone())).unwrap();
        one.queue_declare_with(&durable("dead")).unwrap();
    };
    is_in_one_place(&prepare(declare, |body| persistent("q", body)), &["q", "dead"]);
}

/// From a queue that keeps its dead letters until they are delivered.
fn keeping(exchange: &str, key: &str) -> leveret::QueueDeclare {
    let arguments = table([
        ("x-queue-type", "quorum".into()),
        ("x-overflow", "reject-publish".into()),
        ("x-dead-letter-strategy", "at-least-once".into()),
        ("x-dead-letter-exchange", exchange.into()),
        ("x-dead-letter-routing-key", key.into()),
        ("x-message-ttl", 1000_i64.into()),
    ]);
    durable_with("work", arguments)
}

#[test]
fn a_dead_letter_that_is_delivered_at_least_once_is_in_one_queue() {
    let retry = table([
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "end".into()),
        ("x-message-ttl", 500_i64.into()),
    ]);
    let declare = |one: &leveret::Channel| {
        one.queue_declare_with(&keeping("", "retry")).unwrap();
        one.queue_declare_with(&durable_with("retry", retry.clone())).unwrap();
        one.queue_declare_with(&durable("end")).unwrap();
    };
    is_in_one_place(&prepare(declare, |body| persistent("work", body)), &["work", "retry", "end"]);
}

fn refusing(queue: &str, kind: &str, max_length: i64) -> leveret::QueueDeclare {
    let arguments = table([
        ("x-queue-type", kind.into()),
        ("x-overflow", "reject-publish".into()),
        ("x-max-length", max_length.into()),
    ]);
    durable_with(queue, arguments)
}

/// The same if the queue that it goes to refuses what is too much.
#[test]
fn a_dead_letter_that_may_be_refused_is_in_one_queue() {
    for kind in ["classic", "quorum"] {
        let declare = |one: &leveret::Channel| {
            one.queue_declare_with(&keeping("", "end")).unwrap();
            one.queue_declare_with(&refusing("end", kind, 100)).unwrap();
        };
        is_in_one_place(&prepare(declare, |body| persistent("work", body)), &["work", "end"]);
    }
}

/// One of the queues that it goes to is full for most of the time.
#[test]
fn a_dead_letter_that_one_of_two_refuses_comes_to_each_once() {
    for kind in ["classic", "quorum"] {
        let declare = |one: &leveret::Channel| {
            let fan = ExchangeDeclare::new("fan", "fanout").durable();
            one.exchange_declare_with(&fan).unwrap();
            one.queue_declare_with(&keeping("fan", "")).unwrap();
            one.queue_declare_with(&durable("free")).unwrap();
            one.queue_declare_with(&refusing("full", kind, 2)).unwrap();
            one.queue_bind("free", "fan", "").unwrap();
            one.queue_bind("full", "fan", "").unwrap();
            confirm(one, persistent("full", "before"));
        };
        let prepared = prepare(declare, |body| persistent("work", body));
        cut_in_between(
            &prepared,
            |_, _| {},
            |broker, when| {
                let one = channel(broker);
                let (mut free, mut full) = (Vec::new(), Vec::new());
                for _ in 0..=MESSAGES {
                    broker.advance(Duration::from_secs(2));
                    free.extend(bodies(&one, "free"));
                    full.extend(bodies(&one, "full"));
                    // They are tried again after a while.
                    broker.advance(Duration::from_secs(60));
                }
                free.sort();
                full.sort();
                assert_eq!(free, ["0", "1", "2"], "{kind}: {when}");
                assert_eq!(full, ["0", "1", "2", "before"], "{kind}: {when}");
                assert!(bodies(&one, "work").is_empty());
            },
        );
    }
}

#[test]
fn a_delayed_message_is_in_its_exchange_or_in_its_queue() {
    let declare = |one: &leveret::Channel| {
        let delayed = ExchangeDeclare::new("later", "x-delayed-message").durable();
        one.exchange_declare_with(&delayed.argument("x-delayed-type", "direct")).unwrap();
        one.queue_declare_with(&durable("q")).unwrap();
        one.queue_bind("q", "later", "q").unwrap();
    };
    let publish = |body: &str| {
        let delayed = Publish::to_exchange("later", "q").body(body.to_owned());
        delayed.persistent().header("x-delay", 1000)
    };
    is_in_one_place(&prepare(declare, publish), &["q"]);
}

/// The bodies in a stream, once all is committed that was appended.
fn in_stream(broker: &leveret::Broker, stream: &str) -> Vec<String> {
    let one = channel(broker);
    one.queue_declare_with(&durable("last")).unwrap();
    one.queue_delete("last").unwrap();
    let messages = broker.stream("/", stream).unwrap().read(StreamStart::First).unwrap();
    let mut found: Vec<_> =
        messages.into_iter().map(|message| message.unwrap().text().to_owned()).collect();
    found.sort();
    found
}

/// Cuts the power at each moment of what follows from a second that passes; afterwards a stream has
/// each message once, in the end.
fn is_in_the_stream_once(prepared: &Remains) {
    cut_in_between(
        prepared,
        |_, _| {},
        |broker, when| {
            broker.advance(Duration::from_secs(2));
            assert_eq!(in_stream(broker, "log"), ["0", "1", "2"], "{when}");
        },
    );
}

fn declare_stream(one: &leveret::Channel) {
    one.queue_declare_with(&durable("log").argument("x-queue-type", "stream")).unwrap();
}

#[test]
fn a_dead_letter_is_in_a_stream_once() {
    let arguments = table([
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "log".into()),
        ("x-message-ttl", 1000_i64.into()),
    ]);
    let declare = |one: &leveret::Channel| {
        declare_stream(one);
        one.queue_declare_with(&durable_with("q", arguments.clone())).unwrap();
    };
    is_in_the_stream_once(&prepare(declare, |body| persistent("q", body)));
}

#[test]
fn a_dead_letter_that_is_delivered_at_least_once_is_in_a_stream_once() {
    let declare = |one: &leveret::Channel| {
        declare_stream(one);
        one.queue_declare_with(&keeping("", "log")).unwrap();
    };
    is_in_the_stream_once(&prepare(declare, |body| persistent("work", body)));
}

#[test]
fn a_delayed_message_is_in_a_stream_once() {
    let declare = |one: &leveret::Channel| {
        let delayed = ExchangeDeclare::new("later", "x-delayed-message").durable();
        one.exchange_declare_with(&delayed.argument("x-delayed-type", "direct")).unwrap();
        declare_stream(one);
        one.queue_bind("log", "later", "").unwrap();
    };
    let publish = |body: &str| {
        let delayed = Publish::to_exchange("later", "").body(body.to_owned());
        delayed.persistent().header("x-delay", 1000)
    };
    is_in_the_stream_once(&prepare(declare, publish));
}

/// A stream and a queue get it, and another queue that is full for most of the time.
#[test]
fn a_dead_letter_for_a_stream_and_queues_comes_to_each_once() {
    let declare = |one: &leveret::Channel| {
        declare_stream(one);
        let fan = ExchangeDeclare::new("fan", "fanout").durable();
        one.exchange_declare_with(&fan).unwrap();
        one.queue_declare_with(&keeping("fan", "")).unwrap();
        one.queue_declare_with(&durable("free")).unwrap();
        one.queue_declare_with(&refusing("full", "classic", 2)).unwrap();
        ["log", "free", "full"].iter().for_each(|to| one.queue_bind(to, "fan", "").unwrap());
        confirm(one, persistent("full", "before"));
    };
    let prepared = prepare(declare, |body| persistent("work", body));
    cut_in_between(
        &prepared,
        |_, _| {},
        |broker, when| {
            let one = channel(broker);
            let (mut free, mut full) = (Vec::new(), Vec::new());
            for _ in 0..=MESSAGES {
                broker.advance(Duration::from_secs(62));
                free.extend(bodies(&one, "free"));
                full.extend(bodies(&one, "full"));
            }
            free.sort();
            full.sort();
            assert_eq!(free, ["0", "1", "2"], "{when}");
            assert_eq!(full, ["0", "1", "2", "before"], "{when}");
            assert_eq!(in_stream(broker, "log"), ["0", "1", "2"], "{when}");
        },
    );
}

/// Tells that something is over, however it ends.
struct Over(Sender<()>);

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Does something for which nobody waits any more when the power is cut.
fn unless_cut(machine: &Machine, act: impl FnOnce() + Send + 'static) {
    let (sender, over) = mpsc::channel();
    let (at_cut, at_end) = (sender.clone(), Over(sender));
    machine.when_cut(move || {
        let _ = at_cut.send(());
    });
    let acting = std::thread::spawn(move || {
        let _at_end = at_end;
        act();
    });
    if !machine.is_off() {
        over.recv().unwrap();
    }
    if !machine.is_off() {
        acting.join().unwrap();
    }
}

/// Has all messages of a queue moved to the stream.
#[cfg(feature = "server")]
fn move_by_hand(broker: &leveret::Broker, machine: &Machine) {
    let mut socket = TcpStream::connect(broker.serve_http("127.0.0.1:0").unwrap()).unwrap();
    unless_cut(machine, move || {
        let what = r#"{"to": "log"}"#;
        write!(
            socket,
            "POST /api/leveret/queues/%2F/q/move HTTP/1.1\r\nhost: localhost\r\n\
             connection: close\r\ncontent-type: application/json\r\n\
             authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\ncontent-length: {}\r\n\r\n{what}",
            what.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(r#""moved":3"#), "{answer}");
    });
}

#[cfg(feature = "server")]
#[test]
fn what_is_moved_to_a_stream_by_hand_is_in_one_of_the_two() {
    let declare = |one: &leveret::Channel| {
        declare_stream(one);
        one.queue_declare_with(&durable("q")).unwrap();
    };
    let prepared = prepare(declare, |body| persistent("q", body));
    cut_in_between(&prepared, move_by_hand, |broker, when| {
        let mut all = bodies(&channel(broker), "q");
        all.extend(in_stream(broker, "log"));
        all.sort();
        assert_eq!(all, ["0", "1", "2"], "{when}");
    });
}

/// What is on its way to a stream that is deleted is gone with it.
#[test]
fn what_moves_to_a_stream_that_is_deleted_is_no_damage() {
    let arguments = table([
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "log".into()),
        ("x-message-ttl", 1000_i64.into()),
    ]);
    let declare = |one: &leveret::Channel| {
        declare_stream(one);
        one.queue_declare_with(&durable_with("q", arguments.clone())).unwrap();
    };
    let prepared = prepare(declare, |body| persistent("q", body));
    let delete = |broker: &leveret::Broker, machine: &Machine| {
        broker.advance(Duration::from_secs(2));
        let one = channel(broker);
        unless_cut(machine, move || drop(one.queue_delete("log")));
    };
    cut_in_between(&prepared, delete, |broker, when| {
        let recovery = broker.recovery();
        assert_eq!(
            (recovery.left_out.len(), recovery.damage.len()),
            (0, 0),
            "{when}: {recovery:?}"
        );
        broker.advance(Duration::from_secs(2));
        if broker.stream("/", "log").is_ok() {
            assert_eq!(in_stream(broker, "log"), ["0", "1", "2"], "{when}");
        }
    });
}

/// Messages that come back to a quorum queue get new numbers.
#[test]
fn what_comes_back_to_a_quorum_queue_is_there_once() {
    let declare = |one: &leveret::Channel| drop(one.queue_declare_with(&quorum("q")).unwrap());
    let prepared = prepare(declare, |body| persistent("q", body));
    stays_in_one_place(&prepared, &["q"], |broker| {
        let one = channel(broker);
        let taken: Vec<_> = std::iter::from_fn(|| one.basic_get("q").ok()?).collect();
        for delivery in &taken {
            // The disk may have failed by then.
            let _ = delivery.requeue();
        }
    });
}
