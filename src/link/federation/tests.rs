//! What may be asked of upstreams, what RabbitMQ says of the rest, and whose upstreams they are.

use amq_protocol::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use super::{Federation, UPSTREAM, UPSTREAM_SET};
use crate::link::shovel::definition::AckMode;

fn set(federation: &Federation, component: &str, name: &str, value: Value) -> Vec<String> {
    let key = ("/".to_owned(), name.to_owned());
    federation.set(component, key, value, &|_| None).err().unwrap_or_default()
}

fn policy(key: &str, value: &str) -> FieldTable {
    let mut definition = FieldTable::default();
    definition.insert(key.into(), AMQPValue::LongString(value.into()));
    definition
}

fn names(federation: &Federation, key: &str, value: &str) -> Vec<String> {
    let upstreams = federation.upstreams_of("/", "x", &policy(key, value));
    upstreams.into_iter().map(|upstream| upstream.name).collect()
}

#[test]
fn complaints_are_rabbitmqs() {
    let federation = Federation::default();
    for (value, complaint) in [
        (json!({}), "Key \"uri\" not found in u"),
        (json!([]), "Key \"uri\" not found in u"),
        (json!({"uri": "amqp://", "ack-mode": 1}), "ack-mode should be binary, actually was 1"),
        (json!({"uri": 5}), "uri should be list, actually was 5"),
        (
            json!({"uri": "http://h"}),
            "\"http://h\" not a valid URI: {{unexpected_uri_scheme,\"http\"},\"http://h\"}",
        ),
        (
            json!({"uri": "amqp://", "max-hops": "x"}),
            "max-hops should be a number, actually was <<\"x\">>",
        ),
        (json!({"uri": "amqp://", "foo": 1}), "Unrecognised terms [{<<\"foo\">>,1}] in u"),
        (
            json!({"uri": "amqp://", "trust-user-id": 1}),
            "trust-user-id should be boolean, actually was 1",
        ),
        (json!({"uri": "amqp://", "queue": 1}), "queue should be binary, actually was 1"),
    ] {
        assert_eq!(set(&federation, UPSTREAM, "u", value), [complaint]);
    }
    let wrong = set(&federation, UPSTREAM_SET, "s", json!([{"upstream": "a"}, {"exchange": "x"}]));
    assert_eq!(wrong, ["Key \"upstream\" not found in s"]);
    assert!(!federation.is_used(), "nothing has changed");
}

#[test]
fn a_policy_chooses_one_upstream_a_set_of_them_or_those_of_a_pattern() {
    let federation = Federation::default();
    for name in ["east-1", "east-2", "west"] {
        assert!(set(&federation, UPSTREAM, name, json!({"uri": "amqp://h"})).is_empty());
    }
    let some = json!([{"upstream": "west"}, {"upstream": "gone"}]);
    assert!(set(&federation, UPSTREAM_SET, "some", some).is_empty());
    assert_eq!(names(&federation, "federation-upstream", "west"), ["west"]);
    assert_eq!(names(&federation, "federation-upstream-set", "all"), ["east-1", "east-2", "west"]);
    assert_eq!(names(&federation, "federation-upstream-set", "some"), ["west"]);
    assert_eq!(names(&federation, "federation-upstream-pattern", "^east"), ["east-1", "east-2"]);
    assert!(names(&federation, "max-length", "3").is_empty());
    assert!(
        federation.upstreams_of("other", "x", &policy("federation-upstream", "west")).is_empty()
    );
}

#[test]
fn what_a_set_says_goes_before_what_the_upstream_says() {
    let federation = Federation::default();
    let upstream = json!({"uri": ["amqp://a", "amqp://b/v"], "exchange": "there", "max-hops": 3,
        "expires": 1000, "ack-mode": "no-ack"});
    assert!(set(&federation, UPSTREAM, "u", upstream).is_empty());
    let element = json!([{"upstream": "u", "exchange": "other", "prefetch-count": 7}]);
    assert!(set(&federation, UPSTREAM_SET, "s", element).is_empty());
    let alone = &federation.upstreams_of("/v0", "x", &policy("federation-upstream", "u"));
    assert!(alone.is_empty(), "it belongs to another virtual host");
    let alone = &federation.upstreams_of("/", "x", &policy("federation-upstream", "u"))[0];
    assert_eq!((alone.exchange.as_str(), alone.queue.as_str()), ("there", "x"));
    assert_eq!((alone.max_hops, alone.prefetch, alone.expires_ms), (3, 1000, Some(1000)));
    assert_eq!(alone.ack_mode, AckMode::NoAck);
    assert_eq!(alone.consumer_tag, "federation-link-u");
    let hosts: Vec<_> = alone.uris.iter().map(|uri| uri.virtual_host.as_str()).collect();
    assert_eq!(hosts, ["/", "v"]);
    let of_set = &federation.upstreams_of("/", "x", &policy("federation-upstream-set", "s"))[0];
    assert_eq!((of_set.exchange.as_str(), of_set.prefetch), ("other", 7));
    assert!(alone.shares_resources_with(alone) && !alone.shares_resources_with(of_set));
}
