"""Which transition is legal: the lane table, its guards and force (interop: section 3; clause STA-007).

A pure function of what is known; nothing is read or written here. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kitty_reliability.formats.diagnostics import Diagnostic
from kitty_reliability.formats.lanes import EDGES, Guard, Lane, edge
from kitty_reliability.formats.profiles import CONTRACT_320, Profile

__all__ = ["Context", "Rules", "nobody"]


@dataclass(frozen=True, slots=True)
class Context:
    """What a transition brings with it.

    ``evidence`` is ``{"review": {reviewer, verdict, reference}}``; ``review_result`` is
    ``{reviewer, verdict, reference, feedback_path?}``. The two booleans are facts about the work package.
    """

    actor: Any = None
    force: bool = False
    reason: str | None = None
    workspace_context: str | None = None
    subtasks_complete: bool | None = None
    implementation_evidence_present: bool | None = None
    evidence: Mapping[str, Any] | None = None
    review_ref: str | None = None
    review_result: Mapping[str, Any] | None = None


_TRIPLE: Final = ("reviewer", "verdict", "reference")


class Rules:
    """The lane table with its guards, under a profile. Each guard is one method, named after it."""

    def __init__(self, profile: Profile = CONTRACT_320) -> None:
        self.profile = profile

    def check(self, source: Lane, target: Lane, context: Context) -> Diagnostic | None:
        """Return why ``source`` -> ``target`` is refused, None when it is legal."""
        if context.force:
            return self.forced(target, context)
        step = edge(source, target)
        if step is None:
            legal = ", ".join(to for frm, to in EDGES if frm == source) or "none"
            return Diagnostic("ILLEGAL_TRANSITION", {"legal": legal})
        guard: Diagnostic | None = getattr(self, step.guard.value)(context)
        return guard

    def forced(self, target: Lane, context: Context) -> Diagnostic | None:
        """Force overrides the table and its guards, but never without an actor and a reason."""
        if target == Lane.GENESIS:
            return Diagnostic("ILLEGAL_TRANSITION", {"legal": "none; genesis is where a log begins"})
        if nobody(context.actor) or _blank(context.reason):
            return Diagnostic("FORCE_REQUIRES_ACTOR_AND_REASON")
        if target == Lane.UNINITIALIZED and not self.profile.force_reaches_uninitialized:
            return Diagnostic("FORCE_TARGET_FORBIDDEN")
        return None

    # --- guards, by the word of the lane table

    def none(self, context: Context) -> Diagnostic | None:  # noqa: ARG002 - one signature for every guard
        """Nothing is needed."""
        return None

    def actor(self, context: Context) -> Diagnostic | None:
        """Somebody takes the work package."""
        return Diagnostic("ACTOR_REQUIRED") if nobody(context.actor) else None

    def workspace(self, context: Context) -> Diagnostic | None:
        """Work starts somewhere."""
        return Diagnostic("WORKSPACE_CONTEXT_REQUIRED") if _blank(context.workspace_context) else None

    def ready_for_review(self, context: Context) -> Diagnostic | None:
        """Everything is done and there is something to review."""
        if context.subtasks_complete is not True:
            return Diagnostic("SUBTASKS_INCOMPLETE")
        if context.implementation_evidence_present is not True:
            return Diagnostic("IMPLEMENTATION_EVIDENCE_REQUIRED")
        return None

    def reason(self, context: Context) -> Diagnostic | None:
        """Work that goes back says why."""
        return Diagnostic("REASON_REQUIRED") if _blank(context.reason) else None

    def review_ref(self, context: Context) -> Diagnostic | None:
        """An approval is withdrawn by a review that can be named."""
        return Diagnostic("REVIEW_REF_REQUIRED") if _blank(context.review_ref) else None

    def approval_evidence(self, context: Context) -> Diagnostic | None:
        """Somebody approved, and it can be looked up."""
        review = (context.evidence or {}).get("review")
        if not isinstance(review, Mapping):
            return Diagnostic("REVIEWER_APPROVAL_REQUIRED")
        if _blank(review.get("reviewer")) or _blank(review.get("reference")):
            return Diagnostic("REVIEWER_APPROVAL_REQUIRED")
        if review.get("verdict") != "approved":
            return Diagnostic("REVIEWER_APPROVAL_REQUIRED")
        return None

    def review_concludes(self, context: Context) -> Diagnostic | None:
        """A review ends with a result, and everything said about it is of that one review."""
        return self.review_result_complete(context) or self.review_consistent(context)

    def review_approves(self, context: Context) -> Diagnostic | None:
        """A review ends with an approval."""
        incomplete = self.review_result_complete(context)
        if incomplete is not None:
            return incomplete
        result = context.review_result or {}
        if context.evidence is not None:
            refused = self.approval_evidence(context)
        else:
            refused = None if result.get("verdict") == "approved" else Diagnostic("REVIEWER_APPROVAL_REQUIRED")
        return refused or self.review_consistent(context)

    def review_result_complete(self, context: Context) -> Diagnostic | None:
        """The result has reviewer, verdict and reference."""
        if context.review_result is None:
            return Diagnostic("REVIEW_RESULT_REQUIRED")
        for key in _TRIPLE:
            if _blank(context.review_result.get(key)):
                return Diagnostic(f"REVIEW_RESULT_{key.upper()}_MISSING")
        return None

    def review_consistent(self, context: Context) -> Diagnostic | None:
        """Reference, evidence and result speak of one review."""
        result = context.review_result or {}
        if context.review_ref is not None and context.review_ref != result.get("reference"):
            return Diagnostic("REVIEW_REF_MISMATCH")
        if context.evidence is not None:
            review = context.evidence.get("review")
            if not isinstance(review, Mapping):
                return Diagnostic("REVIEW_EVIDENCE_MISMATCH")
            if any(review.get(key) != result.get(key) for key in _TRIPLE):
                return Diagnostic("REVIEW_EVIDENCE_MISMATCH")
        return None


def nobody(actor: Any) -> bool:
    """Say whether ``actor`` names nobody: a blank text, or an object that has nothing else."""
    return all(map(_blank, actor.values())) if isinstance(actor, Mapping) else _blank(actor)


def _blank(value: Any) -> bool:
    return not isinstance(value, str) or not value.strip()


# Every guard of the table is a method here; a word without one is a defect of this module.
assert all(hasattr(Rules, guard.value) for guard in Guard)
