//! Definitions out and in.

use serde_json::{Value, json};

use crate::Api;

#[test]
fn definitions_of_one_broker_make_another_like_it() {
    let first = Api::start();
    first.expect(201, "PUT", "/api/vhosts/v", r#"{"description": "d", "tags": "a,b"}"#);
    first.expect(201, "PUT", "/api/users/u", r#"{"password": "pw", "tags": "management"}"#);
    let all = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
    first.expect(201, "PUT", "/api/permissions/v/u", all);
    first.expect(201, "PUT", "/api/queues/v/q", r#"{"arguments": {"x-max-length": 5}}"#);
    let policy = r#"{"pattern": "^q", "definition": {"max-length": 3}, "apply-to": "queues"}"#;
    first.expect(201, "PUT", "/api/policies/v/p", policy);
    let exported = first.expect(200, "GET", "/api/definitions", "").body;
    let second = Api::start();
    second.expect(204, "POST", "/api/definitions", &exported);
    let sorted = |api: &Api| {
        let mut all = api.expect(200, "GET", "/api/definitions", "").json();
        for list in all.as_object_mut().unwrap().values_mut() {
            if let Some(list) = list.as_array_mut() {
                list.sort_by_key(ToString::to_string);
            }
        }
        all
    };
    assert_eq!(sorted(&second), sorted(&first));
    assert_eq!(second.call_as("u", "pw", "GET", "/api/queues/v/q", "").status, 200);
}

#[test]
fn users_of_old_definitions_are_taken_with_whatever_hash_they_have() {
    let api = Api::start();
    let user = |name: &str, more: &str| {
        format!(
            r#"{{"name": "{name}", "tags": "management",
                "password_hash": "IECV6PZI/Invh0DL187KFpkO5Jc="{more}}}"#
        )
    };
    // Before 3.6 hashes came without the name of their algorithm.
    let old = format!(r#"{{"rabbit_version": "3.5.8", "users": [{}]}}"#, user("old", ""));
    api.expect(204, "POST", "/api/definitions", &old);
    assert_eq!(api.call_as("old", "guest", "GET", "/api/whoami", "").status, 200);
    let other = format!(r#"{{"rabbit_version": "4.0.5", "users": [{}]}}"#, user("other", ""));
    api.expect(204, "POST", "/api/definitions", &other);
    assert_eq!(api.call_as("other", "guest", "GET", "/api/whoami", "").status, 401);
    let told = api.expect(200, "GET", "/api/users/other", "").json();
    assert_eq!(told["password_hash"], "IECV6PZI/Invh0DL187KFpkO5Jc=");
    assert_eq!(told["hashing_algorithm"], "rabbit_password_hashing_sha256");
}

#[test]
fn a_binding_whose_ends_are_not_there_is_left_out() {
    let api = Api::start();
    let binding = |vhost: &str, source: &str, destination: &str, key: &str| {
        json!({
            "vhost": vhost, "source": source, "destination": destination,
            "destination_type": "queue", "routing_key": key, "arguments": {},
        })
    };
    let queue = r#"{"name": "q", "vhost": "/", "durable": true, "auto_delete": false}"#;
    let definitions = json!({
        "queues": [serde_json::from_str::<Value>(queue).unwrap()],
        "bindings": [
            binding("/", "amq.direct", "gone", "a"),
            binding("/", "gone", "q", "b"),
            binding("gone", "amq.direct", "q", "c"),
            binding("/", "amq.direct", "q", "d"),
        ],
    });
    api.expect(204, "POST", "/api/definitions", &definitions.to_string());
    let bindings = api.expect(200, "GET", "/api/bindings?columns=source,routing_key", "").json();
    let expected = json!([
        {"source": "", "routing_key": "q"},
        {"source": "amq.direct", "routing_key": "d"},
    ]);
    assert_eq!(bindings, expected);
    let unknown = r#"{"queues": [{"name": "q", "vhost": "gone", "durable": true}]}"#;
    api.expect(400, "POST", "/api/definitions", unknown);
}

#[test]
fn limits_hold_for_what_comes_after_the_definitions() {
    let api = Api::start();
    let queue = |name: &str| json!({"name": name, "vhost": "/", "durable": true});
    let limits = |value: &str| {
        let value: Value = serde_json::from_str(value).unwrap();
        json!([
            {"vhost": "/", "component": "vhost-limits", "name": "limits", "value": value},
        ])
    };
    let with_more = json!({
        "parameters": limits(r#"{"max-queues": 1}"#), "queues": [queue("a"), queue("b")],
    });
    api.expect(204, "POST", "/api/definitions", &with_more.to_string());
    let queues = api.expect(200, "GET", "/api/queues?columns=name", "").json();
    assert_eq!(queues, json!([{"name": "a"}, {"name": "b"}]));
    api.expect(400, "PUT", "/api/queues/%2F/c", "{}");
    let more = json!({"queues": [queue("c")]});
    api.expect(400, "POST", "/api/definitions", &more.to_string());
    let raised = json!({
        "parameters": limits(r#"{"max-queues": 3}"#), "queues": [queue("c")],
    });
    api.expect(204, "POST", "/api/definitions", &raised.to_string());
    let misspelt = json!({"parameters": limits(r#"{"max-queue": 5}"#)});
    let refused = api.expect(400, "POST", "/api/definitions", &misspelt.to_string()).body;
    assert!(refused.contains("there is no limit 'max-queue'"), "{refused}");
    let kept = api.expect(200, "GET", "/api/vhost-limits/%2F", "").json();
    assert_eq!(kept[0]["value"], json!({"max-queues": 3}));
}
