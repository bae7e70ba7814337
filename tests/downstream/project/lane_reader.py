"""Says which lane each work package of a mission is in: the latest row decides, whatever the order of lines."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path


def lanes(mission: Path) -> dict[str, str]:
    """Return lane by work package of the mission in the directory ``mission``."""
    found: dict[str, tuple[tuple[datetime, str], str]] = {}
    for line in (mission / "status.events.jsonl").read_text(encoding="utf-8").splitlines():
        row: dict[str, str] = json.loads(line)
        if "to_lane" in row:
            when = (datetime.fromisoformat(row["at"]), row["event_id"])
            found[row["wp_id"]] = max(found.get(row["wp_id"], (when, row["to_lane"])), (when, row["to_lane"]))
    return {work_package: lane for work_package, (_, lane) in sorted(found.items())}
