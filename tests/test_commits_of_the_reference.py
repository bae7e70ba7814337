"""The commit of the reference: log and snapshot and nothing else, or everything as it was."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.implementations.protocol import Outcome, OutcomeKind, Transition
from kitty_reliability.observe.tree import mark_tree
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.commits import GitCommit


@pytest.fixture
def made(tmp_path: Path) -> Repository:
    return repository(tmp_path.resolve() / "repo")


@pytest.fixture
def built(made: Repository) -> Mission:
    return made.mission({"WP01": "planned", "WP02": "planned"})


def move(built: Mission, work_package: str = "WP01", to: str = "claimed", of: Reference | None = None) -> Outcome:
    subject = of or Reference()
    request = Transition(
        root=str(built.root), mission=built.slug, work_package=work_package, to=to, actor="x", commit=True
    )
    return subject.answer(request)


def hook(made: Repository, script: str, name: str = "pre-commit") -> None:
    path = made.root / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def known_to_git(made: Repository) -> list[str]:
    head = (made.root / ".git" / "HEAD").read_text(encoding="ascii")
    return [head, made.git("for-each-ref"), made.git("ls-files", "--stage")]


def refused(made: Repository, built: Mission, of: Reference | None = None) -> dict[str, Any]:
    """Ask, and see that nothing but git's own objects is different afterwards."""
    files, repo = mark_tree(made.root), known_to_git(made)
    outcome = move(built, of=of)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert outcome.value["diagnostic_code"] == "COMMIT_REFUSED"
    assert outcome.value["violated_invariant"] == "STA-006"
    ignored = [".git/objects", ".git/index", ".git/COMMIT_EDITMSG", ".git/spec-kitty-locks"]
    assert files.changes(ignore=ignored) == []
    assert known_to_git(made) == repo
    return dict(outcome.value)


def names_in(made: Repository, cwd: Path | None = None) -> list[str]:
    return sorted(made.git("show", "--name-only", "--format=", "HEAD", cwd=cwd).split())


def test_the_commit_holds_log_and_snapshot(made: Repository, built: Mission) -> None:
    for work_package in ("WP01", "WP02"):
        assert move(built, work_package).ok
        assert names_in(made) == [f"kitty-specs/{built.slug}/{name}" for name in ("status.events.jsonl", "status.json")]
        assert made.status == ""
    assert made.git("log", "-1", "--format=%s").strip() == f"{built.slug}: WP02 planned -> claimed"


def test_what_others_staged_stays_staged_and_out(made: Repository, built: Mission) -> None:
    made.checkout.add("staged.txt").edit("README.md")
    (built.directory / "note.md").write_text("not mine", encoding="utf-8")
    assert move(built).ok
    assert len(names_in(made)) == 2
    assert made.checkout.staged == ["README.md", "staged.txt"]
    assert made.status.endswith(f"?? kitty-specs/{built.slug}/note.md\n")


def test_a_coordinated_commit_is_on_the_coordination_branch(made: Repository) -> None:
    built = made.mission({"WP01": "planned"}, topology="coord")
    head = made.head
    assert move(built).ok
    assert made.head == head
    assert len(names_in(made, built.coord.path)) == 2
    assert built.coord.status == ""


def test_from_a_lane_it_is_on_the_branch_of_the_main_checkout(made: Repository) -> None:
    built = made.mission({"WP01": "planned"}, lanes={"lane-a": ["WP01"]})
    lane = built.lane("lane-a")
    request = Transition(
        root=str(lane.path), mission=built.slug, work_package="WP01", to="claimed", actor="x", commit=True
    )
    before = lane.head
    assert Reference().answer(request).ok
    assert lane.head == before
    assert lane.status == ""
    assert made.status == ""
    assert len(names_in(made)) == 2


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg", "prepare-commit-msg"])
def test_a_refusing_hook_leaves_nothing_and_is_quoted(made: Repository, built: Mission, name: str) -> None:
    hook(made, "echo 'not on a Sunday' >&2; exit 1", name)
    assert "not on a Sunday" in refused(made, built)["message"]
    (made.root / ".git" / "hooks" / name).unlink()
    assert move(built).ok


def test_a_refused_first_commit_leaves_no_log(made: Repository) -> None:
    built = made.mission({"WP01": "genesis"}, log=False)
    hook(made, "exit 1")
    before = mark_tree(built.directory)
    outcome = move(built, to="planned")
    assert outcome.value["diagnostic_code"] == "COMMIT_REFUSED"
    assert "said nothing" in outcome.value["message"]
    assert before.changes() == []
    assert made.status == ""


def _protect(made: Repository) -> None:
    made.protect()


def _protect_in_words(made: Repository) -> None:
    made.commit("Break it", files={".kittify/config.yaml": "protection: [\n"})


def _detach(made: Repository) -> None:
    made.git("checkout", "--quiet", "--detach")


def _unborn(made: Repository) -> None:
    made.git("symbolic-ref", "HEAD", "refs/heads/nothing-yet")


