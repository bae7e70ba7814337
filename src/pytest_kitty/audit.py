"""``--kitty-audit``: the missions of a repository as test items, one a mission and rule. PYTEST_DONT_REWRITE

Loaded only with the option. Collecting lists names and opens no file. A mission is read once, by its first item, which
stands for the others from then on: what pytest runs and pytest-xdist deals out are missions.
"""

from __future__ import annotations

import atexit
import gc
import os
import shlex
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pytest

from kitty_reliability.audit.baseline import Baseline, BaselineError, Entry
from kitty_reliability.audit.findings import CannotJudge, Finding, Severity
from kitty_reliability.audit.places import MissionPlace, WrongPathError, find_missions
from kitty_reliability.audit.rules import RULES, Answer, audit
from kitty_reliability.formats.visible import visible_line

from .audit_workers import COLLECTED, MESSAGE, REST, pack, unpack

__all__ = ["AuditPlugin", "prepare", "settings"]

#: Plugins that would write into the audited tree.
_WRITERS: Final = ("cacheprovider", "stepwise", "benchmark")
_COLOURS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


# Before a process ends Python looks for garbage among all the items, for an eighth of the whole time. They end with it.
atexit.register(gc.freeze)


def prepare(config: pytest.Config, args: list[str]) -> None:
    """Keep what a repository says about its own tests out of an audit of it; nothing of it is run or written.

    Called before its ``conftest.py`` would be loaded. Of its ini file only the ``kitty_`` keys count.
    """
    config.known_args_namespace.noconftest = True
    for name in filter(config.pluginmanager.has_plugin, _WRITERS):
        config.pluginmanager.unregister(name=name)
    asked = list(config.invocation_params.args)
    if any(str(word).split("=")[0] == "--kitty-audit" for word in asked):
        args[:] = [*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *map(str, asked)]


@dataclass(frozen=True)
class Settings:
    """What to audit, and by which rules."""

    places: Sequence[MissionPlace]
    severities: Mapping[str, Severity]
    baseline: Baseline | None
    writes_baseline: bool
    html: Path | None


def settings(config: pytest.Config) -> Settings:
    """Return what options and ini file ask for.

    Raises:
        pytest.UsageError: a path without missions, an unknown rule or severity, a file that is no baseline.
    """
    option = config.option
    if config.args_source is pytest.Config.ArgsSource.ARGS and not hasattr(config, "workerinput"):
        raise pytest.UsageError(
            f"--kitty-audit runs alone, not with {' '.join(config.args)}; name what to audit behind --kitty-audit"
        )
    here = config.invocation_params.dir
    # For workers, which may be started elsewhere.
    option.kitty_audit = [os.path.abspath(here / path) for path in option.kitty_audit]
    try:
        places = find_missions(map(Path, option.kitty_audit))
    except WrongPathError as error:
        raise pytest.UsageError(f"--kitty-audit: {error}") from None
    writes = option.kitty_audit_write_baseline
    path = writes or option.kitty_audit_baseline
    file = here / path if path else None
    if file is None and (named := config.getini("kitty_audit_baseline")):
        if not isinstance(named, str):
            raise pytest.UsageError(f"kitty_audit_baseline: {named!r} is no text; name one file")
        file = (config.inipath or config.rootpath / "x").parent / named
    try:
        baseline = None if file is None else Baseline(file) if writes else Baseline.load(file)
    except BaselineError as error:
        raise pytest.UsageError(f"--kitty-audit-baseline: {error}") from None
    html = here / option.kitty_audit_html if option.kitty_audit_html else None
    for name, target in (("--kitty-audit-write-baseline", file if writes else None), ("--kitty-audit-html", html)):
        if target is not None and target.is_dir():
            raise pytest.UsageError(f"{name}: {target} is a directory; name a file in it")
        if target is not None and not target.parent.is_dir():
            raise pytest.UsageError(f"{name}: {target.parent} is no directory; make it first")
    if writes and file is not None and file.exists() and not file.is_file():
        raise pytest.UsageError(
            f"--kitty-audit-write-baseline: {file} is no regular file, and would be replaced by one"
        )
    return Settings(places, _severities(config), baseline, bool(writes), html)


