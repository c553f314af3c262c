//! Federation, for the embedding program `[rabbitmq federation]`.

use crate::broker::virtual_host::VirtualHostHandle;
use crate::link::federation::status::State;
use crate::time::clock::Timestamp;

/// What a federation link does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FederationLinkStatus {
    /// The exchange or queue here.
    pub name: String,
    /// Whether it is a queue, or else an exchange.
    pub is_queue: bool,
    /// The upstream.
    pub upstream: String,
    /// `starting`, `running` or `error`: waiting to try again.
    pub state: &'static str,
    /// Since when, by the broker's clock.
    pub since: Timestamp,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Messages that have come since the link was made.
    pub received: u64,
}

impl VirtualHostHandle {
    /// What the federation links of the virtual host do: one for each exchange or queue whose
    /// policy chooses upstreams, and each upstream. Upstreams are set by
    /// [`set_parameter`](Self::set_parameter), with the component `federation-upstream`.
    pub fn federation_links(&self) -> Vec<FederationLinkStatus> {
        let all = self.node.federation.links().into_iter();
        let of_host = all.filter(|link| link.key.host == self.name());
        let told = of_host.map(|link| {
            let status = link.status();
            FederationLinkStatus {
                name: link.key.name.clone(),
                is_queue: link.key.is_queue,
                upstream: link.key.upstream.clone(),
                state: match status.state {
                    State::Starting => "starting",
                    State::Running { .. } => "running",
                    State::Failed { .. } => "error",
                },
                since: status.changed_at,
                last_error: status.last_error.map(|(reason, _)| reason),
                received: status.received,
            }
        });
        told.collect()
    }
}
