"""Faults: what goes wrong rarely in production goes wrong in a test when the test says so.

A rule says on what occasion it acts, which of these occasions it means, and what then happens::

    leveret.faults.on("queue.declare").for_queue("jobs").nth(1).refuse(406, "not now")
    leveret.faults.publishes().nth(3).drop_connection()
"""

from __future__ import annotations

from typing import Any, TypeVar, Union

from .control import Control, body_fields, milliseconds

# pytest shows the test, and not this file, when something fails.
__tracebackhide__ = True

_W = TypeVar("_W", bound="When")


class Rule:
    """A fault that was declared. It is in force until it is removed."""

    def __init__(self, control: Control, known: dict[str, Any]) -> None:
        self._control = control
        self._known = known
        self._removed = False
        self._path = f"/faults/{known['id']}"

    def _look(self) -> dict[str, Any]:
        if not self._removed:
            self._known = self._control.call("GET", self._path)
        return self._known

    @property
    def fired(self) -> int:
        """How often it acted."""
        return int(self._look()["fired"])

    @property
    def seen(self) -> int:
        """How many occasions passed its filters, whether it acted on them or not."""
        return int(self._look()["seen"])

    def release(self) -> int:
        """What it holds back goes on: confirms, clients that are not read. Tells how many."""
        return int(self._control.call("POST", f"{self._path}/release")["released"])

    def remove(self) -> None:
        """Takes it back: it does not act any more, and what it holds back goes on."""
        if not self._removed:
            self._known = self._control.call("DELETE", self._path)
            self._removed = True

    def __str__(self) -> str:
        return str(self._known["text"])

    def __repr__(self) -> str:
        return f"<Rule {self}>"


class When:
    """A rule that has no action yet. Its last call says what happens, and puts it in force."""

    def __init__(self, control: Control, rule: dict[str, Any]) -> None:
        self._control = control
        self._rule = rule

    def _with(self: _W, **fields: Any) -> _W:
        return type(self)(self._control, {**self._rule, **fields})

    def _then(self, fault: Any) -> Rule:
        rule = {**self._rule, "then": fault}
        return Rule(self._control, self._control.call("POST", "/faults", rule))

    def on_connection(self: _W, name: str) -> _W:
        """On connections whose client gave itself this name: ``connection_name``."""
        return self._with(connection=name)

    def on_virtual_host(self: _W, name: str) -> _W:
        """In this virtual host."""
        return self._with(vhost=name)

    def on_channel(self: _W, number: int) -> _W:
        """On channels with this number."""
        return self._with(channel=number)

    def for_queue(self: _W, name: str) -> _W:
        """About this queue: that a method names, or a delivery comes from or goes back to."""
        return self._with(queue=name)

    def for_exchange(self: _W, name: str) -> _W:
        """About this exchange: that a method names, or a message was published to."""
        return self._with(exchange=name)

    def for_routing_key(self: _W, key: str) -> _W:
        """With this routing key: of a message, or that a method names."""
        return self._with(routing_key=key)

    def with_body(self: _W, body: Union[bytes, str]) -> _W:
        """About messages with exactly this body."""
        return self._with(**body_fields(body))

    def with_body_containing(self: _W, part: str) -> _W:
        """About messages with this text somewhere in their body."""
        return self._with(body_contains=part)

    def with_header(self: _W, name: str, value: Any) -> _W:
        """About messages with this header."""
        return self._with(headers={**self._rule.get("headers", {}), name: value})

    def with_property(self: _W, name: str, value: Any) -> _W:
        """About messages with this property, such as ``correlation_id``."""
        return self._with(properties={**self._rule.get("properties", {}), name: value})

    def nth(self: _W, n: int) -> _W:
        """Only on the ``n``-th occasion, counted from 1."""
        return self._with(nth=n)

    def times(self: _W, times: int) -> _W:
        """At most so often."""
        return self._with(times=times)

    def after(self: _W, occasions: int) -> _W:
        """Not before so many occasions have passed."""
        return self._with(after=occasions)


class _Ends(When):
    def afterwards(self: _W) -> _W:
        """What follows happens after this has taken effect, instead of before it."""
        return self._with(afterwards=True)

    def drop_connection(self) -> Rule:
        """The connection is lost: the broker closes its end without a word."""
        return self._then("drop_connection")

    def crash(self) -> Rule:
        """The broker crashes: see :meth:`Broker.crash`."""
        return self._then("crash")

    def close_channel(self, code: int, text: str) -> Rule:
        """The broker closes the channel."""
        return self._then({"close_channel": {"code": code, "text": text}})

    def close_connection(self, code: int, text: str) -> Rule:
        """The broker closes the connection."""
        return self._then({"close_connection": {"code": code, "text": text}})


