//! Users over HTTP.

use serde_json::json;

use crate::Api;

#[test]
fn users_are_listed_in_pages() {
    let api = Api::start();
    for name in ["anna", "bob", "carl"] {
        let body = r#"{"password": "pw", "tags": ""}"#;
        api.expect(201, "PUT", &format!("/api/users/{name}"), body);
    }
    let page = |path: &str| {
        let page = api.expect(200, "GET", path, "").json();
        let names = page["items"].as_array().unwrap().iter().map(|user| user["name"].clone());
        json!({"total": page["total_count"], "pages": page["page_count"],
            "names": names.collect::<Vec<_>>()})
    };
    let first = json!({"total": 4, "pages": 2, "names": ["anna", "bob", "carl"]});
    assert_eq!(page("/api/users?page=1&page_size=3"), first);
    let last = json!({"total": 4, "pages": 2, "names": ["guest"]});
    assert_eq!(page("/api/users?page=2&page_size=3"), last);
    let without = json!({"total": 3, "pages": 1, "names": ["bob"]});
    assert_eq!(page("/api/users/without-permissions?page=1&name=b"), without);
    let all = api.expect(200, "GET", "/api/users", "").json();
    assert_eq!(all.as_array().map(Vec::len), Some(4), "without a page all are listed");
}

#[test]
fn hashes_of_other_types_are_no_base64_and_tags_may_be_numbers() {
    let api = Api::start();
    for hash in [json!(5), json!(null), json!("!!!")] {
        let body = json!({"tags": "", "password_hash": hash}).to_string();
        let refused = api.expect(400, "PUT", "/api/users/anna", &body).json();
        assert_eq!(refused["reason"], json!(["not_base64", hash]));
    }
    let body = json!({"tags": [5, true, "monitoring"], "password": "pw"}).to_string();
    api.expect(201, "PUT", "/api/users/anna", &body);
    let user = api.expect(200, "GET", "/api/users/anna", "").json();
    assert_eq!(user["tags"], json!(["5", "true", "monitoring"]));
}
