//! The prefetch that the consumers of a channel share `[rabbitmq consumer-prefetch]`. The lock of
//! the deliveries guards it: so nothing else is counted for each delivery, with or without a limit.

/// What counts against it.
#[derive(Debug, Default)]
pub(super) struct Credit {
    /// Deliveries to consumers that are not settled.
    pub(super) outstanding: u32,
    /// Deliveries that queues were promised to be taken, and that are still on their way.
    reserved: u32,
}

impl Credit {
    /// Whether there is a unit left under this limit.
    pub(super) fn is_left(&self, limit: u32) -> bool {
        self.outstanding.saturating_add(self.reserved) < limit
    }

    /// Reserves a unit for a delivery that is on its way, if there is one.
    pub(super) fn reserve(&mut self, limit: u32) -> bool {
        let is_left = self.is_left(limit);
        self.reserved += u32::from(is_left);
        is_left
    }

    /// A delivery that has to be settled has come, with or without a reservation: there was none
    /// to be had without a limit.
    #[inline]
    pub(super) fn arrive(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
        self.outstanding += 1;
    }

    /// So many deliveries count no more.
    #[inline]
    pub(super) fn release(&mut self, count: u32) {
        self.outstanding = self.outstanding.saturating_sub(count);
    }
}
