"""The steps that verbs are made of, done by git; ``git_template`` does the same without it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BuildError
from .git_objects import IDENTITY
from .git_template import Change

if TYPE_CHECKING:
    from .repository import Repository

__all__ = ["Steps"]


class Steps:
    """The steps that verbs are made of, each done by git itself. ``Ledger`` does the same without it."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo

    def tip(self, ref: str) -> str | None:
        """Return the commit of a reference."""
        return self._repo.git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False).strip() or None

    def remote_tip(self, ref: str) -> str | None:
        """Return the commit of a reference of the remote."""
        return self._bare("rev-parse", "--verify", "--quiet", ref, check=False).strip() or None

    def contains(self, commit_id: str, older: str) -> bool:
        """Say whether ``older`` is ``commit_id`` or one of its ancestors."""
        return self._repo.git("rev-list", "--max-count=1", older, f"^{commit_id}", check=False) == "" and (
            self.tip(older) is not None
        )

    def commit(self, message: str) -> str:
        """Commit everything that changed."""
        self._repo.git("add", "--all")
        self._repo.git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)
        return self._repo.head

    def grow(self, ref: str, changes: Iterable[Change], start: str | None = None) -> str:
        """Add commits to a branch, in the work tree too when it is the one checked out."""
        git = self._repo.git
        before = start or git("rev-parse", ref).strip()
        git("fast-import", "--quiet", stdin=_stream(ref, changes, before))
        # The main checkout or a linked one; empty when the branch is checked out nowhere.
        where = git("for-each-ref", "--format=%(worktreepath)", ref)[:-1]
        if where:
            try:
                git("update-index", "-q", "--refresh", check=False, cwd=Path(where))
                git("read-tree", "-m", "-u", before, ref, cwd=Path(where))
            except BuildError:
                git("update-ref", ref, before)
                raise
        return git("rev-parse", ref).strip()

    def grow_remote(self, ref: str, changes: Iterable[Change]) -> str:
        """Add commits to a branch of the remote."""
        before = self._bare("rev-parse", ref).strip()
        self._bare("fast-import", "--quiet", stdin=_stream(ref, changes, before))
        return self._bare("rev-parse", ref).strip()

    def point(self, ref: str, commit_id: str) -> None:
        """Set a reference."""
        self._repo.git("update-ref", ref, commit_id)

    def configure(self, text: str) -> None:
        """Add sections to the configuration."""
        with (self._repo.root / ".git" / "config").open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)

    def publish(self, ref: str, upstream: str, tracking: str) -> None:  # noqa: ARG002 - push sets the tracking one
        """Push a branch."""
        self._repo.git("push", "--quiet", self._repo.remote_name, f"{ref}:{upstream}")

    def fetch(self, upstream: str, tracking: str) -> None:
        """Fetch a branch."""
        self._repo.git("fetch", "--quiet", self._repo.remote_name, f"+{upstream}:{tracking}")

    def worktree(self, name: str, branch: str) -> None:
        """Check a branch out in the linked worktree ``.worktrees/<name>``."""
        # Git's own pointers are free of links; the path that is handed out begins as the root does.
        self._repo.git("worktree", "add", "--quiet", str(self._repo.root.resolve() / ".worktrees" / name), branch)

    def flush(self) -> None:
        """Do nothing: git has written everything."""

    def _bare(self, *arguments: str, check: bool = True, stdin: bytes | None = None) -> str:
        return self._repo.git(f"--git-dir={self._repo.remote}", *arguments, check=check, stdin=stdin)


def _stream(ref: str, changes: Iterable[Change], start: str | None) -> bytes:
    """Return the commits as ``git fast-import`` reads them."""
    parts = []
    for change in changes:
        message = f"{change.message}\n".encode()
        parts.append(
            f"commit {ref}\ncommitter {IDENTITY[0]} <{IDENTITY[1]}> {change.seconds} +0000\ndata {len(message)}\n".encode()
            + message
        )
        if start:
            parts.append(f"from {start}\n".encode())
            start = None
        for path, data in change.files.items():
            parts.append(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
    return b"".join(parts)
