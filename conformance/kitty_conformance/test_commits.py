"""STA-006: whatever stops a row from being written or committed is a hard, diagnosed failure.

An implementation that claims to commit is asked to, one that does not is asked for the transition alone. Either way it
is judged by what is there afterwards: a success has its row, and its commit when one was asked for; a failure has
left log, snapshot, index and HEAD as they were. An outcome ``unknown`` may leave the row, and has to say so.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import pytest

from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.repository import Repository
from kitty_reliability.faults.locks import LockNotHeldError, file_lock_held
from kitty_reliability.implementations.protocol import Capability, Open, Outcome, OutcomeKind, Transition
from kitty_reliability.observe.rows import LogMark
from pytest_kitty.scenarios import Finding, inconclusive

from .world import World, Worlds, another_process

_HOOK: Final = "#!/bin/sh\n: > hook-ran\necho 'refused by a hook' >&2\nexit 1\n"


@pytest.fixture(autouse=True)
def _writer(worlds: Worlds) -> None:
    worlds.needs(Capability.WRITE)


# --- what stops the commit


def _hook(name: str) -> Callable[[Repository], None]:
    def put(made: Repository) -> None:
        path = made.root / ".git" / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_HOOK.encode())
        path.chmod(0o755)

    return put


def _detach(made: Repository) -> None:
    made.git("checkout", "--quiet", "--detach")


def _unborn(made: Repository) -> None:
    made.git("symbolic-ref", "HEAD", "refs/heads/nothing-yet")


def _conflict(made: Repository) -> None:
    # As in the middle of a merge, when git commits everything or nothing.
    (made.root / ".git" / "MERGE_HEAD").write_text(f"{made.head}\n", encoding="ascii")


OBSTACLES: Final[dict[str, Callable[[Repository], None]]] = {
    "a refusing pre-commit hook": _hook("pre-commit"),
    "a refusing commit-msg hook": _hook("commit-msg"),
    "a detached HEAD": _detach,
    "a branch without a commit": _unborn,
    "a merge in progress": _conflict,
}


@pytest.mark.kitty_clause("STA-006")
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_refused_commit_is_a_failure_that_leaves_nothing(worlds: Worlds, obstacle: str) -> None:
    """Git refuses after the row was appended: the command fails, and log and snapshot are as they were."""
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _control(world)
    OBSTACLES[obstacle](_made(world))
    outcome = _judged(world, "WP01", "claimed")
    _met(world, outcome, obstacle)


@pytest.mark.kitty_clause("STA-006")
@pytest.mark.parametrize("obstacle", ["a refusing pre-commit hook", "a refusing commit-msg hook"])
def test_a_refused_first_commit_leaves_no_new_file(worlds: Worlds, obstacle: str) -> None:
    """Log and snapshot are new to git: after a refusal the index does not know them, and they are not there."""
    twin = worlds({"WP01": "genesis"}, log=False, git=True)
    _control(twin, "WP01", "planned")

    world = worlds({"WP01": "genesis"}, log=False, git=True)
    world.commit()
    OBSTACLES[obstacle](_made(world))
    outcome = _judged(world, "WP01", "planned")
    _met(world, outcome, obstacle)
    left = outcome.declined and world.snapshot_path.exists()
    world.check(not left, Finding.SNAPSHOT_DIFFERS, "it failed, and left a snapshot of a log that is not there")


@pytest.mark.kitty_clause("STA-006")
@pytest.mark.parametrize("obstacle", ["a refusing pre-commit hook", "a refusing commit-msg hook"])
def test_a_refused_commit_costs_no_row_that_was_there(worlds: Worlds, obstacle: str) -> None:
    """The log has a row that nobody has committed yet: a refusal gives back that log, not the one that git has."""
    world = worlds({"WP01": "planned", "WP02": "planned", "WP03": "planned"}, git=True)
    _control(world)
    world.mission.log.lane("WP03", "claimed")
    OBSTACLES[obstacle](_made(world))
    outcome = _judged(world, "WP01", "claimed")
    world.check(world.lane("WP03") == "claimed", Finding.PREFIX_REWRITTEN, "a row that was not committed is gone")
    _met(world, outcome, obstacle)


@pytest.mark.kitty_clause("STA-006")
def test_a_refused_commit_is_diagnosed(worlds: Worlds) -> None:
    """The diagnostic of a commit that git refused names what every diagnostic of a failed transition names."""
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _control(world)
    _hook("pre-commit")(_made(world))
    outcome = _judged(world, "WP01", "claimed")
    _met(world, outcome, "a hook")
    if not outcome.ok:
        world.diagnosed(outcome.value, "WP01", "claimed")


@pytest.mark.kitty_clause("STA-006")
def test_a_transition_after_a_refused_one_succeeds(worlds: Worlds) -> None:
    """Once the hook lets it through, the same request is done, with one row."""
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _control(world)
    _hook("pre-commit")(_made(world))
    first = _judged(world, "WP01", "claimed")
    (_made(world).root / ".git" / "hooks" / "pre-commit").unlink()
    if first.declined:
        _succeeds(world, "WP01", "claimed")


@pytest.mark.kitty_clause("STA-006")
def test_a_busy_index_is_a_failure_that_leaves_nothing(worlds: Worlds) -> None:
    """Another git process holds the index for longer than is waited: a failure, and afterwards it works."""
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _control(world)
    lock = _made(world).root / ".git" / "index.lock"
    lock.write_bytes(b"")
    outcome = _judged(world, "WP01", "claimed")
    lock.unlink(missing_ok=True)
    if outcome.declined:
        _succeeds(world, "WP01", "claimed")


@pytest.mark.kitty_clause("STA-006")
@pytest.mark.parametrize("mission", ["in the main checkout", "in a coordination worktree"])
def test_a_commit_holds_nothing_of_others(worlds: Worlds, mission: str) -> None:
    """Files of others, staged, changed, new, or in a worktree, are not in the commit, and stay as they are."""
    worlds.needs(Capability.COMMIT)
    split = {} if mission == "in the main checkout" else {"topology": "lanes_with_coord"}
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True, **split)
    if split and world.answered(_ask(world, "WP02", "claimed")).declined:
        inconclusive("it does not write in topology lanes_with_coord")
    if not split:
        _control(world)
    made, checkout = _made(world), world.log.parents[2]
    others = _files_of_others(world, checkout)
    head, staged = _head(made, checkout), _staged(made, checkout)
    mark = world.mark()
    outcome = world.answered(_ask(world, "WP01", "claimed"))
    if outcome.declined:
        # It may refuse to work beside files that are not its own; then it has done nothing.
        world.untouched(mark, "it was refused")
        world.check(_head(made, checkout) == head, Finding.REFUSAL_CHANGED_STATE, "it was refused, and HEAD moved")
        world.check(
            _staged(made, checkout) == staged, Finding.REFUSAL_CHANGED_STATE, "it was refused; the index changed"
        )
        return
    world.moved(mark, outcome, "WP01", "claimed")
    _committed(world)
    inside = made.git("log", "--name-only", "-z", "--format=", f"{head}..HEAD", cwd=checkout).split("\0")
    swept = sorted({name.strip() for name in inside} & others.keys())
    world.check(not swept, Finding.SWEPT_IN, f"the commit holds files of others: {', '.join(swept)}")
    for name, data in others.items():
        there = (checkout / name).read_bytes() if (checkout / name).is_file() else None
        world.check(there == data, Finding.REFUSAL_CHANGED_STATE, f"{name}, a file of others, changed")
    lost = sorted(set(staged) - set(_staged(made, checkout)))
    world.check(
        not lost, Finding.REFUSAL_CHANGED_STATE, f"it was staged by others and is not any more: {', '.join(lost)}"
    )


@pytest.mark.kitty_clause("STA-006")
def test_variables_of_git_lead_no_commit_astray(worlds: Worlds) -> None:
    """The environment names another repository and index: the commit is made here, or not at all."""
    worlds.needs(Capability.COMMIT)
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _control(world)
    made = _made(world)
    decoy = world.worlds.base / "decoy"
    made.git("clone", "--quiet", str(made.root), str(decoy))
    environment = {"GIT_DIR": str(decoy / ".git"), "GIT_INDEX_FILE": str(decoy / ".git" / "index")}
    then = (_head(made, decoy), _staged(made, decoy))
    with world.within(environment) as other:
        _judged(world, "WP01", "claimed", lambda request: world.ask(request, of=other))
    world.check(
        (_head(made, decoy), _staged(made, decoy)) == then,
        Finding.WRONG_COPY,
        "the repository that GIT_DIR names has another HEAD or index",
    )


# --- what stops the row


@pytest.mark.kitty_clause("STA-006")
def test_a_snapshot_that_cannot_be_written_leaves_no_half(worlds: Worlds) -> None:
    """A directory with a file stands where the snapshot goes: log and snapshot both change, or neither, or it is said."""
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _control(world)
    path = world.snapshot_path
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "keep").write_bytes(b"kept")
    world.commit()
    mark = world.mark()
    outcome = world.answered(_ask(world, "WP01", "claimed"))
    kept = (path / "keep").is_file() and (path / "keep").read_bytes() == b"kept"
    world.check(kept, Finding.BYTES_LOST, "the file that stood where the snapshot goes is gone")
    if outcome.ok:
        # It may not write a snapshot at all; then the row is everything.
        world.moved(mark, outcome, "WP01", "claimed")
        return
    _nothing_stands(world, mark, outcome, "WP01", "claimed")
    (path / "keep").unlink()
    path.rmdir()
    world.commit()
    if outcome.declined:
        _succeeds(world, "WP01", "claimed")


@pytest.mark.kitty_clause("STA-006")
@pytest.mark.parametrize("missing", ["the directory of the work packages", "the whole mission"])
def test_what_is_gone_meanwhile_is_a_failure(worlds: Worlds, missing: str) -> None:
    """Directories are gone since the last command: the row is written, or the command fails; nothing in between."""
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _control(world)
    if missing == "the whole mission":
        shutil.rmtree(world.mission.directory)
        world.acknowledged.clear()
        outcome = world.answered(_ask(world, "WP01", "claimed"))
        world.declined(outcome, "the mission is gone")
        world.check(not world.log.exists(), Finding.REFUSAL_CHANGED_STATE, "it was refused, and a log was begun")
        return
    shutil.rmtree(world.mission.paths.tasks)
    world.commit()
    _judged(world, "WP01", "claimed")


@pytest.mark.kitty_clause("STA-006")
def test_a_busy_mission_is_a_failure_within_the_declared_bound(worlds: Worlds) -> None:
    """Somebody holds the mission's lock for longer than the declared bound: a failure, and afterwards it works."""
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _control(world)
    root, slug = str(world.mission.root), world.mission.slug
    told = world.answered(world.ask(Open(root=root, mission=slug)))
    path = told.value.get("lock_path") if told.ok else None
    if path is None:
        inconclusive("it does not say which file its writers lock")
    variable = world.implementation.greeting.lock_variable
    with another_process(world, {variable: "1"} if variable else None) as other:
        deadline, mark = other.greeting.lock_seconds + other.deadline, world.mark()
        lock = world.mission.root / path
        lock.parent.mkdir(parents=True, exist_ok=True)
        there = lock.exists()
        try:
            with file_lock_held(lock):
                outcome = world.answered(world.ask(_request(world, "WP01", "claimed"), of=other, deadline=deadline))
        except (LockNotHeldError, OSError) as error:
            inconclusive(str(error))
        if not there:
            # Where a lock is a file that is there, this one was put there by the scenario.
            lock.unlink(missing_ok=True)
    if outcome.ok and outcome.value["changed"]:
        world.moved(mark, outcome, "WP01", "claimed")
        inconclusive(f"a lock on {path} keeps nobody out")
    world.declined(outcome, "the mission's lock is held", Finding.ACKED_ROW_MISSING)
    world.untouched(mark, "it failed")
    _succeeds(world, "WP01", "claimed")


