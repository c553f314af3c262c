//! What clients send, as octets.

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame};
use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, queue, tx};
use amq_protocol::types::{AMQPValue, FieldTable};

pub(crate) const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
pub(crate) const FRAME_END: u8 = 0xCE;

/// Everything that the clients of these tests can do, unless they say otherwise.
pub(crate) const CAPABILITIES: &[&str] =
    &["authentication_failure_close", "consumer_cancel_notify", "connection.blocked", "basic.nack"];

/// A frame of any kind.
pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind];
    octets.extend(channel.to_be_bytes());
    octets.extend((payload.len() as u32).to_be_bytes());
    octets.extend(payload);
    octets.push(FRAME_END);
    octets
}

pub(crate) fn method(channel: u16, method: AMQPClass) -> Vec<u8> {
    let frame = AMQPFrame::Method(channel, method);
    gen_frame(&frame)(WriteContext::from(Vec::new())).unwrap().into_inner().0
}

fn on_zero(of_connection: connection::AMQPMethod) -> Vec<u8> {
    method(0, AMQPClass::Connection(of_connection))
}

fn on_basic(channel: u16, of_basic: basic::AMQPMethod) -> Vec<u8> {
    method(channel, AMQPClass::Basic(of_basic))
}

pub(crate) fn start_ok(mechanism: &str, response: &[u8], capabilities: &[&str]) -> Vec<u8> {
    let mut table = FieldTable::default();
    for name in capabilities {
        table.insert((*name).into(), AMQPValue::Boolean(true));
    }
    let mut client_properties = FieldTable::default();
    client_properties.insert("capabilities".into(), AMQPValue::FieldTable(table));
    on_zero(connection::AMQPMethod::StartOk(connection::StartOk {
        client_properties,
        mechanism: mechanism.into(),
        response: response.into(),
        locale: "en_US".into(),
    }))
}

pub(crate) fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Vec<u8> {
    let tune_ok = connection::TuneOk { channel_max, frame_max, heartbeat };
    on_zero(connection::AMQPMethod::TuneOk(tune_ok))
}

pub(crate) fn open(virtual_host: &str) -> Vec<u8> {
    on_zero(connection::AMQPMethod::Open(connection::Open { virtual_host: virtual_host.into() }))
}

pub(crate) fn update_secret(new_secret: &str) -> Vec<u8> {
    on_zero(connection::AMQPMethod::UpdateSecret(connection::UpdateSecret {
        new_secret: new_secret.as_bytes().into(),
        reason: "it is time".into(),
    }))
}

pub(crate) fn connection_close() -> Vec<u8> {
    on_zero(connection::AMQPMethod::Close(connection::Close {
        reply_code: 200,
        reply_text: "bye".into(),
        class_id: 0,
        method_id: 0,
    }))
}

pub(crate) fn connection_close_ok() -> Vec<u8> {
    on_zero(connection::AMQPMethod::CloseOk(connection::CloseOk {}))
}

pub(crate) fn channel_open(number: u16) -> Vec<u8> {
    method(number, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})))
}

pub(crate) fn channel_close(number: u16) -> Vec<u8> {
    let close =
        channel::Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 };
    method(number, AMQPClass::Channel(channel::AMQPMethod::Close(close)))
}

pub(crate) fn channel_close_ok(number: u16) -> Vec<u8> {
    method(number, AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {})))
}

pub(crate) fn confirm_select(number: u16) -> Vec<u8> {
    let select = confirm::Select { nowait: false };
    method(number, AMQPClass::Confirm(confirm::AMQPMethod::Select(select)))
}

pub(crate) fn tx_select(number: u16) -> Vec<u8> {
    method(number, AMQPClass::Tx(tx::AMQPMethod::Select(tx::Select {})))
}

pub(crate) fn queue_declare(channel: u16, name: &str, exclusive: bool) -> Vec<u8> {
    let declare = queue::Declare {
        queue: name.into(),
        passive: false,
        durable: false,
        exclusive,
        auto_delete: false,
        nowait: false,
        arguments: FieldTable::default(),
    };
    method(channel, AMQPClass::Queue(queue::AMQPMethod::Declare(declare)))
}

/// queue.declare whose arguments are these octets, their length included.
pub(crate) fn queue_declare_with(channel: u16, name: &str, arguments: &[u8]) -> Vec<u8> {
    let mut payload = vec![0, 50, 0, 10, 0, 0, name.len() as u8];
    payload.extend(name.as_bytes());
    payload.push(0);
    payload.extend(arguments);
    frame(1, channel, &payload)
}

