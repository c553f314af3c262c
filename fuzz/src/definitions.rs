//! Definitions as RabbitMQ exports them: whatever they are, they are taken or refused, once as
//! twice, and what is written of them can be read.

use leveret::Broker;
use leveret::definitions::Definitions;

/// Octets of a file of definitions.
pub fn run(data: &[u8]) {
    let Ok(definitions) = Definitions::from_json(data) else { return };
    let written = definitions.to_json().expect("they came from JSON");
    let again = Definitions::from_json(&written).expect("it was written by us");
    let mut exported = definitions.clone();
    exported.users.iter_mut().for_each(|user| user.password = None); // which is never written
    assert_eq!(exported, again);
    let broker = Broker::builder().no_default_user().build();
    let first = broker.import(&definitions);
    let queues = broker.queues().len();
    let second = broker.import(&definitions);
    assert_eq!(broker.queues().len(), queues, "declared twice");
    if first.is_ok() {
        assert!(second.is_ok(), "{second:?}");
    }
}
