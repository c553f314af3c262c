//! Frames and contents however they are cut.

use leveret::Limits;

use crate::client::Client;
use crate::{frames, listening, ready, wait_until};

#[test]
fn one_octet_at_a_time() {
    let (broker, address) = listening(Limits::default());
    let mut bystander = Client::with_channel(address);
    bystander.declare("q");
    let mut slow = Client::new(address);
    let mut all = frames::HEADER.to_vec();
    all.extend(frames::start_ok("PLAIN", b"\0guest\0guest", frames::CAPABILITIES));
    all.extend(frames::tune_ok(2047, 131_072, 0));
    all.extend(frames::open("/"));
    all.extend(frames::channel_open(1));
    for _ in 0..3 {
        all.extend(frames::publish_in(1, "q", b"in pieces", 2));
    }
    all.extend(frames::channel_close(1));
    for octet in all {
        slow.send(&[octet]);
    }
    for method in [10, 30, 41] {
        assert_eq!(slow.method().1.get_amqp_method_id(), method);
    }
    for method in [11, 41] {
        assert_eq!(slow.method().1.get_amqp_method_id(), method);
    }
    assert_eq!(ready(&broker, "q"), 3);
    bystander.send(&frames::get(1, "q", true));
    assert_eq!(bystander.content().body, b"in pieces");
}

#[test]
fn contents_of_several_channels_interleave() {
    const CHANNELS: u16 = 8;
    const ROUNDS: u64 = 50;
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    for number in 2..=CHANNELS {
        client.open_channel(number);
    }
    let mut all = Vec::new();
    for number in 1..=CHANNELS {
        all.extend(frames::basic_publish(number, "q", false));
    }
    for number in 1..=CHANNELS {
        all.extend(frames::header(number, ROUNDS));
    }
    for _ in 0..ROUNDS {
        for number in 1..=CHANNELS {
            all.extend(frames::frame(3, number, &[number as u8]));
        }
    }
    // Some of it comes in odd pieces.
    for piece in all.chunks(13) {
        client.send(piece);
    }
    wait_until("all are in the queue", || ready(&broker, "q") == usize::from(CHANNELS));
    for number in 1..=CHANNELS {
        client.send(&frames::get(1, "q", true));
        assert_eq!(client.content().body, [number as u8; ROUNDS as usize]);
    }
}

#[test]
fn a_mebibyte_in_tiny_frames() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    let body: Vec<u8> = (0..1u32 << 20).map(|n| (n % 253) as u8).collect();
    client.send(&frames::publish_in(1, "q", &body, 16));
    client.send(&frames::get(1, "q", true));
    assert!(client.content().body == body, "the body was changed on its way");
}

#[test]
fn empty_body_frames_are_no_end() {
    let (broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address);
    client.declare("q");
    client.send(&frames::basic_publish(1, "q", false));
    client.send(&frames::header(1, 2));
    let mut nothing = frames::frame(3, 1, b"a");
    nothing.extend(frames::frame(3, 1, b"").repeat(50_000));
    client.send(&nothing);
    client.send(&frames::frame(3, 1, b"b"));
    wait_until("the message is there", || ready(&broker, "q") == 1);
    client.send(&frames::get(1, "q", true));
    assert_eq!(client.content().body, b"ab");
}

#[test]
fn what_one_channel_published_is_there_for_the_next_request_of_another() {
    let (_broker, address) = listening(Limits::default());
    let mut client = Client::with_channel(address).channel(2);
    client.declare("q");
    let octets = [frames::publish(1, "q", b"x"), frames::get(2, "q", true)].concat();
    client.send(&octets);
    assert_eq!(client.content().body, b"x");
}
