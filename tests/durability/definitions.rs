//! Virtual hosts, exchanges, queues, bindings, policies and users over a restart.

use std::thread;
use std::time::Duration;

use leveret::Policy;
use leveret::access::{PasswordHash, Permissions};
use leveret::definitions::Definitions;
use leveret::{
    AMQPValue, Binding, Broker, Channel, ExchangeDeclare, ImportError, Machine, OpenError, Publish,
    QueueDeclare, VirtualHostHandle,
};

use crate::power;
use crate::random::Random;
use crate::support::*;

fn durable_exchange(exchange: &str, kind: &str) -> ExchangeDeclare {
    ExchangeDeclare::new(exchange, kind).durable()
}

#[test]
fn what_is_imported_is_there_after_a_crash_at_once() {
    let directory = Directory::new();
    let broker = directory.open();
    broker.add_virtual_host("a");
    let crashed = directory.crash();
    let broker = crashed.open();
    broker.connect_to("a").unwrap();
    // A virtual host that exists is given to the default user again.
    broker.access().permissions.remove("guest", "a").unwrap();
    broker.add_virtual_host("a");
    let crashed = crashed.crash();
    let broker = crashed.open();
    broker.connect_to("a").unwrap();
    let definitions = br#"{"users": [{"name": "app", "password": "x"}],
        "vhosts": [{"name": "b", "default_queue_type": "quorum"}],
        "permissions": [{"user": "app", "vhost": "b", "configure": "", "write": "", "read": ""}],
        "queues": [{"name": "q", "vhost": "b", "durable": true}]}"#;
    broker.import(&Definitions::from_json(definitions).unwrap()).unwrap();
    let crashed = crashed.crash();
    let broker = crashed.open();
    broker.connect_as("app", "b").unwrap();
    assert!(broker.virtual_host("b").unwrap().queue("q").is_ok());
    // It still has its default queue type.
    broker.add_virtual_host("b");
    let channel = broker.connect_to("b").unwrap().open_channel().unwrap();
    for queue in ["q", "new"] {
        channel.queue_declare_with(&QueueDeclare::new(queue).durable()).unwrap();
        let typed = table([("x-queue-type", "quorum".into())]);
        channel.queue_declare_with(&durable_with(queue, typed)).unwrap();
    }
}

#[test]
fn what_can_be_had_of_definitions_is_there_after_a_crash() {
    let directory = Directory::new();
    let broker = directory.open();
    let definitions = br#"{"users": [{"name": "bad", "password_hash": "?"},
        {"name": "app", "password": "x"}], "permissions": [
        {"user": "app", "vhost": "/", "configure": "^(?!amq)", "write": "", "read": ""}],
        "exchanges": [{"name": "x", "type": "none"}], "queues": [{"name": "q"}]}"#;
    let refused = broker.import(&Definitions::from_json(definitions).unwrap()).unwrap_err();
    assert!(matches!(refused, ImportError::Refused(refused) if refused.len() == 2));
    let broker = directory.crash().open();
    broker.connect_as("app", "/").unwrap();
    assert!(broker.virtual_host("/").unwrap().queue("q").is_ok());
}

