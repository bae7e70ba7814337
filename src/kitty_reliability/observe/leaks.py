"""What a test left behind: in HOME, in TMPDIR, in a checkout, and running (clause STA-010; scenarios: 4.2).

Files are compared by size, permissions, time of writing, and content up to a megabyte. Of a folder that is new only
the top is named.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Final

from .refs import RepositoryMark, mark_repository

__all__ = ["Leak", "LeakMark", "mark_leaks"]

#: What git writes all the time, told by refs and index instead. A lock, a hook or a half-done merge stands beside it.
_GIT_OWN: Final = frozenset(
    {
        "objects",
        "refs",
        "logs",
        "worktrees",
        "index",
        "HEAD",
        "packed-refs",
        "ORIG_HEAD",
        "FETCH_HEAD",
        "COMMIT_EDITMSG",
    }
)

#: Up to here a file's content counts, beside its time of writing, in bytes.
_SMALL: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that was left.

    ``name`` is what patterns are compared with: ``HOME/.cache/x``, ``TMPDIR/x`` and ``checkout/x`` for files and
    folders, ``HEAD``, ``index``, ``reflog`` or a full ref name, ``worktree/x``, ``process/`` and the command line. ``sentence``
    says what happened to it.
    """

    name: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class LeakMark:
    """How things were; made by ``mark_leaks``."""

    home: Path | None
    temporary: Path | None
    checkout: Path | None
    files: Mapping[str, str]
    repository: RepositoryMark | None
    worktrees: Mapping[str, str]
    processes: Mapping[tuple[int, str], str]

    def left(self, *, ignore: Iterable[str] = (), settle: float = 1.0) -> list[Leak]:
        """Return what is different now, in a stable order; empty when nothing is.

        Arguments:
            ignore: patterns of names, as of ``fnmatch``: a ``*`` also matches slashes. What is in a folder that is
                ignored is ignored.
            settle: how long processes are given to end, in seconds; spent only while there are some.
        """
        skipped = _Ignore(tuple(ignore))
        deadline = time.monotonic() + settle
        # First: a process that is about to end may still be tidying up.
        while (running := [*self._running(skipped)]) and time.monotonic() < deadline:
            time.sleep(0.01)
        leaks = [
            *_compare_files(self.files, _files(self.home, self.temporary, self.checkout), skipped),
            *_compare_repositories(self.repository, _repository(self.checkout)),
            *_compare_worktrees(self.worktrees, _worktrees(self.checkout)),
            *running,
        ]
        return [leak for leak in leaks if not skipped(leak.name)]

    def _running(self, skipped: _Ignore) -> Iterator[Leak]:
        for (process, started), command in _processes(self.home).items():
            if (process, started) not in self.processes and not skipped(f"process/{command}"):
                yield Leak(f"process/{command}", f"process {process} still runs with this HOME: {command}")


def mark_leaks(*, home: Path | None = None, temporary: Path | None = None, checkout: Path | None = None) -> LeakMark:
    """Remember how things are.

    Arguments:
        home: a HOME; on Linux also the processes whose environment has it, so it should be a test's own.
        temporary: a TMPDIR.
        checkout: a working tree; with git, also its HEAD, refs, index, reflog, worktrees, and what lies about in ``.git``.
    """
    return LeakMark(
        home,
        temporary,
        checkout,
        _files(home, temporary, checkout),
        _repository(checkout),
        _worktrees(checkout),
        _processes(home),
    )


@dataclass(frozen=True, slots=True)
class _Ignore:
    patterns: tuple[str, ...]

    def __call__(self, name: str) -> bool:
        return any(fnmatchcase(part, pattern) for pattern in self.patterns for part in (name, *_above(name)))


