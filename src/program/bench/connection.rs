//! A blocking AMQP 0-9-1 connection: handshake, calls with a bounded wait, polite close.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use amq_protocol::uri::{AMQPScheme, AMQPUri};

use super::clock::Clock;
use super::error::LoadError;
use super::wire::{
    Fields, Frame, MethodId, PROTOCOL_HEADER, ReadBuffer, TableValue, WireError, method,
    put_long_string, put_method, put_short_string, put_table,
};

/// How long a connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to answer a method, or to take bytes from a full socket.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a read waits before its thread looks whether the run is over.
const READ_POLL: Duration = Duration::from_millis(100);
/// Where the stream protocol is served unless the URI says otherwise.
const STREAM_PORT: u16 = 5552;
/// Largest frame that is offered to the server, in bytes: RabbitMQ's own default.
const FRAME_BYTES_MAX: u32 = 131_072;

/// Where to connect and as whom.
#[derive(Debug, Clone)]
pub(super) struct Target {
    host: String,
    port: u16,
    user: String,
    password: String,
    virtual_host: String,
}

impl Target {
    /// Reads the rest of a `rabbitmq-stream://` URI, which is as that of an `amqp://` one.
    pub(super) fn parse_stream(address: &str) -> Result<Self, LoadError> {
        let authority = address.split('/').next().unwrap_or_default();
        let has_port = authority.rsplit_once(':').is_some_and(|(before, port)| {
            let digits = !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit());
            digits && (!authority.contains('@') || before.contains('@'))
        });
        let target = Self::parse(&format!("amqp://{address}"))?;
        Ok(if has_port { target } else { Self { port: STREAM_PORT, ..target } })
    }

    /// The user.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// His password.
    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// The virtual host.
    pub(super) fn virtual_host(&self) -> &str {
        &self.virtual_host
    }

    /// A connected socket whose reads wait a little while.
    pub(super) fn open_socket(&self) -> Result<TcpStream, LoadError> {
        let stream = self.connect()?;
        let prepare = || {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
            stream.set_read_timeout(Some(READ_POLL))
        };
        prepare().map_err(|source| LoadError::Io { doing: "preparing a socket", source })?;
        Ok(stream)
    }

    /// Reads an `amqp://` URI; no path and an empty path both name the virtual host `/`.
    pub(super) fn parse(uri: &str) -> Result<Self, LoadError> {
        let parsed: AMQPUri = uri.parse().map_err(LoadError::Uri)?;
        if parsed.scheme == AMQPScheme::AMQPS {
            return Err(LoadError::Uri("amqps is not supported".to_owned()));
        }
        let virtual_host = if parsed.vhost.is_empty() { "/".to_owned() } else { parsed.vhost };
        let AMQPUri { authority, .. } = parsed;
        if virtual_host.len() > 255 {
            return Err(LoadError::Uri("the virtual host has over 255 bytes".to_owned()));
        }
        Ok(Self {
            host: authority.host,
            port: authority.port,
            user: authority.userinfo.username,
            password: authority.userinfo.password,
            virtual_host,
        })
    }

    fn connect(&self) -> Result<TcpStream, LoadError> {
        let failed =
            |source| LoadError::Connect { address: format!("{}:{}", self.host, self.port), source };
        let mut last = None;
        let host = self.host.trim_matches(['[', ']']);
        for address in (host, self.port).to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(failed(last.unwrap_or_else(|| ErrorKind::NotFound.into())))
    }
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// So many bytes; there may be frames.
    Bytes(usize),
    /// Nothing for as long as a read waits.
    Silence,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Bytes that arrived and are not yet looked at.
    pub incoming: ReadBuffer,
    frame_max: usize,
    clock: Clock,
}

impl Connection {
    /// Connects, logs in and opens the virtual host, without heartbeats.
    pub(super) fn open(target: &Target, clock: Clock) -> Result<Self, LoadError> {
        let stream = target.open_socket()?;
        let frame_max = FRAME_BYTES_MAX as usize;
        let mut connection = Self { stream, incoming: ReadBuffer::default(), frame_max, clock };
        connection.handshake(target)?;
        Ok(connection)
    }

