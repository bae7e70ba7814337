"""What cannot be read is moved aside, and told; nothing is deleted (clauses LOG-007, STA-003). PYTEST_DONT_REWRITE"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from kitty_reliability.formats.diagnostics import Diagnostic
from kitty_reliability.formats.events import recover_rows
from kitty_reliability.formats.profiles import Profile

from .files import replace_file, write_exclusively

__all__ = ["Repaired", "quarantine"]

_BOM: Final = b"\xef\xbb\xbf"
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Repaired:
    """One diagnostic for each line that was mended or moved, and the file that holds the original lines now."""

    findings: list[Diagnostic] = field(default_factory=list)
    file: Path | None = None


def quarantine(log: Path, data: bytes, profile: Profile) -> Repaired:
    """Move the lines of ``log`` that cannot be read to a file beside it. Call it with the lock held.

    A line that only has bytes around or between whole rows (a byte-order mark, zeros, a missing newline) keeps its
    rows; the line as it was is kept aside all the same.

    Arguments:
        data: what ``log`` holds.

    Raises:
        OSError: nothing was changed then but for a copy.
    """
    _, findings = recover_rows(data, profile)
    if not findings:
        return Repaired()
    wrong = {item.fields["line"] for item in findings}
    kept, aside = [], []
    for number, line in enumerate(data.rstrip(b"\n").split(b"\n"), 1):
        if number in wrong:
            aside.append(line)
            kept += rows_in(line, profile)
        else:
            kept.append(line)
    original = b"\n".join(aside) + b"\n"
    file = log.with_name(f"{log.name}.quarantine-{sha256(original).hexdigest()[:16]}")
    if not file.exists() or file.read_bytes() != original:
        write_exclusively(file, original)
    replace_file(log, b"".join(line + b"\n" for line in kept), durable=True)
    return Repaired(findings, file)


def rows_in(line: bytes, profile: Profile) -> list[bytes]:
    """Return the whole rows that a bad line is made of; none unless it is made of nothing else."""
    try:
        text = line.removeprefix(_BOM).strip(b"\0\r ").decode("utf-8")
        found, start = [], 0
        while start < len(text):
            value, end = _DECODER.raw_decode(text, start)
            if not isinstance(value, dict):
                return []
            found.append(text[start:end].encode("utf-8"))
            start = end
    except (ValueError, RecursionError):
        return []
    return found if not recover_rows(b"\n".join(found), profile)[1] else []
