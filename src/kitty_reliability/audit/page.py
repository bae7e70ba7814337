"""What an audit found, as one page of HTML: no request leaves it, and no text of a mission is markup in it. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from typing import Any

from .findings import Severity
from .rules import RULES

__all__ = ["page"]


def page(
    findings: Sequence[Mapping[str, Any]],
    severities: Mapping[str, Severity],
    counts: Mapping[str, int],
    undecided: Sequence[tuple[str, str]],
) -> str:
    """Return the page.

    Arguments:
        findings: ``Finding.as_dict`` with ``mission``, ``severity`` and ``known``, by mission.
        severities: of the rules that were asked.
        counts: ``missions`` and ``items``.
        undecided: mission and rule of each question that could not be decided.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files(__package__) / "page.html.j2").read_text(encoding="utf-8"))
    shown = [{**one, "state": "known" if one["known"] else one["severity"]} for one in findings]
    by_rule: dict[str, Counter[str]] = {rule: Counter() for rule in severities}
    for one in shown:
        by_rule[one["rule"]][one["state"]] += 1
    missions = [(name, list(group)) for name, group in groupby(shown, key=lambda one: one["mission"])]
    totals = Counter(one["state"] for one in shown)
    return template.render(
        missions=missions,
        rules=[(RULES[rule], level, by_rule[rule]) for rule, level in severities.items()],
        totals=totals,
        counts=counts,
        undecided=undecided,
        states=["error", "known", "warning", "info"],
    )
