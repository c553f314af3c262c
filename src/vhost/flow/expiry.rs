//! Queues whose time has come: messages expire, and the queue itself.

use std::sync::Arc;

use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::time::timers::Sleeper;
use crate::time::waiting::Waiting;
use crate::vhost::VirtualHost;

impl Sleeper for Queue {
    type Host = VirtualHost;

    fn wake(self: Arc<Self>, host: &Arc<VirtualHost>) {
        let mut effects = Effects::new();
        Queue::wake(&self, host.now(), &mut effects);
        host.run(&mut effects);
    }

    fn is_gone(&self) -> bool {
        self.is_deleted()
    }

    fn waiting(&self, host: &VirtualHost) -> Option<Waiting> {
        let names = [host.name().as_str(), self.name().as_str()];
        Some(Waiting::new("queue", names, self.deadlines()))
    }
}
