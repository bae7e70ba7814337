"""The commit of a row: log and snapshot, and nothing else (clause STA-006).

Git is run as a process, in the checkout that has the log, with its hooks. It is told the two files by name, so that
what others have staged is neither part of the commit nor unstaged by it. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.frontmatter import FrontmatterError, parse_yaml
from kitty_reliability.formats.mission import MissionPaths

from .files import replace_file

__all__ = ["GitCommit"]

#: Who commits, and by which configuration. Everything else of git's would point it to another repository or index.
_KEPT: Final = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_", "GIT_EXEC_PATH")
_POLL_SECONDS: Final = 0.02
_INDEX_SECONDS: Final = 2.0
_LONGEST: Final = 600
_NOTHING_STANDS: Final = "log, snapshot and index are as they were"


class GitCommit:
    """A commit that is to be made. Whatever can be known to stop it stops it here, before anything is written.

    Arguments:
        paths: the mission; the lock of it is held.
        deadline: until when somebody else may hold git's index, by ``time.monotonic``; never for longer than 2 seconds.

    Raises:
        DiagnosticError: COMMIT_REFUSED.
    """

    def __init__(self, paths: MissionPaths, deadline: float) -> None:
        self._paths = paths
        self._names = (paths.log.name, paths.snapshot.name)
        known = self._git("rev-parse", "--absolute-git-dir", "HEAD", "--symbolic-full-name", "HEAD")
        lines = known.stdout.splitlines()
        if known.returncode or len(lines) != 3:
            raise self._refused(f"no commit is checked out: {_words(known)}")
        directory, self._head, branch = lines
        if not branch.startswith("refs/heads/"):
            raise self._refused("HEAD is detached; a commit would be on no branch")
        self._require_unprotected(branch.removeprefix("refs/heads/"))
        self._wait_for_index(Path(directory) / "index.lock", deadline)
        tracked = self._git("ls-files", "-z", "--", *self._names).stdout.split("\0")
        self._new = [name for name in self._names if name not in tracked]
        self._snapshot = paths.snapshot.read_bytes() if paths.snapshot.is_file() else None

    def commit(self, message: str) -> None:
        """Commit log and snapshot as they are on disk now.

        Raises:
            DiagnosticError: COMMIT_REFUSED when there is no commit; ``restore`` has to be called then.
                EVENT_APPEND_UNRESOLVED when there is one, and it does not hold what is on disk.
        """
        done = self._git("add", "--intent-to-add", "--", *self._new) if self._new else None
        if done is None or done.returncode == 0:
            done = self.run(message)
        head = self._git("rev-parse", "--verify", "HEAD").stdout.strip()
        if head == self._head:
            raise self._refused(_words(done))
        if done.returncode or self._git("diff", "--quiet", "--no-ext-diff", "HEAD", "--", *self._names).returncode:
            raise diagnostic(
                "EVENT_APPEND_UNRESOLVED",
                problem=f"HEAD moved and does not hold it: {_words(done)}",
                stands=f"the row stands in the log, and HEAD is {head}",
            )

    def run(self, message: str) -> subprocess.CompletedProcess[str]:
        """Have git make the commit, of these two files only."""
        return self._git("commit", "--quiet", "--only", f"--message={message}", "--", *self._names)

    def restore(self) -> None:
        """Give snapshot and index back as they were before a commit that was refused.

        Raises:
            DiagnosticError: EVENT_APPEND_UNRESOLVED, saying what stands.
        """
        try:
            if self._snapshot is None:
                self._paths.snapshot.unlink(missing_ok=True)
            else:
                replace_file(self._paths.snapshot, self._snapshot)
        except OSError as error:
            raise diagnostic(
                "EVENT_APPEND_UNRESOLVED",
                problem=error.strerror or str(error),
                stands=f"the log is as it was, {self._paths.snapshot} says what the row said",
            ) from error
        if not self._new:
            return
        done = self._git("rm", "--cached", "--quiet", "--force", "--ignore-unmatch", "--", *self._new)
        if done.returncode:
            raise diagnostic(
                "EVENT_APPEND_UNRESOLVED",
                problem=_words(done),
                stands=f"log and snapshot are as they were; new in the index: {', '.join(self._new)}",
            )

    def _require_unprotected(self, branch: str) -> None:
        path = self._paths.root / ".kittify" / "config.yaml"
        try:
            rule = parse_yaml(path.read_text(encoding="utf-8")).get("protection")
        except FileNotFoundError:
            return
        except (OSError, ValueError, FrontmatterError) as error:
            raise self._refused(f"{path} cannot be read: {error}") from None
        protected = rule.get("protected_branches") if isinstance(rule, dict) else None
        if isinstance(protected, list) and branch in protected:
            raise self._refused(f"branch {branch} is protected by {path}")

    def _wait_for_index(self, lock: Path, deadline: float) -> None:
        deadline = min(deadline, monotonic() + _INDEX_SECONDS)
        while lock.exists():
            if monotonic() >= deadline:
                raise self._refused(f"somebody holds {lock} for longer than is waited")
            sleep(_POLL_SECONDS)

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)
        }
        try:
            return subprocess.run(
                # A name is a name, whatever letters it has.
                ["git", "--literal-pathspecs", *arguments],
                cwd=self._paths.log.parent,
                env={**environment, "GIT_TERMINAL_PROMPT": "0"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                check=False,
            )
        except OSError as error:
            raise self._refused(f"git cannot be started: {error.strerror or error}") from error

    def _refused(self, problem: str) -> Any:
        return diagnostic("COMMIT_REFUSED", problem=problem, stands=_NOTHING_STANDS)


def _words(done: subprocess.CompletedProcess[str]) -> str:
    """Return what git said, the end of it when it is long."""
    said = (done.stderr.strip() or done.stdout.strip() or f"git ended with {done.returncode} and said nothing").strip()
    # What is not UTF-8 must not stop the diagnostic that quotes it.
    return said.encode("utf-8", "replace").decode("utf-8")[-_LONGEST:]
