"""Whole lives of work packages, from planned to done with all that comes between: the state agrees after each step."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.mission import mission
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.mission import read_meta
from kitty_reliability.formats.profiles import CONTRACT_320
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.processes import clean_environment
from kitty_reliability.implementations.protocol import Actor, Outcome
from kitty_reliability.observe.rows import lane_from_bytes
from kitty_reliability.observe.tree import mark_tree
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.reducer import Reducer

READER = Path(__file__).parent / "fidelity" / "released_reader.py"
ANN: Actor = {"role": "implementer", "profile": "ann", "tool": "claude", "model": "opus"}


class Life:
    """A mission whose WP01 lives; WP02 is there to stay where it is. Everything is compared after each step."""

    def __init__(self, root: Path, where: Callable[[Repository], Path] = lambda repo: repo.root) -> None:
        repo = repository(root / "repo")
        self.mission = mission(repo.root, {"WP01": "genesis", "WP02": "planned"})
        repo.commit("Plan")
        self.reference = Reference()
        self.where = where(repo)
        #: The mission as it was after each step.
        self.copies: list[Path] = []
        self.reviews = 0

    def ask(self, lane: str, model: Any, **keys: Any) -> Outcome:
        outcome = self.reference.answer(
            model(root=str(self.where), mission=self.mission.slug, work_package="WP01", **keys)
        )
        assert outcome.ok, outcome
        assert outcome.value["to_lane"] == lane
        self.compare(lane)
        return outcome

    def compare(self, lane: str) -> None:
        """The lane of three readers, and the snapshot as the log alone gives it."""
        data, paths = self.mission.paths.log.read_bytes(), self.mission.paths
        assert lane_from_bytes(data, "WP01") == lane
        state = self.reference.answer(protocol.State(root=str(self.where), mission=self.mission.slug))
        assert state.value["lanes"] == {"WP01": lane, "WP02": "planned"}
        meta = read_meta(paths.meta)
        fresh = Reducer(CONTRACT_320, paths.slug, meta.mission_id)
        fresh.add(read_rows(data))
        assert paths.snapshot.read_bytes() == encode_snapshot(fresh.snapshot(meta))
        copy = self.mission.root.parent / f"step-{len(self.copies) + 1}" / "kitty-specs" / paths.slug
        shutil.copytree(paths.directory, copy)
        self.copies.append(copy)

    def move(self, to: str, actor: Actor = "ann", **keys: Any) -> None:
        self.ask(to, protocol.Transition, to=to, actor=actor, **keys)

    def start(self, actor: Actor = "ann", *, changed: bool = True, **keys: Any) -> None:
        assert self.ask("in_progress", protocol.Start, actor=actor, **keys).value["changed"] is changed

    def review(self, actor: Actor = "rev") -> None:
        self.move("for_review")
        self.ask("in_review", protocol.Start, actor=actor, kind="review")

    def verdict(self, to: str, verdict: str, **keys: Any) -> None:
        self.reviews += 1
        result = {"reviewer": "rev", "verdict": verdict, "reference": f"review:{self.reviews}"}
        evidence = {"review": result} if verdict == "approved" else None
        reference = result["reference"]
        self.move(to, "rev", review_result=result, review_ref=reference, evidence=evidence, **keys)

    def approve(self) -> None:
        self.verdict("approved", "approved")

    def finish(self) -> None:
        self.move(
            "done", "merge", evidence={"review": {"reviewer": "rev", "verdict": "approved", "reference": "merge"}}
        )

    def refused(self, actor: Actor, **keys: Any) -> None:
        root, slug = str(self.where), self.mission.slug
        before = self.mission.paths.log.read_bytes()
        outcome = self.reference.answer(
            protocol.Start(root=root, mission=slug, work_package="WP01", actor=actor, **keys)
        )
        assert outcome.declined, outcome
        assert self.mission.paths.log.read_bytes() == before


def straight(life: Life) -> None:
    life.move("planned")
    life.start()
    life.start(changed=False)
    life.review()
    life.approve()
    life.finish()


def rejected_and_reworked(life: Life) -> None:
    life.move("planned")
    life.start(ANN)
    life.review()
    life.refused("rev-2", kind="review")
    life.verdict("planned", "changes_requested")
    life.start("bob")
    life.refused(ANN)
    life.review()
    life.verdict("in_progress", "changes_requested")
    life.start("bob", changed=False)
    life.refused(ANN)
    life.review(ANN)
    life.approve()
    life.finish()


def blocked_and_unblocked(life: Life) -> None:
    life.move("planned")
    life.move("blocked")
    life.move("in_progress")
    life.move("blocked", reason="waiting")
    life.refused("ann")
    life.move("in_progress")
    life.review()
    life.verdict("blocked", "changes_requested")
    life.move("in_progress")
    life.review()
    life.approve()
    life.move("blocked")
    life.move("canceled")


def forced(life: Life) -> None:
    life.move("planned")
    life.move("approved", force=True, reason="done by hand")
    life.move("planned", review_ref="review:late")
    life.move("in_review", force=True, reason="it was done after all")
    life.verdict("done", "approved")


def canceled_and_taken_up(life: Life) -> None:
    life.move("planned")
    life.start()
    life.move("canceled", reason="nobody wants it")
    life.refused("ann")
    life.move("planned", force=True, reason="somebody does")
    life.start(ANN)
    life.review()
    life.verdict("canceled", "changes_requested")


def reopened(life: Life) -> None:
    straight(life)
    life.move("in_progress", force=True, reason="it broke")
    life.start(changed=False)
    life.review()
    life.approve()
    life.move("in_progress", review_ref="review:again")
    life.review()
    life.approve()
    life.finish()


def given_back(life: Life) -> None:
    life.move("planned")
    with subprocess.Popen(["git", "--version"], stdout=subprocess.DEVNULL) as process:
        pass
    # It has ended; and whoever has its number by now did not start in 1970.
    life.start(process_id=process.pid, process_started=1.0)
    life.refused("bob")
    life.ask("planned", protocol.Recover, actor="bob", reason="ann is gone")
    life.start("bob")
    life.review()
    life.approve()
    life.finish()


#: Each story, and whom the snapshot names in the end: who did the work is not lost on the way (#2960, #4786).
STORIES = {
    straight: "ann",
    rejected_and_reworked: "bob",
    blocked_and_unblocked: None,
    forced: None,
    canceled_and_taken_up: "claude",
    reopened: "ann",
    given_back: "bob",
}


def in_root(repo: Repository) -> Path:
    return repo.root


def in_a_subdirectory(repo: Repository) -> Path:
    directory = repo.root / "src" / "deep"
    directory.mkdir(parents=True)
    return directory


def in_a_worktree(repo: Repository) -> Path:
    """Of a lane; it has a copy of the mission that nobody writes to."""
    worktree = repo.root / ".worktrees" / "lane-a"
    repo.git("worktree", "add", "-q", "-b", "lane-a", str(worktree))
    return worktree


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("where", [in_root, in_a_subdirectory, in_a_worktree], ids=lambda where: where.__name__)
def test_a_life_agrees_with_its_log_at_each_step(
    tmp_path: Path, story: Callable[[Life], None], where: Callable[[Repository], Path]
) -> None:
    life = Life(tmp_path, where)
    elsewhere = mark_tree(life.where)
    story(life)
    if where is in_a_worktree:
        assert elsewhere.changes() == []
    entry = json.loads(life.mission.paths.snapshot.read_bytes())["work_packages"]["WP01"]
    assert entry.get("agent") == STORIES[story]


def test_the_released_reducer_agrees_at_each_step(tmp_path: Path, released_python: Path) -> None:
    """The bytes of ``status.json`` are those that the released package makes of the same log."""
    lives = [Life(tmp_path / story.__name__) for story in STORIES]
    for life, story in zip(lives, STORIES, strict=True):
        story(life)
    copies = [copy for life in lives for copy in life.copies]
    done = subprocess.run(
        [str(released_python), str(READER)],
        input=json.dumps([str(copy) for copy in copies]).encode(),
        env=clean_environment({"HOME": str(tmp_path), "SPEC_KITTY_ENABLE_SAAS_SYNC": "0"}),
        capture_output=True,
        check=True,
        timeout=300,
    )
    answers = json.loads(done.stdout)
    for copy in copies:
        said = answers[str(copy)]
        assert "error" not in said, said["error"]
        assert said["status_json"].encode() == (copy / "status.json").read_bytes(), copy
    ended = [answers[str(life.copies[-1])]["problems"] for life in lives]
    assert ended == [[] for _ in lives]
