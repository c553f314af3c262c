"""rstream over TLS: publishes with confirms, and reads what it has published."""

import asyncio
import os
import ssl
import uuid

from rstream import (
    AMQPMessage,
    Consumer,
    ConsumerOffsetSpecification,
    OffsetType,
    Producer,
    amqp_decoder,
)

HOST, PORT = os.environ["STREAMS_TLS"].rsplit(":", 1)
FOLDER = os.environ["TLS_DIR"]
TO = {"host": HOST, "port": int(PORT), "username": "guest", "password": "guest"}
STREAM = f"clients.tls.rstream.{uuid.uuid4().hex}"
BODIES = [os.urandom(10_000) for _ in range(200)]


def context(version):
    made = ssl.create_default_context(cafile=f"{FOLDER}/ca.pem")
    made.minimum_version = made.maximum_version = version
    return made


async def exchange_messages(made):
    got, done = [], asyncio.Event()

    def take(message, _):
        got.append(bytes(message.body))
        if len(got) == len(BODIES):
            done.set()

    async with Producer(**TO, ssl_context=made) as producer:
        await producer.create_stream(STREAM)
        for body in BODIES:
            await producer.send_wait(STREAM, AMQPMessage(body=body))
        consumer = Consumer(**TO, ssl_context=made)
        await consumer.start()
        first = ConsumerOffsetSpecification(OffsetType.FIRST)
        await consumer.subscribe(STREAM, take, decoder=amqp_decoder, offset_specification=first)
        await asyncio.wait_for(done.wait(), 20)
        assert got == BODIES, "the messages are others"
        await consumer.close()
        await producer.delete_stream(STREAM)


async def main():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        await exchange_messages(context(version))
    stranger = Producer(**TO, ssl_context=ssl.create_default_context())
    try:
        await asyncio.wait_for(stranger.start(), 10)
    except (ssl.SSLError, OSError):
        pass
    else:
        raise AssertionError("an authority was trusted that nobody knows")
    print("ok rstream", flush=True)
    # What is left of the client that was refused tries again for ever.
    os._exit(0)


asyncio.run(main())
