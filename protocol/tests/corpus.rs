//! The bodies of the fuzz targets over a small corpus and over random octets.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use leveret_protocol::fuzz;
use proptest::collection::vec;
use proptest::prelude::*;

/// Every input of the corpus, whole and with each octet changed.
fn run(target: &str, body: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let mut input = std::fs::read(entry.unwrap().path()).unwrap();
        body(&input);
        for at in 0..input.len().min(600) {
            let octet = input[at];
            for other in [0, 1, 2, 8, 0x7f, 0xce, 0xff] {
                input[at] = other;
                body(&input);
            }
            input[at] = octet;
            body(&input[..at]);
        }
        inputs += 1;
    }
    assert!(inputs >= 5, "{inputs} inputs");
}

#[test]
fn decoder_corpus() {
    run("decoder", fuzz::decoder);
}

#[test]
fn connection_corpus() {
    run("connection", fuzz::connection);
}

/// Frames that are sound on the outside, with anything inside.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        vec(any::<u8>(), 0..40),
        (0..100u8, 0..130u8, vec(any::<u8>(), 0..40)).prop_map(|(class, method, rest)| [
            vec![0, class, 0, method],
            rest
        ]
        .concat()),
        (0..40u64, vec(any::<u8>(), 0..10)).prop_map(|(size, mut properties)| {
            let mut payload = [vec![0, 60, 0, 0], size.to_be_bytes().to_vec()].concat();
            payload.append(&mut properties);
            payload
        }),
    ];
    let frame = (1..4u8, 0..3u8, payload).prop_map(|(kind, channel, payload)| {
        let front = vec![kind, 0, channel, 0, 0, 0, payload.len() as u8];
        [front, payload, vec![0xce]].concat()
    });
    let frames = vec(frame, 0..20).prop_map(|frames| frames.concat());
    (any::<[u8; 2]>(), frames).prop_map(|(front, frames)| [front.to_vec(), frames].concat())
}

proptest! {
    #[test]
    fn decoder_takes_anything(data in vec(any::<u8>(), 0..400)) {
        fuzz::decoder(&data);
    }

    #[test]
    fn connection_takes_anything(data in prop_oneof![vec(any::<u8>(), 0..400), frames()]) {
        fuzz::connection(&data);
    }
}
