//! A queue.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::found::{Found, missing, names};
use super::text::{
    arguments, count, elements, exchange, is_true, message, moment, number, rate, size, string,
};
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::{Session, part};

pub(super) fn look(session: &Session, name: &str, messages: u32) -> Result<Found, Failure> {
    let host = session.host();
    let path = format!("/api/queues/{host}/{}", part(name));
    if !session.has(&path)? {
        let known = names(session, &format!("/api/queues/{host}"))?;
        return Err(missing("queue", name, &format!(" in vhost '{}'", session.vhost), &known));
    }
    let queue = session.value(&path)?;
    let bindings = session.list(&format!("{path}/bindings"))?;
    let shown = |what: &str| {
        let path = format!("/api/leveret/queues/{host}/{}/{what}?count={messages}", part(name));
        // Messages are for who may read them; the rest is for everybody else.
        if messages == 0 { Vec::new() } else { session.list(&path).unwrap_or_default() }
    };
    let all = json!({"queue": queue, "bindings": bindings, "unacknowledged": shown("unacked"),
        "ready": shown("messages")});
    Ok(Found { text: tell(&all), all })
}

fn tell(all: &Value) -> String {
    let queue = &all["queue"];
    let durable = if is_true(queue, "durable") { "durable" } else { "transient" };
    let mut text = format!(
        "queue '{}' in vhost '{}': {}, {durable}",
        string(queue, "name"),
        string(queue, "vhost"),
        string(queue, "type")
    );
    let also = [("auto_delete", "deleted with its last consumer"), ("exclusive", "exclusive")];
    for (_, what) in also.iter().filter(|(name, _)| is_true(queue, name)) {
        let _ = write!(text, ", {what}");
    }
    let _ = writeln!(text, "\n  arguments: {}", arguments(queue, "arguments"));
    for (name, what) in [("policy", "policy"), ("operator_policy", "operator policy")] {
        if !string(queue, name).is_empty() {
            let _ = writeln!(text, "  {what}: '{}'", string(queue, name));
        }
    }
    let definition = arguments(queue, "effective_policy_definition");
    if definition != "none" {
        let _ = writeln!(text, "  which set: {definition}");
    }
    let _ = writeln!(
        text,
        "  messages: {} ready, {} unacknowledged, {} of bodies; in {:.1}/s, out {:.1}/s",
        number(queue, "messages_ready"),
        number(queue, "messages_unacknowledged"),
        size(number(queue, "message_bytes")),
        rate(queue, "publish"),
        rate(queue, "deliver_get"),
    );
    if is_true(queue, "held") {
        text.push_str("  it is held: it gives nothing out but what is released\n");
    }
    consumers(&mut text, queue);
    let bindings = all["bindings"].as_array().map(Vec::as_slice).unwrap_or_default();
    // Every queue is bound to the default exchange with its name.
    let bindings = bindings.iter().filter(|binding| !string(binding, "source").is_empty());
    section(&mut text, "bindings", bindings, |binding| {
        let from = exchange(string(binding, "source"));
        format!("from {from} with {}", key_and_arguments(binding))
    });
    let (out, ready) = (elements(all, "unacknowledged"), elements(all, "ready"));
    section(&mut text, "unacknowledged, the oldest first", out.iter(), |out| {
        let whose = match string(out, "consumer_tag") {
            "" => "basic.get".to_owned(),
            tag => format!("consumer '{tag}'"),
        };
        let since = moment(number(out, "delivered_at"));
        format!("{}: by {whose} of {} since {since}", message(out), channel(out))
    });
    section(&mut text, "ready, the next first", ready.iter(), message);
    text
}

/// With what a binding is bound.
pub(super) fn key_and_arguments(binding: &Value) -> String {
    let key = format!("key '{}'", string(binding, "routing_key"));
    match arguments(binding, "arguments").as_str() {
        "none" => key,
        arguments => format!("{key} and {arguments}"),
    }
}

/// A heading with a line for each, if there is one.
pub(super) fn section<'a>(
    text: &mut String,
    heading: &str,
    lines: impl Iterator<Item = &'a Value>,
    line: impl Fn(&Value) -> String,
) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        let _ = writeln!(text, "  {heading}:");
    }
    lines.for_each(|one| {
        let _ = writeln!(text, "    {}", line(one));
    });
}

fn consumers(text: &mut String, queue: &Value) {
    let consumers = elements(queue, "consumer_details");
    if consumers.is_empty() {
        text.push_str("  consumers: none\n");
    }
    section(text, "consumers", consumers.iter(), |consumer| {
        let mut line = format!("'{}' of {}", string(consumer, "consumer_tag"), channel(consumer));
        match (is_true(consumer, "ack_required"), number(consumer, "prefetch_count")) {
            (false, _) => line.push_str(", without acknowledgements"),
            (true, 0) => line.push_str(", no prefetch limit"),
            (true, limit) => {
                let _ = write!(line, ", {} at a time", count(limit, "message"));
            }
        }
        if !is_true(consumer, "active") {
            let _ = write!(line, ", {}", string(consumer, "activity_status"));
        }
        line
    });
}

/// Who has it: user and channel.
fn channel(object: &Value) -> String {
    match object.get("channel_details").filter(|details| details.is_object()) {
        Some(details) => {
            format!("user '{}' on channel '{}'", string(details, "user"), string(details, "name"))
        }
        None => "a connection that is just ending".to_owned(),
    }
}
