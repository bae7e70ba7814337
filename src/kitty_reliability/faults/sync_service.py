"""A hosted service on the loopback that goes wrong by script, for subjects in any process (SYN-001, SYN-008, SYN-009).

The faults happen on the wire: what a client makes of them is the client's own. It knows nothing of the real
service, takes every path and method, and closes the connection after each answer, so that an attempt is a
connection.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Final, Self, cast

from kitty_reliability.formats.quiet import synced

from .network import LoopbackServer
from .sync_script import ScriptError, Step, SyncFault, SyncScript

__all__ = ["SyncConnection", "SyncRequest", "SyncService"]

#: What no service can do to its client, and who can.
_NOT_ON_THE_WIRE: Final = {
    SyncFault.LOCK_HELD: "file_lock_held or sqlite_lock_held",
    SyncFault.INTERPRETER_SHUTDOWN: "run_during_shutdown",
}
_STATUSES: Final = frozenset(
    {SyncFault.UNAUTHORIZED, SyncFault.FORBIDDEN, SyncFault.RATE_LIMITED, SyncFault.SERVER_ERROR}
)
#: Closing sends a reset: linger, for 0 seconds. The fields are shorter on Windows.
_RESET_ON_CLOSE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


@dataclass(frozen=True, slots=True)
class SyncConnection:
    """One connection that was accepted: the client's ``host:port``, and when. A refused one is seen by nobody."""

    client: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """One request as it arrived, whole; one that was cut off is a connection and takes no step.

    ``path`` has the query; ``headers`` are in order, as spelled; ``body`` is decoded from chunks and from nothing
    else; ``fault`` is what was done to it, None when it had one of the fixed answers.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: datetime
    fault: SyncFault | None

    def header(self, name: str) -> str | None:
        """Return the first header of that name, in any spelling, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)


