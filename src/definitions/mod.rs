//! RabbitMQ's definitions: users, virtual hosts, permissions, policies, queues, exchanges and
//! bindings in one JSON document `[rabbitmq definitions]`.
//!
//! This module reads and writes the document and loads users and permissions; the broker applies
//! what lives in virtual hosts.

pub(crate) mod arguments;
pub(crate) mod json;
pub(crate) mod objects;
mod sift;
pub(crate) mod term;
pub(crate) mod users;

pub use arguments::{ArgumentError, from_field_table, to_field_table};
pub use json::JsonObject;
pub use objects::{
    BindingDefinition, DestinationType, ExchangeDefinition, GlobalParameterDefinition,
    ParameterDefinition, PermissionDefinition, PolicyDefinition, QueueDefinition,
    TopicPermissionDefinition, UserDefinition, VirtualHostDefinition,
};
pub use sift::RefusedObject;
pub(crate) use users::{apply_good_users, replace_users};
pub use users::{apply_users, export_users};

use json::null_as_default;
use serde::{Deserialize, Serialize};

/// Most bytes that a definitions document may have: 64 MiB, some 300,000 queues. Parsed it takes
/// several times its size in memory.
pub const DEFINITIONS_BYTES_MAX: usize = 64 << 20;

/// A definitions document. Sections that a file leaves out are empty; what is not known is
/// ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definitions {
    /// The version of the broker that exported the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rabbit_version: Option<String>,
    /// The same once more, as newer exports have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rabbitmq_version: Option<String>,
    /// Who may log in.
    #[serde(default, deserialize_with = "null_as_default")]
    pub users: Vec<UserDefinition>,
    /// The virtual hosts; none in the export of a single virtual host.
    #[serde(default, deserialize_with = "null_as_default")]
    pub vhosts: Vec<VirtualHostDefinition>,
    /// What users may do in virtual hosts.
    #[serde(default, deserialize_with = "null_as_default")]
    pub permissions: Vec<PermissionDefinition>,
    /// Which keys users may use on topic exchanges.
    #[serde(default, deserialize_with = "null_as_default")]
    pub topic_permissions: Vec<TopicPermissionDefinition>,
    /// Runtime parameters of virtual hosts.
    #[serde(default, deserialize_with = "null_as_default")]
    pub parameters: Vec<ParameterDefinition>,
    /// Runtime parameters of the broker.
    #[serde(default, deserialize_with = "null_as_default")]
    pub global_parameters: Vec<GlobalParameterDefinition>,
    /// Policies.
    #[serde(default, deserialize_with = "null_as_default")]
    pub policies: Vec<PolicyDefinition>,
    /// Queues.
    #[serde(default, deserialize_with = "null_as_default")]
    pub queues: Vec<QueueDefinition>,
    /// Exchanges, without those that every virtual host has.
    #[serde(default, deserialize_with = "null_as_default")]
    pub exchanges: Vec<ExchangeDefinition>,
    /// Bindings, without those of the default exchange.
    #[serde(default, deserialize_with = "null_as_default")]
    pub bindings: Vec<BindingDefinition>,
}

