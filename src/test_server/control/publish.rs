//! A publish, for filling queues before a test.
//!
//! ```text
//! POST /publish   {"vhost", "exchange", "routing_key", "properties", "headers",
//!                  "body" or "body_base64", "mandatory", "limit_ms"}, each optional
//! ```
//!
//! Answers {"confirmed": "ack", "nack" or "returned"}; fails if no confirm comes in time.

use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Body, Refusal};
use super::message::{Properties, body, headers};
use super::{Answer, Routes, Shared, aside, default_vhost};
use crate::definitions::JsonObject;
use crate::embedded::{Confirmed, Publish};

pub fn routes() -> Routes {
    Router::new().route("/publish", post(publish))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default = "default_vhost")]
    vhost: String,
    #[serde(default)]
    exchange: String,
    #[serde(default)]
    routing_key: String,
    #[serde(default)]
    properties: Properties,
    headers: Option<JsonObject>,
    body: Option<String>,
    body_base64: Option<String>,
    #[serde(default)]
    mandatory: bool,
    #[serde(default = "super::wait::default_limit_ms")]
    limit_ms: u64,
}

async fn publish(State(control): Shared, Body(request): Body<Request>) -> Answer<Json<Value>> {
    let limit = Duration::from_millis(request.limit_ms);
    let headers = request.headers.as_ref().map(headers).transpose()?;
    let body = body(request.body, request.body_base64.as_deref())?;
    let mut publish = Publish::to_exchange(request.exchange, request.routing_key)
        .properties(request.properties.into_wire(headers)?)
        .body(body.unwrap_or_default());
    if request.mandatory {
        publish = publish.mandatory();
    }
    let connection = control.life().broker.connect_to(&request.vhost)?;
    let channel = connection.open_channel()?;
    // A fault may keep the confirm for ever. Then the end of the connection ends the wait.
    let confirmed = aside(move || channel.publish_and_confirm(publish));
    let confirmed = tokio::time::timeout(limit, confirmed).await;
    connection.close();
    let late = || Refusal::late(format!("the publish was not confirmed within {limit:?}"));
    let confirmed = match confirmed.map_err(|_| late())?? {
        Ok(Confirmed::Ack) => "ack",
        Ok(Confirmed::Nack) => "nack",
        Ok(Confirmed::Returned(_)) => "returned",
        Err(error) => return Err(error.into()),
    };
    Ok(Json(json!({ "confirmed": confirmed })))
}
