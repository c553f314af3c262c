//! A client that does exactly what it is told, over a blocking socket or an in-memory stream.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use amq_protocol::protocol::{AMQPClass, basic, channel, connection, parse_class, queue};

use crate::{PATIENCE, frames};

/// A socket that takes nothing for this long is taken to be stuck.
const STUCK: Duration = Duration::from_millis(400);

/// A frame from the broker.
#[derive(Debug)]
pub(crate) enum Frame {
    Method(u16, AMQPClass),
    /// Octets of the body, property flags and values.
    Header(u64, Vec<u8>),
    Body(Vec<u8>),
    Heartbeat,
}

/// A message that came, whatever brought it.
#[derive(Debug)]
pub(crate) struct Content {
    pub method: AMQPClass,
    pub body: Vec<u8>,
}

impl Content {
    pub(crate) fn delivery(&self) -> &basic::Deliver {
        match &self.method {
            AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver)) => deliver,
            other => panic!("not a delivery: {other:?}"),
        }
    }
}

pub(crate) struct Client<S = TcpStream> {
    pub socket: S,
    input: Vec<u8>,
    used: usize,
}

impl Client {
    /// Nothing is said yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect_timeout(&address, PATIENCE).unwrap())
    }

    fn on(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::over(socket)
    }

    /// As [`Client::new`], with little room for what the broker sends.
    pub(crate) fn narrow(address: SocketAddr) -> Self {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::on(socket.into())
    }

    /// An open connection.
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::new(address).opened(frames::CAPABILITIES, 0)
    }

    /// An open connection with channel 1.
    pub(crate) fn with_channel(address: SocketAddr) -> Self {
        Self::open(address).channel(1)
    }

    /// Sends `octets` over and over until the broker takes no more; tells how many went, or `None`
    /// if `limit` octets went and still were taken.
    pub(crate) fn flood(&mut self, octets: &[u8], limit: usize) -> Option<usize> {
        self.socket.set_write_timeout(Some(STUCK)).unwrap();
        let times = (256 * 1024 / octets.len()).max(1);
        let batch = octets.repeat(times);
        let mut sent = 0;
        while sent < limit {
            let from = sent % batch.len();
            match self.socket.write(&batch[from..]) {
                Ok(written) => sent += written,
                Err(error) if is_timeout(&error) => {
                    self.socket.set_write_timeout(Some(PATIENCE)).unwrap();
                    return Some(sent);
                }
                Err(error) => panic!("flooding failed after {sent} octets: {error}"),
            }
        }
        None
    }
}

impl<S: Read + Write> Client<S> {
    /// Nothing is said yet. Reading fails with `TimedOut` when nothing comes in time.
    pub(crate) fn over(socket: S) -> Self {
        Self { socket, input: Vec::new(), used: 0 }
    }

    /// Goes through the handshake.
    pub(crate) fn opened(mut self, capabilities: &[&str], heartbeat: u16) -> Self {
        self.logged_in(capabilities, heartbeat);
        self.open_virtual_host();
        self
    }

    fn open_virtual_host(&mut self) {
        self.send(&frames::open("/"));
        match self.method() {
            (0, AMQPClass::Connection(connection::AMQPMethod::OpenOk(_))) => {}
            other => panic!("no open-ok: {other:?}"),
        }
    }

    /// Goes through the handshake up to tune-ok.
    pub(crate) fn logged_in(&mut self, capabilities: &[&str], heartbeat: u16) {
        self.send(frames::HEADER);
        let (_, start) = self.method();
        assert!(is_connection(&start, 10), "no start: {start:?}");
        self.answer_start(capabilities, heartbeat);
    }

    fn answer_start(&mut self, capabilities: &[&str], heartbeat: u16) {
        self.send(&frames::start_ok("PLAIN", b"\0guest\0guest", capabilities));
        match self.method() {
            (0, AMQPClass::Connection(connection::AMQPMethod::Tune(tune))) => {
                self.send(&frames::tune_ok(tune.channel_max, tune.frame_max, heartbeat));
            }
            other => panic!("no tune: {other:?}"),
        }
    }

    /// Reads confirms on the channel until the one of this publish.
    pub(crate) fn confirmed(&mut self, channel: u16, last: u64) {
        loop {
            match self.method() {
                (on, AMQPClass::Basic(basic::AMQPMethod::Ack(ack))) if on == channel => {
                    if ack.delivery_tag == last {
                        return;
                    }
                }
                other => panic!("no confirm: {other:?}"),
            }
        }
    }

    /// Goes through what is left of the handshake after connection.start, without heartbeats.
    pub(crate) fn finish_handshake(&mut self) {
        self.answer_start(frames::CAPABILITIES, 0);
        self.open_virtual_host();
    }

    /// Opens a channel.
    pub(crate) fn channel(mut self, number: u16) -> Self {
        self.open_channel(number);
        self
    }

