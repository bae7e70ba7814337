"""OWN-001 to OWN-011: what is staged in a lane is judged by the work package that is active in it.

By values, and by real commits with the implementation's own command as pre-commit hook.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding, not_applicable

from .guarded import Guarded, told_of
from .world import Worlds

# --- OWN-001


@pytest.mark.kitty_clause("OWN-001")
def test_the_lane_is_judged_by_the_work_package_that_it_moved_to(worlds: Worlds) -> None:
    """WP01 is approved and WP04 in progress; asked for from the root and from below; nothing changes by it (#951)."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/deep/a.py")
    before = mark_tree(worlds.base)
    answer = lane.allowed("a file of WP04")
    judge = answer["work_package_id"]
    lane.world.check(judge in (None, "WP04"), Finding.WRONG_DIAGNOSTIC, f"judged by {judge}")
    lane.allowed("a file of WP04, asked for from its directory", lane.lane.path / lane.second)
    changed = before.changes(ignore=[(lane.made.root / ".git").relative_to(worlds.base).as_posix()])
    lane.world.check(not changed, Finding.READ_CHANGED_STATE, f"judging changed files: {changed[:3]}")
    lane.lane.add(f"{lane.first}/a.py")
    lane.violates("a file of WP01 too", [f"{lane.first}/a.py"])
    lane.violates("the same, asked for from below", [f"{lane.first}/a.py"], lane.lane.path / lane.second)


@pytest.mark.kitty_clause("OWN-001")
def test_every_judgement_is_of_that_moment(worlds: Worlds) -> None:
    """One session sees the lane move on, and then the files of the active work package change."""
    lane = Guarded(worlds, ("in_progress", "planned"))
    lane.lane.add(f"{lane.first}/a.py")
    lane.allowed("WP01 is active: its file")
    lane.advance()
    lane.violates("WP04 is active: a file of WP01", [f"{lane.first}/a.py"])
    lane.clear()
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("WP04 is active: its file")
    lane.own("WP04", "elsewhere/**")
    lane.violates("WP04 owns other files now", [f"{lane.second}/a.py"])
    lane.clear()
    lane.lane.add("elsewhere/a.py")
    lane.allowed("WP04 owns other files now: one of these")


@pytest.mark.kitty_clause("OWN-001")
def test_the_lanes_own_copy_decides_nothing(worlds: Worlds) -> None:
    """In the lane's worktree the task file of WP04 says that it owns everything; that of the main checkout does not."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("a file of WP04")
    lane.lane.add("elsewhere/a.py")
    inside = lane.built.task_file("WP04").relative_to(lane.made.root)
    lane.write_task(lane.lane.path / inside, owned_files=["**"])
    lane.violates("the lane's own copy is wider", ["elsewhere/a.py"])


@pytest.mark.kitty_clause("OWN-001")
def test_the_lane_beside_it_is_another_one(worlds: Worlds) -> None:
    """Two lanes of one mission have a work package in progress each; a checkout is judged by that of its own lane."""
    lane = Guarded(worlds, beside=True)
    other = lane.built.lane("lane-b")
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("a file of WP04, in its lane")
    other.add("beside/a.py")
    lane.allowed("a file of WP02, in its lane", other.path)
    lane.lane.add("beside/a.py")
    lane.violates("a file of WP02, in the lane of WP04", ["beside/a.py"])
    other.add(f"{lane.second}/a.py")
    lane.violates("a file of WP04, in the lane of WP02", [f"{lane.second}/a.py"], other.path)


@pytest.mark.kitty_clause("OWN-001")
def test_a_hook_lets_files_of_the_active_work_package_pass_only(worlds: Worlds) -> None:
    """Real commits in the lane's worktree."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    lane.commits("a file of WP04")
    lane.lane.add(f"{lane.first}/a.py")
    lane.is_stopped("a file of WP01")


# --- OWN-002


@pytest.mark.kitty_clause("OWN-002")
def test_a_stale_context_is_told_and_does_not_decide(worlds: Worlds) -> None:
    """The context remembers WP01, and WP04 is active (#3946)."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    answer = lane.allowed("the context is fresh")
    warned = told_of(answer["warnings"], "stale")
    lane.world.check(not warned, Finding.WRONG_DIAGNOSTIC, f"warned of a fresh one: {answer['warnings']}")
    lane.lane.stale_context("WP01")
    answer = lane.allowed("the context remembers WP01: a file of WP04")
    lane.world.check(
        told_of(answer["warnings"], "stale", "WP01", "WP04"),
        Finding.WRONG_DIAGNOSTIC,
        f"no warning names the stale context, WP01 and WP04: {answer['warnings']}",
    )
    lane.clear()
    lane.lane.add(f"{lane.first}/a.py")
    lane.violates("the context remembers WP01: a file of WP01", [f"{lane.first}/a.py"])


@pytest.mark.kitty_clause("OWN-002")
@pytest.mark.parametrize("lanes", [("approved", "planned"), ("in_progress", "in_progress")], ids=["none", "two"])
def test_a_cached_work_package_settles_nothing(worlds: Worlds, lanes: tuple[str, str]) -> None:
    """None is active, or two are; the context remembers one."""
    control = Guarded(worlds)
    control.lane.add(f"{control.second}/a.py")
    control.allowed("WP04 is active")
    lane = Guarded(worlds, lanes)
    for cached, folder in (("WP04", lane.second), ("WP01", lane.first)):
        lane.lane.stale_context(cached)
        lane.lane.add(f"{folder}/a.py")
        lane.unproven(f"the context remembers {cached}")
        lane.clear()


@pytest.mark.kitty_clause("OWN-002")
def test_a_cached_list_of_work_packages_decides_nothing(worlds: Worlds) -> None:
    """The context remembers that WP02 was of this lane; by the manifest it is of another one, and in progress there."""
    lane = Guarded(worlds, beside=True)
    if lane.world.profile.name != "contract-320":
        not_applicable("released 3.2.x has no other list than that of the context")
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("a file of WP04")
    lane.lane.context = replace(lane.lane.context, lane_wp_ids=["WP01", "WP02"])
    lane.lane.fresh_context()
    lane.clear()
    lane.lane.add("beside/a.py")
    answer = lane.ask()
    lane.world.check(answer["outcome"] != "allowed", Finding.UNSAFE_PASSED, f"judged as WP02: {dict(answer)}")


# --- OWN-003


@pytest.mark.kitty_clause("OWN-003")
@pytest.mark.parametrize("case", ["none", "two", "contexts"])
def test_what_cannot_be_proven_blocks_and_applies_no_files(worlds: Worlds, case: str) -> None:
    """No active work package, two of them, or two contexts for the branch; files of either, and of nobody."""
    lane = Guarded(worlds, ("approved", "in_progress") if case != "none" else ("in_progress", "planned"))
    lane.lane.add(f"{lane.second if case != 'none' else lane.first}/a.py")
    lane.allowed("one is active")
    if case == "none":
        lane.built.wp("WP01").submit().review().approve()
    elif case == "two":
        lane.built.wp("WP01").reject(to="in_progress")
    else:
        lane.lane.ambiguous_context()
    for folder in (lane.first, lane.second, "elsewhere"):
        lane.clear()
        lane.lane.add(f"{folder}/b.py")
        lane.unproven(f"{case}: a file in {folder}")


@pytest.mark.kitty_clause("OWN-003")
def test_without_a_policy_a_hook_fails_closed(worlds: Worlds) -> None:
    """No policy is written; the profile says what holds then. 3.2.x lets the commit pass, and warns."""
    lane = Guarded(worlds, ("in_progress", "planned"), mode=None)
    lane.lane.add(f"{lane.first}/a.py")
    lane.commits("WP01 is active")
    lane.built.wp("WP01").submit().review().approve()
    lane.lane.add(f"{lane.first}/b.py")
    if lane.world.profile.guard_blocks:
        lane.unproven("none is active")
        lane.is_stopped("none is active")
        return
    said = lane.commits("none is active; without a policy it warns")
    lane.world.check("ambiguous" in said.lower(), Finding.WRONG_DIAGNOSTIC, f"no warning: {said}")


# --- OWN-004


@pytest.mark.kitty_clause("OWN-004")
def test_a_violation_names_everything(worlds: Worlds) -> None:
    """File, work package, lane, mission and the source of the context; every file outside, and none inside."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("a file of WP04")
    outside = [f"{lane.first}/a.py", "README.txt", f"{lane.second}.py"]
    for name in outside:
        lane.lane.add(name)
    answer = lane.violates("three files outside, one inside", outside)
    _names(lane, answer, outside)


@pytest.mark.kitty_clause("OWN-004")
def test_a_warning_names_everything(worlds: Worlds) -> None:
    """By policy the guard only warns: a commit that passes is told of all the same."""
    lane = Guarded(worlds, mode="warn")
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("a file of WP04")
    lane.lane.add(f"{lane.first}/a.py")
    answer = lane.ask()
    named = [item for item in (*answer["findings"], *answer["warnings"]) if item.get("file") == f"{lane.first}/a.py"]
    lane.world.check(named, Finding.UNSAFE_PASSED, f"a file of WP01 passes without a word: {dict(answer)}")
    _names(lane, {**answer, "findings": named}, [f"{lane.first}/a.py"])


@pytest.mark.kitty_clause("OWN-004")
def test_a_hook_says_what_it_stopped(worlds: Worlds) -> None:
    """What is shown to whoever commits names the file, the work package, the lane and the mission."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    lane.commits("a file of WP04")
    lane.lane.add(f"{lane.first}/a.py")
    said = lane.is_stopped("a file of WP01")
    # Lines may be broken anywhere.
    whole = "".join(said.split())
    missing = [word for word in (f"{lane.first}/a.py", "WP04", "lane-a", lane.built.slug) if word not in whole]
    lane.world.check(not missing, Finding.WRONG_DIAGNOSTIC, f"not named: {missing}; it said: {said[-500:]}")


def _names(lane: Guarded, answer: Any, files: list[str]) -> None:
    __tracebackhide__ = True
    for name in files:
        finding = next(item for item in answer["findings"] if item.get("file") == name)
        missing = [
            what
            for what, word in {"work_package_id": "WP04", "lane_id": "lane-a", "mission_slug": lane.built.slug}.items()
            if answer.get(what) != word and not told_of([finding], word)
        ]
        if not (finding.get("context_source") or answer.get("context_source")):
            missing.append("the source of the context")
        missing += [key for key in ("diagnostic_code", "message") if not finding.get(key)]
        lane.world.check(not missing, Finding.WRONG_DIAGNOSTIC, f"{name}: not named: {missing}; {finding}")


# --- OWN-005


def _broken_log(lane: Guarded) -> Path:
    lane.world.log.write_bytes(b'{"event_id": \n' + lane.world.log.read_bytes())
    return lane.world.log


def _no_task_file(lane: Guarded) -> Path:
    path = lane.built.task_file("WP04")
    path.unlink()
    return path


def _task(text: str) -> Callable[[Guarded], Path]:
    def damage(lane: Guarded) -> Path:
        path = lane.built.task_file("WP04")
        path.write_bytes(text.encode())
        return path

    return damage


_BROKEN: Final[dict[str, Callable[[Guarded], Path]]] = {
    "status": _broken_log,
    "file": _no_task_file,
    "frontmatter": _task("---\nwork_package_id: WP04\nowned_files: [\n---\n"),
}
_BROKEN_FRONTMATTER: Final = {
    "none": "# WP04\n\nowned_files: ['**']\n",
    "not closed": "---\nwork_package_id: WP04\nowned_files: ['**']\n",
    "no files": "---\nwork_package_id: WP04\nowned_files: []\nsubtasks: []\n---\n",
    "key twice": "---\nwork_package_id: WP04\nowned_files: ['src/**']\nowned_files: ['**']\nsubtasks: []\n---\n",
}


@pytest.mark.kitty_clause("OWN-005")
def test_three_things_that_cannot_be_read_have_three_codes(worlds: Worlds) -> None:
    """A log with a broken line, no task file, a task file with broken frontmatter."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("all is well")
    codes: dict[str, set[str]] = {}
    for case, damage in _BROKEN.items():
        kept = {path: path.read_bytes() for path in (lane.world.log, lane.built.task_file("WP04"))}
        damage(lane)
        codes[case] = {item["diagnostic_code"] for item in lane.unproven(case)["findings"]}
        for path, data in kept.items():
            path.write_bytes(data)
        lane.allowed(f"{case}: restored")
    alike = [(a, b) for a in codes for b in codes if a < b and codes[a] & codes[b]]
    lane.world.check(not alike, Finding.ANSWERS_ALIKE, f"one code for two things: {codes}")


@pytest.mark.kitty_clause("OWN-005")
@pytest.mark.parametrize("case", _BROKEN_FRONTMATTER)
def test_a_task_file_that_says_nothing_sound_owns_nothing(worlds: Worlds, case: str) -> None:
    """A task file without frontmatter, with half of one, without files, with a key twice."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("all is well")
    _task(_BROKEN_FRONTMATTER[case])(lane)
    lane.unproven(case)


@pytest.mark.kitty_clause("OWN-005")
def test_a_log_that_is_gone_proves_nothing(worlds: Worlds) -> None:
    """The log is not there; the context still remembers the work package, and the snapshot was never more than a copy."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("all is well")
    lane.world.log.unlink()
    lane.unproven("there is no log")


# --- OWN-006


@pytest.mark.kitty_clause("OWN-006")
def test_every_kind_of_change_is_judged(worlds: Worlds) -> None:
    """Deletions, modes, both ends of a rename, a file that became a link, a submodule; settings of git hide none."""
    lane = Guarded(worlds)
    mine, theirs = f"{lane.second}/kept.py", f"{lane.first}/kept.py"
    lane.lane.add(mine, "one\ntwo\nthree\n" * 9).add(theirs, "four\nfive\nsix\n" * 9).commit()
    lane.allowed("nothing is staged")
    for setting in ("diff.renames=copies", "diff.relative=true", "diff.ignoreSubmodules=all"):
        lane.made.git("config", *setting.split("="))

    def judged(what: str, *outside: str) -> None:
        lane.violates(what, outside) if outside else lane.allowed(what)
        lane.clear()

    checkout = lane.lane
    for name, outside in ((mine, ()), (theirs, (theirs,))):
        checkout.edit(name)
        judged(f"{name} edited", *outside)
        checkout.delete(name)
        judged(f"{name} deleted", *outside)
        checkout.chmod(name)
        judged(f"{name} executable", *outside)
    checkout.rename(mine, f"{lane.second}/moved.py")
    judged("a rename inside")
    checkout.rename(theirs, f"{lane.second}/moved.py")
    judged("a rename from outside", theirs)
    checkout.rename(mine, f"{lane.first}/moved.py")
    judged("a rename to the outside", f"{lane.first}/moved.py")
    state = f"kitty-specs/{lane.built.slug}/lanes.json"
    checkout.rename(state, f"{lane.second}/lanes.json")
    judged("a rename out of mission state", state)
    if os.name == "posix":
        (checkout.path / theirs).unlink()
        (checkout.path / theirs).symlink_to("elsewhere")
        checkout.git("add", "--", theirs)
        judged("a file that became a link", theirs)
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{checkout.head},{lane.first}/module")
    judged("a submodule", f"{lane.first}/module")
    checkout.edit(theirs)
    lane.violates("asked for from a directory of one's own", [theirs], checkout.path / lane.second)


@pytest.mark.kitty_clause("OWN-006")
def test_a_hook_judges_what_the_commit_is_made_of(worlds: Worlds) -> None:
    """A rename from outside is stopped, and so is `git commit --all`, whose index is not that of the checkout."""
    lane = Guarded(worlds)
    theirs = f"{lane.first}/kept.py"
    lane.lane.add(theirs, "four\nfive\nsix\n" * 9).add(f"{lane.second}/kept.py").commit()
    lane.lane.edit(f"{lane.second}/kept.py")
    lane.commits("a file of WP04")
    lane.lane.rename(theirs, f"{lane.second}/moved.py")
    lane.is_stopped("a rename from outside")
    lane.clear()
    (lane.lane.path / theirs).write_bytes(b"changed\n")
    lane.is_stopped("a file of WP01, not staged", "--all")


# --- OWN-007

_NAMES: Final = (
    "größe.py",
    "計画.md",
    "with blanks.py",
    "[id].tsx",
    "-dash.py",
    "'quoted'.py",
    "ÀÉ",
    ".hidden",
    "a,b;c$d.py",
)
#: What Windows has no files for.
_POSIX_NAMES: Final = (
    "line\nbreak.py",
    'double"quoted.py',
    "tab\there.py",
    "back\\slash.py",
    "star*.py",
    "end ",
    "\x7f.py",
)


@pytest.mark.kitty_clause("OWN-007")
def test_names_are_judged_as_they_are(worlds: Worlds) -> None:
    """The same hostile names in a directory of one's own, and in one of somebody else."""
    lane = Guarded(worlds)
    names = [*_NAMES, *(_POSIX_NAMES if os.name == "posix" else ())]
    lane.own("WP04", f"{lane.second}/**", "docs/größe/**", "-first.py", "öffentlich.md")
    inside = [*(f"{lane.second}/{name}" for name in names), "docs/größe/計画/a.md", "-first.py", "öffentlich.md"]
    for name in inside:
        lane.lane.add(name)
    lane.allowed("hostile names in a directory of one's own")
    lane.clear()
    outside = [f"{lane.first}/{name}" for name in names] + ["docs/große/a.md", "-second.py"]
    if os.name == "posix":
        # What one's own begins with once something is cut off.
        outside += [f" {lane.second}/a.py", f'"{lane.second}/a.py', f"other\n{lane.second}/a.py"]
    for name in outside:
        lane.lane.add(name)
    lane.violates("hostile names outside", outside)


@pytest.mark.kitty_clause("OWN-007")
def test_a_hook_judges_names_as_they_are(worlds: Worlds) -> None:
    """Real commits of names that git would quote."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/größe [1].py")
    lane.commits("a file of WP04")
    lane.lane.add(f"{lane.first}/größe [1].py")
    lane.is_stopped("a file of WP01")


# --- OWN-008

_FILES: Final = (
    "top.py",
    "srcfoo.py",
    "src/a.py",
    "src/ab.py",
    "src/a-py",
    "src/.hidden",
    "src/deep/a.py",
    "src/deep/er/b.py",
    "app/[id]/page.tsx",
    "app/i/page.tsx",
    "docs/a.md",
)
_UNDER_SRC: Final = _FILES[2:8]
#: Pattern -> what it owns by contract-320, and by 3.2.x where that differs.
_GLOBS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...] | None]]] = {
    "src/**": (_UNDER_SRC, None),
    "src/*.py": (("src/a.py", "src/ab.py"), ("src/a.py", "src/ab.py", "src/deep/a.py", "src/deep/er/b.py")),
    "src/**/a.py": (("src/a.py", "src/deep/a.py"), ("src/deep/a.py",)),
    "src/*/a.py": (("src/deep/a.py",), None),
    "**/top.py": (("top.py",), ()),
    "**/a.py": (("src/a.py", "src/deep/a.py"), None),
    "**": (_FILES, None),
    "*": (("top.py", "srcfoo.py"), _FILES),
    "./src/**": (_UNDER_SRC, ()),
    "./top.py": (("top.py",), ()),
    "app/[id]/page.tsx": (("app/[id]/page.tsx",), ("app/i/page.tsx",)),
    "app/[id]/*": (("app/[id]/page.tsx",), ("app/[id]/page.tsx", "app/i/page.tsx")),
    "src/?.py": (("src/a.py",), None),
    "src?a.py": ((), ("src/a.py",)),
    "src/a.py": (("src/a.py",), None),
    "src/a.*": (("src/a.py",), None),
    "docs": ((), ("docs/a.md",)),
    "SRC/**": ((), None),
}


@pytest.mark.kitty_clause("OWN-008")
def test_globs_mean_what_the_dialect_says(worlds: Worlds) -> None:
    """One index, and the patterns of WP04 change: each owns exactly what it should."""
    lane = Guarded(worlds)
    for name in _FILES:
        lane.lane.add(name)
    exact = lane.world.profile.exact_globs
    for pattern, (owned, released) in _GLOBS.items():
        lane.own("WP04", pattern)
        inside = owned if exact or released is None else released
        outside = [name for name in _FILES if name not in inside]
        lane.violates(pattern, outside) if outside else lane.allowed(pattern)
    lane.own("WP04", "src/*.py", "nothing/**", "docs/*")
    crossing = ("src/deep/a.py", "src/deep/er/b.py") if not exact else ()
    inside = ("src/a.py", "src/ab.py", "docs/a.md", *crossing)
    lane.violates("several patterns", [name for name in _FILES if name not in inside])
    lane.own("WP04", "src/**/a.py", "src/**/b.py")
    inside = ("src/deep/a.py", "src/deep/er/b.py", *(("src/a.py",) if exact else ()))
    lane.violates("two patterns that begin alike", [name for name in _FILES if name not in inside])


# --- OWN-009


def _mission_changes(lane: Guarded) -> dict[str, Callable[[], Any]]:
    checkout, inside = lane.lane, f"kitty-specs/{lane.built.slug}"
    task = lane.built.task_file("WP04").relative_to(lane.made.root).as_posix()
    return {
        f"{inside}/notes.md": lambda: checkout.add(f"{inside}/notes.md"),
        task: lambda: checkout.edit(task),
        f"{inside}/status.events.jsonl": lambda: checkout.edit(f"{inside}/status.events.jsonl"),
        f"{inside}/meta.json": lambda: checkout.delete(f"{inside}/meta.json"),
        "kitty-specs/another/spec.md": lambda: checkout.add("kitty-specs/another/spec.md"),
    }


@pytest.mark.kitty_clause("OWN-009")
@pytest.mark.parametrize("globs", [("**",), ("src/**", "kitty-specs/**")], ids=["everything", "by name"])
def test_no_glob_owns_mission_state(worlds: Worlds, globs: tuple[str, ...]) -> None:
    """Log, task file, metadata, another mission; the main checkout may."""
    lane = Guarded(worlds)
    lane.own("WP04", *globs)
    lane.lane.add("src/a.py")
    lane.allowed("no mission state")
    for name, change in _mission_changes(lane).items():
        lane.clear()
        change()
        _protected(lane, name)
    lane.made.checkout.edit(f"kitty-specs/{lane.built.slug}/tasks.md")
    lane.allowed("mission state, in the main checkout", lane.made.root)


@pytest.mark.kitty_clause("OWN-009")
def test_a_hook_keeps_lanes_off_mission_state(worlds: Worlds) -> None:
    """A real commit of a lane that owns everything; and one in the main checkout."""
    lane = Guarded(worlds)
    lane.own("WP04", "**")
    lane.lane.edit(f"kitty-specs/{lane.built.slug}/status.events.jsonl")
    lane.is_stopped("the log, from a lane")
    lane.made.checkout.edit(f"kitty-specs/{lane.built.slug}/tasks.md")
    lane.commits("mission state, in the main checkout", checkout=lane.made.checkout)


def _protected(lane: Guarded, name: str) -> None:
    __tracebackhide__ = True
    answer = lane.ask()
    lane.world.check(answer["outcome"] != "allowed", Finding.UNSAFE_PASSED, f"{name}: it is allowed")
    named = [item.get("file") for item in answer["findings"]]
    lane.world.check(name in named, Finding.WRONG_DIAGNOSTIC, f"{name}: not named as `file`: {answer['findings']}")


# --- OWN-010


@pytest.mark.kitty_clause("OWN-010")
def test_a_longer_id_is_another_work_package(worlds: Worlds) -> None:
    """WP01 is active, and only WP010 and WP01b have task files, which own everything (#354)."""
    lane = Guarded(worlds, ("in_progress", "planned"))
    path = lane.built.task_file("WP01")
    text = path.read_text(encoding="utf-8")
    for name in ("WP010", "WP01b"):
        other = path.with_name(f"{name}-more.md")
        other.write_bytes(text.encode())
        lane.write_task(other, work_package_id=name, owned_files=["**"])
    lane.lane.add(f"{lane.first}/a.py")
    lane.allowed("WP01 has its own task file")
    lane.lane.add("elsewhere/a.py")
    lane.violates("the others own more", ["elsewhere/a.py"])
    path.unlink()
    lane.unproven("WP01 has no task file")


@pytest.mark.kitty_clause("OWN-010")
def test_the_lane_of_a_longer_id_is_its_own(worlds: Worlds) -> None:
    """WP01 and WP010 share the lane, and the one that is active is the longer one, or the shorter one."""
    lane = Guarded(worlds, ("in_progress", "planned"))
    path = lane.built.task_file("WP04")
    other = path.with_name("WP010-work.md")
    path.rename(other)
    lane.write_task(other, work_package_id="WP010")
    for record in (lane.built.paths.lanes, lane.lane.context_path, lane.world.log):
        record.write_bytes(record.read_bytes().replace(b'"WP04"', b'"WP010"'))
    lane.lane.add(f"{lane.first}/a.py")
    lane.allowed("WP01 is active")
    lane.lane.add(f"{lane.second}/a.py")
    lane.violates("a file of WP010", [f"{lane.second}/a.py"])


@pytest.mark.kitty_clause("OWN-010")
@pytest.mark.parametrize("lane_id", ["lane-aa", "lane-{"])
def test_a_lane_past_the_26th_is_guarded(worlds: Worlds, lane_id: str) -> None:
    """The 27th lane is called otherwise by different allocators."""
    lane = Guarded(worlds)
    lane.rename_lane(lane_id)
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("a file of WP04")
    lane.lane.add(f"{lane.first}/a.py")
    lane.violates("a file of WP01", [f"{lane.first}/a.py"])
    lane.clear()
    lane.lane.add(f"kitty-specs/{lane.built.slug}/notes.md")
    _protected(lane, f"kitty-specs/{lane.built.slug}/notes.md")


# --- OWN-011


@pytest.mark.kitty_clause("OWN-011")
def test_without_a_context_the_fallback_is_told(worlds: Worlds) -> None:
    """The context of the lane is gone: whatever is done then, it is said; mission state stays protected."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    answer = lane.allowed("the context is there")
    source = answer["context_source"]
    lane.lane.missing_context()
    for name in (f"{lane.second}/a.py", f"{lane.first}/a.py"):
        lane.clear()
        lane.lane.add(name)
        answer = lane.ask()
        told = [*answer["findings"], *answer["warnings"]]
        lane.world.check(
            told_of(told, "context") and all(item.get("diagnostic_code") and item.get("message") for item in told),
            Finding.WRONG_DIAGNOSTIC,
            f"{name}: {answer['outcome']}, and not a word of the missing context: {dict(answer)}",
        )
        lane.world.check(
            answer["context_source"] != source,
            Finding.WRONG_DIAGNOSTIC,
            f"{name}: without a context the source is said to be {source}",
        )
        wronged = name.startswith(lane.second) and answer["outcome"] == "scope_violation"
        lane.world.check(not wronged, Finding.SAFE_BLOCKED, f"{name} is judged by the files of somebody else")
    lane.clear()
    lane.lane.edit(f"kitty-specs/{lane.built.slug}/status.events.jsonl")
    _protected(lane, f"kitty-specs/{lane.built.slug}/status.events.jsonl")


@pytest.mark.kitty_clause("OWN-011")
def test_a_context_that_cannot_be_read_is_not_none_at_all(worlds: Worlds) -> None:
    """The context of the lane is torn; a file of somebody else does not pass without a word of that."""
    lane = Guarded(worlds)
    lane.lane.add(f"{lane.second}/a.py")
    lane.allowed("the context is there")
    lane.lane.unreadable_context()
    lane.clear()
    lane.lane.add(f"{lane.first}/a.py")
    answer = lane.ask()
    told = [*answer["findings"], *answer["warnings"]]
    lane.world.check(
        told_of(told, "context"), Finding.WRONG_DIAGNOSTIC, f"{answer['outcome']}, and not a word of it: {dict(answer)}"
    )
    # The fallback is for no context at all; 3.2.x warns of most things.
    passed = lane.world.profile.guard_blocks and answer["outcome"] == "allowed"
    lane.world.check(not passed, Finding.UNSAFE_PASSED, f"a torn context passes for none at all: {dict(answer)}")
