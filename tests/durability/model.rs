//! What a client may rely on: queues with the messages that have to be there after a power cut,
//! those that may be, and by omission those that must not.

use std::fmt::Write as _;

/// A message in a queue: its body, and the queue that it died in first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    pub body: String,
    pub died_in: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub id: Id,
    /// Tells it from all others, those with the same id too.
    pub serial: u64,
    pub persistent: bool,
    /// Something that came after it was confirmed.
    pub confirmed: bool,
    /// It has left, but nothing that came after that was confirmed.
    pub leaving: bool,
    /// The entry of the dead-letter queue, or at the end of its own, that it has become.
    pub moved_to: Option<u64>,
    pub held: bool,
    /// It was held at any time.
    pub delivered: bool,
    pub redelivered: bool,
    pub expires_at_ms: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub name: String,
    pub quorum: bool,
    pub ttl_ms: Option<u64>,
    pub dead_letters_to: Option<String>,
    pub present: bool,
    pub bound: bool,
    /// The last change of what it is was not answered.
    pub uncertain: bool,
    pub binding_uncertain: bool,
    pub entries: Vec<Entry>,
}

/// A queue as it was found after a restart.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub bound: bool,
    /// Messages in their order, and whether they are flagged redelivered.
    pub messages: Vec<(Id, bool)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub queues: Vec<Queue>,
    pub serial: u64,
}

impl Queue {
    pub(crate) fn keeps(&self, entry: &Entry) -> bool {
        self.quorum || entry.persistent
    }

    pub(crate) fn ready(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().filter(|entry| !entry.leaving && !entry.held)
    }

    /// Everything in it leaves.
    pub(crate) fn clear(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.leaving = true);
    }

    fn may_be_there(&self, entry: &Entry) -> bool {
        self.keeps(entry)
    }

    /// Whether those that nobody had are in order, where there is only one of a kind. That one was
    /// had may be forgotten with its acknowledgement, and that not be known when the power is cut.
    fn new_ones_are_in_order(&self, found: &Found) -> bool {
        let place = |id: &Id| {
            let mut places = (0..self.entries.len()).filter(|at| self.entries[*at].id == *id);
            let place = places.next().filter(|_| places.next().is_none());
            place.filter(|at| !self.entries[*at].delivered)
        };
        let new = found.messages.iter().filter(|(_, redelivered)| !redelivered);
        new.filter_map(|(id, _)| place(id)).is_sorted()
    }

    fn must_be_there(&self, entry: &Entry, clean: bool) -> bool {
        self.keeps(entry) && !entry.leaving && (entry.confirmed || clean) && !self.uncertain
    }
}

impl Model {
    pub(crate) fn queue(&mut self, name: &str) -> Option<&mut Queue> {
        self.queues.iter_mut().find(|queue| queue.name == name)
    }

    /// A message enters a queue, if that is there.
    pub(crate) fn enter(&mut self, queue: &str, mut entry: Entry, now_ms: u64) -> Option<u64> {
        self.serial += 1;
        let serial = self.serial;
        let queue = self.queue(queue).filter(|queue| queue.present)?;
        entry.serial = serial;
        entry.expires_at_ms = queue.ttl_ms.map_or(u64::MAX, |ttl| now_ms + ttl);
        queue.entries.push(entry);
        Some(serial)
    }

    pub(crate) fn publish(&mut self, queue: &str, body: &str, persistent: bool, now_ms: u64) {
        let entry = Entry {
            id: Id { body: body.into(), died_in: None },
            serial: 0,
            persistent,
            confirmed: false,
            leaving: false,
            moved_to: None,
            held: false,
            delivered: false,
            redelivered: false,
            expires_at_ms: 0,
        };
        self.enter(queue, entry, now_ms);
    }

