//! Groups of consumers of a stream of which one at a time is active
//! `[rabbitmq streams single active consumer]`.
//!
//! A consumer that is told that it is no longer active says when it has stopped; only then the next
//! one is told that it is. So no two of them work on a stream at the same time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::base::ids::ConnectionId;

/// Tells consumers whether they are active.
pub(crate) trait Member: Send + Sync {
    /// The consumer with this number becomes active, or is not to be any more. Called with the
    /// groups of the stream locked: it must be quick, and call nobody.
    fn set_active(&self, number: u32, active: bool);
}

/// A consumer: its connection, and its number there.
pub(crate) type MemberId = (ConnectionId, u32);

/// A consumer in a group.
struct Place {
    id: MemberId,
    member: Arc<dyn Member>,
}

/// Who works.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Active {
    /// Nobody is left.
    Nobody,
    /// This one.
    One(MemberId),
    /// This one has been told to stop and has not said that it has.
    SteppingDown(MemberId),
}

/// The consumers of one name.
struct Group {
    /// Which partition of a super stream the stream is, from 0; `None` if it is none.
    partition: Option<usize>,
    /// In the order in which they came, by ticket.
    places: BTreeMap<u64, Place>,
    /// The tickets of all of them.
    tickets: HashMap<MemberId, u64>,
    last_ticket: u64,
    active: Active,
}

/// The stream is another partition for those who are in the group already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnotherPartition;

/// The groups of a stream.
#[derive(Default)]
pub(crate) struct Groups {
    by_name: HashMap<String, Group>,
}

impl Groups {
    /// A consumer joins the group of a name, which is begun with the first. As a partition of a
    /// super stream the stream goes to the consumer with the partition's number, so that each of
    /// them gets its share; else it stays with who has it.
    ///
    /// # Errors
    /// [`AnotherPartition`]
    pub(crate) fn join(
        &mut self,
        name: &str,
        partition: Option<usize>,
        id: MemberId,
        member: Arc<dyn Member>,
    ) -> Result<(), AnotherPartition> {
        let group = self.by_name.entry(name.to_owned()).or_insert_with(|| Group {
            partition,
            places: BTreeMap::new(),
            tickets: HashMap::new(),
            last_ticket: 0,
            active: Active::Nobody,
        });
        if group.partition != partition {
            return Err(AnotherPartition);
        }
        group.last_ticket += 1;
        group.tickets.insert(id, group.last_ticket);
        group.places.insert(group.last_ticket, Place { id, member });
        group.settle();
        Ok(())
    }

    /// A consumer leaves the group of a name, if it is in it.
    pub(crate) fn leave(&mut self, name: &str, id: MemberId) {
        let Some(group) = self.by_name.get_mut(name) else { return };
        if let Some(ticket) = group.tickets.remove(&id) {
            group.places.remove(&ticket);
        }
        if group.places.is_empty() {
            self.by_name.remove(name);
            return;
        }
        if matches!(group.active, Active::One(one) | Active::SteppingDown(one) if one == id) {
            group.active = Active::Nobody;
        }
        group.settle();
    }

    /// A consumer has stopped, as it was told.
    pub(crate) fn stepped_down(&mut self, name: &str, id: MemberId) {
        let Some(group) = self.by_name.get_mut(name) else { return };
        if group.active == Active::SteppingDown(id) {
            group.active = Active::Nobody;
            group.settle();
        }
    }

    /// Whether a consumer is the one that works.
    #[cfg(test)]
    pub(crate) fn is_active(&self, name: &str, id: MemberId) -> bool {
        self.by_name.get(name).is_some_and(|group| group.active == Active::One(id))
    }
}

impl Group {
    /// Whose turn it is. However many there are, no more of them are looked at than the super
    /// stream has partitions.
    fn chosen(&self) -> Option<&Place> {
        match (self.partition, self.active) {
            (Some(partition), _) => self.places.values().nth(partition % self.places.len().max(1)),
            (None, Active::One(id)) => self.place(id),
            (None, _) => self.places.values().next(),
        }
    }

    fn place(&self, id: MemberId) -> Option<&Place> {
        self.places.get(self.tickets.get(&id)?)
    }

