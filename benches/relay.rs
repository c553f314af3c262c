//! The floor under a broker's CPU time per message: a relay with no broker in between.
//!
//! It answers just enough AMQP 0-9-1 for `leveret bench` to run against it unchanged, and for
//! every publish it reads it writes the bytes of one delivery of the same size. It walks frame
//! headers and copies bytes; there is no routing, no queue and no acknowledgement, and every
//! read batch goes to one consumer. In confirm mode it acks once per read batch and channel.
//!
//! `cargo bench --bench relay -- --listen 127.0.0.1:5799` serves until it is killed; with `--each`
//! before it every message goes to the next consumer, by a write of its own, and two threads serve
//! all connections as a broker does: the floor for many consuming connections. Without `--listen`
//! it relays a few thousand messages to itself and ends.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

#[path = "../src/program/bench/wire.rs"]
#[allow(dead_code, reason = "the relay needs only part of it")]
mod wire;

use wire::{
    FRAME_BODY, FRAME_HEADER, Fields, Frame, MethodId, PROTOCOL_HEADER, ReadBuffer, WireError,
    method, put_frame, put_long_string, put_method, put_short_string, put_table,
};

/// Largest frame the relay offers, in bytes.
const FRAME_BYTES_MAX: u32 = 131_072;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Options that cargo passes to every harness mean nothing here.
    let mut arguments = std::env::args().skip_while(|argument| argument != "--listen").skip(1);
    if let Some(address) = arguments.next() {
        let listener = TcpListener::bind(&address)?;
        println!("relay on {address}, process {}", std::process::id());
        serve(&listener, std::env::args().any(|argument| argument == "--each"))?;
        return Ok(());
    }
    for (each, confirm, ack) in [(false, "0", false), (false, "100", true), (true, "100", true)] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let uri = format!("amqp://{}", listener.local_addr()?);
        thread::spawn(move || serve(&listener, each));
        let mut load = Command::new(env!("CARGO_BIN_EXE_leveret"));
        load.args(["bench", "--json", "--messages", "20000", "--uri", &uri, "--confirm", confirm]);
        let output = load.args(ack.then_some("--ack")).output()?;
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_str(&report)?;
        let confirmed = if ack { 20_000 } else { 0 };
        assert_eq!((&report["published"], &report["consumed"]), (&20_000.into(), &20_000.into()));
        assert_eq!(report["confirmed"], confirmed);
        println!("{report}");
    }
    Ok(())
}

/// A consumer: its channel and the socket its deliveries go to.
#[derive(Clone)]
struct Subscription {
    channel: u16,
    socket: Arc<Mutex<TcpStream>>,
}

/// All consumers of all connections.
type Subscriptions = Arc<Mutex<Vec<Subscription>>>;

fn serve(listener: &TcpListener, each: bool) -> io::Result<()> {
    if each {
        return serve_each(listener);
    }
    let subscriptions = Subscriptions::default();
    while let Ok((stream, _)) = listener.accept() {
        let subscriptions = Arc::clone(&subscriptions);
        thread::spawn(move || {
            tell(Peer::new(&stream, subscriptions, false).and_then(|mut peer| peer.run(&stream)));
        });
    }
    Ok(())
}

/// The same with two threads for all connections, and consumers that take turns by messages.
fn serve_each(listener: &TcpListener) -> io::Result<()> {
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build()?;
    let subscriptions = Subscriptions::default();
    while let Ok((stream, _)) = listener.accept() {
        let mut peer = Peer::new(&stream, Arc::clone(&subscriptions), true)?;
        threads.spawn(async move { tell(peer.run_among_many(stream).await) });
    }
    Ok(())
}

fn tell(end: io::Result<()>) {
    if let Err(error) = end {
        eprintln!("connection ended: {error}");
    }
}

/// Writes all of it, and waits where there is no room.
fn write_all(mut socket: &TcpStream, mut octets: &[u8]) -> io::Result<()> {
    while !octets.is_empty() {
        match socket.write(octets) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => octets = octets.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a socket has at the moment.
struct AtHand<'a>(&'a tokio::net::TcpStream);

impl Read for AtHand<'_> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(octets)
    }
}

