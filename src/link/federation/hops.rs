//! How far messages and bindings go, and where they have been: headers and arguments that federated
//! brokers write for each other `[rabbitmq federated-exchanges]`.

use amq_protocol::types::{AMQPValue, FieldArray, FieldTable};

use crate::base::argument::{
    BOUND_FROM, ORIGINAL_CC, ORIGINAL_EXCHANGE, ORIGINAL_ROUTING_KEY, RECEIVED_FROM,
};
use crate::base::field_value::{get, integer, string};
pub(crate) use crate::exchange::federation::{Place, goes_on};

fn list<'a>(table: &'a FieldTable, name: &str) -> Option<&'a [AMQPValue]> {
    match get(table, name) {
        Some(AMQPValue::FieldArray(list)) => Some(list.as_slice()),
        _ => None,
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// Puts a table at the head of a list.
fn prepend(table: &mut FieldTable, name: &str, entry: FieldTable, rest: &[AMQPValue]) {
    let mut all = vec![AMQPValue::FieldTable(entry)];
    all.extend(rest.iter().cloned());
    table.insert(name.into(), AMQPValue::FieldArray(FieldArray::from(all)));
}

/// The headers of a message that an exchange has from its upstream.
pub(crate) fn received(
    headers: Option<FieldTable>,
    (uri, exchange): (&str, &str),
    from: &Place,
    redelivered: bool,
) -> FieldTable {
    let mut headers = headers.unwrap_or_default();
    let mut visit = FieldTable::default();
    visit.insert("uri".into(), text(uri));
    visit.insert("exchange".into(), text(exchange));
    visit.insert("redelivered".into(), AMQPValue::Boolean(redelivered));
    if let Some(cluster) = &from.cluster {
        visit.insert("cluster-name".into(), text(cluster));
    }
    visit.insert("vhost".into(), text(&from.virtual_host));
    let before = list(&headers, RECEIVED_FROM).unwrap_or_default().to_vec();
    prepend(&mut headers, RECEIVED_FROM, visit, &before);
    headers
}

/// The headers of a message that a queue has from its upstream, where it was published with this
/// exchange and key. How often it came from there is counted.
pub(crate) fn moved(
    headers: Option<FieldTable>,
    (uri, queue): (&str, &str),
    (exchange, key): (&str, &str),
    redelivered: bool,
) -> FieldTable {
    let mut headers = headers.unwrap_or_default();
    let is_first = list(&headers, RECEIVED_FROM).is_none();
    let mut all = std::mem::take(&mut headers).inner().clone();
    // Who is also to get a message is a matter of the broker that it was published to.
    if let Some(copies) = all.remove("CC") {
        all.insert(ORIGINAL_CC.into(), copies);
    }
    let mut headers = FieldTable::from(all);
    if is_first {
        headers.insert(ORIGINAL_EXCHANGE.into(), text(exchange));
        headers.insert(ORIGINAL_ROUTING_KEY.into(), text(key));
    }
    let is_same = |visit: &&AMQPValue| {
        let AMQPValue::FieldTable(visit) = visit else { return false };
        let is = |key: &str, value: &str| get(visit, key).and_then(string) == Some(value);
        is("uri", uri) && is("queue", queue)
    };
    let visits = list(&headers, RECEIVED_FROM).unwrap_or_default();
    let (of_before, others): (Vec<_>, Vec<_>) = visits.iter().partition(is_same);
    let count = of_before.first().and_then(|visit| match visit {
        AMQPValue::FieldTable(visit) => get(visit, "visit-count").and_then(integer),
        _ => None,
    });
    let others: Vec<_> = others.into_iter().cloned().collect();
    let mut visit = FieldTable::default();
    visit.insert("uri".into(), text(uri));
    visit.insert("queue".into(), text(queue));
    visit.insert("redelivered".into(), AMQPValue::Boolean(redelivered));
    let count = count.unwrap_or(0).saturating_add(1);
    visit.insert("visit-count".into(), AMQPValue::LongLongInt(count));
    prepend(&mut headers, RECEIVED_FROM, visit, &others);
    headers
}

/// Who binds upstream.
#[derive(Clone, Debug)]
pub(crate) struct Binder {
    /// Where the exchange is.
    pub here: Place,
    /// Its name.
    pub exchange: String,
    /// The upstream.
    pub there: Place,
    /// How many links messages may pass.
    pub max_hops: u32,
}

impl Binder {
    /// The arguments with which a binding of the exchange is made upstream; nothing for one that
    /// came from there, or has come far enough.
    pub(crate) fn upstream_arguments(&self, arguments: &FieldTable) -> Option<FieldTable> {
        let bound_from = list(arguments, BOUND_FROM);
        let hops = match bound_from {
            None => i64::from(self.max_hops),
            Some(visits) if self.there.is_in(visits) => 0,
            Some(visits) => {
                let left = match visits.first() {
                    Some(AMQPValue::FieldTable(last)) => get(last, "hops").and_then(integer),
                    _ => None,
                };
                (left.unwrap_or(0) - 1).min(self.max_hops.into())
            }
        };
        let hops = i16::try_from(hops.min(i16::MAX.into())).ok().filter(|hops| *hops > 0)?;
        let mut entry = FieldTable::default();
        if let Some(cluster) = &self.here.cluster {
            entry.insert("cluster-name".into(), text(cluster));
        }
        entry.insert("vhost".into(), text(&self.here.virtual_host));
        entry.insert("exchange".into(), text(&self.exchange));
        entry.insert("hops".into(), AMQPValue::ShortInt(hops));
        let before = bound_from.unwrap_or_default().to_vec();
        let mut arguments = arguments.clone();
        prepend(&mut arguments, BOUND_FROM, entry, &before);
        Some(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(cluster: &str) -> Place {
        Place { cluster: Some(cluster.into()), virtual_host: "/".into() }
    }

    fn binder(there: &str, max_hops: u32) -> Binder {
        let (here, there) = (place("here"), place(there));
        Binder { here, exchange: "x".into(), there, max_hops }
    }

    #[test]
    fn a_message_goes_as_far_as_it_may_and_nowhere_twice() {
        assert!(goes_on(None, 1, &place("b")));
        let once = received(None, ("amqp://a", "x"), &place("a"), false);
        assert!(!goes_on(Some(&once), 1, &place("c")), "it has passed one link");
        assert!(goes_on(Some(&once), 2, &place("c")));
        assert!(!goes_on(Some(&once), 9, &place("a")), "it was there");
        let twice = received(Some(once), ("amqp://b", "x"), &place("b"), true);
        assert_eq!(list(&twice, RECEIVED_FROM).unwrap().len(), 2);
        assert!(!goes_on(Some(&twice), 2, &place("d")));
    }

    #[test]
    fn a_broker_that_does_not_say_who_it_is_is_nobody_in_particular() {
        let nobody = Place { cluster: None, virtual_host: "/".into() };
        let once = received(None, ("amqp://a", "x"), &nobody, false);
        assert!(goes_on(Some(&once), 2, &nobody));
    }

    #[test]
    fn bindings_are_carried_upstream_as_far_as_messages_may_come() {
        let first = binder("there", 2).upstream_arguments(&FieldTable::default()).unwrap();
        let second = binder("further", 9).upstream_arguments(&first).unwrap();
        assert_eq!(list(&second, BOUND_FROM).unwrap().len(), 2);
        assert_eq!(binder("beyond", 9).upstream_arguments(&second), None, "two hops were allowed");
        assert_eq!(binder("here", 9).upstream_arguments(&first), None, "it comes from there");
        assert_eq!(binder("there", 0).upstream_arguments(&FieldTable::default()), None);
    }

    #[test]
    fn a_queue_counts_how_often_a_message_came_from_one_upstream() {
        let mut own = FieldTable::default();
        own.insert("CC".into(), text("also"));
        let once = moved(Some(own), ("amqp://a", "q"), ("x", "k"), false);
        let other = moved(Some(once), ("amqp://b", "q"), ("", "q"), false);
        let again = moved(Some(other), ("amqp://a", "q"), ("", "q"), true);
        let visits = list(&again, RECEIVED_FROM).unwrap();
        let AMQPValue::FieldTable(last) = &visits[0] else { panic!("{visits:?}") };
        assert_eq!((visits.len(), get(last, "visit-count").and_then(integer)), (2, Some(2)));
        assert_eq!(get(&again, ORIGINAL_EXCHANGE).and_then(string), Some("x"));
        assert_eq!(get(&again, ORIGINAL_ROUTING_KEY).and_then(string), Some("k"));
        assert!(get(&again, ORIGINAL_CC).is_some() && get(&again, "CC").is_none());
    }
}
