"""Imports a Python command once and forks a process for each run of it; the release's own Python runs this file.

Arguments: the descriptor of the channel, and the path of the command. A request is one byte that carries the
descriptors of stdout and stderr, then a line of JSON: ``argv``, ``cwd`` and ``environment``. Replies are lines of JSON: ``process``
when the process is there, then ``status``, or ``error`` when it cannot be started. Nothing but the standard library.
PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
import tempfile
import threading
import types
from pathlib import Path
from typing import Any

_SOME = 1 << 20


def _module(command: str, name: str) -> types.ModuleType:
    """Return what the command runs in."""
    module = types.ModuleType(name)
    module.__file__ = command
    return module


def _imported_by_any_run(command: str, code: types.CodeType) -> list[str]:
    """Return the modules that each run imports before it does anything, in their order; a run finds out."""
    before = set(sys.modules)
    with tempfile.TemporaryFile() as told:
        process = os.fork()
        if process == 0:
            try:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                _become(command, ["--version"])
                exec(code, sys.modules["__main__"].__dict__)
            except BaseException:  # noqa: BLE001 - SystemExit is how commands end
                pass
            finally:
                told.write(json.dumps([name for name in sys.modules if name not in before]).encode())
                told.flush()
                os._exit(0)
        os.waitpid(process, 0)
        told.seek(0)
        names: list[str] = json.loads(told.read() or b"[]")
        return names


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001 - some names are made by other modules; a run imports what is missing itself
        return


def _become(command: str, arguments: list[str]) -> None:
    """Make this process look like one that was started to run ``command``."""
    sys.argv = [command, *arguments]
    sys.orig_argv = [sys.executable, command, *arguments]
    sys.modules["__main__"] = _module(command, "__main__")


def _receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next request and its descriptors, or None when nobody is there any more."""
    byte, descriptors, _, _ = socket.recv_fds(channel, 1, 2)
    if not byte:
        return None
    line = b""
    while not line.endswith(b"\n"):
        part = channel.recv(_SOME)
        if not part:
            return None
        line += part
    return json.loads(line), descriptors


def _serve(channel: socket.socket, command: str, said: dict[int, bytes]) -> None:
    """Fork for each request; return in the process that is to run the command, and end with the channel."""

    def answer(reply: dict[str, Any]) -> None:
        channel.sendall(json.dumps(reply).encode() + b"\n")

    answer({})
    while True:
        received = _receive(channel)
        if received is None:
            # Nothing of what was imported has to be taken down.
            os._exit(0)
        request, descriptors = received
        process = None
        try:
            os.chdir(request["cwd"])
            process = os.fork()
        except OSError as error:
            answer({"error": [error.errno, error.strerror]})
        if process == 0:
            os.setsid()
            channel.close()
            for number, descriptor in enumerate(descriptors, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
                # What the import printed, each run would have printed.
                os.write(number, said[number])
            os.environ.update(request["environment"])
            # It was chosen by the environment of the import.
            tempfile.tempdir = None
            _become(command, request["argv"][1:])
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if process is not None:
            answer({"process": process})
            answer({"status": os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])})


def _prepare() -> types.CodeType:
    """Import the command, serve, and return what a run has to do."""
    channel, command = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    channel.set_inheritable(False)
    if not sys.flags.safe_path:
        # What stands beside this file is none of the command's.
        sys.path[0] = str(Path(command).resolve().parent)
    code = compile(Path(command).read_bytes(), command, "exec")
    exec(code, _module(command, "__kitty_warm__").__dict__)
    sys.stdout.flush()
    sys.stderr.flush()
    said = {number: os.pread(number, _SOME, 0) for number in (1, 2)}
    for name in _imported_by_any_run(command, code):
        _import(name)
    if threading.active_count() > 1:
        raise SystemExit("importing it starts a thread, which no fork takes along")
    sys.stdout.flush()
    sys.stderr.flush()
    # A collection in a run would copy every page that the runs share.
    gc.collect()
    gc.freeze()
    _serve(channel, command, said)
    return code


_code = _prepare()
exec(_code, sys.modules["__main__"].__dict__)
