"""A mission from an initialised repository to the branch of a pull request, by the reference's operations alone (T036).

The repository, the mission's files and its worktrees are built; every row of the log is written by an operation. Two
endings: a work package that is approved against its review blocks, and nothing is merged; one that is reviewed again ships.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.repository import git_environment, repository
from kitty_reliability.build.reviews import WrittenReview, write_review
from kitty_reliability.formats.prompts import read_prompt
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.rows import rows_from_bytes
from kitty_reliability.observe.tree import mark_tree
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.commands import arguments_for, main

LANES = {"lane-a": ["WP01"], "lane-b": ["WP02"]}


class Journey:
    """One mission on its way, and everything that its operations reported."""

    def __init__(self, base: Path) -> None:
        self.repository = repository(base / "repo", remote=True)
        packages = {
            "WP01": WorkPackage("genesis", owned_files=["src/wp01/**"]),
            "WP02": WorkPackage("genesis", owned_files=["src/wp02/**"], dependencies=["WP01"]),
        }
        self.mission: RepositoryMission = self.repository.mission(packages, lanes=LANES, lane_commits=0)
        self.temporary = base / "tmp"
        self.temporary.mkdir(mode=0o700)
        self.reference = Reference()
        self.events: list[str] = []
        assert self.mission.paths.log.read_bytes() == b""

    # --- asking

    def ask(self, request: type[Any], *, root: Path | None = None, **keys: Any) -> Mapping[str, Any]:
        outcome = self.outcome(request(root=str(root or self.mission.root), mission=self.mission.slug, **keys))
        assert outcome.ok, outcome
        return outcome.value

    def outcome(self, request: Any) -> Outcome:
        outcome = self.reference.answer(request)
        for answer in outcome.value.get("transitions", [outcome.value]) if outcome.ok else ():
            events = answer.get("event_ids") or [answer.get("event_id")]
            self.events += [event for event in events if event and answer.get("changed")]
        return outcome

    def move(self, work_package: str, to: str, actor: str, **keys: Any) -> None:
        self.ask(protocol.Transition, work_package=work_package, to=to, actor=actor, commit=True, **keys)

    def signoff(self, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
        """Run the command; return its exit status and what it printed."""
        request = protocol.Signoff(root=str(self.mission.root), mission=self.mission.slug)
        status = main(arguments_for(request, "json"), self.reference)
        return status, json.loads(capsys.readouterr().out)

    # --- the stations

    def plan(self) -> None:
        """Let every work package enter the log, in one act."""
        moves = [protocol.Move(work_package=name, to="planned", actor="planner") for name in ("WP01", "WP02")]
        self.ask(protocol.Batch, moves=moves)
        self.repository.commit("Plan")

    def implement(self, work_package: str) -> str:
        """Start it from its lane's worktree, change what it owns, hand it in; return the file that came."""
        lane = self.lane(work_package)
        self.ask(protocol.Start, root=lane.path, work_package=work_package, actor="coder")
        rounds = len(list(lane.path.glob(f"src/{work_package.lower()}/*")))
        name = f"src/{work_package.lower()}/round-{rounds + 1}.txt"
        lane.add(name, f"{work_package} {rounds + 1}\n").commit()
        self.move(work_package, "for_review", "coder")
        return name

    def review(self, work_package: str, changed: str) -> None:
        """Start the review, have its prompt written and dispatched, and look at what the lane did."""
        self.ask(protocol.Start, work_package=work_package, actor="reviewer", kind="review")
        written = self.ask(protocol.Prompt, work_package=work_package, temporary=str(self.temporary))
        assert read_prompt(Path(written["path"])).metadata.lane_branch == self.lane(work_package).branch
        asked = {"work_package": work_package, "prompt_path": written["path"], "requested": written["metadata"]}
        self.ask(protocol.Dispatch, **asked)
        diff = self.ask(protocol.Diff, work_package=work_package)
        assert changed in "".join(run(argv, diff["cwd"]) for argv in diff["commands"])

    def conclude(self, work_package: str, verdict: str) -> WrittenReview:
        """Write the reviewer's artifact and move the work package by its verdict."""
        artifact = write_review(self.mission, work_package, verdict=verdict, reviewer="reviewer")
        word = "approved" if verdict == "approved" else "changes_requested"
        result = {"reviewer": "reviewer", "verdict": word, "reference": artifact.reference}
        self.repository.commit(f"Review {work_package}")
        keys: dict[str, Any] = {"review_result": result, "review_ref": artifact.reference}
        if verdict == "approved":
            keys["evidence"] = {"review": result}
        self.move(work_package, "approved" if verdict == "approved" else "planned", "reviewer", **keys)
        return artifact

    def merge(self) -> None:
        """Merge the lanes into the mission's branch, and say so of every work package in one act."""
        self.repository.git("checkout", "--quiet", self.mission.branch)
        for lane_id in LANES:
            self.repository.git("merge", "--quiet", "--no-edit", "--no-ff", self.mission.lane(lane_id).branch)
        self.repository.git("checkout", "--quiet", self.repository.branch)
        review = {"reviewer": "reviewer", "verdict": "approved", "reference": "merge"}
        moves = [
            protocol.Move(work_package=name, to="done", actor="merge", evidence={"review": review})
            for name in ("WP01", "WP02")
        ]
        self.ask(protocol.Batch, moves=moves)
        self.repository.commit("Merge")

    # --- looking

    def lane(self, work_package: str) -> Any:
        return self.mission.lane(next(lane for lane, packages in LANES.items() if work_package in packages))

    def only_reported_rows(self) -> None:
        """Every row was reported by an operation, and each report has its row."""
        rows = rows_from_bytes(self.mission.paths.log.read_bytes())
        assert [row["event_id"] for row in rows] == self.events


