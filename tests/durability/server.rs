//! The `leveret` program, serving from a directory until it is killed.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use leveret::Broker;
use tokio::runtime::{Builder, Runtime};

const PROGRAM: &str = env!("CARGO_BIN_EXE_leveret");

pub(crate) struct Server {
    process: Child,
    pub uri: String,
}

impl Server {
    pub(crate) fn start(directory: &Path) -> Self {
        let mut process = spawn(directory);
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap();
        assert!(address.starts_with("127.0.0.1:"), "it is not ready: {line:?}");
        Self { process, uri: format!("amqp://guest:guest@{address}/%2f") }
    }

    /// Starts one, and tells how long that took.
    pub(crate) fn start_measured(directory: &Path) -> (Self, Duration) {
        let clock = Broker::new();
        let began = clock.now();
        let server = Self::start(directory);
        let took = clock.now().as_micros() - began.as_micros();
        (server, Duration::from_micros(took))
    }

    /// Starts one and kills it after a while; tells whether it was not ready by then.
    pub(crate) fn kill_early(directory: &Path, after: Duration) -> bool {
        let mut process = spawn(directory);
        let (_nobody_says_when, timer) = mpsc::channel::<()>();
        assert!(timer.recv_timeout(after).is_err());
        process.kill().unwrap();
        process.wait().unwrap();
        let mut said = String::new();
        process.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        said.is_empty()
    }

    /// Whether [`Server::kill_at`] can be had.
    pub(crate) fn can_be_killed_at_calls() -> bool {
        let tried = Command::new("strace").args(TRACED).args(["-e", "trace=none", "true"]).output();
        tried.is_ok_and(|output| output.status.success())
    }

    /// Starts one and kills it when a thread of it makes such a call for the nth time; tells
    /// whether it was not ready by then. Else it is killed now.
    pub(crate) fn kill_at(directory: &Path, call: &str, nth: usize) -> bool {
        let mut traced = Command::new("strace");
        traced.args(TRACED).arg("-e").arg(format!("inject={call}:signal=KILL:when={nth}"));
        let mut process = serve(traced.arg(PROGRAM), directory);
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // It may have ended.
        let _ = process.kill();
        process.wait().unwrap();
        line.is_empty()
    }

    /// Kills it after a while in which each of the clients does its `work` on a thread of its own.
    pub(crate) fn kill_while<C: Send>(
        self,
        after: Duration,
        clients: impl IntoIterator<Item = C>,
        work: impl Fn(&Runtime, C, &str) + Sync,
    ) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let uri = self.uri.clone();
        let (runtime, work, uri) = (&runtime, &work, &*uri);
        std::thread::scope(|scope| {
            for client in clients {
                scope.spawn(move || work(runtime, client, uri));
            }
            let (_nobody_says_when, timer) = mpsc::channel::<()>();
            assert!(timer.recv_timeout(after).is_err());
            self.kill();
        });
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What is started is the server, and not who looks on.
const TRACED: [&str; 5] = ["-D", "-f", "-q", "-o", "/dev/null"];

fn spawn(directory: &Path) -> Child {
    serve(&mut Command::new(PROGRAM), directory)
}

fn serve(program: &mut Command, directory: &Path) -> Child {
    program
        .args(["serve", "--amqp", "127.0.0.1:0", "--log-level", "error"])
        .args(["--queue-memory-bytes-max", "64KiB", "--data-dir"])
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the test fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
