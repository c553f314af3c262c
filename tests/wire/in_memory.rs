//! Connections without a port: the same gateway at the other end of an in-memory stream.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use leveret::{Broker, MemoryStream};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::client::Client;
use crate::{PATIENCE, counts, frames, ready, wait_until};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a thread")
});

/// A stream as a blocking socket.
pub(crate) struct Blocking(MemoryStream);

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        RUNTIME.block_on(async { timeout(PATIENCE, self.0.read(buffer)).await })?
    }
}

impl Write for Blocking {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        RUNTIME.block_on(async { timeout(PATIENCE, self.0.write(octets)).await })?
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client in memory on which nothing is said yet.
pub(crate) fn connected(broker: &Broker) -> Client<Blocking> {
    Client::over(Blocking(broker.connect_amqp().expect("an open broker")))
}

/// An open connection in memory, with channel 1.
pub(crate) fn opened(broker: &Broker, heartbeat_s: u16) -> Client<Blocking> {
    connected(broker).opened(frames::CAPABILITIES, heartbeat_s).channel(1)
}

#[test]
fn the_broker_answers_as_it_does_on_a_socket() {
    let broker = Broker::new();
    let mut client = opened(&broker, 0);
    assert_eq!(client.declare("q"), 0);
    client.consume("q", "tag", false);
    let body = vec![7; 300_000];
    client.send(&frames::publish_in(1, "q", &body, 100_000));
    let content = client.content();
    assert_eq!(content.delivery().consumer_tag.as_str(), "tag");
    assert!(content.body == body, "{} octets came", content.body.len());
    assert_eq!(counts(&broker, "q").unacked, 1);
    client.send(&frames::connection_close());
    client.method();
    assert_eq!((ready(&broker, "q"), broker.connection_count()), (1, 0));
}

/// The caller's only thread waits without letting its own runtime go on.
#[tokio::test(flavor = "current_thread")]
async fn a_caller_that_blocks_its_runtime_does_not_wait_for_itself() {
    let broker = Broker::new();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    let consumer = channel.basic_consume("q").unwrap();
    let mut stream = broker.connect_amqp().unwrap();
    stream.write_all(frames::HEADER).await.unwrap();
    let login = frames::start_ok("PLAIN", b"\0guest\0guest", &[]);
    for part in [login, frames::tune_ok(2047, 131_072, 0), frames::open("/")] {
        stream.write_all(&part).await.unwrap();
    }
    stream.write_all(&frames::channel_open(1)).await.unwrap();
    stream.write_all(&frames::publish(1, "q", b"over the stream")).await.unwrap();
    let received = std::thread::spawn(move || consumer.recv().unwrap().body().to_vec());
    assert_eq!(received.join().unwrap(), b"over the stream");
}

#[test]
fn a_guest_may_log_in_as_from_this_machine() {
    let broker = Broker::new();
    let mut client = connected(&broker);
    client.send(frames::HEADER);
    client.method();
    client.send(&frames::start_ok("ANONYMOUS", b"", &[]));
    client.method();
    assert_eq!(broker.connection_count(), 0, "it is not open yet");
}

#[test]
fn a_client_that_does_not_read_is_not_read() {
    let broker = Broker::new();
    let mut client = opened(&broker, 0);
    let publish = frames::publish_mandatory(1, "nowhere");
    let octets = publish.repeat(1000);
    let mut sent = 0;
    // The broker has stopped reading when nothing is taken although its tasks had every chance.
    let mut refused = 0;
    while refused < 100_000 {
        let from = sent % octets.len();
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut client.socket.0).poll_write(&mut cx, &octets[from..]) {
            Poll::Ready(written) => {
                sent += written.unwrap();
                refused = 0;
            }
            Poll::Pending => {
                refused += 1;
                std::thread::yield_now();
            }
        }
        assert!(sent < 64 << 20, "the broker takes everything");
    }
    for _ in 0..sent / publish.len() {
        client.content();
    }
}

#[test]
fn a_stream_that_is_dropped_gives_everything_back() {
    let broker = Broker::new();
    let mut client = opened(&broker, 0);
    client.declare("q");
    client.ask(&frames::queue_declare(1, "own", true));
    client.send(&frames::publish(1, "q", b"x"));
    client.consume("q", "tag", false);
    client.content();
    assert_eq!(counts(&broker, "q").unacked, 1);
    drop(client);
    wait_until("the message is back", || ready(&broker, "q") == 1);
    wait_until("the exclusive queue is gone", || {
        broker.virtual_host("/").unwrap().queue("own").is_err()
    });
    wait_until("the connection is gone", || broker.connection_count() == 0);
}

#[test]
fn a_broker_that_is_dropped_says_so() {
    let broker = Broker::new();
    let mut clients: Vec<_> = (0..20).map(|_| opened(&broker, 0)).collect();
    let mut idle = connected(&broker);
    drop(broker);
    for client in &mut clients {
        assert_eq!(client.connection_closed(), "320 CONNECTION_FORCED - broker was dropped");
        client.ended();
        assert!(client.socket.write(b"x").is_err(), "nobody reads this");
    }
    idle.ended();
}

#[test]
fn a_closed_broker_opens_no_streams() {
    let broker = Broker::new();
    broker.close("done", PATIENCE);
    let refused = broker.connect_amqp().expect_err("it is closed");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}
