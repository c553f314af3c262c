#!/usr/bin/env python3
"""Runs tools that people administer RabbitMQ with against a server of its own.

    run.py --server PATH [--no-skip] [NAME ...]

Each tool is a function below. What it needs and is not on this machine is a reason to skip it;
--no-skip counts that as a failure. Dependencies go to $LEVERET_TOOL_CACHE, default
$TMPDIR/leveret-tools.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from client import Client

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("LEVERET_TOOL_CACHE", Path(tempfile.gettempdir()) / "leveret-tools"))
LIMIT_S = 120
PREPARE_LIMIT_S = 600
DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Skip(Exception):
    """The tool cannot run on this machine, for this reason."""


def needs(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed")


def run(*command, limit=LIMIT_S, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, **more)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def prepare(*command, **more):
    """As `run`, for what fetches and builds: without a registry there is nothing to test."""
    try:
        run(*command, limit=PREPARE_LIMIT_S, **more)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        raise Skip(f"it cannot be built: {str(error)[:200]}") from error


class Server:
    """A leveret that ends with the `with` statement."""

    def __init__(self, path, *arguments):
        self.command = [path, "serve", "--amqp", "127.0.0.1:0", "--management", "127.0.0.1:0",
                        "--metrics", "127.0.0.1:0", *arguments]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        port = lambda what: int(re.search(rf"{what} on [^;]*?:(\d+)(?:;|$)", line.strip())[1])
        self.http, self.metrics, self.amqp = port("HTTP API"), port("metrics"), port("AMQP")
        self.client = Client(self.http)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(LIMIT_S)


def rabbitmqadmin(server):
    """RabbitMQ's script, as the management plugin of Debian has it."""
    needs("rabbitmqadmin")
    administer(server, "rabbitmqadmin")


def rabbitmqadmin_of_leveret(server):
    """The script that the server offers for download."""
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "rabbitmqadmin"
        url = f"http://127.0.0.1:{server.http}/cli/rabbitmqadmin"
        script.write_bytes(urllib.request.urlopen(url).read())
        administer(server, sys.executable, str(script))


def administer(server, *program):
    """What people do with it."""
    def admin(*arguments):
        return run(*program, "-P", str(server.http), *arguments)

    admin("declare", "vhost", "name=admin")
    admin("declare", "permission", "vhost=admin", "user=guest", "configure=.*", "write=.*",
          "read=.*")
    inside = ("-V", "admin")
    admin(*inside, "declare", "exchange", "name=x", "type=topic")
    admin(*inside, "declare", "queue", "name=q", "durable=true", 'arguments={"x-max-length":9}')
    admin(*inside, "declare", "binding", "source=x", "destination=q", "routing_key=a.#")
    admin(*inside, "declare", "policy", "name=p", "pattern=^q", 'definition={"max-length":5}',
          "apply-to=queues")
    assert "Message published" in admin(*inside, "publish", "exchange=x", "routing_key=a.b",
                                        "payload=hello")
    assert "hello" in admin(*inside, "get", "queue=q")
    listed = json.loads(admin("-f", "raw_json", *inside, "list", "queues", "name", "messages"))
    assert listed == [{"name": "q", "messages": 1}], listed
    for noun in ("exchanges", "bindings", "policies", "connections", "channels", "consumers"):
        admin(*inside, "list", noun)
    for noun in ("users", "vhosts", "permissions", "nodes"):
        admin("list", noun)
    admin("show", "overview")
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        admin("export", file.name)
        assert {v["name"] for v in json.load(open(file.name))["vhosts"]} == {"/", "admin"}
        admin(*inside, "delete", "queue", "name=q")
        admin("import", file.name)
    listed = json.loads(admin("-f", "raw_json", *inside, "list", "queues", "name", "arguments"))
    assert listed[0]["arguments"]["x-max-length"] == 9, listed
    assert "| q " in admin(*inside, "list", "queues")
    admin(*inside, "declare", "queue", "name=many", "queue_type=quorum")
    admin(*inside, "delete", "binding", "source=x", "destination_type=queue", "destination=q",
          "properties_key=a.#")
    admin(*inside, "declare", "vhost_limit", "vhost=admin", "name=max-queues", "value=9")
    admin("declare", "user", "name=joe", "password=secret", "tags=monitoring")
    admin("delete", "user", "name=joe")
    admin(*inside, "purge", "queue", "name=q")
    admin("delete", "vhost", "name=admin")


