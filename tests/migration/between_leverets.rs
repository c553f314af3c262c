//! Between two brokers in this process: what is checked, resumed, given up, and the way back.

use std::net::SocketAddr;
use std::time::Duration;

use leveret::definitions::Definitions;
use leveret::{Binding, Broker, Channel, ExchangeDeclare, Publish, QueueDeclare};

use crate::command::{Migration, definitions};

/// How long anything may take that takes no time to speak of.
const SOON: Duration = Duration::from_secs(60);

/// A broker that listens, and what a migration to it or from it is told.
struct Place {
    broker: Broker,
    amqp: SocketAddr,
    http: SocketAddr,
}

impl Place {
    fn start() -> Self {
        let broker = Broker::new();
        let amqp = broker.listen("127.0.0.1:0").unwrap();
        let http = broker.serve_http("127.0.0.1:0").unwrap();
        Self { broker, amqp, http }
    }

    /// The arguments that name it.
    fn named(&self, way: &str) -> Vec<String> {
        let uri = format!("amqp://guest:guest@{}", self.amqp);
        let management = format!("http://{}", self.http);
        [way, &uri, "--management", &management].map(str::to_owned).to_vec()
    }

    fn channel(&self) -> Channel {
        self.broker.connect().unwrap().open_channel().unwrap()
    }

    fn ready(&self, queue: &str) -> usize {
        self.broker.counts(queue).map_or(0, |counts| counts.ready)
    }

    /// Bodies and routing keys of what is in a queue.
    fn drain(&self, queue: &str) -> Vec<(String, String)> {
        let channel = self.channel();
        let taken = std::iter::from_fn(|| channel.basic_get_no_ack(queue).unwrap());
        let read = |message: leveret::Delivery| {
            let body = String::from_utf8(message.body().to_vec()).unwrap();
            (body, message.routing_key().to_owned())
        };
        taken.map(read).collect()
    }
}

fn with_queues(place: &Place) -> Channel {
    let channel = place.channel();
    for queue in ["one", "two"] {
        channel.queue_declare_with(&QueueDeclare::new(queue).durable()).unwrap();
    }
    channel.exchange_declare_with(&ExchangeDeclare::new("news", "topic").durable()).unwrap();
    channel.queue_bind_with("one", &Binding::new("news", "sport.#")).unwrap();
    channel
}

#[test]
fn messages_and_topology_move_with_their_keys_and_the_old_place_is_empty_and_held() {
    let (here, there) = (Place::start(), Place::start());
    let channel = with_queues(&here);
    let publish = |n: u32| Publish::to_exchange("news", "sport.ski").body(n.to_string());
    channel.publish_all((0..500).map(publish)).unwrap();
    let migration = Migration::with(&here.broker, there.named("--to"));
    let moved = migration.run(&[]);
    assert!(moved.is_well && moved.output.contains("All queues are empty"), "{moved:?}");
    // What comes later is forwarded, and so is a queue that is declared later.
    channel.queue_declare_with(&QueueDeclare::new("later").durable()).unwrap();
    channel.publish_all((500..600).map(publish)).unwrap();
    channel.basic_publish(Publish::to_queue("later").body("late")).unwrap();
    let switched = migration.run(&["--switch"]);
    assert!(switched.is_well, "{switched:?}");
    assert!(switched.output.contains("Moved 601 messages of 3 queues"), "{switched:?}");
    assert!(switched.output.contains("all there"), "{switched:?}");
    let expected: Vec<_> = (0..600).map(|n| (n.to_string(), "sport.ski".to_owned())).collect();
    assert_eq!(there.drain("one"), expected);
    assert_eq!((there.ready("later"), here.ready("one"), here.ready("later")), (1, 0, 0));
    let exported = definitions(&there.broker);
    assert!(exported.contains("\"news\"") && exported.contains("sport.#"), "{exported}");
    assert!(!exported.contains("leveret-migrate-"), "{exported}");
    assert!(here.broker.virtual_host("/").unwrap().shovels().is_empty());
    assert!(channel.basic_publish(Publish::to_queue("one")).is_err(), "it is closed");
}

#[test]
fn a_message_that_names_further_queues_comes_once() {
    use leveret::{AMQPValue, FieldTable};
    let (here, there) = (Place::start(), Place::start());
    let channel = with_queues(&here);
    let keys = vec![AMQPValue::LongString("two".into())];
    let mut headers = FieldTable::default();
    headers.insert("CC".into(), AMQPValue::FieldArray(keys.into()));
    channel.basic_publish(Publish::to_queue("one").headers(headers).body("x")).unwrap();
    let migration = Migration::with(&here.broker, there.named("--to"));
    assert!(migration.run(&[]).is_well && migration.run(&["--switch"]).is_well);
    assert_eq!((there.ready("one"), there.ready("two")), (1, 1));
}

