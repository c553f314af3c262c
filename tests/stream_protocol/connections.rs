//! Logging in, opening, closing, and who is cut off.

use std::time::Duration;

use leveret::definitions::Definitions;
use leveret::{AdvertisedAddress, Broker, Limits, ManualClock, Timestamp};
use leveret_stream_protocol::{ClientFrame, Publish, Request, Response, ServerFrame};

use crate::client::{Client, Code, published, wait_until};
use crate::{listening, listening_with};

/// A broker on a clock that also says when connections time out.
fn on_a_manual_clock() -> (Broker, std::net::SocketAddr) {
    listening_with(
        Broker::builder()
            .manual_clock(ManualClock::new(Timestamp::from_millis(1_000_000)))
            .manual_clock_on_sockets(),
    )
}

/// What the server says of itself, as `name=value`.
fn peer_properties(client: &mut Client) -> Vec<String> {
    client.ask(Request::PeerProperties { properties: vec![] }, |response| {
        let Response::PeerProperties { properties, .. } = response else { panic!() };
        properties.iter().map(|(name, value)| format!("{name}={value}")).collect()
    })
}

#[test]
fn the_server_says_what_it_is_and_where() {
    let (broker, address) = listening();
    let mut client = Client::connect(address);
    let properties = peer_properties(&mut client);
    for beginning in ["product=RabbitMQ", "version=4.0.5", "cluster_name=leveret@"] {
        assert!(properties.iter().any(|told| told.starts_with(beginning)), "{properties:?}");
    }
    client.ask(Request::SaslHandshake {}, |response| {
        let Response::SaslHandshake { mechanisms, .. } = response else { panic!() };
        assert_eq!(mechanisms, &["PLAIN", "AMQPLAIN", "ANONYMOUS"]);
    });
    assert_eq!(client.authenticate("guest", "guest"), Code::Ok);
    client.tune(0);
    client.ask(Request::Open { virtual_host: "/" }, |response| {
        let Response::Open { code: Code::Ok, properties: Some(properties) } = response else {
            panic!("{response:?}")
        };
        let port = address.port().to_string();
        let expected = [("advertised_host", "127.0.0.1"), ("advertised_port", port.as_str())];
        assert_eq!(properties, &expected);
    });
    assert_eq!(broker.connection_count(), 1);
}

#[test]
fn a_cluster_goes_by_the_name_that_it_was_given_last() {
    let (broker, address) = listening();
    let named = br#"{"global_parameters": [{"name": "cluster_name", "value": "rabbit@shop"}]}"#;
    broker.import(&Definitions::from_json(named).unwrap()).unwrap();
    let properties = peer_properties(&mut Client::connect(address));
    assert!(properties.contains(&"cluster_name=rabbit@shop".to_owned()), "{properties:?}");
}

#[test]
fn another_address_can_be_advertised() {
    let broker = Broker::new();
    let advertised = AdvertisedAddress { host: Some("mq.example".into()), port: Some(9) };
    let address = broker.listen_for_streams("127.0.0.1:0", advertised).unwrap();
    let mut client = Client::open(address);
    client.create("s");
    client.ask(Request::Metadata { streams: vec!["s"] }, |response| {
        let Response::Metadata { brokers, .. } = response else { panic!() };
        assert_eq!((brokers[0].host, brokers[0].port), ("mq.example", 9));
    });
}

/// Each step has ten seconds, and the refusal has three.
fn wait_for_refusal(broker: &Broker) {
    let soon = broker.now() + Duration::from_secs(3);
    wait_until("the refusal", || broker.next_deadline() == Some(soon));
}

/// What is sent when three seconds have passed on the broker's clock, and not before.
fn after_three_seconds(broker: &Broker, client: &mut Client) -> String {
    broker.advance(Duration::from_millis(2_999));
    broker.advance(Duration::from_millis(1));
    let shown = client.shown();
    assert_eq!(client.try_frame(), None);
    shown
}

#[test]
fn wrong_passwords_are_answered_late_and_end_it() {
    let (broker, address) = on_a_manual_clock();
    let mut client = Client::connect(address);
    client.ask(Request::PeerProperties { properties: vec![] }, |_| ());
    client.ask(Request::SaslHandshake {}, |_| ());
    let request = Request::SaslAuthenticate { mechanism: "PLAIN", response: b"\0guest\0wrong" };
    client.send(&ClientFrame::Request { correlation: 9, request });
    wait_for_refusal(&broker);
    let shown = after_three_seconds(&broker, &mut client);
    assert!(shown.contains("correlation: 9") && shown.contains("AuthenticationFailure"), "{shown}");
}

#[test]
fn unknown_virtual_hosts_are_answered_late_and_end_it() {
    let (broker, address) = on_a_manual_clock();
    let mut client = Client::connect(address);
    assert_eq!(client.log_in("guest", "guest"), Code::Ok);
    client.tune(0);
    let request = Request::Open { virtual_host: "nowhere" };
    client.send(&ClientFrame::Request { correlation: 9, request });
    wait_for_refusal(&broker);
    let shown = after_three_seconds(&broker, &mut client);
    assert!(shown.contains("VirtualHostAccessFailure"), "{shown}");
    assert_eq!(broker.connection_count(), 0);
}

