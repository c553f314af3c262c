//! Requests that few make, which RabbitMQ answers all the same, or refuses with words of its own.

use leveret::Publish;
use serde_json::{Value, json};

use crate::Api;

/// The reason of a refusal.
fn refused(api: &Api, method: &str, path: &str, body: &Value) -> Value {
    api.expect(400, method, path, &body.to_string()).json()["reason"].clone()
}

#[test]
fn null_is_no_argument_and_an_empty_list_is_a_table() {
    let api = Api::start();
    let null = json!({"arguments": {"x": [1, {"y": null}]}});
    for (method, path) in [
        ("PUT", "/api/queues/%2F/q"),
        ("PUT", "/api/exchanges/%2F/e"),
        ("POST", "/api/bindings/%2F/e/amq.topic/q/q"),
    ] {
        assert_eq!(refused(&api, method, path, &null), "null_not_allowed", "{path}");
    }
    let reason = refused(&api, "PUT", "/api/queues/%2F/q", &json!({"durable": null}));
    assert_eq!(reason, json!(["not_boolean", null]));
    let publish = "/api/exchanges/%2F/amq.topic/publish";
    let with = |headers: Value| {
        json!({"routing_key": "k", "properties": {"headers": headers}, "payload": "",
            "payload_encoding": "string"})
    };
    assert_eq!(refused(&api, "POST", publish, &with(json!({"h": null}))), "null_not_allowed");
    api.expect(200, "POST", publish, &with(json!([])).to_string());
    assert_eq!(
        refused(&api, "PUT", "/api/exchanges/%2F/e", &json!({"type": 5})),
        "unknown exchange type '5'"
    );
}

#[test]
fn some_lists_have_no_pages() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    let _consumer = channel.basic_consume("q").unwrap();
    let bindings = ["/api/bindings", "/api/bindings/%2F", "/api/queues/%2F/q/bindings"];
    for path in bindings.into_iter().chain(["/api/consumers", "/api/nodes"]) {
        let paged = api.expect(200, "GET", &format!("{path}?page=9&page_size=1"), "").json();
        assert_eq!(paged.as_array().map(Vec::len), Some(1), "{path}");
    }
}

#[test]
fn topic_permissions_have_an_address_for_each_exchange() {
    let api = Api::start();
    let path = "/api/topic-permissions/%2F/guest";
    let of = |exchange: &str| json!({"exchange": exchange, "write": "w", "read": "r"}).to_string();
    api.expect(404, "GET", &format!("{path}/amq.topic"), "");
    api.expect(201, "PUT", &format!("{path}/amq.topic"), &of("amq.topic"));
    api.expect(204, "PUT", path, &of("other"));
    let all = api.expect(200, "GET", path, "").body;
    assert_eq!(api.expect(200, "GET", &format!("{path}/amq.topic"), "").body, all);
    api.expect(204, "DELETE", &format!("{path}/other"), "");
    let left = api.expect(200, "GET", path, "").json();
    assert_eq!(
        (left.as_array().map(Vec::len), &left[0]["exchange"]),
        (Some(1), &"amq.topic".into())
    );
}

#[test]
fn exchanges_are_told_without_statistics() {
    let api = Api::start();
    let body = json!({"routing_key": "k", "properties": {}, "payload": "",
        "payload_encoding": "string"});
    api.expect(200, "POST", "/api/exchanges/%2F/amq.topic/publish", &body.to_string());
    for path in ["/api/exchanges/%2F/amq.topic", "/api/exchanges?sort=name&sort_reverse=true"] {
        let and = if path.contains('?') { '&' } else { '?' };
        let first = |query: &str| {
            let told = api.expect(200, "GET", &format!("{path}{and}{query}"), "").json();
            told.get(0).cloned().unwrap_or(told)
        };
        assert_eq!(first("disable_stats=false")["message_stats"]["publish_in"], 1, "{path}");
        assert_eq!(first("disable_stats=true").get("message_stats"), None, "{path}");
    }
}

#[test]
fn a_negative_count_gets_all() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/queues/%2F/q", "{}");
    for payload in ["a", "b", "c"] {
        let body = json!({"routing_key": "q", "properties": {}, "payload": payload,
            "payload_encoding": "string"});
        api.expect(200, "POST", "/api/exchanges/%2F/amq.default/publish", &body.to_string());
    }
    let get = json!({"count": -1, "ackmode": "ack_requeue_false", "encoding": "auto"});
    let got = api.expect(200, "POST", "/api/queues/%2F/q/get", &get.to_string()).json();
    assert_eq!(got.as_array().map(Vec::len), Some(3));
}

