"""Prometheus from its package, with alert rules that people have for RabbitMQ."""
import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

LIMIT_S = 90

# Expressions of the rules that RabbitMQ's operator for Kubernetes and its documentation suggest,
# with spans of seconds, so that they are evaluated here.
RULES = """
groups:
- name: rabbitmq
  interval: 1s
  rules:
  - alert: DiskAlarm
    expr: max by(instance) (max_over_time(rabbitmq_alarms_free_disk_space_watermark[1m])) > 0
  - alert: MemoryAlarm
    expr: rabbitmq_alarms_memory_used_watermark == 1
  - alert: FileDescriptorsNearLimit
    expr: rabbitmq_process_open_fds * on(instance, job) group_left(rabbitmq_node) rabbitmq_identity_info
      / rabbitmq_process_max_fds * 100 > 80
  - alert: HighConnectionChurn
    expr: (sum(rate(rabbitmq_connections_closed_total[5m])) + sum(rate(rabbitmq_connections_opened_total[5m])))
      / sum(rabbitmq_connections) > 0.1
  - alert: UnroutableMessages
    expr: sum by(instance) (rabbitmq_channel_messages_unroutable_dropped_total)
      + sum by(instance) (rabbitmq_channel_messages_unroutable_returned_total) >= 1
  - alert: LowDiskWatermarkPredicted
    expr: predict_linear(rabbitmq_disk_space_available_bytes[1m], 60 * 60 * 24) < rabbitmq_disk_space_available_limit_bytes
  - alert: NoMajorityOfNodesReady
    expr: count(up{job="rabbitmq"} == 1) < 1
  - alert: MessagesReady
    expr: sum by(queue) (rabbitmq_detailed_queue_messages_ready{queue="jobs"}) > 2
  - record: rabbitmq:ready
    expr: sum(rabbitmq_queue_messages_ready * on(instance, job) group_left(rabbitmq_cluster) rabbitmq_identity_info)
      by(rabbitmq_cluster)
"""

SCRAPES = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
- job_name: rabbitmq
  static_configs: [targets: ["127.0.0.1:{port}"]]
- job_name: rabbitmq-detailed
  metrics_path: /metrics/detailed
  params: {{family: [queue_coarse_metrics], vhost: ["/"]}}
  static_configs: [targets: ["127.0.0.1:{port}"]]
"""


class Prometheus:
    """One of its own, on a free port."""

    def __init__(self, metrics):
        self.directory = tempfile.TemporaryDirectory()
        home = Path(self.directory.name)
        (home / "rules.yml").write_text(RULES)
        (home / "prometheus.yml").write_text(SCRAPES.format(port=metrics))
        checked = subprocess.run(["promtool", "check", "config", home / "prometheus.yml"],
                                 capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        self.port = free_port()
        command = ["prometheus", f"--config.file={home}/prometheus.yml",
                   f"--storage.tsdb.path={home}/data", f"--web.listen-address=127.0.0.1:{self.port}"]
        self.log = open(home / "log", "w+")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def wait(self, what, is_so):
        """Until it is so; fails with what it was last."""
        until, last = time.monotonic() + LIMIT_S, None
        while time.monotonic() < until:
            try:
                last = is_so()
                if last is True:
                    return
            except urllib.error.URLError as error:
                last = error
            time.sleep(0.2)
        self.log.seek(0)
        raise AssertionError(f"not within {LIMIT_S} s: {what}; {last}; {self.log.read()[-2000:]}")

    def firing(self):
        return {it["labels"]["alertname"] for it in self.get("alerts")["alerts"] if it["state"] == "firing"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        self.directory.cleanup()


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(server):
    send = server.client.send
    with Prometheus(server.metrics) as prometheus:
        targets = lambda: {it["labels"]["job"]: (it["health"], it["lastError"])
                           for it in prometheus.get("targets")["activeTargets"]}
        well = {"rabbitmq": ("up", ""), "rabbitmq-detailed": ("up", "")}
        prometheus.wait("both are scraped", lambda: targets() == well or targets())
        rules = lambda: [(it["name"], it["health"], it.get("lastError")) for group in prometheus.get("rules")["groups"]
                         for it in group["rules"]]
        prometheus.wait("all rules are evaluated", lambda: all(it[1] == "ok" for it in rules()) or rules())
        calm = prometheus.firing()
        assert not calm & {"DiskAlarm", "MemoryAlarm", "MessagesReady", "NoMajorityOfNodesReady"}, calm

        send("PUT", "/api/queues/%2F/jobs", {"durable": True})
        publish = lambda key: send("POST", "/api/exchanges/%2F/amq.default/publish", {
            "routing_key": key, "properties": {}, "payload": "x", "payload_encoding": "string"})
        for key in ("jobs", "jobs", "jobs", "nowhere"):
            publish(key)
        send("PUT", "/api/leveret/watermarks", {"memory_high_watermark": {"absolute": 1}})
        expected = {"MemoryAlarm", "MessagesReady", "UnroutableMessages"}
        prometheus.wait(f"{expected} fire", lambda: expected <= prometheus.firing() or prometheus.firing())
        ready = lambda: [it["value"][1] for it in prometheus.get("query?query=rabbitmq:ready")["result"]]
        prometheus.wait("the recorded sum is that of all queues", lambda: ready() == ["3"] or ready())
        send("PUT", "/api/leveret/watermarks", {"memory_high_watermark": {"relative": 0.4}})
        send("DELETE", "/api/queues/%2F/jobs")
        gone = {"MemoryAlarm", "MessagesReady"}
        prometheus.wait("they stop", lambda: not gone & prometheus.firing() or prometheus.firing())
