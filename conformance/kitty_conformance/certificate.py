"""The certificate: the reference conforms, no null holds a clause, every mutant is caught by its own scenario.

It says how sensitive the suite is to the mistakes that are listed, each made in the reference. It is no proof that the
suite finds every mistake (conformance-kit: "The kit proves itself").
"""

from __future__ import annotations

import os
import platform
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from kitty_reliability import __version__
from kitty_reliability.implementations.protocol import PROTOCOL_VERSION
from pytest_kitty.report import ClauseVerdict, Verdict

from . import caught
from .bench import Bench, Judged
from .catalogue import clauses, contract_hash, scenarios
from .mutants import Mutant, mutants
from .nulls import NULLS

__all__ = ["Certificate", "MutantResult", "certify", "clauses"]


@dataclass(frozen=True, slots=True)
class MutantResult:
    """What became of one mutant; ``missed`` says what was wrong when its own scenario did not catch it."""

    name: str
    clause: str
    scenario: str
    finding: str
    mistake: str
    missed: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Everything that was run to prove the suite, and what it came to."""

    #: Clause -> verdict, of the reference; empty when only some clauses' mutants were asked for.
    reference: Mapping[str, str]
    #: Null -> the clauses that hold for it.
    nulls: Mapping[str, Sequence[str]]
    mutants: Sequence[MutantResult]
    #: Which assertion caught whom.
    caught: caught.Caught = field(default_factory=caught.Caught)
    #: Who was to be caught where, and was not.
    slipped: Sequence[str] = ()

    @property
    def faults(self) -> list[str]:
        """What keeps the certificate from being one, in words; empty when nothing does."""
        said = [f"reference: {clause} is {verdict}" for clause, verdict in self.reference.items() if verdict != "holds"]
        said += [f"null:{name}: {', '.join(held)} held" for name, held in self.nulls.items() if held]
        said += [f"mutant:{result.name}: {result.missed}" for result in self.mutants if result.missed]
        said += self.slipped
        killed = Counter(result.clause for result in self.mutants if not result.missed)
        said += [
            f"{clause}: {killed[clause]} killed mutants, 2 are needed"
            for clause in self.reference
            if killed[clause] < 2
        ]
        return said

    def value(self) -> dict[str, Any]:
        """Return the certificate as JSON data."""
        return {
            "suite": __version__,
            "protocol": PROTOCOL_VERSION,
            "contract": contract_hash(),
            "python": platform.python_version(),
            "pytest": pytest.__version__,
            "platform": platform.system(),
            "certified": not self.faults,
            "faults": self.faults,
            "reference": dict(self.reference),
            "nulls": {name: {"held": list(held), "of": len(self.reference)} for name, held in self.nulls.items()},
            "mutants": [asdict(result) for result in self.mutants],
            "assertions": self.caught.record(),
        }

    def table(self) -> str:
        """Return the table that the documentation shows: each clause and the mistakes that its scenarios catch."""
        lines = ["| clause | mutants killed | the mistakes |", "|---|---|---|"]
        for clause in self.reference:
            of_clause = [result for result in self.mutants if result.clause == clause]
            killed = sum(not result.missed for result in of_clause)
            mistakes = "<br>".join(
                f"`{result.name}`: {result.mistake} *{result.finding}*"
                for result in sorted(of_clause, key=lambda result: result.name)
            )
            mistakes = mistakes.replace("|", "\\|")
            lines.append(f"| {clause} | {killed} of {len(of_clause)} | {mistakes} |")
        return "\n".join(lines) + "\n"


def certify(
    only: Sequence[str] = (),
    *,
    jobs: int | None = None,
    anew: bool = False,
    search: bool = False,
    tell: Callable[[str], None] = print,
) -> Certificate:
    """Run the reference, the nulls and every mutant, and return what it came to.

    Arguments:
        only: clauses whose mutants are run, and no reference; everything when empty.
        anew: do not ask whether each assertion catches whom it is said to catch.
        jobs: how many processes; two a processor when None, for a third of the time they wait.
        search: look for somebody who is caught by each assertion of which nobody is known; that takes long.
        tell: is given a sentence for each thing that is wrong, as soon as it is known.
    """
    chosen = [mutant for mutant in mutants().values() if not only or mutant.clause in only]
    benches = _Benches()
    with ThreadPoolExecutor(jobs or 2 * (os.cpu_count() or 1)) as pool:
        try:
            # What takes longest goes first, so that no processor waits for it at the end.
            whole = None if only else pool.submit(benches.judge, "reference")
            nulls = {
                f"null:{name}": pool.submit(_judge_also, benches, f"null:{name}", only, whole=True) for name in NULLS
            }
            late = {spec: pool.submit(_judge_also, benches, spec, only, whole=False) for spec in caught.late()}
            runs = [(mutant, pool.submit(_judge_mutant, benches, mutant, tell)) for mutant in chosen]
            catches = caught.Caught()
            for mutant, run in runs:
                spec = f"mutant:{mutant.name}"
                catches.add(spec, run.result()[1], caught.to_run(spec), mutant.scenario, mutant.finding)
            for spec, other in {**nulls, **late}.items():
                catches.add(spec, other.result(), caught.to_run(spec, only))
            # Where several are too slow, which assertion is the first to fail hangs on how busy the machine is.
            for who in () if anew else catches.missed():
                spec, own, judged = pool.submit(_judge_again, benches, who).result()
                catches.add(spec, judged, (), *own)
            for spec in caught.SEARCHED if search else ():
                found = {also: pool.submit(benches.judge, spec, (), also[0], None, also) for also in catches.open()}
                for also, other in found.items():
                    catches.add(spec, other.result(), also)
            certificate = Certificate(
                reference={} if whole is None else _of_catalogue(whole.result()),
                nulls={} if only else {name: _held(nulls[f"null:{name}"].result()) for name in NULLS},
                mutants=[run.result()[0] for _, run in runs],
                caught=catches,
                slipped=[] if anew else [*catches.faults(), *([] if only else catches.unknown())],
            )
        finally:
            benches.close()
    return certificate


class _Benches:
    """One warm process for each thread that asks."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._all: list[Bench] = []

    def judge(self, spec: str, *which: Any) -> Judged:
        if not hasattr(self._own, "bench"):
            self._own.bench = Bench()
            self._all.append(self._own.bench)
        bench: Bench = self._own.bench
        return bench.judge(spec, *which)

    def close(self) -> None:
        for bench in self._all:
            bench.close()


