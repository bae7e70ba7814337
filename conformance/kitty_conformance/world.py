"""A world of one mission, the implementation that is asked in it, and the judgement of what is there afterwards.

The world is written by ``build`` and read by ``observe``; the implementation is only ever asked. Everything
that goes wrong is raised as a finding with what was built, asked and observed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.faults.calls import CallFault
from kitty_reliability.faults.disk import DiskFault
from kitty_reliability.formats.profiles import Profile
from kitty_reliability.implementations.base import Implementation, ImplementationError
from kitty_reliability.implementations.processes import clean_environment, run_to_end
from kitty_reliability.implementations.protocol import (
    Actor,
    Batch,
    Capability,
    Events,
    Materialize,
    Move,
    Outcome,
    OutcomeKind,
    Recover,
    Repair,
    Request,
    Start,
    State,
    Surface,
    Transition,
)
from kitty_reliability.implementations.registry import connect
from kitty_reliability.observe.output import OutputError, one_json_value
from kitty_reliability.observe.rows import Added, LogMark, lane_from_bytes, lanes_from_bytes, mark_log, rows_from_bytes
from pytest_kitty.scenarios import Finding, ScenarioFailure, inconclusive, not_applicable

if TYPE_CHECKING:
    from .reproducing.trace import Trace

__all__ = ["CommandResult", "World", "Worlds", "another_process", "names_actor", "names_line", "told"]

_BROKEN = {
    OutcomeKind.CRASHED: Finding.CRASH,
    OutcomeKind.HUNG: Finding.HANG,
    OutcomeKind.GARBLED: Finding.PROTOCOL_VIOLATION,
}

#: Keys under which implementations name the same thing in a diagnostic.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "mission": ("mission_slug", "mission", "mission_id", "mission_handle"),
    "work package": ("work_package_id", "wp_id", "work_package"),
    "requested lane": ("requested_lane", "to_lane", "to"),
    "event path": ("status_events_path", "event_path", "path"),
}


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command of the implementation did: exit status and output."""

    argv: Sequence[str]
    status: int
    stdout: bytes
    stderr: bytes

    def json(self) -> Any:
        """Return the one JSON value on stdout; a finding when it is anything else."""
        try:
            return one_json_value(self.stdout)
        except OutputError as error:
            raise ScenarioFailure(Finding.STDOUT_POLLUTED, f"`{shlex.join(self.argv)}`: {error}") from None


class Worlds:
    """Builds the worlds of one scenario.

    Arguments:
        base: a directory of the scenario's own.
        implementation: who is asked.
        profile: what to judge by.
        rng: where slugs and actors are drawn from, so that nothing can be hard-coded against.
        trace: notes what is asked, for a reproduction.
    """

    def __init__(
        self, base: Path, implementation: Implementation, profile: Profile, rng: Random, trace: Trace | None = None
    ) -> None:
        self.base = base
        self.implementation = implementation
        self.profile = profile
        self.rng = rng
        self.trace = trace
        self.made: list[World] = []

    def untraceable(self, why_not: str) -> None:
        """Note that from now on more is at work than what is asked here: that is not reproduced by asking again."""
        if self.trace is not None:
            self.trace.stop(why_not)

    def __call__(
        self,
        work_packages: Any = None,
        *,
        git: bool = False,
        inside: str = "",
        place: Any = None,
        **options: Any,
    ) -> World:
        """Build a world with one mission; in a git repository when ``git`` or the implementation needs one.

        Other arguments as in ``build.mission``; with ``lanes`` or ``topology`` as in ``Repository.mission``.
        ``inside`` names the directory that the repository is built in, ``place`` has more for ``build.repository``.
        """
        root = self.base / f"world-{len(self.made) + 1}" / inside
        root.mkdir(parents=True)
        made: Repository | None = None
        word = "".join(self.rng.choices("abcdefghijkmnpqrstuvwxyz", k=6))
        options = {
            "name": word,
            "seed": str(self.rng.random()),
            "actor": f"impl-{self.rng.randrange(10**6)}",
            "reviewer": f"rev-{self.rng.randrange(10**6)}",
            # The bootstrap that every released version can read, so that a scenario is about its clause.
            "bootstrap": "planned",
            **options,
        }
        split = "lanes" in options or "topology" in options
        if git or split or place or self.implementation.greeting.needs_repository:
            made = repository(root, **(place or {}))
            options.setdefault("clock", made.clock)
        built = made.mission(work_packages, **options) if made and split else mission(root, work_packages, **options)
        world = World(self, built, made)
        self.made.append(world)
        return world

    def needs(self, *capabilities: Capability) -> None:
        """End the scenario as not applicable when the implementation does not claim ``capabilities``."""
        missing = [name for name in capabilities if name not in self.implementation.greeting.capabilities]
        if missing:
            not_applicable(f"{', '.join(missing)} is not claimed")

    def settle(self) -> None:
        """Compare what was acknowledged with the bytes on disk, once everything is quiet."""
        for world in self.made:
            world.settle()


