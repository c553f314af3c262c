"""What a program written with aio-pika relies on, end to end."""

import asyncio
import hashlib
import os
import uuid

import aio_pika
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
WAIT_S = 10
RUN = f"clients.aio_pika.{uuid.uuid4().hex}"
REPLY_TO = "amq.rabbitmq.reply-to"


async def next_from(deliveries, what):
    """The next delivery of an asyncio.Queue; fails after WAIT_S seconds."""
    try:
        return await asyncio.wait_for(deliveries.get(), WAIT_S)
    except TimeoutError:
        raise AssertionError(f"waited {WAIT_S} s for {what}") from None


async def publish_and_return(exchange, queue):
    confirmed = await exchange.publish(aio_pika.Message(b"routed"), "key", timeout=WAIT_S)
    assert confirmed, "the publish was not confirmed"
    try:
        await exchange.publish(aio_pika.Message(b"lost"), "nowhere", timeout=WAIT_S)
    except DeliveryError as error:
        assert error.message.delivery.reply_code == 312, error.message
        assert error.message.delivery.reply_text == "NO_ROUTE", error.message
    else:
        raise AssertionError("an unroutable mandatory message was not returned")
    message = await queue.get(no_ack=True, timeout=WAIT_S)
    assert message.body == b"routed", message.body
    assert await queue.get(fail=False) is None, "the queue should be empty"


async def prefetch(channel, exchange, queue):
    for number in range(10):
        await exchange.publish(aio_pika.Message(str(number).encode()), "key")
    await channel.set_qos(prefetch_count=3)
    deliveries, seen = asyncio.Queue(), []
    tag = await queue.consume(deliveries.put)
    for first in (0, 3, 6):
        for _ in range(3):
            seen.append(await next_from(deliveries, f"delivery {len(seen) + 1}"))
        # A round trip behind all earlier deliveries.
        ready = (await channel.declare_queue(queue.name, passive=True)).declaration_result
        assert ready.message_count == 7 - first, f"{ready} after {len(seen)} deliveries"
        assert deliveries.empty(), "more than 3 unacked with a prefetch of 3"
        await seen[-1].ack(multiple=True)
    seen.append(await next_from(deliveries, "the last delivery"))
    assert [int(message.body) for message in seen] == list(range(10)), "out of order"
    await seen[-1].ack()
    await queue.cancel(tag)


async def requeue(exchange, queue):
    deliveries = asyncio.Queue()
    tag = await queue.consume(deliveries.put)
    await exchange.publish(aio_pika.Message(b"again"), "key")
    first = await next_from(deliveries, "the first delivery")
    assert not first.redelivered, "the first delivery is marked redelivered"
    await first.nack(requeue=True)
    second = await next_from(deliveries, "the second delivery")
    assert second.redelivered, "the second delivery is not marked redelivered"
    await second.ack()
    await queue.cancel(tag)


async def rpc(connection, channel):
    server = await connection.channel()
    requests = await server.declare_queue(f"{RUN}.rpc", exclusive=True)

    async def serve(message):
        async with message.process():
            assert message.reply_to.startswith(f"{REPLY_TO}."), message.reply_to
            answer = aio_pika.Message(message.body.upper(), correlation_id=message.correlation_id)
            await server.default_exchange.publish(answer, message.reply_to)

    serving = await requests.consume(serve)
    replies = asyncio.Queue()
    reply_queue = await channel.get_queue(REPLY_TO)
    tag = await reply_queue.consume(replies.put, no_ack=True)
    asked = aio_pika.Message(b"question", reply_to=REPLY_TO, correlation_id="call-1")
    await channel.default_exchange.publish(asked, requests.name)
    reply = await next_from(replies, "the reply")
    assert (reply.correlation_id, reply.body) == ("call-1", b"QUESTION"), reply
    await reply_queue.cancel(tag)
    await requests.cancel(serving)
    await requests.delete()
    await server.close()


async def large_body(exchange, queue):
    sent = os.urandom(1 << 20)
    mode = aio_pika.DeliveryMode.PERSISTENT
    message = aio_pika.Message(sent, delivery_mode=mode, headers={"attempt": 7})
    await exchange.publish(message, "key", timeout=WAIT_S)
    got = await queue.get(timeout=WAIT_S)
    assert hashlib.sha256(got.body).digest() == hashlib.sha256(sent).digest(), "the body changed"
    assert got.delivery_mode == mode and got.headers == {"attempt": 7}, got
    await got.ack()


async def clean_up(connection, exchange, queue):
    await queue.unbind(exchange, "key")
    assert (await queue.delete()).message_count == 0, "messages were left over"
    await exchange.delete()
    other = await connection.channel()
    try:
        await other.declare_queue(queue.name, passive=True)
    except ChannelNotFoundEntity:
        pass
    else:
        raise AssertionError("the deleted queue still exists")


async def main():
    connection = await aio_pika.connect(URL, timeout=WAIT_S)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.declare_exchange(f"{RUN}.exchange", "direct")
        queue = await channel.declare_queue(f"{RUN}.queue")
        await queue.bind(exchange, "key")
        await publish_and_return(exchange, queue)
        await prefetch(channel, exchange, queue)
        await requeue(exchange, queue)
        await rpc(connection, channel)
        await large_body(exchange, queue)
        await clean_up(connection, exchange, queue)
    print("ok aio_pika")


asyncio.run(main())