def _severities(config: pytest.Config) -> dict[str, Severity]:
    """Return the rules that are asked, with their severities. A flag wins over the ini file."""
    source = "--kitty-audit-rules" if config.option.kitty_audit_rules else "kitty_audit_rules"
    wanted = _words(config.option.kitty_audit_rules or config.getini("kitty_audit_rules")) or list(RULES)
    for rule in wanted:
        _require_rule(rule, source)
    chosen = {rule: RULES[rule].severity for rule in RULES if rule in wanted}
    for source, given in (
        ("kitty_audit_severity", config.getini("kitty_audit_severity")),
        ("--kitty-audit-severity", config.option.kitty_audit_severity or []),
    ):
        for word in _words(given):
            rule, _, level = word.partition("=")
            _require_rule(rule, source)
            if level not in list(Severity):
                known = ", ".join(Severity)
                raise pytest.UsageError(f"{source}: {word!r} has no severity; write {rule}=LEVEL, LEVEL one of {known}")
            if rule in chosen:
                chosen[rule] = Severity(level)
    return {rule: severity for rule, severity in chosen.items() if severity is not Severity.OFF}


def _words(given: Iterable[object]) -> list[str]:
    # An ini file in TOML may have anything in its list.
    return [word for text in given for word in str(text).replace(",", " ").split()]


def _require_rule(rule: str, source: str) -> None:
    if rule not in RULES:
        raise pytest.UsageError(f"{source}: no rule {rule!r}; the rules are {', '.join(RULES)}")


class MissionNode(pytest.Collector):
    """The items of a mission. Its name is plain: no character of it can move a cursor or break a line."""

    place: MissionPlace
    #: The items that are to run.
    items: list[RuleItem]

    def collect(self) -> list[RuleItem]:
        """Return an item for each rule that is asked."""
        rules = _plugin(self.config).settings.severities
        # Of a name with brackets and colons pytest would make no id of a child.
        return [RuleItem.from_parent(self, name=rule, nodeid=f"{self.nodeid}::{rule}") for rule in rules]

    @cached_property
    def answers(self) -> dict[str, Answer]:
        """What every rule says; the mission is read here."""
        return audit(self.place, _plugin(self.config).settings.severities)


class Unsound(Exception):
    """The mission offends the rule; ``findings`` say how."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings


class RuleItem(pytest.Item):
    """One rule about one mission."""

    parent: MissionNode
    #: What was found, with its severity and whether the baseline knows it; for the report.
    told: list[dict[str, Any]]
    judged = False

    def runtest(self) -> None:
        """Ask the rule.

        Raises:
            Unsound: an error that no baseline knows.
        """
        self.told = []
        answer = self.parent.answers[self.name]
        if isinstance(answer, CannotJudge):
            pytest.skip(str(answer))
        self.judged = True
        new = answer and _plugin(self.config).judge(self, answer)
        if new:
            raise Unsound(new)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the findings as text; of anything else, what pytest says."""
        if not isinstance(excinfo.value, Unsound):
            return super().repr_failure(excinfo, style)
        rule = RULES[self.name]
        lines = [rule.sentence]
        for finding in excinfo.value.findings:
            lines += [f"{self.parent.name}/{finding.place}: {finding.what} [{finding.clause}]"]
            lines += [f"    remedy: {finding.remedy}"]
        return "\n".join(lines)

    @property
    def location(self) -> tuple[str, int | None, str]:
        """Where pytest says that it is, in plain text: a path that is no Unicode does not come through to a worker."""
        return self.parent.name, None, f"{self.parent.name} {self.name}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where pytest says that it is."""
        return self.parent.place.directory, None, f"{self.parent.name} {self.name}"


