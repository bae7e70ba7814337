"""STA-005: wherever in a repository it is asked, one and the same log is written, and no other copy.

Every work package here is canceled, which the lane table allows from everywhere: who reads or writes a wrong copy, in
which it is in another lane, is not refused by accident.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.repository import Repository, repository
from kitty_reliability.implementations.protocol import Batch, Capability, Materialize, Move, Outcome, Start, Transition
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.rows import mark_log, rows_from_bytes
from pytest_kitty.scenarios import Finding, inconclusive

from .starts import give_inputs
from .world import World, Worlds

PACKAGES: Final = {"WP01": "planned", "WP02": "claimed", "WP03": "planned"}
LANES: Final = {"lane-a": ["WP01", "WP03"], "lane-b": ["WP02"]}
PLACES: Final = (
    "the root",
    "a subdirectory",
    "the mission's directory",
    "a lane worktree",
    "the mission's directory in a lane worktree",
    "a worktree in a lane worktree",
    "a worktree outside of the root",
    "a link to the root",
    "a link to a lane worktree",
)


@pytest.fixture(autouse=True)
def _writer(worlds: Worlds) -> None:
    worlds.needs(Capability.WRITE)


# --- STA-005


@pytest.mark.kitty_clause("STA-005")
@pytest.mark.parametrize("name", PLACES)
def test_one_log_is_written_from_every_place(worlds: Worlds, name: str) -> None:
    """The log of the main checkout gains the row; the older copies that worktrees hold stay as they are."""
    world = worlds(PACKAGES, lanes=LANES)
    _cancel(world, world.mission.root, "WP02")
    _cancel(world, _place(world, name), "WP01")


@pytest.mark.kitty_clause("STA-005")
@pytest.mark.parametrize("operation", ["batch", "start", "materialize"])
def test_every_writer_writes_one_log(worlds: Worlds, operation: str) -> None:
    """In a lane worktree with an older copy, whatever writes log or snapshot writes those of the main checkout."""
    worlds.needs({"batch": Capability.BATCH, "start": Capability.START}.get(operation, Capability.SNAPSHOT))
    world = worlds(PACKAGES, lanes=LANES)
    give_inputs(world.mission.directory)
    _cancel(world, world.mission.root, "WP02")
    place, slug = str(_place(world, "a lane worktree")), world.mission.slug
    if operation == "materialize":
        world.snapshot_path.unlink(missing_ok=True)
        world.commit()
    copies, mark = _copies(world), world.mark()
    if operation == "materialize":
        world.accepted(world.ask(Materialize(root=place, mission=slug)), "the snapshot is made")
        _others_untouched(world, copies)
        world.check(world.snapshot_on_disk(), Finding.WRONG_COPY, "the main checkout has no snapshot")
        world.snapshot_agrees("the snapshot was made from a lane worktree")
        return
    if operation == "batch":
        moves = [Move(work_package="WP01", to="canceled", actor=world.actor, reason="not needed")]
        outcome = world.ask(Batch(root=place, mission=slug, moves=moves))
    else:
        outcome = world.ask(Start(root=place, mission=slug, work_package="WP01", actor=world.actor))
    _others_untouched(world, copies)
    world.accepted(outcome, f"a {operation} in a lane worktree")
    chosen = [row for row in world.gained(mark).rows if row.get("wp_id") == "WP01" and row.get("to_lane")]
    world.check(chosen, Finding.ACKED_ROW_MISSING, f"a {operation} was reported, and the canonical log gained nothing")


@pytest.mark.kitty_clause("STA-005")
@pytest.mark.parametrize("name", ["the root", "a subdirectory", "a lane worktree"])
def test_one_log_is_written_in_a_path_of_any_letters(worlds: Worlds, name: str) -> None:
    """Blanks and letters outside of ASCII in the path of the repository change nothing."""
    twin = worlds(PACKAGES, lanes=LANES)
    _cancel(twin, _place(twin, name), "WP02")
    world = worlds(PACKAGES, lanes=LANES, inside="Größe und Maß/it's a 'place' $HOME")
    _cancel(world, _place(world, name), "WP01")


@pytest.mark.kitty_clause("STA-005")
def test_places_taken_in_turn_add_to_one_log(worlds: Worlds) -> None:
    """What is written from one place is what the next place goes on from."""
    world = worlds({"WP01": "planned"}, lanes={"lane-a": ["WP01"]})
    steps: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("the root", "claimed", {}),
        ("a lane worktree", "in_progress", {"workspace_context": "worktree:lane-a"}),
        ("a worktree in a lane worktree", "blocked", {"reason": "waiting"}),
        ("a subdirectory", "in_progress", {}),
    )
    for name, to, keys in steps:
        _move(world, _place(world, name), "WP01", to, **keys)
    lanes = world.lanes(world.state())
    world.check(lanes.get("WP01") == "in_progress", Finding.LANE_DISAGREES, f"WP01 is in_progress; it says {lanes}")


@pytest.mark.kitty_clause("STA-005")
@pytest.mark.parametrize(
    ("topology", "name"),
    [
        ("coord", "the root"),
        ("coord", "a subdirectory"),
        ("coord", "the coordination worktree"),
        ("lanes_with_coord", "the coordination worktree"),
        ("lanes_with_coord", "a lane worktree"),
    ],
)
def test_one_log_is_written_in_a_coordinated_mission(worlds: Worlds, topology: str, name: str) -> None:
    """The log of the coordination worktree gains the row, whatever the log in the main checkout says."""
    world = _coordinated(worlds, topology)
    _cancel(world, _place(world, name), "WP01")


@pytest.mark.kitty_clause("STA-005")
@pytest.mark.parametrize("left", ["nothing", "an empty directory", "a husk with a log"])
def test_a_coordinated_log_is_never_begun_anew(worlds: Worlds, left: str) -> None:
    """The coordination branch is not checked out: it is read or the command fails; no log with one row stands in for it."""
    world = _coordinated(worlds, "coord")
    built, made = _parts(world)
    worktree, committed = built.coord.path, world.log.read_bytes()
    built.coord.git("add", "--all")
    built.coord.git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", "Record")
    made.git("worktree", "remove", "--force", str(worktree))
    world.acknowledged.clear()  # the row is on the branch, and looked for there
    if left != "nothing":
        worktree.mkdir()
    if left == "a husk with a log":
        world.log.parent.mkdir(parents=True)
        world.log.write_bytes(b"")
    copies = _copies(world)
    outcome = world.answered(world.ask(_request(world, built.root, "WP01", "canceled")))
    _others_untouched(world, copies)
    now = world.log.read_bytes() if world.log.is_file() else b""
    if outcome.declined:
        world.check(not now or now.startswith(committed), Finding.PREFIX_REWRITTEN, "a log is begun anew")
        return
    path = world.log.relative_to(worktree).as_posix()
    held = now or made.git("show", f"{built.branch}:{path}", check=False).encode()
    world.check(held.startswith(committed), Finding.PREFIX_REWRITTEN, "the rows of the branch are not in the log")
    world.acknowledged.clear()
    _gained(world, held[len(committed) :], outcome)


@pytest.mark.kitty_clause("STA-005")
@pytest.mark.parametrize("foreign", ["a clone in it", "a worktree of another repository", "another repository"])
def test_another_repository_is_not_redirected(worlds: Worlds, foreign: str) -> None:
    """A checkout of another repository lies within this one and has no such mission: this one's log is not meant."""
    world = worlds(PACKAGES, lanes=LANES)
    _cancel(world, world.mission.root, "WP02")
    _, made = _parts(world)
    place = world.mission.root / "vendor" / "other"
    other = repository(world.worlds.base / "elsewhere")
    if foreign == "a clone in it":
        made.git("clone", "--quiet", str(other.root), str(place))
    elif foreign == "a worktree of another repository":
        other.git("worktree", "add", "--quiet", "-b", "topic", str(place))
    else:
        repository(place)
    mark, copies = world.mark(), _copies(world)
    outcome = world.answered(world.ask(_request(world, place, "WP01", "canceled")))
    _others_untouched(world, copies)
    world.check(mark.unchanged, Finding.WRONG_COPY, f"{foreign} was asked, and the log around it changed: {outcome}")
    world.declined(outcome, f"{foreign} has no such mission", Finding.WRONG_COPY)


