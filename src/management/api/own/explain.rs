//! Why a message goes where it goes, and what is allowed but seldom meant.

use serde_json::{Value, json};

use crate::definitions::arguments::to_field_table;
use crate::insight::explanation::{Explanation, Step};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::exchanges;
use crate::management::body::object;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get, post};
use crate::management::rights::Who::{Monitors, OfHost};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post(
        "api/leveret/exchanges/{vhost}/{exchange}/explain",
        OfHost,
        explain,
        "Where a message would go and why: {\"routing_key\", \"headers\"}. Nothing is published.",
    ),
    get("api/leveret/lints", Monitors, lints, "What was found that is allowed but seldom meant."),
];

fn explain(call: &Call) -> Outcome {
    let (host, exchange) = exchanges::existing(call)?;
    let body = object(&call.body)?;
    let key = match body.get("routing_key") {
        None => "",
        Some(key) => key.as_str().ok_or_else(|| Refusal::bad("routing_key must be a text"))?,
    };
    let headers = match body.get("headers") {
        None => Default::default(),
        Some(headers) => {
            let bad = || Refusal::bad("headers must be an object");
            let headers = to_field_table(headers.as_object().ok_or_else(bad)?);
            headers.map_err(|error| Refusal::bad(error.to_string()))?
        }
    };
    let told = host.explain(exchange.name().as_str(), key, &headers);
    let told = told.map_err(|error| Refusal::of_method(&error))?;
    Ok(Answer::json(&render(&told)))
}

fn render(told: &Explanation) -> Value {
    let queues =
        told.queues.iter().map(|arrival| json!({"queue": arrival.queue, "notes": arrival.notes}));
    json!({
        "exchange": told.exchange,
        "routing_key": told.routing_key,
        "unroutable": told.is_unroutable(),
        "queues": queues.collect::<Vec<_>>(),
        "steps": told.steps.iter().map(step).collect::<Vec<_>>(),
        "text": told.to_string(),
    })
}

fn step(step: &Step) -> Value {
    let near = step.near.iter();
    let near =
        near.map(|(binding, difference)| json!({"binding": binding, "difference": difference}));
    json!({
        "exchange": step.exchange,
        "type": step.kind.as_str(),
        "matches": step.matches,
        "near": near.collect::<Vec<_>>(),
        "notes": step.notes,
    })
}

fn lints(call: &Call) -> Outcome {
    let lints = call.node().shared.lints.as_ref();
    let found = lints.map(|lints| lints.found()).unwrap_or_default();
    Ok(Answer::json(&json!({"enabled": lints.is_some(), "found": found})))
}
