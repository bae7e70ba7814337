"""Runs inside the environment of the released package: reads missions with its own readers, prints JSON.

Input, as JSON on stdin: a list of mission directories. Output: for each, what the released readers say.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any


def look(directory: Path) -> dict[str, Any]:
    """Return what the released package makes of one mission."""
    from specify_cli.lanes.persistence import read_lanes_json
    from specify_cli.mission_metadata import load_meta, validate_meta
    from specify_cli.status.reducer import materialize_snapshot, materialize_to_json
    from specify_cli.status.store import read_event_stream, read_events_raw
    from specify_cli.status.validate import (
        validate_done_evidence,
        validate_event_schema,
        validate_transition_legality,
    )
    from specify_cli.status.wp_metadata import read_authored_wp_frontmatter

    said: dict[str, Any] = {}
    stream = read_event_stream(directory)
    lanes = [row for row in read_events_raw(directory) if "to_lane" in row and row.get("kind") is None]
    said["lane_rows"] = len(lanes)
    said["annotations"] = len(stream.annotations)
    said["problems"] = [problem for row in lanes for problem in validate_event_schema(row)]
    said["problems"] += validate_transition_legality(lanes) + validate_done_evidence(lanes)
    manifest = read_lanes_json(directory)
    said["lanes"] = None if manifest is None else [lane.lane_id for lane in manifest.lanes]
    said["status_json"] = materialize_to_json(materialize_snapshot(directory))
    meta = load_meta(directory)
    said["meta_errors"] = list(validate_meta(meta))
    said["work_packages"] = {}
    for path in sorted((directory / "tasks").glob("WP*.md")):
        metadata, _ = read_authored_wp_frontmatter(path)
        said["work_packages"][path.name] = metadata.work_package_id
    return said


def main() -> None:
    """Answer for every directory; a failure is an answer."""
    answers = {}
    for name in json.load(sys.stdin):
        try:
            answers[name] = look(Path(name))
        except Exception:  # noqa: BLE001 - whatever it raises is the answer
            answers[name] = {"error": traceback.format_exc()}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