#[test]
fn what_is_durable_is_there_again_and_nothing_else() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.exchange_declare_with(&durable_exchange("topic", "topic")).unwrap();
    one.exchange_declare_with(&durable_exchange("headers", "headers")).unwrap();
    one.exchange_declare("transient", "fanout").unwrap();
    one.queue_declare_with(&durable_with("q", table([("x-max-length", 7.into())]))).unwrap();
    one.queue_declare("other").unwrap();
    one.queue_bind("q", "topic", "a.#").unwrap();
    one.queue_bind("q", "topic", "gone").unwrap();
    one.queue_unbind("q", "topic", "gone").unwrap();
    one.queue_bind("q", "transient", "").unwrap();
    one.queue_bind("other", "topic", "a.#").unwrap();
    let header = Binding::new("headers", "").arguments(table([("kind", "x".into())]));
    one.queue_bind_with("q", &header).unwrap();
    one.exchange_bind("headers", "topic", "h").unwrap();

    let crashed = directory.crash();
    let broker = crashed.open();
    assert_eq!(broker.recovery().left_out, [""; 0]);
    let two = channel(&broker);
    let host = broker.virtual_host("/").unwrap();
    let mut queues: Vec<_> = host.queues().iter().map(|q| q.name().to_string()).collect();
    queues.sort();
    assert_eq!(queues, ["q"]);
    assert!(host.exchange("transient").is_err());
    assert_eq!(host.exchange("topic").unwrap().binding_count(), 2);
    let again = durable_with("q", table([("x-max-length", 8.into())]));
    let refused = two.queue_declare_with(&again).unwrap_err().to_string();
    assert!(refused.contains("received '8' but current is '7'"), "{refused}");
    let kind = AMQPValue::LongString("x".into());
    confirm(&two, Publish::to_exchange("topic", "a.b").body("by key"));
    confirm(&two, Publish::to_exchange("topic", "gone").body("unbound"));
    confirm(&two, Publish::to_exchange("topic", "h").body("by header").header("kind", kind));
    assert_eq!(bodies(&two, "q"), ["by key", "by header"]);

    two.exchange_delete("topic").unwrap();
    two.queue_delete("q").unwrap();
    two.queue_declare_with(&durable("q")).unwrap();
    drop((two, broker));
    let broker = crashed.open();
    let host = broker.virtual_host("/").unwrap();
    assert!(host.exchange("topic").is_err());
    assert_eq!(host.exchange("headers").unwrap().binding_count(), 0);
    assert_eq!(broker.recovery().left_out, [""; 0]);
}

#[test]
fn policies_apply_again() {
    let directory = Directory::new();
    let broker = directory.open();
    let host = broker.virtual_host("/").unwrap();
    let policy = |max| Policy::new("^q").with("max-length", AMQPValue::LongInt(max));
    host.set_policy("short", policy(5)).unwrap();
    host.set_policy("removed", policy(1)).unwrap();
    host.set_operator_policy("shorter", policy(3)).unwrap();
    host.remove_policy("removed");
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    confirm(&one, persistent("q", "0"));
    drop((one, host, broker));

    let broker = directory.open();
    let two = channel(&broker);
    for number in 1..10 {
        confirm(&two, persistent("q", &number.to_string()));
    }
    assert_eq!(bodies(&two, "q"), ["7", "8", "9"]);
}

#[test]
fn a_policy_applies_again_to_an_exchange_that_is_always_there() {
    let directory = Directory::new();
    let broker = directory.open();
    let elsewhere = AMQPValue::LongString("amq.fanout".into());
    let policy = Policy::new("^amq\\.direct$").with("alternate-exchange", elsewhere);
    broker.virtual_host("/").unwrap().set_policy("elsewhere", policy).unwrap();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    one.queue_bind("q", "amq.fanout", "").unwrap();
    confirm(&one, Publish::to_exchange("amq.direct", "nobody").body("1").persistent());
    drop((one, broker));

    let broker = directory.open();
    let two = channel(&broker);
    confirm(&two, Publish::to_exchange("amq.direct", "nobody").body("2").persistent());
    assert_eq!(bodies(&two, "q"), ["1", "2"]);
}

#[test]
fn users_and_virtual_hosts_are_kept() {
    let directory = Directory::new();
    let broker = directory.open();
    broker.add_virtual_host("orders");
    let access = broker.access();
    access.add_administrator("ops".into(), PasswordHash::new("secret", [7; 4]), "orders".into());
    access.permissions.set("ops".into(), "/".into(), Permissions::new("", "^a", "").unwrap());
    drop(broker);

    let broker = directory.open();
    assert!(broker.access().users.authenticate("ops", "secret", false).is_ok());
    assert!(broker.connect_as("ops", "orders").is_ok());
    broker.access().remove_user("ops");
    drop(broker);
    assert!(directory.open().access().users.get("ops").is_none());
}

