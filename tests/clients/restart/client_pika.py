"""What a program written with pika finds after the server was killed and started again."""

import os
import subprocess

from pika import BasicProperties, BlockingConnection, URLParameters
from pika.exceptions import AMQPError

URL = os.environ["AMQP_URL"]
RESTART = os.environ["LEVERET_RESTART"]
EXCHANGE, QUEUE, CONFIRMED = "restart.pika", "restart.pika.queue", 200
PERSISTENT = BasicProperties(delivery_mode=2)
ARGUMENTS = {"x-max-priority": 3}


def main():
    connection = BlockingConnection(URLParameters(URL))
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    channel.queue_declare(QUEUE, durable=True, arguments=ARGUMENTS)
    channel.queue_bind(QUEUE, EXCHANGE, "a.#")
    unconfirmed = connection.channel()
    channel.confirm_delivery()
    for number in range(CONFIRMED):
        channel.basic_publish(EXCHANGE, "a.b", str(number), PERSISTENT)
    channel.basic_publish(EXCHANGE, "a.b", "transient")
    method, _, body = channel.basic_get(QUEUE)
    assert body == b"0", body
    channel.basic_ack(method.delivery_tag)
    channel.basic_publish(EXCHANGE, "a.b", str(CONFIRMED), PERSISTENT)
    for number in range(100):
        unconfirmed.basic_publish(EXCHANGE, "a.b", f"in flight {number}", PERSISTENT)
    subprocess.run([RESTART], check=True)
    try:
        channel.queue_declare(QUEUE, passive=True)
    except AMQPError:
        pass
    else:
        raise AssertionError("the connection outlived the server")

    channel = BlockingConnection(URLParameters(URL)).channel()
    channel.exchange_declare(EXCHANGE, passive=True)
    channel.queue_declare(QUEUE, durable=True, arguments=ARGUMENTS)
    found = []
    while True:
        method, properties, body = channel.basic_get(QUEUE)
        if method is None:
            break
        assert method.redelivered, f"{body} is not flagged redelivered"
        assert properties.delivery_mode == 2, properties
        channel.basic_ack(method.delivery_tag)
        found.append(body.decode())
    expected = [str(number) for number in range(1, CONFIRMED + 1)]
    assert found[: len(expected)] == expected, found
    rest = found[len(expected) :]
    assert rest == [f"in flight {number}" for number in range(len(rest))], rest
    channel.confirm_delivery()
    channel.basic_publish(EXCHANGE, "a.c", "after", PERSISTENT, mandatory=True)
    channel.exchange_delete(EXCHANGE)
    assert channel.queue_delete(QUEUE).method.message_count == 1


main()
print("ok pika")
