"""A real git repository that nothing outside can reach into (models: parts C4 and D3).

Every variable that would point git elsewhere is dropped, system and user configuration are off, and identity,
branch name and dates are fixed: two builds give the same commit ids. The usual steps are written without git, as
git writes them (``git_template``); ``by_git=True`` has git do every one of them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from . import branches
from .clock import Clock
from .errors import BuildError
from .files import put
from .git_objects import IDENTITY
from .git_steps import Steps
from .git_template import Change, Ledger, NotPlainError
from .names import inside, quoted, require_reference, write

if TYPE_CHECKING:
    from .lanes import RepositoryMission
    from .mission import Mission
    from .worktrees import Checkout

__all__ = ["Repository", "Steps", "git_environment", "repository"]

_CONFIG: Final = (
    ("user.name", IDENTITY[0]),
    ("user.email", IDENTITY[1]),
    ("commit.gpgsign", "false"),
    ("tag.gpgsign", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.autocrlf", "false"),
    ("core.fsmonitor", "false"),
    ("advice.detachedHead", "false"),
    # Empty: the user's own ignore and attribute files would be read from where XDG puts them.
    ("core.excludesFile", ""),
    ("core.attributesFile", ""),
)
_CONFIG_TEXT: Final = "".join(f"[{name.split('.')[0]}]\n\t{name.split('.')[1]} = {value}\n" for name, value in _CONFIG)

#: What the released tool leaves behind beside the mission; never part of a commit.
_EXCLUDED: Final = """\
.worktrees/
.kittify/workspaces/
.kittify/sync-state.json
.kittify/legacy*
.kittify/runtime/
.kittify/merge*
.kittify/projects/
.kittify/locks/
"""

#: A name that no version of git refuses; any other one is shown to git first.
_PLAIN_BRANCH: Final = re.compile(r"[A-Za-z0-9_]+(?:[/-][A-Za-z0-9_]+)*\Z")
#: What ``git init`` writes into ``config``, by device and kind: it probes the file system.
_INITIAL: dict[tuple[int, bool], bytes] = {}


def git_environment(clock: Clock | None = None) -> dict[str, str]:
    """Return the environment in which git sees the repository it is run in, and nothing else."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_DEFAULT_REF_FORMAT": "files",
        "LC_ALL": "C",
    }
    if clock is not None:
        environment |= {"GIT_AUTHOR_DATE": clock.git_date, "GIT_COMMITTER_DATE": clock.git_date}
    return environment


