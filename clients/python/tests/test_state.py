"""The state of queues, explanations, waiting, and the report of a failed test."""

import threading

import pika
import pytest

from leveret import ControlError, TimedOut


def test_messages_are_seen_where_they_are(leveret, channel):
    properties = {"content_type": "text/plain", "expiration": "60000"}
    confirmed = leveret.publish(
        "hello", routing_key="q", headers={"n": 1}, properties=properties
    )
    assert confirmed == "ack"
    assert leveret.publish(b"\xff", routing_key="none", mandatory=True) == "returned"
    message = leveret.peek("q", max=1)[0]
    assert (message.text, message.headers, message.properties) == ("hello", {"n": 1}, properties)
    assert message.expires_at_ms == leveret.clock.now_ms + 60_000
    channel.basic_get("q")
    taken = leveret.unacked("q")[0]
    assert (taken.body, taken.consumer_tag, leveret.peek("q")) == (b"hello", None, [])
    opened = leveret.journal.topology().first()
    assert (taken.connection, taken.connection_name, taken.channel) == (
        opened.fields["connection"], None, channel.channel_number
    )
    with pytest.raises(ControlError, match="no queue 'none' in vhost '/'"):
        leveret.peek("none")


def test_a_queue_gives_out_one_message_at_a_time(leveret, channel):
    leveret.hold("q")
    for text in ["1", "2"]:
        leveret.publish(text, routing_key="q")
    assert channel.basic_get("q") == (None, None, None)
    leveret.release("q")
    assert channel.basic_get("q", auto_ack=True)[2] == b"1"
    assert channel.basic_get("q", auto_ack=True)[2] is None
    leveret.end_hold("q")
    assert channel.basic_get("q", auto_ack=True)[2] == b"2"


def test_a_test_decides_who_gets_a_message(leveret, channel):
    parameters = pika.URLParameters(leveret.amqp)
    parameters.client_properties = {"connection_name": "slow"}
    with pika.BlockingConnection(parameters) as connection:
        slow = connection.channel()
        leveret.hold("q")
        for own in (channel, slow):
            own.basic_consume("q", lambda *_: None, consumer_tag="c")
        assert leveret.publish_all(["1", "2", "3"], routing_key="q") == 3
        with pytest.raises(ControlError, match="name its connection"):
            leveret.release("q", to="c")
        leveret.release("q", to="c", connection="slow", channel=slow.channel_number)
        number = leveret.unacked("q")[0].connection
        leveret.release("q", count=2, to="c", connection=number)
        assert [m.connection_name for m in leveret.unacked("q")] == ["slow"] * 3
    with pytest.raises(ValueError, match="give its tag"):
        leveret.release("q", channel=1)


def test_many_messages_are_published_at_once(leveret, channel):
    messages = [b"\xff", {"body": "2", "headers": {"n": 2}}, {"routing_key": "none"}]
    assert leveret.publish_all(messages, routing_key="q", mandatory=True) == 2
    assert [(m.body, m.headers) for m in leveret.peek("q")] == [(b"\xff", {}), (b"2", {"n": 2})]
    leveret.faults.confirms().lose()
    with pytest.raises(TimedOut, match="not confirmed within 10ms"):
        leveret.publish_all((str(n) for n in range(2)), seconds=0.01)


def test_a_program_in_another_thread_is_waited_for(leveret, channel):
    def work():
        with pika.BlockingConnection(pika.URLParameters(leveret.amqp)) as connection:
            own = connection.channel()
            for method, _, body in own.consume("q"):
                own.basic_ack(method.delivery_tag)
                if body == b"last":
                    return

    worker = threading.Thread(target=work)
    worker.start()
    leveret.wait_for("q", consumers=1)
    for body in [b"1", b"2", b"last"]:
        channel.basic_publish("", "q", body)
    leveret.wait_until_idle()
    leveret.journal.acked().in_queue("q").assert_texts("1", "2", "last")
    worker.join()
    with pytest.raises(TimedOut, match="queue 'q' had 0 ready .* within 10ms; what happened last"):
        leveret.wait_for("q", ready=1, seconds=0.01)


def test_a_route_is_explained(leveret, channel):
    channel.exchange_declare("orders", "topic")
    channel.queue_bind("q", "orders", "order.created")
    answer = leveret.explain("orders", "order.creatd")
    assert answer.unroutable
    assert "word 2 of the key is 'creatd', not 'created'" in str(answer)
    assert leveret.explain("orders", "order.created").queues == ["q"]


def test_a_test_begins_anew(leveret, channel):
    leveret.faults.publishes().unroutable()
    leveret.reset()
    assert (leveret.queues(), leveret.faults.rules(), leveret.journal.all()) == ({}, [], [])
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"x", mandatory=True)


@pytest.mark.leveret(lint="warn", journal=10)
def test_a_marker_says_how_the_broker_is_started(leveret, channel):
    channel.queue_declare("other", arguments={"x-mesage-ttl": 1})
    assert [(lint.kind, lint.subject) for lint in leveret.lints()] == [
        ("unknown_argument", "queue 'other' in vhost '/'")
    ]
    for _ in range(10):
        leveret.publish(routing_key="q")
    assert leveret.journal.count() == 10


@pytest.mark.leveret(deny_deprecated=True)
def test_what_an_upgrade_would_break_is_refused(leveret):
    with pika.BlockingConnection(pika.URLParameters(leveret.amqp)) as connection:
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as refused:
            connection.channel().queue_declare("q")
    assert refused.value.reply_code == 541


def test_the_report_of_a_failed_test_shows_what_happened(pytester):
    pytester.makepyfile(
        """
        def test_fails(leveret):
            leveret.publish("hello", routing_key="nowhere", mandatory=False)
            assert False

        def test_passes(leveret):
            leveret.publish("unseen", routing_key="nowhere", mandatory=False)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=1)
    section = ["*- leveret journal -*", "*published to the default exchange*hello*"]
    result.stdout.fnmatch_lines(section)
    result.stdout.no_fnmatch_line("*unseen*")
