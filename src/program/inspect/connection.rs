//! A connection.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::found::{Found, missing};
use super::queue::section;
use super::text::{count, is_true, moment, number, string};
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::{Session, part};

pub(super) fn look(session: &Session, name: &str) -> Result<Found, Failure> {
    let listed = session.list("/api/connections")?;
    let is_meant =
        |one: &&Value| ["name", "user_provided_name"].map(|n| string(one, n)).contains(&name);
    let Some(connection) = listed.iter().find(is_meant) else {
        let names = listed.iter().map(|one| match string(one, "user_provided_name") {
            "" => string(one, "name").to_owned(),
            name => name.to_owned(),
        });
        return Err(missing("connection", name, "", &names.collect::<Vec<_>>()));
    };
    let path = format!("/api/connections/{}/channels", part(string(connection, "name")));
    // It may have just ended, and then it has none.
    let channels = session.list(&path).unwrap_or_default();
    let text = tell(connection, &channels);
    Ok(Found { text, all: json!({"connection": connection, "channels": channels}) })
}

fn tell(connection: &Value, channels: &[Value]) -> String {
    let mut text = format!("connection '{}'", string(connection, "name"));
    if !string(connection, "user_provided_name").is_empty() {
        let _ = write!(text, ", named '{}'", string(connection, "user_provided_name"));
    }
    let _ = writeln!(
        text,
        ": {}, since {}",
        string(connection, "state"),
        moment(number(connection, "connected_at"))
    );
    let tls = if is_true(connection, "ssl") { "TLS" } else { "no TLS" };
    let _ = writeln!(
        text,
        "  user '{}' in vhost '{}', {} with {tls}",
        string(connection, "user"),
        string(connection, "vhost"),
        string(connection, "protocol")
    );
    let properties = &connection["client_properties"];
    let of = |name: &str| string(properties, name);
    if !of("product").is_empty() {
        let _ = writeln!(text, "  client: {} {}", of("product"), of("version"));
    }
    let heartbeats = match number(connection, "timeout") {
        0 => "no heartbeats".to_owned(),
        seconds => format!("heartbeats within {seconds} s"),
    };
    let frame_max = number(connection, "frame_max");
    let _ = writeln!(text, "  {heartbeats}, frames of {frame_max} octets at most");
    section(&mut text, "channels", channels.iter(), |channel| {
        let mut line = format!(
            "{}: {}, {} unacknowledged",
            number(channel, "number"),
            count(number(channel, "consumer_count"), "consumer"),
            number(channel, "messages_unacknowledged")
        );
        if number(channel, "prefetch_count") > 0 {
            let _ = write!(line, ", prefetch {}", number(channel, "prefetch_count"));
        }
        if is_true(channel, "confirm") {
            let _ = write!(line, ", {} unconfirmed", number(channel, "messages_unconfirmed"));
        }
        if is_true(channel, "transactional") {
            line.push_str(", transactional");
        }
        line
    });
    text
}
