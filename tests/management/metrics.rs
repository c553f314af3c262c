//! Metrics, as Prometheus scrapes them.

use std::net::SocketAddr;

use leveret::Publish;

use crate::{Answer, Api, request};

struct Scrape(Api, SocketAddr);

impl Scrape {
    fn start() -> Self {
        let api = Api::start();
        let address = api.broker.serve_metrics("127.0.0.1:0").unwrap();
        Self(api, address)
    }

    fn get(&self, path: &str) -> Answer {
        request(self.1, "", "GET", path, "")
    }

    /// The value of the sample whose name and labels are these.
    fn value(&self, path: &str, sample: &str) -> Option<f64> {
        let text = self.get(path).body;
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }
}

#[test]
fn what_is_counted_is_told_at_once_as_sums_and_by_object() {
    let scrape = Scrape::start();
    let connection = scrape.0.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare("a\"b").unwrap();
    channel.queue_declare("c").unwrap();
    for _ in 0..3 {
        channel.basic_publish(Publish::to_queue("c").body("12345")).unwrap();
    }
    let _held = channel.basic_get("c").unwrap().unwrap();
    let sum = |name: &str| scrape.value("/metrics", name);
    assert_eq!(sum("rabbitmq_queue_messages"), Some(3.0));
    assert_eq!(sum("rabbitmq_queue_messages_unacked"), Some(1.0));
    assert_eq!(sum("rabbitmq_queue_messages_bytes"), Some(15.0));
    assert_eq!(sum("rabbitmq_queues"), Some(2.0));
    assert_eq!(sum("rabbitmq_channel_messages_published_total"), Some(3.0));
    assert_eq!(sum("rabbitmq_global_messages_received_total{protocol=\"amqp091\"}"), Some(3.0));
    assert_eq!(sum("leveret_connections{state=\"running\"}"), Some(1.0));
    let of = |labels: &str| {
        scrape.value("/metrics/per-object", &format!("rabbitmq_queue_messages_ready{{{labels}}}"))
    };
    assert_eq!(of(r#"vhost="/",queue="c""#), Some(2.0));
    assert_eq!(of(r#"vhost="/",queue="a\"b""#), Some(0.0));
    let text = scrape.get("/metrics").body;
    assert!(text.contains("# TYPE rabbitmq_alarms_memory_used_watermark untyped\n"));
    assert!(text.contains("# HELP rabbitmq_queues Queues available\n"));
}

#[test]
fn families_and_virtual_hosts_can_be_chosen() {
    let scrape = Scrape::start();
    scrape.0.expect(201, "PUT", "/api/vhosts/v", "{}");
    scrape.0.expect(201, "PUT", "/api/queues/v/q", "{}");
    scrape.0.expect(201, "PUT", "/api/queues/%2F/q", "{}");
    let path = "/metrics/detailed?vhost=v&family=queue_coarse_metrics&family=queue_consumer_count";
    let text = scrape.get(path).body;
    let told = |line: &str| text.lines().any(|known| known == line);
    assert!(told(r#"rabbitmq_detailed_queue_messages{vhost="v",queue="q"} 0"#));
    assert!(told(r#"rabbitmq_detailed_queue_consumers{vhost="v",queue="q"} 0"#));
    assert!(!text.contains(r#"vhost="/""#) && !text.contains("queue_messages_bytes"));
    assert_eq!(scrape.get("/metrics/nonsense").status, 404);
}

#[test]
fn counters_never_fall_whoever_leaves() {
    let scrape = Scrape::start();
    scrape.0.expect(201, "PUT", "/api/vhosts/v", "{}");
    let connection = scrape.0.broker.connect_to("v").unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    channel.basic_publish(Publish::to_queue("q").body("1")).unwrap();
    channel.basic_get_no_ack("q").unwrap().unwrap();
    let counters = [
        "rabbitmq_channel_messages_published_total",
        "rabbitmq_queue_get_total",
        "rabbitmq_queues_created_total",
        "rabbitmq_connections_opened_total",
        "rabbitmq_global_messages_received_total{protocol=\"amqp091\"}",
    ];
    let all = || counters.map(|counter| scrape.value("/metrics", counter).unwrap());
    assert_eq!(all(), [1.0; 5]);
    channel.queue_delete("q").unwrap();
    assert_eq!(all(), [1.0; 5]);
    scrape.0.expect(204, "DELETE", "/api/vhosts/v", "");
    assert_eq!(all(), [1.0; 5]);
    drop((channel, connection));
    assert_eq!(all(), [1.0; 5]);
    assert_eq!(scrape.value("/metrics", "rabbitmq_connections_closed_total"), Some(1.0));
}

#[test]
fn a_port_serves_what_it_was_opened_for_and_may_serve_both() {
    let scrape = Scrape::start();
    assert_eq!(scrape.get("/metrics").status, 200);
    assert_eq!(scrape.get("/api/index.html").status, 404);
    assert_eq!(scrape.0.call("GET", "/metrics", "").status, 404);
    assert_eq!(scrape.0.broker.serve_metrics(scrape.0.address).unwrap(), scrape.0.address);
    assert_eq!(scrape.0.call("GET", "/metrics", "").status, 200);
    assert_eq!(scrape.0.call("GET", "/api/whoami", "").status, 200);
    let listeners = scrape.0.call("GET", "/api/overview", "").json()["listeners"].clone();
    let protocols = listeners.as_array().unwrap().iter().map(|l| l["protocol"].clone());
    let protocols: Vec<_> = protocols.collect();
    assert_eq!(protocols, ["http", "http/prometheus", "http/prometheus"]);
}
