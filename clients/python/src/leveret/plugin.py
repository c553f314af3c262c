"""The pytest plugin: the fixture ``leveret``."""

from collections.abc import Iterator

import pytest

from .broker import Broker


@pytest.fixture
def leveret() -> Iterator[Broker]:
    """A broker for this test alone, whose time stands still until the test advances it."""
    with Broker() as broker:
        yield broker
