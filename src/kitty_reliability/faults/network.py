"""Nothing but the loopback: whoever tries to reach anything else is refused and remembered (NFR-002, SYN-008).

In this process an audit hook sees every call that would leave. Other programs get a proxy that leads nowhere and
tells who asked for what; Python programs get the hook as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shlex
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kitty_reliability.formats.quiet import NOWHERE, proxied

from .shim import kitty_network_shim, python_path
from .shim.kitty_network_shim import NetworkForbidden, Shim, is_loopback

__all__ = ["NOWHERE", "Attempt", "LoopbackServer", "NetworkForbidden", "NetworkGuard", "only_loopback", "proxied"]

_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to reach something else than the loopback.

    Arguments:
        operation: ``connect``, ``sendto``, ``sendmsg``, ``getaddrinfo``, ``gethostbyname``, ``gethostbyaddr``,
            ``getnameinfo``; ``proxy`` when a program asked the guard's proxy for it, ``ssh`` when git did.
        address: ``host:port``, as it was asked for.
        process: the id of the process that tried; 0 for ``proxy``, where it is not known; for ``ssh`` git's.
    """

    operation: str
    address: str
    process: int

    def __str__(self) -> str:
        return f"{self.operation} to {self.address}" + (f" by process {self.process}" if self.process else "")


class NetworkGuard:
    """What ``only_loopback`` hands out: what was tried, and the way to keep other programs in as well."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._shim = Shim(str(record))
        self._proxy: LoopbackServer | None = None
        self._starting = threading.Lock()
        self._final: tuple[Attempt, ...] | None = None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """What was tried so far, in this process and in those that were started with ``environment``."""
        if self._final is not None:
            return self._final
        return tuple(Attempt(**json.loads(line)) for line in self._record.read_bytes().splitlines())

    def environment(self, over: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables that keep a program on the loopback while the guard is in force.

        Every program that heeds proxies is told no, and a Python program is guarded as this one is, unless it is
        started so that it does not load ``sitecustomize`` (``-S``, ``-I``, ``-E``). git is kept to files, HTTP and
        SSH, and whatever it asks SSH for is refused and remembered.

        Arguments:
            over: what they will be laid over; its ``PYTHONPATH`` stays in force, so that faults add up. The
                environment of this process unless it is given.

        Raises:
            RuntimeError: the guard is no longer in force.
        """
        if self._final is not None:
            raise RuntimeError("the guard is over; a program is kept on the loopback only inside the with block")
        with self._starting:
            if self._proxy is None:
                self._proxy = LoopbackServer(self._refuse)
        return {
            **proxied(f"http://127.0.0.1:{self._proxy.port}"),
            "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
            "GIT_SSH_COMMAND": shlex.join([sys.executable, "-I", "-S", kitty_network_shim.__file__, str(self._record)]),
            "GIT_SSH_VARIANT": "ssh",  # else git would try out first what it is
            "KITTY_NETWORK_GUARD": str(self._record),
            "PYTHONPATH": python_path(os.environ if over is None else over),
        }

    def _enter(self) -> None:
        self._shim.install()

    def _leave(self) -> None:
        self._shim.remove()
        if self._proxy is not None:
            self._proxy.end()
        self._final = self.attempts
        self._record.unlink(missing_ok=True)

    def _refuse(self, connection: socket.socket) -> None:
        """Be the proxy: learn what is asked for, and say no."""
        with connection.makefile("rb") as asked:
            line = asked.readline(65536)
            # Cut off, or nothing but a look whether somebody is there.
            if not line.endswith(b"\n") or not line.strip():
                return
            target = self._asked_for(line)
            # The rest is read so that the answer arrives: closing on unread bytes would reset the connection.
            while asked.readline(65536).strip():
                pass
        body = f"{target}: nothing but the loopback may be reached (NFR-002)\n".encode()
        head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)

    def _asked_for(self, line: bytes) -> str:
        """Return the target of a request line; remember it unless it is the loopback."""
        words = line.decode("latin-1").split()
        wanted = words[1] if len(words) > 1 else repr(line)
        try:
            target = wanted if words[0] == "CONNECT" else urlsplit(wanted).netloc.rpartition("@")[2] or wanted
            host = urlsplit(f"//{target}").hostname
        except ValueError:
            target, host = wanted, None
        if not is_loopback(host):
            self._shim.write_down("proxy", target, 0)
        return target