def rabbit_hole(server):
    """The Go client that Terraform's provider uses."""
    needs("go")
    CACHE.mkdir(parents=True, exist_ok=True)
    program = CACHE / "rabbit-hole"
    prepare("go", "build", "-o", str(program), ".", cwd=HERE / "rabbit-hole")
    run(str(program), f"http://127.0.0.1:{server.http}")


def rabbitmq_http_client(server):
    """The Rust client that rabbitmqadmin 2 is built on."""
    needs("cargo")
    target = CACHE / "rabbitmq-http-client"
    prepare("cargo", "build", "--quiet", "--locked", "--target-dir", str(target),
            cwd=HERE / "rabbitmq-http-client")
    run(str(target / "debug" / "rabbitmq-http-client"), str(server.http), str(server.amqp))


def hop(server):
    """RabbitMQ's Java client."""
    needs("java", "mvn")
    folder = CACHE / "hop"
    prepare("mvn", "-q", "-B", "-f", str(HERE / "hop" / "pom.xml"),
            "dependency:copy-dependencies", f"-DoutputDirectory={folder}")
    run("java", "-cp", f"{folder}/*", str(HERE / "hop" / "Client.java"), str(server.http),
        str(server.amqp))


def amqpstorm(server):
    """The management part of AMQPStorm."""
    environment = CACHE / "amqpstorm"
    python = environment / "bin" / "python"
    if not python.exists():
        prepare(sys.executable, "-m", "venv", str(environment))
    prepare(str(python), "-m", "pip", "install", "--quiet", "amqpstorm[management]==2.11.1")
    run(str(python), str(HERE / "amqpstorm_client.py"), f"http://127.0.0.1:{server.http}")


def definitions(server):
    """What is exported here goes into RabbitMQ, and comes back the same."""
    if not DEBIAN.exists():
        raise Skip("RabbitMQ is not installed")
    from rabbitmq import RabbitMQ, fill, same
    fill(server.client)
    exported = server.client.get("/api/definitions")
    with RabbitMQ(DEBIAN) as rabbitmq:
        rabbitmq.client.send("POST", "/api/definitions", exported)
        back = rabbitmq.client.get("/api/definitions")
    same(exported, back)
    with Server(server.command[0], "--ephemeral") as second:
        second.client.send("POST", "/api/definitions", back)
        same(exported, second.client.get("/api/definitions"))


def testcontainers(server):
    """The commands that Testcontainers' modules run inside of a container."""
    import containers
    containers.java(server.command[0])
    if shutil.which("openssl") and os.path.exists("/proc/net/if_inet6"):
        containers.go(server.command[0])
    containers.scripts(server.command[0])


def prometheus(server):
    """Prometheus scrapes the metrics, and its alert rules for RabbitMQ mean what they mean there."""
    needs("prometheus", "promtool")
    import alerts
    alerts.run(server)


TOOLS = [rabbitmqadmin, rabbitmqadmin_of_leveret, rabbit_hole, rabbitmq_http_client, hop, amqpstorm,
         definitions, testcontainers, prometheus]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--no-skip", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    failed = 0
    for tool in TOOLS:
        if options.names and tool.__name__ not in options.names:
            continue
        began = time.monotonic()
        try:
            with Server(options.server, "--ephemeral") as server:
                tool(server)
            print(f"PASS {tool.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as reason:
            print(f"SKIP {tool.__name__}: {reason}", flush=True)
            failed += options.no_skip
        except Exception as error:  # whatever it is, the others are tried too
            print(f"FAIL {tool.__name__}: {type(error).__name__}: {error}", flush=True)
            failed += 1
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
