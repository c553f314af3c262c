"""Faults, as pika and aio-pika see them."""

import asyncio
import threading

import aio_pika
import pika
import pytest
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    NackError,
    StreamLostError,
    UnroutableError,
)

from leveret import ControlError


def test_a_declaration_is_refused_once(leveret, channel):
    rule = leveret.faults.on("queue.declare").for_queue("jobs").nth(1).refuse(406, "not now")
    assert str(rule).startswith("on queue.declare for queue 'jobs'")
    with pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED - not now"):
        channel.queue_declare("jobs")
    channel = channel.connection.channel()
    channel.queue_declare("jobs")
    assert (rule.seen, rule.fired) == (2, 1)
    leveret.faults.assert_all_fired()
    rule.remove()
    assert (rule.seen, rule.fired) == (2, 1)
    assert leveret.faults.rules() == []


def test_the_connection_is_lost_at_the_third_publish(leveret, channel):
    leveret.faults.publishes().nth(3).drop_connection()
    channel.basic_publish("", "q", b"1")
    channel.basic_publish("", "q", b"2")
    with pytest.raises(StreamLostError):
        channel.basic_publish("", "q", b"3")
    assert [message.text for message in leveret.peek("q")] == ["1", "2"]


def test_a_publish_took_effect_though_its_confirm_never_came(leveret, channel):
    leveret.faults.publishes().with_body("2").afterwards().drop_connection()
    channel.basic_publish("", "q", b"1")
    with pytest.raises(StreamLostError):
        channel.basic_publish("", "q", b"2")
    assert [message.text for message in leveret.peek("q")] == ["1", "2"]


def test_a_publish_is_nacked(leveret, channel):
    leveret.faults.confirms().with_header("attempt", 1).nack()
    first = pika.BasicProperties(headers={"attempt": 1})
    with pytest.raises(NackError):
        channel.basic_publish("", "q", b"x", first)
    channel.basic_publish("", "q", b"x", pika.BasicProperties(headers={"attempt": 2}))


def test_a_publish_finds_no_queue(leveret, channel):
    leveret.faults.publishes().for_exchange("").for_routing_key("q").times(1).unroutable()
    with pytest.raises(UnroutableError):
        channel.basic_publish("", "q", b"x", mandatory=True)
    channel.basic_publish("", "q", b"x", mandatory=True)


def test_a_confirm_is_late(leveret):
    async def run():
        async with await aio_pika.connect(leveret.amqp) as connection:
            channel = await connection.channel()
            await channel.declare_queue("q")
            held = leveret.faults.confirms().with_property("message_id", "7").hold()
            message = aio_pika.Message(b"x", message_id="7")
            publish = asyncio.create_task(channel.default_exchange.publish(message, "q"))
            enqueued = leveret.journal.enqueued().in_queue("q")
            await asyncio.to_thread(enqueued.wait_for, 1)
            while held.fired == 0:
                await asyncio.sleep(0)
            assert not publish.done()
            assert held.release() == 1
            await publish

    asyncio.run(run())


def test_a_delivery_comes_twice(leveret, channel):
    leveret.faults.deliveries().for_queue("q").with_body_containing("ou").twice()
    for body in [b"single", b"double"]:
        channel.basic_publish("", "q", body)
    seen = []
    for method, _, body in channel.consume("q", auto_ack=True):
        seen.append((body, method.redelivered))
        if len(seen) == 3:
            break
    assert seen == [(b"single", False), (b"double", False), (b"double", True)]


def test_a_delivery_is_late(leveret):
    async def run():
        async with await aio_pika.connect(leveret.amqp) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("q")
            leveret.faults.deliveries().nth(1).delay(minutes=5)
            for text in ["first", "second"]:
                await channel.default_exchange.publish(aio_pika.Message(text.encode()), "q")
            async with queue.iterator(no_ack=True) as messages:
                assert (await anext(messages)).body == b"second"
                leveret.clock.advance(minutes=5)
                assert (await anext(messages)).body == b"first"

    asyncio.run(run())


def test_messages_come_back_in_another_order(leveret, channel):
    for body in [b"1", b"2"]:
        channel.basic_publish("", "q", body)
    leveret.faults.requeues().for_queue("q").to_the_end()
    method, _, _ = channel.basic_get("q")
    channel.basic_reject(method.delivery_tag, requeue=True)
    leveret.wait_for("q", ready=2)
    assert [message.text for message in leveret.peek("q")] == ["2", "1"]


def test_a_frame_is_no_frame(leveret, channel):
    leveret.faults.frames().corrupt()
    with pytest.raises(Exception, match="(?i)frame"):
        channel.queue_declare("other")


def test_the_broker_stops_reading(leveret, channel):
    stopped = leveret.faults.on("queue.purge").stop_reading()

    def release():
        while stopped.release() == 0:
            pass

    releasing = threading.Thread(target=release)
    releasing.start()
    channel.queue_purge("q")
    releasing.join()
    assert stopped.fired == 1


def test_all_connections_are_closed(leveret, channel):
    assert leveret.faults.close_connections(320, "maintenance") == 1
    with pytest.raises(ConnectionClosedByBroker, match="maintenance"):
        channel.queue_declare("other")
    leveret.wait_for(connections=0)
    assert leveret.faults.drop_connections() == 0


def test_a_fault_that_never_happened_fails_the_test(leveret):
    leveret.faults.publishes().for_exchange("orders").unroutable()
    with pytest.raises(AssertionError, match="1 of the faults never happened:\n  publishes for ex"):
        leveret.faults.assert_all_fired()


def test_what_cannot_be_declared_is_explained(leveret):
    with pytest.raises(ControlError, match="there is no 'queue.declear'; there are publishes"):
        leveret.faults.on("queue.declear").drop_connection()
