//! The bodies of the fuzz targets over a small corpus and over random octets.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use leveret_stream_protocol::{ANSWER, Command, fuzz};
use proptest::collection::vec;
use proptest::prelude::*;

/// Every input of the corpus, whole and with each octet changed.
fn run(target: &str, body: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let mut input = std::fs::read(entry.unwrap().path()).unwrap();
        body(&input);
        for at in 0..input.len() {
            let octet = input[at];
            for other in [0, 1, 2, 8, 0x7f, 0x80, 0xff] {
                input[at] = other;
                body(&input);
            }
            input[at] = octet;
            body(&input[..at]);
        }
        inputs += 1;
    }
    assert!(inputs >= 4, "{inputs} inputs");
}

#[test]
fn frames_corpus() {
    run("stream_frames", fuzz::frames);
}

#[test]
fn connection_corpus() {
    run("stream_connection", fuzz::connection);
}

/// A frame with a key that there is, and anything after it.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let key = (0..Command::ALL.len(), any::<bool>())
        .prop_map(|(at, answer)| Command::ALL[at].key() | if answer { ANSWER } else { 0 });
    let small = prop_oneof![3 => 0..3_u8, 1 => any::<u8>()];
    (key, 1..3_u16, vec(small, 0..40)).prop_map(|(key, version, content)| {
        [&key.to_be_bytes()[..], &version.to_be_bytes(), &content].concat()
    })
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    (any::<[u8; 2]>(), vec(frame(), 0..20)).prop_map(|(front, frames)| {
        let sized = frames
            .into_iter()
            .flat_map(|frame| [&(frame.len() as u32).to_be_bytes()[..], &frame].concat());
        front.into_iter().chain(sized).collect()
    })
}

proptest! {
    #[test]
    fn anything_may_be_a_frame(data in prop_oneof![vec(any::<u8>(), 0..200), frame()]) {
        fuzz::frames(&data);
    }

    #[test]
    fn a_connection_takes_anything(data in prop_oneof![vec(any::<u8>(), 0..400), frames()]) {
        fuzz::connection(&data);
    }
}
