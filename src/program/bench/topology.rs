//! The queues, exchange and bindings that a run declares and deletes again.

use super::args::{BenchArgs, ExchangeType};
use super::connection::Connection;
use super::error::LoadError;
use super::wire::{Table, TableValue, method, put_short_string, put_table};

/// The channel that declares.
const CHANNEL: u16 = 1;
/// The channel that deletes: another one, because a refused declare closes its channel.
const DELETE_CHANNEL: u16 = 2;
/// Header that the bindings of a headers exchange look at.
const HEADER: &str = "bench-queue";

/// Names and routes of a run; every name has the same length.
#[derive(Debug)]
pub(super) struct Topology {
    exchange: String,
    exchange_type: Option<ExchangeType>,
    queues: Vec<String>,
    extra_bindings: u32,
    durable: bool,
    queue_args: Table,
}

impl Topology {
    /// Names everything after `unique`, a number that no other run uses.
    pub(super) fn new(args: &BenchArgs, unique: u32) -> Self {
        let prefix = format!("leveret-bench-{unique:08x}");
        Self {
            exchange: args.exchange_type.map(|_| prefix.clone()).unwrap_or_default(),
            exchange_type: args.exchange_type,
            queues: (0..args.queues).map(|queue| format!("{prefix}-{queue:04}")).collect(),
            extra_bindings: args.bindings,
            durable: args.durable,
            queue_args: args.queue_args.clone(),
        }
    }

    /// Name of the exchange, empty for the default exchange.
    pub(super) fn exchange(&self) -> &str {
        &self.exchange
    }

    /// Names of all queues.
    pub(super) fn queues(&self) -> &[String] {
        &self.queues
    }

    /// The arguments of all queues.
    pub(super) fn queue_args(&self) -> &Table {
        &self.queue_args
    }

    /// The queue whose turn it is at `turn`; the queues take turns.
    pub(super) fn queue(&self, turn: usize) -> &str {
        self.queues.get(turn % self.queues.len().max(1)).map_or("", String::as_str)
    }

    /// Routing key of the message whose turn it is at `turn`.
    pub(super) fn routing_key(&self, turn: usize) -> String {
        let queue = turn % self.queues.len().max(1);
        match self.exchange_type {
            None => self.queue(turn).to_owned(),
            Some(ExchangeType::Direct) => format!("key-{queue:04}"),
            Some(ExchangeType::Topic) => format!("bench.{queue:04}.event"),
            Some(ExchangeType::Fanout | ExchangeType::Headers) => String::new(),
        }
    }

    /// Headers of the message whose turn it is at `turn`.
    pub(super) fn headers(&self, turn: usize) -> Table {
        let queue = turn % self.queues.len().max(1);
        match self.exchange_type {
            Some(ExchangeType::Headers) => header(format!("{queue:04}")),
            _ => Table::new(),
        }
    }

    /// Declares the exchange and the queues and binds them.
    pub(super) fn declare(&self, admin: &mut Connection) -> Result<(), LoadError> {
        admin.open_channel(CHANNEL)?;
        self.declare_queues(admin)?;
        self.bind_all(admin)
    }

    /// Declares the exchange and the queues on a channel that is open.
    pub(super) fn declare_queues(&self, admin: &mut Connection) -> Result<(), LoadError> {
        let durable = if self.durable { 2 } else { 0 };
        if let Some(exchange_type) = self.exchange_type {
            let answer = method::EXCHANGE_DECLARE_OK;
            admin.call(CHANNEL, method::EXCHANGE_DECLARE, answer, |out| {
                out.extend_from_slice(&[0, 0]);
                put_short_string(out, &self.exchange);
                put_short_string(out, exchange_type.as_str());
                out.push(durable);
                put_table(out, &[]);
            })?;
        }
        for queue in &self.queues {
            admin.call(CHANNEL, method::QUEUE_DECLARE, method::QUEUE_DECLARE_OK, |out| {
                out.extend_from_slice(&[0, 0]);
                put_short_string(out, queue);
                out.push(durable);
                put_table(out, &self.queue_args);
            })?;
        }
        Ok(())
    }

    /// Binds the queues to the exchange, if there is one.
    pub(super) fn bind_all(&self, admin: &mut Connection) -> Result<(), LoadError> {
        let Some(kind) = self.exchange_type else { return Ok(()) };
        for turn in 0..self.queues.len() {
            let key = match kind {
                ExchangeType::Topic => format!("bench.{turn:04}.*"),
                _ => self.routing_key(turn),
            };
            self.bind(admin, turn, &key, &self.headers(turn))?;
        }
        for extra in 0..self.extra_bindings as usize {
            let (key, arguments) = match kind {
                ExchangeType::Headers => (String::new(), header(format!("other-{extra}"))),
                ExchangeType::Topic => (format!("other.{extra}.*"), Table::new()),
                _ => (format!("other-{extra}"), Table::new()),
            };
            self.bind(admin, extra, &key, &arguments)?;
        }
        Ok(())
    }

    fn bind(
        &self,
        admin: &mut Connection,
        turn: usize,
        binding_key: &str,
        arguments: &Table,
    ) -> Result<(), LoadError> {
        admin.call(CHANNEL, method::QUEUE_BIND, method::QUEUE_BIND_OK, |out| {
            out.extend_from_slice(&[0, 0]);
            put_short_string(out, self.queue(turn));
            put_short_string(out, &self.exchange);
            put_short_string(out, binding_key);
            out.push(0);
            put_table(out, arguments);
        })
    }

    /// Deletes what [`Topology::declare`] declared.
    pub(super) fn delete(&self, admin: &mut Connection) -> Result<(), LoadError> {
        admin.open_channel(DELETE_CHANNEL)?;
        for queue in &self.queues {
            admin.call(DELETE_CHANNEL, method::QUEUE_DELETE, method::QUEUE_DELETE_OK, |out| {
                out.extend_from_slice(&[0, 0]);
                put_short_string(out, queue);
                out.push(0);
            })?;
        }
        if self.exchange_type.is_some() {
            admin.call(
                DELETE_CHANNEL,
                method::EXCHANGE_DELETE,
                method::EXCHANGE_DELETE_OK,
                |out| {
                    out.extend_from_slice(&[0, 0]);
                    put_short_string(out, &self.exchange);
                    out.push(0);
                },
            )?;
        }
        Ok(())
    }
}

fn header(value: String) -> Table {
    vec![(HEADER.to_owned(), TableValue::Text(value))]
}
