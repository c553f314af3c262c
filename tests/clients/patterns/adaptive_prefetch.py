"""Competing consumers whose prefetch changes while they run: on the channel of a live consumer
(global), and by cancelling and consuming again (per consumer)."""

import asyncio

import aio_pika
from _support import RUN, URL, WAIT_S, next_from, publish, ready, run

QUEUE = f"{RUN}.queue"
WORK = 200


async def fill(channel, count):
    for number in range(count):
        await publish(channel, QUEUE, str(number))


class Holder:
    """A consumer that keeps what it gets until it is told to ack."""

    async def open(self, connection, prefetch, per_channel):
        self.channel = await connection.channel()
        await self.channel.set_qos(prefetch_count=prefetch, global_=per_channel)
        self.queue = await self.channel.get_queue(QUEUE)
        self.deliveries, self.held = asyncio.Queue(), []
        await self.consume()
        return self

    async def consume(self):
        self.tag = await self.queue.consume(self.deliveries.put)

    async def hold(self, count, left):
        """Waits until it holds `count`, and checks that the queue keeps `left` ready."""
        while len(self.held) < count:
            self.held.append(await next_from(self.deliveries, f"delivery {len(self.held) + 1}"))
        got = await ready(self.channel, QUEUE)
        assert got == left, f"{got} ready, expected {left} with {count} held"
        assert self.deliveries.empty(), f"more than {count} unacked"

    async def ack(self, count):
        for message in self.held[:count]:
            await message.ack()
        del self.held[:count]


async def live_change(connection, channel):
    await fill(channel, 20)
    holder = await Holder().open(connection, 1, per_channel=True)
    await holder.hold(1, left=19)
    await holder.channel.set_qos(prefetch_count=5, global_=True)
    await holder.hold(5, left=15)
    # A lower limit takes nothing back, but nothing comes until the unacked are below it.
    await holder.channel.set_qos(prefetch_count=2, global_=True)
    await holder.ack(3)
    await holder.hold(2, left=15)
    await holder.ack(1)
    await holder.hold(2, left=14)
    # Closing the channel gives back what is unacked.
    await holder.channel.close()
    assert await ready(channel, QUEUE) == 16, "the unacked messages are not back"
    await (await channel.get_queue(QUEUE)).purge()


async def change_by_consuming_again(connection, channel):
    await fill(channel, 12)
    holder = await Holder().open(connection, 2, per_channel=False)
    await holder.hold(2, left=10)
    # A running consumer keeps the prefetch it began with.
    await holder.channel.set_qos(prefetch_count=6)
    await holder.hold(2, left=10)
    await holder.queue.cancel(holder.tag)
    await holder.ack(2)
    await holder.consume()
    await holder.hold(6, left=4)
    await holder.channel.close()
    assert await ready(channel, QUEUE) == 10, "the unacked messages are not back"
    await (await channel.get_queue(QUEUE)).purge()


async def worker(connection, name, done, finished):
    """Doubles its prefetch each time it has worked through one, up to 16."""
    channel = await connection.channel()
    prefetch, since_change = 1, 0
    await channel.set_qos(prefetch_count=prefetch, global_=True)
    queue = await channel.get_queue(QUEUE)
    deliveries = asyncio.Queue()
    tag = await queue.consume(deliveries.put)
    while not finished.is_set():
        message = await deliveries.get()
        assert deliveries.qsize() < prefetch, f"{name}: more than {prefetch} unacked"
        await message.ack()
        done.append((int(message.body), name, message.redelivered))
        since_change += 1
        if since_change >= prefetch and prefetch < 16:
            prefetch, since_change = prefetch * 2, 0
            await channel.set_qos(prefetch_count=prefetch, global_=True)
        if len(done) == WORK:
            finished.set()
    await queue.cancel(tag)


async def compete(connection, channel):
    await fill(channel, WORK)
    done, finished = [], asyncio.Event()
    names = ["a", "b", "c"]
    tasks = [asyncio.create_task(worker(connection, name, done, finished)) for name in names]
    ended = asyncio.create_task(finished.wait())
    await asyncio.wait([ended, *tasks], timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    assert finished.is_set(), f"{len(done)} of {WORK} done after {WAIT_S} s"
    assert sorted(number for number, _, _ in done) == list(range(WORK)), "lost or done twice"
    assert not any(redelivered for _, _, redelivered in done), "a message was redelivered"
    shares = {name: sum(1 for _, by, _ in done if by == name) for name in names}
    assert min(shares.values()) > 0, f"one worker got nothing: {shares}"


async def program(connection, channel):
    queue = await channel.declare_queue(QUEUE)
    await live_change(connection, channel)
    await change_by_consuming_again(connection, channel)
    async with await aio_pika.connect(URL, timeout=WAIT_S) as workers:
        await compete(workers, channel)
    assert await ready(channel, QUEUE) == 0, "messages were left over"
    await queue.delete()


run(program)
