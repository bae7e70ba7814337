"""The pytest plugin: options, markers, header, fixtures, summary. Thin; the library does the work.

Nothing is imported here but pytest and this package's own small modules: an installed plugin taxes every run in
its environment, used or not. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from .fixtures import (
    kitty,
    kitty_event_log,
    kitty_implementation,
    kitty_mission,
    kitty_mission_factory,
    kitty_only_loopback,
    kitty_prompt,
    kitty_prompt_factory,
    kitty_repository,
    kitty_repository_factory,
    kitty_sandbox,
    kitty_sandbox_factory,
    kitty_sync_client,
    kitty_sync_client_factory,
    kitty_sync_service,
    kitty_sync_service_factory,
)

if TYPE_CHECKING:
    from .report import ClauseReport
    from .session import KittySession

__all__ = [
    "kitty",
    "kitty_event_log",
    "kitty_implementation",
    "kitty_mission",
    "kitty_mission_factory",
    "kitty_only_loopback",
    "kitty_prompt",
    "kitty_prompt_factory",
    "kitty_repository",
    "kitty_repository_factory",
    "kitty_sandbox",
    "kitty_sandbox_factory",
    "kitty_sync_client",
    "kitty_sync_client_factory",
    "kitty_sync_service",
    "kitty_sync_service_factory",
]

_MARKERS = (
    "kitty(*, work_packages, wps, slug, topology, meta, sync): what the kitty_* fixtures of this test hold and do.",
    "kitty_clause(id): the clause of the contract that this scenario decides.",
    "kitty_xfail(id, *, link, reason): this test fails because of a known violation of the clause; when it passes, it fails.",
)

session_key = pytest.StashKey["KittySession"]()
report_key = pytest.StashKey["ClauseReport"]()
expected_key = pytest.StashKey[Mapping[str, str]]()


class _Hooks:
    """Hooks that this plugin offers."""

    @pytest.hookspec
    def pytest_kitty_implementations(self, config: pytest.Config) -> Mapping[str, Any] | None:
        """Return implementations by name: a spec such as ``exec:./bin/mine``, or what makes a Python object."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hooks that others can implement."""
    pluginmanager.add_hookspecs(_Hooks)


def something(text: str) -> str:
    """Return what an option was given; refuse nothing at all, which is what a variable that is not set comes to."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it names nothing; is a variable empty?")
    return text


# Help texts: capital first letter, no full stop for one phrase. Every dest begins with kitty_.
def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options and their ini keys; a flag wins over the ini file."""
    group = parser.getgroup("kitty", "kitty: fixtures and conformance for spec-kitty missions")
    group.addoption(
        "--kitty-implementation",
        metavar="SPEC",
        dest="kitty_implementation",
        type=something,
        help="Implementation under test: a name, python:PKG.MOD:NAME, exec:COMMAND, spec-kitty[:VERSION]",
    )
    group.addoption(
        "--kitty-profile",
        metavar="NAME",
        dest="kitty_profile",
        type=something,
        help="Profile to judge by: contract-320 or spec-kitty-3.2 (default: the one it declares)",
    )
    group.addoption(
        "--kitty-seed",
        metavar="N",
        type=int,
        dest="kitty_seed",
        help="Seed that slugs, actors and orders are drawn from (default: a new one each run)",
    )
    group.addoption(
        "--kitty-clause",
        metavar="ID",
        action="append",
        dest="kitty_clauses",
        type=something,
        help="Run the scenarios of this clause only, such as STA-002; may be repeated",
    )
    group.addoption(
        "--kitty-audit",
        metavar="PATH",
        nargs="+",
        action="extend",
        dest="kitty_audit",
        type=something,
        help="Audit mission state instead of running tests: a kitty-specs folder, a repository that has one, a mission",
    )
    group.addoption(
        "--kitty-audit-rules",
        metavar="IDS",
        action="append",
        dest="kitty_audit_rules",
        help="Ask these rules of the audit only: ids with commas between; may be repeated (default: every rule)",
    )
    group.addoption(
        "--kitty-audit-severity",
        metavar="RULE=LEVEL",
        action="append",
        dest="kitty_audit_severity",
        help="How much a rule weighs: error (fails), warning or info (told), off; commas between, may be repeated",
    )
    group.addoption(
        "--kitty-audit-baseline",
        metavar="FILE",
        dest="kitty_audit_baseline",
        type=something,
        help="Let the errors that FILE lists pass; only new ones fail, and entries that are stale are told",
    )
    group.addoption(
        "--kitty-audit-write-baseline",
        metavar="FILE",
        dest="kitty_audit_write_baseline",
        type=something,
        help="Write the errors that are found to FILE, and fail for none",
    )
    group.addoption(
        "--kitty-audit-html",
        metavar="FILE",
        dest="kitty_audit_html",
        type=something,
        help="Write what the audit found to FILE, one page of HTML that needs nothing else",
    )
    parser.addini("kitty_audit_rules", "Rules of the audit, as --kitty-audit-rules", type="args", default=[])
    parser.addini("kitty_audit_severity", "Severities, as --kitty-audit-severity", type="args", default=[])
    parser.addini("kitty_audit_baseline", "Baseline of the audit, from the directory of this file")
    parser.addini("kitty_implementation", "Implementation under test, as --kitty-implementation")
    parser.addini("kitty_profile", "Profile to judge by, as --kitty-profile")
    parser.addini("kitty_seed", "Seed, as --kitty-seed")