class Methods(_Ends):
    """A rule for methods that clients call."""

    def refuse(self, code: int, text: str) -> Rule:
        """It has no effect, and closes what the code closes: the channel or the connection."""
        return self._then({"refuse": {"code": code, "text": text}})

    def stop_reading(self) -> Rule:
        """The broker reads nothing more from the connection before :meth:`Rule.release`."""
        return self._then("stop_reading")


class Publishes(Methods):
    """A rule for publishes."""

    def unroutable(self) -> Rule:
        """The message finds no queue, though one is bound."""
        return self._then("unroutable")


class Confirms(When):
    """A rule for confirms. It looks at the publish that is to be confirmed."""

    def nack(self) -> Rule:
        """The publisher is told that the broker could not take the message; its queues have it all
        the same."""
        return self._then("nack")

    def nack_and_drop(self) -> Rule:
        """The publisher is told that the broker could not take the message, and no queue has it."""
        return self._then("nack_and_drop")

    def hold(self) -> Rule:
        """The confirm does not go out before :meth:`Rule.release`."""
        return self._then("hold")

    def lose(self) -> Rule:
        """The confirm never comes."""
        return self._then("lose")


class Deliveries(_Ends):
    """A rule for deliveries to consumers."""

    def twice(self) -> Rule:
        """The message is delivered, and then once more with the redelivered flag."""
        return self._then("twice")

    def delay(
        self, *, hours: float = 0, minutes: float = 0, seconds: float = 0, ms: float = 0
    ) -> Rule:
        """The message is delivered so much later by the broker's clock."""
        total = milliseconds(hours=hours, minutes=minutes, seconds=seconds, ms=ms)
        return self._then({"delay": {"ms": total}})


class Requeues(When):
    """A rule for messages that go back to their queue."""

    def to_the_end(self) -> Rule:
        """They go to the end of the queue instead of where they came from."""
        return self._then("to_the_end")


class Frames(When):
    """A rule for frames that the broker sends."""

    def corrupt(self) -> Rule:
        """The frame does not end as frames do."""
        return self._then("corrupt")

    def truncate(self) -> Rule:
        """Half of the frame is sent, and then the connection is lost."""
        return self._then("truncate")


class Faults:
    """The faults of a broker."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def on(self, method: str) -> Methods:
        """A rule for a method that clients call, such as ``queue.declare``, or ``any method``."""
        return Methods(self._control, {"on": method})

    def publishes(self) -> Publishes:
        """A rule for publishes."""
        return Publishes(self._control, {"on": "publishes"})

    def confirms(self) -> Confirms:
        """A rule for what publishers are told of their publishes."""
        return Confirms(self._control, {"on": "confirms"})

    def deliveries(self) -> Deliveries:
        """A rule for deliveries to consumers."""
        return Deliveries(self._control, {"on": "deliveries"})

    def requeues(self) -> Requeues:
        """A rule for messages that go back to their queue."""
        return Requeues(self._control, {"on": "requeues"})

    def frames(self) -> Frames:
        """A rule for frames that the broker sends."""
        return Frames(self._control, {"on": "frames"})

    def drop_connections(self) -> int:
        """Every connection is lost now. Tells how many."""
        return int(self._control.call("POST", "/connections/drop")["connections"])

    def close_connections(self, code: int, text: str) -> int:
        """Every connection is closed now. Tells how many."""
        closed = self._control.call("POST", "/connections/close", {"code": code, "text": text})
        return int(closed["connections"])

    def rules(self) -> list[Rule]:
        """All rules in force."""
        return [Rule(self._control, known) for known in self._control.call("GET", "/faults")]

    def clear(self) -> None:
        """Removes all rules; what they hold back goes on."""
        self._control.call("DELETE", "/faults")

    def assert_all_fired(self) -> None:
        """Fails the test if there is a rule in force that never acted, or no rule at all."""
        rules = self._control.call("GET", "/faults")
        if not rules:
            raise AssertionError(
                "no fault was declared, or all were removed: there is none that could happen"
            )
        idle = [rule["text"] for rule in rules if rule["fired"] == 0]
        if idle:
            raise AssertionError("\n  ".join([f"{len(idle)} of the faults never happened:", *idle]))
