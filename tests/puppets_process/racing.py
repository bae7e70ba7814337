"""Functions to race: each appends one row to a log by reading all of it and writing all of it back."""

import json
import time
from pathlib import Path
from typing import Any

from filelock import FileLock


def append_unlocked(log: str, contestant: int, contestants: int) -> dict[str, Any]:
    """Lose rows for certain: nobody writes before all have read."""
    path = Path(log)
    content = path.read_bytes()
    _meet(path.with_name("have-read"), contestant, contestants)
    path.with_name(f"new-{contestant}").write_bytes(content + _row(contestant))
    path.with_name(f"new-{contestant}").replace(path)
    return {"event_id": f"event-{contestant}"}


def append_locked(log: str, contestant: int) -> dict[str, Any]:
    path = Path(log)
    with FileLock(f"{log}.lock"):
        path.write_bytes(path.read_bytes() + _row(contestant))
    return {"event_id": f"event-{contestant}"}


def append_twice(log: str, contestant: int) -> dict[str, Any]:
    append_locked(log, contestant)
    return append_locked(log, contestant)


def meet(folder: str, contestant: int, contestants: int) -> int:
    """Return the contestant's number when all are running at the same time."""
    _meet(Path(folder), contestant, contestants)
    return contestant


def exists(path: str) -> bool:
    return Path(path).exists()


def refuse(contestant: int) -> None:
    raise ValueError(f"contestant {contestant} may not")


def hang(contestant: int) -> None:
    time.sleep(120)


def _row(contestant: int) -> bytes:
    return json.dumps({"event_id": f"event-{contestant}"}).encode() + b"\n"


def _meet(folder: Path, contestant: int, contestants: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / str(contestant)).touch()
    while len(list(folder.iterdir())) < contestants:
        time.sleep(0.001)
