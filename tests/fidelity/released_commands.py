"""Runs inside the environment of the released package: runs many of its commands, each in a process of its own.

Importing the command takes seconds, a fork of who has imported it does not. A line of input is, as JSON, a list of
``{"argv": [...], "cwd": path, "group": text}``; a line of output what each printed and its exit status.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any


def command(argv: list[str]) -> int:
    """Run one command in this process and return its exit status."""
    from specify_cli import main

    sys.argv = ["spec-kitty", *argv]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def run(argv: list[str], cwd: str) -> dict[str, Any]:
    """Run one command in a fork, in ``cwd``."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:

        def printed() -> int:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.chdir(cwd)
            # One that hangs is ended, and shows by its status.
            signal.alarm(300)
            # As a shell has it: variables first.
            words = list(argv)
            while "=" in words[0]:
                name, _, os.environ[name] = words.pop(0).partition("=")
            return command(words)

        status = ended(fork(printed))
        out.seek(0)
        err.seek(0)
        return {"argv": argv, "status": status, "stdout": out.read().decode(), "stderr": err.read().decode()}


def fork(act: Callable[[], int]) -> int:
    """Return the process that does ``act`` and ends with the status that it returns."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            status = act()
        except BaseException:  # noqa: BLE001 - the fork must end here, whatever happens
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return child


def ended(child: int) -> int:
    """Wait for a process and return its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve(asked: list[dict[str, Any]]) -> list[Any]:
    """Run all commands: those of one ``group`` in their order, two groups at a time."""
    groups: dict[str, list[int]] = {}
    for number, each in enumerate(asked):
        groups.setdefault(each["group"], []).append(number)
    answers: list[Any] = [None] * len(asked)
    with contextlib.ExitStack() as stack:
        files = {group: stack.enter_context(tempfile.TemporaryFile("w+")) for group in groups}

        def one_after_the_other(group: str) -> int:
            said = [run(asked[number]["argv"], asked[number]["cwd"]) for number in groups[group]]
            json.dump(said, files[group])
            files[group].flush()
            return 0

        running: list[int] = []
        for group in groups:
            if len(running) == 2:
                ended(running.pop(0))
            running.append(fork(lambda group=group: one_after_the_other(group)))  # type: ignore[misc]
        for child in running:
            ended(child)
        for group, numbers in groups.items():
            files[group].seek(0)
            for number, said in zip(numbers, json.load(files[group]), strict=True):
                answers[number] = said
    return answers


def main() -> None:
    """Import what commands import, then run those that are asked for, until the input ends."""
    # The help of one command has every one imported, and unpacks what the first command in a home unpacks.
    with open(os.devnull, "w") as silence, contextlib.redirect_stdout(silence):  # noqa: PTH123 - no path of a file
        command(["agent", "tasks", "status", "--help"])
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
