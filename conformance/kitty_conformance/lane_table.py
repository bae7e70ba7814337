"""The lane table as the suite knows it: vectors of its own, and what each guard is satisfied or violated by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from .world import World

__all__ = ["BOARD", "EveryLane", "VectorEdge", "edges", "legal_targets", "satisfied", "violations"]

BOARD = ("planned", "claimed", "in_progress", "for_review", "in_review", "approved", "done", "blocked", "canceled")
EveryLane = ("genesis", "uninitialized", *BOARD)


class VectorEdge(NamedTuple):
    """One legal edge."""

    source: str
    target: str
    guard: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


@cache
def edges() -> tuple[VectorEdge, ...]:
    """Return the 29 legal edges of the vectors."""
    text = files(__package__).joinpath("vectors/lane_table.json").read_text(encoding="utf-8")
    return tuple(VectorEdge(item["from"], item["to"], item["guard"]) for item in json.loads(text)["edges"])


def legal_targets(source: str) -> set[str]:
    """Return the lanes that ``source`` may go to unforced."""
    return {edge.target for edge in edges() if edge.source == source}


def satisfied(world: World, edge: VectorEdge) -> dict[str, Any]:
    """Return what an unforced transition along ``edge`` has to bring, so that its guard holds."""
    keys: dict[str, Any] = {}
    if edge.source in ("for_review", "in_review"):
        keys["actor"] = world.reviewer
    if edge.target in ("blocked", "canceled") or edge.guard == "reason":
        keys["reason"] = "the scenario wants it"
    if edge.guard == "workspace":
        keys["workspace_context"] = "worktree:lane-a"
    elif edge.guard == "approval_evidence":
        keys["evidence"] = {"review": world.review("approved")}
    elif edge.guard == "review_ref":
        keys["review_ref"] = world.review("changes_requested")["reference"]
    elif edge.guard in ("review_approves", "review_concludes"):
        result = world.review("approved" if edge.guard == "review_approves" else "changes_requested")
        keys |= {"review_result": result, "review_ref": result["reference"]}
    return keys


def violations(world: World, edge: VectorEdge) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (what is wrong, what is brought) for each way in which the guard of ``edge`` does not hold."""
    good = satisfied(world, edge)
    if edge.guard == "actor":
        yield "no actor", {**good, "actor": None}
        yield "a blank actor", {**good, "actor": "   "}
    elif edge.guard == "workspace":
        # Leaving it out proves nothing: an implementation may fill in where it runs.
        yield "an empty workspace context", {**good, "workspace_context": ""}
        yield "a blank workspace context", {**good, "workspace_context": "  "}
    elif edge.guard == "reason":
        yield "no reason", {**good, "reason": None}
        yield "a blank reason", {**good, "reason": " "}
    elif edge.guard == "review_ref":
        yield "no review reference", {**good, "review_ref": None}
        yield "a blank review reference", {**good, "review_ref": " "}
    elif edge.guard == "approval_evidence":
        yield "no evidence", {**good, "evidence": None}
        review = good["evidence"]["review"]
        for key in ("reviewer", "reference"):
            yield f"evidence with a blank {key}", {**good, "evidence": {"review": {**review, key: " "}}}
        yield "empty evidence", {**good, "evidence": {}}
        for verdict in ("changes_requested", "needs_work", ""):
            other = {"review": {**review, "verdict": verdict}}
            yield f"evidence with the verdict {verdict!r}", {**good, "evidence": other}
    elif edge.guard in ("review_approves", "review_concludes"):
        yield from _review_violations(world, edge, good)


def _review_violations(world: World, edge: VectorEdge, good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    result = good["review_result"]
    yield "no review result", {**good, "review_result": None}
    for key in ("reviewer", "verdict", "reference"):
        yield f"a review result with a blank {key}", {**good, "review_result": {**result, key: "  "}}
    yield "a reference of another review", {**good, "review_ref": world.review("approved")["reference"]}
    for key in ("reviewer", "verdict", "reference"):
        changed = "changes_requested" if result[key] == "approved" else "approved"
        other = {"review": {**result, key: changed}}
        yield f"evidence with another {key}", {**good, "evidence": other}
    if edge.guard == "review_approves":
        yield "a rejecting review result", {**good, "review_result": {**result, "verdict": "changes_requested"}}
        rejecting = {**result, "verdict": "changes_requested"}
        both = {**good, "review_result": rejecting, "evidence": {"review": rejecting}}
        yield "a rejecting result with equal evidence", both
