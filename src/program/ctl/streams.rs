//! Streams: super streams, who reads and publishes, and the offsets that streams keep by a name.

use serde_json::{Map, Value, json};

use super::columns;
use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, no_host, part};

/// Commands about streams.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum StreamsCommand {
    /// Makes a super stream
    AddSuperStream {
        name: String,
        /// Partitions [default: 3]
        #[arg(long, conflicts_with = "binding_keys")]
        partitions: Option<u32>,
        /// Routing keys, with commas between them: there is a partition for each
        #[arg(long = "binding-keys", value_delimiter = ',', alias = "routing-keys")]
        binding_keys: Vec<String>,
        /// Size of a partition: 20gb
        #[arg(long = "max-length-bytes")]
        max_length_bytes: Option<String>,
        /// Age of messages: PT10M, P7D, or 7D
        #[arg(long = "max-age")]
        max_age: Option<String>,
        /// Size of a file of a partition: 500mb
        #[arg(long = "stream-max-segment-size-bytes")]
        stream_max_segment_size_bytes: Option<String>,
        /// Ignored: there is one node
        #[arg(long = "leader-locator")]
        leader_locator: Option<String>,
        /// Ignored: there is one node
        #[arg(long = "initial-cluster-size")]
        initial_cluster_size: Option<u32>,
    },
    /// Deletes a super stream with its partitions
    DeleteSuperStream { name: String },
    /// Lists consumers of the stream protocol
    ListStreamConsumers { columns: Vec<String> },
    /// Lists publishers of the stream protocol
    ListStreamPublishers { columns: Vec<String> },
    /// Lists the offsets that a stream keeps by a name, and how far publishers are
    ListStreamTracking {
        stream: String,
        /// Both
        #[arg(long)]
        all: bool,
        /// Offsets of consumers
        #[arg(long)]
        offset: bool,
        /// How far publishers are
        #[arg(long)]
        writer: bool,
    },
    /// Forgets the offset that a stream keeps by a name
    ResetOffset {
        #[arg(long)]
        stream: String,
        /// The name
        #[arg(long)]
        reference: String,
    },
    /// Has a stream keep an offset by a name
    SetOffset {
        #[arg(long)]
        stream: String,
        /// The name
        #[arg(long)]
        reference: String,
        /// Of the last message that whoever bears the name has done with
        offset: u64,
    },
}

const CONSUMERS: [&str; 11] = [
    "connection_pid",
    "node",
    "subscription_id",
    "stream",
    "messages_consumed",
    "offset",
    "offset_lag",
    "credits",
    "active",
    "activity_status",
    "properties",
];

const PUBLISHERS: [&str; 8] = [
    "connection_pid",
    "node",
    "publisher_id",
    "stream",
    "reference",
    "messages_published",
    "messages_confirmed",
    "messages_errored",
];

/// Partitions, unless something else is said.
const PARTITIONS: u32 = 3;

/// Does it.
pub(super) fn run(session: &Session, command: &StreamsCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    match command {
        StreamsCommand::AddSuperStream { name, .. } => add(session, name, command),
        StreamsCommand::DeleteSuperStream { name } => {
            session.tell(format!("Deleting super stream {name} on vhost {vhost} ..."));
            let path = format!("/api/leveret/super-streams/{host}/{}", part(name));
            match session.delete(&path)? {
                true => Ok(Said::well(format!("Super stream {name} has been deleted"))),
                false => Err(no_host(vhost)),
            }
        }
        StreamsCommand::ListStreamConsumers { columns } => {
            session.tell(format!("Listing stream consumers of vhost {vhost} ..."));
            let columns = columns::chosen(columns, &CONSUMERS, &CONSUMERS)?;
            list(session, columns, &format!("/api/stream/consumers/{host}"))
        }
        StreamsCommand::ListStreamPublishers { columns } => {
            session.tell(format!("Listing stream publishers of vhost {vhost} ..."));
            let columns = columns::chosen(columns, &PUBLISHERS, &PUBLISHERS)?;
            list(session, columns, &format!("/api/stream/publishers/{host}"))
        }
        StreamsCommand::ListStreamTracking { stream, offset, writer, .. } => {
            session.tell(format!("Listing tracking information for stream {stream} ..."));
            let which = match (offset, writer) {
                (true, false) => "?type=offset",
                (false, true) => "?type=writer",
                _ => "",
            };
            tracking(
                &session.value(&format!("/api/stream/{host}/{}/tracking{which}", part(stream)))?,
            )
        }
        StreamsCommand::ResetOffset { stream, reference } => {
            session.tell(format!("Resetting stored offset of {reference} on stream {stream} ..."));
            match session.delete(&offset_path(session, stream, reference))? {
                true => Ok(Said::Nothing),
                false => {
                    let text = format!("stream {stream} keeps no offset for {reference}");
                    Err(Failure::new(failure::DATA, text))
                }
            }
        }
        StreamsCommand::SetOffset { stream, reference, offset } => {
            session.tell(format!("Setting stored offset of {reference} on stream {stream} ..."));
            let path = offset_path(session, stream, reference);
            session.put(&path, &json!({ "offset": offset })).map(|_| Said::Nothing)
        }
    }
}

