"""What became of an event log: rows added since a mark, earlier bytes intact, the lane from the bytes.

Deliberately plain: every look reads the whole file and parses it with the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitty_reliability.formats.instants import instant

__all__ = ["Added", "LogMark", "lane_from_bytes", "lanes_from_bytes", "mark_log", "rows_from_bytes"]


@dataclass(frozen=True, slots=True)
class Added:
    """What a log gained since a mark.

    ``data`` is what stands behind the marked bytes, ``rows`` its whole lines that are JSON objects, and
    ``debris`` its lines that are not: torn, glued or foreign bytes.
    """

    data: bytes
    rows: Sequence[dict[str, Any]]
    debris: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class LogMark:
    """A log as it was at one moment; ``data`` is None when there was none."""

    path: Path
    data: bytes | None

    @property
    def now(self) -> bytes | None:
        """The bytes of the log now, None when there is none."""
        return _bytes_of(self.path)

    @property
    def unchanged(self) -> bool:
        """Say whether the log is byte for byte what it was."""
        return self.now == self.data

    @property
    def intact(self) -> bool:
        """Say whether every whole line that was there is still there, byte for byte, at its place."""
        before, now = self.data or b"", self.now or b""
        return now.startswith(before[: before.rfind(b"\n") + 1])

    @property
    def kept(self) -> bool:
        """Say whether every row that was there is still there, in its order, whatever its bytes are now."""
        rows = rows_from_bytes(self.data or b"")
        return rows_from_bytes(self.now or b"")[: len(rows)] == rows

    def added(self) -> Added:
        """Return what stands behind the rows that were there.

        Raises:
            ValueError: those rows are not there any more, so nothing can be called added.
        """
        if not self.intact:
            if not self.kept:
                raise ValueError(f"{self.path}: the rows that were there have changed")
            rows, debris = _split(self.now or b"")
            return Added(b"", rows[len(rows_from_bytes(self.data or b"")) :], debris)
        before, now = self.data or b"", self.now or b""
        start = before.rfind(b"\n") + 1
        unended = before[start:]
        rest = now[len(before) :]
        if _split(unended)[0] and now.startswith(before) and (not rest or rest.startswith(b"\n")):
            start = len(before)  # a whole row that lacked its newline was there before, and has it now
        behind = now[start:]
        rows, debris = _split(behind)
        return Added(behind, rows, debris)


def mark_log(path: Path) -> LogMark:
    """Remember the log at ``path`` as it is now; a missing one and a directory are remembered as missing."""
    return LogMark(path, _bytes_of(path))


def rows_from_bytes(data: bytes) -> list[dict[str, Any]]:
    """Return every line of ``data`` that is a JSON object, in file order; other lines are left out."""
    return _split(data)[0]


def lane_from_bytes(data: bytes, work_package: str) -> str | None:
    """Return the lane of ``work_package`` that the rows of ``data`` add up to, None when none moves it."""
    return lanes_from_bytes(data).get(work_package)


def lanes_from_bytes(data: bytes) -> dict[str, str]:
    """Return the lane of each work package that the rows of ``data`` move.

    The latest row by instant, then by event id, decides (clause LOG-005). Repeated rows change nothing;
    rules about rejections at one instant are not applied: do not ask about such a log.
    """
    latest: dict[str, tuple[int, str]] = {}
    lanes: dict[str, str] = {}
    for row in rows_from_bytes(data):
        work_package, lane = row.get("wp_id"), row.get("to_lane")
        if not isinstance(work_package, str) or not isinstance(lane, str):
            continue
        if row.get("kind") is not None or "event_type" in row:
            continue
        try:
            order = (instant(row["at"]), str(row["event_id"]))
        except (KeyError, ValueError, TypeError):
            continue
        if work_package not in latest or order >= latest[work_package]:
            latest[work_package], lanes[work_package] = order, lane
    return lanes


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, PermissionError, NotADirectoryError):
        return None


def _split(data: bytes) -> tuple[list[dict[str, Any]], list[bytes]]:
    rows: list[dict[str, Any]] = []
    debris: list[bytes] = []
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            debris.append(line)
            continue
        if isinstance(value, dict):
            rows.append(value)
        else:
            debris.append(line)
    return rows, debris
