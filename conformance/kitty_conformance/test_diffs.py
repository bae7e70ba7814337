"""RPM-003, DIF-001 to DIF-005, SEC-006: the commands that show a reviewer what a lane did.

They are run here, as words and as lines in a shell. Every file and every line that a lane changed holds a word of its own;
the words that come out have to be that lane's, all of them and no others.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import pytest

from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.repository import Repository, git_environment
from kitty_reliability.build.worktrees import Checkout
from kitty_reliability.formats.lane_manifest import read_lane_manifest
from kitty_reliability.implementations.processes import run_to_end, shell_line
from kitty_reliability.implementations.protocol import Capability, Diff
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding, inconclusive

from .prompts import ask as ask_for_prompt
from .prompts import target
from .starts import give_inputs
from .world import World, Worlds

#: WP01 needs WP02; WP03 is of nobody's concern.
_PACKAGES: Final = {
    "WP01": WorkPackage("for_review", dependencies=["WP02"]),
    "WP02": "for_review",
    "WP03": "for_review",
}
_LANES: Final = {"lane-a": ["WP01"], "lane-b": ["WP02"], "lane-c": ["WP03"]}


class _Scene:
    """A mission with lanes that work, and the words that each of them leaves behind."""

    def __init__(self, world: World, built: RepositoryMission | None = None) -> None:
        assert world.repository is not None
        self.world = world
        self.made: Repository = world.repository
        self.built: RepositoryMission = built or world.mission  # type: ignore[assignment] # it is in a repository
        self.mission_branch = self.built.branch
        self.words: dict[str, list[str]] = {"others": []}
        give_inputs(self.built.directory)
        world.commit()
        # Planning that the target does not have: a diff against the target would show it.
        files = {f"plans/{self._word('others')}.md": self._word("others")}
        for lane_id in self.built.lane_checkouts:
            self.words[lane_id] = []
            files |= {f"src/{lane_id}/edited.txt": "begin", f"src/{lane_id}/{self._word(lane_id)}.txt": "removed"}
        self.made.begin()
        planned = {name: f"{text}\n".encode() for name, text in files.items()}
        start = self.made.grow(self.mission_branch, [self.made.change("Plan", planned)])
        self.made.steps.flush()
        for lane in self.built.lane_checkouts.values():
            lane.git("reset", "--quiet", "--hard", start)
            lane.context = replace(lane.context, base_commit=start)
            lane.fresh_context()

    def _word(self, whose: str) -> str:
        word = "".join(self.world.rng.choices("bcdfghjkmnpqrstvwxz", k=14))
        self.words[whose].append(word)
        return word

    def tip(self, branch: str) -> str:
        return self.made.git("rev-parse", "--verify", f"refs/heads/{branch}").strip()

    @contextmanager
    def at(self, branch: str) -> Iterator[Checkout]:
        """Give the checkout that has ``branch``: that of the coordination, or the main one, where it is checked out."""
        self.made.clock.tick()
        coordination = self.built.coordination
        if coordination is not None and coordination.branch == branch:
            yield coordination
            return
        self.made.git("checkout", "--quiet", branch)
        yield self.made.checkout
        self.made.git("checkout", "--quiet", self.made.branch)

    def git(self, branch: str, *arguments: str) -> None:
        """Run git where ``branch`` is checked out."""
        with self.at(branch) as checkout:
            checkout.git(*arguments)

    def on(self, branch: str, files: Mapping[str, str]) -> None:
        """Commit ``files`` to a branch that is no lane's."""
        with self.at(branch) as checkout:
            self._commit(checkout, files)

    def _commit(self, checkout: Checkout, files: Mapping[str, str | None]) -> None:
        """Commit files with a text; those without one go."""
        for name, text in files.items():
            path = checkout.path / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{text}\n".encode())
        checkout.git("add", "--all", "--", *files)
        checkout.git("commit", "--quiet", "--no-verify", "--message", "Go on")

    def move(self, branch: str) -> None:
        """Have a branch go on with something that is of no lane."""
        self.on(branch, {f"elsewhere/{self._word('others')}.txt": self._word("others")})

    def begin(self, lane_id: str) -> None:
        """Have a lane make its first commit: a file comes, another one is changed."""
        self.made.clock.tick()
        self._commit(self.built.lane(lane_id), self._opening(lane_id))

    def finish(self, lane_id: str) -> None:
        """Have it make its second one: a file comes, another one goes."""
        self.made.clock.tick()
        self._commit(self.built.lane(lane_id), self._closing(lane_id))

    def _opening(self, lane_id: str) -> dict[str, str | None]:
        return {
            f"src/{lane_id}/{self._word(lane_id)}.txt": self._word(lane_id),
            f"src/{lane_id}/edited.txt": f"begin\n{self._word(lane_id)}",
        }

    def _closing(self, lane_id: str) -> dict[str, str | None]:
        gone = f"src/{lane_id}/{self.words[lane_id][0]}.txt"
        return {gone: None, f"src/{lane_id}/{self._word(lane_id)}.txt": self._word(lane_id)}

    def work(self) -> _Scene:
        """Have every lane do all of its work; git is started once for the commits of all of them."""
        stream = []
        for lane_id, lane in self.built.lane_checkouts.items():
            for number, files in enumerate((self._opening(lane_id), self._closing(lane_id))):
                self.made.clock.tick()
                seconds = int(self.made.clock.now.timestamp())
                stream.append(
                    f"commit refs/heads/{lane.branch}\ncommitter A <a@example.org> {seconds} +0000\n{_data('Go on')}"
                )
                stream += [f"from refs/heads/{lane.branch}^0\n"] * (number == 0)
                for name, text in files.items():
                    stream.append(f"D {name}\n" if text is None else f"M 100644 inline {name}\n{_data(text)}")
        self.made.git("fast-import", "--quiet", stdin="".join(stream).encode())
        for lane in self.built.lane_checkouts.values():
            lane.git("reset", "--quiet", "--hard")
        return self

    def record(self, *, mission: str | None = None, lane: str | None = None, decoys: bool = False) -> None:
        """Have mission and lane-a go by other branches, and record that; with ``decoys`` the old names mean other things."""
        built, old_mission, start = self.built, self.mission_branch, self.tip(self.mission_branch)
        checkout = built.lane("lane-a")
        old_lane, tip = checkout.branch, checkout.head
        try:
            if lane is not None:
                self.made.git("update-ref", f"refs/heads/{lane}", tip)
                checkout.git("symbolic-ref", "HEAD", f"refs/heads/{lane}")
                checkout.branch = lane
                self.made.git(
                    "update-ref", *([f"refs/heads/{old_lane}", start] if decoys else ["-d", f"refs/heads/{old_lane}"])
                )
            if mission is not None:
                self.made.git("update-ref", f"refs/heads/{mission}", start)
                self.mission_branch = mission
                self.made.git(
                    "update-ref",
                    *([f"refs/heads/{old_mission}", tip] if decoys else ["-d", f"refs/heads/{old_mission}"]),
                )
        except BuildError as error:
            inconclusive(f"git, or the file system, has no such branch: {error}")
        manifest = read_lane_manifest(built.paths.lanes)
        assert manifest is not None
        built.paths.lanes.write_bytes(replace(manifest, mission_branch=self.mission_branch).encode())
        for one in built.lane_checkouts.values():
            one.context = replace(one.context, branch_name=one.branch, base_branch=self.mission_branch)
            one.fresh_context()
        self.world.commit()

    # --- asking and judging

    def request(self, work_package: str) -> Diff:
        return Diff(root=str(self.built.root), mission=self.built.slug, work_package=work_package)

    def shows(self, work_package: str = "WP01", lane_id: str = "lane-a") -> Mapping[str, Any]:
        """Judge the commands for a work package by what they print, as words and as lines."""
        __tracebackhide__ = True
        world = self.world
        answer = world.accepted(world.ask(self.request(work_package)), f"the diff of {work_package}")
        self.judge(answer, lane_id)
        return answer

    def judge(self, answer: Mapping[str, Any], lane_id: str) -> None:
        """Judge an answer: the names in it, and what its commands print."""
        __tracebackhide__ = True
        self._names(answer, lane_id)
        self._judge([self._run(argv, answer["cwd"]) for argv in answer["commands"]], lane_id)
        if answer["lines"] and shutil.which("sh") and os.name == "posix":
            self._judge([self._run(shell_line(line), answer["cwd"]) for line in answer["lines"]], lane_id)

    def _names(self, answer: Mapping[str, Any], lane_id: str) -> None:
        __tracebackhide__ = True
        lane = self.built.lane(lane_id)
        recorded = {
            "base_ref": lane.context.base_branch,
            "mission_branch": self.mission_branch,
            "lane_branch": lane.branch,
        }
        known = self.made.git("for-each-ref", "--format=%(refname)").splitlines()
        for key, name in recorded.items():
            said = str(answer[key]).removeprefix("refs/heads/")
            self.world.check(
                f"refs/heads/{said}" in known, Finding.REF_UNRESOLVED, f"{key} is {said!r}, which is no branch"
            )
            self.world.check(
                said == name, Finding.RECORD_IGNORED, f"{key} is recorded as {name!r}, the answer has {said!r}"
            )

    def _run(self, argv: Sequence[str], cwd: str) -> str:
        """Run a command, which changes nothing, and return what it printed."""
        __tracebackhide__ = True
        world = self.world
        git = (self.made.root / ".git").relative_to(world.worlds.base).as_posix()
        refs, tree = mark_repository(self.made.root), mark_tree(world.worlds.base, ignore=[git])
        try:
            done = run_to_end(argv, git_environment(), cwd, world.implementation.deadline)
        except (OSError, ValueError) as error:
            world.fail(Finding.REF_UNRESOLVED, f"{argv} cannot be run in {cwd}: {error}")
        changed = tree.changes(ignore=[git])
        world.check(not changed, Finding.NAME_OBEYED, f"{argv} changed files: {changed[:3]}")
        moved = refs.changes()
        world.check(not moved, Finding.READ_CHANGED_STATE, f"{argv}: {moved[:3]}")
        said = done.stderr.decode("utf-8", "replace").strip()
        world.check(done.status == 0, Finding.REF_UNRESOLVED, f"{argv} ended with {done.status}: {said[:300]}")
        return done.stdout.decode("utf-8", "replace")

    def _judge(self, printed: Sequence[str], lane_id: str) -> None:
        __tracebackhide__ = True
        text = "\n".join(printed)
        foreign = [word for whose, words in self.words.items() if whose != lane_id for word in words if word in text]
        self.world.check(
            not foreign, Finding.FOREIGN_CHANGE_SHOWN, f"{len(foreign)} changes that are not of {lane_id} are shown"
        )
        hidden = [word for word in self.words[lane_id] if word not in text]
        self.world.check(
            not hidden,
            Finding.CHANGE_HIDDEN,
            f"{len(hidden)} of {len(self.words[lane_id])} changes of {lane_id} are not shown: {text[:300]!r}",
        )


