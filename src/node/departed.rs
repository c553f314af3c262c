//! What was counted in virtual hosts that are deleted: sums that have only risen go on doing so.

use std::sync::Arc;

use crate::insight::statistics::totals::Churn;
use crate::vhost::{Gone, VirtualHost};

/// Virtual hosts that are deleted.
#[derive(Default)]
pub(crate) struct Departed {
    /// Those that somebody still holds: a connection that has not ended yet.
    ending: Vec<Arc<VirtualHost>>,
    gone: Gone,
    churn: Churn,
}

/// Whose counts make up the sums of a node.
pub(crate) struct Counting {
    /// The virtual hosts that are there.
    pub hosts: Vec<Arc<VirtualHost>>,
    /// Those that are deleted, and whose connections may still be ending.
    pub ending: Vec<Arc<VirtualHost>>,
    /// What those had counted of which nothing is left.
    pub gone: Gone,
    /// Who had come and gone there.
    pub churn: Churn,
}

impl Departed {
    /// A virtual host is deleted.
    pub(crate) fn add(&mut self, host: Arc<VirtualHost>) {
        self.ending.push(host);
    }

    /// Those whose counts make up the sums, with the virtual hosts that are there.
    pub(crate) fn counting(&mut self, hosts: Vec<Arc<VirtualHost>>) -> Counting {
        self.fold();
        let Self { ending, gone, churn } = self;
        Counting { hosts, ending: ending.clone(), gone: gone.clone(), churn: *churn }
    }

    /// Keeps of those that nobody holds any more their sums alone.
    fn fold(&mut self) {
        let Self { ending, gone, churn } = self;
        ending.retain(|host| {
            let is_held = Arc::strong_count(host) > 1;
            if !is_held {
                gone.add(&host.statistics.gone.lock());
                *churn += host.statistics.churn.totals();
            }
            is_held
        });
    }
}
