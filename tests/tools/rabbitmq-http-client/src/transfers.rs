//! Shovels and federation, and the connections that they open.

use rabbitmq_http_client::commons::{MessageTransferAcknowledgementMode, PaginationParams};
use rabbitmq_http_client::requests::{
    Amqp091ShovelDestinationParams, Amqp091ShovelParams, Amqp091ShovelSourceParams,
    FederationUpstreamParams, PolicyDefinitionBuilder, PolicyParams, QueueFederationParams,
    StreamParams,
};

use crate::{Api, Done, HOST, expect, wait_for};

pub(crate) fn run(api: &Api, amqp: &str) {
    let uri = format!("amqp://guest:guest@127.0.0.1:{amqp}/rust%2Fhttp");
    for queue in ["source", "destination", "federated"] {
        api.declare_classic_queue(HOST, queue).done("declare_classic_queue");
    }
    shovel(api, &uri);
    federation(api, &uri);
    streams(api);
    api.delete_queues(HOST, &["source", "destination", "federated"], false).done("delete_queues");
}

fn shovel(api: &Api, uri: &str) {
    let shovel = Amqp091ShovelParams {
        name: "moving",
        vhost: HOST,
        acknowledgement_mode: MessageTransferAcknowledgementMode::WhenConfirmed,
        reconnect_delay: Some(1),
        source: Amqp091ShovelSourceParams::queue_source(uri, "source"),
        destination: Amqp091ShovelDestinationParams::queue_destination(uri, "destination"),
    };
    api.declare_amqp091_shovel(shovel).done("declare_amqp091_shovel");
    wait_for("a shovel that runs", || {
        let shovels = api.list_shovels_in(HOST).done("list_shovels_in");
        (shovels.first()?.state.to_string() == "running").then_some(())
    });
    expect("all", api.list_shovels().done("list_shovels").len(), 1);
    let publish = api.publish_message(HOST, "amq.default", "source", "moved", Default::default());
    publish.done("publish_message");
    wait_for("the message", || {
        api.get_messages(HOST, "destination", 1, "ack_requeue_false").done("get_messages").pop()
    });
    connections(api);
    api.delete_shovel(HOST, "moving", false).done("delete_shovel");
    api.delete_shovel(HOST, "moving", true).done("delete_shovel");
    wait_for("the end of its connections", || {
        api.list_connections().done("list_connections").is_empty().then_some(())
    });
}

/// With the connections of a shovel.
fn connections(api: &Api) {
    let consumer = wait_for("a consumer", || api.list_consumers().done("list_consumers").pop());
    expect("queue", consumer.queue.name.as_str(), "source");
    expect("in host", api.list_consumers_in(HOST).done("list_consumers_in").len(), 1);
    let listed = api.list_connections().done("list_connections");
    assert!(!listed.is_empty(), "a shovel has connections");
    let name = &listed[0].name;
    expect("name", &api.get_connection_info(name).done("get_connection_info").name, name);
    let pages = PaginationParams::first_page_default();
    let call = "list_connections_paged";
    expect(call, api.list_connections_paged(&pages).done(call).len(), listed.len());
    expect(
        "in host",
        api.list_connections_in(HOST).done("list_connections_in").len(),
        listed.len(),
    );
    let call = "list_user_connections";
    expect(call, api.list_user_connections("guest").done(call).len(), listed.len());

    let channels = api.list_channels().done("list_channels");
    assert!(!channels.is_empty(), "they have channels");
    let channel = &channels[0];
    let found = api.get_channel_info(&channel.name).done("get_channel_info");
    expect("name", &found.name, &channel.name);
    let call = "list_channels_on";
    assert!(!api.list_channels_on(&channel.connection_details.name).done(call).is_empty());
    let call = "list_channels_paged";
    expect(call, api.list_channels_paged(&pages).done(call).len(), channels.len());
    expect("in host", api.list_channels_in(HOST).done("list_channels_in").len(), channels.len());
    let call = "list_channels_in_paged";
    expect(call, api.list_channels_in_paged(HOST, &pages).done(call).len(), channels.len());

    api.close_connection(name, Some("of a test"), false).done("close_connection");
    assert!(api.get_connection_info(name).is_err(), "it is closed");
    api.close_connection(name, None, true).done("close_connection");
    api.close_user_connections("guest", Some("of a test"), true).done("close_user_connections");
}

fn federation(api: &Api, uri: &str) {
    let queue = QueueFederationParams::new("source");
    let upstream = FederationUpstreamParams::new_queue_federation_upstream(HOST, "up", uri, queue);
    api.declare_federation_upstream(upstream).done("declare_federation_upstream");
    expect("upstreams", api.list_federation_upstreams().done("list_federation_upstreams").len(), 1);
    let found = api.get_federation_upstream(HOST, "up").done("get_federation_upstream");
    expect("queue", found.queue.as_deref(), Some("source"));
    let definition = PolicyDefinitionBuilder::new().federation_upstream("up").build();
    let policy = PolicyParams::new(HOST, "fed", "^federated$", definition);
    api.declare_policy(&policy).done("declare_policy");
    wait_for("a link", || api.list_federation_links().done("list_federation_links").pop());
    api.delete_policy(HOST, "fed", false).done("delete_policy");
    api.delete_federation_upstream(HOST, "up", false).done("delete_federation_upstream");
    api.delete_federation_upstream(HOST, "up", true).done("delete_federation_upstream");
}

/// Nobody speaks the stream protocol here: the lists are empty, and are lists.
fn streams(api: &Api) {
    api.declare_stream(HOST, &StreamParams::new("stream", "1D")).done("declare_stream");
    expect("1", api.list_stream_connections().done("list_stream_connections").len(), 0);
    expect("2", api.list_stream_connections_in(HOST).done("list_stream_connections_in").len(), 0);
    expect("3", api.list_stream_publishers().done("list_stream_publishers").len(), 0);
    expect("4", api.list_stream_publishers_in(HOST).done("list_stream_publishers_in").len(), 0);
    let call = "list_stream_publishers_of";
    expect("5", api.list_stream_publishers_of(HOST, "stream").done(call).len(), 0);
    expect("6", api.list_stream_consumers().done("list_stream_consumers").len(), 0);
    expect("7", api.list_stream_consumers_in(HOST).done("list_stream_consumers_in").len(), 0);
    let call = "list_stream_consumers_on_connection";
    assert!(api.list_stream_consumers_on_connection(HOST, "nobody").is_err(), "{call}");
    assert!(api.list_stream_publishers_on_connection(HOST, "nobody").is_err(), "no connection");
    assert!(api.get_stream_connection_info(HOST, "nobody").is_err(), "no connection");
    api.delete_stream(HOST, "stream", false).done("delete_stream");
}
