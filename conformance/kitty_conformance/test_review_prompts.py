"""RPM, writing: every prompt is of one invocation, says for whom it is, and is nobody else's to read or to change."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.faults.clock import StoppedClock
from kitty_reliability.formats.instants import instant
from kitty_reliability.formats.prompts import PROMPT_FIELDS
from kitty_reliability.implementations.protocol import Capability, Outcome, PromptAnswer
from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding, inconclusive

from .crowd import scaled
from .prompts import Made, Target, ask, dispatch, made, neighbour, race, rewritten, target, world_for
from .world import World, Worlds

_SESSIONS = 8
_INVOCATIONS = 25
#: How many prompts of a work package an implementation has to keep; older ones may be removed.
_KEPT = 20
#: Texts that YAML may take for something else.
_YAML_LIKE = ("0123", "1e3", "true", "null", "2025-01-01", "no", "0x1F", "1_000", "12.50")


#: Names of directories.
_LETTERS = ("a: b #c", "it's", 'say "hi"', "- x", "@at", "&a *b", "Größe", "{x: 1}", "a\nb", "\u2028", "%y", "!t")


@pytest.fixture(autouse=True)
def _writer(worlds: Worlds) -> None:
    worlds.needs(Capability.PROMPT)


# --- RPM-004


def _pair(worlds: Worlds, differ: str, kind: str = "review") -> list[Target]:
    """Return two things to ask prompts for, which differ in one way only; or one of them twice."""
    world = world_for(worlds, kind, inside="one/repo", name="same", seed="same")
    first = target(world, kind=kind)
    match differ:
        case "repository":
            other = world_for(worlds, kind, inside="one/repo", name="same", seed="same")
            return [first, target(other, kind=kind)]
        case "mission":
            return [first, replace(first, mission=neighbour(world, kind, name="other"))]
        case "work package":
            return [first, replace(first, work_package="WP02")]
    return [first, first]


def _apart(world: World, prompts: list[Made]) -> None:
    """Judge that no two prompts have one path, or one invocation."""
    __tracebackhide__ = True
    paths = Counter(os.path.realpath(prompt.path) for prompt in prompts)
    shared = [path for path, count in paths.items() if count > 1]
    world.check(not shared, Finding.PATH_SHARED, f"several prompts were told as written to {', '.join(shared[:3])}")
    names = [prompt.metadata.get("invocation_id") for prompt in prompts]
    twice = {str(name) for name in names if names.count(name) > 1}
    world.check(not twice, Finding.PATH_SHARED, f"several invocations are called {', '.join(twice)}")


def _kept(world: World, prompts: list[Made], what: str) -> None:
    """Judge that prompts are there, with the bytes that they had."""
    __tracebackhide__ = True
    for prompt in prompts:
        there = prompt.path.read_bytes() if prompt.path.is_file() else None
        world.check(there is not None, Finding.OVERWRITTEN, f"{what}: {prompt.path} is gone")
        world.check(there == prompt.data, Finding.OVERWRITTEN, f"{what}: {prompt.path} was changed")


@pytest.mark.kitty_clause("RPM-004")
@pytest.mark.parametrize("differ", ["repository", "mission", "work package", "invocation"])
def test_prompts_that_are_asked_for_at_once_are_apart(worlds: Worlds, differ: str, record_property: Any) -> None:
    """Eight processes ask again and again in one second: no path is shared, and each prompt is its own.

    The clock stands still for a Python program. Any other asks in the seconds that there are, and has to come to
    several prompts in one of them.
    """
    pair = _pair(worlds, differ)
    world = pair[0].world
    turns = scaled(_INVOCATIONS, world.implementation.greeting.typical_seconds)
    for one in pair:
        ask(one)  # what else has to be there, such as a worktree, is there then
    clock = StoppedClock(datetime.now(UTC).replace(microsecond=0))
    answers = race(pair * (_SESSIONS // 2), turns, clock.environment())
    seconds = [_second(prompt) for prompt, _, _ in answers]
    stood = set(seconds) == {int(clock.moment.timestamp())}
    when = "one second that stood still" if stood else f"{len(set(seconds))} seconds"
    record_property("scale", f"{_SESSIONS} sessions x {turns} of {_INVOCATIONS} prompts in {when}")
    _apart(world, [prompt for prompt, _, _ in answers])
    if len(set(seconds)) == len(seconds):
        inconclusive("the clock did not stand still, and no two prompts were made in one second")
    for prompt, asked, _ in answers:
        there = prompt.path.read_bytes() if prompt.path.is_file() else b""
        newer = [
            one
            for one, _, answered in answers
            if one is not prompt and answered > asked and one.path.parent == prompt.path.parent
        ]
        outlived = len(newer) >= _KEPT
        world.check(there or outlived, Finding.OVERWRITTEN, f"{prompt.path} is gone, with {len(newer)} newer ones")
        unchanged = not (there and prompt.data) or there == prompt.data
        world.check(unchanged, Finding.OVERWRITTEN, f"{prompt.path} was changed")
        if there:
            _says(prompt)


def _second(prompt: Made) -> int:
    """Return the second that a prompt says it was made in."""
    __tracebackhide__ = True
    text = str(prompt.metadata.get("created_at"))
    try:
        return instant(text) // 10**9
    except ValueError as error:
        prompt.target.world.fail(Finding.IDENTITY_DIFFERS, f"{prompt.path} was made at {text!r}: {error}")


def _says(prompt: Made) -> None:
    """Judge that a prompt that is there is about what it was asked for."""
    __tracebackhide__ = True
    answer = PromptAnswer(path=str(prompt.path), metadata=dict(prompt.metadata))
    made(prompt.target, Outcome.success(answer))


@pytest.mark.kitty_clause("RPM-004")
def test_an_existing_prompt_is_never_overwritten(worlds: Worlds) -> None:
    """Somebody wrote into a prompt: neither that one nor its neighbours change when more are asked for."""
    pair = _pair(worlds, "work package")
    first = ask(pair[0])
    rewritten(first, {"work_package_id": "WP77"})
    marked = replace(first, data=first.path.read_bytes())
    others = [ask(pair[0]), ask(pair[1]), ask(pair[0])]
    _apart(first.target.world, [first, *others])
    _kept(first.target.world, [marked, *others], "more prompts were asked for")


@pytest.mark.kitty_clause("RPM-004")
@pytest.mark.parametrize("name", ["another name", "a name that looks the same in a path"])
def test_old_prompts_go_and_no_others(worlds: Worlds, name: str) -> None:
    """More prompts than are kept, all of them old: the newest stay, and so does what is somebody else's."""
    world, twin = (world_for(worlds, inside="one/repo", slug="demo-pair", seed="same") for _ in range(2))
    asked = target(world)
    slug = "other-pair" if name == "another name" else "demo-pair-"
    other = replace(asked, mission=neighbour(world, name="other", slug=slug))
    spared = [_aged(ask(replace(asked, work_package="WP02")), 0), _aged(ask(target(twin)), 0)]
    outcome = world.answered(world.ask(other.request()))
    if not (outcome.declined and slug.endswith("-")):
        spared.append(_aged(made(other, outcome), 0))
    own = []
    for number in range(1, _KEPT + 4):
        newest = ask(asked)
        _kept(world, [*spared, newest], f"{number} prompts were asked for")
        own.append(_aged(newest, number))
    there = [prompt.path.is_file() for prompt in own]
    world.check(there == sorted(there), Finding.OVERWRITTEN, f"newer prompts went before older ones: {there}")


