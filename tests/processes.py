"""Whether a process that a test saw is still there."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

__all__ = ["is_gone", "is_running"]


def is_running(process: int) -> bool:
    """Say whether a process runs; a killed one stays listed until it is collected."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return True  # the next look tells: no /proc, or collected meanwhile


def is_gone(process: int) -> bool:
    """Say whether a process ended, waiting a little; one that did not is killed."""
    for _ in range(200):
        if not is_running(process):
            return True
        time.sleep(0.05)
    os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    return False
