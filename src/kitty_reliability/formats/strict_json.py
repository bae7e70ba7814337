"""JSON as a log needs it: fast, and with repeated keys and extreme depth refused (clause LOG-009).

A C parser keeps the last of two equal keys without a word. Asking Python for every pair costs more than the
parse itself, so a line is parsed fast and its quotes are *counted* in the raw text: when there are two for each key
and each text that the parsed object has, none was dropped. Only a line that does not add up is parsed slowly.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

__all__ = ["MAX_DEPTH", "RepeatedKeyError", "TooDeepError", "parse"]

#: Levels of objects and arrays; real rows have at most five.
MAX_DEPTH: Final = 64

#: From this size on, in bytes, a line is parsed by the standard library: the fast parser takes twelve times a text's
#: size before it knows whether the text is sound.
_LARGE: Final = 1 << 18

#: More texts than any text can have.
_NEVER: Final = 1 << 40


class RepeatedKeyError(ValueError):
    """An object has one key twice."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"key {key!r} twice")


class TooDeepError(ValueError):
    """A value is nested deeper than MAX_DEPTH levels."""


def parse(text: bytes) -> Any:
    """Return the value of one JSON text in UTF-8.

    Raises:
        RepeatedKeyError: an object has one key twice.
        TooDeepError: deeper than MAX_DEPTH.
        ValueError: not JSON by RFC 8259; also NaN, infinities, lone surrogates and invalid UTF-8.
    """
    if len(text) > _LARGE:
        return _parse_slowly(text)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # "depth limit exceeded", or "array and object recursion depth exceeded" in earlier releases.
        if "depth" in error.msg:
            raise TooDeepError(error.msg) from None
        raise ValueError(_explain(error)) from None
    if value.__class__ is not dict and value.__class__ is not list:
        return json.loads(text) if value.__class__ is float else value
    quotes = text.count(b'"')
    if b"\\" in text:
        # After two backslashes a quote may be one that ends a text: then the count proves nothing.
        quotes = -1 if b"\\\\" in text else quotes - text.count(b'\\"')
    # Neither does it for floats: the fast parser makes them of integers beyond 64 bits too.
    if quotes != 2 * _texts(value, MAX_DEPTH):
        return json.loads(text, object_pairs_hook=_unique)
    return value


def _parse_slowly(text: bytes) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise TooDeepError("deeper than the parser goes") from None
    except UnicodeEncodeError:
        raise ValueError("lone surrogate") from None
    if value.__class__ is dict or value.__class__ is list:
        _texts(value, MAX_DEPTH)
    return value


def _explain(error: orjson.JSONDecodeError) -> str:
    return f"{error.msg}: column {error.colno}" if "column" not in error.msg else error.msg


def _texts(value: Any, depth: int) -> int:
    """Return how many keys and texts there are."""
    if depth == 0:
        raise TooDeepError(f"deeper than {MAX_DEPTH} levels")
    if value.__class__ is dict:
        count = len(value)
        children = value.values()
    else:
        count = 0
        children = value
    for child in children:
        kind = child.__class__
        if kind is str:
            count += 1
        elif kind is dict or kind is list:
            count += _texts(child, depth - 1)
        elif kind is float:
            count += _NEVER
    return count


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RepeatedKeyError(key)
        found[key] = value
    return found
