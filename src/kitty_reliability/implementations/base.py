"""What every way of reaching an implementation has in common. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from .protocol import (
    ANSWERS,
    PROTOCOL_VERSION,
    Hello,
    HelloAnswer,
    Outcome,
    OutcomeKind,
    Request,
    Trouble,
    Unsupported,
)

__all__ = ["Implementation", "ImplementationError", "checked_answer"]


class ImplementationError(Exception):
    """An implementation cannot be found, started or understood; the text names it and the remedy."""


class Implementation(ABC):
    """An implementation under test, as the runner sees it.

    One object is one session: it is asked one thing at a time. Ask for a ``sibling`` to have two at once.
    """

    #: The text that named it, such as ``exec:./bin/adapter``.
    spec: str = ""
    #: True when operations run in this very process, so that faults can be put in place here.
    in_this_process: ClassVar[bool] = False

    @abstractmethod
    def ask(self, request: Request, *, deadline: float | None = None) -> Outcome:
        """Ask one operation and wait for its outcome, ``deadline`` seconds at most.

        Never raises for what the implementation does: that is an outcome.
        """

    @abstractmethod
    def sibling(self, environment: Mapping[str, str] | None = None, *, wrapper: Sequence[str] = ()) -> Implementation:
        """Return another session on the same implementation.

        Arguments:
            environment: added to its processes.
            wrapper: a program and its arguments that starts what follows it, such as ``["nice"]``.
        """

    @property
    def process_id(self) -> int | None:
        """The process that serves the next operation; None when it is this one, or one that is yet to be started."""
        return None

    def close(self) -> None:  # noqa: B027 - an object in this process has nothing to end
        """End the session and every process that it started."""

    @cached_property
    def greeting(self) -> HelloAnswer:
        """Who the implementation says it is.

        Raises:
            ImplementationError: it does not say.
        """
        outcome = self.ask(Hello(), deadline=60)
        if not outcome.ok:
            seen = {name: str(outcome.evidence.get(name, "")).strip()[-400:] for name in ("line", "stderr")}
            told = "".join(f"; its {name}: {text!r}" for name, text in seen.items() if text)
            raise ImplementationError(f"{self.spec}: no answer to hello: {outcome}{told}")
        answer = HelloAnswer.model_validate(outcome.value)
        if answer.protocol != PROTOCOL_VERSION:
            raise ImplementationError(
                f"{self.spec}: it speaks protocol {answer.protocol}, this is protocol {PROTOCOL_VERSION}"
            )
        return answer

    @property
    def deadline(self) -> float:
        """How long an operation may take before it counts as hung, in seconds."""
        return max(15.0, 30 * self.greeting.typical_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def checked_answer(request: Request, outcome: Outcome) -> Outcome:
    """Return ``outcome`` when it has the shape that the protocol demands, garbled otherwise."""
    try:
        return _checked(request, outcome)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    except (PydanticSerializationError, ValueError, TypeError) as error:
        problems = str(error)
    return Outcome(
        OutcomeKind.GARBLED,
        {"message": f"the answer to {request.operation} has the wrong shape: {problems}"},
        {**outcome.evidence, "answer": _short(outcome.value)},
        outcome.seconds,
    )


def _checked(request: Request, outcome: Outcome) -> Outcome:
    value: Any = outcome.value
    if not isinstance(value, Mapping):
        raise TypeError(f"its value is {type(value).__name__}, no object")
    kind = OutcomeKind(outcome.kind)
    if kind is OutcomeKind.OK:
        answer = ANSWERS[request.operation].model_validate(dict(value))
        return replace(outcome, value=answer.model_dump(mode="json"))
    if kind is OutcomeKind.UNSUPPORTED:
        Unsupported.model_validate(dict(value))
    else:
        Trouble.model_validate(dict(value))
    return outcome


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 500 else text[:500] + "..."
