"""A history that is recalled is the history that would have been worked out, and nobody else's."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build import history
from kitty_reliability.build.clock import DEFAULT_START, Clock
from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.event_log import ROUTES, EventLog
from kitty_reliability.build.history import tell
from kitty_reliability.build.identifiers import Identifiers
from kitty_reliability.build.mission import mission
from kitty_reliability.formats.lanes import Lane

ALL = {f"WP{number:02}": route for number, route in enumerate(ROUTES.values(), 1)}
ASKED: list[dict[str, Any]] = [
    {},
    {"bootstrap": "planned"},
    {"actor": "a", "reviewer": 'b "mission_slug": 100% {}'},
    {"actor": {"role": "implementer"}},
    {"mission_id": None},
    {"mission_id": 'x", "mission_slug": "y'},
    {"actor": "zoë", "reviewer": "\ud800"},
    {"clock": (datetime(2024, 3, 31, tzinfo=timezone(timedelta(hours=2))), timedelta(seconds=1))},
    {"clock": (DEFAULT_START, timedelta(0))},
]


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_told", {})


def empty_log(slug: str = "demo", seed: str = "seed", **options: Any) -> EventLog:
    clock = Clock(*options.pop("clock", ()))
    options = {"mission_id": f"id-of-{slug}", **options}
    return EventLog(Path(slug), mission_slug=slug, clock=clock, ids=Identifiers(seed), **options).defer()


def state(log: EventLog) -> dict[str, Any]:
    """All that a log is, as a copy."""
    rows = log.rows
    plain = {key: value for key, value in vars(log).items() if key not in ("clock", "ids", "path")}
    return copy.deepcopy(
        plain | {"rows": rows, "ids": vars(log.ids), "clock": vars(log.clock), "zone": log.clock.now.tzinfo}
    )


def worked_out(routes: dict[str, Any], *, illegal: bool = False, **options: Any) -> EventLog:
    log = empty_log(**options)
    for package, lanes in routes.items():
        log.route(package, lanes, illegal=illegal)
    return log


@pytest.mark.parametrize("options", ASKED, ids=str)
def test_what_is_recalled_is_what_would_have_been_worked_out(options: dict[str, Any]) -> None:
    tell(empty_log("other", "other seed", **{**options, "mission_id": options.get("mission_id", "another")}), ALL)

    log = empty_log(**options)
    tell(log, ALL)

    expected = worked_out(ALL, **options)
    assert state(log) == state(expected)
    assert log.lane("WP05", "in_review").data == expected.lane("WP05", "in_review").data


def test_the_same_routes_are_told_once() -> None:
    for slug in ("one", "two", "three"):
        tell(empty_log(slug, slug), ALL)

    assert len(history._told) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"actor": "other"},
        {"reviewer": "other"},
        {"bootstrap": "planned"},
        {"mission_id": None},
        {"clock": (DEFAULT_START + timedelta(microseconds=1),)},
        {"clock": (DEFAULT_START, timedelta(seconds=1))},
        {"clock": (DEFAULT_START.astimezone(timezone(timedelta(hours=1))),)},
    ],
    ids=str,
)
def test_another_beginning_is_another_history(other: dict[str, Any]) -> None:
    tell(empty_log(), ALL)

    log = empty_log(**other)
    tell(log, ALL)

    assert state(log) == state(worked_out(ALL, **other))


def test_other_routes_are_another_history() -> None:
    asked: list[dict[str, Any]] = [
        {"WP01": ["planned"]},
        {"WP02": ["planned"]},
        {"WP01": ["planned", "claimed"]},
        {"WP01": ["planned"], "WP02": ["claimed"]},
        {"WP02": ["claimed"], "WP01": ["planned"]},
        {"WP01": ["Planned ", "doing"]},
        {"WP01": [Lane.PLANNED, Lane.BLOCKED]},
        {},
    ]
    for _ in range(2):
        for routes in asked:
            log = empty_log()
            tell(log, routes, illegal=True)
            assert state(log) == state(worked_out(routes, illegal=True))


def test_who_acts_in_every_row_can_be_said() -> None:
    for actor in (None, "x", None, "y", "x"):
        log = empty_log()
        tell(log, {"WP01": ["planned", "claimed"]}, actor=actor)
        assert [row["actor"] for row in log.rows] == ([actor] * 2 if actor else ["finalize-tasks", log.actor])


def test_an_illegal_route_that_was_asked_for_makes_no_other_one_legal() -> None:
    routes = {"WP01": ["planned", "done"]}
    tell(empty_log(), routes, illegal=True)

    for _ in range(2):
        with pytest.raises(BuildError, match="planned -> done is not in the lane table"):
            tell(empty_log(), routes)


def test_a_route_may_be_anything_that_gives_lanes() -> None:
    for _ in range(2):
        log = empty_log()
        tell(log, {"WP01": iter(["planned", "claimed"])})
        assert log.lanes == {"WP01": Lane.CLAIMED}


class SlowingClock(Clock):
    def tick(self) -> datetime:
        self.step += timedelta(seconds=1)
        return super().tick()


class Reversed(Identifiers):
    def ulid(self, moment: datetime) -> str:
        return super().ulid(moment)[::-1]


@pytest.mark.parametrize("own", [{"clock": SlowingClock}, {"ids": Reversed}], ids=str)
def test_clocks_and_ids_of_another_kind_are_asked_each_time(own: dict[str, Any]) -> None:
    tell(empty_log(), ALL)

    logs = []
    for _ in range(2):
        log = EventLog(
            Path("demo"),
            mission_slug="demo",
            mission_id="id-of-demo",
            clock=own.get("clock", Clock)(),
            ids=own.get("ids", Identifiers)("seed"),
        ).defer()
        logs.append(log)
    tell(logs[0], ALL)
    for package, lanes in ALL.items():
        logs[1].route(package, lanes)
    assert state(logs[0]) == state(logs[1])
    assert logs[0].data != worked_out(ALL).data


def test_whoever_changes_what_was_recalled_changes_it_for_nobody_else(tmp_path: Path) -> None:
    states = []
    for name in ("first", "second", "third"):
        log = mission(tmp_path / name, {"WP01": "approved", "WP02": "done"}).log
        states.append(state(log))
        for row in log.rows:
            for value in row.values():
                if isinstance(value, dict):
                    value.clear()
            row.clear()
        log.rows.clear()
        log.chunks.clear()
        log.lanes.clear()
        log._reviews.clear()

    assert states[0] == states[1] == states[2]
    assert len(states[0]["rows"]) == 13


def test_the_verbs_go_on_alike_after_what_was_recalled(tmp_path: Path) -> None:
    built = [mission(tmp_path / name, {"WP01": "in_review", "WP02": "done"}) for name in ("one", "two")]

    for each in built:
        each.wp("WP01").reject().rework().approve().done()
        each.log.note("WP02", "n").lifecycle("MissionCreated").retro()

    one, two = built
    assert one.paths.log.read_bytes() == two.paths.log.read_bytes() == one.log.data
    assert state(one.log) == state(two.log)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_KEPT_ROWS", 3)
    monkeypatch.setattr(history, "_KEPT_LOGS", 2)

    tell(empty_log(), {"WP01": ["planned", "claimed", "blocked", "in_progress"]})
    assert history._told == {}
    for number in range(10):
        tell(empty_log(), {f"WP{number:02}": ["planned", "claimed", "blocked"]})
        assert 1 <= len(history._told) <= 2


def test_what_is_no_lane_is_told_by_name() -> None:
    for wrong in (["planned"], None, 1):
        with pytest.raises(BuildError, match="is not the name of a lane"):
            tell(empty_log(), {"WP01": [wrong]})  # type: ignore[list-item]
