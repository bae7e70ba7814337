"""What is different between two reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .document import Document, ReportError
from .view import View

__all__ = ["compare"]

#: From best to worst; what is worse than before is a regression.
_RANK = {
    "pass": 0,
    "holds": 0,
    "not applicable": 1,
    "known deviation": 2,
    "inconclusive": 3,
    "undecided": 3,
    "error": 3,
}


def compare(old: Document, new: Document) -> tuple[list[str], bool]:
    """Return the differences in words, and whether anything got worse.

    Raises:
        ReportError: one of the two has no footer; a part of a run is compared with nothing.
    """
    for name, document in (("OLD", old), ("NEW", new)):
        if document.footer is None:
            raise ReportError(f"{name} has no footer: that run did not come to its end, and is compared with nothing")
    before, after = View(old), View(new)
    lines = [f"{before.subject} ({before.header['profile']}): {before.sentence}"]
    lines.append(f"{after.subject} ({after.header['profile']}): {after.sentence}")
    lines += [f"note: {text}" for text in _unlike(before.header, after.header)]
    clauses = list(_changes(before.footer["clauses"], after.footer["clauses"]))
    scenarios = list(_changes(_verdicts(before), _verdicts(after)))
    for title, changes in (("clauses", clauses), ("scenarios", scenarios)):
        if changes:
            lines += ["", f"{title}:", *(f"  {'worse ' if worse else '      '} {text}" for text, worse in changes)]
    if not clauses and not scenarios:
        lines.append("no clause and no scenario came to anything else")
    return lines, any(worse for _, worse in [*clauses, *scenarios])


def _unlike(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if before["profile"] != after["profile"]:
        yield f"judged by different profiles, {before['profile']} and {after['profile']}"
    if before["contract"]["hash"] != after["contract"]["hash"]:
        yield "the clauses themselves are different"
    if before["suite"] != after["suite"]:
        yield f"run by different suites, {before['suite']} and {after['suite']}"
    for level in before["faults"].keys() | after["faults"].keys():
        if before["faults"].get(level) != after["faults"].get(level):
            yield f"faults of the level {level}: {before['faults'].get(level)}, then {after['faults'].get(level)}"


def _verdicts(view: View) -> dict[str, str]:
    found = {
        one["scenario"]: one["verdict"] + (f" ({one['finding']})" if one["finding"] else "") for one in view.results
    }
    return {**found, **dict.fromkeys(view.footer["not_decided"], "undecided")}


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        # What is not run any more was lost, unless it had nothing to say before; what is new has to be good.
        worse = old != "not applicable" if new is None else _rank(new) > (0 if old is None else _rank(old))
        yield f"{name}: {old or 'not run'} -> {new or 'not run'}", worse


def _rank(verdict: str) -> int:
    return _RANK.get(verdict.partition(" (")[0], 4)
