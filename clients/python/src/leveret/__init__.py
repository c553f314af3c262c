"""A broker that behaves as RabbitMQ does, for tests."""

from .broker import Broker, Clock, ControlError, Queue

__all__ = ["Broker", "Clock", "ControlError", "Queue"]
