//! Publishes, for filling queues before a test.
//!
//! ```text
//! POST /publish       {"vhost", "exchange", "routing_key", "properties", "headers",
//!                      "body" or "body_base64", "mandatory", "limit_ms"}, each optional
//! POST /publish/all   {"messages": [...], "vhost", "limit_ms"}
//! ```
//!
//! Answers {"confirmed": "ack", "nack" or "returned"}, or {"acked": N}; fails if the confirms do
//! not come in time. A message that no queue gets is an error unless "mandatory" is given: with
//! true it is returned, with false it is acked and gone.

use std::collections::HashSet;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Control, Routes, Shared, aside, default_vhost};
use super::input::{Answer, Body, Refusal};
use super::message::{Properties, body, headers};
use super::wait::default_limit_ms;
use leveret::Error;
use leveret::definitions::JsonObject;
use leveret::internals::no_route;
use leveret::{Channel, Confirmed, Publish};

pub(super) fn routes() -> Routes {
    Router::new().route("/publish", post(publish)).route("/publish/all", post(publish_all))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    /// Of a single message, as `limit_ms`.
    vhost: Option<String>,
    #[serde(default)]
    exchange: String,
    #[serde(default)]
    routing_key: String,
    #[serde(default)]
    properties: Properties,
    headers: Option<JsonObject>,
    body: Option<String>,
    body_base64: Option<String>,
    mandatory: Option<bool>,
    limit_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    messages: Vec<Message>,
    vhost: Option<String>,
    limit_ms: Option<u64>,
}

impl TryFrom<Message> for Publish {
    type Error = Refusal;

    fn try_from(message: Message) -> Answer<Self> {
        let headers = message.headers.as_ref().map(headers).transpose()?;
        let body = body(message.body, message.body_base64.as_deref())?;
        let publish = Self::to_exchange(message.exchange, message.routing_key)
            .properties(message.properties.into_wire(headers)?)
            .body(body.unwrap_or_default());
        Ok(if message.mandatory == Some(false) { publish } else { publish.mandatory() })
    }
}

async fn publish(State(control): Shared, Body(mut message): Body<Message>) -> Answer<Json<Value>> {
    let (vhost, limit_ms) = (message.vhost.take(), message.limit_ms);
    let may_return = message.mandatory.is_some();
    let publish = Publish::try_from(message)?;
    let publish = move |channel: Channel| channel.publish(publish).wait();
    let confirmed = match confirmed(&control, vhost, limit_ms, publish).await? {
        Confirmed::Ack => "ack",
        Confirmed::Nack => "nack",
        Confirmed::Returned(message) if !may_return => return Err(no_route(&message).into()),
        Confirmed::Returned(_) => "returned",
    };
    Ok(Json(json!({ "confirmed": confirmed })))
}

async fn publish_all(
    State(control): Shared,
    Body(Messages { messages, vhost, limit_ms }): Body<Messages>,
) -> Answer<Json<Value>> {
    if messages.iter().any(|message| message.vhost.is_some() || message.limit_ms.is_some()) {
        return Err(Refusal::bad(
            "vhost and limit_ms are for all messages: give them beside these",
        ));
    }
    let place = |message: &Message| (message.exchange.clone(), message.routing_key.clone());
    let may_return = messages.iter().filter(|message| message.mandatory.is_some());
    let may_return: HashSet<_> = may_return.map(place).collect();
    let publishes: Vec<_> = messages.into_iter().map(Publish::try_from).collect::<Answer<_>>()?;
    let publish = move |channel: Channel| {
        let acked = channel.publish_all(publishes)?;
        while let Some(message) = channel.take_returned() {
            let place = (message.exchange().to_owned(), message.routing_key().to_owned());
            if !may_return.contains(&place) {
                return Err(no_route(&message));
            }
        }
        Ok(acked)
    };
    let acked = confirmed(&control, vhost, limit_ms, publish).await?;
    Ok(Json(json!({ "acked": acked })))
}

/// What `publish` does on a channel of the default user, if it is done in time.
async fn confirmed<T: Send + 'static>(
    control: &Control,
    vhost: Option<String>,
    limit_ms: Option<u64>,
    publish: impl FnOnce(Channel) -> Result<T, Error> + Send + 'static,
) -> Answer<T> {
    let limit = Duration::from_millis(limit_ms.unwrap_or_else(default_limit_ms));
    let connection = control.life().broker.connect_to(&vhost.unwrap_or_else(default_vhost))?;
    let channel = connection.open_channel()?;
    // A fault may keep a confirm for ever. Then the end of the connection ends the wait.
    let done = tokio::time::timeout(limit, aside(move || publish(channel))).await;
    connection.close();
    let late = || Refusal::late(format!("the publish was not confirmed within {limit:?}"));
    Ok(done.map_err(|_| late())???)
}