# --- as a command


@pytest.mark.kitty_clause("STA-006")
@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("gate", ["a lane that cannot be reached", "open subtasks", "a refusing hook"])
def test_a_refusing_gate_ends_with_another_status_than_0(
    worlds: Worlds, gate: str, form: Literal["json", "text"]
) -> None:
    """Whatever refuses, and however it is printed: the exit status is not 0, and there is no row."""
    worlds.needs(Capability.SURFACE)
    packages = {
        "WP01": WorkPackage("in_progress", subtasks=["T001"]),
        "WP02": "in_progress",
        "WP03": "planned",
        "WP04": "planned",
    }
    world = worlds(packages, git=True, tasks="# Tasks\n\n## WP01\n- [ ] T001 the first\n\n## WP02\n")
    done = world.run(_request(world, "WP04", "claimed"), form=form)
    world.check(done.status == 0, Finding.LEGAL_REFUSED, f"exit status {done.status}: {done.stderr[-300:]!r}")
    world.check(world.lane("WP04") == "claimed", Finding.ACKED_ROW_MISSING, "exit status 0, and there is no row")

    request = _request(world, "WP03", "claimed")
    if gate == "a lane that cannot be reached":
        request = _request(world, "WP03", "done")
    elif gate == "open subtasks":
        request = _request(world, "WP01", "for_review")
    else:
        _hook("pre-commit")(_made(world))
    mark = world.mark()
    done = world.run(request, form=form)
    if gate == "a refusing hook" and done.status == 0:
        # It does not commit, or past its hooks; then everything that was claimed is there.
        world.check(world.lane("WP03") == "claimed", Finding.ACKED_ROW_MISSING, "exit status 0, and there is no row")
        _committed(world)
        return
    world.check(done.status != 0, Finding.WRONG_EXIT_STATUS, f"{gate}: the command ended with 0")
    world.untouched(mark, "the command failed")


