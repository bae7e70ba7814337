"""How an annotation changes the runtime slots of a work package (interop: section 2.4). PYTEST_DONT_REWRITE"""

from __future__ import annotations

from typing import Any, Final

from kitty_reliability.formats.row_shapes import RUNTIME_TEXTS

__all__ = ["fold_annotation"]

_REPLACED: Final = ("shell_pid", *RUNTIME_TEXTS)
_RELEASED: Final = ("agent", "shell_pid", "shell_pid_created_at")


def fold_annotation(slots: dict[str, Any], delta: dict[str, Any]) -> None:
    """Apply ``delta`` to ``slots`` in place. Unknown members do nothing; a blank text changes nothing."""
    if delta.get("release_runtime_claim"):
        slots.update(dict.fromkeys(_RELEASED))
    for name in _REPLACED:
        value = delta.get(name)
        if value is not None and value != "":
            slots[name] = int(value) if name == "shell_pid" else value
    if delta.get("subtasks") is not None:
        slots["subtasks"] = {**(slots.get("subtasks") or {}), **delta["subtasks"]}
    if delta.get("note") is not None:
        # In place: a work package may have thousands of notes, and a snapshot copies nothing it does not print.
        slots.setdefault("notes", []).append(delta["note"])
    if delta.get("tracker_refs_replace") is not None:
        slots["tracker_refs"] = list(dict.fromkeys(delta["tracker_refs_replace"]))
    elif delta.get("tracker_refs") is not None:
        slots["tracker_refs"] = list(dict.fromkeys([*slots.get("tracker_refs", []), *delta["tracker_refs"]]))
    review = delta.get("review")
    if review is not None:
        override = {key: review[key] for key in ("at", "actor", "wp_id", "reason")}
        slots["review"] = override if any(override.values()) else None
