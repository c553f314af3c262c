//! Errors of the wire that close the connection, worded as RabbitMQ words them.

use std::fmt::Write as _;

use crate::constants::SHORT_STRING_MAX;
use crate::method_id::MethodId;
use crate::reply_code;

/// Octets of a payload that an error shows. [rabbitmq reader]
const SNIPPET_OCTETS: usize = 16;

/// A hard error: what connection.close says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ConnectionError {
    /// Reply code.
    pub code: u16,
    /// Whole reply text, at most 255 octets.
    pub text: String,
    /// The method that failed; [`MethodId::NONE`] if there is none.
    pub method: MethodId,
}

impl ConnectionError {
    /// An error with the code's name in front of the explanation.
    pub fn new(code: u16, explanation: &str, method: MethodId) -> Self {
        Self { code, text: reply_code::reply_text(code, explanation), method }
    }

    /// 501: a frame that is broken in itself; `cause` is an Erlang term.
    pub(crate) fn frame(kind: u8, payload: &[u8], cause: &str) -> Self {
        let text = format!("type {kind}, {}: {cause}", snippet(payload));
        Self::new(reply_code::FRAME_ERROR, &text, MethodId::NONE)
    }

    /// 501: arguments of a method that cannot be read, or an unknown method.
    pub(crate) fn cannot_decode(method: MethodId, arguments: &[u8]) -> Self {
        let text = format!("cannot decode {}", erlang_octets(arguments));
        Self::new(reply_code::FRAME_ERROR, &text, method)
    }

    /// 501: a name that is not UTF-8.
    pub(crate) fn malformed_utf8() -> Self {
        let text = "Malformed UTF-8 in shortstr";
        Self::new(reply_code::FRAME_ERROR, text, MethodId::NONE)
    }

    /// 541: something that RabbitMQ does not expect; it gives no explanation.
    pub(crate) fn internal() -> Self {
        let text = "INTERNAL_ERROR".to_owned();
        Self { code: reply_code::INTERNAL_ERROR, text, method: MethodId::NONE }
    }

    /// 505: a sound frame in a place where it does not belong.
    pub(crate) fn misplaced(kind: u8, payload: &[u8]) -> Self {
        let text = format!("type {kind}, {}", snippet(payload));
        Self::new(reply_code::UNEXPECTED_FRAME, &text, MethodId::NONE)
    }

    /// 505: another kind of frame is due on the channel.
    pub(crate) fn unexpected(explanation: &str, method: MethodId) -> Self {
        Self::new(reply_code::UNEXPECTED_FRAME, explanation, method)
    }

    /// 503: a method that only a server sends, or one that has no use on its channel.
    pub(crate) fn unimplemented(method: MethodId) -> Self {
        Self::new(reply_code::COMMAND_INVALID, "unimplemented method", method)
    }
}

fn snippet(payload: &[u8]) -> String {
    match payload.get(..SNIPPET_OCTETS) {
        Some(first) if payload.len() > SNIPPET_OCTETS => {
            format!("first {SNIPPET_OCTETS} octets = {}", erlang_binary(first))
        }
        _ => format!("all octets = {}", erlang_binary(payload)),
    }
}

/// A binary as Erlang prints it for people: text in quotes where all of it is printable.
fn erlang_binary(octets: &[u8]) -> String {
    let printable = |octet: &u8| matches!(octet, b' '..=b'~');
    if octets.is_empty() || !octets.iter().all(printable) {
        return erlang_octets(octets);
    }
    let text = String::from_utf8_lossy(octets).replace('\\', "\\\\").replace('"', "\\\"");
    format!("<<\"{text}\">>")
}

/// A binary as Erlang's `~w` prints it, as far as a reply text can hold it.
fn erlang_octets(octets: &[u8]) -> String {
    let mut text = String::from("<<");
    for (i, octet) in octets.iter().take(SHORT_STRING_MAX / 2).enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{octet}", if i == 0 { "" } else { "," });
    }
    text.push_str(">>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_shown_as_erlang_shows_them() {
        let text = |payload: &[u8]| ConnectionError::frame(5, payload, "unknown_frame").text;
        assert_eq!(text(b""), "FRAME_ERROR - type 5, all octets = <<>>: unknown_frame");
        assert_eq!(
            text(b"a\"b"),
            "FRAME_ERROR - type 5, all octets = <<\"a\\\"b\">>: unknown_frame"
        );
        assert_eq!(text(&[0, 255]), "FRAME_ERROR - type 5, all octets = <<0,255>>: unknown_frame");
        assert!(text(&[0; 17]).contains("first 16 octets = <<0,0,"));
        assert!(ConnectionError::cannot_decode(MethodId::NONE, &[200; 4000]).text.len() <= 255);
    }
}
