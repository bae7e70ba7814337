"""What a finished run of the released command says: that it hung, crashed, refused, failed, or did as it was asked. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import dataclasses
import json
import re
import signal
from typing import TYPE_CHECKING, Any, Final

from .protocol import Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Run", "broken", "declined", "json_object", "text_of"]

_CUT: Final = 20_000
#: How the refusals of a rule begin. Anything else that ends badly counts as failed.
_RULE: Final = re.compile(
    r"illegal transition|unknown lane|transition\b.* requires|force transitions require|wp already claimed|"
    r"moving to done requires|cannot resolve subtask roster|\S+ cannot move to|mission_not_found|"
    r"review_ref must match|review evidence must match|--\S+ (requires|must)\b",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One finished process."""

    argv: list[str]
    #: None: it had to be killed. Negative: the signal that ended it.
    exit_status: int | None
    stdout: str
    stderr: str
    seconds: float
    cwd: str
    environment: Mapping[str, str]

    def outcome(self, kind: OutcomeKind, value: Mapping[str, Any]) -> Outcome:
        """Return what the run came to, with what it printed as evidence."""
        evidence = {
            "argv": self.argv,
            "cwd": self.cwd,
            "environment": self.environment,
            "exit_status": self.exit_status,
            "stdout": _cut(self.stdout),
            "stderr": _cut(self.stderr),
        }
        return Outcome(kind, value, evidence, self.seconds)

    def trouble(self, kind: OutcomeKind, message: str) -> Outcome:
        """Return what the run came to, in words of ours."""
        return self.outcome(kind, {"message": message})


def broken(run: Run, limit: float) -> Outcome | None:
    """Return hung or crashed, or None when the command ended as a command does."""
    if run.exit_status is None:
        return run.trouble(OutcomeKind.HUNG, f"no end after {limit:g} s; killed with its children")
    if run.exit_status < 0:
        return run.trouble(OutcomeKind.CRASHED, f"ended by {_signal(-run.exit_status)}")
    if run.exit_status > 128 and not (run.stdout or run.stderr).strip():
        # What a shell, and what stands in for a kill, say of one that a signal ended: what it did is unknown.
        return run.trouble(OutcomeKind.CRASHED, f"ended by {_signal(run.exit_status - 128)}")
    if "Traceback (most recent call last)" in run.stderr and json_object(run.stdout) is None:
        return run.trouble(OutcomeKind.CRASHED, f"traceback: {_last_line(run.stderr)}")
    return None


def declined(run: Run) -> Outcome | None:
    """Return refused or failed, with what the command says of it and nothing invented; None for success."""
    if run.exit_status == 0:
        return None
    told = json_object(run.stdout) or _object_at_end(run.stderr)
    if told is None:
        # Prose. The parser of the command line says what it does not accept with status 2.
        kind = OutcomeKind.REFUSED if run.exit_status == 2 else OutcomeKind.FAILED
        text = (run.stderr.strip() or run.stdout.strip())[-2000:]
        return run.trouble(kind, text or f"exit status {run.exit_status} without a word")
    message = str(told.get("error") or told.get("message") or told)
    refused = "diagnostic_code" not in told and _RULE.match(message)
    return run.outcome(OutcomeKind.REFUSED if refused else OutcomeKind.FAILED, {**told, "message": message})


def json_object(text: str) -> dict[str, Any] | None:
    """Return the one JSON object that ``text`` is."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _object_at_end(text: str) -> dict[str, Any] | None:
    """Return the JSON object that ``text`` ends with: warnings may come first."""
    starts = (match.start() for match in re.finditer(r"^\{", text, re.MULTILINE))
    return next((value for start in starts if (value := json_object(text[start:])) is not None), None)


def text_of(output: bytes) -> str:
    """Return what was printed; what is not UTF-8 must not turn into valid JSON."""
    return output.decode("utf-8", errors="backslashreplace")


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else f"{text[:_CUT]}... ({len(text) - _CUT} more)"


def _last_line(text: str) -> str:
    return text.strip().rsplit("\n", 1)[-1]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