/// Why a definitions document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionsError {
    /// The document is larger than [`DEFINITIONS_BYTES_MAX`].
    #[error("definitions: the document has {bytes} bytes, at most {max} are read")]
    TooLarge {
        /// Size of the document.
        bytes: usize,
        /// [`DEFINITIONS_BYTES_MAX`].
        max: usize,
    },
    /// The document is not JSON, or a value in it has the wrong type.
    #[error("definitions: line {line}, column {column}, in {place}: {reason}")]
    Shape {
        /// Where in the document, counted from 1.
        line: usize,
        /// Where in the line, counted from 1.
        column: usize,
        /// The object and field, such as `queues[3].durable`; `the document` at the top.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// An object cannot be used.
    #[error("definitions: {place}: {reason}")]
    Object {
        /// The object, such as `users[2]`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The document cannot be written as JSON.
    #[error("definitions cannot be written as JSON: {0}")]
    Write(String),
}

impl Definitions {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is too large, is not JSON, or a value in it has the wrong type or is missing.
    pub fn from_json(json: &[u8]) -> Result<Self, DefinitionsError> {
        if json.len() > DEFINITIONS_BYTES_MAX {
            let max = DEFINITIONS_BYTES_MAX;
            return Err(DefinitionsError::TooLarge { bytes: json.len(), max });
        }
        // Serde would read an array as an object whose fields come in order.
        if json.trim_ascii_start().first() == Some(&b'[') {
            return Err(DefinitionsError::Object {
                place: "the document".to_owned(),
                reason: "it must be an object, not an array".to_owned(),
            });
        }
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let definitions = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| shape_error(&error.path().to_string(), error.inner()))?;
        deserializer.end().map_err(|error| shape_error(".", &error))?;
        Ok(definitions)
    }

    /// Writes the document.
    ///
    /// # Errors
    /// When the JSON writer refuses a value.
    pub fn to_json(&self) -> Result<Vec<u8>, DefinitionsError> {
        serde_json::to_vec(self).map_err(|error| DefinitionsError::Write(error.to_string()))
    }

    /// Whether this is the export of one virtual host: no virtual hosts are listed, and objects
    /// do not name theirs.
    pub fn is_single_virtual_host(&self) -> bool {
        self.vhosts.is_empty()
            && self.queues.iter().all(|queue| queue.vhost.is_none())
            && self.exchanges.iter().all(|exchange| exchange.vhost.is_none())
            && self.bindings.iter().all(|binding| binding.vhost.is_none())
            && self.policies.iter().all(|policy| policy.vhost.is_none())
            && self.parameters.iter().all(|parameter| parameter.vhost.is_none())
    }

    /// Puts every object into `vhost`, whatever it names.
    pub(crate) fn put_into_virtual_host(&mut self, vhost: &str) {
        self.virtual_host_names().for_each(|name| *name = Some(vhost.to_owned()));
    }

    /// Puts every object that does not name its virtual host into `vhost`.
    pub fn assign_virtual_host(&mut self, vhost: &str) {
        self.virtual_host_names().for_each(|name| {
            name.get_or_insert_with(|| vhost.to_owned());
        });
    }

    fn virtual_host_names(&mut self) -> impl Iterator<Item = &mut Option<String>> {
        let queues = self.queues.iter_mut().map(|queue| &mut queue.vhost);
        let exchanges = self.exchanges.iter_mut().map(|exchange| &mut exchange.vhost);
        let bindings = self.bindings.iter_mut().map(|binding| &mut binding.vhost);
        let policies = self.policies.iter_mut().map(|policy| &mut policy.vhost);
        let parameters = self.parameters.iter_mut().map(|parameter| &mut parameter.vhost);
        queues.chain(exchanges).chain(bindings).chain(policies).chain(parameters)
    }
}

