"""Git as a process that is asked by full names, and that says when it could not answer. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["Git", "GitError"]

#: How git is configured, and how it reaches a remote. Its other variables would point it to another repository or index.
_KEPT: Final = re.compile(r"GIT_(CONFIG_|EXEC_PATH|SSH|ASKPASS|SSL_|PROXY_|ALLOW_PROTOCOL)")
#: A remote that does not answer for so long, in seconds, is not asked further.
_PATIENCE: Final = 60.0
_LONGEST: Final = 400
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s@]*@")


class GitError(Exception):
    """Git could not answer; the text says what it said, without credentials."""

    def __init__(self, said: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(_CREDENTIALS.sub("", said).encode("utf-8", "replace").decode("utf-8")[-_LONGEST:])


class Git:
    """Git in one checkout.

    Arguments:
        root: where it is run. A repository that is not there is not searched for further up.
        variables: added to its environment.
    """

    def __init__(self, root: Path, **variables: str) -> None:
        self.root = root
        self._variables = variables

    def __call__(self, *arguments: str, stdin: str = "", none: Sequence[int] = ()) -> str:
        """Return what git printed; nothing when it ended with a status in ``none``.

        Raises:
            GitError: any other status than 0, no git, or a name that no command line can hold.
        """
        environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_" or _KEPT.match(name)}
        environment |= {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_CEILING_DIRECTORIES": str(self.root.parent),
            **self._variables,
        }
        try:
            done = subprocess.run(
                ["git", "--no-replace-objects", "--literal-pathspecs", *arguments],
                cwd=self.root,
                env=environment,
                input=stdin,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise GitError(f"git {arguments[0]} did not answer within {_PATIENCE:g} s") from None
        except (OSError, ValueError) as error:
            raise GitError(f"git {arguments[0]} cannot be started: {error}") from None
        if done.returncode in none:
            return ""
        if done.returncode:
            said = done.stderr.strip() or f"git {arguments[0]} ended with {done.returncode} and said nothing"
            raise GitError(said, done.returncode)
        return done.stdout
