"""A failed message waits in one TTL queue after another and comes back to the main queue each
time; after the last attempt it goes to the dead-letter queue."""

import asyncio
import time

from _support import RUN, next_from, publish, run

MAIN, DEAD, LOOP = f"{RUN}.main", f"{RUN}.dead", f"{RUN}.loop"
DELAYS_MS = [100, 200, 400]


def deaths(message):
    """The x-death entries of a message, most recent first: (queue, reason, count)."""
    entries = message.headers.get("x-death", [])
    text = lambda value: value.decode() if isinstance(value, bytes) else value  # noqa: E731
    return [(text(e["queue"]), text(e["reason"]), e["count"]) for e in entries]


def retry_queue(delay_ms):
    return f"{MAIN}.retry.{delay_ms}"


async def declare(channel):
    """The main queue dead-letters to DEAD, each retry queue back to the main queue."""
    dead = await channel.declare_queue(DEAD)
    to_dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD}
    main = await channel.declare_queue(MAIN, arguments=to_dead)
    back = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": MAIN}
    for delay in DELAYS_MS:
        arguments = {**back, "x-message-ttl": delay}
        await channel.declare_queue(retry_queue(delay), arguments=arguments)
    return main, dead


async def fail_every_attempt(channel, main, dead):
    deliveries, dead_letters = asyncio.Queue(), asyncio.Queue()
    await main.consume(deliveries.put)
    await dead.consume(dead_letters.put)
    await publish(channel, MAIN, "order 1", headers={"attempt": 0})
    for attempt, delay in enumerate(DELAYS_MS):
        message = await next_from(deliveries, f"attempt {attempt}")
        assert message.headers["attempt"] == attempt, message.headers
        if attempt:
            last = retry_queue(DELAYS_MS[attempt - 1])
            assert deaths(message) == [(last, "expired", 1)], deaths(message)
            waited_ms = (time.monotonic() - sent) * 1000
            assert waited_ms >= DELAYS_MS[attempt - 1], f"came back after {waited_ms} ms"
        sent = time.monotonic()
        await publish(channel, retry_queue(delay), "order 1", headers={"attempt": attempt + 1})
        await message.ack()
    message = await next_from(deliveries, "the last attempt")
    await message.reject(requeue=False)
    message = await next_from(dead_letters, "the dead letter")
    assert message.body == b"order 1" and message.headers["attempt"] == 3, message
    expected = [(MAIN, "rejected", 1), (retry_queue(400), "expired", 1)]
    assert deaths(message) == expected, deaths(message)
    assert message.headers["x-first-death-queue"] == retry_queue(400), message.headers
    assert message.headers["x-first-death-reason"] == "expired", message.headers
    await message.ack()


async def loop_and_count(channel):
    """The other common form: reject, wait in one TTL queue, count by x-death."""
    waiting = f"{LOOP}.wait"
    to_wait = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": waiting}
    back = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": LOOP}
    queue = await channel.declare_queue(LOOP, arguments=to_wait)
    await channel.declare_queue(waiting, arguments={**back, "x-message-ttl": 50})
    deliveries = asyncio.Queue()
    await queue.consume(deliveries.put)
    await publish(channel, LOOP, "order 2")
    for round_ in range(4):
        message = await next_from(deliveries, f"round {round_}")
        expected = [(waiting, "expired", round_), (LOOP, "rejected", round_)]
        assert deaths(message) == (expected if round_ else []), deaths(message)
        if round_ < 3:
            await message.reject(requeue=False)
    await message.ack()


async def program(connection, channel):
    main, dead = await declare(channel)
    await fail_every_attempt(channel, main, dead)
    await loop_and_count(channel)
    for name in [MAIN, DEAD, LOOP, f"{LOOP}.wait", *map(retry_queue, DELAYS_MS)]:
        result = await channel.queue_delete(name)
        assert result.message_count == 0, f"{name} had {result.message_count} messages left"


run(program)
