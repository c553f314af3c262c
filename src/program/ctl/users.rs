//! Users.

use std::io::{BufRead, IsTerminal};

use hyper::Method;
use leveret::access::PasswordHash;
use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, part};
use super::vhosts::limits;

/// Commands about users.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum UsersCommand {
    /// Adds a user, who has no permissions yet
    AddUser {
        username: String,
        /// Read from standard input if it is not given
        #[arg(allow_hyphen_values = true)]
        password: Option<String>,
    },
    /// Changes the password of a user
    ChangePassword {
        username: String,
        /// Read from standard input if it is not given
        #[arg(allow_hyphen_values = true)]
        password: Option<String>,
    },
    /// Takes the password of a user away: nobody logs in with one
    ClearPassword { username: String },
    /// Tries a login
    AuthenticateUser {
        username: String,
        /// Read from standard input if it is not given
        #[arg(allow_hyphen_values = true)]
        password: Option<String>,
    },
    /// Removes a user
    DeleteUser { username: String },
    /// Tells the hash of a password, as definitions and the HTTP API take it
    HashPassword {
        /// Read from standard input if it is not given
        #[arg(allow_hyphen_values = true)]
        password: Option<String>,
    },
    /// Lists users and their tags
    ListUsers,
    /// Sets the tags of a user: administrator, monitoring, policymaker, management
    SetUserTags { username: String, tags: Vec<String> },
    /// Sets limits of a user, as JSON: {"max-connections": 10, "max-channels": 100}
    SetUserLimits { username: String, definition: String },
    /// Removes a limit of a user, or `all`
    ClearUserLimits { username: String, limit: String },
    /// Lists limits of a user, or of all
    ListUserLimits {
        /// Whose; behind this command `--user` is the same
        #[arg(long = "for-user", value_name = "USERNAME", default_value = "guest")]
        of: String,
        /// Of all users
        #[arg(long)]
        global: bool,
    },
}

/// Does it.
pub(super) fn run(session: &Session, command: &UsersCommand) -> Result<Said, Failure> {
    match command {
        UsersCommand::AddUser { username, password } => add(session, username, password.as_deref()),
        UsersCommand::ChangePassword { username, password } => {
            session.tell(format!("Changing password for user \"{username}\" ..."));
            let body = json!({ "password": given(password.as_deref())? });
            change(session, username, body)
        }
        UsersCommand::ClearPassword { username } => {
            session.tell(format!("Clearing password for user \"{username}\" ..."));
            check(session, username)?;
            change(session, username, json!({ "password_hash": "" }))
        }
        UsersCommand::AuthenticateUser { username, password } => {
            session.tell(format!("Authenticating user \"{username}\" ..."));
            authenticate(session, username, &given(password.as_deref())?)
        }
        UsersCommand::DeleteUser { username } => {
            session.tell(format!("Deleting user \"{username}\" ..."));
            match session.delete(&path(username))? {
                true => Ok(Said::Nothing),
                false => Err(unknown(username)),
            }
        }
        UsersCommand::HashPassword { password } => hash(session, password.as_deref()),
        UsersCommand::ListUsers => list(session),
        UsersCommand::SetUserTags { username, tags } => {
            let told = tags.join(", ");
            session.tell(format!("Setting tags for user \"{username}\" to [{told}] ..."));
            change(session, username, json!({ "tags": tags.join(",") }))
        }
        UsersCommand::SetUserLimits { username, definition } => {
            session.tell(format!(
                "Setting user limits to \"{definition}\" for user \"{username}\" ..."
            ));
            check(session, username)?;
            set_limits(session, username, definition)
        }
        UsersCommand::ClearUserLimits { username, limit } => {
            let which = match limit.as_str() {
                "all" => "all limits".to_owned(),
                limit => format!("\"{limit}\" limit"),
            };
            session.tell(format!("Clearing {which} for user \"{username}\" ..."));
            check(session, username)?;
            session.delete(&format!("/api/user-limits/{}/{}", part(username), part(limit)))?;
            Ok(Said::Nothing)
        }
        UsersCommand::ListUserLimits { global: true, .. } => {
            session.tell("Listing limits for all users ...");
            Ok(limits("user", &session.list("/api/user-limits")?))
        }
        UsersCommand::ListUserLimits { of, .. } => list_limits(session, of),
    }
}

fn path(user: &str) -> String {
    format!("/api/users/{}", part(user))
}

/// That there is no such user, as commands say it that know of it.
fn unknown(user: &str) -> Failure {
    Failure::new(failure::NO_USER, format!("User \"{user}\" does not exist"))
}

/// The same as other commands say it.
pub(super) fn no_such_user(user: &str) -> Failure {
    Failure::new(failure::UNAVAILABLE, format!("{{:no_such_user, {}}}", json!(user)))
}

