//! One record on disk: a header of 32 octets, a head, a body, padded to 8 octets.
//!
//! ```text
//!  0  u32  checksum of octets 4.. of the header and of the head, for this segment and offset
//!  4  u32  checksum of the body
//!  8  u32  length of the head
//! 12  u32  length of the body
//! 16  u64  group: the sync that made it durable
//! 24  u8   kind
//! 25  u8   flags: 1 = last record of its batch
//! 26  u16  the low octets of the segment's number
//! 28  u32  the record's place in its batch, from 0
//! ```
//!
//! Numbers are little-endian, checksums are CRC-32 (IEEE). That of the header begins with the
//! segment's number and the offset: a record that is found in a recycled file, or at another
//! place than it was written to, does not pass for one of this segment.

use crc32fast::Hasher;

/// Octets of a header.
pub(crate) const HEADER: usize = 32;

/// Records begin at multiples of this.
pub(crate) const ALIGN: usize = 8;

/// The longest head, in octets: targets and meta of a message.
pub(crate) const HEAD_MAX: usize = 16 << 20;

/// The longest body, in octets: the payload of a message.
pub(crate) const BODY_MAX: usize = 1 << 30;

/// Fills the place of records that recovery cut off.
pub(crate) const CUT: [u8; ALIGN] = *b"\0LVRTCUT";

const LAST: u8 = 1;

/// What a record is. The numbers are part of the format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Message = 1,
    Settled = 2,
    CleanStop = 3,
}

impl Kind {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Message, Self::Settled, Self::CleanStop]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) checksum: u32,
    pub(crate) body_checksum: u32,
    pub(crate) head: usize,
    pub(crate) body: usize,
    pub(crate) group: u64,
    pub(crate) kind: Kind,
    pub(crate) last: bool,
    pub(crate) ordinal: u32,
}

impl Header {
    /// Octets from the record's begin to the next one's.
    pub(crate) fn span(&self) -> usize {
        (HEADER + self.head + self.body).next_multiple_of(ALIGN)
    }

    /// What the octets say, if they can be a header of this segment. The checksum is not checked.
    pub(crate) fn parse(octets: &[u8], segment: u64) -> Option<Self> {
        let octets: &[u8; HEADER] = octets.first_chunk()?;
        let header = Self {
            checksum: u32_at(octets, 0)?,
            body_checksum: u32_at(octets, 4)?,
            head: usize::try_from(u32_at(octets, 8)?).ok()?,
            body: usize::try_from(u32_at(octets, 12)?).ok()?,
            group: u64::from_le_bytes(*octets.get(16..)?.first_chunk()?),
            kind: Kind::from_number(octets[24])?,
            last: octets[25] == LAST,
            ordinal: u32_at(octets, 28)?,
        };
        let fits = header.head <= HEAD_MAX && header.body <= BODY_MAX && octets[25] <= LAST;
        (fits && octets[26..28] == tag(segment)).then_some(header)
    }

    /// Whether header and head are as they were written to this place. `octets` begin with the
    /// header.
    pub(crate) fn head_is_sound(&self, octets: &[u8], segment: u64, offset: u64) -> bool {
        octets
            .get(..HEADER + self.head)
            .is_some_and(|octets| head_checksum(octets, segment, offset) == self.checksum)
    }

    /// Whether the body is as it was written. `octets` begin with the header.
    pub(crate) fn body_is_sound(&self, octets: &[u8]) -> bool {
        self.body_of(octets).is_some_and(|body| crc32fast::hash(body) == self.body_checksum)
    }

    pub(crate) fn head_of<'a>(&self, octets: &'a [u8]) -> Option<&'a [u8]> {
        octets.get(HEADER..HEADER + self.head)
    }

    pub(crate) fn body_of<'a>(&self, octets: &'a [u8]) -> Option<&'a [u8]> {
        octets.get(HEADER + self.head..HEADER + self.head + self.body)
    }
}

/// Appends a record without what depends on its place: [`stamp`] adds that.
pub(crate) fn append(
    octets: &mut Vec<u8>,
    kind: Kind,
    ordinal: u32,
    head: impl FnOnce(&mut Vec<u8>),
    body: &[&[u8]],
) {
    let begin = octets.len();
    octets.extend_from_slice(&[0; HEADER]);
    head(octets);
    let head = octets.len() - begin - HEADER;
    let mut hasher = Hasher::new();
    for part in body {
        hasher.update(part);
        octets.extend_from_slice(part);
    }
    let body = octets.len() - begin - HEADER - head;
    octets.resize(octets.len().next_multiple_of(ALIGN), 0);
    if let Some(header) = octets.get_mut(begin..).and_then(|o| o.first_chunk_mut::<HEADER>()) {
        header[4..8].copy_from_slice(&hasher.finalize().to_le_bytes());
        header[8..12].copy_from_slice(&(head as u32).to_le_bytes());
        header[12..16].copy_from_slice(&(body as u32).to_le_bytes());
        header[24] = kind as u8;
        header[28..32].copy_from_slice(&ordinal.to_le_bytes());
    }
}

/// Marks the record that begins the octets as the last one of its batch.
pub(crate) fn mark_last(octets: &mut [u8]) {
    if let Some(flags) = octets.get_mut(25) {
        *flags = LAST;
    }
}

/// Gives the record that begins the octets its place. Can be done anew for another place.
pub(crate) fn stamp(octets: &mut [u8], head: usize, segment: u64, offset: u64, group: u64) {
    if let Some(header) = octets.first_chunk_mut::<HEADER>() {
        header[16..24].copy_from_slice(&group.to_le_bytes());
        header[26..28].copy_from_slice(&tag(segment));
    }
    if let Some(covered) = octets.get(..HEADER + head) {
        let checksum = head_checksum(covered, segment, offset).to_le_bytes();
        if let Some(field) = octets.first_chunk_mut() {
            *field = checksum;
        }
    }
}

fn head_checksum(header_and_head: &[u8], segment: u64, offset: u64) -> u32 {
    /// Octets that are put together first: one piece is hashed faster than two short ones.
    const TOGETHER: usize = 128;
    let mut front = [0; TOGETHER];
    front[..8].copy_from_slice(&segment.to_le_bytes());
    front[8..16].copy_from_slice(&offset.to_le_bytes());
    let covered = header_and_head.get(4..).unwrap_or_default();
    let (near, far) = covered.split_at(covered.len().min(TOGETHER - 16));
    front[16..16 + near.len()].copy_from_slice(near);
    let mut hasher = Hasher::new();
    hasher.update(&front[..16 + near.len()]);
    hasher.update(far);
    hasher.finalize()
}

fn tag(segment: u64) -> [u8; 2] {
    (segment as u16).to_le_bytes()
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*octets.get(at..)?.first_chunk()?))
}
