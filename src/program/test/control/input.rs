//! What a request brings, and the answer to one that cannot be granted.

use std::fmt;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use leveret::Error;
use leveret::TimedOut;

/// Reply code of a virtual host that does not exist, among others that mean bad requests.
const NOT_ALLOWED: u16 = 530;

/// A request that is not granted: a status, and a text that says why.
#[derive(Debug)]
pub struct Refusal(StatusCode, String);

/// What a call gives.
pub(super) type Answer<T> = Result<T, Refusal>;

impl Refusal {
    pub fn new(status: StatusCode, text: String) -> Self {
        Self(status, text)
    }

    /// The request makes no sense.
    pub fn bad(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }

    /// There is no such thing.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, text.into())
    }

    /// It did not happen in time.
    pub fn late(text: impl Into<String>) -> Self {
        Self(StatusCode::REQUEST_TIMEOUT, text.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.reply_code() {
            404 | NOT_ALLOWED => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        Self(status, error.reply_text())
    }
}

impl From<TimedOut> for Refusal {
    fn from(error: TimedOut) -> Self {
        Self::late(error.to_string())
    }
}

/// The body of a request as JSON, whatever it says of its type.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let octets = Bytes::from_request(request, state).await;
        let octets = octets.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
        let mut json = serde_json::Deserializer::from_slice(&octets);
        let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            let at = if path == "." { String::new() } else { format!("{path}: ") };
            Refusal::bad(format!("{at}{}", error.inner()))
        })?;
        json.end().map_err(|error| Refusal::bad(error.to_string()))?;
        Ok(Self(read))
    }
}

/// The parameters of a request.
pub(super) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(error) => Err(Refusal::bad(error.body_text())),
        }
    }
}
