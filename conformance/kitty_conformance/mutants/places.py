"""Mutants of STA-005: they find the mission where it is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.mission import MISSIONS_DIRECTORY, MissionPaths
from kitty_reliability.implementations.protocol import Outcome, Request
from kitty_reliability.reference.locations import find_mission

from .base import Mutant, Reference, Workflow, mutant

__all__ = ["MUTANTS"]


def _finds(find: Callable[[str, str], MissionPaths]) -> type[Workflow]:
    """Return the workflow that looks for missions with ``find``."""
    return type("_Elsewhere", (Workflow,), {"find": staticmethod(find)})


def _nearest(root: str, slug: str) -> MissionPaths:
    asked = Path(root).resolve()
    for directory in (asked, *asked.parents):
        if (directory / MISSIONS_DIRECTORY / slug).is_dir():
            return MissionPaths.under(directory, slug)
    return find_mission(root, slug)


def _here_only(root: str, slug: str) -> MissionPaths:
    if not (Path(root) / MISSIONS_DIRECTORY / slug).is_dir():
        raise diagnostic("MISSION_NOT_FOUND", mission_slug=slug, root=root)
    return _nearest(root, slug)


def _by_variable(root: str, slug: str) -> MissionPaths:
    return find_mission(os.environ.get("GIT_WORK_TREE", root), slug)


def _without_coordination(root: str, slug: str) -> MissionPaths:
    return replace(find_mission(root, slug), state=None)


def _unless(code: str, instead: Callable[[str, str, Any], MissionPaths]) -> Callable[[str, str], MissionPaths]:
    def find(root: str, slug: str) -> MissionPaths:
        try:
            return find_mission(root, slug)
        except DiagnosticError as error:
            if error.diagnostic.code != code:
                raise
            return instead(root, slug, error.diagnostic.fields)

    return find


def _begun_anew(root: str, slug: str, fields: Any) -> MissionPaths:  # noqa: ARG001
    worktree = Path(fields["path"])
    main = worktree.parents[1]
    state = worktree / MISSIONS_DIRECTORY / slug
    state.mkdir(parents=True, exist_ok=True)
    return MissionPaths(main, main / MISSIONS_DIRECTORY / slug, state)


def _around(root: str, slug: str, fields: Any) -> MissionPaths:  # noqa: ARG001
    return _nearest(root, slug)


def _left_over(root: str, slug: str) -> MissionPaths:
    found = _nearest(root, slug)
    return (
        found if ".worktrees" in found.root.parts and not (found.root / ".git").exists() else find_mission(root, slug)
    )


def _first(root: str, slug: str, fields: Any) -> MissionPaths:  # noqa: ARG001
    return find_mission(root, str(fields["candidates"]).split(", ")[0])


class _OthersInTheStaleCopy(Reference):
    def answer(self, request: Request) -> Outcome:
        self.workflow.find = find_mission if request.operation == "transition" else _nearest
        return super().answer(request)


# fmt: off
MUTANTS: list[type[Mutant]] = [
    mutant(
        "writes-the-stale-copy", clause="STA-005", scenario="test_one_log_is_written_from_every_place",
        finding="wrong-copy", workflow=_finds(_nearest),
        mistake="From a lane worktree its own older copy of the log is written (#945, #539).",
    ),
    mutant(
        "others-write-the-stale-copy", clause="STA-005", scenario="test_every_writer_writes_one_log",
        finding="wrong-copy", adapter=_OthersInTheStaleCopy,
        mistake="A transition finds the main checkout; batch, start and materialize write the copy that is nearer.",
    ),
    mutant(
        "looks-where-it-stands", clause="STA-005", scenario="test_one_log_is_written_from_every_place",
        finding="legal-refused", workflow=_finds(_here_only),
        mistake="The mission is looked for in the working directory and nowhere else (#2647).",
    ),
    mutant(
        "follows-git-work-tree", clause="STA-005", scenario="test_variables_of_git_redirect_nothing",
        finding="wrong-copy", workflow=_finds(_by_variable),
        mistake="A variable of git's, left by a hook, says where the mission is.",
    ),
    mutant(
        "knows-no-coordination", clause="STA-005", scenario="test_one_log_is_written_in_a_coordinated_mission",
        finding="wrong-copy", workflow=_finds(_without_coordination),
        mistake="A coordinated mission is written in the main checkout, where nobody reads it (#1589).",
    ),
    mutant(
        "begins-a-log-anew", clause="STA-005", scenario="test_a_coordinated_log_is_never_begun_anew",
        finding="prefix-rewritten", workflow=_finds(_unless("COORDINATION_NOT_CHECKED_OUT", _begun_anew)),
        mistake="The coordination worktree is not there, and a log with one row is begun in its place (#4970).",
    ),
    mutant(
        "redirects-to-what-is-around", clause="STA-005", scenario="test_another_repository_is_not_redirected",
        finding="wrong-copy", workflow=_finds(_unless("CHECKOUT_FOREIGN", _around)),
        mistake="A command in another repository is redirected to the one around it, in silence (#3540).",
    ),
    mutant(
        "takes-a-husk", clause="STA-005", scenario="test_a_husk_is_not_the_mission",
        finding="wrong-copy", workflow=_finds(_left_over),
        mistake="What is left of a removed worktree is taken for the mission (#2331).",
    ),
    mutant(
        "takes-the-first-of-two", clause="STA-007", scenario="test_a_name_that_two_missions_share_is_refused",
        finding="illegal-accepted", workflow=_finds(_unless("MISSION_AMBIGUOUS", _first)),
        mistake="Of two missions whose ids begin alike the first is taken.",
    ),
]
# fmt: on
