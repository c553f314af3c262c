//! An exchange.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::found::{Found, missing, names};
use super::queue::{key_and_arguments, section};
use super::text::{arguments, exchange, is_true, rate, string};
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::{DEFAULT_EXCHANGE, Session, part};

pub(super) fn look(session: &Session, name: &str) -> Result<Found, Failure> {
    let host = session.host();
    let path_name = if name.is_empty() { DEFAULT_EXCHANGE } else { name };
    let path = format!("/api/exchanges/{host}/{}", part(path_name));
    if !session.has(&path)? {
        let known = names(session, &format!("/api/exchanges/{host}"))?;
        return Err(missing("exchange", name, &format!(" in vhost '{}'", session.vhost), &known));
    }
    let all = json!({
        "exchange": session.value(&path)?,
        "bindings_from": session.list(&format!("{path}/bindings/source"))?,
        "bindings_to": session.list(&format!("{path}/bindings/destination"))?,
    });
    Ok(Found { text: tell(&all), all })
}

fn tell(all: &Value) -> String {
    let told = &all["exchange"];
    let durable = if is_true(told, "durable") { "durable" } else { "transient" };
    let mut text = format!(
        "{} in vhost '{}': {}, {durable}",
        exchange(string(told, "name")),
        string(told, "vhost"),
        string(told, "type")
    );
    let also = [("auto_delete", "deleted with its last binding"), ("internal", "internal")];
    for (_, what) in also.iter().filter(|(name, _)| is_true(told, name)) {
        let _ = write!(text, ", {what}");
    }
    let _ = writeln!(text, "\n  arguments: {}", arguments(told, "arguments"));
    if !string(told, "policy").is_empty() {
        let _ = writeln!(text, "  policy: '{}'", string(told, "policy"));
    }
    let _ = writeln!(
        text,
        "  messages: in {:.1}/s, out {:.1}/s",
        rate(told, "publish_in"),
        rate(told, "publish_out")
    );
    let of = |name: &str| all[name].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    if of("bindings_from").next().is_none() {
        text.push_str("  nothing is bound to it: what is published to it reaches no queue\n");
    }
    section(&mut text, "bound to it", of("bindings_from"), |binding| {
        let (kind, name) = (string(binding, "destination_type"), string(binding, "destination"));
        format!("{kind} '{name}' with {}", key_and_arguments(binding))
    });
    section(&mut text, "it is bound to", of("bindings_to"), |binding| {
        format!("{} with {}", exchange(string(binding, "source")), key_and_arguments(binding))
    });
    text
}