    /// A message leaves by dying.
    pub(crate) fn die(&mut self, queue: &str, serial: u64, now_ms: u64) {
        let Some(from) = self.queue(queue) else { return };
        let (target, was_quorum) = (from.dead_letters_to.clone(), from.quorum);
        let Some(entry) = from.entries.iter_mut().find(|e| e.serial == serial) else { return };
        (entry.leaving, entry.held) = (true, false);
        let mut letter = Entry { confirmed: false, leaving: false, ..entry.clone() };
        // Quorum queues tell each other that a delivery has failed.
        let is_quorum = target.as_ref().and_then(|to| Some(self.queue(to)?.quorum));
        letter.delivered = false;
        letter.redelivered = was_quorum && is_quorum == Some(true);
        letter.id.died_in.get_or_insert_with(|| queue.into());
        let moved_to = target.and_then(|target| self.enter(&target, letter, now_ms));
        let entries = self.queue(queue).into_iter().flat_map(|queue| &mut queue.entries);
        entries.filter(|e| e.serial == serial).for_each(|e| e.moved_to = moved_to);
    }

    /// A message was given back: to the end of a quorum queue, whose deliveries have no limit.
    pub(crate) fn give_back(&mut self, queue: &str, serial: u64) {
        let next = self.serial + 1;
        let Some(queue) = self.queue(queue) else { return };
        let Some(entry) = queue.entries.iter_mut().find(|e| e.serial == serial) else { return };
        (entry.redelivered, entry.held) = (true, false);
        if queue.quorum {
            let anew = Entry { serial: next, confirmed: false, ..entry.clone() };
            (entry.leaving, entry.moved_to) = (true, Some(next));
            queue.entries.push(anew);
            self.serial = next;
        }
    }

