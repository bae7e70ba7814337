"""What sync does wrong and when: one script for the in-process client and the loopback service (clauses SYN-001, SYN-009).

A script is a value: it can be shared, compared and used again. Whoever performs it counts for himself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

__all__ = ["ScriptError", "Step", "StepLike", "SyncFault", "SyncScript"]


class ScriptError(ValueError):
    """A script that cannot be performed; the text names the wrong word and the right ones."""


class SyncFault(StrEnum):
    """The closed list of what can happen to one attempt to sync."""

    OK = "ok"
    """Nothing goes wrong. ``text``: the JSON that is answered."""

    LOCK_HELD = "lock-held"
    """The lock of the local queue is held by another process. In process only; ``text``: the message."""

    INTERPRETER_SHUTDOWN = "interpreter-shutdown"
    """Work is scheduled while the interpreter exits. In process only; the words are the interpreter's own."""

    REFUSED = "refused"
    """The port is closed. On the wire nobody can see the attempt: it lasts until ``SyncService.accept_again``."""

    RESET = "reset"
    """The connection is reset once the request was read."""

    TIMEOUT = "timeout"
    """No answer ever. ``seconds``: how long the silence lasts; on the wire, unless given, as long as the service."""

    TRICKLE = "trickle"
    """A good answer of ``size`` bytes, ``bytes_per_second`` of them a second: no single read ever times out."""

    UNAUTHORIZED = "401"
    """Nobody is logged in, or no longer. ``text``: the message; ``retry_after``: seconds, or the header's raw text."""

    FORBIDDEN = "403"
    """Logged in and not allowed. ``text`` and ``retry_after`` as for 401."""

    RATE_LIMITED = "429"
    """Too many requests; ``retry_after`` is 1 second unless given. ``text`` as for 401."""

    SERVER_ERROR = "500"
    """The service broke. ``text`` and ``retry_after`` as for 401."""

    MALFORMED = "malformed"
    """Status 200 and a body that is announced as JSON and is none. ``text``: the body."""

    OVERSIZED = "oversized"
    """A page of HTML of ``size`` bytes where JSON was asked for, with ``status``."""

    TRUNCATED = "truncated"
    """A good answer of ``size`` bytes that ends in the middle."""

    UNKNOWN = "unknown"
    """A failure that fits no category (clause SYN-010). ``text``: the message; on the wire with status 418."""


