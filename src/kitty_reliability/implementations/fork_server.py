"""Imports what the commands of this package import, and forks a process for each of their runs.

Argument: the descriptor of the channel. A request is one byte on it that carries the descriptors of a socket, stdin,
stdout and stderr; the socket then carries a line of JSON: ``module``, ``arguments``, ``safe_path``, ``environment``
and ``cwd``. The replies on that socket are numbers of four bytes: that of the process, 0 when there is none; and its
exit status when it has ended. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import site
import socket
import sys
import tempfile
import threading
from typing import Any, Final

_SOME: Final = 1 << 12
#: Its imports hang on its first argument.
_SERVE: Final = "kitty_reliability.implementations.serve"


def _import(module: str, first: str) -> None:
    """Import what a run of ``module`` imports, but for what is run itself."""
    if module == _SERVE:
        from .registry import python_subject

        python_subject(first)
        return
    package = importlib.import_module(module)
    for part in pkgutil.iter_modules(package.__path__, f"{module}."):
        if not part.name.endswith(".__main__"):
            importlib.import_module(part.name)


def _received(channel: socket.socket) -> tuple[socket.socket, list[int], dict[str, Any]] | None:
    """Return the next request with its socket and its descriptors; None when nobody is there any more."""
    byte, descriptors, _, _ = socket.recv_fds(channel, 1, 4)
    if not byte:
        return None
    own = socket.socket(fileno=descriptors[0])
    with own.makefile("rb") as asked:
        return own, descriptors[1:], json.loads(asked.readline())


def _say(own: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody waits for it any more
        own.sendall(number.to_bytes(4, "big", signed=True))


def _reap(running: dict[int, socket.socket]) -> None:
    """Tell the status of each run that has ended."""
    for process, own in list(running.items()):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            _say(own, os.waitstatus_to_exitcode(status))
            running.pop(process).close()


class _Forks:
    """Forks for each request that comes over the channel."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.running: dict[int, socket.socket] = {}
        self.imported: set[tuple[str, str]] = set()
        # What tells of the end of a run, in the way that requests are told of.
        self.woken, self.wakes = socket.socketpair()
        for end in (self.woken, self.wakes):
            end.setblocking(False)
        signal.set_wakeup_fd(self.wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> dict[str, Any]:
        """Return in the process that is to run a request; end when nobody asks or runs any more."""
        listened = [self.channel, self.woken]
        while self.channel in listened or self.running:
            ready, _, _ = select.select(listened, [], [])
            if self.woken in ready:
                self.woken.recv(_SOME)
                _reap(self.running)
            if self.channel in ready:
                received = _received(self.channel)
                if received is None:
                    listened.remove(self.channel)
                elif self.forked(*received) == 0:
                    return received[2]
        # Nothing of what was imported has to be taken down.
        os._exit(0)

    def forked(self, own: socket.socket, descriptors: list[int], request: dict[str, Any]) -> int | None:
        """Fork, and return what ``os.fork`` did; None when it could not."""
        process = None
        try:
            self.have_imported(request["module"], "".join(request["arguments"][:1]))
            process = os.fork()
        except Exception:  # noqa: BLE001 - started as a process of its own, it says what is wrong
            _say(own, 0)
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for open_ in (self.channel, self.woken, self.wakes, own, *self.running.values()):
                open_.close()
            _become(request, descriptors)
            return process
        for descriptor in descriptors:
            os.close(descriptor)
        if process is None:
            own.close()
        else:
            self.running[process] = own
            _say(own, process)
        return process

    def have_imported(self, module: str, first: str) -> None:
        """Import what the run needs, unless that was done."""
        if (module, first) not in self.imported:
            _import(module, first)
            self.imported.add((module, first))
            # A collection in a run would copy every page that the runs share.
            gc.collect()
            gc.freeze()


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Make this process look like one that was started to run what is asked."""
    os.setsid()
    os.chdir(request["cwd"])
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for descriptor in set(descriptors) - {0, 1, 2}:
        os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr] # as at a start
    os.environ.clear()
    os.environ.update(request["environment"])
    # They were chosen by the environment and the directory of the import.
    tempfile.tempdir = None
    sys.path[:1] = [] if request["safe_path"] else [request["cwd"]]
    # What puts faults and guards in place.
    sys.modules.pop("sitecustomize", None)
    site.execsitecustomize()
    sys.argv = ["-m", *request["arguments"]]


def _end(status: int) -> None:
    """Do what an interpreter does at its end, but for taking down what was imported: that costs more than most runs."""
    threading._shutdown()  # type: ignore[attr-defined] # it waits for threads
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status & 0xFF)
    # What was printed arrives nowhere, and the interpreter has a status for that.


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _channel:
        _channel.set_inheritable(False)
        _request = _Forks(_channel).serve()
    try:
        runpy.run_module(_request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as _leaving:
        if isinstance(_leaving.code, int | None):
            _end(_leaving.code or 0)
        raise
