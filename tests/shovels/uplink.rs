//! A day without the line to the centre, at the edge: what was taken goes there in order, quickly,
//! and takes no memory meanwhile. `LEVERET_UPLINK_MESSAGES=1000000` makes it a long one.

use std::time::Duration;

use leveret::clock::Clock;
use leveret::{Broker, Publish, QueueDeclare};
use serde_json::json;

use crate::rabbitmq_node::RabbitMq;
use crate::{SOON, Shovelling};

/// Messages, unless the environment says otherwise.
const MESSAGES: u64 = 20_000;

/// How often the broker's clock is moved while the line is down.
const STEPS: u64 = 48;

/// Octets of memory that the process may take more than before for what is on its disk.
const GROWTH_MAX: u64 = 192 << 20;

/// Octets of this process that are in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

/// Milliseconds that a process has been on a processor, all its threads together.
fn busy_ms(process: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name, which is in brackets, come state and numbers; a tick is 10 ms.
    let numbers = text.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    numbers.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

/// Moves the clock of a broker when its shovel waits to connect again; tells whether it runs.
fn goes_on(edge: &Broker) -> bool {
    let state = edge.status().map(|status| status.state);
    if state == Some("terminated") {
        edge.advance(Duration::from_secs(60));
    }
    state == Some("running")
}

#[test]
fn a_day_without_the_line_is_made_up_for_in_order() {
    let Some(mut centre) = RabbitMq::installed() else { return };
    let messages = std::env::var("LEVERET_UPLINK_MESSAGES").ok();
    let messages = messages.and_then(|text| text.parse().ok()).unwrap_or(MESSAGES);
    let directory = tempfile::tempdir().unwrap();
    let edge = Broker::builder().for_tests().open(directory.path()).unwrap();
    let channel = edge.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("in").durable()).unwrap();
    // What the section `[uplink]` sets.
    let shovel = json!({"src-uri": "amqp://", "src-queue": "in", "dest-uri": centre.uri,
        "dest-queue": "readings", "dest-queue-args": {"x-queue-type": "classic"},
        "ack-mode": "on-confirm", "reconnect-delay": 60, "src-prefetch-count": 5000});
    edge.shovel(&shovel).unwrap();
    edge.wait_for_state("terminated");
    let before = resident();
    for step in 0..STEPS {
        let some = messages * step / STEPS..messages * (step + 1) / STEPS;
        edge.publish_all(some.map(|n| {
            let reading = format!("{n:07} 21.5 degrees");
            Publish::to_queue("in").body(reading).persistent()
        }))
        .unwrap();
        edge.advance(Duration::from_secs(86_400 / STEPS));
    }
    let kept = resident().saturating_sub(before);
    let all = usize::try_from(messages).unwrap();
    edge.wait_for_ready("in", all);
    centre.boot();
    let real = Clock::system();
    let start = real.now();
    // It listens for a while before it answers.
    edge.wait_until(SOON * 10, goes_on).unwrap();
    let connected = real.now();
    let centres = centre.pid().unwrap_or_default().to_string();
    let (busy, busy_centre) = (busy_ms("self"), busy_ms(&centres));
    let patience = SOON + Duration::from_millis(messages);
    let is_sent = |edge: &Broker| {
        goes_on(edge) && edge.counts("in").is_ok_and(|counts| counts.ready + counts.unacked == 0)
    };
    edge.wait_until(patience, is_sent).unwrap_or_else(|late| panic!("{:?} {late}", edge.status()));
    let seconds = (real.now().as_millis() - connected.as_millis()) as f64 / 1000.0;
    let each = |ms: u64| ms as f64 * 1000.0 / messages as f64;
    let sent = resident().saturating_sub(before);
    println!(
        "{messages} messages: {} kB more while they were kept, {} kB more when they were sent; \
         connected after {} ms, sent in {seconds:.2} s: {:.0} a second; on the processors {:.1} us \
         a message here, {:.1} us there",
        kept >> 10,
        sent >> 10,
        connected.as_millis() - start.as_millis(),
        messages as f64 / seconds,
        each(busy_ms("self") - busy),
        each(busy_ms(&centres) - busy_centre),
    );
    assert!(kept < GROWTH_MAX && sent < GROWTH_MAX, "{kept} {sent}");
    assert!(edge.virtual_host("/").unwrap().remove_parameter("shovel", "s"));
    in_order(&centre.uri, messages);
}

/// Takes all that has come, by a shovel into another broker.
fn in_order(centre: &str, messages: u64) {
    let back = Broker::new();
    let shovel = json!({"src-uri": centre, "src-queue": "readings", "dest-uri": "amqp://",
        "dest-queue": "out", "src-prefetch-count": 5000});
    back.shovel(&shovel).unwrap();
    let channel = back.connect().unwrap().open_channel().unwrap();
    let mut expected = 0;
    let taken = back.wait_until(SOON + Duration::from_millis(messages), |_| {
        while let Ok(Some(message)) = channel.basic_get_no_ack("out") {
            let body = String::from_utf8(message.body().to_vec()).unwrap();
            let number: u64 = body.split(' ').next().unwrap().parse().unwrap();
            // What was sent before its connection was lost comes again.
            assert!(number <= expected, "{number} instead of {expected}");
            expected += u64::from(number == expected);
        }
        expected == messages
    });
    taken.unwrap_or_else(|late| panic!("{expected} came; {:?}; {late}", back.status()));
}
