//! What another broker says, as an error.

use amq_protocol::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::ErrorKind;

use crate::error::{Error, Scope};

/// What the other broker refused and why; `None` if the connection or channel is lost, which comes
/// again.
pub(super) fn refusal(error: &lapin::Error) -> Option<Error> {
    let ErrorKind::ProtocolError(error) = error.kind() else { return None };
    let scope = match error.kind() {
        AMQPErrorKind::Soft(_) => Scope::Channel,
        // Whoever closes the connection by force, or loses it, has nothing against the method.
        AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED) => return None,
        AMQPErrorKind::Hard(_) => Scope::Connection,
    };
    Some(remote(error.get_id(), error.get_message().as_str(), scope))
}

/// An error of this code; its text begins with the code's name, or not.
pub(super) fn remote(code: u16, text: &str, scope: Scope) -> Error {
    let bare = text.split_once(" - ").filter(|(name, _)| {
        name.chars().all(|letter| letter.is_ascii_uppercase() || matches!(letter, '_' | '-'))
    });
    let text = bare.map_or(text, |(_, text)| text).to_owned();
    Error::Remote { code, text, scope }
}
