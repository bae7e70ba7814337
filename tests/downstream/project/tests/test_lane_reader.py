from __future__ import annotations

import json
import random

import pytest
from lane_reader import lanes

from kitty_reliability import Mission, Repository
from kitty_reliability.build.event_log import EventLog
from kitty_reliability.faults.process import Sandbox
from kitty_reliability.faults.sync import FakeSyncClient
from kitty_reliability.implementations.base import Implementation
from kitty_reliability.implementations.protocol import State
from pytest_kitty.facade import Kitty
from pytest_kitty.scenarios import Finding, ScenarioFailure


def test_lanes_of_a_mission(reviewed: Mission) -> None:
    assert lanes(reviewed.directory) == reviewed.lanes == {"WP01": "approved", "WP02": "in_review"}


@pytest.mark.kitty(work_packages={"WP07": "for_review"}, slug="marked")
def test_a_marked_mission_in_a_repository(kitty_repository: Repository) -> None:
    (mission,) = kitty_repository.missions
    assert (mission.slug, lanes(mission.directory)) == ("marked", {"WP07": "for_review"})


def test_everything_in_one(kitty: Kitty) -> None:
    mission = kitty.mission(wps={"WP01": "claimed"})
    assert kitty.state(mission) == lanes(mission.directory)


@pytest.mark.kitty_clause("LOG-001")
def test_the_order_of_lines_decides_nothing(kitty_event_log: EventLog, kitty_mission: Mission) -> None:
    lines = kitty_event_log.lane("WP01", "claimed").path.read_bytes().splitlines(keepends=True)
    before = lanes(kitty_mission.directory)
    random.Random(7).shuffle(lines)
    kitty_event_log.path.write_bytes(b"".join(lines))
    if lanes(kitty_mission.directory) != before:
        raise ScenarioFailure(Finding.ORDER_MATTERS, "the lanes changed with the order of lines")


@pytest.mark.kitty_xfail("LOG-003", link="https://example.org/lane-reader/1", reason="a torn end stops the reader")
def test_a_torn_end(kitty_event_log: EventLog, kitty_mission: Mission) -> None:
    before = lanes(kitty_mission.directory)
    kitty_event_log.raw(b'{"half')
    try:
        assert lanes(kitty_mission.directory) == before
    except json.JSONDecodeError:
        pytest.fail("it does not read the log")


def test_a_program_in_a_place_of_its_own(kitty_sandbox: Sandbox) -> None:
    done = kitty_sandbox.run(["git", "config", "--get", "user.name"])
    assert done.status is not None


def test_a_service_that_fails(kitty_sync_client: FakeSyncClient) -> None:
    assert kitty_sync_client.calls == []


def test_the_adapter(kitty_implementation: Implementation, reviewed: Mission) -> None:
    assert kitty_implementation.greeting.name == "lane-reader"
    outcome = kitty_implementation.ask(State(root=str(reviewed.root), mission=reviewed.slug))
    assert outcome.ok
    assert outcome.value["lanes"] == reviewed.lanes
