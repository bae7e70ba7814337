"""The fixtures. Each body imports what it needs, so that loading the plugin imports nothing. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kitty_reliability.build.event_log import EventLog
    from kitty_reliability.build.mission import Mission
    from kitty_reliability.build.repository import Repository
    from kitty_reliability.implementations.base import Implementation

    from .facade import Kitty

_base_key = pytest.StashKey[list[Any]]()

_MARKER_KEYS = frozenset({"work_packages", "slug", "topology", "meta"})


@pytest.fixture
def kitty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kitty:
    """Builders for missions and repositories in a directory of this test.

    Example::

        def test_mine(kitty):
            mission = kitty.mission({"WP01": "approved"})
            assert mission.lanes == {"WP01": "approved"}
    """
    from .facade import Kitty

    # One base directory a session and a counter in it: pytest's own directory for each test costs more with
    # every test that ran before.
    state = request.config.stash.setdefault(_base_key, [None, 0])
    if state[0] is None:
        state[0] = tmp_path_factory.mktemp("kitty")
    state[1] += 1
    base: Path = state[0] / f"test-{state[1]}"
    return Kitty(base)


@pytest.fixture
def kitty_mission(request: pytest.FixtureRequest, kitty: Kitty) -> Mission:
    """One mission, files only; the ``kitty`` marker says what it holds.

    Example::

        @pytest.mark.kitty(work_packages={"WP01": "in_review"})
        def test_mine(kitty_mission):
            assert kitty_mission.lanes == {"WP01": "in_review"}
    """
    return kitty.mission(**_marked(request))


@pytest.fixture
def kitty_mission_factory(kitty: Kitty) -> Callable[..., Mission]:
    """Builds one mission a call, files only.

    Example::

        def test_mine(kitty_mission_factory):
            mission = kitty_mission_factory({"WP01": "claimed"})
            assert mission.log.path.exists()
    """
    return kitty.mission


@pytest.fixture
def kitty_event_log(kitty_mission: Mission) -> EventLog:
    """The event log of ``kitty_mission``, to go on with verb by verb.

    Example::

        def test_mine(kitty_event_log):
            kitty_event_log.lane("WP01", "claimed").note("WP01", "hi").raw(b'{"half')
            assert kitty_event_log.path.read_bytes().endswith(b'{"half')
    """
    return kitty_mission.log


@pytest.fixture
def kitty_repository(request: pytest.FixtureRequest, kitty: Kitty) -> Repository:
    """A git repository with one committed mission, as ``kitty_repository.missions[0]``.

    Example::

        def test_mine(kitty_repository):
            assert kitty_repository.status == ""
            assert kitty_repository.missions[0].lanes == {"WP01": "planned"}
    """
    repository = kitty.repository()
    repository.mission(**_marked(request))
    return repository


@pytest.fixture
def kitty_repository_factory(kitty: Kitty) -> Callable[..., Repository]:
    """Builds one git repository a call, with one commit and no mission.

    Example::

        def test_mine(kitty_repository_factory):
            repository = kitty_repository_factory(branch="develop")
            assert repository.git("branch", "--show-current").strip() == "develop"
    """
    return kitty.repository


@pytest.fixture
def kitty_implementation(request: pytest.FixtureRequest) -> Implementation:
    """The implementation under test that ``--kitty-implementation`` names; the reference by default.

    Example::

        def test_mine(kitty_implementation, kitty_mission):
            from kitty_reliability.implementations.protocol import State

            root, slug = str(kitty_mission.root), kitty_mission.slug
            assert kitty_implementation.ask(State(root=root, mission=slug)).ok
    """
    from .plugin import kitty_session

    return kitty_session(request.config).implementation


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker("kitty")
    if marker is None:
        return {}
    unknown = sorted(set(marker.kwargs) - _MARKER_KEYS)
    if unknown or marker.args:
        known = ", ".join(sorted(_MARKER_KEYS))
        wrong = ", ".join(unknown) if unknown else "positional arguments"
        raise pytest.UsageError(f"@pytest.mark.kitty takes {known}; not {wrong}")
    return dict(marker.kwargs)
