"""Calls of the control API."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any, Optional, Union

# pytest shows the test, and not this file, when something fails.
__tracebackhide__ = True

#: Seconds that the broker has to start, and to answer.
PATIENCE_S = 30

#: Seconds that a state is waited for unless a test says otherwise.
LIMIT_S = 10.0

# A proxy has no part in this.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlError(Exception):
    """The broker refuses what it was asked for."""


class TimedOut(ControlError, TimeoutError):
    """A state was not reached in time. The text tells what has happened instead."""


class Control:
    """The control API of a broker."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token

    def call(self, method: str, path: str, body: Any = None, patience_s: float = 0) -> Any:
        """Calls it. Raises :class:`ControlError`, or :class:`TimedOut` for a call that waits."""
        request = urllib.request.Request(self._address + path, method=method)
        request.add_header("authorization", f"Bearer {self._token}")
        if body is not None:
            request.add_header("content-type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with _opener.open(request, timeout=PATIENCE_S + patience_s) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                kind = TimedOut if error.code == 408 else ControlError
                raise kind(_reason(error)) from None
        except urllib.error.URLError as error:
            raise ControlError(f"the broker does not answer: was it closed? {error}") from None
        return json.loads(content) if content else None

    def wait(self, awaited: Any, limit_s: float) -> None:
        """Waits for a state. Raises :class:`TimedOut`."""
        body = {"for": awaited, "limit_ms": milliseconds(seconds=limit_s)}
        self.call("POST", "/wait", body, patience_s=limit_s)


def milliseconds(
    *, hours: float = 0, minutes: float = 0, seconds: float = 0, ms: float = 0
) -> int:
    """A duration as the control API has it."""
    total = round(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
    if total < 0:
        raise ValueError(f"a duration is not negative, as {total} ms are")
    return total


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def body_fields(body: Union[bytes, str]) -> dict[str, str]:
    """A message's body as the control API takes it."""
    if isinstance(body, str):
        return {"body": body}
    return {"body_base64": base64.b64encode(body).decode()}


def body_of(fields: dict[str, Any]) -> Optional[bytes]:
    """The body of a message that the control API tells of; ``None`` if it tells of none."""
    if "body_base64" in fields:
        return base64.b64decode(fields["body_base64"])
    return fields["body"].encode() if "body" in fields else None


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}: {text}"