#[test]
fn all_messages_are_no_more_than_an_answer_may_hold() {
    const MESSAGES: usize = 10;
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    for _ in 0..MESSAGES {
        let publish = Publish::to_queue("q").header("h", "x".repeat(16 << 20));
        channel.basic_publish(publish).unwrap();
    }
    let get = json!({"count": -1, "ackmode": "ack_requeue_false", "encoding": "auto"});
    let got = api.expect(200, "POST", "/api/queues/%2F/q/get", &get.to_string()).json();
    assert!(got.as_array().unwrap().len() < MESSAGES / 2, "properties are answered, too");
}

#[test]
fn policies_are_refused_in_rabbitmqs_words() {
    let api = Api::start();
    let path = "/api/policies/%2F/p";
    for (more, reason) in [
        (json!({"priority": null}), "priority should be a number, actually was null"),
        (
            json!({"apply-to": null}),
            "apply-to 'null' unrecognised; should be one of: 'queues', 'classic_queues',  \
             'quorum_queues', 'streams', 'exchanges', or 'all'",
        ),
        (json!({"definition": {"max-age": "1x"}}), "&lt;&lt;\"1x\"&gt;&gt; is not a valid max age"),
        (json!({"definition": {"max-age": 5}}), "5 is not a valid max age"),
        (
            json!({"definition": {"stream-max-segment-size-bytes": 4_000_000_000_u64}}),
            "4000000000 is not a valid segment size",
        ),
        (json!({"definition": {"initial-cluster-size": -1}}), "-1 is not a valid cluster size"),
        (json!({"definition": {"max-length": null}}), "null is not a valid maximum length"),
        (json!({"definition": {"a": 1, "max-length": -1}}), "-1 is not a valid maximum length"),
    ] {
        let mut policy = json!({"pattern": "^q", "definition": {"max-length": 1}});
        policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let told = refused(&api, "PUT", path, &policy);
        assert_eq!(told, format!("Validation failed\n\n{reason}\n"));
    }
    let known = json!({"pattern": "^q", "definition": {"initial-cluster-size": 3, "max-age": "1D",
        "stream-max-segment-size-bytes": 1_000_000}});
    api.expect(201, "PUT", path, &known.to_string());
}

#[test]
fn what_is_not_there_is_named() {
    let api = Api::start();
    let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
    let user = json!({"password": "pw", "tags": "", "permissions": {"nowhere": all}});
    let reason = refused(&api, "PUT", "/api/users/u", &user);
    assert_eq!(reason, json!(["no_such_vhost", "nowhere"]));
    api.expect(404, "GET", "/api/users/u", "");
    let limit = "/api/user-limits/u/max-channels";
    let reason = refused(&api, "PUT", limit, &json!({"value": 1}));
    assert_eq!(reason, json!(["no_such_user", "u"]));
    let node = api.expect(200, "GET", "/api/overview", "").json()["node"].clone();
    let start = format!("/api/vhosts/nowhere/start/{}", node.as_str().unwrap());
    let reason = refused(&api, "POST", &start, &json!({}));
    assert!(reason.as_str().unwrap().ends_with("failed with {no_such_vhost,<<\"nowhere\">>}"));
}

#[test]
fn the_default_queue_type_has_an_old_name() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/vhosts/v", r#"{"defaultqueuetype": "quorum"}"#);
    let host = api.expect(200, "GET", "/api/vhosts/v", "").json();
    assert_eq!(host["default_queue_type"], "quorum");
}

#[test]
fn everybody_is_told_how_much_comes_and_goes() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/users/u", r#"{"password": "pw", "tags": "management"}"#);
    api.expect(201, "PUT", "/api/queues/%2F/q", "{}");
    let overview = api.call_as("u", "pw", "GET", "/api/overview", "").json();
    assert_eq!(overview["churn_rates"]["queue_created"], 1);
}

#[cfg(feature = "durable")]
#[test]
fn the_first_virtual_host_is_described_until_it_is_called_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Api::over(leveret::Broker::builder().open(directory.path()).unwrap());
    let described = |api: &Api, description: &str| {
        let host = api.expect(200, "GET", "/api/vhosts/%2F", "").json();
        assert_eq!(host["description"], description);
        assert_eq!(host["metadata"]["description"], description);
    };
    let api = open();
    described(&api, "Default virtual host");
    api.expect(201, "PUT", "/api/queues/%2F/q", r#"{"durable": true}"#);
    drop(api);
    let api = open();
    described(&api, "Default virtual host");
    api.expect(204, "PUT", "/api/vhosts/%2F", "{}");
    described(&api, "");
    drop(api);
    described(&open(), "");
}

