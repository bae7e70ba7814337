"""Known deviations: failures that somebody answers for, each with a finding, a reason, a link and an end.

A list of them is checked in both directions: what it excuses has to fail as it says, and everything on it has to
excuse something. It cannot rot unseen.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fnmatch import translate
from pathlib import Path
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from pytest_kitty.report import ScenarioResult, Verdict
from pytest_kitty.scenarios import Finding

from .catalogue import findings, scenario_name, scenarios

__all__ = [
    "MOST_DAYS",
    "NAMED_ONLY",
    "Deviation",
    "KnownDeviations",
    "KnownError",
    "parse_known",
    "read_known",
    "today",
]

#: How far ahead the end of an entry may lie, in days.
MOST_DAYS: Final = 180
#: Findings that no pattern excuses: their scenario is named in full.
NAMED_ONLY: Final = frozenset({Finding.HANG, Finding.CRASH, Finding.PROTOCOL_VIOLATION})

_KEYS: Final = ("scenario", "finding", "applies", "reason", "link")
_APPLIES: Final = re.compile(r"(?P<name>[^<>=!~]+?)\s*(?P<range>[<>=!~].*)?")


class KnownError(Exception):
    """A list of known deviations is wrong in itself; the text names the file, the entry and the remedy."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One entry.

    ``scenario`` is a name with its parameters, in which ``*`` stands for anything; ``applies`` the name of an
    implementation and, behind it, the versions of it, such as ``spec-kitty >=3.2,<3.3``.
    """

    scenario: str
    finding: str
    applies: str
    reason: str
    link: str
    expires: date

    def __str__(self) -> str:
        return f"{self.scenario} ({self.finding})"

    def matches(self, scenario: str) -> bool:
        """Say whether the entry is about the scenario with this name and these parameters."""
        # A bracket begins the parameters here; it is no set of letters.
        pattern = translate(self.scenario.replace("[", "[[]").replace("?", "[?]"))
        return re.match(pattern, scenario) is not None

    def applies_to(self, name: str, version: str) -> bool:
        """Say whether the entry is about this version of this implementation."""
        applies = _APPLIES.fullmatch(self.applies)
        assert applies is not None
        if applies["name"] != name:
            return False
        try:
            return SpecifierSet(applies["range"] or "").contains(Version(version), prereleases=True)
        except InvalidVersion:
            # No range holds a version that cannot be put in order.
            return applies["range"] in (None, f"==={version}")

    def days_left(self, day: date) -> int:
        """Return for how many days after ``day`` the entry excuses; negative once it has expired."""
        return (self.expires - day).days


class KnownDeviations:
    """A list of known deviations, on one day."""

    def __init__(self, entries: Sequence[Deviation], day: date) -> None:
        self.day = day
        self._all = entries
        self.entries: list[Deviation] = []

    def begin(self, name: str, version: str) -> None:
        """Keep to the entries for this implementation."""
        self.entries = [entry for entry in self._all if entry.applies_to(name, version)]

    def judge(self, result: ScenarioResult) -> ScenarioResult:
        """Return ``result``, as a known deviation when an entry that is in force says that it fails so."""
        if result.verdict is not Verdict.FAIL:
            return result
        for entry in self._about(scenario_name(result.scenario)):
            if entry.finding == result.finding and entry.days_left(self.day) >= 0:
                said = {"reason": entry.reason, "link": entry.link, "expires": entry.expires.isoformat()}
                deviation = {**said, "days_left": entry.days_left(self.day)}
                return replace(result, verdict=Verdict.KNOWN, deviation=deviation)
        return result

    def problems(
        self, results: Iterable[Mapping[str, Any]], not_decided: Iterable[str] = ()
    ) -> list[tuple[Deviation, str]]:
        """Return what is wrong with the entries, by the results of a run, lines of a report.

        What was not run is not judged; ``not_decided`` are scenarios that were, without a result.
        """
        found = {result["scenario"]: result for result in results}
        named = [*found, *not_decided]
        return [(entry, text) for entry in self.entries for text in self._problems(entry, found, named)]

    def _problems(
        self, entry: Deviation, results: Mapping[str, Mapping[str, Any]], named: Sequence[str]
    ) -> Iterator[str]:
        if (days := entry.days_left(self.day)) < 0:
            yield f"expired {-days} days ago; mend it, or look again and set another end"
        about = [name for name in named if entry.matches(name)]
        if not about and _every_run(entry, named):
            yield "matches no scenario; remove it, or correct the name"
        for name in about:
            if name in results and (text := _mismatch(entry, results[name])):
                yield f"{name} {text}"
            if entry is not self._about(name)[0]:
                yield f"{name} has two entries; keep one"

    def _about(self, scenario: str) -> list[Deviation]:
        return [entry for entry in self.entries if entry.matches(scenario)]


def _every_run(entry: Deviation, named: Iterable[str]) -> bool:
    """Say whether every scenario that the entry could be about was run, whatever its parameters."""
    plain = replace(entry, scenario=entry.scenario.partition("[")[0])
    return {name for name in scenarios() if plain.matches(name)} <= {name.partition("[")[0] for name in named}


def _mismatch(entry: Deviation, result: Mapping[str, Any]) -> str | None:
    verdict = result["verdict"]
    if verdict == "pass":
        return "passes; remove the entry"
    if verdict == "not applicable":
        return "is not applicable; there is nothing to excuse"
    if verdict in ("fail", "known deviation") and result["finding"] != entry.finding:
        return f"fails with {result['finding']}; that is another deviation"
    return None


def today() -> date:
    """Return the day that lists are judged on, in UTC."""
    return datetime.now(UTC).date()


def read_known(path: Path, day: date) -> KnownDeviations:
    """Return the list at ``path``, as it stands on ``day``.

    Raises:
        OSError: the file cannot be read.
        KnownError: it is not TOML, or an entry lacks something or ends too late.
    """
    return parse_known(path.read_bytes(), path, day)


def parse_known(data: bytes, path: Path, day: date) -> KnownDeviations:
    """Return the list ``data``, which is or is to be at ``path``; KnownError as in ``read_known``."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise KnownError(f"{path}: {error}") from None
    unknown = sorted(set(table) - {"deviation"})
    entries = table.get("deviation", [])
    if unknown or not isinstance(entries, list):
        raise KnownError(
            f"{path}: write [[deviation]] tables and nothing else; unknown: {', '.join(unknown) or 'none'}"
        )
    return KnownDeviations([_entry(path, number, entry, day) for number, entry in enumerate(entries, start=1)], day)