# --- asking and judging


def _made(world: World) -> Repository:
    assert world.repository is not None
    return world.repository


def _commits(world: World) -> bool:
    return Capability.COMMIT in world.implementation.greeting.capabilities


def _request(world: World, work_package: str, to: str) -> Transition:
    return world.transition_request(work_package, to, commit=_commits(world))


def _ask(world: World, work_package: str, to: str) -> Outcome:
    return world.ask(_request(world, work_package, to))


def _control(world: World, work_package: str = "WP02", to: str = "claimed") -> None:
    """The legal twin: nothing stops it, and row and commit are there."""
    __tracebackhide__ = True
    _succeeds(world, work_package, to)


def _succeeds(world: World, work_package: str, to: str) -> None:
    __tracebackhide__ = True
    mark = world.mark()
    world.moved(mark, _ask(world, work_package, to), work_package, to)
    _committed(world)


def _committed(world: World) -> None:
    """Judge that HEAD has the log as it is on disk, when the implementation claims to commit."""
    __tracebackhide__ = True
    if not _commits(world):
        return
    checkout = world.log.parents[2]
    name = world.log.relative_to(checkout).as_posix()
    held = _made(world).git("show", f"HEAD:{name}", check=False, cwd=checkout).encode("utf-8", "surrogateescape")
    world.check(
        held == world.log.read_bytes(), Finding.COMMIT_MISSING, "success was claimed, and HEAD does not have the row"
    )
    snapshot = world.snapshot_path.relative_to(checkout).as_posix()
    left = _made(world).git("status", "--porcelain", "--", snapshot, cwd=checkout)
    world.check(not left, Finding.COMMIT_MISSING, f"success was claimed, and the snapshot is left behind: {left!r}")