def _data(text: str) -> str:
    """Return a text as ``git fast-import`` reads it, with an end of line."""
    return f"data {len(text.encode()) + 1}\n{text}\n\n"


def _scene(worlds: Worlds, packages: Any = None, lanes: Any = None, **options: Any) -> _Scene:
    worlds.needs(Capability.DIFF)
    options = {"lanes": lanes or _LANES, "lane_commits": 0, "reviewer": "reviewer", **options}
    return _Scene(worlds(packages or _PACKAGES, **options))


# --- RPM-003


@pytest.mark.kitty_clause("RPM-003")
def test_the_base_is_the_recorded_one(worlds: Worlds) -> None:
    """Branches that a base is often guessed to be are there, `develop` at the lane's own first commit (#950)."""
    scene = _scene(worlds)
    scene.work()
    for decoy in ("develop", "master", "trunk", "2.x"):
        scene.made.git("branch", decoy, f"{scene.built.lane('lane-a').branch}~1")
    scene.shows()


@pytest.mark.kitty_clause("RPM-003")
def test_the_checkout_it_is_asked_from_decides_nothing(worlds: Worlds) -> None:
    """The main checkout is on a branch of no concern, at the lane's own first commit (#3124)."""
    # Its log is that of the main branch: which log counts is no matter of diffs.
    scene = _scene(worlds, decoys=False)
    scene.work()
    scene.made.git("branch", "unrelated", f"{scene.built.lane('lane-a').branch}~1")
    scene.move("unrelated")
    scene.made.git("checkout", "--quiet", "unrelated")
    outcome = scene.world.answered(scene.world.ask(scene.request("WP01")))
    if outcome.declined:
        inconclusive("it takes up no review there, which shows no wrong diff")
    scene.judge(outcome.value, "lane-a")


