//! What was found, or what is said if it was not.

use leveret::internals::did_you_mean;
use serde_json::Value;

use super::text::string;
use crate::program::ctl::failure::{self, Failure};
use crate::program::ctl::session::Session;

/// What was found: for people, and all of it.
pub(super) struct Found {
    pub(super) text: String,
    pub(super) all: Value,
}

/// That something is not there, with what is meant perhaps.
pub(super) fn missing(what: &str, name: &str, place: &str, known: &[String]) -> Failure {
    let near = did_you_mean(name, known.iter().map(String::as_str));
    let known = match (near.is_empty(), known) {
        (false, _) => near,
        (true, []) => "; there is none".to_owned(),
        (true, [first @ .., last]) if known.len() <= 10 => match first {
            [] => format!("; there is '{last}'"),
            first => format!("; there are '{}' and '{last}'", first.join("', '")),
        },
        (true, _) => format!("; there are {} others", known.len()),
    };
    Failure { code: failure::DATA, text: format!("no {what} '{name}'{place}{known}") }
}

/// The names of what is in a list of the API.
pub(super) fn names(session: &Session, path: &str) -> Result<Vec<String>, Failure> {
    let listed = session.list(path)?;
    let names = listed.iter().map(|one| string(one, "name").to_owned());
    Ok(names.filter(|name| !name.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_is_there() {
        let told = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            missing("queue", "jobs", " in vhost '/'", &names).text
        };
        let start = "no queue 'jobs' in vhost '/'; ";
        assert_eq!(told(&[]), format!("{start}there is none"));
        assert_eq!(told(&["job"]), format!("{start}did you mean 'job'?"));
        assert_eq!(told(&["reminders"]), format!("{start}there is 'reminders'"));
        let two = told(&["reminders", "notifications"]);
        assert_eq!(two, format!("{start}there are 'reminders' and 'notifications'"));
        assert_eq!(told(&["reminders"; 11]), format!("{start}there are 11 others"));
    }
}
