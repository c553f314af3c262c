//! The plan of the house: every room in its order, and what else the checks go by.

/// A folder of sources, and its entries from the top down. An entry is a file or a folder, or both
/// under one name. It imports from further lines only; those on one line do not know each other.
pub(crate) type Storeys = (&'static str, &'static [&'static [&'static str]]);

/// Files that import each other, and why that may be.
pub(crate) type Circle = (&'static str, &'static [&'static str]);

pub(crate) const ROOMS: &[Storeys] = &[
    (
        "src",
        &[
            &["main"],
            &["program"],
            &["lib"],
            &["broker"],
            &["embedded", "management"],
            &["remote"],
            &["gateway"],
            &["tls"],
            &["node"],
            &["link"],
            &["channel"],
            &["vhost"],
            &["persist"],
            &["definitions"],
            &["queue"],
            &["insight"],
            &["faults"],
            &["exchange"],
            &["access"],
            &["message"],
            &["time"],
            &["error"],
            &["base"],
            &["limits"],
        ],
    ),
    (
        "protocol/src",
        &[
            &["lib"],
            &["fuzz"],
            &["connection", "deliveries"],
            &["last_publish"],
            &["channel", "decoder"],
            &["content", "encoder"],
            &["method"],
            &["error", "frame", "properties", "sasl"],
            &["config", "event", "method_id", "output", "reply_code", "table", "timer"],
            &["reader", "text", "tune"],
            &["constants"],
        ],
    ),
    (
        "stream-protocol/src",
        &[
            &["lib"],
            &["fuzz"],
            &["connection"],
            &["server_frame"],
            &["client_frame", "event", "response"],
            &["chunk", "error", "publish", "request"],
            &["command", "entry", "offset", "response_code"],
            &["config", "decoder", "timer", "wire"],
        ],
    ),
    (
        "storage/src",
        &[
            &["lib"],
            &["fuzz"],
            &["directory", "testing"],
            &["directory_lock"],
            &["format"],
            &["catalogue", "sled_store", "stream"],
            &["log", "memory"],
            &["ledger"],
            &["store", "synced_files", "two_slots"],
            &["batch", "disk"],
            &["key"],
            &["error"],
            &["finding"],
        ],
    ),
];

/// How many entries `src/` may have: a newcomer has to keep them in mind.
pub(crate) const ENTRIES_MAX: usize = 25;

/// The crates, by the name that their paths have elsewhere, with their first files.
pub(crate) const CRATES: &[(&str, &str)] = &[
    ("leveret", "src/lib.rs"),
    ("the program", "src/main.rs"),
    ("leveret_protocol", "protocol/src/lib.rs"),
    ("leveret_stream_protocol", "stream-protocol/src/lib.rs"),
    ("leveret_storage", "storage/src/lib.rs"),
];

/// Circles between files that are one mechanism in several parts.
pub(crate) const CIRCLES: &[Circle] = &[
    (
        "a builder makes the broker that it is asked for by `Broker::builder`",
        &["src/broker/builder.rs", "src/broker/mod.rs"],
    ),
    (
        "a channel, its consumers, and what they hand out belong together",
        &[
            "src/embedded/channel.rs",
            "src/embedded/confirming.rs",
            "src/embedded/connection.rs",
            "src/embedded/consumer.rs",
            "src/embedded/inbox.rs",
            "src/embedded/message.rs",
        ],
    ),
    (
        "a channel keeps what publishing and transactions need, in the files of these methods",
        &[
            "src/channel/mod.rs",
            "src/channel/noting.rs",
            "src/channel/publish.rs",
            "src/channel/transaction.rs",
        ],
    ),
    (
        "a virtual host keeps its policies and who waits for replies, in the files that know them",
        &["src/vhost/flow/reply_to.rs", "src/vhost/mod.rs", "src/vhost/topology/policy.rs"],
    ),
    (
        "a queue is a lock around the machine, whose effects name queues",
        &[
            "src/queue/acked.rs",
            "src/queue/arguments.rs",
            "src/queue/aside.rs",
            "src/queue/attributes.rs",
            "src/queue/effects.rs",
            "src/queue/ended.rs",
            "src/queue/fifo/handing_out.rs",
            "src/queue/fifo/overflow.rs",
            "src/queue/fifo/settling.rs",
            "src/queue/fifo/state.rs",
            "src/queue/mod.rs",
            "src/queue/settings.rs",
            "src/queue/stream/mod.rs",
            "src/queue/stream/overdue.rs",
            "src/queue/stream/readers.rs",
            "src/queue/stream/turns.rs",
        ],
    ),
    (
        "a channel of another broker is in the files of its methods, and comes again with its \
         connection",
        &[
            "src/remote/client/book.rs",
            "src/remote/client/channel.rs",
            "src/remote/client/connection.rs",
            "src/remote/client/consuming.rs",
            "src/remote/client/publishing.rs",
            "src/remote/client/topology.rs",
        ],
    ),
    (
        "the task of a shovel makes the belt that moves its messages",
        &["src/remote/shovel/belt.rs", "src/remote/shovel/carrying.rs"],
    ),
    (
        "of the endpoints, one watches others",
        &["src/management/api/own/live.rs", "src/management/routes.rs"],
    ),
    (
        "events are asked of the journal that keeps them",
        &["src/insight/journal/events.rs", "src/insight/journal/mod.rs"],
    ),
    (
        "a rule is made by its conditions, kept by the registry, and takes itself back",
        &[
            "src/faults/deliveries.rs",
            "src/faults/methods.rs",
            "src/faults/registry.rs",
            "src/faults/rule.rs",
            "src/faults/when.rs",
        ],
    ),
    (
        "the engine keeps the compaction that is under way, and does it",
        &["storage/src/log/compaction.rs", "storage/src/log/engine.rs"],
    ),
    (
        "the writer has a line of streams, and a stream gets in line",
        &["storage/src/stream/stream.rs", "storage/src/stream/writer.rs"],
    ),
];

/// Crates that only these may name, and why.
pub(crate) const KEPT_CRATES: &[(&str, &[&str], &str)] = &[
    (
        "tokio",
        &[
            "src/base/blocking.rs",
            "src/gateway/",
            "src/management/",
            "src/broker/lapin/",
            "src/program/",
            "src/remote/",
            "tests/",
            "benches/",
            "examples/",
            "fuzz/",
        ],
        "the broker itself has no tasks and no sockets, and only asks whether it may wait",
    ),
    (
        "parking_lot",
        // The program's locks are around all of the broker's, those of the stores inside.
        &["src/base/lock.rs", "src/program/", "storage/", "tests/", "benches/"],
        "src/base/lock.rs has locks that know their order",
    ),
    (
        "leveret_storage",
        &[
            "src/lib.rs",
            "src/program/data/",
            "src/broker/",
            "src/node/power.rs",
            "src/vhost/",
            "src/persist/",
            "src/queue/stream/",
            "src/gateway/stream/",
            "storage/tests/",
            "tests/",
            "benches/",
            "fuzz/",
        ],
        "what is stored goes by src/persist/, but for streams, which are nothing but their logs",
    ),
];

/// Where programs are that use the clients of other people.
pub(crate) const CLIENTS: &[&str] = &["tests/clients/", "tests/tools/"];

/// Where names that begin with `x-` are spelt: arguments have one place; the others are types of
/// exchanges, headers that the broker sets, and headers of HTTP.
pub(crate) const X_NAMES: &[&str] = &[
    "src/base/argument.rs",
    "src/exchange/mod.rs",
    "src/message/",
    "src/management/",
    "src/program/",
];

/// Where the clock may be read.
pub(crate) const CLOCK: &[&str] = &["src/time/clock.rs", "src/program/bench/", "benches/"];

/// tokio's timers take nothing but tokio's own time.
pub(crate) const TOKIO_TIMER: &str = "src/gateway/connection_timer.rs";
