"""Missions as older versions left them, by name: ``legacy("numbered-slug", tmp_path / "repo")``.

Each is a shape that real repositories still have and that readers meet (interop: sections 1.2 to 1.8, 2.3; the counts
are in the corpus notes). ``LEGACY`` says of each what is old about it and whether 3.2.7 reads the mission.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kitty_reliability.formats.merge_state import LEGACY_STATE, MergeState, encode_merge_state

from .errors import BuildError
from .mission import Mission, WorkPackage, mission

__all__ = ["LEGACY", "Legacy", "legacy"]

_Build = Callable[[Path], Mission]


@dataclass(frozen=True, slots=True)
class Legacy:
    """One shape.

    Arguments:
        about: what is old about it.
        build: writes a mission of it into a directory.
        released: whether 3.2.7 reads the mission; otherwise it says which file is corrupt.
    """

    about: str
    build: _Build
    released: bool = True


def legacy(name: str, root: Path | str) -> Mission:
    """Write the legacy mission called ``name`` under ``root`` and return it.

    Raises:
        BuildError: ``LEGACY`` has no such name.
    """
    if name not in LEGACY:
        raise BuildError(f"unknown legacy shape {name!r}; known: {', '.join(LEGACY)}")
    return LEGACY[name].build(Path(root))


# --- identity


def _numbered_slug(root: Path) -> Mission:
    meta = {"mission_number": 42, "friendly_name": "demo"}
    return mission(root, {"WP01": "done"}, slug="042-demo", meta=meta, meta_drop=("mission_id", "topology"))


def _number_as_text(root: Path) -> Mission:
    return mission(root, {"WP01": "done"}, slug="042-demo", meta={"mission_number": "042"})


def _renamed(root: Path) -> Mission:
    # The row that names the mission for the reducer keeps the right slug; later rows carry the one of before.
    made = mission(root, {"WP01": "planned"})
    for lane in ("claimed", "in_progress"):
        made.log.lane("WP01", lane, mission_slug="demo-before")
    return made


def _feature_slug_rows(root: Path) -> Mission:
    made = mission(root, {"WP01": "genesis"})
    for lane in ("planned", "claimed", "in_progress"):
        made.log.lane("WP01", lane, drop=("mission_slug",), feature_slug=made.slug)
    return made


# --- rows


def _forced_bootstrap(root: Path) -> Mission:
    return mission(root, {"WP01": "approved", "WP02": "planned"}, bootstrap="planned")


def _unforced_history(root: Path) -> Mission:
    # Four edges that the lane table does not have and that stand unforced in thirty real missions.
    routes = {
        "WP01": ["planned", "claimed", "in_progress", "for_review", "approved"],
        "WP02": ["planned", "claimed", "in_progress", "for_review", "done"],
        "WP03": ["planned", "claimed", "planned"],
        "WP04": ["planned", "claimed", "done"],
    }
    return mission(root, routes, illegal=True)


def _approved_without_result(root: Path) -> Mission:
    made = mission(root, {"WP01": "in_review"})
    made.log.lane("WP01", "approved", review_result=None, review_ref=None)
    return made


def _backfilled_claims(root: Path) -> Mission:
    # A migration put a second claim beside each first one: same moment, another id, an actor of its own.
    made = mission(root, {"WP01": "claimed"})
    metadata = {"agent": "claude", "migration_original_actor": made.log.actor, "shell_pid": 4242}
    made.log.lane(
        "WP01",
        "claimed",
        from_lane="planned",
        at=made.log.last["at"],
        actor="migration:backfill_runtime_state",
        policy_metadata=metadata,
    )
    made.log.lane("WP01", "in_progress")
    return made


def _feedback_reference(root: Path) -> Mission:
    made = mission(root, {"WP01": "in_review"})
    reference = f"feedback://{made.slug}/{made.task_file('WP01').stem}/20250303T090000Z-0a1b2c3d.md"
    result = {"reviewer": made.log.reviewer, "verdict": "changes_requested", "reference": reference}
    made.log.lane("WP01", "planned", review_ref=reference, review_result=result)
    return made


# --- work package files


def _status_phase(root: Path) -> Mission:
    packages = {
        "WP01": WorkPackage("in_progress", frontmatter={"lane": "doing"}),
        "WP02": WorkPackage("done", frontmatter={"lane": "planned"}),
        "WP03": WorkPackage("planned"),
    }
    return mission(root, packages, meta={"status_phase": "1"})


def _with_frontmatter(*drop: str, **keys: Any) -> _Build:
    return lambda root: mission(root, {"WP01": "planned", "WP02": WorkPackage(frontmatter=keys, drop=drop)})


def _file_without_slug(root: Path) -> Mission:
    made = mission(root, {"WP01": "in_progress"})
    made.task_file("WP01").rename(made.paths.tasks / "WP01.md")
    return made


def _file_beside(root: Path) -> Mission:
    made = mission(root, {"WP01": "planned"})
    text = made.task_file("WP01").read_bytes()
    (made.paths.tasks / "WP01-ORIGINAL-INCORRECT.md.bak").write_bytes(text)
    (made.paths.tasks / "README.md").write_bytes(b"# Tasks\n\nOne file a work package.\n")
    return made


# --- files of the project


def _workspace_per_work_package(root: Path) -> Mission:
    made = mission(root, {"WP01": "in_progress"})
    values = {
        "wp_id": "WP01",
        "feature_slug": made.slug,
        "worktree_path": f".worktrees/{made.slug}-WP01",
        "branch_name": f"{made.slug}-WP01",
        "base_branch": "main",
        "base_commit": "unknown",
        "dependencies": [],
        "created_at": made.log.clock.text,
        "created_by": "implement-command",
        "vcs_backend": "git",
    }
    path = made.root / ".kittify" / "workspaces" / f"{made.slug}-WP01.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((json.dumps(values, indent=2) + "\n").encode())
    return made


def _merge_state_file(root: Path) -> Mission:
    made = mission(root, {"WP01": "done", "WP02": "approved"})
    moment = made.log.clock.text
    state = MergeState(
        mission_id=made.mission_id,
        mission_slug=made.slug,
        target_branch="main",
        wp_order=("WP01", "WP02"),
        completed_wps=("WP01",),
        current_wp="WP02",
        started_at=moment,
        updated_at=moment,
    )
    drop = ("mission_id", "mission_number_baked", "push_requested", "pending_coord_reconcile")
    (made.root / LEGACY_STATE).write_bytes(encode_merge_state(state, drop=drop))
    return made


def _manifest_with_feature_slug(root: Path) -> Mission:
    made = mission(root, {"WP01": "planned"}, lane_manifest={"lane-a": ["WP01"]})
    manifest = json.loads(made.paths.lanes.read_bytes())
    manifest["feature_slug"] = manifest.pop("mission_slug")
    made.paths.lanes.write_bytes((json.dumps(manifest, indent=2) + "\n").encode())
    return made


#: The shapes by name.
LEGACY: Final[dict[str, Legacy]] = {
    "numbered-slug": Legacy("slug 042-demo; no mission id in meta.json and rows; no topology", _numbered_slug),
    "number-as-text": Legacy('mission_number is the text "042"', _number_as_text),
    "renamed-mission": Legacy("later rows carry the slug of before a renaming", _renamed),
    "feature-slug-rows": Legacy("rows call the mission feature_slug", _feature_slug_rows),
    "forced-bootstrap": Legacy("work packages enter by a forced planned -> planned", _forced_bootstrap),
    "unforced-history": Legacy("unforced rows on edges that no table has any more", _unforced_history),
    "approved-without-result": Legacy("in_review -> approved with a null review_result", _approved_without_result),
    "backfilled-claims": Legacy("a second claim at the moment of the first, by a migration", _backfilled_claims),
    "feedback-reference": Legacy("a rejection that refers to feedback:// in the git directory", _feedback_reference),
    "status-phase-mirror": Legacy("status_phase 1; lanes in frontmatter, one an alias, one stale", _status_phase),
    "without-owned-files": Legacy(
        "a work package that says nothing of its files", _with_frontmatter("owned_files", "authoritative_surface")
    ),
    "without-execution-mode": Legacy("a work package without execution_mode", _with_frontmatter("execution_mode")),
    "without-subtasks": Legacy("a work package without the key subtasks", _with_frontmatter("subtasks")),
    "dependencies-as-text": Legacy("dependencies is a list written as a text", _with_frontmatter(dependencies="WP01")),
    "dependencies-as-empty-text": Legacy('dependencies is the text "[]"', _with_frontmatter(dependencies="[]")),
    "file-without-slug": Legacy("the task file is WP01.md", _file_without_slug),
    "files-beside": Legacy("a .md.bak that claims to be WP01, and tasks/README.md", _file_beside),
    "workspace-per-work-package": Legacy(
        ".kittify/workspaces/<slug>-WP01.json with feature_slug and no lane", _workspace_per_work_package
    ),
    "merge-state-file": Legacy(".kittify/merge-state.json of an interrupted merge", _merge_state_file),
    "manifest-with-feature-slug": Legacy(
        "lanes.json with feature_slug for mission_slug", _manifest_with_feature_slug, released=False
    ),
}