    fn handshake(&mut self, target: &Target) -> Result<(), LoadError> {
        self.send(PROTOCOL_HEADER)?;
        self.wait_for(method::CONNECTION_START, |_| Ok(()))?;
        let (channel_max, frame_max) = self.call_with(
            0,
            method::CONNECTION_START_OK,
            method::CONNECTION_TUNE,
            |out| {
                put_table(out, &client_properties());
                put_short_string(out, "PLAIN");
                let response = format!("\0{}\0{}", target.user, target.password);
                put_long_string(out, response.as_bytes());
                put_short_string(out, "en_US");
            },
            |mut fields| Ok((fields.short()?, fields.long()?)),
        )?;
        let frame_max =
            if frame_max == 0 { FRAME_BYTES_MAX } else { frame_max.min(FRAME_BYTES_MAX) };
        self.frame_max = frame_max as usize;
        let mut out = Vec::new();
        put_method(&mut out, 0, method::CONNECTION_TUNE_OK, |out| {
            out.extend_from_slice(&channel_max.to_be_bytes());
            out.extend_from_slice(&frame_max.to_be_bytes());
            out.extend_from_slice(&0_u16.to_be_bytes());
        });
        self.send(&out)?;
        self.call(0, method::CONNECTION_OPEN, method::CONNECTION_OPEN_OK, |out| {
            put_short_string(out, &target.virtual_host);
            out.extend_from_slice(&[0, 0]);
        })
    }

    /// Largest frame in bytes, as negotiated.
    pub(super) fn frame_max(&self) -> usize {
        self.frame_max
    }

    /// A second handle of the socket, for a thread that only writes.
    pub(super) fn writer(&self) -> Result<TcpStream, LoadError> {
        self.stream
            .try_clone()
            .map_err(|source| LoadError::Io { doing: "sharing a socket", source })
    }

    /// Opens a channel.
    pub(super) fn open_channel(&mut self, channel: u16) -> Result<(), LoadError> {
        self.call(channel, method::CHANNEL_OPEN, method::CHANNEL_OPEN_OK, |out| out.push(0))
    }

    /// Sends a method and waits for its answer.
    pub(super) fn call(
        &mut self,
        channel: u16,
        request: MethodId,
        answer: MethodId,
        arguments: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), LoadError> {
        self.call_with(channel, request, answer, arguments, |_| Ok(()))
    }

    fn call_with<T>(
        &mut self,
        channel: u16,
        request: MethodId,
        answer: MethodId,
        arguments: impl FnOnce(&mut Vec<u8>),
        read: impl FnOnce(Fields<'_>) -> Result<T, WireError>,
    ) -> Result<T, LoadError> {
        let mut out = Vec::new();
        put_method(&mut out, channel, request, arguments);
        self.send(&out)?;
        self.wait_for(answer, read)
    }

    /// Reads until a method arrives and skips everything else, but for a close.
    fn wait_for<T>(
        &mut self,
        wanted: MethodId,
        read: impl FnOnce(Fields<'_>) -> Result<T, WireError>,
    ) -> Result<T, LoadError> {
        let deadline = self.clock.elapsed() + REPLY_TIMEOUT;
        loop {
            while let Some(frame) = self.incoming.next_frame()? {
                refuse_close(&frame)?;
                match frame.method() {
                    Some((id, fields)) if id == wanted => return Ok(read(fields)?),
                    _ => {}
                }
            }
            self.receive()?;
            if self.clock.elapsed() > deadline {
                let seconds = REPLY_TIMEOUT.as_secs();
                return Err(LoadError::TimedOut { awaited: "an answer of the server", seconds });
            }
        }
    }

    /// Writes all of `bytes`.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        write_all(&mut self.stream, bytes)
    }

    /// Reads once into [`Connection::incoming`]; waits a little while.
    pub(super) fn receive(&mut self) -> Result<Arrival, LoadError> {
        match self.incoming.fill(&mut self.stream) {
            Ok(0) => Err(LoadError::Disconnected),
            Ok(count) => Ok(Arrival::Bytes(count)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    Ok(Arrival::Silence)
                }
                _ => Err(LoadError::Io { doing: "reading from the server", source: error }),
            },
        }
    }

    /// [`Connection::receive`] without any wait.
    pub(super) fn receive_ready(&mut self) -> Result<Arrival, LoadError> {
        let failed = |source| LoadError::Io { doing: "preparing a socket", source };
        self.stream.set_nonblocking(true).map_err(failed)?;
        let arrival = self.receive();
        self.stream.set_nonblocking(false).map_err(failed)?;
        arrival
    }