#[test]
fn what_cannot_be_had_is_told_and_nothing_changes_unless_it_is_left_out() {
    let (here, there) = (Place::start(), Place::start());
    let channel = with_queues(&here);
    let urgent = QueueDeclare::new("urgent").durable().argument("x-max-priority", 5);
    channel.queue_declare_with(&urgent).unwrap();
    channel.basic_publish(Publish::to_queue("urgent").body("a")).unwrap();
    let migration = Migration::with(&here.broker, there.named("--to"));
    let refused = migration.run(&["--quorum"]);
    assert!(!refused.is_well, "{refused:?}");
    let told = "queue 'urgent' in virtual host '/': quorum queues have no priorities";
    assert!(refused.output.contains(told), "{refused:?}");
    assert!(refused.output.contains("instead: leave it classic"), "{refused:?}");
    assert!(there.broker.queues().is_empty());
    assert!(here.broker.virtual_host("/").unwrap().shovels().is_empty());
    let moved = migration.run(&["--quorum", "--leave-out"]);
    assert!(moved.is_well, "{moved:?}");
    assert!(there.broker.counts("urgent").is_err() && there.broker.counts("one").is_ok());
    assert_eq!(here.ready("urgent"), 1);
    // There is one migration at a time, and it can be given up.
    let other = Place::start();
    let elsewhere = Migration::with(&here.broker, other.named("--to")).run(&[]);
    assert!(elsewhere.errors.contains("is under way"), "{elsewhere:?}");
    assert!(migration.run(&["--stop"]).is_well);
    assert!(here.broker.virtual_host("/").unwrap().shovels().is_empty());
    channel.basic_publish(Publish::to_queue("one").body("stays")).unwrap();
    assert_eq!(here.ready("one"), 1);
}

#[test]
fn the_way_back_brings_all_of_it_here() {
    let (here, there) = (Place::start(), Place::start());
    let channel = with_queues(&there);
    channel.publish_all((0..100).map(|n| Publish::to_queue("two").body(n.to_string()))).unwrap();
    let migration = Migration::with(&here.broker, there.named("--from"));
    let moved = migration.run(&["--switch"]);
    assert!(moved.is_well, "{moved:?}");
    let came: Vec<_> = here.drain("two").into_iter().map(|(body, _)| body).collect();
    assert_eq!(came, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(there.ready("two"), 0);
    assert!(channel.queue_declare("any").is_err(), "connections there are closed");
}

/// Whether the user `shop` may publish at a broker; not while its connections are being closed.
fn may_publish(place: &Place) -> bool {
    let published = place.broker.connect_as("shop", "/").and_then(|connection| {
        connection.open_channel()?.publish(Publish::to_queue("one").body("more")).wait()
    });
    published.is_ok()
}

#[test]
fn who_was_held_at_the_source_goes_on_when_it_is_given_up() {
    let (here, there) = (Place::start(), Place::start());
    let channel = with_queues(&there);
    let shop = r#"{"users": [{"name": "shop", "password": "secret", "tags": ""}],
        "permissions": [{"user": "shop", "vhost": "/", "configure": "", "write": "one|amq.*",
            "read": ".*"}]}"#;
    there.broker.import(&Definitions::from_json(shop.as_bytes()).unwrap()).unwrap();
    channel.basic_publish(Publish::to_queue("two").body("a")).unwrap();
    assert!(may_publish(&there));
    // Nothing arrives, and so it waits.
    here.broker.set_memory_alarm(true);
    let migration = Migration::with(&here.broker, there.named("--from"));
    let switching = migration.start(&["--switch"]);
    there.broker.wait_until(SOON, |_| !may_publish(&there)).unwrap();
    switching.kill();
    here.broker.set_memory_alarm(false);
    assert!(migration.run(&["--stop"]).is_well);
    assert!(may_publish(&there));
    let exported = definitions(&there.broker);
    assert!(exported.contains("one|amq.*"), "{exported}");
}

#[test]
fn addresses_that_make_no_sense_are_refused() {
    let here = Place::start();
    for (arguments, text) in [
        (["--to", "http://host"], "a URI begins with amqp:// or amqps://"),
        (["--to", "amqp://host/orders"], "names the cluster and no virtual host"),
        (["--to", "amqp://"], "needs a host"),
        (["--from", "nonsense"], "a URI is none"),
    ] {
        let said = Migration::with(&here.broker, arguments.map(str::to_owned).to_vec()).run(&[]);
        assert!(!said.is_well && said.errors.contains(text), "{said:?}");
    }
}
