"""The released ``spec-kitty`` command, driven from outside: one process an operation, never an import.

What the command claims is passed on as it claims it; nothing is looked up in the log to correct it, for the
claims are what a suite judges. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kitty_reliability.formats.prompts import PromptFormatError, read_prompt
from kitty_reliability.formats.quiet import GIT_CONFIG, private

from .accounts import Accounts
from .base import Implementation, ImplementationError, checked_answer
from .guard_text import guard_answer
from .processes import clean_environment, end_processes_with, run_to_end, shell_line
from .protocol import (
    PROTOCOL_VERSION,
    Capability,
    Diff,
    DiffAnswer,
    Dispatch,
    Guard,
    Hello,
    HelloAnswer,
    Materialize,
    MergeLogs,
    Open,
    Outcome,
    OutcomeKind,
    Preflight,
    Prompt,
    PromptAnswer,
    Request,
    Signoff,
    Start,
    StartAnswer,
    State,
    Surface,
    SurfaceAnswer,
    Transition,
)
from .released_run import Run, broken, declined, json_object, text_of
from .released_words import (
    answer_of,
    claims,
    commands_shown,
    open_mission,
    options_of,
    prompt_named,
    read_places,
    standing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .warm import Warm

__all__ = ["SpecKitty"]

_DEADLINE: Final = 120.0
_OPTION: Final = re.compile(r"^[^\w\n-]*(--[a-z][a-z-]*)", re.MULTILINE)
_NO_ARGUMENT: Final = "a command line holds no NUL and no half of a character"
#: What the pre-commit hook that ``action implement`` installs runs.
_HOOK: Final = ("-m", "specify_cli.policy.commit_guard_hook")
#: Who asks how changes are looked at: the only command that says it takes up the review.
_LOOKER: Final = "reviewer"
#: What ``emit`` lists under its options, by executable: it takes seconds to ask and never changes.
_flags_of: dict[Path, frozenset[str]] = {}


class SpecKitty(Implementation):
    """A session on one ``spec-kitty`` executable, with a home directory of its own.

    Args:
        executable: the ``spec-kitty`` command of some environment.
        spec: the text that named it.
        environment: added to the environment of every process.
        wrapper: what starts every process, if not the operating system itself.
        warm: import the command once and fork for each run (``warm``). Siblings are cold, and so is what a suite
            runs itself: only there can faults be put in place.
    """

    def __init__(
        self,
        executable: Path,
        *,
        spec: str = "spec-kitty",
        environment: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        warm: bool = False,
    ) -> None:
        self.spec = spec
        # Not resolved: an environment's python finds its packages by the path it is called by.
        self._executable = Path(os.path.abspath(executable))
        self._given = dict(environment or {})
        self._wrapper = list(wrapper)
        self._is_warm = warm and not self._given and not self._wrapper
        self._warm: Warm | None = None
        self._private = Path(tempfile.mkdtemp(prefix="kitty-released-"))
        self._home = self._private / "home"
        self._own = {**self._quiet(), **self._given}
        self._process_id: int | None = None
        self._accounts = Accounts(self._executable, self._private / "accounts")

    @property
    def deadline(self) -> float:
        """How long a command may take before it counts as hung, in seconds."""
        return _DEADLINE

    def sibling(self, environment: Mapping[str, str] | None = None, *, wrapper: Sequence[str] = ()) -> SpecKitty:
        """Return another session on the same executable, with a home of its own."""
        added = {**self._given, **(environment or {})}
        words = [*wrapper, *self._wrapper]
        other = SpecKitty(self._executable, spec=self.spec, environment=added, wrapper=words)
        # The first command in an empty home unpacks hundreds of files.
        if (self._home / ".kittify").is_dir():
            shutil.copytree(self._home, other._home, symlinks=True, dirs_exist_ok=True)
        return other

    @property
    def process_id(self) -> int | None:
        """The command that runs now; the next one is yet to be started."""
        return self._process_id

    def close(self) -> None:
        """End every process that still has our home, and remove it."""
        if self._warm is not None:
            self._warm.close()
        self._accounts.close()
        end_processes_with(f"HOME={self._home}")
        shutil.rmtree(self._private, ignore_errors=True)

    def ask(self, request: Request, *, deadline: float | None = None) -> Outcome:
        """Run the command that does ``request`` and say what it claims."""
        limit = self.deadline if deadline is None else deadline
        match request:
            case Hello():
                return self._hello(limit)
            case Open():
                return open_mission(request)
            case Surface():
                argv = self._argv(request.request, request.format)
                if isinstance(argv, str):
                    return Outcome.unsupported(argv)
                cwd = getattr(request.request, "root", ".")
                env = {**self._own, **_place(request.request)}
                if request.sync_address is not None:
                    try:
                        env |= self._accounts.add(request.sync_address, limit)
                    except ImplementationError as error:
                        return Outcome.failed({"message": str(error)})
                return Outcome.success(SurfaceAnswer(argv=argv, env=env, cwd=cwd))
            case MergeLogs():
                return self._merge_logs(request, limit)
            case Start():
                return self._start(request, limit)
            case Prompt():
                return self._prompt(request, limit)
            case Diff():
                return self._diff(request, limit)
            case Signoff():
                return self._signoff(request, limit)
            case Guard():
                return self._guard(request, limit)
            case Dispatch():
                return Outcome.unsupported(
                    "the prompt is compared inside the command that writes it; no command is given one"
                )
            case Preflight():
                return Outcome.unsupported(
                    "merge --push compares the branches, and merges when nothing blocks it; no command only says so"
                )
            case Transition() | State() | Materialize():
                pass
            case _:
                return Outcome.unsupported(f"no command does {request.operation}")
        argv = self._argv(request, "json")
        if isinstance(argv, str):
            return Outcome.unsupported(argv)
        if any(not _is_an_argument(word) for word in argv):
            return Outcome.unsupported(_NO_ARGUMENT)
        run = self._run(argv, request.root, limit)
        trouble = broken(run, limit) or declined(run)
        if trouble is not None:
            return trouble
        told = json_object(run.stdout)
        if told is None:
            return run.trouble(OutcomeKind.GARBLED, "exit status 0, but stdout is not one JSON object")
        if "error" in told:
            return run.trouble(OutcomeKind.GARBLED, f"exit status 0, but an error: {told['error']}")
        return checked_answer(request, run.outcome(OutcomeKind.OK, answer_of(request, told)))

    def _start(self, request: Start, limit: float) -> Outcome:
        """Start by ``action``, which prints text only: it says what it claimed, and nothing of events."""
        run = self._action(request, limit)
        if isinstance(run, Outcome):
            return run
        said = claims(run.stdout)
        if not said:
            return run.trouble(OutcomeKind.GARBLED, "exit status 0, and no word of a claim")
        claimed = said[-1]["claimed"] is not None
        started = "in_review" if request.kind == "review" else "in_progress"
        answer = StartAnswer(
            changed=claimed,
            work_package_id=said[-1]["wp"] or said[-1]["held"],
            to_lane=started if claimed else said[-1]["lane"],
            holder=request.actor,
        )
        return run.outcome(OutcomeKind.OK, answer.model_dump(mode="json"))

    def _prompt(self, request: Prompt, limit: float) -> Outcome:
        """Have a review prompt written by ``action review``, which names it; what it says of itself is in the file."""
        run = self._action(request, limit)
        if isinstance(run, Outcome):
            return run
        path = prompt_named(run.stdout)
        if path is None:
            return run.trouble(OutcomeKind.GARBLED, "exit status 0, and no word of a prompt")
        try:
            metadata = read_prompt(Path(path)).metadata.as_dict()
        except PromptFormatError:
            metadata = {}
        return run.outcome(OutcomeKind.OK, PromptAnswer(path=path, metadata=metadata).model_dump(mode="json"))

    def _diff(self, request: Diff, limit: float) -> Outcome:
        """Have a review taken up, and return every command for looking at changes that is shown then."""
        (place := self._private / "diffs").mkdir(mode=0o700, exist_ok=True)
        asked = Prompt(
            root=request.root,
            mission=request.mission,
            work_package=request.work_package,
            actor=_LOOKER,
            temporary=str(place),
        )
        run = self._action(asked, limit)
        if isinstance(run, Outcome):
            return run
        path = prompt_named(run.stdout)
        places = None if path is None else read_places(Path(path))
        if places is None:
            return run.trouble(OutcomeKind.GARBLED, "exit status 0, and no prompt that says whom it is for")
        names, body = places
        lines = commands_shown(run.stdout, body)
        if not lines:
            return run.trouble(OutcomeKind.GARBLED, "exit status 0, and no word of a diff")
        # It shows lines for a shell, and nothing else.
        answer = DiffAnswer(**names, commands=[shell_line(line) for line in lines], lines=lines)
        return run.outcome(OutcomeKind.OK, answer.model_dump(mode="json"))

    def _signoff(self, request: Signoff, limit: float) -> Outcome:
        """Have the gate of ``merge`` asked by a dry run, which lists what blocks and nothing of what does not."""
        run = self._run([*self._merge(request), "--json"], request.root, limit)
        told = json_object(run.stdout)
        if told is None or told.get("blocked") is not True:
            trouble = broken(run, limit) or declined(run)
            if trouble is not None:
                return trouble
            if told is None:
                return run.trouble(OutcomeKind.GARBLED, "exit status 0, but stdout is not one JSON object")
        blockers = told.get("blockers") or []
        if not isinstance(blockers, list) or not all(isinstance(item, dict) for item in blockers):
            return run.trouble(OutcomeKind.GARBLED, "blockers is not a list of objects")
        answer = {
            "blocked": told.get("blocked") is True,
            "reviews": [standing(item) for item in blockers],
            # The mission is named once, beside them.
            "findings": [{"mission_slug": told.get("mission_slug"), **item} for item in blockers],
        }
        return checked_answer(request, run.outcome(OutcomeKind.OK, answer))

    def _merge(self, request: Signoff) -> list[str]:
        return [str(self._executable), "merge", "--mission", request.mission, "--dry-run"]

    def _guard(self, request: Guard, limit: float) -> Outcome:
        """Judge by the module that its pre-commit hook runs: text on stderr, a line for each finding."""
        argv = self._argv(request, "text")
        if isinstance(argv, str):
            return Outcome.unsupported(argv)
        run = self._run(argv, request.root, limit)
        trouble = broken(run, limit)
        if trouble is not None:
            return trouble
        if run.exit_status not in (0, 1):
            return run.trouble(OutcomeKind.FAILED, run.stderr.strip()[-2000:] or f"exit status {run.exit_status}")
        return run.outcome(OutcomeKind.OK, guard_answer(run.exit_status, run.stderr).model_dump(mode="json"))

    def _action(self, request: Start | Prompt, limit: float) -> Run | Outcome:
        """Run ``action``; return what became of it when it did not end well."""
        argv = self._argv(request, "text")
        if isinstance(argv, str):
            return Outcome.unsupported(argv)
        if any(not _is_an_argument(word) for word in argv):
            return Outcome.unsupported(_NO_ARGUMENT)
        run = self._run(argv, request.root, limit, _place(request))
        if run.exit_status:
            # The reason ends what stands on stdout; it must not be lost behind the rest of it, and warnings on stderr.
            reason = run.stdout[max(run.stdout.rfind("Error:"), 0) :]
            run = dataclasses.replace(run, stderr=f"{reason}\n{run.stderr}", stdout="")
        return broken(run, limit) or declined(run) or run

    def _hello(self, limit: float) -> Outcome:
        # Always cold, for it says how long a process of its own takes.
        run = self._run([str(self._executable), "--version"], str(self._private), limit, warm=False)
        trouble = broken(run, limit) or declined(run)
        if trouble is not None:
            return trouble
        versions = re.findall(r"\bv(?:ersion\s+)?(\d+\.\d+\S*)", run.stdout)
        if not versions:
            return run.trouble(OutcomeKind.GARBLED, "--version prints no version")
        answer = HelloAnswer(
            name="spec-kitty",
            version=versions[-1],
            protocol=PROTOCOL_VERSION,
            profile="spec-kitty-3.2",
            # `emit` commits every row that it writes; it cannot be told not to.
            capabilities=frozenset(
                {
                    Capability.WRITE,
                    Capability.SNAPSHOT,
                    Capability.START,
                    Capability.SURFACE,
                    Capability.COMMIT,
                    Capability.MERGE_LOGS,
                    Capability.PROMPT,
                    Capability.DIFF,
                    Capability.SIGNOFF,
                    Capability.SYNC,
                    Capability.GUARD,
                }
            ),
            typical_seconds=max(3.0, round(run.seconds, 1)),
            lock_seconds=60,
            sync_variable="SPEC_KITTY_SAAS_URL",
            sync_seconds=30,
            sync_store="**/*.db",
            needs_repository=True,
        )
        return run.outcome(OutcomeKind.OK, answer.model_dump(mode="json"))

    def _merge_logs(self, request: MergeLogs, limit: float) -> Outcome:
        run = self._run(self._merge_driver(request), str(Path(request.ours).parent), limit)
        trouble = broken(run, limit) or declined(run)
        if trouble is not None:
            return trouble
        rows = sum(1 for line in Path(request.ours).read_bytes().split(b"\n") if line.strip())
        return run.outcome(OutcomeKind.OK, {"path": request.ours, "rows": rows})

    def _merge_driver(self, request: MergeLogs) -> list[str]:
        return [str(self._executable), "merge-driver-event-log", request.base, request.ours, request.theirs]

    def _argv(self, request: Request, form: str) -> list[str] | str:
        """Return the command for ``request``, or why there is none."""
        match request:
            case State(recover=True):
                return "no command reads what can be read of a damaged log"
            case State():
                words = ["tasks", "status"]
            case Materialize():
                words = ["status", "materialize"]
            case MergeLogs():
                return self._merge_driver(request)
            case Signoff():
                return [*self._merge(request), *(["--json"] if form == "json" else [])]
            case Start():
                if form == "json":
                    return f"action {request.kind} prints text only"
                if not isinstance(request.actor, str):
                    return "action takes an actor as a name only"
                if request.process_id is not None or request.process_started is not None:
                    return "action has no option for the process that will hold it"
                words = ["action", request.kind, request.work_package, f"--agent={request.actor}"]
            case Prompt():
                if form == "json":
                    return "action review prints text only"
                if request.kind != "review":
                    return f"no command writes a prompt of kind {request.kind} and names it"
                if request.lane_worktree is not None:
                    return "action review has no option for the worktree"
                words = ["action", "review", request.work_package, f"--agent={request.actor}"]
            case Guard():
                if form == "json":
                    return "the hook prints text only"
                python = shutil.which("python", path=str(self._executable.parent))
                return [python, *_HOOK] if python else f"no python beside {self._executable} runs the hook"
            case Transition():
                options = options_of(request)
                flags = self._flags()
                missing = [option for option, _ in options if flags and option not in flags]
                if missing:
                    return f"emit of this version has no {' and no '.join(missing)}"
                if request.policy_metadata is not None:
                    return "emit has no option for policy_metadata"
                if isinstance(request.actor, dict):
                    return "emit takes an actor as a name only"
                words = ["status", "emit", request.work_package]
                for option, value in options:
                    words += [option] if value is None else [option, value]
            case _:
                return f"no command does {request.operation}"
        argv = [str(self._executable), "agent", *words, "--mission", request.mission]
        return [*argv, "--json"] if form == "json" else argv

    def _flags(self) -> frozenset[str]:
        """Return the options of ``emit``; empty when it does not say."""
        if self._executable not in _flags_of:
            argv = [str(self._executable), "agent", "status", "emit", "--help"]
            run = self._run(argv, str(self._private), self.deadline)
            if run.exit_status != 0:
                return frozenset()
            _flags_of[self._executable] = frozenset(_OPTION.findall(run.stdout))
        return _flags_of[self._executable]

    def _quiet(self) -> dict[str, str]:
        """Make the private directories and return the variables that keep the command offline and quiet."""
        variables, _ = private(self._private)
        # An empty SPEC_KITTY_HOME would pass for one that was filled.
        for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR"):
            Path(variables[name]).mkdir(mode=0o700)
        Path(variables["GIT_CONFIG_GLOBAL"]).write_text(GIT_CONFIG, encoding="utf-8", newline="\n")
        return variables

    def _note(self, process_id: int) -> None:
        self._process_id = process_id

    def _run(
        self,
        argv: list[str],
        directory: str,
        limit: float,
        environment: Mapping[str, str] | None = None,
        *,
        warm: bool = True,
    ) -> Run:
        """Run a command in ``directory``, and kill it with all its children after ``limit`` seconds."""
        own = {**self._own, **(environment or {})}
        # What is run may also be git, with a hook that runs the command.
        warm = warm and self._is_warm and argv[0] == str(self._executable)
        try:
            if warm and (server := self._warmed(clean_environment(self._own))):
                done = server.run(argv, directory, limit, started=self._note, environment=environment)
            else:
                words = [*self._wrapper, *argv]
                done = run_to_end(words, clean_environment(own), directory, limit, started=self._note)
        except OSError as error:
            return Run(argv, 127, "", f"cannot be started: {error}", 0.0, directory, own)
        except ImplementationError:
            # It is dead; the next run imports the command again.
            self._warm = None
            raise
        finally:
            self._process_id = None
        return Run(argv, done.status, text_of(done.stdout), text_of(done.stderr), done.seconds, directory, own)

    def _warmed(self, variables: Mapping[str, str]) -> Warm | None:
        """Return what runs the command with ``variables``; None when that was imported with others."""
        if self._warm is None:
            from .warm import Warm

            self._warm = Warm(self._executable, variables, self._private)
        return self._warm if self._warm.environment == variables else None


def _is_an_argument(word: str) -> bool:
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


def _place(request: object) -> dict[str, str]:
    """Return the variable that says where prompts go."""
    temporary = request.temporary if isinstance(request, Prompt) else None
    return {} if temporary is None else {"TMPDIR": temporary}
