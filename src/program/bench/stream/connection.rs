//! A blocking connection of the stream protocol: login, requests with a bounded wait, frames.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;

use leveret_stream_protocol::{ClientFrame, Request, Response, ResponseCode, ServerFrame};

use crate::program::bench::clock::Clock;
use crate::program::bench::connection::{Arrival, REPLY_TIMEOUT, Target, write_all};
use crate::program::bench::error::LoadError;

/// Octets that one read takes at most.
const READ_OCTETS: usize = 1024 * 1024;

/// An open connection.
#[derive(Debug)]
pub(crate) struct StreamConnection {
    socket: TcpStream,
    input: Vec<u8>,
    /// Where in `input` the first frame begins, and where what was read ends.
    begin: usize,
    end: usize,
    correlation: u32,
    clock: Clock,
}

impl StreamConnection {
    /// Connects, logs in and opens the virtual host, without heartbeats.
    pub(crate) fn open(target: &Target, clock: Clock) -> Result<Self, LoadError> {
        let socket = target.open_socket()?;
        let input = vec![0; 2 * READ_OCTETS];
        let mut connection = Self { socket, input, begin: 0, end: 0, correlation: 0, clock };
        let properties = vec![("product", "leveret bench")];
        connection.ask(Request::PeerProperties { properties }, |_| ResponseCode::Ok)?;
        connection.ask(Request::SaslHandshake {}, |_| ResponseCode::Ok)?;
        let response = format!("\0{}\0{}", target.user(), target.password());
        let response = response.as_bytes();
        connection.call(Request::SaslAuthenticate { mechanism: "PLAIN", response })?;
        connection.wait_for(|frame| matches!(frame, ServerFrame::Tune { .. }).then_some(()))?;
        let mut out = Vec::new();
        ClientFrame::Tune { frame_max: 0, heartbeat_s: 0 }.write(&mut out);
        connection.send(&out)?;
        connection.call(Request::Open { virtual_host: target.virtual_host() })?;
        Ok(connection)
    }

    /// Asks for something, and waits until it is done.
    pub(crate) fn call(&mut self, request: Request<'_>) -> Result<(), LoadError> {
        self.ask(request, |response| match response {
            Response::Code { code, .. }
            | Response::SaslAuthenticate { code, .. }
            | Response::Open { code, .. } => *code,
            _ => ResponseCode::UnknownFrame,
        })
    }

    fn ask(
        &mut self,
        request: Request<'_>,
        code: impl Fn(&Response<'_>) -> ResponseCode,
    ) -> Result<(), LoadError> {
        self.correlation += 1;
        let (correlation, command) = (self.correlation, request.command());
        let mut out = Vec::new();
        ClientFrame::Request { correlation, request }.write(&mut out);
        self.send(&out)?;
        let answer = self.wait_for(|frame| match frame {
            ServerFrame::Response { correlation: of, response } if *of == correlation => {
                Some(code(response))
            }
            _ => None,
        })?;
        match answer {
            ResponseCode::Ok => Ok(()),
            code => Err(LoadError::Refused { what: format!("{command:?}"), answer: code }),
        }
    }

    /// Reads until there is a frame that is wanted, and passes over the others.
    fn wait_for<T>(
        &mut self,
        wanted: impl Fn(&ServerFrame<'_>) -> Option<T>,
    ) -> Result<T, LoadError> {
        let deadline = self.clock.elapsed() + REPLY_TIMEOUT;
        loop {
            while let Some(frame) = self.next_frame()? {
                if let Some(found) = wanted(&frame) {
                    return Ok(found);
                }
            }
            self.receive()?;
            if self.clock.elapsed() > deadline {
                let seconds = REPLY_TIMEOUT.as_secs();
                return Err(LoadError::TimedOut { awaited: "an answer of the server", seconds });
            }
        }
    }

    /// Writes all of `octets`.
    pub(crate) fn send(&mut self, octets: &[u8]) -> Result<(), LoadError> {
        write_all(&mut self.socket, octets)
    }

    /// Reads once; waits a little while.
    pub(crate) fn receive(&mut self) -> Result<Arrival, LoadError> {
        self.input.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - self.begin);
        if self.input.len() < self.end + READ_OCTETS {
            self.input.resize(self.end + READ_OCTETS, 0);
        }
        let free = self.input.get_mut(self.end..).unwrap_or_default();
        match self.socket.read(free) {
            Ok(0) => Err(LoadError::Disconnected),
            Ok(octets) => {
                self.end += octets;
                Ok(Arrival::Bytes(octets))
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    Ok(Arrival::Silence)
                }
                _ => Err(LoadError::Io { doing: "reading from the server", source: error }),
            },
        }
    }

    /// [`StreamConnection::receive`] without any wait.
    pub(crate) fn receive_ready(&mut self) -> Result<Arrival, LoadError> {
        let failed = |source| LoadError::Io { doing: "preparing a socket", source };
        self.socket.set_nonblocking(true).map_err(failed)?;
        let arrival = self.receive();
        self.socket.set_nonblocking(false).map_err(failed)?;
        arrival
    }

    /// The next frame, if all of it was read. Errors: the server closes the connection, or
    /// deletes a stream in use.
    pub(crate) fn next_frame(&mut self) -> Result<Option<ServerFrame<'_>>, LoadError> {
        let unread = self.input.get(self.begin..self.end).unwrap_or_default();
        let Some((size, rest)) = unread.split_first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_be_bytes(*size) as usize;
        let Some(frame) = rest.get(..size) else { return Ok(None) };
        self.begin += 4 + size;
        match ServerFrame::read(frame) {
            Ok(ServerFrame::Close { code, reason, .. }) => Err(LoadError::ClosedByServer {
                scope: "connection",
                reply_code: code,
                reply_text: reason.to_owned(),
            }),
            Ok(ServerFrame::MetadataUpdate { .. }) => Err(LoadError::ConsumerCancelled),
            Ok(frame) => Ok(Some(frame)),
            Err(error) => Err(LoadError::StreamFrame(error.to_string())),
        }
    }

    /// Closes the connection and waits until the server has seen everything.
    pub(crate) fn close(mut self) -> Result<(), LoadError> {
        match self.call(Request::Close { code: ResponseCode::Ok.code(), reason: "done" }) {
            Err(LoadError::TimedOut { .. }) => Ok(()),
            Err(error) if error.is_broken_connection() => Ok(()),
            other => other,
        }
    }
}
