"""Sync that fails around a local change that succeeded (clauses SYN-001 to SYN-011).

A client that fails by script inside this process; locks that another process really holds; and work that is
really scheduled while an interpreter exits. ``sync_service`` has the same script on the wire.
"""

from __future__ import annotations

import copy
import errno
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from .locks import HeldLock, LockNotHeldError, file_lock_held, sqlite_lock_held
from .shutdown import run_during_shutdown
from .sync_script import Step, SyncFault, SyncScript

__all__ = [
    "FakeSyncClient",
    "HeldLock",
    "LockNotHeldError",
    "SyncAuthError",
    "SyncCall",
    "SyncError",
    "SyncLockHeldError",
    "SyncMalformedError",
    "SyncRefusedError",
    "SyncResetError",
    "SyncShutdownError",
    "SyncStatusError",
    "SyncTimeoutError",
    "SyncUnknownError",
    "file_lock_held",
    "run_during_shutdown",
    "sqlite_lock_held",
]

# --- in this process


class SyncError(Exception):
    """What ``FakeSyncClient`` raises. Where Python has a type for the failure, the error is of that type as well."""


class SyncLockHeldError(SyncError, TimeoutError):
    """The lock of the queue could not be had in time."""


class SyncShutdownError(SyncError, RuntimeError):
    """The interpreter exits."""


class SyncRefusedError(SyncError, ConnectionRefusedError):
    """Nobody listens."""


class SyncResetError(SyncError, ConnectionResetError):
    """The connection broke."""


class SyncTimeoutError(SyncError, TimeoutError):
    """No answer came."""


class SyncMalformedError(SyncError, ValueError):
    """An answer that is no JSON, or not all of it; ``body`` is what came."""

    def __init__(self, message: str, body: str) -> None:
        super().__init__(message)
        self.body = body


class SyncStatusError(SyncError):
    """An answer with an error's status; ``retry_after`` is as the script has it."""

    def __init__(self, message: str, status: int, retry_after: int | str | None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class SyncAuthError(SyncStatusError):
    """Status 401 or 403."""


class SyncUnknownError(SyncError):
    """A failure that fits no category."""


@dataclass(frozen=True, slots=True)
class SyncCall:
    """One call of a ``FakeSyncClient``: what was asked for, with what, when, and which fault answered it."""

    operation: str
    payload: Any
    at: datetime
    fault: SyncFault


class FakeSyncClient:
    """A sync client that does what its script says, call by call, and nothing else.

    It drops no repeated call, tries nothing again and sorts nothing out: whatever of that a test sees is the
    subject's doing. Calls may come from several threads.

    Arguments:
        script: what happens to each call in turn; without one all is well.

    ``calls`` holds every call in order. ``timeout`` and ``trickle`` really take their time: ``seconds``, if
    given, and ``size`` divided by ``bytes_per_second``.

    Example::

        client = FakeSyncClient(SyncScript.of("refused", times=3))
        subject(push=partial(client.call, "push"))
        assert [call.fault for call in client.calls] == ["refused"] * 3
    """

    def __init__(self, script: SyncScript | None = None) -> None:
        self.script = script or SyncScript()
        self.calls: list[SyncCall] = []
        self._turn = threading.Lock()

    def call(self, operation: str, payload: Any = None) -> str:
        """Return the body of a good answer, or fail as the script says.

        Arguments:
            operation: what the subject calls it. payload: anything; recorded as it is now, as a copy.

        Raises:
            SyncError: the type that belongs to the fault.
        """
        kept = copy.deepcopy(payload)
        with self._turn:
            step = self.script.step(len(self.calls))
            self.calls.append(SyncCall(operation, kept, datetime.now(UTC), step.fault))
        return _perform(step)


def _perform(step: Step) -> str:
    text = step.text or ""
    match step.fault:
        case SyncFault.OK:
            return text
        case SyncFault.TRICKLE:
            time.sleep((step.size or 0) / (step.bytes_per_second or 1))
            return step.answer.decode()
        case SyncFault.LOCK_HELD:
            raise SyncLockHeldError(text)
        case SyncFault.INTERPRETER_SHUTDOWN:
            raise SyncShutdownError("cannot schedule new futures after interpreter shutdown")
        case SyncFault.REFUSED:
            raise SyncRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        case SyncFault.RESET:
            raise SyncResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        case SyncFault.TIMEOUT:
            time.sleep(step.seconds or 0)
            raise SyncTimeoutError("timed out")
        case SyncFault.MALFORMED:
            raise SyncMalformedError("the answer is not JSON", text)
        case SyncFault.OVERSIZED:
            raise SyncMalformedError(f"the answer is not JSON but {step.size} bytes of text/html", step.page)
        case SyncFault.TRUNCATED:
            body = step.answer.decode()[: (step.size or 0) // 2]
            raise SyncMalformedError(f"the answer ended after {len(body)} of {step.size} bytes", body)
        case SyncFault.UNKNOWN:
            raise SyncUnknownError(text)
        case _:
            status = HTTPStatus(int(step.fault))
            kind = SyncAuthError if step.fault in (SyncFault.UNAUTHORIZED, SyncFault.FORBIDDEN) else SyncStatusError
            raise kind(f"HTTP {status}: {text}", status, step.retry_after)
