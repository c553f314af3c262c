"""Virtual hosts, and definitions of another broker."""

import json

import pika
import pytest

import leveret as package

DEFINITIONS = {
    "vhosts": [{"name": "my shop"}],
    "exchanges": [{"name": "orders", "vhost": "my shop", "type": "topic"}],
    "queues": [{"name": "billing", "vhost": "my shop", "durable": True}],
    "bindings": [
        {
            "source": "orders",
            "vhost": "my shop",
            "destination": "billing",
            "destination_type": "queue",
            "routing_key": "order.*",
        }
    ],
}


def declare(url, queue):
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().queue_declare(queue)


def test_a_virtual_host_is_added(leveret):
    assert leveret.url() == leveret.amqp
    url = leveret.add_virtual_host("a/b")
    assert url == leveret.url("a/b")
    declare(url, "q")
    assert leveret.publish("1", routing_key="q", mandatory=True, vhost="a/b") == "ack"
    assert leveret.publish_all(["2"], routing_key="q", vhost="a/b") == 1
    assert [message.text for message in leveret.peek("q", vhost="a/b")] == ["1", "2"]


def test_the_topology_of_production_is_imported(leveret, tmp_path):
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(DEFINITIONS))
    for definitions in (DEFINITIONS, file, str(file)):
        leveret.import_definitions(definitions)
    declare(leveret.url("my shop"), "of the test")
    answer = leveret.explain("orders", "order.created", vhost="my shop")
    assert answer.queues == ["billing"]
    with pytest.raises(package.ControlError, match="queue 'q': there is no virtual host 'v'"):
        leveret.import_definitions({"queues": [{"name": "q", "vhost": "v"}]})


def test_a_broker_starts_with_definitions(tmp_path):
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(DEFINITIONS))
    with package.Broker(definitions=file) as broker:
        assert list(broker.queues()) == ["my shop/billing"]
    with pytest.raises(RuntimeError, match="ended with status 1"):
        package.Broker(definitions=tmp_path / "none.json")
