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
        let alarm = async {
            match event(&mut events, "connection.blocked").await {
                Event::ConnectionBlocked(given) => assert_eq!(given.as_str(), reason),
                other => panic!("not blocked: {other:?}"),
            }
            assert!(connection.status().blocked());
            set(&broker, false);
            event(&mut events, "connection.unblocked").await
        };
        // The first is held back as well.
        let (published, unblocked) = tokio::join!(publish(&channel, "the first"), alarm);
        assert!(matches!(unblocked, Event::ConnectionUnblocked), "{unblocked:?}");
        assert!(published.unwrap().is_ack());
        assert!(publish(&channel, "and on").await.unwrap().is_ack());
    }
    assert_eq!(drain(&broker).len(), 4);
}
