"""What a program written with rstream relies on, end to end.

With arguments: finds one event of each of these clients in the stream that all of them write to.
"""

import asyncio
import os
import sys
import uuid
from collections import Counter

import pika
from rstream import (
    AMQPMessage,
    CompressionType,
    Consumer,
    ConsumerOffsetSpecification,
    FilterConfiguration,
    OffsetNotFound,
    OffsetSpecification,
    OffsetType,
    Producer,
    Properties,
    RawMessage,
    SuperStreamConsumer,
    SuperStreamCreationOption,
    SuperStreamProducer,
    amqp_decoder,
)

NAME = "rstream"
URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
HOST, PORT = os.environ.get("LEVERET_STREAM", "127.0.0.1:5552").rsplit(":", 1)
EVENTS = os.environ.get("LEVERET_EVENTS", "clients.events")
WAIT_S = 10
RUN = f"clients.{NAME}.{uuid.uuid4().hex}"
TO = {"host": HOST, "port": int(PORT), "username": "guest", "password": "guest"}
FIRST = ConsumerOffsetSpecification(OffsetType.FIRST)


async def wait_until(condition, what):
    for _ in range(WAIT_S * 100):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited {WAIT_S} s for {what}")


def text(message):
    return bytes(message.body).decode()


class Reader:
    """Reads a stream in the background; what it got is in `got`, as (offset, message)."""

    def __init__(self, stream, specification=FIRST, **options):
        self.stream, self.specification, self.options = stream, specification, options
        self.got = []

    async def __aenter__(self):
        self.consumer = Consumer(**TO)
        await self.consumer.start()
        await self.consumer.subscribe(
            self.stream, lambda message, context: self.got.append((context.offset, message)),
            decoder=amqp_decoder, offset_specification=self.specification, **self.options)
        return self

    async def __aexit__(self, *_):
        await self.consumer.close()

    async def texts(self, count):
        await wait_until(lambda: len(self.got) >= count, f"{count} messages of {self.stream}")
        return [text(message) for _, message in self.got]


async def stored(stream, count):
    async with Reader(stream) as reader:
        return await reader.texts(count)


async def confirms(producer):
    stream = f"{RUN}.confirms"
    await producer.create_stream(stream, arguments={"max-length-bytes": 20_000_000})
    confirmed = []
    for number in range(1000):
        async def on_confirm(status):
            assert status.is_confirmed, status
            confirmed.append(status.message_id)
        message = AMQPMessage(body=str(number).encode())
        await producer.send(stream, message, on_publish_confirm=on_confirm)
    await wait_until(lambda: len(confirmed) == 1000, "1000 confirms")
    async with Reader(stream) as reader:
        assert await reader.texts(1000) == [str(number) for number in range(1000)]
        assert [offset for offset, _ in reader.got] == list(range(1000))
    await producer.delete_stream(stream)
    assert not await producer.stream_exists(stream)


async def deduplication(producer):
    stream = f"{RUN}.deduplication"
    await producer.create_stream(stream)
    for numbers in (range(1, 6), range(3, 9), range(1, 9)):
        # Only raw messages can be given an id.
        messages = [RawMessage(bytes(AMQPMessage(body=str(n).encode())), n) for n in numbers]
        for message in messages:
            await producer.send_wait(stream, message, publisher_name="me")
    assert await stored(stream, 8) == [str(n) for n in range(1, 9)]
    await producer.delete_stream(stream)


async def filters():
    stream = f"{RUN}.filters"

    async def value(message):
        return message.application_properties[b"region"].decode()

    async with Producer(**TO, filter_value_extractor=value) as producer:
        await producer.create_stream(stream)
        for region in ("eu", "us", "eu"):
            for number in range(20):
                message = AMQPMessage(body=f"{region} {number}".encode(),
                                      application_properties={b"region": region.encode()})
                await producer.send_wait(stream, message)
        wanted = FilterConfiguration(
            values_to_filter=["eu"],
            predicate=lambda message: message.application_properties[b"region"] == b"eu")
        async with Reader(stream, filter_input=wanted) as reader:
            expected = [f"eu {number}" for number in range(20)] * 2
            assert await reader.texts(40) == expected
        await producer.delete_stream(stream)


async def compression(producer):
    stream = f"{RUN}.compression"
    await producer.create_stream(stream)
    for kind in (CompressionType.No, CompressionType.Gzip):
        batch = [AMQPMessage(body=f"{kind.name} {n}".encode()) for n in range(100)]
        done = []

        async def on_confirm(status):
            done.append(status.is_confirmed)

        await producer.send_sub_entry(stream, batch, kind, on_publish_confirm=on_confirm)
        await wait_until(lambda: done == [True], "the confirm of a batch")
    expected = [f"{kind} {n}" for kind in ("No", "Gzip") for n in range(100)]
    assert await stored(stream, 200) == expected
    await producer.delete_stream(stream)


