"""Administers a broker with AMQPStorm's management client."""
import sys

from amqpstorm.management import ApiError, ManagementApi

api = ManagementApi(sys.argv[1], "guest", "guest")
assert api.overview()["product_name"] == "RabbitMQ"
assert api.aliveness_test("/") == {"status": "ok"}
api.virtual_host.create("storm")
api.user.create("stormy", "pw", tags="management")
api.user.set_permission("stormy", "storm", ".*", ".*", ".*")
api.exchange.declare("x", exchange_type="topic", virtual_host="storm", durable=True)
api.queue.declare("q", virtual_host="storm", durable=True, arguments={"x-max-length": 9})
api.queue.bind("q", "x", "a.#", virtual_host="storm", arguments={})
api.basic.publish("hello", "a.b", exchange="x", virtual_host="storm")
assert api.queue.get("q", virtual_host="storm")["messages"] == 1
messages = api.basic.get("q", virtual_host="storm", requeue=False)
assert [message.body for message in messages] == ["hello"], messages
assert len(api.queue.bindings("q", virtual_host="storm")) == 2
assert {queue["name"] for queue in api.queue.list(virtual_host="storm")} == {"q"}
assert api.connection.list() == [] and api.channel.list() == []
api.queue.purge("q", virtual_host="storm")
api.queue.delete("q", virtual_host="storm")
try:
    api.queue.get("q", virtual_host="storm")
    sys.exit("a queue that was deleted is there")
except ApiError as error:
    assert error.error_code == 404
api.user.delete("stormy")
api.virtual_host.delete("storm")
print("amqpstorm: all is well")
