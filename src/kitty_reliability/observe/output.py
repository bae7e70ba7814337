"""What a command printed: exactly one JSON value, and which sync diagnostics (clauses SYN-002 to SYN-006)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Output", "OutputError", "one_json_value", "sync_diagnostics"]

#: The one line that released spec-kitty prints: ``key=value`` in this order, the message last and unquoted (interop 8).
_RELEASED: Final = re.compile(r"sync_diagnostic (?P<keys>(?:\w+=\S* )*)message=(?P<message>.*)")


class OutputError(ValueError):
    """The output is not exactly one JSON value, or not the diagnostics that were asked for; the text says what it is."""


class Output(bytes):
    """What stands on one stream of a command: its bytes, and how to look at them."""

    @property
    def text(self) -> str:
        r"""The bytes as text; those that are not UTF-8 are shown as ``\xNN``."""
        return self.decode("utf-8", "backslashreplace")

    def one_json(self) -> Any:
        """Return the one JSON value that this is; OutputError when it is none, or more."""
        return one_json_value(self)

    def diagnostics(self, *, code: str | None = None, count: int | None = None) -> list[dict[str, Any]]:
        """Return the sync diagnostics, in order.

        Arguments:
            code: only those with this ``diagnostic_code``.
            count: how many there have to be.

        Raises:
            OutputError: there are more or fewer than ``count``.
        """
        found = [one for one in sync_diagnostics(self) if code is None or one["diagnostic_code"] == code]
        if count is not None and len(found) != count:
            what = f"diagnostics with the code {code!r}" if code is not None else "diagnostics"
            raise OutputError(f"{len(found)} {what}, not {count}; the stream holds: {self.text[-500:]!r}")
        return found


def one_json_value(output: bytes | str) -> Any:
    """Return the one JSON value that ``output`` is, blanks around it aside.

    Raises:
        OutputError: empty, not UTF-8, not JSON, or more than one value.
    """
    try:
        text = output.decode("utf-8") if isinstance(output, bytes) else output
    except UnicodeDecodeError as error:
        raise OutputError(f"stdout is not UTF-8: {error.reason} at byte {error.start}") from None
    stripped = text.strip()
    if not stripped:
        raise OutputError("stdout is empty")
    try:
        value, end = json.JSONDecoder(parse_constant=_refuse).raw_decode(stripped)
    except (ValueError, RecursionError):
        raise OutputError(f"stdout is not JSON: {stripped[:200]!r}") from None
    rest = stripped[end:].strip()
    if rest:
        raise OutputError(f"stdout has more than one JSON value; after the first: {rest[:200]!r}")
    return value


def sync_diagnostics(output: bytes | str) -> list[dict[str, Any]]:
    """Return the sync diagnostics among the lines of ``output``: the keys of SYN-004, each as it is spelled there.

    A line is one when it is a JSON object with ``diagnostic_code`` and ``sync_phase``, or has the released form
    ``sync_diagnostic severity=... message=...``, where ``fatal`` is read as a truth value.
    """
    text = output.decode("utf-8", "backslashreplace") if isinstance(output, bytes) else output
    return [one for line in text.split("\n") if (one := _diagnostic(line.strip())) is not None]


def _diagnostic(line: str) -> dict[str, Any] | None:
    if released := _RELEASED.fullmatch(line):
        keys: dict[str, Any] = dict(pair.split("=", 1) for pair in released["keys"].split())
        return {**keys, "fatal": keys.get("fatal") == "true", "message": released["message"]}
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(value, Mapping) and {"diagnostic_code", "sync_phase"} <= value.keys()
    return dict(value) if known else None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