@pytest.mark.kitty_clause("RPM-003")
def test_the_base_of_the_workspace_context_counts(worlds: Worlds) -> None:
    """The lane began at the branch of the lane that it depends on, and the context says so."""
    scene = _scene(worlds)
    scene.begin("lane-b")
    lane, needed = scene.built.lane("lane-a"), scene.built.lane("lane-b")
    lane.git("reset", "--quiet", "--hard", needed.head)
    lane.context = replace(lane.context, base_branch=needed.branch, base_commit=needed.head)
    lane.fresh_context()
    scene.begin("lane-a")
    scene.finish("lane-a")
    scene.finish("lane-b")
    scene.shows()


@pytest.mark.kitty_clause("RPM-003")
def test_a_prompt_names_what_is_recorded(worlds: Worlds) -> None:
    """Branches, base and worktree of a lane break every convention: the prompt has them as they are recorded."""
    worlds.needs(Capability.PROMPT)
    (worlds.base / "tmp").mkdir(mode=0o700)
    scene = _scene(worlds)
    scene.work()
    scene.record(mission="custom/branch-x", lane="work/of-somebody")
    lane = scene.built.lane("lane-a")
    place = "elsewhere/of-somebody"
    (scene.built.root / place).parent.mkdir()
    scene.made.git("worktree", "move", str(lane.path), place)
    lane.context = replace(lane.context, worktree_path=place, base_branch=scene.built.lane("lane-b").branch)
    lane.fresh_context()
    said = ask_for_prompt(target(scene.world)).metadata
    recorded = {
        "mission_branch": "custom/branch-x",
        "lane_branch": "work/of-somebody",
        "base_ref": lane.context.base_branch,
        "lane_worktree": str((scene.built.root / place).resolve()),
    }
    wrong = {key: (value, said.get(key)) for key, value in recorded.items() if said.get(key) != value}
    scene.world.check(not wrong, Finding.RECORD_IGNORED, f"recorded, and said by the prompt: {wrong}")


