"""The fixture with pika and with aio-pika."""

import asyncio
import threading

import aio_pika
import pika
import pytest

import leveret as package


def connect(broker):
    return pika.BlockingConnection(pika.URLParameters(broker.amqp))


def test_an_hour_passes_at_once(leveret):
    with connect(leveret) as connection:
        channel = connection.channel()
        channel.queue_declare("codes", arguments={"x-message-ttl": 3_600_000})
        channel.confirm_delivery()
        channel.basic_publish("", "codes", b"123456")
        leveret.clock.advance(minutes=59, seconds=59)
        assert leveret.queues()["codes"].ready == 1
        leveret.clock.advance(seconds=1)
        assert leveret.queues()["codes"].ready == 0


def test_a_retry_comes_when_it_is_due(leveret):
    with connect(leveret) as connection:
        channel = connection.channel()
        channel.queue_declare("work")
        retry = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work"}
        channel.queue_declare("retry", arguments={**retry, "x-message-ttl": 300_000})
        channel.confirm_delivery()
        channel.basic_publish("", "retry", b"job")
        before = leveret.clock.now_ms
        leveret.clock.advance_to_next_event()
        assert leveret.clock.now_ms - before == 300_000
        method, _, body = channel.basic_get("work", auto_ack=True)
        assert body == b"job"


def test_aio_pika(leveret):
    async def run():
        async with await aio_pika.connect_robust(leveret.amqp) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("q", arguments={"x-expires": 60_000})
            message = aio_pika.Message(b"hello")
            await channel.default_exchange.publish(message, routing_key="q")
            received = await queue.get()
            await received.ack()
            assert received.body == b"hello"
            leveret.clock.advance(minutes=1)
            assert "q" not in leveret.queues()

    asyncio.run(run())


def test_publishers_are_blocked_by_an_alarm(leveret):
    with connect(leveret) as connection:
        blocked = threading.Event()
        connection.add_on_connection_blocked_callback(lambda *_: blocked.set())
        channel = connection.channel()
        leveret.alarms(memory=True)
        channel.basic_publish("", "nowhere", b"x")
        for _ in range(300):
            if blocked.is_set():
                break
            connection.process_data_events(0.1)
        assert blocked.is_set()
        leveret.alarms(memory=False)


def test_each_test_has_a_broker_of_its_own(leveret):
    assert leveret.queues() == {}


def test_a_broker_without_pytest_on_real_time():
    with package.Broker(manual_clock=False) as broker:
        assert broker.queues() == {}
        with pytest.raises(package.ControlError, match="start with --manual-clock"):
            broker.clock.advance(seconds=1)
