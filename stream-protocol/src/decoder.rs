//! Finds frames in what comes from a socket, in pieces of any size.

/// What the decoder found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A whole frame without its size.
    Frame(&'a [u8]),
    /// A frame that is larger than allowed, in octets. It is passed over.
    TooLarge(usize),
}

/// Octets of the size in front of a frame.
const SIZE: usize = 4;

/// Room that is kept between frames for the next one that comes in pieces.
const KEPT_OCTETS_MAX: usize = 4 * 1024;

/// Finds frames, and puts together those that come in pieces.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// Largest frame that is taken, in octets, without its size.
    frame_octets_max: usize,
    /// The beginning of a frame, with its size.
    begun: Vec<u8>,
    /// Whether `begun` is a frame that was given out, to be dropped.
    given_out: bool,
    /// Octets to come of a frame that is too large.
    skipped: usize,
}

impl Decoder {
    pub(crate) fn new(frame_octets_max: usize) -> Self {
        Self { frame_octets_max, begun: Vec::new(), given_out: false, skipped: 0 }
    }

    pub(crate) fn frame_octets_max(&self) -> usize {
        self.frame_octets_max
    }

    pub(crate) fn set_frame_octets_max(&mut self, frame_octets_max: usize) {
        self.frame_octets_max = frame_octets_max;
    }

    /// Octets of memory for a frame that is not whole.
    pub(crate) fn begun_octets(&self) -> usize {
        self.begun.capacity()
    }

    /// Forgets the frame that was given out last.
    pub(crate) fn forget_given(&mut self) {
        if self.given_out {
            self.given_out = false;
            self.begun.clear();
            self.begun.shrink_to(KEPT_OCTETS_MAX);
        }
    }

    /// Takes input from its front: how many octets, and what was found. All of it if nothing was.
    pub(crate) fn next<'a>(&'a mut self, input: &'a [u8]) -> (usize, Option<Found<'a>>) {
        self.forget_given();
        if self.skipped > 0 {
            let octets = self.skipped.min(input.len());
            self.skipped -= octets;
            let rest = input.get(octets..).unwrap_or_default();
            let (used, found) = if rest.is_empty() { (0, None) } else { self.next(rest) };
            return (octets + used, found);
        }
        if self.begun.is_empty()
            && let Some((size, rest)) = split_size(input)
        {
            if size > self.frame_octets_max {
                self.skipped = size;
                return (SIZE, Some(Found::TooLarge(size)));
            }
            if let Some(frame) = rest.get(..size) {
                return (SIZE + size, Some(Found::Frame(frame)));
            }
        }
        self.put_together(input)
    }

    fn put_together<'a>(&'a mut self, input: &'a [u8]) -> (usize, Option<Found<'a>>) {
        let mut used = self.take(input, SIZE);
        let Some((size, _)) = split_size(&self.begun) else { return (used, None) };
        if size > self.frame_octets_max {
            self.begun.clear();
            self.skipped = size;
            return (used, Some(Found::TooLarge(size)));
        }
        used += self.take(input.get(used..).unwrap_or_default(), SIZE + size);
        if self.begun.len() < SIZE + size {
            return (used, None);
        }
        self.given_out = true;
        (used, self.begun.get(SIZE..).map(Found::Frame))
    }

    /// Takes as much as is missing to `octets`; what is not there yet takes no memory.
    fn take(&mut self, input: &[u8], octets: usize) -> usize {
        let missing = octets.saturating_sub(self.begun.len());
        let part = input.get(..missing.min(input.len())).unwrap_or_default();
        if self.begun.capacity() - self.begun.len() < part.len() {
            // As much again as there is, but nothing for what will not come.
            let more = (missing - part.len()).min(self.begun.len());
            self.begun.reserve_exact(part.len() + more);
        }
        self.begun.extend_from_slice(part);
        part.len()
    }
}

fn split_size(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (size, rest) = octets.split_first_chunk::<SIZE>()?;
    Some((usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder, mut input: &[u8]) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let (used, Some(found)) = decoder.next(input) {
            let Found::Frame(frame) = found else { panic!("{found:?}") };
            frames.push(frame.to_vec());
            input = &input[used..];
        }
        frames
    }

    #[test]
    fn pieces_of_any_size_are_the_same_frames() {
        let input = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x01d";
        let whole = all(&mut Decoder::new(3), input);
        assert_eq!(whole, [&b"abc"[..], b"", b"d"]);
        for size in 1..input.len() {
            let mut decoder = Decoder::new(3);
            let frames = input.chunks(size).flat_map(|piece| all(&mut decoder, piece));
            assert_eq!(frames.collect::<Vec<_>>(), whole, "{size}");
            decoder.forget_given();
            assert!(decoder.begun_octets() < 16);
        }
    }

    #[test]
    fn a_frame_that_is_too_large_is_passed_over() {
        let input = b"\0\0\0\x04abcd\0\0\0\x01e";
        for size in 1..input.len() {
            let mut decoder = Decoder::new(3);
            let mut found = Vec::new();
            for mut piece in input.chunks(size) {
                while !piece.is_empty() {
                    let (used, what) = decoder.next(piece);
                    found.extend(what.map(|what| format!("{what:?}")));
                    piece = &piece[used..];
                }
            }
            assert_eq!(found, ["TooLarge(4)", "Frame([101])"], "{size}");
            decoder.forget_given();
            assert!(decoder.begun_octets() < 16);
        }
    }
}
