//! What an answer says about its request. [rabbitmq stream response codes]

use crate::wire::{Reader, Wire};

/// Names the codes, with their numbers and what they say.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Code of an answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum ResponseCode { $($(#[$doc])* $name = $code,)* }

        impl ResponseCode {
            /// All codes, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it means, for people.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// Done.
    Ok = 1, "ok";
    /// There is no stream of that name.
    StreamDoesNotExist = 2, "stream does not exist";
    /// The connection has a subscription with that id.
    SubscriptionIdAlreadyExists = 3, "subscription id already exists";
    /// The connection has no subscription with that id.
    SubscriptionIdDoesNotExist = 4, "subscription id does not exist";
    /// There is a stream of that name.
    StreamAlreadyExists = 5, "stream already exists";
    /// The stream is there, but cannot be reached.
    StreamNotAvailable = 6, "stream not available";
    /// The server does not know the mechanism.
    SaslMechanismNotSupported = 7, "SASL mechanism not supported";
    /// Wrong credentials.
    AuthenticationFailure = 8, "authentication failure";
    /// The mechanism's response cannot be read.
    SaslError = 9, "SASL error";
    /// The mechanism needs another round.
    SaslChallenge = 10, "SASL challenge";
    /// The user may connect from the server's machine alone.
    AuthenticationFailureLoopback = 11, "authentication failure, loopback only";
    /// No such virtual host, or none for this user.
    VirtualHostAccessFailure = 12, "virtual host access failure";
    /// A frame that cannot be read, or is not expected.
    UnknownFrame = 13, "unknown frame";
    /// A frame that is larger than the server takes.
    FrameTooLarge = 14, "frame too large";
    /// The server failed.
    InternalError = 15, "internal error";
    /// The user has no permission for that.
    AccessRefused = 16, "access refused";
    /// Something about the request, or the state of things, forbids it.
    PreconditionFailed = 17, "precondition failed";
    /// The connection has no publisher with that id.
    PublisherDoesNotExist = 18, "publisher does not exist";
    /// No offset is kept under that name.
    NoOffset = 19, "no offset";
    /// Credentials are renewed with the mechanism of the first ones.
    SaslCannotChangeMechanism = 20, "SASL: cannot change mechanism";
    /// Credentials are renewed for the same user.
    SaslCannotChangeUserName = 21, "SASL: cannot change user name";
}

impl ResponseCode {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The code with that number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// Whether it is [`ResponseCode::Ok`].
    pub fn is_ok(self) -> bool {
        self == Self::Ok
    }
}

impl std::fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text(), self.code())
    }
}

impl<'a> Wire<'a> for ResponseCode {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        Self::from_code(reader.read()?)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.code().write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_to_their_codes() {
        for code in ResponseCode::ALL {
            assert_eq!(ResponseCode::from_code(code.code()), Some(*code));
        }
        assert_eq!(ResponseCode::ALL.len(), 21);
        assert_eq!((ResponseCode::from_code(0), ResponseCode::from_code(22)), (None, None));
        assert_eq!(ResponseCode::NoOffset.to_string(), "no offset (19)");
    }
}
