"""LOG-013: two logs that went apart, merged through real git."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from kitty_reliability.build.event_log import EventLog
from kitty_reliability.build.repository import Repository
from kitty_reliability.faults.log import Diverged, diverged
from kitty_reliability.formats.events import encode_row
from kitty_reliability.implementations.protocol import Capability, MergeLogs, OutcomeKind, Surface
from kitty_reliability.observe.rows import rows_from_bytes
from pytest_kitty.scenarios import Finding, inconclusive

from .world import World, Worlds

_PACKAGES = {"WP01": "planned", "WP02": "planned", "WP03": "in_review"}


def _claims(work_package: str) -> Callable[[EventLog], object]:
    return lambda log: log.lane(work_package, "claimed")


def _everything(log: EventLog) -> object:
    return (
        log.lane("WP02", "claimed")
        .note("WP02", "seen \u2028 there")
        .decision("D1")
        .lifecycle("MissionStarted")
        .retrospective()
        .lane("WP02", "in_progress")
    )


def _torn(log: EventLog) -> object:
    return log.lane("WP02", "claimed").raw(b'{"actor": "x", "at": "2025-')


# --- the two ways to ask


def _merged_through_git(world: World, sides: Diverged) -> bytes | None:
    """Commit the two sides on two branches and merge them; return the merged log, None when git tells of a conflict."""
    repo = _repository(world)
    world.worlds.needs(Capability.SURFACE)
    outcome = world.ask(Surface(request=MergeLogs(base="%O", ours="%A", theirs="%B")))
    if outcome.kind is OutcomeKind.UNSUPPORTED:
        inconclusive(str(outcome.value["reason"]))
    answer = world.accepted(outcome, "the merge driver is named")
    variables = "".join(f"{name}={shlex.quote(value)} " for name, value in answer["env"].items())
    repo.git("config", "merge.under-test.driver", variables + shlex.join(answer["argv"]))
    attributes = repo.root / ".git" / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("kitty-specs/**/status.events.jsonl merge=under-test\n", encoding="utf-8")

    start, branch = repo.head, repo.branch
    # Each branch at its own time: no driver can lean on what it has seen.
    for name, data in (("theirs", sides.theirs), (branch, sides.ours)):
        if name != branch:
            repo.git("checkout", "--quiet", "-b", name, start)
        else:
            repo.git("checkout", "--quiet", branch)
        world.log.write_bytes(data)
        repo.git("commit", "--quiet", "--allow-empty", "--message", "Go on", "--", str(world.log))
    before = repo.head
    repo.git("merge", "--no-edit", "theirs", check=False)
    world.asked.append("git merge theirs, with the implementation's merge driver")
    if repo.git("ls-files", "--unmerged").strip() or repo.head == before:
        return None
    merged = world.log.read_bytes()
    # A lock or a cache of the driver's own is nobody's trouble.
    changed = repo.git("status", "--porcelain", "--untracked-files=no").strip()
    world.check(not changed, Finding.REFUSAL_CHANGED_STATE, f"after the merge the tree is not clean: {changed}")
    return merged


def _merged_directly(world: World, sides: Diverged) -> bytes | None:
    """Ask for the merge of three files; return what is in ours afterwards, None when it was declined."""
    folder = world.worlds.base / f"sides-{world.rng.randrange(10**9)}"
    folder.mkdir()
    base, ours, theirs = sides.write(folder)
    outcome = world.answered(world.ask(MergeLogs(base=str(base), ours=str(ours), theirs=str(theirs))))
    kept = base.read_bytes() == sides.base and theirs.read_bytes() == sides.theirs
    world.check(kept, Finding.PREFIX_REWRITTEN, "the merge changed base or theirs")
    if outcome.ok:
        return ours.read_bytes()
    return None


_WAYS = {"git": _merged_through_git, "files": _merged_directly}


def _repository(world: World) -> Repository:
    assert world.repository is not None
    world.commit()
    return world.repository


# --- judging


def _rows(data: bytes) -> Counter[str]:
    """Return each row as text that does not depend on the order of its keys, with how often it is there."""
    return Counter(repr(sorted(row.items())) for row in rows_from_bytes(data))


def _union(world: World, sides: Diverged, merged: bytes | None, what: str) -> None:
    """Judge that the merged log has each row of either side once, and nothing else."""
    __tracebackhide__ = True
    if merged is None:
        world.fail(Finding.LEGAL_REFUSED, f"{what}: two logs without a contradiction were not merged")
    found, expected = _rows(merged), _rows(sides.base) | _rows(sides.ours) | _rows(sides.theirs)
    whole = sum(1 for line in merged.split(b"\n") if line.strip())
    missing = [row for row in expected if row not in found]
    world.check(not missing, Finding.ACKED_ROW_MISSING, f"{what}: {len(missing)} rows are gone: {missing[:2]}")
    twice = [row for row, count in found.items() if count > 1]
    world.check(not twice, Finding.ROW_DUPLICATED, f"{what}: {len(twice)} rows are there twice: {twice[:2]}")
    world.check(whole == len(expected), Finding.GLUED_LINE, f"{what}: {whole} lines for {len(expected)} rows")
    world.check(merged.endswith(b"\n"), Finding.GLUED_LINE, f"{what}: the merged log ends without a newline")


def _control(worlds: Worlds, way: str) -> None:
    """Two sides that do not contradict each other are merged: the legal twin of every refusal."""
    __tracebackhide__ = True
    world = _world(worlds, way)
    sides = diverged(world.mission.log, _claims("WP01"), _claims("WP02"))
    _union(world, sides, _WAYS[way](world, sides), "the legal twin")


def _world(worlds: Worlds, way: str, packages: Any = None) -> World:
    worlds.needs(Capability.MERGE_LOGS)
    return worlds(packages or _PACKAGES, git=way == "git")


# --- scenarios


@pytest.mark.kitty_clause("LOG-013")
@pytest.mark.parametrize("way", _WAYS)
def test_two_sides_give_their_union(worlds: Worlds, way: str) -> None:
    """Each side claimed another work package, and both have one row in common: every row is there once."""
    world = _world(worlds, way)
    sides = diverged(world.mission.log, _claims("WP01"), _claims("WP02"), duplicate=True)
    merged = _WAYS[way](world, sides)
    _union(world, sides, merged, "two sides")
    if way == "git":
        lanes = world.lanes(world.state())
        said = {wp: lanes.get(wp) for wp in ("WP01", "WP02")}
        expected = {"WP01": "claimed", "WP02": "claimed"}
        world.check(said == expected, Finding.LANE_DISAGREES, f"after the merge it says {said}")


@pytest.mark.kitty_clause("LOG-013")
@pytest.mark.parametrize("way", _WAYS)
def test_rows_of_every_kind_survive_a_merge(worlds: Worlds, way: str) -> None:
    """Annotations, decisions, lifecycle and retrospective rows are rows like others."""
    world = _world(worlds, way)
    sides = diverged(world.mission.log, _claims("WP01"), _everything)
    _union(world, sides, _WAYS[way](world, sides), "rows of every kind")


@pytest.mark.kitty_clause("LOG-013")
@pytest.mark.parametrize("way", _WAYS)
def test_one_id_with_two_contents_is_seen(worlds: Worlds, way: str) -> None:
    """Both sides have a row of one id and say different things: the merge fails where somebody sees it."""
    _control(worlds, way)
    world = _world(worlds, way)
    sides = diverged(world.mission.log, _claims("WP01"), _claims("WP02"), conflicting=True)
    merged = _WAYS[way](world, sides)
    world.check(
        merged is None, Finding.DAMAGE_ACCEPTED, "two rows of one id differ, and the merge ended without a conflict"
    )


@pytest.mark.kitty_clause("LOG-013")
def test_one_id_with_two_transitions_is_seen(worlds: Worlds) -> None:
    """The disputed row is a transition: it is no better known which of the two is true."""
    _control(worlds, "files")
    world = _world(worlds, "files")
    sides = diverged(world.mission.log, _claims("WP01"), _claims("WP02"))
    disputed = rows_from_bytes(sides.theirs)[-1]
    other = encode_row({**disputed, "actor": "somebody-else"})
    merged = _merged_directly(world, Diverged(sides.base, sides.ours + other, sides.theirs))
    world.check(
        merged is None, Finding.DAMAGE_ACCEPTED, "two transitions of one id differ, and the merge ended in silence"
    )


@pytest.mark.kitty_clause("LOG-013")
def test_a_row_that_one_side_lost_is_back(worlds: Worlds) -> None:
    """One side has lost a row that the other has: the union has it, or the merge fails where somebody sees it."""
    _control(worlds, "files")
    world = _world(worlds, "files")
    sides = diverged(world.mission.log, _claims("WP01"), _claims("WP02"), deletion=True)
    for one in (sides, Diverged(sides.base, sides.theirs, sides.ours)):
        merged = _merged_directly(world, one)
        if merged is not None:
            _union(world, one, merged, "a row that one side lost")


@pytest.mark.kitty_clause("LOG-013")
def test_a_row_keeps_what_it_says(worlds: Worlds) -> None:
    """A row with a key that nobody knows yet, and rows without an id on both sides: all are there, each once."""
    world = _world(worlds, "files")
    world.mission.log.lifecycle("MissionCreated")
    sides = diverged(world.mission.log, _claims("WP01"), _claims("WP02"))
    newer = encode_row({**rows_from_bytes(sides.theirs)[-1], "from_a_later_version": {"key": [1, 2.5, None]}})
    cut = sides.theirs[: sides.theirs.rstrip(b"\n").rfind(b"\n") + 1]
    sides = Diverged(sides.base, sides.ours, cut + newer)
    _union(world, sides, _merged_directly(world, sides), "a row with a key of a later version")


@pytest.mark.kitty_clause("LOG-013")
@pytest.mark.parametrize("way", _WAYS)
def test_a_torn_side_is_never_glued(worlds: Worlds, way: str) -> None:
    """One side ends in half a row: every whole row is there afterwards, or the merge fails where somebody sees it."""
    _control(worlds, way)
    world = _world(worlds, way)
    sides = diverged(world.mission.log, _claims("WP01"), _torn)
    merged = _WAYS[way](world, sides)
    if merged is None:
        return
    expected = _rows(sides.base) | _rows(sides.ours) | _rows(sides.theirs)
    missing = [row for row in expected if row not in _rows(merged)]
    world.check(not missing, Finding.GLUED_LINE, f"{len(missing)} whole rows are gone: {missing[:2]}")


@pytest.mark.kitty_clause("LOG-013")
def test_a_side_without_a_newline_costs_no_row(worlds: Worlds) -> None:
    """Both sides lack their final newline: nothing is glued."""
    world = _world(worlds, "files")
    whole = diverged(world.mission.log, _claims("WP01"), _claims("WP02"))
    sides = Diverged(whole.base, whole.ours.rstrip(b"\n"), whole.theirs.rstrip(b"\n"))
    _union(world, sides, _merged_directly(world, sides), "two sides without a final newline")


@pytest.mark.kitty_clause("LOG-013")
def test_it_does_not_matter_who_merges_whom(worlds: Worlds) -> None:
    """Ours into theirs and theirs into ours have the same rows, and reduce to the same state."""
    world = _world(worlds, "files")
    sides = diverged(world.mission.log, _claims("WP01"), _everything, duplicate=True)
    turned = Diverged(sides.base, sides.theirs, sides.ours)
    one, other = _merged_directly(world, sides), _merged_directly(world, turned)
    _union(world, sides, one, "ours and theirs")
    _union(world, sides, other, "theirs and ours")


@pytest.mark.kitty_clause("LOG-013")
def test_a_log_that_only_one_side_has(worlds: Worlds) -> None:
    """The log is new on both sides, or on one of them: the base is empty."""
    world = _world(worlds, "files")
    whole = diverged(world.mission.log, _claims("WP01"), _claims("WP02"))
    for sides in (Diverged(b"", whole.ours, whole.theirs), Diverged(b"", b"", whole.theirs)):
        _union(world, sides, _merged_directly(world, sides), "a base without rows")
