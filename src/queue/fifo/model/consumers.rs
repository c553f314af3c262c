//! What the model knows of consumers.

use super::*;

impl World {
    pub(super) fn add_consumer(&mut self, no_ack: bool, prefetch_count: u32, priority: i64) {
        let gate = Arc::new(Gate(AtomicBool::new(true)));
        let source = self.consumers.len();
        let id = self.state.add_consumer(ConsumerSpec {
            tag: format!("c{source}").into(),
            channel: ChannelId::default(),
            outlet: Arc::clone(&gate) as _,
            source: u32::try_from(source).unwrap(),
            no_ack,
            prefetch_count,
            priority,
            timeout_ms: None,
            exclusive: false,
            arguments: FieldTable::default(),
        });
        self.state.resume(id);
        self.consumers.push(Consumer { id, gate, no_ack, prefetch_count, priority, gone: false });
        self.review_active();
    }

    /// The consumer that is the single active one if nobody is.
    pub(super) fn best(&self) -> Option<usize> {
        let rest = (0..self.consumers.len()).filter(|&at| !self.consumers[at].gone);
        let prefetch = |at: usize| match self.consumers[at].prefetch_count {
            _ if !self.quorum => 0,
            0 => u32::MAX,
            prefetch_count => prefetch_count,
        };
        rest.rev().max_by_key(|&at| (self.consumers[at].priority, prefetch(at)))
    }

    /// Whether the single active consumer gets nothing more, because there is a better one.
    pub(super) fn makes_way(&self) -> bool {
        let priority = |at: Option<usize>| at.map(|at| self.consumers[at].priority);
        self.quorum && self.active.is_some() && priority(self.best()) > priority(self.active)
    }

    pub(super) fn review_active(&mut self) {
        let has_settled =
            self.active.is_some_and(|at| self.unacked(|owner| owner == Some(at)) == 0);
        if self.active.is_none() || self.makes_way() && has_settled {
            self.active = self.best();
        }
    }

    pub(super) fn remove_consumer(&mut self, at: usize) -> Checked {
        self.consumers[at].gone = true;
        let last = self.consumers.iter().all(|consumer| consumer.gone);
        let told = self.state.remove_consumer(self.consumers[at].id, self.now);
        prop_assert_eq!(told, last, "the last consumer is known as such");
        if self.active == Some(at) {
            self.active = None;
        }
        self.review_active();
        Ok(())
    }

    pub(super) fn can_take(&self, at: usize) -> bool {
        let consumer = &self.consumers[at];
        let limit = consumer.prefetch_count as usize;
        !consumer.gone
            && consumer.gate.0.load(Ordering::SeqCst)
            && (consumer.no_ack || limit == 0 || self.unacked(|owner| owner == Some(at)) < limit)
    }

    pub(super) fn pick_consumer(&self, who: Index) -> Option<usize> {
        let here: Vec<_> =
            (0..self.consumers.len()).filter(|&at| !self.consumers[at].gone).collect();
        (!here.is_empty()).then(|| here[who.index(here.len())])
    }
}
