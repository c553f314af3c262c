//! What is told of the node and its ports, and how things went.

use std::time::Duration;

#[cfg(feature = "durable")]
use leveret::Limits;
use leveret::{Broker, ManualClock, Publish};
use serde_json::json;

use crate::Api;

#[test]
#[cfg(target_os = "linux")]
fn the_node_tells_what_the_system_says_of_it() {
    let api = Api::start();
    let node = api.call("GET", "/api/nodes", "").json()[0].clone();
    let number = |name: &str| node[name].as_u64().unwrap();
    assert!(number("fd_used") >= 3 && number("fd_total") >= number("fd_used"));
    assert!(number("mem_used") > 1_000_000 && number("disk_free") > 0);
    assert_eq!(number("sockets_used"), 0);
    let name = node["name"].as_str().unwrap();
    let memory = api.call("GET", &format!("/api/nodes/{name}/memory"), "").json();
    assert!(memory["memory"]["total"]["rss"].as_u64().unwrap() > 1_000_000);
    let shares = api.expect(200, "GET", &format!("/api/nodes/{name}/memory/relative"), "").json();
    let shares = &shares["memory"];
    assert_eq!((&shares["total"], &shares["other_system"]), (&100.into(), &100.into()));
    assert_eq!((&shares["binary"], &shares["code"]), (&0.into(), &0.into()));
}

#[test]
#[cfg(all(target_os = "linux", feature = "durable"))]
fn a_disk_with_less_room_than_its_limit_raises_the_alarm_until_the_limit_is_less() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits::new().disk_free_limit_bytes(u64::MAX);
    let api = Api::over(Broker::builder().limits(limits).open(directory.path()).unwrap());
    let node = || api.expect(200, "GET", "/api/nodes", "").json()[0].clone();
    assert_eq!(node()["disk_free_limit"], u64::MAX);
    assert_eq!(node()["disk_free_alarm"], true);
    let alarms = api.expect(503, "GET", "/api/health/checks/local-alarms", "").json();
    assert!(alarms.to_string().contains("disk"), "{alarms}");
    let put = |status, body| api.expect(status, "PUT", "/api/leveret/watermarks", body);
    put(204, r#"{"disk_free_limit": {"absolute": 1}}"#);
    assert_eq!(
        (&node()["disk_free_alarm"], &node()["disk_free_limit"]),
        (&false.into(), &1.into())
    );
    put(204, r#"{"disk_free_limit": {"relative": 99}}"#);
    assert_eq!(node()["disk_free_alarm"], true);
    for bad in [r#"{"disk_free_limit": 5}"#, r#"{"disk_free_limit": {"relative": -1}}"#] {
        put(400, bad);
    }
}

#[test]
#[cfg(feature = "durable")]
fn syncs_of_the_log_are_counted_and_timed() {
    let directory = tempfile::tempdir().unwrap();
    let api = Api::over(Broker::builder().open(directory.path()).unwrap());
    let metrics = api.broker.serve_metrics(api.address).unwrap();
    assert_eq!(metrics, api.address);
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&leveret::QueueDeclare::new("q").durable()).unwrap();
    let publish = Publish::to_queue("q").body("x").persistent();
    assert!(channel.publish(publish).wait().unwrap().is_ack());
    let node = api.expect(200, "GET", "/api/nodes", "").json()[0].clone();
    assert!(node["io_sync_count"].as_u64().unwrap() > 0, "{node}");
    assert!(node["io_sync_avg_time"].as_f64().unwrap() > 0.0, "{node}");
    let counted = api.expect(200, "GET", "/api/overview", "").json()["message_stats"].clone();
    assert_eq!((&counted["disk_writes"], &counted["disk_reads"]), (&1.into(), &0.into()));
    let told = api.raw("", "GET", "/metrics", "").body;
    assert!(told.contains("\nleveret_storage_syncs_total "), "{told}");
    assert!(told.contains("\nleveret_storage_sync_seconds_total "), "{told}");
}

#[test]
#[cfg(all(target_os = "linux", feature = "durable"))]
fn figures_of_the_node_come_with_rates_and_curves() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let api = Api::over(Broker::builder().manual_clock(clock).open(directory.path()).unwrap());
    let connection = api.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    api.broker.advance(Duration::from_secs(5));
    channel.queue_declare_with(&leveret::QueueDeclare::new("q").durable()).unwrap();
    for _ in 0..10 {
        let publish = Publish::to_queue("q").body(vec![b'x'; 1000]).persistent();
        assert!(channel.publish(publish).wait().unwrap().is_ack());
    }
    let _other = api.broker.connect().unwrap();
    api.broker.advance(Duration::from_secs(5));
    let path = "/api/nodes?node_stats_age=10&node_stats_incr=5";
    let node = api.expect(200, "GET", path, "").json()[0].clone();
    let rate = |name: &str| node[format!("{name}_details")]["rate"].as_f64().unwrap();
    assert_eq!((&node["msg_store_write_count"], rate("msg_store_write_count")), (&10.into(), 2.0));
    assert_eq!((rate("sockets_used"), rate("queue_created")), (0.2, 0.2));
    assert!(rate("io_write_bytes") > 2000.0 && rate("io_write_count") > 0.0, "{node}");
    assert!(rate("io_write_avg_time") > 0.0 && rate("io_sync_avg_time") > 0.0, "{node}");
    assert!(rate("context_switches") > 0.0, "{node}");
    assert_eq!((&node["gc_num"], rate("mnesia_disk_tx_count")), (&0.into(), 0.0));
    let samples = node["sockets_used_details"]["samples"].as_array().unwrap();
    let values: Vec<_> = samples.iter().map(|sample| sample["sample"].clone()).collect();
    assert_eq!(values, [2, 1, 0]);
}

