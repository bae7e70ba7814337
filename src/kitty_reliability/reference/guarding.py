"""The guard of what is staged: every name in the index that differs from HEAD is judged (clauses OWN-004 to OWN-009).

Names are read as git has them, separated by NUL, so that no letter in them means anything; a rename is the end of one name
and the beginning of another. One git process is started for it. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from typing import Any, Final

from kitty_reliability.formats.diagnostics import Diagnostic, diagnostic
from kitty_reliability.formats.globs import EXACT, RELEASED
from kitty_reliability.formats.mission import MISSIONS_DIRECTORY
from kitty_reliability.formats.policy import CONFIG_FILE, GuardPolicy, read_guard_policy

from .locations import Place, find_checkout
from .ownership import Ownership, Scope
from .workflow import Workflow

__all__ = ["Guard", "Judgement", "Owns"]

#: Of git's variables only these are kept: the others would point it to another repository.
_KEPT: Final = ("GIT_CONFIG_", "GIT_EXEC_PATH")
#: Where git keeps references in another form, HEAD is a file that says so.
_ELSEWHERE: Final = ".invalid"
_MISSION_STATE: Final = re.compile(rf"{MISSIONS_DIRECTORY}(?:/|\Z)", re.IGNORECASE)
#: The one file of a mission that 3.2.x lets lanes write.
_OCCURRENCES: Final = re.compile(rf"{MISSIONS_DIRECTORY}/[^/]+/occurrence_map\.yaml\Z")
_NO_SCOPE: Final = Scope("none")

#: Says whether the active work package owns a name; None where that is not judged.
Owns = Callable[[str], bool] | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the guard came to. ``findings`` block the commit, ``warnings`` do not."""

    findings: Sequence[Diagnostic] = ()
    warnings: Sequence[Diagnostic] = ()
    scope: Scope = _NO_SCOPE

    @property
    def outcome(self) -> str:
        """``allowed``, ``scope_violation`` or ``stale_or_ambiguous_context``: who cannot be judged violates nothing."""
        if not self.findings:
            return "allowed"
        return "stale_or_ambiguous_context" if self.scope.problem in self.findings else "scope_violation"


