//! What connections, channels, queues, bindings and consumers take of a server's memory.
//!
//! Each is made ten thousand times and kept until the last one is: so no memory that one of them
//! has given back serves for another.

use super::args::{BenchArgs, ExchangeType};
use super::clock::Clock;
use super::connection::{Connection, Target};
use super::consumer::subscribe;
use super::error::LoadError;
use super::process::resident_bytes;
use super::topology::Topology;

/// How many of each there are.
const COUNT: u16 = 10_000;
/// The channel that each connection has.
const CHANNEL: u16 = 1;

/// Resident octets that one of each takes.
pub(super) fn measure(args: &BenchArgs, pid: u32) -> Result<Vec<(&'static str, f64)>, LoadError> {
    let args = BenchArgs {
        queues: COUNT,
        exchange_type: Some(ExchangeType::Direct),
        prefetch: 1000,
        ack: true,
        ..args.clone()
    };
    let (target, clock) = (Target::parse(&args.uri)?, Clock::start());
    let topology = Topology::new(&args, std::process::id());
    let mut admin = Connection::open(&target, clock)?;
    admin.open_channel(CHANNEL)?;
    let mut before = resident_bytes(pid)?;
    let mut grown = |what| -> Result<_, LoadError> {
        let now = resident_bytes(pid)?;
        let each = now.saturating_sub(std::mem::replace(&mut before, now)) as f64;
        Ok((what, each / f64::from(COUNT)))
    };
    let mut each = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..COUNT {
        connections.push(Connection::open(&target, clock)?);
    }
    each.push(grown("connection")?);
    connections.iter_mut().try_for_each(|connection| connection.open_channel(CHANNEL))?;
    each.push(grown("channel, the first one of its connection")?);
    topology.declare_queues(&mut admin)?;
    each.push(grown("queue")?);
    topology.bind_all(&mut admin)?;
    each.push(grown("binding")?);
    for (connection, queue) in connections.iter_mut().zip(topology.queues()) {
        subscribe(connection, CHANNEL, queue, &args)?;
    }
    each.push(grown("consumer")?);
    connections.into_iter().try_for_each(Connection::close)?;
    topology.delete(&mut admin)?;
    admin.close()?;
    Ok(each)
}
