//! What happens to the queue, by chance.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::queue::fifo::overflow::Overflow;
use crate::queue::{QueueArguments, QueueType, Settlement};

#[derive(Clone, Debug)]
pub(super) enum Command {
    Enqueue {
        ttl_ms: Option<u64>,
        priority: u8,
        padding: u8,
        stored: bool,
    },
    EnqueueRun {
        count: usize,
        ttl_ms: Option<u64>,
        stored: bool,
    },
    Get {
        no_ack: bool,
    },
    AddConsumer {
        no_ack: bool,
        prefetch_count: u32,
        priority: i64,
    },
    RemoveConsumer(Index),
    SetRoom(Index, bool),
    Settle {
        which: Index,
        multiple: bool,
        settlement: Settlement,
    },
    Purge,
    Advance(u64),
    SetMaxLength(Option<u64>),
    /// Stores what could be paged out, and pages out what was written: so many at most.
    PageOut(usize),
}

pub(super) fn command() -> impl Strategy<Value = Command> {
    let settlement = prop_oneof![
        Just(Settlement::Ack),
        Just(Settlement::Requeue),
        Just(Settlement::Abandon),
        Just(Settlement::Reject),
    ];
    let ttl_ms = prop_oneof![3 => Just(None), 1 => (0u64..50).prop_map(Some)];
    prop_oneof![
        12 => (ttl_ms.clone(), 0u8..6, 0u8..40, any::<bool>())
            .prop_map(|(ttl_ms, priority, padding, stored)| {
                Command::Enqueue { ttl_ms, priority, padding, stored }
            }),
        3 => (2usize..8, ttl_ms, any::<bool>())
            .prop_map(|(count, ttl_ms, stored)| Command::EnqueueRun { count, ttl_ms, stored }),
        3 => (0usize..20).prop_map(Command::PageOut),
        4 => any::<bool>().prop_map(|no_ack| Command::Get { no_ack }),
        3 => (any::<bool>(), 0u32..4, -1i64..2).prop_map(|(no_ack, prefetch_count, priority)| {
            Command::AddConsumer { no_ack, prefetch_count, priority }
        }),
        1 => any::<Index>().prop_map(Command::RemoveConsumer),
        3 => (any::<Index>(), any::<bool>()).prop_map(|(who, room)| Command::SetRoom(who, room)),
        9 => (any::<Index>(), any::<bool>(), settlement).prop_map(
            |(which, multiple, settlement)| Command::Settle { which, multiple, settlement }
        ),
        1 => Just(Command::Purge),
        5 => (1u64..30).prop_map(Command::Advance),
        1 => prop::option::of(0u64..6).prop_map(Command::SetMaxLength),
    ]
}

pub(super) fn arguments() -> impl Strategy<Value = QueueArguments> {
    let limit = || prop::option::weighted(0.3, 0u64..8);
    let overflow = prop_oneof![
        Just(Overflow::DropHead),
        Just(Overflow::RejectPublish),
        Just(Overflow::RejectPublishDlx)
    ];
    let ttl_ms = prop::option::weighted(0.3, 0u64..60);
    let priority = prop::option::weighted(0.4, 0u8..4);
    (limit(), prop::option::weighted(0.2, 8u64..200), overflow, ttl_ms, priority, 0..10, 0..4i64)
        .prop_map(|(max_length, bytes, overflow, ttl_ms, max_priority, kind, limit)| {
            let quorum = kind < 3;
            let is_unknown = quorum && overflow == Overflow::RejectPublishDlx;
            let overflow = if is_unknown { Overflow::DropHead } else { overflow };
            QueueArguments {
                queue_type: if quorum { QueueType::Quorum } else { QueueType::Classic },
                delivery_limit: Some(limit),
                single_active_consumer: kind == 2 || kind == 9,
                message_ttl_ms: ttl_ms,
                max_length,
                max_length_bytes: bytes,
                overflow: Some(overflow),
                max_priority,
                ..QueueArguments::default()
            }
        })
}
