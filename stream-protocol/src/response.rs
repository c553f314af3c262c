//! How a server answers requests. [rabbitmq stream commands]

use crate::command::{Command, CommandVersions};
use crate::request::Properties;
use crate::response_code::ResponseCode;
use crate::wire::{Reader, Wire};

/// Leader of a stream that has none, or is not there.
pub const NO_BROKER: u16 = u16::MAX;

/// A broker, in the answer to Metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress<'a> {
    /// What streams refer to.
    pub index: u16,
    /// Where clients reach it.
    pub host: &'a str,
    /// Its port.
    pub port: u32,
}

impl<'a> Wire<'a> for BrokerAddress<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let (index, host, port) = reader.read()?;
        Some(Self { index, host, port })
    }

    fn write(&self, out: &mut Vec<u8>) {
        (self.index, self.host, self.port).write(out);
    }
}

/// Where a stream is, in the answer to Metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlace<'a> {
    /// Its name.
    pub stream: &'a str,
    /// Whether it is there.
    pub code: ResponseCode,
    /// Index of the broker that publishers go to; [`NO_BROKER`] for none.
    pub leader: u16,
    /// Indices of further brokers that consumers may go to.
    pub replicas: Vec<u16>,
}

impl<'a> Wire<'a> for StreamPlace<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let (stream, code, leader) = reader.read()?;
        Some(Self { stream, code, leader, replicas: reader.read()? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        (self.stream, self.code, self.leader).write(out);
        self.replicas.write(out);
    }
}

/// One line for each answer that is more than a code: its fields in the order of the wire.
macro_rules! responses {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $kind:ty,)* })*) => {
        /// An answer of the server; the correlation id stands beside it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Response<'a> {
            /// The answer to any other command, and to these where they failed early.
            Code {
                /// The command that is answered.
                command: Command,
                /// What came of it.
                code: ResponseCode,
            },
            $($(#[$doc])* $name { $($(#[$about])* $field: $kind,)* },)*
        }

        impl<'a> Response<'a> {
            /// The command that is answered.
            pub fn command(&self) -> Command {
                match self {
                    Self::Code { command, .. } => *command,
                    $(Self::$name { .. } => Command::$name,)*
                }
            }

            pub(crate) fn read(command: Command, reader: &mut Reader<'a>) -> Option<Self> {
                match command {
                    $(Command::$name => Some(Self::$name { $($field: reader.read()?,)* }),)*
                    _ => Some(Self::Code { command, code: reader.read()? }),
                }
            }

            pub(crate) fn write(&self, out: &mut Vec<u8>) {
                match self {
                    Self::Code { code, .. } => code.write(out),
                    $(Self::$name { $($field,)* } => { $($field.write(out);)* })*
                }
            }
        }
    };
}

responses! {
    /// The highest publishing id of a reference.
    QueryPublisherSequence {
        /// What came of it.
        code: ResponseCode,
        /// The id; 0 for an unknown reference, or when it failed.
        sequence: u64,
    }
    /// The offset kept under a name.
    QueryOffset {
        /// What came of it.
        code: ResponseCode,
        /// The offset; 0 when there is none.
        offset: u64,
    }
    /// Where streams are. This answer has no code of its own.
    Metadata {
        /// The brokers that the streams refer to.
        brokers: Vec<BrokerAddress<'a>>,
        /// The streams that were asked for.
        streams: Vec<StreamPlace<'a>>,
    }
    /// What the server is.
    PeerProperties {
        /// What came of it.
        code: ResponseCode,
        /// `product`, `version` and so on.
        properties: Properties<'a>,
    }
    /// The mechanisms there are.
    SaslHandshake {
        /// What came of it.
        code: ResponseCode,
        /// Their names.
        mechanisms: Vec<&'a str>,
    }
    /// The answer to credentials.
    SaslAuthenticate {
        /// What came of it.
        code: ResponseCode,
        /// What the client is to respond to.
        challenge: Option<&'a str>,
    }
    /// The virtual host is open, or not.
    Open {
        /// What came of it.
        code: ResponseCode,
        /// `advertised_host`, `advertised_port`; left out when it failed.
        properties: Option<Properties<'a>>,
    }
    /// The partitions that a routing key leads to.
    Route {
        /// What came of it.
        code: ResponseCode,
        /// Their names.
        streams: Vec<&'a str>,
    }
    /// The partitions of a super stream.
    Partitions {
        /// What came of it.
        code: ResponseCode,
        /// Their names, in order.
        streams: Vec<&'a str>,
    }
    /// The versions that the server knows.
    ExchangeCommandVersions {
        /// What came of it.
        code: ResponseCode,
        /// They.
        versions: Vec<CommandVersions>,
    }
    /// Figures of a stream.
    StreamStats {
        /// What came of it.
        code: ResponseCode,
        /// `first_chunk_id`, `last_chunk_id`, `committed_chunk_id`; -1 for none.
        stats: Vec<(&'a str, i64)>,
    }
}
