"""A member of a group: prints what it gets, stores the offset, and goes on until it is killed.

    member.py SUPER_STREAM NAME
"""

import asyncio
import os
import sys

from rstream import (
    Consumer,
    ConsumerOffsetSpecification,
    OffsetNotFound,
    OffsetSpecification,
    OffsetType,
    SuperStreamConsumer,
    amqp_decoder,
)

HOST, PORT = os.environ.get("LEVERET_STREAM", "127.0.0.1:5552").rsplit(":", 1)
TO = {"host": HOST, "port": int(PORT), "username": "guest", "password": "guest"}


async def main(super_stream, name):
    offsets = Consumer(**TO)
    await offsets.start()

    async def updated(is_active, context):
        if not is_active:
            return OffsetSpecification(OffsetType.FIRST, 0)
        print("active", context.stream, flush=True)
        try:
            done = await offsets.query_offset(context.stream, name)
        except OffsetNotFound:
            return OffsetSpecification(OffsetType.FIRST, 0)
        return OffsetSpecification(OffsetType.OFFSET, done + 1)

    async def take(message, context):
        print("got", context.stream, context.offset, bytes(message.body).decode(), flush=True)
        await offsets.store_offset(context.stream, name, context.offset)

    member = SuperStreamConsumer(**TO, super_stream=super_stream)
    await member.start()
    await member.subscribe(
        take, decoder=amqp_decoder, subscriber_name=name,
        properties={"single-active-consumer": "true", "name": name, "super-stream": super_stream},
        offset_specification=ConsumerOffsetSpecification(OffsetType.FIRST),
        consumer_update_listener=updated)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
