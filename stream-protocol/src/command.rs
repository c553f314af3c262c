//! The commands and their keys. [rabbitmq stream commands]

use crate::wire::{Reader, Wire};

/// The bit of a key that marks an answer.
pub const ANSWER: u16 = 0x8000;

/// Names the commands, with their keys.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)*) => {
        /// What a frame is about: its key without the bit that marks answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Command { $($(#[$doc])* $name = $key,)* }

        impl Command {
            /// All commands, by key.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

commands! {
    /// Client: names a publisher and its stream.
    DeclarePublisher = 1,
    /// Client: messages; version 2 with filter values.
    Publish = 2,
    /// Server: messages that are safe.
    PublishConfirm = 3,
    /// Server: messages that were not taken.
    PublishError = 4,
    /// Client: the highest publishing id of a reference.
    QueryPublisherSequence = 5,
    /// Client: the end of a publisher.
    DeletePublisher = 6,
    /// Client: wants a stream's messages.
    Subscribe = 7,
    /// Server: a chunk; version 2 with the committed chunk id.
    Deliver = 8,
    /// Client: takes further chunks. Answered when it fails.
    Credit = 9,
    /// Client: keeps an offset under a name.
    StoreOffset = 10,
    /// Client: the offset kept under a name.
    QueryOffset = 11,
    /// Client: the end of a subscription.
    Unsubscribe = 12,
    /// Client: a new stream.
    Create = 13,
    /// Client: the end of a stream.
    Delete = 14,
    /// Client: where streams are.
    Metadata = 15,
    /// Server: a stream is gone or elsewhere.
    MetadataUpdate = 16,
    /// Client: what it is; the answer says what the server is.
    PeerProperties = 17,
    /// Client: which mechanisms there are.
    SaslHandshake = 18,
    /// Client: credentials.
    SaslAuthenticate = 19,
    /// Server, then client: limits.
    Tune = 20,
    /// Client: the virtual host.
    Open = 21,
    /// Either side: the end of the connection.
    Close = 22,
    /// Either side: still there.
    Heartbeat = 23,
    /// Client: which partitions a routing key leads to.
    Route = 24,
    /// Client: the partitions of a super stream.
    Partitions = 25,
    /// Server: a single active consumer becomes active, or no longer is. The client answers.
    ConsumerUpdate = 26,
    /// Client: the versions that it knows.
    ExchangeCommandVersions = 27,
    /// Client: figures of a stream.
    StreamStats = 28,
    /// Client: a new super stream with its partitions.
    CreateSuperStream = 29,
    /// Client: the end of a super stream and its partitions.
    DeleteSuperStream = 30,
}

impl Command {
    /// The key of requests and one-way frames.
    pub fn key(self) -> u16 {
        self as u16
    }

    /// The command with this key; the bit of answers is ignored.
    pub fn from_key(key: u16) -> Option<Self> {
        let index = usize::from(key & !ANSWER).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    /// The newest version there is; the oldest is 1.
    pub fn version_max(self) -> u16 {
        match self {
            Self::Publish | Self::Deliver => 2,
            _ => 1,
        }
    }
}

/// Versions of a command that a peer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandVersions {
    /// Key of the command; may be one that is not known here.
    pub key: u16,
    /// Oldest version.
    pub min: u16,
    /// Newest version.
    pub max: u16,
}

impl CommandVersions {
    /// All versions of a command.
    pub fn of(command: Command) -> Self {
        Self { key: command.key(), min: 1, max: command.version_max() }
    }
}

impl<'a> Wire<'a> for CommandVersions {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let (key, min, max) = (reader.read()?, reader.read()?, reader.read()?);
        Some(Self { key, min, max })
    }

    fn write(&self, out: &mut Vec<u8>) {
        (self.key, self.min, self.max).write(out);
    }
}

/// What a server announces: the commands that a client may start, but those of the handshake.
/// [rabbitmq stream ExchangeCommandVersions]
pub fn server_versions() -> Vec<CommandVersions> {
    use Command as C;
    let commands = [
        C::DeclarePublisher,
        C::Publish,
        C::QueryPublisherSequence,
        C::DeletePublisher,
        C::Subscribe,
        C::Credit,
        C::StoreOffset,
        C::QueryOffset,
        C::Unsubscribe,
        C::Create,
        C::Delete,
        C::Metadata,
        C::Close,
        C::Heartbeat,
        C::Route,
        C::Partitions,
        C::StreamStats,
        C::CreateSuperStream,
        C::DeleteSuperStream,
    ];
    commands.map(CommandVersions::of).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_to_their_commands() {
        for command in Command::ALL {
            assert_eq!(Command::from_key(command.key()), Some(*command));
            assert_eq!(Command::from_key(command.key() | ANSWER), Some(*command));
        }
        assert_eq!(Command::ALL.len(), 30);
        assert_eq!((Command::from_key(0), Command::from_key(31)), (None, None));
    }

    #[test]
    fn only_publish_has_two_versions_among_those_announced() {
        let versions = server_versions();
        let two = versions.iter().filter(|versions| versions.max == 2);
        assert_eq!(two.map(|versions| versions.key).collect::<Vec<_>>(), [2]);
        assert_eq!(versions.len(), 19);
    }
}
