"""The schemas of what implementations answer and what the suite writes and reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kitty_conformance.catalogue import findings
from kitty_conformance.known import MOST_DAYS
from kitty_reliability.audit.baseline import Entry
from kitty_reliability.formats.diagnostics import TABLE, Diagnostic
from kitty_reliability.implementations.protocol import protocol_schema

from .parts import TEXT, Shape, listed, shape, titled

__all__ = ["SCHEMAS"]


def diagnostic() -> Shape:
    """Return the schema of a diagnostic as it goes over the protocol and into JSON output."""
    codes = [
        {
            "description": entry.message,
            "properties": {"diagnostic_code": {"const": entry.code}, "violated_invariant": {"const": entry.invariant}},
        }
        for entry in TABLE.values()
    ]
    required = {
        "diagnostic_code": TEXT,
        "violated_invariant": {
            "type": "string",
            "description": "A clause, or the invariant that released versions name.",
        },
        "message": {"type": "string", "minLength": 1},
        "remediation": {"type": "string", "minLength": 1},
    }
    example = Diagnostic("ROW_TORN", {"line": 3}).as_dict()
    about = "A diagnostic of the reference: an entry of its table, with the values that fill it. Other implementations have codes of their own."
    return titled("diagnostic", "Diagnostic", about, {**shape(required), "anyOf": codes}, [example])


def known_deviations() -> Shape:
    """Return the schema of a list of known deviations, read from TOML."""
    said: Shape = {"type": "string", "pattern": "\\S"}
    entry = shape(
        {
            "scenario": {**said, "description": "A name with its parameters; * stands for anything."},
            "finding": {"enum": [*findings()]},
            "applies": {**said, "description": "An implementation and versions of it, such as spec-kitty >=3.2,<3.3."},
            "reason": said,
            "link": said,
            "expires": {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                        "description": f"A date of TOML, at most {MOST_DAYS} days ahead."},
        },
        closed=True,
    )  # fmt: skip
    example = {
        "scenario": "test_a_torn_end_is_kept*", "finding": "unnamed", "applies": "mine >=1,<2", "reason": "Not done yet",
        "link": "https://example.invalid/1", "expires": "2027-01-31",
    }  # fmt: skip
    about = "A list of known deviations (TOML), with its dates as texts."
    made = shape({}, {"deviation": listed(entry)}, closed=True)
    return titled("known-deviations", "Known deviations", about, made, [{"deviation": [example]}])


def audit_baseline() -> Shape:
    """Return the schema of the baseline of an audit."""
    words = {
        "mission": "Its path, from the directory of the file.",
        "rule": "One that no rule of this version is called stands for nothing.",
        "file": "From the directory of the mission; . is that directory.",
        "subject": "What it is about: a work package, an event id, a code.",
    }
    entry = shape({key: {**TEXT, "description": words[key]} for key in Entry._fields})
    example = Entry("kitty-specs/demo-01KVMSSN", "log-integrity", "status.events.jsonl", "ROW_TORN")._asdict()
    about = "Findings that were there when an audit was begun. Each entry stands for one finding."
    made = shape({"version": {"const": 1}, "findings": listed(entry)})
    return titled("audit-baseline", "Baseline of an audit", about, made, [{"version": 1, "findings": [example]}])


SCHEMAS: Final[dict[str, Callable[[], Shape]]] = {
    "diagnostic": diagnostic,
    "protocol": protocol_schema,
    "known-deviations": known_deviations,
    "audit-baseline": audit_baseline,
}
