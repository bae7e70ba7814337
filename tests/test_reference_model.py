"""Random operations, damage and restarts against a model of a few lines: the reference never disagrees with it."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.formats.events import encode_row
from kitty_reliability.formats.instants import spell
from kitty_reliability.formats.lanes import BOARD_LANES, EDGES, Guard, Lane
from kitty_reliability.implementations.protocol import Materialize, Outcome, Repair, State, Transition
from kitty_reliability.reference.adapter import Reference

LEAST_STEPS = 2000

PACKAGES = st.sampled_from(["WP01", "WP02", "WP03"])
LANES = st.sampled_from(sorted(map(str, BOARD_LANES)))
#: Guards that ask for nothing that a request would have to bring.
FREE = {Guard.NONE, Guard.READY_FOR_REVIEW}


def everything(number: int) -> dict[str, Any]:
    """Return what satisfies each guard of the lane table."""
    review = {"reviewer": "r", "verdict": "approved", "reference": f"review:{number}"}
    return {
        "actor": "me",
        "reason": "because",
        "workspace_context": "worktree:lane-a",
        "review_ref": review["reference"],
        "review_result": review,
        "evidence": {"review": review},
    }


class Workflows(RuleBasedStateMachine):
    """One mission, asked and damaged; the model is a lane for each work package and the ids that were acknowledged."""

    steps: ClassVar[int] = 0

    @initialize()
    def build(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.built: Mission = mission(
            Path(self.folder.name) / "repo", dict.fromkeys(["WP01", "WP02", "WP03"], "planned")
        )
        self.log = self.built.log.path
        self.lanes = dict.fromkeys(["WP01", "WP02", "WP03"], "planned")
        self.acknowledged: list[str] = []
        self.reference = Reference()
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def ask(self, **keys: Any) -> Outcome:
        self.number += 1
        return self.reference.answer(Transition(root=str(self.built.root), mission=self.built.slug, **keys))

    def moved(self, outcome: Outcome, work_package: str, to: str) -> None:
        assert outcome.ok, outcome
        assert outcome.value["changed"]
        self.acknowledged.append(outcome.value["event_id"])
        self.lanes[work_package] = to

    # --- asking

    @rule(work_package=PACKAGES, to=LANES, complete=st.booleans())
    def move(self, work_package: str, to: str, complete: bool) -> None:
        source = self.lanes[work_package]
        guard = {(edge.source, edge.target): edge.guard for edge in EDGES.values()}.get((Lane(source), Lane(to)))
        before = self.log.read_bytes()
        given = everything(self.number) if complete else {}
        outcome = self.ask(work_package=work_package, to=to, **given)
        if source == to:
            assert outcome.ok, outcome
            assert not outcome.value["changed"]
        elif guard is not None and (complete or guard in FREE):
            self.moved(outcome, work_package, to)
        else:
            assert outcome.kind == "refused", outcome
            assert before.startswith(self.log.read_bytes())

    @rule(work_package=PACKAGES, to=LANES)
    def force(self, work_package: str, to: str) -> None:
        outcome = self.ask(work_package=work_package, to=to, force=True, actor="me", reason="so be it")
        self.moved(outcome, work_package, to)

    @rule(work_package=st.sampled_from(["WP09", "../x", "", "WP01 "]), to=LANES)
    def nobody(self, work_package: str, to: str) -> None:
        assert self.ask(work_package=work_package, to=to, **everything(0)).kind == "refused"

    @rule()
    def materialize(self) -> None:
        outcome = self.reference.answer(Materialize(root=str(self.built.root), mission=self.built.slug))
        if outcome.ok:
            snapshot = json.loads(self.built.paths.snapshot.read_bytes())
            assert {wp: entry["lane"] for wp, entry in snapshot["work_packages"].items()} == self.lanes
        else:
            assert outcome.value["diagnostic_code"] == "ROW_TORN"

    @rule()
    def restart(self) -> None:
        self.reference = Reference()

    # --- what others do to the file

    @rule(end=st.sampled_from([b'{"half', b'{"actor": "x", "at": "2', b"\xe2\x80", b"{"]))
    def tear(self, end: bytes) -> None:
        self.log.write_bytes(self.whole() + end)

    @rule()
    def lose_the_newline(self) -> None:
        self.log.write_bytes(self.whole().rstrip(b"\n"))

    @rule(index=st.integers(0, 50))
    def repeat_a_row(self, index: int) -> None:
        lines = self.whole().splitlines(keepends=True)
        self.log.write_bytes(b"".join([*lines, lines[index % len(lines)]]))

    @rule(seed=st.randoms(use_true_random=False))
    def shuffle(self, seed: Any) -> None:
        lines = self.whole().splitlines(keepends=True)
        seed.shuffle(lines)
        self.log.write_bytes(b"".join(lines))

    @rule(work_package=PACKAGES, to=LANES)
    def another_writer(self, work_package: str, to: str) -> None:
        rows = [json.loads(line) for line in self.whole().splitlines()]
        latest = max(datetime.fromisoformat(row["at"]) for row in rows)
        at = max(latest, datetime.now(UTC) - timedelta(minutes=1)) + timedelta(microseconds=1)
        self.built.log.clock.tick()
        identifier = self.built.log.ids.ulid(self.built.log.clock.now)
        row = {**rows[0], "wp_id": work_package, "from_lane": self.lanes[work_package], "to_lane": to, "force": True}
        row |= {"at": spell(at), "event_id": identifier, "reason": "elsewhere", "actor": "me"}
        self.log.write_bytes(self.whole() + encode_row(row))
        self.lanes[work_package] = to

    @rule(line=st.sampled_from([b"oops\n", b"[]\n", b'{"kind": "verdict"}\n', b"\xff\n", b"<<<<<<< HEAD\n"]))
    def corrupt_and_repair(self, line: bytes) -> None:
        self.log.write_bytes(self.whole() + line)
        refused = self.ask(work_package="WP01", to="blocked", **everything(0))
        assert not refused.ok
        if refused.value["diagnostic_code"] == "EVENT_LOG_UNREADABLE":
            assert refused.value["line"] == self.log.read_bytes().count(b"\n")
        assert self.reference.answer(Repair(root=str(self.built.root), mission=self.built.slug)).ok
        assert line.rstrip() in b"".join(path.read_bytes() for path in self.built.directory.glob("*.quarantine-*"))

    def whole(self) -> bytes:
        """Return the bytes of the log up to its last whole line, with a newline at the end."""
        data = self.log.read_bytes()
        head, _, tail = data.rpartition(b"\n")
        try:
            return (
                data if data.endswith(b"\n") else data + b"\n" if isinstance(json.loads(tail), dict) else head + b"\n"
            )
        except ValueError:
            return head + b"\n"

    # --- what always holds

    @precondition(lambda self: hasattr(self, "log"))
    @invariant()
    def lanes_are_those_of_the_model(self) -> None:
        type(self).steps += 1
        found = self.reference.answer(State(root=str(self.built.root), mission=self.built.slug, recover=True))
        assert found.ok, found
        assert found.value["lanes"] == self.lanes

    @precondition(lambda self: hasattr(self, "log"))
    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        data = self.log.read_bytes()
        assert all(data.count(event.encode()) >= 1 for event in self.acknowledged)


def test_the_reference_agrees_with_the_model() -> None:
    chosen = settings(
        max_examples=60,
        stateful_step_count=60,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    Workflows.steps = 0
    run_state_machine_as_test(Workflows, settings=chosen)
    assert Workflows.steps >= LEAST_STEPS
