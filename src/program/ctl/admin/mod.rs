//! The program under the name `rabbitmqadmin`: what version 1 of RabbitMQ's script of this name
//! does, as containers of the server are set up with it.

mod nouns;
mod options;
mod shown;

use std::ffi::OsString;
use std::io::Read as _;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde_json::{Map, Value};

use self::nouns::{BELOW_HOSTS, JSON, LISTS, NOUNS, Noun, OF_ALL};
use self::options::Admin;
use self::shown::written;
use super::failure::Failure;
use super::session::{Session, part};
use crate::program::output::say_line;

/// Why nothing was done.
type Failed = String;

/// Runs it; status 1 if it fails, as the script has it.
pub(super) fn run(arguments: &[OsString]) -> ExitCode {
    let admin = match Admin::try_parse_from(arguments) {
        Ok(admin) => admin,
        Err(answer) => {
            let printed = answer.print().is_ok();
            return match answer.exit_code() {
                0 if printed => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            };
        }
    };
    match admin.run() {
        Ok(said) => {
            if let Some(said) = said {
                say_line(said);
            }
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("*** {reason}");
            ExitCode::FAILURE
        }
    }
}

type Given = Map<String, Value>;

impl Admin {
    fn run(&self) -> Result<Option<String>, Failed> {
        let session = self.session()?;
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let said = match words.as_slice() {
            ["declare", what, given @ ..] => declare(&session, what, given)?,
            ["delete", what, given @ ..] => remove(&session, what, given, "", "deleted")?,
            ["purge", "queue", given @ ..] => {
                remove(&session, "queue", given, "/contents", "purged")?
            }
            ["close", "connection", given @ ..] => {
                remove(&session, "connection", given, "", "closed")?
            }
            ["publish", given @ ..] => publish(&session, given)?,
            ["get", given @ ..] => return self.get(&session, given).map(Some),
            ["list", what, columns @ ..] => return self.list(&session, what, columns).map(Some),
            ["show", "overview", columns @ ..] => return self.show(&session, columns).map(Some),
            ["export", file] => self.export(&session, file)?,
            ["import", file] => self.import(&session, file)?,
            _ => {
                return Err("that is no subcommand: `rabbitmqadmin --help` lists them".into());
            }
        };
        Ok(Some(said).filter(|_| !self.quiet))
    }

    fn columns(&self, named: &[&str], default: &[&str]) -> Vec<String> {
        let columns = match named.is_empty() {
            false => named,
            true if self.format.shows_all() => &[],
            true => default,
        };
        columns.iter().map(|column| (*column).to_owned()).collect()
    }

    fn list(&self, session: &Session, what: &str, named: &[&str]) -> Result<String, Failed> {
        let known = LISTS.iter().find(|(name, _)| *name == what);
        let (_, default) = known.ok_or_else(|| {
            let names: Vec<_> = LISTS.iter().map(|(name, _)| *name).collect();
            format!("cannot list '{what}'; known are: {}", names.join(", "))
        })?;
        let columns = self.columns(named, default);
        let noun = what.replace('_', "-");
        let path = match &self.vhost {
            Some(vhost) if BELOW_HOSTS.contains(&what) => format!("vhosts/{}/{noun}", part(vhost)),
            Some(vhost) if !OF_ALL.contains(&what) => format!("{noun}/{}", part(vhost)),
            _ => noun,
        };
        let mut asked = vec![format!("sort_reverse={}", self.sort_reverse)];
        asked.extend(self.sort.iter().map(|column| format!("sort={}", part(column))));
        if !columns.is_empty() {
            asked.push(format!("columns={}", columns.join(",")));
        }
        match get_value(session, &format!("/api/{path}?{}", asked.join("&")))? {
            Value::Array(rows) => Ok(written(&rows, &columns, self.format)),
            other => Ok(written(&[other], &columns, self.format)),
        }
    }

    fn show(&self, session: &Session, named: &[&str]) -> Result<String, Failed> {
        let default =
            ["rabbitmq_version", "cluster_name", "queue_totals.messages", "object_totals.queues"];
        let overview = get_value(session, "/api/overview")?;
        Ok(written(&[overview], &self.columns(named, &default), self.format))
    }

