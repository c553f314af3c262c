//! A stream between a client and the gateway that stays in the process.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use crate::gateway::in_memory::pipe::Pipe;

/// One end of an in-memory stream: what a connected TCP socket is, without sockets. The client's
/// end comes from [`Broker::connect_amqp`](crate::Broker::connect_amqp).
///
/// It is tokio's `AsyncRead` and `AsyncWrite` and those of `futures-io`, and works in any runtime.
/// Up to 128 KiB are under way in each direction; who writes more waits until the other end reads.
/// Dropping an end closes it: the other end reads what was written and then the end, and its
/// writes fail with `BrokenPipe`.
pub struct MemoryStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

impl MemoryStream {
    /// Two ends of a new stream.
    pub(crate) fn pair() -> (Self, Self) {
        let (there, back) = (Arc::<Pipe>::default(), Arc::<Pipe>::default());
        let near = Self { incoming: Arc::clone(&back), outgoing: Arc::clone(&there) };
        (near, Self { incoming: there, outgoing: back })
    }

    /// Whether the other end is gone.
    pub(in crate::gateway) fn is_abandoned(&self) -> bool {
        self.outgoing.is_abandoned()
    }

    fn poll_write_pieces(
        &self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, pieces.iter().map(|piece| &**piece))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.outgoing.end();
        self.incoming.abandon();
    }
}

impl fmt::Debug for MemoryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStream").finish_non_exhaustive()
    }
}

impl tokio::io::AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        self.incoming.poll_read(cx, room, |piece| buffer.put_slice(piece)).map(|_| Ok(()))
    }
}

impl tokio::io::AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, std::iter::once(octets))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_pieces(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.end();
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let room = buffer.remaining();
        self.incoming.poll_read(cx, room, |piece| buffer.put_slice(piece)).map(Ok)
    }
}

impl futures_io::AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, std::iter::once(octets))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_pieces(cx, pieces)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.end();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::limits::STREAM_BUFFER_BYTES;

    #[tokio::test]
    async fn octets_arrive_in_order_and_the_writer_waits_for_room() {
        let (mut near, mut far) = MemoryStream::pair();
        let sent: Vec<u8> = (0..10 * STREAM_BUFFER_BYTES + 7).map(|at| (at % 251) as u8).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move { near.write_all(&sent).await });
        tokio::task::yield_now().await;
        assert!(!writer.is_finished(), "all of it was taken at once");
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        writer.await.unwrap().unwrap();
        assert!(got == expected, "{} octets came of {}", got.len(), expected.len());
    }

    #[tokio::test]
    async fn an_end_that_is_dropped_ends_the_other() {
        let (mut near, mut far) = MemoryStream::pair();
        near.write_all(b"last words").await.unwrap();
        far.write_all(b"unread").await.unwrap();
        drop(near);
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"last words");
        let refused = far.write_all(b"more").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_writer_that_waits_hears_of_the_end() {
        let (mut near, far) = MemoryStream::pair();
        let writer = tokio::spawn(async move { near.write_all(&[0; 1 << 20]).await });
        tokio::task::yield_now().await;
        drop(far);
        let refused = writer.await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn one_direction_may_end_before_the_other() {
        let (mut near, mut far) = MemoryStream::pair();
        near.shutdown().await.unwrap();
        assert_eq!(far.read(&mut [0; 4]).await.unwrap(), 0);
        far.write_all(b"still").await.unwrap();
        let mut got = [0; 5];
        near.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"still");
    }

    #[tokio::test]
    async fn the_gathered_pieces_of_one_write_are_taken_up_to_the_bound() {
        let (near, mut far) = MemoryStream::pair();
        let half = vec![1; STREAM_BUFFER_BYTES / 2 + 1];
        let pieces = [IoSlice::new(b""), IoSlice::new(&half), IoSlice::new(&half)];
        let written = std::future::poll_fn(|cx| near.poll_write_pieces(cx, &pieces)).await;
        assert_eq!(written.unwrap(), STREAM_BUFFER_BYTES);
        drop(near);
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len(), STREAM_BUFFER_BYTES);
    }
}
