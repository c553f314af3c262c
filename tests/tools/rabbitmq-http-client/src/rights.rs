//! Users, permissions, limits of users.

use rabbitmq_http_client::commons::{PaginationParams, UserLimitTarget};
use rabbitmq_http_client::password_hashing::{base64_encoded_salted_password_hash_sha256, salt};
use rabbitmq_http_client::requests::{
    EnforcedLimitParams, Permissions, TopicPermissions, UserParams,
};
use serde_json::json;

use crate::{Api, Done, HOST, client, expect};

pub(crate) fn run(api: &Api, http: &str) {
    users(api, http);
    permissions(api);
    topic_permissions(api);
    limits(api);
    api.delete_users(vec!["rust", "other"]).done("delete_users");
    expect("users", api.list_users().done("list_users").len(), 1);
}

fn users(api: &Api, http: &str) {
    let hash = base64_encoded_salted_password_hash_sha256(&salt(), "secret");
    api.create_user(&UserParams::new("rust", &hash, "management")).done("create_user");
    let user = api.get_user("rust").done("get_user");
    expect("hash", user.password_hash.map(|hash| hash.to_string()), Some(hash.clone()));
    let own = client(http, "rust", "secret");
    expect("current_user", own.current_user().done("current_user").name, "rust");
    assert!(own.list_users().is_err(), "it is no administrator");
    let wrong = client(http, "rust", "wrong");
    assert!(wrong.current_user().is_err(), "the password is another one");

    api.create_user(&UserParams::administrator("other", &hash)).done("create_user");
    expect("users", api.list_users().done("list_users").len(), 3);
    let pages = PaginationParams::first_page_default();
    expect("page", api.list_users_paged(&pages).done("list_users_paged").len(), 3);
    let call = "list_users_without_permissions";
    expect("without", api.list_users_without_permissions().done(call).len(), 2);
    api.delete_user("other", false).done("delete_user");
    api.delete_user("other", true).done("delete_user");
    assert!(api.delete_user("other", false).is_err(), "it is deleted already");
    api.create_user(&UserParams::monitoring("other", &hash)).done("create_user");
}

fn permissions(api: &Api) {
    let given = Permissions { configure: "^c", read: "^r", write: "^w", user: "rust", vhost: HOST };
    api.declare_permissions(&given).done("declare_permissions");
    let found = api.get_permissions(HOST, "rust").done("get_permissions");
    expect("configure", &found.configure, "^c");
    api.grant_permissions(&Permissions::read_only("rust", HOST)).done("grant_permissions");
    api.grant_full_permissions("rust", HOST).done("grant_full_permissions");
    expect("of user", api.list_permissions_of("rust").done("list_permissions_of").len(), 1);
    expect("in host", api.list_permissions_in(HOST).done("list_permissions_in").len(), 2);
    expect("all", api.list_permissions().done("list_permissions").len(), 3);
    api.clear_permissions(HOST, "rust", false).done("clear_permissions");
    api.clear_permissions(HOST, "rust", true).done("clear_permissions");
    assert!(api.get_permissions(HOST, "rust").is_err(), "they are taken back");
}

fn topic_permissions(api: &Api) {
    let given = TopicPermissions {
        user: "rust",
        vhost: HOST,
        write: "^w",
        read: "^r",
        exchange: "amq.topic",
    };
    api.declare_topic_permissions(&given).done("declare_topic_permissions");
    expect("all", api.list_topic_permissions().done("list_topic_permissions").len(), 1);
    let call = "list_topic_permissions_in";
    expect("in host", api.list_topic_permissions_in(HOST).done(call).len(), 1);
    let call = "list_topic_permissions_of";
    expect("of user", api.list_topic_permissions_of("rust").done(call)[0].write.as_str(), "^w");
    let found = api.get_topic_permissions_of(HOST, "rust").done("get_topic_permissions_of");
    expect("exchange", found.exchange.as_str(), "amq.topic");
    api.clear_topic_permissions(HOST, "rust", false).done("clear_topic_permissions");
    api.clear_topic_permissions(HOST, "rust", true).done("clear_topic_permissions");
}

fn limits(api: &Api) {
    for kind in [UserLimitTarget::MaxConnections, UserLimitTarget::MaxChannels] {
        let limit = EnforcedLimitParams::new(kind.clone(), 7);
        api.set_user_limit("rust", limit).done("set_user_limit");
        let limits = api.list_user_limits("rust").done("list_user_limits");
        expect("limit", limits[0].limits.0.get(kind.as_ref()), Some(&json!(7)));
        expect("all", api.list_all_user_limits().done("list_all_user_limits").len(), 1);
        api.clear_user_limit("rust", kind).done("clear_user_limit");
    }
}