#[test]
fn a_directory_is_for_one_broker_at_a_time() {
    let directory = Directory::new();
    let broker = directory.open();
    let error = builder(START).open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Store { .. }));
    assert!(error.to_string().contains("is in use by another process"), "{error}");
    drop(broker);
    directory.open();
}

#[test]
fn policies_that_many_threads_set_at_once_are_the_same_after_a_restart() {
    const ROUNDS: usize = 500;
    let machine = Machine::new();
    let open = || Broker::builder().open_on_machine(&machine).unwrap();
    // How many messages the queue takes.
    let limit = |broker: &Broker| {
        let channel = channel(broker);
        channel.queue_purge("q").unwrap();
        for _ in 0..30 {
            channel.basic_publish(Publish::to_queue("q").body("m")).unwrap();
        }
        channel.queue_purge("q").unwrap()
    };
    channel(&open()).queue_declare_with(&durable("q")).unwrap();
    for round in 0..ROUNDS {
        let broker = open();
        let host = broker.virtual_host("/").unwrap();
        thread::scope(|scope| {
            for thread in 0..8 {
                let host = &host;
                scope.spawn(move || {
                    for change in 1..=3 {
                        let value = AMQPValue::LongInt(thread * 3 + change);
                        host.set_policy("p", Policy::new("").with("max-length", value)).unwrap();
                    }
                });
            }
        });
        let before = limit(&broker);
        broker.close("", Duration::ZERO);
        drop((host, broker));
        assert_eq!(limit(&open()), before, "round {round}");
    }
}

/// What is deleted: it, its deletion, whether it is there.
struct Deleted {
    declare: fn(&Channel),
    bind: fn(&Channel, &str),
    delete: fn(&Channel) -> leveret::Result<()>,
    is_there: fn(&VirtualHostHandle) -> bool,
}

#[test]
fn a_queue_whose_deletion_is_cut_off_has_all_its_bindings_or_is_gone() {
    has_all_its_bindings_or_is_gone(&Deleted {
        declare: |channel| drop(channel.queue_declare_with(&durable("q")).unwrap()),
        bind: |channel, key| channel.queue_bind("q", "e", key).unwrap(),
        delete: |channel| channel.queue_delete("q").map(drop),
        is_there: |host| host.queue("q").is_ok(),
    });
}

#[test]
fn an_exchange_whose_deletion_is_cut_off_has_all_its_bindings_or_is_gone() {
    let declare = |channel: &Channel| {
        channel.queue_declare_with(&durable("q")).unwrap();
        channel.exchange_declare_with(&durable_exchange("e", "direct")).unwrap();
    };
    has_all_its_bindings_or_is_gone(&Deleted {
        declare,
        bind: |channel, key| channel.queue_bind("q", "e", key).unwrap(),
        delete: |channel| channel.exchange_delete("e"),
        is_there: |host| host.exchange("e").is_ok(),
    });
}

#[test]
fn an_exchange_that_others_are_bound_to_is_gone_with_all_these_bindings() {
    let declare = |channel: &Channel| {
        channel.exchange_declare_with(&durable_exchange("to", "fanout")).unwrap();
    };
    has_all_its_bindings_or_is_gone(&Deleted {
        declare,
        bind: |channel, key| channel.exchange_bind("to", "e", key).unwrap(),
        delete: |channel| channel.exchange_delete("to"),
        is_there: |host| host.exchange("to").is_ok(),
    });
}