def _aged(prompt: Made, hours: int) -> Made:
    """Have a prompt be ten days old, but for some hours."""
    then = prompt.path.stat().st_mtime - 240 * 3600 + hours * 3600
    os.utime(prompt.path, (then, then))
    return prompt


# --- RPM-005


@pytest.mark.kitty_clause("RPM-005")
@pytest.mark.parametrize("text", _YAML_LIKE)
def test_a_value_that_looks_like_yaml_reads_back(worlds: Worlds, text: str) -> None:
    """Names of mission and branch are texts, whatever YAML could take them for: the prompt has all eleven as texts."""
    ask(target(world_for(worlds)))
    world = world_for(worlds, slug=text)
    manifest = json.loads(world.mission.paths.lanes.read_bytes())
    world.mission.paths.lanes.write_text(json.dumps({**manifest, "mission_branch": text}, indent=2), encoding="utf-8")
    prompt = ask(target(world))
    told = prompt.metadata.get("mission_branch")
    world.check(told == text, Finding.IDENTITY_DIFFERS, f"the mission's branch is {text!r}; the prompt has {told!r}")


@pytest.mark.kitty_clause("RPM-005")
@pytest.mark.parametrize("name", _LETTERS)
def test_a_path_of_any_letters_reads_back(worlds: Worlds, name: str) -> None:
    """The repository lies in a directory whose name means something in YAML."""
    ask(target(world_for(worlds)))
    ask(target(world_for(worlds, inside=name)))


