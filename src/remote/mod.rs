//! Other brokers, and this one seen from outside: connections by the client lapin, and what uses
//! them by itself, such as shovels.

#[cfg(feature = "remote")]
pub(crate) mod client;
#[cfg(feature = "remote")]
pub(crate) mod connect;
#[cfg(feature = "remote")]
mod end;
#[cfg(feature = "remote")]
pub(crate) mod federation;
#[cfg(feature = "remote")]
mod greeting;
#[cfg(feature = "remote")]
mod runtime;
#[cfg(feature = "remote")]
pub(crate) mod shovel;
#[cfg(feature = "remote")]
mod stream;
pub(crate) mod tasks;
#[cfg(feature = "remote")]
mod threads;
#[cfg(feature = "remote")]
mod tls;
#[cfg(feature = "remote")]
mod under_way;

#[cfg(feature = "remote")]
pub(crate) use links::Links;

#[cfg(feature = "remote")]
mod links {
    use std::sync::Arc;

    use super::federation::Federator;
    use super::shovel::Courier;
    use crate::gateway::InMemory;
    use crate::node::Node;

    /// What keeps links to other brokers by itself.
    pub(crate) struct Links {
        courier: Arc<Courier>,
        federator: Arc<Federator>,
    }

    impl Links {
        /// Those of this broker.
        pub(crate) fn serving(node: &Arc<Node>, here: &Arc<InMemory>) -> Self {
            let courier = Courier::serving(node, here);
            Self { courier, federator: Federator::serving(node, here) }
        }

        /// Ends all of them.
        pub(crate) fn close(&self) {
            self.courier.close();
            self.federator.close();
        }
    }
}
