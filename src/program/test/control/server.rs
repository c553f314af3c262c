//! Connections of callers.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// Waiting time after accepting failed, as when no file descriptors are left.
const PAUSE: Duration = Duration::from_millis(100);

/// Time for the head of a request. Callers keep their connections and may be long about the next
/// call, which looks the same.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Accepts connections, and serves each until its caller ends it or is too slow.
pub(in crate::program::test) async fn serve(listener: TcpListener, router: Router) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(socket), service);
        tokio::spawn(async move {
            // There is nobody to tell that the caller has gone.
            let _ = connection.await;
        });
    }
}