@contextmanager
def only_loopback() -> Iterator[NetworkGuard]:
    """Forbid this process, in all its threads, to reach anything but 127.0.0.0/8, ::1, localhost and Unix sockets.

    What goes past Python's own sockets (a C extension, asyncio's proactor on Windows) is not seen. Guards nest;
    the innermost remembers.

    Raises:
        NetworkForbidden: by each call that tries; and at the end of the block once more when something was
            tried, whatever became of it, so that nobody can swallow it. Another error of the block is its cause.

    Example::

        with only_loopback() as guard, SyncService(SyncScript("500")) as service:
            environment = os.environ | service.environment()
            subprocess.run(command, env=environment | guard.environment(environment))
    """
    descriptor, name = tempfile.mkstemp(prefix="kitty-network-")
    os.close(descriptor)
    guard = NetworkGuard(Path(name))
    guard._enter()
    try:
        yield guard
    except (NetworkForbidden, KeyboardInterrupt):
        guard._leave()
        raise
    except BaseException as error:
        # Also a skip: it would hide the attempt as well as a swallowed exception does.
        guard._leave()
        if guard.attempts:
            raise _told(guard.attempts) from error
        raise
    guard._leave()
    if guard.attempts:
        raise _told(guard.attempts)


def _told(attempts: tuple[Attempt, ...]) -> NetworkForbidden:
    different = list(dict.fromkeys(map(str, attempts)))
    more = f" and {len(different) - 10} more" if len(different) > 10 else ""
    return NetworkForbidden(
        f"tried: {'; '.join(different[:10])}{more}: nothing but the loopback may be reached (NFR-002)"
    )


class LoopbackServer:
    """A port of 127.0.0.1 that serves each connection in a thread and ends at once, whoever still hangs on it.

    Arguments:
        serve: called with each connection; the server closes it afterwards. ``OSError`` means the client left.

    The port can be closed and opened again; meanwhile it stays reserved, so that nobody else gets the traffic.
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._changing = threading.Lock()
        self._opening = threading.Lock()
        self._accepting: threading.Thread | None = None
        self._wake: socket.socket | None = None
        #: Set when it ends: whoever waits in ``serve`` waits on this.
        self.ending = threading.Event()
        self._listener = self._bound(0)
        self.port: int = self._listener.getsockname()[1]
        # Windows gives a port to one socket only.
        self._reserved = self._bound(self.port) if hasattr(socket, "SO_REUSEPORT") else None
        self.open()

    def open(self) -> None:
        """Accept connections, if it does not already."""
        with self._opening:
            if self._accepting is not None or self.ending.is_set():
                return
            if self._listener.fileno() < 0:
                self._listener = self._bound(self.port)
            self._listener.listen(_BACKLOG)
            self._listener.setblocking(False)
            self._wake, woken = socket.socketpair()
            self._accepting = threading.Thread(target=self._accept, args=(self._listener, woken), daemon=True)
            self._accepting.start()

    def close(self) -> None:
        """Refuse connections from now on; those that are there stay."""
        with self._opening:
            if self._accepting is None or self._wake is None:
                return
            self._wake.close()
            self._accepting.join()
            self._accepting = None
            self._listener.close()

    def end(self) -> None:
        """Refuse connections, cut those that are there, and wait for the threads."""
        self.ending.set()
        self.close()
        with self._changing:
            left = list(self._connections)
            for connection in self._connections.values():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in left:
            thread.join()
        self._listener.close()
        if self._reserved is not None:
            self._reserved.close()

    @staticmethod
    def _bound(port: int) -> socket.socket:
        bound = socket.socket()
        try:
            if hasattr(socket, "SO_REUSEPORT"):
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(("127.0.0.1", port))
        except OSError:
            bound.close()
            raise
        return bound

    def _accept(self, listener: socket.socket, woken: socket.socket) -> None:
        with woken, selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            selector.register(listener, selectors.EVENT_READ)
            last = False
            while not last:
                last = any(key.fileobj is woken for key, _ in selector.select())
                # The last time, too: who was there before the port closed has a connection, and may have spoken.
                for _ in range(_BACKLOG):
                    try:
                        connection, _ = listener.accept()
                    except BlockingIOError:
                        break
                    except OSError:
                        # A client that left meanwhile is no client.
                        continue
                    connection.setblocking(True)
                    thread = threading.Thread(target=self._handle, args=(connection,), daemon=True)
                    with self._changing:
                        self._connections[thread] = connection
                    thread.start()

    def _handle(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                self._serve(connection)
        finally:
            with self._changing:
                del self._connections[threading.current_thread()]
                connection.close()
