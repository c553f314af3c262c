"""Sticky routing: a consistent-hash exchange keeps each customer on one queue, spreads customers
by the queues' weights, and moves only a part of them when a queue comes or goes."""

import asyncio

import aio_pika
from _support import RUN, WAIT_S, next_from, run

BY_KEY, BY_HEADER = f"{RUN}.by_key", f"{RUN}.by_header"
WEIGHTS = {"small": 1, "medium": 2, "large": 3}
ADDED = ("added", 2)
CUSTOMERS = [f"customer-{number}" for number in range(600)]


async def declare(channel, exchange, name, weight):
    """A queue of that name, bound with its weight."""
    queue = await channel.declare_queue(f"{RUN}.{name}")
    await queue.bind(exchange, str(weight))
    return queue


async def send(exchange, customers, key, rounds=1):
    """Publishes `rounds` numbered messages for each customer and waits for the confirms; `key`
    makes the routing key of a customer's message."""
    for round_ in range(rounds):
        messages = [
            exchange.publish(
                aio_pika.Message(str(round_).encode(), headers={"customer": customer}),
                key(customer, round_),
                timeout=WAIT_S,
            )
            for customer in customers
        ]
        await asyncio.gather(*messages)


async def placement(queues, customers, rounds=1):
    """Takes what was sent; gives the queue of each customer, of which there has to be one."""
    got, seen, tags = asyncio.Queue(), {}, {}
    for name, queue in queues.items():
        async def take(message, name=name):
            await got.put((name, message))

        tags[name] = await queue.consume(take, no_ack=True)
    for _ in range(len(customers) * rounds):
        name, message = await next_from(got, "a message")
        seen.setdefault(message.headers["customer"], []).append((name, int(message.body)))
    for name, tag in tags.items():
        await queues[name].cancel(tag)
    assert set(seen) == set(customers), "some customers got nothing"
    for customer, messages in seen.items():
        places = {name for name, _ in messages}
        assert len(places) == 1, f"{customer} is on {places}"
        order = [round_ for _, round_ in messages]
        assert order == list(range(rounds)), f"{customer}: {order}"
    return {customer: messages[0][0] for customer, messages in seen.items()}


def check_spread(places, weights):
    """Each queue has between a half and one and a half times what its weight is worth: more than
    five standard deviations for the smallest."""
    for name, weight in weights.items():
        fair = len(places) * weight / sum(weights.values())
        got = sum(1 for place in places.values() if place == name)
        assert fair / 2 <= got <= fair * 1.5, f"{name}: {got} customers, expected about {fair}"


async def by_routing_key(channel, exchange):
    queues = {name: await declare(channel, exchange, name, w) for name, w in WEIGHTS.items()}
    key = lambda customer, _round: customer  # noqa: E731
    await send(exchange, CUSTOMERS, key, rounds=3)
    before = await placement(queues, CUSTOMERS, rounds=3)
    check_spread(before, WEIGHTS)

    name, weight = ADDED
    queues[name] = await declare(channel, exchange, name, weight)
    await send(exchange, CUSTOMERS, key)
    after = await placement(queues, CUSTOMERS)
    moved = {customer for customer in CUSTOMERS if before[customer] != after[customer]}
    assert {after[customer] for customer in moved} == {name}, "customers moved between old queues"
    check_spread(after, {**WEIGHTS, name: weight})

    await queues.pop(name).delete()
    await send(exchange, CUSTOMERS, key)
    assert await placement(queues, CUSTOMERS) == before, "not all customers came back"
    for queue in queues.values():
        await queue.delete()


async def by_header(channel, exchange):
    """The routing key is free for what kind of message it is; the header decides."""
    queues = {name: await declare(channel, exchange, name, w) for name, w in WEIGHTS.items()}
    customers = CUSTOMERS[:100]
    kinds = ["ordered", "paid", "shipped"]
    await send(exchange, customers, lambda _customer, round_: kinds[round_], rounds=len(kinds))
    places = await placement(queues, customers, rounds=len(kinds))
    assert len(set(places.values())) > 1, f"all customers are on {set(places.values())}"
    for queue in queues.values():
        await queue.delete()


async def program(connection, channel):
    kind = "x-consistent-hash"
    exchange = await channel.declare_exchange(BY_KEY, kind)
    await by_routing_key(channel, exchange)
    await exchange.delete()
    arguments = {"hash-header": "customer"}
    exchange = await channel.declare_exchange(BY_HEADER, kind, arguments=arguments)
    await by_header(channel, exchange)
    await exchange.delete()


run(program)
