"""Which transitions are legal, and what each guard lets through (clause STA-007)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.lanes import Lane, UnknownLaneError, lane_from_input
from kitty_reliability.formats.profiles import Profile
from kitty_reliability.reference.transitions import Context, Rules

from .cases import Case

__all__ = ["answer", "cases", "table"]

_RESULT = {"reviewer": "bob", "verdict": "approved", "reference": "review:1"}
_REJECTED = _RESULT | {"verdict": "changes_requested"}
#: Brings along whatever any guard asks for.
_EVERYTHING: dict[str, Any] = {
    "actor": "ann",
    "reason": "because",
    "workspace_context": "worktree:lane-a",
    "subtasks_complete": True,
    "implementation_evidence_present": True,
    "evidence": {"review": _RESULT},
    "review_ref": "review:1",
    "review_result": _RESULT,
}


def table() -> dict[str, Any]:
    """Return the lane table: typed from the contract, and no work of a generator."""
    text = files(__package__).joinpath("lane_table.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def answer(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """Return the canonical names of a legal step."""
    brought = {key: value for key, value in given.items() if key not in ("from", "to")}
    source, target = _lane(given["from"]), _lane(given["to"])
    refused = Rules(profile).check(source, target, Context(**brought))
    if refused is not None:
        raise DiagnosticError(refused)
    return {"from": str(source), "to": str(target)}


def _lane(text: str) -> Lane:
    try:
        return lane_from_input(text)
    except UnknownLaneError:
        raise diagnostic("UNKNOWN_LANE", requested_lane=text) from None


def cases() -> Iterator[Case]:
    """Yield every pair of lanes with everything brought along, then what each guard wants, force, and input."""
    legal = {(edge["from"], edge["to"]): edge["guard"] for edge in table()["edges"]}
    for source in Lane:
        for target in Lane:
            said = (
                f"guard {legal[source, target]}, which holds"
                if (source, target) in legal
                else "no edge, whatever is brought"
            )
            yield Case(f"{source}-to-{target}", f"{source} -> {target}: {said}", _step(source, target))
    for (source, target), guard in legal.items():
        for name, shows, changes in _violations(guard):
            yield Case(
                f"{source}-to-{target}-{name}", f"{source} -> {target}: {shows}", _step(source, target, **changes)
            )
        if guard == "none":
            yield Case(
                f"{source}-to-{target}-bare", f"{source} -> {target}: nothing is needed", {"from": source, "to": target}
            )
    yield from _force()
    yield from _input()


def _step(source: str, target: str, **changes: Any) -> dict[str, Any]:
    brought = {**_EVERYTHING, **changes}
    return {
        "from": str(source),
        "to": str(target),
        **{key: value for key, value in brought.items() if value is not ...},
    }


def _violations(guard: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    key = {"actor": "actor", "workspace": "workspace_context", "reason": "reason", "review_ref": "review_ref"}.get(
        guard
    )
    if key is not None:
        word = key.replace("_", "-")
        yield f"without-{word}", f"{key} is missing", {key: ...}
        yield f"blank-{word}", f"{key} is blank", {key: " \t"}
    elif guard == "ready_for_review":
        for key in ("subtasks_complete", "implementation_evidence_present"):
            yield f"without-{key.replace('_', '-')}", f"{key} is not known", {key: ...}
            yield f"not-{key.replace('_', '-')}", f"{key} is false", {key: False}
    elif guard == "approval_evidence":
        yield "without-evidence", "evidence is missing", {"evidence": ...}
        yield "evidence-without-review", "evidence has no review", {"evidence": {}}
        yield "evidence-rejects", "the evidence is no approval", {"evidence": {"review": _REJECTED}}
        for key in ("reviewer", "reference"):
            yield (
                f"evidence-blank-{key}",
                f"the {key} of the evidence is blank",
                {"evidence": {"review": _RESULT | {key: " "}}},
            )
    elif guard in ("review_approves", "review_concludes"):
        yield from _review_violations(approves=guard == "review_approves")


def _review_violations(*, approves: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield "without-review-result", "review_result is missing", {"review_result": ...}
    for key in ("reviewer", "verdict", "reference"):
        yield (
            f"review-result-blank-{key}",
            f"the {key} of review_result is blank",
            {"review_result": _RESULT | {key: ""}},
        )
    yield "other-review-ref", "review_ref is of another review", {"review_ref": "review:2"}
    yield "empty-review-ref", "an empty review_ref is another one too", {"review_ref": ""}
    yield "no-review-ref", "review_ref may be left out", {"review_ref": ...}
    yield "no-evidence", "evidence may be left out", {"evidence": ...}
    other = {"review": _RESULT | {"reviewer": "eve"}}
    yield "evidence-of-another-review", "evidence and review_result differ", {"evidence": other}
    shows = "the review rejects, which is no approval" if approves else "the review rejects"
    yield "rejected", shows, {"review_result": _REJECTED, "evidence": ...}


def _force() -> Iterator[Case]:
    by = {"actor": "ann", "reason": "because", "force": True}
    for source, target in (
        ("planned", "done"),
        ("done", "planned"),
        ("planned", "planned"),
        ("canceled", "in_progress"),
        ("genesis", "approved"),
    ):
        yield Case(
            f"force-{source}-to-{target}",
            "Force goes where the table has no edge",
            {"from": source, "to": target, **by},
        )
    yield Case("force-to-genesis", "Not even force leads to genesis", {"from": "planned", "to": "genesis", **by})
    yield Case("force-to-uninitialized", "Nor to uninitialized", {"from": "planned", "to": "uninitialized", **by})
    for key in ("actor", "reason"):
        yield Case(f"force-without-{key}", f"Force needs {key}", {"from": "planned", "to": "done", **by, key: None})
        yield Case(f"force-blank-{key}", f"A blank {key} is none", {"from": "planned", "to": "done", **by, key: "  "})
    yield Case(
        "force-along-an-edge",
        "Force on a legal edge needs them too",
        {"from": "planned", "to": "blocked", "force": True},
    )


def _input() -> Iterator[Case]:
    for name, text in (
        ("alias", "doing"), ("upper-case", "IN_PROGRESS"), ("blanks", "  in_progress\n"), ("alias-upper-case", " Doing "),
        ("unknown", "started"), ("empty", ""), ("dash", "in-progress"), ("dotless", "\u0131n_progress"), ("method", "constructor"),
    ):  # fmt: skip
        yield Case(f"input-{name}", f"A lane that was typed as {json.dumps(text)}", _step("claimed", text))
