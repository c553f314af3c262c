//! Which filter values a chunk has: a Bloom filter for each chunk `[rabbitmq streams#filtering]`.
//!
//! Bit 0 says that there are messages without a value; each value sets two of the others. A chunk
//! without any value has no filter.

/// Stands for a filter value; [`NO_VALUE`] for none. The empty value is none.
pub(crate) type ValueHash = u64;

/// A message without a value.
pub(crate) const NO_VALUE: ValueHash = 0;

/// The hash of a value. It is part of the storage format: FNV-1a, mixed as in SplitMix64.
pub(crate) fn hash(value: &[u8]) -> ValueHash {
    if value.is_empty() {
        return NO_VALUE;
    }
    let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
    for octet in value {
        hash = (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (hash ^ (hash >> 31)).max(1)
}

/// The two bits of a value in a filter of so many octets.
fn bits(hash: ValueHash, octets: usize) -> [usize; 2] {
    let bits = (octets * 8).saturating_sub(1).max(1) as u64;
    let bit = |part: u64| (part % bits) as usize + 1;
    [bit(hash & 0xFFFF_FFFF), bit(hash >> 32)]
}

fn set(filter: &mut [u8], bit: usize) {
    if let Some(octet) = filter.get_mut(bit / 8) {
        *octet |= 1 << (bit % 8);
    }
}

fn is_set(filter: &[u8], bit: usize) -> bool {
    filter.get(bit / 8).is_some_and(|octet| octet & (1 << (bit % 8)) != 0)
}

/// The filter of a chunk that is being filled.
#[derive(Clone, Debug)]
pub(crate) struct Bloom {
    filter: Vec<u8>,
    has_value: bool,
}

impl Bloom {
    pub(crate) fn new(octets: u8) -> Self {
        Self { filter: vec![0; usize::from(octets)], has_value: false }
    }

    /// An entry with this value is added.
    pub(crate) fn add(&mut self, hash: ValueHash) {
        if hash == NO_VALUE {
            set(&mut self.filter, 0);
            return;
        }
        self.has_value = true;
        for bit in bits(hash, self.filter.len()) {
            set(&mut self.filter, bit);
        }
    }

    /// What is stored: nothing if no entry has a value.
    pub(crate) fn as_octets(&self) -> &[u8] {
        if self.has_value { &self.filter } else { &[] }
    }
}

/// What a reader wants of the chunks: those in which one of the values may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkFilter {
    values: Vec<ValueHash>,
    match_unfiltered: bool,
}

impl ChunkFilter {
    /// Chunks that may have one of the values, and with `match_unfiltered` those that have
    /// messages without a value. Empty values are passed over; without values every chunk matches.
    pub fn new(values: impl IntoIterator<Item = impl AsRef<[u8]>>, match_unfiltered: bool) -> Self {
        let values = values.into_iter().map(|value| hash(value.as_ref()));
        Self { values: values.filter(|hash| *hash != NO_VALUE).collect(), match_unfiltered }
    }

    /// Whether a chunk with this filter is wanted.
    pub(crate) fn matches(&self, filter: &[u8]) -> bool {
        if self.values.is_empty() {
            return true;
        }
        if filter.is_empty() {
            return self.match_unfiltered;
        }
        if self.match_unfiltered && is_set(filter, 0) {
            return true;
        }
        let may_have = |hash| bits(hash, filter.len()).iter().all(|bit| is_set(filter, *bit));
        self.values.iter().any(|hash| may_have(*hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_there_is_found_and_most_others_are_not() {
        for octets in [16, 100, 255] {
            let mut bloom = Bloom::new(octets);
            assert!(bloom.as_octets().is_empty());
            for value in 0..8_u32 {
                bloom.add(hash(&value.to_le_bytes()));
            }
            for value in 0..8_u32 {
                let filter = ChunkFilter::new([value.to_le_bytes()], false);
                assert!(filter.matches(bloom.as_octets()));
            }
            let wrong = (8..1000_u32).filter(|value| {
                ChunkFilter::new([value.to_le_bytes()], true).matches(bloom.as_octets())
            });
            assert!(wrong.count() < 60);
        }
    }

    #[test]
    fn messages_without_a_value_match_only_on_demand() {
        let filter = |unfiltered| ChunkFilter::new(["a"], unfiltered);
        assert!(filter(true).matches(&[]));
        assert!(!filter(false).matches(&[]));
        let mut bloom = Bloom::new(16);
        bloom.add(hash(b"b"));
        assert!(!filter(true).matches(bloom.as_octets()));
        bloom.add(hash(b""));
        assert!(filter(true).matches(bloom.as_octets()));
        assert!(!filter(false).matches(bloom.as_octets()));
        assert!(ChunkFilter::new(["", ""], false).matches(&[]));
    }
}
