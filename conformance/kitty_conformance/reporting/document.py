"""A report: one header, a line for each scenario that was decided, one footer (``report.schema.json``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kitty_reliability.formats.visible import visible

from .shape import fits

__all__ = ["FORMAT", "Document", "ReportError", "line", "read_report"]

#: The version of the format. A key may be added to it; one that changes its meaning makes another version.
FORMAT: Final = 1


class ReportError(Exception):
    """A report cannot be read; the text names the file and what is wrong with it."""


@dataclass
class Document:
    """The lines of a report. Without a footer the run did not come to its end."""

    header: Mapping[str, Any]
    results: list[Mapping[str, Any]] = field(default_factory=list)
    footer: Mapping[str, Any] | None = None

    def shown(self) -> Document:
        """Return the same with every text such that it can be looked at."""
        return Document(_shown(self.header), _shown(self.results), _shown(self.footer))


def line(value: Mapping[str, Any]) -> str:
    """Return ``value`` as one line of a report: ASCII, so that nothing in it is lost or acts on a terminal."""
    return json.dumps(value, ensure_ascii=True) + "\n"


def read_report(path: Path) -> Document:
    """Return the report at ``path``.

    Raises:
        ReportError: it cannot be read, or is no report.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: {error}; name a file that --report-json wrote") from None
    document: Document | None = None
    for number, text in enumerate(lines, start=1):
        value = _value(text)
        kind = value.get("type")
        if document is None and kind == "header" and fits(kind, value):
            document = Document(value)
        elif document is not None and document.footer is None and kind == "result" and fits(kind, value):
            document.results.append(value)
        elif document is not None and document.footer is None and kind == "footer" and fits(kind, value):
            document.footer = value
        elif document is None or number < len(lines):
            raise ReportError(
                f"{path}: line {number} is no line of a report of format {FORMAT} or not in its place; name a file that --report-json wrote"
            )
    if document is None:
        raise ReportError(f"{path}: it is empty; name a file that --report-json wrote")
    return document


def _value(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {_shown(key): _shown(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_shown(item) for item in value]
    return value
