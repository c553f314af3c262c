//! The body of the fuzz target over a small corpus and over random octets: anything may be in a
//! segment.

use std::path::Path;

use leveret_storage::fuzz;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn the_corpus_is_read_whole_cut_and_with_each_octet_changed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/stream_segment");
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let mut input = std::fs::read(entry.unwrap().path()).unwrap();
        fuzz::segment(&input);
        for at in 0..input.len() {
            let octet = input[at];
            for other in [0, 1, 0x7f, 0x80, 0xff] {
                input[at] = other;
                fuzz::segment(&input);
            }
            input[at] = octet;
            fuzz::segment(&input[..at]);
        }
        inputs += 1;
    }
    assert!(inputs >= 4, "{inputs} inputs");
}

/// Records as the target takes them: what they are, how long their parts are, and the parts.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let small = prop_oneof![3 => 0..20_u8, 1 => any::<u8>()];
    let record = (0..3_u8, vec(small, 5..60)).prop_map(|(kind, rest)| [vec![kind], rest].concat());
    vec(record, 0..6).prop_map(|records| records.concat())
}

proptest! {
    #[test]
    fn anything_may_be_in_a_segment(data in prop_oneof![vec(any::<u8>(), 0..300), records()]) {
        fuzz::segment(&data);
    }
}