class Guard:
    """Judges what is staged; remembers nothing and changes nothing.

    Arguments:
        index: the file of the index that a commit is made from, when git says that to a hook.
    """

    ownership_class: type[Ownership] = Ownership
    #: The questions to git; with renames it would tell one end of each.
    staged_command: Sequence[str] = (
        "diff",
        "--cached",
        "--name-only",
        "--no-renames",
        "--ignore-submodules=none",
        "-z",
    )

    def __init__(self, workflow: Workflow, index: str | None = None) -> None:
        self.workflow = workflow
        self.index = index

    def judge(self, root: str) -> Judgement:
        """Judge what is staged in the checkout that ``root`` is in.

        Raises:
            DiagnosticError: STAGED_UNREADABLE, and what ``find_checkout`` raises.
        """
        place = self.place(root)
        # Git reads the index while the scope is looked up.
        with self.git(place, *self.staged_command) as git:
            policy = read_guard_policy(place.main, self.workflow.profile)
            config = {"path": str(place.main / CONFIG_FILE), "problem": policy.problem}
            said = [Diagnostic("GUARD_POLICY_INVALID", config)] if policy.problem else []
            if policy.mode == "off":
                return Judgement(warnings=[*said, Diagnostic("GUARD_OFF", config)])
            scope = self.ownership_class(self.workflow, place).scope()
            owns = None if scope is None else self.judged_by(scope, policy)
            names = self.names(_printed(git, place))
        if scope is None or not names:
            return Judgement(warnings=said)
        findings = self.weigh(names, scope, policy, owns)
        warnings = [*said, *scope.warnings]
        if policy.mode == "warn":
            return Judgement((), [*warnings, *findings], scope)
        return Judgement(findings, warnings, scope)

    def place(self, root: str) -> Place:
        """Return the checkout that is judged."""
        place = find_checkout(root)
        if place.branch == _ELSEWHERE:
            with self.git(place, "symbolic-ref", "HEAD") as git:
                place = place._replace(branch=os.fsdecode(_printed(git, place)).strip().removeprefix("refs/heads/"))
        return place

    def names(self, printed: bytes) -> list[str]:
        """Return every name that differs between HEAD and the index: both ends of a rename, what is gone, new modes."""
        return os.fsdecode(printed).split("\0")[:-1]

    def judged_by(self, scope: Scope, policy: GuardPolicy) -> Owns:
        """Return what says whether a name is owned; None where nobody's ownership is judged."""
        if policy.enforces_ownership and scope.problem is None and scope.owned_files:
            return self.owns(scope.owned_files)
        return None

    def weigh(self, names: Sequence[str], scope: Scope, policy: GuardPolicy, owns: Owns) -> list[Diagnostic]:
        """Return what is wrong with changing ``names`` in a scope, in their order."""
        known: dict[str, Any] = {
            "mission_slug": scope.mission_slug,
            "work_package_id": scope.work_package_id,
            "lane_id": scope.lane_id,
            "context_source": scope.context_source,
        }
        findings = []
        if policy.enforces_ownership and scope.problem is not None:
            findings.append(scope.problem)
        # Most commits are of no mission at all; that is seen at once.
        of_missions = MISSIONS_DIRECTORY in "\0".join(names).lower()
        if owns is not None and not of_missions:
            names = list(filterfalse(owns, names))
        for name in names:
            if of_missions and self.is_mission_state(name):
                if policy.protects_missions and not self.is_exempt(name):
                    findings.append(Diagnostic("MISSION_STATE_PROTECTED", {"file": _shown(name), **known}))
            elif owns is not None and not (of_missions and owns(name)):
                findings.append(Diagnostic("ACTIVE_WP_SCOPE_VIOLATION", {"file": _shown(name), **known}))
        return findings

    def owns(self, globs: Sequence[str]) -> Callable[[str], bool]:
        """Return what says whether one of the globs owns a name."""
        return (EXACT if self.workflow.profile.exact_globs else RELEASED).matcher(globs)

    def is_mission_state(self, name: str) -> bool:
        """Say whether a name is of a mission: on some file systems in any case, and as what stands in for all of them."""
        strict = self.workflow.profile.guard_blocks
        return _MISSION_STATE.match(name) is not None if strict else name.startswith(f"{MISSIONS_DIRECTORY}/")

    def is_exempt(self, name: str) -> bool:
        """Say whether a lane may write that of a mission; 3.2.x has one such file."""
        return not self.workflow.profile.guard_blocks and _OCCURRENCES.match(name) is not None

    def git(self, place: Place, *arguments: str) -> subprocess.Popen[bytes]:
        """Start git in a checkout.

        Raises:
            DiagnosticError: STAGED_UNREADABLE when there is none.
        """
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)
        }
        environment["GIT_OPTIONAL_LOCKS"] = "0"
        if self.index is not None:
            environment["GIT_INDEX_FILE"] = self.index
        try:
            return subprocess.Popen(
                ["git", *arguments],
                cwd=place.checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            problem = f"git cannot be started: {error.strerror or error}"
            raise diagnostic("STAGED_UNREADABLE", path=str(place.checkout), problem=problem) from error


def _printed(git: subprocess.Popen[bytes], place: Place) -> bytes:
    """Wait for git and return what it printed; STAGED_UNREADABLE when it failed."""
    stdout, stderr = git.communicate()
    if git.returncode:
        said = stderr.decode("utf-8", "replace").strip()[-300:]
        raise diagnostic("STAGED_UNREADABLE", path=str(place.checkout), problem=said or f"git: {git.returncode}")
    return stdout


def _shown(name: str) -> str:
    """Return a name as a text that every file can hold; one that is not UTF-8 with its bytes spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
