//! Serving the page and its files, and how browsers are to treat them.

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderMap,
    HeaderName, REFERRER_POLICY, VARY,
};

use crate::management::answer::{Answer, Body, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::page::built::{FILES, INDEX};

/// Nothing but the files of the page is run, and it talks to nobody but its server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// A year.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The page itself, which names its files.
pub(super) fn index(_: &Call) -> Outcome {
    Ok(Answer::text("text/html; charset=utf-8", INDEX)
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header(REFERRER_POLICY, "no-referrer")
        .header(OPENER_POLICY, "same-origin"))
}

/// A file of the page.
pub(super) fn file(call: &Call) -> Outcome {
    let named = FILES.iter().find(|file| file.name == call.name("file"));
    let file = named.ok_or_else(Refusal::no_such_object)?;
    let (encoding, octets) = if takes(&call.headers, "br") {
        ("br", file.brotli)
    } else if takes(&call.headers, "gzip") {
        ("gzip", file.gzip)
    } else {
        return Ok(Answer::empty(StatusCode::NOT_ACCEPTABLE));
    };
    let mut answer = Answer::text(file.content_type, Bytes::new());
    answer.body = Body::Whole(Bytes::from_static(octets));
    Ok(answer
        .header(CONTENT_ENCODING, encoding)
        .header(VARY, "accept-encoding")
        .header(CACHE_CONTROL, FOR_EVER))
}

/// Whether the client can undo a compression.
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let is_refused = |part: &str| {
            part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0_f32))
        };
        is_named && !parts.any(is_refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_say_which_compressions_they_can_undo() {
        let takes = |accept: &str, encoding| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
            takes(&headers, encoding)
        };
        assert!(takes("gzip, deflate, br, zstd", "br"));
        assert!(takes("GZIP;q=0.5", "gzip"));
        assert!(!takes("gzip, deflate", "br"));
        assert!(!takes("br;q=0, gzip", "br"));
        assert!(!takes("", "gzip"));
    }
}