    /// Closes the connection and waits until the server has seen everything.
    ///
    /// A server that does not answer in time is left alone: the run is over by then.
    pub(super) fn close(mut self) -> Result<(), LoadError> {
        match self.call(0, method::CONNECTION_CLOSE, method::CONNECTION_CLOSE_OK, close_arguments) {
            Err(LoadError::TimedOut { .. }) => Ok(()),
            Err(error) if error.is_broken_connection() => Ok(()),
            other => other,
        }
    }
}

/// Appends the arguments of a regular `connection.close`.
pub(super) fn close_arguments(out: &mut Vec<u8>) {
    out.extend_from_slice(&200_u16.to_be_bytes());
    put_short_string(out, "done");
    out.extend_from_slice(&[0; 4]);
}

/// Writes all of `bytes` to a socket; a peer that takes nothing for long is an error.
pub(super) fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), LoadError> {
    stream.write_all(bytes).map_err(|source| match source.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => LoadError::TimedOut {
            awaited: "the server to read what was published",
            seconds: REPLY_TIMEOUT.as_secs(),
        },
        _ => LoadError::Io { doing: "writing to the server", source },
    })
}

/// Ends both directions of a socket so that a thread that waits on it wakes up.
pub(super) fn shut_down(stream: &TcpStream) {
    // The socket may be gone already, which is what is wanted.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Fails when the server closes the connection or channel or cancels a consumer.
pub(super) fn refuse_close(frame: &Frame<'_>) -> Result<(), LoadError> {
    match frame.method() {
        Some((method::CONNECTION_CLOSE, fields)) => Err(LoadError::closed("connection", fields)),
        Some((method::CHANNEL_CLOSE, fields)) => Err(LoadError::closed("channel", fields)),
        Some((method::BASIC_CANCEL, _)) => Err(LoadError::ConsumerCancelled),
        _ => Ok(()),
    }
}

fn client_properties() -> Vec<(String, TableValue)> {
    let capabilities = [
        "authentication_failure_close",
        "publisher_confirms",
        "basic.nack",
        "consumer_cancel_notify",
    ];
    let capabilities =
        capabilities.map(|name| (name.to_owned(), TableValue::Boolean(true))).to_vec();
    let text = |value: &str| TableValue::Text(value.to_owned());
    vec![
        ("product".to_owned(), text("leveret bench")),
        ("version".to_owned(), text(env!("CARGO_PKG_VERSION"))),
        ("capabilities".to_owned(), TableValue::Table(capabilities)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn a_uri_names_host_user_and_virtual_host() {
        let target = Target::parse("amqp://me:se%40cret@broker:5673/my%2Fhost").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("broker", 5673));
        assert_eq!((target.user.as_str(), target.password.as_str()), ("me", "se@cret"));
        assert_eq!(target.virtual_host, "my/host");
    }

    #[test]
    fn a_uri_without_virtual_host_means_the_slash() {
        for uri in ["amqp://127.0.0.1:5672", "amqp://127.0.0.1:5672/", "amqp://127.0.0.1/%2f"] {
            let target = Target::parse(uri).unwrap();
            assert_eq!((target.virtual_host.as_str(), target.user.as_str()), ("/", "guest"));
        }
        assert!(Target::parse("amqps://localhost").is_err());
        assert!(Target::parse("localhost").is_err());
    }

    #[test]
    fn the_stream_protocol_has_a_port_of_its_own() {
        for (address, port) in [
            ("localhost", 5552),
            ("localhost:5672/shop", 5672),
            ("me:1@localhost", 5552),
            ("me:1@[::1]:5553/", 5553),
            ("[::1]", 5552),
        ] {
            assert_eq!(Target::parse_stream(address).unwrap().port, port, "{address}");
        }
    }

    #[test]
    fn the_reply_text_of_a_refusal_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 8]).unwrap();
            let mut out = Vec::new();
            put_method(&mut out, 0, method::CONNECTION_CLOSE, |out| {
                out.extend_from_slice(&403_u16.to_be_bytes());
                put_short_string(out, "ACCESS_REFUSED - no");
                out.extend_from_slice(&[0; 4]);
            });
            stream.write_all(&out).unwrap();
        });
        let target = Target::parse(&format!("amqp://127.0.0.1:{port}")).unwrap();
        let error = Connection::open(&target, Clock::start()).unwrap_err();
        server.join().unwrap();
        assert_eq!(error.to_string(), "the server closed the connection: 403 ACCESS_REFUSED - no");
    }
}
