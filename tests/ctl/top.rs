//! `leveret top`, on a terminal and without one.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use leveret::{Broker, Publish};
use nix::pty::{Winsize, openpty};

use crate::{Said, Server, run};

/// What begins a picture.
const PICTURE: &str = "\u{1b}[?2026h";

/// The program on a terminal.
struct Screen {
    process: Child,
    terminal: File,
    read: String,
}

impl Screen {
    fn open(server: &Server, arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).unwrap();
        let end = || Stdio::from(pair.slave.try_clone().unwrap());
        let process = top(server, arguments)
            .stdin(end())
            .stdout(end())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, terminal: File::from(pair.master), read: String::new() }
    }

    /// Reads until a picture that is whole has these words, and returns it.
    fn wait_for(&mut self, words: &[&str]) -> String {
        loop {
            let mut pictures = self.read.rsplit(PICTURE).skip(1);
            let is_right = |picture: &&str| words.iter().all(|words| picture.contains(words));
            if let Some(picture) = pictures.next().filter(is_right) {
                return picture.to_owned();
            }
            let mut piece = [0; 4096];
            let count = self.terminal.read(&mut piece);
            let count =
                count.unwrap_or_else(|error| panic!("no {words:?}, {error}: {}", self.read));
            self.read.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    }

    fn press(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn top(server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    command.arg("top").args(arguments);
    command.env("LEVERET_CTL_URL", format!("http://{}", server.http));
    command
}

fn with_queues(count: usize) -> Server {
    let server = Server::start();
    fill(&server.broker, count);
    server
}

/// Queues `jobs-0`, `jobs-1`, ... with as many messages as their number says.
fn fill(broker: &Broker, count: usize) {
    let channel = broker.connect().unwrap().open_channel().unwrap();
    for number in 0..count {
        let name = format!("jobs-{number}");
        channel.queue_declare(&name).unwrap();
        for _ in 0..number {
            assert!(
                channel.publish(Publish::to_queue(&name).body("work")).wait().unwrap().is_ack()
            );
        }
    }
}

fn once(server: &Server, arguments: &[&str]) -> Said {
    run(&mut top(server, arguments), "")
}

#[test]
fn without_a_terminal_a_table_is_printed_once() {
    let server = with_queues(3);
    let said = once(&server, &["--sort", "ready"]);
    let expected = "name\tvhost\ttype\tready\tunacked\tconsumers\tin/s\tout/s\tacked/s\n\
                    jobs-2\t/\tclassic\t2\t0\t0\t0.0\t0.0\t0.0\n\
                    jobs-1\t/\tclassic\t1\t0\t0\t0.0\t0.0\t0.0\n\
                    jobs-0\t/\tclassic\t0\t0\t0\t0.0\t0.0\t0.0\n";
    assert_eq!((said.status, said.output.as_str()), (0, expected), "{said:?}");
    let said = once(&server, &["--filter", "S-1", "--formatter", "json", "-p", "/"]);
    let rows: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["name"]), (1, &"jobs-1".into()));
    let said = once(&server, &["connections", "-s"]);
    assert_eq!((said.status, said.output.as_str()), (0, ""), "{said:?}");
    let said = once(&server, &["--sort", "size"]);
    assert!(said.status == 64 && said.errors.contains("known are name, vhost"), "{said:?}");
}

#[test]
fn on_a_terminal_keys_sort_find_and_quit() {
    let server = with_queues(4);
    let mut screen = Screen::open(&server, &["--sort", "ready"]);
    let picture = screen.wait_for(&["queues 1 to 4 of 4", "READYv"]);
    let place = |picture: &str, name: &str| picture.find(name).unwrap();
    assert!(place(&picture, "jobs-3") < place(&picture, "jobs-0"), "{picture}");
    assert!(picture.contains("messages 6 ready, 0 unacked"), "{picture}");
    screen.press("r");
    screen.wait_for(&["READY^"]);
    screen.press("/bs-2\r");
    let picture = screen.wait_for(&["queues 1 to 1 of 1 with \"bs-2\" in their names"]);
    assert!(picture.contains("jobs-2") && !picture.contains("jobs-3"), "{picture}");
    screen.press("\t");
    screen.wait_for(&["CALLED", "IN B/Sv"]);
    screen.press("q");
    assert!(screen.process.wait().unwrap().success());
    // The screen is given back.
    let mut rest = vec![0; 65536];
    let count = screen.terminal.read(&mut rest).unwrap();
    assert!(String::from_utf8_lossy(&rest[..count]).contains("\u{1b}[?1049l"));
}

#[test]
fn a_server_that_does_not_answer_is_told_on_the_screen() {
    let server = Server::start();
    let mut screen = Screen::open(&server, &["--url", "http://127.0.0.1:1"]);
    screen.wait_for(&["unable to perform an operation on the server at 127.0.0.1:1"]);
    screen.press("\u{3}");
    assert!(screen.process.wait().unwrap().success());
}
