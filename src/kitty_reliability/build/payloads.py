"""What rows that are no transitions say when a test does not: every key that the released contract of each asks for.

Without them a reader that goes past the envelope refuses the row (interop: sections 2.5 to 2.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kitty_reliability.formats.identifiers import mid8

if TYPE_CHECKING:
    from .event_log import EventLog

__all__ = ["captured", "decision", "lifecycle", "retrospective"]

_TYPE: Final = "software-dev"
_RECORD: Final = "retrospective.yaml"
#: Which file each phase of planning ends with.
_PHASES: Final = {"Specify": "spec.md", "Plan": "plan.md", "Tasks": "tasks.md"}


def lifecycle(log: EventLog, event_type: str, moment: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of a lifecycle row; of a type that nobody knows, the mission and what is ``given``."""
    identity = {"mission_id": log.mission_id}
    phase = event_type.removesuffix("Started").removesuffix("Completed")
    known: dict[str, Any] = {}
    if phase in _PHASES:
        known = {"actor": log.actor}
        if event_type.endswith("Completed"):
            known["artifact_path"] = f"kitty-specs/{log.mission_slug}/{_PHASES[phase]}"
        if event_type == "TasksCompleted":
            known["wp_count"] = len(log.lanes)
    elif event_type == "MissionCreated":
        known = identity | {
            "created_at": moment,
            "friendly_name": log.mission_slug.replace("-", " "),
            "mission_number": None,
            "mission_type": _TYPE,
            "purpose_context": "A mission of the test.",
            "purpose_tldr": "A test",
            "target_branch": "main",
            "wp_count": len(log.lanes),
        }
    elif event_type == "WPCreated":
        known = {"actor": log.actor, "wp_title": f"Work package {given.get('wp_id')}"}
    elif event_type == "ReviewerSelfApproval":
        known = {
            "failure_reason": "The reviewer failed.",
            "fallback_approved": True,
            "implementing_actor": log.actor,
            "intended_reviewer": log.reviewer,
            "timestamp": moment,
        }
    elif event_type == "MissionReopened":
        known = identity | {"reason": "again", "reopened_at": moment, "reopened_by": log.actor, "cleared_merge": None}
    elif event_type == "FollowUpRecorded":
        known = identity | {
            "commit_sha": "0" * 40,
            "follow_up_type": "commit",
            "pr_number": None,
            "recorded_at": moment,
            "recorded_by": log.actor,
        }
    return {"mission_slug": log.mission_slug, **known, **given}


def decision(log: EventLog, point: str, moment: str, given: Mapping[str, Any], *, resolved: bool) -> dict[str, Any]:
    """Return the payload of a decision point's opening, or of its resolution."""
    common = {
        "decision_point_id": point,
        "mission_id": log.mission_id,
        "mission_slug": log.mission_slug,
        "mission_type": _TYPE,
        "origin_surface": "planning_interview",
        "recorded_at": moment,
        "run_id": point,
        "state_entered_at": moment,
    }
    if resolved:
        own: dict[str, Any] = {
            "actual_participants": [],
            "closed_locally_while_widened": False,
            "closure_message": None,
            "final_answer": "yes",
            "other_answer": False,
            "rationale": None,
            "resolved_by": log.actor,
            "summary": None,
            "terminal_outcome": "resolved",
        }
    else:
        own = {
            "actor_id": log.actor,
            "actor_type": "human",
            "input_key": point,
            "options": [],
            "origin_flow": "specify",
            "phase": "SPECIFY",
            "question": "Shall it be so?",
            "step_id": point,
        }
    return {**common, **own, **given}


def retrospective(log: EventLog, name: str) -> dict[str, Any]:
    """Return what a ``retrospective.*`` row has beside its identity; the payload of an unknown name is empty."""
    actor = {"id": log.actor, "kind": "agent", "profile_id": None}
    proposal = {"kind": "add_glossary_term", "proposal_id": "P001"}
    signal = {"evidence": "the test", "kind": "explicit_flag"}
    payloads: dict[str, dict[str, Any]] = {
        "requested": {
            "mode": {"source_signal": signal, "value": "autonomous"},
            "requested_by": actor,
            "terminus_step_id": "retrospect",
        },
        "started": {"action_id": "retrospect", "facilitator_profile_id": "facilitator"},
        "completed": {
            "findings_summary": {"gaps": 0, "helped": 1, "not_helpful": 0},
            "proposals_count": 1,
            "record_hash": "0" * 64,
            "record_path": _RECORD,
        },
        "skipped": {"record_path": _RECORD, "skip_reason": "not now", "skipped_by": actor},
        "failed": {"failure_code": "other", "message": "It failed.", "record_path": None},
        "proposal.generated": proposal | {"record_path": _RECORD},
        "proposal.applied": proposal
        | {"applied_by": actor, "provenance_ref": _RECORD, "target_urn": "urn:glossary:term"},
        "proposal.rejected": proposal | {"detail": "no", "reason": "human_decline", "rejected_by": actor},
    }
    return {
        "actor": actor,
        "mid8": None if log.mission_id is None else mid8(log.mission_id),
        "payload": payloads.get(name.removeprefix("retrospective."), {}),
    }


def captured(log: EventLog, name: str) -> dict[str, Any]:
    """Return what a ``RetrospectiveCaptured``, ``...CaptureFailed`` or ``...Skipped`` row has of its own."""
    policy: dict[str, Any] = {"policy_source": {}}
    if name == "Captured":
        return policy | {
            "evidence_ref_count": 0,
            "findings_status": "ran_no_findings",
            "generator_version": "1",
            "proposal_count": 0,
            "provenance_kind": "runtime_post_completion",
            "record_path": f"kitty-specs/{log.mission_slug}/{_RECORD}",
        }
    if name == "CaptureFailed":
        return policy | {
            "attempted_provenance_kind": "runtime_post_completion",
            "failure_category": "other",
            "failure_message": "It failed.",
            "missing_artifacts": None,
            "remediation_hint": None,
        }
    if name == "Skipped":
        return policy | {
            "bypassed_provenance_kind": "runtime_strict_gate",
            "skip_reason": "not now",
            "skip_reason_source": "cli_flag",
            "would_have_attempted": True,
        }
    return {}
