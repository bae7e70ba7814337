"""Markdown, for a comment on a change or a page of documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .document import Document
from .view import View

__all__ = ["markdown"]


def markdown(document: Document) -> str:
    """Return the report as Markdown. Whatever the implementation said stands in code, where nothing acts."""
    view = View(document)
    implementation = view.header["implementation"]
    claimed, not_claimed = view.capabilities
    parts = [
        f"# Conformance of {_code(view.subject)}",
        f"**{view.sentence}** ({view.header['profile']})",
        "## What it claims",
        f"Asked as {_code(implementation['spec'])}; it declares profile {_code(implementation['profile'])}.",
        f"Claimed: {_codes(claimed)}. Not claimed: {_codes(not_claimed)}.",
        "## Clauses",
        _table(
            ("clause", "verdict", "scenarios", "promise"),
            [(one.id, _bold(one.verdict), one.tally, _plain(one.promise)) for one in view.clauses],
        ),
    ]
    parts += _section("Violations", [_failure(view, one) for one in view.of("fail")])
    parts += _section("Known deviations", [_failure(view, one) for one in view.of("known deviation")])
    problems = view.footer.get("deviation_problems", ())
    parts += _section("The list of known deviations is wrong", [f"- {_code(text)}" for text in problems], tight=True)
    parts += _section("Undecided", [f"- {_code(name)}: {_code(why)}" for name, why in view.undecided], tight=True)
    parts += _section("Not tested", [f"- {_plain(what)}: {_code(why)}" for what, why in view.not_tested], tight=True)
    parts += ["## Environment", _table(("what", "value"), [(what, _cell(value)) for what, value in view.environment])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, items: list[str], *, tight: bool = False) -> list[str]:
    if not items:
        return []
    return [f"## {title}", *(["\n".join(items)] if tight else items)]


def _failure(view: View, result: Mapping[str, Any]) -> str:
    lines = [f"### {', '.join(result['clauses'])} {_code(result['scenario'])}"]
    lines.append("; ".join(_plain(view.promise(clause)) for clause in result["clauses"]))
    lines.append(f"**{result['finding']}**: {_plain(view.meaning(result['finding']))}")
    lines.append(_fence("\n".join([result["detail"], *result["story"]])))
    if known := result["deviation"]:
        lines.append(f"Known, {known['days_left']} days left: {_code(known['reason'])} ({_code(known['link'])})")
    again = view.reproduction(result)
    if "folder" in again:
        lines.append(f"Reproduction: {_code(again['folder'])}")
    lines.append("Again:\n\n" + _fence(view.command(result)))
    return "\n\n".join(lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _bold(verdict: str) -> str:
    return f"**{verdict}**" if verdict == "violated" else verdict


def _codes(words: list[str]) -> str:
    return ", ".join(map(_code, words)) or "nothing"


def _code(text: str) -> str:
    """Return ``text`` as a span of code, whatever is in it."""
    text = " ".join(text.split("\n"))
    ticks = "`" * (_longest_run(text) + 1)
    return f"{ticks} {text} {ticks}" if "`" in text else f"{ticks}{text or ' '}{ticks}"


def _cell(text: str) -> str:
    # A bar ends a cell, in code as well.
    return _code(text).replace("|", "\\|")


def _fence(text: str) -> str:
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}text\n{text}\n{ticks}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _plain(text: str) -> str:
    """Return the suite's own text, with what Markdown would take as a mark escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)
