"""What has happened in a broker, in order, for tests to ask about::

    leveret.journal.published().to("orders").with_key("order.created").assert_count(1)

Each method narrows down which events are meant; an assertion that fails tells what did happen.
"""

from __future__ import annotations

import json
import urllib.parse
from typing import Any, Optional, Union

from .control import LIMIT_S, Control, body_fields, body_of

# pytest shows the test, and not this file, when something fails.
__tracebackhide__ = True


class Event:
    """Something that happened; :attr:`fields` is all of it, as the control API tells it."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        #: Counts the events of a broker from 1.
        self.number: int = fields["number"]
        #: When, by the broker's clock.
        self.at_ms: int = fields["at_ms"]
        #: ``published``, ``delivered``, ``dead_lettered`` and so on.
        self.kind: str = fields["kind"]
        self.vhost: str = fields["vhost"]
        #: The same for all that happens to one message; ``None`` if there is none.
        self.message: Optional[int] = fields["message"]
        self.exchange: Optional[str] = fields.get("exchange")
        self.routing_key: Optional[str] = fields.get("routing_key")
        self.queue: Optional[str] = fields.get("queue")
        self.consumer_tag: Optional[str] = fields.get("consumer_tag")
        self.redelivered: Optional[bool] = fields.get("redelivered")
        #: Why the message died: ``rejected``, ``expired``, ``maxlen``, ``delivery_limit``.
        self.reason: Optional[str] = fields.get("reason")
        self.properties: dict[str, Any] = fields.get("properties", {})
        self.headers: dict[str, Any] = fields.get("headers", {})
        self.body: Optional[bytes] = body_of(fields)

    @property
    def text(self) -> str:
        """The body as text."""
        return (self.body or b"").decode(errors="replace")

    def __str__(self) -> str:
        return str(self.fields["line"])

    def __repr__(self) -> str:
        return f"<Event {str(self).strip()}>"


class Events:
    """Events that meet all conditions, as they are at the time of the question."""

    def __init__(self, control: Control, where: Optional[dict[str, Any]] = None) -> None:
        self._control = control
        self._where = where or {}

    def _with(self, **conditions: Any) -> Events:
        for name in conditions.keys() & self._where.keys():
            raise ValueError(f"{name} is {self._where[name]!r} already")
        return Events(self._control, {**self._where, **conditions})

    # Kinds of events.

    def published(self) -> Events:
        """Messages that clients published, each once however many queues got it."""
        return self._with(kind="published")

    def routed(self) -> Events:
        """Messages that bindings led to queues."""
        return self._with(kind="routed")

    def unroutable(self) -> Events:
        """Messages that no queue got, returned or not."""
        return self._with(kind="unroutable")

    def returned(self) -> Events:
        """Messages that went back to their publishers."""
        return self._with(kind="returned")

    def confirmed(self) -> Events:
        """Publishes that were confirmed."""
        return self._with(kind="confirmed")

    def nacked(self) -> Events:
        """Publishes that were nacked."""
        return self._with(kind="nacked")

    def enqueued(self) -> Events:
        """Messages that came into a queue, once for each queue."""
        return self._with(kind="enqueued")

    def delivered(self) -> Events:
        """Messages that were passed on to consumers, once for each delivery."""
        return self._with(kind="delivered")

    def got(self) -> Events:
        """Messages that were taken by basic.get."""
        return self._with(kind="got")

    def acked(self) -> Events:
        """Deliveries that were acknowledged."""
        return self._with(kind="acked")

    def requeued(self) -> Events:
        """Deliveries that went back to their queues."""
        return self._with(kind="requeued")

    def rejected(self) -> Events:
        """Deliveries that were refused without being requeued."""
        return self._with(kind="rejected")

    def expired(self) -> Events:
        """Messages that expired."""
        return self._with(kind="expired")

    def dead_lettered(self) -> Events:
        """Messages that went on to a dead-letter exchange and from there to a queue."""
        return self._with(kind="dead_lettered")

    def dropped(self) -> Events:
        """Messages that were lost."""
        return self._with(kind="dropped")

    def topology(self) -> Events:
        """Queues, exchanges, bindings, consumers and connections that came or went."""
        return self._with(kind="topology")

    # Conditions.

    def to(self, exchange: str) -> Events:
        """About messages that were published to this exchange, empty for the default exchange."""
        return self._with(exchange=exchange)

    def with_key(self, routing_key: str) -> Events:
        """About messages with this routing key."""
        return self._with(routing_key=routing_key)

    def with_key_like(self, pattern: str) -> Events:
        """About messages with a routing key that this pattern of a topic exchange matches."""
        return self._with(routing_key_like=pattern)

    def with_body(self, body: Union[bytes, str]) -> Events:
        """About messages with exactly this body."""
        return self._with(**body_fields(body))

    def with_body_containing(self, part: str) -> Events:
        """About messages with this text somewhere in their body."""
        return self._with(body_contains=part)

    def with_header(self, name: str, value: Any) -> Events:
        """About messages with this header; several may be named."""
        headers = {**self._where.get("headers", {}), name: value}
        return Events(self._control, {**self._where, "headers": headers})

    def with_correlation_id(self, correlation_id: str) -> Events:
        """About messages with this ``correlation_id``."""
        return self._with(correlation_id=correlation_id)

    def in_queue(self, queue: str) -> Events:
        """That happened in this queue; of dead letters it is the queue that they died in."""
        return self._with(queue=queue)

    def to_queue(self, queue: str) -> Events:
        """That led a message to this queue: routed, or dead-lettered."""
        return self._with(to_queue=queue)

    def of_consumer(self, consumer_tag: str) -> Events:
        """Deliveries to this consumer, its start and its end."""
        return self._with(consumer_tag=consumer_tag)

    def by_user(self, user: str) -> Events:
        """Publishes and connections of this user."""
        return self._with(user=user)

    def in_virtual_host(self, name: str) -> Events:
        """That happened in this virtual host."""
        return self._with(vhost=name)

    def because(self, reason: str) -> Events:
        """About messages that died: ``rejected``, ``expired``, ``maxlen``, ``delivery_limit``."""
        return self._with(because=reason)

    def dropped_because(self, reason: str) -> Events:
        """About messages that were dropped: ``died`` without a dead-letter exchange,
        ``undeliverable``, ``cycle``, ``purged``, ``queue_deleted``, ``duplicate``."""
        return self._with(dropped_because=reason)

    def redelivered(self) -> Events:
        """Deliveries of messages that may have been delivered before."""
        return self._with(redelivered=True)

    def of_message(self, event: Event) -> Events:
        """All that happened to the message of this event; dead letters are the same message."""
        if event.message is None:
            raise ValueError("the event is about no message")
        return self._with(message=event.message)

    def after(self, event: Event) -> Events:
        """That happened after this event."""
        return self._with(after=event.number)

    # Answers.

    def all(self, last: Optional[int] = None) -> list[Event]:
        """The events, oldest first; of many, the ``last`` so many."""
        where = self._where if last is None else {**self._where, "last": last}
        as_text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in where.items()}
        events = self._control.call("GET", "/journal?" + urllib.parse.urlencode(as_text))
        return [Event(fields) for fields in events]

    def count(self) -> int:
        """How many there are."""
        return len(self.all())

    def first(self) -> Optional[Event]:
        """The oldest."""
        return next(iter(self.all()), None)

    def last(self) -> Optional[Event]:
        """The newest."""
        return next(iter(self.all(last=1)), None)

    def texts(self) -> list[str]:
        """The bodies as texts, in order."""
        return [event.text for event in self.all()]

    def wait_for(self, count: int = 1, seconds: float = LIMIT_S) -> None:
        """Waits until there are so many. Raises :class:`~leveret.TimedOut`."""
        self._control.wait({"events": {"where": self._where, "count": count}}, seconds)

    def __str__(self) -> str:
        return "\n".join(str(event) for event in self.all())

    # Assertions.

    def _check(self, **expected: Any) -> None:
        answer = self._control.call("POST", "/journal/check", {"events": self._where, **expected})
        if not answer["holds"]:
            raise AssertionError(answer["text"])

    def assert_count(self, expected: int) -> None:
        """Asserts that there are so many."""
        self._check(count=expected)

    def assert_none(self) -> None:
        """Asserts that there is none."""
        self._check(count=0)

    def assert_some(self) -> Event:
        """Asserts that there is at least one; returns the oldest."""
        self._check(some=True)
        return self.all()[0]

    def assert_one(self) -> Event:
        """Asserts that there is exactly one; returns it."""
        self._check(count=1)
        return self.all()[0]

    def assert_texts(self, *expected: str) -> None:
        """Asserts that the bodies are these texts, in this order."""
        self._check(texts=list(expected))

    def assert_before(self, later: Events) -> None:
        """Asserts that all of these happened before the first of those, and that there are both."""
        self._check(before=later._where)


class Journal(Events):
    """All events of a broker: the last 100,000 unless it was started with another number."""

    def clear(self) -> None:
        """Forgets all events, for a test that begins where another part ended."""
        self._control.call("DELETE", "/journal")

    def assert_published(self, exchange: str, routing_key: str) -> Event:
        """Asserts that a message was published so; returns the event of the first one."""
        return self.published().to(exchange).with_key(routing_key).assert_some()

    def assert_nothing_lost(self) -> None:
        """Asserts that no message was lost: none was unroutable, and none was dropped."""
        self.dropped().assert_none()
        self.unroutable().assert_none()
