//! A file of the page, compressed when it was built.

/// A file.
pub(super) struct Asset {
    /// Name, with a hash of what is in it: another content has another name.
    pub name: &'static str,
    pub content_type: &'static str,
    pub brotli: &'static [u8],
    pub gzip: &'static [u8],
}
