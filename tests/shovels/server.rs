//! Links that the configuration of a server names: static shovels, and the uplink.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use leveret::{Broker, Publish, QueueDeclare};
use serde_json::{Value, json};

use crate::rabbitmq_node::free_port;
use crate::{SOON, Shovelling, broker, numbers};

/// The program, while it serves with a data directory and a configuration file.
struct Server {
    process: Child,
    address: String,
    directory: tempfile::TempDir,
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    command.env_clear();
    command
}

fn configured(directory: &Path) -> Command {
    let mut command = program();
    command.args(["serve", "--amqp", "127.0.0.1:0", "--management", "none", "--metrics", "none"]);
    command.args(["--stream", "none", "--config"]).arg(directory.join("leveret.toml"));
    command.arg("--data-dir").arg(directory.join("data"));
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

impl Server {
    fn start(toml: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("leveret.toml"), toml).unwrap();
        let (process, address) = Self::boot(directory.path());
        Self { process, address, directory }
    }

    fn boot(directory: &Path) -> (Child, String) {
        let mut process = configured(directory).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("AMQP on ").nth(1).unwrap_or_else(|| panic!("{line:?}"));
        let address = address.split([',', ';', '\n']).next().unwrap().trim().to_owned();
        (process, address)
    }

    /// Ends it without a word, and starts it again.
    fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        (self.process, self.address) = Self::boot(self.directory.path());
    }

    /// Has it read another configuration.
    fn reload(&self, toml: &str) {
        std::fs::write(self.directory.path().join("leveret.toml"), toml).unwrap();
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    }

    fn ctl(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = program();
        command.arg("ctl").args(arguments);
        command.env("LEVERET_DATA_DIR", self.directory.path().join("data"));
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    fn shovels(&self) -> Vec<Value> {
        let (_, said) = self.ctl(&["-q", "shovel_status", "--formatter", "json"]);
        serde_json::from_str(&said).unwrap()
    }

    #[track_caller]
    fn wait_until(&self, condition: impl Fn(&[Value]) -> bool) {
        let waited = Broker::new().wait_until(SOON, |_| condition(&self.shovels()));
        waited.unwrap_or_else(|late| panic!("{:?}; {late}", self.shovels()));
    }

    /// A shovel that brings messages to this server.
    fn bring(&self, from: &Broker, to: &Value) {
        let mut shovel = json!({"src-uri": "amqp://", "src-queue": "in",
            "dest-uri": format!("amqp://guest:guest@{}", self.address)});
        shovel.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
        from.shovel(&shovel).unwrap();
        from.wait_until_empty("in");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const MOVER: &str = r#"
[shovels.mover]
src-uri = "amqp://"
src-queue = "here"
dest-uri = ["amqp://"]
dest-queue = "there"
dest-add-forward-headers = true
src-prefetch-count = 10
"#;

#[test]
fn a_static_shovel_is_in_the_configuration_and_is_changed_there_alone() {
    let server = Server::start(MOVER);
    server.wait_until(|all| all.iter().any(|shovel| shovel["state"] == "running"));
    let shovel = &server.shovels()[0];
    assert_eq!((&shovel["name"], &shovel["type"]), (&json!("mover"), &json!("static")));
    assert_eq!(shovel["vhost"], "");
    let (deleted, _) = server.ctl(&["delete_shovel", "mover"]);
    assert!(!deleted);
    let (_, parameters) = server.ctl(&["-q", "list_parameters", "--formatter", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&parameters).unwrap(), json!([]));
    server.bring(&filled(20), &json!({"dest-queue": "here"}));
    server.wait_until(|all| all[0]["forwarded"] == 20);
    server.reload(&MOVER.replace("mover", "other"));
    server.wait_until(|all| all.len() == 1 && all[0]["name"] == "other");
    server.reload("");
    server.wait_until(<[Value]>::is_empty);
}

/// A broker with so many messages in `in`.
fn filled(messages: u32) -> Broker {
    let broker = broker(&["in"]);
    broker.fill("in", 0..messages);
    broker
}

#[test]
fn what_is_wrong_with_a_static_shovel_is_told_with_file_line_and_key() {
    for (toml, complaint) in [
        ("dest-queue = \"there\"\nfoo = 1\n", "Unrecognised terms [{<<\"foo\">>,1}] in mover"),
        ("ack-mode = \"x\"\n", "ack-mode should be one of"),
        ("dest-uri = \"http://u:secret@h\"\n", "not a valid URI"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let shovel = "[shovels.mover]\nsrc-uri = \"amqp://\"\nsrc-queue = \"here\"\n";
        let rest = if toml.contains("dest-uri") { "" } else { "dest-uri = \"amqp://\"\n" };
        let file = directory.path().join("leveret.toml");
        std::fs::write(&file, format!("log_level = \"info\"\n{shovel}{rest}{toml}")).unwrap();
        let output = configured(directory.path()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let place = format!("{}, line 2: shovels.mover: ", file.display());
        assert!(said.contains(&place) && said.contains(complaint), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

fn uplink(port: u16, rest: &str) -> String {
    format!(
        "[uplink]\nuri = \"amqp://guest:guest@127.0.0.1:{port}\"\nqueues = [\"readings\"]\n\
         exchanges = [\"events\"]\nreconnect_delay_s = 1\n{rest}"
    )
}

#[test]
fn what_is_kept_at_the_edge_goes_up_in_order_when_the_broker_above_is_there() {
    let port = free_port();
    let mut edge = Server::start(&uplink(port, ""));
    edge.wait_until(|all| all.len() == 2 && all.iter().all(|one| one["state"] == "terminated"));
    edge.bring(&filled(500), &json!({"dest-queue": "readings"}));
    let keyed = json!({"dest-exchange": "events", "dest-exchange-key": "a.b"});
    edge.bring(&filled(100), &keyed);
    edge.restart();
    let centre = broker(&["all"]);
    let channel = centre.connect().unwrap().open_channel().unwrap();
    let topic = leveret::ExchangeDeclare::new("events", "topic").durable();
    channel.exchange_declare_with(&topic).unwrap();
    channel.queue_bind("all", "events", "a.*").unwrap();
    centre.listen(("127.0.0.1", port)).unwrap();
    centre.wait_for_ready("readings", 500);
    centre.wait_for_ready("all", 100);
    assert_eq!(centre.drain("readings"), numbers(0..500));
    assert_eq!(centre.drain("all"), numbers(0..100));
    edge.wait_until(|all| all.iter().all(|one| one["pending"] == 0));
}

#[test]
fn what_the_edge_has_no_room_for_is_refused_and_its_publisher_told() {
    let edge = Server::start(&uplink(free_port(), "max_bytes = 100\n"));
    let from = broker(&["in"]);
    let body = |_| Publish::to_queue("in").body(vec![b'x'; 40]).persistent();
    from.publish_all((0..5).map(body)).unwrap();
    let to = format!("amqp://guest:guest@{}", edge.address);
    let shovel = json!({"src-uri": "amqp://", "src-queue": "in", "dest-uri": to,
        "dest-queue": "readings"});
    from.shovel(&shovel).unwrap();
    from.wait_until(SOON, |from| from.status().is_some_and(|s| s.refused > 0)).unwrap();
    let kept = from.status().unwrap().confirmed;
    assert!((2..5).contains(&kept), "{kept}");
}

#[test]
fn a_queue_that_is_there_stays_as_it_was_declared() {
    let port = free_port();
    let mut edge = Server::start("");
    let from = broker(&["in"]);
    from.fill("in", 0..3);
    edge.bring(&from, &json!({"dest-queue": "readings", "dest-queue-args": {"x-max-priority": 3}}));
    std::fs::write(edge.directory.path().join("leveret.toml"), uplink(port, "")).unwrap();
    edge.restart();
    let centre = broker(&[]);
    let channel = centre.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("readings").durable()).unwrap();
    centre.listen(("127.0.0.1", port)).unwrap();
    centre.wait_for_ready("readings", 3);
    assert_eq!(centre.drain("readings"), numbers(0..3));
}

#[test]
fn the_sections_that_the_documentation_gives_are_taken() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/beyond-one-node.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    // Nobody answers under these names, which are for documentation.
    let server = Server::start(&blocks.collect::<String>());
    let names: Vec<_> = server.shovels().into_iter().map(|shovel| shovel["name"].clone()).collect();
    assert_eq!(names, ["to-centre", "uplink.exchange.events", "uplink.readings"]);
}
