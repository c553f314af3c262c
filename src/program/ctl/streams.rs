//! Super streams, and the offsets that streams keep by a name.

use serde_json::{Map, json};

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
