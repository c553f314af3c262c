//! One end of a link while it is connected: what it declares there, and what it hears.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use amq_protocol::protocol::AMQPErrorKind;
use amq_protocol::types::FieldTable;
use futures_core::Stream;
use lapin::options::{BasicAckOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::{Channel, Connection, ErrorKind, Event};

use crate::base::broker_uri::BrokerUri;
use crate::link::shovel::machine::Settle;
use crate::remote::connect::{Connector, said};

/// The code of an error that says that something does not exist.
const NOT_FOUND: u16 = 404;

/// How long an end may take to answer what is asked of it while the link is set up. A connection
/// that is lost at such a moment may leave a question without any answer.
const ANSWER: Duration = Duration::from_secs(20);

/// What was asked of an end, or that there was no answer.
pub(super) async fn answered<T>(
    asked: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    answered_within(ANSWER, asked).await
}

async fn answered_within<T>(
    patience: Duration,
    asked: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let answer = tokio::time::timeout(patience, asked).await;
    answer.unwrap_or_else(|_| Err(format!("no answer within {patience:?}")))
}

/// One end of a link.
pub(super) struct End {
    /// Where it is.
    pub uri: String,
    /// Its virtual host.
    pub virtual_host: String,
    /// What its cluster is called, if it says so.
    pub cluster: Option<String>,
    pub channel: Channel,
    /// Never locked: with the mutex around them an end can be lent to tasks.
    events: tokio::sync::Mutex<Pin<Box<dyn Stream<Item = Event> + Send>>>,
    connection: Connection,
}

impl End {
    /// Settles what was taken here.
    pub(super) async fn settle(&self, settle: Settle) -> Result<(), String> {
        let channel = &self.channel;
        let settled = match settle {
            Settle::Ack { delivery_tag, multiple } => {
                channel.basic_ack(delivery_tag, BasicAckOptions { multiple }).await
            }
            Settle::Nack { delivery_tag } => {
                let options = BasicNackOptions { multiple: false, requeue: true };
                channel.basic_nack(delivery_tag, options).await
            }
        };
        settled.map_err(said)
    }

    /// Connects to the first of the brokers that can be reached, which get to know `name`.
    pub(super) async fn open(
        connector: &Connector,
        uris: &[BrokerUri],
        name: &str,
    ) -> Result<Self, String> {
        let mut tried = Vec::new();
        for uri in uris {
            match connector.connect_hearing(uri, name).await {
                Ok((connection, greeting)) => {
                    let events = connection.events_listener();
                    let channel = async { connection.create_channel().await.map_err(said) };
                    let channel = answered(channel).await?;
                    return Ok(Self {
                        uri: uri.to_string(),
                        virtual_host: uri.virtual_host.clone(),
                        cluster: greeting.cluster_name(),
                        channel,
                        events: tokio::sync::Mutex::new(Box::pin(events)),
                        connection,
                    });
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
    pub(super) async fn ensure(
        &self,
        queue: &str,
        options: QueueDeclareOptions,
        arguments: &FieldTable,
    ) -> Result<u64, String> {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let found = self.probe(async |probe: &Channel| {
            probe.queue_declare(queue.into(), passive, FieldTable::default()).await
        });
        if let Some(found) = found.await? {
            return Ok(found.message_count().into());
        }
        let made = self.aside(async |channel: &Channel| {
            channel.queue_declare(queue.into(), options, arguments.clone()).await
        });
        made.await?;
        Ok(0)
    }

    /// Does something on a channel of its own, so that the other goes on if it fails.
    pub(super) async fn aside<T>(
        &self,
        method: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
    ) -> Result<T, String> {
        let channel = self.open_channel().await?;
        let done = method(&channel).await.map_err(said)?;
        close(&channel).await;
        Ok(done)
    }

    /// The same, with something that may not exist; then there is no answer.
    pub(super) async fn probe<T>(
        &self,
        method: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
    ) -> Result<Option<T>, String> {
        let channel = self.open_channel().await?;
        match method(&channel).await {
            Ok(found) => {
                close(&channel).await;
                Ok(Some(found))
            }
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(said(error)),
        }
    }

    /// Another channel of the connection.
    pub(super) async fn open_channel(&self) -> Result<Channel, String> {
        self.connection.create_channel().await.map_err(said)
    }

    /// What befalls the connection next. An error that ends no more than a channel is told by the
    /// channel, if it is one that matters.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            match self.events.get_mut().as_mut().poll_next(cx) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_without_an_answer_is_given_up() {
        let never = std::future::pending::<Result<(), String>>();
        let given_up = answered_within(Duration::from_millis(1), never).await;
        assert_eq!(given_up.unwrap_err(), "no answer within 1ms");
        let answer = answered(async { Ok::<_, String>("yes") }).await;
        assert_eq!(answer.unwrap(), "yes");
    }
}
