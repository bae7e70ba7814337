"""JSON Schemas (draft 2020-12) of everything that a mission, an implementation and the suite write.

They say what ``contract-320`` demands; what cannot be said in a schema (a calendar, two keys that agree) is in the
description. ``schemas/`` at the project's root has them as files: ``python docs/schemas.py`` writes them.
"""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["NAMES", "schema", "text"]

#: The formats, by the name of their file.
NAMES: Final = (
    "event-row",
    "snapshot",
    "meta",
    "work-package",
    "lane-manifest",
    "workspace-context",
    "review-artifact",
    "merge-state",
    "diagnostic",
    "protocol",
    "report",
    "known-deviations",
    "audit-baseline",
)


def schema(name: str) -> dict[str, Any]:
    """Return the schema of one of ``NAMES``; KeyError for another name."""
    made: dict[str, Any] = json.loads(text(name))
    return made


def text(name: str) -> str:
    """Return the file of the schema of one of ``NAMES``; KeyError for another name."""
    from kitty_conformance.reporting.shape import schema_text

    from . import event_row, mission_files, outputs

    if name == "report":
        return schema_text()
    made = {**event_row.SCHEMAS, **mission_files.SCHEMAS, **outputs.SCHEMAS}
    return json.dumps(made[name](), indent=1) + "\n"
