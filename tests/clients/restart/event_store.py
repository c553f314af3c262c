"""An event store on a stream, with pika: events are appended, and what follows from them is made
anew from the first one after the server was killed."""

import json
import os
import subprocess
from collections import Counter

from pika import BlockingConnection, URLParameters

URL = os.environ["AMQP_URL"]
RESTART = os.environ["LEVERET_RESTART"]
STREAM, WAIT_S = "restart.events", 20
ARGUMENTS = {
    "x-queue-type": "stream",
    "x-max-age": "365D",
    "x-stream-max-segment-size-bytes": 100_000_000,
}


def open_stream():
    channel = BlockingConnection(URLParameters(URL)).channel()
    channel.queue_declare(STREAM, durable=True, arguments=ARGUMENTS)
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=100)
    return channel


def append(channel, numbers):
    for number in numbers:
        event = {"account": number % 7, "amount": number}
        channel.basic_publish("", STREAM, json.dumps(event))


def replay(channel, offset, count):
    """So many events from an offset on."""
    events = []
    for method, properties, body in channel.consume(
            STREAM, arguments={"x-stream-offset": offset}, inactivity_timeout=WAIT_S):
        assert method, f"waited {WAIT_S} s for {count} events, got {len(events)}"
        channel.basic_ack(method.delivery_tag)
        events.append((properties.headers["x-stream-offset"], json.loads(body)))
        if len(events) == count:
            break
    channel.cancel()
    return events


def balances(events):
    sums = Counter()
    for _, event in events:
        sums[event["account"]] += event["amount"]
    return sums


def expected(count):
    return balances((n, {"account": n % 7, "amount": n}) for n in range(count))


def main():
    channel = open_stream()
    append(channel, range(500))
    events = replay(channel, "first", 500)
    assert [offset for offset, _ in events] == list(range(500))
    assert balances(events) == expected(500)
    subprocess.run([RESTART], check=True)

    channel = open_stream()
    events = replay(channel, "first", 500)
    assert [offset for offset, _ in events] == list(range(500)), "an event is lost or out of order"
    assert balances(events) == expected(500), "the projection is another"
    append(channel, range(500, 600))
    tail = replay(channel, 500, 100)
    assert [offset for offset, _ in tail] == list(range(500, 600))
    assert balances(events) + balances(tail) == expected(600)
    assert channel.queue_declare(STREAM, passive=True).method.message_count == 600
    channel.queue_delete(STREAM)


main()
print("ok event_store")
