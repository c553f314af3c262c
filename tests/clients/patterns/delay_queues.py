"""Delay queues made on demand, one per delay, named {queue}.retry.{delay}ms; each deletes itself
when nobody has used it for a while."""

import asyncio
import time

from _support import RUN, exists, next_from, publish, run

MAIN = f"{RUN}.main"
UNUSED_MS = 600


def delay_queue(delay_ms):
    return f"{MAIN}.retry.{delay_ms}ms"


async def publish_later(channel, delay_ms, body):
    """Every publisher declares the delay queue; the same arguments change nothing."""
    arguments = {
        "x-message-ttl": delay_ms,
        "x-expires": delay_ms + UNUSED_MS,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": MAIN,
    }
    await channel.declare_queue(delay_queue(delay_ms), durable=True, arguments=arguments)
    await publish(channel, delay_queue(delay_ms), body)


async def gone(connection, name, idle_s):
    """Whether the queue expires. Asking renews its lease, so each wait is longer than the last."""
    for factor in (1.2, 2, 4):
        await asyncio.sleep(idle_s * factor)
        if not await exists(connection, name):
            return True
    return False


async def program(connection, channel):
    main = await channel.declare_queue(MAIN)
    deliveries = asyncio.Queue()
    await main.consume(deliveries.put, no_ack=True)
    delays = [500, 100, 300, 200]
    start = time.monotonic()
    for delay in delays:
        await publish_later(channel, delay, str(delay))
    # A second use of a queue that exists: it waits its own time from now on.
    await publish_later(channel, 500, "500 again")
    seen = []
    for _ in range(5):
        message = await next_from(deliveries, f"a delayed message after {seen}")
        delay = int(message.body.split()[0])
        waited_ms = (time.monotonic() - start) * 1000
        assert waited_ms >= delay, f"{message.body} came after {waited_ms} ms"
        death = message.headers["x-death"][0]
        assert death["queue"] == delay_queue(delay), death
        assert death["reason"] == "expired" and death["count"] == 1, death
        seen.append(message.body.decode())
    assert seen == ["100", "200", "300", "500", "500 again"], seen
    for delay in sorted(delays, reverse=True):
        name = delay_queue(delay)
        assert await gone(connection, name, (delay + UNUSED_MS) / 1000), f"{name} is still there"
    await main.delete(if_unused=False)


run(program)
