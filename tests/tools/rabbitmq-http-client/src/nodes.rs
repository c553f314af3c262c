//! The node, virtual hosts, parameters, definitions.

use rabbitmq_http_client::commons::{QueueType, SupportedProtocol, VirtualHostLimitTarget};
use rabbitmq_http_client::requests::{
    EnforcedLimitParams, GlobalRuntimeParameterDefinition, RuntimeParameterDefinition,
    VirtualHostParams,
};
use rabbitmq_http_client::responses::ReachabilityProbeOutcome;
use serde_json::{Map, Value, json};

use crate::{Api, Done, HOST, expect};

pub(crate) fn run(api: &Api, amqp: &str) {
    node(api);
    health(api, amqp.parse().expect("a port"));
    hosts(api);
    parameters(api);
    definitions(api);
}

pub(crate) fn map(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn node(api: &Api) {
    let overview = api.overview().done("overview");
    expect(
        "server_version",
        api.server_version().done("server_version"),
        overview.rabbitmq_version,
    );
    let nodes = api.list_nodes().done("list_nodes");
    expect("nodes", nodes.len(), 1);
    let name = &nodes[0].name;
    expect("node", &api.get_node_info(name).done("get_node_info").name, name);
    api.get_node_memory_footprint(name).done("get_node_memory_footprint");
    api.list_all_cluster_plugins().done("list_all_cluster_plugins");
    let plugins = api.list_node_plugins(name).done("list_node_plugins");
    assert!(plugins.iter().any(|plugin| plugin == "rabbitmq_management"), "{plugins:?}");
    api.auth_attempts_statistics(name).done("auth_attempts_statistics");
    expect("current_user", api.current_user().done("current_user").name, "guest");
    let reached = api.probe_reachability();
    assert!(matches!(reached, ReachabilityProbeOutcome::Reached(_)), "{reached:?}");

    let before = api.get_cluster_name().done("get_cluster_name").name;
    api.set_cluster_name("one node").done("set_cluster_name");
    expect("cluster name", api.get_cluster_name().done("get_cluster_name").name, "one node");
    api.set_cluster_name(&before).done("set_cluster_name");
    api.set_cluster_tags(map(json!({"region": "north"}))).done("set_cluster_tags");
    let tags = api.get_cluster_tags().done("get_cluster_tags");
    expect("cluster tags", tags.0.get("region"), Some(&json!("north")));
    api.clear_cluster_tags().done("clear_cluster_tags");

    let flags = api.list_feature_flags().done("list_feature_flags");
    let flag = &flags.iter().next().expect("a feature flag").name;
    api.enable_feature_flag(flag).done("enable_feature_flag");
    api.enable_all_stable_feature_flags().done("enable_all_stable_feature_flags");
    api.list_all_deprecated_features().done("list_all_deprecated_features");
    api.list_deprecated_features_in_use().done("list_deprecated_features_in_use");
    api.rebalance_queue_leaders().done("rebalance_queue_leaders");
}

fn health(api: &Api, amqp: u16) {
    api.health_check_cluster_wide_alarms().done("health_check_cluster_wide_alarms");
    api.health_check_local_alarms().done("health_check_local_alarms");
    let call = "health_check_if_node_is_quorum_critical";
    api.health_check_if_node_is_quorum_critical().done(call);
    api.health_check_port_listener(amqp).done("health_check_port_listener");
    let protocol = |protocol| api.health_check_protocol_listener(protocol);
    protocol(SupportedProtocol::AMQP).done("health_check_protocol_listener");
    protocol(SupportedProtocol::HTTP).done("health_check_protocol_listener");
    assert!(api.health_check_port_listener(1).is_err(), "nothing listens on port 1");
    assert!(protocol(SupportedProtocol::MQTT).is_err(), "nothing listens for MQTT");
}

fn hosts(api: &Api) {
    let params = VirtualHostParams::named(HOST)
        .with_description("of a test")
        .with_tags(vec!["one", "two"])
        .with_default_queue_type(QueueType::Quorum);
    api.create_vhost(&params).done("create_vhost");
    let host = api.get_vhost(HOST).done("get_vhost");
    expect("description", host.description.as_deref(), Some("of a test"));
    expect("default type", host.default_queue_type, Some("quorum".to_owned()));
    let params = VirtualHostParams::named(HOST)
        .with_description("changed")
        .with_default_queue_type(QueueType::Classic);
    api.update_vhost(&params).done("update_vhost");
    let hosts = api.list_vhosts().done("list_vhosts");
    let host = hosts.iter().find(|host| host.name == HOST).expect("the virtual host is listed");
    expect("description", host.description.as_deref(), Some("changed"));
    let pages = rabbitmq_http_client::commons::PaginationParams::first_page_default();
    expect("page", api.list_vhosts_paged(&pages).done("list_vhosts_paged").len(), hosts.len());

    api.enable_vhost_deletion_protection(HOST).done("enable_vhost_deletion_protection");
    assert!(api.delete_vhost(HOST, false).is_err(), "it is protected");
    api.disable_vhost_deletion_protection(HOST).done("disable_vhost_deletion_protection");

    for kind in [VirtualHostLimitTarget::MaxConnections, VirtualHostLimitTarget::MaxQueues] {
        let limit = EnforcedLimitParams::new(kind.clone(), 100);
        api.set_vhost_limit(HOST, limit).done("set_vhost_limit");
        let limits = api.list_vhost_limits(HOST).done("list_vhost_limits");
        expect("limit", limits[0].limits.0.get(kind.as_ref()), Some(&json!(100)));
        expect("all", api.list_all_vhost_limits().done("list_all_vhost_limits").len(), 1);
        api.clear_vhost_limit(HOST, kind).done("clear_vhost_limit");
    }
}

fn parameters(api: &Api) {
    let component = "federation-upstream";
    let parameter = |name| RuntimeParameterDefinition {
        name,
        vhost: HOST,
        component,
        value: map(json!({"uri": "amqp://127.0.0.1:1"})),
    };
    for name in ["a", "b", "c"] {
        api.upsert_runtime_parameter(&parameter(name)).done("upsert_runtime_parameter");
    }
    expect("all", api.list_runtime_parameters().done("list_runtime_parameters").len(), 3);
    let call = "list_runtime_parameters_of_component";
    expect("of it", api.list_runtime_parameters_of_component(component).done(call).len(), 3);
    let call = "list_runtime_parameters_of_component_in";
    let listed = api.list_runtime_parameters_of_component_in(component, HOST).done(call);
    expect("in the host", listed.len(), 3);
    let found = api.get_runtime_parameter(component, HOST, "a").done("get_runtime_parameter");
    expect("component", found.component, component);
    api.clear_runtime_parameter(component, HOST, "a", false).done("clear_runtime_parameter");
    api.clear_runtime_parameter(component, HOST, "a", true).done("clear_runtime_parameter");
    let call = "clear_all_runtime_parameters_of_component";
    api.clear_all_runtime_parameters_of_component(component).done(call);
    api.upsert_runtime_parameter(&parameter("d")).done("upsert_runtime_parameter");
    api.clear_all_runtime_parameters().done("clear_all_runtime_parameters");
    expect("left", api.list_runtime_parameters().done("list_runtime_parameters").len(), 0);

    let global = GlobalRuntimeParameterDefinition { name: "mine", value: map(json!({"a": 1})) };
    api.upsert_global_runtime_parameter(&global).done("upsert_global_runtime_parameter");
    let call = "get_global_runtime_parameter";
    expect("name", api.get_global_runtime_parameter("mine").done(call).name, "mine");
    let all = api.list_global_runtime_parameters().done("list_global_runtime_parameters");
    assert!(all.iter().any(|parameter| parameter.name == "mine"), "{all:?}");
    api.clear_global_runtime_parameter("mine").done("clear_global_runtime_parameter");
}

fn definitions(api: &Api) {
    let call = "export_cluster_wide_definitions";
    let text = api.export_cluster_wide_definitions().done(call);
    let call = "export_cluster_wide_definitions_as_string";
    expect("text", api.export_cluster_wide_definitions_as_string().done(call), text.as_str());
    let call = "export_cluster_wide_definitions_as_data";
    let data = api.export_cluster_wide_definitions_as_data().done(call);
    assert!(data.virtual_hosts.iter().any(|host| host.name == HOST), "{data:?}");
    let value = serde_json::from_str::<Value>(&text).expect("JSON");
    api.import_definitions(value.clone()).done("import_definitions");
    api.import_cluster_wide_definitions(value).done("import_cluster_wide_definitions");

    let text = api.export_vhost_definitions(HOST).done("export_vhost_definitions");
    let call = "export_vhost_definitions_as_string";
    expect("text", api.export_vhost_definitions_as_string(HOST).done(call), text.as_str());
    api.export_vhost_definitions_as_data(HOST).done("export_vhost_definitions_as_data");
    let value = serde_json::from_str::<Value>(&text).expect("JSON");
    api.import_vhost_definitions(HOST, value).done("import_vhost_definitions");
}
