//! The report for people.

use std::fmt;

use super::{Held, Host, Owner, Place, Report, Segments};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stop = if self.clean { "stopped in order" } else { "not stopped in order" };
        writeln!(f, "format {}, {stop}", self.format)?;
        let Segments { files, octets, live_octets } = self.segments;
        writeln!(f, "{files} segments of {octets} octets, {live_octets} of them live")?;
        for (name, host) in &self.virtual_hosts {
            writeln!(f, "virtual host {name}")?;
            let Host { queues, delaying_exchanges } = host;
            queues.iter().try_for_each(|queue| owner(f, "queue", queue))?;
            delaying_exchanges.iter().try_for_each(|exchange| owner(f, "exchange", exchange))?;
        }
        for (id, Held { messages, body_octets }) in &self.lost_queues {
            writeln!(
                f,
                "lost: the definition of queue number {id} with {messages} messages, \
                 {body_octets} octets"
            )?;
        }
        self.damaged_records.iter().try_for_each(|what| writeln!(f, "damaged record: {what}"))?;
        self.damage.iter().try_for_each(|damage| place(f, "damaged", damage))?;
        self.torn.iter().try_for_each(|torn| place(f, "never completed", torn))
    }
}

fn owner(f: &mut fmt::Formatter<'_>, kind: &str, owner: &Owner) -> fmt::Result {
    let Owner { name, id, held: Held { messages, body_octets } } = owner;
    writeln!(f, "  {kind} '{name}' (number {id}): {messages} messages, {body_octets} octets")
}

fn place(f: &mut fmt::Formatter<'_>, what: &str, place: &Place) -> fmt::Result {
    let Place { file, offset, octets } = place;
    writeln!(f, "{what}: {file}, {octets} octets at {offset}")
}