@pytest.mark.kitty_clause("RPM-003")
def test_a_record_that_cannot_be_read_is_no_reason_to_guess(worlds: Worlds) -> None:
    """The lane goes by another branch, its context is damaged, the conventional name is taken: refused, or known still."""
    scene = _scene(worlds)
    scene.work()
    scene.shows()
    scene.record(lane="work/of-somebody", decoys=True)
    scene.built.lane("lane-a").unreadable_context()
    outcome = scene.world.answered(scene.world.ask(scene.request("WP01")))
    if outcome.ok:
        scene.judge(outcome.value, "lane-a")


@pytest.mark.kitty_clause("RPM-003")
@pytest.mark.parametrize("commit", [None, "unknown", ""])
def test_a_base_commit_that_is_not_known_hides_nothing(worlds: Worlds, commit: str | None) -> None:
    """The workspace context does not say at which commit the lane began; its branches tell."""
    scene = _scene(worlds)
    scene.work()
    lane = scene.built.lane("lane-a")
    lane.context = replace(lane.context, base_commit=commit)
    lane.fresh_context()
    scene.shows()


@pytest.mark.kitty_clause("RPM-003")
def test_another_repository_of_the_environment_decides_nothing(worlds: Worlds) -> None:
    """Git's own variables name another repository, as they do in a hook: it is not the one that is asked about."""
    scene = _scene(worlds)
    scene.work()
    scene.shows()
    other = worlds.base / "another"
    scene.made.git("clone", "--quiet", "--bare", str(scene.made.root), str(other))
    # The lane looks shorter from there.
    lane = f"refs/heads/{scene.built.lane('lane-a').branch}"
    scene.made.git("update-ref", f"refs/heads/{scene.mission_branch}", f"{lane}~1", cwd=other)
    with scene.world.within({"GIT_DIR": str(other)}) as session:
        outcome = scene.world.answered(session.ask(scene.request("WP01")))
    if outcome.ok:
        scene.judge(outcome.value, "lane-a")


# --- DIF-001, DIF-002


@pytest.mark.kitty_clause("DIF-001")
@pytest.mark.parametrize(
    ("slug", "drop"),
    [
        ("mission-{}", ()),
        ("mission-{}", ("mission_id",)),
        ("kitty-mission-{}", ()),
        ("{}-01KQKV85", ()),
        ("012-{}", ()),
        ("012-{}", ("mission_id",)),
        ("{}-lane-a", ()),
        ("mission-012-{}-lane-b", ()),
    ],
)
def test_every_ref_resolves(worlds: Worlds, slug: str, drop: Sequence[str]) -> None:
    """The slug looks like something else: a branch, an id, a number, a lane (#950, #1978)."""
    word = "".join(worlds.rng.choices("abcdefgh", k=6))
    _scene(worlds, slug=slug.format(word), meta_drop=drop).work().shows()


