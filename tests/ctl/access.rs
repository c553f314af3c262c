//! Users, permissions, virtual hosts, limits.

use crate::Server;

#[test]
fn users_come_and_go() {
    let server = Server::start();
    assert_eq!(
        server.output(&["list_users"]),
        "Listing users ...\nuser\ttags\nguest\t[administrator]\n"
    );
    assert_eq!(
        server.output(&["add_user", "a", "b"]),
        "Adding user \"a\" ...\nDone. Don't forget to grant the user permissions to some virtual \
         hosts! See 'rabbitmqctl help set_permissions' to learn more.\n"
    );
    let twice = server.failure(&["add_user", "a", "b"]);
    assert_eq!(twice, (70, "Error:\nUser \"a\" already exists\n".into()));
    assert_eq!(
        server.output(&["authenticate_user", "a", "b"]),
        "Authenticating user \"a\" ...\nSuccess\n"
    );
    let wrong = server.failure(&["authenticate_user", "a", "x"]);
    assert_eq!(
        wrong,
        (
            65,
            "Error:\nError: failed to authenticate user \"a\"\nuser 'a' - invalid credentials\n"
                .into()
        )
    );
    assert_eq!(
        server.output(&["set_user_tags", "a", "administrator", "monitoring"]),
        "Setting tags for user \"a\" to [administrator, monitoring] ...\n"
    );
    assert_eq!(server.output(&["authenticate_user", "a", "b", "-q"]), "Success\n");
    assert_eq!(server.output(&["change_password", "a", "c", "-q"]), "");
    assert_eq!(server.output(&["authenticate_user", "a", "c", "-q"]), "Success\n");
    let users = server.output(&["-s", "list_users"]);
    assert!(users.contains("a\t[administrator, monitoring]\n"), "{users}");
    assert_eq!(server.output(&["delete_user", "a"]), "Deleting user \"a\" ...\n");
    let gone = server.failure(&["delete_user", "a"]);
    assert_eq!(gone, (67, "Error:\nUser \"a\" does not exist\n".into()));
}

#[test]
fn passwords_may_come_by_standard_input() {
    let server = Server::start();
    assert_eq!(server.fed(&["add_user", "a"], "secret\n").status, 0);
    assert_eq!(server.fed(&["authenticate_user", "a"], "secret\n").status, 0);
    let said = server.fed(&["add_user", "b"], "");
    assert_eq!(said.status, 65);
    assert!(said.errors.contains("Password is not provided via argument or stdin"), "{said:?}");
    server.output(&["clear_password", "a"]);
    assert_eq!(server.ctl(&["authenticate_user", "a", "secret"]).status, 65);
}

#[test]
fn permissions_are_set_listed_and_cleared() {
    let server = Server::start();
    server.output(&["add_user", "a", "b"]);
    assert_eq!(
        server.output(&["set_permissions", "-p", "/", "a", "^c", "^w", "^r"]),
        "Setting permissions for user \"a\" in vhost \"/\" ...\n"
    );
    let nobody = server.failure(&["set_permissions", "nobody", ".*", ".*", ".*"]);
    assert_eq!(nobody, (67, "Error:\nUser nobody does not exist\n".into()));
    assert_eq!(
        server.output(&["list_user_permissions", "a"]),
        "Listing permissions for user \"a\" ...\nvhost\tconfigure\twrite\tread\n/\t^c\t^w\t^r\n"
    );
    let listed = server.output(&["list_permissions", "--formatter", "json"]);
    let json: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    assert!(json.iter().any(|one| one["user"] == "a" && one["write"] == "^w"), "{listed}");
    server.output(&["set_topic_permissions", "a", "amq.topic", "^a", "^b"]);
    let topics = server.output(&["list_topic_permissions", "-s"]);
    assert_eq!(topics, "a\tamq.topic\t^a\t^b\n");
    server.output(&["clear_topic_permissions", "a"]);
    server.output(&["clear_permissions", "a"]);
    assert_eq!(server.output(&["list_user_permissions", "a", "-s"]), "");
    let elsewhere = server.failure(&["set_permissions", "-p", "nowhere", "a", "", "", ""]);
    assert_eq!(elsewhere, (65, "Virtual host 'nowhere' does not exist\n".into()));
}

