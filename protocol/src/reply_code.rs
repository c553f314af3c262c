//! Reply codes, their names and reach, and how RabbitMQ writes reply texts.
//! [amqp 0-9-1 §1.2 constants]

use crate::constants::SHORT_STRING_MAX;

/// End of a reply text that was cut.
const DOTS: &str = "...";

macro_rules! reply_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        $($(#[$doc])* pub const $name: u16 = $code;)*

        /// Name of a reply code in upper case, such as `NOT_FOUND`; `None` for an unknown code.
        pub const fn name(code: u16) -> Option<&'static str> {
            match code {
                $($code => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

reply_codes! {
    /// Nothing went wrong.
    REPLY_SUCCESS = 200,
    /// Soft: the content is larger than can be taken.
    CONTENT_TOO_LARGE = 311,
    /// In basic.return: no queue for a mandatory message.
    NO_ROUTE = 312,
    /// In basic.return: no consumer for an immediate message.
    NO_CONSUMERS = 313,
    /// Soft: the user lacks a permission.
    ACCESS_REFUSED = 403,
    /// Soft: something that was named does not exist.
    NOT_FOUND = 404,
    /// Soft: another connection has exclusive use of it.
    RESOURCE_LOCKED = 405,
    /// Soft: arguments or state do not fit.
    PRECONDITION_FAILED = 406,
    /// Hard: an operator closed the connection.
    CONNECTION_FORCED = 320,
    /// Hard: the virtual host is unknown.
    INVALID_PATH = 402,
    /// Hard: a frame cannot be decoded.
    FRAME_ERROR = 501,
    /// Hard: a field has an illegal value.
    SYNTAX_ERROR = 502,
    /// Hard: a method that cannot be used here.
    COMMAND_INVALID = 503,
    /// Hard: a channel is used that is not open, or opened twice.
    CHANNEL_ERROR = 504,
    /// Hard: a frame where another kind is due.
    UNEXPECTED_FRAME = 505,
    /// Hard: the server has run out of something.
    RESOURCE_ERROR = 506,
    /// Hard: against the server's settings.
    NOT_ALLOWED = 530,
    /// Hard: a feature that this server does not have.
    NOT_IMPLEMENTED = 540,
    /// Hard: the server's own fault.
    INTERNAL_ERROR = 541,
}

/// Whether an error of this code closes the connection rather than one channel. Unknown codes do.
pub const fn is_hard(code: u16) -> bool {
    !is_soft(code)
}

/// Whether an error of this code closes only the channel.
pub const fn is_soft(code: u16) -> bool {
    matches!(
        code,
        CONTENT_TOO_LARGE
            | NO_ROUTE
            | NO_CONSUMERS
            | ACCESS_REFUSED
            | NOT_FOUND
            | RESOURCE_LOCKED
            | PRECONDITION_FAILED
    )
}

/// `NAME - explanation`. What does not fit into a short string is cut at a character and ends with
/// three dots. [rabbitmq 4.0]
pub fn reply_text(code: u16, explanation: &str) -> String {
    let mut text = match name(code) {
        Some(name) => format!("{name} - {explanation}"),
        None => explanation.to_owned(),
    };
    if text.len() > SHORT_STRING_MAX {
        text.truncate(floor_char_boundary(&text, SHORT_STRING_MAX - DOTS.len()));
        text.push_str(DOTS);
    }
    text
}

/// Cuts a text so that it fits into a short string.
pub(crate) fn short_text(text: &str) -> &str {
    text.get(..floor_char_boundary(text, SHORT_STRING_MAX)).unwrap_or_default()
}

fn floor_char_boundary(text: &str, octets_max: usize) -> usize {
    if text.len() <= octets_max {
        return text.len();
    }
    (0..=octets_max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_name_in_front() {
        assert_eq!(reply_text(404, "no queue 'q'"), "NOT_FOUND - no queue 'q'");
        assert_eq!(reply_text(999, "what"), "what");
    }

    #[test]
    fn text_is_cut_at_a_character() {
        let text = reply_text(NOT_FOUND, &"é".repeat(200));
        assert_eq!(text.len(), 255);
        assert!(text.ends_with("é..."));
        assert_eq!(reply_text(NOT_FOUND, &format!("e{}", "é".repeat(200))).len(), 254);
        assert_eq!(reply_text(NOT_FOUND, &"e".repeat(243)).len(), 255);
        assert!(!reply_text(NOT_FOUND, &"e".repeat(243)).ends_with("..."));
    }

    #[test]
    fn reach() {
        assert!(is_soft(PRECONDITION_FAILED) && !is_hard(PRECONDITION_FAILED));
        assert!(is_hard(FRAME_ERROR) && !is_soft(FRAME_ERROR));
        assert_eq!(name(PRECONDITION_FAILED), Some("PRECONDITION_FAILED"));
    }
}
