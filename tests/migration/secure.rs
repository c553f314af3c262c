//! A migration over TLS, to a RabbitMQ and back, with users of its own there. Skipped, with a line,
//! where none is installed.

use leveret::tls::TestCertificates;
use leveret::{Broker, Publish, QueueDeclare};
use serde_json::json;

use crate::command::Migration;
use crate::rabbitmq_node::{RabbitMq, free_port};

/// A RabbitMQ that speaks nothing but TLS.
struct Secure {
    rabbitmq: RabbitMq,
    authority: String,
    amqps: u16,
    https: u16,
}

impl Secure {
    fn start() -> Option<Self> {
        let mut rabbitmq = RabbitMq::installed()?;
        let made = TestCertificates::new().unwrap();
        let server = made.server(&["127.0.0.1"]).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(rabbitmq.path(name), text).unwrap();
            rabbitmq.path(name).display().to_string()
        };
        let authority = write("ca.pem", &made.authority());
        let files = [
            ("cacertfile", authority.clone()),
            ("certfile", write("server.pem", &server.certificate)),
            ("keyfile", write("server.key", &server.key)),
        ];
        let (amqps, https) = (free_port(), free_port());
        let mut conf = format!(
            "listeners.ssl.default = {amqps}\nmanagement.ssl.port = {https}\n\
             load_definitions = {}\n",
            write("definitions.json", &users().to_string())
        );
        for (key, file) in files {
            conf += &format!("ssl_options.{key} = {file}\nmanagement.ssl.{key} = {file}\n");
        }
        rabbitmq.configure("rabbitmq_management", &conf);
        rabbitmq.boot();
        let listens = |_: &Broker| {
            let connects = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            connects(amqps) && connects(https)
        };
        Broker::new().wait_until(std::time::Duration::from_secs(120), listens).unwrap();
        Some(Self { rabbitmq, authority, amqps, https })
    }

    fn uri(&self, user: &str) -> String {
        format!("amqps://{user}:secret@127.0.0.1:{}?cacertfile={}", self.amqps, self.authority)
    }

    /// The arguments that name it.
    fn named(&self, way: &str) -> Vec<String> {
        let management = format!("https://127.0.0.1:{}", self.https);
        [way, &self.uri("admin"), "--management", &management].map(str::to_owned).to_vec()
    }
}

/// Who moves messages, and who works with them.
fn users() -> serde_json::Value {
    let user = |name: &str, tags: &str| json!({"name": name, "password": "secret", "tags": tags});
    let may = |user: &str| {
        let all = ".*";
        json!({"user": user, "vhost": "/", "configure": all, "write": all, "read": all})
    };
    json!({
        "vhosts": [{"name": "/"}], "users": [user("admin", "administrator"), user("shop", "")],
        "permissions": [may("admin"), may("shop")],
    })
}

#[test]
fn a_leveret_moves_to_a_rabbitmq_over_tls_and_back_while_its_publishers_are_held() {
    let Some(secure) = Secure::start() else { return };
    let here = Broker::new();
    let channel = here.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("work").durable()).unwrap();
    let all = (0..200).map(|n| Publish::to_queue("work").body(n.to_string()).persistent());
    channel.publish_all(all).unwrap();
    let there = Migration::with(&here, secure.named("--to")).run(&["--switch"]);
    assert!(there.is_well && there.output.contains("all there"), "{there:?}");
    assert_eq!(here.counts("work").unwrap().ready, 0);

    let shop = || leveret::remote(&secure.uri("shop")).unwrap().open_channel().unwrap();
    let client = shop();
    assert!(client.publish(Publish::to_queue("work").body("200")).wait().unwrap().is_ack());
    let home = Broker::new();
    let back = Migration::with(&home, secure.named("--from")).run(&["--switch"]);
    assert!(back.is_well, "{back:?}");
    let again = "rabbitmqctl set_permissions -p '/' 'shop' '.*' '.*' '.*'";
    assert!(back.output.contains(again), "{back:?}");
    let channel = home.connect().unwrap().open_channel().unwrap();
    let taken = std::iter::from_fn(|| channel.basic_get_no_ack("work").unwrap());
    let came: Vec<_> =
        taken.map(|message| String::from_utf8(message.body().to_vec()).unwrap()).collect();
    assert_eq!(came, (0..201).map(|n| n.to_string()).collect::<Vec<_>>());
    // Neither who was there nor who comes can leave anything behind.
    for channel in [client, shop()] {
        let late = channel.basic_publish(Publish::to_queue("work").body("late"));
        assert_eq!(late.unwrap_err().reply_code(), 403);
    }
    drop(secure.rabbitmq);
}