@pytest.mark.kitty_clause("RPM-005")
def test_a_worktree_of_any_letters_reads_back(worlds: Worlds) -> None:
    """The worktree lies in a directory whose name means something in YAML."""
    world = world_for(worlds)
    ask(target(world))
    for name in _LETTERS:
        ask(target(world, lane_worktree=str(worlds.base / name)))


@pytest.mark.kitty_clause("RPM-005")
def test_a_mission_id_of_digits_or_none_reads_back(worlds: Worlds) -> None:
    """An id of digits only stays a text; a mission without one has a prompt as well."""
    ask(target(world_for(worlds, meta={"mission_id": "01234567890123456789012345"}, slug="digits")))
    ask(target(world_for(worlds, meta_drop=["mission_id"], slug="without")))


# --- RPM-007

_HOSTILE = ("..", "../..", "../../../outside", "/outside", "a/../../b", "a\\..\\b", "nul\0", ".", "", "~", "$HOME")


@pytest.mark.kitty_clause("RPM-007")
@pytest.mark.parametrize("field", ["mission", "work_package"])
def test_no_name_leads_out_of_the_directory_of_prompts(worlds: Worlds, field: str) -> None:
    """A mission or work package is called like a way out: it is refused, and nothing is written anywhere."""
    asked = target(world_for(worlds))
    ask(asked)
    around = mark_tree(worlds.base)
    for name in _HOSTILE:
        outcome = asked.world.answered(asked.world.ask(asked.request(**{field: name})))
        changes = around.changes(ignore=_private(asked))
        asked.world.check(not changes, Finding.ESCAPED_ROOT, f"{field} {name!r}: {', '.join(changes)}")
        asked.world.declined(outcome, f"{field} {name!r}", Finding.ESCAPED_ROOT)


def _private(asked: Target) -> list[str]:
    # What an implementation notes in the repository of a request is another clause's.
    inside = asked.mission.root.relative_to(asked.world.worlds.base).as_posix()
    return [f"{inside}/.git", f"{inside}/.kittify"]


@pytest.mark.kitty_clause("RPM-007")
def test_names_of_one_text_do_not_reach_each_other(worlds: Worlds) -> None:
    """Two missions whose names a careless path makes one: two directories, or a refusal."""
    world = world_for(worlds, slug="demo-pair")
    first = ask(target(world))
    other = replace(target(world), mission=neighbour(world, name="other", slug="demo-pair-"))
    outcome = world.answered(world.ask(other.request()))
    if outcome.declined:
        _kept(world, [first], "the other name was declined")
        return
    second = made(other, outcome)
    together = os.path.realpath(first.path.parent) == os.path.realpath(second.path.parent)
    world.check(not together, Finding.PATH_SHARED, f"demo-pair and demo-pair- have one directory: {first.path.parent}")


