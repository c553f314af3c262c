//! Who may call: the one who was told the token, and no page that a browser has open.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::input::{Answer, Refusal};

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
}

/// Lets a request pass, or refuses it.
pub(crate) async fn check(
    State(token): State<Token>,
    request: Request,
    next: Next,
) -> Answer<Response> {
    let headers = request.headers();
    check_host(headers)?;
    if headers.contains_key(ORIGIN) {
        let text = "requests of web pages are refused".to_owned();
        return Err(Refusal::new(StatusCode::FORBIDDEN, text));
    }
    let given = text(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    if given != Some(token.as_str()) {
        let text = "the header 'authorization: Bearer TOKEN' is missing or wrong; the token is in \
                    the line of JSON that the program has printed";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, text.to_owned()));
    }
    let has_body = text(headers, &CONTENT_LENGTH).is_some_and(|length| length != "0");
    let kind = text(headers, &CONTENT_TYPE).unwrap_or_default();
    if has_body && !kind.starts_with("application/json") {
        let text = format!("the content type has to be application/json, not '{kind}'");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    Ok(next.run(request).await)
}

/// A page can have its own name lead to this machine, but not have another name or an address in
/// the header.
fn check_host(headers: &HeaderMap) -> Answer<()> {
    let host = text(headers, &HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|octet| octet.is_ascii_digit()) { name } else { host }
    });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if name == "localhost" || name.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let text = format!("the host has to be an address or localhost, not '{host}'");
    Err(Refusal::new(StatusCode::FORBIDDEN, text))
}

fn text<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
