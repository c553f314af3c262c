//! Publishers while an alarm is raised `[rabbitmq connection-blocked]`.

use lapin::Event;

use super::*;

async fn event(events: &mut Pin<Box<impl Stream<Item = Event>>>, what: &str) -> Event {
    let next = std::future::poll_fn(|cx| events.as_mut().poll_next(cx));
    within(what, next).await.expect("the connection ended")
}

#[tokio::test]
async fn publishers_are_blocked_until_the_alarm_is_over() {
    let broker = broker();
    let connection = connect(&broker).await;
    let channel = confirming(&connection).await;
    let mut events = Box::pin(connection.events_listener());
    type Set = fn(&Broker, bool);
    let alarms: [(Set, &str); 2] =
        [(Broker::set_memory_alarm, "low on memory"), (Broker::set_disk_alarm, "low on disk")];
    for (set, reason) in alarms {
        set(&broker, true);
        assert!(publish(&channel, "the one that is too many").await.unwrap().is_ack());
        match event(&mut events, "connection.blocked").await {
            Event::ConnectionBlocked(given) => assert_eq!(given.as_str(), reason),
            other => panic!("not blocked: {other:?}"),
        }
        assert!(connection.status().blocked());
        set(&broker, false);
        let unblocked = event(&mut events, "connection.unblocked").await;
        assert!(matches!(unblocked, Event::ConnectionUnblocked), "{unblocked:?}");
        assert!(publish(&channel, "and on").await.unwrap().is_ack());
    }
    assert_eq!(drain(&broker).len(), 4);
}
