"""Rows of ``status.events.jsonl``: their kinds, their reading with line numbers, their bytes.

A row is its parsed object and the line it stands on, no more: unknown keys stay, so a row can be written back
without losing anything (clause LOG-006). What a row of each kind must have is in ``row_shapes``.

Two ways of reading:

- ``read_rows``: strict; the first bad line is an error with its number (clauses LOG-007 to LOG-009);
- ``recover_rows``: what can be read, and a list of what was left out and why (clause LOG-007).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from . import released_rows, row_shapes
from .diagnostics import Diagnostic, DiagnosticError, diagnostic
from .profiles import CONTRACT_320, Profile
from .rows import AnnotationRow, DecisionRow, LaneRow, LifecycleRow, RetrospectiveRow, Row
from .strict_json import MAX_DEPTH, RepeatedKeyError, TooDeepError, parse

__all__ = [
    "EVENT_LOG_NAME",
    "MAX_LINE_BYTES",
    "AnnotationRow",
    "DecisionRow",
    "LaneRow",
    "LifecycleRow",
    "RetrospectiveRow",
    "Row",
    "encode_row",
    "read_rows",
    "recover_rows",
    "torn_tail",
]

EVENT_LOG_NAME: Final = "status.events.jsonl"

#: A line longer than this is refused without being parsed. The longest real one has 625 kB.
MAX_LINE_BYTES: Final = 8 * 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"

# Made once: `json.dumps` makes an encoder a call when it is not asked for the default one.
_encode: Final = json.JSONEncoder(sort_keys=True, allow_nan=False).encode


def encode_row(row: Mapping[str, Any]) -> bytes:
    """Return the line of ``row``, with its newline: keys sorted, ASCII, default separators.

    Raises:
        ValueError: a value that JSON cannot hold (NaN, infinity).
    """
    return (_encode(row) + "\n").encode("ascii")


def read_rows(data: bytes, profile: Profile = CONTRACT_320, *, first_line: int = 1) -> list[Row]:
    """Read every row of a log.

    Arguments:
        data: the bytes of the log, or of its tail.
        profile: ``contract-320`` refuses rows of the wrong shape, ``spec-kitty-3.2`` coerces them.
        first_line: the number of the first line in ``data``.

    Raises:
        DiagnosticError: the first line that cannot be read, by number.
    """
    if not profile.strict_rows:
        return released_rows.read(data, first_line=first_line)
    from .plain_rows import LONGEST_PORTION, plain_rows  # here, so that who writes logs alone does not load msgspec

    rows: list[Row] = []
    number = first_line
    for portion in _portions(data, LONGEST_PORTION):
        lines = portion.split(b"\n")
        if not lines[-1]:
            lines.pop()
        found: list[Row | None] = [*plain_rows(portion, lines, number)]
        for index, row in enumerate(found):
            if row is None and lines[index]:
                found[index] = _read_line(lines[index], number + index, ended=portion.endswith(b"\n"))
        rows += filter(None, found)
        number += len(lines)
    return rows


def recover_rows(
    data: bytes, profile: Profile = CONTRACT_320, *, first_line: int = 1
) -> tuple[list[Row], list[Diagnostic]]:
    """Read what can be read of a damaged log; the arguments are those of ``read_rows``.

    Returns:
        The rows in file order, and a diagnostic for each line that was left out, with its ``line``.
    """
    rows: list[Row] = []
    left_out: list[Diagnostic] = []
    for number, line, ended in _lines(data, first_line):
        if not line:
            continue
        try:
            if profile.strict_rows:
                row = _read_line(line, number, ended=ended)
                if row is not None:
                    rows.append(row)
            else:
                rows.extend(released_rows.read(line, first_line=number))
        except DiagnosticError as error:
            left_out.append(error.diagnostic)
    return rows, left_out


def torn_tail(data: bytes) -> bytes:
    """Return the bytes after the last newline that are not a whole JSON object; empty when there are none.

    A last line that lacks only its newline is whole (clause STA-009).
    """
    tail = data[data.rfind(b"\n") + 1 :]
    if not tail.strip():
        return b""
    try:
        return b"" if isinstance(parse(tail), dict) else tail
    except (RepeatedKeyError, TooDeepError):
        return b""  # whole, and wrong in another way
    except ValueError:
        return tail


def _portions(data: bytes, longest: int) -> Iterator[bytes]:
    """Yield as many whole lines together as ``longest`` bytes hold; a line that is longer comes alone."""
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + longest) + 1 or data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end


def _lines(data: bytes, first_line: int) -> Iterator[tuple[int, bytes, bool]]:
    # Only a newline ends a line: U+2028, U+0085 and their like are legal inside a JSON string.
    number = first_line
    start = 0
    find = data.find
    while True:
        end = find(b"\n", start)
        if end < 0:
            if start < len(data):
                yield number, data[start:], False
            return
        yield number, data[start:end], True
        start = end + 1
        number += 1


def _read_line(line: bytes, number: int, *, ended: bool) -> Row | None:
    if len(line) > MAX_LINE_BYTES:
        raise diagnostic("ROW_TOO_LONG", line=number, length=len(line), limit=MAX_LINE_BYTES)
    try:
        value = parse(line)
    except RepeatedKeyError as error:
        raise diagnostic("ROW_REPEATED_KEY", line=number, key=error.key) from None
    except TooDeepError:
        raise diagnostic("ROW_TOO_DEEP", line=number, limit=MAX_DEPTH) from None
    except ValueError as error:
        if not line.strip():
            return None
        raise _not_json(line, number, str(error), ended=ended) from None
    if value.__class__ is not dict:
        raise diagnostic("ROW_NOT_OBJECT", line=number)
    return row_shapes.checked(value, number)


def _not_json(line: bytes, number: int, problem: str, *, ended: bool) -> DiagnosticError:
    if line.startswith(_BOM):
        return diagnostic("LOG_BYTE_ORDER_MARK", line=number)
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        if ended:
            return diagnostic("ROW_NOT_UTF8", line=number, problem=error.reason)
    if not ended:
        return diagnostic("ROW_TORN", line=number)
    return diagnostic("ROW_NOT_JSON", line=number, problem=problem)