    /// Does what follows from who is there.
    fn settle(&mut self) {
        let Some(chosen) = self.chosen() else { return };
        match self.active {
            Active::Nobody => {
                let ((_, number), id) = (chosen.id, chosen.id);
                chosen.member.set_active(number, true);
                self.active = Active::One(id);
            }
            Active::One(id) if id != chosen.id => {
                if let Some(present) = self.place(id) {
                    present.member.set_active(id.1, false);
                    self.active = Active::SteppingDown(id);
                }
            }
            Active::One(_) | Active::SteppingDown(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::lock::Mutex;
    use crate::base::rank;

    /// Writes down what its consumers are told.
    #[derive(Default)]
    struct Told(Mutex<Vec<(u32, bool)>, rank::StreamNews>);

    impl Member for Told {
        fn set_active(&self, number: u32, active: bool) {
            self.0.lock().push((number, active));
        }
    }

    struct World {
        groups: Groups,
        told: Arc<Told>,
        partition: Option<usize>,
    }

    impl World {
        fn new(partition: Option<usize>) -> Self {
            Self { groups: Groups::default(), told: Arc::default(), partition }
        }

        fn told(&self) -> Vec<(u32, bool)> {
            std::mem::take(&mut *self.told.0.lock())
        }

        fn join(&mut self, number: u32) -> Vec<(u32, bool)> {
            let member = Arc::clone(&self.told) as Arc<dyn Member>;
            assert_eq!(self.groups.join("app", self.partition, (1, number), member), Ok(()));
            self.told()
        }

        fn leave(&mut self, number: u32) -> Vec<(u32, bool)> {
            self.groups.leave("app", (1, number));
            self.told()
        }

        fn stepped_down(&mut self, number: u32) -> Vec<(u32, bool)> {
            self.groups.stepped_down("app", (1, number));
            self.told()
        }
    }

    #[test]
    fn without_a_super_stream_the_first_works_until_it_goes() {
        let mut world = World::new(None);
        assert_eq!(world.join(10), [(10, true)]);
        assert_eq!(world.join(11), []);
        assert_eq!(world.join(12), []);
        assert_eq!(world.leave(11), []);
        assert_eq!(world.join(13), []);
        assert_eq!(world.leave(10), [(12, true)]);
        assert!(world.groups.is_active("app", (1, 12)) && !world.groups.is_active("app", (1, 13)));
        assert_eq!(world.leave(13), []);
        assert_eq!(world.leave(12), []);
        assert_eq!(world.join(14), [(14, true)]);
    }

    #[test]
    fn a_partition_goes_to_the_consumer_of_its_number() {
        let mut world = World::new(Some(1));
        assert_eq!(world.join(10), [(10, true)]);
        assert_eq!(world.join(11), [(10, false)]);
        // Nothing happens until the first has stopped.
        assert_eq!(world.join(12), []);
        assert_eq!(world.stepped_down(11), []);
        assert_eq!(world.stepped_down(10), [(11, true)]);
        assert_eq!(world.stepped_down(10), []);
        assert_eq!(world.leave(12), []);
        // Of two, the second is chosen; of one, that one.
        assert_eq!(world.leave(10), []);
        assert_eq!(world.join(13), [(11, false)]);
        assert_eq!(world.stepped_down(11), [(13, true)]);
    }

    #[test]
    fn who_goes_without_a_word_has_stopped() {
        let mut world = World::new(Some(1));
        world.join(10);
        assert_eq!(world.join(11), [(10, false)]);
        assert_eq!(world.leave(10), [(11, true)]);
        assert_eq!(world.leave(11), []);
    }

    #[test]
    fn who_has_stopped_may_be_chosen_again() {
        let mut world = World::new(Some(1));
        world.join(10);
        assert_eq!(world.join(11), [(10, false)]);
        assert_eq!(world.leave(11), []);
        assert_eq!(world.stepped_down(10), [(10, true)]);
    }

    #[test]
    fn names_and_partitions_are_kept_apart() {
        let mut world = World::new(None);
        world.join(10);
        let member = Arc::clone(&world.told) as Arc<dyn Member>;
        let groups = &mut world.groups;
        assert_eq!(groups.join("other", None, (1, 11), Arc::clone(&member)), Ok(()));
        assert_eq!(groups.join("app", Some(2), (1, 12), member), Err(AnotherPartition));
        groups.leave("nobody", (1, 10));
        groups.leave("other", (1, 10));
        assert!(groups.is_active("app", (1, 10)) && groups.is_active("other", (1, 11)));
        assert_eq!(world.told(), [(11, true)]);
    }
}
