//! Requests to the HTTP API of a server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use leveret::internals::ClientTls;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
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
    /// Whom to trust; `None` for plain HTTP.
    tls: Option<Arc<ClientConfig>>,
    /// The local socket of the server, which needs no login.
    socket: Option<PathBuf>,
    /// Whether the login is sent over that, too.
    logs_in: bool,
    /// What clients are told whose connections are closed.
    reason: Option<String>,
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

    /// Why it was refused: `reason`, and else all of it; some reasons are written for a page.
    pub(crate) fn reason(&self) -> String {
        let json = self.json();
        let reason = json.get("reason").or(json.get("error")).and_then(Value::as_str);
        let reason = reason.unwrap_or(&self.body);
        reason.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }
}

impl Client {
    /// Fails if the URL is none that can be asked, or a file for TLS is not to be used.
    pub(crate) fn new(
        url: &str,
        [user, password]: [&str; 2],
        tls: &ClientTls,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let bad = |text: String| Failure::new(failure::USAGE, text);
        let known = [("http://", "15672"), ("https://", "15671")];
        let parts = known.iter().find_map(|(scheme, port)| {
            let authority = url.strip_prefix(scheme)?.trim_end_matches('/');
            let is_one = !authority.is_empty() && !authority.contains('/');
            is_one.then_some((authority, *port))
        });
        let Some((authority, port)) = parts else {
            return Err(bad(format!("'{url}' is not a URL such as http://127.0.0.1:15672")));
        };
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = if has_port { String::new() } else { format!(":{port}") };
        let tls = match url.starts_with("https://") {
            true => Some(tls.config().map_err(|error| bad(format!("no TLS: {error}")))?),
            false => None,
        };
        Ok(Self {
            authority: format!("{authority}{port}"),
            user: user.to_owned(),
            login: basic(user, password),
            patience,
            tls: tls.map(Arc::new),
            socket: None,
            logs_in: false,
            reason: None,
        })
    }

    /// The same server, asked as somebody else.
    pub(crate) fn as_user(&self, user: &str, password: &str) -> Self {
        let login = basic(user, password);
        Self { user: user.to_owned(), login, logs_in: true, ..self.clone() }
    }

    /// The server that has this local socket.
    pub(crate) fn on_socket(self, path: PathBuf) -> Self {
        Self { socket: Some(path), ..self }
    }

    /// Closes connections for this reason.
    pub(crate) fn because(&self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self.clone() }
    }

    /// The host alone.
    pub(crate) fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':').map_or("", |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether the server is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        self.socket.is_some() || ["127.0.0.1", "localhost", "::1"].contains(&self.host())
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
                 LEVERET_CTL_USER and LEVERET_CTL_PASSWORD, or on its machine --socket with the \
                 file ctl.sock in its data directory",
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
        let Some(tls) = &self.tls else {
            return self.exchange_over(socket, method, path, body).await;
        };
        let name = ServerName::try_from(self.host().to_owned())?;
        let socket = TlsConnector::from(Arc::clone(tls)).connect(name, socket).await?;
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
        let hint = if reason.contains("peer certificate") {
            "Is its certificate for this name, and its authority known? --tls-ca-cert-file \
             names one, --insecure trusts whoever answers."
        } else if reason.contains("corrupt message of type InvalidContentType") {
            "It does not speak TLS there: take http:// in --url, or the port of its HTTPS API."
        } else {
            "Is it running, and is its HTTP API there (--management)? --url or \
             LEVERET_CTL_URL say where to look."
        };
        let text = format!(
            "Error: unable to perform an operation on the server at {}: {reason}.\n\n{hint}",
            self.authority
        );
        Failure { code: failure::UNAVAILABLE, text }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
