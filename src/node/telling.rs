//! What the node tells those who listen to events `[rabbitmq event-exchange]`.

use amq_protocol::types::{AMQPValue, FieldTable};
use serde_json::Value;

use crate::base::herald::Told;
use crate::definitions::to_field_table;
use crate::node::Node;
use crate::node::status::ConnectionFacts;
use crate::vhost::VirtualHost;

impl ConnectionFacts {
    /// It is open.
    pub(super) fn tell_created(&self, host: &VirtualHost) {
        host.tell("connection.created", |told| {
            let told = told
                .by(self.user.as_str())
                .text("user", self.user.as_str())
                .text("protocol", self.protocol)
                .text("auth_mechanism", &self.auth_mechanism)
                .number("timeout", self.heartbeat_s)
                .number("frame_max", self.frame_max)
                .number("channel_max", self.channel_max)
                .number("connected_at", self.connected_at.as_millis());
            self.tell_tls(self.tell_place(self.tell_name(told)))
        });
    }

    /// It has ended.
    pub(super) fn tell_closed(&self, host: &VirtualHost) {
        let told = |told: Told| told.by(self.user.as_str()).text("user", self.user.as_str());
        host.tell("connection.closed", |is| self.tell_name(told(is)));
    }

    fn tell_name(&self, told: Told) -> Told {
        told.text("name", &self.name)
            .of("pid", self.id, None)
            .text("user_provided_name", &self.user_provided_name)
            .table("client_properties", &self.client_properties())
    }

    fn tell_place(&self, told: Told) -> Told {
        let told = told.text("type", if self.is_embedded() { "direct" } else { "network" });
        let (Some(peer), Some(local)) = (self.peer, self.local) else { return told };
        told.text("peer_host", peer.ip().to_string())
            .number("peer_port", peer.port())
            .text("host", local.ip().to_string())
            .number("port", local.port())
    }

    fn tell_tls(&self, told: Told) -> Told {
        let told = told.flag("ssl", self.tls.is_some());
        let Some(tls) = &self.tls else { return told };
        let told = told
            .text("ssl_protocol", tls.protocol)
            .text("ssl_key_exchange", &tls.key_exchange)
            .text("ssl_cipher", &tls.cipher);
        let Some(certificate) = &tls.certificate else { return told };
        told.text("peer_cert_subject", &certificate.subject)
            .text("peer_cert_issuer", &certificate.issuer)
            .text("peer_cert_validity", &certificate.validity)
    }
}

impl Node {
    pub(super) fn tell_host_created(&self, host: &VirtualHost) {
        self.herald().tell("vhost.created", |told| {
            let metadata = host.metadata();
            let running = Told::default().text(self.name(), "running").headers;
            told.text("name", host.name().as_str())
                .text("description", &metadata.description)
                .texts("tags", &metadata.tags)
                .text("default_queue_type", metadata.queue_type().as_str())
                .flag("tracing", host.is_traced())
                .table("cluster_state", &running)
        });
    }

    /// A parameter was set, or removed.
    pub(super) fn tell_parameter(
        &self,
        key: &'static str,
        component: &str,
        name: &str,
        value: Option<&Value>,
    ) {
        self.herald().tell(key, |told| {
            let told = told.text("component", component).text("name", name);
            match value {
                Some(value) => told.value("value", in_a_table(value)),
                None => told,
            }
        });
    }

    /// A parameter of a virtual host was set, or removed. Its value may have passwords in it, and
    /// is not told.
    pub(super) fn tell_host_parameter(
        &self,
        key: &'static str,
        host: &str,
        (component, name): (&str, &str),
    ) {
        self.herald().tell(key, |told| {
            told.text("component", component).text("name", name).text("vhost", host)
        });
    }

    /// The limits of a virtual host were set, or removed.
    pub(super) fn tell_host_limits(&self, host: &str, limits: Option<&Value>) {
        let (key, parameter) = match limits {
            Some(_) => ("vhost.limits.set", "parameter.set"),
            None => ("vhost.limits.cleared", "parameter.cleared"),
        };
        self.herald().tell(parameter, |told| {
            let told = told.text("component", "vhost-limits").text("name", "limits");
            let value = limits.map(in_a_table).unwrap_or(AMQPValue::Void);
            told.text("vhost", host).value("value", value)
        });
        self.herald().tell(key, |told| {
            let told = told.text("name", "limits").text("vhost", host);
            let limits = limits.and_then(Value::as_object).into_iter().flatten();
            let number = |limit: &Value| limit.as_i64();
            limits.fold(told, |told, (name, limit)| match number(limit) {
                Some(limit) => told.number(name, limit),
                None => told,
            })
        });
    }
}

/// A value as headers have it; as text if there is no other way.
fn in_a_table(value: &Value) -> AMQPValue {
    let whole = [("value".to_owned(), value.clone())].into_iter().collect();
    let table: FieldTable = to_field_table(&whole).unwrap_or_default();
    let found = table.inner().get("value").cloned();
    found.unwrap_or_else(|| AMQPValue::LongString(value.to_string().into()))
}
