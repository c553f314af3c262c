"""A saga of four services: each does its step and hands on to the next; when one fails, those
before it undo their steps in reverse order."""

import asyncio
import json

import aio_pika
from _support import RUN, WAIT_S, next_from, run

SERVICES = ["order", "payment", "stock", "shipping"]
EXCHANGE, OUTCOMES = f"{RUN}.saga", f"{RUN}.outcomes"


class Service:
    """One step of the saga. Its queue is bound to {name}.do and {name}.undo."""

    def __init__(self, place, log):
        self.place, self.name, self.log = place, SERVICES[place], log

    async def start(self, connection):
        self.channel = await connection.channel()
        await self.channel.set_qos(prefetch_count=1)
        self.exchange = await self.channel.get_exchange(EXCHANGE)
        self.queue = await self.channel.declare_queue(f"{RUN}.{self.name}")
        await self.queue.bind(self.exchange, f"{self.name}.*")
        self.tag = await self.queue.consume(self.handle)

    async def handle(self, message):
        """Acks only after the next step is confirmed, so that no step is lost."""
        order, verb = json.loads(message.body), message.routing_key.split(".")[1]
        if verb == "undo":
            self.log.append((order["id"], f"undo {self.name}"))
            await self.emit(order, self.place - 1, "undo", "saga.failed")
        elif order["fails_at"] == self.name:
            self.log.append((order["id"], f"fail {self.name}"))
            await self.emit(order, self.place - 1, "undo", "saga.failed")
        else:
            self.log.append((order["id"], f"do {self.name}"))
            await self.emit(order, self.place + 1, "do", "saga.completed")
        await message.ack()

    async def emit(self, order, place, verb, at_the_end):
        inside = 0 <= place < len(SERVICES)
        key = f"{SERVICES[place]}.{verb}" if inside else at_the_end
        await send(self.exchange, key, order)

    async def stop(self):
        await self.queue.cancel(self.tag)
        result = await self.queue.delete()
        assert result.message_count == 0, f"{self.name} had messages left"


async def send(exchange, key, order):
    message = aio_pika.Message(json.dumps(order).encode(), message_id=order["id"])
    await exchange.publish(message, key, timeout=WAIT_S)


def expected_steps(fails_at):
    if fails_at is None:
        return [f"do {name}" for name in SERVICES]
    before = SERVICES[: SERVICES.index(fails_at)]
    undone = [f"undo {name}" for name in reversed(before)]
    return [f"do {name}" for name in before] + [f"fail {fails_at}"] + undone


async def program(connection, channel):
    exchange = await channel.declare_exchange(EXCHANGE, "topic")
    outcomes = await channel.declare_queue(OUTCOMES)
    await outcomes.bind(exchange, "saga.#")
    log, results = [], asyncio.Queue()
    tag = await outcomes.consume(results.put, no_ack=True)
    services = [Service(place, log) for place in range(len(SERVICES))]
    for service in services:
        await service.start(connection)
    # All sagas run at the same time; one goes well, the others fail at each service in turn.
    plans = {f"order-{place}": place for place in [None, *SERVICES]}
    for id_, fails_at in plans.items():
        await send(exchange, "order.do", {"id": id_, "fails_at": fails_at})
    ended = {}
    for _ in plans:
        message = await next_from(results, f"an outcome after {ended}")
        ended[message.message_id] = message.routing_key
    for id_, fails_at in plans.items():
        expected = "saga.failed" if fails_at else "saga.completed"
        assert ended[id_] == expected, f"{id_} ended with {ended[id_]}"
        steps = [step for order, step in log if order == id_]
        assert steps == expected_steps(fails_at), f"{id_}: {steps}"
    await outcomes.cancel(tag)
    for service in services:
        await service.stop()
    await outcomes.delete()
    await exchange.delete()


run(program)
