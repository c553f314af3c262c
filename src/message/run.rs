//! Messages that came in a row and differ in their bodies alone: they share what is the same, and
//! an allocation. It is kept as long as one of them is, and is therefore small.

use crate::limits::{RUN_BYTES, RUN_MESSAGES_MAX};
use crate::message::mould::Mould;
use crate::message::{Body, Front, Message, Place, allocated, saturating};

/// Messages that are gathered, in order.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Those that are made.
    made: Vec<Message>,
    open: Run,
}

/// Bodies of which messages are to be made.
#[derive(Default)]
struct Run {
    front: Front,
    /// The mould's, when the first of them came.
    edition: u32,
    /// What comes before the bodies, and the bodies.
    octets: Vec<u8>,
    /// Where the bodies are.
    bodies: Vec<Place>,
}

impl Gathered {
    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.made.len() + self.open.bodies.len()
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.made.is_empty() && self.open.bodies.is_empty()
    }

    /// Whether one of them is persistent.
    pub(crate) fn any_is_persistent(&self) -> bool {
        let is_open = !self.open.bodies.is_empty();
        is_open && self.open.front.persistent || self.made.iter().any(Message::is_persistent)
    }

    /// Adds one that is made already.
    pub(crate) fn push(&mut self, message: Message) {
        self.open.finish(&mut self.made);
        self.made.push(message);
    }

    /// Adds a message that the mould makes with this body. All since the last call of
    /// [`Gathered::messages`] are of the same mould.
    #[inline]
    pub(crate) fn add(&mut self, mould: &mut Mould, body: Body<'_>) {
        let (run, octets) = (&mut self.open, body.as_slice());
        let is_full = run.octets.len() + octets.len() > RUN_BYTES
            || run.bodies.len() >= RUN_MESSAGES_MAX
            || run.edition != mould.edition();
        if is_full {
            run.finish(&mut self.made);
        }
        if run.bodies.is_empty() {
            run.begin(mould);
            if run.octets.len() + octets.len() > RUN_BYTES {
                return self.made.push(mould.message(body));
            }
        }
        run.add(octets);
    }

    /// Takes all of the others behind its own.
    pub(crate) fn append(&mut self, others: &mut Self) {
        if self.is_empty() {
            return std::mem::swap(self, others);
        }
        if !others.made.is_empty() || !self.open.takes(&others.open) {
            self.open.finish(&mut self.made);
            self.made.append(&mut others.made);
        }
        self.open.append(&mut others.open);
    }

    /// Forgets all of them, and leaves room for so many.
    pub(crate) fn clear(&mut self, room: usize) {
        self.made.clear();
        self.made.shrink_to(room);
        self.open.clear(room);
    }

    /// Takes the only one, if it is alone.
    #[inline]
    pub(crate) fn take_only(&mut self) -> Option<Message> {
        match (self.made.len(), self.open.bodies.len()) {
            (0, 1) => self.open.take_last(),
            (1, 0) => self.made.pop(),
            _ => None,
        }
    }

    /// All of them.
    pub(crate) fn messages(&mut self) -> &mut Vec<Message> {
        self.open.finish(&mut self.made);
        &mut self.made
    }
}

impl Run {
    fn begin(&mut self, mould: &Mould) {
        (self.front, self.edition) = (mould.front, mould.edition());
        self.octets.clear();
        self.octets.extend_from_slice(mould.front_octets());
    }

    /// Whether the others differ from these in their bodies alone, and there is room for them.
    fn takes(&self, others: &Self) -> bool {
        self.bodies.is_empty()
            || self.front == others.front
                && self.bodies.len() + others.bodies.len() <= RUN_MESSAGES_MAX
                && self.octets.len() + others.octets.len() <= RUN_BYTES
                && self.front_octets() == others.front_octets()
    }

    fn front_octets(&self) -> &[u8] {
        self.octets.get(..self.front.len()).unwrap_or_default()
    }

    /// Takes the bodies of the others behind its own.
    fn append(&mut self, others: &mut Self) {
        if self.bodies.is_empty() {
            (self.front, self.edition) = (others.front, others.edition);
            self.octets.clear();
            self.octets.extend_from_slice(others.front_octets());
        }
        for body in others.bodies.drain(..) {
            let body = others.octets.get(body.from()..body.from() + body.len());
            self.add(body.unwrap_or_default());
        }
    }

    fn clear(&mut self, room: usize) {
        self.bodies.clear();
        self.bodies.shrink_to(room);
        self.octets.clear();
        self.octets.shrink_to(RUN_BYTES * room / RUN_MESSAGES_MAX);
    }

    #[inline]
    fn add(&mut self, body: &[u8]) {
        self.bodies.push(Place::new(saturating(self.octets.len()), saturating(body.len())));
        self.octets.extend_from_slice(body);
        if body.is_empty() {
            self.octets.push(0); // so that no two messages begin at the same place
        }
    }

    /// Makes messages of the bodies.
    fn finish(&mut self, made: &mut Vec<Message>) {
        let Some(last) = self.take_last() else { return };
        let others = self.bodies.drain(..);
        made.extend(others.map(|body| Message { run: last.run.clone(), body }));
        made.push(last);
    }

