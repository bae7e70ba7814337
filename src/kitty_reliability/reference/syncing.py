"""The final sync: what is durable here is told to the hosted service; what goes wrong there is told, and no more.

Off unless ``SPEC_KITTY_ENABLE_SAAS_SYNC`` says otherwise (interop: section 8). The result of a command is out before
anybody is contacted, and its exit status is settled: nothing below changes either. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome

from .commands import printable
from .locations import lock_path
from .workflow import Workflow

__all__ = ["ADDRESS", "FinalSync", "SyncDiagnostic", "SyncFailure", "sync_lock_path"]

#: The environment variable with the address of the hosted service.
ADDRESS: Final = "SPEC_KITTY_SAAS_URL"
_SWITCH: Final = "SPEC_KITTY_ENABLE_SAAS_SYNC"
_ON: Final = frozenset({"1", "true", "yes", "y", "on"})
_PATH: Final = "/api/v1/events/batch/"
#: The longest answer that is read, and the longest message that is shown.
_BODY, _MESSAGE = 65_536, 300

_TOLD: Final = protocol.Transition | protocol.Batch | protocol.Start | protocol.Recover | protocol.Repair


@dataclass(frozen=True, slots=True)
class SyncDiagnostic:
    """One thing that went wrong; it never makes a command fail (SYN-004)."""

    diagnostic_code: str
    message: str
    severity: str = "warning"
    fatal: bool = False
    sync_phase: str = "final_sync"

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two of them the same one: code, phase, and the message as it is shown, in any case (SYN-005)."""
        return self.diagnostic_code, self.sync_phase, self.shown.casefold()

    @property
    def shown(self) -> str:
        """The message with one blank for many, and no longer than a line can be."""
        message = printable(" ".join(self.message.split()))
        return message if len(message) <= _MESSAGE else f"{message[:_MESSAGE]}..."

    def as_dict(self) -> dict[str, Any]:
        """Return it with the message as it is shown."""
        return {**asdict(self), "message": self.shown}

    def line(self, *, as_json: bool) -> str:
        """Return it as one line that nothing in the message can end or colour (SYN-006, SYN-011)."""
        if as_json:
            return json.dumps(self.as_dict(), sort_keys=True)
        keys = f"severity={self.severity} diagnostic_code={self.diagnostic_code} fatal={str(self.fatal).lower()}"
        return f"sync_diagnostic {keys} sync_phase={self.sync_phase} message={self.shown}"


class SyncFailure(Exception):
    """A sync that came to nothing: a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def sync_lock_path(lock: Path) -> Path:
    """Return the file that the commands of one repository lock while they sync, beside a mission's ``lock``."""
    return lock.with_name("sync.lock")


