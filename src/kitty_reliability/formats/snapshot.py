"""``status.json``: the snapshot that is derived from a log (interop: section 4; clause LOG-011)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypedDict

__all__ = ["SNAPSHOT_NAME", "Snapshot", "encode_snapshot", "read_snapshot"]

SNAPSHOT_NAME: Final = "status.json"


class _Required(TypedDict):
    event_count: int
    last_event_id: str | None
    materialized_at: str
    mission_number: str
    mission_slug: str
    mission_type: str
    summary: dict[str, int]
    work_packages: dict[str, dict[str, Any]]


class Snapshot(_Required, total=False):
    """The state of a mission. ``work_packages`` maps an id to its slots; ``summary`` counts board lanes."""

    retrospective: dict[str, Any]


def encode_snapshot(snapshot: Mapping[str, Any]) -> bytes:
    """Return the bytes of ``status.json``: sorted keys, two blanks, non-ASCII as it is, final newline."""
    return (json.dumps(snapshot, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def read_snapshot(path: Path) -> Snapshot:
    """Return the snapshot in ``path``.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is not a JSON object; the text names the file.
    """
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not a JSON object")
    return value  # type: ignore[return-value]
