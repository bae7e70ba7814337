"""What the puppets have in common: one request in, one reply out. No fault of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROFILE = "contract-320"


def requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def reply(request: dict[str, Any], **more: str) -> str:
    if request["operation"] == "hello":
        hello = {"name": "puppet", "version": "1", "protocol": 1, "profile": os.environ.get("KITTY_PUPPET") or PROFILE}
        return json.dumps({"id": request["id"], "ok": hello}) + "\n"
    lanes = {"pid": str(os.getpid()), **more}
    return json.dumps({"id": request["id"], "ok": {"log": None, "lanes": lanes}}) + "\n"


def leave_a_child(note: str, **options: Any) -> None:
    """Start a child that runs for minutes; without options it holds none of the pipes."""
    options = options or {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(120)"], **options)
    Path(note).write_text(str(child.pid), encoding="ascii")
