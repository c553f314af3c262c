//! What was counted in the past: samples for curves.

use serde_json::Value;

use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::totals::Totals;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::object;
use crate::management::rights::Who::{Monitors, OfHost};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(
        "api/leveret/history",
        Monitors,
        of_node,
        "What was counted in all virtual hosts in the last ?age= seconds, every ?step= seconds: \
         names, and samples with their times in milliseconds, the latest first.",
    ),
    get(
        "api/leveret/history/queues/{vhost}/{queue}",
        OfHost,
        of_queue,
        "The same of a queue, for up to an hour from when it was first asked for.",
    ),
    get(
        "api/leveret/history/exchanges/{vhost}/{exchange}",
        OfHost,
        of_exchange,
        "The same of an exchange.",
    ),
];

/// Samples of one answer.
const SAMPLES_MAX: u64 = 500;

/// The span of time that a request asks for: a minute in steps of five seconds, or another.
fn span(call: &Call) -> Outcome<Span> {
    let seconds = |name: &str, default: u64| match call.query.get(name).map(str::parse::<u64>) {
        None => Ok(default),
        Some(Ok(seconds)) => Ok(seconds),
        Some(Err(_)) => Err(Refusal::bad(format!("'{name}' has to be a number of seconds"))),
    };
    let (age, step) = (seconds("age", 60)?, seconds("step", 5)?);
    if step == 0 || age / step > SAMPLES_MAX {
        let reason = format!("'age' may be {SAMPLES_MAX} times 'step' at most");
        return Err(Refusal::bad(reason));
    }
    let ms = |seconds: u64| seconds.saturating_mul(1000);
    Ok(Span { age_ms: ms(age), increment_ms: ms(step) })
}

fn answer<T: Totals>(samples: &[Sample<T>]) -> Outcome {
    let row = |sample: &Sample<T>| -> Value {
        std::iter::once(sample.at.as_millis()).chain(sample.totals.values()).collect()
    };
    let samples: Vec<Value> = samples.iter().map(row).collect();
    Ok(Answer::json(&object! { "names": T::NAMES, "samples": samples }))
}

fn of_node(call: &Call) -> Outcome {
    answer(&call.node().samples(span(call)?))
}

fn of_queue(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    let queue = host.queue(call.name("queue")).map_err(|_| Refusal::no_such_object())?;
    answer(&queue.samples(call.node().clock().now(), span(call)?))
}

fn of_exchange(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    let exchange = host.exchange(call.exchange_name("exchange"));
    let exchange = exchange.map_err(|_| Refusal::no_such_object())?;
    answer(&exchange.samples(call.node().clock().now(), span(call)?))
}
