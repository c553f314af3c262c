//! Takes values from the front of a slice; nothing here can panic.

/// A cursor over octets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(front)
    }

    #[inline]
    pub(crate) fn chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(front)
    }

    #[inline]
    pub(crate) fn octet(&mut self) -> Option<u8> {
        let (&front, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(front)
    }

    #[inline]
    pub(crate) fn short(&mut self) -> Option<u16> {
        self.chunk().map(|octets| u16::from_be_bytes(*octets))
    }

    #[inline]
    pub(crate) fn long(&mut self) -> Option<u32> {
        self.chunk().map(|octets| u32::from_be_bytes(*octets))
    }

    #[inline]
    pub(crate) fn longlong(&mut self) -> Option<u64> {
        self.chunk().map(|octets| u64::from_be_bytes(*octets))
    }

    #[inline]
    pub(crate) fn short_string(&mut self) -> Option<&'a [u8]> {
        let octets = self.octet()?;
        self.take(usize::from(octets))
    }

    #[inline]
    pub(crate) fn long_string(&mut self) -> Option<&'a [u8]> {
        let octets = self.long()?;
        self.take(usize::try_from(octets).ok()?)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
