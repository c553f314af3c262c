//! Names that are not UTF-8, where AMQP allows any octets: in tables.

use amq_protocol::protocol::{AMQPClass, basic};
use leveret::{AMQPValue, Binding, FieldTable, Limits, Publish, QueueDeclare};

use crate::client::{Client, Frame};
use crate::{frames, listening};

/// `caf\xe9` is the byte 1, with the length in front.
const HEADERS: &[u8] = b"\0\0\0\x07\x04caf\xe9b\x01";

/// The same name as text in an embedding program.
const NAME: &str = "caf\u{EFE9}";

/// Publishes a message with [`HEADERS`] alone.
fn publish(exchange: &str, key: &str) -> Vec<u8> {
    let mut method = vec![0, 60, 0, 40, 0, 0, exchange.len() as u8];
    method.extend(exchange.as_bytes());
    method.push(key.len() as u8);
    method.extend(key.as_bytes());
    method.push(0);
    let mut header = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0];
    header.extend(HEADERS);
    let parts = [(1, &method[..]), (2, &header), (3, b"m")];
    parts.into_iter().flat_map(|(kind, payload)| frames::frame(kind, 1, payload)).collect()
}

/// Flags and values of the properties of the message that basic.get brings.
fn get(client: &mut Client, queue: &str) -> Vec<u8> {
    let reply = client.ask(&frames::get(1, queue, true));
    assert!(matches!(reply, AMQPClass::Basic(basic::AMQPMethod::GetOk(_))), "{reply:?}");
    let properties = match client.frame() {
        Some(Frame::Header(1, properties)) => properties,
        other => panic!("no header but {other:?}"),
    };
    assert!(matches!(client.frame(), Some(Frame::Body(body)) if body == b"m"));
    properties
}

fn headers(name: &str) -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert(name.into(), AMQPValue::ShortShortInt(1));
    headers
}

#[test]
fn a_header_is_passed_on_octet_by_octet() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.ask(&frames::confirm_select(1));
    let reply = client.ask(&publish("", "q"));
    assert!(matches!(reply, AMQPClass::Basic(basic::AMQPMethod::Ack(_))), "{reply:?}");
    assert_eq!(get(&mut client, "q"), [b"\x20\0", HEADERS].concat());
    client.ask(&publish("", "q"));
    let connection = broker.connect().unwrap();
    let delivery = connection.open_channel().unwrap().basic_get_no_ack("q").unwrap().unwrap();
    assert_eq!(delivery.headers(), headers(NAME));
}

#[test]
fn a_header_decides_where_a_message_goes() {
    let (broker, address) = listening(Limits::default());
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    for (queue, name) in [("hit", NAME), ("miss", "caf\u{E9}"), ("other", "caf\u{EFE8}")] {
        channel.queue_declare(queue).unwrap();
        let binding = Binding::new("amq.headers", "").arguments(headers(name));
        channel.queue_bind_with(queue, &binding).unwrap();
    }
    let mut client = Client::with_channel(address);
    client.send(&publish("amq.headers", "k"));
    assert_eq!([client.declare("hit"), client.declare("miss"), client.declare("other")], [1, 0, 0]);
    channel.basic_publish(Publish::to_exchange("amq.headers", "").header(NAME, 1_i8)).unwrap();
    assert_eq!(client.declare("hit"), 2);
}

#[test]
fn a_header_stays_when_a_message_dies() {
    let (broker, address) = listening(Limits::default());
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    let dying = QueueDeclare::new("dying")
        .argument("x-max-length", 0)
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", "dead");
    channel.queue_declare_with(&dying).unwrap();
    let mut client = Client::with_channel(address);
    client.declare("dead");
    client.send(&publish("", "dying"));
    assert_eq!(client.declare("dead"), 1);
    let properties = get(&mut client, "dead");
    assert!(properties.windows(7).any(|octets| octets == &HEADERS[4..]), "{properties:?}");
    assert!(properties.windows(7).any(|octets| octets == b"x-death"), "{properties:?}");
}

#[test]
fn an_argument_keeps_its_name() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    let mut bind = vec![0, 50, 0, 20, 0, 0, 1, b'q', 11];
    bind.extend(b"amq.headers\0\0");
    bind.extend(HEADERS);
    client.declare("q");
    let reply = client.ask(&frames::frame(1, 1, &bind));
    assert_eq!((reply.get_amqp_class_id(), reply.get_amqp_method_id()), (50, 21));
    client.send(&publish("amq.headers", "k"));
    assert_eq!(client.declare("q"), 1);
    let reply = client.ask(&frames::queue_declare_with(1, "named", HEADERS));
    assert_eq!((reply.get_amqp_class_id(), reply.get_amqp_method_id()), (50, 11));
    let queue = broker.virtual_host("/").unwrap().queue("named").unwrap();
    assert_eq!(*queue.arguments(), headers(NAME));
    // The length of the name is 255, of which nothing is UTF-8.
    let mut long = vec![0, 0, 1, 1, 255];
    long.extend([0xFF; 255]);
    long.push(b'V');
    client.send(&frames::queue_declare_with(1, "unnamed", &long));
    assert!(client.connection_closed().starts_with("501 FRAME_ERROR - cannot decode"));
}

#[test]
fn a_property_that_is_no_text_comes_back_as_it_was() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("requests");
    client.declare("replies");
    let mut header = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x04, 0];
    header.extend(b"\x06\0\xff\x80id\xf0");
    let mut request = frames::basic_publish(1, "requests", false);
    request.extend(frames::frame(2, 1, &header));
    client.send(&request);
    assert_eq!(client.declare("requests"), 1);
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    let request = channel.basic_get_no_ack("requests").unwrap().unwrap();
    let id = request.properties().correlation_id().clone().expect("an id");
    channel
        .basic_publish(Publish::to_queue("replies").body("m").correlation_id(id.as_str()))
        .unwrap();
    assert_eq!(get(&mut client, "replies"), header[12..]);
}
