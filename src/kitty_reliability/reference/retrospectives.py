"""The retrospective block of a snapshot (interop: sections 2.7 and 4.4). PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from kitty_reliability.formats.events import RetrospectiveRow

__all__ = ["retrospective_block"]

_FINAL: Final = {
    "retrospective.completed": "completed",
    "retrospective.skipped": "skipped",
    "retrospective.failed": "failed",
}


def retrospective_block(rows: Sequence[RetrospectiveRow]) -> dict[str, Any] | None:
    """Return the block, None when no row has an ``event_name`` (the ``type`` family does not count)."""
    named = sorted(
        (row.data for row in rows if str(row.data.get("event_name", "")).startswith("retrospective.")),
        key=lambda data: (str(data.get("at", "")), str(data.get("event_id", ""))),
    )
    if not named:
        return None
    block: dict[str, Any] = {"status": "pending", "mode": None, "record_path": None}
    for data in named:
        payload = data.get("payload")
        payload = payload if isinstance(payload, dict) else {}
        if data["event_name"] in _FINAL:
            path = payload.get("record_path")
            block["status"] = _FINAL[data["event_name"]]
            block["record_path"] = None if path is None else str(path)
        elif data["event_name"] == "retrospective.requested":
            mode = payload.get("mode")
            block["mode"] = mode if isinstance(mode, dict) else None
    counts = Counter(data["event_name"] for data in named)
    made = counts["retrospective.proposal.generated"]
    applied = counts["retrospective.proposal.applied"]
    rejected = counts["retrospective.proposal.rejected"]
    return {
        **block,
        "proposals_total": made,
        "proposals_applied": applied,
        "proposals_rejected": rejected,
        "proposals_pending": max(0, made - applied - rejected),
    }