fn shape_error(path: &str, error: &serde_json::Error) -> DefinitionsError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let reason = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let place = if matches!(path, "." | "?") { "the document" } else { path };
    DefinitionsError::Shape { line, column, place: place.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// An export of RabbitMQ 4.0 with an administrator, a user without permissions and a user
    /// with few.
    pub(crate) const EXPORT: &str = include_str!("testdata/export.json");

    fn refused(json: &str) -> String {
        Definitions::from_json(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_export_is_read() {
        let definitions = Definitions::from_json(EXPORT.as_bytes()).unwrap();
        assert_eq!(definitions.rabbit_version.as_deref(), Some("4.0.5"));
        assert_eq!(definitions.users.len(), 3);
        assert_eq!(definitions.vhosts[1].name, "conf-vhost");
        assert_eq!(definitions.permissions[2].write, "-write|^amq.topic$");
        assert_eq!(definitions.topic_permissions[0].exchange, "amq.topic");
        assert!(!definitions.is_single_virtual_host());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let definitions = Definitions::from_json(EXPORT.as_bytes()).unwrap();
        let written = definitions.to_json().unwrap();
        assert_eq!(Definitions::from_json(&written), Ok(definitions));
    }

    #[test]
    fn a_number_is_the_same_however_often_it_is_written() {
        let argument = br#"{"queues": [{"name": "q", "arguments": {"a": 1.0006666666666666e60}}]}"#;
        let definitions = Definitions::from_json(argument).unwrap();
        let written = definitions.to_json().unwrap();
        assert_eq!(Definitions::from_json(&written), Ok(definitions));
    }

    #[test]
    fn everything_may_be_left_out() {
        assert_eq!(Definitions::from_json(b"{}"), Ok(Definitions::default()));
        let nulls = br#"{"users": null, "queues": null, "product_name": "RabbitMQ"}"#;
        assert_eq!(Definitions::from_json(nulls), Ok(Definitions::default()));
        let queue = Definitions::from_json(br#"{"queues": [{"name": "q", "arguments": []}]}"#);
        let queue = queue.unwrap().queues.remove(0);
        assert!(queue.durable && !queue.auto_delete && queue.arguments.is_empty());
    }

    #[test]
    fn objects_of_a_virtual_host_are_read() {
        let document = json!({
            "vhosts": [{"name": "v", "description": "d", "tags": ["a"], "tracing": false,
                        "metadata": {"default_queue_type": "quorum", "tags": ["a"]}},
                       {"name": "w", "default_queue_type": "undefined", "metadata": {}}],
            "queues": [{"name": "q", "vhost": "v", "durable": true, "auto_delete": false,
                        "type": "quorum", "arguments": {"x-queue-type": "quorum"}}],
            "exchanges": [{"name": "x", "vhost": "v", "type": "topic", "durable": false,
                           "auto_delete": true, "internal": true, "arguments": {}}],
            "bindings": [{"source": "x", "vhost": "v", "destination": "q",
                          "destination_type": "queue", "routing_key": "k", "arguments": {}},
                         {"source": "x", "vhost": "v", "destination": "x",
                          "destination_type": "exchange", "routing_key": "", "arguments": {}}],
            "policies": [{"vhost": "v", "name": "p", "pattern": "^q", "apply-to": "queues",
                          "definition": {"max-length": 5}, "priority": 3}],
            "parameters": [{"vhost": "v", "component": "vhost-limits", "name": "limits",
                            "value": {"max-queues": 5}}],
            "global_parameters": [{"name": "cluster_name", "value": "rabbit@host"}]
        });
        let definitions = Definitions::from_json(document.to_string().as_bytes()).unwrap();
        assert_eq!(definitions.vhosts[0].default_queue_type(), Some("quorum"));
        assert_eq!(definitions.vhosts[1].default_queue_type(), None);
        assert_eq!(definitions.queues[0].queue_type.as_deref(), Some("quorum"));
        assert!(definitions.exchanges[0].internal && !definitions.exchanges[0].durable);
        assert_eq!(definitions.bindings[1].destination_type, DestinationType::Exchange);
        assert_eq!(definitions.policies[0].priority, 3);
        assert_eq!(definitions.policies[0].apply_to, "queues");
        assert_eq!(definitions.parameters[0].value["max-queues"], 5);
        assert_eq!(definitions.global_parameters[0].value, "rabbit@host");
        let written = definitions.to_json().unwrap();
        assert_eq!(Definitions::from_json(&written), Ok(definitions));
    }

    #[test]
    fn the_export_of_one_virtual_host_is_assigned() {
        let mut definitions = Definitions::from_json(
            br#"{"rabbit_version": "4.0.5", "queues": [{"name": "q"}],
                 "exchanges": [{"name": "x", "type": "fanout"}],
                 "policies": [{"name": "p", "pattern": ""}],
                 "parameters": [{"component": "c", "name": "n"}],
                 "bindings": [{"source": "x", "destination": "q"}]}"#,
        )
        .unwrap();
        assert!(definitions.is_single_virtual_host());
        definitions.assign_virtual_host("v");
        assert!(!definitions.is_single_virtual_host());
        let assigned = [
            &definitions.queues[0].vhost,
            &definitions.exchanges[0].vhost,
            &definitions.policies[0].vhost,
            &definitions.parameters[0].vhost,
            &definitions.bindings[0].vhost,
        ];
        assert!(assigned.iter().all(|vhost| vhost.as_deref() == Some("v")));
        definitions.assign_virtual_host("w");
        assert_eq!(definitions.queues[0].vhost.as_deref(), Some("v"));
    }

    #[test]
    fn errors_name_the_place() {
        assert_eq!(
            refused("{\"queues\": [{\"name\": \"q\"},\n {\"name\": 7}]}"),
            "definitions: line 2, column 11, in queues[1].name: invalid type: integer `7`, \
             expected a string"
        );
        assert_eq!(
            refused(r#"{"users": [{"tags": []}]}"#),
            "definitions: line 1, column 23, in users[0]: missing field `name`"
        );
        assert_eq!(
            refused("{\"queues\": ["),
            "definitions: line 1, column 12, in queues: EOF while parsing a list"
        );
        assert!(refused(" []").contains("the document: it must be an object"));
        assert!(refused("{} x").contains("trailing characters"));
        assert!(refused("").contains("EOF"));
    }

    #[test]
    fn wrong_types_in_lenient_fields_are_refused() {
        assert!(refused(r#"{"users": [{"name": "a", "tags": 3}]}"#).contains("users[0].tags"));
        let arguments = r#"{"queues": [{"name": "a", "arguments": [1]}]}"#;
        assert!(refused(arguments).contains("in queues[0].arguments: invalid type"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let arrays = "[".repeat(100_000);
        let deep = format!("{{\"global_parameters\": [{{\"name\": \"n\", \"value\": {arrays}");
        assert!(refused(&deep).contains("recursion limit"));
        assert!(refused(&format!("{{\"ignored\": {arrays}")).contains("EOF"));
    }

    #[test]
    fn a_document_that_is_too_large_is_refused_unread() {
        let large = vec![b' '; DEFINITIONS_BYTES_MAX + 1];
        let error = Definitions::from_json(&large).unwrap_err();
        assert!(matches!(error, DefinitionsError::TooLarge { .. }));
    }

    proptest! {
        #[test]
        fn no_document_panics(json: Vec<u8>) {
            let _ = Definitions::from_json(&json);
        }

        #[test]
        fn no_damaged_export_panics(at in 0..EXPORT.len(), byte: u8) {
            let mut json = EXPORT.as_bytes().to_vec();
            json[at] = byte;
            let _ = Definitions::from_json(&json);
        }
    }
}