@pytest.mark.kitty_clause("DIF-001")
def test_a_slug_within_another_one_is_not_taken_for_it(worlds: Worlds) -> None:
    """Two missions of one repository, the slug of one within that of the other: each has its own diff."""
    word = "".join(worlds.rng.choices("abcdefgh", k=6))
    scene = _scene(worlds, slug=word, meta_drop=("mission_id",))
    scene.work()
    second = scene.made.mission(
        _PACKAGES,
        lanes=_LANES,
        lane_commits=0,
        slug=f"{word}-more",
        seed=word,
        meta_drop=("mission_id",),
        bootstrap="planned",
    )
    other = _Scene(scene.world, second)
    other.work()
    scene.words["others"] += [word for words in other.words.values() for word in words]
    for one in (scene, other):
        one.shows()
        one.shows("WP02", "lane-b")


@pytest.mark.kitty_clause("DIF-002")
@pytest.mark.parametrize(
    ("mission", "lane"),
    [
        pytest.param("custom/branch-x", None, id="the mission"),
        pytest.param(None, "work/of-somebody", id="the lane"),
        pytest.param("custom/branch-x", "work/of-somebody", id="both"),
        pytest.param("kitty/mission-other-01KQKV85", "kitty/mission-other-01KQKV85-lane-z", id="like another mission"),
        pytest.param("Größe", "arbeit/für-später", id="not ASCII"),
    ],
)
def test_a_recorded_name_is_used_as_recorded(worlds: Worlds, mission: str | None, lane: str | None) -> None:
    """The names that convention would have are taken, by branches that are something else."""
    scene = _scene(worlds)
    scene.work()
    scene.record(mission=mission, lane=lane, decoys=True)
    scene.shows()


# --- DIF-003


def _dependency(scene: _Scene) -> None:
    scene.begin("lane-b")
    scene.finish("lane-b")
    scene.begin("lane-a")
    scene.built.lane("lane-a").git("merge", "--quiet", "--no-edit", "--no-ff", scene.built.lane("lane-b").branch)
    scene.finish("lane-a")


def _dependency_went_on(scene: _Scene) -> None:
    scene.begin("lane-b")
    scene.begin("lane-a")
    scene.built.lane("lane-a").git("merge", "--quiet", "--no-edit", "--no-ff", scene.built.lane("lane-b").branch)
    scene.finish("lane-a")
    scene.finish("lane-b")


def _dependency_taken_over(scene: _Scene) -> None:
    needed = scene.built.lane("lane-b")
    needed.branch = "work/that-is-needed"
    needed.git("branch", "--move", needed.branch)
    needed.context = replace(needed.context, branch_name=needed.branch)
    needed.fresh_context()
    scene.begin("lane-b")
    scene.finish("lane-b")
    scene.built.lane("lane-a").git("merge", "--quiet", "--ff-only", scene.built.lane("lane-b").branch)
    scene.begin("lane-a")
    scene.finish("lane-a")


def _dependant(scene: _Scene) -> None:
    scene.work()
    scene.built.lane("lane-c").git("merge", "--quiet", "--no-edit", "--no-ff", scene.built.lane("lane-a").branch)


def _target_moved(scene: _Scene) -> None:
    scene.work()
    scene.move(scene.made.branch)


def _mission_moved(scene: _Scene) -> None:
    scene.work()
    scene.git(scene.mission_branch, "merge", "--quiet", "--no-edit", "--no-ff", scene.built.lane("lane-c").branch)
    scene.move(scene.mission_branch)


def _mission_merged_in(scene: _Scene) -> None:
    scene.begin("lane-a")
    scene.begin("lane-c")
    scene.finish("lane-c")
    scene.git(scene.mission_branch, "merge", "--quiet", "--no-edit", "--no-ff", scene.built.lane("lane-c").branch)
    scene.built.lane("lane-a").git("merge", "--quiet", "--no-edit", "--no-ff", scene.mission_branch)
    scene.finish("lane-a")
    scene.move(scene.mission_branch)


