"""What a program written with pika relies on, end to end."""

import hashlib
import os
import time
import uuid

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
WAIT_S = 10
RUN = f"clients.pika.{uuid.uuid4().hex}"
EXCHANGE, QUEUE, RPC_QUEUE = f"{RUN}.exchange", f"{RUN}.queue", f"{RUN}.rpc"
REPLY_TO = "amq.rabbitmq.reply-to"


def wait_until(connection, condition, what):
    """Serves the connection until `condition()` holds; fails after WAIT_S seconds."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        left = deadline - time.monotonic()
        assert left > 0, f"waited {WAIT_S} s for {what}"
        connection.process_data_events(time_limit=left)


def ready(channel, queue):
    """The number of ready messages; also a round trip behind all earlier deliveries."""
    return channel.queue_declare(queue, passive=True).method.message_count


def publish_and_return(channel):
    channel.basic_publish(EXCHANGE, "key", b"routed", mandatory=True)
    try:
        channel.basic_publish(EXCHANGE, "nowhere", b"lost", mandatory=True)
    except UnroutableError as error:
        (returned,) = error.messages
        assert returned.method.reply_code == 312, returned.method
        assert returned.method.reply_text == "NO_ROUTE", returned.method
        assert returned.body == b"lost", returned.body
    else:
        raise AssertionError("an unroutable mandatory message was not returned")
    method, _, body = channel.basic_get(QUEUE, auto_ack=True)
    assert method and body == b"routed", f"basic.get gave {method} {body}"
    assert channel.basic_get(QUEUE)[0] is None, "the queue should be empty"


def prefetch(connection, channel):
    for number in range(10):
        channel.basic_publish(EXCHANGE, "key", str(number))
    got = []
    channel.basic_qos(prefetch_count=3)
    tag = channel.basic_consume(QUEUE, lambda _ch, method, _p, body: got.append((method, body)))
    for first in (0, 3, 6):
        wait_until(connection, lambda: len(got) >= first + 3, f"delivery {first + 3}")
        left = ready(channel, QUEUE)
        assert left == 7 - first, f"{left} ready, expected {7 - first}"
        assert len(got) == first + 3, f"{len(got) - first} unacked with a prefetch of 3"
        channel.basic_ack(got[-1][0].delivery_tag, multiple=True)
    wait_until(connection, lambda: len(got) == 10, "the last delivery")
    assert [int(body) for _, body in got] == list(range(10)), "out of order"
    channel.basic_ack(got[-1][0].delivery_tag)
    channel.basic_cancel(tag)


def requeue(connection, channel):
    got = []
    tag = channel.basic_consume(QUEUE, lambda _ch, method, _p, body: got.append(method))
    channel.basic_publish(EXCHANGE, "key", b"again")
    wait_until(connection, lambda: got, "the first delivery")
    assert not got[0].redelivered, "the first delivery is marked redelivered"
    channel.basic_nack(got[0].delivery_tag, requeue=True)
    wait_until(connection, lambda: len(got) == 2, "the second delivery")
    assert got[1].redelivered, "the second delivery is not marked redelivered"
    channel.basic_ack(got[1].delivery_tag)
    channel.basic_cancel(tag)


def rpc(connection, channel):
    server = connection.channel()
    server.queue_declare(RPC_QUEUE, exclusive=True)
    replies, addresses = [], []

    def serve(ch, method, properties, body):
        addresses.append(properties.reply_to)
        answer = pika.BasicProperties(correlation_id=properties.correlation_id)
        ch.basic_publish("", properties.reply_to, body.upper(), answer)
        ch.basic_ack(method.delivery_tag)

    serving = server.basic_consume(RPC_QUEUE, serve)
    collect = lambda _ch, _method, p, body: replies.append((p, body))  # noqa: E731
    channel.basic_consume(REPLY_TO, collect, auto_ack=True)
    asked = pika.BasicProperties(reply_to=REPLY_TO, correlation_id="call-1")
    channel.basic_publish("", RPC_QUEUE, b"question", asked, mandatory=True)
    wait_until(connection, lambda: replies, "the reply")
    properties, body = replies[0]
    assert addresses[0].startswith(f"{REPLY_TO}."), f"reply address {addresses[0]}"
    assert (properties.correlation_id, body) == ("call-1", b"QUESTION"), replies[0]
    server.basic_cancel(serving)
    server.queue_delete(RPC_QUEUE)
    server.close()


def large_body(channel):
    sent = os.urandom(1 << 20)
    properties = pika.BasicProperties(
        content_type="application/octet-stream", delivery_mode=2, headers={"attempt": 7}
    )
    channel.basic_publish(EXCHANGE, "key", sent, properties, mandatory=True)
    method, got, body = channel.basic_get(QUEUE)
    assert method, "the 1 MiB message is not in the queue"
    assert hashlib.sha256(body).digest() == hashlib.sha256(sent).digest(), "the body changed"
    assert got.delivery_mode == 2 and got.headers == {"attempt": 7}, got
    channel.basic_ack(method.delivery_tag)


def clean_up(connection, channel):
    channel.queue_unbind(QUEUE, EXCHANGE, "key")
    assert channel.queue_delete(QUEUE).method.message_count == 0, "messages were left over"
    channel.exchange_delete(EXCHANGE)
    try:
        connection.channel().queue_declare(QUEUE, passive=True)
    except ChannelClosedByBroker as error:
        assert error.reply_code == 404, error
    else:
        raise AssertionError("the deleted queue still exists")
    connection.close()


def main():
    parameters = pika.URLParameters(URL)
    parameters.socket_timeout = parameters.blocked_connection_timeout = WAIT_S
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "direct")
    channel.queue_declare(QUEUE)
    channel.queue_bind(QUEUE, EXCHANGE, "key")
    channel.confirm_delivery()
    publish_and_return(channel)
    prefetch(connection, channel)
    requeue(connection, channel)
    rpc(connection, channel)
    large_body(channel)
    clean_up(connection, channel)
    print("ok pika")


main()
