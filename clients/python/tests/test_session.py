"""The broker for all tests of a session, and what a failure shows."""

import pytest

from leveret import ControlError


def test_what_is_published_to_nowhere_is_an_error(leveret, channel):
    with pytest.raises(ControlError, match="no queue got the message to the default exchange"):
        leveret.publish("lost", routing_key="nowhere")
    with pytest.raises(ControlError, match="with key 'nowhere'"):
        leveret.publish_all(["a"], routing_key="nowhere")
    assert leveret.publish("lost", routing_key="nowhere", mandatory=False) == "ack"
    with pytest.raises(AssertionError, match="no fault was declared"):
        leveret.faults.assert_all_fired()


def test_nothing_is_idle_before_somebody_consumes(leveret, channel):
    with pytest.raises(TimeoutError, match="no consumer came"):
        leveret.wait_until_idle(seconds=0.01)


def test_tests_share_a_broker_and_failures_point_at_them(pytester):
    pytester.makepyfile(
        """
        def test_first(leveret_session):
            assert not hasattr(test_first, "url")
            test_first.url = leveret_session.amqp

        def test_second(leveret_session):
            assert leveret_session.amqp == test_first.url
            leveret_session.journal.published().assert_some()
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*leveret journal of leveret_session*"])
    result.stdout.fnmatch_lines(["*test_tests_share_a_broker*.py:7: AssertionError"])
    result.stdout.no_fnmatch_line("*/leveret/journal.py:*")


def test_a_program_that_is_not_there_says_how_to_get_it(monkeypatch):
    import leveret

    monkeypatch.setenv("LEVERET_BINARY", "/nonexistent/leveret")
    with pytest.raises(RuntimeError, match="cargo install leveret"):
        leveret.Broker()
