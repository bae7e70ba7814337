"""SEC: names, links, texts and environments that mean harm (SEC-001 to SEC-004, SEC-006, SEC-007)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.implementations.protocol import (
    Batch,
    Capability,
    Diff,
    Events,
    Materialize,
    Move,
    Open,
    Outcome,
    Recover,
    Repair,
    Request,
    Start,
    State,
    Transition,
)
from kitty_reliability.observe.rows import mark_log, rows_from_bytes
from kitty_reliability.observe.tree import find_bytes, mark_tree
from pytest_kitty.scenarios import Finding, inconclusive

from .starts import startable, started
from .world import World, Worlds

_ID = "01JNDKQJ00000000000000000Z"

# --- a world with something to lose beside it


def _control(world: World) -> None:
    """The legal twin: the same operations on the mission that is meant succeed."""
    __tracebackhide__ = True
    lanes = world.lanes(world.state())
    world.check(lanes.get("WP01") == "planned", Finding.LANE_DISAGREES, f"the twin: WP01 is planned, it says {lanes}")
    if Capability.WRITE in world.implementation.greeting.capabilities:
        world.moved(world.mark(), world.transition("WP01", "claimed"), "WP01", "claimed")


def _treasure(world: World) -> Mission:
    """Build a mission outside the root: whoever follows a hostile name finds it."""
    return mission(world.worlds.base / "outside", {"WP01": "in_review", "WP77": "blocked"}, slug="treasure")


def _hostile(way: str, inside: str) -> dict[str, str]:
    """Return the spellings of ``way``, which leads out of where ``inside`` is."""
    return {
        "dots": way,
        "dots behind a name": f"{inside}/../{way}",
        "backslashes": way.replace("/", "\\"),
        "a NUL": way + chr(0),
        "only dots": "..",
        "a leading dot": ".hidden",
        "two dots inside": "a..b",
        "nothing": "",
    }


_NAMES = ("absolute", *_hostile("x", "y"))


def _operations(world: World, slug: str) -> list[Request]:
    root = str(world.mission.root)
    able = world.implementation.greeting.capabilities
    forced: dict[str, Any] = {"actor": world.actor, "force": True, "reason": "mine"}
    asked: list[Request] = [Open(root=root, mission=slug), State(root=root, mission=slug)]
    if Capability.EVENTS in able:
        asked.append(Events(root=root, mission=slug))
    if Capability.SNAPSHOT in able:
        asked.append(Materialize(root=root, mission=slug))
    if Capability.WRITE in able:
        asked.append(Transition(root=root, mission=slug, work_package="WP01", to="claimed", actor=world.actor))
        asked.append(Transition(root=root, mission=slug, work_package="WP77", to="done", **forced))
    if Capability.BATCH in able:
        moves = [Move(work_package="WP77", to="done", **forced)]
        asked.append(Batch(root=root, mission=slug, moves=moves))
    if Capability.START in able:
        asked.append(Start(root=root, mission=slug, work_package="WP01", actor=world.actor, kind="review"))
    if Capability.RECOVER in able:
        asked.append(Recover(root=root, mission=slug, work_package="WP01", actor=world.actor, reason="gone"))
    if Capability.REPAIR in able:
        asked.append(Repair(root=root, mission=slug))
    return asked


def _nothing_read(world: World, outcome: Outcome, what: str) -> None:
    """Judge that the answer of a read holds nothing of the mission outside."""
    __tracebackhide__ = True
    if "event_id" in outcome.value:
        return  # a transition names what it was asked for
    text = json.dumps(dict(outcome.value), default=str)
    leaked = outcome.ok and "WP77" in text
    world.check(not leaked, Finding.ESCAPED_ROOT, f"{what}: it read the mission outside the root: {text[:200]}")


# --- SEC-001


@pytest.mark.kitty_clause("SEC-001")
@pytest.mark.parametrize("name", _NAMES)
def test_no_slug_leads_out_of_the_root(worlds: Worlds, name: str) -> None:
    """A mission lies outside the root, and the slug is the way to it: it is neither read nor written."""
    world = worlds({"WP01": "planned"})
    treasure = _treasure(world)
    _control(world)
    way = os.path.relpath(treasure.directory, world.mission.root / "kitty-specs")
    slug = {"absolute": str(treasure.directory), **_hostile(way, world.mission.slug)}[name]
    outside = mark_tree(world.worlds.base / "outside")
    around = {path.name for path in world.worlds.base.iterdir()}
    mark = world.mark()
    for request in _operations(world, slug):
        outcome = world.answered(world.ask(request))
        what = f"{request.operation} with the slug {slug!r}"
        _nothing_read(world, outcome, what)
        new = {path.name for path in world.worlds.base.iterdir()} - around
        changes = [*outside.changes(), *sorted(new)]
        world.check(not changes, Finding.ESCAPED_ROOT, f"{what}: outside the root {', '.join(changes)}")
        if isinstance(request, Transition):
            world.declined(outcome, f"there is no mission {slug!r}")
    world.untouched(mark, "hostile slugs were declined")


@pytest.mark.kitty_clause("SEC-001")
@pytest.mark.parametrize("place", ["meta", "rows"])
def test_a_recorded_slug_leads_nowhere(worlds: Worlds, place: str) -> None:
    """The slug in ``meta.json``, or in a row, is the way out; the directory is the mission all the same."""
    world = worlds({"WP01": "planned", "WP02": "planned"})
    treasure = _treasure(world)
    _control(world)
    way = os.path.relpath(treasure.directory, world.mission.root / "kitty-specs")
    if place == "meta":
        meta = {**world.mission.meta, "slug": way, "mission_slug": way}
        world.mission.paths.meta.write_text(json.dumps(meta), encoding="utf-8")
    else:
        world.mission.log.row({**world.mission.log.rows[0], "mission_slug": way, "event_id": _ID})
    world.commit()
    outside = mark_tree(world.worlds.base / "outside")
    for request in _operations(world, world.mission.slug):
        what = f"{request.operation} of a mission that says it is {way!r}"
        _nothing_read(world, world.answered(world.ask(request)), what)
        changes = outside.changes()
        world.check(not changes, Finding.ESCAPED_ROOT, f"{what}: outside the root {', '.join(changes)}")


# --- SEC-002


@pytest.mark.kitty_clause("SEC-002")
@pytest.mark.parametrize("name", ["absolute", "dots", "dots behind a name", "backslashes", "a NUL"])
@pytest.mark.parametrize("force", [False, True], ids=["unforced", "forced"])
def test_no_work_package_leads_out_of_the_root(worlds: Worlds, name: str, force: bool) -> None:
    """A task file lies outside the root, and the work package's id is the way to it."""
    worlds.needs(Capability.WRITE)
    world = worlds({"WP01": "planned"})
    task = _treasure(world).task_file("WP01").with_suffix("")
    _control(world)
    way = os.path.relpath(task, world.mission.paths.tasks)
    work_package = {"absolute": str(task), **_hostile(way, "WP01")}[name]
    around = mark_tree(world.worlds.base)
    mark = world.mark()
    keys: dict[str, Any] = {"force": True, "reason": "mine"} if force else {}
    outcome = world.answered(world.transition(work_package, "claimed", **keys))
    inside = world.mission.root.relative_to(world.worlds.base).as_posix()
    changes = around.changes(ignore=[inside])
    world.check(not changes, Finding.ESCAPED_ROOT, f"the id {work_package!r}: outside the root {', '.join(changes)}")
    if outcome.declined:
        world.untouched(mark, "a hostile id was declined")


