"""Two logs that went apart, merged: every row of either once, or a failure that is seen (clause LOG-013).

As a merge driver of git it is registered with::

    git config merge.kitty-log.driver "python -m kitty_reliability.reference merge_logs --base=%O --ours=%A --theirs=%B"
    echo "kitty-specs/**/status.events.jsonl merge=kitty-log" >> .gitattributes

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.instants import instant
from kitty_reliability.formats.profiles import CONTRACT_320, Profile

from .files import replace_file

__all__ = ["Merger"]


class _Line(NamedTuple):
    data: bytes
    row: dict[str, Any]
    path: Path
    number: int


class Merger:
    """Merges logs as ``profile`` reads them."""

    def __init__(self, profile: Profile = CONTRACT_320) -> None:
        self.profile = profile

    def merge(self, base: Path, ours: Path, theirs: Path) -> int:
        """Put the union of the three into ``ours`` and return how many rows it has.

        A row that one side deleted is back: what was durable stays. The union does not depend on who merges whom.

        Raises:
            DiagnosticError: a line that cannot be read, or EVENT_ID_CONFLICT; ``ours`` is as it was then.
            OSError: a file cannot be read or written.
        """
        lines = [line for path in (base, ours, theirs) for line in self.lines(path)]
        merged = self.ordered(self.union(lines))
        # Line by line as it was written: a row survives with every byte it had.
        replace_file(ours, b"".join(line.data + b"\n" for line in merged), durable=True)
        return len(merged)

    def lines(self, path: Path) -> list[_Line]:
        """Return each row of a file with its line; a missing file has none."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return []
        lines = data.split(b"\n")
        try:
            rows = read_rows(data, self.profile)
        except DiagnosticError as error:
            raise DiagnosticError(error.diagnostic.with_fields(path=str(path))) from None
        return [_Line(lines[row.line - 1].rstrip(b"\r"), row.data, path, row.line) for row in rows]

    def union(self, lines: Iterable[_Line]) -> Iterator[_Line]:
        """Yield each row once: by its event id, or, when it has none, by what it says."""
        seen: dict[Any, _Line] = {}
        nameless: list[dict[str, Any]] = []
        for line in lines:
            event_id = line.row.get("event_id")
            if event_id is None:
                if line.row not in nameless:
                    nameless.append(line.row)
                    yield line
                continue
            earlier = seen.setdefault(event_id, line)
            if earlier is line:
                yield line
            elif earlier.row != line.row:
                raise diagnostic(
                    "EVENT_ID_CONFLICT",
                    event_id=event_id,
                    line=earlier.number,
                    other_line=line.number,
                    lines=[earlier.number, line.number],
                    paths=[str(earlier.path), str(line.path)],
                )

    def ordered(self, lines: Iterable[_Line]) -> list[_Line]:
        """Order rows by instant and event id; a row without an instant keeps to the one before it."""
        keyed = []
        moment = 0
        for line in lines:
            with suppress(ValueError, TypeError):
                moment = instant(str(line.row.get("at", line.row.get("timestamp"))))
            keyed.append((moment, str(line.row.get("event_id") or ""), line.data, line))
        return [entry[-1] for entry in sorted(keyed, key=lambda entry: entry[:-1])]
