//! From a request to its answer: which endpoint it is for, whether its method, its origin and its
//! user are ones that may, and then what the endpoint says.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};

use crate::management::answer::{Answer, Body, Refusal};
use crate::management::body;
use crate::management::call::{Call, Query};
use crate::management::cors;
use crate::management::endpoint::{Accepts, Endpoint, Verb};
use crate::management::login::{NoLogin, credentials};
use crate::management::manager::Manager;
use crate::management::path;
use crate::management::places::Guest;
use crate::management::port::Port;
use crate::management::rights::Who;
use crate::management::routes::resource;
use crate::node::login_attempts::LoginProtocol;

/// The methods that some resource takes, and one that none does: others are not known.
const KNOWN: &[Method] = &[
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Answers a request.
pub(super) async fn respond(
    manager: Arc<Manager>,
    port: &Port,
    request: Request<Incoming>,
    peer: IpAddr,
    guest: &Guest,
) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    let mut methods = String::new();
    let answer = route(&manager, port, (&parts, incoming), (peer, guest), &mut methods).await;
    let mut answer = answer.unwrap_or_else(Refusal::into_answer);
    cors::add_headers(&manager.settings, &parts.method, &parts.headers, &methods, &mut answer);
    let headers = &mut answer.headers;
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    answer.into_response()
}

/// Finds the endpoint. `methods` becomes those that the resource takes.
async fn route(
    manager: &Arc<Manager>,
    port: &Port,
    (parts, incoming): (&Parts, Incoming),
    (peer, guest): (IpAddr, &Guest),
    methods: &mut String,
) -> Result<Answer, Refusal> {
    let (Ok(path), Ok(host)) = (path::segments(parts.uri.path()), cors::host(parts)) else {
        return Ok(Answer::empty(StatusCode::BAD_REQUEST));
    };
    if !KNOWN.contains(&parts.method) {
        return Ok(Answer::empty(StatusCode::NOT_IMPLEMENTED));
    }
    let (names, endpoints) =
        resource(&path, |service| port.serves(service)).ok_or_else(Refusal::no_such_object)?;
    *methods = allowed(&endpoints);
    if parts.method == Method::OPTIONS {
        return Ok(Answer::empty(StatusCode::OK).header(ALLOW, methods));
    }
    let endpoint = endpoints.iter().find(|endpoint| endpoint.verb.is(&parts.method));
    let Some(endpoint) = endpoint else {
        return Ok(Answer::empty(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, methods));
    };
    if let Some(refusal) = cors::refusal(&manager.settings, parts, host, peer) {
        return Err(refusal);
    }
    let call = Call {
        manager: Arc::clone(manager),
        names,
        query: Query::parse(parts.uri.query()),
        headers: parts.headers.clone(),
        body: hyper::body::Bytes::new(),
        peer,
        user: None,
    };
    admit_and_run(call, endpoint, incoming, guest, port.is_trusted).await
}

/// The methods of a resource, as the header `Allow` lists them.
fn allowed(endpoints: &[&Endpoint]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for endpoint in endpoints {
        if endpoint.verb == Verb::Get {
            methods.push("HEAD");
        }
        methods.push(endpoint.verb.as_str());
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

/// Lets the user in, reads the body and runs the endpoint.
async fn admit_and_run(
    mut call: Call,
    endpoint: &'static Endpoint,
    incoming: Incoming,
    guest: &Guest,
    is_trusted: bool,
) -> Result<Answer, Refusal> {
    let manager = Arc::clone(&call.manager);
    if endpoint.who != Who::Anyone {
        let login = match credentials(&call.headers) {
            Ok(credentials) => manager.log_in(credentials, call.peer).await,
            Err(NoLogin::Missing) if is_trusted => Ok(manager.operator()),
            Err(none) => Err(none),
        };
        match login {
            Ok(user) => call.user = Some(user),
            Err(no_login) => return Ok(no_login.into_answer()),
        }
        let refusal = endpoint.who.refusal(&call);
        manager.node.login_attempts.note(LoginProtocol::Http, refusal.is_none());
        if let Some(reason) = refusal {
            let (peer, user) = (call.peer, call.user_name());
            tracing::warn!(%peer, "HTTP access denied: user '{user}' - {reason}");
            return Err(Refusal::not_authorised(reason));
        }
        guest.is_let_in();
    }
    if !accepts(&call.headers, endpoint.answers) {
        return Ok(Answer::empty(StatusCode::NOT_ACCEPTABLE));
    }
    if !endpoint.takes.permits(&call.headers) {
        return Ok(Answer::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let mut _room = None;
    if endpoint.verb != Verb::Get {
        let limit = endpoint.takes.bytes_max(&manager.settings);
        let patience = Duration::from_millis(manager.settings.body_timeout_ms);
        _room = body::room(&manager.large_bodies, &call.headers, limit, patience).await?;
        call.body = body::read(incoming, limit, patience).await?;
    }
    run(call, endpoint).await
}

/// Endpoints may wait for the disk: they run on threads of their own.
async fn run(call: Call, endpoint: &'static Endpoint) -> Result<Answer, Refusal> {
    let answer = move || {
        let _acting = call.node().herald().acting(call.user_name());
        (endpoint.run)(&call)
    };
    match tokio::task::spawn_blocking(answer).await {
        Ok(outcome) => outcome,
        Err(failed) => {
            tracing::error!("HTTP {} {}: {failed}", endpoint.verb.as_str(), endpoint.path);
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(Refusal::new(status, "internal_server_error", "the endpoint failed"))
        }
    }
}

/// Whether the client takes an answer of this type.
fn accepts(headers: &HeaderMap, answers: &str) -> bool {
    let Some(value) = headers.get(ACCEPT) else { return true };
    let Ok(value) = value.to_str() else { return false };
    let (kind, _) = answers.split_once('/').unwrap_or((answers, ""));
    value.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let is_wanted = !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        let is_kind = media.strip_suffix("/*").is_some_and(|media| media == kind);
        is_wanted && (media == "*/*" || is_kind || media.eq_ignore_ascii_case(answers))
    })
}

impl Accepts {
    /// Whether a body of this type is taken. No body needs a type.
    fn permits(self, headers: &HeaderMap) -> bool {
        let value = headers.get(hyper::header::CONTENT_TYPE);
        let value = value.map(|value| value.to_str().unwrap_or_default());
        let media = value.map(|value| value.split(';').next().unwrap_or_default().trim());
        let is = |known: &str| media.is_some_and(|media| media.eq_ignore_ascii_case(known));
        match self {
            Self::Any => true,
            Self::Json => is("application/json"),
            Self::Form => is("application/x-www-form-urlencoded"),
            Self::Definitions => is("application/json") || is("multipart/form-data"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_say_what_they_take() {
        let takes = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            accepts(&headers, "application/json")
        };
        assert!(takes("application/json"));
        assert!(takes("*/*"));
        assert!(takes("application/*"));
        assert!(takes("application/bert, application/json;q=0.1"));
        assert!(takes("text/html, */*; q=0.1"));
        assert!(!takes("text/html"));
        assert!(!takes("application/json;q=0"));
        assert!(accepts(&HeaderMap::new(), "application/json"));
    }
}
