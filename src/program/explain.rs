//! The command `leveret explain`: where a message would go, by a definitions file.

use std::path::PathBuf;

use amq_protocol::types::{AMQPValue, FieldTable, ShortString};

use crate::program::definitions::{FileError, bring_in, complete, print, read_and_tell};
use leveret::explain::Explanation;
use leveret::{Broker, Error};

/// Tells where a message would go and why, by a definitions file.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// Definitions file as RabbitMQ exports it
    #[arg(long, value_name = "FILE")]
    pub definitions: PathBuf,
    /// Virtual host
    #[arg(long, value_name = "NAME", default_value = "/")]
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
    pub headers: Vec<(ShortString, AMQPValue)>,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    /// The definitions cannot be used.
    #[error(transparent)]
    Definitions(#[from] FileError),
    /// There is no such virtual host or exchange.
    #[error(transparent)]
    Question(#[from] Error),
}

/// Answers the question. What cannot be had of the definitions is told on standard error.
///
/// # Errors
/// If the definitions cannot be read, or there is no such virtual host or exchange.
pub(crate) fn run(args: &ExplainArgs) -> Result<Explanation, ExplainError> {
    let definitions = complete(read_and_tell(&args.definitions, print)?, "/");
    let broker = Broker::builder().no_default_user().build();
    bring_in(&definitions, &broker, print)?;
    let mut headers = FieldTable::default();
    for (name, value) in &args.headers {
        headers.insert(name.clone(), value.clone());
    }
    Ok(broker.explain(&args.vhost, &args.exchange, &args.key, &headers)?)
}

fn header(text: &str) -> Result<(ShortString, AMQPValue), String> {
    let (name, value) = text.split_once('=').ok_or("a header is NAME=VALUE")?;
    let name = ShortString::try_new(name).map_err(|_| "the name is longer than 255 octets")?;
    let value = match value.parse::<i64>() {
        Ok(integer) => AMQPValue::LongLongInt(integer),
        Err(_) => match value.parse::<bool>() {
            Ok(boolean) => AMQPValue::Boolean(boolean),
            Err(_) => AMQPValue::LongString(value.into()),
        },
    };
    Ok((name, value))
}
