"""What the RabbitMQ modules of Testcontainers do with a container, without a container: the variables
that they set, the line that they wait for, and the commands that they run inside."""
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from client import Client

# The names of commands in RabbitMQ's image that packaging/Dockerfile links.
COMMANDS = ("rabbitmqctl", "rabbitmq-plugins", "rabbitmq-diagnostics", "rabbitmqadmin")
# What Java's (a regular expression over a line), Go's, Node's and .NET's wait for.
READY = re.compile(".*Server startup complete.*")
LIMIT_S = 60


class Container:
    """A server whose environment is that of a container, and commands inside of it."""

    def __init__(self, program, user, password, configuration=None):
        self.directory = tempfile.TemporaryDirectory()
        inside = Path(self.directory.name)
        for command in COMMANDS:
            (inside / command).symlink_to(Path(program).resolve())
        self.environment = {
            "PATH": f"{inside}:{os.environ['PATH']}",
            "RABBITMQ_DEFAULT_USER": user,
            "RABBITMQ_DEFAULT_PASS": password,
            # Those of the image, but for the ports, which are free here and mapped there.
            "LEVERET_AMQP": "127.0.0.1:0",
            "LEVERET_MANAGEMENT": "127.0.0.1:0",
            "LEVERET_METRICS": "127.0.0.1:0",
            "LEVERET_STREAM": "127.0.0.1:0",
            "LEVERET_DATA_DIR": str(inside / "data"),
        }
        if configuration:
            # Java's and Go's name it without and with its end.
            (inside / "rabbitmq-custom.conf").write_text(configuration)
            self.environment["RABBITMQ_CONFIG_FILE"] = str(inside / "rabbitmq-custom")
        self.log = inside / "log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([program, "serve"], env=self.environment, text=True,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=log)
        line = self.process.stdout.readline().strip()
        assert READY.fullmatch(line), line
        http = int(re.search(r"HTTP API on [^;]*?:(\d+)(?:;|$)", line)[1])
        # In a container it is the usual port.
        self.environment["LEVERET_CTL_URL"] = f"http://127.0.0.1:{http}"
        self.client = Client(http, user, password)

    def execute(self, *command):
        """As execInContainer: the status has to be 0, else the module fails or logs an error."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              timeout=LIMIT_S)
        assert done.returncode == 0, f"{command}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(LIMIT_S)
        self.directory.cleanup()


def java(program):
    """withVhost, withUser, withPermission, ... of the module's first version, which run
    rabbitmqadmin, and withPluginsEnabled."""
    with Container(program, "guest", "secret", "heartbeat = 30\n") as container:
        plugins = ("rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_event_exchange")
        container.execute("rabbitmq-plugins", "enable", *plugins)
        admin = lambda *words: container.execute("rabbitmqadmin", *words)
        admin("declare", "vhost", "name=shop", "tracing=true")
        admin("declare", "vhost_limit", "vhost=shop", "name=max-connections", "value=17")
        admin("declare", "user", "name=joe", "password=pw", "tags=")
        admin("declare", "user", "name=ann", "password=pw", "tags=administrator,monitoring")
        for user in ("joe", "guest"):
            admin("declare", "permission", "vhost=shop", f"user={user}", "configure=.*",
                  "write=.*", "read=.*")
        admin("declare", "queue", "name=plain")
        admin("declare", "queue", "name=long", "auto_delete=false", "durable=true",
              'arguments={"x-message-ttl":1000}')
        admin("declare", "exchange", "name=x", "type=direct")
        admin("--vhost=shop", "declare", "exchange", "name=orders", "type=topic",
              "auto_delete=false", "internal=false", "durable=true", "arguments={}")
        admin("declare", "binding", "source=x", "destination=plain")
        admin("declare", "binding", "source=x", "destination=long", "routing_key=key",
              "destination_type=queue", 'arguments={"a":1}')
        admin("declare", "policy", "name=p", "pattern=^l", 'definition={"max-length":5}')
        admin("declare", "policy", "--vhost=shop", "name=p", "pattern=.*",
              'definition={"max-length":5}')
        admin("declare", "operator_policy", "name=op", "pattern=.*", "priority=1",
              "apply-to=queues", 'definition={"expires":60000}')
        get = container.client.get
        names = lambda path: {it["name"] for it in get(path)}
        assert {"shop", "/"} <= names("/api/vhosts") and {"joe", "ann"} <= names("/api/users")
        assert {"plain", "long"} <= names("/api/queues") and "orders" in names("/api/exchanges/shop")
        assert get("/api/policies/%2F/p")["definition"] == {"max-length": 5}
        assert get("/api/vhost-limits/shop")[0]["value"] == {"max-connections": 17}
        bound = {(it["destination"], it["routing_key"]) for it in get("/api/exchanges/%2F/x/bindings/source")}
        assert bound == {("plain", ""), ("long", "key")}, bound
        assert "amq.rabbitmq.event" in names("/api/exchanges/%2F")
        assert "long" in admin("list", "queues", "name")
        assert json.loads(admin("-f", "raw_json", "list", "vhosts", "name"))


def go(program):
    """WithSSL of the Go module: its configuration, with free ports, and its second line."""
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = f"{directory}/cert.pem", f"{directory}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True, timeout=LIMIT_S)
        configuration = f"""
default_user = app
default_pass = secret
listeners.tcp = none
listeners.ssl.default = 0
ssl_options.cacertfile = {certificate}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.depth = 1
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
"""
        with Container(program, "app", "secret", configuration) as container:
            line = re.search(r"started TLS \(SSL\) listener on \[::\]:(\d+)", container.log.read_text())
            told = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{line[1]}",
                                   "-CAfile", certificate], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=LIMIT_S)
            assert "Verify return code: 0 (ok)" in told.stdout, told


def scripts(program):
    """What people have in their tests beside: rabbitmqctl in execInContainer, and health checks."""
    with Container(program, "app", "secret") as container:
        run = container.execute
        run("rabbitmq-diagnostics", "-q", "ping")
        run("rabbitmq-diagnostics", "check_running")
        run("rabbitmq-diagnostics", "check_port_connectivity")
        run("rabbitmqctl", "await_startup")
        run("rabbitmqctl", "add_vhost", "tests")
        run("rabbitmqctl", "add_user", "joe", "pw")
        run("rabbitmqctl", "set_permissions", "-p", "tests", "joe", ".*", ".*", ".*")
        run("rabbitmqctl", "set_user_tags", "joe", "administrator")
        run("rabbitmqctl", "set_policy", "-p", "tests", "p", ".*", '{"max-length": 5}')
        assert "joe" in run("rabbitmqctl", "list_users", "--formatter", "json")
        assert run("rabbitmqctl", "-q", "list_queues", "-p", "tests", "name", "messages") is not None
        run("rabbitmqctl", "trace_on", "-p", "tests")
