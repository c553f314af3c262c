//! Definitions of another broker: what can be had of them is there, and the rest is told.

use leveret::access::Permissions;
use leveret::definitions::Definitions;
use leveret::{Broker, ImportError, Publish, QueueDeclare};
use serde_json::{Value, json};

use crate::support::{World, broker, quorum_queue, string, table};

/// Brings definitions in; gives what is refused of them.
fn import(broker: &Broker, definitions: &Value) -> Vec<String> {
    let definitions = Definitions::from_json(definitions.to_string().as_bytes()).unwrap();
    match broker.import(&definitions) {
        Ok(()) => Vec::new(),
        Err(ImportError::Refused(refused)) => refused.iter().map(ToString::to_string).collect(),
        Err(error) => panic!("{error}"),
    }
}

fn assert_start(refused: &[String], starts: &[&str]) {
    assert_eq!(refused.len(), starts.len(), "{refused:#?}");
    for (refused, start) in refused.iter().zip(starts) {
        assert!(refused.starts_with(start), "{refused} is not {start}");
    }
}

/// Definitions of which some cannot be had.
fn mixed() -> Value {
    let long = "l".repeat(256);
    let none = json!({"configure": "", "write": "", "read": ""});
    let permission = |user: &str, host: &str, read: &str| {
        let mut permission = none.clone();
        permission["user"] = user.into();
        permission["vhost"] = host.into();
        permission["read"] = read.into();
        permission
    };
    json!({
        "users": [{"name": "a"}, {"name": "bad", "password_hash": "?"}, {"name": "b"}],
        "vhosts": [{"name": long}, {"name": "/"}, {"name": "v"},
            {"name": "typed", "default_queue_type": "none"}],
        "permissions": [permission("a", "v", ""), permission("bad", "v", ""),
            permission("a", "none", ""), permission("a", "typed", "("),
            permission("b", "v", "")],
        "topic_permissions": [
            {"user": "a", "vhost": "v", "exchange": "x", "write": "[", "read": ""},
            {"user": "a", "vhost": "v", "exchange": "y", "write": "no", "read": ""}],
        "policies": [{"vhost": "/", "name": "p1", "pattern": "(", "definition": {}},
            {"vhost": "/", "name": "p2", "pattern": "", "definition": {"max-length": -1}},
            {"vhost": "/", "name": "p3", "pattern": "", "apply-to": "all of them",
                "definition": {"max-length": 1}},
            {"vhost": "none", "name": "p4", "pattern": "", "definition": {"max-length": 1}},
            {"vhost": "/", "name": "p5", "pattern": "^q2$", "definition": {"max-length": 5}}],
        "parameters": [
            {"component": "operator_policy", "vhost": "/", "name": "o1", "value": 3},
            {"component": "operator_policy", "vhost": "/", "name": "o2",
                "value": {"pattern": "", "definition": {"max-length": 9}}},
            {"component": "vhost-limits", "vhost": "none", "name": "limits", "value": {}}],
        "exchanges": [{"vhost": "/", "name": "x1", "type": "x-none"},
            {"vhost": "/", "name": "x2", "type": "fanout",
                "arguments": {"alternate-exchange": 1}},
            {"vhost": "/", "name": "x3", "type": "fanout"}],
        "queues": [{"vhost": "/", "name": "q1", "arguments": {"x-max-length": "many"}},
            {"vhost": "none", "name": "q"}, {"vhost": "/", "name": long},
            {"vhost": "/", "name": "amq.gen-made-up"}, {"vhost": "/", "name": "q2"}],
        "bindings": [{"vhost": "/", "source": "x1", "destination": "q2"},
            {"vhost": "/", "source": "x3", "destination": "q1"},
            {"vhost": "/", "source": "x3", "destination": "amq.gen-made-up"},
            {"vhost": "/", "source": "x3", "destination": "q2"}]
    })
}

/// What of them cannot be had, each by the beginning of what is said of it.
const REFUSED: &[&str] = &[
    "virtual host 'lll",
    "virtual host 'typed': the default queue type 'none' is not known",
    "user 'bad': the password hash is not valid base64",
    "permissions of 'bad' in vhost 'v': there is no user 'bad'",
    "permissions of 'a' in vhost 'typed': pattern '(' is refused",
    "topic permissions of 'a' for exchange 'x' in vhost 'v': pattern '[' is refused",
    "permissions of 'a' in vhost 'none': there is no virtual host 'none'",
    "policy 'p1': ",
    "policy 'p2': ",
    "policy 'p3': apply-to 'all of them' is not known",
    "policy 'p4': there is no virtual host 'none'",
    "operator policy 'o1': ",
    "exchange 'x1': ",
    "exchange 'x2': ",
    "queue 'q1': ",
    "queue 'q': there is no virtual host 'none'",
    "queue 'lll",
    "binding of 'q2' to 'x1': no exchange 'x1' in vhost '/'",
    "binding of 'q1' to 'x3': no queue 'q1' in vhost '/'",
    "binding of 'amq.gen-made-up' to 'x3': no queue 'amq.gen-made-up' in vhost '/'",
    "limits of virtual host 'none': there is no virtual host 'none'",
];

