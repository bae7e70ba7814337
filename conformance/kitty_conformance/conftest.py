"""The fixtures of the suite, and what has to be true after every scenario."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import pytest

from kitty_reliability.faults.network import NetworkForbidden, NetworkGuard, only_loopback
from pytest_kitty.plugin import clause_report, kitty_session
from pytest_kitty.report import ClauseVerdict
from pytest_kitty.scenarios import Finding, ScenarioFailure

from .reproducing.trace import tracer_key
from .world import Worlds


def pytest_configure(config: pytest.Config) -> None:
    """Register the suite's own marker."""
    config.addinivalue_line("markers", "reads_only: the scenario asks nothing that writes.")


_worlds_key = pytest.StashKey[Worlds]()
#: What keeps a scenario, while it runs, and the programs that it starts with its environment, on the loopback.
guard_key = pytest.StashKey[NetworkGuard]()


@pytest.fixture
def worlds(request: pytest.FixtureRequest, tmp_path: Any) -> Worlds:
    """Builds missions, each in a world of its own, for the implementation under test."""
    session = kitty_session(request.config)
    # The name of the scenario and the seed of the run: the same draws in any order, alone or in parallel.
    rng = Random(f"{session.seed}:{request.node.name}")
    tracer = request.config.stash.get(tracer_key, None)
    trace = None if tracer is None else tracer.begin(request.node.nodeid, tmp_path, session.implementation)
    made = Worlds(tmp_path, session.implementation, session.profile, rng, trace)
    request.node.stash[_worlds_key] = made
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Nothing but the loopback is reached; and what was acknowledged has to be on disk, whatever it was about."""
    try:
        with only_loopback() as guard:
            item.stash[guard_key] = guard
            result = yield
    except NetworkForbidden as error:
        raise ScenarioFailure(Finding.REACHED_OUT, str(error)) from error
    made = item.stash.get(_worlds_key, None)
    if made is not None:
        made.settle()
    return result


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run in which a clause stayed undecided does not end with 0: the exit status of the kit is 2 then."""
    if session.exitstatus != pytest.ExitCode.OK or hasattr(session.config, "workerinput"):
        return
    if ClauseVerdict.UNDECIDED in clause_report(session.config).clauses.values():
        session.exitstatus = 2
