"""A group of three shares six partitions, and one of them is killed: nothing is lost, and each key
comes in order."""

import asyncio
import os
import sys
import uuid
from pathlib import Path

from rstream import AMQPMessage, SuperStreamCreationOption, SuperStreamProducer

HOST, PORT = os.environ.get("LEVERET_STREAM", "127.0.0.1:5552").rsplit(":", 1)
TO = {"host": HOST, "port": int(PORT), "username": "guest", "password": "guest"}
SUPER = f"clients.killed_member.{uuid.uuid4().hex}"
PARTITIONS, KEYS, ROUNDS, WAIT_S = 6, 40, 30, 30


class Member:
    """A process, and what it has printed."""

    async def start(self):
        program = Path(__file__).with_name("member.py")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(program), SUPER, "app", stdout=asyncio.subprocess.PIPE)
        self.active, self.got = [], []
        self.reading = asyncio.create_task(self.read())
        return self

    async def read(self):
        async for line in self.process.stdout:
            if not line.endswith(b"\n"):
                break  # it was killed in the middle of it
            what, stream, *rest = line.decode().split()
            if what == "active":
                self.active.append(stream)
            else:
                self.got.append((stream, int(rest[0]), rest[1]))

    async def kill(self):
        self.process.kill()
        await self.process.wait()
        await self.reading


async def wait_until(condition, what):
    for _ in range(WAIT_S * 100):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited {WAIT_S} s for {what}")


def check(members, texts):
    assert {text for member in members for _, _, text in member.got} == texts, "some are lost"
    done = {}
    # The one that was killed had what it had before the others got its partitions.
    for member in members:
        for stream in {stream for stream, _, _ in member.got}:
            offsets = [offset for of, offset, _ in member.got if of == stream]
            assert offsets == list(range(offsets[0], offsets[-1] + 1)), (stream, offsets)
            if member is members[0]:
                done[stream] = offsets[-1]
            elif stream in done:
                assert offsets[0] <= done[stream] + 1, f"there is a gap in {stream}"
        keys = {}
        for _, _, text in member.got:
            key, number = text.split(":")
            assert keys.get(key, -1) < int(number), f"{text} is out of order"
            keys[key] = int(number)


async def main():
    async def key(message):
        return bytes(message.body).split(b":")[0].decode()

    created = SuperStreamCreationOption(n_partitions=PARTITIONS)
    async with SuperStreamProducer(**TO, super_stream=SUPER, super_stream_creation_option=created,
                                   routing_extractor=key) as producer:
        members = [await Member().start() for _ in range(3)]
        partitions = {f"{SUPER}-{number}" for number in range(PARTITIONS)}
        await wait_until(
            lambda: {stream for member in members for stream in member.active} == partitions
            and all(member.active for member in members), "a share for each member")

        async def publish(numbers):
            for number in numbers:
                for k in range(KEYS):
                    await producer.send(AMQPMessage(body=f"key{k}:{number}".encode()))

        await publish(range(ROUNDS))
        await wait_until(lambda: len(members[0].got) >= 20, "messages for the first member")
        await members[0].kill()
        await publish(range(ROUNDS, 2 * ROUNDS))
        texts = {f"key{k}:{number}" for k in range(KEYS) for number in range(2 * ROUNDS)}
        await wait_until(
            lambda: {text for member in members for _, _, text in member.got} == texts,
            "every message")
        check(members, texts)
        assert members[0].got, "who was killed had nothing to lose"
        for member in members[1:]:
            await member.kill()
    other = SuperStreamProducer(**TO, super_stream=SUPER, routing_extractor=key)
    await other.delete_super_stream(SUPER)
    await other.close()


asyncio.run(main())
print("ok killed_member")
