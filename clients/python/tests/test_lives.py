"""Brokers that crash, stop and start, and that become what they were."""

import pika
import pytest

from leveret import ControlError

DURABLE = pika.BasicProperties(delivery_mode=2)


def connect(leveret):
    channel = pika.BlockingConnection(pika.URLParameters(leveret.amqp)).channel()
    channel.confirm_delivery()
    return channel


def test_what_was_confirmed_is_there_after_a_crash(leveret):
    channel = connect(leveret)
    channel.queue_declare("jobs", durable=True)
    channel.basic_publish("", "jobs", b"durable", DURABLE)
    channel.basic_publish("", "jobs", b"transient")
    crash = leveret.faults.publishes().nth(1).crash()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        channel.basic_publish("", "jobs", b"too late", DURABLE)
    assert crash.fired == 1
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connect(leveret)
    leveret.start()
    channel = connect(leveret)
    method, _, body = channel.basic_get("jobs")
    assert (body, method.redelivered) == (b"durable", True)
    assert channel.basic_get("jobs") == (None, None, None)
    with pytest.raises(ControlError, match="is running: crash or stop it first"):
        leveret.start()


def test_a_broker_that_is_stopped_says_so(leveret):
    channel = connect(leveret)
    channel.queue_declare("q", durable=True)
    channel.basic_publish("", "q", b"x", DURABLE)
    before = leveret.clock.now_ms
    leveret.clock.advance(hours=1)
    leveret.stop()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="320"):
        channel.connection.process_data_events(time_limit=10)
    leveret.start()
    assert leveret.clock.now_ms - before == 3_600_000
    assert [(m.text, m.redelivered) for m in leveret.peek("q")] == [("x", False)]


def test_each_test_can_begin_from_the_same_state(leveret, channel):
    leveret.publish("a", routing_key="q")
    snapshot = leveret.snapshot()
    assert (snapshot.queues, snapshot.messages) == (1, 1)
    for _ in range(2):
        channel.queue_declare("other")
        assert channel.basic_get("q", auto_ack=True)[2] == b"a"
        leveret.publish("b", routing_key="q")
        snapshot.restore()
        assert list(leveret.queues()) == ["q"]
        assert [message.text for message in leveret.peek("q")] == ["a"]
    snapshot.forget()
    with pytest.raises(ControlError, match="there is no snapshot '1'"):
        snapshot.restore()
