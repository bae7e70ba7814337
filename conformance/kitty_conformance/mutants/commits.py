"""Mutants of STA-006: what stops a row does not stop them, or leaves something behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import Any

from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.lanes import Lane
from kitty_reliability.implementations.protocol import Outcome, Surface, Transition
from kitty_reliability.reference.commits import GitCommit
from kitty_reliability.reference.workflow import Moved

from .base import LogStore, Mutant, Reference, Workflow, mutant

__all__ = ["MUTANTS"]


class _Impatient(Workflow):
    """Waits a moment for a lock, so that the proof does not take as long as the lock."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "lock_seconds": 0.3})


class _Swallows(_Impatient):
    def _record(self, *arguments: Any) -> None:
        with suppress(DiagnosticError):
            arguments[0].commit("a row")


class _LeavesTheRow(_Impatient):
    def _record(self, git: GitCommit, store: LogStore, before: int, row: dict[str, Any]) -> None:  # noqa: ARG002
        try:
            git.commit("a row")
        except DiagnosticError:
            git.restore()
            raise


class _QuietOn(_Impatient):
    code: str
    event: str | None

    def transition(self, request: Transition) -> Moved:
        try:
            return super().transition(request)
        except DiagnosticError as error:
            if error.diagnostic.code != self.code or "HEAD" in error.diagnostic.message:
                raise
            return Moved(self.event, Lane.PLANNED, Lane(request.to))


class _QuietOnABusyIndex(_QuietOn):
    code, event = "COMMIT_REFUSED", "01J0000000000000000000000A"


class _QuietOnABusyMission(_QuietOn):
    code, event = "EVENT_LOCK_TIMEOUT", None


class _KeepsTheSnapshot(GitCommit):
    def restore(self) -> None:
        self._snapshot = self._paths.snapshot.read_bytes()
        super().restore()


class _KeepsTheIndex(GitCommit):
    def restore(self) -> None:
        self._new = []
        super().restore()


class _CommitsWhatIsStaged(GitCommit):
    def run(self, message: str) -> subprocess.CompletedProcess[str]:
        self._git("add", "--", *self._names)
        return self._git("commit", "--quiet", f"--message={message}")


class _AddsEverything(GitCommit):
    def run(self, message: str) -> subprocess.CompletedProcess[str]:
        self._git("add", "--all", "--", str(self._paths.log.parents[2]))
        return self._git("commit", "--quiet", f"--message={message}")


class _UnstagesOthers(GitCommit):
    def run(self, message: str) -> subprocess.CompletedProcess[str]:
        self._git("reset", "--quiet")
        self._git("add", "--", *self._names)
        return self._git("commit", "--quiet", f"--message={message}")


class _FollowsGitDir(GitCommit):
    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        options: dict[str, Any] = {"capture_output": True, "text": True, "check": False}
        return subprocess.run(["git", *arguments], cwd=self._paths.log.parent, env=os.environ, **options)


class _RollsBackByCheckout(_Impatient):
    def _record(self, git: GitCommit, store: LogStore, before: int, row: dict[str, Any]) -> None:
        try:
            super()._record(git, store, before, row)
        except DiagnosticError:
            git._git("checkout", "--quiet", "HEAD", "--", store.paths.log.name)
            raise


class _WithoutHooks(GitCommit):
    def run(self, message: str) -> Any:
        return self._git("commit", "--quiet", "--no-verify", "--only", f"--message={message}", "--", *self._names)


class _OnlyTheLog(GitCommit):
    def commit(self, message: str) -> None:
        self._names = self._names[:1]  # type: ignore[assignment]
        self._new = [name for name in self._new if name in self._names]
        super().commit(message)


class _MakesTheSnapshotAnew(GitCommit):
    def restore(self) -> None:
        if self._snapshot is not None:
            self._snapshot = json.dumps(json.loads(self._snapshot)).encode()
        super().restore()


def _with(commit: type[GitCommit]) -> type[Workflow]:
    return type("_WithCommit", (_Impatient,), {"commit_class": commit})


class _BareRefusal(Reference):
    def answer(self, request: Any) -> Outcome:
        outcome = super().answer(request)
        if outcome.value.get("diagnostic_code") == "COMMIT_REFUSED":
            return Outcome(outcome.kind, {"message": str(outcome.value["message"])})
        return outcome


class _EndsWith0(Reference):
    def surface(self, request: Surface) -> Outcome:
        outcome = super().surface(request)
        script = "import subprocess, sys; subprocess.run(sys.argv[1:])"
        argv = [sys.executable, "-c", script, *outcome.value["argv"]]
        return Outcome(outcome.kind, {**outcome.value, "argv": argv})


