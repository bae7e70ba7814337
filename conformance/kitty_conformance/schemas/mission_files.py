"""The schemas of the files of a mission, from the types that read and write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from pydantic import TypeAdapter

from kitty_reliability.formats.lane_manifest import LaneManifest, ManifestLane
from kitty_reliability.formats.lanes import BOARD_LANES
from kitty_reliability.formats.merge_state import MergeState, encode_merge_state
from kitty_reliability.formats.mission_model import MetaModel
from kitty_reliability.formats.review_model import ReviewArtifact, Verdict
from kitty_reliability.formats.row_shapes import RUNTIME_TEXTS
from kitty_reliability.formats.work_package import KNOWN_KEYS
from kitty_reliability.formats.workspace import WorkspaceContext

from .parts import LANE, SEGMENT, TEXT, TRIPLE, Shape, listed, nullable, shape, titled, with_words

__all__ = ["SCHEMAS"]

_SLUG: Final = "demo-01KVMSSN"
_ID: Final = "01KVMSSN000000000000000000"
_AT: Final = "2026-01-05T09:00:00+00:00"
_BRANCH: Final = f"kitty/mission-{_SLUG}"


def snapshot() -> Shape:
    """Return the schema of ``status.json``."""
    count: Shape = {"type": "integer", "minimum": 0}
    slots = {
        **dict.fromkeys(RUNTIME_TEXTS, nullable(TEXT)),
        "shell_pid": {"type": ["integer", "string", "null"]},
        "subtasks": nullable({"type": "object", "additionalProperties": LANE}),
        "notes": nullable(listed(TEXT)),
        "tracker_refs": nullable(listed(TEXT)),
        "review": nullable(shape(dict.fromkeys(("at", "actor", "wp_id", "reason"), TEXT), closed=True)),
        "review_result": nullable({**TRIPLE, "additionalProperties": False}),
        "cancellation_reason": nullable(TEXT),
        "reason_source": TEXT,
    }
    package = shape(
        {
            "lane": LANE,
            "actor": TEXT,
            "last_transition_at": nullable(TEXT),
            "last_event_id": nullable(TEXT),
            "force_count": count,
        },
        slots,
        closed=True,
    )
    required = {
        "event_count": {**count, "description": "Distinct lane transitions."},
        "last_event_id": nullable(TEXT),
        "materialized_at": {"type": "string", "description": "The time of the newest transition; empty without one."},
        "mission_number": {"type": "string", "description": "Digits, or empty."},
        "mission_slug": TEXT,
        "mission_type": TEXT,
        "summary": shape(dict.fromkeys(map(str, BOARD_LANES), count), closed=True),
        "work_packages": {"type": "object", "propertyNames": SEGMENT, "additionalProperties": package},
    }
    entry = {
        "actor": "ann",
        "force_count": 0,
        "lane": "planned",
        "last_event_id": "01KV0000000000000000000001",
        "last_transition_at": _AT,
    }
    example = {
        "event_count": 1, "last_event_id": entry["last_event_id"], "materialized_at": _AT, "mission_number": "", "mission_slug": _SLUG,
        "mission_type": "software-dev", "summary": {str(lane): int(lane == "planned") for lane in BOARD_LANES}, "work_packages": {"WP01": entry},
    }  # fmt: skip
    about = "status.json: derived from the event log, which alone decides (LOG-011). The counts of summary are those of work_packages."
    made = shape(required, {"retrospective": {"type": "object"}}, closed=True)
    return titled("snapshot", "Snapshot of a mission", about, made, [example])


def meta() -> Shape:
    """Return the schema of ``meta.json`` as writers write it."""
    made = MetaModel.model_json_schema()
    words = {
        "slug": "The name of the mission's directory; without two dots in a row.",
        "mission_slug": "The same as slug.",
        "mission_id": "ULID; missions from before 3.1.1 have none.",
        "mission_number": "Given at merge.",
        "topology": "Absent in older missions.",
        "coordination_branch": "Where log and snapshot are, when another checkout has them.",
    }
    blank = {"pattern": "\\S"}
    properties = {
        key: {**value, **(blank if value.get("minLength") == 1 else {})}
        for key, value in with_words(made.pop("properties"), words).items()
    }
    for key in ("slug", "mission_slug"):
        properties[key] = {**properties[key], "not": SEGMENT["not"]}
    example = {
        "created_at": _AT, "friendly_name": "Demo", "mission_id": _ID, "mission_number": None, "mission_slug": _SLUG,
        "mission_type": "software-dev", "slug": _SLUG, "target_branch": "main", "topology": "lanes",
    }  # fmt: skip
    about = "meta.json as writers write it. Readers are more tolerant; keys that are not named here are kept."
    del made["title"], made["description"]
    return titled("meta", "Metadata of a mission", about, {**made, "properties": properties}, [example])


#: Keys of a work package file that are lists; every other one is a scalar.
_LISTS: Final = ("create_intent", "dependencies", "owned_files", "requirement_refs", "subtasks", "tags", "tracker_refs")


def work_package() -> Shape:
    """Return the schema of the frontmatter of a work package file."""
    scalar: Shape = {"type": ["string", "number", "boolean", "null"]}
    kinds: dict[str, Shape] = dict.fromkeys(sorted(KNOWN_KEYS), scalar)
    kinds |= {key: {"type": ["array", "null"], "items": scalar} for key in _LISTS}
    kinds |= {
        "dependencies": {
            "type": ["array", "string", "null"],
            "items": TEXT,
            "description": "Ids; older files have a text.",
        },
        "history": {"type": ["array", "null"]},
        "activity_log": {"type": ["array", "string", "null"]},
        "agent": {"type": ["string", "object", "null"]},
        "reviewer": {"type": ["string", "object", "null"]},
        "execution_mode": {"type": ["string", "null"], "description": "code_change or planning_artifact."},
    }
    words = {
        "owned_files": "Globs of the files that it may change (OWN-008).",
        "subtasks": "The roster; without this key a work package cannot go to review.",
        "lane": "Of older files; the event log alone decides.",
    }
    identity: Shape = {"type": "string", "pattern": "^WP[0-9]{2,}$", "not": {"pattern": "\\n"}}
    kinds.pop("work_package_id")
    example = {
        "work_package_id": "WP01",
        "title": "First",
        "dependencies": [],
        "subtasks": ["T001"],
        "owned_files": ["src/**"],
    }
    about = "The YAML between the dashes of tasks/WP##-<slug>.md, by the rules of YAML 1.2. A key that is not named here makes released readers refuse the file."
    made = shape({"work_package_id": identity}, with_words(kinds, words), closed=True)
    return titled("work-package", "Frontmatter of a work package", about, made, [example])


def _of(kind: Any, words: dict[str, str]) -> Shape:
    made = TypeAdapter(kind).json_schema()
    made.pop("description", None)
    made.pop("title", None)
    made["properties"] = with_words(made["properties"], words)
    return made


def lane_manifest() -> Shape:
    """Return the schema of ``lanes.json``."""
    made = _of(
        LaneManifest, {"mission_branch": "Used as it stands, whatever the slug says.", "computed_at": "A timestamp."}
    )
    made["properties"] = {
        "version": {"const": 1},
        **made["properties"],
        "planning_artifact_wps": listed(TEXT),
        "planning_commit_sha": nullable(TEXT),
        "collapse_report": nullable({"type": "object"}),
    }
    made["required"] = ["version", *(key for key in made["required"] if key != "mission_id"), "computed_from"]
    lane = ManifestLane("lane-a", ["WP01"], write_scope=["src/**"])
    example = json.loads(LaneManifest(_SLUG, _ID, _BRANCH, "main", [lane], _AT).encode())
    about = "lanes.json. Keys that are not named here are left alone."
    return titled("lane-manifest", "Lane manifest", about, made, [example])


def workspace_context() -> Shape:
    """Return the schema of a workspace context."""
    words = {
        "current_wp": "A memory: canonical state decides.",
        "base_commit": "unknown reads as null.",
        "worktree_path": "From the main checkout.",
    }
    made = _of(WorkspaceContext, words)
    made["required"] = [key for key in made["properties"] if key != "current_wp"]
    made["properties"]["lane_id"] = {"type": "string", "minLength": 1}
    context = WorkspaceContext(
        "WP01", _SLUG, f".worktrees/{_SLUG}-lane-a", f"{_BRANCH}-lane-a", "main", _AT, "lane-a", ["WP01"]
    )
    about = ".kittify/workspaces/<slug>-<lane>.json in the main checkout. Readers skip a malformed one in silence."
    return titled("workspace-context", "Workspace context", about, made, [json.loads(context.encode())])


def review_artifact() -> Shape:
    """Return the schema of the frontmatter of a review-cycle artifact."""
    said: Shape = {"type": "string", "pattern": "\\S"}
    file = shape({"path": {"type": "string", "minLength": 1}}, {"line_range": nullable(TEXT)})
    required = {
        "cycle_number": {"type": "integer", "minimum": 1},
        "mission_slug": SEGMENT,
        "wp_id": SEGMENT,
        "reviewer_agent": said,
        "reviewed_at": {**said, "description": "Quoted, or YAML makes it a timestamp."},
    }
    optional = {
        "affected_files": listed(file),
        "reproduction_command": nullable(TEXT),
        "verdict": {
            "enum": [str(verdict) for verdict in Verdict],
            "description": "3.2.7 writes none; contract-320 goes by it (RAC-004).",
        },
        "review_artifact_override_actor": nullable(TEXT),
        "review_artifact_override_reason": nullable(TEXT),
    }
    artifact = ReviewArtifact(1, _SLUG, "WP01", "bob", "2026-01-05T09:00:00Z", "Body.", verdict=Verdict.REJECTED)
    about = "The YAML at the head of review-cycle-N.md. The body below it is not blank. Other keys are kept."
    return titled(
        "review-artifact", "Frontmatter of a review", about, shape(required, optional), [artifact.frontmatter()]
    )


def merge_state() -> Shape:
    """Return the schema of the resume state of a merge."""
    words = {
        "completed_wps": "A hint: the event log decides.",
        "pending_coord_reconcile": "Written by 3.2.7, also when it is null.",
    }
    example = json.loads(encode_merge_state(MergeState(_ID, _SLUG, "main", ("WP01", "WP02"), ("WP01",), "WP02")))
    about = ".kittify/runtime/merge/<mission>/state.json. Keys that are not named here are dropped."
    return titled("merge-state", "Resume state of a merge", about, _of(MergeState, words), [example])


SCHEMAS: Final[dict[str, Callable[[], Shape]]] = {
    "snapshot": snapshot,
    "meta": meta,
    "work-package": work_package,
    "lane-manifest": lane_manifest,
    "workspace-context": workspace_context,
    "review-artifact": review_artifact,
    "merge-state": merge_state,
}
