//! What a request is answered with.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use crate::error::Error;

/// The content type of nearly all answers.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The body of an answer.
pub(super) enum Body {
    /// All of it; empty for none.
    Whole(Bytes),
    /// Piece by piece, each made when the client has taken the one before.
    Pieces(Box<dyn Iterator<Item = Bytes> + Send>),
    /// Events as they come, for as long as the client wants them.
    Events(Receiver<Bytes>),
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Self::Whole(all) => Some(std::mem::take(all)).filter(|all| !all.is_empty()),
            Self::Pieces(pieces) => pieces.next(),
            Self::Events(events) => ready!(events.poll_recv(cx)),
        };
        Poll::Ready(next.map(|octets| Ok(Frame::data(octets))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(all) if all.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(all) => SizeHint::with_exact(all.len() as u64),
            Self::Pieces(_) | Self::Events(_) => SizeHint::default(),
        }
    }
}

/// An answer.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
}

impl Answer {
    /// An answer without a body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Whole(Bytes::new()) }
    }

    /// 204: it is done.
    pub(super) fn done() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// 201 if a PUT has made something, 204 if it was there before.
    pub(super) fn put(created: bool) -> Self {
        if created { Self::empty(StatusCode::CREATED) } else { Self::done() }
    }

    /// 200 with a text of this type.
    pub(super) fn text(content_type: &'static str, text: impl Into<Bytes>) -> Self {
        let mut answer = Self::empty(StatusCode::OK);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer.body = Body::Whole(text.into());
        answer
    }

    /// 200 with this as JSON.
    pub(super) fn json(value: &impl Serialize) -> Self {
        // What is answered is made of texts and numbers, which always can be written.
        let octets = serde_json::to_vec(value).unwrap_or_default();
        Self::json_body(Body::Whole(octets.into()))
    }

    /// 200 with JSON that was written before.
    pub(super) fn json_body(body: Body) -> Self {
        let mut answer = Self::empty(StatusCode::OK);
        answer.headers.insert(CONTENT_TYPE, JSON);
        answer.body = body;
        answer
    }

    /// With another status.
    #[must_use]
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With a header. A value that no header can have is left out.
    #[must_use]
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// As it is sent.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A request that is not granted: RabbitMQ's `{"error", "reason"}`.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    reason: Value,
}

/// What an endpoint returns.
pub(super) type Outcome<T = Answer> = Result<T, Refusal>;

impl Refusal {
    /// A refusal with a word for programs and a reason for people.
    pub(super) fn new(status: StatusCode, error: &'static str, reason: impl Into<Value>) -> Self {
        Self { status, error, reason: reason.into() }
    }

    /// 400.
    pub(super) fn bad(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    /// 401: the user may not.
    pub(super) fn not_authorised(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorised", reason)
    }

    /// 404: what the path names is not there.
    pub(super) fn no_such_object() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// 404: something that is needed for it is not there.
    pub(super) fn not_found(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", reason)
    }

    /// What came of an AMQP method that was done for the request on no channel, as declaring.
    pub(super) fn of_method(error: &Error) -> Self {
        match error.reply_code() {
            404 => Self::not_found(error.to_string()),
            403 | 530 => Self::not_authorised("Access refused."),
            _ => Self::bad(error.to_string()),
        }
    }

    /// What came of an AMQP method on a channel, as getting and publishing.
    pub(super) fn of_channel(error: &Error) -> Self {
        match error.reply_code() {
            404 => Self::not_found(error.reply_text()),
            403 => Self::not_authorised(error.reply_text()),
            code => Self::bad(format!("{code} {}", error.reply_text())),
        }
    }

    /// The answer that tells it.
    pub(super) fn into_answer(self) -> Answer {
        let body = json!({ "error": self.error, "reason": self.reason });
        Answer::json(&body).status(self.status)
    }
}
