//! The two ends of a shovel: what it declares there.

use amq_protocol::types::{AMQPValue, FieldTable};
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::{Channel, Consumer};

use crate::base::argument::STREAM_OFFSET;
use crate::link::shovel::definition::{AckMode, Definition, Destination, Source};
use crate::remote::connect::{Connector, said};
use crate::remote::end::{End, answered};

/// A queue that a shovel declares.
const DURABLE: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: true,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

/// What the connections of a shovel are called.
fn title(name: &str) -> String {
    format!("Shovel {name}")
}

/// Connects to the source; tells what waits there.
pub(super) async fn open_source(
    connector: &Connector,
    definition: &Definition,
    name: &str,
) -> Result<(End, String, u64), String> {
    let end = End::open(connector, &definition.source_uris, &title(name)).await?;
    let (queue, ready) = answered(prepare_source(&end, &definition.source)).await?;
    Ok((end, queue, ready))
}

/// Has the queue that messages are taken from; tells how many are ready there.
async fn prepare_source(end: &End, source: &Source) -> Result<(String, u64), String> {
    Ok(match source {
        Source::Queue { name, arguments } => {
            (name.clone(), end.ensure(name, DURABLE, arguments).await?)
        }
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
    })
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
    answered(async { qos.await.map_err(said) }).await?;
    let mut arguments = definition.consumer_arguments.clone();
    if let Some(offset) = read_up_to {
        let next = i64::try_from(offset.saturating_add(1)).unwrap_or(i64::MAX);
        arguments.insert(STREAM_OFFSET.into(), AMQPValue::LongLongInt(next));
    }
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "".into(), options, arguments);
    answered(async { consumer.await.map_err(said) }).await
}

/// Connects to the destination.
pub(super) async fn open_destination(
    connector: &Connector,
    definition: &Definition,
    name: &str,
) -> Result<End, String> {
    let end = End::open(connector, &definition.destination_uris, &title(name)).await?;
    if let Destination::Queue { name, arguments } = &definition.destination {
        answered(end.ensure(name, DURABLE, arguments)).await?;
    }
    if definition.ack_mode == AckMode::OnConfirm {
        let select = end.channel.confirm_select(ConfirmSelectOptions::default());
        answered(async { select.await.map_err(said) }).await?;
    }
    Ok(end)
}