/// Of many bindings the records go in steps.
fn has_all_its_bindings_or_is_gone(deleted: &Deleted) {
    const BINDINGS: usize = 1100;
    let random = &mut Random::new(7);
    let open =
        |machine: &power::Machine| Broker::builder().open_on(machine.records(), machine.disk());
    let machine = power::Machine::new(&power::Remains::nothing(), u64::MAX, random);
    let broker = open(&machine).unwrap();
    let one = channel(&broker);
    one.exchange_declare_with(&durable_exchange("e", "direct")).unwrap();
    (deleted.declare)(&one);
    (0..BINDINGS).for_each(|key| (deleted.bind)(&one, &key.to_string()));
    let remains = machine.cut();
    broker.close("there is no power", Duration::ZERO);
    let (mut whole, mut gone) = (0, 0);
    for operations in (0..60).flat_map(|operations| [operations; 3]) {
        let machine = power::Machine::new(&remains, operations, random);
        let Ok(broker) = open(&machine) else { continue };
        machine.begin_work(1);
        thread::scope(|scope| {
            let one = channel(&broker);
            scope.spawn(|| {
                // Without power nobody answers.
                let _ = (deleted.delete)(&{ one });
                machine.end_work();
            });
            machine.wait();
            broker.close("there is no power", Duration::ZERO);
        });
        let was_cut = machine.is_off();
        let after = power::Machine::new(&machine.cut(), u64::MAX, random);
        let broker = open(&after).unwrap();
        assert_eq!(broker.recovery().left_out, [""; 0]);
        let is_there = (deleted.is_there)(&broker.virtual_host("/").unwrap());
        (deleted.declare)(&channel(&broker));
        let broker = open(&power::Machine::new(&after.cut(), u64::MAX, random)).unwrap();
        let bound = broker.virtual_host("/").unwrap().exchange("e").unwrap().binding_count();
        assert_eq!(bound, if is_there { BINDINGS } else { 0 }, "after {operations} operations");
        *(if is_there { &mut whole } else { &mut gone }) += 1;
        if !was_cut || gone > 9 {
            break;
        }
    }
    assert!(gone > 0, "{whole} were left whole");
}

#[test]
fn a_deletion_in_steps_ends_when_nothing_can_be_recorded_any_more() {
    const BINDINGS: usize = 1100;
    let machine = power::Machine::new(&power::Remains::nothing(), u64::MAX, &mut Random::new(7));
    let broker = Broker::builder().open_on(machine.records(), machine.disk()).unwrap();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    (0..BINDINGS).for_each(|key| one.queue_bind("q", "amq.direct", &key.to_string()).unwrap());
    let host = broker.virtual_host("/").unwrap();
    machine.cut();
    thread::scope(|scope| {
        let deletion = scope.spawn(|| { one }.queue_delete("q"));
        while host.queue("q").is_ok() {
            thread::yield_now();
        }
        broker.close("there is no power", Duration::ZERO);
        assert!(deletion.join().unwrap().is_err());
    });
}

/// What is left of the first one is forgotten before, and not what is bound to the second one.
#[test]
fn an_exchange_that_comes_again_while_it_is_deleted_keeps_what_is_bound_then() {
    const BINDINGS: usize = 3000;
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    one.exchange_declare_with(&durable_exchange("e", "direct")).unwrap();
    let bind = |channel: &Channel, key: usize| channel.queue_bind("q", "e", &key.to_string());
    (0..BINDINGS).for_each(|key| bind(&one, key).unwrap());
    thread::scope(|scope| {
        let other = channel(&broker);
        scope.spawn(|| { one }.exchange_delete("e").unwrap());
        let host = broker.virtual_host("/").unwrap();
        while host.exchange("e").is_ok() {
            thread::yield_now();
        }
        other.exchange_declare_with(&durable_exchange("e", "direct")).unwrap();
        // Of all steps of the deletion.
        (0..BINDINGS).step_by(500).for_each(|key| bind(&other, key).unwrap());
    });
    let crashed = directory.crash();
    drop(broker);
    let count = crashed.open().virtual_host("/").unwrap().exchange("e").unwrap().binding_count();
    assert_eq!(count, BINDINGS / 500);
}