def _lane_rebased(scene: _Scene) -> None:
    scene.work()
    scene.move(scene.mission_branch)
    scene.built.lane("lane-a").git("rebase", "--quiet", scene.mission_branch)


def _mission_rebased(scene: _Scene) -> None:
    scene.work()
    scene.move(scene.made.branch)
    scene.git(scene.mission_branch, "rebase", "--quiet", scene.made.branch)


_HISTORIES: Final[dict[str, Callable[[_Scene], None]]] = {
    "a dependency lane was merged in": _dependency,
    "a dependency lane was merged in and went on": _dependency_went_on,
    "a dependency lane was taken over as it was": _dependency_taken_over,
    "another lane merged this one in": _dependant,
    "the target moved": _target_moved,
    "the mission branch moved": _mission_moved,
    "the mission branch moved and was merged in": _mission_merged_in,
    "the lane was rebased": _lane_rebased,
    "the mission branch was rebased": _mission_rebased,
}


@pytest.mark.kitty_clause("DIF-003")
@pytest.mark.parametrize("history", _HISTORIES)
def test_the_lane_is_shown_and_nothing_else(worlds: Worlds, history: str) -> None:
    """Every change of the lane and none of another's, whatever happened around it (#2961, #3996)."""
    scene = _scene(worlds)
    _HISTORIES[history](scene)
    scene.shows()


@pytest.mark.kitty_clause("DIF-003")
@pytest.mark.parametrize(
    "history", ["a dependency lane was merged in", "the target moved", "the mission branch was rebased"]
)
def test_a_coordinated_mission_has_the_same_diffs(worlds: Worlds, history: str) -> None:
    """The mission branch is the coordination's, which has a worktree of its own and goes on with the state of the mission."""
    scene = _scene(worlds, topology="lanes_with_coord", decoys=False)
    _HISTORIES[history](scene)
    scene.move(scene.mission_branch)
    scene.shows()


@pytest.mark.kitty_clause("DIF-003")
def test_a_lane_on_its_own_outlives_a_rebased_mission_branch(worlds: Worlds) -> None:
    """No other branch has the commit that the lane began at; the workspace context has it recorded."""
    scene = _scene(worlds)
    _mission_rebased(scene)
    scene.shows("WP03", "lane-c")


@pytest.mark.kitty_clause("DIF-003")
def test_work_packages_that_share_a_lane_share_its_diff(worlds: Worlds) -> None:
    """Two work packages have one branch: for each of them all of that lane is shown."""
    packages = dict.fromkeys(("WP01", "WP02", "WP03"), "for_review")
    scene = _scene(worlds, packages, {"lane-a": ["WP01", "WP03"], "lane-b": ["WP02"]})
    scene.work()
    scene.shows("WP01")
    scene.shows("WP03")
    scene.shows("WP02", "lane-b")


@pytest.mark.kitty_clause("DIF-003")
@pytest.mark.parametrize("needed", ["in a circle", "and is not there"])
def test_a_lane_that_cannot_be_needed_hides_nothing(worlds: Worlds, needed: str) -> None:
    """By the manifest lanes need each other in a circle, or one that is not there: refused, or the lane alone is shown."""
    scene = _scene(worlds)
    scene.work()
    scene.shows()
    manifest = read_lane_manifest(scene.built.paths.lanes)
    assert manifest is not None
    needs = {"lane-b": "lane-c", "lane-c": "lane-b"} if needed == "in a circle" else {"lane-b": "lane-gone"}
    lanes = [
        replace(lane, depends_on_lanes=[needs[lane.lane_id]]) if lane.lane_id in needs else lane
        for lane in manifest.lanes
    ]
    scene.built.paths.lanes.write_bytes(replace(manifest, lanes=lanes).encode())
    scene.world.commit()
    outcome = scene.world.answered(scene.world.ask(scene.request("WP01")))
    if outcome.ok:
        scene.judge(outcome.value, "lane-a")


