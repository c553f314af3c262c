//! Requests to the HTTP API of a server.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::failure::{self, Failure};

/// Octets of an answer that are read at most.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Who asks whom.
pub(super) struct Client {
    /// Host and port.
    pub authority: String,
    user: String,
    login: String,
    patience: Duration,
}

/// What the server answers.
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Why it was refused: `reason`, and else all of it.
    pub(super) fn reason(&self) -> String {
        let json = self.json();
        let reason = json.get("reason").or(json.get("error")).and_then(Value::as_str);
        reason.unwrap_or(&self.body).to_owned()
    }
}

impl Client {
    /// Fails if the URL is none that can be asked.
    pub(super) fn new(
        url: &str,
        user: &str,
        password: &str,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let authority = authority.filter(|rest| !rest.is_empty() && !rest.contains('/'));
        let Some(authority) = authority else {
            let text = format!("'{url}' is not a URL such as http://127.0.0.1:15672");
            return Err(Failure::new(failure::USAGE, text));
        };
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = if has_port { "" } else { ":15672" };
        Ok(Self {
            authority: format!("{authority}{port}"),
            user: user.to_owned(),
            login: format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
            patience,
        })
    }

    /// The same server, asked as somebody else.
    pub(super) fn as_user(&self, user: &str, password: &str) -> Result<Self, Failure> {
        Self::new(&format!("http://{}", self.authority), user, password, self.patience)
    }

    /// Asks; any status will do but that of a refused login.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let answer =
            self.try_ask(method, path, body).map_err(|reason| self.unreachable(&reason))?;
        if answer.status == 401 {
            let text = format!(
                "the server at {} refuses user '{}' ({}): give --user and --login-password, or \
                 LEVERET_CTL_USER and LEVERET_CTL_PASSWORD",
                self.authority,
                self.user,
                answer.reason()
            );
            return Err(Failure::new(failure::NO_PERMISSION, text));
        }
        Ok(answer)
    }

    /// Asks, whatever comes; the error says why nothing does.
    pub(super) fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let asked = self.exchange(method, path, body);
        runtime.block_on(async {
            match tokio::time::timeout(self.patience, asked).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {} s", self.patience.as_secs())),
            }
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let socket = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(AUTHORIZATION, &self.login)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn unreachable(&self, reason: &str) -> Failure {
        let text = format!(
            "Error: unable to perform an operation on the server at {}: {reason}.\n\n\
             Is it running, and is its HTTP API there (--management)? --url or LEVERET_CTL_URL say \
             where to look.",
            self.authority
        );
        Failure { code: failure::UNAVAILABLE, text }
    }
}
