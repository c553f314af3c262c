//! Who may call: the one who was told the token, and no page that a browser has open.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::input::{Answer, Refusal};

/// The largest request that is taken: a body of 16 MiB, which a broker takes, in base64.
pub(super) const REQUEST_BYTES_MAX: usize = 32 << 20;

/// Time for the body of a request, from its first octet to the last.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Octets of a token, before they are written in hexadecimal digits.
const TOKEN_BYTES: usize = 16;

/// What a caller has to know.
#[derive(Clone, Debug)]
pub(crate) struct Token(String);

impl Token {
    /// A token that nobody can guess.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut octets = [0; TOKEN_BYTES];
        getrandom::fill(&mut octets)?;
        Ok(Self(octets.iter().map(|octet| format!("{octet:02x}")).collect()))
    }

    /// The token as it is printed.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is what a caller sends who knows it; takes the same time whatever is wrong.
    fn is_told_by(&self, value: &str) -> bool {
        let Some((scheme, given)) = value.split_once(' ') else { return false };
        let differing = given.bytes().zip(self.0.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        scheme.eq_ignore_ascii_case("bearer") && given.len() == self.0.len() && differing == 0
    }
}

/// Lets a request pass, or refuses it.
pub(crate) async fn check(
    State(token): State<Token>,
    request: Request,
    next: Next,
) -> Answer<Response> {
    let headers = request.headers();
    // One that another server on the way might read as the other is none.
    let once = [HOST, AUTHORIZATION, CONTENT_TYPE];
    if let Some(name) = once.iter().find(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        return Err(Refusal::bad(format!("the header '{name}' is there more than once")));
    }
    let target = request.uri().authority().map(|authority| authority.as_str());
    check_host(target.or_else(|| text(headers, &HOST)).unwrap_or_default())?;
    if headers.contains_key(ORIGIN) {
        let text = "requests of web pages are refused".to_owned();
        return Err(Refusal::new(StatusCode::FORBIDDEN, text));
    }
    if !text(headers, &AUTHORIZATION).is_some_and(|value| token.is_told_by(value)) {
        let text = "the header 'authorization: Bearer TOKEN' is missing or wrong; the token is in \
                    the line of JSON that the program has printed";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, text.to_owned()));
    }
    let length = text(headers, &CONTENT_LENGTH);
    let has_body = headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|it| it != "0");
    let kind = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if has_body && !media.eq_ignore_ascii_case("application/json") {
        let text = format!("the content type has to be application/json, not '{kind}'");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    Ok(next.run(with_body(request).await?).await)
}

/// Has all of the body come, before anybody works on it.
async fn with_body(request: Request) -> Answer<Request> {
    let announced = text(request.headers(), &CONTENT_LENGTH).and_then(|it| it.parse().ok());
    let too_large = || {
        let text = format!("the body may have {REQUEST_BYTES_MAX} octets");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    if announced.is_some_and(|octets: u64| octets > REQUEST_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, REQUEST_BYTES_MAX)).await {
        Ok(Ok(octets)) => Ok(Request::from_parts(parts, Body::from(octets))),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Refusal::late("the body did not come in time")),
    }
}

/// A page can have its own name lead to this machine, but not have another name or an address in
/// the header.
fn check_host(host: &str) -> Answer<()> {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|octet| octet.is_ascii_digit()) { name } else { host }
    });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let text = format!("the host has to be an address or localhost, not '{host}'");
    Err(Refusal::new(StatusCode::FORBIDDEN, text))
}

fn text<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
