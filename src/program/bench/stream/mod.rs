//! The same load over RabbitMQ's stream protocol: publishers that send batches, and readers that
//! give credit.

mod connection;
mod publisher;
mod reader;

pub(super) use self::connection::StreamConnection;
pub(super) use self::publisher::StreamPublisher;
pub(super) use self::reader::StreamReader;

#[cfg(test)]
mod tests {
    use clap::Parser;
    use leveret::{AdvertisedAddress, Broker};

    use crate::program::bench::{BenchArgs, run};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        bench: BenchArgs,
    }

    /// What is published, confirmed and consumed of a run with these options.
    fn counts(options: &str) -> [u64; 3] {
        let broker = Broker::new();
        let address = broker.listen_for_streams("127.0.0.1:0", AdvertisedAddress::default());
        let uri = format!("rabbitmq-stream://guest:guest@{}", address.unwrap());
        let line = ["bench", "--uri", &uri].into_iter().chain(options.split_whitespace());
        let report = run(Command::parse_from(line).bench).unwrap();
        assert!(broker.queues().is_empty(), "the streams are still there");
        [report.published, report.confirmed, report.consumed]
    }

    #[test]
    fn what_is_published_in_batches_reaches_every_reader() {
        let options = "--messages 500 --batch 7 --consumers 2 --confirm 50 --warmup 0";
        assert_eq!(counts(options), [500, 500, 1000]);
    }

    #[test]
    fn a_replay_reads_what_was_published_before() {
        let options = "--messages 500 --batch 200 --consumers 4 --queues 2 --publishers 2 --replay";
        assert_eq!(counts(options), [0, 0, 1000]);
    }
}
