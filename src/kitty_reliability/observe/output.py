"""What a command printed: exactly one JSON value, or not (clause SYN-002)."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["OutputError", "one_json_value"]


class OutputError(ValueError):
    """The output is not exactly one JSON value; the text says what it is."""


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


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
