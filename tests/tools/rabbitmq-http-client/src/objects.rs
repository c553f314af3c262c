//! Queues, streams, exchanges, bindings, policies, messages.

use rabbitmq_http_client::commons::{
    BindingDestinationType, ExchangeType, PaginationParams, PolicyTarget,
};
use rabbitmq_http_client::requests::{
    BindingDeletionParams, ExchangeParams, PolicyDefinitionBuilder, PolicyParams, QueueParams,
    StreamParams,
};
use serde_json::json;

use crate::nodes::map;
use crate::{Api, Done, HOST, expect};

pub(crate) fn run(api: &Api) {
    queues(api);
    exchanges(api);
    bindings(api);
    messages(api);
    policies(api);
    api.delete_exchange(HOST, "from", false).done("delete_exchange");
    api.delete_exchange(HOST, "from", true).done("delete_exchange");
    api.delete_exchanges(HOST, &["to", "random"], false).done("delete_exchanges");
    api.delete_queue(HOST, "classic", false).done("delete_queue");
    api.delete_queue(HOST, "classic", true).done("delete_queue");
    api.delete_queues(HOST, &["quorum", "limited"], false).done("delete_queues");
    api.delete_stream(HOST, "stream", false).done("delete_stream");
    expect("left", api.list_queues().done("list_queues").len(), 0);
}

fn queues(api: &Api) {
    api.declare_classic_queue(HOST, "classic").done("declare_classic_queue");
    api.declare_quorum_queue(HOST, "quorum").done("declare_quorum_queue");
    let limited = QueueParams::new_quorum_queue("limited", None).with_max_length(2);
    api.declare_queue(HOST, &limited).done("declare_queue");
    let stream = StreamParams::with_expiration_and_length_limit("stream", "1D", 1 << 30);
    api.declare_stream(HOST, &stream).done("declare_stream");

    let found = api.get_queue_info(HOST, "limited").done("get_queue_info");
    expect("type", found.queue_type.as_str(), "quorum");
    expect("argument", found.arguments.0.get("x-max-length"), Some(&json!(2)));
    let found = api.get_stream_info(HOST, "stream").done("get_stream_info");
    expect("age", found.arguments.0.get("x-max-age"), Some(&json!("1D")));

    let pages = PaginationParams::first_page_default();
    let counts = [
        ("list_queues", api.list_queues(), 4),
        ("list_queues_paged", api.list_queues_paged(&pages), 4),
        ("list_queues_in", api.list_queues_in(HOST), 4),
        ("list_queues_in_paged", api.list_queues_in_paged(HOST, &pages), 4),
        ("list_quorum_queues", api.list_quorum_queues(), 2),
        ("list_quorum_queues_in", api.list_quorum_queues_in(HOST), 2),
        ("list_classic_queues", api.list_classic_queues(), 1),
        ("list_classic_queues_in", api.list_classic_queues_in(HOST), 1),
        ("list_streams", api.list_streams(), 1),
        ("list_streams_in", api.list_streams_in(HOST), 1),
        ("list_streams_paged", api.list_streams_paged(&pages), 1),
        ("list_streams_in_paged", api.list_streams_in_paged(HOST, &pages), 1),
    ];
    for (call, listed, count) in counts {
        expect(call, listed.done(call).len(), count);
    }
    let call = "list_queues_with_details";
    expect(call, api.list_queues_with_details().done(call).len(), 4);
}

fn exchanges(api: &Api) {
    let durable = |name, kind| ExchangeParams::durable(name, kind, None);
    api.declare_exchange(HOST, &durable("from", ExchangeType::Topic)).done("declare_exchange");
    api.declare_exchange(HOST, &durable("to", ExchangeType::Fanout)).done("declare_exchange");
    let random = durable("random", ExchangeType::Random);
    api.declare_exchange(HOST, &random).done("declare_exchange");
    let found = api.get_exchange_info(HOST, "from").done("get_exchange_info");
    expect("type", found.exchange_type.as_str(), "topic");
    let listed = api.list_exchanges_in(HOST).done("list_exchanges_in").len();
    let pages = PaginationParams::first_page_default();
    let call = "list_exchanges_in_paged";
    expect(call, api.list_exchanges_in_paged(HOST, &pages).done(call).len(), listed);
    let all = api.list_exchanges().done("list_exchanges").len();
    let call = "list_exchanges_paged";
    expect(call, api.list_exchanges_paged(&pages).done(call).len(), all);
}