    /// Messages whose time is up die.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        for at in 0..self.queues.len() {
            let queue = &mut self.queues[at];
            let name = queue.name.clone();
            let dead = queue.ready().filter(|entry| entry.expires_at_ms <= now_ms);
            let dead: Vec<u64> = dead.map(|entry| entry.serial).collect();
            dead.into_iter().for_each(|serial| self.die(&name, serial, now_ms));
        }
    }

    /// All that was done before is durable.
    pub(crate) fn confirm(&mut self) {
        for queue in &mut self.queues {
            queue.entries.retain(|entry| !entry.leaving);
            queue.entries.iter_mut().for_each(|entry| entry.confirmed = true);
        }
    }

    /// Compares with what was found; tells what is wrong. `clean` if the broker was stopped in
    /// order, `known` if the one that was opened knew what had been delivered before.
    pub(crate) fn check(
        &self,
        found: &[Option<Found>],
        clean: bool,
        known: bool,
        now_ms: u64,
    ) -> String {
        let mut wrong = String::new();
        for (queue, there) in self.queues.iter().zip(found) {
            match there {
                None if queue.present && !queue.uncertain => {
                    let _ = writeln!(wrong, "queue {} is lost", queue.name);
                }
                Some(_) if !queue.present && !queue.uncertain => {
                    let _ = writeln!(wrong, "queue {} is there again", queue.name);
                }
                None => {}
                Some(there) => {
                    self.check_queue(queue, there, clean, now_ms, &mut wrong);
                    if !known {
                        self.check_flags(queue, there, now_ms, &mut wrong);
                    }
                }
            }
            self.check_moves(queue, found, now_ms, &mut wrong);
        }
        wrong
    }

    fn check_queue(
        &self,
        queue: &Queue,
        found: &Found,
        clean: bool,
        now_ms: u64,
        wrong: &mut String,
    ) {
        let certain = !queue.uncertain && !queue.binding_uncertain;
        if found.bound != queue.bound && certain {
            let _ = writeln!(wrong, "queue {} is bound: {}", queue.name, found.bound);
        }
        let messages = &found.messages;
        if clean {
            let kept = queue.entries.iter().filter(|entry| queue.keeps(entry) && !entry.leaving);
            let kept: Vec<_> = kept.map(|entry| (entry.id.clone(), entry.redelivered)).collect();
            if kept != *messages {
                let same = kept.iter().zip(messages).take_while(|(a, b)| a == b).count();
                let (kept, found) = (kept.get(same..), messages.get(same..));
                let name = &queue.name;
                let _ = writeln!(wrong, "clean stop: {name} from {same} on: {kept:?}, {found:?}");
            }
        }
        let ids: Vec<&Id> = messages.iter().map(|(id, _)| id).collect();
        let is_right = if queue.quorum && !clean {
            self.matches_in_any_order(queue, &ids, now_ms) && queue.new_ones_are_in_order(found)
        } else {
            self.matches(queue, &ids, clean, now_ms)
        };
        if !is_right {
            let _ = writeln!(wrong, "{}: {}", queue.name, self.explain(queue, &ids, clean));
        }
    }

    fn check_flags(&self, queue: &Queue, found: &Found, now_ms: u64, wrong: &mut String) {
        if queue.quorum {
            let was_sent = |id: &Id| {
                let mut entries = queue.entries.iter().filter(|entry| entry.id == *id);
                entries.any(|entry| entry.delivered || entry.redelivered)
            };
            let flagged = found.messages.iter().filter(|(_, redelivered)| *redelivered);
            for (id, _) in flagged.filter(|(id, _)| !was_sent(id)) {
                let _ = writeln!(wrong, "{id:?} in {} is flagged, and was never sent", queue.name);
            }
            return;
        }
        // What has died only now is new to its queue.
        let unflagged = found
            .messages
            .iter()
            .filter(|(id, redelivered)| !redelivered && !self.dies_at_the_start(id, now_ms));
        for (id, _) in unflagged {
            let _ = writeln!(wrong, "{id:?} in {} is not flagged redelivered", queue.name);
        }
    }

    /// Whether a message was in a queue that it leaves for this one when the broker starts,
    /// because its time was up before.
    fn dies_at_the_start(&self, id: &Id, now_ms: u64) -> bool {
        let from = self.queues.iter().find(|q| Some(&q.name) == id.died_in.as_ref());
        from.is_some_and(|queue| {
            queue.entries.iter().any(|e| e.id.body == id.body && e.expires_at_ms <= now_ms)
        })
    }

    /// Whether what was found is what has to be there, and of the rest some, in order.
    fn matches(&self, queue: &Queue, found: &[&Id], clean: bool, now_ms: u64) -> bool {
        // `fits[n]`: the entries so far explain the first n messages that were found.
        let mut fits = vec![false; found.len() + 1];
        fits[0] = true;
        for entry in &queue.entries {
            let must = queue.must_be_there(entry, clean) && entry.expires_at_ms > now_ms;
            let may = queue.may_be_there(entry);
            for n in (0..fits.len()).rev() {
                let taken = may && n > 0 && fits[n - 1] && *found[n - 1] == entry.id;
                fits[n] = taken || !must && fits[n];
            }
        }
        let mut explained = fits.iter().rposition(|fits| *fits);
        // What dies at the start comes last.
        while let Some(id) = explained.and_then(|n| found.get(n)) {
            if !self.dies_at_the_start(id, now_ms) {
                return false;
            }
            explained = explained.map(|n| n + 1);
        }
        explained.is_some()
    }

    /// After a crash what was sent to somebody comes first, as far as that is known.
    fn matches_in_any_order(&self, queue: &Queue, found: &[&Id], now_ms: u64) -> bool {
        let known = queue.entries.iter().map(|entry| &entry.id);
        known.chain(found.iter().copied()).all(|id| {
            let entries = || queue.entries.iter().filter(|entry| entry.id == *id);
            let lives = |entry: &&Entry| entry.expires_at_ms > now_ms;
            let must = entries().filter(|e| queue.must_be_there(e, false)).filter(lives).count();
            let may = entries().filter(|entry| queue.may_be_there(entry)).count();
            let may = may + usize::from(self.dies_at_the_start(id, now_ms));
            (must..=may).contains(&found.iter().filter(|other| **other == id).count())
        })
    }

    fn explain(&self, queue: &Queue, found: &[&Id], clean: bool) -> String {
        let must = queue.entries.iter().filter(|entry| queue.must_be_there(entry, clean));
        let lost: Vec<_> = must.filter(|entry| !found.contains(&&entry.id)).collect();
        let known = |id: &Id| queue.entries.iter().any(|e| e.id == *id && queue.may_be_there(e));
        let back: Vec<_> = found.iter().filter(|id| !known(id)).collect();
        let entries: Vec<_> = queue.entries.iter().map(|entry| &entry.id).collect();
        format!("lost: {lost:?}\nback: {back:?}\nfound: {found:?}\nknown: {entries:?}")
    }

    /// A confirmed message that was on its way to the dead-letter queue is in one of the two. Not
    /// so while its queue is being deleted: records and messages are made durable at the same time,
    /// and the deletion may be there without the rejection before it, to which nobody answers.
    fn check_moves(&self, queue: &Queue, found: &[Option<Found>], now_ms: u64, wrong: &mut String) {
        if queue.uncertain {
            return;
        }
        let is_in = |queue: &Queue, id: &Id| {
            let at = self.queues.iter().position(|other| other.name == queue.name);
            let found = at.and_then(|at| found.get(at)?.as_ref());
            found.is_some_and(|found| found.messages.iter().any(|(other, _)| other == id))
        };
        for entry in queue.entries.iter().filter(|e| e.confirmed && queue.keeps(e)) {
            let expires = !entry.leaving && entry.expires_at_ms <= now_ms;
            let came_back = queue.entries.iter().any(|e| Some(e.serial) == entry.moved_to);
            let target = if came_back { Some(&queue.name) } else { queue.dead_letters_to.as_ref() };
            let target = self.queues.iter().find(|queue| Some(&queue.name) == target);
            let Some(target) = target else { continue };
            let mut id = entry.id.clone();
            if !came_back {
                id.died_in.get_or_insert_with(|| queue.name.clone());
            }
            let letter = target.entries.iter().find(|other| Some(other.serial) == entry.moved_to);
            let stays = letter.is_some_and(|letter| !letter.leaving && target.keeps(letter));
            let expected = stays || expires && target.present && target.keeps(entry);
            if expected && !target.uncertain && !is_in(queue, &entry.id) && !is_in(target, &id) {
                let _ = writeln!(wrong, "{entry:?} is in neither {} nor its target", queue.name);
            }
        }
    }

    /// Goes on from what was found.
    pub(crate) fn adopt(&mut self, found: Vec<Option<Found>>, now_ms: u64) {
        let before = self.clone();
        for (queue, found) in self.queues.iter_mut().zip(found) {
            queue.present = found.is_some();
            (queue.uncertain, queue.binding_uncertain) = (false, false);
            queue.bound = found.as_ref().is_some_and(|found| found.bound);
            let mut known = std::mem::take(&mut queue.entries);
            for (id, redelivered) in found.into_iter().flat_map(|found| found.messages) {
                self.serial += 1;
                let at = known.iter().position(|entry| entry.id == id);
                let known = at.map(|at| known.remove(at));
                queue.entries.push(Entry {
                    id,
                    serial: self.serial,
                    persistent: known.as_ref().is_none_or(|entry| entry.persistent),
                    confirmed: true,
                    leaving: false,
                    moved_to: None,
                    held: false,
                    delivered: redelivered,
                    redelivered,
                    expires_at_ms: known.map_or(u64::MAX, |entry| entry.expires_at_ms),
                });
            }
        }
        self.adopt_dying(&before, now_ms);
    }

    /// What dies when the broker starts may do so once more at the next start.
    fn adopt_dying(&mut self, before: &Self, now_ms: u64) {
        let mut dying = Vec::new();
        for entry in self.queues.iter_mut().flat_map(|queue| &mut queue.entries) {
            if before.dies_at_the_start(&entry.id, now_ms) {
                entry.confirmed = false;
                dying.push(entry.clone());
            }
        }
        for mut entry in dying {
            let Some(from) = entry.id.died_in.take() else { continue };
            (entry.leaving, entry.confirmed) = (true, true);
            (entry.moved_to, entry.expires_at_ms) = (Some(entry.serial), 0);
            self.queue(&from).into_iter().for_each(|queue| queue.entries.push(entry.clone()));
        }
    }
}
