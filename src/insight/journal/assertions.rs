//! Assertions that tell what did happen when they fail.

#![allow(clippy::panic, reason = "an assertion of a test fails by panicking")]

use std::fmt::Write as _;
use std::sync::Arc;

use crate::insight::journal::event::Event;
use crate::insight::journal::{Events, Journal};

/// What an assertion says that has nothing to go by.
const IS_OFF: &str = "the journal is off: Broker::for_tests() has one, and \
                      Broker::builder().journal(capacity) turns it on\n";

/// Events that a failed assertion lists.
const LISTED_MAX: usize = 20;

impl Events {
    /// Asserts that there are so many.
    ///
    /// # Panics
    /// If there are more or fewer, with a list of what did happen. And if that cannot be known:
    /// the journal is off, or has forgotten events that may have been among them.
    #[track_caller]
    pub fn assert_count(&self, expected: usize) {
        match self.check_count(expected) {
            Ok(()) => {}
            Err(complaint) => panic!("{complaint}"),
        }
    }

    /// Asserts that there is none.
    ///
    /// # Panics
    /// If there is one, with a list; and as [`Events::assert_count`].
    #[track_caller]
    pub fn assert_none(&self) {
        self.assert_count(0);
    }

    /// Asserts that there is at least one; returns the oldest.
    ///
    /// # Panics
    /// If there is none, with a list of what did happen.
    #[track_caller]
    pub fn assert_some(&self) -> Arc<Event> {
        match self.check_some() {
            Ok(event) => event,
            Err(complaint) => panic!("{complaint}"),
        }
    }

    /// Asserts that there is exactly one; returns it.
    ///
    /// # Panics
    /// If there is none, or more than one, with a list of what did happen.
    #[track_caller]
    pub fn assert_one(&self) -> Arc<Event> {
        self.assert_count(1);
        self.assert_some()
    }

    /// Asserts that the bodies are these texts, in this order.
    ///
    /// # Panics
    /// If they are not, with a list of what did happen; and as [`Events::assert_count`].
    #[track_caller]
    pub fn assert_texts<'a>(&self, expected: impl IntoIterator<Item = &'a str>) {
        match self.check_texts(expected) {
            Ok(()) => {}
            Err(complaint) => panic!("{complaint}"),
        }
    }

    /// Asserts that all of these happened before the first of those `later`, and that there is at
    /// least one of each.
    ///
    /// # Panics
    /// If not, with a list of what did happen.
    #[track_caller]
    pub fn assert_before(&self, later: &Events) {
        match self.check_before(later) {
            Ok(()) => {}
            Err(complaint) => panic!("{complaint}"),
        }
    }
}

/// The assertions as answers, for those who do not panic.
impl Events {
    #[doc(hidden)]
    pub fn check_count(&self, expected: usize) -> Result<(), String> {
        self.check_complete()?;
        match self.count() {
            count if count == expected => Ok(()),
            count => Err(self.complaint(&format!("{expected} of them, not {count}"))),
        }
    }

    #[doc(hidden)]
    pub fn check_some(&self) -> Result<Arc<Event>, String> {
        self.first().ok_or_else(|| self.complaint("at least one of them, not none"))
    }

    #[doc(hidden)]
    pub fn check_texts<'a>(
        &self,
        expected: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), String> {
        self.check_complete()?;
        let expected: Vec<&str> = expected.into_iter().collect();
        let texts = self.texts();
        if texts == expected {
            return Ok(());
        }
        Err(self.complaint(&format!("the bodies {expected:?}, not {texts:?}")))
    }

    #[doc(hidden)]
    pub fn check_before(&self, later: &Events) -> Result<(), String> {
        let end = later.check_some()?;
        self.check_some()?;
        match self.iter().find(|event| event.number > end.number) {
            None => Ok(()),
            Some(late) => Err(format!(
                "expected all events that are {} before those that are {}, but\n{}\nwas before\n{}",
                self.describe(),
                later.describe(),
                self.line(&end),
                self.line(late)
            )),
        }
    }

    /// Whether these are all that ever were: what is asserted of them is asserted in vain if not.
    fn check_complete(&self) -> Result<(), String> {
        if !self.is_on {
            return Err(self.complaint("to be known"));
        }
        if self.is_complete() {
            return Ok(());
        }
        Err(format!(
            "how many events are {} cannot be said: the journal has forgotten its {} oldest ones. \
             Give it a larger capacity, clear() it when the part begins that is asserted, or ask \
             for those after(&event)\n",
            self.describe(),
            self.forgotten()
        ))
    }

    /// What was expected, what there is, and what comes near.
    fn complaint(&self, expected: &str) -> String {
        let mut text = format!("expected of the events that are {}: {expected}\n", self.describe());
        if !self.is_on {
            text.push_str(IS_OFF);
            return text;
        }
        let found: Vec<_> = self.iter().collect();
        let list = |text: &mut String, title: &str, events: &[&Event]| {
            if !events.is_empty() {
                text.push_str(title);
            }
            for event in events {
                let _ = writeln!(text, "  {}", self.line(event)); // a String takes all
            }
        };
        let newest = found.len().saturating_sub(LISTED_MAX);
        let shown: Vec<&Event> = found.iter().skip(newest).map(|event| &***event).collect();
        list(&mut text, "these are:\n", &shown);
        let nearest = self.nearest(LISTED_MAX.saturating_sub(shown.len()));
        list(&mut text, "what comes nearest:\n", &nearest);
        if found.is_empty() && nearest.is_empty() {
            text.push_str("nothing has happened\n");
        }
        if self.forgotten() > 0 {
            let _ = writeln!(text, "({} older events are forgotten)", self.forgotten());
        }
        text
    }
}

impl Journal {
    /// Asserts that a message was published to this exchange, empty for the default exchange, with
    /// this routing key; returns the event of the first one.
    ///
    /// # Panics
    /// If there was none, with a list of what did happen.
    #[track_caller]
    pub fn assert_published(&self, exchange: &str, routing_key: &str) -> Arc<Event> {
        self.published().to(exchange).with_key(routing_key).assert_some()
    }

    /// Asserts that no message was lost: none was unroutable, and none was dropped.
    ///
    /// # Panics
    /// If one was, with a list; and as [`Events::assert_count`].
    #[track_caller]
    pub fn assert_nothing_lost(&self) {
        self.dropped().assert_none();
        self.unroutable().assert_none();
    }

    /// The newest events, for messages of assertions.
    pub(crate) fn tail(&self) -> String {
        let events = self.events();
        if !self.is_on() {
            return IS_OFF.into();
        }
        let lines: Vec<_> = events.iter().map(|event| events.line(event)).collect();
        let skipped = lines.len().saturating_sub(LISTED_MAX);
        if lines.is_empty() {
            return "nothing has happened".into();
        }
        let mut text = String::from("what happened last:\n");
        for line in lines.iter().skip(skipped) {
            let _ = writeln!(text, "  {line}"); // a String takes all
        }
        text
    }
}