class FinalSync:
    """What a command does last.

    Arguments:
        workflow: finds the mission.
        seconds: the longest that all of it delays the command.
    """

    def __init__(self, workflow: Workflow, seconds: float = 3.0) -> None:
        self.workflow = workflow
        self.seconds = seconds

    def finish(self, request: protocol.Request, outcome: Outcome, *, as_json: bool) -> None:
        """Sync what ``request`` changed, if it did and if sync is on, and print what went wrong on stderr."""
        self.show(self.found(request, outcome), as_json=as_json)

    def found(self, request: protocol.Request, outcome: Outcome) -> list[SyncDiagnostic]:
        """Sync what ``request`` changed, if it did and if sync is on, and return what is to be told of that."""
        if outcome.ok and outcome.value.get("changed", True) and isinstance(request, _TOLD) and self.on():
            return self.distinct(self.sync(request, outcome))
        return []

    def on(self) -> bool:
        """Say whether anybody may be contacted (SYN-008)."""
        return os.environ.get(_SWITCH, "").strip().casefold() in _ON

    def sync(self, request: Any, outcome: Outcome) -> list[SyncDiagnostic]:
        """Tell the hosted service, for ``seconds`` at most, and return what went wrong; raises nothing."""
        deadline = monotonic() + self.seconds
        found: list[SyncDiagnostic] = []
        try:
            paths = self.workflow.find(request.root, request.mission)
            with self.locked(sync_lock_path(lock_path(paths))):
                messages = list(_messages(request, paths.slug, outcome.value))
                # No answer is worth waiting for at the end of the interpreter: hence a daemon.
                worker = Thread(target=self.send_all, args=(messages, found), daemon=True)
                self.start(worker)
                worker.join(max(deadline - monotonic(), 0))
                if worker.is_alive():
                    found.append(SyncDiagnostic("sync.final_sync_timeout", f"no end within {self.seconds:g} s"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the local change stands
            found.append(self.classified(error))
        return list(found)

    @contextmanager
    def locked(self, path: Path) -> Iterator[None]:
        """Hold the lock of all syncs of the repository; SyncFailure when it cannot be had in time."""
        lock = FileLock(path, timeout=self.seconds)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            held = "another command of this repository syncs, and does not end"
            problem = held if isinstance(error, Timeout) else f"it cannot be made ({type(error).__name__})"
            raise SyncFailure("sync.final_sync_lock_unavailable", problem) from None
        try:
            yield
        finally:
            lock.release()

    def start(self, worker: Thread) -> None:
        """Start ``worker``; from Python 3.12 on that cannot be done while the interpreter exits."""
        try:
            worker.start()
        except RuntimeError as error:
            raise SyncFailure("sync.final_sync_shutdown_unavailable", f"the interpreter exits: {error}") from None

    def send_all(self, messages: Iterable[bytes], found: list[SyncDiagnostic]) -> None:
        """Send each message on its own: one that is not taken does not stop the others."""
        for message in messages:
            try:
                self.send(os.environ.get(ADDRESS, ""), message)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                found.append(self.classified(error))

    def send(self, address: str, message: bytes) -> None:
        """Send ``message`` to ``address`` and to nobody else: no proxy, no redirection.

        Raises:
            SyncFailure: it was answered otherwise than by 200 to 299 and JSON, or ``address`` is none.
            OSError, http.client.HTTPException: it did not get there, or no answer came back.
        """
        from http.client import HTTPConnection, HTTPSConnection

        place = urlsplit(address)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise SyncFailure("sync.address_invalid", f"{ADDRESS} holds no address of http or https")
        kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
        connection = kind(place.hostname, place.port, timeout=self.seconds)
        try:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            connection.request("POST", place.path.rstrip("/") + _PATH, message, headers)
            answer = connection.getresponse()
            self.judge(answer.status, answer.read(_BODY + 1))
        finally:
            connection.close()

    def judge(self, status: int, body: bytes) -> None:
        """Raise SyncFailure unless the answer says that the message was taken."""
        from http.client import responses

        text, told = body[:_BODY].decode("utf-8", "replace"), None
        with suppress(ValueError, RecursionError):
            told = json.loads(body)
        if 200 <= status < 300:
            if told is None or len(body) > _BODY:
                raise SyncFailure("sync.answer_invalid", f"the answer is not JSON: {text}")
            return
        said = told["message"] if isinstance(told, dict) and isinstance(told.get("message"), str) else text
        raise SyncFailure(self.code(status), f"the service answered {status} {responses.get(status, '')}: {said}")

    def code(self, status: int) -> str:
        """Return the code of an answer by its status alone: its text may hold any word."""
        if status in (401, 403):
            return "sync.server_auth_failure"
        if status == 429 or 500 <= status < 600:
            return "sync.server_failure"
        return "sync.unknown_failure"

    def classified(self, error: Exception) -> SyncDiagnostic:
        """Return the diagnostic of a failure; what fits nowhere is unknown and nothing else (SYN-010)."""
        from http.client import HTTPException

        if isinstance(error, SyncFailure):
            return SyncDiagnostic(error.code, str(error))
        # The texts of these may name hosts and paths (SEC-007).
        kind = type(error).__name__
        if isinstance(error, TimeoutError):
            return SyncDiagnostic("sync.final_sync_timeout", f"no answer ({kind})")
        if isinstance(error, OSError | HTTPException):
            return SyncDiagnostic("sync.transport_failure", f"the service could not be asked ({kind})")
        return SyncDiagnostic("sync.unknown_failure", f"sync stopped ({kind})")

    def distinct(self, found: Iterable[SyncDiagnostic]) -> list[SyncDiagnostic]:
        """Return each diagnostic once; under a profile that has room for one line, the first (SYN-005)."""
        kept: dict[tuple[str, str, str], SyncDiagnostic] = {}
        for one in found:
            kept.setdefault(one.key, one)
        return list(kept.values())[: None if self.workflow.profile.every_sync_diagnostic else 1]

    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        """Print a line each on stderr; a stderr that is closed or full is no failure either."""
        with suppress(OSError, ValueError):
            for one in found:
                if sys.stderr is not None:
                    print(one.line(as_json=as_json), file=sys.stderr, flush=True)


def _messages(request: Any, slug: str, value: Mapping[str, Any]) -> Iterator[bytes]:
    """Return what is sent: a message for each event, or one for a change without an event. Nothing of this machine."""
    for answer in value.get("transitions", [value]):
        if answer["changed"]:
            told = {key: answer[key] for key in ("work_package_id", "from_lane", "to_lane") if answer.get(key)}
            for event in answer.get("event_ids") or [answer.get("event_id")]:
                message = {**told, "event_id": event, "mission_slug": slug, "operation": request.operation}
                yield json.dumps(message, sort_keys=True).encode("ascii")
