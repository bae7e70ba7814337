"""Mistakes with names, links, texts and the environment (clauses SEC)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from kitty_reliability.implementations.protocol import Outcome, Request, State, Transition
from kitty_reliability.reference.locations import find_mission
from kitty_reliability.reference.workflow import Moved, StateReport

from .base import Mutant, Reference, Workflow, declare

__all__ = ["MUTANTS"]


class _JoinsTheSlug(Reference):
    """Follows a slug as a path."""

    def answer(self, request: Request) -> Outcome:
        slug, root = getattr(request, "mission", ""), getattr(request, "root", "")
        if "/" in slug and self.follows(request):
            place = Path(root, "kitty-specs", slug).resolve()
            request = request.model_copy(update={"root": str(place.parent.parent), "mission": place.name})
        return super().answer(request)

    def follows(self, request: Request) -> bool:
        return not isinstance(request, State)


class _JoinsTheSlugToRead(_JoinsTheSlug):
    def follows(self, request: Request) -> bool:
        return isinstance(request, State)


class _KeepsAMarkerByWorkPackage(Workflow):
    def transition(self, request: Transition) -> Moved:
        folder = Path(request.root, "kitty-specs", request.mission, "tasks")
        if "\0" not in request.work_package:
            (folder / f"{request.work_package}.lock").touch()
        moved = super().transition(request)
        (folder / f"{request.work_package}.lock").unlink()
        return moved


class _NotesTheWorkPackagesOfTheLog(Workflow):
    def state(self, root: str, slug: str, *, recover: bool = False) -> StateReport:
        paths = find_mission(root, slug)
        for line in paths.log.read_bytes().split(b"\n") if paths.log.is_file() else ():
            if found := re.search(rb'"wp_id": "([^"]+)"', line):
                (paths.tasks / f"{found[1].decode()}.seen").touch()
        return super().state(root, slug, recover=recover)


class _FollowsLinks(Reference):
    """Resolves the mission's directory before it looks where it is."""

    def answer(self, request: Request) -> Outcome:
        slug, root = getattr(request, "mission", ""), getattr(request, "root", "")
        place = Path(root, "kitty-specs", slug.replace("\0", "-"))
        if place.is_symlink():
            place = place.resolve()
            request = request.model_copy(update={"root": str(place.parent.parent), "mission": place.name})
        return super().answer(request)


class _WritesThroughALinkedLog(Reference):
    def answer(self, request: Request) -> Outcome:
        slug, root = getattr(request, "mission", ""), getattr(request, "root", "")
        log = Path(root, "kitty-specs", slug.replace("\0", "-"), "status.events.jsonl")
        if log.is_symlink():
            place = log.resolve().parent
            request = request.model_copy(update={"root": str(place.parent.parent), "mission": place.name})
        return super().answer(request)


class _ShowsTextsAsTheyAre(Reference):
    @staticmethod
    def printable(text: str) -> str:
        return text


class _MangleHalfCharacters(Workflow):
    def transition(self, request: Transition) -> Moved:
        whole = json.loads(re.sub(r"\\ud[89a-f]..", "?", json.dumps(request.model_dump(mode="python"))))
        return super().transition(Transition.model_validate(whole))


class _CutsTheReasonAtANewline(Workflow):
    def _row(self, *arguments: Any, **keys: Any) -> dict[str, Any]:
        row = super()._row(*arguments, **keys)
        reason = row["reason"]
        return {**row, "reason": reason.splitlines()[0] if reason else reason}


class _AsksGitForTheMission(Reference):
    """Looks for a branch of the mission's name before anything else."""

    def answer(self, request: Request) -> Outcome:
        slug, root = getattr(request, "mission", ""), getattr(request, "root", "")
        if slug and "\0" not in slug + root and Path(root).is_dir():
            subprocess.run(["git", "log", "-1", slug], cwd=root, capture_output=True, check=False)
        return super().answer(request)