def _levels(worlds: Worlds, prompt: Made) -> list[Path]:
    """Return the directories between the temporary one and a prompt, from above, as relative paths."""
    place = Path(os.path.realpath(prompt.path.parent))
    base = Path(os.path.realpath(worlds.base / "tmp"))
    if not place.is_relative_to(base):
        inconclusive(f"the prompt is not in the directory for temporary files, but in {place}")
    way = place.relative_to(base)
    return [way, *way.parents][-2::-1]


def _posix() -> None:
    if sys.platform == "win32":
        inconclusive("permissions and links are other things on this platform")


@pytest.mark.kitty_clause("RPM-007")
def test_a_linked_directory_is_not_followed(worlds: Worlds) -> None:
    """Each directory on the way to a prompt in turn is a symbolic link to somewhere else: nothing is written there."""
    _posix()
    asked = target(world_for(worlds))
    levels = _levels(worlds, ask(asked))
    for number, level in enumerate(levels):
        temporary, outside = worlds.base / f"tmp-{number}", worlds.base / f"outside-{number}"
        link = temporary / level
        temporary.mkdir(mode=0o700)
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close(temporary, link.parent)
        outside.mkdir(mode=0o700)
        link.symlink_to(outside, target_is_directory=True)
        asked.world.answered(asked.world.ask(asked.request(temporary=str(temporary))))
        written = [path.name for path in outside.rglob("*")]
        asked.world.check(not written, Finding.ESCAPED_ROOT, f"{level} is a link, and behind it is {written}")


def _close(base: Path, place: Path) -> None:
    """Leave the directories from ``base`` to ``place`` to their owner alone."""
    for directory in (place, *place.parents):
        if directory == base:
            return
        directory.chmod(0o700)


@pytest.mark.kitty_clause("RPM-007")
def test_a_directory_of_others_is_not_used(worlds: Worlds) -> None:
    """Each directory on the way was made before, open to everybody or a group, or by another user: it is closed, or not used."""
    _posix()
    asked = target(world_for(worlds))
    levels = _levels(worlds, ask(asked))
    ways = ["open", "a group's", *(["another user's"] if os.geteuid() == 0 else [])]
    for number, level in enumerate(levels):
        for way in ways:
            temporary = worlds.base / f"tmp-{number}-{way.split(chr(39))[0]}"
            place = temporary / level
            place.mkdir(mode=0o700, parents=True)
            _close(temporary, place)
            place.chmod({"open": 0o777, "a group's": 0o770}.get(way, 0o755))
            if way == "another user's":
                os.chown(place, 65534, 65534)
            outcome = asked.world.answered(asked.world.ask(asked.request(temporary=str(temporary))))
            if not outcome.declined:
                _alone(asked.world, temporary, Path(asked.world.accepted(outcome, "a prompt")["path"]))


@pytest.mark.kitty_clause("RPM-007")
def test_a_prompt_is_its_owners_alone(worlds: Worlds) -> None:
    """Other users can neither read a prompt nor put one in its place."""
    _posix()
    asked = target(world_for(worlds))
    prompt = ask(asked)
    _levels(worlds, prompt)
    _alone(asked.world, worlds.base / "tmp", prompt.path)


def _alone(world: World, temporary: Path, path: Path) -> None:
    """Judge that nobody else can read a prompt, or change a directory on the way to it."""
    __tracebackhide__ = True
    mode = stat.S_IMODE(path.stat().st_mode)
    world.check(not mode & 0o077, Finding.NOT_PRIVATE, f"others can read {path}: its mode is {mode:o}")
    for directory in path.parents:
        if os.path.realpath(directory) == os.path.realpath(temporary):
            return
        found = directory.lstat()
        exposed = found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022
        world.check(not exposed, Finding.NOT_PRIVATE, f"others can put a prompt into {directory} ({found.st_mode:o})")


# --- RPM-008