pub(crate) fn queue_delete(channel: u16, name: &str) -> Vec<u8> {
    let delete =
        queue::Delete { queue: name.into(), if_unused: false, if_empty: false, nowait: false };
    method(channel, AMQPClass::Queue(queue::AMQPMethod::Delete(delete)))
}

pub(crate) fn consume(channel: u16, queue: &str, tag: &str, no_ack: bool) -> Vec<u8> {
    let consume = basic::Consume {
        queue: queue.into(),
        consumer_tag: tag.into(),
        no_local: false,
        no_ack,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::default(),
    };
    on_basic(channel, basic::AMQPMethod::Consume(consume))
}

pub(crate) fn qos(channel: u16, prefetch_count: u16) -> Vec<u8> {
    let qos = basic::Qos { prefetch_count, global: false };
    method(channel, AMQPClass::Basic(basic::AMQPMethod::Qos(qos)))
}

pub(crate) fn cancel(channel: u16, tag: &str) -> Vec<u8> {
    let cancel = basic::Cancel { consumer_tag: tag.into(), nowait: false };
    on_basic(channel, basic::AMQPMethod::Cancel(cancel))
}

pub(crate) fn get(channel: u16, queue: &str, no_ack: bool) -> Vec<u8> {
    on_basic(channel, basic::AMQPMethod::Get(basic::Get { queue: queue.into(), no_ack }))
}

pub(crate) fn ack(channel: u16, delivery_tag: u64, multiple: bool) -> Vec<u8> {
    on_basic(channel, basic::AMQPMethod::Ack(basic::Ack { delivery_tag, multiple }))
}

pub(crate) fn basic_publish(channel: u16, key: &str, mandatory: bool) -> Vec<u8> {
    on_basic(
        channel,
        basic::AMQPMethod::Publish(basic::Publish {
            exchange: "".into(),
            routing_key: key.into(),
            mandatory,
            immediate: false,
        }),
    )
}

/// A content header without properties.
pub(crate) fn header(channel: u16, body_size: u64) -> Vec<u8> {
    let mut payload = vec![0, 60, 0, 0];
    payload.extend(body_size.to_be_bytes());
    payload.extend([0, 0]);
    frame(2, channel, &payload)
}

/// A whole publish to the default exchange; the body in frames of at most `piece` octets.
pub(crate) fn publish_in(channel: u16, key: &str, body: &[u8], piece: usize) -> Vec<u8> {
    let mut octets = basic_publish(channel, key, false);
    octets.extend(header(channel, body.len() as u64));
    for part in body.chunks(piece) {
        octets.extend(frame(3, channel, part));
    }
    octets
}

/// A whole publish to the default exchange.
pub(crate) fn publish(channel: u16, key: &str, body: &[u8]) -> Vec<u8> {
    publish_in(channel, key, body, 100_000)
}

/// The beginning of a publish: its method, and a header with a text of so many octets.
pub(crate) fn publish_begun(channel: u16, key: &str, text: usize) -> Vec<u8> {
    let mut table = b"\x01kS".to_vec();
    table.extend((text as u32).to_be_bytes());
    table.extend(vec![b't'; text]);
    let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0];
    payload.extend((table.len() as u32).to_be_bytes());
    payload.extend(table);
    let mut octets = basic_publish(channel, key, false);
    octets.extend(frame(2, channel, &payload));
    octets
}

/// A mandatory publish with a body of 1,000 octets.
pub(crate) fn publish_mandatory(channel: u16, key: &str) -> Vec<u8> {
    let mut octets = basic_publish(channel, key, true);
    octets.extend(header(channel, 1000));
    octets.extend(frame(3, channel, &[b'm'; 1000]));
    octets
}

/// A field table in a field table, `depth` levels in all.
pub(crate) fn nested_table(depth: usize) -> Vec<u8> {
    let mut table = Vec::new();
    for _ in 1..depth {
        let size = (table.len() as u32).to_be_bytes();
        let inside = std::mem::replace(&mut table, vec![1, b'k', b'F']);
        table.extend(size);
        table.extend(inside);
    }
    let mut octets = (table.len() as u32).to_be_bytes().to_vec();
    octets.extend(table);
    octets
}
