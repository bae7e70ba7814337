"""The event log of one mission: known once, extended row by row, never believed without looking.

The store remembers the bytes it has read and what they reduce to. When the file is as it was left, nothing is
read; when somebody else added rows, only those are parsed; anything else is read anew. So an append with
readback costs the same on a log of a hundred rows and of a hundred thousand. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from filelock import FileLock, Timeout

from kitty_reliability.formats.diagnostics import DiagnosticError, diagnostic
from kitty_reliability.formats.events import Row, encode_row, read_rows, torn_tail
from kitty_reliability.formats.mission import Meta, MissionPaths
from kitty_reliability.formats.profiles import Profile

from .files import append_durably, cut, write_exclusively
from .locations import lock_path
from .reducer import Reducer

__all__ = ["LogStore"]

_Signature = tuple[int, int, int, int]
_POLL_SECONDS: Final = 0.005


class LogStore:
    """The log of the mission at ``paths``, read under ``profile``.

    Arguments:
        lock_seconds: the longest wait for the lock.
        reducer_class: what reduces the rows.
    """

    def __init__(
        self,
        paths: MissionPaths,
        profile: Profile,
        *,
        lock_seconds: float = 10.0,
        reducer_class: type[Reducer] = Reducer,
    ) -> None:
        self.paths = paths
        self.profile = profile
        self._log = paths.log
        self.lock_seconds = lock_seconds
        self._reducer_class = reducer_class
        self._mission_id: str | None = None
        self._was_missing = False
        self._added = b""
        self._forget()

    @cached_property
    def _lock(self) -> FileLock:
        # Not for readers, who need none: to make it costs as much as to read a short log.
        return FileLock(lock_path(self.paths), timeout=self.lock_seconds, poll_interval=_POLL_SECONDS)

    # --- reading

    def read(self, meta: Meta) -> Reducer:
        """Return what the log reduces to now. A missing log reduces to nothing.

        Raises:
            DiagnosticError: the log is no regular file, or a line of it cannot be read.
        """
        self._refresh(meta)
        if self._torn:
            raise diagnostic("ROW_TORN", line=self._lines + 1, path=str(self._log))
        return self.reducer

    def data(self) -> bytes:
        """Return the bytes of the log, none when there is no log.

        Raises:
            DiagnosticError: the log is a link, or no regular file.
        """
        return b"" if self._look() is None else self._log.read_bytes()

    @property
    def exists(self) -> bool:
        """Say whether there was a log when it was last looked at."""
        return self._signature is not None

    @property
    def size(self) -> int:
        """How many bytes of whole lines the log had when it was last looked at."""
        return len(self._data)

    def _forget(self) -> None:
        self._data: bytes | bytearray = b""
        # Newlines in the known bytes, and how many of these bytes were looked through for them.
        self._newlines = self._looked_through = 0
        self._torn = b""
        self._signature: _Signature | None = None
        self.reducer = self._reducer_class(self.profile, self.paths.slug, self._mission_id)

    def _refresh(self, meta: Meta) -> None:
        if meta.mission_id != self._mission_id:
            self._mission_id = meta.mission_id
            self._forget()
        signature = self._look()
        if signature == self._signature and signature is not None:
            return
        if signature is None:
            self._forget()
            return
        data = self._log.read_bytes()
        if self._torn or not data.startswith(self._data) or not self._data.endswith(b"\n"):
            self._forget()
        try:
            self._take(data[len(self._data) :])
        except BaseException:
            self._forget()
            raise
        # What was read may be older than what was looked at; only a signature of these very bytes counts.
        self._signature = signature if signature[1] == len(data) else (-1, -1, -1, -1)

    def _take(self, added: bytes) -> None:
        """Take in what stands behind the known bytes; a torn end is set aside in memory."""
        torn = torn_tail(added)
        whole = added[: len(added) - len(torn)] if torn else added
        with _no_collection():
            self.reducer.add(self._parse(whole))
        self._know(whole)
        self._torn = torn

    def _know(self, added: bytes) -> None:
        if not self._data:
            self._data = added  # as it was read: a long log is copied when something is added to it
            return
        if isinstance(self._data, bytes):
            self._data = bytearray(self._data)
        self._data += added

    @property
    def _lines(self) -> int:
        """How many lines are known. They are counted when somebody asks, and each once."""
        self._newlines += self._data.count(b"\n", self._looked_through)
        self._looked_through = len(self._data)
        return self._newlines

    def _parse(self, data: bytes) -> list[Row]:
        return read_rows(data, self.profile, first_line=self._lines + 1)

    def _look(self) -> _Signature | None:
        try:
            found = os.lstat(self._log)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            raise diagnostic("EVENT_LOG_OUTSIDE_ROOT", path=str(self._log))
        if not stat.S_ISREG(found.st_mode):
            raise diagnostic("EVENT_LOG_NOT_A_FILE", path=str(self._log))
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    # --- writing

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the mission, which every writer in every checkout respects.

        Raises:
            DiagnosticError: EVENT_LOCK_TIMEOUT after ``lock_seconds``.
        """
        try:
            self._lock.acquire()  # which makes the directory of the lock
        except Timeout:
            path = str(Path(self._lock.lock_file))
            raise diagnostic("EVENT_LOCK_TIMEOUT", path=path, seconds=self.lock_seconds) from None
        try:
            yield
        finally:
            self._lock.release()

    def open_for_append(self, meta: Meta) -> Reducer:
        """Return what the log reduces to, with a torn end set aside. Call it with the lock held."""
        self._refresh(meta)
        self._was_missing = not self.exists
        if self._torn:
            self._set_torn_aside()
        return self.reducer

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Add ``rows`` durably, in one write, and read them back. Call it with the lock held, after ``open_for_append``.

        Raises:
            DiagnosticError: EVENT_APPEND_FAILED or EVENT_READBACK_FAILED; the log is as it was then.
                EVENT_APPEND_UNRESOLVED when even that could not be done.
        """
        before = len(self._data)
        lines = b"".join(map(encode_row, rows))
        # A last line that is whole but lacks its newline must not be glued to the new one (STA-009).
        added = lines if not self._data or self._data.endswith(b"\n") else b"\n" + lines
        self._added = added
        try:
            append_durably(self._log, added)
        except OSError as error:
            self.take_back(before)
            raise diagnostic("EVENT_APPEND_FAILED", problem=error.strerror or str(error)) from error
        try:
            self.reducer.add(self._read_back(before, added))
            signature = self._look()
        except DiagnosticError:
            self.take_back(before)
            raise
        except OSError as error:
            self.take_back(before)
            raise diagnostic("EVENT_READBACK_FAILED", problem=error.strerror or str(error)) from error
        self._know(added)
        self._signature = signature if signature and signature[1] == len(self._data) else (-1, -1, -1, -1)

    def take_back(self, size: int) -> None:
        """Cut the log to the ``size`` it had before the last append, which does not stand.

        What somebody else wrote behind it meanwhile, without the lock, is not cut away with it.

        Raises:
            DiagnosticError: EVENT_APPEND_UNRESOLVED, saying what stands.
        """
        self._forget()
        try:
            if self._look() is None:
                return
            with self._log.open("rb") as file:
                file.seek(size)
                stands = file.read()
            # A disk that lies may have kept any part of it.
            if stands not in self._added:
                raise diagnostic(
                    "EVENT_APPEND_UNRESOLVED",
                    problem="somebody else changed the log meanwhile",
                    stands=f"from byte {size} on the log is as it is",
                )
            if self._was_missing:
                self._log.unlink()
            elif stands:
                cut(self._log, size)
        except OSError as error:
            raise diagnostic(
                "EVENT_APPEND_UNRESOLVED",
                problem=error.strerror or str(error),
                stands=f"bytes from {size} on may hold the row",
            ) from error

    def _read_back(self, before: int, added: bytes) -> list[Row]:
        """Return the rows that the disk has behind ``before`` (STA-002); they must be ``added``."""
        with self._log.open("rb") as file:
            file.seek(before)
            found = file.read()
        if found != added:
            problem = f"{len(found)} bytes are there, {len(added)} were written"
            raise diagnostic("EVENT_READBACK_FAILED", problem=problem)
        return self._parse(found)

    def _set_torn_aside(self) -> None:
        """Keep the torn end in a file of its own and cut it off the log (STA-009)."""
        name = f"{self._log.name}.torn-{sha256(self._torn).hexdigest()[:16]}"
        aside = self._log.with_name(name)
        try:
            if aside.exists() and aside.read_bytes() != self._torn:
                # Half a copy, left by a writer that was killed: it must not stand in the way for ever.
                aside = aside.with_name(f"{name}-{token_hex(4)}")
            if not aside.exists():
                write_exclusively(aside, self._torn)
        except OSError as error:
            raise diagnostic("EVENT_APPEND_FAILED", problem=error.strerror or str(error)) from error
        cut(self._log, len(self._data))
        self._torn = b""


@contextmanager
def _no_collection() -> Iterator[None]:
    # Rows are many and in no cycle: looking for garbage among them costs a sixth of reading a long log.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
