//! What is to be done: which definitions go there, and which queues are moved.

use std::collections::{BTreeMap, BTreeSet};

use leveret::definitions::Definitions;
use leveret::{Broker, ImportError};
use serde_json::{Value, json};

use super::args::MigrateArgs;
use super::ends::Ends;
use super::facts::{Facts, QueueKey, key, number, queues, text};
use super::names::PREFIX;
use super::rules::{self, Objection};
use super::state::NAME;
use crate::program::ctl::failure::{self, Failure};

/// Parameters that belong to the broker that has them.
const LINKS: &[&str] = &["shovel", "federation-upstream", "federation-upstream-set"];

/// Parameters of the whole node that do.
const OWN: &[&str] = &["cluster_name", "cluster_tags", "internal_cluster_id", NAME];

/// A queue whose messages are moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// Which.
    pub queue: QueueKey,
    /// Messages in it.
    pub messages: u64,
}

/// Something that cannot be had there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// Which object.
    pub object: String,
    /// Why not.
    pub why: String,
    /// What to do instead.
    pub instead: String,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is imported there.
    pub definitions: BTreeMap<String, Vec<Value>>,
    /// Queues whose messages are moved.
    pub moves: Vec<Move>,
    /// What cannot be had there.
    pub obstacles: Vec<Obstacle>,
    /// What there is to know besides.
    pub notes: Vec<String>,
    /// Exchanges that keep messages until they are due.
    pub delaying: Vec<QueueKey>,
}

fn named(noun: &str, object: &Value) -> String {
    match text(object, "vhost") {
        "" => format!("{noun} '{}'", text(object, "name")),
        vhost => format!("{noun} '{}' in virtual host '{vhost}'", text(object, "name")),
    }
}

impl Plan {
    pub(super) fn make(args: &MigrateArgs, ends: &Ends, facts: &Facts) -> Result<Self, Failure> {
        let exported = ends.source.value("/api/definitions")?;
        let sections = exported.as_object().into_iter().flatten();
        let lists =
            sections.filter_map(|(name, list)| Some((name.clone(), list.as_array()?.clone())));
        let definitions = lists.collect();
        let mut plan = Self { definitions, ..Self::default() };
        plan.keep_to_hosts(&args.vhosts);
        plan.leave_what_stays(facts);
        plan.check_queues(args.quorum, facts);
        plan.check("exchanges", "exchange", |object| rules::exchange(object, facts));
        plan.check("policies", "policy", |object| rules::policy(object, facts));
        plan.drop_loose_bindings();
        if facts.is_leveret {
            plan.ask_a_leveret()?;
        }
        plan.choose_moves(ends)?;
        plan.note(ends, facts);
        Ok(plan)
    }

    fn list(&mut self, section: &str) -> &mut Vec<Value> {
        self.definitions.entry(section.to_owned()).or_default()
    }

    /// The objects of a section.
    pub(super) fn of(&self, section: &str) -> &[Value] {
        self.definitions.get(section).map_or(&[], Vec::as_slice)
    }

    fn keep_to_hosts(&mut self, hosts: &[String]) {
        if hosts.is_empty() {
            return;
        }
        let is_kept = |name: &str| hosts.iter().any(|host| host == name);
        self.list("vhosts").retain(|host| is_kept(text(host, "name")));
        for objects in self.definitions.values_mut() {
            objects
                .retain(|object| object.get("vhost").is_none() || is_kept(text(object, "vhost")));
        }
    }

    /// Users of the destination are its own affair, and so are links.
    fn leave_what_stays(&mut self, facts: &Facts) {
        let mut stay: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        self.list("users").retain(|user| {
            let is_there = facts.users.contains(text(user, "name"));
            if is_there {
                stay.entry("users that are there already")
                    .or_default()
                    .push(text(user, "name").to_owned());
            }
            !is_there
        });
        for section in ["permissions", "topic_permissions"] {
            self.list(section).retain(|permission| {
                let is_there = facts.users.contains(text(permission, "user"));
                !is_there || !facts.vhosts.contains(text(permission, "vhost"))
            });
        }
        self.list("parameters").retain(|parameter| {
            let is_link = LINKS.contains(&text(parameter, "component"));
            if is_link && !text(parameter, "name").starts_with(PREFIX) {
                let what = "shovels and upstreams, which belong to the broker that runs them";
                stay.entry(what).or_default().push(text(parameter, "name").to_owned());
            }
            !is_link
        });
        self.list("global_parameters").retain(|parameter| !OWN.contains(&text(parameter, "name")));
        self.list("exchanges").retain(|exchange| !text(exchange, "name").starts_with(PREFIX));
        self.list("bindings").retain(|binding| !text(binding, "source").starts_with(PREFIX));
        for (what, names) in stay {
            self.notes.push(format!("not taken along are {what}: {}", names.join(", ")));
        }
        if !facts.has(3, 11) {
            for host in self.list("vhosts") {
                if let Some(fields) = host.as_object_mut() {
                    fields.retain(|name, _| name == "name");
                }
            }
        }
    }

    fn check(&mut self, section: &str, noun: &str, rule: impl Fn(&Value) -> Option<Objection>) {
        let mut obstacles = Vec::new();
        self.list(section).retain(|object| match rule(object) {
            Some((why, instead)) => {
                let object = named(noun, object);
                obstacles.push(Obstacle { object, why, instead: instead.to_owned() });
                false
            }
            None => true,
        });
        self.obstacles.extend(obstacles);
    }

