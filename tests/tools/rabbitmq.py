"""Debian's RabbitMQ, on ports and in a directory of its own; and definitions to compare."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from client import Client

START_LIMIT_S = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RabbitMQ:
    """A node with the management plugin, which ends with the `with` statement."""

    def __init__(self, program):
        self.program = str(program)

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="leveret-rabbitmq-"))
        http = free_port()
        (self.directory / "plugins").write_text("[rabbitmq_management].\n")
        (self.directory / "rabbitmq.conf").write_text(f"management.tcp.port = {http}\n")
        environment = os.environ | {
            "HOME": str(self.directory),
            "RABBITMQ_NODENAME": f"leveret-{os.getpid()}@localhost",
            "RABBITMQ_NODE_PORT": str(free_port()),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
        }
        self.process = subprocess.Popen(
            [self.program], env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.client = Client(http)
        end = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self.client.get("/api/overview")
                return self
            except OSError:
                if time.monotonic() > end:
                    self.__exit__()
                    raise
                time.sleep(0.5)

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)


def fill(client):
    """Makes something of every kind."""
    put = lambda path, body: client.send("PUT", f"/api/{path}", body)
    put("vhosts/shop", {"description": "a shop", "tags": "one,two"})
    put("users/joe", {"password": "secret", "tags": "monitoring"})
    put("permissions/shop/joe", {"configure": "^a", "write": ".*", "read": "b$"})
    put("topic-permissions/shop/joe", {"exchange": "orders", "write": "^a", "read": ".*"})
    put("user-limits/joe/max-connections", {"value": 5})
    put("vhost-limits/shop/max-queues", {"value": 50})
    put("global-parameters/colour", {"value": {"red": [1, 2]}})
    for kind in ("direct", "fanout", "topic", "headers"):
        put(f"exchanges/shop/{kind}-x", {"type": kind, "durable": True})
    put("exchanges/shop/orders", {"type": "topic", "durable": True,
                                  "arguments": {"alternate-exchange": "fanout-x"}})
    put("queues/shop/classic", {"durable": True, "arguments": {
        "x-message-ttl": 60000, "x-max-length": 10, "x-dead-letter-exchange": "fanout-x",
        "x-overflow": "reject-publish", "x-max-priority": 5}})
    put("queues/shop/quorum", {"durable": True, "arguments": {
        "x-queue-type": "quorum", "x-delivery-limit": 3}})
    put("queues/shop/%C3%BC%2F%20q", {"durable": True})
    bind = lambda path, body: client.send("POST", f"/api/bindings/shop/e/{path}", body)
    bind("orders/q/classic", {"routing_key": "a.#", "arguments": {}})
    bind("headers-x/q/quorum", {"routing_key": "", "arguments": {"x-match": "any", "k": 5}})
    bind("orders/e/fanout-x", {"routing_key": "#", "arguments": {}})
    put("policies/shop/long", {"pattern": "^q", "apply-to": "queues", "priority": 3,
                               "definition": {"max-length": 7, "expires": 1800000}})
    put("operator-policies/shop/bound", {"pattern": "", "apply-to": "queues", "priority": 0,
                                         "definition": {"max-length": 1000}})


# What a newer version exports and an older one does not know, and who exports it.
LEFT_OUT = {"rabbit_version", "rabbitmq_version", "product_name", "product_version",
            "explanation", "original_cluster_name", "original_vhost_name", "metadata",
            "rabbitmq_definition_format"}
# RabbitMQ names its cluster by itself.
PARAMETERS_LEFT_OUT = {"cluster_name", "internal_cluster_id", "cluster_tags"}


def comparable(definitions):
    kept = {}
    for kind, items in definitions.items():
        if kind in LEFT_OUT:
            continue
        rows = []
        for item in items:
            if kind == "global_parameters" and item["name"] in PARAMETERS_LEFT_OUT:
                continue
            row = {name: value for name, value in item.items() if plain(kind, name, value)}
            if kind == "queues":
                # RabbitMQ 3.10 does not write the type of a classic queue into its arguments.
                arguments = dict(row["arguments"])
                if arguments.get("x-queue-type") == "classic":
                    del arguments["x-queue-type"]
                row["arguments"] = arguments
                row.pop("type", None)
            rows.append(repr(sorted(row.items())))
        kept[kind] = sorted(rows)
    return kept


def plain(kind, name, value):
    """Whether both tell it, and alike."""
    if kind == "vhosts":
        return name == "name"
    return not (kind == "users" and name in ("tags", "limits"))


def same(one, other):
    one, other = comparable(one), comparable(other)
    for kind in sorted(one.keys() | other.keys()):
        is_there, was_there = other.get(kind, []), one.get(kind, [])
        assert is_there == was_there, f"{kind}: {was_there} became {is_there}"
