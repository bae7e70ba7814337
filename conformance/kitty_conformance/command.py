"""``kitty-conform``: the suite as a command, with the kit's own exit status.

0 conforms, or deviates only as a list of known deviations says; 1 a clause is violated; 2 a clause is undecided;
3 configuration, implementation or suite in error; 4 the list of known deviations is wrong; 5 nothing ran.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final, NoReturn

import pytest

from kitty_reliability import __version__
from kitty_reliability.formats.visible import visible
from kitty_reliability.implementations.base import ImplementationError
from kitty_reliability.implementations.registry import read_settings
from pytest_kitty.plugin import clause_report, something
from pytest_kitty.report import ClauseReport, ClauseVerdict, Verdict

from . import catalogue, certify_command, completion, known_command, new_adapter, schemas
from .apart import Notes, ends_in_order, reproduce_apart, run_apart
from .exit_status import CONFORMS, IN_ERROR, NOTHING_RAN, UNDECIDED, VIOLATED, WRONG_LIST, refuse
from .known import KnownDeviations, KnownError, read_known, today
from .progress import Progress, watched
from .reporting import commands as report_commands
from .reporting import options as reports
from .reporting.document import ReportError, read_report
from .reporting.recorder import Recorder
from .streams import lost, open_streams
from .vectors import __main__ as vectors_command

__all__ = ["main", "run"]


#: A run that was ended early lists no more of the scenarios that it did not come to.
_MOST_TOLD: Final = 10


class _Witness:
    """Keeps what the run set out to do and what it found, because pytest gives back no more than a number."""

    def __init__(self) -> None:
        self.report: ClauseReport | None = None
        self.collected: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember the scenarios of this process."""
        self.collected |= {item.nodeid for item in session.items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Remember the scenarios that the workers share."""
        self.collected |= set(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Take the verdicts along."""
        self.report = clause_report(session.config)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (that of the process when None) and return the exit status."""
    open_streams()
    try:
        status = _main(list(sys.argv[1:] if argv is None else argv))
        print(end="", flush=True)
    except KeyboardInterrupt:
        return refuse("it was told to end")
    except OSError as error:
        return lost(error)
    return status


def _main(given: list[str]) -> int:
    split = given.index("--") if "--" in given else len(given)
    options = _parser().parse_args(given[:split])
    if hasattr(options, "action"):
        status: int = options.action(options)
        return status
    notes = Notes.of_this_process()
    if notes is not None:
        ends_in_order()
        try:
            ended = _run(options, options.implementation[0], given[split + 1 :], notes)
        except OSError as error:
            # Nobody's fault but that of who reads, or of the disk: no other process goes on behind this one.
            ended = lost(error)
        notes.status = ended
        return ended
    if problem := reports.problem(options):
        return refuse(problem)
    if options.known is not None:
        try:
            read_known(options.known, today())
        except (OSError, KnownError) as error:
            return refuse(error, WRONG_LIST if isinstance(error, KnownError) else IN_ERROR)
    worst = CONFORMS
    try:
        named = options.implementation or [read_settings(Path("pyproject.toml")).implementation or "reference"]
    except ImplementationError as error:
        return refuse(error)
    for spec in named:
        try:
            if options.install:
                _install(spec)
        except ImplementationError as error:
            return refuse(error)
        worst = max(worst, _run_apart(options, spec, given[split:]), key=_weight)
    return worst


def _run_apart(options: argparse.Namespace, spec: str, behind: list[str]) -> int:
    """Run the suite in a process of its own: what is under test may end the process that it runs in."""
    arguments = ["run", spec, *(f"--clause={clause}" for clause in options.clause)]
    given = {name: getattr(options, name) for name in ("profile", "seed", "jobs", "known")}
    arguments += [f"--{name}={value}" for name, value in given.items() if value is not None]
    arguments += [f"--{name}" for name in ("details", "quiet") if getattr(options, name)]
    if options.seed is None:
        # A process that goes on behind another draws what that would have drawn.
        arguments.append(f"--seed={random.SystemRandom().randrange(2**31)}")
    with tempfile.TemporaryDirectory() as directory:
        notes = Path(directory)
        report = options.report_json or notes / "report"
        status, stopped = run_apart([*arguments, f"--report-json={report}", *behind], spec, notes)
        status = IN_ERROR if status is None else status
        try:
            if options.reproductions is not None and report.exists() and not stopped:
                reproduce_apart(report, options.reproductions, notes, behind[1:])
            problems = reports.write(options, read_report(report)) if report.exists() else []
        except ReportError as error:
            problems = [str(error)]
        for said in problems:
            status = refuse(said)
    if stopped:
        raise SystemExit(status)
    return status


def _run(options: argparse.Namespace, spec: str, behind: list[str], notes: Notes) -> int:
    known = KnownDeviations([], today()) if options.known is None else read_known(options.known, today())
    recorder = Recorder(options.report_json, known, notes)
    status = run(
        spec,
        profile=options.profile,
        clauses=options.clause,
        seed=options.seed,
        arguments=[*_pytest_arguments(options), *behind],
        plugins=[recorder, Progress(sys.stderr, options.jobs or 1)] if watched() else [recorder],
    )
    if notes.ended and status == CONFORMS:
        status = UNDECIDED
    if notes.ended and recorder.not_decided:
        print(f"not decided: {len(recorder.not_decided)} scenarios, after {len(notes.ended)} processes ended")
    wrong = [f"{entry}: {text}" for entry, text in known.problems(recorder.results, recorder.not_decided)]
    for text in wrong:
        print(f"known deviation {visible(text)}")
    if wrong and status != IN_ERROR:
        status = WRONG_LIST
    recorder.end(status, set(options.clause), {"deviation_problems": wrong})
    return status


def run(
    spec: str,
    *,
    profile: str | None = None,
    clauses: Sequence[str] = (),
    seed: int | None = None,
    arguments: Sequence[str] = (),
    plugins: Sequence[object] = (),
    partly: bool = False,
) -> int:
    """Run the suite against the implementation ``spec`` and return the kit's exit status.

    Arguments:
        profile: what to judge by; the declared one when None.
        clauses: ids of the clauses to run; all when empty.
        seed: what slugs and actors are drawn from.
        arguments: more arguments for pytest.
        plugins: more plugins for pytest.
        partly: do not ask whether everything was run.
    """
    here = files("kitty_conformance")
    command = [
        # A configuration of its own: that of the project it is run in is about that project's tests.
        "-c", str(here / "pytest.ini"), "--rootdir", str(Path.cwd()),
        # Nor does it leave anything there.
        "-p", "kitty", "-p", "no:cacheprovider", "-p", "no:benchmark", "--confcutdir", str(here), str(here),
        "--kitty-implementation", spec,
        # This command had to import the plugin before pytest did.
        "-W", "ignore::pytest.PytestAssertRewriteWarning",
    ]  # fmt: skip
    if profile:
        command += ["--kitty-profile", profile]
    if seed is not None:
        command += ["--kitty-seed", str(seed)]
    for clause in clauses:
        command += ["--kitty-clause", clause]
    witness = _Witness()
    status = int(pytest.main([*command, *arguments], plugins=[witness, *plugins]))
    found = _exit_status(status, witness.report)
    if (
        not partly
        and found in (CONFORMS, UNDECIDED)
        and not _complete(witness, set(clauses) or set(catalogue.clauses()))
    ):
        return UNDECIDED
    return found


def _complete(witness: _Witness, clauses: set[str]) -> bool:
    """Say whether everything was run that should have been; a part of a run must not pass for the whole."""
    results = {} if witness.report is None else witness.report.results
    lost = sorted(witness.collected - results.keys())
    missing = sorted(clauses - {clause for result in results.values() for clause in result.clauses})
    for scenario in lost[:_MOST_TOLD]:
        print(f"not decided: {scenario} was not run to its end")
    if more := lost[_MOST_TOLD:]:
        print(f"not decided: {len(more)} more scenarios were not run to their end")
    if missing:
        print(f"not decided: nothing was run for {', '.join(missing)}")
    return not lost and not missing


def _exit_status(status: int, report: ClauseReport | None) -> int:
    if status in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        return IN_ERROR
    if report is None or not report.results:
        return IN_ERROR if status == pytest.ExitCode.INTERRUPTED else NOTHING_RAN
    verdicts = set(report.clauses.values())
    if any(result.verdict is Verdict.ERROR for result in report.results.values()):
        return IN_ERROR
    if report.failed:
        return VIOLATED
    known = any(result.verdict is Verdict.KNOWN for result in report.results.values())
    if status == pytest.ExitCode.TESTS_FAILED and not known:
        # Something failed that no verdict tells of, such as a worker that died.
        return UNDECIDED
    # A run that was cut short decided nothing about what it did not reach.
    if ClauseVerdict.UNDECIDED in verdicts or status == pytest.ExitCode.INTERRUPTED:
        return UNDECIDED
    return CONFORMS if known or ClauseVerdict.HOLDS in verdicts else NOTHING_RAN


def _schema(options: argparse.Namespace) -> int:
    print(schemas.text(options.of), end="")
    return CONFORMS


def _weight(status: int) -> int:
    return (CONFORMS, UNDECIDED, NOTHING_RAN, VIOLATED, WRONG_LIST, IN_ERROR).index(status)


def _install(spec: str) -> None:
    from kitty_reliability.implementations.released import DEFAULT_VERSION, default_directory, install

    kind, _, target = spec.removeprefix("warm:").partition(":")
    if kind == "spec-kitty" and not Path(target).expanduser().is_absolute():
        version = target or DEFAULT_VERSION
        print(f"kitty-conform: spec-kitty {version} gets an environment of its own in {default_directory()}")
        install(version, default_directory())


def _pytest_arguments(options: argparse.Namespace) -> list[str]:
    # The clause table is the summary.
    arguments = ["-q", "-rE", "--tb=short" if options.details else "--tb=no", "--no-header" if options.quiet else "-q"]
    if watched():
        arguments += ["-o", "console_output_style=classic"]
    if options.jobs:
        # By name, so that it is named when it is missing. One crash must not lose the rest: each scenario that takes its process along gets the others a new one.
        arguments += ["-p", "xdist", "-n", str(options.jobs), "--max-worker-restart=1000"]
    return arguments


def _jobs(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; write one, or leave it out")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """Ends with the kit's own status for a wrong command line: argparse's 2 means undecided here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(IN_ERROR, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kitty-conform",
        description="Say which clauses of the contract an implementation keeps.",
        epilog="Arguments behind -- go to pytest. Exit status: 0 conforms, 1 violated, 2 undecided, 3 configuration or suite in error, 4 the list of known deviations is wrong, 5 nothing ran.",
    )
    parser.add_argument("--version", action="version", version=f"pytest-kitty {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser("run", help="run the suite", description="Run the suite and print the clause table.")
    command.add_argument(
        "implementation",
        nargs="*",
        type=something,
        help="reference, python:PKG.MOD:NAME, exec:COMMAND, [warm:]spec-kitty[:VERSION], mutant:NAME, null:NAME ... (default: what [tool.kitty] in pyproject.toml names, or reference)",
    )
    command.add_argument("--profile", type=something, help="judge by this profile (default: the one that is declared)")
    command.add_argument(
        "--clause", type=something, action="append", default=[], metavar="ID", help="only this clause; repeatable"
    )
    command.add_argument("--seed", type=int, help="what slugs and actors are drawn from (default: new each run)")
    command.add_argument("--install", action="store_true", help="install the released spec-kitty that is named")
    command.add_argument("--details", action="store_true", help="show the story of each failure")
    command.add_argument("--quiet", action="store_true", help="leave the header out")
    command.add_argument("-n", "--jobs", type=_jobs, metavar="N", help="run in N processes (needs pytest-xdist)")
    command.add_argument("--known", type=Path, metavar="FILE", help="a list of known deviations, TOML")
    command.add_argument("--reproductions", type=Path, metavar="DIR", help="run each failure again and write a script that repeats it")  # fmt: skip
    reports.add(command)
    certify_command.register(commands, _jobs)
    schema = commands.add_parser("schema", help="print the JSON Schema of a format")
    schema.add_argument("of", nargs="?", choices=schemas.NAMES, default="protocol", help="default: protocol")
    schema.set_defaults(action=_schema)
    report_commands.register(commands)
    known_command.register(commands)
    new_adapter.register(commands)
    vectors_command.register(commands)
    completion.register(commands, _parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
