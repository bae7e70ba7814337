"""Runs inside the environment of the released package: reads and reduces the missions in a directory, once a line.

Each line of stdin is a mission's directory, or one of many; each line of stdout says how many seconds it took.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

from specify_cli.status.reducer import materialize_snapshot

for line in sys.stdin:
    asked = Path(line.rstrip("\n"))
    logs = [asked / "status.events.jsonl"] if (asked / "meta.json").exists() else asked.glob("*/status.events.jsonl")
    directories = sorted(path.parent for path in logs)
    started = perf_counter()
    for directory in directories:
        materialize_snapshot(directory)
    print(perf_counter() - started, flush=True)
