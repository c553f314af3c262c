//! What a broker says of itself when somebody connects: the client does not tell, so it is read
//! from the octets that come first `[amqp 0-9-1 connection.start]`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use amq_protocol::frame::{AMQPFrame, parsing::parse_frame};
use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod;
use futures_io::{AsyncRead, AsyncWrite};

use super::stream::BrokerStream;
use crate::base::field_value;
use crate::base::lock::Mutex;
use crate::base::rank;

/// Octets of a greeting that are looked at; real ones have a few hundred.
const GREETING_OCTETS_MAX: usize = 16 << 10;

/// The first octets that a broker has sent.
#[derive(Clone, Default)]
pub(super) struct Greeting(Arc<Mutex<Vec<u8>, rank::Greeting>>);

impl Greeting {
    /// The name of the broker's cluster, if it has told it.
    pub(super) fn cluster_name(&self) -> Option<String> {
        let octets = self.0.lock();
        let (_, frame) = parse_frame(octets.as_slice()).ok()?;
        let AMQPFrame::Method(_, AMQPClass::Connection(AMQPMethod::Start(start))) = frame else {
            return None;
        };
        let name = field_value::get(&start.server_properties, "cluster_name")?;
        field_value::text(name).map(str::to_owned)
    }

    fn hear(&self, octets: &[u8]) {
        let mut heard = self.0.lock();
        let room = GREETING_OCTETS_MAX.saturating_sub(heard.len());
        heard.extend_from_slice(octets.get(..octets.len().min(room)).unwrap_or_default());
    }
}

/// A stream whose first octets are heard.
pub(super) struct Overheard {
    stream: BrokerStream,
    greeting: Greeting,
    /// Octets that have come.
    come: usize,
}

impl Overheard {
    pub(super) fn stream(stream: BrokerStream, greeting: Greeting) -> BrokerStream {
        Box::new(Self { stream, greeting, come: 0 })
    }
}

impl AsyncRead for Overheard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if self.come < GREETING_OCTETS_MAX {
            self.come += read;
            self.greeting.hear(buffer.get(..read).unwrap_or_default());
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
