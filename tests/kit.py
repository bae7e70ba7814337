"""``kitty-conform`` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["kitty_conform"]


def kitty_conform(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, limit: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run the command and return what it came to. ``limit``, in seconds, ends what hangs."""
    return subprocess.run(
        [sys.executable, "-m", "kitty_conformance.command", *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
    )
