"""The schema of a row of ``status.events.jsonl``: five kinds, told apart as readers do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kitty_reliability.formats.row_shapes import ACTOR_KEYS, RUNTIME_TEXTS

from .parts import LANE, SEGMENT, TEXT, TRIPLE, ULID, Shape, instant, listed, nullable, shape, titled

__all__ = ["SCHEMAS"]

_ACTOR: Final[Shape] = {
    "description": "Who acted: a text, or an object of exactly four keys.",
    "anyOf": [TEXT, shape(dict.fromkeys(sorted(ACTOR_KEYS), nullable(TEXT)), closed=True)],
}
_AT: Final = instant("When it happened; rows are ordered by the instant, not by the text.")
_EXAMPLE: Final = {
    "actor": "ann", "at": "2026-01-05T09:00:00+00:00", "event_id": "01KV0000000000000000000001", "evidence": None,
    "execution_mode": "worktree", "force": False, "from_lane": "genesis", "mission_slug": "demo-01KVMSSN",
    "policy_metadata": None, "reason": "canonical bootstrap", "review_ref": None, "to_lane": "planned", "wp_id": "WP01",
}  # fmt: skip
_ENVELOPE: Final = {"event_id": "01KV0000000000000000000003", "at": "2026-01-05T09:00:00+00:00", "payload": {}}


def _lane() -> Shape:
    required = {
        "event_id": {"type": "string", "minLength": 1, "description": "Unique in the log; writers make ULIDs."},
        "wp_id": SEGMENT,
        "from_lane": {**LANE, "description": "The lane that the writer believed to be in force."},
        "to_lane": {**LANE, "description": "A canonical name: aliases are for input only."},
        "at": _AT,
        "actor": _ACTOR,
        "force": {"type": "boolean"},
        "execution_mode": {"type": "string", "description": "worktree or direct_repo."},
    }
    texts = ("reason", "review_ref", "mission_slug", "mission_id", "feature_slug", "reason_source")
    optional = {
        **dict.fromkeys(texts, nullable(TEXT)),
        "evidence": nullable({"anyOf": [shape({"review": TRIPLE}), {"type": "object", "maxProperties": 0}]}),
        "review_result": nullable(TRIPLE),
        "policy_metadata": nullable({"type": "object"}),
    }
    return {"title": "Lane transition", **shape(required, optional)}


def _annotation() -> Shape:
    override = shape(dict.fromkeys(("at", "actor", "wp_id", "reason"), TEXT))
    members = {
        **{name: nullable(TEXT) for name in (*RUNTIME_TEXTS, "note")},
        "shell_pid": {"anyOf": [{"type": ["integer", "null"]}, {"type": "string", "pattern": "^\\s*[0-9]{1,18}\\s*$"}]},
        "subtasks": nullable({"type": "object", "additionalProperties": LANE}),
        "tracker_refs": nullable(listed(TEXT)),
        "tracker_refs_replace": nullable(listed(TEXT)),
        "review": nullable(override),
        "release_runtime_claim": {"description": "true empties agent and process first."},
    }
    required = {
        "kind": {"const": "annotation"},
        "event_id": ULID,
        "wp_id": SEGMENT,
        "at": _AT,
        "actor": _ACTOR,
        "delta": {**shape({}, members), "description": "The slots that change; members that nobody knows are kept."},
    }
    return {"title": "Annotation", **shape(required)}


def _other(title: str, words: str) -> Shape:
    both = {"required": ["from_lane", "to_lane"]}
    return {"title": title, "description": words, **shape({}, {"event_id": nullable(TEXT)}), "not": both}


def event_row() -> Shape:
    """Return the schema of a row."""
    named = {
        "required": ["event_name"],
        "properties": {"event_name": {"type": "string", "pattern": "^retrospective\\."}},
    }
    words = ["RetrospectiveCaptured", "RetrospectiveCaptureFailed", "RetrospectiveSkipped"]
    typed = {"required": ["type"], "properties": {"type": {"enum": words}}}
    decides = {"properties": {"event_type": {"type": "string", "pattern": "^DecisionPoint"}}}

    def kind(name: str) -> Shape:
        return {"$ref": f"#/$defs/{name}"}

    made: Shape = {
        "type": "object",
        # The order in which readers look; the first that fits decides.
        "if": {"required": ["kind"], "properties": {"kind": {"not": {"type": "null"}}}},
        "then": kind("annotation"),
        "else": {
            "if": {"anyOf": [named, typed]},
            "then": kind("retrospective"),
            "else": {
                "if": {"required": ["event_type"]},
                "then": {"if": decides, "then": kind("decision"), "else": kind("lifecycle")},
                "else": kind("lane"),
            },
        },
        "$defs": {
            "lane": _lane(),
            "annotation": _annotation(),
            "lifecycle": _other("Lifecycle", "Something that happened to the mission; the time is in timestamp."),
            "decision": _other("Decision", "A decision point."),
            "retrospective": _other("Retrospective", "A row of either family: event_name, or type."),
        },
    }
    examples = [
        _EXAMPLE,
        {**{key: _EXAMPLE[key] for key in ("actor", "at", "wp_id")}, "event_id": "01KV0000000000000000000002", "kind": "annotation", "delta": {"note": "seen"}},
        {"event_type": "MissionCreated", "timestamp": "2026-01-05T09:00:00+00:00", "payload": {}},
        {**_ENVELOPE, "event_type": "DecisionPointOpened"},
        {**_ENVELOPE, "event_name": "retrospective.requested"},
    ]  # fmt: skip
    about = (
        "One line of status.events.jsonl. Beyond this schema: no key twice, no more than 64 levels and 8 MiB, an instant of the "
        "calendar in at. Keys that nobody knows are kept."
    )
    return titled("event-row", "A row of an event log", about, made, examples)


SCHEMAS: Final[dict[str, Callable[[], Shape]]] = {"event-row": event_row}
