//! Waiting in the broker, so that a test does not have to.

use lapin::options::{BasicConsumeOptions, BasicGetOptions};

use super::*;

#[tokio::test]
async fn a_state_is_waited_for() {
    let server = Server::start(&[]);
    let channel = server.with_queue("q").await;
    std::thread::scope(|scope| {
        let queue = json!({"queue": {"name": "q", "ready": 2, "unacked": 0}});
        let events = json!({"events": {"where": {"kind": "enqueued", "queue": "q"}, "count": 2}});
        let waits = [queue, events].map(|awaited| {
            let server = &server;
            scope.spawn(move || server.post("/wait", json!({"for": awaited})))
        });
        server.fill("q", "1");
        server.fill("q", "2");
        waits.into_iter().for_each(|wait| assert_eq!(wait.join().unwrap(), Value::Null));
    });
    let answer = server.refused(408, "POST", "/wait", Some(json!({"for": "idle", "limit_ms": 1})));
    assert!(answer.starts_with("no consumer came, so there was nothing to come to rest"));
    for _ in 0..2 {
        let got = channel.basic_get("q".into(), BasicGetOptions { no_ack: true }).await.unwrap();
        assert!(got.is_some());
    }
    server.post("/wait", json!({"for": "idle"}));
    channel.close(200, "done".into()).await.unwrap();
    server.end();
}

#[tokio::test]
async fn what_is_not_reached_in_time_is_told() {
    let server = Server::start(&[]);
    let channel = server.with_queue("q").await;
    server.fill("q", "1");
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("q".into(), "c".into(), options, Default::default());
    let _consumer = consumer.await.unwrap();
    let missed = |awaited: Value| {
        let wait = json!({"for": awaited, "limit_ms": 1});
        server.refused(408, "POST", "/wait", Some(wait))
    };
    let answer = missed(json!("idle"));
    assert!(answer.starts_with("there was no rest in queue 'q' in vhost '/' (0 ready, 1 unack"));
    assert!(answer.contains("what happened last:"), "{answer}");
    let answer = missed(json!({"queue": {"name": "q", "unacked": 7}}));
    let had = "queue 'q' had 0 ready and 1 unacknowledged messages and 1 consumers within 1ms";
    assert!(answer.starts_with(had), "{answer}");
    let answer = missed(json!({"queue": {"name": "none"}}));
    assert!(answer.starts_with("there was no queue 'none'"), "{answer}");
    let answer = missed(json!({"events": {"where": {"kind": "acked"}, "count": 1}}));
    assert!(answer.starts_with("there were 0 events that are acknowledged, not 1"), "{answer}");
    let answer = missed(json!({"connections": 0}));
    assert!(answer.starts_with("there were 1 connections, not 0"), "{answer}");

    let refused = |wait: Value| server.refused(400, "POST", "/wait", Some(wait));
    let answer = refused(json!({"for": "rain"}));
    assert!(answer.contains("unknown variant `rain`, expected one of `idle`, `queue`"), "{answer}");
    let answer = refused(json!({"for": "idle", "limit_ms": 1_000_000}));
    assert_eq!(answer, "limit_ms is 600000 at most");
    server.end();
}