def run(argv: list[str], cwd: str) -> str:
    return subprocess.run(argv, cwd=cwd, env=git_environment(), capture_output=True, text=True, check=True).stdout


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    """A mission of which WP01 is approved, and WP02 was rejected once."""
    on_its_way = Journey(tmp_path)
    on_its_way.plan()
    on_its_way.review("WP01", on_its_way.implement("WP01"))
    on_its_way.conclude("WP01", "approved")
    on_its_way.review("WP02", on_its_way.implement("WP02"))
    on_its_way.conclude("WP02", "rejected")
    return on_its_way


def test_what_was_approved_against_its_review_is_not_merged(
    journey: Journey, capsys: pytest.CaptureFixture[str]
) -> None:
    assert journey.signoff(capsys)[0] == 0
    journey.move("WP02", "approved", "hurry", force=True, reason="the release is today")
    files, refs = mark_tree(journey.mission.root), mark_repository(journey.mission.root)

    status, answer = journey.signoff(capsys)

    assert (status, answer["blocked"]) == (1, True)
    (finding,) = answer["findings"]
    assert finding["diagnostic_code"] == "REJECTED_REVIEW_ARTIFACT_CONFLICT"
    assert (finding["mission_slug"], finding["branch_or_work_package"]) == (journey.mission.slug, "WP02")
    assert finding["latest_review_cycle_path"].endswith("/tasks/WP02-work/review-cycle-1.md")
    assert (files.changes(), refs.changes()) == ([], [])
    journey.only_reported_rows()


def test_what_was_reviewed_again_ships(journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    journey.review("WP02", journey.implement("WP02"))
    journey.conclude("WP02", "approved")
    status, answer = journey.signoff(capsys)
    assert (status, answer["findings"], answer["warnings"]) == (0, [], [])
    assert [one["artifact_path"].rpartition("/")[2] for one in answer["reviews"]] == [
        "review-cycle-1.md",
        "review-cycle-2.md",
    ]

    journey.merge()

    assert journey.ask(protocol.State)["lanes"] == {"WP01": "done", "WP02": "done"}
    assert journey.signoff(capsys)[0] == 0
    journey.only_reported_rows()
    owned = ["src/wp01/round-1.txt", "src/wp02/round-1.txt", "src/wp02/round-2.txt"]
    assert {name: journey.repository.git("show", f"{journey.mission.branch}:{name}") for name in owned} == {
        "src/wp01/round-1.txt": "WP01 1\n",
        "src/wp02/round-1.txt": "WP02 1\n",
        "src/wp02/round-2.txt": "WP02 2\n",
    }
    # The branch is made as preflight says; then what it holds beyond the remote is looked at.
    preflight = journey.ask(protocol.Preflight, publish=True)
    assert not preflight["blocked"], preflight["findings"]
    branch = preflight["focused_branch"]
    assert preflight["commands"]
    for argv in preflight["commands"]:
        run(argv, preflight["cwd"])
    tip = journey.repository.git("rev-parse", f"refs/remotes/{preflight['tracking_branch']}").strip()
    changed = journey.repository.git("diff", "--name-only", tip, f"refs/heads/{branch}").splitlines()
    mission = f"kitty-specs/{journey.mission.slug}/"
    assert [name for name in changed if not name.startswith(mission)] == owned
    assert f"{mission}status.events.jsonl" in changed
    assert f"{mission}tasks/WP02-work/review-cycle-2.md" in changed
