"""A broker in a process of its own, which ends with this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Optional

#: Seconds that the broker has to start, and to answer.
PATIENCE_S = 30


class ControlError(Exception):
    """The broker refuses what it was asked for."""


@dataclass(frozen=True)
class Queue:
    """What is in a queue."""

    vhost: str
    name: str
    #: Messages that wait for a consumer.
    ready: int
    #: Messages that wait for an acknowledgement.
    unacked: int
    consumers: int


class Broker:
    """A broker that keeps everything in memory, on free ports. Use it in a ``with`` statement.

    With ``manual_clock``, the default, its time stands still until it is advanced.
    """

    def __init__(self, manual_clock: bool = True) -> None:
        command = [_binary(), "test"]
        if manual_clock:
            command.append("--manual-clock")
        # It ends when its standard input does: with this process, however that ends.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[0]} ended with status {self._process.wait()}")
        ready = json.loads(line)
        #: URL for any AMQP 0-9-1 client.
        self.amqp: str = ready["amqp"]
        self._control: str = ready["control"]
        #: The broker's time.
        self.clock = Clock(self)

    def queues(self) -> dict[str, Queue]:
        """The queues by name; those of other virtual hosts than ``/`` as ``vhost/name``."""
        queues = [Queue(**queue) for queue in self.call("GET", "/queues")]
        return {
            queue.name if queue.vhost == "/" else f"{queue.vhost}/{queue.name}": queue
            for queue in queues
        }

    def alarms(self, memory: Optional[bool] = None, disk: Optional[bool] = None) -> None:
        """Raises or clears alarms: connections that publish are blocked while one is raised."""
        alarms = {"memory": memory, "disk": disk}
        self.call("PUT", "/alarms", {name: on for name, on in alarms.items() if on is not None})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Calls the control API. Raises :class:`ControlError`."""
        request = urllib.request.Request(self._control + path, method=method)
        if body is not None:
            request.add_header("content-type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise ControlError(_reason(error)) from None
        return json.loads(content) if content else None

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


class Clock:
    """The time of a broker, in the test's hands."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970, as the broker sees them."""
        return self._broker.call("GET", "/clock")["now_ms"]

    def advance(
        self, *, hours: float = 0, minutes: float = 0, seconds: float = 0, ms: float = 0
    ) -> None:
        """Moves time on. When this returns, what follows has happened in the broker."""
        total = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms
        self._broker.call("POST", "/clock/advance", {"ms": round(total)})

    def advance_to_next_event(self) -> None:
        """Moves time on to the next deadline: a message or a queue that expires, a delay."""
        self._broker.call("POST", "/clock/advance", {"to_next_event": True})


def _binary() -> str:
    """The program: named by the environment, installed with this package, or on the path."""
    named = os.environ.get("LEVERET_BINARY")
    if named:
        return named
    installed = os.path.join(sysconfig.get_path("scripts"), "leveret")
    found = installed if os.path.exists(installed) else shutil.which("leveret")
    if not found:
        raise RuntimeError("the program leveret is not installed; LEVERET_BINARY can name it")
    return found


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}: {text}"
