//! A rule for faults, as a request declares it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::input::{Answer, Refusal};
use super::message::{Properties, body, headers};
use leveret::Scope;
use leveret::definitions::JsonObject;
use leveret::faults::{Faults, Method, Rule, When};
use leveret::internals::{Action, Phase, describe_body, header_matches};

/// The request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    /// One of [`OCCASIONS`], or the name of a method.
    on: String,
    then: Fault,
    #[serde(default)]
    afterwards: bool,
    connection: Option<String>,
    vhost: Option<String>,
    channel: Option<u16>,
    queue: Option<String>,
    exchange: Option<String>,
    routing_key: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
    body_contains: Option<String>,
    headers: Option<JsonObject>,
    properties: Option<Properties>,
    nth: Option<usize>,
    times: Option<usize>,
    after: Option<usize>,
}

/// What is to happen.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    DropConnection,
    Crash,
    CloseChannel(Reason),
    CloseConnection(Reason),
    Refuse(Reason),
    StopReading,
    Unroutable,
    Nack,
    NackAndDrop,
    Hold,
    Lose,
    Twice,
    Delay(Delay),
    ToTheEnd,
    Corrupt,
    Truncate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    code: u16,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delay {
    ms: u64,
}

/// What can be named instead of a method.
const OCCASIONS: &[&str] =
    &["publishes", "confirms", "deliveries", "requeues", "frames", "any method"];

/// What each occasion offers, as the methods of [`When`] for it.
const METHODS: &[&str] =
    &["drop_connection", "crash", "close_channel", "close_connection", "refuse", "stop_reading"];
const PUBLISHES: &[&str] = &[
    "drop_connection",
    "crash",
    "close_channel",
    "close_connection",
    "refuse",
    "stop_reading",
    "unroutable",
];
const CONFIRMS: &[&str] = &["nack", "nack_and_drop", "hold", "lose"];
const DELIVERIES: &[&str] =
    &["drop_connection", "crash", "close_channel", "close_connection", "twice", "delay"];
const REQUEUES: &[&str] = &["to_the_end"];
const FRAMES: &[&str] = &["corrupt", "truncate"];

/// A filter by a name or a key.
type Narrow<E> = fn(When<E>, String) -> When<E>;

impl Declaration {
    /// Puts the rule in force.
    pub(super) fn declare(self, faults: &Faults) -> Answer<Rule> {
        match self.on.as_str() {
            "publishes" => self.begin(faults.publishes(), PUBLISHES),
            "confirms" => self.begin(faults.confirms(), CONFIRMS),
            "deliveries" => self.begin(faults.deliveries(), DELIVERIES),
            "requeues" => self.begin(faults.requeues(), REQUEUES),
            "frames" => self.begin(faults.frames(), FRAMES),
            "any method" => self.begin(faults.on(Method::Any), METHODS),
            name => match Method::named(name) {
                Some(method) => self.begin(faults.on(method), METHODS),
                None => Err(Refusal::bad(format!(
                    "on: there is no '{name}'; there are {} and {}",
                    OCCASIONS.join(", "),
                    Method::NAMES.join(", "),
                ))),
            },
        }
    }

    fn begin<E>(self, mut when: When<E>, offered: &[&str]) -> Answer<Rule> {
        let on = &self.on;
        let name = self.then.name();
        if !offered.contains(&name) {
            let offered = offered.join(", ");
            return Err(Refusal::bad(format!("then: {on} do not offer {name}, but {offered}")));
        }
        if self.afterwards {
            if !offered.contains(&"drop_connection") {
                return Err(Refusal::bad(format!("{on} know no afterwards")));
            }
            when = when.in_phase(Phase::After);
        }
        let when = self.count(self.about(self.narrow(when))?)?;
        Ok(when.then(self.then.action()))
    }

