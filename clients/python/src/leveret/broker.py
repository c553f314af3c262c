"""A broker in a process of its own, which ends with this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, Optional, Union
from urllib.parse import quote

from .clock import Clock
from .control import LIMIT_S, PATIENCE_S, Control, body_fields, milliseconds, without_none
from .faults import Faults
from .journal import Journal
from .messages import Explanation, Lint, Message, Queue
from .snapshot import Snapshot

# pytest shows the test, and not this file, when something fails.
__tracebackhide__ = True


#: What to do without the program.
HOW_TO_GET_IT = (
    "The wheels of this package have it for most machines; elsewhere `cargo install leveret` builds "
    "it, and LEVERET_BINARY can name it."
)


class Broker:
    """A broker that keeps everything in memory, on free ports. Use it in a ``with`` statement.

    With ``manual_clock``, the default, its time stands still until it is advanced. ``journal`` is
    how many events it keeps. ``lint`` is ``"warn"`` or ``"deny"``, to look for what is allowed but
    seldom meant: see :meth:`lints`. With ``deny_deprecated`` it refuses what RabbitMQ 4.3 refuses
    by default and 4.0 does not, ``without_plugins`` leaves only the types of exchanges that 4.0 has
    without plugins, and ``rabbitmq_faults`` repeats what 4.0 does wrong. ``definitions`` is a file
    to start with: see :meth:`import_definitions`.
    """

    def __init__(
        self,
        manual_clock: bool = True,
        journal: Optional[int] = None,
        lint: Optional[str] = None,
        deny_deprecated: bool = False,
        without_plugins: bool = False,
        rabbitmq_faults: bool = False,
        definitions: Union[str, os.PathLike[str], None] = None,
    ) -> None:
        command = [_binary(), "test"]
        if manual_clock:
            command.append("--manual-clock")
        if journal is not None:
            command += ["--journal", str(journal)]
        if lint is not None:
            command += ["--lint", lint]
        if deny_deprecated:
            command.append("--deny-deprecated")
        if without_plugins:
            command.append("--without-plugins")
        if rabbitmq_faults:
            command.append("--rabbitmq-faults")
        if definitions is not None:
            command += ["--definitions", os.fspath(definitions)]
        # It ends when its standard input does: with this process, however that ends.
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise RuntimeError(f"{command[0]} cannot be started: {error}. {HOW_TO_GET_IT}") from None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            raise RuntimeError(f"{command[0]} ended with status {status}; why is on standard error")
        ready = json.loads(line)
        #: URL for any AMQP 0-9-1 client.
        self.amqp: str = ready["amqp"]
        #: RabbitMQ's HTTP API, and a page for a browser that shows the broker.
        self.management: str = ready["management"]
        self._control = Control(ready["control"], ready["token"])
        #: The broker's time.
        self.clock = Clock(self._control)
        #: What is to go wrong.
        self.faults = Faults(self._control)
        #: What has happened.
        self.journal = Journal(self._control)

    def url(self, vhost: str = "/") -> str:
        """URL of a virtual host, for any AMQP 0-9-1 client."""
        return f"{self.amqp.rpartition('/')[0]}/{quote(vhost, safe='')}"

    def add_virtual_host(self, name: str) -> str:
        """Adds a virtual host in which the default user may do everything; returns its URL."""
        self.call("PUT", f"/vhosts/{quote(name, safe='')}")
        return self.url(name)

    def import_definitions(
        self, definitions: Union[dict[str, Any], str, os.PathLike[str]]
    ) -> None:
        """Adds what RabbitMQ's definitions hold, given as JSON or as the path of a file: virtual
        hosts, users, policies, exchanges, queues and bindings. The default user stays as it is,
        and may do everything in these virtual hosts. Raises for objects that cannot be had, or
        exist otherwise, when the rest is there."""
        if not isinstance(definitions, dict):
            with open(definitions, encoding="utf-8") as file:
                definitions = json.load(file)
        self.call("POST", "/definitions", definitions)

    def queues(self) -> dict[str, Queue]:
        """The queues by name; those of other virtual hosts than ``/`` as ``vhost/name``."""
        queues = [Queue(**queue) for queue in self.call("GET", "/queues")]
        return {
            queue.name if queue.vhost == "/" else f"{queue.vhost}/{queue.name}": queue
            for queue in queues
        }

    def peek(self, queue: str, max: int = 100, vhost: str = "/") -> list[Message]:
        """The first ``max`` messages that are ready, which stay where they are."""
        messages = self.call("GET", f"{_path(vhost, queue)}/messages?max={max}")
        return [Message.of(fields) for fields in messages]

    def unacked(self, queue: str, vhost: str = "/") -> list[Message]:
        """The deliveries that were not acknowledged yet, oldest first, and who has them."""
        return [Message.of(f) for f in self.call("GET", f"{_path(vhost, queue)}/unacked")]

    def hold(self, queue: str, vhost: str = "/") -> None:
        """The queue takes publishes and gives nothing out but what :meth:`release` lets go."""
        self.call("PUT", f"{_path(vhost, queue)}/held", {"held": True})

    def release(
        self,
        queue: str,
        count: int = 1,
        vhost: str = "/",
        *,
        to: Optional[str] = None,
        connection: Union[str, int, None] = None,
        channel: Optional[int] = None,
    ) -> None:
        """Lets the next messages of a queue that is held go out; after them it is held again.

        They go to whoever is next, or ``to`` the consumer with this tag; if several have the same,
        name its ``connection`` (by what the client calls it, or by number) and ``channel``."""
        path = f"{_path(vhost, queue)}/release"
        if to is None:
            if connection is not None or channel is not None:
                raise ValueError("connection and channel are of a consumer: give its tag as to")
            self.call("POST", path, {"count": count})
            return
        kind = "connection_name" if isinstance(connection, str) else "connection"
        recipient = without_none(consumer_tag=to, channel=channel, **{kind: connection})
        for _ in range(count):
            self.call("POST", path, {"to": recipient})

    def end_hold(self, queue: str, vhost: str = "/") -> None:
        """The queue is not held any more."""
        self.call("PUT", f"{_path(vhost, queue)}/held", {"held": False})

    def publish(
        self,
        body: Union[bytes, str] = b"",
        *,
        exchange: str = "",
        routing_key: str = "",
        headers: Optional[dict[str, Any]] = None,
        properties: Optional[dict[str, Any]] = None,
        mandatory: Optional[bool] = None,
        vhost: str = "/",
        seconds: float = LIMIT_S,
    ) -> str:
        """Publishes a message, to a queue over the default exchange unless one is named, and waits
        for the confirm: ``ack``, ``nack`` or ``returned``.

        A message that no queue gets is a :class:`ControlError`, unless ``mandatory`` is given:
        with ``True`` it is ``returned``, with ``False`` it is acked and gone."""
        message = {
            **body_fields(body),
            **without_none(headers=headers, properties=properties, mandatory=mandatory),
            "exchange": exchange,
            "routing_key": routing_key,
            "vhost": vhost,
            "limit_ms": milliseconds(seconds=seconds),
        }
        return str(self.call("POST", "/publish", message, patience_s=seconds)["confirmed"])

    def publish_all(
        self,
        messages: Iterable[Union[bytes, str, dict[str, Any]]],
        *,
        exchange: str = "",
        routing_key: str = "",
        headers: Optional[dict[str, Any]] = None,
        properties: Optional[dict[str, Any]] = None,
        mandatory: Optional[bool] = None,
        vhost: str = "/",
        seconds: float = LIMIT_S,
    ) -> int:
        """Publishes messages in order, with one wait for the confirms of all; returns how many are
        acked and were not returned. A message is a body, or a dict with ``body`` and what is not
        as of the others: ``exchange``, ``routing_key``, ``headers``, ``properties``,
        ``mandatory``. Messages that no queue gets: as of :meth:`publish`."""
        common = {
            **without_none(headers=headers, properties=properties, mandatory=mandatory),
            "exchange": exchange,
            "routing_key": routing_key,
        }
        request = {
            "messages": [{**common, **_message_fields(message)} for message in messages],
            "vhost": vhost,
            "limit_ms": milliseconds(seconds=seconds),
        }
        return int(self.call("POST", "/publish/all", request, patience_s=seconds)["acked"])

    def explain(
        self,
        exchange: str = "",
        routing_key: str = "",
        headers: Optional[dict[str, Any]] = None,
        vhost: str = "/",
    ) -> Explanation:
        """Where a message would go, and why. Nothing is published."""
        question = {"exchange": exchange, "routing_key": routing_key, "vhost": vhost}
        answer = self.call("POST", "/explain", {**question, "headers": headers or {}})
        queues = [arrival["queue"] for arrival in answer["queues"]]
        return Explanation(queues, answer["text"], answer["steps"])

    def alarms(self, memory: Optional[bool] = None, disk: Optional[bool] = None) -> None:
        """Raises or clears alarms: connections that publish are blocked while one is raised."""
        self.call("PUT", "/alarms", without_none(memory=memory, disk=disk))

    def lints(self) -> list[Lint]:
        """What was found that is allowed but seldom meant, if the broker looks for it."""
        return [Lint(**lint) for lint in self.call("GET", "/lints")]

    def wait_until_idle(self, seconds: float = LIMIT_S) -> None:
        """Waits until no delivery is unacknowledged, and no queue that has consumers has ready
        messages. Raises :class:`TimedOut`."""
        self._control.wait("idle", seconds)

    def wait_for(
        self,
        queue: Optional[str] = None,
        *,
        ready: Optional[int] = None,
        unacked: Optional[int] = None,
        consumers: Optional[int] = None,
        connections: Optional[int] = None,
        vhost: str = "/",
        seconds: float = LIMIT_S,
    ) -> None:
        """Waits until a queue has these counts, or so many connections are open. Raises
        :class:`TimedOut`. For events there is :meth:`Events.wait_for`."""
        if (queue is None) == (connections is None):
            raise ValueError("give either queue or connections")
        counts = without_none(ready=ready, unacked=unacked, consumers=consumers)
        state: dict[str, Any] = {"connections": connections}
        if queue is not None:
            state = {"queue": {"name": queue, "vhost": vhost, **counts}}
        self._control.wait(state, seconds)

    def crash(self) -> None:
        """The broker crashes: all connections are lost, and whoever connects is refused. What was
        not confirmed, or is not durable, may be lost. :meth:`start` brings the rest back."""
        self.call("POST", "/broker/crash")

    def stop(self) -> None:
        """The broker is stopped in order: all connections are closed."""
        self.call("POST", "/broker/stop")

    def start(self) -> None:
        """After a crash or a stop: a broker at the same address, with what was durable. Faults,
        alarms and the journal begin anew."""
        self.call("POST", "/broker/start")

    def snapshot(self) -> Snapshot:
        """The broker as it is, to be restored later. A message that waits for an acknowledgement
        is in it as if it had been given back."""
        return Snapshot(self._control, self.call("POST", "/snapshots"))

    def reset(self) -> None:
        """Deletes queues with their messages, exchanges and bindings, events, faults and alarms.
        Connections and the time stay."""
        self.call("POST", "/reset")

    def call(self, method: str, path: str, body: Any = None, patience_s: float = 0) -> Any:
        """Calls the control API. Raises :class:`ControlError`."""
        return self._control.call(method, path, body, patience_s)

    def close(self) -> None:
        """Ends the broker."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(PATIENCE_S)

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _message_fields(message: Union[bytes, str, dict[str, Any]]) -> dict[str, Any]:
    if not isinstance(message, dict):
        return dict(body_fields(message))
    fields = dict(message)
    return {**body_fields(fields.pop("body", b"")), **fields}


def _path(vhost: str, queue: str) -> str:
    return f"/queues/{quote(vhost, safe='')}/{quote(queue, safe='')}"


def _binary() -> str:
    """The program: named by the environment, installed with this package, or on the path."""
    named = os.environ.get("LEVERET_BINARY")
    if named:
        return named
    name = "leveret.exe" if os.name == "nt" else "leveret"
    for installed in _installed(name):
        if os.path.exists(installed):
            return installed
    found = shutil.which("leveret")
    if not found:
        raise RuntimeError(f"the program leveret is not installed. {HOW_TO_GET_IT}")
    return found


def _installed(name: str) -> Iterable[str]:
    """Where pip may have put the program: not on the path after ``pip install --user``."""
    try:
        files = distribution("leveret").files or []
    except PackageNotFoundError:
        files = []
    yield from (str(file.locate()) for file in files if file.name == name)
    yield os.path.join(sysconfig.get_path("scripts"), name)
    # `pip install --target` moves it, and notes where it was before.
    yield os.path.join(os.path.dirname(os.path.dirname(__file__)), "bin", name)