/// One connection of a client; a thread reads it.
struct Peer {
    socket: Arc<Mutex<TcpStream>>,
    subscriptions: Subscriptions,
    /// Consumers take turns by messages, not by read batches.
    each: bool,
    /// Answers to this client, written at the end of a read batch.
    replies: Vec<u8>,
    /// Publishes per channel in confirm mode, and how many of them are acked.
    confirms: BTreeMap<u16, (u64, u64)>,
    /// Deliveries to one consumer, written at the end of a read batch.
    deliveries: Vec<u8>,
    /// Up to where `deliveries` are whole; nothing beyond is written yet, for another publisher
    /// may write to the same consumer in between.
    whole: usize,
    /// Bytes of the current message's body that are still to come.
    body_left: u64,
    /// Where the deliveries of this read batch go.
    consumer: Option<Subscription>,
    /// A delivery's method frame: copied for each one, with the tag put in.
    deliver: Vec<u8>,
    delivery_tag: u64,
    batches: usize,
    closed: bool,
}

/// Place of the delivery tag in the method frame: behind frame header, method and consumer tag.
const DELIVERY_TAG_AT: usize = 7 + 4 + 1 + CONSUMER_TAG.len();
/// The consumer tag of every delivery.
const CONSUMER_TAG: &str = "bench";

