//! Who may call what: every endpoint, tried by everybody.
//!
//! The outcome is docs/http-rights.txt. If it is meant to change, write it anew with
//! `LEVERET_WRITE_RIGHTS=1 cargo test --test management table`.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use crate::{Api, login, send};

/// Who tries: the name of the user, and its tags.
const USERS: [(&str, &str); 5] = [
    ("none", ""),
    ("mgmt", "management"),
    ("policy", "policymaker"),
    ("monitor", "monitoring"),
    ("admin", "administrator"),
];

/// The columns: without a login, then each user in a virtual host that it has all permissions in,
/// and in one that it has none in.
const HEAD: &str = "\
# Who may call what. A + is let in, whatever comes of the request then; a - is not: 401.
#
#  1  without a login
#  2  a user without tags
#  3  tag management,    in a virtual host with permissions      4  in one without
#  5  tag policymaker,   in a virtual host with permissions      6  in one without
#  7  tag monitoring,    in a virtual host with permissions      8  in one without
#  9  tag administrator, in a virtual host with permissions     10  in one without
#
# 1 2 34 56 78 9a
";

/// All endpoints, as the server lists them: method and path.
fn endpoints(api: &Api) -> Vec<(String, String)> {
    let page = api.raw("", "GET", "/api/index.html", "").body;
    let rows = page.lines().filter_map(|line| line.strip_prefix("<tr><td>"));
    let rows = rows.filter_map(|row| {
        let (method, rest) = row.split_once("</td><td><code>")?;
        let (path, _) = rest.split_once("</code>")?;
        Some((method.to_owned(), path.to_owned()))
    });
    rows.collect()
}

/// The path with names of things that are not there, in this virtual host.
fn filled_in(path: &str, vhost: &str) -> String {
    let part = |part: &str| match part {
        "{vhost}" => vhost.to_owned(),
        "{user}" => "somebody".to_owned(),
        "{port}" => "1".to_owned(),
        named if named.starts_with('{') => "nothing".to_owned(),
        other => other.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn mark(status: u16) -> char {
    if status == 401 || status == 403 { '-' } else { '+' }
}

/// A broker with the users, who have all permissions in one virtual host and none in the other.
fn api() -> Api {
    let api = Api::start();
    for vhost in ["own", "foreign"] {
        api.expect(201, "PUT", &format!("/api/vhosts/{vhost}"), "{}");
    }
    for (user, tags) in USERS {
        let body = format!(r#"{{"password": "pw", "tags": "{tags}"}}"#);
        api.expect(201, "PUT", &format!("/api/users/{user}"), &body);
        let all = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
        api.expect(201, "PUT", &format!("/api/permissions/own/{user}"), all);
    }
    api
}

/// The status of an answer, which may never end.
fn status(api: &Api, headers: &str, method: &str, path: &str) -> u16 {
    let socket = send(api.address, headers, method, path, "{}");
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

fn row(api: &Api, method: &str, path: &str) -> String {
    let try_as = |user: &str, vhost: &str| {
        let path = filled_in(path, vhost);
        let status = status(api, &login(user, "pw"), method, &path);
        assert!(status < 500 || status == 503, "{method} {path} as {user}: {status}");
        mark(status)
    };
    let mut row = format!("  {}", mark(status(api, "", method, &filled_in(path, "own"))));
    let _ = write!(row, " {}", try_as("none", "own"));
    for (user, _) in &USERS[1..] {
        let _ = write!(row, " {}{}", try_as(user, "own"), try_as(user, "foreign"));
    }
    format!("{row}  {method:<6} {path}")
}

#[test]
fn everybody_may_what_is_written_down() {
    let first = api();
    let mut table = String::from(HEAD);
    for (method, path) in endpoints(&first) {
        // What deletes a virtual host has one of its own.
        let own = (method == "DELETE").then(api);
        let _ = writeln!(table, "{}", row(own.as_ref().unwrap_or(&first), &method, &path));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/http-rights.txt");
    if std::env::var_os("LEVERET_WRITE_RIGHTS").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    for (line, (is, was)) in table.lines().zip(written.lines()).enumerate() {
        assert_eq!(is, was, "line {} of docs/http-rights.txt", line + 1);
    }
    assert_eq!(table.lines().count(), written.lines().count());
}