@pytest.mark.kitty_clause("STA-005")
def test_a_clone_has_a_log_of_its_own(worlds: Worlds) -> None:
    """A clone of this repository lies within it: what is done there is done there, or refused."""
    world = worlds(PACKAGES, lanes=LANES)
    _cancel(world, world.mission.root, "WP02")
    _, made = _parts(world)
    world.commit()
    place = world.mission.root / "vendor" / "copy"
    made.git("clone", "--quiet", str(made.root), str(place))
    for name, value in (("user.name", "Kitty"), ("user.email", "kitty@example.invalid"), ("commit.gpgsign", "false")):
        made.git("config", name, value, cwd=place)
    mark = world.mark()
    clone = mark_log(place / world.log.relative_to(made.root))
    copies = _copies(world, but=clone.path)
    outcome = world.answered(world.ask(_request(world, place, "WP01", "canceled")))
    _others_untouched(world, copies)
    world.check(mark.unchanged, Finding.WRONG_COPY, f"a clone was asked, and the log around it changed: {outcome}")
    if outcome.declined:
        world.check(clone.unchanged, Finding.REFUSAL_CHANGED_STATE, "it was refused, and the clone's log changed")
        return
    del world.acknowledged[-1:]
    _gained(world, clone.added().data, outcome)


@pytest.mark.kitty_clause("STA-005")
@pytest.mark.parametrize("lacking", ["its .git", "its meta.json"])
def test_a_husk_is_not_the_mission(worlds: Worlds, lacking: str) -> None:
    """What is left of a worktree, or of a mission, is nobody's log."""
    world = worlds(PACKAGES, lanes=LANES)
    built, _ = _parts(world)
    _cancel(world, built.root, "WP02")
    if lacking == "its .git":
        # As after `git worktree prune`: the files are there, git knows nothing of them.
        place = built.root / ".worktrees" / "left-over"
        shutil.copytree(built.lane("lane-a").path / "kitty-specs", place / "kitty-specs")
    else:
        place = built.lane("lane-b").path / "kitty-specs" / built.slug
        (place / "meta.json").unlink()
    mark, copies = world.mark(), _copies(world)
    outcome = world.answered(world.ask(_request(world, place, "WP01", "canceled")))
    _others_untouched(world, copies)
    if outcome.declined:
        world.untouched(mark, "it was refused")
    else:
        world.moved(mark, outcome, "WP01", "canceled")