@pytest.mark.kitty_clause("SEC-002")
@pytest.mark.parametrize("name", ["absolute", "dots", "dots behind a name"])
@pytest.mark.parametrize("operation", ["batch", "start", "recover"])
def test_no_other_writer_is_led_out_of_the_root(worlds: Worlds, operation: str, name: str) -> None:
    """The id of a work package that is moved with others, started or given back is the way out."""
    worlds.needs({"batch": Capability.BATCH, "start": Capability.START}.get(operation, Capability.RECOVER))
    world = worlds({"WP01": "planned"})
    task = _treasure(world).task_file("WP01").with_suffix("")
    _control(world)
    way = os.path.relpath(task, world.mission.paths.tasks)
    work_package = {"absolute": str(task), **_hostile(way, "WP01")}[name]
    around, mark = mark_tree(world.worlds.base), world.mark()
    if operation == "batch":
        outcome = world.batch({"work_package": work_package, "to": "claimed"})
    else:
        outcome = (world.start if operation == "start" else world.recover)(work_package, world.actor)
    inside = world.mission.root.relative_to(world.worlds.base).as_posix()
    changes = around.changes(ignore=[inside])
    world.check(not changes, Finding.ESCAPED_ROOT, f"the id {work_package!r}: outside the root {', '.join(changes)}")
    world.declined(outcome, f"there is no work package {work_package!r}")
    world.untouched(mark, "a hostile id was declined")


