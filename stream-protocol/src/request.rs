//! What a client asks for, and waits to be answered. [rabbitmq stream commands]

use crate::command::{Command, CommandVersions};
use crate::offset::OffsetSpec;
use crate::wire::{Reader, Wire};

/// Names with values, as they came: a name may come twice.
pub type Properties<'a> = Vec<(&'a str, &'a str)>;

/// One line for each request: its fields in the order of the wire.
macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $kind:ty,)* })*) => {
        /// A request of a client; the correlation id stands beside it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Request<'a> { $($(#[$doc])* $name { $($(#[$about])* $field: $kind,)* },)* }

        impl<'a> Request<'a> {
            /// The command that it is a request of.
            pub fn command(&self) -> Command {
                match self { $(Self::$name { .. } => Command::$name,)* }
            }

            /// `None` if it cannot be read; commands that are no requests are none, either.
            pub(crate) fn read(command: Command, reader: &mut Reader<'a>) -> Option<Self> {
                match command {
                    $(Command::$name => Some(Self::$name { $($field: reader.read()?,)* }),)*
                    _ => None,
                }
            }

            pub(crate) fn write(&self, out: &mut Vec<u8>) {
                let _ = &out;
                match self { $(Self::$name { $($field,)* } => { $($field.write(out);)* })* }
            }
        }
    };
}

requests! {
    /// Names a publisher and its stream.
    DeclarePublisher {
        /// Id, of the client's choice.
        publisher: u8,
        /// Name for deduplication, up to 255 octets; empty for none.
        reference: &'a str,
        /// Name of the stream.
        stream: &'a str,
    }
    /// Asks for the highest publishing id of a reference.
    QueryPublisherSequence {
        /// The reference.
        reference: &'a str,
        /// Name of the stream.
        stream: &'a str,
    }
    /// Ends a publisher.
    DeletePublisher {
        /// Its id.
        publisher: u8,
    }
    /// Asks for a stream's messages.
    Subscribe {
        /// Id, of the client's choice.
        subscription: u8,
        /// Name of the stream.
        stream: &'a str,
        /// Where to begin; never [`OffsetSpec::None`].
        offset: OffsetSpec,
        /// Chunks that the client takes at first.
        credit: u16,
        /// `name`, `single-active-consumer`, `super-stream`, `filter.N`, `match-unfiltered`.
        properties: Option<Properties<'a>>,
    }
    /// Asks for the offset kept under a name.
    QueryOffset {
        /// The name.
        reference: &'a str,
        /// Name of the stream.
        stream: &'a str,
    }
    /// Ends a subscription.
    Unsubscribe {
        /// Its id.
        subscription: u8,
    }
    /// Creates a stream.
    Create {
        /// Its name.
        stream: &'a str,
        /// `max-length-bytes`, `max-age` and so on.
        arguments: Properties<'a>,
    }
    /// Deletes a stream.
    Delete {
        /// Its name.
        stream: &'a str,
    }
    /// Asks where streams are.
    Metadata {
        /// Their names.
        streams: Vec<&'a str>,
    }
    /// Says what the client is.
    PeerProperties {
        /// `product`, `version`, `connection_name` and so on.
        properties: Properties<'a>,
    }
    /// Asks which mechanisms there are.
    SaslHandshake {}
    /// Logs in, or renews the credentials.
    SaslAuthenticate {
        /// Name of the mechanism.
        mechanism: &'a str,
        /// The mechanism's response.
        response: &'a [u8],
    }
    /// Opens a virtual host.
    Open {
        /// Its name.
        virtual_host: &'a str,
    }
    /// Ends the connection.
    Close {
        /// Why, by number.
        code: u16,
        /// Why, for people.
        reason: &'a str,
    }
    /// Asks which partitions a routing key leads to.
    Route {
        /// The routing key.
        routing_key: &'a str,
        /// Name of the super stream.
        super_stream: &'a str,
    }
    /// Asks for the partitions of a super stream.
    Partitions {
        /// Its name.
        super_stream: &'a str,
    }
    /// Says which versions the client knows.
    ExchangeCommandVersions {
        /// They.
        versions: Vec<CommandVersions>,
    }
    /// Asks for figures of a stream.
    StreamStats {
        /// Its name.
        stream: &'a str,
    }
    /// Creates a super stream with its partitions.
    CreateSuperStream {
        /// Its name.
        name: &'a str,
        /// Names of the partitions.
        partitions: Vec<&'a str>,
        /// Binding keys, one for each partition.
        binding_keys: Vec<&'a str>,
        /// Arguments of every partition, as for Create.
        arguments: Properties<'a>,
    }
    /// Deletes a super stream with its partitions.
    DeleteSuperStream {
        /// Its name.
        name: &'a str,
    }
}
