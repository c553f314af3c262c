//! Super streams: an exchange, and streams that are its partitions.

use serde_json::Value;

use crate::access::{Access, ResourceKind};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::declaring::arguments;
use crate::management::body;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::json::{Object, object};
use crate::management::rights::Who::OfHost;
use crate::vhost::{SuperStreamDeclare, SuperStreamError};

const PATH: &str = "api/leveret/super-streams/{vhost}/{name}";

/// Partitions that one request creates at most: each is a stream of its own.
const PARTITIONS_MAX: u64 = 1000;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(PATH, OfHost, show, "The partitions of a super stream, in order."),
    put(
        PATH,
        OfHost,
        create,
        "Creates one: {\"partitions\"} or {\"binding_keys\"}, and {\"arguments\"} of each.",
    ),
    delete(PATH, OfHost, remove, "Deletes one with its partitions."),
];

fn show(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let name = call.name("name");
    call.check(&host, Access::Read, ResourceKind::Exchange, name)?;
    let partitions = host.partitions(name).map_err(|error| Refusal::of_method(&error))?;
    let partitions: Vec<&str> = partitions.iter().map(|name| name.as_str()).collect();
    Ok(Answer::json(&object! {"name": name, "partitions": partitions}))
}

/// What a body asks for.
fn declaration(name: &str, body: &Object) -> Outcome<SuperStreamDeclare> {
    let mut declare = match (body.get("partitions"), body.get("binding_keys")) {
        (Some(partitions), None) => {
            let count = partitions.as_u64().filter(|count| (1..=PARTITIONS_MAX).contains(count));
            let count = count.and_then(|count| usize::try_from(count).ok());
            let count = count.ok_or_else(|| {
                Refusal::bad(format!("partitions must be a number from 1 to {PARTITIONS_MAX}"))
            })?;
            SuperStreamDeclare::new(name, count)
        }
        (None, Some(Value::Array(keys))) if keys.len() as u64 <= PARTITIONS_MAX => {
            let keys = keys.iter().map(|key| key.as_str().map(str::to_owned));
            let keys: Option<Vec<String>> = keys.collect();
            let keys = keys.ok_or_else(|| Refusal::bad("binding_keys must be texts"))?;
            SuperStreamDeclare::by_keys(name, keys)
        }
        _ => {
            return Err(Refusal::bad(format!(
                "say either partitions, how many, or binding_keys, a list of up to \
                 {PARTITIONS_MAX}"
            )));
        }
    };
    declare.arguments = arguments(body)?;
    Ok(declare)
}

fn create(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let declare = declaration(call.name("name"), &body::object(&call.body)?)?;
    let created =
        call.on_host(&host, |it, effects| Ok(host.create_super_stream(it, &declare, effects)))?;
    created.map_err(|error| match error {
        SuperStreamError::Refused(error) => Refusal::of_method(&error),
        error => Refusal::bad(error.to_string()),
    })?;
    Ok(Answer::put(true))
}

fn remove(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let name = call.name("name");
    call.on_host(&host, |actor, effects| host.delete_super_stream(actor, name, effects))?;
    Ok(Answer::done())
}
