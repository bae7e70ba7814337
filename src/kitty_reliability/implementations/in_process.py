"""An implementation that is a Python object: ``answer(request)`` returns an outcome. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol

from .base import Implementation, checked_answer
from .protocol import Outcome, OutcomeKind, Request

__all__ = ["Answers", "InProcess"]


class Answers(Protocol):
    """What a Python implementation is."""

    def answer(self, request: Request) -> Outcome:
        """Return the outcome of ``request``."""
        ...  # pragma: no cover


class InProcess(Implementation):
    """Asks a Python object in this process.

    Each operation runs in a worker thread, so that one that never returns is told as hung; the thread is left
    behind then, because Python cannot end it.

    Arguments:
        factory: makes the object; a sibling makes another one.
        spec: the text that named it.
    """

    in_this_process: ClassVar[bool] = True

    def __init__(self, factory: Callable[[], Answers], spec: str) -> None:
        self.spec = spec
        self._factory = factory
        self._worker: _Worker | None = None

    def ask(self, request: Request, *, deadline: float | None = None) -> Outcome:
        """Ask one operation; an exception is told as crashed, with its traceback."""
        seconds = self.deadline if deadline is None else deadline
        if self._worker is None:
            self._worker = _Worker(self._factory)
        started = time.perf_counter()
        answered, outcome = self._worker.ask(request, seconds)
        if not answered:
            self._worker = None
            return Outcome(OutcomeKind.HUNG, {"message": f"no answer within {seconds:g} s"}, {}, seconds)
        if not isinstance(outcome, Outcome):
            message = f"answer() returned {type(outcome).__name__}, not an Outcome"
            return Outcome(OutcomeKind.GARBLED, {"message": message})
        return replace(checked_answer(request, outcome), seconds=time.perf_counter() - started)

    def sibling(
        self,
        environment: Mapping[str, str] | None = None,  # noqa: ARG002
        *,
        wrapper: Sequence[str] = (),  # noqa: ARG002
    ) -> InProcess:
        """Return another object of the same kind. Environment and start are this process's; they are not changed."""
        return InProcess(self._factory, self.spec)

    def close(self) -> None:
        """Let the worker end."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None


class _Worker:
    def __init__(self, factory: Callable[[], Answers]) -> None:
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._factory = factory
        threading.Thread(target=self._run, daemon=True, name="kitty-implementation").start()

    def ask(self, request: Request, seconds: float) -> tuple[bool, object]:
        self._requests.put(request)
        try:
            return True, self._answers.get(timeout=seconds)
        except queue.Empty:
            self._requests.put(None)
            return False, None

    def stop(self) -> None:
        self._requests.put(None)

    def _run(self) -> None:
        subject: Answers | None = None
        while (request := self._requests.get()) is not None:
            try:
                if subject is None:
                    subject = self._factory()
                outcome = subject.answer(request)
            except BaseException as error:  # noqa: BLE001 - whatever it raises is what is being tested
                lines = traceback.format_exception(error)
                message = f"{type(error).__name__}: {error}"
                outcome = Outcome(OutcomeKind.CRASHED, {"message": message}, {"traceback": "".join(lines)[-4000:]})
            self._answers.put(outcome)
