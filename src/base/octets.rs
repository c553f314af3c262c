//! Octets of records: numbers are little-endian, what varies in length has its length before it.

/// Appends values.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Octets with their number, up to 4 GiB.
    pub(crate) fn octets(&mut self, octets: &[u8]) -> &mut Self {
        self.u32(u32::try_from(octets.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(octets);
        self
    }
}

impl Writer {
    /// Routing keys.
    pub(crate) fn keys(&mut self, keys: &[Vec<u8>]) -> &mut Self {
        self.u32(u32::try_from(keys.len()).unwrap_or(u32::MAX));
        for key in keys {
            self.octets(key);
        }
        self
    }
}

/// Takes values again. Whatever was damaged gives `None`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (value, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*value)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*value))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*value))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*value))
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn octets(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.u32()?).ok()?;
        self.take(count)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.octets()?).ok()
    }

    /// Routing keys.
    pub(crate) fn keys(&mut self) -> Option<Vec<Vec<u8>>> {
        self.list(|reader| Some(reader.octets()?.to_vec()))
    }

    /// A list of things, of which each has one octet at least.
    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::try_from(self.u32()?).ok()?;
        if count > self.0.len() {
            return None;
        }
        (0..count).map(|_| item(self)).collect()
    }
}