#[test]
fn limits_of_users() {
    let server = Server::start();
    server.output(&["add_user", "a", "secret"]);
    server.output(&["set_user_limits", "a", r#"{"max-channels": 5}"#]);
    server.output(&["set_user_limits", "a", r#"{"max-connections": -1}"#]);
    let limits = "{\"max-channels\":5,\"max-connections\":-1}\n";
    for of in [&["--user", "a"][..], &["--user=a"], &["--for-user", "a"]] {
        let said = server.output(&[&["list_user_limits"], of].concat());
        assert_eq!(said, format!("Listing limits for user \"a\" ...\n{limits}"));
    }
    let all = "Listing limits for all users ...\nuser\tlimits\na\t";
    assert_eq!(server.output(&["list_user_limits", "--global"]), format!("{all}{limits}"));
    let json = server.output(&["list_user_limits", "--global", "--formatter", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["limits"].as_str().unwrap(), limits.trim_end());
    let guest = "Listing limits for user \"guest\" ...\n{}\n";
    assert_eq!(server.output(&["list_user_limits"]), guest);
    let cleared = "Clearing \"max-channels\" limit for user \"a\" ...\n";
    assert_eq!(server.output(&["clear_user_limits", "a", "max-channels"]), cleared);
    let cleared = "Clearing all limits for user \"a\" ...\n";
    assert_eq!(server.output(&["clear_user_limits", "a", "all"]), cleared);
    assert_eq!(server.output(&["list_user_limits", "--global", "-q"]), "");
}

#[test]
fn virtual_hosts_and_limits() {
    let server = Server::start();
    assert_eq!(server.output(&["add_vhost", "v"]), "Adding vhost \"v\" ...\n");
    assert_eq!(server.output(&["add_vhost", "v", "-q"]), "", "it may be there already");
    assert_eq!(server.output(&["list_vhosts"]), "Listing vhosts ...\nname\n/\nv\n");
    assert_eq!(server.output(&["list_vhosts", "name", "tracing", "-s"]), "/\tfalse\nv\tfalse\n");
    server.output(&["set_vhost_limits", "-p", "v", r#"{"max-queues": 10}"#]);
    assert_eq!(
        server.output(&["list_vhost_limits", "-p", "v"]),
        "Listing limits for vhost \"v\" ...\n{\"max-queues\":10}\n"
    );
    server.output(&["set_vhost_limits", "-p", "v", r#"{"max-connections": -1}"#]);
    assert_eq!(
        server.output(&["list_vhost_limits", "--global"]),
        "Listing limits for all vhosts ...\nvhost\tlimits\nv\t{\"max-connections\":-1}\n"
    );
    server.output(&["clear_vhost_limits", "-p", "v"]);
    assert_eq!(server.output(&["list_vhost_limits", "-p", "v", "-q"]), "");
    let none = server.failure(&["clear_vhost_limits", "-p", "v"]);
    assert_eq!(none, (69, "Error:\nParameter does not exist\n".into()));
    assert_eq!(server.output(&["delete_vhost", "v"]), "Deleting vhost \"v\" ...\n");
    let gone = server.failure(&["delete_vhost", "v"]);
    assert_eq!(gone, (65, "Virtual host 'v' does not exist\n".into()));
}

#[test]
fn nobody_is_told_as_each_command_does_it() {
    let server = Server::start();
    for command in [
        &["set_user_tags", "nobody", "management"][..],
        &["delete_user", "nobody"],
        &["change_password", "nobody", "secret"],
    ] {
        let text = "Error:\nUser \"nobody\" does not exist\n";
        assert_eq!(server.failure(command), (67, text.into()), "{command:?}");
    }
    for command in [
        &["clear_password", "nobody"][..],
        &["list_user_permissions", "nobody"],
        &["list_user_topic_permissions", "nobody"],
        &["set_user_limits", "nobody", "{}"],
        &["clear_user_limits", "nobody", "all"],
        &["list_user_limits", "--user", "nobody"],
    ] {
        let text = "Error:\n{:no_such_user, \"nobody\"}\n";
        assert_eq!(server.failure(command), (69, text.into()), "{command:?}");
    }
}

#[test]
fn a_hash_is_that_of_the_password() {
    let server = Server::start();
    let hash = server.output(&["-q", "hash_password", "secret"]);
    let from_input = server.fed(&["-q", "hash_password"], "secret\n").output;
    assert_ne!(hash, from_input, "each has a salt of its own");
    let user = serde_json::json!({"name": "a", "password_hash": hash.trim(), "tags": ""});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("definitions.json");
    std::fs::write(&file, serde_json::json!({"users": [user]}).to_string()).unwrap();
    server.output(&["import_definitions", file.to_str().unwrap()]);
    server.output(&["authenticate_user", "a", "secret"]);
    let (status, _) = server.failure(&["hash_password", ""]);
    assert_eq!(status, 65);
}