    fn get(&self, session: &Session, given: &[&str]) -> Result<String, Failed> {
        let mut given = pairs(given)?;
        require(&given, &["queue"])?;
        let file = given.remove("payload_file");
        for (name, default) in
            [("count", "1"), ("ackmode", "ack_requeue_true"), ("encoding", "auto")]
        {
            given.entry(name).or_insert_with(|| default.into());
        }
        let path = place(session, "queues/{vhost}/{queue}/get", &given);
        let answer = session.post(&path, &Value::Object(given)).map_err(Failure::into_reason)?;
        let messages = answer.json();
        let messages = messages.as_array().cloned().unwrap_or_default();
        if let Some(file) = file.as_ref().and_then(Value::as_str) {
            let message = messages.first().ok_or("Queue is empty")?;
            let payload = message.get("payload").and_then(Value::as_str).unwrap_or_default();
            let encoding = message.get("payload_encoding").and_then(Value::as_str);
            let is_coded = encoding == Some("base64");
            let octets = match is_coded {
                true => STANDARD.decode(payload).map_err(|error| error.to_string())?,
                false => payload.as_bytes().to_vec(),
            };
            std::fs::write(file, octets).map_err(|error| format!("{file}: {error}"))?;
            return Ok(format!("Message payload written to \"{file}\""));
        }
        let columns = [
            "routing_key",
            "exchange",
            "message_count",
            "payload",
            "payload_bytes",
            "payload_encoding",
            "redelivered",
        ];
        Ok(written(&messages, &columns.map(str::to_owned), self.format))
    }

    fn definitions(&self) -> String {
        let of = self.vhost.as_ref().map(|vhost| format!("/{}", part(vhost)));
        format!("/api/definitions{}", of.unwrap_or_default())
    }

    fn export(&self, session: &Session, file: &str) -> Result<String, Failed> {
        let definitions = get_value(session, &self.definitions())?.to_string();
        std::fs::write(file, definitions).map_err(|error| format!("{file}: {error}"))?;
        Ok(format!("Exported definitions for {} to \"{file}\"", session.client.authority))
    }

    fn import(&self, session: &Session, file: &str) -> Result<String, Failed> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let definitions: Value =
            serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
        session.post(&self.definitions(), &definitions).map_err(Failure::into_reason)?;
        Ok(format!("Uploaded definitions from \"{file}\" to {}", session.client.authority))
    }
}

fn get_value(session: &Session, path: &str) -> Result<Value, Failed> {
    let answer = session.get(path).map_err(Failure::into_reason)?;
    match answer.status {
        200 => Ok(answer.json()),
        404 => Err(format!("Not found: {path}")),
        _ => Err(answer.reason()),
    }
}

/// `name=value`, as many as there are.
fn pairs(words: &[&str]) -> Result<Given, Failed> {
    let pair = |word: &&str| {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| format!("Argument \"{word}\" not in the name=value format"))?;
        let value = match JSON.contains(&name) {
            false => value.into(),
            true => serde_json::from_str(value)
                .map_err(|error| format!("Could not parse JSON of {name}: {error}"))?,
        };
        Ok((name.to_owned(), value))
    };
    words.iter().map(pair).collect()
}

fn require(given: &Given, names: &[&str]) -> Result<(), Failed> {
    match names.iter().find(|name| !given.contains_key(**name)) {
        Some(name) => Err(format!("mandatory argument \"{name}\" required")),
        None => Ok(()),
    }
}

/// The path of something: names in braces are those that are given.
fn place(session: &Session, pattern: &str, given: &Given) -> String {
    let value = |name: &str| match (given.get(name), name) {
        (Some(value), _) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        (None, "vhost") => session.vhost.clone(),
        (None, "properties_key") => "~".to_owned(),
        (None, "destination_type") => "queue".to_owned(),
        (None, _) => String::new(),
    };
    let filled = pattern.split('/').map(|step| {
        match step.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some("end") => value("destination_type").chars().take(1).collect(),
            Some(name) => part(&value(name)),
            None => step.to_owned(),
        }
    });
    format!("/api/{}", filled.collect::<Vec<_>>().join("/"))
}