fn offset_path(session: &Session, stream: &str, reference: &str) -> String {
    let (host, stream) = (session.host(), part(stream));
    format!("/api/leveret/streams/{host}/{stream}/offsets/{}", part(reference))
}

/// Objects of the API, by the names of columns.
fn list(session: &Session, columns: Vec<String>, path: &str) -> Result<Said, Failure> {
    let names = [
        ("connection_pid", "/connection_details/name"),
        ("node", "/connection_details/node"),
        ("stream", "/queue/name"),
        ("messages_consumed", "/consumed"),
        ("messages_published", "/published"),
        ("messages_confirmed", "/confirmed"),
        ("messages_errored", "/errored"),
    ];
    let mut rows = session.list(path)?;
    for row in &mut rows {
        for (name, place) in names {
            let value = row.pointer(place).cloned();
            if let (Some(value), Some(row)) = (value, row.as_object_mut()) {
                row.insert(name.to_owned(), value);
            }
        }
    }
    Ok(columns::said(columns, &rows, false))
}

/// What a stream keeps, a row for each name.
fn tracking(kept: &Value) -> Result<Said, Failure> {
    let rows = [("offset", "offsets"), ("writer", "writers")].into_iter().flat_map(|(kind, of)| {
        let known = kept.get(of).and_then(Value::as_object).into_iter().flatten();
        known.map(move |(reference, value)| {
            let cells = [("type", json!(kind)), ("name", json!(reference))];
            let cells = cells.into_iter().chain([("tracking_value", value.clone())]);
            cells.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()
        })
    });
    Ok(Said::rows(&["type", "name", "tracking_value"], rows.collect()))
}

fn add(session: &Session, name: &str, command: &StreamsCommand) -> Result<Said, Failure> {
    let StreamsCommand::AddSuperStream {
        partitions,
        binding_keys,
        max_length_bytes,
        max_age,
        stream_max_segment_size_bytes,
        ..
    } = command
    else {
        return Ok(Said::Nothing);
    };
    session.tell(format!("Adding a super stream {name} ..."));
    let mut arguments = Map::new();
    let sizes = [
        ("x-max-length-bytes", max_length_bytes),
        ("x-stream-max-segment-size-bytes", stream_max_segment_size_bytes),
    ];
    for (argument, size) in sizes {
        if let Some(size) = size {
            arguments.insert(argument.into(), octets(size)?.into());
        }
    }
    if let Some(age) = max_age {
        arguments.insert("x-max-age".into(), self::age(age)?.into());
    }
    let mut body = json!({ "arguments": arguments });
    match binding_keys.as_slice() {
        [] => body["partitions"] = partitions.unwrap_or(PARTITIONS).into(),
        keys => body["binding_keys"] = keys.into(),
    }
    let path = format!("/api/leveret/super-streams/{}/{}", session.host(), part(name));
    session.put(&path, &body)?;
    Ok(Said::well(format!("Super stream {name} has been created")))
}

fn octets(size: &str) -> Result<u64, Failure> {
    let parsed = size.parse().map(|crate::program::config::ByteSize(octets)| octets);
    parsed.map_err(|reason| Failure::new(failure::DATA, reason))
}

/// An age as the argument of a stream has it; RabbitMQ's tool takes ISO 8601: `PT10M`, `P7DT1H`.
fn age(age: &str) -> Result<String, Failure> {
    let Some(parts) = age.strip_prefix('P') else { return Ok(age.to_owned()) };
    let refused = || {
        let text = format!("'{age}' is not an age: write PT10M, P7D or 7D");
        Failure::new(failure::DATA, text)
    };
    let (mut seconds, mut number, mut is_time) = (0_u64, String::new(), false);
    for sign in parts.chars() {
        let unit = match (sign, is_time) {
            ('0'..='9', _) => {
                number.push(sign);
                continue;
            }
            ('T', false) if number.is_empty() => {
                is_time = true;
                continue;
            }
            ('W', false) => 604_800,
            ('D', false) => 86_400,
            ('H', true) => 3600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return Err(refused()),
        };
        let count: u64 = number.parse().map_err(|_| refused())?;
        let part = count.checked_mul(unit).ok_or_else(refused)?;
        seconds = seconds.checked_add(part).ok_or_else(refused)?;
        number.clear();
    }
    match (seconds, number.is_empty()) {
        (1.., true) => Ok(format!("{seconds}s")),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_as_rabbitmqs_tool_reads_them() {
        let seconds = |text: &str| age(text).ok();
        assert_eq!(seconds("PT10M").as_deref(), Some("600s"));
        assert_eq!(seconds("P1DT1H1S").as_deref(), Some("90001s"));
        assert_eq!(seconds("7D").as_deref(), Some("7D"));
        for bad in ["P", "PT", "P1H", "P1", "PT-1S", "PT99999999999999999999S"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
