"""Checkouts, and what can be staged in them (clauses OWN-004 to OWN-007, OWN-011).

Every verb changes the real file and the real index and returns the checkout. A name is taken as it is: blanks,
newlines, brackets, a leading dash, any letter. What a file system does not take (a newline on Windows) is an error.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kitty_reliability.formats.workspace import WorkspaceContext, context_path

from .errors import BuildError
from .files import put
from .names import inside, write

if TYPE_CHECKING:
    from .repository import Repository

__all__ = ["Checkout", "Lane"]


class Checkout:
    """A work tree of a repository: the main one, a lane's or the coordination one.

    Arguments:
        repo: the repository.
        path: the work tree.
        branch: the branch that was checked out when it was built.
    """

    def __init__(self, repo: Repository, path: Path, branch: str) -> None:
        self.repo = repo
        self.path = path
        self.branch = branch

    def git(self, *arguments: str, check: bool = True) -> str:
        """Run git here and return its output; errors as in ``Repository.git``."""
        return self.repo.git(*arguments, check=check, cwd=self.path)

    @contextlib.contextmanager
    def cwd(self) -> Iterator[Path]:
        """Make this the working directory of the process for a ``with`` block."""
        with contextlib.chdir(self.path):
            yield self.path

    @property
    def head(self) -> str:
        """The id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD").strip()

    @property
    def status(self) -> str:
        """``git status --porcelain``; empty when the tree is clean."""
        return self.git("status", "--porcelain")

    @property
    def staged(self) -> list[str]:
        """The names that differ between HEAD and the index, both ends of a rename, as they are."""
        return self.git("diff", "--cached", "--name-only", "--no-renames", "-z").split("\0")[:-1]

    def add(self, name: str, content: str | bytes = "new\n") -> Checkout:
        """Write a new file and stage it.

        Raises:
            BuildError: the file is there, the name leads out, or the file system does not take it.
        """
        if os.path.lexists(inside(self.path, name)):
            raise BuildError(f"{name!r} exists in {self.path}; edit it")
        return self._write(name, content)

    def edit(self, name: str, content: str | bytes | None = None) -> Checkout:
        """Change a file, by one more line unless ``content`` is given, and stage it.

        Raises:
            BuildError: there is no such file.
        """
        path = self._there(name)
        return self._write(name, path.read_bytes() + b"edited\n" if content is None else content)

    def delete(self, name: str) -> Checkout:
        """Remove a file and stage that.

        Raises:
            BuildError: there is no such file, or git does not know it.
        """
        self._there(name)
        self._literal("rm", "--quiet", "--force", "--", name)
        return self

    def rename(self, name: str, to: str) -> Checkout:
        """Move a file and stage both ends.

        Raises:
            BuildError: there is no such file, or something is at the other end.
        """
        self._there(name)
        inside(self.path, to).parent.mkdir(parents=True, exist_ok=True)
        self._literal("mv", "--", name, to)
        return self

    def chmod(self, name: str, *, executable: bool = True) -> Checkout:
        """Make a file executable, or not, and stage that. On Windows only the index knows of it.

        Raises:
            BuildError: there is no such file, or git does not know it.
        """
        path = self._there(name)
        if os.name == "posix":
            path.chmod(path.stat().st_mode & ~0o111 | (0o111 if executable else 0))
        self._literal("update-index", f"--chmod={'+' if executable else '-'}x", "--", name)
        return self

    def commit(self, message: str = "Work") -> str:
        """Commit what is staged and return the commit's id."""
        self.repo.clock.tick()
        self.git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)
        return self.head

    def _write(self, name: str, content: str | bytes) -> Checkout:
        write(self.path, name, content)
        self._literal("add", "--", name)
        return self

    def _literal(self, *arguments: str) -> None:
        # Brackets and stars in a name are letters, not patterns.
        self.git("--literal-pathspecs", *arguments)

    def _there(self, name: str) -> Path:
        path = inside(self.path, name)
        if not os.path.isfile(path):  # noqa: PTH113 - says no to a name that is too long, where Path raises
            raise BuildError(f"there is no file {name!r} in {self.path}")
        return path


class Lane(Checkout):
    """The worktree of a lane, and what is remembered of it in the main checkout.

    Arguments:
        lane_id: such as ``lane-a``.
        context: what the context file says while it is fresh.
    """

    def __init__(self, repo: Repository, path: Path, branch: str, lane_id: str, context: WorkspaceContext) -> None:
        super().__init__(repo, path, branch)
        self.lane_id = lane_id
        self.context = context

    @property
    def work_packages(self) -> Sequence[str]:
        """The work packages that share the lane, in order."""
        return self.context.lane_wp_ids

    @property
    def context_path(self) -> Path:
        """The file of the context, in the main checkout."""
        return context_path(self.repo.root, self.context.mission_slug, self.lane_id)

    def fresh_context(self) -> Lane:
        """Write the context as it should be."""
        return self._context(self.context.encode())

    def stale_context(self, work_package: str | None = None) -> Lane:
        """Have the context name another work package of the lane than the active one.

        Raises:
            BuildError: the lane has no other one.
        """
        others = [wp for wp in self.work_packages if wp != self.context.current_wp]
        if work_package is None and not others:
            raise BuildError(f"{self.lane_id} has one work package; name another one to be stale with")
        stale = work_package or others[0]
        return self._context(replace(self.context, wp_id=stale, current_wp=stale).encode())

    def ambiguous_context(self) -> Lane:
        """Add a second context that names the same branch."""
        second = replace(self.context, lane_id=f"{self.lane_id}-again")
        path = context_path(self.repo.root, self.context.mission_slug, second.lane_id)
        self.fresh_context()
        path.write_bytes(second.encode())
        return self

    def missing_context(self) -> Lane:
        """Remove the context."""
        self.context_path.unlink(missing_ok=True)
        return self

    def unreadable_context(self) -> Lane:
        """Tear the context: it ends in the middle of a value."""
        data = self.context.encode()
        return self._context(data[: len(data) // 2])

    def _context(self, data: bytes) -> Lane:
        put(str(self.context_path), data)
        return self
