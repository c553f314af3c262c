"""The program that the package starts, and what it is not to do in vain."""

import pytest

import leveret


def test_a_program_that_is_not_there_is_told_with_how_to_get_it(monkeypatch):
    monkeypatch.setenv("LEVERET_BINARY", "/nowhere/leveret")
    with pytest.raises(RuntimeError, match="/nowhere/leveret cannot be started: .*cargo install"):
        leveret.Broker()


def test_a_program_that_is_nowhere_is_told_with_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.delenv("LEVERET_BINARY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(leveret.broker, "_installed", lambda name: [])
    with pytest.raises(RuntimeError, match="the program leveret is not installed.*LEVERET_BINARY"):
        leveret.Broker()


def test_what_would_be_in_vain_says_so():
    broker = leveret.Broker()
    with pytest.raises(ValueError, match="not negative, as -3600000 ms are"):
        broker.clock.advance(hours=-1)
    broker.close()
    with pytest.raises(leveret.ControlError, match="does not answer: was it closed"):
        broker.queues()
    with pytest.raises(RuntimeError, match="ended with status 2; why is on standard error"):
        leveret.Broker(lint="wrn")
