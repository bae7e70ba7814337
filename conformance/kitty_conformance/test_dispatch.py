"""RPM, reading: nobody is launched with a prompt that is about something else, or that does not say what it is about."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.formats.frontmatter import split
from kitty_reliability.formats.prompts import PROMPT_FIELDS
from kitty_reliability.implementations.protocol import Capability, Outcome
from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding

from .prompts import Made, ask, dispatch, dispatch_request, neighbour, rewritten, target, world_for
from .world import World, Worlds

#: What a request says of itself: repository, mission, work package, worktree.
_OF_THE_REQUEST = ("repo_root", "mission_id", "mission_slug", "work_package_id", "lane_worktree")


@pytest.fixture(autouse=True)
def _dispatcher(worlds: Worlds) -> None:
    worlds.needs(Capability.PROMPT, Capability.DISPATCH)


def _prompt(worlds: Worlds) -> Made:
    """Make a prompt, for a worktree that is named, and see that it is dispatched (the positive control)."""
    __tracebackhide__ = True
    world = world_for(worlds)
    worktree = world.mission.root / ".worktrees" / f"{world.mission.slug}-lane-a"
    prompt = ask(target(world, lane_worktree=str(worktree)))
    world.accepted(dispatch(prompt), "a prompt for what it was made for")
    world.accepted(dispatch(prompt, requested=dict(prompt.metadata)), "a prompt, every field asked for as it is")
    return prompt


def _other(value: str) -> str:
    # The last character only: what compares beginnings, or lengths, does not see it.
    return value[:-1] + ("0" if value[-1:] != "0" else "1")


def _refused(prompt: Made, outcome: Outcome, expected: Mapping[str, str], what: str) -> Mapping[str, Any]:
    """Judge a refusal: its four keys, and of each field in ``expected`` what was asked for and what the prompt says."""
    __tracebackhide__ = True
    world = prompt.target.world
    told = world.declined(outcome, what, Finding.WRONGLY_DISPATCHED)
    missing = [
        key for key in ("diagnostic_code", "requested_context", "prompt_context", "prompt_path") if not told.get(key)
    ]
    world.check(not missing, Finding.WRONG_DIAGNOSTIC, f"{what}: the diagnostic has no {', '.join(missing)}")
    contexts = told["requested_context"], told["prompt_context"]
    world.check(
        all(isinstance(context, Mapping) for context in contexts), Finding.WRONG_DIAGNOSTIC, f"{what}: {contexts}"
    )
    unnamed = [
        name
        for name, value in expected.items()
        if contexts[0].get(name) in (None, value) or contexts[1].get(name) != value
    ]
    world.check(
        not unnamed,
        Finding.WRONG_DIAGNOSTIC,
        f"{what}: the two contexts do not show the difference in {', '.join(unnamed)}: {contexts}",
    )
    same = os.path.realpath(str(told["prompt_path"])) == os.path.realpath(prompt.path)
    world.check(same, Finding.WRONG_DIAGNOSTIC, f"{what}: the diagnostic is about {told['prompt_path']}")
    return told


# --- RPM-001


@pytest.mark.kitty_clause("RPM-001")
@pytest.mark.parametrize("field", _OF_THE_REQUEST)
def test_a_prompt_that_names_another_is_not_dispatched(worlds: Worlds, field: str) -> None:
    """Repository, mission, work package or worktree in the prompt is another one than in the request."""
    prompt = _prompt(worlds)
    wrong = _other(prompt.metadata[field])
    rewritten(prompt, {field: wrong})
    what = f"{field} of the prompt is {wrong!r}"
    prompt.target.world.declined(dispatch(prompt), what, Finding.WRONGLY_DISPATCHED)


@pytest.mark.kitty_clause("RPM-001")
@pytest.mark.parametrize("differ", ["repository", "mission", "work package", "worktree"])
def test_the_prompt_of_another_is_not_dispatched(worlds: Worlds, differ: str) -> None:
    """A prompt that was made for another one, and is right in itself, is handed to this request (#949)."""
    world = world_for(worlds, inside="one/repo", name="same", seed="same")
    own = target(world)
    if differ == "repository":
        other = target(world_for(worlds, inside="one/repo", name="same", seed="same"))
    elif differ == "mission":
        other = replace(own, mission=neighbour(world, name="other"))
    elif differ == "work package":
        other = replace(own, work_package="WP02")
    else:
        own, other = (replace(own, lane_worktree=str(world.mission.root / name)) for name in ("lane-1", "lane-2"))
    mine, foreign = ask(own), ask(other)
    world.accepted(dispatch(mine), "a prompt for what it was made for")
    world.accepted(dispatch(foreign), "the other prompt for what it was made for")
    for prompt, asked in ((foreign, own), (mine, other)):
        what = f"a prompt of another {differ} was handed over"
        world.declined(dispatch(prompt, asked), what, Finding.WRONGLY_DISPATCHED)
        # What the launcher takes over from the prompt does not make it right.
        outcome = dispatch(prompt, asked, requested=dict(prompt.metadata))
        world.declined(outcome, f"{what}, with its own fields", Finding.WRONGLY_DISPATCHED)


# --- RPM-002


@pytest.mark.kitty_clause("RPM-002")
@pytest.mark.parametrize("field", PROMPT_FIELDS)
def test_any_difference_prevents_the_dispatch(worlds: Worlds, field: str) -> None:
    """One of the eleven fields is another one than was asked for: refused, and the diagnostic shows it."""
    prompt = _prompt(worlds)
    wrong = _other(prompt.metadata[field])
    rewritten(prompt, {field: wrong})
    outcome = dispatch(prompt, requested=dict(prompt.metadata))
    _refused(prompt, outcome, {field: wrong}, f"{field} of the prompt is {wrong!r}")


@pytest.mark.kitty_clause("RPM-002")
def test_every_difference_is_shown(worlds: Worlds) -> None:
    """All eleven fields differ: the diagnostic shows each of them."""
    prompt = _prompt(worlds)
    wrong = {name: _other(prompt.metadata[name]) for name in PROMPT_FIELDS}
    rewritten(prompt, wrong)
    _refused(prompt, dispatch(prompt, requested=dict(prompt.metadata)), wrong, "every field of the prompt differs")


@pytest.mark.kitty_clause("RPM-002")
def test_a_likeness_is_a_difference(worlds: Worlds) -> None:
    """A field is what was asked for in other letters, with a blank, or with something behind it: refused."""
    prompt = _prompt(worlds)
    for field in ("mission_slug", "work_package_id", "lane_branch"):
        value = prompt.metadata[field]
        for wrong in (value.swapcase(), f"{value} ", f" {value}", f"{value}0", f"{value}\n", value[:-1]):
            rewritten(prompt, {field: wrong})
            outcome = dispatch(prompt, requested=dict(prompt.metadata))
            what = f"{field} of the prompt is {wrong!r}, and {value!r} was asked for"
            prompt.target.world.declined(outcome, what, Finding.WRONGLY_DISPATCHED)


@pytest.mark.kitty_clause("RPM-002")
def test_a_script_is_told_as_well(worlds: Worlds) -> None:
    """A launcher is a script, and looks at the exit status of the command: 0 for the right prompt only."""
    worlds.needs(Capability.SURFACE)
    prompt = _prompt(worlds)
    world = prompt.target.world
    request = dispatch_request(prompt, requested=dict(prompt.metadata))
    done = world.run(request)
    world.check(done.status == 0, Finding.LEGAL_REFUSED, f"exit status {done.status}: {done.stderr[-300:]!r}")
    rewritten(prompt, {"work_package_id": "WP02"})
    done = world.run(request)
    world.check(done.status != 0, Finding.WRONGLY_DISPATCHED, f"exit status 0: {done.stdout[-300:]!r}")
    told = done.json()
    missing = [key for key in ("diagnostic_code", "prompt_path") if not told.get(key)]
    world.check(not missing, Finding.WRONG_DIAGNOSTIC, f"the command's output has no {', '.join(missing)}: {told}")


@pytest.mark.kitty_clause("RPM-002")
@pytest.mark.parametrize("damage", ["left out", "a list", "nothing", "written twice"])
@pytest.mark.parametrize("field", ["repo_root", "lane_branch"])
def test_a_field_that_says_nothing_is_a_difference(worlds: Worlds, field: str, damage: str) -> None:
    """A field is missing, is no text, is empty, or says two things: that is not what was asked for."""
    prompt = _prompt(worlds)
    value = prompt.metadata[field]
    if damage == "left out":
        rewritten(prompt, {}, drop=[field])
    elif damage == "written twice":
        rewritten(prompt, {field: "elsewhere"})
        text = prompt.path.read_text(encoding="utf-8")
        again = prompt.data.decode().split(f"\n{field}:", 1)[1].split("\n", 1)[0]
        prompt.path.write_text(text.replace("\n---\n", f"\n{field}:{again}\n---\n", 1), encoding="utf-8")
    else:
        rewritten(prompt, {field: [value] if damage == "a list" else None})
    outcome = dispatch(prompt, requested=dict(prompt.metadata))
    prompt.target.world.declined(outcome, f"{field} is {damage}", Finding.WRONGLY_DISPATCHED)


@pytest.mark.kitty_clause("RPM-002")
@pytest.mark.parametrize("damage", ["another", "missing"])
def test_there_is_no_fallback(worlds: Worlds, damage: str) -> None:
    """The prompt is of another work package, or gone, and good ones lie beside it: none of them is taken."""
    prompt = _prompt(worlds)
    world = prompt.target.world
    ask(prompt.target)
    if damage == "another":
        rewritten(prompt, {"work_package_id": "WP02"})
    else:
        prompt.path.unlink()
    ask(prompt.target)
    around = mark_tree(worlds.base / "tmp")
    outcome = dispatch(prompt, requested=dict(prompt.metadata))
    world.declined(outcome, f"the prompt is {damage}, and others were there", Finding.WRONGLY_DISPATCHED)
    changes = around.changes()
    world.check(not changes, Finding.REFUSAL_CHANGED_STATE, f"a dispatch that was refused: {', '.join(changes)}")


@pytest.mark.kitty_clause("RPM-002")
def test_a_copy_is_another_prompt(worlds: Worlds) -> None:
    """The bytes of a prompt lie at another path: they say that they are not the prompt there."""
    prompt = _prompt(worlds)
    copy = prompt.path.with_name("0" * 32 + ".md")
    copy.write_bytes(prompt.data)
    outcome = dispatch(prompt, prompt_path=str(copy))
    prompt.target.world.declined(outcome, "a copy of the prompt", Finding.WRONGLY_DISPATCHED)


# --- RPM-006


def _unreadable(prompt: Made) -> None:
    if sys.platform == "win32" or os.geteuid() == 0:
        # No right is taken from this user; a directory he cannot read as a file either.
        prompt.path.unlink()
        prompt.path.mkdir()
    else:
        prompt.path.chmod(0)


_DAMAGES: Mapping[str, Callable[[Made], object]] = {
    "missing": lambda prompt: prompt.path.unlink(),
    "missing with its directory": lambda prompt: shutil.rmtree(prompt.path.parent),
    "empty": lambda prompt: prompt.path.write_bytes(b""),
    "blank": lambda prompt: prompt.path.write_bytes(b" \n\n"),
    "truncated": lambda prompt: prompt.path.write_bytes(prompt.data[: prompt.data.index(b"\n---") - 3]),
    "truncated early": lambda prompt: prompt.path.write_bytes(prompt.data[:40]),
    "truncated in the first line": lambda prompt: prompt.path.write_bytes(prompt.data[:2]),
    "unreadable": _unreadable,
    "without frontmatter": lambda prompt: prompt.path.write_text((split(prompt.data.decode()) or ("", ""))[1]),
    "not UTF-8": lambda prompt: prompt.path.write_bytes(prompt.data.replace(b"\n---", b"\nx: \xff\xfe\n---", 1)),
    "not YAML": lambda prompt: prompt.path.write_bytes(prompt.data.replace(b"\n---", b"\n}: [\n---", 1)),
    "no mapping": lambda prompt: prompt.path.write_bytes(b"---\n- a\n- b\n---\n\nReview it.\n"),
}


@pytest.mark.kitty_clause("RPM-006")
@pytest.mark.parametrize("damage", _DAMAGES)
def test_what_is_no_prompt_is_refused(worlds: Worlds, damage: str) -> None:
    """Nothing there says what it is about: refused, with another code than for a prompt of another one."""
    prompt = _prompt(worlds)
    world = prompt.target.world
    rewritten(prompt, {"work_package_id": "WP02"})
    differs = world.declined(dispatch(prompt), "a prompt of WP02", Finding.WRONGLY_DISPATCHED)
    prompt.path.write_bytes(prompt.data)
    _DAMAGES[damage](prompt)
    told = _refused(prompt, dispatch(prompt), {}, f"the prompt is {damage}")
    own = told["diagnostic_code"] != differs.get("diagnostic_code")
    world.check(own, Finding.WRONG_DIAGNOSTIC, f"the prompt is {damage}, and it is told as {told['diagnostic_code']}")


# --- SEC-005


def _bomb() -> bytes:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines).encode()


