"""How a scenario ends when it does not pass (conformance-kit: "Verdicts"). PYTEST_DONT_REWRITE

A scenario is a test that is marked with the clause it decides. It fails with a finding, one word of a closed
list, and says what was built, asked and observed. A scenario that could not decide says so: that is no pass.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

from _pytest.outcomes import Skipped

from kitty_reliability.formats.visible import visible

__all__ = ["Finding", "InconclusiveScenario", "NotApplicable", "ScenarioFailure", "inconclusive", "not_applicable"]


class Finding(StrEnum):
    """Why a scenario failed. The words are an interface: lists of known deviations name them."""

    ACKED_ROW_MISSING = "acked-row-missing"
    ROW_DUPLICATED = "row-duplicated"
    WRONG_ROW = "wrong-row"
    TORN_LINE_VISIBLE = "torn-line-visible"
    GLUED_LINE = "glued-line"
    BYTES_LOST = "bytes-lost"
    PREFIX_REWRITTEN = "prefix-rewritten"
    REFUSAL_CHANGED_STATE = "refusal-changed-state"
    READ_CHANGED_STATE = "read-changed-state"
    NO_OP_CLAIMS_EVENT = "no-op-claims-event"
    ILLEGAL_ACCEPTED = "illegal-accepted"
    LEGAL_REFUSED = "legal-refused"
    WRONG_DIAGNOSTIC = "wrong-diagnostic"
    WRONG_EXIT_STATUS = "wrong-exit-status"
    LANE_DISAGREES = "lane-disagrees"
    ORDER_MATTERS = "order-matters"
    COUNTED_TWICE = "counted-twice"
    DAMAGE_ACCEPTED = "damage-accepted"
    DAMAGE_UNREPORTED = "damage-unreported"
    SNAPSHOT_DIFFERS = "snapshot-differs"
    LANE_INVENTED = "lane-invented"
    ANSWERS_ALIKE = "answers-alike"
    ROW_UNRECOGNISED = "row-unrecognised"
    RACE_LOST = "race-lost"
    ESCAPED_ROOT = "escaped-root"
    LEAKED = "leaked"
    PATH_SHARED = "path-shared"
    OVERWRITTEN = "overwritten"
    IDENTITY_DIFFERS = "identity-differs"
    NOT_PRIVATE = "not-private"
    WRONGLY_DISPATCHED = "wrongly-dispatched"
    NOT_LINEARIZABLE = "not-linearizable"
    STUCK_AFTER_FAULT = "stuck-after-fault"
    WRONG_COPY = "wrong-copy"
    COMMIT_MISSING = "commit-missing"
    SWEPT_IN = "swept-in"
    CHANGE_HIDDEN = "change-hidden"
    FOREIGN_CHANGE_SHOWN = "foreign-change-shown"
    REF_UNRESOLVED = "ref-unresolved"
    RECORD_IGNORED = "record-ignored"
    NAME_OBEYED = "name-obeyed"
    UNSAFE_PASSED = "unsafe-passed"
    SAFE_BLOCKED = "safe-blocked"
    WRONG_STATE = "wrong-state"
    ADVICE_FAILS = "advice-fails"
    ADVICE_DESTROYS = "advice-destroys"
    NAME_VARIES = "name-varies"
    STDOUT_POLLUTED = "stdout-polluted"
    LOCAL_RESULT_HIDDEN = "local-result-hidden"
    DIAGNOSTIC_MISSING = "diagnostic-missing"
    DIAGNOSTIC_REPEATED = "diagnostic-repeated"
    RECORD_FORGED = "record-forged"
    TERMINAL_OBEYED = "terminal-obeyed"
    FAILURE_STYLED = "failure-styled"
    REACHED_OUT = "reached-out"
    HELD_UP = "held-up"
    HANG = "hang"
    CRASH = "crash"
    PROTOCOL_VIOLATION = "protocol-violation"


class ScenarioFailure(AssertionError):
    """The implementation broke the clause: a finding, and what was seen."""

    def __init__(self, finding: Finding, observed: str, story: str = "") -> None:
        self.finding = finding
        self.observed = observed
        self.story = story
        # pytest prints it as it is, and the implementation wrote a part of it.
        super().__init__(visible(f"{finding}: {observed}" + (f"\n{story}" if story else "")))


class InconclusiveScenario(Skipped):
    """Nothing was decided: a fault did not take effect, or the implementation cannot be asked."""


class NotApplicable(Skipped):
    """The implementation does not claim the capability."""


def inconclusive(reason: str) -> NoReturn:
    """End the scenario undecided."""
    __tracebackhide__ = True
    raise InconclusiveScenario(f"inconclusive: {visible(reason)}", _use_item_location=True)


def not_applicable(reason: str) -> NoReturn:
    """End the scenario as not applicable."""
    __tracebackhide__ = True
    raise NotApplicable(f"not applicable: {visible(reason)}", _use_item_location=True)
