//! Requests to the HTTP API of a server.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::failure::{self, Failure};

/// Octets of an answer that are read at most.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Who asks whom.
#[derive(Clone)]
pub(crate) struct Client {
    /// Host and port.
    pub authority: String,
    user: String,
    login: String,
    patience: Duration,
    /// The local socket of the server, which needs no login.
    socket: Option<PathBuf>,
    /// Whether the login is sent over that, too.
    logs_in: bool,
    /// What clients are told whose connections are closed.
    reason: Option<String>,
    tls: Option<TlsConnector>,
}

/// What the server answers.
pub(crate) struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Why it was refused: `reason`, and else all of it.
    pub(crate) fn reason(&self) -> String {
        let json = self.json();
        let reason = json.get("reason").or(json.get("error")).and_then(Value::as_str);
        reason.unwrap_or(&self.body).to_owned()
    }
}

impl Client {
    /// Fails if the URL is none that can be asked.
    pub(crate) fn new(
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
            socket: None,
            logs_in: false,
            reason: None,
            tls: None,
        })
    }

    /// The same server, asked as somebody else.
    pub(crate) fn as_user(&self, user: &str, password: &str) -> Result<Self, Failure> {
        let other =
            Self::new(&format!("http://{}", self.authority), user, password, self.patience)?;
        Ok(Self { socket: self.socket.clone(), logs_in: true, ..other })
    }

    /// The server that has this local socket.
    pub(crate) fn on_socket(self, path: PathBuf) -> Self {
        Self { socket: Some(path), ..self }
    }

    /// The same over TLS.
    pub(crate) fn over_tls(self, tls: TlsConnector) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Closes connections for this reason.
    pub(crate) fn because(&self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self.clone() }
    }

    /// Whether the server is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        let host = self.authority.rsplit_once(':').map_or("", |(host, _)| host);
        self.socket.is_some() || ["127.0.0.1", "localhost", "[::1]"].contains(&host)
    }

    /// Asks; any status will do but that of a refused login.
    pub(crate) fn ask(
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
    pub(crate) fn try_ask(
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
        #[cfg(unix)]
        if let Some(file) = &self.socket {
            let socket = tokio::net::UnixStream::connect(file).await?;
            return self.exchange_over(socket, method, path, body).await;
        }
        let socket = TcpStream::connect(&self.authority).await?;
        if let Some(tls) = &self.tls {
            let host = self.authority.rsplit_once(':').map_or("", |(host, _)| host);
            let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
            let socket = tls.connect(name, socket).await?;
            return self.exchange_over(socket, method, path, body).await;
        }
        self.exchange_over(socket, method, path, body).await
    }

    async fn exchange_over(
        &self,
        socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json");
        if self.socket.is_none() || self.logs_in {
            request = request.header(AUTHORIZATION, &self.login);
        }
        if let Some(reason) = &self.reason {
            request = request.header("x-reason", reason);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
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
