"""What the ``kitty`` fixture is: builders, faults and judges, in a directory of the test's own. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from kitty_reliability.build.mission import Mission
    from kitty_reliability.build.prompts import BuiltPrompt, PromptPair
    from kitty_reliability.build.repository import Repository
    from kitty_reliability.faults.disk import DiskFault
    from kitty_reliability.faults.log import Damaged
    from kitty_reliability.faults.moments import CrashPoint
    from kitty_reliability.faults.process import Sandbox
    from kitty_reliability.faults.race import Call, Race
    from kitty_reliability.faults.sync import FakeSyncClient
    from kitty_reliability.faults.sync_script import StepLike
    from kitty_reliability.faults.sync_service import SyncService
    from kitty_reliability.observe.leaks import LeakMark

    from .results import CommandResult

__all__ = ["Kitty"]


class Kitty:
    """Builds state, breaks it and looks at it, each in a directory of its own under ``base``.

    As a context manager, or by ``close``, it ends what it started: processes, services, the guard of the network.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self._made = 0
        self._ending = ExitStack()
        self._sandbox: Sandbox | None = None
        self._guarded = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started."""
        self._ending.close()

    # --- build

    def mission(self, work_packages: Any = None, *, root: Path | None = None, **options: Any) -> Mission:
        """Build a mission as files only; arguments as in ``kitty_reliability.mission``.

        >>> built = kitty.mission(wps={"WP01": "approved", "WP02": "in_review"})
        >>> built.lanes["WP02"]
        'in_review'
        """
        from kitty_reliability.build.mission import mission

        return mission(root or self._directory(), work_packages, **options)

    def legacy(self, name: str, *, root: Path | None = None) -> Mission:
        """Build a mission in a shape that older versions left; names as in ``build.legacy.LEGACY``.

        >>> kitty.legacy("number-as-text").meta["mission_number"]
        '042'
        """
        from kitty_reliability.build.legacy import legacy

        return legacy(name, root or self._directory())

    def repository(self, *, root: Path | None = None, **options: Any) -> Repository:
        """Build a git repository with one commit; arguments as in ``kitty_reliability.repository``.

        >>> repository = kitty.repository(remote=True).diverge("main", ahead=84, behind=6, fetched=False)
        >>> repository.mission(wps={"WP01": "claimed"}).lanes
        {'WP01': 'claimed'}
        """
        from kitty_reliability.build.repository import repository

        return repository(root or self._directory(), **options)

    #: The same, for who likes it short.
    repo = repository

    @property
    def PROMPT_FIELDS(self) -> tuple[str, ...]:  # noqa: N802 - a constant; a property, so that nothing is imported for it
        """The eleven identity fields of a prompt (clause RPM-005).

        >>> len(kitty.PROMPT_FIELDS)
        11
        """
        from kitty_reliability.formats.prompts import PROMPT_FIELDS

        return PROMPT_FIELDS

    def prompt(self, mission: Mission, work_package: str = "WP01", **options: Any) -> BuiltPrompt:
        """Write the review prompt of a work package; arguments as in ``build.prompts.prompt``.

        >>> kitty.prompt(kitty.mission()).tampered("mission_id").work_package
        'WP01'
        """
        from kitty_reliability.build.prompts import prompt

        return prompt(mission, work_package, **options)

    def prompt_pair(self, *, differ: str = "repo", **options: Any) -> PromptPair:
        """Write two review prompts in one frozen second that differ in one thing: ``repo``, ``mission`` and so on.

        >>> one, other = kitty.prompt_pair(differ="mission")
        >>> one.path != other.path
        True
        """
        from kitty_reliability.build.prompts import prompt_pair

        return prompt_pair(self._directory(), differ=differ, **options)

    # --- break

    def damage(self, mission: Mission) -> Damaged:
        """Return the verbs of damage of a mission's log; ``undo()`` takes all of it back.

        >>> built = kitty.mission(wps={"WP01": "claimed"})
        >>> healthy = built.log.data
        >>> kitty.damage(built).duplicated_row().torn_tail(at=40).undo()
        >>> built.log.path.read_bytes() == healthy
        True
        """
        from kitty_reliability.faults.log import damage

        return damage(mission.log)

    def disk_fault(
        self, path: Path, mode: Literal["lost", "altered", "full", "torn", "slow"], **options: Any
    ) -> DiskFault:
        """Describe a fault on ``path``; ``with fault.here():`` puts it in place.

        >>> built = kitty.mission()
        >>> with kitty.disk_fault(built.log.path, "lost").here():
        ...     _ = built.log.path.write_bytes(b"gone")
        >>> built.log.path.read_bytes() == built.log.data
        True
        """
        from kitty_reliability.faults.disk import DiskFault

        self._made += 1
        return DiskFault(path, mode, self.base / f"fault-{self._made}", **options)

    def sync_client(self, *script: StepLike, default: StepLike = "ok") -> FakeSyncClient:
        """Return an in-process sync client that fails by script; nothing but the loopback can be reached from now on.

        >>> client = kitty.sync_client("lock-held")
        >>> try:
        ...     client.call("push")
        ... except TimeoutError as error:
        ...     print(error)
        final sync lock unavailable: held by another process
        """
        from kitty_reliability.faults.sync import FakeSyncClient
        from kitty_reliability.faults.sync_script import SyncScript

        self.only_loopback()
        return FakeSyncClient(SyncScript(*script, default=default))

    def sync_service(self, *script: StepLike, default: StepLike = "ok", **options: Any) -> SyncService:
        """Start a hosted service on the loopback that fails by script; nothing else can be reached from now on.

        It is for programs in processes of their own: give them its ``environment()``.

        >>> service = kitty.sync_service("401", default="500")
        >>> service.environment()["SPEC_KITTY_SAAS_URL"] == service.url
        True
        """
        from kitty_reliability.faults.sync_script import SyncScript
        from kitty_reliability.faults.sync_service import SyncService

        self.only_loopback()
        return self._ending.enter_context(SyncService(SyncScript(*script, default=default), **options))

    def only_loopback(self) -> None:
        """Let nothing but the loopback be reached until the test ends; a test that tries fails by name (NFR-002).

        >>> kitty.only_loopback()
        """
        if not self._guarded:
            from kitty_reliability.faults.network import only_loopback

            self._ending.enter_context(only_loopback())
            self._guarded = True

    # --- run

    def sandbox(self, *, sync: bool = False) -> Sandbox:
        """Make a place to run commands in that neither see nor touch anything of the user's.

        >>> import sys
        >>> kitty.sandbox().run([sys.executable, "-c", "print(1)"]).one_json()
        1
        """
        from kitty_reliability.faults.process import Sandbox

        return self._ending.enter_context(Sandbox(self._directory(), sync=sync))

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        finalizer: str | None = None,
        cwd: Path | str | None = None,
        **options: Any,
    ) -> CommandResult:
        """Run a command in the test's sandbox until it ends, with a final sync that fails when ``finalizer`` says how.

        Arguments as in ``Sandbox.run``; with ``finalizer``, a word of ``SyncFault``, those of
        ``faults.finalizer.run_with_finalizer``: ``times``, ``lock`` and so on.

        >>> import sys
        >>> result = kitty.run([sys.executable, "-c", "print('{}')"], finalizer="500", times=3)
        >>> result.stdout.one_json(), result.stderr.diagnostics(count=0), result.requests
        ({}, [], ())
        """
        from kitty_reliability.faults.finalizer import FinalizedRun, run_with_finalizer

        from .results import CommandResult

        if finalizer is None:
            return CommandResult.of(FinalizedRun(self._shared_sandbox.run(argv, cwd=cwd, **options)))
        return CommandResult.of(run_with_finalizer(self._shared_sandbox, argv, finalizer, cwd=cwd, **options))

    def race(self, number: int, contestant: Callable[[int], Sequence[str | Path] | Call], **options: Any) -> Race:
        """Let ``number`` processes go at once and wait for all; arguments as in ``faults.race.race``.

        >>> import sys
        >>> [ran.status for ran in kitty.race(2, lambda i: [sys.executable, "-c", f"raise SystemExit({i})"]).runs]
        [0, 1]
        """
        from kitty_reliability.faults.race import race

        return race(number, contestant, self._shared_sandbox, **options)

    def crash_points(
        self, command: Sequence[str | Path], mission: Mission, *, watch: Sequence[Path] = (), **options: Any
    ) -> Iterator[CrashPoint]:
        """Run a command again and again, killed at the first change of the mission's files, the second, and so on.

        Before each run the mission's directory is put back to what it is now. ``watch`` names more to look at;
        further arguments as in ``faults.moments.crash_points``.

        >>> import sys
        >>> built = kitty.mission()
        >>> slow = f"import time; open({str(built.log.path)!r}, 'ab').write(b'x'); time.sleep(0.5)"
        >>> [point.struck for point in kitty.crash_points([sys.executable, "-c", slow], built)]
        [True, False]
        """
        from kitty_reliability.faults.kept import keep
        from kitty_reliability.faults.moments import crash_points

        kept = keep(mission.directory, self._directory() / "kept")
        options = {"sandbox": self._shared_sandbox, "prepare": kept.restore, **options}
        return crash_points([str(word) for word in command], [mission.directory, *watch], **options)

    # --- look

    def state(self, mission: Mission) -> dict[str, str | None]:
        """Return the lane of each work package by the log that is on disk, whoever wrote it; None: no row moves it.

        >>> kitty.state(kitty.mission(wps={"WP01": "for_review"}))
        {'WP01': 'for_review'}
        """
        from kitty_reliability.observe.rows import lane_from_bytes

        data = mission.log.path.read_bytes() if mission.log.path.exists() else b""
        return {wp_id: lane_from_bytes(data, wp_id) for wp_id in mission.work_packages}

    def leaks(self, checkout: Path | None = None) -> LeakMark:
        """Remember HOME and TMPDIR of the test's sandbox, and a checkout; ``left()`` names what is left there later.

        >>> mark = kitty.leaks()
        >>> import sys
        >>> _ = kitty.run([sys.executable, "-c", "from pathlib import Path; Path.home().joinpath('x').touch()"])
        >>> [leak.name for leak in mark.left()]
        ['HOME/x']
        """
        from kitty_reliability.observe.leaks import mark_leaks

        sandbox = self._shared_sandbox
        return mark_leaks(home=sandbox.home, temporary=sandbox.temporary, checkout=checkout)

    @property
    def _shared_sandbox(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = self.sandbox()
        return self._sandbox

    def _directory(self) -> Path:
        self._made += 1
        directory = self.base / f"repo-{self._made}"
        directory.mkdir(parents=True)
        return directory
