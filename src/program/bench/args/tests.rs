//! Options, and what they add up to.

use super::*;
use clap::Parser;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    bench: BenchArgs,
}

fn parse(line: &str) -> Result<BenchArgs, clap::Error> {
    Command::try_parse_from(line.split_whitespace()).map(|command| command.bench)
}

#[test]
fn defaults_are_ten_seconds_of_small_messages_through_the_default_exchange() {
    let args = parse("bench").unwrap();
    assert_eq!(args.span(), Span::Time(Duration::from_secs(10)));
    assert_eq!(args.warmup(), Duration::from_secs(1));
    assert_eq!((args.publishers, args.consumers, args.size), (1, 1, 16));
    assert!(args.exchange_type.is_none() && args.measures_latency());
    args.check().unwrap();
}

#[test]
fn a_number_of_messages_needs_no_warmup() {
    let args = parse("bench --messages 5000").unwrap();
    assert_eq!(args.span(), Span::Messages(5000));
    assert_eq!(args.warmup(), Duration::ZERO);
}

#[test]
fn queue_arguments_keep_their_types() {
    let args = parse("bench --queue-args x-queue-type=quorum,x-max-length=10,x-flag=true").unwrap();
    assert_eq!(
        args.queue_args,
        [
            ("x-queue-type".to_owned(), TableValue::Text("quorum".to_owned())),
            ("x-max-length".to_owned(), TableValue::Integer(10)),
            ("x-flag".to_owned(), TableValue::Boolean(true)),
        ]
    );
}

#[test]
fn streams_are_durable_and_acknowledged() {
    let args = parse("bench --stream --queue-args x-max-age=1h").unwrap().complete();
    assert_eq!((args.durable, args.ack, args.prefetch), (true, true, 2000));
    let text = |text: &str| TableValue::Text(text.to_owned());
    let expected = [("x-max-age", text("1h")), ("x-queue-type", text("stream"))];
    assert_eq!(args.queue_args, expected.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!(parse("bench --stream --prefetch 5").unwrap().complete().prefetch, 5);
    assert!(args.check().is_ok());
}

#[test]
fn each_reader_of_a_stream_gets_each_message() {
    let args = parse("bench --uri rabbitmq-stream://localhost --consumers 6 --queues 2");
    let args = args.unwrap().complete();
    assert!(args.check().is_ok() && args.stream);
    assert_eq!((args.copies(), args.stream_address()), (3, Some("localhost")));
}

#[test]
fn shares_add_up_to_all_messages() {
    let args = parse("bench --publishers 3 --messages 8").unwrap();
    assert_eq!([0, 1, 2].map(|index| args.share(index)), [3, 3, 2].map(Some));
    assert_eq!(parse("bench").unwrap().share(0), None);
}

#[test]
fn nonsense_is_refused_by_the_parser() {
    for line in [
        "bench --publishers 0",
        "bench --duration 0",
        "bench --duration nan",
        "bench --duration 1 --messages 1",
        "bench --messages 0",
        "bench --ack-every 5",
        "bench --bindings 5",
        "bench --queue-args novalue",
        "bench --confirm 65536",
        "bench --stream --replay",
        "bench --batch 0",
        "bench --exchange-type x-made-up",
        "bench --suite --size 5",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn contradictions_are_refused_by_the_check() {
    for line in [
        "bench --exchange-type fanout --bindings 5",
        "bench --queues 3 --consumers 2",
        "bench --prefetch 10",
        "bench --messages 5 --replay",
        "bench --stream --queues 2 --consumers 3",
        "bench --uri rabbitmq-stream://localhost --exchange-type topic",
    ] {
        assert!(parse(line).unwrap().complete().check().is_err(), "{line}");
    }
}

#[test]
fn latency_needs_room_for_a_stamp_and_a_consumer() {
    assert!(!parse("bench --size 7").unwrap().measures_latency());
    assert!(!parse("bench --consumers 0").unwrap().measures_latency());
    assert!(!parse("bench --no-latency").unwrap().measures_latency());
}

#[test]
fn fanout_copies_each_message_to_every_queue() {
    let args = parse("bench --exchange-type fanout --queues 3 --consumers 3").unwrap();
    assert_eq!(args.copies(), 3);
    assert_eq!(parse("bench --queues 3 --consumers 3").unwrap().copies(), 1);
}
