"""The reference as an implementation: the protocol's requests in, its outcomes out. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any, Final

from kitty_reliability import __version__
from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError
from kitty_reliability.formats.profiles import CONTRACT_320, Profile
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.base import ImplementationError
from kitty_reliability.implementations.protocol import Outcome, OutcomeKind

from .claims import Claims
from .commands import arguments_for, printable
from .diffs import Diffs
from .focused import Focus, Focused
from .guarding import Guard
from .locations import lock_path
from .merging import Merger
from .preflight import Preflight
from .prompts import PROMPT_KINDS, Prompts
from .signing import Signing
from .syncing import ADDRESS, FinalSync, sync_lock_path
from .workflow import Moved, Workflow

__all__ = ["Reference", "outcome_of"]

#: What this implementation can do beyond the core.
_CAPABILITIES: Final = frozenset(
    {
        protocol.Capability.WRITE,
        protocol.Capability.EVENTS,
        protocol.Capability.SNAPSHOT,
        protocol.Capability.RECOVERY,
        protocol.Capability.COMMIT,
        protocol.Capability.SURFACE,
        protocol.Capability.MERGE_LOGS,
        protocol.Capability.REPAIR,
        protocol.Capability.BATCH,
        protocol.Capability.START,
        protocol.Capability.RECOVER,
        protocol.Capability.PROMPT,
        protocol.Capability.DISPATCH,
        protocol.Capability.DIFF,
        protocol.Capability.PREFLIGHT,
        protocol.Capability.SIGNOFF,
        protocol.Capability.SYNC,
        protocol.Capability.GUARD,
    }
)

#: The longest wait for a lock, in seconds; 10 unless it is set.
_LOCK_VARIABLE: Final = "KITTY_REFERENCE_LOCK_SECONDS"

#: Invariants whose diagnostics say "could not", not "must not".
_FAILURES: Final = ("LOG-", "STA-002", "STA-003", "STA-006")


class Reference:
    """Answers one request at a time; raises nothing."""

    workflow_class: type[Workflow] = Workflow
    merger_class: type[Merger] = Merger
    claims_class: type[Claims] = Claims
    prompts_class: type[Prompts] = Prompts
    diffs_class: type[Diffs] = Diffs
    preflight_class: type[Preflight] = Preflight
    focused_class: type[Focused] = Focused
    signing_class: type[Signing] = Signing
    sync_class: type[FinalSync] = FinalSync
    guard_class: type[Guard] = Guard
    #: The index that git hands to a hook; a session judges that of the checkout.
    index: str | None = None
    #: How this implementation is started as a command.
    command: tuple[str, ...] = ("-m", "kitty_reliability.reference")
    name = "reference"
    #: What its command makes of a text before it is shown (SEC-004).
    printable = staticmethod(printable)
    #: What one operation usually takes.
    typical_seconds: float = 0.01

    def __init__(self, profile: Profile = CONTRACT_320) -> None:
        self.profile = profile
        self.workflow = self.workflow_class(profile, lock_seconds=_lock_seconds())
        self.claims = self.claims_class(self.workflow)
        self.prompts = self.prompts_class(self.workflow)
        self.final_sync = self.sync_class(self.workflow)

    def answer(self, request: protocol.Request) -> Outcome:
        """Return the outcome of ``request``."""
        try:
            asked = getattr(self, request.operation, None)
            if asked is None:
                return Outcome.unsupported(f"the reference does not do {request.operation}")
            outcome: Outcome = asked(request)
            return outcome
        except DiagnosticError as error:
            return outcome_of(error.diagnostic)
        except OSError as error:
            problem = f"{type(error).__name__}: {error}"
            return outcome_of(Diagnostic("UNEXPECTED", {"problem": problem}))

    def hello(self, request: protocol.Hello) -> Outcome:  # noqa: ARG002 - one signature for every operation
        """Say who this is."""
        return Outcome.success(
            protocol.HelloAnswer(
                name=self.name,
                version=__version__,
                protocol=protocol.PROTOCOL_VERSION,
                profile=self.profile.name,
                capabilities=_CAPABILITIES,
                typical_seconds=self.typical_seconds,
                lock_seconds=self.workflow.lock_seconds,
                lock_variable=_LOCK_VARIABLE,
                prompt_kinds=list(PROMPT_KINDS),
                sync_variable=ADDRESS,
                sync_seconds=self.final_sync.seconds,
            )
        )

    def open(self, request: protocol.Open) -> Outcome:
        """Find the mission."""
        from kitty_reliability.formats.mission import read_meta

        paths = self.workflow.find(request.root, request.mission)
        meta = read_meta(paths.meta)
        return Outcome.success(
            protocol.OpenAnswer(
                mission_slug=paths.slug,
                mission_id=meta.mission_id,
                status_events_path=str(paths.log),
                lock_path=str(lock_path(paths)),
                sync_lock_path=str(sync_lock_path(lock_path(paths))),
            )
        )

    def transition(self, request: protocol.Transition) -> Outcome:
        """Move a work package."""
        moved = self.workflow.transition(request)
        return Outcome.success(_moved(request.work_package, moved))

    def batch(self, request: protocol.Batch) -> Outcome:
        """Move work packages in one durable act."""
        done = self.workflow.batch(request)
        moves = [_moved(move.work_package, moved) for move, moved in zip(request.moves, done, strict=True)]
        return Outcome.success(protocol.BatchAnswer(transitions=moves))

    def start(self, request: protocol.Start) -> Outcome:
        """Take a work package in hand."""
        started = self.claims.start(request)
        return Outcome.success(
            protocol.StartAnswer(
                changed=bool(started.moves),
                event_ids=[moved.event_id for moved in started.moves if moved.event_id],
                work_package_id=request.work_package,
                from_lane=str(started.from_lane),
                to_lane=str(started.to_lane),
                holder=request.actor,
                status_events_path=_text(started.log),
            )
        )

    def recover(self, request: protocol.Recover) -> Outcome:
        """Give a work package back whose holder is gone."""
        given = self.claims.recover(request)
        return Outcome.success(
            protocol.RecoverAnswer(
                changed=True,
                event_id=given.move.event_id,
                work_package_id=request.work_package,
                from_lane=str(given.move.from_lane),
                to_lane=str(given.move.to_lane),
                holder=given.holder.actor,
                evidence=given.evidence,
                status_events_path=_text(given.move.log),
            )
        )

    def state(self, request: protocol.State) -> Outcome:
        """Say which lane each work package is in."""
        report = self.workflow.state(request.root, request.mission, recover=request.recover)
        return Outcome.success(
            protocol.StateAnswer.model_validate(
                {
                    "log": report.log,
                    "lanes": report.lanes,
                    "reports": [item.as_dict() for item in report.reports],
                    "left_out": [item.as_dict() for item in report.left_out],
                }
            )
        )

    def events(self, request: protocol.Events) -> Outcome:
        """List the rows."""
        rows = self.workflow.events(request.root, request.mission)
        return Outcome.success(
            protocol.EventsAnswer.model_validate(
                {"events": [{"line": row.line, "kind": row.kind, "event_id": row.event_id} for row in rows]}
            )
        )

    def materialize(self, request: protocol.Materialize) -> Outcome:
        """Write the snapshot."""
        paths, snapshot = self.workflow.materialize(request.root, request.mission)
        return Outcome.success(protocol.MaterializeAnswer(path=str(paths.snapshot), snapshot=dict(snapshot)))

    def merge_logs(self, request: protocol.MergeLogs) -> Outcome:
        """Merge two logs that went apart."""
        rows = self.merger_class(self.profile).merge(Path(request.base), Path(request.ours), Path(request.theirs))
        return Outcome.success(protocol.MergeLogsAnswer(path=request.ours, rows=rows))

    def repair(self, request: protocol.Repair) -> Outcome:
        """Move aside what cannot be read."""
        repaired = self.workflow.repair(request.root, request.mission)
        return Outcome.success(
            protocol.RepairAnswer(
                changed=bool(repaired.findings),
                quarantined=[item.as_dict() for item in repaired.findings],
                files=[] if repaired.file is None else [str(repaired.file)],
            )
        )

    def prompt(self, request: protocol.Prompt) -> Outcome:
        """Write a prompt."""
        written = self.prompts.write(request)
        return Outcome.success(protocol.PromptAnswer(path=written.prompt_path, metadata=written.as_dict()))

    def dispatch(self, request: protocol.Dispatch) -> Outcome:
        """Compare a prompt with what is asked for."""
        self.prompts.dispatch(request)
        return Outcome.success(protocol.DispatchAnswer(prompt_path=request.prompt_path))

    def diff(self, request: protocol.Diff) -> Outcome:
        """Say which commands show the changes of a work package's lane."""
        paths = self.workflow.find(request.root, request.mission)
        diffs = self.diffs_class(paths, request.work_package)
        refs = diffs.refs()
        commands = diffs.commands(refs)
        return Outcome.success(
            protocol.DiffAnswer(
                base_ref=refs.base_ref,
                mission_branch=refs.mission_branch,
                lane_branch=refs.lane_branch,
                cwd=str(paths.root),
                commands=commands,
                lines=[diffs.line(argv) for argv in commands],
            )
        )

    def preflight(self, request: protocol.Preflight) -> Outcome:
        """Compare the target branch with its upstream."""
        return Outcome.success(self._preflight(request).answer(publish=request.publish))

    def focus(self, request: Focus) -> Outcome:
        """Make the branch of a pull request, as ``preflight`` advises."""
        made = self.focused_class(self._preflight(request)).make()
        return Outcome(OutcomeKind.OK, made._asdict())

    def _preflight(self, request: protocol.Preflight | Focus) -> Preflight:
        return self.preflight_class(self.workflow.find(request.root, request.mission), self.profile, self.command)

    def signoff(self, request: protocol.Signoff) -> Outcome:
        """Say whether the latest reviews allow to ship."""
        paths, reducer = self.workflow.reduced(request.root, request.mission)
        signing = self.signing_class(paths, self.profile, reducer)
        standings = signing.standings()
        findings = [finding.as_dict() for one in standings if (finding := signing.finding(one)) is not None]
        return Outcome.success(
            protocol.SignoffAnswer(
                blocked=bool(findings),
                reviews=[
                    protocol.ReviewStanding(
                        work_package_id=one.work_package,
                        lane=_text(one.lane),
                        artifact_path=signing.shown(one.path),
                        artifact_verdict=_text(one.verdict),
                        event_verdict=one.event,
                        overridden=one.overridden,
                    )
                    for one in standings
                ],
                findings=findings,
                warnings=[warning.as_dict() for one in standings for warning in signing.warnings(one)],
            )
        )

    def guard(self, request: protocol.Guard) -> Outcome:
        """Judge what is staged."""
        judged = self.guard_class(self.workflow, self.index).judge(request.root)
        scope = judged.scope
        return Outcome.success(
            protocol.GuardAnswer.model_validate(
                {
                    "outcome": judged.outcome,
                    "findings": [item.as_dict() for item in judged.findings],
                    "warnings": [item.as_dict() for item in judged.warnings],
                    "mission_slug": scope.mission_slug,
                    "work_package_id": scope.work_package_id,
                    "lane_id": scope.lane_id,
                    "context_source": scope.context_source,
                    "owned_files": list(scope.owned_files),
                }
            )
        )

    def surface(self, request: protocol.Surface) -> Outcome:
        """Name the command that does the inner request."""
        inner = request.request
        argv = [sys.executable, *self.command, *arguments_for(inner, request.format)]
        # A merge driver is run by git, in the root of the checkout.
        cwd = "." if isinstance(inner, protocol.MergeLogs) else inner.root
        return Outcome.success(protocol.SurfaceAnswer(argv=argv, env={}, cwd=cwd))


def _lock_seconds() -> float:
    text = os.environ.get(_LOCK_VARIABLE, "10")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ImplementationError(f"{_LOCK_VARIABLE} is {text!r}; set it to a number of seconds, or not at all")
    return seconds


def _text(value: Path | str | None) -> str | None:
    # Paths are not looked for again: what is done must not be told as failed for a file that cannot be read by then.
    return None if value is None else str(value)


def _moved(work_package: str, moved: Moved) -> protocol.TransitionAnswer:
    return protocol.TransitionAnswer(
        changed=moved.event_id is not None,
        event_id=moved.event_id,
        work_package_id=work_package,
        from_lane=str(moved.from_lane),
        to_lane=str(moved.to_lane),
        status_events_path=_text(moved.log),
    )


def outcome_of(finding: Diagnostic) -> Outcome:
    """Return refused, failed or unknown for a diagnostic, by the clause that it protects."""
    value: dict[str, Any] = finding.as_dict()
    if finding.code == "EVENT_APPEND_UNRESOLVED":
        return Outcome(OutcomeKind.UNKNOWN, value)
    if finding.entry.invariant.startswith(_FAILURES) or finding.code == "EVENT_LOCK_TIMEOUT":
        return Outcome.failed(value)
    return Outcome.refused(value)
