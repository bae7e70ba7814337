"""The released package in a sandbox: its readers and its commands, each imported once a session."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.faults.process import Sandbox

HERE = Path(__file__).parent

Judge = Callable[[Sequence[tuple[str, Any]]], list[Any]]
Run = Callable[[Sequence[tuple[Sequence[str], Path]]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def sandbox(released_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as made:
        yield made


@contextlib.contextmanager
def _asking(sandbox: Sandbox, *argv: str | Path) -> Iterator[Callable[[object], list[Any]]]:
    """Return who sends a program one line of JSON and returns the line that it answers."""
    with subprocess.Popen(
        argv, env=sandbox.environment, cwd=sandbox.work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def answer(asked: object) -> list[Any]:
            print(json.dumps(asked, default=str), file=server.stdin, flush=True)
            return list(json.loads(server.stdout.readline()))

        yield answer
        server.stdin.close()


@pytest.fixture(scope="session")
def judge(sandbox: Sandbox, released_python: Path) -> Iterator[Judge]:
    """Asks readers of ``released_reader.READERS``, each with an argument; an answer with ``error`` is a refusal."""
    with _asking(sandbox, released_python, HERE / "released_reader.py", "questions") as ask:
        yield ask


@pytest.fixture(scope="session")
def run(sandbox: Sandbox, released_python: Path) -> Iterator[Run]:
    """Runs commands of ``spec-kitty``, each with where it runs: in one repository one after the other."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork, and starting each command anew takes minutes")
    with _asking(sandbox, released_python, HERE / "released_commands.py") as ask:

        def all_of(commands: Sequence[tuple[Sequence[str], Path]]) -> list[dict[str, Any]]:
            return ask(
                [
                    {"argv": argv, "cwd": cwd, "group": str(cwd).partition(".worktrees")[0].rstrip(os.sep)}
                    for argv, cwd in commands
                ]
            )

        yield all_of
