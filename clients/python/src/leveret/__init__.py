"""A broker that behaves as RabbitMQ does, for tests."""

from .broker import Broker
from .clock import Clock
from .control import ControlError, TimedOut
from .faults import Faults, Rule
from .journal import Event, Events, Journal
from .messages import Explanation, Lint, Message, Queue
from .snapshot import Snapshot

__all__ = [
    "Broker",
    "Clock",
    "ControlError",
    "Event",
    "Events",
    "Explanation",
    "Faults",
    "Journal",
    "Lint",
    "Message",
    "Queue",
    "Rule",
    "Snapshot",
    "TimedOut",
]