@pytest.mark.kitty_clause("STA-005")
@pytest.mark.parametrize("name", ["the root", "a lane worktree"])
def test_variables_of_git_redirect_nothing(worlds: Worlds, name: str) -> None:
    """The environment names another repository, as in a hook of it: that one stays as it is."""
    world = worlds(PACKAGES, lanes=LANES)
    _cancel(world, world.mission.root, "WP02")
    _, made = _parts(world)
    world.commit()
    decoy = world.worlds.base / "decoy"
    made.git("clone", "--quiet", str(made.root), str(decoy))
    environment = {
        "GIT_DIR": str(decoy / ".git"),
        "GIT_WORK_TREE": str(decoy),
        "GIT_INDEX_FILE": str(decoy / ".git" / "index"),
    }
    request = _request(world, _place(world, name), "WP01", "canceled")
    mark, copies, refs = world.mark(), _copies(world), mark_repository(decoy)
    with world.within(environment) as other:
        outcome = world.answered(world.ask(request, of=other))
    _others_untouched(world, copies)
    changes = refs.changes()
    world.check(not changes, Finding.WRONG_COPY, f"the repository that GIT_DIR names changed: {', '.join(changes)}")
    if outcome.declined:
        world.untouched(mark, "it was refused")
    else:
        world.moved(mark, outcome, "WP01", "canceled")


# --- STA-007


@pytest.mark.kitty_clause("STA-007")
def test_a_name_that_two_missions_share_is_refused(worlds: Worlds) -> None:
    """Two missions whose ids begin alike are told apart, or neither is taken (68 of 412 real ones share such a beginning)."""
    world = worlds({"WP01": "planned", "WP02": "planned"}, git=True)
    _cancel(world, world.mission.root, "WP02")
    _, made = _parts(world)
    first = world.mission
    shared = first.mission_id[:8]
    other = made.mission({"WP01": "planned"}, name="other", seed="other", meta={"mission_id": f"{shared}{'0' * 18}"})
    mark, twin = world.mark(), mark_log(other.log.path)
    request = _request(world, world.mission.root, "WP01", "canceled").model_copy(update={"mission": shared})
    outcome = world.answered(world.ask(request))
    world.check(mark.unchanged and twin.unchanged, Finding.ILLEGAL_ACCEPTED, f"{shared} is two missions: {outcome}")
    world.declined(outcome, f"{shared} is two missions")


# --- places


def _parts(world: World) -> tuple[RepositoryMission, Repository]:
    """Return mission and repository of a world that was built in one."""
    assert world.repository is not None
    return world.mission, world.repository  # type: ignore[return-value] # a mission in a repository is one


