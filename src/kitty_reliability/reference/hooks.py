"""The guard as a pre-commit hook of a repository, for all of its checkouts. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kitty_reliability.formats.diagnostics import diagnostic

from .locations import find_checkout

__all__ = ["install"]

_WRITTEN: Final = "# Written by kitty: judges what is staged by the active work package."


def install(root: str, argv: Sequence[str]) -> Path:
    """Write the hook that runs ``argv`` where git looks for it, ``core.hooksPath`` included, and return its path.

    A hook that was written by this before is written anew.

    Raises:
        DiagnosticError: HOOK_FOREIGN for a hook of somebody else, which is left alone; what ``find_checkout`` raises.
    """
    main = find_checkout(root).main
    asked = ["git", "rev-parse", "--git-path", "hooks"]
    done = subprocess.run(asked, cwd=main, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise diagnostic("STAGED_UNREADABLE", path=str(main), problem=done.stderr.strip()[-300:])
    path = main / done.stdout.rstrip("\n") / "pre-commit"
    command = shlex.join([sys.executable, *argv])
    if path.exists() and _WRITTEN not in path.read_text(encoding="utf-8", errors="replace"):
        raise diagnostic("HOOK_FOREIGN", path=str(path), command=command)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"#!/bin/sh\n{_WRITTEN}\nexec {command}\n".encode())
    path.chmod(0o755)
    return path