class SyncService:
    """A service that is there for a with block.

    Arguments:
        script: what happens to each request in turn; each takes one step, whatever its path.
        answers: paths, without query, that always get this JSON value with status 200 and take no step, such as
            those of a log-in that has to work before anything can fail.

    ``requests`` and ``connections`` are what arrived so far, ``acted`` the words of the steps that were
    performed: a fault that is not there did not take effect. ``refused`` closes the port, before the answer to
    the request ahead of it is out; it ends with ``accept_again``, not with its ``times``, for nobody can
    count what is refused. So it is never in ``acted``; ``refusing`` says whether it is in force.

    Raises:
        ScriptError: the script has a fault that does not happen on a wire.

    Example::

        with SyncService(SyncScript("401", ("429", {"retry_after": 7}), default="reset")) as service:
            run(command, environment=service.environment())
        assert [request.path for request in service.requests] == ["/api/v1/events/batch/"]
    """

    def __init__(self, script: SyncScript | None = None, *, answers: Mapping[str, Any] | None = None) -> None:
        self.script = script or SyncScript()
        for fault, who in _NOT_ON_THE_WIRE.items():
            if fault in self.script.faults:
                raise ScriptError(f"{fault} does not happen on a wire; {who} makes it happen in a process")
        self.answers = {path: json.dumps(value) for path, value in (answers or {}).items()}
        self.requests: list[SyncRequest] = []
        self.connections: list[SyncConnection] = []
        self.acted: list[SyncFault] = []
        self._attempt = 0
        self._turn = threading.Lock()
        self._server: LoopbackServer | None = None

    def __enter__(self) -> Self:
        if self._server is not None:
            raise RuntimeError("a service is for one with block; make another with the same script")
        self._server = LoopbackServer(self._serve)
        if self.refusing:
            self._server.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.end()

    @property
    def port(self) -> int:
        """The port of 127.0.0.1; it stays reserved while it refuses."""
        return self._running.port

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def refusing(self) -> bool:
        """Whether the port is closed by script."""
        return self.script.step(self._attempt).fault is SyncFault.REFUSED

    def accept_again(self) -> None:
        """Go on behind the refused steps, and open the port.

        Raises:
            RuntimeError: it does not refuse, or does so for ever, by default.
        """
        with self._turn:
            attempt = self._attempt
            while self.script.step(attempt).fault is SyncFault.REFUSED:
                if attempt >= self.script.length:
                    raise RuntimeError("the script refuses by default, for ever")
                attempt += 1
            if attempt == self._attempt:
                raise RuntimeError("the service does not refuse; there is nothing to end")
            self._attempt = attempt
            self._running.open()

    def environment(self) -> dict[str, str]:
        """Return the variables that switch a spec-kitty process's sync on and point it here, and only here."""
        return synced(self.url)

    @property
    def _running(self) -> LoopbackServer:
        if self._server is None:
            raise RuntimeError("the service runs only inside its with block")
        return self._server

    def _serve(self, connection: socket.socket) -> None:
        host, port = connection.getpeername()
        self.connections.append(SyncConnection(f"{host}:{port}", datetime.now(UTC)))
        _Handler(connection, (host, port), cast("Any", self))

    def _take(self, method: str, path: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Step | str:
        """Write a request down; return what happens to it, or its fixed answer."""
        with self._turn:
            fixed = self.answers.get(path.partition("?")[0])
            step = self.script.step(self._attempt)
            fault = step.fault if fixed is None else None
            self.requests.append(SyncRequest(method, path, headers, body, datetime.now(UTC), fault))
            if fixed is not None:
                return fixed
            # A connection from before the port was closed meets a refusal that is none of its attempts.
            if step.fault is not SyncFault.REFUSED:
                self._attempt += 1
                self.acted.append(step.fault)
                if self.refusing:
                    self._running.close()
            return step


class _Handler(BaseHTTPRequestHandler):
    """One connection: one request, and what the script does to it."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Read one request of any method and perform its step."""
        # Whatever is no HTTP is answered so by the base class, and seen as a connection without a request.
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline.strip() or not self.parse_request():
            return
        body = self._body()
        if body is None:
            return
        service = cast("SyncService", self.server)
        step = service._take(self.command, self.path, tuple(self.headers.items()), body)
        if isinstance(step, str):
            self._answer(200, step.encode())
        else:
            self._perform(step, service._running.ending)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: standard error is the test's own."""

    def _body(self) -> bytes | None:
        """Return the body, None when it is cut off: a request that never arrived is no attempt that was answered."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            length = self.headers.get("Content-Length", "0")
            size = int(length) if length.isdecimal() else 0
            body = self.rfile.read(size)
            return body if len(body) == size else None
        body = b""
        while chunk := self._chunk():
            body += chunk
        while (line := self.rfile.readline()).strip():
            pass
        return None if chunk is None or not line else body

    def _chunk(self) -> bytes | None:
        try:
            size = int(self.rfile.readline().partition(b";")[0], 16)
        except ValueError:
            return None
        chunk = self.rfile.read(max(size, 0))
        if size > 0:
            self.rfile.readline()
        return chunk if len(chunk) == size else None

    def _perform(self, step: Step, ending: threading.Event) -> None:
        text = (step.text or "").encode()
        if step.fault is SyncFault.OK:
            self._answer(200, text)
        elif step.fault in (SyncFault.RESET, SyncFault.REFUSED):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        elif step.fault is SyncFault.TIMEOUT:
            ending.wait(step.seconds)
        elif step.fault is SyncFault.TRICKLE:
            self._answer(200, b"", length=len(step.answer))
            for byte in step.answer:
                if ending.wait(1 / (step.bytes_per_second or 1)):
                    return
                self.wfile.write(bytes([byte]))
        elif step.fault in _STATUSES:
            body = json.dumps({"error": HTTPStatus(int(step.fault)).phrase, "message": step.text}).encode()
            self._answer(int(step.fault), body, retry_after=step.retry_after)
        elif step.fault is SyncFault.OVERSIZED:
            self._answer(step.status or 200, step.page.encode(), kind="text/html; charset=utf-8")
        elif step.fault is SyncFault.TRUNCATED:
            self._answer(200, step.answer[: len(step.answer) // 2], length=len(step.answer))
        elif step.fault is SyncFault.UNKNOWN:
            self._answer(418, text, kind="text/plain; charset=utf-8")
        else:
            self._answer(200, text)

    def _answer(
        self,
        status: int,
        body: bytes,
        *,
        kind: str = "application/json",
        length: int | None = None,
        retry_after: int | str | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.send_header("Connection", "close")
        self.end_headers()
        # An answer to HEAD has no body, and whoever gets one takes it for garbage.
        self.wfile.write(b"" if self.command == "HEAD" else body)
