"""A priority queue hands out the highest priority first, and within one priority the oldest."""

import asyncio

from _support import RUN, next_from, publish, ready, run

QUEUE = f"{RUN}.queue"
MAX = 5


async def take_all(queue, count):
    """Takes one message at a time, as a worker with a prefetch of 1 does."""
    deliveries, seen = asyncio.Queue(), []
    tag = await queue.consume(deliveries.put)
    for _ in range(count):
        message = await next_from(deliveries, f"a message after {seen}")
        seen.append(message.body.decode())
        await message.ack()
    await queue.cancel(tag)
    return seen


async def orders_a_backlog(channel, queue):
    # Absent counts as 0, and what is above the maximum as the maximum.
    priorities = [None, 3, 5, 0, 9, 1, 3, None, 5, 2]
    for number, priority in enumerate(priorities):
        await publish(channel, QUEUE, f"{number}", priority=priority)
    level = [min(priority or 0, MAX) for priority in priorities]
    expected = sorted(range(len(level)), key=lambda number: -level[number])
    assert await ready(channel, QUEUE) == len(level)
    seen = await take_all(queue, len(level))
    assert seen == [str(number) for number in expected], f"{seen}, expected {expected}"


async def late_urgent_overtakes(channel, queue):
    for number in range(3):
        await publish(channel, QUEUE, f"normal {number}", priority=1)
    deliveries = asyncio.Queue()
    tag = await queue.consume(deliveries.put)
    first = await next_from(deliveries, "the first message")
    assert first.body == b"normal 0", first.body
    await publish(channel, QUEUE, "urgent", priority=4)
    await first.ack()
    second = await next_from(deliveries, "the urgent message")
    assert (second.body, second.priority) == (b"urgent", 4), second
    await second.ack()
    await queue.cancel(tag)
    # What the cancelled consumer held unacked stays its own until it is given back.
    held = await next_from(deliveries, "the message under way at the cancel")
    assert held.body == b"normal 1", held.body
    await held.nack(requeue=True)
    assert await take_all(queue, 2) == ["normal 1", "normal 2"], "a requeue keeps its place"


async def program(connection, channel):
    queue = await channel.declare_queue(QUEUE, arguments={"x-max-priority": MAX})
    await channel.set_qos(prefetch_count=1)
    await orders_a_backlog(channel, queue)
    await late_urgent_overtakes(channel, queue)
    assert await ready(channel, QUEUE) == 0, "messages were left over"
    await queue.delete()


run(program)
