//! Requests to the control API of `leveret test`, from a caller who knows the token.

use std::cell::RefCell;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

use crate::program::test::control_of_new;

/// Requests that one broker gets: what they leave in it is not to grow for ever.
const REQUESTS_MAX: usize = 500;

/// Longer than any call that waits for nothing takes.
const PATIENCE: Duration = Duration::from_millis(200);

struct Server {
    runtime: Runtime,
    router: Router,
    token: String,
    requests: usize,
}

impl Server {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (router, token) = runtime.block_on(async { control_of_new() });
        Self { runtime, router, token, requests: 0 }
    }
}

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// Requests, each `METHOD PATH`, a line's end, and JSON up to the next zero octet.
pub fn run(data: &[u8]) {
    SERVER.with_borrow_mut(|server| {
        let server = server.get_or_insert_with(Server::new);
        data.split(|&octet| octet == 0).take(8).for_each(|request| ask(server, request));
    });
    SERVER.with_borrow_mut(|server| {
        if server.as_ref().is_some_and(|server| server.requests > REQUESTS_MAX)
            && let Some(old) = server.take()
        {
            old.runtime.shutdown_background();
        }
    });
}

fn ask(server: &mut Server, request: &[u8]) {
    server.requests += 1;
    let end = request.iter().position(|&octet| octet == b'\n').unwrap_or(request.len());
    let (line, body) = request.split_at(end);
    let Ok(line) = std::str::from_utf8(line) else { return };
    let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let body = body.get(1..).unwrap_or_default().to_vec();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", server.token))
        .header("content-length", body.len())
        .header("content-type", "application/json");
    let Ok(request) = request.body(Body::from(body)) else { return };
    let router = &mut server.router;
    server.runtime.block_on(async {
        let answered = async {
            let response = router.call(request).await.expect("it answers");
            let status = response.status();
            let text = to_bytes(response.into_body(), usize::MAX).await.expect("it is in memory");
            (status, text)
        };
        // Some calls wait for what does not come.
        let Ok((status, text)) = tokio::time::timeout(PATIENCE, answered).await else { return };
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{line}: {text:?}");
    });
}
