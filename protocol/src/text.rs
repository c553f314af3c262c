//! Octets as text, for names and short strings that need not be UTF-8 where `amq-protocol` has text
//! alone.
//!
//! UTF-8 is itself. In anything else, each octet that does not belong becomes a character of its
//! own of the private use area: U+EF80 for 0x80, and so on to U+EFFF for 0xFF. The way back is
//! exact. (Text that has such characters from the start is taken apart into octets as well, so that
//! no two names become one.)

use std::borrow::Cow;

use amq_protocol::types::ShortString;

use crate::constants::SHORT_STRING_MAX;

/// What is added to an octet of 0x80 or more.
const ESCAPE: u32 = 0xEF00;

fn is_escape(c: char) -> bool {
    matches!(c, '\u{EF80}'..='\u{EFFF}')
}

/// Octets as text; see the module. Text of UTF-8 is borrowed.
pub fn from_octets(octets: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(octets)
        && !text.contains(is_escape)
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_escape(c) {
                push_octets(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(c);
            }
        }
        push_octets(&mut text, chunk.invalid());
    }
    Cow::Owned(text)
}

fn push_octets(text: &mut String, octets: &[u8]) {
    text.extend(octets.iter().filter_map(|&octet| char::from_u32(ESCAPE + u32::from(octet))));
}

/// The octets that text stands for: the way back from [`from_octets`].
///
/// ```
/// use leveret_protocol::text::{from_octets, to_octets};
///
/// let name = from_octets(b"caf\xE9");
/// assert_eq!(name, "caf\u{EFE9}");
/// assert_eq!(&*to_octets(&name), b"caf\xE9");
/// ```
pub fn to_octets(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(is_escape) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut octets = Vec::new();
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(ESCAPE)) {
            Ok(octet) if is_escape(c) => octets.push(octet),
            _ => octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(octets)
}

/// Octets as a short string; `None` if their text is too long for one, as that of more than 85
/// octets that do not belong may be.
pub(crate) fn short_string(octets: &[u8]) -> Option<ShortString> {
    ShortString::try_new(from_octets(octets)).ok()
}

/// Octets as a short string; what is too long is cut, and what does not belong replaced.
pub(crate) fn short_string_lossy(octets: &[u8]) -> ShortString {
    short_string(octets).unwrap_or_else(|| {
        let mut text = String::from_utf8_lossy(octets).into_owned();
        let end = (0..=SHORT_STRING_MAX).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or_default());
        ShortString::try_new(text).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn utf8_is_itself() {
        assert!(matches!(from_octets("größe".as_bytes()), Cow::Borrowed("größe")));
        assert!(matches!(to_octets("größe"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_looks_like_an_octet_is_taken_apart() {
        assert_eq!(from_octets("\u{EFE9}".as_bytes()), "\u{EFEE}\u{EFBF}\u{EFA9}");
        assert_ne!(from_octets("\u{EFE9}".as_bytes()), from_octets(b"\xE9"));
    }

    #[test]
    fn short_strings_are_cut_where_they_have_to_be() {
        assert!(short_string(&[0xFF; 85]).is_some() && short_string(&[0xFF; 86]).is_none());
        let cut = short_string_lossy(&[0xFF; 255]);
        assert!((250..=255).contains(&cut.as_str().len()));
    }

    proptest! {
        #[test]
        fn the_way_back_is_exact(octets: Vec<u8>) {
            let text = from_octets(&octets);
            prop_assert_eq!(&*to_octets(&text), &*octets);
        }
    }
}
