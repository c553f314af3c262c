//! A RabbitMQ of this test's own, if one is installed.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use leveret::Broker;

/// Where Debian has it.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(300);

/// A RabbitMQ, which ends when it is dropped.
pub(crate) struct RabbitMq {
    /// Where it listens.
    pub uri: String,
    ports: [u16; 3],
    directory: tempfile::TempDir,
    process: Option<Child>,
}

impl RabbitMq {
    /// Starts one; `None` if none is installed, which is told.
    pub(crate) fn start() -> Option<Self> {
        let mut node = Self::installed()?;
        node.boot();
        Some(node)
    }

    /// One that is yet to be started; `None` if none is installed, which is told.
    pub(crate) fn installed() -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("skipped: there is no {PROGRAM}");
            return None;
        }
        let ports = [free_port(), free_port(), free_port()];
        let uri = format!("amqp://guest:guest@127.0.0.1:{}", ports[0]);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("plugins"), "[].\n").unwrap();
        Some(Self { uri, ports, directory, process: None })
    }

    /// A file of its own.
    #[allow(dead_code, reason = "not all tests have files")]
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// From its next start on it has this plugin, and this configuration.
    #[allow(dead_code, reason = "not all tests configure it")]
    pub(crate) fn configure(&self, plugin: &str, conf: &str) {
        std::fs::write(self.path("plugins"), format!("[{plugin}].\n")).unwrap();
        std::fs::write(self.path("rabbitmq.conf"), conf).unwrap();
    }

    /// Runs a command of rabbitmqctl.
    #[allow(dead_code, reason = "not all tests steer it")]
    pub(crate) fn ctl(&self, arguments: &[&str]) {
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl");
        command.args(["-n", &self.name()]).args(arguments).env("HOME", self.directory.path());
        command.env("ERL_EPMD_PORT", self.ports[2].to_string());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// The process of the machine that it runs on.
    #[allow(dead_code, reason = "not all tests look at it")]
    pub(crate) fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.path("pid")).ok()?.trim().parse().ok()
    }

    fn name(&self) -> String {
        format!("shovels-{}@localhost", self.ports[0])
    }

    /// Starts it again, with what it had on its disk.
    pub(crate) fn boot(&mut self) {
        let path = |name: &str| self.directory.path().join(name);
        let process = Command::new(PROGRAM)
            .env("HOME", self.directory.path())
            .env("RABBITMQ_NODENAME", self.name())
            .env("RABBITMQ_NODE_PORT", self.ports[0].to_string())
            .env("RABBITMQ_DIST_PORT", self.ports[1].to_string())
            .env("ERL_EPMD_PORT", self.ports[2].to_string())
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
            .env("RABBITMQ_PID_FILE", path("pid"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let listens = |_: &Broker| TcpStream::connect(("127.0.0.1", self.ports[0])).is_ok();
        Broker::new().wait_until(PATIENCE, listens).unwrap();
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // The script and the machine that it started are one group.
        let group = format!("-{}", process.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        process.wait().unwrap();
        // The machine itself is nobody's child any more, and may take a moment longer.
        let is_gone = |_: &Broker| TcpStream::connect(("127.0.0.1", self.ports[0])).is_err();
        Broker::new().wait_until(PATIENCE, is_gone).unwrap();
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.kill();
        // The daemon that names nodes ends when it has noticed that there is none any more.
        let port = self.ports[2].to_string();
        let mut end = Command::new("/usr/bin/epmd");
        end.args(["-port", &port, "-kill"]).stdout(Stdio::null()).stderr(Stdio::null());
        let has_ended = |_: &Broker| {
            let _ = end.status();
            TcpStream::connect(("127.0.0.1", self.ports[2])).is_err()
        };
        let _ = Broker::new().wait_until(Duration::from_secs(10), has_ended);
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