class _RecordsWhoIsLoggedIn(Workflow):
    def _row(self, *arguments: Any, **keys: Any) -> dict[str, Any]:
        row = super()._row(*arguments, **keys)
        return {**row, "policy_metadata": {"user": os.environ.get("USER"), "home": str(Path.home())}}


class _ReportsTheEnvironment(Reference):
    def answer(self, request: Request) -> Outcome:
        outcome = super().answer(request)
        if outcome.declined:
            return Outcome(outcome.kind, {**outcome.value, "environment": json.dumps(dict(os.environ))})
        return outcome


MUTANTS: list[type[Mutant]] = [
    declare(
        "SEC-001",
        "slug-is-a-path",
        "test_no_slug_leads_out_of_the_root",
        "escaped-root",
        "The slug is joined to a directory and written where that leads.",
        adapter=_JoinsTheSlug,
    ),
    declare(
        "SEC-001",
        "slug-is-a-path-to-read",
        "test_no_slug_leads_out_of_the_root",
        "escaped-root",
        "Writers check the slug, and the reader forgets to.",
        adapter=_JoinsTheSlugToRead,
    ),
    declare(
        "SEC-002",
        "work-package-is-a-path",
        "test_no_work_package_leads_out_of_the_root",
        "escaped-root",
        "A marker file is named by the work package before anybody looks at the id.",
        workflow=_KeepsAMarkerByWorkPackage,
    ),
    declare(
        "SEC-002",
        "recorded-work-package-is-a-path",
        "test_a_recorded_work_package_leads_nowhere",
        "escaped-root",
        "What the command line gives is checked; an id that comes from a row is not.",
        workflow=_NotesTheWorkPackagesOfTheLog,
    ),
    declare(
        "SEC-003",
        "follows-a-linked-mission",
        "test_a_link_out_of_the_root_is_not_followed",
        "escaped-root",
        "The mission's directory is resolved first, so that what is outside looks like a repository of its own.",
        adapter=_FollowsLinks,
    ),
    declare(
        "SEC-003",
        "follows-a-linked-log",
        "test_a_link_out_of_the_root_is_not_followed",
        "escaped-root",
        "One of the writers opens the log without asking what it is, and writes through the link.",
        adapter=_WritesThroughALinkedLog,
    ),
    declare(
        "SEC-004",
        "shows-control-characters",
        "test_a_terminal_is_not_obeyed",
        "stdout-polluted",
        "The text output shows an actor's name as it is, escape sequences and all.",
        adapter=_ShowsTextsAsTheyAre,
    ),
    declare(
        "SEC-004",
        "mangles-half-characters",
        "test_a_lone_surrogate_is_refused",
        "illegal-accepted",
        "A lone surrogate becomes a question mark without a word.",
        workflow=_MangleHalfCharacters,
    ),
    declare(
        "SEC-004",
        "cuts-at-a-newline",
        "test_a_control_character_stays_data",
        "wrong-row",
        "Only the first line of a reason is kept, so that the log looks tidy.",
        workflow=_CutsTheReasonAtANewline,
    ),
    declare(
        "SEC-006",
        "asks-git-for-the-mission",
        "test_a_mission_that_looks_like_an_option_is_a_name",
        "name-obeyed",
        "Git is asked whether there is a branch of the mission's name, and writes the file that it seems to ask for.",
        adapter=_AsksGitForTheMission,
    ),
    declare(
        "SEC-007",
        "records-who-is-logged-in",
        "test_nothing_of_the_environment_leaks",
        "leaked",
        "Each row records the user and his home directory, for support.",
        workflow=_RecordsWhoIsLoggedIn,
    ),
    declare(
        "SEC-007",
        "reports-the-environment",
        "test_nothing_of_the_environment_leaks",
        "leaked",
        "A failure is reported with the whole environment, tokens included.",
        adapter=_ReportsTheEnvironment,
    ),
]
