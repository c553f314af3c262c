//! Declaring, publishing and getting.

use crate::Api;

#[test]
fn what_is_published_is_got() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/exchanges/%2F/e", r#"{"type": "topic"}"#);
    api.expect(201, "PUT", "/api/queues/%2F/q", r#"{"durable": true}"#);
    api.expect(201, "POST", "/api/bindings/%2F/e/e/q/q", r##"{"routing_key": "#"}"##);
    let published = api.expect(
        200,
        "POST",
        "/api/exchanges/%2F/e/publish",
        r#"{"routing_key": "k", "properties": {"priority": 3, "headers": {"h": 1}},
            "payload": "aGk=", "payload_encoding": "base64"}"#,
    );
    assert_eq!(published.json()["routed"], true);
    let get = r#"{"count": 5, "ackmode": "ack_requeue_false", "encoding": "auto"}"#;
    let got = api.expect(200, "POST", "/api/queues/%2F/q/get", get).json();
    assert_eq!(got.as_array().unwrap().len(), 1);
    assert_eq!((&got[0]["payload"], &got[0]["routing_key"]), (&"hi".into(), &"k".into()));
    assert_eq!(got[0]["properties"]["priority"], 3);
    assert_eq!(got[0]["properties"]["headers"]["h"], 1);
    assert_eq!(
        api.expect(200, "POST", "/api/queues/%2F/q/get", get).json().as_array().unwrap().len(),
        0
    );
}

#[test]
fn lists_have_pages_columns_and_an_order() {
    let api = Api::start();
    for n in 0..25 {
        api.expect(201, "PUT", &format!("/api/queues/%2F/q{n:02}"), "{}");
    }
    let page = api.expect(
        200,
        "GET",
        "/api/queues?page=2&page_size=10&sort=name&sort_reverse=true&columns=name",
        "",
    );
    let page = page.json();
    assert_eq!((&page["total_count"], &page["page_count"]), (&25.into(), &3.into()));
    assert_eq!(page["items"].as_array().unwrap().len(), 10);
    assert_eq!(page["items"][0], serde_json::json!({"name": "q14"}));
    let named = api.expect(200, "GET", "/api/queues?page=1&name=%5Eq0&use_regex=true", "").json();
    assert_eq!(named["filtered_count"], 10);
    let looking = "/api/queues?page=1&name=%5E(?=Q0)(?!.*1$)&use_regex=true";
    assert_eq!(api.expect(200, "GET", looking, "").json()["filtered_count"], 9);
    assert_eq!(api.call("GET", "/api/queues?page=1&name=(&use_regex=true", "").status, 400);
    assert_eq!(api.call("GET", "/api/queues?page=9", "").status, 400);
}
