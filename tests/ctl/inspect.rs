//! `leveret explain` and `leveret inspect` of a running server.

use std::process::Command;

use leveret::{Binding, Publish, QueueDeclare};

use crate::{Said, Server, run};

fn ask(server: &Server, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    command.args(arguments).env_remove("LEVERET_DATA_DIR");
    run(command.env("LEVERET_CTL_URL", format!("http://{}", server.http)), "")
}

fn answer(server: &Server, arguments: &[&str]) -> String {
    let said = ask(server, arguments);
    assert_eq!(said.status, 0, "{arguments:?}: {said:?}");
    said.output
}

#[test]
fn a_running_server_explains_where_a_message_would_go() {
    let server = Server::start();
    let channel = server.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("billing").unwrap();
    channel.queue_bind("billing", "amq.topic", "order.created").unwrap();
    let ask_of = |more: &[&str]| ask(&server, &[&["explain"], more].concat());
    let told = ask_of(&["--exchange", "amq.topic", "--key", "order.created"]);
    assert!(told.output.contains("It goes to 'billing'."), "{told:?}");
    let near = ask_of(&["--exchange", "amq.topic", "--key", "order.deleted"]).output;
    assert!(near.contains("word 2 of the key is 'deleted', not 'created'"), "{near}");
    let default = ask_of(&["--key", "billing"]).output;
    assert!(default.contains("It goes to 'billing'."), "{default}");
    let missing = ask_of(&["--exchange", "orders", "--vhost", "shop"]);
    assert_eq!(missing.status, 1);
    assert_eq!(missing.errors, "leveret: no exchange 'orders' in vhost 'shop', or no such vhost\n");
    assert_eq!(server.broker.counts("billing").unwrap().ready, 0, "nothing is published");
}

#[test]
fn headers_are_explained_by_a_running_server() {
    let server = Server::start();
    let channel = server.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("large").unwrap();
    let binding = Binding::new("amq.headers", "").argument("pages", 7).argument("colour", true);
    channel.queue_bind_with("large", &binding.argument("kind", "invoice")).unwrap();
    let with = |pages: &str| {
        let pages = format!("pages={pages}");
        let headers = ["--header", &pages, "--header", "colour=true", "--header", "kind=invoice"];
        answer(&server, &[&["explain", "--exchange", "amq.headers"], &headers[..]].concat())
    };
    assert!(with("7").contains("It goes to 'large'."), "{}", with("7"));
    assert!(!with("8").contains("It goes to 'large'."), "{}", with("8"));
}

#[test]
fn a_queue_is_inspected_and_stays_as_it_is() {
    let server = Server::start();
    let channel = server.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("jobs").argument("x-max-length", 100)).unwrap();
    channel.queue_bind("jobs", "amq.topic", "job.*").unwrap();
    for body in ["first", "second", "third"] {
        channel.basic_publish(Publish::to_queue("jobs").body(body)).unwrap();
    }
    channel.basic_qos(1).unwrap();
    let consumer = channel.basic_consume("jobs").unwrap();
    let text = answer(&server, &["inspect", "queue", "jobs", "--messages", "1"]);
    for part in [
        "queue 'jobs' in vhost '/': classic, transient",
        "x-max-length = 100",
        "messages: 2 ready, 1 unacknowledged, 16 octets of bodies",
        &format!("    '{}' of user 'guest' on channel '", consumer.tag()),
        ", 1 message at a time",
        "    from exchange 'amq.topic' with key 'job.*'",
        "    \"first\" from the default exchange with key 'jobs': by consumer '",
        "  ready, the next first:\n    \"second\" from the default exchange with key 'jobs'\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("third"), "one message was asked for: {text}");
    let json = answer(&server, &["inspect", "queue", "jobs", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["ready"][1]["payload"], "third");
    assert_eq!(json["ready"][1]["redelivered"], false);
}

#[test]
fn an_exchange_and_a_connection_are_inspected() {
    let server = Server::start();
    let connection = server.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare("jobs").unwrap();
    channel.queue_bind("jobs", "amq.topic", "job.*").unwrap();
    channel.exchange_bind("amq.fanout", "amq.topic", "#").unwrap();
    let text = answer(&server, &["inspect", "exchange", "amq.topic"]);
    assert!(text.starts_with("exchange 'amq.topic' in vhost '/': topic, durable\n"), "{text}");
    assert!(text.contains("    queue 'jobs' with key 'job.*'\n"), "{text}");
    assert!(text.contains("    exchange 'amq.fanout' with key '#'\n"), "{text}");
    let bound = answer(&server, &["inspect", "exchange", "amq.fanout"]);
    assert!(bound.contains("nothing is bound to it"), "{bound}");
    assert!(bound.contains("it is bound to:\n    exchange 'amq.topic' with key '#'"), "{bound}");
    let default = answer(&server, &["inspect", "exchange", "amq.default"]);
    assert!(default.contains("    queue 'jobs' with key 'jobs'\n"), "{default}");

    let list = answer(&server, &["ctl", "-s", "list_connections", "name"]);
    let text = answer(&server, &["inspect", "connection", list.trim()]);
    assert!(text.contains("user 'guest' in vhost '/'"), "{text}");
    assert!(text.contains("  channels:\n    1: 0 consumers, 0 unacknowledged\n"), "{text}");
}

#[test]
fn the_server_as_a_whole_tells_what_is_worth_a_look() {
    let server = Server::start();
    let quiet = answer(&server, &["inspect"]);
    assert!(quiet.contains("nothing is worth a look"), "{quiet}");
    let channel = server.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("jobs").unwrap();
    channel.basic_publish(Publish::to_queue("jobs")).unwrap();
    server.broker.set_memory_alarm(true);
    let text = answer(&server, &["inspect"]);
    assert!(text.starts_with(&format!("leveret {} (", env!("CARGO_PKG_VERSION"))), "{text}");
    assert!(text.contains("1 queue; messages: 1 ready, 0 unacknowledged"), "{text}");
    assert!(text.contains("  the memory alarm is on: publishers are held back\n"), "{text}");
    let line = "  queue 'jobs' in vhost '/': 1 message ready, and no consumer\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn what_is_not_there_is_told_with_what_may_have_been_meant() {
    let server = Server::start();
    let channel = server.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("billing").unwrap();
    let failure = |arguments: &[&str]| {
        let said = ask(&server, &[&["inspect"], arguments].concat());
        assert_eq!(said.status, 1, "{said:?}");
        said.errors
    };
    let queue = failure(&["queue", "biling"]);
    assert_eq!(queue, "leveret: no queue 'biling' in vhost '/'; did you mean 'billing'?\n");
    let exchange = failure(&["exchange", "amq.topics"]);
    assert!(exchange.ends_with("; did you mean 'amq.topic'?\n"), "{exchange}");
    let login = ask(&server, &["inspect", "--user", "nobody"]);
    assert!(login.errors.contains("refuses user 'nobody'"), "{login:?}");
    assert!(login.errors.contains("LEVERET_CTL_PASSWORD"), "{login:?}");
    let nowhere = ask(&server, &["explain", "--url", "http://127.0.0.1:1"]);
    assert!(nowhere.errors.starts_with("leveret: unable to perform an operation"), "{nowhere:?}");
    assert!(nowhere.errors.contains("Is it running"), "{nowhere:?}");
}
