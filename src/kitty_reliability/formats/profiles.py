"""Profiles: which of two promises an implementation makes where they differ (contract.md, "Profile")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CONTRACT_320", "PROFILES", "SPEC_KITTY_32", "Profile", "profile_named"]


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules that differ between profiles. Each flag names the clause that it decides."""

    name: str
    #: LOG-008, LOG-009: rows have to have the right shape; otherwise values are coerced as 3.2.x does.
    strict_rows: bool
    #: LOG-002: annotations that occur twice count once.
    annotations_count_once: bool
    #: LOG-003: one event id with two contents is refused; otherwise the first in the file counts.
    conflicting_ids_refused: bool
    #: LOG-004: a rejection to any lane outranks an approval; otherwise only one to ``in_progress``.
    every_rejection_outranks: bool
    #: LOG-005: rows are ordered by instant; otherwise by the text of the timestamp.
    ordered_by_instant: bool
    #: LOG-010: rows of another mission do not count.
    foreign_rows_ignored: bool
    #: STA-007: force may move a work package to ``uninitialized``, which is a sentinel of readers.
    force_reaches_uninitialized: bool
    #: MSP-001: a target that is apart from its upstream blocks a merge too; otherwise only what is published.
    apart_blocks_merge: bool
    #: RAC-004: where artifact and event contradict each other, the artifact decides; otherwise the event.
    artifact_decides: bool
    #: SYN-005: different diagnostics of sync are all shown; otherwise at most one line a process.
    every_sync_diagnostic: bool
    #: OWN-008: a glob means what is written; otherwise ``*`` crosses ``/`` and a literal path owns what lies under it.
    exact_globs: bool
    #: OWN-003: without a policy the guard blocks; otherwise it warns.
    guard_blocks: bool


CONTRACT_320: Final = Profile(
    "contract-320",
    strict_rows=True,
    annotations_count_once=True,
    conflicting_ids_refused=True,
    every_rejection_outranks=True,
    ordered_by_instant=True,
    foreign_rows_ignored=True,
    force_reaches_uninitialized=False,
    apart_blocks_merge=True,
    artifact_decides=True,
    every_sync_diagnostic=True,
    exact_globs=True,
    guard_blocks=True,
)
SPEC_KITTY_32: Final = Profile(
    "spec-kitty-3.2",
    strict_rows=False,
    annotations_count_once=False,
    conflicting_ids_refused=False,
    every_rejection_outranks=False,
    ordered_by_instant=False,
    foreign_rows_ignored=False,
    force_reaches_uninitialized=True,
    apart_blocks_merge=False,
    artifact_decides=False,
    every_sync_diagnostic=False,
    exact_globs=False,
    guard_blocks=False,
)
PROFILES: Final = {profile.name: profile for profile in (CONTRACT_320, SPEC_KITTY_32)}


def profile_named(name: str) -> Profile:
    """Return the profile called ``name``; raise ValueError that lists the known ones otherwise."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ValueError(f"unknown profile {name!r}; known profiles: {', '.join(PROFILES)}") from None