@pytest.mark.kitty_clause("RPM-008")
@pytest.mark.parametrize("spelling", ["a link", "a trailing slash", "dot-dot", "two slashes", "a subdirectory"])
def test_one_repository_has_one_identity(worlds: Worlds, spelling: str) -> None:
    """The repository is reached by another spelling of its path: prompts say the same, and are dispatched by either."""
    world = world_for(worlds)
    root = world.mission.root
    plain = target(world)
    if Capability.DISPATCH in world.implementation.greeting.capabilities:
        # Whoever compares worktrees takes them in any spelling.
        plain = replace(plain, lane_worktree=str(root / "lane"))
    first = ask(plain)
    match spelling:
        case "a link":
            link = worlds.base / "link"
            try:
                link.symlink_to(root, target_is_directory=True)
            except OSError as error:
                inconclusive(f"no symbolic link can be made here: {error}")
            text = str(link)
        case "a trailing slash":
            text = f"{root}{os.sep}"
        case "dot-dot":
            text = f"{root}{os.sep}..{os.sep}{root.name}"
        case "two slashes":
            text = f"{root.parent}{os.sep}{os.sep}{root.name}"
        case _:
            text = str(world.mission.paths.tasks)
    spelled = replace(plain, root=text)
    if plain.lane_worktree is not None and spelling != "a subdirectory":
        spelled = replace(spelled, lane_worktree=f"{text}{os.sep}lane")
    second = ask(spelled)
    own = {"invocation_id", "prompt_path", "created_at"}
    differing = {
        name: (first.metadata.get(name), second.metadata.get(name))
        for name in PROMPT_FIELDS
        if name not in own and first.metadata.get(name) != second.metadata.get(name)
    }
    world.check(not differing, Finding.IDENTITY_DIFFERS, f"reached by {spelling} it is another one: {differing}")
    _apart(world, [first, second])
    if Capability.DISPATCH in world.implementation.greeting.capabilities:
        world.accepted(dispatch(first, spelled), f"the prompt is asked for by {spelling}")
        world.accepted(dispatch(second, plain), f"the prompt was made by {spelling}")


# --- RPM-009


@pytest.mark.kitty_clause("RPM-009")
@pytest.mark.parametrize("differ", ["repository", "mission", "work package", "invocation", "kind"])
def test_prompts_of_every_kind_are_apart(worlds: Worlds, differ: str) -> None:
    """Each kind of prompt that is declared: two in a row are two, each its own, private, and untouched by the other."""
    kinds = worlds.implementation.greeting.prompt_kinds
    for kind in kinds:
        pair = _pair(worlds, differ, kind)
        if differ == "kind":
            pair = [pair[0], *(replace(pair[1], kind=other) for other in kinds if other != kind)]
        prompts = []
        for asked in pair:
            outcome = asked.world.answered(asked.world.ask(asked.request()))
            if outcome.declined and asked.kind != kind:
                continue  # where a work package is ready for one kind it need not be for another
            prompts.append(made(asked, outcome))
            _kept(asked.world, prompts, f"a prompt of kind {asked.kind} was asked for")
        _apart(pair[0].world, prompts)
        if sys.platform != "win32":
            for prompt in prompts:
                _alone(pair[0].world, worlds.base / "tmp", prompt.path)


@pytest.mark.kitty_clause("RPM-009")
def test_prompts_of_every_kind_are_compared(worlds: Worlds) -> None:
    """Each kind of prompt that is declared is dispatched for its own work package and for no other."""
    worlds.needs(Capability.DISPATCH)
    for kind in worlds.implementation.greeting.prompt_kinds:
        pair = _pair(worlds, "work package", kind)
        prompt = ask(pair[0])
        world = pair[0].world
        world.accepted(dispatch(prompt), f"a prompt of kind {kind} for its own work package")
        what = f"a prompt of kind {kind} for WP01 was dispatched for WP02"
        world.declined(dispatch(prompt, pair[1]), what, Finding.WRONGLY_DISPATCHED)