/// Fails if there is no such user.
pub(super) fn check(session: &Session, user: &str) -> Result<(), Failure> {
    if session.has(&path(user))? { Ok(()) } else { Err(no_such_user(user)) }
}

/// The password that was given, or the first line of the standard input.
fn given(password: Option<&str>) -> Result<String, Failure> {
    if let Some(password) = password {
        return Ok(password.to_owned());
    }
    if std::io::stdin().is_terminal() {
        eprintln!("Password: ");
    }
    let mut line = String::new();
    // What cannot be read was not given.
    let _ = std::io::stdin().lock().read_line(&mut line);
    match line.trim_end_matches(['\r', '\n']) {
        "" => {
            let text = "Password is not provided via argument or stdin";
            Err(Failure::new(failure::DATA, text))
        }
        password => Ok(password.to_owned()),
    }
}

fn add(session: &Session, user: &str, password: Option<&str>) -> Result<Said, Failure> {
    session.tell(format!("Adding user \"{user}\" ..."));
    let password = given(password)?;
    if session.has(&path(user))? {
        return Err(Failure::new(failure::SOFTWARE, format!("User \"{user}\" already exists")));
    }
    session.put(&path(user), &json!({ "password": password, "tags": "" }))?;
    session.tell(
        "Done. Don't forget to grant the user permissions to some virtual hosts! See 'rabbitmqctl \
         help set_permissions' to learn more.",
    );
    Ok(Said::Nothing)
}

/// Replaces a user with what is other about it; the rest stays.
fn change(session: &Session, user: &str, with: Value) -> Result<Said, Failure> {
    let answer = session.get(&path(user))?;
    if answer.status == 404 {
        return Err(unknown(user));
    }
    let known = answer.json();
    let mut body = Map::new();
    for name in ["password_hash", "hashing_algorithm", "tags"] {
        if let Some(value) = known.get(name) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    if with.get("password").is_some() {
        body.remove("password_hash");
        body.remove("hashing_algorithm");
    }
    if let Value::Object(with) = with {
        body.extend(with);
    }
    session.put(&path(user), &Value::Object(body))?;
    Ok(Said::Nothing)
}

fn authenticate(session: &Session, user: &str, password: &str) -> Result<Said, Failure> {
    let asked = session.client.as_user(user, password);
    let answer = asked.try_ask(Method::GET, "/api/whoami", None);
    let answer = answer.map_err(|reason| Failure::new(failure::UNAVAILABLE, reason))?;
    // A user without a tag is known, and may not ask.
    if answer.status == 200 || answer.reason().contains("Not management user") {
        return Ok(Said::well("Success"));
    }
    let text = format!(
        "Error: failed to authenticate user \"{user}\"\nuser '{user}' - invalid credentials"
    );
    Err(Failure::new(failure::DATA, text))
}

fn hash(session: &Session, password: Option<&str>) -> Result<Said, Failure> {
    session.tell(match password {
        Some(password) => format!("Will hash password {password}"),
        None => "Will hash provided password".to_owned(),
    });
    let password = given(password)?;
    if password.is_empty() {
        return Err(Failure::new(failure::DATA, "password cannot be an empty string"));
    }
    let salt = PasswordHash::random_salt();
    let salt = salt.map_err(|error| Failure::new(failure::SOFTWARE, error.to_string()))?;
    let hash = PasswordHash::new(password, salt).to_base64();
    Ok(Said::Text(hash.clone(), json!(hash)))
}

fn list(session: &Session) -> Result<Said, Failure> {
    session.tell("Listing users ...");
    let row = |user: &Value| {
        let field = |name: &str| user.get(name).cloned().unwrap_or_default();
        Map::from_iter([("user".to_owned(), field("name")), ("tags".to_owned(), field("tags"))])
    };
    let users = session.list("/api/users?columns=name,tags")?;
    Ok(Said::rows(&["user", "tags"], users.iter().map(row).collect()))
}

/// Sets the limits that JSON gives; others stay.
fn set_limits(session: &Session, user: &str, definition: &str) -> Result<Said, Failure> {
    let limits = super::parameters::json(definition)?;
    let Value::Object(limits) = limits else {
        return Err(Failure::new(failure::DATA, "limits are a JSON object"));
    };
    let path = format!("/api/user-limits/{}", part(user));
    for (name, value) in limits {
        session.put(&format!("{path}/{}", part(&name)), &json!({ "value": value }))?;
    }
    Ok(Said::Nothing)
}

fn list_limits(session: &Session, of: &str) -> Result<Said, Failure> {
    session.tell(format!("Listing limits for user \"{of}\" ..."));
    check(session, of)?;
    let found = session.list(&format!("/api/user-limits/{}", part(of)))?;
    let value = found.first().and_then(|limits| limits.get("value")).cloned();
    let value = value.unwrap_or_else(|| json!({}));
    Ok(Said::Text(value.to_string(), value))
}
