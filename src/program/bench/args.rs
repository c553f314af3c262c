//! The options of the load command and what they add up to.

use std::time::Duration;

use clap::ValueEnum;

use super::error::LoadError;
use super::wire::TableValue;

/// Puts load on an AMQP 0-9-1 server and measures rates, latency and CPU time per message; also
/// over the stream protocol.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BenchArgs {
    /// Server to load; the path names the virtual host ("/" or nothing means "/"). With
    /// rabbitmq-stream://HOST:5552 the load is streams over the stream protocol: publishers that
    /// are always confirmed, and readers that give credit
    #[arg(long, default_value = "amqp://guest:guest@127.0.0.1:5672/")]
    pub uri: String,
    /// Publishing connections, one thread each
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub publishers: u16,
    /// Consuming connections, one thread each; 0 only publishes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub consumers: u16,
    /// Channels per connection; each channel of a consuming connection has one consumer
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2047))]
    pub channels: u16,
    /// Channels per publishing connection, which publish in turn [default: as --channels]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2047))]
    pub publisher_channels: Option<u16>,
    /// Further connections, with a channel each, that do nothing
    #[arg(long, value_name = "N", default_value_t = 0,
        value_parser = clap::value_parser!(u16).range(0..=IDLE_MAX))]
    pub idle: u16,
    /// Size of a message's body in bytes; latency needs at least 8
    #[arg(long, value_name = "BYTES", default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(0..=MESSAGE_BYTES_MAX))]
    pub size: u32,
    /// Messages to publish in the measured span, shared among the publishers; the run ends when
    /// all are consumed and, with --confirm, confirmed
    #[arg(long, value_name = "N", conflicts_with = "duration",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    /// Length of the measured span in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    pub duration: Option<f64>,
    /// Seconds of load before the measured span [default: 1, with --messages 0]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub warmup: Option<f64>,
    /// Publisher confirms: messages in flight per publisher without a confirm; 0 turns them off
    #[arg(long, value_name = "WINDOW", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=CONFIRM_WINDOW_MAX))]
    pub confirm: u32,
    /// Manual acknowledgement instead of automatic (no-ack)
    #[arg(long)]
    pub ack: bool,
    /// Acknowledge once N messages are pending (multiple=true) and whenever the read buffer is
    /// used up; 0 means only then, 1 means every message on its own
    #[arg(long, value_name = "N", default_value_t = 0, requires = "ack")]
    pub ack_every: u64,
    /// Unacknowledged messages per consumer (basic.qos); 0 means no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub prefetch: u16,
    /// Publish with delivery mode 2
    #[arg(long)]
    pub persistent: bool,
    /// Declare the queues and the exchange durable
    #[arg(long)]
    pub durable: bool,
    /// Arguments of the queues, such as x-queue-type=quorum,x-max-length=1000; numbers, true and
    /// false are sent as such, everything else as text
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = queue_argument)]
    pub queue_args: Vec<(String, TableValue)>,
    /// Streams: durable queues of type stream, whose consumers acknowledge, with a prefetch of 2000
    /// unless --prefetch says otherwise
    #[arg(long)]
    pub stream: bool,
    /// Streams: publish all --messages first, then measure how fast each consumer reads them from
    /// the first
    #[arg(long, requires = "messages")]
    pub replay: bool,
    /// Messages in one frame of a publisher over the stream protocol
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u16).range(1..=BATCH_MAX))]
    pub batch: u16,
    /// Chunks that a reader over the stream protocol takes at first; each that comes lets one more
    /// come
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u16).range(1..=CREDIT_MAX))]
    pub credit: u16,
    /// Messages to publish per second by all publishers together; 0 means as many as possible
    #[arg(long, value_name = "MSG_PER_S", default_value_t = 0)]
    pub rate: u64,
    /// Publish to an exchange of this type instead of the default exchange
    #[arg(long, value_enum, value_name = "TYPE")]
    pub exchange_type: Option<ExchangeType>,
    /// Additional bindings of the exchange that no message matches
    #[arg(long, value_name = "N", default_value_t = 0, requires = "exchange_type")]
    pub bindings: u32,
    /// Queues; messages go to them in turn, with a fanout exchange to all of them
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub queues: u16,
    /// Publish with the mandatory flag; returned messages are counted
    #[arg(long)]
    pub mandatory: bool,
    /// Process of the server on this machine: gives its CPU time per message and its memory
    #[arg(long)]
    pub pid: Option<u32>,
    /// Run the standard loads one after the other, and print one table; TEXT: only those with it
    /// in their names
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "",
        require_equals = true, conflicts_with_all = OTHER_THAN_STANDARD)]
    pub suite: Option<String>,
    /// Tell what a message costs the server where there are many connections, channels, queues,
    /// consumers or bindings, beside one of each, and what each of them takes of its memory. TEXT:
    /// only the loads with it in their names. Needs a server that was just started, and that it
    /// and this program may have 11000 files open (ulimit -n)
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "",
        require_equals = true, requires = "pid", conflicts_with = "suite",
        conflicts_with_all = OTHER_THAN_STANDARD)]
    pub many: Option<String>,
    /// Print the result as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Neither stamp messages nor measure latency
    #[arg(long)]
    pub no_latency: bool,
}