@pytest.mark.kitty_clause("SEC-002")
def test_a_recorded_work_package_leads_nowhere(worlds: Worlds) -> None:
    """A row is about ``../../x``: reading and materializing it touches nothing outside the mission."""
    world = worlds({"WP01": "planned", "WP02": "planned"})
    task = _treasure(world).task_file("WP01").with_suffix("")
    _control(world)
    way = os.path.relpath(task, world.mission.paths.tasks)
    world.mission.log.row({**world.mission.log.rows[0], "wp_id": way, "event_id": _ID})
    world.commit()
    outside = mark_tree(world.worlds.base / "outside")
    for request in _operations(world, world.mission.slug):
        world.answered(world.ask(request))
        changes = outside.changes()
        what = f"{request.operation} of a log with a row of {way!r}"
        world.check(not changes, Finding.ESCAPED_ROOT, f"{what}: outside the root {', '.join(changes)}")


# --- SEC-003


def _link(link: Path, target: Path) -> None:
    try:
        link.symlink_to(target, target_is_directory=target.is_dir())
    except (OSError, NotImplementedError) as error:
        inconclusive(f"this system makes no symbolic link here: {error}")


@pytest.mark.kitty_clause("SEC-003")
@pytest.mark.parametrize("linked", ["mission", "log", "log to nothing"])
def test_a_link_out_of_the_root_is_not_followed(worlds: Worlds, linked: str) -> None:
    """The mission's directory, or its log, is a symbolic link to somewhere outside the root."""
    _control(worlds({"WP01": "planned"}))
    world = worlds({"WP01": "planned"})
    treasure = _treasure(world)
    slug = world.mission.slug
    if linked == "mission":
        slug = "linked"
        _link(world.mission.root / "kitty-specs" / slug, treasure.directory)
    else:
        world.log.unlink()
        # What is not there yet can be made through a link.
        _link(world.log, treasure.log.path if linked == "log" else treasure.directory / "new.jsonl")
    world.commit()
    outside = mark_tree(world.worlds.base / "outside")
    for request in _operations(world, slug):
        outcome = world.answered(world.ask(request))
        what = f"{request.operation}, the {linked} being a link out of the root"
        if not isinstance(request, Open):
            _nothing_read(world, outcome, what)
        changes = outside.changes()
        world.check(not changes, Finding.ESCAPED_ROOT, f"{what}: outside {', '.join(changes)}")
        if isinstance(request, Transition):
            world.declined(outcome, what, Finding.ESCAPED_ROOT)


@pytest.mark.kitty_clause("SEC-003")
def test_a_root_behind_a_link_works(worlds: Worlds) -> None:
    """The repository itself is reached through a symbolic link: that is nobody's attack."""
    world = worlds({"WP01": "planned"})
    link = world.worlds.base / "link to the root"
    _link(link, world.mission.root)
    lanes = world.lanes(world.ask(State(root=str(link), mission=world.mission.slug)))
    world.check(lanes.get("WP01") == "planned", Finding.LANE_DISAGREES, f"WP01 is planned, behind a link it is {lanes}")
    if Capability.WRITE not in world.implementation.greeting.capabilities:
        return
    mark = world.mark()
    request = world.transition_request("WP01", "claimed").model_copy(update={"root": str(link)})
    world.moved(mark, world.ask(request), "WP01", "claimed")


# --- SEC-004

_CONTROLS: Mapping[str, str] = {
    "a newline and a forged row": '\n{"event_id": "' + _ID + '", "to_lane": "done"}\n',
    "ANSI": "\x1b[31mred\x1b[2J\x1b]0;title\x07",
    "bidi": "\u202eevil\u202c \u2066x\u2069",
    "C1 and separators": "\u0085\u2028\u2029\u009b31m",
    "DEL and backspace": "\x7f\x08\x08\x08",
}


@pytest.mark.kitty_clause("SEC-004")
@pytest.mark.parametrize("what", _CONTROLS)
def test_a_control_character_stays_data(worlds: Worlds, what: str) -> None:
    """A reason and an actor with control characters: one row of valid JSON that says exactly them."""
    worlds.needs(Capability.WRITE)
    world = worlds({"WP01": "planned"})
    text = f"before {_CONTROLS[what]} after"
    mark = world.mark()
    outcome = world.transition("WP01", "blocked", reason=text, actor=f"me {text}")
    if world.answered(outcome).declined:
        # Refusing such a text is safe as well; losing or half-writing it is not.
        world.untouched(mark, "a text with control characters was declined")
        world.moved(mark, world.transition("WP01", "blocked", reason="plain"), "WP01", "blocked")
        return
    answer = world.moved(mark, outcome, "WP01", "blocked")
    row = world.row(answer["event_id"])
    for key, asked in (("reason", text), ("actor", f"me {text}")):
        world.check(row.get(key) == asked, Finding.WRONG_ROW, f"{key} is {row.get(key)!r}, asked was {asked!r}")


