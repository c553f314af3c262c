//! Tells what changes in a broker, for whoever has bound a queue to the exchange of events
//! `[rabbitmq event-exchange]`.
//!
//! Whoever changes something says so here, whatever is locked; somebody else publishes it. As long
//! as nobody listens an event is not even made.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};

use amq_protocol::types::{AMQPValue, FieldArray, FieldTable};

use crate::base::ids::ConnectionId;
use crate::base::wake::Wake;

/// Events that wait to be published; those that come when there are more are lost, with a word in
/// the log. One takes a few hundred octets.
const WAITING_MAX: usize = 16_384;

/// Who acts when nobody is known to, in RabbitMQ's word.
const INTERNAL: &str = "rmq-internal";

/// Who acts.
const USER: &str = "user_who_performed_action";

thread_local! {
    /// The user in whose name this thread acts.
    static ACTING: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Something that has happened.
#[derive(Debug)]
pub(crate) struct Event {
    /// What: `queue.created`.
    pub key: &'static str,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// About what.
    pub told: Told,
}

/// What an event tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub headers: FieldTable,
    /// Headers that name a connection, or one of its channels: who publishes knows the names.
    pub named: Vec<(&'static str, ConnectionId, Option<u16>)>,
}

/// A value of an event.
pub(crate) fn text(value: impl AsRef<str>) -> AMQPValue {
    AMQPValue::LongString(value.as_ref().into())
}

impl Told {
    /// Any value.
    pub(crate) fn value(mut self, name: &str, value: AMQPValue) -> Self {
        self.headers.insert(name.into(), value);
        self
    }

    pub(crate) fn text(self, name: &str, value: impl AsRef<str>) -> Self {
        self.value(name, text(value))
    }

    pub(crate) fn number(self, name: &str, value: impl TryInto<i64>) -> Self {
        self.value(name, AMQPValue::LongLongInt(value.try_into().unwrap_or(i64::MAX)))
    }

    pub(crate) fn flag(self, name: &str, value: bool) -> Self {
        self.value(name, AMQPValue::Boolean(value))
    }

    pub(crate) fn table(self, name: &str, value: &FieldTable) -> Self {
        self.value(name, AMQPValue::FieldTable(value.clone()))
    }

    pub(crate) fn texts<T: AsRef<str>>(
        self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values: Vec<_> = values.into_iter().map(text).collect();
        self.value(name, AMQPValue::FieldArray(FieldArray::from(values)))
    }

    /// The user who has done it.
    pub(crate) fn by(self, user: impl AsRef<str>) -> Self {
        self.text(USER, user)
    }

    /// The name of a connection, or of one of its channels.
    pub(crate) fn of(
        mut self,
        name: &'static str,
        connection: ConnectionId,
        channel: Option<u16>,
    ) -> Self {
        self.named.push((name, connection, channel));
        self
    }
}

struct Ear {
    events: SyncSender<Event>,
    now_ms: Box<dyn Fn() -> u64 + Send + Sync>,
}

fn is_of_topology(key: &str) -> bool {
    let subject = key.split('.').next().unwrap_or_default();
    ["binding", "exchange", "operator", "parameter", "policy", "queue", "vhost"].contains(&subject)
}

/// To whom changes are told.
#[derive(Default)]
pub(crate) struct Herald {
    /// Somebody listens.
    heard: AtomicBool,
    /// Events are being lost.
    overrun: AtomicBool,
    ear: OnceLock<Ear>,
    /// Somebody looks again at all that there is when anything has come, gone or changed.
    onlooker: OnceLock<Arc<dyn Wake>>,
}

impl Herald {
    /// Whether somebody listens.
    #[inline]
    pub(crate) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Somebody listens from now on, or nobody any more.
    pub(crate) fn set_heard(&self, heard: bool) {
        self.heard.store(heard && self.ear.get().is_some(), Ordering::SeqCst);
    }

    /// What takes the events, once: later calls get nothing.
    pub(crate) fn listen(
        &self,
        now_ms: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Option<Receiver<Event>> {
        let (events, listener) = sync_channel(WAITING_MAX);
        self.ear.set(Ear { events, now_ms: Box::new(now_ms) }).ok()?;
        Some(listener)
    }

    /// Tells that something has happened. May be called under any lock.
    #[inline]
    pub(crate) fn tell(&self, key: &'static str, about: impl FnOnce(Told) -> Told) {
        if self.is_heard() {
            self.pass_on(key, about);
        }
        if let Some(onlooker) = self.onlooker.get().filter(|_| is_of_topology(key)) {
            onlooker.wake();
        }
    }

    /// Wakes this one from now on when an exchange, a queue, a binding, a policy, a parameter or a
    /// virtual host has come, gone or changed, or is about to. It takes no lock of the broker's.
    /// The first one counts.
    pub(crate) fn watched_by(&self, onlooker: Arc<dyn Wake>) {
        let _ = self.onlooker.set(onlooker);
    }

    #[cold]
    fn pass_on(&self, key: &'static str, about: impl FnOnce(Told) -> Told) {
        let Some(ear) = self.ear.get() else { return };
        let user = ACTING.with_borrow(|user| text(user.as_deref().unwrap_or(INTERNAL)));
        let told = about(Told::default().value(USER, user));
        match ear.events.try_send(Event { key, at_ms: (ear.now_ms)(), told }) {
            Ok(()) => self.overrun.store(false, Ordering::Relaxed),
            Err(TrySendError::Full(event)) => {
                if !self.overrun.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "more than {WAITING_MAX} events wait to be published: '{}' and others are \
                         lost",
                        event.key
                    );
                }
            }
            // The broker is closed.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// An alarm is raised, or cleared.
    pub(crate) fn tell_alarm(&self, source: &str, on: bool) {
        let key = if on { "alarm.set" } else { "alarm.cleared" };
        self.tell(key, |told| told.text("source", source));
    }

    /// What this thread does from now on it does in the name of a user, until what is returned is
    /// dropped. Costs nothing if nobody listens.
    #[inline]
    pub(crate) fn acting(&self, user: impl AsRef<str>) -> Option<Acting> {
        self.is_heard().then(|| Acting(ACTING.replace(Some(user.as_ref().to_owned()))))
    }
}

/// Somebody acts. Holds who did before.
pub(crate) struct Acting(Option<String>);

impl Drop for Acting {
    fn drop(&mut self) {
        ACTING.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(event: &Event) -> Option<&AMQPValue> {
        event.told.headers.inner().get(USER)
    }

    #[test]
    fn nothing_is_made_for_nobody() {
        let herald = Herald::default();
        herald.tell("queue.created", |_| unreachable!("nobody listens"));
        herald.set_heard(true);
        assert!(!herald.is_heard(), "nothing takes the events");
        let listener = herald.listen(|| 7).unwrap();
        assert!(herald.listen(|| 7).is_none());
        herald.set_heard(true);
        herald.tell("queue.created", |told| told.text("name", "q"));
        let event = listener.try_recv().unwrap();
        assert_eq!((event.key, event.at_ms), ("queue.created", 7));
        herald.set_heard(false);
        herald.tell("queue.created", |_| unreachable!("nobody listens"));
    }

    #[test]
    fn events_tell_who_acts() {
        let herald = Herald::default();
        let listener = herald.listen(|| 0).unwrap();
        herald.set_heard(true);
        let outer = herald.acting("shop");
        {
            let _inner = herald.acting("ops");
            herald.tell("a", |told| told);
        }
        herald.tell("b", |told| told);
        drop(outer);
        herald.tell("c", |told| told);
        herald.tell("d", |told| told.by("other"));
        let users: Vec<_> = listener.try_iter().map(|event| user(&event).cloned()).collect();
        assert_eq!(users, ["ops", "shop", INTERNAL, "other"].map(|name| Some(text(name))));
    }

    #[test]
    fn what_is_too_much_is_lost_without_waiting() {
        let herald = Herald::default();
        let listener = herald.listen(|| 0).unwrap();
        herald.set_heard(true);
        (0..=WAITING_MAX).for_each(|_| herald.tell("a", |told| told));
        assert_eq!(listener.try_iter().count(), WAITING_MAX);
    }
}