#[test]
fn the_default_exchange_has_no_name_in_a_path() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/queues/%2F/q", "{}");
    let message = json!({
        "properties": {}, "routing_key": "q", "payload": "x", "payload_encoding": "string",
    });
    api.expect(200, "POST", "/api/exchanges/%2F//publish", &message.to_string());
    let bindings = api.expect(200, "GET", "/api/bindings/%2F/e//q/q", "").json();
    assert_eq!((&bindings[0]["source"], &bindings[0]["routing_key"]), (&json!(""), &json!("q")));
    for path in ["/api/exchanges/%2F//bindings/source", "/api/queues/%2F/q/bindings"] {
        assert_eq!(api.expect(200, "GET", path, "").json(), bindings);
    }
    assert_eq!(api.expect(200, "GET", "/api/queues/%2F/q", "").json()["messages"], 1);
    api.expect(404, "GET", "/api/queues//q", "");
}

#[test]
fn policies_of_operators_are_parameters() {
    let api = Api::start();
    let policy = r#"{"pattern": "^a", "definition": {"max-length": 5}, "apply-to": "queues"}"#;
    for kind in ["operator-policies", "policies"] {
        api.expect(201, "PUT", &format!("/api/{kind}/%2F/p"), policy);
    }
    let listed = api.expect(200, "GET", "/api/parameters?columns=component,name", "").json();
    assert_eq!(listed, json!([{"component": "operator_policy", "name": "p"}]));
    let of_users = api.expect(200, "GET", "/api/parameters/policy", "").json();
    assert_eq!(of_users[0]["value"]["definition"], json!({"max-length": 5}));
    let of_operators = api.expect(200, "GET", "/api/parameters/operator_policy/%2F", "").json();
    assert_eq!(of_operators[0]["value"], of_users[0]["value"]);
}

#[test]
fn policies_of_operators_are_set_as_parameters() {
    let api = Api::start();
    let path = "/api/parameters/operator_policy/%2F/p";
    let value = json!({
        "pattern": "^a", "definition": {"max-length": 5}, "apply-to": "queues", "priority": 0,
    });
    let body = json!({"value": value}).to_string();
    api.expect(201, "PUT", path, &body);
    api.expect(204, "PUT", path, &body);
    let policy = api.expect(200, "GET", "/api/operator-policies/%2F/p", "").json();
    assert_eq!(policy["definition"], json!({"max-length": 5}));
    api.expect(201, "PUT", "/api/queues/%2F/a", "{}");
    let queue = api.expect(200, "GET", "/api/queues/%2F/a", "").json();
    assert_eq!(queue["operator_policy"], "p");
    api.expect(204, "DELETE", path, "");
    assert_eq!(api.expect(200, "GET", "/api/operator-policies", "").json(), json!([]));

    let reason = |value| refused(&api, "PUT", path, &json!({"value": value}));
    for (value, wrong) in [
        (json!(5), "p not a list 5"),
        (
            json!({"foo": 1}),
            "Unrecognised terms [{&lt;&lt;\"foo\"&gt;&gt;,1}] in p\n\
             Key \"definition\" not found in p\n\
             Key \"pattern\" not found in p\nKey \"priority\" not found in p",
        ),
        (
            json!({"pattern": "^a", "definition": {"max-length": 5}}),
            "Key \"priority\" not found in p",
        ),
    ] {
        assert_eq!(reason(value), format!("Validation failed\n\n{wrong}\n"));
    }
}

#[test]
fn nothing_is_declared_on_another_node() {
    let api = Api::start();
    let overview = api.expect(200, "GET", "/api/overview", "").json();
    let own = overview["node"].as_str().unwrap();
    let (name, host) = own.split_once('@').unwrap();
    for path in ["/api/queues/%2F/a", "/api/exchanges/%2F/a"] {
        let reason = |node: &str| refused(&api, "PUT", path, &json!({"node": node}));
        assert_eq!(reason("a-b@c"), "Node 'a-b@c' could not be contacted");
        assert_eq!(reason("other@c"), "Node other@c could not be contacted");
        let reason = reason("other");
        let reason = reason.as_str().unwrap();
        assert!(reason.contains("other@") && reason.contains(host), "{reason}");
        api.expect(404, "GET", path, "");
        api.expect(201, "PUT", path, &json!({"node": own}).to_string());
        api.expect(204, "PUT", path, &json!({"node": name}).to_string());
    }
}