@pytest.mark.kitty_clause("SEC-004")
@pytest.mark.parametrize("what", ["ANSI", "bidi", "a forged line"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_terminal_is_not_obeyed(worlds: Worlds, what: str, form: Any) -> None:
    """Whoever holds a work package is shown to whoever comes second, and his name cannot drive the terminal."""
    worlds.needs(Capability.SURFACE, Capability.WRITE)
    world = worlds({"WP01": "planned"})
    token = f"t{world.rng.randrange(10**9)}"
    raw = {"ANSI": f"\x1b[31m{token}", "bidi": f"\u202e{token}", "a forged line": f"\n{token} success"}[what]
    world.mission.log.lane("WP01", "claimed", actor=f"x{raw}")
    world.commit()
    shown = State(root=str(world.mission.root), mission=world.mission.slug)
    for request in (world.transition_request("WP01", "claimed", actor="second"), shown):
        done = world.run(request, form=form)
        for stream in (done.stdout, done.stderr):
            obeyed = raw in stream.decode("utf-8", "replace").replace("\r\n", "\n")
            world.check(
                not obeyed,
                Finding.STDOUT_POLLUTED,
                f"{request.operation} prints what a terminal obeys: {stream[-300:]!r}",
            )


@pytest.mark.kitty_clause("SEC-004")
@pytest.mark.parametrize("operation", ["batch", "start"])
def test_half_a_character_is_refused_by_every_writer(worlds: Worlds, operation: str) -> None:
    """A batch or a start with half a character is refused as a whole."""
    worlds.needs(Capability.BATCH if operation == "batch" else Capability.START)
    world = startable(worlds, {"WP01": "planned", "WP02": "planned"})
    half = f"half {chr(0xD800)} a character"
    mark = world.mark()
    if operation == "batch":
        moves: list[dict[str, Any]] = [
            {"work_package": "WP01", "to": "claimed"},
            {"work_package": "WP02", "to": "claimed", "reason": half},
        ]
        world.declined(world.batch(*moves), "a lone surrogate in one move")
        world.untouched(mark, "a lone surrogate was declined")
        world.accepted(world.batch(*({**move, "reason": "plain"} for move in moves)), "the same without it")
    else:
        world.declined(world.start("WP01", half), "a lone surrogate in the actor")
        world.untouched(mark, "a lone surrogate was declined")
        started(world, mark, world.start("WP01", world.actor), "WP01")


@pytest.mark.kitty_clause("SEC-004")
@pytest.mark.parametrize("place", ["reason", "actor", "policy_metadata"])
def test_a_lone_surrogate_is_refused(worlds: Worlds, place: str) -> None:
    """Half a character cannot be stored: it is refused before anything is written."""
    worlds.needs(Capability.WRITE)
    world = worlds({"WP01": "planned"})
    mark = world.mark()
    half = f"half {chr(0xD800)} a character"
    value: Any = {"note": half} if place == "policy_metadata" else half
    outcome = world.transition("WP01", "blocked", **{"reason": "plain", place: value})
    world.declined(outcome, f"a lone surrogate in {place}")
    world.untouched(mark, "a lone surrogate was declined")
    world.moved(mark, world.transition("WP01", "blocked", reason="plain \U0001f431"), "WP01", "blocked")


# --- SEC-006


@pytest.mark.kitty_clause("SEC-006")
@pytest.mark.parametrize("name", ["--output={}", "-o{}", "--help", "--work-tree={}", "--upload-pack=touch {}"])
def test_a_mission_that_looks_like_an_option_is_a_name(worlds: Worlds, name: str) -> None:
    """The name of a mission's directory is an option to git, or to the command itself: it is a name, or is refused."""
    worlds.needs(Capability.WRITE)
    _control(worlds({"WP01": "planned"}, git=True))
    world = worlds({"WP01": "planned"}, git=True)
    slug = name.replace("{}", "".join(world.rng.choices("abcdefgh", k=8)))
    log = _renamed(world, slug)
    inside = world.mission.root.relative_to(world.worlds.base).as_posix()
    around = mark_tree(world.worlds.base)
    own = [f"{inside}/kitty-specs/{slug}", f"{inside}/.git", f"{inside}/.kittify"]
    requests = _operations(world, slug)
    if Capability.COMMIT in world.implementation.greeting.capabilities:
        where: dict[str, Any] = {"root": str(world.mission.root), "mission": slug, "work_package": "WP01"}
        requests.append(Transition(**where, to="blocked", actor=world.actor, reason="later", commit=True))
    if Capability.DIFF in world.implementation.greeting.capabilities:
        requests.append(Diff(root=str(world.mission.root), mission=slug, work_package="WP01"))
    for request in requests:
        before = mark_log(log)
        outcome = world.answered(world.ask(request))
        what = f"{request.operation} with the mission {slug!r}"
        changes = around.changes(ignore=own)
        world.check(not changes, Finding.NAME_OBEYED, f"{what}: {', '.join(changes)}")
        if isinstance(request, Transition):
            wrote = not before.unchanged
            world.check(
                wrote == outcome.ok, Finding.ACKED_ROW_MISSING, f"{what}: {outcome}, rows were written: {wrote}"
            )
    if Capability.SURFACE in world.implementation.greeting.capabilities:
        request = Transition(root=str(world.mission.root), mission=slug, work_package="WP01", to="canceled", actor="me")
        before = mark_log(log)
        done = world.run(request.model_copy(update={"reason": "later", "force": True}))
        wrote = not before.unchanged
        what = f"the command for the mission {slug!r} ended with {done.status}"
        world.check(wrote == (done.status == 0), Finding.NAME_OBEYED, f"{what}, rows were written: {wrote}")


def _renamed(world: World, slug: str) -> Path:
    """Give the mission of ``world`` another name, everywhere, and return the path of its log."""
    old = world.mission.directory
    place = old.with_name(slug)
    try:
        old.rename(place)
    except OSError as error:
        inconclusive(f"this system has no directory of that name: {error}")
    for path in place.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(old.name.encode(), slug.encode()))
    world.commit()
    return place / world.log.name


# --- SEC-007


@pytest.mark.kitty_clause("SEC-007")
@pytest.mark.parametrize("ending", ["success", "refusal", "failure", "a start"])
def test_nothing_of_the_environment_leaks(worlds: Worlds, ending: str) -> None:
    """Tokens, the home directory and its owner stay where they are: not in rows, files or output."""
    worlds.needs(Capability.SURFACE, Capability.WRITE)
    world = startable(worlds, {"WP01": "planned"})
    secrets = {name: f"{name}-{world.rng.randrange(10**12):012}" for name in ("token", "user", "home")}
    home = world.worlds.base / secrets["home"]
    home.mkdir()
    tokens = dict.fromkeys(("GITHUB_TOKEN", "SPEC_KITTY_API_TOKEN", "AWS_SECRET_ACCESS_KEY"), secrets["token"])
    users = dict.fromkeys(("USER", "LOGNAME", "USERNAME"), secrets["user"])
    request: Any = world.transition_request("WP01", "done" if ending == "refusal" else "claimed")
    if ending == "a start":
        worlds.needs(Capability.START)
        request = world.start_request("WP01", world.actor)
    if ending == "failure":
        world.mission.log.raw(b"this is no row\n")
    done = world.run(request, {**tokens, **users}, defaults={"HOME": str(home), "USERPROFILE": str(home)})
    if ending in ("success", "a start"):
        world.check(done.status == 0, Finding.LEGAL_REFUSED, f"exit status {done.status}: {done.stderr[-300:]!r}")
        world.check(world.lane("WP01") != "planned", Finding.ACKED_ROW_MISSING, "exit status 0, and no row was added")
    else:
        world.check(done.status != 0, Finding.WRONG_EXIT_STATUS, f"exit status 0: {done.stdout[-300:]!r}")
    for what, secret in secrets.items():
        for stream in (done.stdout, done.stderr):
            leaked = secret.encode() in stream
            world.check(not leaked, Finding.LEAKED, f"the {what} of the environment is printed: {stream[-300:]!r}")
        files = find_bytes(world.mission.root, secret.encode())
        world.check(not files, Finding.LEAKED, f"the {what} of the environment is in {', '.join(map(str, files))}")
    host = os.uname().nodename if hasattr(os, "uname") else ""
    if re.fullmatch(r"[\w.-]{8,}", host):
        named = [row for row in rows_from_bytes(world.log.read_bytes()) if host in json.dumps(row)]
        world.check(not named, Finding.LEAKED, f"the host's name is in a row: {named[:1]}")