    pub(crate) fn open_channel(&mut self, number: u16) {
        let reply = self.ask(&frames::channel_open(number));
        let open_ok = matches!(&reply, AMQPClass::Channel(channel::AMQPMethod::OpenOk(_)));
        assert!(open_ok, "no open-ok: {reply:?}");
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.socket.write_all(octets).unwrap();
    }

    /// Fills the input with what comes; false at the end of the stream.
    fn fill(&mut self) -> bool {
        self.input.drain(..self.used);
        self.used = 0;
        let mut chunk = [0; 64 * 1024];
        match self.socket.read(&mut chunk) {
            Ok(0) => false,
            Ok(octets) => {
                self.input.extend_from_slice(&chunk[..octets]);
                true
            }
            Err(error) if is_timeout(&error) => panic!("nothing came in time"),
            // The broker may have closed while something from here was under way.
            Err(_) => false,
        }
    }

    /// The next frame; `None` if the broker closed the socket.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((octets, frame)) = read_frame(&self.input[self.used..]) {
                self.used += octets;
                return Some(frame);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// The next frame that is not a heartbeat, which must be a method.
    pub(crate) fn method(&mut self) -> (u16, AMQPClass) {
        loop {
            match self.frame() {
                Some(Frame::Method(channel, method)) => return (channel, method),
                Some(Frame::Heartbeat) => {}
                other => panic!("no method but {other:?}"),
            }
        }
    }

    /// Sends, and returns the next method.
    pub(crate) fn ask(&mut self, octets: &[u8]) -> AMQPClass {
        self.send(octets);
        self.method().1
    }

    /// Declares a queue; returns how many messages are ready.
    pub(crate) fn declare(&mut self, name: &str) -> u32 {
        match self.ask(&frames::queue_declare(1, name, false)) {
            AMQPClass::Queue(queue::AMQPMethod::DeclareOk(ok)) => ok.message_count,
            other => panic!("no declare-ok: {other:?}"),
        }
    }

    /// Starts a consumer on channel 1.
    pub(crate) fn consume(&mut self, queue: &str, tag: &str, no_ack: bool) {
        let reply = self.ask(&frames::consume(1, queue, tag, no_ack));
        let ok = matches!(&reply, AMQPClass::Basic(basic::AMQPMethod::ConsumeOk(_)));
        assert!(ok, "no consume-ok: {reply:?}");
    }

    /// The next method with the content that belongs to it.
    pub(crate) fn content(&mut self) -> Content {
        let (_, method) = self.method();
        let mut left = match self.frame() {
            Some(Frame::Header(size, _)) => size as usize,
            other => panic!("no header after {method:?} but {other:?}"),
        };
        let mut body = Vec::new();
        while left > 0 {
            match self.frame() {
                Some(Frame::Body(part)) => {
                    left -= part.len();
                    body.extend(part);
                }
                other => panic!("no body but {other:?}"),
            }
        }
        Content { method, body }
    }

    /// Code and text of the connection.close that comes next, contents aside.
    pub(crate) fn connection_closed(&mut self) -> String {
        loop {
            match self.frame() {
                Some(Frame::Method(
                    0,
                    AMQPClass::Connection(connection::AMQPMethod::Close(close)),
                )) => return format!("{} {}", close.reply_code, close.reply_text),
                Some(_) => {}
                None => panic!("the socket was closed without a word"),
            }
        }
    }

    /// Code and text of the channel.close that comes next.
    pub(crate) fn channel_closed(&mut self) -> String {
        match self.method() {
            (_, AMQPClass::Channel(channel::AMQPMethod::Close(close))) => {
                format!("{} {}", close.reply_code, close.reply_text)
            }
            other => panic!("no channel.close but {other:?}"),
        }
    }

    /// Whether the broker's end is closed, whatever is left to read; finds out by writing.
    pub(crate) fn socket_is_closed(&mut self) -> bool {
        self.socket.write(&[0]).is_err()
    }

    /// Reads what is left until the broker closes the socket.
    pub(crate) fn ended(&mut self) {
        while self.frame().is_some() {}
    }
}

pub(crate) fn is_connection(method: &AMQPClass, id: u16) -> bool {
    method.get_amqp_class_id() == 10 && method.get_amqp_method_id() == id
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn read_frame(input: &[u8]) -> Option<(usize, Frame)> {
    let (&[kind, c1, c0, s3, s2, s1, s0], rest) = input.split_first_chunk()?;
    let size = u32::from_be_bytes([s3, s2, s1, s0]) as usize;
    let payload = rest.get(..size)?;
    assert_eq!(*rest.get(size)?, frames::FRAME_END);
    let channel = u16::from_be_bytes([c1, c0]);
    let frame = match kind {
        1 => Frame::Method(channel, parse_class(payload).unwrap().1),
        2 => {
            let size = u64::from_be_bytes(payload[4..12].try_into().unwrap());
            Frame::Header(size, payload[12..].to_vec())
        }
        3 => Frame::Body(payload.to_vec()),
        8 => Frame::Heartbeat,
        other => panic!("frame of kind {other}"),
    };
    Some((size + 8, frame))
}