class AuditPlugin:
    """Collects the items, and brings together what they found."""

    def __init__(self, config: pytest.Config, asked: Settings) -> None:
        self.config = config
        self.settings = asked
        self._in_worker = hasattr(config, "workerinput")
        #: A report of each item, in the order in which they came.
        self.told: list[dict[str, Any]] = []

    # --- collecting

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool | None:
        """Collect the missions and nothing else, whatever the repository's ini file says of its tests."""
        self._session = session
        manager, hook = self.config.pluginmanager, self.config.hook
        if manager.has_plugin("dsession"):
            return None  # the workers do
        missions = []
        for place, name in _names(self.config.rootpath, self.settings.places).items():
            mission = MissionNode.from_parent(session, name=name, nodeid=name)
            mission.place = place
            mission.items = mission.collect()
            missions.append(mission)
        items: list[pytest.Item] = [item for mission in missions for item in mission.items]
        hook.pytest_collectreport(report=pytest.CollectReport("", "passed", None, list(items)))
        # Nothing here has a fixture to be sorted by.
        modify = manager.subset_hook_caller("pytest_collection_modifyitems", [manager.get_plugin("funcmanage")])
        modify(session=session, config=self.config, items=items)
        kept = set(items)
        for mission in missions:
            # In the order of old, whoever shuffled them: nothing depends on it but the eye.
            mission.items = [item for item in mission.items if item in kept]
        session.items = [item for mission in missions for item in mission.items]
        session.testscollected = len(session.items)
        standing = [mission.items[0] for mission in missions if mission.items]
        if self._in_worker:
            session.items[:] = standing
        hook.pytest_collection_finish(session=session)
        session.items[:] = standing
        if self._in_worker:
            # The process ends with the run: its items are no garbage before, and need not be looked through for any.
            gc.freeze()
        return True

    # --- judging

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        """Ask every rule about the mission that ``item`` stands for.

        There is nothing to set up, to capture or to tear down, so of each item a third of the protocol is enough.
        """
        assert isinstance(item, RuleItem)
        hook, session = self.config.hook, item.session
        if not self._in_worker:
            for asked in item.parent.items:
                hook.pytest_runtest_logstart(nodeid=asked.nodeid, location=asked.location)
                hook.pytest_runtest_logreport(report=self._ask(asked))
                hook.pytest_runtest_logfinish(nodeid=asked.nodeid, location=asked.location)
                if session.shouldfail or session.shouldstop:
                    break
            return True
        reports: list[pytest.TestReport] = []
        failures, most = session.testsfailed, self.config.option.maxfail
        for asked in item.parent.items:
            reports.append(self._ask(asked))
            failures += reports[-1].failed
            if most and failures >= most:
                break
        first, *rest = reports
        setattr(first, MESSAGE, pack(reports, session.testscollected))
        hook.pytest_runtest_logreport(report=first)
        for report in rest:
            # Counts the failures; nobody else in a worker has a use for them.
            session.pytest_runtest_logreport(report)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_to_serializable(self, report: Any) -> dict[str, str] | None:
        """Send the reports of a mission at once."""
        return getattr(report, MESSAGE, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_from_serializable(self, data: dict[str, Any]) -> pytest.TestReport | None:
        """Make reports of what was sent."""
        return unpack(data)

    def _ask(self, item: RuleItem) -> pytest.TestReport:
        call = pytest.CallInfo.from_call(item.runtest, "call", reraise=(pytest.exit.Exception, KeyboardInterrupt))
        report: pytest.TestReport = self.config.hook.pytest_runtest_makereport(item=item, call=call)
        return report

    def judge(self, item: RuleItem, findings: list[Finding]) -> list[Finding]:
        """Note the findings of an item; return those that it fails for."""
        directory, baseline = item.parent.place.directory, self.settings.baseline
        severity = self.settings.severities[item.name]
        weighed = [(finding, finding.severity(severity)) for finding in findings]
        errors = [finding for finding, level in weighed if level is Severity.ERROR]
        known = dict(zip(map(id, errors), baseline.known(directory, errors), strict=True)) if baseline else {}
        for finding, level in weighed:
            entry = list(baseline.entry(directory, finding)) if baseline and level is Severity.ERROR else None
            one = {"severity": str(level), "known": known.get(id(finding), False), "entry": entry}
            item.told.append({**finding.as_dict(), **one})
        if self.settings.writes_baseline:
            return []
        return [finding for finding in errors if not known.get(id(finding))]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what was found on the report, so that it survives the way from a worker."""
        report = yield
        if isinstance(item, RuleItem) and call.when == "call":
            mission = self.settings.baseline and self.settings.baseline.mission(item.parent.place.directory)
            named = {"mission": item.parent.name, "rule": item.name, "key": mission}
            report.kitty_audit = {**named, "judged": item.judged, "findings": item.told}  # type: ignore[attr-defined]
            for one in item.told:
                if report.passed or one["severity"] != Severity.ERROR:
                    said = f"{one['file']}: {one['what']}; {one['remedy']}"
                    report.user_properties.append((f"kitty-{one['severity']}", said))
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Take a report in, and after it those that it brings along; here they come together from every worker."""
        if self._in_worker:
            return (yield)
        hook, rest = self.config.hook, vars(report).pop(REST, ())
        if hasattr(report, COLLECTED):
            # To pytest-xdist a mission is one item.
            self._session.testscollected = getattr(report, COLLECTED)
        yield
        if hasattr(report, "kitty_audit"):
            self.told.append(report.kitty_audit)
            if report.user_properties:
                # JUnit takes properties from the end of a test.
                hook.pytest_runtest_logreport(report=_end(report))
        for later in rest:
            later.node = vars(report)["node"]
            hook.pytest_runtest_logreport(report=later)
        if rest and self._session.shouldfail:
            # pytest-xdist counts one report a mission.
            dsession: Any = self.config.pluginmanager.get_plugin("dsession")
            dsession.shouldstop = self._session.shouldfail

    # --- telling

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Every finding, with ``mission``, by mission, rule and place."""
        order = list(RULES)
        found = [{**one, "mission": told["mission"]} for told in self.told for one in told["findings"]]
        return sorted(found, key=lambda one: (one["mission"], order.index(one["rule"]), one["file"], one["line"] or 0))

    def pytest_report_header(self) -> str:
        """Say what is audited."""
        places, rules = len(self.settings.places), len(self.settings.severities)
        return f"kitty audit: {_count(places, 'mission')}, {_count(rules, 'rule')}"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the baseline and the page."""
        if self._in_worker:
            return
        asked = self.settings
        try:
            if asked.writes_baseline and asked.baseline is not None:
                asked.baseline.entries = Counter(Entry(*one["entry"]) for one in self.findings if one["entry"])
                asked.baseline.write()
            if asked.html is not None:
                from kitty_reliability.audit.page import page

                counts = {"missions": len({told["mission"] for told in self.told}), "items": len(self.told)}
                skipped = [told for told in self.told if not told["judged"]]
                html = page(self.findings, asked.severities, counts, [(one["mission"], one["rule"]) for one in skipped])
                asked.html.write_text(html, encoding="utf-8")
        except OSError as error:
            raise pytest.UsageError(
                f"{error.filename or asked.html}: {error.strerror}; name a file that can be written"
            ) from None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what was found, by rule; the warnings and notes themselves with ``-v``."""
        if self._in_worker:
            return
        found = self.findings
        writer = terminalreporter
        writer.section("kitty audit")
        missions = len({told["mission"] for told in self.told})
        known = sum(one["known"] for one in found)
        writer.line(
            f"{_count(missions, 'mission')}, {_count(len(self.told), 'item')}, {_count(len(found), 'finding')}, "
            f"{known} of them in the baseline"
        )
        by_rule: dict[str, Counter[str]] = defaultdict(Counter)
        for one in found:
            by_rule[one["rule"]][one["severity"]] += 1
        for rule in self.settings.severities:
            counts = by_rule[rule]
            said = ", ".join(f"{counts[level]} {level}" for level in _COLOURS if counts[level])
            touched = len({one["mission"] for one in found if one["rule"] == rule})
            colour = next((_COLOURS[level] for level in _COLOURS if counts[level]), "green")
            tail = f" in {_count(touched, 'mission')}" if touched else ""
            asked = [told for told in self.told if told["rule"] == rule]
            undecided = sum(not told["judged"] for told in asked)
            tail += f", not decided in {undecided}" if undecided else ""
            writer.line(f"  {rule:25} {said or ('none' if asked else 'not asked')}{tail}", **{colour: True})
        self._tell_rest(writer, found)

    def _tell_rest(self, writer: pytest.TerminalReporter, found: list[dict[str, Any]]) -> None:
        told = [one for one in found if one["severity"] != Severity.ERROR or one["known"]]
        if told and self.config.get_verbosity() > 0:
            for one in told:
                place = one["file"] if one["line"] is None else f"{one['file']}:{one['line']}"
                level = "known" if one["known"] else one["severity"]
                writer.line(f"  {level} {one['rule']} {one['mission']}/{place}: {one['what']}; {one['remedy']}")
        elif told:
            writer.line(f"  -v lists the {len(told)} that do not fail")
        baseline, asked = self.settings.baseline, self.settings
        if baseline is not None and asked.writes_baseline:
            writer.line(f"baseline: {baseline.entries.total()} errors written to {baseline.path}")
        elif baseline is not None:
            judged = {(told["key"], told["rule"]) for told in self.told if told["judged"]}
            stale = baseline.stale((Entry(*one["entry"]) for one in found if one["entry"]), judged)
            if stale:
                writer.line(f"baseline: {len(stale)} stale entries; remove them from {baseline.path}:", yellow=True)
            for entry in stale:
                writer.line(f"  {entry}", yellow=True)


def _end(report: pytest.TestReport) -> pytest.TestReport:
    """Return the report of an end of the item in which nothing happened."""
    end = copy(report)
    del end.kitty_audit
    end.when, end.outcome, end.longrepr, end.duration = "teardown", "passed", None, 0.0
    return end


def _plugin(config: pytest.Config) -> AuditPlugin:
    plugin = config.pluginmanager.get_plugin("kitty-audit")
    assert isinstance(plugin, AuditPlugin)
    return plugin


def _names(root: Path, places: Sequence[MissionPlace]) -> dict[MissionPlace, str]:
    """Return what each mission is called: no two are called the same, and every name is plain and short."""
    real = root.resolve()
    several = len({place.specs for place in places if not place.directory.is_relative_to(real)}) > 1
    shown = {}
    for place in places:
        if place.directory.is_relative_to(real):
            path = place.directory.relative_to(real)
        else:
            path = place.directory if several else place.directory.relative_to(place.root)
        # Doubled, so that a name that spells an escape is not that of another that has the character.
        shown[place] = visible_line(path.as_posix().replace("\\", "\\\\"))
    return shown


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
