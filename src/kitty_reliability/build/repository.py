"""A real git repository that nothing outside can reach into (models: parts C4 and D3).

Every variable that would point git elsewhere is dropped, system and user configuration are off, and identity,
branch name and dates are fixed: two builds give the same commit ids.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .clock import Clock
from .errors import BuildError
from .mission import Mission, mission

__all__ = ["Repository", "git_environment", "repository"]

_CONFIG: Final = (
    ("user.name", "Kitty Builder"),
    ("user.email", "kitty@example.invalid"),
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


def git_environment(clock: Clock | None = None) -> dict[str, str]:
    """Return the environment in which git sees the repository it is run in, and nothing else."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
    if clock is not None:
        environment |= {"GIT_AUTHOR_DATE": clock.git_date, "GIT_COMMITTER_DATE": clock.git_date}
    return environment


class Repository:
    """A git repository and the clock that its commits are dated by."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self.clock = clock
        #: The missions that were built here, in order.
        self.missions: list[Mission] = []

    def git(self, *arguments: str, check: bool = True) -> str:
        """Run git in the root and return its output.

        Raises:
            BuildError: git ended with another status than 0; the text has the command and what it said.
        """
        environment = git_environment(self.clock)
        # A repository that was not found must not be searched for further up.
        environment["GIT_CEILING_DIRECTORIES"] = str(self.root.parent)
        if not self.root.is_dir():
            raise BuildError(f"{self.root} is not there any more")
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise BuildError("git is not installed, or not on the path") from None
        output = done.stdout.decode("utf-8", "surrogateescape")
        if check and done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise BuildError(f"git {' '.join(arguments)} ended with {done.returncode}: {said}")
        return output

    def commit(self, message: str = "Work", *, files: Mapping[str, str | bytes] | None = None) -> str:
        """Write ``files``, commit everything that changed, and return the commit's id."""
        for name, content in (files or {}).items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.clock.tick()
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)
        return self.head

    @property
    def head(self) -> str:
        """The id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD").strip()

    @property
    def status(self) -> str:
        """``git status --porcelain``; empty when the tree is clean."""
        return self.git("status", "--porcelain")

    def mission(self, work_packages: Any = None, **options: Any) -> Mission:
        """Build a mission in the repository and commit it; arguments as in ``build.mission``."""
        options.setdefault("clock", self.clock)
        built = mission(self.root, work_packages, **options)
        self.missions.append(built)
        self.commit(f"Add mission {built.slug}")
        return built


def repository(root: Path | str, *, branch: str = "main", clock: Clock | None = None) -> Repository:
    """Make a git repository in ``root`` with one commit on ``branch`` and return it.

    Raises:
        BuildError: there is a repository already, or git failed.
    """
    path = Path(root)
    path.mkdir(parents=True, exist_ok=True)
    if (path / ".git").exists():
        raise BuildError(f"{path} is a git repository already")
    made = Repository(path, clock or Clock())
    made.git("init", "--quiet", "--template=", f"--initial-branch={branch}")
    config = "".join(f"[{name.split('.')[0]}]\n\t{name.split('.')[1]} = {value}\n" for name, value in _CONFIG)
    with (path / ".git" / "config").open("a", encoding="utf-8", newline="\n") as file:
        file.write(config)
    (path / ".git" / "info").mkdir(exist_ok=True)
    (path / ".git" / "info" / "exclude").write_bytes(_EXCLUDED.encode())
    made.commit("Begin", files={"README.md": "# Demo\n"})
    return made
