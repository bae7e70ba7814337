"""What a rule is and what it finds. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from kitty_reliability.formats.visible import visible_line

__all__ = ["CannotJudge", "Finding", "Rule", "Severity", "plain"]

_LONGEST: Final = 400


class Severity(StrEnum):
    """How much a finding weighs: an error fails, the others are told. A rule that is off is not asked."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OFF = "off"

    @property
    def weight(self) -> int:
        """3 for an error, 0 for off."""
        return 3 - list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id, its severity unless another is asked for, a sentence, a remedy, the clauses it rests on."""

    id: str
    severity: Severity
    sentence: str
    remedy: str
    clauses: tuple[str, ...]

    def found(
        self,
        file: str,
        subject: str,
        what: str,
        *,
        line: int | None = None,
        remedy: str = "",
        clause: str = "",
        cap: Severity = Severity.ERROR,
    ) -> Finding:
        """Return a finding of this rule, its texts made plain; remedy and clause are the rule's unless given."""
        texts = (plain(text) for text in (file, subject, what, remedy or self.remedy))
        where, about, problem, advice = texts
        return Finding(self.id, clause or self.clauses[0], where, line, about, problem, advice, cap)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule found. Every text is visible, on one line and bounded.

    Arguments:
        rule: the id of the rule.
        clause: the clause of the contract that it offends.
        file: the file, from the directory of the mission, with slashes; ``.`` is the directory.
        line: the line of the file, from 1; None for the whole file.
        subject: what it is about (a work package, an event id, a code). With rule and file it says which finding
            this is, so it holds nothing that changes when other lines do.
        what: what is wrong, a sentence.
        remedy: what to do about it.
        cap: the highest severity that it can have, whatever the rule's.
    """

    rule: str
    clause: str
    file: str
    line: int | None
    subject: str
    what: str
    remedy: str
    cap: Severity = Severity.ERROR

    def severity(self, of_rule: Severity) -> Severity:
        """Return its severity when the rule has ``of_rule``."""
        return min(of_rule, self.cap, key=lambda one: one.weight)

    @property
    def place(self) -> str:
        """File and line."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for reports and for other processes."""
        return {**asdict(self), "cap": str(self.cap)}

    @classmethod
    def of(cls, values: dict[str, Any]) -> Finding:
        """Return the finding that ``as_dict`` was asked of."""
        return cls(**{**values, "cap": Severity(values["cap"])})


class CannotJudge(Exception):
    """A rule cannot be decided for a mission; the text says why."""


def plain(text: object) -> str:
    """Return ``text`` on one visible line of bounded length."""
    line = visible_line(str(text)[: _LONGEST + 1])
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