#[test]
fn everything_that_can_be_had_is_there_and_the_rest_is_named() {
    let broker = broker();
    let refused = import(&broker, &mixed());
    assert_start(&refused, REFUSED);
    let permissions = &broker.access().permissions;
    assert!(permissions.has_vhost_access("a", "v") && permissions.has_vhost_access("b", "v"));
    let host = broker.virtual_host("/").unwrap();
    assert_eq!(host.exchange("x3").unwrap().binding_count(), 1);
    assert!(host.queue("amq.gen-made-up").is_err() && broker.virtual_host("typed").is_some());
    let channel = broker.connect().unwrap().open_channel().unwrap();
    for _ in 0..9 {
        channel.basic_publish(Publish::to_queue("q2")).unwrap();
    }
    assert_eq!(host.queue("q2").unwrap().counts().ready, 5);
}

#[test]
fn what_exists_stays_as_it_is() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["1"]);
    world.channel.exchange_declare("x", "fanout").unwrap();
    let definitions = json!({
        "exchanges": [{"name": "x", "type": "direct", "durable": false},
            {"name": "y", "type": "direct"}],
        "queues": [{"name": "q", "durable": true}, {"name": "r", "durable": true}],
        "bindings": [{"source": "x", "destination": "q"}]
    });
    let starts = [
        "exchange 'x': inequivalent arg 'type' for exchange 'x' in vhost '/': received 'direct' \
         but current is 'fanout'",
        "queue 'q': inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but \
         current is 'false'",
    ];
    for _ in 0..2 {
        assert_start(&import(&world.broker, &definitions), &starts);
    }
    assert_eq!(world.drain("q"), ["1"]);
    assert!(world.queue("r").is_some());
    world.channel.basic_publish(Publish::to_exchange("x", "any").body("2")).unwrap();
    assert_eq!(world.drain("q"), ["2"]);
}

#[test]
fn patterns_look_around_wherever_definitions_have_them() {
    let world = World::new();
    let users = json!([{"name": "a", "password": "x"}]);
    let definitions = json!({
        "users": users,
        "vhosts": [{"name": "/"}],
        "permissions": [{"user": "a", "vhost": "/", "configure": "^(?!amq\\.)(?!.*secret).*",
            "write": ".*", "read": "^\\w+(?<!_in)$"}],
        "topic_permissions": [{"user": "a", "vhost": "/", "exchange": "amq.topic",
            "write": "^(?!private\\.)", "read": ".*"}],
        "policies": [{"name": "no system queues", "pattern": "^(?!amq\\.).*",
            "definition": {"max-length": 1}}],
        "parameters": [{"component": "operator_policy", "name": "o",
            "value": {"pattern": "(?<=_in)$", "definition": {"max-length": 2}}}]
    });
    assert_start(&import(&world.broker, &definitions), &[]);
    let channel = || world.broker.connect_as("a", "/").unwrap().open_channel().unwrap();
    let a = channel();
    a.queue_declare("jobs_in").unwrap();
    a.queue_declare("jobs").unwrap();
    assert_eq!(a.basic_get("jobs_in").unwrap_err().reply_code(), 403);
    let a = channel();
    assert_eq!(a.queue_declare("a secret").unwrap_err().reply_code(), 403);
    let a = channel();
    a.basic_publish(Publish::to_exchange("amq.topic", "public.1")).unwrap();
    let private = a.basic_publish(Publish::to_exchange("amq.topic", "private.1"));
    assert_eq!(private.unwrap_err().reply_code(), 403);
    for queue in ["jobs", "jobs_in"] {
        world.publish(queue, ["1", "2", "3"]);
    }
    assert_eq!((world.ready("jobs"), world.ready("jobs_in")), (1, 1));
    let reply = world.channel.queue_declare("").unwrap().queue.to_string();
    world.publish(&reply, ["1", "2"]);
    assert_eq!(world.ready(&reply), 2);
}

#[test]
fn a_virtual_host_has_a_default_queue_type() {
    let broker = broker();
    let definitions = json!({"vhosts": [
        {"name": "top", "default_queue_type": "quorum"},
        {"name": "inside", "metadata": {"default_queue_type": "quorum"}},
        {"name": "classic", "default_queue_type": "classic"},
        {"name": "none", "default_queue_type": "undefined", "metadata": {"tags": []}}]});
    assert_start(&import(&broker, &definitions), &[]);
    for (host, expected) in [("top", "quorum"), ("inside", "quorum"), ("classic", ""), ("none", "")]
    {
        broker.access().permissions.set("guest".into(), host.into(), Permissions::full());
        let connection = broker.connect_to(host).unwrap();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare_with(&QueueDeclare::new("q").durable()).unwrap();
        channel.queue_declare_with(&QueueDeclare::new("q").durable()).unwrap();
        let again = channel.queue_declare_with(&quorum_queue("q", []));
        assert_eq!(again.is_ok(), expected == "quorum", "{host}: {again:?}");
        // These can be classic queues alone.
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("transient").unwrap();
        channel.queue_declare_with(&QueueDeclare::new("mine").durable().exclusive()).unwrap();
        channel.queue_declare_with(&QueueDeclare::new("short").durable().auto_delete()).unwrap();
        channel.queue_declare_with(&declare_classic("explicit")).unwrap();
        channel.queue_declare_with(&declare_classic("explicit")).unwrap();
        let again = channel.queue_declare_with(&quorum_queue("explicit", []));
        assert_eq!(again.unwrap_err().reply_code(), 406);
    }
}

fn declare_classic(queue: &str) -> QueueDeclare {
    QueueDeclare::new(queue).durable().arguments(table([("x-queue-type", string("classic"))]))
}
