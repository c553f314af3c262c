//! What the broker tells of connections that clients have opened over the wire.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, connection};
use leveret::internals::{ChannelMode, ConnectionFacts, ConnectionState, ConnectionStatus, View};
use leveret::{AMQPValue, Broker, Limits};

use crate::client::{Client, is_connection};
use crate::{frames, in_memory, listening, wait_until};

fn connections(broker: &Broker) -> Vec<ConnectionStatus> {
    View::of(broker).connections()
}

fn only(broker: &Broker) -> ConnectionStatus {
    let mut connections = connections(broker);
    assert_eq!(connections.len(), 1);
    connections.remove(0)
}

#[test]
fn a_connection_is_told_by_its_addresses_and_what_was_agreed_on() {
    let (broker, address) = listening(Limits::default());
    let client = Client::new(address).opened(frames::CAPABILITIES, 30);
    let facts = only(&broker).facts;
    let local = client.socket.local_addr().unwrap();
    assert_eq!(facts.name, format!("{local} -> {address}"));
    assert_eq!((facts.peer, facts.local), (Some(local), Some(address)));
    assert_eq!((facts.protocol, &*facts.auth_mechanism), (ConnectionFacts::AMQP, "PLAIN"));
    assert_eq!((facts.user.as_str(), facts.virtual_host.as_str()), ("guest", "/"));
    assert_eq!((facts.heartbeat_s, facts.frame_max, facts.channel_max), (30, 131_072, 2047));
    let properties = facts.client_properties();
    match properties.inner().get("capabilities") {
        Some(AMQPValue::FieldTable(capabilities)) => {
            assert_eq!(capabilities.inner().len(), frames::CAPABILITIES.len());
        }
        other => panic!("no capabilities but {other:?}"),
    }
    assert!(facts.connected_at <= broker.now());
}

#[test]
fn one_without_a_socket_has_a_name_all_the_same() {
    let (broker, _) = listening(Limits::default());
    let _client = in_memory::opened(&broker, 0);
    let embedded = broker.connect().unwrap();
    let all = connections(&broker);
    let names: Vec<_> = all.iter().map(|connection| connection.facts.name.as_str()).collect();
    assert_eq!(names, ["in-memory stream 1", "embedded 2"]);
    assert!(!all[0].facts.is_embedded() && all[1].facts.is_embedded());
    drop(embedded);
    assert_eq!(connections(&broker).len(), 1);
}

#[test]
fn octets_are_counted_in_both_directions() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    let before = only(&broker).octets.totals;
    let publishes = frames::publish(1, "q", &[0; 100]).repeat(10);
    client.send(&publishes);
    assert_eq!(client.declare("q"), 10);
    let declare = frames::queue_declare(1, "q", false).len();
    wait_until("everything is counted", || {
        let totals = only(&broker).octets.totals;
        totals.recv_oct == before.recv_oct + (publishes.len() + declare) as u64
            && totals.send_oct > before.send_oct
            && totals.recv_cnt > before.recv_cnt
            && totals.send_cnt > before.send_cnt
    });
    drop(client);
    wait_until("the connection ends", || connections(&broker).is_empty());
    let host = View::of(&broker).virtual_host("/").unwrap().messages.totals;
    assert!(host.recv_oct >= before.recv_oct + publishes.len() as u64, "it is not forgotten");
}

#[test]
fn channels_are_listed_with_their_connection_for_as_long_as_they_are_open() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::open(address).channel(3).channel(7);
    client.ask(&frames::queue_declare(7, "q", false));
    client.ask(&frames::confirm_select(7));
    client.ask(&frames::qos(7, 5));
    client.send(&frames::consume(7, "q", "tag", false));
    client.method();
    let channels = || View::of(&broker).channels();
    let told = channels();
    let numbers: Vec<_> = told.iter().map(|(_, channel)| channel.id.number).collect();
    assert_eq!(numbers, [3, 7]);
    assert!(Arc::ptr_eq(&told[0].0, &told[1].0));
    let channel = &told[1].1;
    assert_eq!((channel.mode, channel.prefetch_count), (ChannelMode::Confirm, 5));
    assert_eq!((channel.consumers, only(&broker).channels), (1, 2));
    let consumers = View::of(&broker).consumers("/", "q").unwrap();
    assert_eq!(consumers[0].channel, channel.id);
    client.ask(&frames::channel_close(3));
    assert_eq!(channels().len(), 1);
    drop(client);
    wait_until("the channels end", || channels().is_empty());
    let churn = View::of(&broker).node().churn.totals;
    assert_eq!((churn.channel_created, churn.channel_closed), (2, 2));
    assert_eq!((churn.connection_created, churn.connection_closed), (1, 1));
}

#[test]
fn a_connection_is_closed_by_its_number_with_a_reason() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::open(address);
    let id = only(&broker).facts.id;
    let view = View::of(&broker);
    assert!(view.close_connection(id, "enough"));
    assert_eq!(client.connection_closed(), "320 CONNECTION_FORCED - enough");
    wait_until("the connection ends", || connections(&broker).is_empty());
    assert!(!view.close_connection(id, "enough"));
}

#[test]
fn who_publishes_during_an_alarm_is_blocked_and_the_others_would_be() {
    let (broker, address) = listening(Limits::default());
    let mut publisher = Client::with_channel(address);
    publisher.declare("q");
    let _quiet = Client::with_channel(address);
    let states = || -> Vec<_> { connections(&broker).iter().map(|c| c.state).collect() };
    assert_eq!(states(), [ConnectionState::Running; 2]);
    broker.set_memory_alarm(true);
    assert_eq!(states(), [ConnectionState::Blocking; 2]);
    publisher.send(&frames::publish(1, "q", b"m"));
    match publisher.method() {
        (0, AMQPClass::Connection(connection::AMQPMethod::Blocked(_))) => {}
        other => panic!("not blocked but {other:?}"),
    }
    assert_eq!(states(), [ConnectionState::Blocked, ConnectionState::Blocking]);
    broker.set_memory_alarm(false);
    let (_, unblocked) = publisher.method();
    assert!(is_connection(&unblocked, 61));
    assert_eq!(states(), [ConnectionState::Running; 2]);
}
