"""``lanes.json``, the lane manifest, and the names of branches (interop: sections 1.2 and 1.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .identifiers import mid8
from .indented_json import indented

__all__ = [
    "PLANNING_LANE",
    "LaneManifest",
    "LaneManifestError",
    "ManifestLane",
    "lane_branch",
    "mission_branch",
    "read_lane_manifest",
]

#: The lane whose work is done on the target branch; it has no branch and no worktree of its own.
PLANNING_LANE: Final = "lane-planning"

#: What older slugs begin with.
_NUMBER: Final = re.compile(r"\A[0-9]{3}-(?=.)")
_REQUIRED: Final = ("mission_slug", "mission_branch", "target_branch", "computed_at", "computed_from")


class LaneManifestError(ValueError):
    """The file is not a lane manifest; the text says why."""


@dataclass(frozen=True, slots=True)
class ManifestLane:
    """One lane: its id, and the work packages that share its branch and worktree."""

    lane_id: str
    wp_ids: Sequence[str]
    write_scope: Sequence[str] = ()
    predicted_surfaces: Sequence[str] = ()
    depends_on_lanes: Sequence[str] = ()
    parallel_group: int = 0


@dataclass(frozen=True, slots=True)
class LaneManifest:
    """The lanes of a mission. ``mission_branch`` is used as it stands, whatever the slug says."""

    mission_slug: str
    mission_id: str | None
    mission_branch: str
    target_branch: str
    lanes: Sequence[ManifestLane]
    computed_at: str
    computed_from: str = "dependency_graph+ownership"

    def lane_of(self, work_package: str) -> str | None:
        """Return the lane of a work package; None when no lane has it."""
        return next((lane.lane_id for lane in self.lanes if work_package in lane.wp_ids), None)

    def encode(self) -> bytes:
        """Return the bytes of the file: two blanks, keys in this order, final newline."""
        value = {
            "version": 1,
            "mission_slug": self.mission_slug,
            "mission_id": self.mission_id,
            "mission_branch": self.mission_branch,
            "target_branch": self.target_branch,
            "lanes": [
                {
                    "lane_id": lane.lane_id,
                    "wp_ids": list(lane.wp_ids),
                    "write_scope": list(lane.write_scope),
                    "predicted_surfaces": list(lane.predicted_surfaces),
                    "depends_on_lanes": list(lane.depends_on_lanes),
                    "parallel_group": lane.parallel_group,
                }
                for lane in self.lanes
            ],
            "computed_at": self.computed_at,
            "computed_from": self.computed_from,
        }
        return indented(value)


def mission_branch(slug: str, mission_id: str | None = None) -> str:
    """Return the branch of a mission: ``kitty/mission-<words>-<mid8>``; without an id the slug stands for both.

    Arguments:
        slug: the directory's name; a number before it is left out when there is an id, and the mid8 is said once.
    """
    if not isinstance(mission_id, str) or not mission_id:
        return f"kitty/mission-{slug}"
    words = _NUMBER.sub("", slug).removesuffix(f"-{mid8(mission_id)}")
    return f"kitty/mission-{words}-{mid8(mission_id)}"


def lane_branch(branch: str, lane_id: str) -> str:
    """Return the branch of a lane of the mission whose branch is ``branch``."""
    return f"{branch}-{lane_id}"


def read_lane_manifest(path: Path) -> LaneManifest | None:
    """Return the manifest; None when there is no file.

    Raises:
        LaneManifestError: the file cannot be read or lacks what readers require.
    """
    try:
        # As text: of bytes this would also take a byte-order mark and UTF-16, which no other reader does.
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise LaneManifestError(f"{path}: {error}") from None
    if not isinstance(value, dict) or value.get("version") != 1:
        raise LaneManifestError(f"{path}: not an object of version 1")
    for key in _REQUIRED:
        if not isinstance(value.get(key), str):
            raise LaneManifestError(f"{path}: {key} is not a text")
    lanes = value.get("lanes")
    if not isinstance(lanes, list):
        raise LaneManifestError(f"{path}: lanes is not a list")
    mission_id = value.get("mission_id")
    return LaneManifest(
        mission_id=mission_id if isinstance(mission_id, str) else None,
        lanes=[_lane(path, lane) for lane in lanes],
        **{key: value[key] for key in _REQUIRED},
    )


def _lane(path: Path, value: Any) -> ManifestLane:
    if not isinstance(value, Mapping) or not isinstance(value.get("lane_id"), str):
        raise LaneManifestError(f"{path}: a lane has no lane_id")
    group = value.get("parallel_group")
    return ManifestLane(
        value["lane_id"],
        _texts(path, value, "wp_ids", required=True),
        _texts(path, value, "write_scope"),
        _texts(path, value, "predicted_surfaces"),
        _texts(path, value, "depends_on_lanes"),
        group if isinstance(group, int) else 0,
    )


def _texts(path: Path, value: Mapping[str, Any], key: str, *, required: bool = False) -> list[str]:
    found = value.get(key, None if required else [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise LaneManifestError(f"{path}: {key} of {value['lane_id']} is not a list of texts")
    return list(found)
