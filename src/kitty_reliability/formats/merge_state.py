"""Resume state of a merge: ``.kittify/runtime/merge/<mission id or slug>/state.json`` (interop: section 1.8).

What it says is a hint: which work packages are done is in the event log. Released readers take a file that they
cannot read for no state, and drop keys that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal

from .findings import FormatError
from .identifiers import is_safe_segment
from .strict_json import parse

__all__ = [
    "GLOBAL_LOCK",
    "LEGACY_STATE",
    "MergeFinding",
    "MergeState",
    "MergeStateError",
    "Strategy",
    "active_state",
    "encode_merge_state",
    "lock_path",
    "parse_merge_state",
    "read_merge_state",
    "read_states",
    "state_path",
]

#: Where older versions kept the one state; ``merge --abort`` deletes it, nobody writes it.
LEGACY_STATE: Final = Path(".kittify", "merge-state.json")
#: The name under which a merge of any mission takes its lock.
GLOBAL_LOCK: Final = "__global_merge__"

_DIRECTORY: Final = Path(".kittify", "runtime", "merge")
_NAME: Final = "state.json"

Strategy = Literal["merge", "squash", "rebase"]


class MergeFinding(StrEnum):
    """Why there is no state to resume from."""

    UNREADABLE = "unreadable"
    NOT_JSON = "not-json"
    NOT_OBJECT = "not-object"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    AMBIGUOUS = "ambiguous"
    UNSAFE_SEGMENT = "unsafe-segment"


class MergeStateError(FormatError[MergeFinding]):
    """A merge state cannot be read, or it is not clear which; ``finding`` has the word."""


@dataclass(frozen=True, slots=True)
class MergeState:
    """How far a merge came. ``pending_coord_reconcile`` is written by 3.2.7, also when it is None, and not by 3.2.0."""

    mission_id: str
    mission_slug: str
    target_branch: str
    wp_order: tuple[str, ...]
    completed_wps: tuple[str, ...] = ()
    current_wp: str | None = None
    has_pending_conflicts: bool = False
    strategy: Strategy = "merge"
    workspace_path: str | None = None
    started_at: str = ""
    updated_at: str = ""
    mission_number_baked: bool = False
    push_requested: bool = False
    pending_coord_reconcile: Mapping[str, Any] | None = None

    @property
    def remaining(self) -> tuple[str, ...]:
        """The work packages that are not merged yet, in order."""
        return tuple(wp for wp in self.wp_order if wp not in self.completed_wps)


_KEYS: Final = tuple(item.name for item in fields(MergeState))
_REQUIRED: Final = ("mission_id", "mission_slug", "target_branch", "wp_order")
_TEXTS: Final = ("mission_id", "mission_slug", "target_branch", "strategy", "started_at", "updated_at")
_FLAGS: Final = ("has_pending_conflicts", "mission_number_baked", "push_requested")


def state_path(root: Path, mission: str) -> Path:
    """Return where the state of ``mission``, an id or a slug, is kept; MergeStateError for an unsafe name."""
    if mission != GLOBAL_LOCK and not is_safe_segment(mission):
        raise MergeStateError(MergeFinding.UNSAFE_SEGMENT, f"{mission!r:.80} is not one safe path segment")
    return root / _DIRECTORY / mission / _NAME


def lock_path(root: Path, mission: str = GLOBAL_LOCK) -> Path:
    """Return the lock of ``mission``, or the one for all missions."""
    return state_path(root, mission).with_name("lock")


def encode_merge_state(state: MergeState, *, drop: tuple[str, ...] = ()) -> bytes:
    """Return the bytes of a state: two blanks, keys in their order, no final newline.

    Arguments:
        drop: keys to leave out; 3.2.0 writes no ``pending_coord_reconcile``.
    """
    values = {key: value for key, value in asdict(state).items() if key not in drop}
    return json.dumps(values, indent=2).encode("ascii")


def parse_merge_state(data: bytes) -> MergeState:
    """Return the state that ``data`` holds, without the keys that nobody knows.

    Raises:
        MergeStateError: NOT_JSON, NOT_OBJECT, MISSING_FIELD, WRONG_TYPE.
    """
    try:
        value = parse(data)
    except ValueError as error:
        raise MergeStateError(MergeFinding.NOT_JSON, str(error)) from None
    if not isinstance(value, dict):
        raise MergeStateError(MergeFinding.NOT_OBJECT, "not a JSON object")
    for key in _REQUIRED:
        if key not in value:
            raise MergeStateError(MergeFinding.MISSING_FIELD, f"no {key}")
    known = {key: value[key] for key in _KEYS if key in value}
    for key in known:
        if not _sound(key, known[key]):
            raise MergeStateError(MergeFinding.WRONG_TYPE, f"{key} is {known[key]!r:.80}")
    for key in ("wp_order", "completed_wps"):
        known[key] = tuple(known.get(key, ()))
    return MergeState(**known)


def _sound(key: str, value: Any) -> bool:
    if key in _TEXTS:
        return isinstance(value, str) and (key != "strategy" or value in ("merge", "squash", "rebase"))
    if key in _FLAGS:
        return isinstance(value, bool)
    if key in ("wp_order", "completed_wps"):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, dict if key == "pending_coord_reconcile" else str)


def read_merge_state(path: Path) -> MergeState:
    """Return the state in ``path``; MergeStateError: UNREADABLE, and what ``parse_merge_state`` raises."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MergeStateError(MergeFinding.UNREADABLE, f"{path}: {error.strerror}") from None
    return parse_merge_state(data)


def read_states(root: Path) -> tuple[dict[str, MergeState], dict[str, MergeStateError]]:
    """Return the states of a repository by directory name, and those that cannot be read with the reason."""
    states: dict[str, MergeState] = {}
    damaged: dict[str, MergeStateError] = {}
    for path in sorted((root / _DIRECTORY).glob(f"*/{_NAME}")):
        try:
            states[path.parent.name] = read_merge_state(path)
        except MergeStateError as error:
            damaged[path.parent.name] = error
    return states, damaged


def active_state(root: Path, mission: str | None = None) -> MergeState | None:
    """Return the state to resume from, as released versions choose it: a file that cannot be read is none.

    Raises:
        MergeStateError: AMBIGUOUS when several missions have a state and ``mission`` names none of them.
    """
    if mission is not None:
        try:
            return read_merge_state(state_path(root, mission))
        except MergeStateError as error:
            if error.finding is MergeFinding.UNSAFE_SEGMENT:
                raise
            return None
    states, _ = read_states(root)
    if len(states) > 1:
        raise MergeStateError(MergeFinding.AMBIGUOUS, f"several missions have a state: {', '.join(states)}")
    return next(iter(states.values()), None)
