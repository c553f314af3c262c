//! How values stand on the wire: numbers in big endian, strings and lists with their length in
//! front. [rabbitmq stream types]

/// Length of a string or of octets that stands for none at all.
const NULL_STRING: u16 = u16::MAX;
const NULL_OCTETS: u32 = u32::MAX;

/// Longest string that can be written, in octets.
pub const STRING_OCTETS_MAX: usize = NULL_STRING as usize - 1;

/// Takes values from the front of a frame; nothing here can panic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn read<T: Wire<'a>>(&mut self) -> Option<T> {
        T::read(self)
    }

    #[inline]
    pub(crate) fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(front)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    /// The octets of a string; `None` inside for the null string.
    #[inline]
    pub(crate) fn string_octets(&mut self) -> Option<Option<&'a [u8]>> {
        match self.read::<u16>()? {
            NULL_STRING => Some(None),
            octets => self.take(usize::from(octets)).map(Some),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A value that can be read from a frame and written to one.
pub(crate) trait Wire<'a>: Sized {
    /// `None` if it is cut off or is no such value.
    fn read(reader: &mut Reader<'a>) -> Option<Self>;

    fn write(&self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl<'a> Wire<'a> for $number {
            #[inline]
            fn read(reader: &mut Reader<'a>) -> Option<Self> {
                reader.array().map(Self::from_be_bytes)
            }

            #[inline]
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        })*
    };
}

numbers!(u8 u16 u32 u64 i16 i64);

/// A string; null counts as empty. One that is longer than [`STRING_OCTETS_MAX`] is cut off when
/// written, at the end of a character.
impl<'a> Wire<'a> for &'a str {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        std::str::from_utf8(reader.string_octets()?.unwrap_or_default()).ok()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut end = self.len().min(STRING_OCTETS_MAX);
        while !self.is_char_boundary(end) {
            end -= 1;
        }
        // The minimum above makes this exact.
        (end as u16).write(out);
        out.extend_from_slice(self.as_bytes().get(..end).unwrap_or_default());
    }
}

/// Octets with a length of four; null counts as empty.
impl<'a> Wire<'a> for &'a [u8] {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        match reader.read::<u32>()? {
            NULL_OCTETS => Some(&[]),
            octets => reader.take(usize::try_from(octets).ok()?),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        out.extend_from_slice(self);
    }
}

impl<'a, A: Wire<'a>, B: Wire<'a>> Wire<'a> for (A, B) {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        Some((reader.read()?, reader.read()?))
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }
}

impl<'a, A: Wire<'a>, B: Wire<'a>, C: Wire<'a>> Wire<'a> for (A, B, C) {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        Some((reader.read()?, reader.read()?, reader.read()?))
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
        self.2.write(out);
    }
}

/// A list. What it takes in memory is bounded by the octets that came, not by the count in front.
impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let count = reader.read::<u32>()?;
        let mut list = Self::new();
        for _ in 0..count {
            list.push(reader.read()?);
        }
        Some(list)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        for value in self {
            value.write(out);
        }
    }
}

/// A value at the end of a frame that may be left out.
impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        if reader.is_empty() { Some(None) } else { reader.read().map(Some) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.write(out);
        }
    }
}

/// Counts above four thousand million do not fit in memory on any machine that this runs on.
pub(crate) fn write_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).unwrap_or(u32::MAX).write(out);
}

/// Writes a frame: its size is put in front of what `content` writes.
pub(crate) fn write_frame(
    out: &mut Vec<u8>,
    key: u16,
    version: u16,
    content: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    0_u32.write(out);
    (key, version).write(out);
    content(out);
    let size = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(front) = out.get_mut(start..start + 4) {
        front.copy_from_slice(&size.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a, T: Wire<'a>>(octets: &'a [u8]) -> Option<T> {
        Reader(octets).read()
    }

    #[test]
    fn null_counts_as_empty() {
        assert_eq!(read::<&str>(b"\xff\xff"), Some(""));
        assert_eq!(read::<&[u8]>(b"\xff\xff\xff\xff"), Some(&b""[..]));
        assert_eq!(Reader(b"\xff\xff").string_octets(), Some(None));
        assert_eq!(Reader(b"\0\0").string_octets(), Some(Some(&b""[..])));
    }

    #[test]
    fn lengths_that_lie_are_found_out() {
        assert_eq!(read::<&str>(b"\0\x03ab"), None);
        assert_eq!(read::<&[u8]>(b"\0\0\0\x03ab"), None);
        assert_eq!(read::<Vec<&str>>(b"\xff\xff\xff\xff\0\x01a"), None);
        assert_eq!(read::<&str>(b"\0\x01\xff"), None);
    }

    #[test]
    fn long_strings_are_cut_at_the_end_of_a_character() {
        let text = "é".repeat(40_000);
        let mut out = Vec::new();
        text.as_str().write(&mut out);
        let back = read::<&str>(&out);
        assert_eq!(back.map(str::len), Some(STRING_OCTETS_MAX));
    }

    #[test]
    fn frames_have_their_size_in_front() {
        let mut out = vec![9];
        write_frame(&mut out, 0x8007, 1, |out| 5_u8.write(out));
        assert_eq!(out, [9, 0, 0, 0, 5, 0x80, 7, 0, 1, 5]);
    }
}