    fn check_queues(&mut self, quorum: bool, facts: &Facts) {
        let mut refused = BTreeMap::new();
        for queue in self.list("queues").iter_mut().filter(|_| quorum) {
            if let Some(objection) = rules::make_quorum(queue) {
                refused.insert(key(queue), objection);
            }
        }
        self.check("queues", "queue", |queue| {
            let refused = refused.get(&key(queue)).cloned();
            refused.or_else(|| rules::queue(queue, facts)).or_else(|| is_other_there(queue, facts))
        });
    }

    /// Bindings of what is left out cannot be had either.
    fn drop_loose_bindings(&mut self) {
        let names =
            |section: &str| -> BTreeSet<QueueKey> { self.of(section).iter().map(key).collect() };
        let (queues, exchanges) = (names("queues"), names("exchanges"));
        let is_there = |known: &BTreeSet<QueueKey>, vhost: &str, name: &str| {
            name.is_empty()
                || name.starts_with("amq.")
                || known.contains(&(vhost.to_owned(), name.to_owned()))
        };
        self.list("bindings").retain(|binding| {
            let vhost = text(binding, "vhost");
            let known = match text(binding, "destination_type") {
                "exchange" => &exchanges,
                _ => &queues,
            };
            is_there(&exchanges, vhost, text(binding, "source"))
                && is_there(known, vhost, text(binding, "destination"))
        });
    }

    /// A leveret in memory tells what one takes.
    fn ask_a_leveret(&mut self) -> Result<(), Failure> {
        let json = json!(self.definitions).to_string();
        let read = Definitions::from_json_in_part(json.as_bytes());
        let (definitions, mut refused) =
            read.map_err(|reason| Failure::new(failure::SOFTWARE, reason.to_string()))?;
        match Broker::builder().no_default_user().build().import(&definitions) {
            Ok(()) => {}
            Err(ImportError::Refused(more)) => refused.extend(more),
            Err(error) => return Err(Failure::new(failure::SOFTWARE, error.to_string())),
        }
        // Users that are there already are not in these definitions.
        refused.retain(|refused| !refused.object.contains("permission"));
        self.obstacles.extend(refused.into_iter().map(|refused| Obstacle {
            object: refused.object,
            why: refused.reason,
            instead: "change it where it is, or do without it here".to_owned(),
        }));
        Ok(())
    }

    fn choose_moves(&mut self, ends: &Ends) -> Result<(), Failure> {
        let known = queues(&ends.source)?;
        let (mut moves, mut streams, mut passing) = (Vec::new(), Vec::new(), Vec::new());
        for queue in self.of("queues") {
            let (queue_key, name) = (key(queue), text(queue, "name"));
            match () {
                () if rules::queue_type(queue) == "stream" => streams.push(name.to_owned()),
                () if rules::is_auto_delete(queue) => passing.push(name.to_owned()),
                () => {
                    let messages =
                        known.get(&queue_key).map_or(0, |queue| number(queue, "messages"));
                    moves.push(Move { queue: queue_key, messages });
                }
            }
        }
        let is_exclusive = |queue: &&Value| queue.get("exclusive") == Some(&Value::Bool(true));
        let exclusive = known.values().filter(is_exclusive).count();
        self.moves = moves;
        if !streams.is_empty() {
            self.notes.push(format!(
                "streams are declared there, and what is in them stays: {}. A shovel with \
                 src-consumer-args {{\"x-stream-offset\": \"first\"}} copies one",
                streams.join(", ")
            ));
        }
        if !passing.is_empty() {
            self.notes.push(format!(
                "auto-delete queues are declared there, and what is in them stays, since they go \
                 with their consumers: {}",
                passing.join(", ")
            ));
        }
        if exclusive > 0 {
            let text = "exclusive queues stay: their connections declare them again elsewhere";
            self.notes.push(format!("{exclusive} {text}"));
        }
        Ok(())
    }

    fn note(&mut self, ends: &Ends, facts: &Facts) {
        let is_delayed = |exchange: &&Value| text(exchange, "type") == "x-delayed-message";
        self.delaying = self.of("exchanges").iter().filter(is_delayed).map(key).collect();
        let expiring = self.of("queues").iter().filter(|queue| {
            queue.get("arguments").is_some_and(|arguments| arguments.get("x-expires").is_some())
        });
        let expiring: Vec<_> = expiring.map(|queue| text(queue, "name").to_owned()).collect();
        if !expiring.is_empty() {
            self.notes.push(format!(
                "queues with x-expires go, with their messages, if nobody consumes from them there \
                 for that long: {}",
                expiring.join(", ")
            ));
        }
        if ends.is_outward && !facts.impersonates {
            self.notes.push(format!(
                "messages with the property user_id of others can be moved only if the user '{}' \
                 has the tag impersonator there",
                ends.user()
            ));
        }
    }
}

/// A queue of this name that is there already, and another one.
fn is_other_there(queue: &Value, facts: &Facts) -> Option<Objection> {
    let there = facts.queues.get(&key(queue))?;
    let kind = |queue: &Value| {
        let kind = there_type(queue);
        kind.unwrap_or_else(|| rules::queue_type(queue).to_owned())
    };
    let durable = |queue: &Value| queue.get("durable").cloned().unwrap_or_default();
    if kind(queue) == kind(there) && durable(queue) == durable(there) {
        return None;
    }
    let why = format!("it is there already, as a {} queue with other attributes", kind(there));
    Some((why, "delete it there, or rename one of them"))
}

fn there_type(queue: &Value) -> Option<String> {
    queue.get("type").and_then(Value::as_str).map(str::to_owned)
}
