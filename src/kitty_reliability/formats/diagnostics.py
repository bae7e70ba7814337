"""Diagnostics as one table: a code, the clause it protects, what happened and what to do about it.

Everything that refuses or fails says so with a value from this table (clause STA-003, NFR-005), so that a
program can match on the code and a person can act on the remediation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["TABLE", "Diagnostic", "DiagnosticError", "Entry", "diagnostic"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table. ``message`` and ``remediation`` are formatted with the diagnostic's fields."""

    code: str
    invariant: str
    message: str
    remediation: str


def _entries(*rows: tuple[str, str, str, str]) -> dict[str, Entry]:
    return {row[0]: Entry(*row) for row in rows}


# fmt: off
TABLE: Final[dict[str, Entry]] = _entries(
    # --- identifiers and lookups
    ("MISSION_IDENTIFIER_UNSAFE", "SEC-001", "mission {mission_slug!r} is not one safe path segment",
     "name the mission by its directory under kitty-specs/, without separators or dots at the start"),
    ("MISSION_NOT_FOUND", "STA-007", "no mission {mission_slug!r} under {root}",
     "check the name against the directories in kitty-specs/"),
    ("MISSION_METADATA_INVALID", "STA-007", "{path}: {problem}",
     "repair meta.json or restore it from git; nothing was written"),
    ("MISSION_OUTSIDE_ROOT", "SEC-003", "{path} leads out of {root}",
     "replace the symbolic link by the real directory; links out of the repository are not followed"),
    ("WORK_PACKAGE_IDENTIFIER_UNSAFE", "SEC-002", "work package {work_package_id!r} is not a work package id",
     "use an id such as WP01"),
    ("WORK_PACKAGE_NOT_FOUND", "STA-007", "mission {mission_slug} has no work package {work_package_id}",
     "check the id against the files in tasks/ and the rows of the log"),
    ("WORK_PACKAGE_FILE_AMBIGUOUS", "STA-007", "several files claim to be {work_package_id}: {files}",
     "keep one task file for each work package"),
    ("WORK_PACKAGE_FILE_INVALID", "STA-007", "{path}: {problem}", "repair the frontmatter of the task file"),
    ("FRONTMATTER_INVALID", "SEC-005", "{path}: {problem}", "repair the YAML between the two --- lines"),
    # --- the lane table and its guards
    ("UNKNOWN_LANE", "STA-007", "unknown lane {requested_lane!r}", "use one of: {known}"),
    ("ILLEGAL_TRANSITION", "STA-007", "illegal transition {from_lane} -> {requested_lane}",
     "legal next lanes: {legal}; or use force with an actor and a reason"),
    ("FORCE_REQUIRES_ACTOR_AND_REASON", "STA-007", "force needs an actor and a reason",
     "say who forces the transition and why"),
    ("FORCE_TARGET_FORBIDDEN", "STA-007", "{requested_lane} cannot be entered, not even by force",
     "use one of the nine lanes of a board"),
    ("ACTOR_REQUIRED", "STA-007", "{from_lane} -> {requested_lane} needs an actor", "say who acts"),
    ("WORKSPACE_CONTEXT_REQUIRED", "STA-007", "{from_lane} -> {requested_lane} needs a workspace context",
     "say where the work happens"),
    ("SUBTASKS_INCOMPLETE", "STA-007", "{from_lane} -> {requested_lane} needs every subtask done",
     "finish the open subtasks or take them out of the roster"),
    ("IMPLEMENTATION_EVIDENCE_REQUIRED", "STA-007",
     "{from_lane} -> {requested_lane} needs evidence of an implementation", "record the implementation first"),
    ("REVIEWER_APPROVAL_REQUIRED", "STA-007",
     "{from_lane} -> {requested_lane} needs evidence of an approval: reviewer, reference, verdict approved",
     "give the approving review as evidence"),
    ("REASON_REQUIRED", "STA-007", "{from_lane} -> {requested_lane} needs a reason", "say why"),
    ("REVIEW_REF_REQUIRED", "STA-007", "{from_lane} -> {requested_lane} needs a review reference",
     "name the review that sends the work back"),
    ("REVIEW_RESULT_REQUIRED", "STA-007", "{from_lane} -> {requested_lane} needs a review result",
     "give reviewer, verdict and reference"),
    ("REVIEW_RESULT_REVIEWER_MISSING", "STA-007", "the review result has no reviewer", "name the reviewer"),
    ("REVIEW_RESULT_VERDICT_MISSING", "STA-007", "the review result has no verdict", "give the verdict"),
    ("REVIEW_RESULT_REFERENCE_MISSING", "STA-007", "the review result has no reference", "give the reference"),
    ("REVIEW_REF_MISMATCH", "STA-007", "review_ref differs from the reference of the review result",
     "give one reference"),
    ("REVIEW_EVIDENCE_MISMATCH", "STA-007", "evidence and review result are of two different reviews",
     "give reviewer, verdict and reference of one review"),
    ("TRANSITION_CONFLICT", "STA-008", "{work_package_id} is already {requested_lane}, by {holder}",
     "read the state again; the other actor was first"),
    # --- the durable append
    ("EVENT_LOG_NOT_A_FILE", "STA-003", "{path} is not a regular file", "restore the log from git"),
    ("EVENT_LOG_OUTSIDE_ROOT", "SEC-003", "{path} is a symbolic link", "replace the link by the log itself"),
    ("EVENT_LOG_UNREADABLE", "STA-003", "{path}: {problem}",
     "repair or restore the named line; `recover` reads what can be read"),
    ("EVENT_LOCK_TIMEOUT", "STA-008", "the lock {path} was held for longer than {seconds:g} s",
     "find the process that holds it; then try again"),
    ("EVENT_APPEND_FAILED", "STA-003", "the row could not be written: {problem}",
     "free the disk or the file, then repeat the transition; nothing of it stands"),
    ("EVENT_APPEND_UNRESOLVED", "STA-006", "the row could not be taken back: {problem}; {stands}",
     "read the state before repeating the transition"),
    ("EVENT_READBACK_FAILED", "STA-002", "the row was written but is not on disk: {problem}",
     "check the disk; then repeat the transition"),
    ("LANE_DISAGREES", "STA-002", "after the row, {work_package_id} is still {lane_in_force}",
     "a row with a later time stays in force: check the clocks of the writers (row {outranked_by})"),
    ("TEXT_NOT_ENCODABLE", "SEC-004", "{field} holds a lone surrogate, which no file can hold",
     "give well-formed Unicode text"),
    ("VALUE_INVALID", "STA-007", "{problem}", "send the value in the shape that the protocol names"),
    # --- claims
    ("CLAIM_CONFLICT", "STA-011", "{work_package_id} is {from_lane}, held by {holder} ({holder_state})",
     "leave it to {holder}; if that process is gone, give it back: {command}"),
    ("CLAIM_STRANDED", "STA-004", "{work_package_id} is {from_lane}, held by {holder}, and was not started",
     "go on as {holder}: {command}"),
    ("START_NOT_POSSIBLE", "STA-007", "{work_package_id} is {from_lane}; {kind} starts from: {legal}",
     "move it to one of these lanes first"),
    ("HOLDER_ALIVE", "STA-004", "{work_package_id} is held by {holder}, and process {process_id} runs",
     "ask {holder} to finish, or end that process; then try again"),
    ("HOLDER_UNKNOWN", "STA-004", "{work_package_id} is held by {holder}; nothing tells whether that process runs",
     "ask {holder}; or move it by force, with an actor and a reason"),
    ("NOT_HELD", "STA-004", "{work_package_id} is {from_lane}; nobody has it in hand", "there is nothing to give back"),
    # --- where a command runs
    ("REPOSITORY_NOT_FOUND", "STA-005", "{root} is in no repository and holds no kitty-specs/",
     "run the command in a checkout of the repository"),
    ("MAIN_CHECKOUT_UNKNOWN", "STA-005", "{root} is a worktree of {repository}, and its main checkout cannot be told",
     "run the command in the main checkout; a copied repository needs a clone instead"),
    ("CHECKOUT_FOREIGN", "STA-005", "{root} is a checkout of its own, in {repository}, without mission {mission_slug}",
     "name the repository that is meant; nothing is redirected"),
    ("COORDINATION_NOT_CHECKED_OUT", "STA-005",
     "mission {mission_slug} is coordinated on branch {branch}, which is not checked out in {path}", "{command}"),
    ("WORKSPACE_MISSING", "STA-005", "{record} names {path}, which is not there",
     "restore the worktree, or remove the record"),
    ("MISSION_AMBIGUOUS", "STA-007", "{mission_slug} is the beginning of several missions: {candidates}",
     "name one of them in full"),
    # --- the commit after the append
    ("COMMIT_REFUSED", "STA-006", "git did not commit: {problem}; {stands}",
     "mend what git names, then repeat the transition"),
    # --- what a reviewer looks at
    ("LANE_RECORD_UNREADABLE", "RPM-003", "{problem}",
     "restore the record (lanes.json is in git), or write it anew; a branch is not guessed"),
    ("LANE_RECORD_AMBIGUOUS", "RPM-003", "{work_package_id} is not in one lane of a proper name, but in: {lanes}",
     "give it one lane in lanes.json of {mission_slug}; a branch is not guessed"),
    ("GIT_NOT_STARTED", "RPM-003", "git cannot be started: {problem}", "install git, or mend PATH"),
    ("DIFF_LANE_UNKNOWN", "RPM-003", "{work_package_id} has no lane with a branch of its own",
     "give it one in lanes.json of {mission_slug}; a branch is not guessed"),
    ("DIFF_REF_MISSING", "DIF-004", "{role} {ref!r} is no branch of the repository",
     "fetch or restore the branch, or correct its name in the lane manifest or workspace context; nothing stands in for it"),
    ("DIFF_REF_AMBIGUOUS", "DIF-004", "{role} {ref!r} is a branch and a tag", "rename or delete the tag"),
    ("DIFF_START_UNKNOWN", "DIF-004", "nothing tells where {ref!r} began: its own commits do not meet those of {base_ref!r}",
     "record the lane's base_commit in its workspace context"),
    # --- before merge and ship; the invariant is the one that released versions name
    ("TARGET_BRANCH_UNKNOWN", "MSP-006", "neither meta.json nor lanes.json of {mission_slug} names a target branch",
     "record target_branch in meta.json; a branch is not guessed"),
    ("TARGET_BRANCH_NOT_SYNCHRONIZED", "local_target_branch_must_match_tracking_branch",
     "{target_branch} is {ahead_count} ahead and {behind_count} behind {tracking_branch}", "{advice}"),
    ("TARGET_BRANCH_MISSING", "local_target_branch_must_match_tracking_branch",
     "there is no local branch {target_branch!r}", "make the branch, or correct target_branch in meta.json"),
    ("TARGET_BRANCH_STATE_UNKNOWN", "local_target_branch_must_match_tracking_branch",
     "how {target_branch} stands to its upstream cannot be told: {problem}", "{advice}"),
    ("TARGET_BRANCH_REFRESH_FAILED", "local_target_branch_must_match_tracking_branch",
     "the remote {remote_name} of {target_branch} cannot be asked: {detail}",
     "mend the connection to {remote_name}, then ask again; what was fetched earlier does not decide"),
    ("TRACKING_BRANCH_STALE", "MSP-008", "{tracking_branch} is not what {remote_name} has; the remote itself was compared",
     "{command}"),
    ("FOCUSED_BRANCH_IMPOSSIBLE", "MSP-004", "{focused_branch} cannot be made: {problem}",
     "mend that, then run the command again; nothing was changed"),
    ("FOCUSED_BRANCH_TAKEN", "MSP-004", "{focused_branch} is there and is another commit, {commit}",
     "look at it, rename it if it is to be kept, then run the command again; it is not overwritten"),
    ("FOCUSED_BRANCH_CONFLICT", "MSP-004", "{focused_branch} is not made: {problem}: {files}",
     "{advice}, then run the command again; nothing was changed"),
    # --- signoff; the invariants of the first two are those that released versions name
    ("REJECTED_REVIEW_ARTIFACT_CONFLICT", "terminal_wp_latest_review_artifact_must_not_be_rejected",
     "{branch_or_work_package} of {mission_slug} is {lane}, and its latest review says {latest_review_cycle_verdict}: {source}",
     "review it again, or override it with an actor and a reason, or move it out of {lane}"),
    ("REVIEW_ARTIFACT_SCHEMA_INVALID", "review_cycle_frontmatter_must_match_schema",
     "{branch_or_work_package} of {mission_slug}: its latest review {source} cannot be gone by: {schema_error}",
     "repair the artifact, or write the next review cycle"),
    ("REVIEW_VERDICTS_CONTRADICT", "RAC-004",
     "{branch_or_work_package}: {source} says {latest_review_cycle_verdict}, the event {event_verdict}; it goes by the {decides}",
     "review it again, so that both say the same"),
    # --- files that can be derived again
    ("SNAPSHOT_UNREADABLE", "LOG-011", "{path} is no snapshot: {problem}", "write it anew from the log: {command}"),
    # --- prompts
    ("PROMPT_KIND_UNKNOWN", "RPM-009", "no prompt is of kind {kind!r}", "use one of: {known}"),
    ("PROMPT_NAME_AMBIGUOUS", "RPM-007", "{name!r} would have the path of another name's prompts",
     "use a name of letters, digits, dots, underscores and inner dashes"),
    ("PROMPT_DIRECTORY_UNSAFE", "RPM-007", "{path} is {problem}; no prompt is put there",
     "remove it, or set TMPDIR to a directory of your own"),
    ("PROMPT_READBACK_FAILED", "STA-003", "the prompt {path} was written but is not on disk: {problem}",
     "check the disk; then ask again"),
    ("REVIEW_PROMPT_METADATA_MISMATCH", "RPM-002", "the prompt is about something else; different: {differing}",
     "ask for a prompt of this work package and dispatch that one"),
    ("REVIEW_PROMPT_MISSING", "RPM-006", "there is no prompt: {problem}", "ask for a prompt again"),
    ("REVIEW_PROMPT_UNREADABLE", "RPM-006", "the prompt cannot be read: {problem}",
     "make the file readable, or ask for a prompt again"),
    ("REVIEW_PROMPT_EMPTY", "RPM-006", "the prompt is empty", "ask for a prompt again"),
    ("REVIEW_PROMPT_TRUNCATED", "RPM-006", "the prompt was cut off: {problem}", "ask for a prompt again"),
    ("REVIEW_PROMPT_NO_FRONTMATTER", "RPM-006", "the prompt does not say what it is about",
     "ask for a prompt again"),
    ("REVIEW_PROMPT_INVALID", "RPM-006", "the prompt's frontmatter is not what it should be: {problem}",
     "ask for a prompt again"),
    # --- the guard of what is staged; codes as released versions have them (interop: section 10)
    ("ACTIVE_WP_SCOPE_VIOLATION", "OWN-004",
     "{file!r} is outside what {work_package_id} owns in {lane_id} of mission {mission_slug}, by {context_source}",
     "unstage it, or have owned_files of {work_package_id} name it"),
    ("MISSION_STATE_PROTECTED", "OWN-009", "{file!r} is mission state, which no lane changes",
     "unstage it; mission state is committed in the main checkout"),
    ("ACTIVE_WP_CONTEXT_STALE", "OWN-002",
     "the workspace context of {lane_id} is stale: it names {cached_work_package}, and {work_package_id} is active",
     "nothing has to be done: canonical state decides; the next claim should write the context anew"),
    ("ACTIVE_WP_CONTEXT_AMBIGUOUS", "OWN-003", "no single work package is active on {branch}: {problem}",
     "move exactly one work package of the lane to in_progress, and keep one workspace context for its branch"),
    ("ACTIVE_WP_CONTEXT_UNREADABLE", "OWN-003", "{path} is no workspace context, and may be that of {branch}",
     "restore the workspace context, or remove it"),
    ("ACTIVE_WP_CONTEXT_ABSENT", "OWN-011",
     "no workspace context names {branch}: the files are not judged by owner, only mission state is protected",
     "write the workspace context of the lane, so that its files are judged"),
    ("ACTIVE_WP_CONTEXT_MISSING", "OWN-003", "the workspace context names mission {mission_slug}: {problem}",
     "restore the mission, or remove the workspace context"),
    ("ACTIVE_WP_STATUS_UNAVAILABLE", "OWN-005", "the status of mission {mission_slug} cannot be read: {problem}",
     "repair the named record; nothing is judged by what was known before"),
    ("ACTIVE_WP_METADATA_MISSING", "OWN-005", "{work_package_id} is active and has no task file in {path}",
     "restore the task file from git"),
    ("ACTIVE_WP_METADATA_INVALID", "OWN-005", "the task file of {work_package_id}, which is active: {problem}",
     "repair the frontmatter of the task file"),
    ("ACTIVE_WP_OWNERSHIP_MISSING", "OWN-003", "{work_package_id} is active and owns no files",
     "say in its owned_files what it may change"),
    ("GUARD_POLICY_INVALID", "OWN-003", "{path}: {problem}; the guard goes by its defaults there",
     "correct policy.commit_guard: enabled, mode (block, warn, off), block_mission_specs, enforce_ownership"),
    ("GUARD_OFF", "OWN-003", "the guard is switched off in {path}", "set policy.commit_guard.mode to block"),
    ("STAGED_UNREADABLE", "OWN-006", "what is staged in {path} cannot be told: {problem}",
     "mend what git names; nothing was judged"),
    ("HOOK_FOREIGN", "OWN-006", "{path} is a hook of somebody else", "call this from it: {command}"),
    # --- rows
    ("ROW_NOT_UTF8", "LOG-008", "line {line} is not UTF-8: {problem}", "restore the line from git"),
    ("LOG_BYTE_ORDER_MARK", "LOG-008", "line {line} begins with a byte-order mark",
     "save the log as UTF-8 without a byte-order mark"),
    ("ROW_NOT_JSON", "LOG-007", "line {line} is not JSON: {problem}", "restore the line from git"),
    ("ROW_TORN", "LOG-007", "line {line} is torn: the file ends inside it",
     "the next append keeps the torn bytes aside; or read with recovery"),
    ("ROW_NOT_OBJECT", "LOG-009", "line {line} is JSON, but not an object", "one object a line"),
    ("ROW_REPEATED_KEY", "LOG-009", "line {line} has the key {key!r} twice", "keep one of the two"),
    ("ROW_TOO_LONG", "LOG-009", "line {line} has {length} bytes; at most {limit} are read",
     "move the large value into a file and refer to it"),
    ("ROW_TOO_DEEP", "LOG-009", "line {line} is nested deeper than {limit} levels", "flatten the value"),
    ("ROW_UNKNOWN_KIND", "LOG-006", "line {line} is of unknown kind {kind!r}",
     "upgrade the reader, or correct the kind"),
    ("ROW_AMBIGUOUS_KIND", "LOG-006", "line {line} is both a lane transition and {other}",
     "split it into two rows"),
    ("ROW_FIELD_MISSING", "LOG-009", "line {line} has no {key!r}", "complete the row"),
    ("ROW_FIELD_INVALID", "LOG-009", "line {line}: {key!r} {problem}", "correct the value"),
    ("EVENT_ID_CONFLICT", "LOG-003", "lines {line} and {other_line} have one event id, {event_id}, and differ",
     "keep the row that is true; two rows never share an id"),
    # --- what a reader reports without refusing
    ("FOREIGN_ROW", "LOG-010", "line {line} belongs to mission {other_mission}; it does not count here",
     "move the row to the log of its own mission"),
    ("SNAPSHOT_WRITE_FAILED", "STA-006", "the snapshot could not be written: {problem}",
     "free the disk or the file; the log is as it was before"),
    ("UNEXPECTED", "STA-003", "unexpected {problem}", "report this as a defect, with the command and the log"),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: an entry of the table with the values that fill it."""

    code: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> Entry:
        """The row of the table."""
        return TABLE[self.code]

    @property
    def message(self) -> str:
        """What happened, with the values filled in."""
        return self.entry.message.format_map(_Lenient(self.fields))

    @property
    def remediation(self) -> str:
        """What to do about it, with the values filled in."""
        return self.entry.remediation.format_map(_Lenient(self.fields))

    def with_fields(self, **more: Any) -> Diagnostic:
        """Return the same finding with ``more`` fields; those it already has stay."""
        return Diagnostic(self.code, {**more, **self.fields})

    def as_dict(self) -> dict[str, Any]:
        """Return the flat form that goes over the protocol, into JSON output and into reports."""
        return {
            **self.fields,
            "diagnostic_code": self.code,
            "violated_invariant": self.entry.invariant,
            "message": self.message,
            "remediation": self.remediation,
        }


class DiagnosticError(Exception):
    """An error that carries a diagnostic; its text is the message and the remedy."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(f"{diagnostic.code}: {diagnostic.message}; {diagnostic.remediation}")


def diagnostic(code: str, **fields: Any) -> DiagnosticError:
    """Return an exception with the diagnostic ``code``; KeyError when the table has no such code."""
    TABLE[code]
    return DiagnosticError(Diagnostic(code, fields))


class _Lenient(dict[str, Any]):
    # A diagnostic must reach the reader even when a value for its text is missing.
    def __missing__(self, key: str) -> _Blank:
        return _Blank(key)


class _Blank(str):
    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return "<" + str(self) + ">"
