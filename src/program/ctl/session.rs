//! What a command works with: the server, the virtual host, and what is said on the way.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::client::{Answer, Client};
use super::failure::{self, Failure};
use super::options::{Options, Server};
use crate::program::config::CTL_SOCKET;
use crate::program::output::say_line;

/// A command at work.
pub(crate) struct Session {
    pub client: Client,
    pub vhost: String,
    pub node: Option<String>,
    pub timeout_s: u64,
    is_quiet: bool,
}

/// How the API names the exchange without a name.
pub(crate) const DEFAULT_EXCHANGE: &str = "amq.default";

/// A name as a part of a path.
pub(crate) fn part(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// A variable that has a value.
pub(crate) fn variable(names: &[&str]) -> Option<String> {
    let values = names.iter().filter_map(|name| std::env::var(name).ok());
    values.into_iter().find(|value| !value.is_empty())
}

/// Where the server is looked for.
const DEFAULT_URL: &str = "http://127.0.0.1:15672";

/// The directory of the server's data in its image and by its unit.
const DATA_DIR: &str = "/var/lib/leveret";

/// The local socket of the server: the one that was named, or one that answers where servers have
/// it if nothing says where else to ask, or as whom.
fn socket(server: &Server) -> Option<PathBuf> {
    if server.socket.is_some() || server.url.is_some() || server.user.is_some() {
        return server.socket.clone();
    }
    let directory = variable(&["LEVERET_DATA_DIR"]).unwrap_or_else(|| DATA_DIR.to_owned());
    let path = Path::new(&directory).join(CTL_SOCKET);
    answers(&path).then_some(path)
}

#[cfg(unix)]
fn answers(path: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(path).is_ok()
}

#[cfg(not(unix))]
fn answers(_: &Path) -> bool {
    false
}

/// Asks this server. The login is the one that is given, else the one that a server in this
/// environment has made, as in its container.
pub(crate) fn client(server: &Server, patience: Duration) -> Result<Client, Failure> {
    let user = server.user.clone();
    let user = user.or_else(|| variable(&["LEVERET_DEFAULT_USER", "RABBITMQ_DEFAULT_USER"]));
    let password = server.login_password.clone();
    let password =
        password.or_else(|| variable(&["LEVERET_DEFAULT_PASS", "RABBITMQ_DEFAULT_PASS"]));
    let (user, password) =
        (user.as_deref().unwrap_or("guest"), password.as_deref().unwrap_or("guest"));
    let url = server.url.as_deref().unwrap_or(DEFAULT_URL);
    let client = Client::new(url, [user, password], &server.tls.settings(), patience)?;
    Ok(match socket(server) {
        Some(path) => client.on_socket(path),
        None => client,
    })
}

impl Session {
    /// What all commands work with.
    pub(crate) fn new(options: &Options, is_quiet: bool) -> Result<Self, Failure> {
        let patience = Duration::from_secs(options.timeout.max(1));
        Ok(Self {
            client: client(&options.server, patience)?,
            vhost: options.vhost.clone().unwrap_or_else(|| "/".into()),
            node: options.node.clone(),
            timeout_s: options.timeout,
            is_quiet,
        })
    }

    /// Of a client, in a virtual host; nothing is said on the way.
    pub(crate) fn over(client: Client, vhost: String) -> Self {
        Self { client, vhost, node: None, timeout_s: 0, is_quiet: true }
    }

    /// Says what is done, unless nobody wants to hear it.
    pub(crate) fn tell(&self, text: impl AsRef<str>) {
        if !self.is_quiet {
            say_line(text.as_ref());
        }
    }

    /// The virtual host as a part of a path.
    pub(crate) fn host(&self) -> String {
        part(&self.vhost)
    }

    /// What is there.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.client.ask(Method::GET, path, None)
    }

    /// What is there, which has to be.
    pub(crate) fn value(&self, path: &str) -> Result<Value, Failure> {
        let answer = self.get(path)?;
        if answer.status == 200 { Ok(answer.json()) } else { Err(refused(&answer)) }
    }

    /// The elements of a list.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        match self.value(path)? {
            Value::Array(elements) => Ok(elements),
            _ => Ok(Vec::new()),
        }
    }

    /// Puts something there; whether it was not there before.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<bool, Failure> {
        let answer = self.client.ask(Method::PUT, path, Some(body))?;
        if answer.status < 300 { Ok(answer.status == 201) } else { Err(refused(&answer)) }
    }

    /// Posts something.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let answer = self.client.ask(Method::POST, path, Some(body))?;
        if answer.status < 300 { Ok(answer) } else { Err(refused(&answer)) }
    }

    /// Deletes something; whether it was there.
    pub(crate) fn delete(&self, path: &str) -> Result<bool, Failure> {
        let answer = self.client.ask(Method::DELETE, path, None)?;
        match answer.status {
            404 => Ok(false),
            status if status < 300 => Ok(true),
            _ => Err(refused(&answer)),
        }
    }

    /// Whether something is there.
    pub(crate) fn has(&self, path: &str) -> Result<bool, Failure> {
        let answer = self.get(path)?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(refused(&answer)),
        }
    }

    /// The name of the node: what was given, else what it calls itself.
    pub(crate) fn node_name(&self) -> Result<String, Failure> {
        if let Some(node) = &self.node {
            return Ok(node.clone());
        }
        let overview = self.value("/api/overview")?;
        Ok(overview.get("node").and_then(Value::as_str).unwrap_or_default().to_owned())
    }
}

/// That the server does not do it.
pub(crate) fn refused(answer: &Answer) -> Failure {
    Failure::new(failure::UNAVAILABLE, answer.reason())
}

/// That a virtual host is not there.
pub(crate) fn no_host(name: &str) -> Failure {
    let text = format!("Virtual host '{name}' does not exist");
    Failure { code: failure::DATA, text }
}
