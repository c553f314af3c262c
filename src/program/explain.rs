//! The command `leveret explain`: where a message would go, by a running server or by a definitions
//! file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::program::ctl::client::Client;
use crate::program::ctl::failure::{self, Failure};
use crate::program::ctl::options::Server;
use crate::program::ctl::session::{DEFAULT_EXCHANGE, client, part, refused};
use crate::program::definitions::{FileError, bring_in, complete, print, read_and_tell};
use leveret::definitions::{ArgumentError, to_field_table};
use leveret::{Broker, Error};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells where a message would go and why, and publishes nothing.
///
/// A running server is asked, as `leveret ctl` does; with --definitions the file is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// Definitions file as RabbitMQ exports it, to go by instead of a server
    #[arg(long, value_name = "FILE")]
    pub definitions: Option<PathBuf>,
    #[command(flatten)]
    pub server: Server,
    /// Virtual host
    #[arg(long, short = 'p', value_name = "NAME", default_value = "/")]
    pub vhost: String,
    /// Exchange that the message is published to; empty for the default exchange
    #[arg(long, value_name = "NAME", default_value = "")]
    pub exchange: String,
    /// Routing key
    #[arg(long, value_name = "KEY", default_value = "")]
    pub key: String,
    /// A header, such as `type=invoice`; repeat it for more. Integers, `true` and `false` are
    /// taken as such, everything else as text
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<(String, Value)>,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    /// The definitions cannot be used.
    #[error(transparent)]
    Definitions(#[from] FileError),
    /// A header cannot be sent.
    #[error("header '{}': {}", .0.name, .0.reason)]
    Header(ArgumentError),
    /// There is no such virtual host or exchange.
    #[error(transparent)]
    Question(#[from] Error),
    /// The server does not answer, or refuses.
    #[error("{0}")]
    Server(String),
}

/// Answers the question. What cannot be had of the definitions is told on standard error.
///
/// # Errors
/// If the definitions cannot be read, the server does not answer, or there is no such virtual host
/// or exchange.
pub(crate) fn run(args: &ExplainArgs) -> Result<String, ExplainError> {
    match &args.definitions {
        Some(file) => by_file(args, file),
        None => client(&args.server, PATIENCE)
            .and_then(|server| by_server(args, &server))
            .map_err(|failure| ExplainError::Server(failure.into_reason())),
    }
}

fn by_file(args: &ExplainArgs, file: &Path) -> Result<String, ExplainError> {
    let definitions = complete(read_and_tell(file, print)?, "/");
    let broker = Broker::builder().no_default_user().build();
    bring_in(&definitions, &broker, print)?;
    let headers = to_field_table(&headers(args)).map_err(ExplainError::Header)?;
    Ok(broker.explain(&args.vhost, &args.exchange, &args.key, &headers)?.to_string())
}

fn by_server(args: &ExplainArgs, server: &Client) -> Result<String, Failure> {
    let exchange = if args.exchange.is_empty() { DEFAULT_EXCHANGE } else { &args.exchange };
    let path = format!("/api/leveret/exchanges/{}/{}/explain", part(&args.vhost), part(exchange));
    let question = json!({"routing_key": args.key, "headers": headers(args)});
    let answer = server.ask(Method::POST, &path, Some(&question))?;
    match answer.status {
        200 => Ok(answer.json()["text"].as_str().unwrap_or_default().to_owned()),
        404 => {
            let (exchange, vhost) = (&args.exchange, &args.vhost);
            let text = format!("no exchange '{exchange}' in vhost '{vhost}', or no such vhost");
            Err(Failure { code: failure::DATA, text })
        }
        _ => Err(refused(&answer)),
    }
}

fn headers(args: &ExplainArgs) -> Map<String, Value> {
    args.headers.iter().cloned().collect()
}

fn header(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a header is NAME=VALUE")?;
    let value = match (value.parse::<i64>(), value.parse::<bool>()) {
        (Ok(integer), _) => integer.into(),
        (_, Ok(boolean)) => boolean.into(),
        _ => value.into(),
    };
    Ok((name.to_owned(), value))
}