def _hostile(marker: Path) -> dict[str, bytes]:
    """Return lines of frontmatter that cost, or do, something when they are read carelessly."""
    return {
        "aliases that expand": _bomb(),
        "a tag of a language": f"x: !!python/object/apply:os.mkdir ['{marker.as_posix()}']".encode(),
        "a tag of another language": b"x: !ruby/object:Gem::Installer {}",
        "a repeated key": b"extra: 1\nextra: 2",
        "depth": b"x: " + b"[" * 100_000 + b"]" * 100_000,
    }


_HOSTILE = tuple(_hostile(Path()))


@pytest.mark.kitty_clause("SEC-005")
@pytest.mark.parametrize("what", _HOSTILE)
def test_a_hostile_prompt_is_an_error(worlds: Worlds, what: str) -> None:
    """The frontmatter of a prompt is right, and holds a trap besides: a typed error, and nothing is set off."""
    prompt = _prompt(worlds)
    marker = worlds.base / "set-off"
    trap = _hostile(marker)[what]
    prompt.path.write_bytes(prompt.data.replace(b"\n---", b"\n" + trap + b"\n---", 1))
    outcome = dispatch(prompt)
    prompt.target.world.check(not marker.exists(), Finding.ESCAPED_ROOT, f"{what}: a command in the prompt was run")
    _refused(prompt, outcome, {}, f"the frontmatter holds {what}")


