//! The handshake of TLS, before a connection is one of its protocol.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::gateway::newcomer::{Start, Unfinished};
use crate::tls::{Tls, facts};

/// Does the handshake; `None` if the client does not, or not in time, which is logged. A client
/// that only looks whether the port is open is not.
pub(super) async fn shake_hands<C>(
    socket: TcpStream,
    mut start: Start<C>,
    tls: &Tls,
) -> Option<(TlsStream<TcpStream>, Start<C>)> {
    let limits = &start.broker.limits;
    let silent = Duration::from_millis(limits.first_octets_timeout_ms);
    let patience = Duration::from_millis(limits.handshake_timeout_ms);
    let handshake = async {
        tokio::time::timeout(silent, socket.readable()).await??;
        tokio::time::timeout(patience, tls.acceptor().accept(socket)).await?
    };
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = eviction(&start.unfinished) => return None,
    };
    let peer = &start.peer.name;
    match shaken {
        Ok(stream) => {
            let agreed = facts(stream.get_ref().1, tls.login_from());
            start.peer.tls = Some(Arc::new(agreed));
            Some((stream, start))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::debug!(peer, "went before the TLS handshake was over");
            None
        }
        Err(error) => {
            tracing::info!(peer, "TLS handshake failed: {error}{}", what_to_do(&error));
            None
        }
    }
}

/// What those who look after the client can do about it.
fn what_to_do(error: &io::Error) -> &'static str {
    use tokio_rustls::rustls::{AlertDescription as Alert, Error};
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(Error::InvalidMessage(_)) => {
            ": the client does not speak TLS, which this port does: use amqps:// or https://"
        }
        Some(Error::AlertReceived(
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::DecryptError,
        )) => ": the client does not trust the server's certificate, or it is for another name",
        _ => "",
    }
}

/// Waits until others need the room.
async fn eviction(unfinished: &Unfinished) {
    poll_fn(|cx| match unfinished {
        Unfinished::Admission(admission) if admission.is_evicted(cx.waker()) => Poll::Ready(()),
        _ => Poll::Pending,
    })
    .await;
}
