//! Exchanges `[amqp 0-9-1 exchange]`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::{Access, Actor, ResourceKind};
use crate::base::names::VirtualHostName;
use crate::insight::statistics::totals::{ExchangeTotals, Totals};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::counted::message_stats;
use crate::management::api::declaring::{arguments, flag};
use crate::management::api::properties::json_table;
use crate::management::api::ranges::Ranges;
use crate::management::body;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, list, one};
use crate::management::order::Row;
use crate::management::rights::Who::OfHost;
use crate::queue::effects::Effects;
use crate::vhost::{Exchange, ExchangeDeclare, VirtualHost};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/exchanges", OfHost, all, "The exchanges of all virtual hosts."),
    get("api/exchanges/{vhost}", OfHost, all, "The exchanges of a virtual host."),
    get("api/exchanges/{vhost}/{exchange}", OfHost, show, "An exchange."),
    put(
        "api/exchanges/{vhost}/{exchange}",
        OfHost,
        declare,
        "Declares one: {\"type\", \"durable\", \"auto_delete\", \"internal\", \"arguments\"}.",
    ),
    delete(
        "api/exchanges/{vhost}/{exchange}",
        OfHost,
        remove,
        "Deletes one; with ?if-unused=true only if nothing is bound to it.",
    ),
];

/// RabbitMQ's name for itself as somebody who does something.
const INTERNAL: &str = "rmq-internal";

/// An exchange of a list.
struct ExchangeRow {
    host: Arc<VirtualHost>,
    exchange: Arc<Exchange>,
    /// Nothing if statistics are not wanted.
    ranges: Option<Ranges>,
}

impl Row for ExchangeRow {
    fn render(&self) -> Object {
        render(&self.host, &self.exchange, self.ranges.as_ref())
    }

    fn text(&self, name: &str) -> Option<&str> {
        match name {
            "name" => Some(self.exchange.name().as_str()),
            "vhost" => Some(self.host.name().as_str()),
            _ => None,
        }
    }
}

fn render(host: &VirtualHost, exchange: &Exchange, ranges: Option<&Ranges>) -> Object {
    let attributes = exchange.attributes();
    let mut shown = object! {
        "name": exchange.name().as_str(),
        "vhost": host.name().as_str(),
        "type": attributes.kind.as_str(),
        "durable": attributes.durable,
        "auto_delete": attributes.auto_delete,
        "internal": attributes.internal,
        "arguments": json_table(&attributes.table),
        "user_who_performed_action": match attributes.declared_by.as_str() {
            "" => INTERNAL,
            user => user,
        },
    };
    if let Some(policy) = host.policies_of_exchange(exchange).policy {
        shown.insert("policy".into(), policy.into());
    }
    let measured = exchange.measured();
    if let Some(ranges) = ranges
        && measured.totals != ExchangeTotals::default()
    {
        let samples = ranges.msg_rates.map(|span| exchange.samples(host.now(), span));
        let samples = samples.unwrap_or_default();
        let counted = message_stats(&measured, ExchangeTotals::NAMES, &samples);
        shown.insert("message_stats".into(), counted.into());
    }
    shown
}

/// The ranges of statistics, unless none are wanted.
fn wanted_ranges(call: &Call) -> Outcome<Option<Ranges>> {
    let ranges = Ranges::of(call)?;
    Ok((!call.query.is_true("disable_stats")).then_some(ranges))
}

fn all(call: &Call) -> Outcome {
    let hosts = call.hosts_to_list().ok_or_else(Refusal::no_such_object)?;
    let ranges = wanted_ranges(call)?;
    let rows = hosts.into_iter().flat_map(|host| {
        let exchanges = host.exchanges().into_iter();
        exchanges.map(move |exchange| ExchangeRow { host: Arc::clone(&host), exchange, ranges })
    });
    list(call, rows.collect(), BY_NAME)
}

/// The exchange that the path names. Fails with 404.
pub(crate) fn existing(call: &Call) -> Outcome<(Arc<VirtualHost>, Arc<Exchange>)> {
    let host = call.existing_host()?;
    let exchange = host.exchange(call.exchange_name("exchange"));
    Ok((host, exchange.map_err(|_| Refusal::no_such_object())?))
}

fn show(call: &Call) -> Outcome {
    let (host, exchange) = existing(call)?;
    let mut shown = render(&host, &exchange, wanted_ranges(call)?.as_ref());
    // What routes between which two is only known in RabbitMQ's rates mode `detailed`.
    shown.insert("incoming".into(), json!([]));
    shown.insert("outgoing".into(), json!([]));
    one(call, shown)
}

fn declare(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let body = body::object(&call.body)?;
    let name = call.exchange_name("exchange");
    let kind = match body.get("type") {
        None => "direct".to_owned(),
        Some(Value::String(name)) => name.clone(),
        Some(other) => other.to_string(),
    };
    let declare = ExchangeDeclare {
        exchange: name.to_owned(),
        kind,
        passive: false,
        durable: flag(&body, "durable")?,
        auto_delete: flag(&body, "auto_delete")?,
        internal: flag(&body, "internal")?,
        arguments: arguments(&body)?,
    };
    call.check_wanted_node(&body)?;
    let is_new = host.exchange(name).is_err();
    call.on_host(&host, |actor, effects| host.exchange_declare(actor, &declare, effects))?;
    Ok(Answer::put(is_new))
}

fn remove(call: &Call) -> Outcome {
    let (host, exchange) = existing(call)?;
    let if_unused = call.query.is_true("if-unused");
    let name = exchange.name().as_str();
    call.on_host(&host, |actor, effects| host.exchange_delete(actor, name, if_unused, effects))?;
    Ok(Answer::done())
}

impl Call {
    /// Fails with 401 unless the user has a permission in the virtual host.
    pub(crate) fn check(
        &self,
        host: &VirtualHost,
        access: Access,
        kind: ResourceKind,
        name: &str,
    ) -> Outcome<()> {
        let users = &self.node().access;
        let user = self.user_name();
        let checked = users.check_resource(&user.into(), host.name(), access, (kind, name));
        checked.map_err(|refusal| Refusal::not_authorised(refusal.to_string()))
    }

    /// Does something in a virtual host on behalf of the user, and all that follows from it; waits
    /// until it survives a restart.
    pub(crate) fn on_host<T>(
        &self,
        host: &Arc<VirtualHost>,
        work: impl FnOnce(&Actor, &mut Effects) -> crate::Result<T>,
    ) -> Outcome<T> {
        let user = self.user.clone().ok_or_else(|| Refusal::not_authorised("Access refused."))?;
        let name: VirtualHostName = host.name().clone();
        let actor = Actor::new(0, user, name, Arc::clone(&self.node().access));
        let mut effects = Effects::new();
        let done = work(&actor, &mut effects);
        host.run(&mut effects);
        let done = done.map_err(|error| Refusal::of_method(&error))?;
        if effects.must_sync {
            self.durable()?;
        }
        Ok(done)
    }
}