_AUDIT_FLAGS = tuple(f"kitty_audit_{name}" for name in ("rules", "severity", "baseline", "write_baseline", "html"))


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Keep an audit apart from the tests of the repository that it is about."""
    if early_config.known_args_namespace.kitty_audit:
        from .audit import prepare

        prepare(early_config, args)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and find the implementation when one was named."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("kitty_seed") is None and config.getini("kitty_seed"):
        if not config.getini("kitty_seed").strip().isdigit():
            raise pytest.UsageError(f"kitty_seed: {config.getini('kitty_seed')!r} is no number")
    elif config.getoption("kitty_seed") is None:
        workerinput = getattr(config, "workerinput", None)
        seed = workerinput["kitty_seed"] if workerinput else random.SystemRandom().randrange(2**31)
        config.option.kitty_seed = seed
    config.pluginmanager.register(_Reports(config), "kitty-reports")
    if config.option.kitty_audit:
        from .audit import AuditPlugin, settings

        config.pluginmanager.register(AuditPlugin(config, settings(config)), "kitty-audit")
    elif flags := [name for name in _AUDIT_FLAGS if getattr(config.option, name)]:
        said = ", ".join(f"--{name.replace('_', '-')}" for name in flags)
        raise pytest.UsageError(f"{said}: there is no audit to be about; add --kitty-audit PATH")
    if _named(config):
        kitty_session(config).connect_or_stop()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the implementation under test started."""
    session = config.stash.get(session_key, None)
    if session is not None:
        session.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give every xdist worker the seed of this run."""
    node.workerinput["kitty_seed"] = int(_setting(node.config, "kitty_seed"))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which implementation and profile, when one was named."""
    return kitty_session(config).header() if _named(config) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the scenarios of the clauses that were asked for, and expect the failures that are known."""
    # What an audit asks has no markers.
    for item in () if config.option.kitty_audit else items:
        _clauses(item)
        if item.get_closest_marker("kitty_xfail") is not None:
            from .expected import expect

            expect(item, _marked_clauses(item))
    wanted = config.getoption("kitty_clauses")
    if not wanted:
        return
    kept = [item for item in items if set(_clauses(item)) & set(wanted)]
    # A worker cannot stop the run; the controller says that no test ran.
    if not kept and not hasattr(config, "workerinput"):
        raise pytest.UsageError(
            f"--kitty-clause: no scenario of {', '.join(wanted)} was collected{_meant(wanted, items)}"
        )
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the verdict of a scenario on its report, so that it survives the way from an xdist worker."""
    report = yield
    if item.config.option.kitty_audit:
        return report
    wanted = item.config.getoption("kitty_clauses")
    clauses = [clause for clause in _clauses(item) if not wanted or clause in wanted]
    if clauses:
        from .report import record

        record(report, call, clauses, item.stash.get(expected_key, None))
    return report


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Show rows and snapshots that differ side by side."""
    # Without the library there is nothing of its types, and nothing is loaded to find out.
    if op != "==" or "kitty_reliability" not in sys.modules:
        return None
    from .comparing import compare

    # Behind the "E" and the indentation of an explanation.
    return compare(left, right, config.get_terminal_writer().fullwidth - 8)


class _Reports:
    """Collects the verdicts of one run. An object, because a report does not say which run it belongs to."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect a verdict; here they come together from every worker."""
        if any(name == "kitty" for name, _ in report.user_properties):
            clause_report(self.config).add(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the clause table, when a scenario ran."""
        report = self.config.stash.get(report_key, None)
        if report is not None and report.results:
            report.print(terminalreporter, kitty_session(self.config).describe())


def kitty_session(config: pytest.Config) -> KittySession:
    """Return what this run knows about the implementation under test; it is made on first use."""
    session = config.stash.get(session_key, None)
    if session is None:
        from .session import KittySession

        session = config.stash[session_key] = KittySession(
            config,
            spec=_setting(config, "kitty_implementation") or None,
            profile=_setting(config, "kitty_profile") or None,
            seed=int(_setting(config, "kitty_seed") or 0),
        )
    return session


def clause_report(config: pytest.Config) -> ClauseReport:
    """Return what the scenarios of this run found so far."""
    report = config.stash.get(report_key, None)
    if report is None:
        from .report import ClauseReport

        report = config.stash[report_key] = ClauseReport()
    return report


def _setting(config: pytest.Config, name: str) -> Any:
    value = config.getoption(name)
    if value is None and isinstance(value := config.getini(name), list):
        raise pytest.UsageError(f"{name}: {value!r} is no text; write one")
    return value


def _named(config: pytest.Config) -> bool:
    return bool(_setting(config, "kitty_implementation") or _setting(config, "kitty_profile"))


def _meant(wanted: Sequence[str], items: Sequence[pytest.Item]) -> str:
    from difflib import get_close_matches

    known = {clause for item in items for clause in _clauses(item)}
    near = [close for word in wanted for close in get_close_matches(word.upper(), known, n=1)]
    return f"; did you mean {', '.join(near)}?" if near else ""


def _clauses(item: pytest.Item) -> list[str]:
    """Return the ids of the clauses that a test decides; a known violation is one of its clause."""
    clauses = _marked_clauses(item)
    expected = item.get_closest_marker("kitty_xfail")
    return clauses or ([] if expected is None else [str(value) for value in expected.args[:1]])


def _marked_clauses(item: pytest.Item) -> list[str]:
    clauses = []
    for mark in item.iter_markers("kitty_clause"):
        if len(mark.args) != 1 or mark.kwargs or not isinstance(mark.args[0], str):
            raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.kitty_clause takes one id, such as 'STA-001'")
        clauses.append(mark.args[0])
    return clauses
