//! A stream client for tests: blocking, and trusting the codec of `leveret_stream_protocol`.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use leveret_stream_protocol::{
    Batch, Chunk, ClientFrame, Command, CommandVersions, Compression, Entry, OffsetSpec, Publish,
    Published, Request, Response, ServerFrame,
};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) use leveret_stream_protocol::ResponseCode as Code;

/// What came with a Deliver frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub subscription: u8,
    pub committed: Option<u64>,
    pub first_offset: u64,
    /// Messages with their offsets, those in batches included.
    pub messages: Vec<(u64, Vec<u8>)>,
}

impl Delivered {
    /// The messages as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |(_, octets): &(u64, Vec<u8>)| String::from_utf8_lossy(octets).into_owned();
        self.messages.iter().map(text).collect()
    }
}

pub(crate) struct Client {
    socket: TcpStream,
    input: Vec<u8>,
    /// Frames that came before an answer that was waited for.
    early: VecDeque<Vec<u8>>,
    correlation: u32,
}

impl Client {
    /// Connected, and nothing said yet.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, input: Vec::new(), early: VecDeque::new(), correlation: 0 }
    }

    /// Open, in the default virtual host, as guest.
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::open_as(address, "guest", "guest")
    }

    pub(crate) fn open_as(address: SocketAddr, user: &str, password: &str) -> Self {
        let mut client = Self::connect(address);
        assert_eq!(client.log_in(user, password), Code::Ok);
        client.tune(0);
        let code = client.ask(Request::Open { virtual_host: "/" }, |response| match response {
            Response::Open { code, .. } => *code,
            other => panic!("{other:?}"),
        });
        assert_eq!(code, Code::Ok);
        client
    }

    /// Up to the answer to the credentials.
    pub(crate) fn log_in(&mut self, user: &str, password: &str) -> Code {
        let properties = vec![("product", "test"), ("connection_name", "of the test")];
        self.ask(Request::PeerProperties { properties }, |_| ());
        self.ask(Request::SaslHandshake {}, |_| ());
        self.authenticate(user, password)
    }

    pub(crate) fn authenticate(&mut self, user: &str, password: &str) -> Code {
        let response = format!("\0{user}\0{password}");
        let request =
            Request::SaslAuthenticate { mechanism: "PLAIN", response: response.as_bytes() };
        self.ask(request, |response| match response {
            Response::SaslAuthenticate { code, .. } => *code,
            other => panic!("{other:?}"),
        })
    }

    /// Takes the server's Tune and answers it.
    pub(crate) fn tune(&mut self, heartbeat_s: u32) {
        let frame = self.frame();
        assert!(matches!(ServerFrame::read(&frame), Ok(ServerFrame::Tune { .. })), "{frame:?}");
        self.send(&ClientFrame::Tune { frame_max: 1_048_576, heartbeat_s });
    }

    /// The client says that it knows Deliver 2.
    pub(crate) fn knows_deliver_2(&mut self) {
        let versions = vec![CommandVersions::of(Command::Deliver)];
        self.ask(Request::ExchangeCommandVersions { versions }, |_| ());
    }

    pub(crate) fn send(&mut self, frame: &ClientFrame<'_>) {
        let mut out = Vec::new();
        frame.write(&mut out);
        self.octets(&out);
    }

    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.socket.write_all(octets).unwrap();
    }

    /// Sends as much of this as is taken at once.
    pub(crate) fn flood_once(&mut self, octets: &[u8]) {
        self.socket.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(more) = self.socket.write(&octets[sent..])
            && more > 0
        {
            sent += more;
        }
    }

    /// Sends this over and over until no more is taken, and leaves nothing unread: a socket that is
    /// closed with something unread ends at once.
    pub(crate) fn flood(&mut self, octets: &[u8]) {
        const STUCK: Duration = Duration::from_millis(400);
        self.socket.set_write_timeout(Some(STUCK)).unwrap();
        let batch = octets.repeat(64 * 1024 / octets.len());
        let mut at = 0;
        while let Ok(written) = self.socket.write(&batch[at..]) {
            at = (at + written) % batch.len();
        }
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    }

    /// The next frame; `None` at the end.
    pub(crate) fn try_frame(&mut self) -> Option<Vec<u8>> {
        if let Some(early) = self.early.pop_front() {
            return Some(early);
        }
        self.read_frame()
    }

    pub(crate) fn frame(&mut self) -> Vec<u8> {
        self.try_frame().expect("the server closed the connection")
    }

    fn read_frame(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((size, rest)) = self.input.split_first_chunk::<4>() {
                let size = u32::from_be_bytes(*size) as usize;
                if rest.len() >= size {
                    let frame = rest[..size].to_vec();
                    self.input.drain(..4 + size);
                    return Some(frame);
                }
            }
            let mut piece = vec![0; 64 * 1024];
            let octets = self.socket.read(&mut piece).expect("the server says nothing");
            if octets == 0 {
                return None;
            }
            self.input.extend_from_slice(&piece[..octets]);
        }
    }

    /// Asks, and waits for the answer; what comes before it is kept for later.
    pub(crate) fn ask<R>(
        &mut self,
        request: Request<'_>,
        take: impl FnOnce(&Response<'_>) -> R,
    ) -> R {
        self.correlation += 1;
        let correlation = self.correlation;
        self.send(&ClientFrame::Request { correlation, request });
        loop {
            let frame = self.read_frame().expect("the server closed the connection");
            match ServerFrame::read(&frame) {
                Ok(ServerFrame::Response { correlation: of, response }) if of == correlation => {
                    return take(&response);
                }
                Ok(_) => self.early.push_back(frame),
                Err(error) => panic!("{error}: {frame:?}"),
            }
        }
    }

    /// Asks for something that is answered by a code alone.
    pub(crate) fn code(&mut self, request: Request<'_>) -> Code {
        self.ask(request, |response| match response {
            Response::Code { code, .. } => *code,
            other => panic!("{other:?}"),
        })
    }

    pub(crate) fn ok(&mut self, request: Request<'_>) {
        let shown = format!("{request:?}");
        assert_eq!(self.code(request), Code::Ok, "{shown}");
    }

    /// All that was sent up to now is here: nothing but that comes.
    pub(crate) fn assert_nothing_more(&mut self) {
        self.ask(Request::Metadata { streams: Vec::new() }, |_| ());
        let shown: Vec<_> =
            self.early.iter().map(|frame| format!("{:?}", ServerFrame::read(frame))).collect();
        assert!(shown.is_empty(), "{shown:?}");
    }

    pub(crate) fn create(&mut self, stream: &str) {
        self.ok(Request::Create { stream, arguments: Vec::new() });
    }

    pub(crate) fn declare(&mut self, publisher: u8, reference: &str, stream: &str) -> Code {
        self.code(Request::DeclarePublisher { publisher, reference, stream })
    }

    /// Publishes texts with ids from this one on, and does not wait.
    pub(crate) fn publish(&mut self, publisher: u8, first_id: u64, texts: &[&str]) {
        let messages = texts.iter().zip(first_id..).map(|(text, id)| published(id, text));
        let messages: Vec<_> = messages.collect();
        self.publish_all(publisher, &messages);
    }

    pub(crate) fn publish_all(&mut self, publisher: u8, messages: &[Published<'_>]) {
        let mut out = Vec::new();
        Publish::write(publisher, messages, &mut out);
        self.octets(&out);
    }

    /// Publishes texts, one chunk each, and waits until they are safe.
    pub(crate) fn publish_each(&mut self, publisher: u8, first_id: u64, texts: &[&str]) {
        for (text, id) in texts.iter().zip(first_id..) {
            self.publish(publisher, id, &[text]);
            assert_eq!(self.confirms(publisher, 1), [id]);
        }
    }

    /// Waits for so many confirms of a publisher.
    pub(crate) fn confirms(&mut self, publisher: u8, count: usize) -> Vec<u64> {
        let mut confirmed = Vec::new();
        while confirmed.len() < count {
            let frame = self.frame();
            match ServerFrame::read(&frame) {
                Ok(ServerFrame::PublishConfirm { publisher: of, publishing_ids })
                    if of == publisher =>
                {
                    confirmed.extend(publishing_ids);
                }
                other => panic!("{other:?}"),
            }
        }
        confirmed
    }

    pub(crate) fn subscribe(
        &mut self,
        subscription: u8,
        stream: &str,
        offset: OffsetSpec,
        credit: u16,
    ) {
        self.ok(subscription_to(subscription, stream, offset, credit, &[]));
    }

    pub(crate) fn credit(&mut self, subscription: u8, credit: i16) {
        self.send(&ClientFrame::Credit { subscription, credit });
    }

    /// The next frame, which is a Deliver.
    pub(crate) fn delivered(&mut self) -> Delivered {
        let frame = self.frame();
        match ServerFrame::read(&frame) {
            Ok(ServerFrame::Deliver { subscription, committed_chunk_id, chunk }) => {
                let chunk = Chunk::read(chunk).expect("a sound chunk");
                Delivered {
                    subscription,
                    committed: committed_chunk_id,
                    first_offset: chunk.header.first_offset,
                    messages: messages(&chunk),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// Messages from so many deliveries, as text.
    pub(crate) fn texts(&mut self, deliveries: usize) -> Vec<String> {
        (0..deliveries).flat_map(|_| self.delivered().texts()).collect()
    }

    /// The next frame, as text.
    pub(crate) fn shown(&mut self) -> String {
        let frame = self.frame();
        format!("{:?}", ServerFrame::read(&frame).unwrap())
    }

    /// The next frame, which is a ConsumerUpdate: its correlation id, and what it says.
    pub(crate) fn consumer_update(&mut self) -> (u32, u8, bool) {
        let frame = self.frame();
        match ServerFrame::read(&frame) {
            Ok(ServerFrame::ConsumerUpdate { correlation, subscription, active }) => {
                (correlation, subscription, active)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn answer_update(&mut self, correlation: u32, offset: OffsetSpec) {
        self.send(&ClientFrame::ConsumerUpdateAnswer { correlation, code: 1, offset });
    }
}

pub(crate) fn published(publishing_id: u64, text: &str) -> Published<'_> {
    Published { publishing_id, filter_value: None, entry: Entry::Message(text.as_bytes()) }
}

pub(crate) fn subscription_to<'a>(
    subscription: u8,
    stream: &'a str,
    offset: OffsetSpec,
    credit: u16,
    properties: &[(&'a str, &'a str)],
) -> Request<'a> {
    let properties = Some(properties.to_vec());
    Request::Subscribe { subscription, stream, offset, credit, properties }
}

/// A batch that is not compressed.
pub(crate) fn batch_of(texts: &[&str]) -> Vec<u8> {
    let mut data = Vec::new();
    texts.iter().for_each(|text| Entry::Message(text.as_bytes()).write(&mut data));
    data
}

pub(crate) fn batch(data: &[u8], records: u16) -> Entry<'_> {
    Entry::Batch(Batch {
        compression: Compression::None,
        records,
        uncompressed_octets: data.len() as u32,
        data,
    })
}

fn messages(chunk: &Chunk<'_>) -> Vec<(u64, Vec<u8>)> {
    let mut messages = Vec::new();
    for (offset, entry) in chunk.entries() {
        match entry {
            Entry::Message(message) => messages.push((offset, message.to_vec())),
            Entry::Batch(batch) => {
                messages.extend((offset..).zip(batch.messages().map(<[u8]>::to_vec)));
            }
        }
    }
    messages
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = leveret::Broker::new();
    let end = clock.now() + PATIENCE;
    while !condition() {
        assert!(clock.now() < end, "waited in vain: {what}");
        std::thread::yield_now();
    }
}
