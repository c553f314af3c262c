//! What is wrong with upstreams and policies, and what survives.

use leveret::definitions::Definitions;
use leveret::{AMQPValue, Broker, Policy};
use serde_json::json;

use crate::Federated;

#[test]
fn what_is_wrong_is_told_as_rabbitmq_does_and_nothing_changes() {
    let broker = Broker::new();
    let host = broker.virtual_host("/").unwrap();
    let wrong = host.set_parameter("federation-upstream", "up", r#"{"uri": "amqp:/x", "foo": 1}"#);
    let wrong = wrong.unwrap_err().0.join("\n");
    assert!(wrong.contains("Unrecognised terms [{<<\"foo\">>,1}] in up"), "{wrong}");
    let text = |text: &str| AMQPValue::LongString(text.into());
    let both = Policy::new("^x$")
        .with("federation-upstream", text("up"))
        .with("federation-upstream-set", text("all"));
    assert_eq!(
        host.set_policy("p", both).unwrap_err().to_string(),
        "Validation failed\n\ncannot specify federation-upstream, federation-upstream-set or \
         federation-upstream-pattern together\n"
    );
    let number = Policy::new("^x$").with("federation-upstream", AMQPValue::LongInt(3));
    assert_eq!(
        host.set_policy("p", number).unwrap_err().to_string(),
        "Validation failed\n\n3 is not a valid federation upstream name\n"
    );
    let pattern = Policy::new("^x$").with("federation-upstream-pattern", text("("));
    let wrong = host.set_policy("p", pattern).unwrap_err().to_string();
    assert!(wrong.contains("could not compile pattern ( to a regular expression"), "{wrong}");
    assert!(host.federation_links().is_empty());
}

#[test]
fn upstreams_sets_and_policies_come_with_definitions() {
    let (up, down) = (Broker::new().named("up"), Broker::new().named("down"));
    let definitions = json!({
        "parameters": [
            {"vhost": "/", "component": "federation-upstream-set", "name": "s",
                "value": [{"upstream": "up"}]},
            {"vhost": "/", "component": "federation-upstream", "name": "up",
                "value": {"uri": up.uri()}}],
        "policies": [{"vhost": "/", "name": "p", "pattern": "^events$", "apply-to": "exchanges",
            "definition": {"federation-upstream-set": "s"}, "priority": 0}],
        "exchanges": [{"vhost": "/", "name": "events", "type": "topic", "durable": true,
            "auto_delete": false, "internal": false, "arguments": {}}],
    });
    down.import(&Definitions::from_json(definitions.to_string().as_bytes()).unwrap()).unwrap();
    down.wait_for_links(1, "running");
    let host = down.virtual_host("/").unwrap();
    assert!(host.remove_parameter("federation-upstream-set", "s"));
    down.wait_for_links(0, "running");
}

#[test]
fn internal_exchanges_and_exclusive_queues_are_not_federated() {
    let (up, down) = (Broker::new().named("up"), Broker::new().named("down"));
    down.federate("events", &up.uri(), json!({}));
    let channel = down.connect().unwrap().open_channel().unwrap();
    let internal = leveret::ExchangeDeclare::new("events", "topic").internal();
    channel.exchange_declare_with(&internal).unwrap();
    channel.queue_declare_with(&leveret::QueueDeclare::new("events").exclusive()).unwrap();
    down.exchange("other");
    down.federate("other", &up.uri(), json!({}));
    down.wait_for_links(1, "running");
    assert_eq!(down.link().unwrap().name, "other");
}