def _judged(world: World, work_package: str, to: str, ask: Callable[[Transition], Outcome] | None = None) -> Outcome:
    """Ask with an obstacle in place: everything that is claimed is there, or nothing is."""
    __tracebackhide__ = True
    made, mark, snapshot = _made(world), world.mark(), _bytes(world.snapshot_path)
    head, index = _head(made), _index(made)
    outcome = world.answered((ask or world.ask)(_request(world, work_package, to)))
    if outcome.ok:
        world.moved(mark, outcome, work_package, to)
        _committed(world)
        return outcome
    _nothing_stands(world, mark, outcome, work_package, to)
    if outcome.declined:
        world.check(_head(made) == head, Finding.REFUSAL_CHANGED_STATE, "it failed, and HEAD moved")
        world.check(
            _bytes(world.snapshot_path) == snapshot,
            Finding.SNAPSHOT_DIFFERS,
            "it failed, and status.json has other bytes",
        )
        changed = sorted(set(_index(made)) ^ set(index))
        world.check(
            not changed, Finding.REFUSAL_CHANGED_STATE, f"it failed, and the index changed: {', '.join(changed)}"
        )
    return outcome


def _met(world: World, outcome: Outcome, obstacle: str) -> None:
    """Judge that a commit that was made came past its hooks: whoever claims to commit does so with them."""
    __tracebackhide__ = True
    passed = outcome.ok and "hook" in obstacle and _commits(world)
    world.check(not passed, Finding.ILLEGAL_ACCEPTED, f"{obstacle} refuses every commit, and success was claimed")


