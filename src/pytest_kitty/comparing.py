"""Rows and snapshots side by side, for an assertion that failed. PYTEST_DONT_REWRITE

Only ASCII marks and no colours: what is written goes to logs and reports as well. ``!`` is before rows that differ, ``-`` before
one that only the left side has, ``+`` before one that only the right side has; ``^`` is below what differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from kitty_reliability.formats.rows import Row
from kitty_reliability.formats.visible import visible, visible_line

__all__ = ["compare"]

_LANE_KEYS: Final = frozenset({"event_id", "wp_id", "from_lane", "to_lane", "at"})
_SNAPSHOT_KEYS: Final = frozenset({"event_count", "last_event_id", "summary", "work_packages"})
#: Columns that are left out one after the other where a terminal is too narrow for them.
_LESS_NEEDED: Final = ("at", "actor", "line")
#: Key -> the column that shows it, perhaps in part.
_COLUMN: Final = {
    "actor": "actor",
    "at": "at",
    "timestamp": "at",
    "last_transition_at": "at",
    "wp_id": "wp",
    "from_lane": "lanes",
    "to_lane": "lanes",
    "lane": "lane",
}
_WIDEST_CELL: Final = 32
_SEPARATOR: Final = "  |  "


@dataclass(frozen=True, slots=True)
class _Item:
    """A row of the table: what is compared, its cells by column, and what no column shows."""

    key: str
    value: Any
    cells: Mapping[str, str]
    rest: Mapping[str, Any]


def compare(left: Any, right: Any, width: int) -> list[str] | None:
    """Return the lines that explain why ``left == right`` does not hold, None when they are neither rows nor snapshots.

    Arguments:
        width: columns of the terminal that are free.
    """
    if _is_row(left) and _is_row(right):
        left, right = [left], [right]
    if _is_rows(left) and _is_rows(right) and (left or right):
        return _explain("rows", *_shortened(_rows(left), _rows(right)), width, _first_line(len(left), len(right)))
    if _is_snapshot(left) and _is_snapshot(right):
        return _explain_snapshots(left, right, width)
    return None


def _is_row(value: Any) -> bool:
    if isinstance(value, Row):
        return True
    return isinstance(value, Mapping) and (
        value.keys() >= _LANE_KEYS or (value.get("kind") == "annotation" and "delta" in value)
    )


def _is_rows(value: Any) -> bool:
    # A log holds rows of other kinds too; one of a known kind tells that it is one.
    if not isinstance(value, list | tuple):
        return False
    return not value or (any(map(_is_row, value)) and all(isinstance(one, Row | Mapping) for one in value))


def _is_snapshot(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() >= _SNAPSHOT_KEYS and isinstance(value["work_packages"], Mapping)


def _first_line(left: int, right: int) -> str:
    return f"rows differ: {left} on the left, {right} on the right"


# --- rows and work packages as items of a table


def _rows(rows: Sequence[Any]) -> list[_Item]:
    return [_row(number, row) for number, row in enumerate(rows, 1)]


def _row(number: int, row: Any) -> _Item:
    data = row.data if isinstance(row, Row) else row
    moves = "to_lane" in data
    what = f"{_text(data.get('from_lane'))} -> {_text(data['to_lane'])}" if moves else _kind(data)
    cells = {
        "line": str(row.line if isinstance(row, Row) else number),
        "id": _tail(data.get("event_id")),
        "wp": _text(data.get("wp_id")),
        "lanes": what,
        "actor": _actor(data.get("actor")),
        "at": _text(data.get("at", data.get("timestamp"))),
    }
    # Two ids with one tail would look equal.
    shown = (
        {"wp_id", "from_lane", "to_lane", "actor", "at", "timestamp"}
        if moves
        else {"wp_id", "actor", "at", "timestamp"}
    )
    rest = {str(key): value for key, value in data.items() if key not in shown}
    return _Item(str(data.get("event_id")), data, cells, rest)


def _kind(data: Mapping[str, Any]) -> str:
    return _text(data.get("kind") or data.get("event_name") or data.get("event_type") or data.get("type"))


def _package(name: str, entry: Any) -> _Item:
    data = entry if isinstance(entry, Mapping) else {}
    cells = {
        "wp": _text(name),
        "lane": _text(data.get("lane")),
        "id": _tail(data.get("last_event_id")),
        "actor": _actor(data.get("actor")),
        "at": _text(data.get("last_transition_at")),
    }
    rest = {str(key): value for key, value in data.items() if key not in ("lane", "actor", "last_transition_at")}
    return _Item(str(name), entry, cells, rest)


def _text(value: Any) -> str:
    """Return ``value`` on one line, without what a terminal would obey."""
    text = value if isinstance(value, str) else "" if value is None else _json(value)
    text = visible_line(text)
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 3] + "..."


def _tail(event_id: Any) -> str:
    text = _text(event_id)
    return f"..{text[-6:]}" if len(text) > 8 else text


def _actor(actor: Any) -> str:
    return _text(actor.get("tool") or actor.get("role")) if isinstance(actor, Mapping) else _text(actor)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, default=repr)
    except (TypeError, ValueError, RecursionError):
        # Keys that cannot be put in order, or a value that holds itself: an explanation never fails.
        return repr(value)


def _shortened(left: list[_Item], right: list[_Item]) -> tuple[list[_Item], list[_Item]]:
    """Leave out of the times what all of them have in common: the day, and UTC."""
    times = [item.cells["at"] for item in (*left, *right) if item.cells["at"]]
    day = {time[:11] for time in times}
    before = len(next(iter(day))) if len(day) == 1 and next(iter(day)).endswith("T") else 0
    behind = 6 if times and all(time.endswith("+00:00") for time in times) else 0

    def short(item: _Item) -> _Item:
        at = item.cells["at"]
        cells = {**item.cells, "at": at[before : len(at) - behind]} if at else item.cells
        return _Item(item.key, item.value, cells, item.rest)

    return [*map(short, left)], [*map(short, right)]


# --- the table


def _explain(title: str, left: list[_Item], right: list[_Item], width: int, first: str) -> list[str]:
    pairs = [*_paired(left, right)]
    changed = [pair for pair in pairs if pair[0] is None or pair[1] is None or pair[0].value != pair[1].value]
    if not changed:
        return [first, f"each pair of {title} is equal, the containers are not"]
    lines = [f"{first}, {len(pairs) - len(changed)} equal and not shown"]
    return [*lines, *_table(changed, width)]


def _paired(left: list[_Item], right: list[_Item]) -> Iterator[tuple[_Item | None, _Item | None]]:
    matcher = SequenceMatcher(None, [item.key for item in left], [item.key for item in right], autojunk=False)
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        ours, theirs = left[start:end], right[other_start:other_end]
        for number in range(max(len(ours), len(theirs))):
            yield (
                ours[number] if number < len(ours) else None,
                theirs[number] if number < len(theirs) else None,
            )


def _table(pairs: Sequence[tuple[_Item | None, _Item | None]], width: int) -> Iterator[str]:
    items = [item for pair in pairs for item in pair if item is not None]
    columns = [*items[0].cells]
    sizes = {name: max(len(name), *(len(item.cells[name]) for item in items)) for name in columns}

    def size() -> int:
        return sum(sizes[name] for name in columns) + len(columns) - 1

    beside = 2 * size() + len(_SEPARATOR) + 2 <= width
    if not beside:
        for name in _LESS_NEEDED:
            if size() + 4 > width and name in columns:
                columns.remove(name)

    def line(texts: Mapping[str, str]) -> str:
        return " ".join(texts.get(name, "").ljust(sizes[name]) for name in columns)

    def cells(item: _Item | None) -> str:
        return line({} if item is None else item.cells)

    heading = line({name: name for name in columns})
    yield (f"  {heading}{_SEPARATOR}{heading}" if beside else f"    {heading}").rstrip()
    for ours, theirs in pairs:
        differing = _differing(ours, theirs)
        carets = line({name: "^" * sizes[name] for name in differing})
        mark = "-" if theirs is None else "+" if ours is None else "!"
        if beside:
            yield f"{mark} {cells(ours)}{_SEPARATOR}{cells(theirs)}".rstrip()
            carets = f"  {carets}{' ' * len(_SEPARATOR)}{carets}"
        else:
            yield from (f"{mark} {side} {cells(item)}".rstrip() for side, item in (("<", ours), (">", theirs)) if item)
            carets = f"    {carets}"
        if carets.strip():
            yield carets.rstrip()
        if ours is not None and theirs is not None:
            yield from _details(ours, theirs, [name for name in differing if name not in columns])


def _differing(ours: _Item | None, theirs: _Item | None) -> list[str]:
    if ours is None or theirs is None:
        return []
    # Where a row stands is no part of what it says.
    return [name for name in ours.cells if name != "line" and ours.cells[name] != theirs.cells[name]]


def _details(ours: _Item, theirs: _Item, hidden: list[str]) -> Iterator[str]:
    for name in hidden:
        yield f"    {name}: {ours.cells[name]} | {theirs.cells[name]}"
    shown = ours.cells["id"] != theirs.cells["id"]
    for key in sorted(ours.rest.keys() | theirs.rest.keys()):
        if ours.rest.get(key, ...) != theirs.rest.get(key, ...) and not (
            shown and key in ("event_id", "last_event_id")
        ):
            yield f"    {visible(key)}: {_said(ours.rest, key)} | {_said(theirs.rest, key)}"
    # What a column shows may be a part of it: an actor with four keys, a text that was cut.
    for name in (name for name in _COLUMN if _differs_unseen(ours, theirs, name)):
        yield f"    {name}: {_said(ours.value, name)} | {_said(theirs.value, name)}"


def _differs_unseen(ours: _Item, theirs: _Item, name: str) -> bool:
    if not isinstance(ours.value, Mapping) or not isinstance(theirs.value, Mapping):
        return False
    column = _COLUMN[name]
    if name in ours.rest or name in theirs.rest or column not in ours.cells:
        return False
    return ours.value.get(name, ...) != theirs.value.get(name, ...) and ours.cells[column] == theirs.cells[column]


def _said(values: Mapping[str, Any], key: str) -> str:
    return visible(_json(values[key])) if key in values else "(not there)"


# --- snapshots


def _explain_snapshots(left: Mapping[str, Any], right: Mapping[str, Any], width: int) -> list[str]:
    lines = ["snapshots differ"]
    for key in sorted(left.keys() | right.keys()):
        if key not in ("work_packages", "summary") and left.get(key, ...) != right.get(key, ...):
            lines.append(f"    {visible(str(key))}: {_said(left, key)} | {_said(right, key)}")
    counts = [_counts(one["summary"]) for one in (left, right)]
    for lane in sorted(counts[0].keys() | counts[1].keys()):
        if counts[0].get(lane) != counts[1].get(lane):
            lines.append(
                f"    summary.{lane}: {counts[0].get(lane, '(not there)')} | {counts[1].get(lane, '(not there)')}"
            )
    packages = [
        [_package(name, one["work_packages"][name]) for name in sorted(one["work_packages"])] for one in (left, right)
    ]
    if left["work_packages"] != right["work_packages"]:
        first = f"work packages: {len(packages[0])} on the left, {len(packages[1])} on the right"
        lines += _explain("work packages", *_shortened(*packages), width, first)
    return lines


def _counts(summary: Any) -> dict[str, Any]:
    return {visible(str(lane)): count for lane, count in summary.items()} if isinstance(summary, Mapping) else {}