class Repository:
    """A git repository and the clock that its commits are dated by."""

    def __init__(
        self,
        root: Path,
        clock: Clock,
        *,
        branch: str = "main",
        remote: Path | None = None,
        remote_name: str = "origin",
        ledger: Ledger | None = None,
    ) -> None:
        self.root = root
        self.clock = clock
        #: The branch that it began with.
        self.branch = branch
        #: The bare repository that is its remote, and the remote's name; None when it has none.
        self.remote = remote
        self.remote_name = remote_name
        #: Branch -> branch of the remote that it was set to track by a verb.
        self.upstreams: dict[str, str] = {}
        #: The missions that were built here, in order.
        self.missions: list[Mission] = []
        self._ledger = ledger
        self._steps = Steps(self)

    def git(self, *arguments: str, check: bool = True, stdin: bytes | None = None, cwd: Path | None = None) -> str:
        """Run git in the root, or in ``cwd``, and return its output.

        Raises:
            BuildError: git ended with another status than 0; the text has the command and what it said.
        """
        environment = git_environment(self.clock)
        # A repository that was not found must not be searched for further up.
        environment["GIT_CEILING_DIRECTORIES"] = str(self.root.parent)
        for place in (self.root, cwd or self.root):
            if not place.is_dir():
                raise BuildError(f"{place} is not there any more")
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=cwd or self.root,
                env=environment,
                input=stdin or b"",
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise BuildError("git is not installed, or not on the path") from None
        except ValueError as error:
            raise BuildError(f"git {' '.join(arguments)!r} cannot be run: {error}") from None
        output = done.stdout.decode("utf-8", "surrogateescape")
        if check and done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise BuildError(f"git {' '.join(arguments)} ended with {done.returncode}: {said}")
        return output

    def commit(self, message: str = "Work", *, files: Mapping[str, str | bytes] | None = None) -> str:
        """Write ``files``, commit everything that changed, and return the commit's id.

        Raises:
            BuildError: a name that leads out of the repository or that the file system does not take, or git failed.
        """
        for name in files or {}:
            inside(self.root, name)
        for name, content in (files or {}).items():
            write(self.root, name, content)
        self.begin()
        made = self.commit_all(message)
        self.steps.flush()
        return made

    @property
    def head(self) -> str:
        """The id of the commit that is checked out."""
        return self.checkout.head

    @property
    def status(self) -> str:
        """``git status --porcelain``; empty when the tree is clean."""
        return self.checkout.status

    @property
    def checkout(self) -> Checkout:
        """The main checkout, with its staging verbs."""
        from .worktrees import Checkout

        return Checkout(self, self.root, self.branch)

    def mission(self, work_packages: Any = None, **options: Any) -> RepositoryMission:
        """Build a mission in the repository and commit it; arguments as in ``lanes.repository_mission``."""
        from .lanes import repository_mission

        return repository_mission(self, work_packages, **options)

    # --- what the verbs of this package are made of

    def begin(self) -> None:
        """Start a verb: what somebody else touched is from now on done by git."""
        if self._ledger is not None and not self._ledger.sound():
            self._ledger = None

    @property
    def steps(self) -> Ledger | Steps:
        """Who takes the next step; between ``begin`` and ``flush``."""
        return self._ledger or self._steps

    def commit_all(self, message: str, only: Mapping[str, bytes] | None = None) -> str:
        """Write ``only`` and commit the main checkout as it is; a step.

        Nothing else changed since the last commit of the same verb.
        """
        self.clock.tick()
        plain = message and message == message.strip() and not {"\n", "\0"} & set(message)
        if self._ledger is not None and plain:
            try:
                return self._ledger.commit(message, int(self.clock.now.timestamp()), only)
            except NotPlainError:
                pass
        self.leave()
        for name, data in (only or {}).items():
            put(f"{self.root}/{name}", data)
        return self._steps.commit(message)

    def grow(self, branch: str, changes: Sequence[Change], start: str | None = None) -> str:
        """Add commits to a branch, begun at ``start`` when it is new; a step."""
        if self._ledger is not None:
            try:
                return self._ledger.grow(f"refs/heads/{branch}", changes, start)
            except NotPlainError:
                self.leave()
        return self._steps.grow(f"refs/heads/{branch}", changes, start)

    def grow_remote(self, ref: str, changes: Sequence[Change]) -> str:
        """Add commits to a branch of the remote; a step."""
        if self._ledger is not None:
            try:
                return self._ledger.grow_remote(ref, changes)
            except NotPlainError:
                self.leave()
        return self._steps.grow_remote(ref, changes)

    def leave(self) -> None:
        """Write down what is known and have git do everything from here on."""
        if self._ledger is not None:
            self._ledger.flush()
            self._ledger = None

    def change(self, message: str, files: Mapping[str, bytes]) -> Change:
        """Return a commit to be made, at the next moment of the clock."""
        self.clock.tick()
        return Change(message, files, int(self.clock.now.timestamp()))

    # --- branches, see ``branches``

    diverge = branches.diverge
    retarget = branches.retarget
    unborn = branches.unborn
    detach = branches.detach
    drop_branch = branches.drop_branch
    tag_like_branch = branches.tag_like_branch
    shallow = branches.shallow
    unrelate = branches.unrelate
    protect = branches.protect


