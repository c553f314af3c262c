//! What the model does with messages.

use super::*;

impl World {
    pub(super) fn settle(
        &mut self,
        which: Index,
        multiple: bool,
        settlement: Settlement,
    ) -> Checked {
        let mut unacked: Vec<_> = self
            .items
            .iter()
            .filter_map(|(&number, item)| match item.place {
                Place::Unacked { delivery, .. } => Some((delivery, number)),
                _ => None,
            })
            .collect();
        unacked.sort_unstable();
        if unacked.is_empty() {
            return Ok(());
        }
        let at = which.index(unacked.len());
        let chosen = if multiple { &unacked[..=at] } else { &unacked[at..=at] };
        let mut dying = Vec::new();
        for &(delivery, number) in chosen {
            self.settled.push(delivery);
            let limit = self.settings.delivery_limit;
            let item = self.items.get_mut(&number).unwrap();
            item.place = match settlement {
                Settlement::Ack => Place::Gone(Fate::Acked),
                Settlement::Reject => Place::Dying,
                Settlement::Requeue | Settlement::Abandon | Settlement::RequeueLast { .. } => {
                    item.returns += 1;
                    if self.quorum {
                        item.failures += u16::from(settlement == Settlement::Abandon);
                        self.turns += 1;
                        item.turn = self.turns;
                    }
                    if limit.is_exceeded(item.returns) { Place::Dying } else { Place::Ready }
                }
            };
            if item.place == Place::Dying {
                dying.push(number);
            }
        }
        // Numbers that were settled before mean nothing.
        let stale = self.settled.iter().rev().skip(chosen.len()).take(3).copied();
        let ids = stale.chain(chosen.iter().map(|&(delivery, _)| delivery));
        self.state.settle(ids, settlement, self.now, &mut self.effects);
        self.bury();
        let reason = match settlement {
            Settlement::Reject => DeathReason::Rejected,
            _ => DeathReason::DeliveryLimit,
        };
        let dead: Vec<_> = self
            .effects
            .deaths
            .extract_if(.., |death| death.reason == reason)
            .map(|death| number_of(&death.message))
            .collect();
        prop_assert_eq!(&dead, &dying, "the dead leave in the order of their deliveries");
        for number in dead {
            self.put(number, Place::Gone(Fate::Dead(reason)));
        }
        self.review_active();
        self.absorb(None)
    }

    /// Purges; the messages are dropped a few at a time.
    pub(super) fn purge_state(&mut self) -> usize {
        let mut purged = self.state.purge(self.now, &mut self.effects);
        let count = purged.len();
        while !self.state.forget_some(&mut purged, 2, &mut self.effects).is_empty() {}
        self.effects.gone.extend(purged.stored(STORAGE.id));
        count
    }

    pub(super) fn purge(&mut self) -> Checked {
        let purged = self.purge_state();
        self.absorb(None)?;
        let rest = self.ready();
        prop_assert_eq!(purged, rest.len(), "purge tells how many");
        for number in rest {
            self.put(number, Place::Gone(Fate::Purged));
        }
        Ok(())
    }

    /// Takes the effects of one step: what left the ready messages, and where it went. `fresh` is
    /// the first message that this step brought.
    pub(super) fn absorb(&mut self, fresh: Option<u64>) -> Checked {
        self.bury();
        let deaths = std::mem::take(&mut self.effects.deaths);
        let deliveries = std::mem::take(&mut self.effects.deliveries);
        let order = self.ready();
        let died = deaths.iter().map(|death| number_of(&death.message));
        let entries = deliveries.iter().filter_map(|it| it.entry(&self.state.unacked).cloned());
        let entries: Vec<_> = entries.collect();
        prop_assert_eq!(entries.len(), deliveries.len(), "the queue keeps what it hands out");
        let delivered = entries.iter().map(|entry| number_of(&entry.message));
        let mut left: Vec<_> = died.chain(delivered).collect();
        left.sort_unstable_by_key(|number| order.iter().position(|other| other == number));
        prop_assert!(left.len() <= order.len(), "nothing leaves twice");
        prop_assert_eq!(&left, &order[..left.len()], "heads leave first");
        for death in deaths {
            self.die(number_of(&death.message), death.reason)?;
        }
        for (delivery, entry) in deliveries.into_iter().zip(&entries) {
            let number = number_of(&entry.message);
            let source = delivery.source as usize;
            self.check_choice(source)?;
            self.check_entry(number, entry, fresh)?;
            self.take(number, delivery.id, Some(source))?;
        }
        Ok(())
    }

    pub(super) fn die(&mut self, number: u64, reason: DeathReason) -> Checked {
        let item = &self.items[&number];
        prop_assert_eq!(item.place, Place::Ready, "only ready messages expire or overflow");
        match reason {
            DeathReason::Expired => {
                prop_assert!(item.expires_at <= self.now, "nothing expires too early");
            }
            DeathReason::MaxLen => {
                prop_assert!(self.settings.length.overflow == Overflow::DropHead);
                prop_assert!(self.is_too_long(), "nothing is dropped below the limit");
            }
            other => prop_assert!(false, "unexpected death: {other:?}"),
        }
        self.put(number, Place::Gone(Fate::Dead(reason)));
        Ok(())
    }

    pub(super) fn take(&mut self, number: u64, delivery: u64, consumer: Option<usize>) -> Checked {
        prop_assert_eq!(self.items[&number].place, Place::Ready, "nothing is delivered twice");
        if delivery == 0 {
            prop_assert!(consumer.is_none_or(|at| self.consumers[at].no_ack));
            self.put(number, Place::Gone(Fate::DeliveredWithoutAck));
        } else {
            prop_assert!(delivery > self.last_delivery, "delivery numbers rise");
            self.last_delivery = delivery;
            self.put(number, Place::Unacked { delivery, consumer });
        }
        Ok(())
    }

    pub(super) fn put(&mut self, number: u64, place: Place) {
        self.items.get_mut(&number).unwrap().place = place;
    }

    /// Ready messages in the order in which they have to leave.
    pub(super) fn ready(&self) -> Vec<u64> {
        let ready = self.items.iter().filter(|(_, item)| item.place == Place::Ready);
        let turn = |item: &Item| if item.turn == 0 { u64::MAX } else { item.turn };
        let key = |item: &Item, number| (std::cmp::Reverse(item.level), turn(item), number);
        let mut order: Vec<_> = ready.map(|(&number, item)| key(item, number)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, number)| number).collect()
    }

    pub(super) fn ready_bytes(&self) -> u64 {
        let ready = self.items.values().filter(|item| item.place == Place::Ready);
        ready.map(|item| item.body_bytes).sum()
    }

    pub(super) fn is_too_long(&self) -> bool {
        let length = &self.settings.length;
        length.max_length.is_some_and(|max| self.ready().len() as u64 > max)
            || length.max_length_bytes.is_some_and(|max| self.ready_bytes() > max)
    }

    pub(super) fn unacked(&self, of: impl Fn(Option<usize>) -> bool) -> usize {
        let by =
            |item: &Item| matches!(item.place, Place::Unacked { consumer, .. } if of(consumer));
        self.items.values().filter(|item| by(item)).count()
    }
}