class World:
    """One mission and the implementation that is asked in it."""

    def __init__(self, worlds: Worlds, built: Mission, made: Repository | None) -> None:
        self.worlds = worlds
        self.mission = built
        self.repository = made
        self.implementation = worlds.implementation
        self.profile = worlds.profile
        self.rng = worlds.rng
        self.acknowledged: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self._committed = False
        self._snapshot_then: bytes | None = None

    # --- the state, and looking at it

    @property
    def log(self) -> Path:
        """The path of the canonical log, in whichever checkout the topology has it."""
        return self.mission.log.path

    @property
    def snapshot_path(self) -> Path:
        """The path of the snapshot, beside the log."""
        return self.log.with_name(self.mission.paths.snapshot.name)

    @property
    def actor(self) -> str:
        """Who works."""
        return self.mission.log.actor

    @property
    def reviewer(self) -> str:
        """Who reviews."""
        return self.mission.log.reviewer

    def mark(self) -> LogMark:
        """Remember the log as it is now, and the snapshot beside it."""
        self._snapshot_then = self._snapshot_bytes()
        return mark_log(self.log)

    def _snapshot_bytes(self) -> bytes | None:
        path = self.snapshot_path
        return path.read_bytes() if path.is_file() else None

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that are on disk now."""
        return rows_from_bytes(self.log.read_bytes()) if self.log.is_file() else []

    def row(self, event_id: str) -> dict[str, Any]:
        """Return the row with an event id that is known to be in the log."""
        return next(row for row in self.rows() if row.get("event_id") == event_id)

    def lane(self, work_package: str) -> str | None:
        """Return the lane that the bytes on disk add up to."""
        return self.lanes_on_disk().get(work_package)

    def lanes_on_disk(self) -> dict[str, str]:
        """Return the lane of each work package that the bytes on disk move."""
        return lanes_from_bytes(self.log.read_bytes() if self.log.is_file() else b"")

    def review(self, verdict: str) -> dict[str, str]:
        """Return a review result with ``verdict``."""
        reference = f"review:{self.rng.randrange(10**6)}"
        return {"reviewer": self.reviewer, "verdict": verdict, "reference": reference}

    def commit(self) -> None:
        """Commit what the scenario wrote, for an implementation that works in a git repository."""
        if self.repository is not None:
            self.repository.commit("Prepare the scenario")
        self._committed = True

    # --- asking

    def ask(self, request: Request, *, of: Implementation | None = None, deadline: float | None = None) -> Outcome:
        """Ask the implementation, or ``of`` another session on it, for ``deadline`` seconds at most."""
        if not self._committed:
            self.commit()
        trace = self.worlds.trace
        if trace is not None:
            trace.asking()
        outcome = (of or self.implementation).ask(request, deadline=deadline)
        if trace is not None:
            trace.asked(request, outcome, deadline or self.implementation.deadline)
        self.asked.append(f"{_ask_text(request)} -> {outcome}")
        if isinstance(request, Transition | Batch | Start | Recover) and outcome.ok:
            self.acknowledge(outcome)
        return outcome

    def acknowledge(self, outcome: Outcome) -> None:
        """Remember the events that a success reported: in the end each has to be in the log once."""
        for answer in outcome.value.get("transitions", [outcome.value]):
            events = answer.get("event_ids") or [answer.get("event_id")]
            self.acknowledged += [{"event_id": event} for event in events if answer.get("changed") and event]

    def transition_request(self, work_package: str, to: str, **keys: Any) -> Transition:
        """Return the request to move ``work_package``, by the implementer unless ``keys`` say otherwise."""
        keys.setdefault("actor", self.actor)
        return Transition(
            root=str(self.mission.root), mission=self.mission.slug, work_package=work_package, to=to, **keys
        )

    def transition(self, work_package: str, to: str, *, of: Implementation | None = None, **keys: Any) -> Outcome:
        """Ask for a transition."""
        return self.ask(self.transition_request(work_package, to, **keys), of=of)

    def start_request(self, work_package: str, actor: Actor, kind: Any = "implement", **keys: Any) -> Start:
        """Return the request to take ``work_package`` in hand."""
        root, slug = str(self.mission.root), self.mission.slug
        return Start(root=root, mission=slug, work_package=work_package, actor=actor, kind=kind, **keys)

    def start(self, work_package: str, actor: Actor, kind: Any = "implement", **keys: Any) -> Outcome:
        """Ask to take ``work_package`` in hand."""
        return self.ask(self.start_request(work_package, actor, kind, **keys))

    def recover(self, work_package: str, actor: Actor) -> Outcome:
        """Ask to give back ``work_package``, whose holder is said to be gone."""
        root, slug = str(self.mission.root), self.mission.slug
        return self.ask(
            Recover(root=root, mission=slug, work_package=work_package, actor=actor, reason="the holder is gone")
        )

    def batch(self, *moves: Mapping[str, Any]) -> Outcome:
        """Ask for several moves in one act, by the implementer unless a move says otherwise."""
        root, slug = str(self.mission.root), self.mission.slug
        return self.ask(Batch(root=root, mission=slug, moves=[Move(**{"actor": self.actor, **move}) for move in moves]))

    def repair(self) -> Outcome:
        """Ask to move aside what cannot be read."""
        return self.ask(Repair(root=str(self.mission.root), mission=self.mission.slug))

    def state(self, *, recover: bool = False) -> Outcome:
        """Ask which lane each work package is in."""
        return self.ask(State(root=str(self.mission.root), mission=self.mission.slug, recover=recover))

    def events(self) -> Outcome:
        """Ask for the rows as they are understood."""
        return self.ask(Events(root=str(self.mission.root), mission=self.mission.slug))

    def materialize(self) -> Outcome:
        """Ask for the snapshot."""
        return self.ask(Materialize(root=str(self.mission.root), mission=self.mission.slug))

    def run(
        self,
        request: Request,
        environment: Mapping[str, str] | None = None,
        *,
        form: Literal["json", "text"] = "json",
        defaults: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
    ) -> CommandResult:
        """Run the implementation's own command for ``request``, and return what it did.

        ``environment`` is added to what it says that its command needs, ``defaults`` holds where it says nothing;
        ``wrapper`` is a program and its arguments that starts it.
        """
        answer = self.command(request, form)
        added = {**(defaults or {}), **answer["env"], **(environment or {})}
        variables = clean_environment(added)
        if wrapper:
            self.worlds.untraceable("the command is started by a program that limits or watches it")
        trace = self.worlds.trace
        if trace is not None:
            trace.asking()
        try:
            done = run_to_end([*wrapper, *answer["argv"]], variables, answer["cwd"], self.implementation.deadline)
        except OSError as error:
            self.fail(Finding.CRASH, f"`{shlex.join(answer['argv'])}` cannot be started: {error}")
        if trace is not None:
            output = (done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
            trace.ran(answer["argv"], added, answer["cwd"], self.implementation.deadline, done.status, *output)
        if done.status is None:
            self.fail(Finding.HANG, f"`{shlex.join(answer['argv'])}` did not end")
        self.asked.append(f"`{shlex.join(answer['argv'][:6])} ...` -> exit status {done.status}")
        return CommandResult(answer["argv"], done.status, done.stdout, done.stderr)

    def command(
        self, request: Any, form: Literal["json", "text"] = "json", *, sync_address: str | None = None
    ) -> Mapping[str, Any]:
        """Return argv, env and cwd of the implementation's own command for ``request``; inconclusive without one."""
        outcome = self.ask(Surface(request=request, format=form, sync_address=sync_address))
        if outcome.kind is OutcomeKind.UNSUPPORTED:
            inconclusive(str(outcome.value["reason"]))
        return self.accepted(outcome, "the command is named")

    @contextmanager
    def within(self, environment: Mapping[str, str]) -> Iterator[Implementation]:
        """Give a session on the implementation with ``environment`` added to what it sees."""
        self.worlds.untraceable("the implementation sees an environment of the scenario's own")
        _ = self.implementation.greeting  # asked before the environment is there
        if not self._committed:
            self.commit()
        if not self.implementation.in_this_process:
            with self.implementation.sibling(environment) as other:
                yield other
            return
        before = dict(os.environ)
        os.environ.update(environment)
        try:
            yield self.implementation
        finally:
            os.environ.clear()
            os.environ.update(before)

    def under(self, fault: DiskFault | CallFault, ask: Callable[[Implementation], Outcome]) -> Outcome:
        """Ask with ``fault`` in place; inconclusive when the fault never acted."""
        self.worlds.untraceable(f"a fault ({fault.mode}) is in place")
        _ = self.implementation.greeting  # asked before the fault is there
        if not self._committed:
            self.commit()
        if self.implementation.in_this_process:
            with fault.here():
                outcome = ask(self.implementation)
        else:
            with self.implementation.sibling(fault.environment()) as faulty:
                outcome = ask(faulty)
        if not fault.acted:
            inconclusive(f"the fault ({fault.mode}) took no effect in this implementation: {outcome}")
        return outcome

    def disk_fault(self, mode: Any, **options: Any) -> DiskFault:
        """Describe a fault on the log of this world."""
        marker = self.worlds.base / f"fault-{self.rng.randrange(10**9)}"
        return DiskFault(self.log, mode, marker, **options)

    def call_fault(self, mode: Any, path: Path | None = None, **options: Any) -> CallFault:
        """Describe a fault at one call on the log of this world, or on ``path``."""
        marker = self.worlds.base / f"fault-{self.rng.randrange(10**9)}"
        return CallFault(path or self.log, mode, marker, **options)

    # --- judging

    def fail(self, finding: Finding, observed: str) -> NoReturn:
        """Raise a finding with the story of this world."""
        __tracebackhide__ = True
        raise ScenarioFailure(finding, observed, self.story())

    def check(self, condition: object, finding: Finding, observed: str) -> None:
        """Raise ``finding`` unless ``condition``."""
        __tracebackhide__ = True
        if not condition:
            self.fail(finding, observed)

    def story(self) -> str:
        """What was built and asked, for a failure's text."""
        built = ", ".join(f"{wp}: {what.lane}" for wp, what in self.mission.work_packages.items())
        lines = [f"built: mission {self.mission.slug} ({built}) in {self.mission.root}"]
        lines += [f"asked: {text}" for text in self.asked[-8:]]
        return "\n".join(lines)

    def answered(self, outcome: Outcome) -> Outcome:
        """Return an outcome that the implementation gave itself; a finding for a crash, hang or garble."""
        __tracebackhide__ = True
        if outcome.broken:
            self.fail(_BROKEN[outcome.kind], f"{outcome}{_stderr(outcome)}")
        if outcome.kind is OutcomeKind.UNSUPPORTED:
            # Its own reason need not name the operation, and whoever is to answer it has to know.
            operation = self.asked[-1].split()[0] if self.asked else "that"
            inconclusive(f"it cannot be asked {operation}: {outcome.value['reason']}")
        return outcome

    def accepted(self, outcome: Outcome, what: str) -> Mapping[str, Any]:
        """Return the answer of an operation that has to succeed (the positive control)."""
        __tracebackhide__ = True
        if not self.answered(outcome).ok:
            self.fail(Finding.LEGAL_REFUSED, f"{what}: {outcome}")
        return outcome.value

    def declined(self, outcome: Outcome, what: str, finding: Finding = Finding.ILLEGAL_ACCEPTED) -> Mapping[str, Any]:
        """Return the diagnostic of an operation that has to be refused or to fail."""
        __tracebackhide__ = True
        if not self.answered(outcome).declined:
            self.fail(finding, f"{what}: {outcome}")
        return outcome.value

    def moved(self, mark: LogMark, outcome: Outcome, work_package: str, to: str) -> Mapping[str, Any]:
        """Judge a transition that has to succeed: one row, the reported one, and the lane follows (STA-001)."""
        __tracebackhide__ = True
        answer = self.accepted(outcome, f"{work_package} -> {to}")
        self.check(
            answer["changed"] and answer["event_id"],
            Finding.WRONG_ROW,
            f"success for {work_package} -> {to} without changed and event id: {dict(answer)}",
        )
        row = self.one_row(mark, str(answer["event_id"]), work_package, to)
        self.reported(answer, work_package, to)
        before = lane_from_bytes(mark.data or b"", work_package)
        self.check(
            before is None or row.get("from_lane") == before,
            Finding.WRONG_ROW,
            f"{work_package} was {before}; the row says that it came from {row.get('from_lane')}",
        )
        return answer

    def reported(self, answer: Mapping[str, Any], work_package: str, to: str) -> None:
        """Judge that an answer names the work package, the lane and the log that it is about."""
        __tracebackhide__ = True
        self.check(
            answer.get("work_package_id") == work_package and answer.get("to_lane") == to,
            Finding.WRONG_ROW,
            f"{work_package} -> {to} was asked; reported is {answer.get('work_package_id')} -> {answer.get('to_lane')}",
        )
        path = answer.get("status_events_path")
        self.check(
            path is None or self.is_log(path), Finding.WRONG_ROW, f"the reported path is not that of the log: {path}"
        )

    def is_log(self, path: object) -> bool:
        """Say whether ``path``, absolute or from the root, is that of the log."""
        return isinstance(path, str) and os.path.realpath(self.mission.root / path) == os.path.realpath(self.log)

    def one_row(self, mark: LogMark, event_id: str, work_package: str, to: str) -> dict[str, Any]:
        """Judge that the log gained exactly the one lane transition that was reported."""
        __tracebackhide__ = True
        added = self.gained(mark)
        lanes = [row for row in added.rows if row.get("kind") is None and "to_lane" in row]
        if not any(row.get("event_id") == event_id for row in lanes):
            self.fail(
                Finding.ACKED_ROW_MISSING,
                f"event {event_id} was reported and is not in the log; added: {_ids(added.rows)}",
            )
        if len(lanes) != 1:
            self.fail(
                Finding.ROW_DUPLICATED, f"one transition was reported, {len(lanes)} rows were added: {_ids(lanes)}"
            )
        row = lanes[0]
        self.check(
            row.get("wp_id") == work_package and row.get("to_lane") == to,
            Finding.WRONG_ROW,
            f"reported {work_package} -> {to}, written {row.get('wp_id')} -> {row.get('to_lane')}",
        )
        # Where logs meet, a row that names no mission, or another one, is nobody's or somebody else's.
        named = row.get("mission_slug")
        self.check(named == self.mission.slug, Finding.WRONG_ROW, f"a row of {self.mission.slug} names {named!r}")
        self.check(
            self.lane(work_package) == to,
            Finding.LANE_DISAGREES,
            f"{work_package} -> {to} was reported; the log adds up to {self.lane(work_package)}",
        )
        return row

    def gained(self, mark: LogMark) -> Added:
        """Return what the log gained, once the earlier bytes are seen to be intact and nothing is glued."""
        __tracebackhide__ = True
        if not mark.kept:
            self.fail(Finding.PREFIX_REWRITTEN, "rows that were in the log before are not there any more")
        added = mark.added()
        if added.debris:
            finding = Finding.GLUED_LINE if b"}{" in added.debris[0] else Finding.TORN_LINE_VISIBLE
            self.fail(finding, f"a line that is no row: {added.debris[0][:120]!r}")
        return added

    def untouched(self, mark: LogMark, what: str) -> None:
        """Judge that the log is what it was."""
        __tracebackhide__ = True
        if not mark.unchanged:
            gained = mark.added().data[:160] if mark.intact else b"(rewritten)"
            self.fail(Finding.REFUSAL_CHANGED_STATE, f"{what}, and the log changed: {gained!r}")
        if self._snapshot_bytes() != self._snapshot_then:
            self.snapshot_agrees(what)

    def snapshot_agrees(self, what: str) -> None:
        """Judge that a snapshot that is there says of each work package what the log says."""
        __tracebackhide__ = True
        snapshot, lanes = self.snapshot_on_disk(), self.lanes_on_disk()
        for work_package, entry in (snapshot or {}).get("work_packages", {}).items():
            lane = lanes.get(work_package)
            told = entry.get("lane") if isinstance(entry, dict) else None
            if lane is not None and told != lane:
                self.fail(
                    Finding.SNAPSHOT_DIFFERS,
                    f"{what}; the log says that {work_package} is {lane}, status.json says {told}",
                )

    def snapshot_on_disk(self) -> dict[str, Any] | None:
        """Return ``status.json`` as it is on disk, None when there is none; a finding when it is no snapshot."""
        __tracebackhide__ = True
        path = self.snapshot_path
        if not path.is_file():
            return None
        try:
            snapshot = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            self.fail(Finding.SNAPSHOT_DIFFERS, f"status.json is not JSON: {error}")
        if not isinstance(snapshot, dict) or not isinstance(snapshot.get("work_packages", {}), dict):
            self.fail(Finding.SNAPSHOT_DIFFERS, "status.json is no snapshot")
        return snapshot

    def lanes(self, outcome: Outcome) -> dict[str, str | None]:
        """Return the lanes of a state that has to be readable."""
        __tracebackhide__ = True
        return dict(self.accepted(outcome, "the state is readable")["lanes"])

    def diagnosed(self, diagnostic: Mapping[str, Any], work_package: str, to: str) -> None:
        """Judge a diagnostic of a failed transition: it names everything that STA-003 lists."""
        __tracebackhide__ = True
        expected = {
            "mission": {self.mission.slug, self.mission.mission_id},
            "work package": {work_package},
            "requested lane": {to},
        }
        missing = [key for key in ("diagnostic_code", "violated_invariant", "remediation") if not diagnostic.get(key)]
        for what, values in expected.items():
            if not any(str(diagnostic.get(key)) in values for key in _NAMES[what]):
                missing.append(what)
        if not any(self.is_log(diagnostic.get(key)) for key in _NAMES["event path"]):
            missing.append("event path")
        if missing:
            shown = {key: value for key, value in diagnostic.items() if key != "message"}
            text = json.dumps(shown, default=str)[:300]
            self.fail(Finding.WRONG_DIAGNOSTIC, f"the diagnostic does not name {', '.join(missing)}: {text}")

    def settle(self) -> None:
        """Compare the acknowledgements with the bytes on disk: each event exactly once."""
        __tracebackhide__ = True
        if not self.acknowledged:
            return
        found = [row.get("event_id") for row in self.rows()]
        for answer in self.acknowledged:
            count = found.count(answer["event_id"])
            if count != 1:
                finding = Finding.ACKED_ROW_MISSING if count == 0 else Finding.ROW_DUPLICATED
                self.fail(finding, f"event {answer['event_id']} was acknowledged and is in the log {count} times")


