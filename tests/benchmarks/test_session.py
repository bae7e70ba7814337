"""One operation over a session, beside the round trip of a line that nothing is done for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from logs import long_log
from measuring import medians, program

from kitty_reliability.implementations.program import Program
from kitty_reliability.implementations.protocol import Hello, State
from kitty_reliability.reference.adapter import Reference

pytest.importorskip("pytest_benchmark")

#: Says what it was told to say to ``hello``, and the same to everything else.
ECHO = """
import json, sys
replies = {"hello": json.loads(sys.argv[1])}
for line in sys.stdin.buffer:
    asked = json.loads(line)
    reply = replies.get(asked["operation"], {"log": "empty", "lanes": {}})
    print(json.dumps({"id": asked["id"], "ok": reply}), flush=True)
"""
LINE = '{"id": 1, "operation": "state"}'


def session(base: Path, rounds: int) -> dict[str, float]:
    """Return medians: ``state`` on a log of 60 rows, an answer that nothing is done for, and that through bare pipes."""
    built = long_log(base / "repo", 60)
    request = State(root=str(built.root), mission=built.slug)
    serve = [sys.executable, "-m", "kitty_reliability.implementations.serve", "reference"]
    echo = [sys.executable, "-c", ECHO, json.dumps(dict(Reference().answer(Hello()).value))]
    served, empty = Program(serve, "served:reference"), Program(echo, "echo")
    try:
        assert served.ask(request).ok
        assert empty.ask(request).ok, empty.ask(request)
        with program(*echo) as bare:
            bare(LINE)
            ways = {
                "state": lambda: served.ask(request),
                "empty": lambda: empty.ask(request),
                "bare": lambda: bare(LINE),
            }
            return medians(ways, rounds)
    finally:
        served.close()
        empty.close()


def test_one_operation_over_a_session(benchmark: Any, record: Any, tmp_path: Path) -> None:
    found = benchmark.pedantic(session, args=(tmp_path, 500), rounds=1)
    record("state over a session to an empty round trip", found["state"] / found["empty"])
    record("state over a session to bare pipes", found["state"] / found["bare"])