#[test]
fn the_memory_watermark_can_be_moved_while_the_broker_runs() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    channel.basic_publish(Publish::to_queue("q").body(vec![0; 100_000])).unwrap();
    let put = |body| api.expect(204, "PUT", "/api/leveret/watermarks", body);
    put(r#"{"memory_high_watermark": {"absolute": 50000}}"#);
    let node = api.expect(200, "GET", "/api/nodes", "").json()[0].clone();
    assert_eq!((&node["mem_alarm"], &node["mem_limit"]), (&true.into(), &50_000.into()));
    put(r#"{"memory_high_watermark": {"relative": 0.5}}"#);
    assert_eq!(api.expect(200, "GET", "/api/nodes", "").json()[0]["mem_alarm"], false);
}

#[test]
fn ports_and_protocols_can_be_probed() {
    let api = Api::start();
    let amqp = api.broker.listen("127.0.0.1:0").unwrap();
    let check = |what: &str, status| {
        api.expect(status, "GET", &format!("/api/health/checks/{what}"), "").json()
    };
    assert_eq!(check(&format!("port-listener/{}", amqp.port()), 200)["status"], "ok");
    let none = check("port-listener/1", 503);
    assert_eq!((&none["missing"], &none["ports"][1]), (&1.into(), &amqp.port().into()));
    for name in ["AMQP091", "amqp0_9_1", "amqp"] {
        assert_eq!(check(&format!("protocol-listener/{name}"), 200)["protocol"], "amqp");
    }
    assert_eq!(check("protocol-listener/ui", 200)["protocol"], "http");
    let none = check("protocol-listener/mqtt", 503);
    assert_eq!((&none["missing"], &none["protocols"]), (&"mqtt".into(), &json!(["http", "amqp"])));
    check("port-listener/many", 400);
}

#[test]
fn curves_come_with_what_was_asked_for() {
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let api = Api::over(broker);
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    let path = "/api/queues/%2F/q?lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5";
    api.call("GET", path, "");
    for _ in 0..3 {
        channel.basic_publish(Publish::to_queue("q").body("x")).unwrap();
        api.broker.advance(Duration::from_secs(5));
    }
    let queue = api.call("GET", path, "").json();
    assert_eq!(queue["messages"], 3);
    let samples = queue["messages_details"]["samples"].as_array().unwrap();
    let lengths: Vec<_> = samples.iter().map(|s| s["sample"].as_u64().unwrap()).collect();
    assert_eq!(lengths[..3], [3, 2, 1]);
    assert_eq!(queue["messages_details"]["rate"], 0.2);
    assert_eq!(queue["message_stats"]["publish_details"]["samples"][0]["sample"], 3);
    assert!(queue["idle_since"].is_string(), "nothing was done for five seconds");
    for bad in ["lengths_age=60000&lengths_incr=1", "lengths_age=-1&lengths_incr=5"] {
        api.expect(400, "GET", &format!("/api/queues?{bad}"), "");
    }
}

#[test]
fn exchange_types_ports_of_http_and_tags_are_told() {
    let api = Api::start();
    let metrics = api.broker.serve_metrics("127.0.0.1:0").unwrap();
    let overview = || api.expect(200, "GET", "/api/overview", "").json();
    let node = api.expect(200, "GET", "/api/nodes", "").json()[0].clone();
    assert_eq!(node["exchange_types"], overview()["exchange_types"]);
    let contexts = node["contexts"].as_array().unwrap();
    let told: Vec<_> = contexts.iter().map(|c| (&c["description"], &c["port"])).collect();
    let (http, metrics) = (api.address.port().to_string(), metrics.port().to_string());
    let expected = [("RabbitMQ Management", http), ("RabbitMQ Prometheus", metrics)];
    let expected = expected.map(|(description, port)| (json!(description), json!(port)));
    assert_eq!(told, expected.each_ref().map(|(description, port)| (description, port)));
    assert_eq!(overview()["cluster_tags"], json!({}));
    let tags = r#"{"value": {"region": "north"}}"#;
    api.expect(201, "PUT", "/api/global-parameters/cluster_tags", tags);
    assert_eq!(overview()["cluster_tags"], json!({"region": "north"}));
}
