//! The report for people.

use std::fmt;

use super::{Held, HeldStream, Host, Owner, Place, Report, Segments};

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
        for (id, stream) in &self.lost_streams {
            write!(f, "lost: the definition of stream number {id} with ")?;
            held_stream(f, stream)?;
        }
        self.damaged_records.iter().try_for_each(|what| writeln!(f, "damaged record: {what}"))?;
        self.damage.iter().try_for_each(|damage| place(f, "damaged", damage))?;
        self.torn.iter().try_for_each(|torn| place(f, "never completed", torn))
    }
}

fn owner(f: &mut fmt::Formatter<'_>, kind: &str, owner: &Owner) -> fmt::Result {
    let Owner { name, id, held: Held { messages, body_octets }, stream } = owner;
    if let Some(stream) = stream {
        write!(f, "  stream '{name}' (number {id}): ")?;
        return held_stream(f, stream);
    }
    writeln!(f, "  {kind} '{name}' (number {id}): {messages} messages, {body_octets} octets")
}

fn held_stream(f: &mut fmt::Formatter<'_>, stream: &HeldStream) -> fmt::Result {
    let HeldStream { first_offset, next_offset, segments, octets, on_their_way, offsets } = stream;
    let messages = stream.messages();
    writeln!(
        f,
        "{messages} messages from offset {first_offset} on, the next is {next_offset}; {segments} \
         segments of {octets} octets"
    )?;
    if *on_their_way > 0 {
        writeln!(f, "    {on_their_way} more are on their way, and come at the next start")?;
    }
    offsets.iter().try_for_each(|(name, offset)| writeln!(f, "    '{name}' is at {offset}"))
}

fn place(f: &mut fmt::Formatter<'_>, what: &str, place: &Place) -> fmt::Result {
    let Place { file, offset, octets } = place;
    writeln!(f, "{what}: {file}, {octets} octets at {offset}")
}
