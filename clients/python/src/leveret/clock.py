"""The time of a broker, in the test's hands."""

from __future__ import annotations

from .control import Control, milliseconds

# pytest shows the test, and not this file, when something fails.
__tracebackhide__ = True


class Clock:
    """The time of a broker."""

    def __init__(self, control: Control) -> None:
        self._control = control

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970, as the broker sees them."""
        return int(self._control.call("GET", "/clock")["now_ms"])

    def advance(
        self, *, hours: float = 0, minutes: float = 0, seconds: float = 0, ms: float = 0
    ) -> None:
        """Moves time on. When this returns, what follows has happened in the broker."""
        total = milliseconds(hours=hours, minutes=minutes, seconds=seconds, ms=ms)
        self._control.call("POST", "/clock/advance", {"ms": total})

    def advance_to_next_event(self) -> None:
        """Moves time on to the next deadline: a message or a queue that expires, a delay."""
        self._control.call("POST", "/clock/advance", {"to_next_event": True})
