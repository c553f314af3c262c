//! The order of all locks of the broker. A thread that holds one takes only such as come later in
//! this list; [`crate::base::lock`] checks that in debug builds.

/// Where in the order a lock is.
#[cfg_attr(not(debug_assertions), allow(dead_code, reason = "debug builds alone check it"))]
pub(crate) trait Rank {
    /// Its place, from the outside to the inside.
    const PLACE: u8;
    /// Its name.
    const NAME: &'static str;
}

macro_rules! ranks {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[cfg_attr(not(debug_assertions), allow(dead_code, reason = "as above"))]
        enum Place { $($name,)* }

        $(
            $(#[$doc])*
            pub(crate) enum $name {}

            impl Rank for $name {
                const PLACE: u8 = Place::$name as u8;
                const NAME: &'static str = stringify!($name);
            }
        )*
    };
}

ranks! {
    /// The in-memory machine that brokers are opened on.
    TestMachine,
    /// What a broker listens with.
    Listening,
    /// Tasks of a broker's in-memory streams.
    StreamTasks,
    /// Threads that serve in-memory streams.
    StreamThreads,
    /// Connections whose handshake is not over.
    Handshakes,
    /// Who serves one of them.
    HandshakeWaker,
    /// Virtual hosts that come, go or change.
    VirtualHosts,
    /// An embedded channel, for a method.
    EmbeddedChannel,
    /// The channels of an embedded connection.
    EmbeddedConnection,
    /// Delayed messages of an exchange that are being sent on.
    DelayedTurn,
    /// Exchanges, queues, bindings and policies of a virtual host, while they change.
    Topology,
    /// Virtual hosts that are deleted.
    Departed,
    /// What those had counted who have left a virtual host.
    Gone,
    /// Policies of a virtual host.
    Policies,
    /// The messages that an exchange keeps for queues that are bound later.
    History,
    /// What an exchange or queue remembers of messages to tell duplicates.
    Duplicates,
    /// The bindings of an exchange.
    Bindings,
    /// The alternate exchange that a policy gives an exchange.
    AlternateExchange,
    /// A queue.
    Queue,
    /// Of those who read a stream, those who take turns.
    Groups,
    /// Who reads a stream.
    Readers,
    /// Where dead letters of a queue go.
    DeadLetterTarget,
    /// Publishers that wait for a queue.
    Backlog,
    /// Publishers that wait until they are told.
    Floor,
    /// The open channels of a connection.
    Channels,
    /// Deliveries of a channel that are not settled.
    Deliveries,
    /// What is called when something is stored.
    Stored,
    /// Confirms of a channel.
    Confirms,
    /// Confirms that an embedding program waits for.
    Confirming,
    /// What a request over HTTP waits for.
    HttpClient,
    /// Deliveries that the consumers of an embedded channel have not taken.
    Inboxes,
    /// The task that waits for deliveries to an embedded consumer.
    Inbox,
    /// Messages that came back to an embedded channel.
    Returned,
    /// Frames that wait to be written.
    Outbox,
    /// Who writes a connection's frames.
    OutboxWaker,
    /// What a stream connection is told.
    StreamNews,
    /// The task of a stream connection.
    StreamWaker,
    /// What a reader of the embedding program waits for.
    ReaderNews,
    /// Why a connection is to be closed.
    CloseReason,
    /// Errors of channels that are to be told.
    ChannelFailures,
    /// Rules about what is to go wrong.
    FaultRules,
    /// What a rule holds back.
    FaultHolding,
    /// Publishers and consumers of a stream connection.
    StreamClients,
    /// Connections of a broker.
    Connections,
    /// Queues of a connection alone.
    ExclusiveQueues,
    /// Users.
    Users,
    /// Permissions.
    Permissions,
    /// Permissions for topics.
    TopicPermissions,
    /// Runtime parameters of the node.
    GlobalParameters,
    /// Shovels of a broker.
    Shovels,
    /// Who carries them.
    ShovelTasks,
    /// What was declared at another broker.
    RemoteTopology,
    /// Exchanges that are known to be there.
    RemoteExchanges,
    /// Channels there.
    RemoteChannels,
    /// What one of them has not settled.
    RemoteBook,
    /// The queue that was declared there last.
    RemoteLastQueue,
    /// What there is to be told of a shovel.
    ShovelStatus,
    /// Who is told that a queue wants more.
    Demand,
    /// Upstreams of a broker.
    Federation,
    /// Who makes links to them.
    FederationTasks,
    /// Links of a broker.
    FederationLinks,
    /// What there is to be told of a link.
    FederationStatus,
    /// What a broker says of itself.
    Greeting,
    /// What is known of a virtual host besides its name.
    HostMetadata,
    /// Who traces a virtual host.
    Tracer,
    /// The limits of a virtual host.
    HostLimits,
    /// Records of what is durable.
    Records,
    /// What the thread that makes records durable has to do.
    Syncer,
    /// Records that are made durable.
    SyncedRecords,
    /// What was found out about streams that were there before.
    RecoveredStreams,
    /// Numbers for queues.
    QueueIds,
    /// What is allowed but seldom meant.
    Lints,
    /// What has happened.
    Journal,
    /// Deadlines.
    Timers,
    /// Delayed messages of an exchange.
    Delayed,
    /// Whether one task is at rest.
    TaskPhase,
    /// Who polls one task.
    TaskWaker,
    /// Whether tasks are at rest.
    Rounds,
    /// A stream that a client gets.
    RemoteStream,
    /// A pipe of an in-memory stream.
    Pipe,
    /// Buffers that nobody uses.
    SpareBuffers,
    /// Who waits for memory, or for the disk.
    Waiters,
    /// Who holds messages in part while memory is short.
    Hoards,
    /// How many changes there were.
    Changes,
    /// Ports that are open.
    Listeners,
    /// What new connections get in the handshake of TLS.
    Tls,
    /// Certificates that a listener shows.
    Certificates,
    /// Peers whose logins over HTTP failed.
    Throttle,
    /// Who is connected over HTTP.
    HttpGuests,
    /// Snapshots that were taken over HTTP.
    Snapshots,
    /// What was counted lately, for rates.
    Rates,
}