def repository(
    root: Path | str,
    *,
    branch: str = "main",
    remote: bool | str = False,
    upstream: bool | str = True,
    clock: Clock | None = None,
    by_git: bool = False,
) -> Repository:
    """Make a git repository in ``root`` with one commit on ``branch`` and return it.

    Arguments:
        root: the work tree; it is created when it is missing.
        branch: the branch that is checked out.
        remote: True makes a bare repository of its own beside ``root``, named ``<root>.git``, pushes the branch
            there and tracks it; a text is the remote's name in place of ``origin``.
        upstream: the branch of the remote that ``branch`` is pushed to and tracks, when its name differs; False
            pushes under the same name and tracks nothing.
        clock: what commits are dated by; a fresh one when left out.
        by_git: have git do every step. The result has the same ids, and takes some fifty times as long.

    Raises:
        BuildError: there is a repository already, in ``root`` or where the remote belongs, or git failed.
    """
    # Absolute: who works here may go to another directory, and the checkouts' own `cwd` does.
    path = Path(root).absolute()
    bare = Path(f"{os.path.normpath(path)}.git") if remote else None
    name = remote if isinstance(remote, str) else "origin"
    target = upstream if isinstance(upstream, str) else branch
    for kind, part in (("branch", branch), ("branch", target), ("remote", name)):
        require_reference(kind, part)
    for there, taken in ((path, f"{path}/.git"), (bare, bare)):
        if taken is not None and os.path.exists(taken):  # noqa: PTH110 - see `files`
            raise BuildError(f"{there} is a git repository already")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"{path} cannot be made a directory: {error.strerror}") from None
    made = Repository(path, clock or Clock(), branch=branch, remote=bare, remote_name=name)
    config = _initialize(made, path, branch, bare=False, by_git=by_git) + _CONFIG_TEXT.encode()
    if bare is not None:
        bare.mkdir()
        bare_config = _initialize(made, bare, target, bare=True, by_git=by_git) + _CONFIG_TEXT.encode()
        # Absolute: a relative address does not work from a linked worktree.
        bare_place = os.path.realpath(bare)
        address, fetched = quoted(bare_place.replace(os.sep, "/")), quoted(f"+refs/heads/*:refs/remotes/{name}/*")
        config += f"[remote {quoted(name)}]\n\turl = {address}\n\tfetch = {fetched}\n".encode()
        if upstream is not False:
            config += branches.tracking_section(branch, name, target).encode()
        made.upstreams[branch] = target
    ref = f"refs/heads/{branch}"
    if by_git or re.search(rb"(?i)objectformat|refstorage", config):
        (path / ".git" / "config").write_bytes(config)
        (path / ".git" / "info").mkdir(exist_ok=True)
        (path / ".git" / "info" / "exclude").write_bytes(_EXCLUDED.encode())
        if bare is not None:
            (bare / "config").write_bytes(bare_config)
    else:
        remote_side = None if bare is None else (bare_place, f"refs/heads/{target}", bare_config)
        made._ledger = Ledger(os.path.realpath(path), ref, config, _EXCLUDED.encode(), remote_side)
    made.commit_all("Begin", {"README.md": b"# Demo\n"})
    if bare is not None:
        made.steps.publish(ref, f"refs/heads/{target}", f"refs/remotes/{name}/{target}")
    made.steps.flush()
    return made


def _initialize(made: Repository, path: Path, branch: str, *, bare: bool, by_git: bool) -> bytes:
    """Return what ``git init`` writes into ``config`` here; git is asked once a process, device and kind."""
    key = (path.stat().st_dev, bare)
    known = _INITIAL.get(key)
    if known is not None and not by_git and _PLAIN_BRANCH.match(branch):
        if not _has_git(os.environ.get("PATH", os.defpath)):
            raise BuildError("git is not installed, or not on the path")
        return known
    kind = ["--bare"] if bare else []
    made.git("init", "--quiet", "--template=", *kind, f"--initial-branch={branch}", str(path.absolute()))
    _INITIAL[key] = (path / "config" if bare else path / ".git" / "config").read_bytes()
    return _INITIAL[key]


@lru_cache(maxsize=8)
def _has_git(path: str) -> bool:
    return shutil.which("git", path=path) is not None