# fmt: off
MUTANTS: list[type[Mutant]] = [
    mutant(
        "refused-commit-is-a-success", clause="STA-006",
        scenario="test_a_refused_commit_is_a_failure_that_leaves_nothing",
        finding="commit-missing", workflow=_Swallows,
        mistake="The row is written, git refuses the commit, and success is reported (#1348).",
    ),
    mutant(
        "rollback-leaves-the-row", clause="STA-006",
        scenario="test_a_refused_commit_is_a_failure_that_leaves_nothing",
        finding="refusal-changed-state", workflow=_LeavesTheRow,
        mistake="After a refused commit the snapshot goes back, and the row stays in the log.",
    ),
    mutant(
        "rollback-leaves-the-snapshot", clause="STA-006",
        scenario="test_a_refused_commit_is_a_failure_that_leaves_nothing",
        finding="snapshot-differs", workflow=_with(_KeepsTheSnapshot),
        mistake="After a refused commit the row is taken back, and the snapshot still tells of it (#2367).",
    ),
    mutant(
        "rollback-leaves-the-index", clause="STA-006",
        scenario="test_a_refused_first_commit_leaves_no_new_file",
        finding="refusal-changed-state", workflow=_with(_KeepsTheIndex),
        mistake="After a refused commit the index has entries for files that are not there.",
    ),
    mutant(
        "commits-what-is-staged", clause="STA-006", scenario="test_a_commit_holds_nothing_of_others",
        finding="swept-in", workflow=_with(_CommitsWhatIsStaged),
        mistake="What others have staged is swept into the commit of the row.",
    ),
    mutant(
        "adds-everything", clause="STA-006", scenario="test_a_commit_holds_nothing_of_others",
        finding="swept-in", workflow=_with(_AddsEverything),
        mistake="Everything in the checkout is added, worktrees too (#1956).",
    ),
    mutant(
        "unstages-others", clause="STA-006", scenario="test_a_commit_holds_nothing_of_others",
        finding="refusal-changed-state", workflow=_with(_UnstagesOthers),
        mistake="The index is emptied first, and what others had staged is staged no more.",
    ),
    mutant(
        "commits-where-git-dir-says", clause="STA-006", scenario="test_variables_of_git_lead_no_commit_astray",
        finding="commit-missing", workflow=_with(_FollowsGitDir),
        mistake="The commit is made in the repository that a variable of git's names.",
    ),
    mutant(
        "quiet-on-a-busy-index", clause="STA-006", scenario="test_a_busy_index_is_a_failure_that_leaves_nothing",
        finding="acked-row-missing", workflow=_QuietOnABusyIndex,
        mistake="Somebody else holds git's index; success is reported and nothing was done.",
    ),
    mutant(
        "quiet-on-a-busy-mission", clause="STA-006",
        scenario="test_a_busy_mission_is_a_failure_within_the_declared_bound",
        finding="acked-row-missing", workflow=_QuietOnABusyMission,
        mistake="Somebody else holds the mission's lock; the command returns as if there were nothing to do.",
    ),
    mutant(
        "bare-commit-refusal", clause="STA-006", scenario="test_a_refused_commit_is_diagnosed",
        finding="wrong-diagnostic", workflow=_Impatient, adapter=_BareRefusal,
        mistake="Git's refusal is a sentence: no code, no invariant, no remedy, no names.",
    ),
    mutant(
        "refuses-with-status-0", clause="STA-006",
        scenario="test_a_refusing_gate_ends_with_another_status_than_0",
        finding="wrong-exit-status", workflow=_Impatient, adapter=_EndsWith0,
        mistake="A gate refuses, says so, and the command ends with 0 (#4937).",
    ),
    mutant(
        "rolls-back-by-checkout", clause="STA-006", scenario="test_a_refused_commit_costs_no_row_that_was_there",
        finding="refusal-changed-state", workflow=_RollsBackByCheckout,
        mistake="After a refused commit the log is checked out, and rows that were not committed are gone.",
    ),
    mutant(
        "past-the-hooks", clause="STA-006", scenario="test_a_refused_commit_is_a_failure_that_leaves_nothing",
        finding="illegal-accepted", workflow=_with(_WithoutHooks),
        mistake="The commit is made with --no-verify, past a hook that refuses it.",
    ),
    mutant(
        "commits-the-log-alone", clause="STA-006", scenario="test_a_transition_after_a_refused_one_succeeds",
        finding="commit-missing", workflow=_with(_OnlyTheLog),
        mistake="The log is committed, and the snapshot that belongs to it is left behind.",
    ),
    mutant(
        "restores-another-snapshot", clause="STA-006",
        scenario="test_a_refused_commit_is_a_failure_that_leaves_nothing",
        finding="snapshot-differs", workflow=_with(_MakesTheSnapshotAnew),
        mistake="After a refused commit the snapshot says what it said, in other bytes.",
    ),
]
# fmt: on
