"""Asking what has happened."""

import asyncio

import aio_pika
import pytest

from leveret import TimedOut


def publish(channel, body, exchange="", key="q"):
    channel.basic_publish(exchange, key, body)


def test_a_program_is_asserted_by_its_events(leveret, channel):
    channel.exchange_declare("orders", "topic")
    channel.queue_bind("q", "orders", "order.#")
    publish(channel, b"reserve", "orders", "order.reserve")
    publish(channel, b"pay", "orders", "order.pay")
    journal = leveret.journal
    journal.published().to("orders").assert_count(2)
    journal.published().with_key_like("order.*").assert_texts("reserve", "pay")
    reserved = journal.assert_published("orders", "order.reserve")
    assert (reserved.text, reserved.kind, reserved.exchange) == ("reserve", "published", "orders")
    journal.published().with_body("reserve").assert_before(journal.published().with_body("pay"))
    journal.delivered().in_queue("q").assert_none()
    journal.assert_nothing_lost()
    way = [event.kind for event in journal.of_message(reserved).all()]
    assert way[:3] == ["published", "routed", "enqueued"]


def test_a_dead_letter_says_why(leveret):
    async def run():
        async with await aio_pika.connect(leveret.amqp) as connection:
            channel = await connection.channel()
            await channel.declare_queue("dead")
            to_dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
            queue = await channel.declare_queue("jobs", arguments=to_dead)
            message = aio_pika.Message(b"job", headers={"try": 1}, correlation_id="c")
            await channel.default_exchange.publish(message, "jobs")
            taken = await queue.get()
            await taken.reject(requeue=False)
            dead = leveret.journal.dead_lettered().in_queue("jobs").to_queue("dead")
            await asyncio.to_thread(dead.wait_for, 1)
            event = dead.because("rejected").assert_one()
            assert event.fields["to"] == ["dead"]
            assert event.headers["try"] == 1
            dead.because("expired").assert_none()
            leveret.journal.with_correlation_id("c").with_header("try", 1).acked().assert_none()

    asyncio.run(run())


def test_an_assertion_that_fails_tells_what_did_happen(leveret, channel):
    publish(channel, b"hello")
    with pytest.raises(AssertionError) as failed:
        leveret.journal.published().with_key("Q").assert_count(1)
    text = str(failed.value)
    assert text.startswith("expected of the events that are published with key 'Q': 1 of them")
    assert "with key 'q' by guest" in text and '"hello"' in text
    with pytest.raises(AssertionError, match="these are:"):
        leveret.journal.published().assert_none()
    with pytest.raises(AssertionError, match="at least one of them, not none"):
        leveret.journal.dropped().assert_some()


def test_events_are_waited_for_and_forgotten(leveret, channel):
    publish(channel, b"\xff")
    leveret.journal.confirmed().wait_for(1)
    with pytest.raises(TimedOut, match="there were 0 events that are acknowledged, not 1 within"):
        leveret.journal.acked().wait_for(1, seconds=0.01)
    event = leveret.journal.published().last()
    assert event.body == b"\xff"
    assert leveret.journal.with_body(b"\xff").published().count() == 1
    assert "published to the default exchange" in str(leveret.journal)
    assert leveret.journal.after(event).first().number == event.number + 1
    leveret.journal.clear()
    assert leveret.journal.all() == []


def test_two_conditions_of_a_kind_are_refused(leveret):
    with pytest.raises(ValueError, match="queue is 'a' already"):
        leveret.journal.in_queue("a").in_queue("b")
