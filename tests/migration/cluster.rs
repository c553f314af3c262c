//! A RabbitMQ cluster of this test's own, of three nodes, if RabbitMQ is installed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use leveret::Broker;
use serde_json::Value;

/// Where Debian has it.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(240);

const NODES: usize = 3;

/// Three nodes, which end when it is dropped.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    /// The port of the HTTP API, which the first node has.
    http: u16,
    /// The port of the daemon that names nodes.
    epmd: u16,
    directory: tempfile::TempDir,
}

struct Node {
    name: String,
    amqp: u16,
    dist: u16,
    process: Option<Child>,
}

impl Cluster {
    /// Starts it; `None` if RabbitMQ is not installed, which is told.
    pub(crate) fn start() -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("skipped: there is no {PROGRAM}");
            return None;
        }
        let epmd = free_port();
        let node = |number| Node {
            name: format!("migration{number}-{epmd}@localhost"),
            amqp: free_port(),
            dist: free_port(),
            process: None,
        };
        let nodes = (0..NODES).map(node).collect();
        let directory = tempfile::tempdir().unwrap();
        let mut cluster = Self { nodes, http: free_port(), epmd, directory };
        cluster.configure();
        (0..NODES).for_each(|number| cluster.boot(number));
        cluster.wait_for_nodes(NODES);
        Some(cluster)
    }

    fn configure(&self) {
        let mut config = String::from(
            "disk_free_limit.absolute = 1MB\nvm_memory_high_watermark.relative = 0.2\n\
             cluster_formation.peer_discovery_backend = classic_config\n\
             collect_statistics_interval = 1000\n",
        );
        for (number, node) in self.nodes.iter().enumerate() {
            let number = number + 1;
            config += &format!("cluster_formation.classic_config.nodes.{number} = {}\n", node.name);
        }
        config += &format!("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n", self.http);
        std::fs::write(self.path("rabbitmq.conf"), config).unwrap();
        for (number, _) in self.nodes.iter().enumerate() {
            let plugin = if number == 0 { "" } else { "_agent" };
            let plugins = format!("[rabbitmq_management{plugin}].\n");
            std::fs::write(self.path(&format!("plugins{number}")), plugins).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a node, with what it had on its disk.
    pub(crate) fn boot(&mut self, number: usize) {
        let path = |name: &str| self.directory.path().join(name);
        let node = &self.nodes[number];
        let process = Command::new(PROGRAM)
            .env("HOME", self.directory.path())
            .env("RABBITMQ_NODENAME", &node.name)
            .env("RABBITMQ_NODE_PORT", node.amqp.to_string())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_DIST_PORT", node.dist.to_string())
            .env("ERL_EPMD_PORT", self.epmd.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-setcookie migration +sbwt none +S 2:2")
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_MNESIA_BASE", path(&format!("data{number}")))
            .env("RABBITMQ_LOG_BASE", path(&format!("log{number}")))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path(&format!("plugins{number}")))
            .env("RABBITMQ_PID_FILE", path(&format!("pid{number}")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        self.nodes[number].process = Some(process);
    }

    /// Ends a node without a word.
    pub(crate) fn kill(&mut self, number: usize) {
        let Some(mut process) = self.nodes[number].process.take() else { return };
        let group = format!("-{}", process.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        process.wait().unwrap();
    }

    /// Waits until so many nodes run.
    pub(crate) fn wait_for_nodes(&self, running: usize) {
        let count = |_: &Broker| {
            let nodes = self.get("/api/nodes").unwrap_or_default();
            let nodes = nodes.as_array().into_iter().flatten();
            nodes.filter(|node| node["running"] == Value::Bool(true)).count() == running
        };
        let waited = Broker::new().wait_until(PATIENCE, count);
        waited.unwrap_or_else(|late| panic!("{:?}; {late}", self.get("/api/nodes")));
    }

    /// What its HTTP API answers, if it does.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    /// Where its nodes are, with user and password.
    pub(crate) fn uris(&self) -> Vec<String> {
        let uri = |node: &Node| format!("amqp://guest:guest@127.0.0.1:{}", node.amqp);
        self.nodes.iter().map(uri).collect()
    }

    /// The address of its HTTP API.
    pub(crate) fn management(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..NODES).for_each(|number| self.kill(number));
        // The daemon that names nodes ends when it has noticed that there is none any more.
        let port = self.epmd.to_string();
        let mut end = Command::new("/usr/bin/epmd");
        end.args(["-port", &port, "-kill"]).stdout(Stdio::null()).stderr(Stdio::null());
        let has_ended = |_: &Broker| {
            let _ = end.status();
            TcpStream::connect(("127.0.0.1", self.epmd)).is_err()
        };
        let _ = Broker::new().wait_until(Duration::from_secs(20), has_ended);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