def _entry(path: Path, number: int, entry: Any, day: date) -> Deviation:
    def wrong(text: str) -> KnownError:
        return KnownError(f"{path}: deviation {number}: {text}")

    if not isinstance(entry, dict) or set(entry) != {*_KEYS, "expires"}:
        raise wrong(f"it has exactly the keys {', '.join(_KEYS)}, expires")
    for key in _KEYS:
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise wrong(f"{key} is a text that says something")
    if type(entry["expires"]) is not date:
        raise wrong("expires is a date, such as 2027-01-31")
    deviation = Deviation(**entry)
    if deviation.finding not in findings():
        raise wrong(f"no finding is called {deviation.finding!r}; kitty-conform explain FINDING tells of one")
    if deviation.finding in NAMED_ONLY and "*" in deviation.scenario:
        raise wrong(f"a {deviation.finding} is excused for one scenario, named without *")
    if deviation.days_left(day) > MOST_DAYS:
        raise wrong(f"it ends {deviation.days_left(day)} days from now; at most {MOST_DAYS}")
    applies = _APPLIES.fullmatch(deviation.applies)
    try:
        SpecifierSet((applies and applies["range"]) or "")
    except InvalidSpecifier as error:
        raise wrong(f"applies: {error}") from None
    if applies is None:
        raise wrong("applies is a name and versions, such as spec-kitty >=3.2,<3.3")
    return deviation