impl Peer {
    fn new(stream: &TcpStream, subscriptions: Subscriptions, each: bool) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            socket: Arc::new(Mutex::new(stream.try_clone()?)),
            subscriptions,
            each,
            replies: Vec::new(),
            confirms: BTreeMap::new(),
            deliveries: Vec::new(),
            whole: 0,
            body_left: 0,
            consumer: None,
            deliver: Vec::new(),
            delivery_tag: 0,
            batches: 0,
            closed: false,
        })
    }

    fn run(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        stream.read_exact(&mut [0; PROTOCOL_HEADER.len()])?;
        self.greet()?;
        let mut buffer = ReadBuffer::default();
        while !self.closed && buffer.fill(&mut stream)? > 0 {
            self.take_batch(&mut buffer)?;
        }
        self.leave();
        Ok(())
    }

    /// The same on threads that serve others meanwhile.
    async fn run_among_many(&mut self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let mut buffer = ReadBuffer::default();
        let mut greeted = false;
        while !self.closed {
            stream.readable().await?;
            let read = match greeted {
                true => buffer.fill(&mut AtHand(&stream)),
                false => AtHand(&stream).read(&mut [0; PROTOCOL_HEADER.len()]),
            };
            match read {
                Ok(0) => break,
                Ok(_) if greeted => self.take_batch(&mut buffer)?,
                Ok(_) => self.greet()?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            greeted = true;
        }
        self.leave();
        Ok(())
    }

    fn greet(&mut self) -> io::Result<()> {
        put_method(&mut self.replies, 0, method::CONNECTION_START, |out| {
            out.extend_from_slice(&[0, 9]);
            put_table(out, &[]);
            put_long_string(out, b"PLAIN");
            put_long_string(out, b"en_US");
        });
        self.flush()
    }

    /// Takes what one read has brought.
    fn take_batch(&mut self, buffer: &mut ReadBuffer) -> io::Result<()> {
        self.choose_consumer();
        while let Some(frame) = buffer.next_frame().map_err(io::Error::other)? {
            self.take_in(&frame).map_err(io::Error::other)?;
        }
        self.flush()
    }

    fn leave(&self) {
        let gone = |other: &Subscription| Arc::ptr_eq(&other.socket, &self.socket);
        self.subscriptions.lock().retain(|subscription| !gone(subscription));
    }

    /// The consumers take turns by read batches, but one that has got a message's first frames
    /// gets the rest of it too.
    fn choose_consumer(&mut self) {
        if !self.deliveries.is_empty() {
            return;
        }
        let subscriptions = self.subscriptions.lock();
        let turn = self.batches % subscriptions.len().max(1);
        self.batches += 1;
        self.consumer = subscriptions.get(turn).cloned();
        drop(subscriptions);
        self.deliver.clear();
        if let Some(Subscription { channel, .. }) = &self.consumer {
            put_method(&mut self.deliver, *channel, method::BASIC_DELIVER, |out| {
                put_short_string(out, CONSUMER_TAG);
                out.extend_from_slice(&[0; 9]);
                put_short_string(out, "");
                put_short_string(out, "leveret-bench-00000000-0000");
            });
        }
    }

    fn take_in(&mut self, frame: &Frame<'_>) -> Result<(), WireError> {
        match frame.kind {
            FRAME_HEADER => {
                let mut fields = Fields(frame.payload);
                fields.long()?;
                self.body_left = fields.long_long()?;
                self.relay(frame);
            }
            FRAME_BODY => {
                self.body_left = self.body_left.saturating_sub(frame.payload.len() as u64);
                self.relay(frame);
            }
            _ => match frame.method() {
                Some((method::BASIC_PUBLISH, _)) => self.begin_delivery(frame.channel),
                Some((id, fields)) => self.answer(frame.channel, id, fields)?,
                None => {}
            },
        }
        Ok(())
    }

    fn begin_delivery(&mut self, channel: u16) {
        if !self.confirms.is_empty()
            && let Some((published, _)) = self.confirms.get_mut(&channel)
        {
            *published += 1;
        }
        if self.consumer.is_some() {
            self.delivery_tag += 1;
            let at = self.deliveries.len() + DELIVERY_TAG_AT;
            self.deliveries.extend_from_slice(&self.deliver);
            if let Some(tag) = self.deliveries.get_mut(at..at + 8) {
                tag.copy_from_slice(&self.delivery_tag.to_be_bytes());
            }
        }
    }

    fn relay(&mut self, frame: &Frame<'_>) {
        if let Some(Subscription { channel, .. }) = &self.consumer {
            let out = &mut self.deliveries;
            put_frame(out, frame.kind, *channel, |out| out.extend_from_slice(frame.payload));
            if self.body_left == 0 {
                self.whole = out.len();
            }
        }
        if self.each && self.body_left == 0 {
            self.write_whole();
            self.choose_consumer();
        }
    }

    fn answer(
        &mut self,
        channel: u16,
        id: MethodId,
        mut fields: Fields<'_>,
    ) -> Result<(), WireError> {
        let mut reply = |id, arguments: &dyn Fn(&mut Vec<u8>)| {
            put_method(&mut self.replies, channel, id, arguments);
        };
        match id {
            method::CONNECTION_START_OK => reply(method::CONNECTION_TUNE, &|out| {
                out.extend_from_slice(&2047_u16.to_be_bytes());
                out.extend_from_slice(&FRAME_BYTES_MAX.to_be_bytes());
                out.extend_from_slice(&[0, 0]);
            }),
            method::CONNECTION_OPEN => reply(method::CONNECTION_OPEN_OK, &|out| out.push(0)),
            method::CHANNEL_OPEN => reply(method::CHANNEL_OPEN_OK, &|out| out.extend([0; 4])),
            method::EXCHANGE_DECLARE => reply(method::EXCHANGE_DECLARE_OK, &|_| ()),
            method::EXCHANGE_DELETE => reply(method::EXCHANGE_DELETE_OK, &|_| ()),
            method::QUEUE_DECLARE => {
                fields.short()?;
                let name = String::from_utf8_lossy(fields.short_string()?);
                reply(method::QUEUE_DECLARE_OK, &|out| {
                    put_short_string(out, &name);
                    out.extend([0; 8]);
                });
            }
            method::QUEUE_BIND => reply(method::QUEUE_BIND_OK, &|_| ()),
            method::QUEUE_DELETE => reply(method::QUEUE_DELETE_OK, &|out| out.extend([0; 4])),
            method::BASIC_QOS => reply(method::BASIC_QOS_OK, &|_| ()),
            method::BASIC_CONSUME => {
                reply(method::BASIC_CONSUME_OK, &|out| put_short_string(out, CONSUMER_TAG));
                let socket = Arc::clone(&self.socket);
                self.subscriptions.lock().push(Subscription { channel, socket });
            }
            method::CONFIRM_SELECT => {
                reply(method::CONFIRM_SELECT_OK, &|_| ());
                self.confirms.insert(channel, (0, 0));
            }
            method::CONNECTION_CLOSE => {
                reply(method::CONNECTION_CLOSE_OK, &|_| ());
                self.closed = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes what a read batch brought about.
    fn flush(&mut self) -> io::Result<()> {
        for (channel, (published, acked)) in &mut self.confirms {
            if published != acked {
                *acked = *published;
                put_method(&mut self.replies, *channel, method::BASIC_ACK, |out| {
                    out.extend_from_slice(&published.to_be_bytes());
                    out.push(1);
                });
            }
        }
        self.write_whole();
        if !self.replies.is_empty() {
            write_all(&self.socket.lock(), &self.replies)?;
            self.replies.clear();
        }
        Ok(())
    }

    /// Writes the deliveries that are whole to their consumer.
    fn write_whole(&mut self) {
        if self.whole > 0 {
            let whole = self.deliveries.get(..self.whole).unwrap_or_default();
            if let Some(Subscription { socket, .. }) = &self.consumer {
                // A consumer that has gone is not the publisher's trouble.
                let _ = write_all(&socket.lock(), whole);
            }
            self.deliveries.drain(..self.whole);
            self.whole = 0;
        }
    }
}
