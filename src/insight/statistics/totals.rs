//! What is counted of objects of each kind, by RabbitMQ's names.

use std::fmt::Debug;
use std::ops::AddAssign;

/// Numbers that are counted of an object.
pub trait Totals: Copy + Default + PartialEq + Debug + AddAssign + Send + Sync + 'static {
    /// Their names, in the order of [`Totals::values`]: levels, then counters, then sums of
    /// counters.
    const NAMES: &'static [&'static str];
    /// How many of the first of them are levels, which go up and down.
    const LEVELS: usize;

    /// Their values.
    fn values(&self) -> impl Iterator<Item = u64>;
}

macro_rules! totals {
    (
        $(#[$doc:meta])*
        $name:ident {
            levels { $($(#[$level_doc:meta])* $level:ident,)* }
            counters { $($(#[$counter_doc:meta])* $counter:ident,)* }
            sums { $($(#[$sum_doc:meta])* $sum:ident = $first:ident $(+ $more:ident)*,)* }
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$level_doc])* pub $level: u64,)*
            $($(#[$counter_doc])* pub $counter: u64,)*
        }

        impl $name {
            $(
                $(#[$sum_doc])*
                pub fn $sum(&self) -> u64 {
                    self.$first $(.wrapping_add(self.$more))*
                }
            )*
        }

        impl Totals for $name {
            const NAMES: &'static [&'static str] = &[
                $(stringify!($level),)* $(stringify!($counter),)* $(stringify!($sum),)*
            ];
            const LEVELS: usize = <[&str]>::len(&[$(stringify!($level)),*]);

            fn values(&self) -> impl Iterator<Item = u64> {
                [$(self.$level,)* $(self.$counter,)* $(self.$sum(),)*].into_iter()
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                $(self.$level = self.$level.wrapping_add(other.$level);)*
                $(self.$counter = self.$counter.wrapping_add(other.$counter);)*
            }
        }
    };
}

totals! {
    /// Of a queue.
    QueueTotals {
        levels {
            /// Messages that wait for a consumer.
            messages_ready,
            /// Messages that wait for an acknowledgement.
            messages_unacknowledged,
        }
        counters {
            /// Messages that came: published, dead-lettered, or released by an exchange that
            /// delays; those that were refused or dropped at once, too.
            publish,
            /// Deliveries to consumers that have to acknowledge them.
            deliver,
            /// Deliveries to consumers that need not.
            deliver_no_ack,
            /// Acknowledgements.
            ack,
            /// Taken by basic.get, to be acknowledged.
            get,
            /// Taken by basic.get without acknowledgement.
            get_no_ack,
            /// basic.get that found nothing.
            get_empty,
            /// Of the deliveries and gets, those of messages that may have been delivered before.
            redeliver,
            /// Refused because the queue was full (`x-overflow`).
            refused,
            /// Dropped when they came because another with their key was there.
            duplicate,
            /// Left because their time was over.
            expired,
            /// Died of the length limit, at the head, or before they were let in.
            maxlen,
            /// Rejected by a consumer.
            rejected,
            /// Left because they came back too often.
            delivery_limit,
            /// Purged.
            purged,
            /// Read back from the store.
            disk_reads,
            /// Written to the store.
            disk_writes,
        }
        sums {
            /// Everything given out.
            deliver_get = deliver + deliver_no_ack + get + get_no_ack,
            /// Everything held.
            messages = messages_ready + messages_unacknowledged,
        }
    }
}

totals! {
    /// Of messages that died, by what became of them: nothing (`disabled`), or published to the
    /// dead-letter exchange, at most or at least once.
    DeathTotals {
        levels {}
        counters {
            /// Expired, without a dead-letter exchange.
            expired_disabled,
            /// Expired, and dead-lettered at most once.
            expired_at_most_once,
            /// Expired, and dead-lettered at least once.
            expired_at_least_once,
            /// Dropped from a full queue, without a dead-letter exchange.
            maxlen_disabled,
            /// Dropped from a full queue, and dead-lettered at most once.
            maxlen_at_most_once,
            /// Rejected, without a dead-letter exchange.
            rejected_disabled,
            /// Rejected, and dead-lettered at most once.
            rejected_at_most_once,
            /// Rejected, and dead-lettered at least once.
            rejected_at_least_once,
            /// Returned too often, without a dead-letter exchange.
            delivery_limit_disabled,
            /// Returned too often, and dead-lettered at most once.
            delivery_limit_at_most_once,
            /// Returned too often, and dead-lettered at least once.
            delivery_limit_at_least_once,
            /// Of those at least once, the ones that have arrived.
            confirmed,
        }
        sums {}
    }
}

totals! {
    /// Of a channel.
    ChannelTotals {
        levels {}
        counters {
            /// Publishes.
            publish,
            /// Of these, the ones that are to be confirmed.
            publish_confirm,
            /// Queues that got them, one by one.
            routed,
            /// Publishes that were confirmed.
            confirm,
            /// Mandatory publishes that no queue got, and that came back.
            return_unroutable,
            /// Publishes that no queue got, and that were dropped.
            drop_unroutable,
            /// Deliveries to consumers that have to acknowledge them.
            deliver,
            /// Deliveries to consumers that need not.
            deliver_no_ack,
            /// Taken by basic.get, to be acknowledged.
            get,
            /// Taken by basic.get without acknowledgement.
            get_no_ack,
            /// basic.get that found nothing.
            get_empty,
            /// Acknowledgements.
            ack,
            /// Of the deliveries and gets, those of messages that may have been delivered before.
            redeliver,
        }
        sums {
            /// Everything given out.
            deliver_get = deliver + deliver_no_ack + get + get_no_ack,
        }
    }
}

totals! {
    /// Of an exchange.
    ExchangeTotals {
        levels {}
        counters {
            /// Messages that were published to it.
            publish_in,
            /// Queues that got them, one by one, also by way of other exchanges.
            publish_out,
        }
        sums {}
    }
}

totals! {
    /// Of a connection.
    ConnectionTotals {
        levels {}
        counters {
            /// Octets that came.
            recv_oct,
            /// Pieces in which they were read.
            recv_cnt,
            /// Octets that were sent.
            send_oct,
            /// Pieces in which they were written.
            send_cnt,
        }
        sums {}
    }
}

totals! {
    /// Of a virtual host, or of all: of queues, channels and connections that are there and of
    /// those that are gone.
    HostTotals {
        levels {
            /// Messages that wait for a consumer.
            messages_ready,
            /// Messages that wait for an acknowledgement.
            messages_unacknowledged,
        }
        counters {
            /// Publishes by clients.
            publish,
            /// Of these, the ones that are to be confirmed.
            publish_confirm,
            /// Queues that got them, one by one.
            routed,
            /// Publishes that were confirmed.
            confirm,
            /// Mandatory publishes that no queue got, and that came back.
            return_unroutable,
            /// Publishes that no queue got, and that were dropped.
            drop_unroutable,
            /// Deliveries to consumers that have to acknowledge them.
            deliver,
            /// Deliveries to consumers that need not.
            deliver_no_ack,
            /// Taken by basic.get, to be acknowledged.
            get,
            /// Taken by basic.get without acknowledgement.
            get_no_ack,
            /// basic.get that found nothing.
            get_empty,
            /// Acknowledgements.
            ack,
            /// Of the deliveries and gets, those of messages that may have been delivered before.
            redeliver,
            /// Messages read back from the store.
            disk_reads,
            /// Messages written to the store.
            disk_writes,
            /// Octets that came from clients.
            recv_oct,
            /// Octets that were sent to them.
            send_oct,
        }
        sums {
            /// Everything given out.
            deliver_get = deliver + deliver_no_ack + get + get_no_ack,
            /// Everything held.
            messages = messages_ready + messages_unacknowledged,
        }
    }
}

totals! {
    /// What came and went.
    Churn {
        levels {}
        counters {
            /// Connections that were opened.
            connection_created,
            /// Connections that ended.
            connection_closed,
            /// Channels that were opened.
            channel_created,
            /// Channels that were closed.
            channel_closed,
            /// queue.declare that succeeded, also of queues that were there.
            queue_declared,
            /// Queues that came into being.
            queue_created,
            /// Queues that were deleted.
            queue_deleted,
        }
        sums {}
    }
}

totals! {
    /// Of the process, and of the log of messages on disk.
    NodeTotals {
        levels {
            /// Octets of memory.
            mem_used,
            /// Open files, sockets among them.
            fd_used,
            /// Connections.
            sockets_used,
            /// Threads.
            proc_used,
            /// Octets that the disk has room for.
            disk_free,
        }
        counters {
            /// Times that a thread gave way to another.
            context_switches,
            /// Reads.
            io_read_count,
            /// Octets read.
            io_read_bytes,
            /// Time spent reading, in microseconds.
            io_read_time_us,
            /// Writes.
            io_write_count,
            /// Octets written.
            io_write_bytes,
            /// Time spent writing, in microseconds.
            io_write_time_us,
            /// Syncs.
            io_sync_count,
            /// Time spent syncing, in microseconds.
            io_sync_time_us,
            /// Messages read back.
            msg_store_read_count,
            /// Messages written.
            msg_store_write_count,
        }
        sums {}
    }
}
