"""The broker as it was."""

from __future__ import annotations

from typing import Any

from .control import Control

# pytest shows the test, and not this file, when something fails.
__tracebackhide__ = True


class Snapshot:
    """All of a broker but its connections, at one moment. It outlives a crash of the broker."""

    def __init__(self, control: Control, taken: dict[str, Any]) -> None:
        self._control = control
        self._path = f"/snapshots/{taken['id']}"
        #: How many queues there were.
        self.queues: int = taken["queues"]
        #: How many messages there were.
        self.messages: int = taken["messages"]

    def restore(self) -> None:
        """Makes the broker what it was. Connections stay, and so do the consumers of queues that
        are declared as they were. The journal is cleared; the time does not go back: what had 30
        seconds to live then has 30 seconds from now."""
        self._control.call("POST", f"{self._path}/restore")

    def forget(self) -> None:
        """Frees the memory that it takes."""
        self._control.call("DELETE", self._path)