def _coordinated(worlds: Worlds, topology: str) -> World:
    """Return a world with a coordination worktree; inconclusive for who does not work in one at all."""
    options: dict[str, Any] = {"lanes": LANES} if topology == "lanes_with_coord" else {}
    world = worlds(PACKAGES, topology=topology, **options)
    mark, copies = world.mark(), _copies(world)
    outcome = world.answered(world.ask(_request(world, world.mission.root, "WP02", "canceled")))
    _others_untouched(world, copies)
    if outcome.declined:
        world.untouched(mark, "it was refused")
        inconclusive(f"it does not write in topology {topology}: {outcome}")
    world.moved(mark, outcome, "WP02", "canceled")
    return world


def _place(world: World, name: str) -> Path:
    built, made = _parts(world)
    lane = built.lane_checkouts.get("lane-a")
    match name:
        case "the root":
            place = built.root
        case "a subdirectory":
            place = built.root / "src" / "deep"
            place.mkdir(parents=True, exist_ok=True)
        case "the mission's directory":
            place = built.directory
        case "the coordination worktree":
            place = built.coord.path
        case "a link to the root":
            place = _link(world, built.root)
        case _:
            assert lane is not None
            place = lane.path
    match name:
        case "the mission's directory in a lane worktree":
            place = place / "kitty-specs" / built.slug
        case "a worktree in a lane worktree" | "a worktree outside of the root":
            place = place / "nested" if "in a lane" in name else world.worlds.base / "outside"
            made.git("worktree", "add", "--quiet", "-b", "one-more", str(place), lane.branch if lane else "HEAD")
        case "a link to a lane worktree":
            place = _link(world, place)
    return place


def _link(world: World, target: Path) -> Path:
    link = world.worlds.base / "link"
    try:
        link.symlink_to(target, target_is_directory=True)
    except OSError as error:
        inconclusive(f"no symbolic link can be made here: {error}")
    return link


# --- asking and judging


def _request(world: World, place: Path, work_package: str, to: str, **keys: Any) -> Transition:
    keys.setdefault("reason", "not needed")
    return world.transition_request(work_package, to, **keys).model_copy(update={"root": str(place)})


def _cancel(world: World, place: Path, work_package: str) -> None:
    __tracebackhide__ = True
    _move(world, place, work_package, "canceled")


def _move(world: World, place: Path, work_package: str, to: str, **keys: Any) -> None:
    """Ask from ``place``; the canonical log gains the row and no other copy changes."""
    __tracebackhide__ = True
    copies, mark = _copies(world), world.mark()
    outcome = world.ask(_request(world, place, work_package, to, **keys))
    world.asked[-1] += f" (from {place})"
    _others_untouched(world, copies)
    world.moved(mark, outcome, work_package, to)


@dataclass(frozen=True)
class _Copies:
    """Every log and snapshot under the scenario's directory, but for the ones in some directories."""

    but: tuple[Path, ...]
    data: dict[Path, bytes]


def _copies(world: World, but: Path | None = None) -> _Copies:
    """Return every copy but the canonical one, and but the log ``but`` with its snapshot."""
    return _look(world, tuple(path.parent.resolve() for path in (world.log, but) if path is not None))


def _look(world: World, but: tuple[Path, ...]) -> _Copies:
    names = (world.log.name, world.snapshot_path.name)
    found: dict[Path, bytes] = {}
    for directory, _, files in os.walk(world.worlds.base):
        if Path(directory).resolve() not in but:
            found |= {Path(directory, name): Path(directory, name).read_bytes() for name in names if name in files}
    return _Copies(but, found)


def _others_untouched(world: World, copies: _Copies) -> None:
    """Judge that no other copy changed or went, and no other log came."""
    __tracebackhide__ = True
    before, now = copies.data, _look(world, copies.but).data
    changed = [path for path in before if before[path] != now.get(path)]
    made = [path for path in now if path not in before and path.name == world.log.name]
    world.check(not changed, Finding.WRONG_COPY, f"copies changed: {', '.join(map(str, changed))}")
    world.check(not made, Finding.WRONG_COPY, f"logs were made: {', '.join(map(str, made))}")


def _gained(world: World, added: bytes, outcome: Outcome) -> None:
    event = outcome.value["event_id"]
    found = [row.get("event_id") for row in rows_from_bytes(added)]
    world.check(
        found.count(event) == 1,
        Finding.ACKED_ROW_MISSING,
        f"event {event} was reported; the log that is meant gained {found or 'nothing'}",
    )
