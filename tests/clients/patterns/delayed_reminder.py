"""Reminders that come after their own delay, whatever the order they were asked for in: through
an x-delayed-message exchange if the broker has that type, else through one TTL queue for each
delay that dead-letters to the reminders' exchange."""

import asyncio
import time

import aio_pika
from aio_pika.exceptions import AMQPError
from _support import RUN, URL, WAIT_S, next_from, ready, run

EXCHANGE, QUEUE = f"{RUN}.exchange", f"{RUN}.reminders"
DELAYED = "x-delayed-message"
ORDERS = [("c", 450), ("a", 150), ("now", 0), ("b", 300)]


async def offers_delayed_exchanges():
    """Asks on a connection of its own: some versions close it when they do not know the type."""
    async with await aio_pika.connect(URL, timeout=WAIT_S) as connection:
        channel = await connection.channel()
        name, arguments = f"{RUN}.probe", {"x-delayed-type": "direct"}
        try:
            exchange = await channel.declare_exchange(name, DELAYED, arguments=arguments)
        except AMQPError as error:
            assert "unknown exchange type" in str(error), f"refused with {error!r}"
            return False
        await exchange.delete()
        return True


async def send(exchange, key, body, **properties):
    message = aio_pika.Message(body.encode(), delivery_mode=2, **properties)
    await exchange.publish(message, key, mandatory=False, timeout=WAIT_S)


class ByExchange:
    """The exchange holds messages for as long as their header says."""

    async def open(self, channel):
        arguments = {"x-delayed-type": "direct"}
        self.exchange = await channel.declare_exchange(EXCHANGE, DELAYED, arguments=arguments)
        return self

    async def remind(self, body, delay_ms):
        await send(self.exchange, "remind", body, headers={"x-delay": delay_ms})

    def check(self, message, delay_ms):
        """The receiver can tell how long the message was held."""
        assert message.headers["x-delay"] == -delay_ms, message.headers

    async def close(self, channel):
        await self.exchange.delete()


class ByQueues:
    """A message waits in the queue for its delay and goes to the exchange when it expires."""

    async def open(self, channel):
        self.channel, self.waiting = channel, {}
        self.exchange = await channel.declare_exchange(EXCHANGE, "direct")
        return self

    async def remind(self, body, delay_ms):
        arguments = {
            "x-message-ttl": delay_ms,
            "x-expires": delay_ms + WAIT_S * 1000,
            "x-dead-letter-exchange": EXCHANGE,
            "x-dead-letter-routing-key": "remind",
        }
        name = f"{QUEUE}.{delay_ms}ms"
        self.waiting[name] = await self.channel.declare_queue(name, arguments=arguments)
        await send(self.channel.default_exchange, name, body)

    def check(self, message, delay_ms):
        death = message.headers["x-death"][0]
        assert (death["queue"], death["reason"]) == (f"{QUEUE}.{delay_ms}ms", "expired"), death

    async def close(self, channel):
        for name, queue in self.waiting.items():
            result = await queue.delete()
            assert result.message_count == 0, f"{name} had messages left"
        await self.exchange.delete()


async def program(connection, channel):
    way = ByExchange() if await offers_delayed_exchanges() else ByQueues()
    await way.open(channel)
    queue = await channel.declare_queue(QUEUE)
    await queue.bind(EXCHANGE, "remind")
    deliveries = asyncio.Queue()
    await queue.consume(deliveries.put, no_ack=True)
    asked = {}
    for body, delay_ms in ORDERS:
        asked[body] = time.monotonic()
        await way.remind(body, delay_ms)
    for body, delay_ms in sorted(ORDERS, key=lambda order: order[1]):
        message = await next_from(deliveries, f"the reminder after {delay_ms} ms")
        assert message.body.decode() == body, f"{message.body} came instead of {body}"
        waited_ms = (time.monotonic() - asked[body]) * 1000
        assert waited_ms >= delay_ms, f"{body} came after {waited_ms} ms"
        if delay_ms:
            way.check(message, delay_ms)
    assert deliveries.empty() and await ready(channel, QUEUE) == 0, "messages were left over"
    await queue.delete(if_unused=False)
    await way.close(channel)
    print(f"delayed by {type(way).__name__}")


run(program)
