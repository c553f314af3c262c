//! Lists of who reads and writes streams over RabbitMQ's protocol for them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::columns;
use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, part};

/// Commands that list.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "commands are called so")]
pub(super) enum StreamListsCommand {
    /// Lists connections of the stream protocol
    ListStreamConnections {
        columns: Vec<String>,
        /// All columns
        #[arg(long)]
        verbose: bool,
    },
    /// Lists consumers of the stream protocol
    ListStreamConsumers {
        columns: Vec<String>,
        /// All columns
        #[arg(long)]
        verbose: bool,
    },
    /// Lists publishers of the stream protocol
    ListStreamPublishers {
        columns: Vec<String>,
        /// All columns
        #[arg(long)]
        verbose: bool,
    },
    /// Lists groups of consumers of which one at a time is served
    ListStreamConsumerGroups {
        columns: Vec<String>,
        /// All columns
        #[arg(long)]
        verbose: bool,
    },
    /// Lists the consumers of such a group
    ListStreamGroupConsumers {
        columns: Vec<String>,
        #[arg(long)]
        stream: String,
        /// The name that they share
        #[arg(long)]
        reference: String,
        /// All columns
        #[arg(long)]
        verbose: bool,
    },
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
}

const CONNECTIONS: [&str; 22] = [
    "conn_name",
    "port",
    "peer_port",
    "host",
    "peer_cert_issuer",
    "peer_cert_subject",
    "peer_cert_validity",
    "peer_host",
    "user",
    "vhost",
    "subscriptions",
    "ssl",
    "ssl_cipher",
    "ssl_hash",
    "ssl_key_exchange",
    "ssl_protocol",
    "connection_state",
    "auth_mechanism",
    "heartbeat",
    "frame_max",
    "client_properties",
    "connected_at",
];

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

const GROUPS: [&str; 4] = ["stream", "reference", "partition_index", "consumers"];

const MEMBERS: [&str; 3] = ["subscription_id", "connection_name", "state"];

/// Does it.
pub(super) fn run(session: &Session, command: &StreamListsCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    match command {
        StreamListsCommand::ListStreamConnections { columns, verbose } => {
            let default = if *verbose { &CONNECTIONS[..] } else { &["conn_name"] };
            let columns = columns::chosen(columns, &CONNECTIONS, default)?;
            session.tell("Listing stream connections ...");
            connections(session, columns)
        }
        StreamListsCommand::ListStreamConsumers { columns, .. } => {
            session.tell(format!("Listing stream consumers of vhost {vhost} ..."));
            let columns = columns::chosen(columns, &CONSUMERS, &CONSUMERS)?;
            list(session, columns, &format!("/api/stream/consumers/{host}"))
        }
        StreamListsCommand::ListStreamPublishers { columns, .. } => {
            session.tell(format!("Listing stream publishers of vhost {vhost} ..."));
            let columns = columns::chosen(columns, &PUBLISHERS, &PUBLISHERS)?;
            list(session, columns, &format!("/api/stream/publishers/{host}"))
        }
        StreamListsCommand::ListStreamTracking { stream, offset, writer, .. } => {
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
        StreamListsCommand::ListStreamConsumerGroups { columns, .. } => {
            session.tell(format!("Listing stream consumer groups of vhost {vhost} ..."));
            let columns = columns::chosen(columns, &GROUPS, &GROUPS)?;
            Ok(columns::said(columns, &groups(session)?, false))
        }
        StreamListsCommand::ListStreamGroupConsumers { columns, stream, reference, .. } => {
            session.tell(format!(
                "Listing consumers of group {reference} on stream {stream} of vhost {vhost} ..."
            ));
            let columns = columns::chosen(columns, &MEMBERS, &MEMBERS)?;
            Ok(columns::said(columns, &members(session, stream, reference)?, false))
        }
    }
}

fn connections(session: &Session, columns: Vec<String>) -> Result<Said, Failure> {
    let mut found = session.list("/api/stream/connections")?;
    let consumers = match columns.iter().any(|column| column == "subscriptions") {
        true => session.list("/api/stream/consumers")?,
        false => Vec::new(),
    };
    for connection in &mut found {
        let name = connection.get("name").cloned();
        let is_its = |it: &&Value| it.pointer("/connection_details/name") == name.as_ref();
        let subscriptions = consumers.iter().filter(is_its).count();
        let state = connection.get("state").cloned();
        let heartbeat = connection.get("timeout").cloned();
        if let Some(row) = connection.as_object_mut() {
            row.insert("conn_name".to_owned(), name.into());
            row.insert("connection_state".to_owned(), state.into());
            row.insert("heartbeat".to_owned(), heartbeat.into());
            row.insert("subscriptions".to_owned(), subscriptions.into());
        }
    }
    Ok(columns::said(columns, &found, false))
}

/// The name of the group that a consumer is in.
fn group(consumer: &Value) -> Option<&str> {
    let property = |name: &str| consumer.get("properties")?.get(name)?.as_str();
    let is_in_one = property("single-active-consumer") == Some("true");
    property("name").filter(|_| is_in_one)
}

fn stream_of(consumer: &Value) -> &str {
    consumer.pointer("/queue/name").and_then(Value::as_str).unwrap_or_default()
}

fn consumers(session: &Session) -> Result<Vec<Value>, Failure> {
    session.list(&format!("/api/stream/consumers/{}", session.host()))
}

fn groups(session: &Session) -> Result<Vec<Value>, Failure> {
    let consumers = consumers(session)?;
    let mut groups: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
    for consumer in &consumers {
        if let Some(reference) = group(consumer) {
            groups.entry((stream_of(consumer), reference)).or_default().push(consumer);
        }
    }
    let rows = groups.into_iter().map(|((stream, reference), members)| {
        let whole = members.iter().find_map(|it| it.pointer("/properties/super-stream")?.as_str());
        let index = whole.map_or(Ok(None), |whole| partition(session, whole, stream))?;
        Ok(json!({
            "stream": stream,
            "reference": reference,
            "partition_index": index.unwrap_or(-1),
            "consumers": members.len(),
        }))
    });
    rows.collect()
}

/// Which partition of a super stream a stream is, from 0 on; `None` if it is none.
fn partition(session: &Session, whole: &str, stream: &str) -> Result<Option<i64>, Failure> {
    let path = format!("/api/exchanges/{}/{}/bindings/source", session.host(), part(whole));
    let answer = session.get(&path)?.json();
    let bindings = answer.as_array().into_iter().flatten();
    let order = |binding: &Value| binding.pointer("/arguments/x-stream-partition-order").cloned();
    let mut known: Vec<(i64, &str)> = bindings
        .filter_map(|binding| {
            let destination = binding.get("destination")?.as_str()?;
            Some((order(binding)?.as_i64()?, destination))
        })
        .collect();
    known.sort_unstable();
    let place = known.iter().position(|(_, name)| *name == stream);
    Ok(place.and_then(|place| i64::try_from(place).ok()))
}

fn members(session: &Session, stream: &str, reference: &str) -> Result<Vec<Value>, Failure> {
    let mut known = consumers(session)?;
    known.retain(|it| stream_of(it) == stream && group(it) == Some(reference));
    if known.is_empty() {
        return Err(Failure::new(failure::DATA, "The group does not exist."));
    }
    let row = |member: &Value| {
        let is_active = member.get("active").and_then(Value::as_bool) == Some(true);
        json!({
            "subscription_id": member.get("subscription_id"),
            "connection_name": member.pointer("/connection_details/name"),
            "state": if is_active { "active" } else { "inactive" },
        })
    };
    Ok(known.iter().map(row).collect())
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
