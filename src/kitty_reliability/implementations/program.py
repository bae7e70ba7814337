"""An implementation that is a program: JSON lines over stdin and stdout, in any language.

Two lifetimes of the same program: a *session* serves many operations; *per operation* it is started, asked
once, and has to end when its stdin closes. stderr is free text. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from .base import Implementation, ImplementationError, checked_answer
from .processes import end_group, start_group
from .protocol import Outcome, OutcomeKind, Reply, Request

__all__ = ["MAX_REPLY_BYTES", "Program"]

#: A reply longer than this is garbled.
MAX_REPLY_BYTES: Final = 16 * 1024 * 1024
_STDERR_KEPT: Final = 20_000
_LINES_KEPT: Final = 16
#: What a pipe takes without anybody reading it, on every platform.
_PIPE_BYTES: Final = 4096


class Program(Implementation):
    """Asks a program.

    Arguments:
        argv: the program and its arguments.
        spec: the text that named it.
        per_operation: start it anew for each operation.
        environment: added to the environment of the process.
    """

    def __init__(
        self,
        argv: Sequence[str],
        spec: str,
        *,
        per_operation: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.argv = list(argv)
        self.spec = spec
        self.per_operation = per_operation
        self.environment = dict(environment or {})
        self._session: _Session | None = None
        self._count = 0

    def ask(self, request: Request, *, deadline: float | None = None) -> Outcome:
        """Ask one operation. After a crash, a hang or a garbled reply, the next one gets a new process."""
        seconds = self.deadline if deadline is None else deadline
        self._count += 1
        started = time.perf_counter()
        if self._session is None:
            self._session = _Session(self.argv, {**os.environ, **self.environment})
        outcome = self._session.ask(request, self._count, seconds)
        if self.per_operation and not outcome.broken:
            outcome = self._session.finish(outcome, seconds)
        outcome = checked_answer(request, outcome)
        if outcome.broken or self.per_operation:
            self.close()
        return replace(outcome, seconds=time.perf_counter() - started)

    def sibling(self, environment: Mapping[str, str] | None = None, *, wrapper: Sequence[str] = ()) -> Program:
        """Return another process of the same program, started by ``wrapper`` if there is one."""
        return Program(
            [*wrapper, *self.argv],
            self.spec,
            per_operation=self.per_operation,
            environment={**self.environment, **(environment or {})},
        )

    @property
    def process_id(self) -> int | None:
        """The process of the running session."""
        return None if self._session is None else self._session.process.pid

    def close(self) -> None:
        """End the process and everything in its group."""
        if self._session is not None:
            self._session.end()
            self._session = None


class _Session:
    """One process of the program, and the threads that read what it prints."""

    def __init__(self, argv: list[str], environment: Mapping[str, str]) -> None:
        try:
            self.process = start_group(
                argv,
                environment,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ImplementationError(
                f"{argv[0]!r} cannot be started: {reason}; check the path and that it is executable"
            ) from None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stderr = bytearray()
        self._readers = [
            threading.Thread(target=self._read_stdout, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def ask(self, request: Request, number: int, seconds: float) -> Outcome:
        if not self._lines.empty():
            extra = self._lines.get()
            if extra is None:
                return self._broken(OutcomeKind.CRASHED, "the program ended between two operations")
            return self._broken(OutcomeKind.GARBLED, "a line that nobody asked for", extra)
        # Whoever has no reader of JSON finds at the beginning what is asked.
        first = {"id": number, "operation": request.operation}
        line = json.dumps({**first, **request.model_dump(mode="json")}) + "\n"
        self._send(line.encode("ascii"))
        try:
            reply = self._lines.get(timeout=seconds)
        except queue.Empty:
            return self._broken(OutcomeKind.HUNG, f"no reply within {seconds:g} s")
        if reply is None:
            return self._broken(OutcomeKind.CRASHED, "the program ended without a reply")
        return self._outcome(reply, number)

    def finish(self, outcome: Outcome, seconds: float) -> Outcome:
        """Close stdin and wait for the end of a program that serves one operation."""
        self._close_stdin()
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return self._broken(OutcomeKind.HUNG, f"still running {seconds:g} s after its stdin was closed")
        self._readers[0].join(timeout=1)
        extra = self._lines.get() if not self._lines.empty() else None
        if extra is not None:
            return self._broken(OutcomeKind.GARBLED, "a second line for one request", extra)
        if status != 0:
            return self._broken(OutcomeKind.CRASHED, f"it answered, then ended with status {status}")
        return outcome

    def end(self) -> None:
        """End the group. The readers close what they read: a child that left the group may still hold it."""
        end_group(self.process)
        self._close_stdin()

    def _send(self, line: bytes) -> None:
        if len(line) <= _PIPE_BYTES:
            self._write(line)
        else:
            # A program that does not read must not make us wait past the deadline.
            threading.Thread(target=self._write, args=(line,), daemon=True).start()

    def _write(self, line: bytes) -> None:
        stdin = self.process.stdin
        assert stdin is not None
        # When it has ended, the queue says so next.
        with contextlib.suppress(OSError, ValueError):
            rest = memoryview(line)
            while rest:
                rest = rest[stdin.write(rest) :]

    def _close_stdin(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def _outcome(self, line: bytes, number: int) -> Outcome:
        if len(line) > MAX_REPLY_BYTES:
            return self._broken(OutcomeKind.GARBLED, f"a reply of more than {MAX_REPLY_BYTES} bytes", line)
        try:
            reply = Reply.model_validate_json(line)
        except ValidationError as error:
            told = [
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}".removeprefix(": ") for item in error.errors()[:3]
            ]
            return self._broken(OutcomeKind.GARBLED, f"not a reply: {'; '.join(told)}", line)
        if reply.id != number:
            return self._broken(OutcomeKind.GARBLED, f"a reply to {reply.id}, asked was {number}", line)
        (kind,) = reply.model_fields_set - {"id"}
        value = getattr(reply, kind)
        decoded = value if isinstance(value, dict) else value.model_dump(mode="json")
        return Outcome(OutcomeKind(kind), decoded, self._evidence())

    def _broken(self, kind: OutcomeKind, message: str, line: bytes | None = None) -> Outcome:
        evidence = self._evidence()
        if line is not None:
            evidence["line"] = line[:500].decode("utf-8", "replace")
        if kind is OutcomeKind.CRASHED:
            with contextlib.suppress(subprocess.TimeoutExpired):
                message += f" (exit status {self.process.wait(timeout=5)})"
            self._readers[1].join(timeout=1)
            evidence |= self._evidence()
        return Outcome(kind, {"message": message}, evidence)

    def _evidence(self) -> dict[str, Any]:
        return {"stderr": bytes(self._stderr[-_STDERR_KEPT:]).decode("utf-8", "replace")}

    def _read_stdout(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        unended = bytearray()
        with stdout, contextlib.suppress(OSError, ValueError):
            while chunk := stdout.read(_PIPE_BYTES):
                *lines, rest = chunk.split(b"\n")
                for line in lines:
                    self._put(bytes(unended + line) + b"\n")
                    unended.clear()
                unended += rest
                if len(unended) > MAX_REPLY_BYTES:
                    # Too long already, however it goes on; the rest of it is not kept.
                    self._put(bytes(unended))
                    unended.clear()
        if unended:
            self._put(bytes(unended))
        self._lines.put(None)

    def _put(self, line: bytes) -> None:
        # The first line that nobody asked for is told; a flood of them is not kept.
        if self._lines.qsize() < _LINES_KEPT:
            self._lines.put(line)

    def _read_stderr(self) -> None:
        stderr = self.process.stderr
        assert stderr is not None
        with stderr, contextlib.suppress(OSError, ValueError):
            while chunk := stderr.read(_PIPE_BYTES):
                self._stderr += chunk
                # A flood is drained, not kept: the program must never wait for us to read it.
                del self._stderr[: -2 * _STDERR_KEPT]