    /// Makes the last message, in an allocation that has room for all.
    #[inline]
    fn take_last(&mut self) -> Option<Message> {
        let count = self.bodies.len();
        let body = self.bodies.pop()?;
        Some(Message { run: allocated(self.front, None, count, &self.octets), body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Parts;

    fn parts(key: &'static [u8]) -> Parts<'static> {
        let body = Body::Borrowed(b"");
        Parts {
            exchange: b"logs",
            routing_key: key,
            properties: b"\0\0",
            expiration_ms: None,
            body,
        }
    }

    fn gathered(bodies: &[&[u8]]) -> Vec<Message> {
        let (mut gathered, mut mould) = (Gathered::default(), Mould::of(&parts(b"key")));
        bodies.iter().for_each(|body| gathered.add(&mut mould, Body::Borrowed(body)));
        assert_eq!((gathered.len(), gathered.is_empty()), (bodies.len(), bodies.is_empty()));
        std::mem::take(gathered.messages())
    }

    #[test]
    fn messages_of_a_run_are_what_they_were_made_of() {
        let large = vec![7; 100_000];
        let middle = vec![8; RUN_BYTES - 20];
        let mut bodies: Vec<&[u8]> = vec![b"one", b"", b"", &large, b"two", &middle, b"three"];
        bodies.extend([&b"more"[..]; 40]);
        let made = gathered(&bodies);
        assert_eq!(made.iter().map(Message::body).collect::<Vec<_>>(), bodies);
        assert_eq!(made.iter().map(Message::body_len).sum::<usize>(), bodies.concat().len());
        assert!(made.iter().all(|m| (m.exchange(), m.routing_key()) == ("logs", "key")));
        let mut addresses: Vec<_> = made.iter().map(Message::address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), bodies.len(), "each is told from the others");
        assert!(made[0].is_like(&made[2]) && made[0].is_like(&made[4]));
        assert!(!made[0].is_like(&made[3]));
    }

    #[test]
    fn what_messages_of_a_run_share_counts_once() {
        let [one] = &gathered(&[b"body"])[..] else { panic!("one message") };
        let many = gathered(&[&b"body"[..]; RUN_MESSAGES_MAX]);
        let shared = one.footprint() - 4;
        let total: usize = many.iter().map(Message::footprint).sum();
        let bodies = 4 * RUN_MESSAGES_MAX;
        assert!((shared + bodies..shared + bodies + RUN_MESSAGES_MAX).contains(&total));
    }

    #[test]
    fn a_run_ends_where_the_mould_changes_or_a_message_is_made_already() {
        let (mut gathered, mut mould) = (Gathered::default(), Mould::of(&parts(b"a")));
        gathered.add(&mut mould, Body::Borrowed(b"1"));
        mould.set(&parts(b"b"));
        gathered.add(&mut mould, Body::Borrowed(b"2"));
        gathered.push(Message::new(parts(b"c"), &mut Vec::new()));
        gathered.add(&mut mould, Body::Borrowed(b"4"));
        let made = gathered.messages();
        let keys: Vec<_> = made.iter().map(|m| (m.routing_key(), m.text())).collect();
        let text = str::to_owned;
        assert_eq!(keys, [("a", text("1")), ("b", text("2")), ("c", text("")), ("b", text("4"))]);
    }

    #[test]
    fn what_was_gathered_apart_is_joined_where_it_is_alike() {
        let key = |key| Mould::of(&parts(key));
        let (mut all, mut apart) = (Gathered::default(), Gathered::default());
        let mut expected = Vec::new();
        let mut join = |mould: &mut Mould, bodies: &[&[u8]]| {
            bodies.iter().for_each(|body| apart.add(mould, Body::Borrowed(body)));
            expected.extend(bodies.iter().map(|body| (body.to_vec(), mould.names().1.to_vec())));
            all.append(&mut apart);
            assert!(apart.is_empty());
        };
        let large = vec![7; RUN_BYTES];
        let many = [&b"many"[..]; RUN_MESSAGES_MAX - 1];
        join(&mut key(b"a"), &[b"1", b""]);
        join(&mut key(b"a"), &[b"", b"22"]);
        join(&mut key(b"b"), &[b"3"]);
        join(&mut key(b"b"), &[b"4", &large, b"5"]);
        join(&mut key(b"b"), &[b"6"]);
        join(&mut key(b"b"), &many);
        let made = std::mem::take(all.messages());
        let texts = made.iter().map(|m| (m.body().to_vec(), m.routing_key_octets().to_vec()));
        assert!(texts.eq(expected));
        let is_one_run = |range: std::ops::Range<usize>| {
            let run = made.get(range).unwrap();
            run.iter().all(|message| std::ptr::eq(message.head(), run[0].head()))
        };
        assert!(is_one_run(0..4) && is_one_run(7..9));
        assert!(is_one_run(9..made.len()), "there was no room for all of them");
        assert!(!is_one_run(3..5) && !is_one_run(5..7) && !is_one_run(8..10));
    }
}
