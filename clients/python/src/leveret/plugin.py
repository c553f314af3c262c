"""The pytest plugin: the fixtures ``leveret`` and ``leveret_session``, and what happened in them if
a test fails."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from .broker import Broker
from .control import ControlError

#: Events that the report of a failed test shows.
SHOWN = 50


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    takes = (
        "manual_clock, journal, lint, deny_deprecated, without_plugins, rabbitmq_faults, definitions"
    )
    text = f"leveret({takes}): how the broker of the fixture is started"
    config.addinivalue_line("markers", text)


@pytest.fixture
def leveret(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker for this test alone, whose time stands still until the test advances it."""
    marker = request.node.get_closest_marker("leveret")
    with Broker(**(marker.kwargs if marker else {})) as broker:
        yield broker


@pytest.fixture(scope="session")
def leveret_session() -> Iterator[Broker]:
    """One broker for all tests of the session, on real time: for programs that are started once,
    such as workers. ``reset()`` or a snapshot gives each test the same state."""
    with Broker(manual_clock=False) as broker:
        yield broker


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, Any, None]:
    """Adds the last events to the report of a test that failed."""
    report = (yield).get_result()
    if call.when != "call" or not report.failed:
        return
    for name, broker in getattr(item, "funcargs", {}).items():
        if not isinstance(broker, Broker):
            continue
        try:
            lines = [str(event) for event in broker.journal.all(last=SHOWN)]
        except (ControlError, OSError):
            continue  # the journal is off, or the test has ended the broker
        title = "leveret journal" if name == "leveret" else f"leveret journal of {name}"
        report.sections.append((title, "\n".join(lines)))
