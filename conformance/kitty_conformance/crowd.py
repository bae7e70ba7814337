"""Several sessions on one mission, each in a process of its own, asked at the same time."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from threading import Barrier

from kitty_reliability.implementations.base import Implementation
from kitty_reliability.implementations.protocol import Outcome, Transition

from .world import World, another_process

__all__ = ["Asked", "Crowd", "crowd", "pace", "scaled", "send", "wait_for"]

#: What an operation takes when a scenario is run in full, in seconds.
_FULL_PACE = 0.01
#: A positive control that took longer than this was no operation of the usual kind: a process was started for it.
_SLOW = 0.25
_POLL = 0.005


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to one of several sessions, with the moments before and after it, on one clock."""

    session: int
    request: Transition
    outcome: Outcome
    asked: float
    answered: float

    @property
    def event_id(self) -> str:
        """The event that was reported."""
        return str(self.outcome.value["event_id"])


def pace(world: World, control: Outcome) -> float:
    """Return what an operation takes: as declared, or as the positive control took it where that is much more."""
    declared = world.implementation.greeting.typical_seconds
    return max(declared, control.seconds) if control.seconds > _SLOW else declared


def scaled(full: int, seconds: float) -> int:
    """Return how often to do what is done ``full`` times when an operation takes 10 ms, if it takes ``seconds``."""
    return max(1, min(full, int(full * _FULL_PACE / seconds)))


class Crowd:
    """Sessions that are awake, each with a thread that asks it and a random generator of its own."""

    def __init__(self, world: World, sessions: Sequence[Implementation], pool: ThreadPoolExecutor) -> None:
        self.world = world
        self.sessions = sessions
        self._pool = pool
        self._rngs = [Random(world.rng.random()) for _ in sessions]

    def race(
        self,
        rounds: int,
        choose: Callable[[int, int, Random], Transition],
        heard: Callable[[Asked], None] | None = None,
    ) -> list[Asked]:
        """Let every session ask ``rounds`` times, and return what came of it, session by session.

        Arguments:
            choose: returns a request for (session, round, random generator).
            heard: is given each answer at once; then nobody waits for the others between the rounds.
        """
        barrier = Barrier(len(self.sessions))

        def one(number: int) -> list[Asked]:
            rng, answers = self._rngs[number], []
            for turn in range(rounds):
                if heard is None or turn == 0:
                    barrier.wait(2 * self.sessions[number].deadline)
                # Who comes first is to differ: it must not depend on the order of the threads.
                time.sleep(rng.choice((0.0, 0.0, 0.0, rng.uniform(0, _FULL_PACE))))
                request = choose(number, turn, rng)
                before = time.monotonic()
                outcome = self.sessions[number].ask(request)
                answers.append(Asked(number, request, outcome, before, time.monotonic()))
                if heard is not None:
                    heard(answers[-1])
            return answers

        answers = [answer for session in self._pool.map(one, range(len(self.sessions))) for answer in session]
        self.world.acknowledged += [
            dict(answer.outcome.value)
            for answer in answers
            if answer.outcome.ok and answer.outcome.value.get("changed")
        ]
        return answers


@contextmanager
def crowd(world: World, count: int, environment: Mapping[str, str] | None = None) -> Iterator[Crowd]:
    """Start ``count`` sessions on the world's implementation, for as long as the block lasts."""
    world.commit()
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(count))
        sessions = [stack.enter_context(another_process(world, environment)) for _ in range(count)]
        # Everybody is awake before the start.
        list(pool.map(lambda session: session.greeting, sessions))
        yield Crowd(world, sessions, pool)


def wait_for(fact: Callable[[], bool], seconds: float) -> bool:
    """Wait until ``fact``, and say whether it came about within ``seconds``."""
    until = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL)
    return True


def send(session: Implementation, name: str) -> bool:
    """Send the signal called ``name`` to everything that the session runs; say whether that could be done."""
    process = session.process_id
    if process is None or sys.platform == "win32":
        return False
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, getattr(signal, name))
        return True
    return False
