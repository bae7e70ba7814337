"""What the ``kitty`` fixture is: the builders, in a directory of the test's own. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from kitty_reliability.build.mission import Mission
    from kitty_reliability.build.repository import Repository
    from kitty_reliability.faults.disk import DiskFault
    from kitty_reliability.faults.process import Sandbox

__all__ = ["Kitty"]


class Kitty:
    """Builds missions and repositories, each in a directory of its own under ``base``."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._made = 0

    def mission(self, work_packages: Any = None, *, root: Path | None = None, **options: Any) -> Mission:
        """Build a mission as files only; arguments as in ``kitty_reliability.mission``.

        >>> built = kitty.mission({"WP01": "approved", "WP02": "in_review"})
        >>> built.lanes["WP02"]
        'in_review'
        """
        from kitty_reliability.build.mission import mission

        return mission(root or self._directory(), work_packages, **options)

    def repository(self, *, root: Path | None = None, **options: Any) -> Repository:
        """Build a git repository with one commit; arguments as in ``kitty_reliability.repository``.

        >>> repository = kitty.repository()
        >>> repository.mission({"WP01": "claimed"}).lanes
        {'WP01': 'claimed'}
        """
        from kitty_reliability.build.repository import repository

        return repository(root or self._directory(), **options)

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

    def prompt_pair(self, *, differ: str, **options: Any) -> Any:
        """Write two review prompts in one frozen second that differ in one thing: ``repo``, ``mission`` and so on.

        >>> one, other = kitty.prompt_pair(differ="mission")
        >>> one.path != other.path
        True
        """
        from kitty_reliability.build.prompts import prompt_pair

        return prompt_pair(self._directory(), differ=differ, **options)

    def sandbox(self, *, sync: bool = False) -> Sandbox:
        """Make a place to run commands in that neither see nor touch anything of the user's.

        >>> import sys
        >>> with kitty.sandbox() as sandbox:
        ...     sandbox.run([sys.executable, "-c", "print(1)"]).one_json()
        1
        """
        from kitty_reliability.faults.process import Sandbox

        return Sandbox(self._directory(), sync=sync)

    def _directory(self) -> Path:
        self._made += 1
        directory = self.base / f"repo-{self._made}"
        directory.mkdir(parents=True)
        return directory