def _above(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


# --- files


def _files(home: Path | None, temporary: Path | None, checkout: Path | None) -> dict[str, str]:
    """Return name -> what tells that it changed, for everything under the three; a link is not followed."""
    roots = {"HOME": home, "TMPDIR": temporary, "checkout": checkout}
    marked = {os.path.realpath(root): label for label, root in roots.items() if root is not None}
    found: dict[str, str] = {}
    for top, label in marked.items():
        for directory, folders, files in os.walk(top):
            # One that lies in another is told once, under its own name.
            folders[:] = [name for name in folders if os.path.join(directory, name) not in marked]  # noqa: PTH118
            if label == "checkout" and directory == top:
                files = [name for name in files if name != ".git"]
            if label == "checkout" and directory == os.path.join(top, ".git"):  # noqa: PTH118
                folders[:] = [name for name in folders if name not in _GIT_OWN]
                files = [name for name in files if name not in _GIT_OWN]
            for name in (*folders, *files):
                path = Path(directory, name)
                with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                    # Git writes its configuration anew when nothing in it changes.
                    in_git = label == "checkout" and path.is_relative_to(Path(top, ".git"))
                    found[f"{label}/{path.relative_to(top).as_posix()}"] = _describe(path, timed=not in_git)
    return found


def _describe(path: Path, *, timed: bool) -> str:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return f"a link to {path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return f"a folder, permissions {mode:o}"
    if not stat.S_ISREG(status.st_mode):
        return f"a special file, permissions {mode:o}"
    told = f"a file of {status.st_size} bytes, permissions {mode:o}"
    if timed:
        told += f", written at {status.st_mtime_ns}"
    # A clock ticks every few milliseconds: within one, a file of the same size is told apart by its content only.
    if not timed or status.st_size <= _SMALL:
        with contextlib.suppress(PermissionError):
            told += f", sha256 {sha256(path.read_bytes()).hexdigest()}"
    return told


def _compare_files(before: Mapping[str, str], now: Mapping[str, str], skipped: _Ignore) -> Iterator[Leak]:
    added = {name for name in now if name not in before}
    gone = {name for name in before if name not in now}
    with_content = {above for name in added for above in _above(name)}
    # A new folder counts for what is in it, unless it is empty.
    leaves = sorted(name for name in added if name not in with_content and not skipped(name))
    tops: dict[str, list[str]] = {}
    for leaf in leaves:
        tops.setdefault(next((above for above in [*_above(leaf)][::-1] if above in added), leaf), []).append(leaf)
    for name in sorted({*tops, *gone, *now}):
        if name in tops:
            inside = f" with {', '.join(tops[name][:3])}{' ...' * (len(tops[name]) > 3)}" * (tops[name] != [name])
            yield Leak(name, f"{name} was left: {now[name].partition(',')[0]}{inside}")
        elif name in gone and not any(above in gone for above in _above(name)):
            yield Leak(name, f"{name} was removed: it was {before[name].partition(',')[0]}")
        elif name in before and name in now and before[name] != now[name]:
            yield Leak(name, f"{name} was changed: it was {before[name]}, it is {now[name]}")


# --- git


def _repository(checkout: Path | None) -> RepositoryMark | None:
    if checkout is None or not os.path.lexists(checkout / ".git"):
        return None
    return mark_repository(checkout)


def _compare_repositories(before: RepositoryMark | None, now: RepositoryMark | None) -> Iterator[Leak]:
    old, new = (dict(mark.refs) if mark else {} for mark in (before, now))
    if before and now and before.branch != now.branch:
        yield Leak("HEAD", f"HEAD names {now.branch}, it named {before.branch}")
    if before and now and before.index != now.index:
        staged = sorted({path for path, *_ in {*before.index} ^ {*now.index}})
        yield Leak("index", f"the index was changed: {', '.join(staged[:5])}{' ...' * (len(staged) > 5)}")
    for name in sorted({*old, *new}):
        if name not in old:
            yield Leak(name, f"ref {name} was left, at {new[name]}")
        elif name not in new:
            yield Leak(name, f"ref {name} was removed: it was at {old[name]}")
        elif old[name] != new[name]:
            yield Leak(name, f"ref {name} was moved from {old[name]} to {new[name]}")
    # A HEAD that moved is told above; one that came back left its way there.
    if before and now and (before.head, before.branch) == (now.head, now.branch) and before.reflog != now.reflog:
        yield Leak("reflog", f"the reflog of HEAD has {now.reflog} entries, it had {before.reflog}")


def _worktrees(checkout: Path | None) -> dict[str, str]:
    """Return the name of each linked worktree -> where it is."""
    if checkout is None:
        return {}
    git = checkout / ".git"
    if git.is_file():
        # A linked worktree: the others are known where the repository is.
        git = checkout / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        with contextlib.suppress(FileNotFoundError):
            git = git / (git / "commondir").read_text(encoding="utf-8").strip()
    return {
        file.parent.name: str(Path(file.read_text(encoding="utf-8").strip()).parent)
        for file in sorted(git.glob("worktrees/*/gitdir"))
    }


def _compare_worktrees(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Leak]:
    for name in sorted({*before, *now}):
        if name not in before:
            yield Leak(f"worktree/{name}", f"worktree {name} was left, at {now[name]}")
        elif name not in now:
            yield Leak(f"worktree/{name}", f"worktree {name} was removed: it was at {before[name]}")
        elif before[name] != now[name]:
            yield Leak(f"worktree/{name}", f"worktree {name} was moved from {before[name]} to {now[name]}")


# --- processes


def _processes(home: Path | None) -> dict[tuple[int, str], str]:
    """Return (process id, when it started) -> command line, for those that have this HOME."""
    if home is None or sys.platform != "linux":
        return {}
    spelled = {b"HOME=" + os.fsencode(path) for path in (home, os.path.realpath(home))}
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        # Others end meanwhile, or are somebody else's. Numbers are used again, so the start is part of who it is.
        with contextlib.suppress(OSError):
            if int(entry.name) == os.getpid() or spelled.isdisjoint((entry / "environ").read_bytes().split(b"\0")):
                continue
            started = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
            command = (entry / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
            found[int(entry.name), started] = command
    return found
