"""Every diagnostic of the table, filled in: what goes over the protocol and into JSON output (clause STA-003)."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Any

from kitty_reliability.formats.diagnostics import TABLE, Diagnostic
from kitty_reliability.formats.profiles import Profile

from .cases import CONTRACT, Case

__all__ = ["answer", "cases"]

_REMARK = "3.2.x has codes of its own for some, and no table"


def answer(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:  # noqa: ARG001 - of one profile
    """Return the flat form of a diagnostic."""
    return Diagnostic(given["diagnostic_code"], given["fields"]).as_dict()


def cases() -> Iterator[Case]:
    """Yield each code with its fields, and one without."""
    for code, entry in TABLE.items():
        fields = {
            name: _value(name, form) for text in (entry.message, entry.remediation) for name, form in _fields(text)
        }
        yield Case(code, f"{code} of {entry.invariant}", {"diagnostic_code": code, "fields": fields}, CONTRACT, _REMARK)
    bare = {"diagnostic_code": "ILLEGAL_TRANSITION", "fields": {}}
    yield Case("without-fields", "A field that is missing stands as <name>", bare, CONTRACT, _REMARK)
    more = {"diagnostic_code": "ROW_TORN", "fields": {"line": 3, "holder": "caf\u00e9 \u2028"}}
    yield Case("more-fields", "Fields that no text uses are kept", more, CONTRACT, _REMARK)


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for _, name, form, _ in string.Formatter().parse(text):
        if name is not None:
            yield name, form or ""


def _value(name: str, form: str) -> Any:
    if form == "g":
        return 10
    numbers = ("line", "other_line", "length", "limit", "process_id", "ahead_count", "behind_count")
    return numbers.index(name) + 1 if name in numbers else f"the-{name.replace('_', '-')}"