#[test]
fn credentials_are_renewed_by_the_same_user_alone() {
    let (_broker, address) = listening_with(Broker::builder().default_user("other", "secret"));
    let mut client = Client::open_as(address, "other", "secret");
    assert_eq!(client.authenticate("other", "secret"), Code::Ok);
    client.create("s");
    assert_eq!(client.authenticate("guest", "guest"), Code::AuthenticationFailure);
    assert_eq!(client.try_frame(), None);
}

#[test]
fn who_closes_is_answered_and_closed() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    assert_eq!(client.code(Request::Close { code: 1, reason: "bye" }), Code::Ok);
    assert_eq!(client.try_frame(), None);
    wait_until("nobody is left", || broker.connection_count() == 0);
}

#[test]
fn who_is_to_go_is_cut_off_without_a_word() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    let closing = std::thread::spawn(move || broker.close("time to go", Duration::from_secs(5)));
    assert_eq!(client.try_frame(), None);
    closing.join().unwrap();
}

#[test]
fn what_cannot_be_read_closes_an_open_connection_with_13() {
    let (_broker, address) = listening();
    let mut client = Client::open(address);
    client.octets(b"\0\0\0\x04\0\x63\0\x01");
    assert_eq!(client.shown(), "Close { correlation: 1, code: 13, reason: \"unknown frame\" }");
    client.send(&ClientFrame::CloseAnswer { correlation: 1, code: 1 });
    assert_eq!(client.try_frame(), None);
}

#[test]
fn silent_clients_are_cut_off_and_lively_ones_get_heartbeats() {
    let (broker, address) = on_a_manual_clock();
    let mut client = Client::connect(address);
    assert_eq!(client.log_in("guest", "guest"), Code::Ok);
    client.tune(10);
    client.ask(Request::Open { virtual_host: "/" }, |_| ());
    broker.advance(Duration::from_secs(10));
    let frame = client.frame();
    assert_eq!(ServerFrame::read(&frame), Ok(ServerFrame::Heartbeat));
    client.send(&ClientFrame::Heartbeat);
    client.assert_nothing_more();
    broker.advance(Duration::from_secs(20));
    let rest = std::iter::from_fn(|| client.try_frame());
    assert!(
        rest.map(|frame| format!("{:?}", ServerFrame::read(&frame)))
            .all(|it| it == "Ok(Heartbeat)")
    );
    assert_eq!(broker.connection_count(), 0);
}

#[test]
fn in_memory_connections_need_no_port() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let broker = Broker::new();
    let mut stream = broker.connect_stream().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut out = Vec::new();
    let request = Request::PeerProperties { properties: vec![] };
    ClientFrame::Request { correlation: 5, request }.write(&mut out);
    runtime.block_on(async {
        stream.write_all(&out).await.unwrap();
        let size = stream.read_u32().await.unwrap();
        let mut frame = vec![0; size as usize];
        stream.read_exact(&mut frame).await.unwrap();
        let answer = ServerFrame::read(&frame).unwrap();
        assert!(matches!(answer, ServerFrame::Response { correlation: 5, .. }), "{answer:?}");
    });
}

/// Sends frames until no more is taken, and goes. Of what the broker says nothing is left unread.
#[test]
fn a_publisher_that_goes_while_it_is_held_back_is_noticed() {
    let (broker, address) = listening();
    let mut client = Client::open(address);
    client.create("s");
    assert_eq!(client.declare(1, "", "s"), Code::Ok);
    broker.set_memory_alarm(true);
    let mut frame = Vec::new();
    Publish::write(1, &[published(1, "text")], &mut frame);
    client.flood(&frame);
    assert_eq!(broker.connection_count(), 1);
    drop(client);
    wait_until("it is gone", || broker.connection_count() == 0);
}

/// A frame of which a part has come is kept, and counts as memory does.
#[test]
fn parts_of_frames_count_and_are_bounded() {
    const WATERMARK: usize = 4 << 20;
    let limits = Limits::new().memory_high_watermark_bytes(WATERMARK).close_timeout_ms(500);
    let (broker, address) = listening_with(Broker::builder().limits(limits));
    let mut part = 1_000_000_u32.to_be_bytes().to_vec();
    part.resize(900_000, 0);
    let sending = |_| {
        let mut client = Client::open(address);
        client.flood_once(&part);
        client
    };
    let clients: Vec<_> = (0..20).map(sending).collect();
    let total = broker.memory_total();
    assert!(total < 2 * WATERMARK, "{total} octets count");
    // They cannot go on for each other; some have to go.
    wait_until("some are gone", || broker.connection_count() < clients.len());
    wait_until("there is memory again", || broker.memory_total() <= WATERMARK);
    drop(clients);
    wait_until("nothing is left", || broker.memory_total() < WATERMARK / 2);
}
