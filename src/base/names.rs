//! Names of the things a virtual host holds, as types that cannot be mixed up.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Names that begin so are the broker's own `[amqp 0-9-1 queue.declare#reserved]`.
pub(crate) const RESERVED_PREFIX: &str = "amq.";

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(Arc::from(name))
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(Arc::from(name))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// Name of a virtual host, such as `/`.
    VirtualHostName
}
name! {
    /// Name of an exchange; empty for the default exchange.
    ExchangeName
}
name! {
    /// Name of a queue.
    QueueName
}
name! {
    /// Tag that a channel's consumer is known by.
    ConsumerTag
}
name! {
    /// Name of a user.
    UserName
}

/// `prefix-` and 22 random characters.
pub(crate) fn random_name(prefix: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut octets = [0; 16];
    if getrandom::fill(&mut octets).is_err() {
        // Without the system's randomness names still have to differ.
        use std::hash::{BuildHasher, RandomState};
        octets[..8].copy_from_slice(&RandomState::new().hash_one(prefix).to_be_bytes());
    }
    format!("{prefix}-{}", URL_SAFE_NO_PAD.encode(octets))
}
