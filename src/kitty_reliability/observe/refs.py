"""A git repository at two moments: HEAD, refs, index and reflog (clauses STA-010, MSP-005)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["RepositoryMark", "mark_repository"]


@dataclass(frozen=True, slots=True)
class RepositoryMark:
    """A repository as it was.

    ``head`` is the commit that is checked out, empty before the first, ``branch`` the ref that names it (the commit again when HEAD is
    detached); ``refs`` has (name, object id), ``index`` has (path, mode, object id), and ``reflog`` counts the
    entries of HEAD's reflog.
    """

    root: Path
    head: str
    branch: str
    refs: tuple[tuple[str, str], ...]
    index: tuple[tuple[str, int, str], ...]
    reflog: int

    def changes(self) -> list[str]:
        """Return one sentence for each thing that differs now."""
        now = mark_repository(self.root)
        said = []
        if now.head != self.head:
            said.append(f"HEAD moved from {self.head} to {now.head}")
        if now.branch != self.branch:
            said.append(f"HEAD names {now.branch}, it named {self.branch}")
        before, after = dict(self.refs), dict(now.refs)
        said += [
            f"ref {name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
        if now.index != self.index:
            said.append("the index changed")
        if now.reflog != self.reflog:
            said.append(f"the reflog of HEAD has {now.reflog} entries, it had {self.reflog}")
        return said


def mark_repository(root: Path) -> RepositoryMark:
    """Remember the repository at ``root``, read with GitPython from its files, without running git."""
    from git import Repo
    from git.refs import SymbolicReference

    with _plain_environment(), Repo(root) as repo:
        # Asking for a commit would start git; the ids stand in the ref files.
        refs = [(ref.path, SymbolicReference.dereference_recursive(repo, ref.path)) for ref in repo.refs]
        index = [(str(entry.path), entry.mode, entry.hexsha) for entry in repo.index.entries.values()]
        try:
            head = SymbolicReference.dereference_recursive(repo, "HEAD")
        except ValueError:
            head = ""
        branch = (Path(repo.git_dir) / "HEAD").read_text(encoding="utf-8").strip().removeprefix("ref: ")
        log = Path(repo.git_dir) / "logs" / "HEAD"
        entries = len(log.read_bytes().splitlines()) if log.is_file() else 0
    return RepositoryMark(root, head, branch, tuple(sorted(refs)), tuple(sorted(index)), entries)


@contextmanager
def _plain_environment() -> Iterator[None]:
    """Hide git's variables, such as those of a hook that runs the tests: GitPython takes another repository's by them."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("GIT_")}
    try:
        yield
    finally:
        os.environ.update(hidden)
