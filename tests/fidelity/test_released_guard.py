"""The released pre-commit hook, through the adapter, in a mission that was built: both modes, and what it does by default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.repository import repository
from kitty_reliability.implementations.protocol import Guard, Surface
from kitty_reliability.implementations.spec_kitty import SpecKitty

MINE, THEIRS = "src/wp04/a.py", "src/wp01/a.py"


@pytest.fixture
def released(released_python: Path) -> Iterator[SpecKitty]:
    session = SpecKitty(released_python.with_name("spec-kitty" + released_python.suffix))
    yield session
    session.close()


@pytest.fixture
def built(tmp_path: Path) -> RepositoryMission:
    packages = {"WP01": "approved", "WP04": "in_progress"}
    made = repository(tmp_path / "repo").mission(packages, lanes={"lane-a": ["WP01", "WP04"]}, lane_commits=0)
    made.lane("lane-a").stale_context().add(MINE)
    return made


def ask(released: SpecKitty, built: RepositoryMission, mode: str | None) -> dict[str, Any]:
    if mode is not None:
        config = built.root / ".kittify" / "config.yaml"
        policy = f"policy: {{commit_guard: {{mode: {mode}}}}}\n"
        config.write_bytes(f"{config.read_text(encoding='utf-8')}{policy}".encode())
    outcome = released.ask(Guard(root=str(built.lane("lane-a").path)))
    assert outcome.ok, outcome
    return dict(outcome.value)


def codes(items: list[dict[str, Any]]) -> list[str]:
    return [item["diagnostic_code"] for item in items]


def test_it_blocks_what_the_active_work_package_does_not_own(released: SpecKitty, built: RepositoryMission) -> None:
    answer = ask(released, built, "block")
    assert (answer["outcome"], codes(answer["warnings"])) == ("allowed", ["ACTIVE_WP_CONTEXT_STALE"])
    built.lane("lane-a").add(THEIRS)
    answer = ask(released, built, None)
    assert (answer["outcome"], codes(answer["findings"])) == ("scope_violation", ["ACTIVE_WP_SCOPE_VIOLATION"])
    assert (answer["findings"][0]["file"], answer["work_package_id"], answer["lane_id"]) == (THEIRS, "WP04", "lane-a")
    built.wp("WP04").submit()
    answer = ask(released, built, None)
    assert (answer["outcome"], codes(answer["findings"])) == (
        "stale_or_ambiguous_context",
        ["ACTIVE_WP_CONTEXT_AMBIGUOUS"],
    )


@pytest.mark.parametrize("mode", ["warn", None])
def test_it_warns_and_lets_pass(released: SpecKitty, built: RepositoryMission, mode: str | None) -> None:
    built.lane("lane-a").add(THEIRS)
    answer = ask(released, built, mode)
    assert (answer["outcome"], answer["findings"]) == ("allowed", [])
    assert codes(answer["warnings"]) == ["ACTIVE_WP_CONTEXT_STALE", "ACTIVE_WP_SCOPE_VIOLATION"]


def test_its_hook_prints_text_only(released: SpecKitty, built: RepositoryMission) -> None:
    request = Guard(root=str(built.lane("lane-a").path))
    assert str(released.ask(Surface(request=request, format="json")).kind) == "unsupported"
    argv = released.ask(Surface(request=request, format="text")).value["argv"]
    assert argv[1:] == ["-m", "specify_cli.policy.commit_guard_hook"]