def _judge_also(benches: _Benches, spec: str, only: Sequence[str], *, whole: bool) -> Judged:
    """Judge somebody by the scenarios that catch it; by every clause, too, when ``whole``."""
    also = caught.to_run(spec, only)
    if whole:
        return benches.judge(spec, only, None, None, also)
    return benches.judge(spec, (), also[0], None, also) if also else Judged(0)


def _judge_mutant(benches: _Benches, mutant: type[Mutant], tell: Callable[[str], None]) -> tuple[MutantResult, Judged]:
    spec = f"mutant:{mutant.name}"
    also = caught.to_run(spec)
    asked = sorted({mutant.clause, *(scenarios()[name].clauses[0] for name in also)})
    judged = benches.judge(spec, asked, mutant.scenario, mutant.finding, also)
    missed = _missed(mutant, judged)
    if missed:
        tell(f"{spec} ({mutant.__doc__}): {missed}")
    result = MutantResult(mutant.name, mutant.clause, mutant.scenario, mutant.finding, str(mutant.__doc__), missed)
    return result, judged


def _judge_again(benches: _Benches, who: str) -> tuple[str, tuple[str, str], Judged]:
    """Judge whom an assertion was said to catch by its scenario alone; return that, too, for a mutant's own one."""
    spec, _, scenario = who.partition(" ")
    if scenario:
        return spec, ("", ""), benches.judge(spec, (), scenario, None, [scenario])
    mutant = mutants()[spec.removeprefix("mutant:")]
    own = mutant.scenario, mutant.finding
    return spec, own, benches.judge(spec, [mutant.clause], *own)


def _missed(mutant: type[Mutant], judged: Judged) -> str:
    own = [seen for seen in judged.scenarios if seen.scenario.partition("[")[0] == mutant.scenario]
    found = sorted({seen.finding for seen in own if seen.verdict == Verdict.FAIL})
    if mutant.finding in found:
        return ""
    if found:
        return f"{mutant.scenario} found {', '.join(found)}, not {mutant.finding}"
    if not own:
        return (
            f"{mutant.scenario} decides nothing about {mutant.clause}, or the run ended early (status {judged.status})"
        )
    verdicts = sorted({f"{seen.verdict} {seen.detail}".strip() for seen in own})
    return f"{mutant.scenario} did not catch it: {'; '.join(verdicts)[:300]}"


def _of_catalogue(judged: Judged) -> dict[str, str]:
    return {clause: judged.clauses.get(clause, str(ClauseVerdict.UNDECIDED)) for clause in clauses()}


def _held(judged: Judged) -> list[str]:
    """Return the clauses that hold; every one when the run itself was not to be had, for then nothing is proven."""
    if not judged.clauses:
        return list(clauses())
    return [clause for clause, verdict in judged.clauses.items() if verdict == ClauseVerdict.HOLDS]
