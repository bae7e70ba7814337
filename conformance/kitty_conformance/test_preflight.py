"""MSP-001 to MSP-008, SEC-006: before a mission is merged or published.

The repositories are real, with a bare remote. What is printed is run, and what comes of it is looked at. Each scenario
first sees the target pass that is in sync.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from kitty_reliability.build.branches import tracking_section
from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.names import quoted
from kitty_reliability.implementations.protocol import Preflight
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding, inconclusive

from .preflights import DESTROYS, FETCHES, Files, Scene, advises, scene, texts
from .world import Worlds

_KEYS: Final = ("diagnostic_code", "branch_or_work_package", "violated_invariant", "remediation")


# --- MSP-001


@pytest.mark.kitty_clause("MSP-001")
def test_a_diverged_target_blocks(worlds: Worlds) -> None:
    """Both sides went on. A profile may let a merge go on, never a publication; what is ahead is there to be published."""
    made = scene(worlds)
    made.passes()
    made.passes(publish=True)
    made.made.diverge(ahead=2)
    made.lets(made.stands("ahead", 2, 0, publish=True), "the target is ahead, and is to be published")
    made.made.diverge(ahead=3, behind=2)
    made.blocks(made.stands("diverged", publish=True), "the target has diverged, and is to be published")
    merge = made.stands("diverged")
    if made.world.profile.apart_blocks_merge:
        made.blocks(merge, "the target has diverged, and is to be merged into")
    else:
        made.lets(merge, "the target has diverged, and nothing is published")


@pytest.mark.kitty_clause("MSP-001")
def test_the_command_says_so_with_its_exit_status(worlds: Worlds) -> None:
    """Whoever runs the command in a script sees by its exit status alone whether to go on."""
    made = scene(worlds)
    world = made.world
    good = world.run(made.request(publish=True))
    world.check(good.status == 0, Finding.SAFE_BLOCKED, f"in sync, and the command ends with {good.status}")
    made.made.diverge(ahead=1, behind=1)
    mark = mark_repository(made.made.root)
    bad = world.run(made.request(publish=True))
    world.check(bad.status != 0, Finding.UNSAFE_PASSED, "the target has diverged, and the command ends with 0")
    told = bad.json()
    said = isinstance(told, dict) and (told.get("blocked") or told.get("diagnostic_code"))
    world.check(said, Finding.WRONG_DIAGNOSTIC, f"the command does not say that it blocks: {told}")
    world.check(not mark.changes(), Finding.READ_CHANGED_STATE, f"{mark.changes()[:3]}")


# --- MSP-002


@pytest.mark.kitty_clause("MSP-002")
@pytest.mark.parametrize(
    ("ahead", "behind", "state"),
    [(84, 0, "ahead"), (0, 6, "behind"), (84, 6, "diverged"), (1, 1, "diverged"), (2, 11, "diverged")],
)
def test_the_state_and_its_counts(worlds: Worlds, ahead: int, behind: int, state: str) -> None:
    """In sync at first, then so many commits on either side (#953 had 84 and 6)."""
    made = scene(worlds)
    made.passes()
    made.made.diverge(ahead=ahead, behind=behind)
    made.stands(state, ahead, behind)
    made.stands(state, ahead, behind, publish=True)


@pytest.mark.kitty_clause("MSP-002")
def test_commits_are_counted_on_every_line_of_a_history(worlds: Worlds) -> None:
    """A merge brought three commits: ahead by four. A tag of the target's name is another commit."""
    made = scene(worlds)
    branch = made.made.branch
    made.git("checkout", "--quiet", "-b", "side")
    for number in range(3):
        made.made.commit("On the side", files={"src/side.txt": f"{number}\n"})
    made.git("checkout", "--quiet", branch)
    made.stands("in_sync", 0, 0)
    made.git("merge", "--quiet", "--no-ff", "--no-edit", "side")
    made.stands("ahead", 4, 0)
    made.made.tag_like_branch()
    made.git("tag", f"{made.made.remote_name}/{branch}", "HEAD")
    made.stands("ahead", 4, 0)
    made.stands("ahead", 4, 0, publish=True)


@pytest.mark.kitty_clause("MSP-002")
def test_no_upstream_and_no_branch_are_states_of_their_own(worlds: Worlds) -> None:
    """First the target tracks nothing, so there is nothing to fetch (#1706); then it is not there."""
    made = scene(worlds)
    made.passes()
    made.git("branch", "--unset-upstream")
    for publish in (False, True):
        answer = made.stands("no_tracking_branch", publish=publish)
        if not publish:
            made.lets(answer, "there is no remote to differ from")
        fetched = [text for text in texts(answer["findings"]) if advises(text, FETCHES)]
        made.world.check(not fetched, Finding.ADVICE_FAILS, f"a local branch, and it is to be fetched: {fetched[:1]}")
    tip, branch = made.git("rev-parse", "HEAD"), made.made.branch
    # On a branch of its own: a HEAD that is detached may be told as unknown (MSP-007).
    made.git("checkout", "--quiet", "-b", "elsewhere")
    made.made.drop_branch(branch)
    made.git("tag", branch, tip)
    made.git("update-ref", f"refs/heads/{branch}/more", tip)
    made.stands("missing_branch")
    made.stands("missing_branch", publish=True)


# --- MSP-003


@pytest.mark.kitty_clause("MSP-003")
@pytest.mark.parametrize("what", ["diverged", "unknown"])
def test_a_block_says_what_it_is_about(worlds: Worlds, what: str) -> None:
    """Code, branch, invariant and remedy: in the answer, and in what the command prints for people."""
    made = scene(worlds)
    made.passes(publish=True)
    made.made.diverge(ahead=2, behind=1)
    if what == "unknown":
        made.made.detach()
    answer = made.answer(publish=True)
    made.blocks(answer, f"the target is {what}")
    made.world.check(answer["findings"], Finding.WRONG_DIAGNOSTIC, "it is blocked without a finding")
    for finding in answer["findings"]:
        missing = [key for key in _KEYS if not finding.get(key)]
        made.world.check(not missing, Finding.WRONG_DIAGNOSTIC, f"a finding has no {', '.join(missing)}: {finding}")
        about = str(finding["branch_or_work_package"]).removeprefix("refs/heads/")
        made.world.check(
            about == made.made.branch, Finding.WRONG_DIAGNOSTIC, f"a finding is about {about!r}, not the target"
        )


@pytest.mark.kitty_clause("MSP-003")
def test_the_command_names_them_to_people(worlds: Worlds) -> None:
    """As text: the code, the target, the invariant and the remedy, by name or as the answer has them."""
    made = scene(worlds)
    made.passes(publish=True)
    made.made.diverge(ahead=2, behind=1)
    answer = made.answer(publish=True)
    done = made.world.run(made.request(publish=True), form="text")
    said = " ".join((done.stdout + done.stderr).decode("utf-8", "replace").split())
    words = {key: {key, *(text for finding in answer["findings"] for text in texts(finding.get(key)))} for key in _KEYS}
    # Lines may be broken anywhere.
    missing = [key for key in _KEYS if not any(" ".join(word.split()) in said for word in words[key])]
    missing += [] if made.made.branch in said else [made.made.branch]
    made.world.check(
        not missing, Finding.WRONG_DIAGNOSTIC, f"the text does not name {', '.join(missing)}: {said[:400]}"
    )


# --- MSP-004


def _work(made: Scene) -> dict[str, Any]:
    """Have the mission change its own files on the target, among the work of others; return what is its own."""
    root, repo, word = made.made.root, made.made, "".join(made.world.rng.choices("abcdefgh", k=8))
    before = made.git("rev-parse", "HEAD")
    others = {
        f"src/{word}.py": "others\n",
        # Names that begin as the mission's do.
        f"{made.directory}-more/plan.md": "others\n",
        f"kitty-specs/{word}/meta.json": "{}\n",
        # A glob of WP02 means it, and it is another mission's all the same.
        f"kitty-specs/{word}/wp02.txt": "others\n",
        "src/wp010/others.py": "others\n",
        "README.md": f"{word}\n",
    }
    repo.commit("Work of others", files=others)
    own: dict[str, str | bytes] = {
        f"{made.directory}/plan.md": f"{word}\n",
        f"{made.directory}/notes on größe.md": f"{word}\n",
        "src/wp01/deep/er/new.py": f"{word}\n",
        f"src/wp01/{word}.bin": b"\0\r\n\xff",
        "docs/wp02.txt": f"{word}\n",
    }
    repo.commit("Go on", files=own)
    with suppress(OSError):
        (root / "src/wp01/link").symlink_to("tool.sh")
        (root / "src/wp01/link").replace(root / "src/wp01/kind.py")
    (root / "src/wp01/old.py").unlink()
    (root / "src/wp01/tool.sh").chmod(0o755)
    repo.commit("Go on, and work of others", files={"src/other/again.py": f"{word}\n"})
    changed = made.differing(before, made.git("rev-parse", "HEAD"))
    starts = (f"{made.directory}/", "src/wp01/", "docs/")
    mine = {path: entry for path, entry in changed.items() if path.startswith(starts)}
    assert len(mine) == len(own) + (3 if "src/wp01/kind.py" in mine else 2)
    return mine


def _begin(worlds: Worlds, **options: Any) -> Scene:
    """Build a mission that the remote has, with files that it will change."""
    globs = {"WP01": ["src/wp01/**"], "WP02": ["**/wp02.txt"]}
    packages = {name: WorkPackage("approved", owned_files=owned) for name, owned in globs.items()}
    made = scene(worlds, packages, **options)
    files = {"old.py": "old\n", "tool.sh": "#!/bin/sh\n", "kind.py": "kind\n", "theirs.py": "old\n"}
    made.made.commit("Begin", files={f"src/wp01/{name}": text for name, text in files.items()} | {"src/wp010/o": "o\n"})
    made.made.diverge()
    made.passes()
    return made


def _lane_work(made: Scene) -> Files:
    """Have the lane of WP01 do its work, and the mission's branch take in all that the target has of others."""
    lane = made.world.mission.lane("lane-a")  # type: ignore[attr-defined] # it is in a repository
    lane.git("reset", "--quiet", "--hard", made.made.branch)
    lane.add("src/wp01/in-the-lane.py", "lane\n").commit()
    made.git("update-ref", f"refs/heads/{made.world.mission.branch}", made.made.branch)  # type: ignore[attr-defined]
    return {"src/wp01/in-the-lane.py": made.files(lane.head)["src/wp01/in-the-lane.py"]}


@pytest.mark.kitty_clause("MSP-004")
@pytest.mark.parametrize("where", ["on the target", "in a lane", "on a remote that moved"])
def test_the_branch_holds_the_mission_and_nothing_else(worlds: Worlds, where: str) -> None:
    """Mission files and others were changed on either side; what is printed is run, and run again."""
    lanes: dict[str, Any] = {"lanes": {"lane-a": ["WP01", "WP02"]}, "lane_commits": 0} if where == "in a lane" else {}
    made = _begin(worlds, **lanes)
    expected: dict[str, Any] = _work(made)
    if lanes:
        expected |= _lane_work(made)
    # One of the files is owned, and the mission did not touch it.
    remote = {"src/remote.txt": b"remote\n", "src/wp01/theirs.py": b"remote\n", f"{made.directory}/remote.md": b"r\n"}
    made.remote_commit(remote, fetched=where != "on a remote that moved")
    if where == "on a remote that moved":
        # What is checked out has nothing of it, and the target is another branch.
        made.git("update-ref", "refs/heads/side", f"refs/remotes/{made.made.remote_name}/{made.made.branch}")
        made.git("symbolic-ref", "HEAD", "refs/heads/side")
    answer = made.answer(publish=True)
    made.blocks(answer, "the target has diverged")
    commit = made.made_by(answer)
    made.holds(commit, expected)
    if where == "on the target":
        made.run_all(answer)
        again = made.focused(answer)
        made.world.check(again == commit, Finding.NAME_VARIES, f"run again, the branch is {again}; it was {commit}")
        return
    made.git("update-ref", "-d", f"refs/heads/{answer['focused_branch']}")
    # An hour later, by somebody else.
    made.git("config", "user.name", "Somebody Else")
    made.environment = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2031-01-01T00:00:00Z")
    pasted = bool(answer["lines"]) and os.name == "posix" and shutil.which("sh") is not None
    anew = made.made_by(answer, pasted=pasted)
    made.world.check(anew == commit, Finding.NAME_VARIES, f"made anew, the branch is {anew}; it was {commit}")


@pytest.mark.kitty_clause("MSP-004")
def test_the_latest_of_two_lanes_counts(worlds: Worlds) -> None:
    """One lane began with a file of the other and changed it again, the other went on elsewhere: that is no conflict."""
    made = _begin(worlds, lanes={"lane-a": ["WP01"], "lane-b": ["WP02"]}, lane_commits=0)
    expected: dict[str, Any] = {**_work(made), **_lane_work(made)}
    first, second = (made.world.mission.lane(name) for name in ("lane-a", "lane-b"))  # type: ignore[attr-defined]
    second.git("reset", "--quiet", "--hard", first.head)
    second.edit("src/wp01/in-the-lane.py", "again\n").commit()
    first.add("src/wp01/elsewhere.py", "lane\n").commit()
    expected["src/wp01/in-the-lane.py"] = made.files(second.head)["src/wp01/in-the-lane.py"]
    expected["src/wp01/elsewhere.py"] = made.files(first.head)["src/wp01/elsewhere.py"]
    made.remote_commit({"src/remote.txt": b"remote\n"})
    made.holds(made.made_by(made.answer(publish=True)), expected)


@pytest.mark.kitty_clause("MSP-004")
def test_its_name_is_one_and_valid(worlds: Worlds) -> None:
    """Asked twice, and in a copy of the repository: one name, which git takes and in which the mission is recognised."""
    made = scene(worlds, place={"branch": "release/2.x"})
    made.passes()
    made.made.diverge(ahead=1, behind=1)
    name = made.answer(publish=True)["focused_branch"]
    made.world.check(name, Finding.ADVICE_FAILS, "it is blocked, and no branch for a pull request is named")
    copy = made.world.worlds.base / "copy"
    shutil.copytree(made.made.root, copy, symlinks=True)
    elsewhere = made.world.ask(Preflight(root=str(copy), mission=made.slug, publish=True))
    answers = [made.answer(publish=True), made.answer(), made.world.accepted(elsewhere, "a copy of the repository")]
    # Where nothing is blocked, none need be named.
    names = {name, *(answer["focused_branch"] for answer in answers if answer["blocked"] or answer["focused_branch"])}
    made.world.check(len(names) == 1, Finding.NAME_VARIES, f"the branch has several names: {sorted(map(str, names))}")
    try:
        made.git("check-ref-format", f"refs/heads/{name}")
    except BuildError:
        made.world.fail(Finding.NAME_VARIES, f"git takes {name!r} for no branch")
    made.world.check(made.slug in name, Finding.NAME_VARIES, f"{name} does not name the mission {made.slug}")


#: The mission made a directory of its name, so that both cannot be there.
_IN_THE_WAY: Final = "that has to be a directory"


@pytest.mark.kitty_clause("MSP-004")
@pytest.mark.parametrize(
    "where",
    [
        "of the mission's directory",
        "that a work package owns",
        "that the remote removed",
        "that the mission removed",
        _IN_THE_WAY,
    ],
)
def test_a_file_that_the_remote_changed_too_stops_it(worlds: Worlds, where: str) -> None:
    """Neither side is thrown away: the commands fail, or there are none, and the file is named (#2709, #3942)."""
    made = _begin(worlds)
    places = {"of the mission's directory": f"{made.directory}/plan.md", _IN_THE_WAY: "src/wp01/late.py"}
    path = places.get(where, "src/wp01/old.py")
    if where == "that the remote removed":
        begun = made.git("rev-parse", "HEAD")
        (made.made.root / path).unlink()
        made.made.commit("Remove")
        made.git("push", "--quiet", made.made.remote_name, f"HEAD:refs/heads/{made.made.upstreams[made.made.branch]}")
        made.git("reset", "--quiet", "--hard", begun)
    else:
        made.remote_commit({path: b"the remote's\n"})
    ours = f"{path}/in-it.py" if where == _IN_THE_WAY else path
    made.made.commit("Go on", files={ours: "the mission's\n", "src/wp01/more.py": "more\n"})
    if where == "that the mission removed":
        (made.made.root / path).unlink()
        made.made.commit("Remove")
    answer = made.answer(publish=True)
    made.blocks(answer, "the target has diverged")
    well, said = made.run_all(answer) if answer["commands"] else (False, json.dumps(answer["findings"]))
    made.world.check(not well, Finding.ILLEGAL_ACCEPTED, f"the remote has another {path}, and the branch was made")
    made.world.check(not made.focused(answer), Finding.ILLEGAL_ACCEPTED, "it failed, and there is a branch")
    named = Path(path).name in said
    made.world.check(named, Finding.WRONG_DIAGNOSTIC, f"what stops it does not name {path}: {said[-300:]}")


@pytest.mark.kitty_clause("MSP-004")
def test_a_branch_of_its_name_is_not_overwritten(worlds: Worlds) -> None:
    """Somebody has work on a branch that is called so."""
    made = _begin(worlds)
    _work(made)
    made.remote_commit({"src/remote.txt": b"remote\n"})
    answer = made.answer(publish=True)
    commit = made.made_by(answer)
    # It holds more than the mission, so that nobody can take it for the one.
    theirs = made.git("commit-tree", "HEAD^{tree}", "-p", commit, "-m", "Work of somebody")
    made.git("update-ref", f"refs/heads/{answer['focused_branch']}", theirs)
    well, _ = made.run_all(answer)
    now = made.focused(answer)
    made.world.check(now == theirs, Finding.OVERWRITTEN, f"the branch was {theirs}, now it is {now or 'gone'}")
    made.world.check(not well, Finding.ILLEGAL_ACCEPTED, "the branch is somebody's, and the commands ended well")


# --- MSP-005


@pytest.mark.kitty_clause("MSP-005")
@pytest.mark.parametrize("what", ["in sync", "diverged", "stale", "unknown"])
def test_it_changes_nothing(worlds: Worlds, what: str) -> None:
    """References, index, reflog and files are afterwards what they were, at the remote too."""
    made = scene(worlds)
    repo = made.made
    if what != "in sync":
        # What the first question of all writes shows when it is the only one.
        made.passes()
        repo.diverge(ahead=2, behind=3, fetched=what != "stale")
    if what == "unknown":
        repo.detach()
    # Something is staged, and something is not.
    (repo.root / "staged.txt").write_bytes(b"staged\n")
    repo.git("add", "staged.txt")
    (repo.root / "README.md").write_bytes(b"edited\n")
    assert repo.remote is not None
    refs, remote = mark_repository(repo.root), mark_tree(repo.remote)
    tree, reflogs = mark_tree(repo.root), mark_tree(repo.root / ".git" / "logs")
    for publish in (False, True):
        answer = made.answer(publish=publish)
        world = made.world
        world.check(not refs.changes(), Finding.READ_CHANGED_STATE, f"publish={publish}: {refs.changes()[:3]}")
        changed = tree.changes(ignore=[".git"]) + reflogs.changes() + remote.changes()
        world.check(not changed, Finding.READ_CHANGED_STATE, f"publish={publish}: {changed[:3]}")
        expected = {"in sync": "in_sync", "stale": "diverged" if publish else "ahead"}.get(what, what)
        world.check(
            answer["state"] in (expected, "unknown"), Finding.WRONG_STATE, f"{what} is told as {answer['state']}"
        )


@pytest.mark.kitty_clause("MSP-005")
@pytest.mark.parametrize("what", ["behind", "diverged", "unrelated"])
def test_no_advice_throws_work_away(worlds: Worlds, what: str) -> None:
    """No hard reset, no forced push, no clean: agents do what is printed (#1571)."""
    made = scene(worlds)
    made.passes(publish=True)
    if what == "unrelated":
        made.made.unrelate()
    else:
        made.made.diverge(ahead=2 if what == "diverged" else 0, behind=1)
    answer = made.answer(publish=True)
    if what != "behind":
        made.blocks(answer, f"the target is {what}")
    done = made.world.run(made.request(publish=True), form="text")
    for text in [*texts(answer), (done.stdout + done.stderr).decode("utf-8", "replace")]:
        sentence = advises(text, DESTROYS)
        made.world.check(sentence is None, Finding.ADVICE_DESTROYS, f"it advises: {sentence}")


# --- MSP-006

_PLACES: Final[dict[str, dict[str, Any]]] = {
    "another target": {"branch": "trunk/2.x"},
    "another remote": {"remote": "publisher"},
    "another upstream": {"upstream": "released"},
    "all of it": {"branch": "trunk/2.x", "remote": "publisher", "upstream": "released"},
}


@pytest.mark.kitty_clause("MSP-006")
@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("publish", [False, True], ids=["merge", "publish"])
def test_the_branches_are_those_of_the_configuration(worlds: Worlds, place: str, publish: bool) -> None:
    """The places where a target and an upstream are often sought hold something else, that is in another state."""
    made = scene(worlds, place={"remote": True, **_PLACES[place]})
    made.passes(publish=publish)
    repo = made.made
    first = made.git("rev-parse", "HEAD")
    repo.diverge(ahead=3, behind=2, fetched=not publish)
    tip = made.git("rev-parse", "HEAD")
    upstream, remote = repo.upstreams[repo.branch], repo.remote_name
    ours = {f"refs/heads/{repo.branch}", f"refs/remotes/{remote}/{upstream}"}
    decoys = {"refs/heads/main": first, "refs/remotes/origin/main": first, f"refs/remotes/origin/{repo.branch}": tip}
    decoys |= {
        f"refs/remotes/{remote}/{repo.branch}": tip,
        f"refs/remotes/{remote}/main": tip,
        "refs/heads/side": first,
    }
    for ref, commit in decoys.items():
        if ref not in ours:
            made.git("update-ref", ref, commit)
    # A remote that is asked for a name tells of every reference that ends so.
    made.git(f"--git-dir={repo.remote}", "update-ref", f"refs/heads/a/refs/heads/{upstream}", first)
    # What is checked out does not matter either.
    made.git("symbolic-ref", "HEAD", "refs/heads/side")
    if remote != "origin":
        empty = made.world.worlds.base / "empty.git"
        made.git("init", "--quiet", "--bare", str(empty))
        made.git("remote", "add", "origin", str(empty))
    answer = made.stands("diverged", 3, 2, publish=publish)
    target = str(answer["target_branch"]).removeprefix("refs/heads/")
    made.world.check(target == repo.branch, Finding.RECORD_IGNORED, f"the target is {repo.branch}, not {target}")


@pytest.mark.kitty_clause("MSP-006")
def test_a_branch_that_tracks_nothing_is_not_compared_with_one_of_its_name(worlds: Worlds) -> None:
    """`origin` has a branch of the target's name, and git's configuration does not say that it is the upstream."""
    made = scene(worlds)
    made.made.diverge(ahead=1, behind=1)
    made.stands("diverged", 1, 1)
    made.git("branch", "--unset-upstream")
    made.stands("no_tracking_branch")


@pytest.mark.kitty_clause("MSP-006")
def test_a_local_branch_can_be_the_upstream(worlds: Worlds) -> None:
    """The target tracks another branch of the repository itself."""
    made = scene(worlds)
    made.passes()
    made.git("branch", "--quiet", "base")
    made.git("branch", "--quiet", "--set-upstream-to=base")
    made.made.commit("Go on", files={"src/local.txt": "local\n"})
    made.stands("ahead", 1, 0)
    made.stands("ahead", 1, 0, publish=True)


# --- MSP-007


def _shallow(made: Scene) -> None:
    made.made.diverge(ahead=2, behind=4)
    made.made.shallow(1)


def _unrelated(made: Scene) -> None:
    made.made.unrelate()


def _detached(made: Scene) -> None:
    made.made.detach()


def _unborn(made: Scene) -> None:
    made.git("symbolic-ref", "HEAD", "refs/heads/not-yet")


def _unborn_target(made: Scene) -> None:
    made.git("update-ref", "-d", f"refs/heads/{made.made.branch}")


def _broken_configuration(made: Scene) -> None:
    made.made.leave()
    path = made.made.root / ".git" / "config"
    path.write_bytes(path.read_bytes() + b"[broken\n")


def _missing_objects(made: Scene) -> None:
    made.made.diverge(ahead=1, behind=1)
    shutil.rmtree(made.made.root / ".git" / "objects")
    (made.made.root / ".git" / "objects").mkdir()


def _lost_tracking(made: Scene) -> None:
    # What the reference names was never fetched, or was lost.
    (made.made.root / ".git" / "refs" / "remotes" / "origin").mkdir(parents=True, exist_ok=True)
    tracking = made.made.root / ".git" / "refs" / "remotes" / "origin" / made.made.branch
    tracking.write_bytes(b"deadbeef" * 5 + b"\n")


_UNKNOWN: Final[dict[str, Callable[[Scene], None]]] = {
    "a shallow history": _shallow,
    "an unrelated history": _unrelated,
    "a detached HEAD": _detached,
    "an unborn HEAD": _unborn,
    "a target without a commit": _unborn_target,
    "a broken configuration": _broken_configuration,
    "missing objects": _missing_objects,
    "a tracking reference to nothing": _lost_tracking,
}


@pytest.mark.kitty_clause("MSP-007")
@pytest.mark.parametrize("what", _UNKNOWN)
def test_what_cannot_be_compared_is_unknown_and_blocks(worlds: Worlds, what: str) -> None:
    """Fails closed, for a merge as for a publication (C-005)."""
    made = scene(worlds)
    made.passes()
    made.passes(publish=True)
    _UNKNOWN[what](made)
    for publish in (False, True):
        if publish and what == "a tracking reference to nothing":
            continue  # the remote itself can be compared
        outcome = made.world.answered(made.ask(publish=publish))
        if outcome.declined:
            continue  # nothing goes on after that
        answer = outcome.value
        made.blocks(answer, what)
        state = answer["state"]
        made.world.check(state == "unknown", Finding.WRONG_STATE, f"{what}, and the state is {state}")


# --- MSP-008


@pytest.mark.kitty_clause("MSP-008")
@pytest.mark.parametrize("ahead", [0, 2])
def test_a_remote_that_moved_is_not_in_sync(worlds: Worlds, ahead: int) -> None:
    """Somebody else published since the last fetch (PR #959): the cached reference says otherwise."""
    made = scene(worlds)
    made.passes(publish=True)
    made.made.diverge(ahead=ahead, behind=3, fetched=False)
    answer = made.answer(publish=True)
    state, expected = answer["state"], "diverged" if ahead else "behind"
    made.world.check(
        state in (expected, "unknown"), Finding.WRONG_STATE, f"the remote moved by 3, and the state is {state}"
    )
    if state != "behind":
        made.blocks(answer, "the remote has commits that the target lacks")


@pytest.mark.kitty_clause("MSP-008")
@pytest.mark.parametrize("what", ["was moved away", "has the branch no more", "has another history"])
def test_a_remote_that_does_not_tell_is_not_in_sync(worlds: Worlds, what: str) -> None:
    """What was fetched earlier says in sync, and nobody can say whether it still holds."""
    made = scene(worlds)
    made.passes(publish=True)
    remote = made.made.remote
    assert remote is not None
    if what == "was moved away":
        remote.rename(remote.with_name("elsewhere.git"))
    elif what == "has another history":
        made.made.unrelate(fetched=False)
    else:
        made.git(f"--git-dir={remote}", "update-ref", "-d", f"refs/heads/{made.made.upstreams[made.made.branch]}")
    outcome = made.world.answered(made.ask(publish=True))
    if outcome.ok:
        state = outcome.value["state"]
        made.world.check(state != "in_sync", Finding.WRONG_STATE, f"the remote {what}, and the state is {state}")
        made.blocks(outcome.value, f"the remote {what}")


# --- SEC-006


@pytest.mark.kitty_clause("SEC-006")
@pytest.mark.parametrize("which", ["target", "upstream", "remote"])
@pytest.mark.parametrize("pattern", ["--output={}", "-{}", "--upload-pack=touch {}"])
def test_a_name_of_a_branch_or_remote_that_looks_like_an_option_is_a_name(
    worlds: Worlds, which: str, pattern: str
) -> None:
    """Git is given it as a name, obeys nothing, and the state is the right one."""
    if " " in pattern and which != "remote":
        pattern = pattern.replace(" ", "${IFS}")
    made = scene(worlds)
    made.passes(publish=True)
    repo = made.made
    repo.diverge(ahead=3, behind=2)
    repo.leave()
    word = "".join(worlds.rng.choices("abcdefgh", k=8))
    name = pattern.replace("{}", word)
    target, upstream, remote = (name if which == part else old for part, old in zip(
        ("target", "upstream", "remote"), (repo.branch, repo.branch, repo.remote_name), strict=True
    ))  # fmt: skip
    assert repo.remote is not None
    try:
        if which == "target":
            made.git("update-ref", f"refs/heads/{target}", repo.branch)
            made.git("symbolic-ref", "HEAD", f"refs/heads/{target}")
            _record_target(made, target)
        tracking = f"refs/remotes/{remote}/{upstream}"
        if which == "remote":
            # Git makes no reference that begins so from a refspec; where it stands is anybody's choice.
            tracking = f"refs/remotes/odd/{upstream}"
        made.git(f"--git-dir={repo.remote}", "update-ref", f"refs/heads/{upstream}", f"refs/heads/{repo.branch}")
        made.git("update-ref", tracking, f"refs/remotes/{repo.remote_name}/{repo.branch}")
    except BuildError as error:
        inconclusive(f"git, or the file system, has no such name: {error}")
    config = repo.root / ".git" / "config"
    fetched = quoted(f"+refs/heads/{upstream}:{tracking}")
    section = f"[remote {quoted(remote)}]\n\turl = {quoted(str(repo.remote))}\n\tfetch = {fetched}\n"
    kept = re.sub(r"\[(remote|branch) [^\[]*", "", config.read_text(encoding="utf-8"))
    config.write_text(kept + section + tracking_section(target, remote, upstream), encoding="utf-8")
    repo.upstreams[repo.branch] = upstream
    tree = mark_tree(worlds.base)
    git = (repo.root / ".git").relative_to(worlds.base).as_posix()
    for publish in (False, True):
        answer = made.answer(publish=publish)
        obeyed = [said for said in tree.changes(ignore=[git]) if word in said]
        made.world.check(not obeyed, Finding.NAME_OBEYED, f"the {which} {name!r} made a file: {obeyed}")
        found = (answer["state"], answer["ahead"], answer["behind"])
        made.world.check(
            found == ("diverged", 3, 2), Finding.WRONG_STATE, f"the {which} is {name!r}, and the state is {found}"
        )
    if pattern == "--output={}":
        made.made_by(answer)


def _record_target(made: Scene, target: str) -> None:
    path = made.world.mission.paths.meta
    meta = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**meta, "target_branch": target}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
