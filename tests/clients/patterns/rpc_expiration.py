"""Calls over a server-named exclusive reply queue; a request that nobody takes in time expires
and is never served."""

import asyncio

import aio_pika
from aio_pika.exceptions import ChannelClosed
from _support import RUN, URL, WAIT_S, exists, publish, ready, run, wait_until

REQUESTS = f"{RUN}.requests"


class Caller:
    """Matches replies with calls by correlation id."""

    async def open(self, channel):
        self.channel, self.waiting, self.sent = channel, {}, 0
        self.replies = await channel.declare_queue("", exclusive=True)
        assert self.replies.name.startswith("amq.gen-"), self.replies.name
        await self.replies.consume(self.settle, no_ack=True)
        return self

    async def settle(self, message):
        self.waiting.pop(message.correlation_id).set_result(message.body.decode())

    async def call(self, body, expiration_s, timeout_s):
        self.sent += 1
        correlation_id = f"call-{self.sent}"
        answer = self.waiting[correlation_id] = asyncio.get_running_loop().create_future()
        await publish(
            self.channel,
            REQUESTS,
            body,
            reply_to=self.replies.name,
            correlation_id=correlation_id,
            expiration=expiration_s,
        )
        return await asyncio.wait_for(answer, timeout_s)


async def expire_without_server(channel, caller):
    try:
        await caller.call("late", 0.1, 0.2)
        raise AssertionError("a call without a server was answered")
    except TimeoutError:
        pass

    async def empty():
        return await ready(channel, REQUESTS) == 0

    await wait_until(empty, "the request to expire")


async def serve(connection, requests):
    """Answers in pairs, the second request first, so that order cannot stand in for identity."""
    server = await connection.channel()
    served, held = [], asyncio.Queue()

    async def answer(message):
        served.append(message.body.decode())
        reply = aio_pika.Message(message.body.upper(), correlation_id=message.correlation_id)
        await server.default_exchange.publish(reply, message.reply_to)
        await message.ack()

    async def work():
        while True:
            first, second = await held.get(), await held.get()
            await answer(second)
            await answer(first)

    queue = await server.get_queue(requests)
    await queue.consume(held.put)
    return served, asyncio.create_task(work())


async def exclusive_to_its_connection(name):
    async with await aio_pika.connect(URL, timeout=WAIT_S) as other:
        try:
            await (await other.channel()).declare_queue(name, passive=True)
        except ChannelClosed as error:
            assert "RESOURCE_LOCKED" in str(error), f"refused with {error!r}"
            return
    raise AssertionError("another connection may use an exclusive queue")


async def program(connection, channel):
    await channel.declare_queue(REQUESTS)
    async with await aio_pika.connect(URL, timeout=WAIT_S) as own:
        caller = await Caller().open(await own.channel())
        reply_queue = caller.replies.name
        await exclusive_to_its_connection(reply_queue)
        await expire_without_server(channel, caller)
        served, worker = await serve(connection, REQUESTS)
        calls = [caller.call(f"question {n}", WAIT_S, WAIT_S) for n in range(20)]
        answers = await asyncio.gather(*calls)
        assert answers == [f"QUESTION {n}" for n in range(20)], answers
        assert sorted(served) == sorted(f"question {n}" for n in range(20)), served
        worker.cancel()

    async def reply_queue_gone():
        return not await exists(connection, reply_queue)

    await wait_until(reply_queue_gone, "the exclusive queue to go with its connection")
    await channel.queue_delete(REQUESTS)


run(program)
