//! Definitions out and in.

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
