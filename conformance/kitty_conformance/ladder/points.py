"""What has to be true after a fault: the six points (conformance-kit: "Judging")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kitty_conformance.world import World
from kitty_reliability.implementations.protocol import Capability, Outcome, OutcomeKind, Repair, Transition
from kitty_reliability.observe.rows import LogMark
from pytest_kitty.scenarios import Finding

__all__ = ["Six", "six_points"]


def six_points(
    world: World,
    mark: LogMark,
    asked: Transition,
    outcome: Outcome,
    other: Transition,
    what: str,
    *,
    thorough: bool = True,
) -> None:
    """Judge the world after a fault struck ``asked``; the fault is over.

    1. Every earlier whole line is byte for byte there, and the implementation's own reader serves it.
    2. What was acknowledged is there once (at the end of the scenario also everything acknowledged before).
    3. The interrupted row is wholly there or wholly absent.
    4. Nobody reads a torn line as a row.
    5. A retry converges to one row.
    6. Another actor's next operation succeeds, or is refused with a code that ``repair`` clears.

    The snapshot agrees with the log then, or does when it is made anew.

    Arguments:
        mark: the log before ``asked``.
        outcome: what the implementation said; crashed when it was killed.
        other: a legal operation of another actor, on another work package.
        what: the fault, in words.
        thorough: also ask for the rows one by one, and for a new snapshot.
    """
    __tracebackhide__ = True
    judge = Six(world, mark, asked, what)
    judge.what_is_on_disk(outcome)
    judge.reader()
    judge.retry()
    judge.another_actor(other)
    if thorough:
        judge.rows()
        judge.snapshot()


@dataclass(frozen=True, slots=True)
class Six:
    """The points one by one, for a scenario that needs only some of them; arguments as of ``six_points``."""

    world: World
    mark: LogMark
    asked: Transition
    what: str

    def what_is_on_disk(self, outcome: Outcome) -> None:
        """Points 1, 2 and 3: what the bytes say."""
        __tracebackhide__ = True
        world, what = self.world, self.what
        world.check(self.mark.intact, Finding.PREFIX_REWRITTEN, f"{what}: rows that were there before are gone")
        if outcome.kind in (OutcomeKind.HUNG, OutcomeKind.GARBLED):
            world.answered(outcome)
        rows = self._rows()
        if outcome.ok:
            event = outcome.value.get("event_id")
            world.check(
                any(row.get("event_id") == event for row in rows),
                Finding.ACKED_ROW_MISSING,
                f"{what}: event {event} was reported and is not in the log",
            )
            world.one_row(self.mark, str(event), self.asked.work_package, self.asked.to)
        elif outcome.declined:
            world.check(
                rows or not self._torn(),
                Finding.TORN_LINE_VISIBLE,
                f"{what}: it failed, and left this in the log: {self._torn()[:1]}",
            )
            world.untouched(self.mark, f"{what}: it failed")
        else:
            self._once(f"{what}, and nobody knows")

    def reader(self) -> None:
        """Points 1 and 4: the implementation's own reader serves what is whole, and nothing else."""
        __tracebackhide__ = True
        world, claims = self.world, self.world.implementation.greeting.capabilities
        outcome = world.answered(world.state())
        if outcome.declined and self._torn():
            # A strict reader may refuse a torn log, when there is a way to what is whole in it.
            if Capability.RECOVERY in claims:
                outcome = world.answered(world.state(recover=True))
            else:
                self._repair(outcome)
                outcome = world.answered(world.state())
        lanes = dict(world.accepted(outcome, f"{self.what}: afterwards the rows are served")["lanes"])
        for work_package, lane in world.lanes_on_disk().items():
            if lanes.get(work_package) != lane:
                torn = self._torn() and work_package == self.asked.work_package
                world.fail(
                    Finding.TORN_LINE_VISIBLE if torn else Finding.LANE_DISAGREES,
                    f"{self.what}: afterwards {work_package} is {lane}, it says {lanes.get(work_package)}",
                )

    def rows(self) -> None:
        """Point 1, row by row."""
        __tracebackhide__ = True
        world = self.world
        if Capability.EVENTS in world.implementation.greeting.capabilities and not self._torn():
            served = [row["event_id"] for row in world.accepted(world.events(), "the rows are served")["events"]]
            there = [row.get("event_id") for row in world.rows()]
            world.check(
                served == there, Finding.ROW_UNRECOGNISED, f"{self.what}: {len(there)} rows, it serves {len(served)}"
            )

    def retry(self) -> None:
        """Point 5: asked again, there is one row."""
        __tracebackhide__ = True
        world, asked = self.world, self.asked
        was_there = self._once(self.what)
        outcome = world.answered(world.ask(asked))
        if not (outcome.ok or was_there):
            self._repair(outcome)
            world.accepted(world.ask(asked), f"{self.what}: a retry after the repair")
        world.check(self._once(f"{self.what}, and a retry"), Finding.ACKED_ROW_MISSING, "the retry has left no row")

    def another_actor(self, other: Transition) -> None:
        """Point 6: somebody else goes on."""
        __tracebackhide__ = True
        world = self.world
        mark = world.mark()
        outcome = world.answered(world.ask(other))
        if not outcome.ok:
            world.untouched(mark, f"{self.what}: another actor was refused")
            self._repair(outcome)
            mark = world.mark()
            outcome = world.ask(other)
        world.moved(mark, outcome, other.work_package, other.to)

    def snapshot(self) -> None:
        """The snapshot can be made anew, and says what the log says."""
        __tracebackhide__ = True
        if Capability.SNAPSHOT in self.world.implementation.greeting.capabilities:
            self.world.accepted(self.world.materialize(), f"{self.what}: afterwards the snapshot is made anew")
            self.world.snapshot_agrees(f"{self.what}: the snapshot was made anew")

    # --- inside

    def _rows(self) -> list[Mapping[str, Any]]:
        """The rows behind the mark that move the work package to the lane that was asked for."""
        wanted = {"wp_id": self.asked.work_package, "to_lane": self.asked.to}
        return [row for row in self.mark.added().rows if wanted.items() <= row.items()]

    def _torn(self) -> list[bytes]:
        return [line[:120] for line in self.mark.added().debris]

    def _once(self, what: str) -> bool:
        """Say whether the row is there; a finding when it is there more than once."""
        __tracebackhide__ = True
        rows = self._rows()
        self.world.check(
            len(rows) < 2,
            Finding.ROW_DUPLICATED,
            f"{what}: {self.asked.work_package} -> {self.asked.to} is in the log {len(rows)} times",
        )
        return bool(rows)

    def _repair(self, refusal: Outcome) -> None:
        """Let the implementation clear what it refuses for, if its diagnostic says what that is."""
        __tracebackhide__ = True
        world = self.world
        if Capability.REPAIR not in world.implementation.greeting.capabilities:
            world.fail(Finding.STUCK_AFTER_FAULT, f"{self.what}: afterwards {refusal}; and there is no repair")
        world.check(
            refusal.value.get("diagnostic_code"),
            Finding.WRONG_DIAGNOSTIC,
            f"{self.what}: afterwards it refuses without a code: {refusal}",
        )
        repaired = world.ask(Repair(root=str(world.mission.root), mission=world.mission.slug))
        world.check(
            world.answered(repaired).ok, Finding.STUCK_AFTER_FAULT, f"{self.what}: it cannot be repaired: {repaired}"
        )
        world.check(self.mark.intact, Finding.PREFIX_REWRITTEN, f"{self.what}: the repair has cost earlier rows")