@pytest.mark.kitty_clause("SEC-005")
def test_a_huge_prompt_is_an_error(worlds: Worlds) -> None:
    """Frontmatter of 20 MB is told in time, and not taken for a prompt."""
    prompt = _prompt(worlds)
    lines = b"".join(b"k%d: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv\n" % number for number in range(350_000))
    prompt.path.write_bytes(prompt.data.replace(b"\n---", b"\n" + lines + b"---", 1))
    _refused(prompt, dispatch(prompt), {}, "the frontmatter has 20 MB")


@pytest.mark.kitty_clause("SEC-005")
@pytest.mark.parametrize("what", _HOSTILE)
def test_a_hostile_task_file_is_told(worlds: Worlds, what: str) -> None:
    """The frontmatter of a task file holds a trap: who reads it says so, in time, and nothing is set off."""
    worlds.needs(Capability.WRITE)
    twin = worlds({"WP01": "in_progress"})
    _finish(twin)
    world = worlds({"WP01": "in_progress"})
    marker = worlds.base / "set-off"
    task = world.mission.task_file("WP01")
    task.write_bytes(task.read_bytes().replace(b"\n---", b"\n" + _hostile(marker)[what] + b"\n---", 1))
    mark = world.mark()
    outcome = world.answered(world.transition("WP01", "for_review"))
    world.check(not marker.exists(), Finding.ESCAPED_ROOT, f"{what}: a command in the task file was run")
    if outcome.declined:
        world.check(
            outcome.value.get("diagnostic_code") or outcome.value.get("message"), Finding.WRONG_DIAGNOSTIC, what
        )
        world.untouched(mark, f"a task file with {what} was declined")


def _finish(world: World) -> None:
    __tracebackhide__ = True
    world.moved(world.mark(), world.transition("WP01", "for_review"), "WP01", "for_review")
