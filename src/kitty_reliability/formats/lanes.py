"""Lanes of a work package and the edges between them (contract.md, data model; clause STA-007).

The table is data. Which guard an edge has is a word here; what the word means is the business of
whoever writes rows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

__all__ = [
    "ALIASES",
    "BOARD_LANES",
    "EDGES",
    "TERMINAL_LANES",
    "Edge",
    "Guard",
    "Lane",
    "UnknownLaneError",
    "edge",
    "lane_from_input",
]


class Lane(StrEnum):
    """A lane by its canonical name. ``genesis`` and ``uninitialized`` are never drawn on a board."""

    GENESIS = "genesis"
    UNINITIALIZED = "uninitialized"
    PLANNED = "planned"
    CLAIMED = "claimed"
    IN_PROGRESS = "in_progress"
    FOR_REVIEW = "for_review"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    DONE = "done"
    BLOCKED = "blocked"
    CANCELED = "canceled"


#: The nine lanes of a board, in the order a board draws them.
BOARD_LANES: Final = (
    Lane.PLANNED,
    Lane.CLAIMED,
    Lane.IN_PROGRESS,
    Lane.FOR_REVIEW,
    Lane.IN_REVIEW,
    Lane.APPROVED,
    Lane.DONE,
    Lane.BLOCKED,
    Lane.CANCELED,
)

TERMINAL_LANES: Final = frozenset({Lane.DONE, Lane.CANCELED})

#: Spellings that people type. They are accepted as input and never written to a log.
ALIASES: Final[dict[str, Lane]] = {"doing": Lane.IN_PROGRESS}


class Guard(StrEnum):
    """What an unforced transition along an edge must bring with it."""

    NONE = "none"
    ACTOR = "actor"
    WORKSPACE = "workspace"
    READY_FOR_REVIEW = "ready_for_review"
    APPROVAL_EVIDENCE = "approval_evidence"
    REASON = "reason"
    REVIEW_REF = "review_ref"
    REVIEW_APPROVES = "review_approves"
    REVIEW_CONCLUDES = "review_concludes"


class Edge(NamedTuple):
    """One legal step of the lane table."""

    source: Lane
    target: Lane
    guard: Guard


_TABLE: Final[dict[Lane, dict[Lane, Guard]]] = {
    Lane.GENESIS: {Lane.PLANNED: Guard.NONE, Lane.CANCELED: Guard.NONE},
    Lane.PLANNED: {Lane.CLAIMED: Guard.ACTOR, Lane.BLOCKED: Guard.NONE, Lane.CANCELED: Guard.NONE},
    Lane.CLAIMED: {Lane.IN_PROGRESS: Guard.WORKSPACE, Lane.BLOCKED: Guard.NONE, Lane.CANCELED: Guard.NONE},
    Lane.IN_PROGRESS: {
        Lane.FOR_REVIEW: Guard.READY_FOR_REVIEW,
        Lane.APPROVED: Guard.APPROVAL_EVIDENCE,
        Lane.PLANNED: Guard.REASON,
        Lane.BLOCKED: Guard.NONE,
        Lane.CANCELED: Guard.NONE,
    },
    Lane.FOR_REVIEW: {Lane.IN_REVIEW: Guard.ACTOR, Lane.BLOCKED: Guard.NONE, Lane.CANCELED: Guard.NONE},
    Lane.IN_REVIEW: {
        Lane.APPROVED: Guard.REVIEW_APPROVES,
        Lane.DONE: Guard.REVIEW_APPROVES,
        Lane.IN_PROGRESS: Guard.REVIEW_CONCLUDES,
        Lane.PLANNED: Guard.REVIEW_CONCLUDES,
        Lane.BLOCKED: Guard.REVIEW_CONCLUDES,
        Lane.CANCELED: Guard.REVIEW_CONCLUDES,
    },
    Lane.APPROVED: {
        Lane.DONE: Guard.APPROVAL_EVIDENCE,
        Lane.IN_PROGRESS: Guard.REVIEW_REF,
        Lane.PLANNED: Guard.REVIEW_REF,
        Lane.BLOCKED: Guard.NONE,
        Lane.CANCELED: Guard.NONE,
    },
    Lane.BLOCKED: {Lane.IN_PROGRESS: Guard.NONE, Lane.CANCELED: Guard.NONE},
}

#: The 29 legal edges, by (source, target).
EDGES: Final[dict[tuple[Lane, Lane], Edge]] = {
    (source, target): Edge(source, target, guard)
    for source, targets in _TABLE.items()
    for target, guard in targets.items()
}


class UnknownLaneError(ValueError):
    """A text that names no lane."""

    def __init__(self, text: object) -> None:
        self.text = text
        known = ", ".join([*BOARD_LANES, *(f"{alias} (= {lane})" for alias, lane in ALIASES.items())])
        super().__init__(f"unknown lane {text!r}; known lanes: {known}")


def lane_from_input(text: str) -> Lane:
    """Return the lane that a person or a program meant by ``text``.

    Blanks around and letter case are ignored, aliases are resolved. For input only: a log holds canonical
    names and nothing else.

    Raises:
        UnknownLaneError: when the text names no lane.
    """
    word = text.strip().lower()
    if word in ALIASES:
        return ALIASES[word]
    try:
        return Lane(word)
    except ValueError:
        raise UnknownLaneError(text) from None


def edge(source: Lane, target: Lane) -> Edge | None:
    """Return the legal edge from ``source`` to ``target``, or None when the table has none."""
    return EDGES.get((source, target))