/// What the standard loads say themselves.
const OTHER_THAN_STANDARD: &[&str] = &[
    "publishers",
    "consumers",
    "channels",
    "publisher_channels",
    "idle",
    "size",
    "messages",
    "confirm",
    "ack",
    "ack_every",
    "prefetch",
    "persistent",
    "durable",
    "queue_args",
    "stream",
    "rate",
    "exchange_type",
    "bindings",
    "queues",
    "mandatory",
    "no_latency",
    "replay",
    "batch",
    "credit",
];

/// Prefetch of the consumers of streams, which need one.
const STREAM_PREFETCH: u16 = 2000;
/// Messages in flight of a publisher over the stream protocol unless --confirm says otherwise, as
/// many as RabbitMQ's Java client has.
pub(super) const STREAM_WINDOW: u32 = 10_000;
/// Largest batch: a chunk has no more entries.
const BATCH_MAX: i64 = 10_000;
/// Largest credit.
const CREDIT_MAX: i64 = 10_000;
/// Most idle connections.
const IDLE_MAX: i64 = 50_000;
/// Beginning of a URI that means the stream protocol.
const STREAM_SCHEME: &str = "rabbitmq-stream://";
/// Largest message body, in bytes: 16 MiB, RabbitMQ's default `max_message_size`.
const MESSAGE_BYTES_MAX: i64 = 16 * 1024 * 1024;
/// Largest confirm window: so many unread acks fit into the sockets' buffers, which is what lets
/// one thread write messages and read acks by turns without a deadlock.
const CONFIRM_WINDOW_MAX: i64 = 65_535;
/// Longest span or warm-up, in seconds: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// Type of the exchange that is published to. \[amqp 0-9-1 3.1.3\]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExchangeType {
    /// Routing key equal to the binding key.
    Direct,
    /// Binding keys with wildcards.
    Topic,
    /// Every bound queue.
    Fanout,
    /// Bindings match a header of the message.
    Headers,
}

impl ExchangeType {
    /// The type as `exchange.declare` wants it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Topic => "topic",
            Self::Fanout => "fanout",
            Self::Headers => "headers",
        }
    }
}

/// When the measured span ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Span {
    /// After this time.
    Time(Duration),
    /// When so many messages were published and have arrived.
    Messages(u64),
}

impl BenchArgs {
    /// With what other options stand for.
    pub(super) fn complete(mut self) -> Self {
        if self.stream_address().is_some() {
            // It knows nothing of channels.
            (self.stream, self.channels, self.publisher_channels) = (true, 1, None);
        }
        if self.stream {
            (self.durable, self.ack) = (true, true);
            if self.prefetch == 0 {
                self.prefetch = STREAM_PREFETCH;
            }
            self.queue_args.retain(|(key, _)| key != "x-queue-type");
            self.queue_args.push(("x-queue-type".into(), TableValue::Text("stream".into())));
        }
        self
    }