def another_process(
    world: World, environment: Mapping[str, str] | None = None, *, wrapper: Sequence[str] = ()
) -> Implementation:
    """Return a session on the implementation in a process of its own; inconclusive when there is no such thing."""
    world.worlds.untraceable("several sessions are at work")
    if not world.implementation.in_this_process:
        return world.implementation.sibling(environment, wrapper=wrapper)
    try:
        return connect(f"served:{world.implementation.spec}").sibling(environment, wrapper=wrapper)
    except ImplementationError as error:
        inconclusive(f"it cannot run in a process of its own: {error}")


def told(value: Any) -> str:
    """Return everything that a diagnostic says, but for the paths: they may hold any number or word."""
    if isinstance(value, Mapping):
        return " ".join(
            f"{key}={told(item)}" for key, item in value.items() if "path" not in str(key) and key != "root"
        )
    if isinstance(value, list | tuple | set):
        return " ".join(map(told, value))
    return "" if isinstance(value, str) and ("/" in value or "\\" in value) and " " not in value else str(value)


def _lines(value: Mapping[str, Any]) -> Iterator[Any]:
    for key, told_there in value.items():
        if str(key).endswith(("line", "lines")):
            yield from told_there if isinstance(told_there, Sequence) else (told_there,)


def names_line(value: Any, line: int) -> bool:
    """Say whether a diagnostic names ``line``: by a field such as ``line`` or ``other_line``, or by the words "line N"."""
    if isinstance(value, Mapping) and line in _lines(value):
        return True
    return re.search(rf"\blines? (?:\d+(?:,| and) )*{line}\b", told(value)) is not None


def names_actor(value: Any, actor: Actor) -> bool:
    """Say whether a diagnostic names ``actor``: the whole name, not a longer one; of an object, its profile."""
    name = actor if isinstance(actor, str) else str(actor["profile"])
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-]|:\w)", told(value)) is not None


def _ask_text(request: Request) -> str:
    values = request.model_dump(exclude_defaults=True)
    for key in ("root", "mission", "request"):
        values.pop(key, None)
    return f"{request.operation} {' '.join(f'{key}={value}' for key, value in values.items())}".strip()


def _stderr(outcome: Outcome) -> str:
    text = str(outcome.evidence.get("traceback") or outcome.evidence.get("stderr") or "").strip()
    return f"; it said: ...{text[-300:]}" if text else ""


def _ids(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{row.get('event_id')} {row.get('wp_id')}->{row.get('to_lane')}" for row in rows) or "nothing"