def _nothing_stands(world: World, mark: LogMark, outcome: Outcome, work_package: str, to: str) -> None:
    """Judge that nothing is left of a failure and something is said, or that it is ``unknown`` and says of what."""
    __tracebackhide__ = True
    if outcome.kind is OutcomeKind.UNKNOWN:
        world.check(mark.intact, Finding.PREFIX_REWRITTEN, "earlier rows are gone")
        world.diagnosed(outcome.value, work_package, to)
        return
    world.untouched(mark, "it failed")
    world.check(outcome.value["message"].strip(), Finding.WRONG_DIAGNOSTIC, "it failed, and says nothing")


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _head(made: Repository, checkout: Path | None = None) -> str:
    """Return the commit that is checked out, empty when there is none."""
    return made.git("rev-parse", "--verify", "--quiet", "HEAD", check=False, cwd=checkout).strip()


def _index(made: Repository) -> list[str]:
    return made.git("ls-files", "--stage", "-z").split("\0")[:-1]


def _staged(made: Repository, checkout: Path) -> list[str]:
    """Return the names that differ between HEAD and the index."""
    return made.git("diff", "--cached", "--name-only", "-z", cwd=checkout).split("\0")[:-1]


def _files_of_others(world: World, checkout: Path) -> dict[str, bytes]:
    """Leave files of others in a checkout, in every state that git knows, and return them."""
    made = _made(world)
    (made.root / ".git" / "info" / "exclude").write_bytes(b"")
    mission = world.log.parent.relative_to(checkout).as_posix()
    task = (world.log.parent / "tasks").relative_to(checkout).as_posix() + f"/{world.mission.task_file('WP02').name}"
    others = {
        "staged.txt": b"staged\n",
        f"{mission}/staged-notes.md": b"staged beside the log\n",
        "README.md": b"# Changed, and not staged\n",
        task: (checkout / task).read_bytes() + b"edited by its owner\n",
        "new.txt": b"not known to git\n",
        f"{mission}/new-notes.md": b"not known to git, beside the log\n",
        ".worktrees/left-over/file.py": b"in a worktree\n",
        "-A": b"an option by its name\n",
    }
    for name, data in others.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes(data)
    made.git("add", "--", "staged.txt", f"{mission}/staged-notes.md", cwd=checkout)
    return others
