//! Ranges of time that a request asks for curves of, such as `msg_rates_age=60&msg_rates_incr=5`
//! `[rabbitmq management stats]`.

use crate::insight::statistics::history::Span;
use crate::management::answer::{Outcome, Refusal};
use crate::management::call::Call;

/// Most samples that a range of time may have.
const SAMPLES_MAX: u64 = 500;

/// The ranges of one request; `None` for those that it does not ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ranges {
    /// Of numbers of messages.
    pub lengths: Option<Span>,
    /// Of what is done with messages.
    pub msg_rates: Option<Span>,
    /// Of octets on connections.
    pub data_rates: Option<Span>,
    /// Of what the process and the store do.
    pub node_stats: Option<Span>,
}

impl Ranges {
    /// Reads them. Fails with 400 if a range has no length, no increment or too many samples.
    pub(super) fn of(call: &Call) -> Outcome<Self> {
        let range = |name: &str| {
            let number =
                |part: &str| call.query.get(&format!("{name}_{part}"))?.parse::<i64>().ok();
            let (Some(age), Some(step)) = (number("age"), number("incr")) else { return Ok(None) };
            let ms = |seconds: i64| u64::try_from(seconds.saturating_mul(1000)).unwrap_or_default();
            match (ms(age), ms(step)) {
                (age_ms @ 1.., increment_ms @ 1..) if age_ms / increment_ms <= SAMPLES_MAX => {
                    Ok(Some(Span { age_ms, increment_ms }))
                }
                _ => {
                    let reason = format!("Invalid range parameters: age {age}, incr {step}");
                    Err(Refusal::bad(reason))
                }
            }
        };
        Ok(Self {
            lengths: range("lengths")?,
            msg_rates: range("msg_rates")?,
            data_rates: range("data_rates")?,
            node_stats: range("node_stats")?,
        })
    }
}

/// Fails with 400 if statistics are not wanted: channels, and consumers, are nothing else.
pub(super) fn refuse_without_statistics(call: &Call) -> Outcome<()> {
    if call.query.is_true("disable_stats") {
        return Err(Refusal::bad("Stats in management UI are disabled on this node"));
    }
    Ok(())
}