fn bindings(api: &Api) {
    let arguments = || Some(map(json!({"colour": "red", "size": 3})));
    api.bind_queue(HOST, "classic", "from", Some("a.#"), None).done("bind_queue");
    api.bind_queue(HOST, "classic", "from", Some("b/c"), arguments()).done("bind_queue");
    api.bind_exchange(HOST, "to", "from", Some("#"), None).done("bind_exchange");
    expect(
        "of queue",
        api.list_queue_bindings(HOST, "classic").done("list_queue_bindings").len(),
        3,
    );
    let call = "list_exchange_bindings_with_source";
    let listed = api.list_exchange_bindings_with_source(HOST, "from").done(call);
    expect(call, listed.len(), 3);
    let call = "list_exchange_bindings_with_destination";
    expect(call, api.list_exchange_bindings_with_destination(HOST, "to").done(call).len(), 1);
    let all = api.list_bindings().done("list_bindings").len();
    expect("in host", api.list_bindings_in(HOST).done("list_bindings_in").len(), all);
    for binding in &listed {
        let params = BindingDeletionParams::from_binding_info(binding);
        api.delete_binding(&params, false).done("delete_binding");
        api.delete_binding(&params, true).done("delete_binding");
        api.recreate_binding(binding).done("recreate_binding");
    }
    let call = "list_exchange_bindings_with_source";
    expect(call, api.list_exchange_bindings_with_source(HOST, "from").done(call), listed);
    let last = BindingDeletionParams {
        virtual_host: HOST,
        source: "from",
        destination: "classic",
        destination_type: BindingDestinationType::Queue,
        routing_key: "b/c",
        arguments: arguments(),
    };
    api.delete_binding(&last, false).done("delete_binding");
    assert!(api.delete_binding(&last, false).is_err(), "it is deleted already");
}

fn messages(api: &Api) {
    let properties = || map(json!({"delivery_mode": 2, "headers": {"a": 1}}));
    let publish = |key, text| api.publish_message(HOST, "from", key, text, properties());
    expect("routed", publish("a.b", "hello").done("publish_message").routed, true);
    expect("not routed", publish("b", "hello").done("publish_message").routed, false);
    let got = api.get_messages(HOST, "classic", 9, "ack_requeue_true").done("get_messages");
    expect(
        "payload",
        (got.len(), got[0].payload.as_str(), got[0].redelivered),
        (1, "hello", false),
    );
    let got = api.get_messages(HOST, "classic", 9, "ack_requeue_false").done("get_messages");
    expect("again", (got.len(), got[0].redelivered), (1, true));
    publish("a.b", "for nobody").done("publish_message");
    api.purge_queue(HOST, "classic").done("purge_queue");
    let left = api.get_messages(HOST, "classic", 9, "ack_requeue_false").done("get_messages");
    expect("purged", left.len(), 0);
}

fn policies(api: &Api) {
    let definition = || PolicyDefinitionBuilder::new().max_length(5).overflow_drop_head().build();
    let policy = |name, target| PolicyParams {
        vhost: HOST,
        name,
        pattern: "^cl",
        apply_to: target,
        priority: 3,
        definition: definition(),
    };
    let (one, two) = (policy("one", PolicyTarget::Queues), policy("two", PolicyTarget::All));
    let three = policy("three", PolicyTarget::ClassicQueues);
    api.declare_policy(&one).done("declare_policy");
    api.declare_policies(vec![&two, &three]).done("declare_policies");
    expect("priority", api.get_policy(HOST, "one").done("get_policy").priority, 3);
    expect("all", api.list_policies().done("list_policies").len(), 3);
    expect("in host", api.list_policies_in(HOST).done("list_policies_in").len(), 3);
    let call = "list_policies_for_target";
    api.list_policies_for_target(HOST, PolicyTarget::Queues).done(call);
    let call = "list_matching_policies";
    api.list_matching_policies(HOST, "classic", PolicyTarget::ClassicQueues).done(call);
    let found = api.get_queue_info(HOST, "classic").done("get_queue_info");
    assert!(found.policy.is_some(), "{found:?}");
    api.delete_policy(HOST, "one", false).done("delete_policy");
    api.delete_policy(HOST, "one", true).done("delete_policy");
    api.delete_policies_in(HOST, vec!["two", "three"]).done("delete_policies_in");

    api.declare_operator_policy(&one).done("declare_operator_policy");
    let two = policy("two", PolicyTarget::Queues);
    api.declare_operator_policies(vec![&two, &three]).done("declare_operator_policies");
    expect("name", api.get_operator_policy(HOST, "one").done("get_operator_policy").name, "one");
    expect("all", api.list_operator_policies().done("list_operator_policies").len(), 3);
    let call = "list_operator_policies_in";
    expect("in host", api.list_operator_policies_in(HOST).done(call).len(), 3);
    let call = "list_operator_policies_for_target";
    api.list_operator_policies_for_target(HOST, PolicyTarget::Queues).done(call);
    let call = "list_matching_operator_policies";
    api.list_matching_operator_policies(HOST, "classic", PolicyTarget::Queues).done(call);
    api.delete_operator_policy(HOST, "one", false).done("delete_operator_policy");
    let call = "delete_operator_policies_in";
    api.delete_operator_policies_in(HOST, vec!["two", "three"]).done(call);
    expect("left", api.list_operator_policies().done("list_operator_policies").len(), 0);
}