fn noun(what: &str) -> Result<&'static Noun, Failed> {
    NOUNS.iter().find(|noun| noun.name == what).ok_or_else(|| {
        let names: Vec<_> = NOUNS.iter().map(|noun| noun.name).collect();
        format!("there is no '{what}'; known are: {}", names.join(", "))
    })
}

fn declare(session: &Session, what: &str, given: &[&str]) -> Result<String, Failed> {
    let noun = noun(what)?;
    let mut body = pairs(given)?;
    require(&body, noun.mandatory)?;
    if what == "user" && !body.contains_key("password") && !body.contains_key("password_hash") {
        return Err("mandatory argument \"password\" or \"password_hash\" required".into());
    }
    let known = |name: &str| {
        name == "vhost"
            || noun.mandatory.contains(&name)
            || noun.optional.iter().any(|(known, _)| *known == name)
    };
    if let Some(name) = body.keys().find(|name| !known(name)) {
        return Err(format!("unknown argument \"{name}\" of {what}"));
    }
    for (name, default) in noun.optional.iter().filter(|(_, default)| !default.is_empty()) {
        if !body.contains_key(*name) {
            body.extend(pairs(&[&format!("{name}={default}")])?);
        }
    }
    if let Some(queue_type) = body.remove("queue_type")
        && let Some(Value::Object(arguments)) = body.get_mut("arguments")
    {
        arguments.insert("x-queue-type".into(), queue_type);
    }
    let path = place(session, noun.place, &body);
    let done = match what {
        "binding" => {
            body.entry("routing_key").or_insert_with(|| "".into());
            session.post(&path, &Value::Object(body)).map(|_| ())
        }
        _ => session.put(&path, &Value::Object(body)).map(|_| ()),
    };
    done.map_err(Failure::into_reason)?;
    Ok(format!("{what} declared"))
}

/// Deletes something, or what is in it.
fn remove(
    session: &Session,
    what: &str,
    given: &[&str],
    below: &str,
    done: &str,
) -> Result<String, Failed> {
    let given = pairs(given)?;
    let pattern = match what {
        "connection" => "connections/{name}".to_owned(),
        "binding" => format!("{}/{{properties_key}}", noun(what)?.place),
        _ => format!("{}{below}", noun(what)?.place),
    };
    let named = ["component", "name", "user", "source", "destination"];
    let named = named.into_iter().filter(|name| pattern.contains(&format!("{{{name}}}")));
    require(&given, &named.collect::<Vec<_>>())?;
    let path = place(session, &pattern, &given);
    match session.delete(&path).map_err(Failure::into_reason)? {
        true => Ok(format!("{what} {done}")),
        false => Err(format!("Not found: {path}")),
    }
}

fn publish(session: &Session, given: &[&str]) -> Result<String, Failed> {
    let mut given = pairs(given)?;
    require(&given, &["routing_key"])?;
    given.entry("exchange").or_insert_with(|| "amq.default".into());
    given.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    given.entry("payload_encoding").or_insert_with(|| "string".into());
    if !given.contains_key("payload") {
        let mut octets = Vec::new();
        std::io::stdin().read_to_end(&mut octets).map_err(|error| error.to_string())?;
        let is_coded = given.get("payload_encoding").and_then(Value::as_str) == Some("base64");
        let payload = match is_coded {
            true => STANDARD.encode(octets),
            false => String::from_utf8(octets).map_err(|_| "the message is not text")?,
        };
        given.insert("payload".into(), payload.into());
    }
    let path = place(session, "exchanges/{vhost}/{exchange}/publish", &given);
    let answer = session.post(&path, &Value::Object(given)).map_err(Failure::into_reason)?;
    Ok(match answer.json().get("routed") {
        Some(Value::Bool(true)) => "Message published",
        _ => "Message published but NOT routed",
    }
    .to_owned())
}
