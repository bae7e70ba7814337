"""The fixtures. Each body imports what it needs, so that loading the plugin imports nothing. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kitty_reliability.build.event_log import EventLog
    from kitty_reliability.build.mission import Mission
    from kitty_reliability.build.prompts import BuiltPrompt
    from kitty_reliability.build.repository import Repository
    from kitty_reliability.faults.process import Sandbox
    from kitty_reliability.faults.sync import FakeSyncClient
    from kitty_reliability.faults.sync_service import SyncService
    from kitty_reliability.implementations.base import Implementation

    from .facade import Kitty

_base_key = pytest.StashKey[list[Any]]()

_MISSION_KEYS = frozenset({"work_packages", "wps", "slug", "topology", "meta"})
_MARKER_KEYS = _MISSION_KEYS | {"sync"}


@pytest.fixture
def kitty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitty]:
    """Everything in one: builds state, breaks it, runs commands on it and looks at it, in a directory of this test.

    Example::

        def test_mine(kitty):
            mission = kitty.mission(wps={"WP01": "approved"})
            assert kitty.state(mission) == {"WP01": "approved"}
    """
    from .facade import Kitty

    # One base directory a session and a counter in it: pytest's own directory for each test costs more with
    # every test that ran before.
    state = request.config.stash.setdefault(_base_key, [None, 0])
    if state[0] is None:
        state[0] = tmp_path_factory.mktemp("kitty")
    state[1] += 1
    base: Path = state[0] / f"test-{state[1]}"
    with Kitty(base) as made:
        yield made


@pytest.fixture
def kitty_mission(request: pytest.FixtureRequest, kitty: Kitty) -> Mission:
    """One mission, files only; the ``kitty`` marker says what it holds.

    Example::

        @pytest.mark.kitty(work_packages={"WP01": "in_review"})
        def test_mine(kitty_mission):
            assert kitty_mission.lanes == {"WP01": "in_review"}
    """
    return kitty.mission(**_marked(request, _MISSION_KEYS))


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
    repository.mission(**_marked(request, _MISSION_KEYS))
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
def kitty_prompt(kitty: Kitty, kitty_mission: Mission) -> BuiltPrompt:
    """The review prompt of the first work package of ``kitty_mission``.

    Example::

        def test_mine(kitty, kitty_prompt):
            for field in kitty.PROMPT_FIELDS:
                assert kitty_prompt.tampered(field).path == kitty_prompt.path
    """
    return kitty.prompt(kitty_mission, next(iter(kitty_mission.work_packages)))


@pytest.fixture
def kitty_prompt_factory(kitty: Kitty) -> Callable[..., BuiltPrompt]:
    """Writes the review prompt of a mission's work package, one a call.

    Example::

        def test_mine(kitty_mission, kitty_prompt_factory):
            first, again = kitty_prompt_factory(kitty_mission), kitty_prompt_factory(kitty_mission)
            assert first.path != again.path
    """
    return kitty.prompt


@pytest.fixture
def kitty_sandbox(kitty: Kitty) -> Sandbox:
    """A place to run commands in that neither see nor touch anything of yours; what they leave running is ended.

    Example::

        import sys

        def test_mine(kitty_sandbox):
            home = "import json, os; print(json.dumps(os.environ['HOME']))"
            assert kitty_sandbox.run([sys.executable, "-c", home]).one_json() == str(kitty_sandbox.home)
    """
    return kitty.sandbox()


@pytest.fixture
def kitty_sandbox_factory(kitty: Kitty) -> Callable[..., Sandbox]:
    """Makes one such place a call; ``sync=True`` switches hosted sync on, with a dead address.

    Example::

        def test_mine(kitty_sandbox_factory):
            one, other = kitty_sandbox_factory(), kitty_sandbox_factory(sync=True)
            assert one.home != other.home
            assert other.environment["SPEC_KITTY_ENABLE_SAAS_SYNC"] == "1"
    """
    return kitty.sandbox


@pytest.fixture
def kitty_only_loopback(kitty: Kitty) -> None:
    """Nothing but the loopback can be reached; a test that tries fails and names the address (NFR-002).

    Example::

        import socket

        def test_mine(kitty_only_loopback):
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()
    """
    kitty.only_loopback()


@pytest.fixture
def kitty_sync_client(request: pytest.FixtureRequest, kitty: Kitty) -> FakeSyncClient:
    """An in-process sync client that fails by script; the ``kitty`` marker's ``sync`` has the script.

    Example::

        @pytest.mark.kitty(sync=["lock-held", "500"])
        def test_mine(kitty_sync_client):
            for _ in range(2):
                with pytest.raises(Exception):
                    kitty_sync_client.call("push", {"event": 1})
            assert [call.fault for call in kitty_sync_client.calls] == ["lock-held", "500"]
    """
    return kitty.sync_client(*_marked(request, {"sync"}).get("sync", ()))


@pytest.fixture
def kitty_sync_client_factory(kitty: Kitty) -> Callable[..., FakeSyncClient]:
    """Makes one such client a call, with the steps of its script as arguments.

    Example::

        def test_mine(kitty_sync_client_factory):
            client = kitty_sync_client_factory(("429", {"times": 2}))
            assert client.script.length == 2
    """
    return kitty.sync_client


@pytest.fixture
def kitty_sync_service(request: pytest.FixtureRequest, kitty: Kitty) -> SyncService:
    """A hosted service on the loopback, for programs in processes of their own; scripted as the client is.

    Example::

        import urllib.error, urllib.request

        @pytest.mark.kitty(sync=["401"])
        def test_mine(kitty_sync_service):
            with pytest.raises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(f"{kitty_sync_service.url}/api/v1/me", timeout=10)
            raised.value.close()
            assert [request.path for request in kitty_sync_service.requests] == ["/api/v1/me"]
    """
    return kitty.sync_service(*_marked(request, {"sync"}).get("sync", ()))


@pytest.fixture
def kitty_sync_service_factory(kitty: Kitty) -> Callable[..., SyncService]:
    """Starts one such service a call, with the steps of its script as arguments.

    Example::

        def test_mine(kitty_sync_service_factory):
            one, other = kitty_sync_service_factory("401"), kitty_sync_service_factory("reset", default="500")
            assert one.port != other.port
    """
    return kitty.sync_service


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


def _marked(request: pytest.FixtureRequest, keys: AbstractSet[str]) -> dict[str, Any]:
    marker = request.node.get_closest_marker("kitty")
    if marker is None:
        return {}
    unknown = sorted(set(marker.kwargs) - _MARKER_KEYS)
    if unknown or marker.args:
        known = ", ".join(sorted(_MARKER_KEYS))
        wrong = ", ".join(unknown) if unknown else "positional arguments"
        raise pytest.UsageError(f"@pytest.mark.kitty takes {known}; not {wrong}")
    return {key: value for key, value in marker.kwargs.items() if key in keys}
