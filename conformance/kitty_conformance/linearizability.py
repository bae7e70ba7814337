"""Whether what several sessions were told about one work package can have happened in some order.

An operation takes effect at one moment between its request and its answer. The search is Wing and Gong's, event by
event: it keeps every configuration that the answers so far allow, each once - the lane, its holder, and which of the
requests that are still open took effect already. When an answer leaves none, no order explains it, and what is known
at that moment is the smallest witness. Work packages are independent, so each is searched alone.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["HELD", "Operation", "Undecided", "unexplained"]

#: Lanes in which one actor has a work package in hand; another's request may be refused for that alone (STA-011).
HELD = frozenset({"claimed", "in_progress", "in_review"})

_MILLISECONDS = 1000


class Undecided(Exception):
    """The time was up before an order was found or excluded."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One request to move a work package, and what came of it. What failed without effect is no part of a history.

    Arguments:
        actor: who asked. to: the lane that was asked for.
        result: ``moved``; ``stayed``, for the lane that is in force; ``refused``, by rule; ``perhaps``, when nobody
            was told; ``seen``, when the lane ``to`` was read.
        asked, answered: when, in seconds on one clock; ``answered`` is None for what never was.
        legal: lanes from which the rules demand that it is granted. possible: lanes from which they allow it.
        from_lane: the lane that a success claims to have left.
    """

    actor: str
    work_package: str
    to: str
    result: Literal["moved", "stayed", "refused", "perhaps", "seen"]
    asked: float
    answered: float | None
    legal: Collection[str] = ()
    possible: Collection[str] = ()
    from_lane: str | None = None


class _State(NamedTuple):
    lane: str
    holder: str | None


#: A state, and which of the open requests took effect.
_Configuration = tuple[_State, frozenset[int]]


def unexplained(history: Iterable[Operation], lanes: Mapping[str, str], *, seconds: float = 30.0) -> str | None:
    """Return in words why no order explains ``history``, or None when one does.

    Arguments:
        lanes: the lane in which each work package began.
        seconds: how long to search.

    Raises:
        Undecided: the time was up.
    """
    until = time.monotonic() + seconds
    by_work_package: dict[str, list[Operation]] = {}
    for operation in history:
        by_work_package.setdefault(operation.work_package, []).append(operation)
    for work_package, operations in sorted(by_work_package.items()):
        witness = _search(operations, _State(lanes[work_package], None), until)
        if witness is not None:
            return witness
    return None


def _search(operations: Sequence[Operation], start: _State, until: float) -> str | None:
    # At one instant requests come first: what touches counts as overlapping.
    events = [(operation.asked, 0, number) for number, operation in enumerate(operations)]
    events += [
        (operation.answered, 1, number)
        for number, operation in enumerate(operations)
        if operation.answered is not None and operation.result != "perhaps"
    ]
    open_: dict[int, Operation] = {}
    configurations: set[_Configuration] = {(start, frozenset())}
    for _, answered, number in sorted(events):
        if not answered:
            open_[number] = operations[number]
            configurations = {_settled(found, open_) for found in configurations}
            continue
        after = _having(number, configurations, open_, until)
        if not after:
            return _witness(operations, number, configurations, open_)
        configurations = after
        del open_[number]
    return None


def _having(
    number: int, configurations: set[_Configuration], open_: Mapping[int, Operation], until: float
) -> set[_Configuration]:
    """Return the configurations in which request ``number`` took effect, after as many others as that needed."""
    found: set[_Configuration] = set()
    met, ahead = set(configurations), list(configurations)
    while ahead:
        if time.monotonic() > until:
            raise Undecided(f"{len(met)} configurations were looked at")
        state, done = ahead.pop()
        if number in done:
            found.add((state, done - {number}))
            continue
        for other, operation in open_.items():
            moved = None if other in done else _moved(state, operation)
            if moved is not None:
                following = _settled((moved, done | {other}), open_)
                if following not in met:
                    met.add(following)
                    ahead.append(following)
    return found


def _settled(configuration: _Configuration, open_: Mapping[int, Operation]) -> _Configuration:
    """Let every open request that this state answers, and that changes nothing, take effect: the sooner the better."""
    state, done = configuration
    answered = {number for number, operation in open_.items() if number not in done and _answered(state, operation)}
    return state, done | answered


def _moved(state: _State, operation: Operation) -> _State | None:
    """Return the state after a move, None when it is none or cannot happen here."""
    if operation.result not in ("moved", "perhaps") or state.lane not in operation.possible:
        return None
    if operation.from_lane not in (None, state.lane):
        return None
    return _State(operation.to, operation.actor)


def _answered(state: _State, operation: Operation) -> bool:
    """Say whether an answer that changes nothing is right in ``state``."""
    there = state.lane == operation.to
    theirs = state.lane in HELD and state.holder != operation.actor
    match operation.result:
        case "refused":
            return there or theirs or state.lane not in operation.legal
        case "stayed":
            return there and not theirs
        case "seen":
            return there
        case _:
            return False


# --- in words


def _witness(
    operations: Sequence[Operation], number: int, configurations: set[_Configuration], open_: Mapping[int, Operation]
) -> str:
    wrong = operations[number]
    began = min(operation.asked for operation in operations)
    states = sorted({state for state, _ in configurations}, key=str)
    lines = [_told(wrong, began)]
    for state in states:
        lines.append(f"{_left(wrong, state)}{_since(operations, wrong, state, began)}")
    meanwhile = [operation for other, operation in open_.items() if other != number]
    lines += [f"meanwhile {_told(operation, began)}" for operation in meanwhile]
    return "; ".join([*lines, "no order of these explains the answer"])


def _told(operation: Operation, began: float) -> str:
    asked = f"{operation.actor} asked at {_at(operation.asked, began)} for {operation.work_package} -> {operation.to}"
    if operation.result == "seen":
        return f"at the end, {operation.work_package} is {operation.to} on disk"
    if operation.answered is None or operation.result == "perhaps":
        return f"{asked} and was not told what became of it"
    words = {
        "moved": f"moved from {operation.from_lane}" if operation.from_lane else "moved",
        "stayed": "it is there already",
        "refused": "refused",
    }
    return f"{asked} and was told at {_at(operation.answered, began)}: {words[operation.result]}"


def _left(wrong: Operation, state: _State) -> str:
    """Say what was in force, and why the answer does not fit it."""
    by = f", by {state.holder}" if state.holder else ""
    if wrong.result == "refused":
        why = "from where the request is legal"
    elif wrong.result == "moved" and state.lane in wrong.possible:
        why = f"not {wrong.from_lane}"
    elif wrong.result == "moved":
        why = "from where the request is not legal"
    else:
        why = "which the answer contradicts"
    return f"until then it can have been {state.lane}{by}, {why}"


def _since(operations: Sequence[Operation], wrong: Operation, state: _State, began: float) -> str:
    """Name the last answered move that led to ``state``."""
    assert wrong.answered is not None
    moves = [
        operation
        for operation in operations
        if operation is not wrong and operation.result == "moved" and operation.answered is not None
        if (operation.to, operation.actor) == state and operation.answered <= wrong.answered
    ]
    if not moves:
        return ""
    last = max(moves, key=lambda operation: operation.answered or 0.0)
    return f" ({_told(last, began)})"


def _at(moment: float, began: float) -> str:
    return f"{(moment - began) * _MILLISECONDS:.1f} ms"
