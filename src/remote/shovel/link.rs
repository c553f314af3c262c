//! The two ends of a shovel while it is connected: what it declares there, and what it hears.

use std::pin::Pin;
use std::task::{Context, Poll};

use amq_protocol::protocol::AMQPErrorKind;
use amq_protocol::types::{AMQPValue, FieldTable};
use futures_core::Stream;
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::{Channel, Connection, Consumer, ErrorKind, Event};

use crate::base::argument::STREAM_OFFSET;
use crate::base::broker_uri::BrokerUri;
use crate::link::shovel::definition::{AckMode, Definition, Destination, Source};
use crate::remote::connect::{Connector, said};

/// The code of an error that says that something does not exist.
const NOT_FOUND: u16 = 404;

/// One end of a shovel.
pub(super) struct End {
    /// Where it is.
    pub uri: String,
    pub channel: Channel,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    connection: Connection,
}

impl End {
    /// Connects to the first of the brokers that can be reached.
    async fn open(connector: &Connector, uris: &[BrokerUri], name: &str) -> Result<Self, String> {
        let mut tried = Vec::new();
        for uri in uris {
            match connector.connect(uri, &format!("Shovel {name}")).await {
                Ok(connection) => {
                    let events = Box::pin(connection.events_listener());
                    let channel = connection.create_channel().await.map_err(said)?;
                    return Ok(Self { uri: uri.to_string(), channel, events, connection });
                }
                Err(reason) => tried.push(format!("{uri}: {reason}")),
            }
        }
        match tried.is_empty() {
            true => Err("there is no URI to connect to".to_owned()),
            false => Err(tried.join("; ")),
        }
    }

    /// Declares a queue, unless it exists; tells how many messages are ready in it.
    async fn ensure(&mut self, queue: &str, arguments: &FieldTable) -> Result<u64, String> {
        let probe = self.connection.create_channel().await.map_err(said)?;
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        match probe.queue_declare(queue.into(), passive, FieldTable::default()).await {
            Ok(found) => {
                close(&probe).await;
                return Ok(found.message_count().into());
            }
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(said(error)),
        }
        let channel = self.connection.create_channel().await.map_err(said)?;
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let made = channel.queue_declare(queue.into(), durable, arguments.clone()).await;
        made.map_err(said)?;
        close(&channel).await;
        Ok(0)
    }

    /// What befalls the connection next. An error that ends no more than a channel is told by the
    /// channel, if it is one that matters.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            match self.events.as_mut().poll_next(cx) {
                Poll::Ready(Some(Event::Error(error)))
                    if is_soft(&error) && self.connection.status().connected() => {}
                Poll::Ready(Some(event)) => return Poll::Ready(event),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Says farewell: to the channel first, so that what was published there is heard before the
    /// connection ends.
    pub(super) async fn close(self) {
        close(&self.channel).await;
        // Fails if the other is gone.
        let _ = self.connection.close(200, "OK".into()).await;
    }
}

async fn close(channel: &Channel) {
    // It was for one method, and has done it.
    let _ = channel.close(200, "OK".into()).await;
}

fn is_soft(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Soft(_)))
}

fn is_missing(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}

/// Connects to the source; tells what waits there.
pub(super) async fn open_source(
    connector: &Connector,
    definition: &Definition,
    name: &str,
) -> Result<(End, String, u64), String> {
    let mut end = End::open(connector, &definition.source_uris, name).await?;
    let (queue, ready) = match &definition.source {
        Source::Queue { name, arguments } => (name.clone(), end.ensure(name, arguments).await?),
        Source::Exchange { name, key } => {
            let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
            let none = FieldTable::default;
            let own = end.channel.queue_declare("".into(), exclusive, none()).await;
            let own = own.map_err(said)?.name().to_string();
            let options = QueueBindOptions::default();
            let (to, by) = (name.as_str().into(), key.as_str().into());
            let bound = end.channel.queue_bind(own.as_str().into(), to, by, options, none());
            bound.await.map_err(said)?;
            (own, 0)
        }
    };
    Ok((end, queue, ready))
}

/// Begins to take messages. A stream goes on after the offset up to which it was read before.
pub(super) async fn consume(
    channel: &Channel,
    definition: &Definition,
    queue: &str,
    read_up_to: Option<u64>,
) -> Result<Consumer, String> {
    // What is not acknowledged is bounded by the prefetch alone.
    let prefetch = if definition.prefetch == 0 { u16::MAX } else { definition.prefetch };
    let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
    qos.await.map_err(said)?;
    let mut arguments = definition.consumer_arguments.clone();
    if let Some(offset) = read_up_to {
        let next = i64::try_from(offset.saturating_add(1)).unwrap_or(i64::MAX);
        arguments.insert(STREAM_OFFSET.into(), AMQPValue::LongLongInt(next));
    }
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "".into(), options, arguments);
    consumer.await.map_err(said)
}

/// Connects to the destination.
pub(super) async fn open_destination(
    connector: &Connector,
    definition: &Definition,
    name: &str,
) -> Result<End, String> {
    let mut end = End::open(connector, &definition.destination_uris, name).await?;
    if let Destination::Queue { name, arguments } = &definition.destination {
        end.ensure(name, arguments).await?;
    }
    if definition.ack_mode == AckMode::OnConfirm {
        let select = end.channel.confirm_select(ConfirmSelectOptions::default());
        select.await.map_err(said)?;
    }
    Ok(end)
}
