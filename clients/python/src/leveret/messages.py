"""What is in a broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from .control import body_of


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


@dataclass(frozen=True)
class Message:
    """A message in a queue."""

    #: Empty for the default exchange.
    exchange: str
    routing_key: str
    body: bytes
    #: Those that are set, by AMQP's names, without the headers.
    properties: dict[str, Any]
    headers: dict[str, Any]
    #: Whether it may have been delivered before.
    redelivered: bool
    #: How often it was returned to the queue.
    delivery_count: int
    #: By the broker's clock; ``None`` if it does not expire.
    expires_at_ms: Optional[int]
    #: Who has it, if it is not acknowledged; ``None`` if it was taken by basic.get.
    consumer_tag: Optional[str] = None
    #: Since when, if it is not acknowledged.
    delivered_at_ms: Optional[int] = None
    #: Number of the connection that has it, as in the journal.
    connection: Optional[int] = None
    #: What the client calls that connection; ``None`` if it gave it no name.
    connection_name: Optional[str] = None
    #: Number of the channel that has it.
    channel: Optional[int] = None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Message:
        """A message that the control API tells of."""
        rest = {k: v for k, v in fields.items() if k not in ("body", "body_base64")}
        return cls(body=body_of(fields) or b"", **rest)


@dataclass(frozen=True)
class Explanation:
    """Where a message would go, and why. As a ``str`` it is a text of a few lines."""

    #: Queues that would get it.
    queues: list[str]
    text: str
    #: The exchanges on the way, with the bindings that match and those that nearly do.
    steps: list[dict[str, Any]]

    @property
    def unroutable(self) -> bool:
        """Whether no queue would get it."""
        return not self.queues

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Lint:
    """Something that is allowed but seldom meant."""

    #: ``unknown_argument``, ``nothing_bound`` and so on.
    kind: str
    #: ``queue 'q' in vhost '/'``.
    subject: str
    #: What is wrong, and what to do about it.
    text: str
