//! Telling a broker which program runs it.

use crate::broker::Broker;
use crate::node::steering::Steering;

/// The program that runs the broker lets its administrators do this over HTTP. The first one
/// counts.
pub fn steer(broker: &Broker, program: impl Steering + 'static) {
    broker.node().set_steering(Box::new(program));
}