@pytest.mark.kitty_clause("DIF-003")
def test_a_work_package_in_no_lane_shows_the_changes_of_none(worlds: Worlds) -> None:
    """The manifest has no lane for WP04: refused, or nothing that a lane did is shown as its changes."""
    scene = _scene(worlds, {**_PACKAGES, "WP04": "for_review"})
    scene.work()
    scene.shows()
    outcome = scene.world.answered(scene.world.ask(scene.request("WP04")))
    if outcome.ok:
        printed = "".join(scene._run(argv, outcome.value["cwd"]) for argv in outcome.value["commands"])
        shown = [lane for lane in _LANES if any(word in printed for word in scene.words[lane])]
        scene.world.check(not shown, Finding.FOREIGN_CHANGE_SHOWN, f"WP04 is in no lane; changes of {shown} are shown")


# --- DIF-004


def _refused(scene: _Scene, ref: str, what: str) -> None:
    """Judge that the diff is refused, and that the reference is named."""
    __tracebackhide__ = True
    outcome = scene.world.ask(scene.request("WP01"))
    told = scene.world.declined(outcome, what)
    text = json.dumps(dict(told), ensure_ascii=False, default=str)
    scene.world.check(ref in text, Finding.WRONG_DIAGNOSTIC, f"{what}, and the diagnostic does not name {ref}: {text}")


@pytest.mark.kitty_clause("DIF-004")
@pytest.mark.parametrize("which", ["the mission branch", "the base of the context"])
def test_a_missing_base_is_refused_by_name(worlds: Worlds, which: str) -> None:
    """The base is gone, and branches that could stand in for it are there."""
    scene = _scene(worlds)
    scene.work()
    scene.shows()
    gone = scene.mission_branch
    if which == "the mission branch":
        scene.made.git("branch", "--quiet", "-D", gone)
    else:
        gone = f"gone/{scene.world.rng.randrange(10**6)}"
        lane = scene.built.lane("lane-a")
        lane.context = replace(lane.context, base_branch=gone)
        lane.fresh_context()
    _refused(scene, gone, "the base is no branch")


@pytest.mark.kitty_clause("DIF-004")
@pytest.mark.parametrize("at", ["lane-a", "the base itself"])
def test_a_base_that_is_a_branch_and_a_tag_is_refused_by_name(worlds: Worlds, at: str) -> None:
    """Git would take the tag, and say so where nobody looks."""
    scene = _scene(worlds)
    scene.work()
    scene.shows()
    commit = scene.built.lane("lane-a").head if at == "lane-a" else scene.tip(scene.mission_branch)
    scene.made.git("tag", scene.mission_branch, commit)
    _refused(scene, scene.mission_branch, "the base is a branch and a tag")


# --- DIF-005, SEC-006

_SHELL: Final = (
    "x$(touch${IFS}{})",
    "x`touch${IFS}{}`",
    "x;touch${IFS}{};",
    "x&touch${IFS}{}&",
    "x|touch${IFS}{}",
    "x>{}",
    "it's-{}",
    'a"b-{}',
    "#{}",
    "!{}!",
    "--output={}",
    "-{}",
    "Größe-{}",
)
_OPTIONS: Final = ("--output={}", "-{}", "--ext-diff-{}", "--no-index")


def _hostile(worlds: Worlds, which: str, pattern: str) -> Mapping[str, Any]:
    """Judge the diff with a name of that pattern for the lane's branch, or for the base's, which is the mission's."""
    __tracebackhide__ = True
    scene = _scene(worlds)
    scene.work()
    name = pattern.replace("{}", "".join(worlds.rng.choices("abcdefgh", k=8)))
    if which == "the lane":
        scene.record(lane=name)
    else:
        scene.record(mission=name)
    return scene.shows()


@pytest.mark.kitty_clause("DIF-005")
@pytest.mark.parametrize("pattern", _SHELL)
@pytest.mark.parametrize("which", ["the lane", "the base"])
def test_a_printed_line_can_be_pasted(worlds: Worlds, which: str, pattern: str) -> None:
    """A name with letters that a shell obeys, or that begins with a dash, is a name in the printed line too."""
    if os.name != "posix":
        inconclusive("there is no POSIX shell to paste into")
    answer = _hostile(worlds, which, pattern)
    if not answer["lines"]:
        inconclusive("it prints no line to paste")


@pytest.mark.kitty_clause("SEC-006")
@pytest.mark.parametrize("pattern", _OPTIONS)
@pytest.mark.parametrize("which", ["the lane", "the base"])
def test_a_name_that_looks_like_an_option_is_a_name(worlds: Worlds, which: str, pattern: str) -> None:
    """Git is given the name of a branch as a name, and writes no file for it."""
    _hostile(worlds, which, pattern)