    /// What follows the scheme of a URI that means the stream protocol.
    pub(super) fn stream_address(&self) -> Option<&str> {
        self.uri.strip_prefix(STREAM_SCHEME)
    }

    /// Checks what no single option can know.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let wrong = |text: &str| Err(LoadError::Arguments(text.to_owned()));
        if self.exchange_type == Some(ExchangeType::Fanout) && self.bindings > 0 {
            return wrong("--bindings cannot be used with fanout: each of its bindings matches");
        }
        let consumers = u32::from(self.consumers) * u32::from(self.channels);
        if consumers > 0 && consumers < u32::from(self.queues) {
            return wrong("a queue would have no consumer: use more --consumers or --channels");
        }
        if self.stream_address().is_some() && self.exchange_type.is_some() {
            return wrong("the stream protocol knows no exchanges: leave --exchange-type out");
        }
        if self.stream_address().is_some() && self.idle > 0 {
            return wrong("the stream protocol knows no channels: leave --idle out");
        }
        if self.replay && !(self.stream && self.consumers > 0) {
            return wrong("--replay is for consumers of streams: use --stream");
        }
        if self.stream && !consumers.is_multiple_of(u32::from(self.queues)) {
            return wrong("each stream needs as many readers as the others: use more --consumers");
        }
        if self.prefetch > 0 && !self.ack {
            return wrong("--prefetch has no effect without --ack");
        }
        Ok(())
    }

    /// Channels of a publishing connection.
    pub(super) fn publishing_channels(&self) -> u16 {
        self.publisher_channels.unwrap_or(self.channels)
    }

    /// When the measured span ends.
    pub(super) fn span(&self) -> Span {
        match self.messages {
            Some(messages) => Span::Messages(messages),
            None => Span::Time(Duration::from_secs_f64(self.duration.unwrap_or(10.0))),
        }
    }

    /// Time of load before the measured span.
    pub(super) fn warmup(&self) -> Duration {
        let default = if self.messages.is_some() { 0.0 } else { 1.0 };
        Duration::from_secs_f64(self.warmup.unwrap_or(default))
    }

    /// Whether messages carry a time stamp.
    pub(super) fn measures_latency(&self) -> bool {
        !self.no_latency && self.size >= 8 && self.consumers > 0
    }

    /// What publisher number `index` publishes in the measured span; `None` if that has a length.
    pub(super) fn share(&self, index: u16) -> Option<u64> {
        let Span::Messages(all) = self.span() else { return None };
        let publishers = u64::from(self.publishers);
        // The first publishers take what does not divide evenly.
        Some(all / publishers + u64::from(u64::from(index) < all % publishers))
    }

    /// How often each message is consumed.
    pub(super) fn copies(&self) -> u64 {
        let consumers = u64::from(self.consumers) * u64::from(self.channels);
        if self.stream && consumers > 0 && self.exchange_type.is_none() {
            return consumers / u64::from(self.queues);
        }
        if self.exchange_type == Some(ExchangeType::Fanout) { u64::from(self.queues) } else { 1 }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=SECONDS_MAX).contains(&value) => Ok(value),
        _ => Err(format!("not a number of seconds from 0 to {SECONDS_MAX}")),
    }
}

fn positive_seconds(text: &str) -> Result<f64, String> {
    seconds(text).and_then(|value| if value > 0.0 { Ok(value) } else { Err("is 0".to_owned()) })
}

fn queue_argument(text: &str) -> Result<(String, TableValue), String> {
    let (key, value) = text.split_once('=').ok_or("is not KEY=VALUE")?;
    if key.is_empty() || key.len() > 128 {
        return Err("the key must have 1 to 128 bytes".to_owned());
    }
    let value = match (value, value.parse::<i64>()) {
        ("true", _) => TableValue::Boolean(true),
        ("false", _) => TableValue::Boolean(false),
        (_, Ok(number)) => TableValue::Integer(number),
        (text, Err(_)) => TableValue::Text(text.to_owned()),
    };
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests;
