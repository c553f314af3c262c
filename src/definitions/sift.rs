//! Reading a document in which some objects are malformed.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Definitions, DefinitionsError};

/// An object of definitions that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {reason}")]
pub struct RefusedObject {
    /// The object, such as `queue 'q'`, or `queues[3].name` if what is malformed is no queue.
    pub object: String,
    /// Why it cannot be had: what a client would be told that declares it.
    pub reason: String,
}

impl Definitions {
    /// Reads a document without the objects in it that are malformed, and lists those.
    ///
    /// # Errors
    /// When it is too large, is not JSON, is not an object, or a section in it is not a list.
    pub fn from_json_in_part(json: &[u8]) -> Result<(Self, Vec<RefusedObject>), DefinitionsError> {
        let error = match Self::from_json(json) {
            Ok(definitions) => return Ok((definitions, Vec::new())),
            Err(error @ DefinitionsError::Shape { .. }) => error,
            Err(error) => return Err(error),
        };
        // What is no JSON gets the error that tells where.
        let Ok(mut document) = serde_json::from_slice::<Map<String, Value>>(json) else {
            return Err(error);
        };
        let mut refused = Vec::new();
        let definitions = Self {
            rabbit_version: text(&document, "rabbit_version"),
            rabbitmq_version: text(&document, "rabbitmq_version"),
            users: sift("users", &mut document, &mut refused)?,
            vhosts: sift("vhosts", &mut document, &mut refused)?,
            permissions: sift("permissions", &mut document, &mut refused)?,
            topic_permissions: sift("topic_permissions", &mut document, &mut refused)?,
            parameters: sift("parameters", &mut document, &mut refused)?,
            global_parameters: sift("global_parameters", &mut document, &mut refused)?,
            policies: sift("policies", &mut document, &mut refused)?,
            queues: sift("queues", &mut document, &mut refused)?,
            exchanges: sift("exchanges", &mut document, &mut refused)?,
            bindings: sift("bindings", &mut document, &mut refused)?,
        };
        Ok((definitions, refused))
    }
}

fn text(document: &Map<String, Value>, name: &str) -> Option<String> {
    document.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The objects of a section that are what they should be.
fn sift<T: DeserializeOwned>(
    section: &str,
    document: &mut Map<String, Value>,
    refused: &mut Vec<RefusedObject>,
) -> Result<Vec<T>, DefinitionsError> {
    let objects = match document.remove(section) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(objects)) => objects,
        Some(_) => {
            let reason = "it must be a list".to_owned();
            return Err(DefinitionsError::Object { place: section.to_owned(), reason });
        }
    };
    let mut good = Vec::new();
    for (index, object) in objects.into_iter().enumerate() {
        match serde_path_to_error::deserialize(object) {
            Ok(object) => good.push(object),
            Err(error) => refused.push(malformed(section, index, &error)),
        }
    }
    Ok(good)
}

fn malformed(
    section: &str,
    index: usize,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> RefusedObject {
    let path = error.path().to_string();
    let object = match path.as_str() {
        "." => format!("{section}[{index}]"),
        field => format!("{section}[{index}].{field}"),
    };
    RefusedObject { object, reason: error.inner().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sifted(json: &str) -> (Definitions, Vec<String>) {
        let (definitions, refused) = Definitions::from_json_in_part(json.as_bytes()).unwrap();
        (definitions, refused.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn malformed_objects_are_left_out_and_named() {
        let (definitions, refused) = sifted(
            r#"{"rabbit_version": "4.0.5", "users": null, "queues": [
                {"name": "a"}, {"name": 7}, {"durable": true}, "b",
                {"name": "c", "arguments": {"x-max-length": 1}}],
                "policies": [{"name": "p", "pattern": "", "priority": "high"}],
                "bindings": [{"source": "x", "destination": "a", "destination_type": "topic"},
                    {"source": "x", "destination": "a"}]}"#,
        );
        let queues: Vec<_> = definitions.queues.iter().map(|queue| queue.name.as_str()).collect();
        assert_eq!(queues, ["a", "c"]);
        assert_eq!(definitions.queues[1].arguments["x-max-length"], 1);
        assert_eq!((definitions.bindings.len(), definitions.policies.len()), (1, 0));
        assert_eq!(definitions.rabbit_version.as_deref(), Some("4.0.5"));
        let places = [
            "policies[0].priority",
            "queues[1].name",
            "queues[2]",
            "queues[3]",
            "bindings[0].destination_type",
        ];
        assert_eq!(refused.len(), places.len(), "{refused:?}");
        for (refused, place) in refused.iter().zip(places) {
            assert!(refused.starts_with(&format!("{place}: ")), "{refused}");
        }
        assert_eq!(refused[2], "queues[2]: missing field `name`");
    }

    #[test]
    fn a_good_document_is_read_whole() {
        let export = crate::definitions::tests::EXPORT;
        let whole = Definitions::from_json(export.as_bytes()).unwrap();
        assert_eq!(sifted(export), (whole, Vec::new()));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for json in ["", "[]", "3", r#"{"queues": ["#, r#"{"queues": 3}"#, r#"{"users": {}}"#] {
            assert!(Definitions::from_json_in_part(json.as_bytes()).is_err(), "{json}");
        }
    }
}
