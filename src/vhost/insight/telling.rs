//! What a virtual host tells those who listen to events `[rabbitmq event-exchange]`.

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::base::herald::Told;
use crate::queue::Queue;
use crate::vhost::VirtualHost;
use crate::vhost::topology::exchange::{Destination, Exchange};
use crate::vhost::topology::policy::Policy;

impl VirtualHost {
    /// Tells that something has happened here. May be called under any lock.
    #[inline]
    pub(crate) fn tell(&self, key: &'static str, about: impl FnOnce(Told) -> Told) {
        self.shared.herald.tell(key, |told| about(told.text("vhost", self.name.as_str())));
    }

    pub(in crate::vhost) fn tell_exchange_created(&self, exchange: &Exchange) {
        self.tell("exchange.created", |told| {
            let attributes = exchange.attributes();
            told.text("name", exchange.name().as_str())
                .text("type", attributes.kind.as_str())
                .flag("durable", attributes.durable)
                .flag("auto_delete", attributes.auto_delete)
                .flag("internal", attributes.internal)
                .table("arguments", &attributes.table)
                .text("policy", "")
        });
    }

    /// A binding came or went.
    pub(in crate::vhost) fn tell_binding(
        &self,
        key: &'static str,
        source: &Exchange,
        destination: &Destination,
        binding_key: &[u8],
        arguments: Option<&FieldTable>,
    ) {
        self.tell(key, |told| {
            let (kind, name) = match destination {
                Destination::Queue(queue) => ("queue", queue.name().as_str()),
                Destination::Exchange(exchange) => ("exchange", exchange.name().as_str()),
            };
            let told = told
                .text("source_name", source.name().as_str())
                .text("source_kind", "exchange")
                .text("destination_name", name)
                .text("destination_kind", kind)
                .value("routing_key", AMQPValue::LongString(binding_key.to_vec().into()));
            told.table("arguments", arguments.unwrap_or(&FieldTable::default()))
        });
    }

    /// The bindings of an exchange to such destinations are about to go.
    pub(in crate::vhost) fn tell_bindings_gone(
        &self,
        source: &Exchange,
        is_meant: impl Fn(&Destination) -> bool,
    ) {
        if self.shared.herald.is_heard() {
            let router = source.router.read();
            for gone in router.bindings().filter(|binding| is_meant(binding.destination)) {
                let (to, key, arguments) = (gone.destination, gone.binding_key, gone.arguments);
                self.tell_binding("binding.deleted", source, to, key, arguments);
            }
        }
    }

    /// A policy was set, or removed. Of an operator's RabbitMQ tells the parameter that it is, too.
    pub(in crate::vhost) fn tell_policy(
        &self,
        is_operator: bool,
        name: &str,
        policy: Option<&Policy>,
    ) {
        let (key, parameter) = match (policy, is_operator) {
            (Some(_), _) => ("policy.set", "parameter.set"),
            (None, false) => ("policy.cleared", "parameter.cleared"),
            (None, true) => ("operator.policy.cleared", "parameter.cleared"),
        };
        let content = |told: Told| content(told, policy);
        if is_operator {
            self.tell(parameter, |told| {
                let told = told.text("component", "operator_policy").text("name", name);
                match policy {
                    Some(_) => told.table("value", &content(Told::default()).headers),
                    None => told,
                }
            });
        }
        self.tell(key, |told| content(told.text("name", name)));
    }

    /// Another policy counts for a queue, or what it says has changed.
    pub(in crate::vhost) fn tell_queue_policy(&self, queue: &Queue, policy: Option<&Policy>) {
        let is_set = policy.is_some();
        let key = if is_set { "queue.policy.updated" } else { "queue.policy.cleared" };
        self.tell(key, |told| {
            let queue_type = queue.attributes().arguments.queue_type.as_str();
            let told = told.text("name", queue.name().as_str());
            content(told.text("type", format!("rabbit_{queue_type}_queue")), policy)
        });
    }
}

/// What a policy says.
fn content(told: Told, policy: Option<&Policy>) -> Told {
    let Some(policy) = policy else { return told };
    told.text("pattern", &policy.pattern)
        .text("apply-to", policy.apply_to.as_str())
        .number("priority", policy.priority)
        .table("definition", &policy.definition)
}
