//! Logging in by a form, how often that was tried, and hashes of passwords.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderValue, SET_COOKIE};
use serde_json::json;

use crate::access::PasswordHash;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::endpoint::{Accepts, Endpoint, delete, get, post};
use crate::management::json::object;
use crate::management::list::whole;
use crate::management::login::{Credentials, NoLogin};
use crate::management::rights::{self, Who};
use crate::node::login_attempts::LoginProtocol;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/auth", Who::Anyone, settings, "Whether OAuth 2 is used, which it is not."),
    post("api/login", Who::Anyone, login, "Checks username and password of a form.")
        .taking(Accepts::Form),
    get(
        "api/auth/attempts/{node}",
        Who::Monitors,
        attempts,
        "How often somebody logged in or was not let in, by protocol.",
    ),
    delete("api/auth/attempts/{node}", Who::Monitors, reset, "Counts from nothing again."),
    get(
        "api/auth/attempts/{node}/source",
        Who::Monitors,
        by_source,
        "The same by address and user, which is not kept.",
    ),
    delete("api/auth/attempts/{node}/source", Who::Monitors, reset, "Counts from nothing again."),
    get(
        "api/auth/hash_password/{password}",
        Who::Administrators,
        hash_password,
        "A salted hash of a password, to make users with.",
    ),
];

fn settings(_: &Call) -> Outcome {
    Ok(Answer::json(&json!({ "oauth_enabled": false })))
}

/// The credentials come back in a cookie, as pages of RabbitMQ's want them. The API never reads
/// it: a page of another origin gains nothing by having it sent.
fn login(call: &Call) -> Outcome {
    let form: Vec<(String, String)> = form_urlencoded::parse(&call.body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let (Some(name), Some(password)) = (field("username"), field("password")) else {
        return Ok(NoLogin::Refused.into_answer());
    };
    let credentials = Credentials::Basic(name.clone(), password.clone());
    let logged_in = call.manager.log_in(credentials, call.peer);
    let user = match tokio::runtime::Handle::current().block_on(logged_in) {
        Ok(user) => user,
        Err(no_login) => return Ok(no_login.into_answer()),
    };
    let may = rights::is_manager(&user);
    call.node().login_attempts.note(LoginProtocol::Http, may);
    if !may {
        return Err(Refusal::not_authorised(rights::NOT_A_MANAGER));
    }
    let token = STANDARD.encode(format!("{name}:{password}"));
    let cookie = format!("auth={token}; Path=/; HttpOnly; SameSite=Strict");
    let mut answer = Answer::json(&"ok");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers.insert(SET_COOKIE, cookie);
    }
    Ok(answer)
}

fn attempts(call: &Call) -> Outcome {
    call.check_node()?;
    let protocols = [
        (LoginProtocol::Amqp, "amqp091"),
        (LoginProtocol::Http, "http"),
        (LoginProtocol::Stream, "stream"),
    ];
    let rows = protocols.map(|(protocol, name)| {
        let counts = call.node().login_attempts.counts(protocol);
        object! {
            "protocol": name,
            "auth_attempts": counts.succeeded + counts.failed,
            "auth_attempts_failed": counts.failed,
            "auth_attempts_succeeded": counts.succeeded,
        }
    });
    whole(call, rows.into(), &["protocol"])
}

fn by_source(call: &Call) -> Outcome {
    call.check_node()?;
    Ok(Answer::json(&json!([])))
}

fn reset(call: &Call) -> Outcome {
    call.check_node()?;
    call.node().login_attempts.reset();
    Ok(Answer::done())
}

fn hash_password(call: &Call) -> Outcome {
    let salt = PasswordHash::random_salt().map_err(|error| Refusal::bad(error.to_string()))?;
    let hash = PasswordHash::new(call.name("password"), salt);
    Ok(Answer::json(&json!({ "ok": hash.to_base64() })))
}
