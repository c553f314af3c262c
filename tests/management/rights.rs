//! Who may do what.

use crate::Api;

#[test]
fn nobody_gets_in_without_a_login_or_with_a_wrong_one() {
    let api = Api::start();
    for path in ["/api/whoami", "/api/users", "/api/queues", "/api/definitions"] {
        assert_eq!(api.raw("", "GET", path, "").status, 401, "{path}");
        assert_eq!(api.call_as("guest", "wrong", "GET", path, "").status, 401, "{path}");
    }
}

#[test]
fn tags_and_permissions_decide_what_a_user_may_do() {
    let api = Api::start();
    for (user, tags) in [("none", ""), ("plain", "management"), ("watcher", "monitoring")] {
        let body = format!(r#"{{"password": "pw", "tags": "{tags}"}}"#);
        api.expect(201, "PUT", &format!("/api/users/{user}"), &body);
    }
    api.expect(201, "PUT", "/api/queues/%2F/q", "{}");
    let status =
        |user: &str, method: &str, path: &str| api.call_as(user, "pw", method, path, "{}").status;
    assert_eq!(status("none", "GET", "/api/whoami"), 401);
    assert_eq!(status("plain", "GET", "/api/whoami"), 200);
    assert_eq!(status("plain", "GET", "/api/queues/%2F/q"), 401);
    assert_eq!(status("plain", "PUT", "/api/vhosts/v"), 401);
    assert_eq!(status("watcher", "GET", "/api/users"), 401);
    let all = r#"{"configure": "", "write": "", "read": ".*"}"#;
    api.expect(201, "PUT", "/api/permissions/%2F/plain", all);
    assert_eq!(status("plain", "GET", "/api/queues/%2F/q"), 200);
    assert_eq!(status("plain", "DELETE", "/api/queues/%2F/q"), 401);
}

#[test]
fn pages_of_other_sites_cannot_make_a_browser_call() {
    let api = Api::start();
    let login = "authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";
    let foreign = format!("{login}origin: https://elsewhere.example\r\n");
    assert_eq!(api.raw(&foreign, "PUT", "/api/queues/%2F/q", "{}").status, 403);
    assert_eq!(api.raw(login, "PUT", "/api/queues/%2F/q", "{}").status, 201);
}

#[test]
fn what_is_unknown_is_told_apart() {
    let api = Api::start();
    assert_eq!(api.call("GET", "/api/nonsense", "").status, 404);
    assert_eq!(api.call("POST", "/api/whoami", "").status, 405);
    assert_eq!(api.call("PUT", "/api/queues/%2F/q", "{").status, 400);
    let answer = api.call("GET", "/api/queues/%2F/missing", "");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"], "Object Not Found");
}
