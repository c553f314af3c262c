"""What the pattern programs share: the URI, unique names, bounded waits."""

import asyncio
import os
import sys
import time
import uuid

import aio_pika
from aio_pika.exceptions import ChannelNotFoundEntity

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
WAIT_S = 10
NAME = os.path.basename(sys.argv[0]).removesuffix(".py")
RUN = f"patterns.{NAME}.{uuid.uuid4().hex}"


async def next_from(deliveries, what):
    """The next item of an asyncio.Queue; fails after WAIT_S seconds."""
    try:
        return await asyncio.wait_for(deliveries.get(), WAIT_S)
    except TimeoutError:
        raise AssertionError(f"waited {WAIT_S} s for {what}") from None


async def wait_until(condition, what):
    """Waits until the coroutine function `condition` gives true; fails after WAIT_S seconds."""
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline, f"waited {WAIT_S} s for {what}"
        await asyncio.sleep(0.02)


async def ready(channel, name):
    """The number of ready messages; also a round trip behind all earlier deliveries."""
    queue = await channel.declare_queue(name, passive=True)
    return queue.declaration_result.message_count


async def exists(connection, name):
    """Whether a queue of that name exists; asks on a channel of its own."""
    channel = await connection.channel()
    try:
        await channel.declare_queue(name, passive=True)
    except ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


async def publish(channel, queue, body, **properties):
    """Publishes to a queue through the default exchange and waits for the confirm."""
    message = aio_pika.Message(body.encode(), **properties)
    await channel.default_exchange.publish(message, queue, timeout=WAIT_S)


def run(program):
    """Runs `program(connection, channel)` and prints that it held."""

    async def main():
        async with await aio_pika.connect(URL, timeout=WAIT_S) as connection:
            await program(connection, await connection.channel(on_return_raises=True))
        print(f"ok {NAME}")

    asyncio.run(main())