def _merging(made: Repository) -> None:
    (made.root / ".git" / "MERGE_HEAD").write_text(made.head + "\n", encoding="ascii")


def _ignored(made: Repository) -> None:
    made.git("rm", "--quiet", "-r", "--cached", "kitty-specs")
    made.commit("Ignore it", files={".gitignore": "kitty-specs/\n"})


def _nobody(made: Repository) -> None:
    for name in ("user.name", "user.email"):
        made.git("config", "--unset", name)
    made.git("config", "user.useConfigOnly", "true")


@pytest.mark.parametrize(
    ("obstacle", "says"),
    [
        (_protect, "branch main is protected by"),
        (_protect_in_words, "config.yaml cannot be read"),
        (_detach, "HEAD is detached"),
        (_unborn, "no commit is checked out"),
        (_merging, "during a merge"),
        (_ignored, "ignored"),
        (_nobody, "identity"),
    ],
)
def test_what_stops_a_commit_is_said(
    made: Repository, built: Mission, obstacle: Callable[[Repository], None], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    obstacle(made)
    assert says in refused(made, built)["message"]


def test_without_a_repository_nothing_is_written(tmp_path: Path) -> None:
    built = mission(tmp_path / "plain", {"WP01": "planned"})
    before = built.log.path.read_bytes()
    outcome = move(built)
    assert outcome.value["diagnostic_code"] == "COMMIT_REFUSED"
    assert built.log.path.read_bytes() == before
    assert not built.paths.snapshot.exists()


def test_without_git_nothing_is_written(made: Repository, built: Mission, monkeypatch: pytest.MonkeyPatch) -> None:
    before = mark_tree(built.directory)
    monkeypatch.setenv("PATH", str(made.root))
    outcome = move(built)
    assert outcome.kind is OutcomeKind.FAILED
    assert "git cannot be started" in outcome.value["message"]
    assert before.changes() == []


def test_an_index_that_is_busy_for_long_is_a_failure(made: Repository, built: Mission) -> None:
    subject = Reference()
    subject.workflow.lock_seconds = 0.1
    lock = made.root / ".git" / "index.lock"
    lock.write_bytes(b"")
    assert str(lock) in refused(made, built, subject)["message"]
    assert lock.exists()


def test_an_index_that_is_busy_for_a_moment_is_waited_for(made: Repository, built: Mission) -> None:
    lock, asked = made.root / ".git" / "index.lock", threading.Event()
    lock.write_bytes(b"")

    class Waits(GitCommit):
        def _wait_for_index(self, lock: Path, deadline: float) -> None:
            asked.set()
            super()._wait_for_index(lock, deadline)

    subject = Reference()
    subject.workflow.commit_class = Waits  # type: ignore[misc]

    def release() -> None:
        asked.wait()
        lock.unlink()

    other = threading.Thread(target=release)
    other.start()
    assert move(built, of=subject).ok
    other.join()


def test_variables_of_git_lead_nothing_astray(
    made: Repository, built: Mission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoy = repository(tmp_path / "decoy")
    before = mark_tree(decoy.root)
    monkeypatch.setenv("GIT_DIR", str(decoy.root / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(decoy.root / ".git" / "index"))
    monkeypatch.setenv("GIT_ICASE_PATHSPECS", "1")
    assert move(built).ok
    assert before.changes() == []
    assert made.status == ""


def test_a_hook_that_changes_what_is_committed_is_told(made: Repository, built: Mission) -> None:
    log = f"kitty-specs/{built.slug}/status.events.jsonl"
    hook(made, f"blob=$(echo other | git hash-object -w --stdin); git update-index --cacheinfo 100644,$blob,'{log}'")
    outcome = move(built)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert made.head in outcome.value["message"]
    # What the message says stands does stand.
    assert built.log.path.read_bytes().count(b'"to_lane": "claimed"') == 1


def test_a_snapshot_that_cannot_go_back_is_told(made: Repository, built: Mission) -> None:
    hook(made, f"rm '{built.paths.snapshot}'; mkdir '{built.paths.snapshot}'; touch '{built.paths.snapshot}/x'; exit 1")
    before = built.log.path.read_bytes()
    outcome = move(built)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert str(built.paths.snapshot) in outcome.value["message"]
    assert built.log.path.read_bytes() == before


def test_an_index_that_cannot_go_back_is_told(made: Repository, built: Mission) -> None:
    hook(made, "exit 1")
    lock = made.root / ".git" / "index.lock"

    class LockedOut(GitCommit):
        """Somebody takes the index between the refusal and what has to follow it."""

        def restore(self) -> None:
            lock.write_bytes(b"")
            super().restore()

    subject = Reference()
    subject.workflow.commit_class = LockedOut  # type: ignore[misc]
    before = built.log.path.read_bytes()
    outcome = move(built, of=subject)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert "new in the index: status.json" in outcome.value["message"]
    assert built.log.path.read_bytes() == before