    /// Which occasions are meant.
    fn narrow<E>(&self, mut when: When<E>) -> When<E> {
        let texts: [(&Option<String>, Narrow<E>); 5] = [
            (&self.connection, When::on_connection),
            (&self.vhost, When::on_virtual_host),
            (&self.queue, When::for_queue),
            (&self.exchange, When::for_exchange),
            (&self.routing_key, When::for_routing_key),
        ];
        for (text, narrow) in texts {
            if let Some(text) = text {
                when = narrow(when, text.clone());
            }
        }
        match self.channel {
            Some(channel) => when.on_channel(channel),
            None => when,
        }
    }

    /// Which messages are meant.
    fn about<E>(&self, mut when: When<E>) -> Answer<When<E>> {
        if let Some(octets) = body(self.body.clone(), self.body_base64.as_deref())? {
            let text = format!("with body {}", describe_body(&octets));
            when = when.matching_as(text, move |message| message.body() == octets);
        }
        if let Some(part) = self.body_contains.clone() {
            let text = format!("with {part:?} in the body");
            when =
                when.matching_as(text, move |m| String::from_utf8_lossy(m.body()).contains(&part));
        }
        if let Some(named) = &self.headers {
            let text = format!("with headers {}", json!(named));
            let wanted = headers(named)?;
            when = when.matching_as(text, move |message| {
                let properties = message.properties();
                let has = properties.headers().as_ref();
                wanted.inner().iter().all(|(name, value)| {
                    let header = has.and_then(|headers| headers.inner().get(name));
                    header.is_some_and(|header| header_matches(value, header))
                })
            });
        }
        if let Some(wanted) = self.properties.clone() {
            let text = format!("with properties {}", json!(wanted));
            when =
                when.matching_as(text, move |m| wanted.are_in(&Properties::from(&m.properties())));
        }
        Ok(when)
    }

    /// How many occasions are meant.
    fn count<E>(&self, when: When<E>) -> Answer<When<E>> {
        match (self.nth, self.times, self.after) {
            (Some(nth), None, None) => Ok(when.nth(nth)),
            (None, times, after) => {
                let when = when.after(after.unwrap_or(0));
                Ok(if let Some(times) = times { when.times(times) } else { when })
            }
            _ => Err(Refusal::bad("give either nth, or times and after")),
        }
    }
}

impl Fault {
    fn name(&self) -> &'static str {
        match self {
            Self::DropConnection => "drop_connection",
            Self::Crash => "crash",
            Self::CloseChannel(_) => "close_channel",
            Self::CloseConnection(_) => "close_connection",
            Self::Refuse(_) => "refuse",
            Self::StopReading => "stop_reading",
            Self::Unroutable => "unroutable",
            Self::Nack => "nack",
            Self::NackAndDrop => "nack_and_drop",
            Self::Hold => "hold",
            Self::Lose => "lose",
            Self::Twice => "twice",
            Self::Delay(_) => "delay",
            Self::ToTheEnd => "to_the_end",
            Self::Corrupt => "corrupt",
            Self::Truncate => "truncate",
        }
    }

    fn action(self) -> Action {
        let close = |Reason { code, text }, scope| Action::Close { code, text, scope };
        match self {
            Self::DropConnection => Action::Drop,
            Self::Crash => Action::Crash,
            Self::CloseChannel(reason) => close(reason, Scope::Channel),
            Self::CloseConnection(reason) => close(reason, Scope::Connection),
            Self::Refuse(Reason { code, text }) => Action::refuse(code, text),
            Self::StopReading => Action::StopReading,
            Self::Unroutable => Action::Unroutable,
            Self::Nack => Action::Nack,
            Self::NackAndDrop => Action::NackAndDrop,
            Self::Hold => Action::Hold,
            Self::Lose => Action::Lose,
            Self::Twice => Action::Twice,
            Self::Delay(Delay { ms }) => Action::Delay(Duration::from_millis(ms)),
            Self::ToTheEnd => Action::ToTheEnd,
            Self::Corrupt => Action::Corrupt,
            Self::Truncate => Action::Truncate,
        }
    }
}
