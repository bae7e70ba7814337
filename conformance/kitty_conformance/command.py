"""``kitty-conform``: the suite as a command, with the kit's own exit status.

0 conforms; 1 a clause is violated; 2 a clause is undecided; 3 configuration, implementation or suite in error;
5 nothing ran. (4 is kept for lists of known deviations.)
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from kitty_reliability import __version__
from kitty_reliability.implementations.base import ImplementationError
from pytest_kitty.plugin import clause_report
from pytest_kitty.report import ClauseReport, ClauseVerdict, Verdict

__all__ = ["main", "run", "schema_text"]

CONFORMS, VIOLATED, UNDECIDED, IN_ERROR, NOTHING_RAN = 0, 1, 2, 3, 5


class _Witness:
    """Keeps what the run found, because pytest gives back no more than a number."""

    def __init__(self) -> None:
        self.report: ClauseReport | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Take the verdicts along."""
        self.report = clause_report(session.config)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (that of the process when None) and return the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    split = given.index("--") if "--" in given else len(given)
    options = _parser().parse_args(given[:split])
    if options.command == "schema":
        print(schema_text(), end="")
        return CONFORMS
    worst = CONFORMS
    for spec in options.implementation or ["reference"]:
        try:
            if options.install:
                _install(spec)
        except ImplementationError as error:
            print(f"kitty-conform: {error}", file=sys.stderr)
            return IN_ERROR
        status = run(
            spec,
            profile=options.profile,
            clauses=options.clause,
            seed=options.seed,
            arguments=[*_pytest_arguments(options), *given[split + 1 :]],
        )
        worst = max(worst, status, key=_weight)
    return worst


def schema_text() -> str:
    """Return the JSON Schema of the protocol, as ``protocol.schema.json`` has it."""
    from kitty_reliability.implementations.protocol import protocol_schema

    return json.dumps(protocol_schema(), indent=1) + "\n"


def run(
    spec: str,
    *,
    profile: str | None = None,
    clauses: Sequence[str] = (),
    seed: int | None = None,
    arguments: Sequence[str] = (),
) -> int:
    """Run the suite against the implementation ``spec`` and return the kit's exit status.

    Arguments:
        profile: what to judge by; the declared one when None.
        clauses: ids of the clauses to run; all when empty.
        seed: what slugs and actors are drawn from.
        arguments: more arguments for pytest.
    """
    here = files("kitty_conformance")
    command = [
        # A configuration of its own: that of the project it is run in is about that project's tests.
        "-c", str(here / "pytest.ini"), "--rootdir", str(Path.cwd()),
        "-p", "kitty", "-p", "no:cacheprovider", "--pyargs", "kitty_conformance",
        "--kitty-implementation", spec,
        # The clause table is the summary; and this command had to import the plugin before pytest did.
        "-rE", "-W", "ignore::pytest.PytestAssertRewriteWarning",
    ]  # fmt: skip
    if profile:
        command += ["--kitty-profile", profile]
    if seed is not None:
        command += ["--kitty-seed", str(seed)]
    for clause in clauses:
        command += ["--kitty-clause", clause]
    witness = _Witness()
    status = pytest.main([*command, *arguments], plugins=[witness])
    return _exit_status(int(status), witness.report)


def _exit_status(status: int, report: ClauseReport | None) -> int:
    if status in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        return IN_ERROR
    if report is None or not report.results:
        return IN_ERROR if status == pytest.ExitCode.INTERRUPTED else NOTHING_RAN
    verdicts = set(report.clauses.values())
    if any(result.verdict is Verdict.ERROR for result in report.results.values()):
        return IN_ERROR
    if ClauseVerdict.VIOLATED in verdicts:
        return VIOLATED
    # A run that was cut short decided nothing about what it did not reach.
    if ClauseVerdict.UNDECIDED in verdicts or status == pytest.ExitCode.INTERRUPTED:
        return UNDECIDED
    return CONFORMS if ClauseVerdict.HOLDS in verdicts else NOTHING_RAN


def _weight(status: int) -> int:
    return (CONFORMS, UNDECIDED, NOTHING_RAN, VIOLATED, IN_ERROR).index(status)


def _install(spec: str) -> None:
    from kitty_reliability.implementations.released import DEFAULT_VERSION, default_directory, install

    kind, _, target = spec.partition(":")
    if kind == "spec-kitty" and not Path(target).expanduser().is_absolute():
        version = target or DEFAULT_VERSION
        print(f"kitty-conform: spec-kitty {version} gets an environment of its own in {default_directory()}")
        install(version, default_directory())


def _pytest_arguments(options: argparse.Namespace) -> list[str]:
    arguments = ["-q", "--tb=short" if options.details else "--tb=no", "--no-header" if options.quiet else "-q"]
    if options.jobs:
        arguments += ["-n", str(options.jobs)]
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kitty-conform",
        description="Say which clauses of the contract an implementation keeps.",
        epilog="Arguments behind -- go to pytest. Exit status: 0 conforms, 1 violated, 2 undecided, 3 configuration or suite in error, 5 nothing ran.",
    )
    parser.add_argument("--version", action="version", version=f"pytest-kitty {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("schema", help="print the JSON Schema of the protocol")
    command = commands.add_parser("run", help="run the suite", description="Run the suite and print the clause table.")
    command.add_argument(
        "implementation",
        nargs="*",
        help="reference, python:PKG.MOD:NAME, exec:COMMAND, spec-kitty[:VERSION], mutant:NAME, null:NAME ...",
    )
    command.add_argument("--profile", help="judge by this profile (default: the one that is declared)")
    command.add_argument("--clause", action="append", default=[], metavar="ID", help="only this clause; repeatable")
    command.add_argument("--seed", type=int, help="what slugs and actors are drawn from (default: new each run)")
    command.add_argument("--install", action="store_true", help="install the released spec-kitty that is named")
    command.add_argument("--details", action="store_true", help="show the story of each failure")
    command.add_argument("--quiet", action="store_true", help="leave the header out")
    command.add_argument("-n", "--jobs", type=int, metavar="N", help="run in N processes (needs pytest-xdist)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
