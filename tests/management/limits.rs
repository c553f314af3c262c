//! Limits of virtual hosts and users hold.

use leveret::QueueDeclare;
use serde_json::json;

use crate::Api;

#[test]
fn a_virtual_host_has_no_more_queues_than_it_may() {
    let api = Api::start();
    api.expect(204, "PUT", "/api/vhost-limits/%2F/max-queues", r#"{"value": 1}"#);
    let connection = api.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare("a").unwrap();
    channel.queue_declare("a").unwrap();
    let refused = channel.queue_declare_with(&QueueDeclare::new("b").durable()).unwrap_err();
    let text = "PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost '/' (1) is \
                reached";
    assert_eq!((refused.reply_code(), refused.reply_text().as_str()), (406, text));
    api.expect(400, "PUT", "/api/queues/%2F/b", "{}");
    channel.queue_delete("a").unwrap();
    api.expect(201, "PUT", "/api/queues/%2F/b", "{}");
    api.expect(204, "DELETE", "/api/vhost-limits/%2F/max-queues", "");
    channel.queue_declare("a").unwrap();
}

#[test]
fn a_virtual_host_has_no_more_connections_than_it_may() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/vhosts/v", "{}");
    api.expect(204, "PUT", "/api/vhost-limits/v/max-connections", r#"{"value": 1}"#);
    let first = api.broker.connect_to("v").unwrap();
    let text = "NOT_ALLOWED - access to vhost 'v' refused for user 'guest': connection limit (1) \
                is reached";
    assert_eq!(api.broker.connect_to("v").unwrap_err().reply_text(), text);
    api.broker.connect_to("/").unwrap();
    first.close();
    api.broker.connect_to("v").unwrap();
}

#[test]
fn a_user_has_no_more_connections_than_it_may() {
    let api = Api::start();
    let user = r#"{"password": "pw", "tags": ""}"#;
    api.expect(201, "PUT", "/api/users/u", user);
    api.expect(201, "PUT", "/api/vhosts/v", "{}");
    for vhost in ["%2F", "v"] {
        let all = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
        api.expect(201, "PUT", &format!("/api/permissions/{vhost}/u"), all);
    }
    api.expect(204, "PUT", "/api/user-limits/u/max-connections", r#"{"value": 2}"#);
    let first = api.broker.connect_as("u", "/").unwrap();
    let _second = api.broker.connect_as("u", "v").unwrap();
    let text =
        "NOT_ALLOWED - connection refused for user 'u': user connection limit (2) is reached";
    assert_eq!(api.broker.connect_as("u", "/").unwrap_err().reply_text(), text);
    drop(first);
    let _third = api.broker.connect_as("u", "/").unwrap();
    api.expect(204, "PUT", "/api/user-limits/u/max-connections", r#"{"value": -1}"#);
    api.broker.connect_as("u", "/").unwrap();
    api.expect(204, "PUT", "/api/user-limits/u/max-connections", r#"{"value": 5000000000}"#);
    api.broker.connect_as("u", "/").unwrap();
}

#[test]
fn a_user_has_no_more_channels_than_it_may_on_all_connections() {
    let api = Api::start();
    api.expect(204, "PUT", "/api/user-limits/guest/max-channels", r#"{"value": 2}"#);
    let (one, other) = (api.broker.connect().unwrap(), api.broker.connect().unwrap());
    let first = one.open_channel().unwrap();
    let _second = other.open_channel().unwrap();
    let refused = other.open_channel().unwrap_err();
    let text = "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum \
                allowed user limit of (2)";
    assert_eq!(refused.reply_text(), text);
    first.close();
    let _third = other.open_channel().unwrap();
    other.close();
    let _fourth = one.open_channel().unwrap();
}

#[test]
fn negative_limits_are_none_and_are_told() {
    let api = Api::start();
    api.expect(204, "PUT", "/api/user-limits/guest/max-channels", r#"{"value": -1}"#);
    api.expect(204, "PUT", "/api/user-limits/guest/max-connections", r#"{"value": 5000000000}"#);
    api.expect(204, "PUT", "/api/vhost-limits/%2F/max-queues", r#"{"value": -7}"#);
    let of_user = json!({"max-channels": -1, "max-connections": 5_000_000_000_i64});
    let of_host = json!({"max-queues": -7});
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    let listed = api.expect(200, "GET", "/api/user-limits", "").json();
    assert_eq!(listed, json!([{"user": "guest", "value": of_user}]));
    assert_eq!(api.expect(200, "GET", "/api/user-limits/guest", "").json(), listed);
    assert_eq!(api.expect(200, "GET", "/api/users/guest", "").json()["limits"], of_user);
    let listed = api.expect(200, "GET", "/api/vhost-limits", "").json();
    assert_eq!(listed, json!([{"vhost": "/", "value": of_host}]));
    let exported = api.expect(200, "GET", "/api/definitions", "").body;
    let other = Api::start();
    other.expect(204, "POST", "/api/definitions", &exported);
    assert_eq!(other.expect(200, "GET", "/api/users/guest", "").json()["limits"], of_user);
    let listed = other.expect(200, "GET", "/api/vhost-limits/%2F", "").json();
    assert_eq!(listed[0]["value"], of_host);
    api.expect(204, "DELETE", "/api/user-limits/guest/max-channels", "");
    api.expect(204, "DELETE", "/api/user-limits/guest/max-connections", "");
    assert_eq!(api.expect(200, "GET", "/api/user-limits", "").json(), json!([]));
}
