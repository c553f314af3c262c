"""What the tests share."""

import pika
import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def channel(leveret):
    """A channel of pika, which confirms publishes, with the queue ``q``."""
    connection = pika.BlockingConnection(pika.URLParameters(leveret.amqp))
    channel = connection.channel()
    channel.queue_declare("q")
    channel.confirm_delivery()
    yield channel
    if connection.is_open:
        connection.close()