_STATUS: Final[Mapping[str, Any]] = {"retry_after": None}
#: The parameters that a fault takes, with what holds unless they are given.
_PARAMETERS: Final[Mapping[SyncFault, Mapping[str, Any]]] = MappingProxyType(
    {
        SyncFault.OK: {"text": "{}"},
        SyncFault.LOCK_HELD: {"text": "final sync lock unavailable: held by another process"},
        SyncFault.INTERPRETER_SHUTDOWN: {},
        SyncFault.REFUSED: {},
        SyncFault.RESET: {},
        SyncFault.TIMEOUT: {"seconds": None},
        SyncFault.TRICKLE: {"bytes_per_second": 10.0, "size": 20},
        SyncFault.UNAUTHORIZED: {"text": "Unauthorized", **_STATUS},
        SyncFault.FORBIDDEN: {"text": "Forbidden", **_STATUS},
        SyncFault.RATE_LIMITED: {"text": "Too Many Requests", "retry_after": 1},
        SyncFault.SERVER_ERROR: {"text": "Internal Server Error", **_STATUS},
        SyncFault.MALFORMED: {"text": '{"accepted": [1, '},
        SyncFault.OVERSIZED: {"size": 2_000_000, "status": 200},
        SyncFault.TRUNCATED: {"size": 100},
        SyncFault.UNKNOWN: {"text": "the tide is out"},
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """One fault, a number of times in a row. What is not given gets the fault's own value.

    Arguments:
        fault: a word of ``SyncFault``.
        times: for how many attempts it lasts, at least 1.
        text: a message, or a body. seconds: how long a timeout lasts. size: of a body, in bytes, at least 2.
        bytes_per_second: above 0. status: of an oversized answer, 200 to 599; not 204, 205 or 304.
        retry_after: seconds, or the raw text of the header, in ASCII.

    Raises:
        ScriptError: an unknown word, a parameter that the fault does not take, or a value out of its range.
    """

    fault: SyncFault
    times: int = 1
    text: str | None = None
    seconds: float | None = None
    bytes_per_second: float | None = None
    size: int | None = None
    status: int | None = None
    retry_after: int | str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fault", _fault(self.fault))
        takes = _PARAMETERS[self.fault]
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value is None and field.name != "times":
                object.__setattr__(self, field.name, takes.get(field.name))
            elif field.name not in takes and field.name != "times":
                known = ", ".join(["times", *takes])
                raise ScriptError(f"{self.fault} takes {known}; not {field.name}")
            elif not _in_range(field.name, value):
                raise ScriptError(f"{self.fault}: {field.name} is {_RANGES[field.name]}; not {value!r}")

    @property
    def answer(self) -> bytes:
        """The whole good answer of a trickle or a truncation: JSON of exactly ``size`` bytes."""
        return b"{" + b" " * ((self.size or 2) - 2) + b"}"

    @property
    def page(self) -> str:
        """The page of an oversized answer: HTML of exactly ``size`` bytes."""
        page = "<!doctype html><html><body><h1>Bad Gateway</h1>"
        return (page + "<p>padding</p>\n" * ((self.size or 0) // 15 + 1))[: self.size]


#: What a script is written with: a word, a word and its parameters (``times`` among them), or a step.
StepLike: TypeAlias = Step | SyncFault | str | tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, init=False)
class SyncScript:
    """What happens to each attempt in turn, and to all further ones.

    Arguments:
        steps: each a fault word, a pair of a word and its parameters, or a ``Step``.
        default: what happens once the steps are over; all is well unless it is given.

    Raises:
        ScriptError: an unknown word, a parameter that the fault does not take, or a value out of its range.

    Example::

        SyncScript("401", ("429", {"retry_after": 7, "times": 2}), "reset", default="500")
    """

    steps: tuple[Step, ...]
    default: Step

    def __init__(self, *steps: StepLike, default: StepLike = SyncFault.OK) -> None:
        object.__setattr__(self, "steps", tuple(_step(step) for step in steps))
        object.__setattr__(self, "default", _step(default))

    @classmethod
    def of(cls, fault: str, *, times: int = 1, default: StepLike = SyncFault.OK, **parameters: Any) -> SyncScript:
        """Return the script of one fault, ``times`` in a row: ``SyncScript.of("refused", times=3)``."""
        return cls((fault, {"times": times, **parameters}), default=default)

    @property
    def length(self) -> int:
        """How many attempts the steps last for."""
        return sum(step.times for step in self.steps)

    @property
    def faults(self) -> frozenset[SyncFault]:
        """Every word in it, the default among them."""
        return frozenset(step.fault for step in (*self.steps, self.default))

    def step(self, attempt: int) -> Step:
        """Return what happens to an attempt; the first one is number 0."""
        for step in self.steps:
            if attempt < step.times:
                return step
            attempt -= step.times
        return self.default


_RANGES: Final[Mapping[str, str]] = {
    "times": "a whole number, 1 or more",
    "text": "a text without lone surrogates",
    "seconds": "a number, 0 or more",
    "bytes_per_second": "a number above 0",
    "size": "a whole number, 2 or more",
    "status": "a whole number from 200 to 599 whose answer has a body",
    "retry_after": "a whole number of seconds, 0 or more, or one line of ASCII",
}


def _in_range(name: str, value: Any) -> bool:
    if isinstance(value, str):
        # What cannot be put on a wire would end the connection instead of answering.
        if name == "text":
            return not any("\ud800" <= char <= "\udfff" for char in value)
        return name == "retry_after" and value.isascii() and value.isprintable()
    # True is a number to Python and a slip of the pen in a script; nan is in no range.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if name in ("seconds", "bytes_per_second"):
        return 0 <= value < float("inf") if name == "seconds" else 0 < value < float("inf")
    lowest, highest = {"times": (1, None), "size": (2, None), "status": (200, 599)}.get(name, (0, None))
    if name == "status" and value in (204, 205, 304):
        return False
    return isinstance(value, int) and name != "text" and lowest <= value and (highest is None or value <= highest)


def _step(like: StepLike) -> Step:
    if isinstance(like, Step):
        return like
    if isinstance(like, str):
        return Step(_fault(like))
    if not (isinstance(like, tuple) and len(like) == 2 and isinstance(like[1], Mapping)):
        raise ScriptError(f"a step is a word, a pair of a word and a mapping of parameters, or a Step; not {like!r}")
    fault, parameters = _fault(like[0]), like[1]
    known = {field.name for field in fields(Step)[1:]}
    for name in parameters:
        if name not in known:
            raise ScriptError(f"{fault} takes {', '.join(['times', *_PARAMETERS[fault]])}; not {name}")
    return Step(fault, **parameters)


def _fault(word: Any) -> SyncFault:
    try:
        return SyncFault(word)
    except ValueError:
        raise ScriptError(f"no sync fault {word!r}; there are: {', '.join(SyncFault)}") from None