async def offsets(producer):
    stream = f"{RUN}.offsets"
    await producer.create_stream(stream)
    for number in range(10):
        await producer.send_wait(stream, AMQPMessage(body=str(number).encode()))
    async with Reader(stream) as reader:
        await reader.texts(10)
        try:
            await reader.consumer.query_offset(stream, "me")
        except OffsetNotFound:
            pass
        else:
            raise AssertionError("an offset was there before it was stored")
        await reader.consumer.store_offset(stream, "me", reader.got[5][0])
        found = await reader.consumer.query_offset(stream, "me")
        assert found == 5, found
    after = ConsumerOffsetSpecification(OffsetType.OFFSET, found + 1)
    async with Reader(stream, after) as reader:
        assert await reader.texts(4) == ["6", "7", "8", "9"]
    last = ConsumerOffsetSpecification(OffsetType.LAST)
    async with Reader(stream, last) as reader:
        assert await reader.texts(1) == ["9"]
    await producer.delete_stream(stream)


async def super_streams():
    name = f"{RUN}.super"
    created = SuperStreamCreationOption(n_partitions=3)
    got, active = [], Counter()

    async def key(message):
        return message.application_properties[b"key"].decode()

    async with SuperStreamProducer(**TO, super_stream=name, super_stream_creation_option=created,
                                   routing_extractor=key) as producer:

        async def consumer(who):
            async def updated(is_active, context):
                active[(who, context.stream)] = is_active
                return OffsetSpecification(OffsetType.FIRST, 0)

            one = SuperStreamConsumer(**TO, super_stream=name)
            await one.start()
            await one.subscribe(
                lambda message, context: got.append((who, context.stream, text(message))),
                decoder=amqp_decoder, properties={"single-active-consumer": "true", "name": "app",
                                                  "super-stream": name},
                subscriber_name="app", offset_specification=FIRST,
                consumer_update_listener=updated)
            return one

        def share(who):
            return sum(is_active for (one, _), is_active in active.items() if one == who)

        first = await consumer("first")
        await wait_until(lambda: share("first") == 3, "all partitions")
        second = await consumer("second")
        await wait_until(lambda: share("second") >= 1 and share("first") + share("second") == 3,
                         "the second consumer's share")
        for number in range(60):
            message = AMQPMessage(body=str(number).encode(),
                                  application_properties={b"key": f"key{number}".encode()})
            await producer.send(message)
        await wait_until(lambda: len(got) >= 60, "60 messages")
        assert {text for _, _, text in got} == {str(number) for number in range(60)}
        by_partition = {}
        for who, partition, _ in got:
            by_partition.setdefault(partition, set()).add(who)
        assert all(len(readers) == 1 for readers in by_partition.values()), by_partition
        for partition in by_partition:
            numbers = [int(text) for _, stream, text in got if stream == partition]
            assert numbers == sorted(numbers), f"{partition} out of order"
        await first.close()
        await wait_until(lambda: share("second") == 3, "the partitions of who has gone")
        await second.close()
    # One that publishes to it closes the connection over which it would delete it.
    other = SuperStreamProducer(**TO, super_stream=name, routing_extractor=key)
    await other.delete_super_stream(name)
    await other.close()


async def amqp(producer):
    stream = f"{RUN}.amqp"
    await producer.create_stream(stream)
    connection = pika.BlockingConnection(pika.URLParameters(URL))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", stream, b"from pika", pika.BasicProperties(
        message_id="id", content_type="text/plain", headers={"n": 5, "x-key": "kept"}))
    async with Reader(stream) as reader:
        assert await reader.texts(1) == ["from pika"]
        message = reader.got[0][1]
        assert message.properties.message_id == b"id", message.properties
        assert message.application_properties[b"n"] == 5, message.application_properties
        assert message.message_annotations[b"x-key"] == b"kept", message.message_annotations
        assert message.message_annotations[b"x-routing-key"] == stream.encode()
    await producer.send_wait(stream, AMQPMessage(
        body=b"from rstream", properties=Properties(message_id="other"),
        application_properties={"n": "6"}))
    channel.basic_qos(prefetch_count=10)
    got = []
    for method, properties, body in channel.consume(
            stream, arguments={"x-stream-offset": "first"}, inactivity_timeout=WAIT_S):
        assert method, "waited for messages over AMQP"
        channel.basic_ack(method.delivery_tag)
        got.append((body, properties.message_id, properties.headers["x-stream-offset"]))
        if len(got) == 2:
            break
    assert got == [(b"from pika", "id", 0), (b"from rstream", "other", 1)], got
    connection.close()
    await producer.delete_stream(stream)


async def write_event(producer):
    await producer.create_stream(EVENTS, exists_ok=True)
    await producer.send_wait(EVENTS, AMQPMessage(
        body=f"event of {NAME}".encode(), properties=Properties(message_id=f"id of {NAME}"),
        application_properties={"from": NAME}))


async def read_events(names):
    async with Reader(EVENTS) as reader:
        events = {}

        def all_there():
            for _, message in reader.got:
                name = message.application_properties[b"from"].decode()
                events[name] = (text(message), message.properties.message_id)
            return set(names) <= set(events)

        await wait_until(all_there, f"events of {names}")
        for name in names:
            assert events[name] == (f"event of {name}", f"id of {name}".encode()), events[name]


async def main(names):
    if names:
        return await read_events(names)
    async with Producer(**TO, default_batch_publishing_delay=0.01) as producer:
        for test in (confirms, deduplication, compression, offsets, amqp, write_event):
            await test(producer)
    await filters()
    await super_streams()


asyncio.run(main(sys.argv[1:]))
print(f"ok {NAME}")
