"""The protocol: what is asked, what is answered, and nothing else (conformance-kit: "Reaching an implementation").

One request value and one outcome serve every way of reaching an implementation. On the wire a request is one
JSON object a line, ``{"id": 7, "operation": "state", ...}``, and a reply is one JSON object a line with the same
id and exactly one outcome key, ``{"id": 7, "ok": {...}}``. The runner adds three outcomes that no
implementation says of itself: crashed, hung, garbled. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, TypeAdapter, model_validator

__all__ = [
    "ANSWERS",
    "PROTOCOL_VERSION",
    "REQUEST",
    "Actor",
    "Batch",
    "BatchAnswer",
    "Capability",
    "Diff",
    "DiffAnswer",
    "Dispatch",
    "DispatchAnswer",
    "Events",
    "EventsAnswer",
    "Guard",
    "GuardAnswer",
    "Hello",
    "HelloAnswer",
    "Materialize",
    "MaterializeAnswer",
    "MergeLogs",
    "MergeLogsAnswer",
    "Move",
    "Open",
    "OpenAnswer",
    "Outcome",
    "OutcomeKind",
    "Preflight",
    "PreflightAnswer",
    "Prompt",
    "PromptAnswer",
    "Recover",
    "RecoverAnswer",
    "Repair",
    "RepairAnswer",
    "Reply",
    "Request",
    "Signoff",
    "SignoffAnswer",
    "Start",
    "StartAnswer",
    "State",
    "StateAnswer",
    "Surface",
    "SurfaceAnswer",
    "Transition",
    "TransitionAnswer",
    "Trouble",
    "Unsupported",
    "protocol_schema",
]

PROTOCOL_VERSION: Final = 1


class Capability(StrEnum):
    """What an implementation may declare beyond the core operations."""

    #: It moves work packages (``transition``). A viewer does not.
    WRITE = "write"
    #: It can list the rows of a log (``events``).
    EVENTS = "events"
    #: It writes a snapshot (``materialize``).
    SNAPSHOT = "snapshot"
    #: It reads what can be read of a damaged log (``state`` with ``recover``).
    RECOVERY = "recovery"
    #: It moves several work packages in one durable act (``batch``).
    BATCH = "batch"
    #: It commits the row that it wrote (``transition`` with ``commit``).
    COMMIT = "commit"
    #: It starts implementing and reviewing (``start``).
    START = "start"
    #: It frees a work package whose holder is gone (``recover``).
    RECOVER = "recover"
    #: It merges logs that went apart (``merge_logs``).
    MERGE_LOGS = "merge_logs"
    #: It quarantines what cannot be read (``repair``).
    REPAIR = "repair"
    #: It writes prompts for reviewers, and whoever else reads one (``prompt``).
    PROMPT = "prompt"
    #: It compares a prompt with what was asked for before anybody is launched (``dispatch``).
    DISPATCH = "dispatch"
    #: It says how the changes of a work package are looked at (``diff``).
    DIFF = "diff"
    #: It judges what is staged in a checkout by the active work package (``guard``).
    GUARD = "guard"
    #: Its commands report to a hosted service once the local change is durable (SYN).
    SYNC = "sync"
    #: It compares the target branch with its upstream before anything is merged or published (``preflight``).
    PREFLIGHT = "preflight"
    #: It says whether the latest reviews allow a mission to ship (``signoff``).
    SIGNOFF = "signoff"
    #: It has a command of its own, whose exit status and output count (``surface``).
    SURFACE = "surface"


#: A name, or ``{"role", "profile", "tool", "model"}`` with a text or null each (interop: section 2.3); compared as data.
Actor = str | dict[str, str | None]


class _Value(BaseModel):
    # Built on first use: a command asks for one operation, and pays for one.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


# --- requests


class Hello(_Value):
    """Say who you are."""

    operation: Literal["hello"] = "hello"
    protocol: int = PROTOCOL_VERSION


class _MissionRequest(_Value):
    #: Absolute path of where it is asked from: the repository, or any directory in one of its checkouts (STA-005).
    root: str
    #: Name of the mission's directory under ``kitty-specs/``.
    mission: str


class Open(_MissionRequest):
    """Find the mission and say where its log is. Changes nothing."""

    operation: Literal["open"] = "open"


class Move(_Value):
    """One work package to one lane, with what the lane table's guards ask for."""

    work_package: str
    to: str
    actor: Actor | None = None
    force: bool = False
    reason: str | None = None
    review_ref: str | None = None
    #: ``{"review": {"reviewer", "verdict", "reference"}}``
    evidence: dict[str, Any] | None = None
    #: ``{"reviewer", "verdict", "reference", "feedback_path"?}``
    review_result: dict[str, Any] | None = None
    workspace_context: str | None = None
    execution_mode: Literal["worktree", "direct_repo"] = "worktree"
    policy_metadata: dict[str, Any] | None = None


class Transition(_MissionRequest, Move):
    """Move a work package to a lane."""

    operation: Literal["transition"] = "transition"
    #: Commit log and snapshot, and nothing else, to the branch that is checked out (STA-006).
    commit: bool = False


class Batch(_MissionRequest):
    """Move work packages in this order, in one durable act: all of it or nothing."""

    operation: Literal["batch"] = "batch"
    moves: Annotated[list[Move], Field(min_length=1)]


class Start(_MissionRequest):
    """Take a work package in hand: claim and start it, or its review; resume what the actor holds (STA-004, STA-011)."""

    operation: Literal["start"] = "start"
    work_package: str
    kind: Literal["implement", "review"] = "implement"
    actor: Actor
    #: The process that will hold it, and when that process started, in seconds since 1970: one alone is no evidence.
    process_id: int | None = None
    process_started: float | None = None


class Recover(_MissionRequest):
    """Give back a work package whose holder is gone; evidence is needed for that, other than the time that passed."""

    operation: Literal["recover"] = "recover"
    work_package: str
    actor: Actor
    reason: str


class MergeLogs(_Value):
    """Merge two logs that went apart from ``base`` into ``ours``, as git asks a merge driver (LOG-013).

    The three are absolute paths of files; a missing one is empty. As a ``surface`` they may be ``%O``, ``%A``, ``%B``.
    """

    operation: Literal["merge_logs"] = "merge_logs"
    base: str
    ours: str
    theirs: str


class Repair(_MissionRequest):
    """Move what cannot be read from the log to a file beside it, and write the snapshot anew. Deletes nothing."""

    operation: Literal["repair"] = "repair"


class State(_MissionRequest):
    """Say which lane each work package is in. Changes nothing."""

    operation: Literal["state"] = "state"
    #: Read what can be read and report what was left out.
    recover: bool = False


class Events(_MissionRequest):
    """List the rows of the log as they were understood. Changes nothing."""

    operation: Literal["events"] = "events"


class Materialize(_MissionRequest):
    """Write the snapshot and return it."""

    operation: Literal["materialize"] = "materialize"


class Prompt(_MissionRequest):
    """Write the prompt of one invocation, exclusively and privately (RPM-004, RPM-005, RPM-007)."""

    operation: Literal["prompt"] = "prompt"
    work_package: str
    #: One of the ``prompt_kinds`` of hello.
    kind: str = "review"
    actor: str = "reviewer"
    #: The worktree of the work package's lane; as the state has it when left out.
    lane_worktree: str | None = None
    #: The directory for temporary files that prompts are put under; the system's when left out.
    temporary: str | None = None


class Dispatch(_MissionRequest):
    """Launch a reviewer with a prompt, if the prompt is about what is asked for; otherwise refuse (RPM-001, RPM-002).

    Nobody is launched here: ``ok`` says that it would be.
    """

    operation: Literal["dispatch"] = "dispatch"
    work_package: str
    prompt_path: str
    lane_worktree: str | None = None
    #: Identity fields that are asked for beyond those above, as ``prompt`` answered them.
    requested: dict[str, str] = {}


class Diff(_MissionRequest):
    """Say which commands show the changes of a work package's lane (RPM-003, DIF-001 to DIF-005)."""

    operation: Literal["diff"] = "diff"
    work_package: str


class Guard(_Value):
    """Judge what is staged in a checkout by the work package that is active in its lane (OWN). Changes nothing.

    As a ``surface`` it is the command of a pre-commit hook: git runs it at the top of the checkout that is committed in,
    with the index of the commit in GIT_INDEX_FILE; exit status 1 blocks.
    """

    operation: Literal["guard"] = "guard"
    #: Absolute path of the checkout, or of a directory in it. Mission and lane follow from it.
    root: str


class Preflight(_MissionRequest):
    """Compare the local target branch with its upstream, before merge and ship (MSP). Changes nothing.

    With ``publish`` the remote itself is asked first, so that no old tracking ref decides (MSP-008).
    """

    operation: Literal["preflight"] = "preflight"
    publish: bool = False


class Signoff(_MissionRequest):
    """Say whether the latest review of each approved and done work package allows to ship (RAC). Changes nothing."""

    operation: Literal["signoff"] = "signoff"


#: What a command of its own can do.
_Command = (
    Transition
    | State
    | Materialize
    | Batch
    | Start
    | Recover
    | MergeLogs
    | Repair
    | Prompt
    | Dispatch
    | Diff
    | Guard
    | Preflight
    | Signoff
)


class Surface(_Value):
    """Return the command that does ``request``; the runner runs it.

    ``sync_address``: it will be run with sync on, against a hosted service there. Whoever has to be logged in for that,
    or to have the address written down somewhere, sees to it now; the service does not answer yet.
    """

    operation: Literal["surface"] = "surface"
    request: _Command
    format: Literal["json", "text"] = "json"
    sync_address: str | None = None


Request = Hello | Open | Events | Surface | _Command

#: Validates a request, from Python values or from JSON.
REQUEST: Final[TypeAdapter[Request]] = TypeAdapter(
    Annotated[Request, Field(discriminator="operation")], config=ConfigDict(defer_build=True)
)


# --- answers


#: An hour is as long as anything waits for anything.
_Seconds = Annotated[float, Field(ge=0, le=3600)]


class HelloAnswer(_Value):
    """Who the implementation is and what it claims."""

    name: str
    version: str
    protocol: int
    #: ``contract-320`` or ``spec-kitty-3.2``.
    profile: str
    capabilities: frozenset[str] = frozenset()
    #: What one operation usually takes, in seconds; a deadline is a multiple of it.
    typical_seconds: _Seconds = 0.05
    #: The longest that a command waits for a lock, in seconds.
    lock_seconds: _Seconds = 10.0
    #: The environment variable that sets it, where there is one, for whoever has no time to wait that long.
    lock_variable: str | None = None
    #: Missions have to be committed in a git repository.
    needs_repository: bool = False
    #: Every kind of prompt that it writes (RPM-009).
    prompt_kinds: list[str] = ["review"]
    #: The environment variable that holds the address of its hosted service, where it has one (SYN).
    sync_variable: str | None = None
    #: The longest that the final sync delays a command, in seconds (SYN-009).
    sync_seconds: _Seconds = 10.0
    #: The key of its JSON output that holds the diagnostics of sync; None when they are on stderr alone (SYN-002).
    sync_field: str | None = None
    #: Glob, below the HOME of its command, of the sqlite databases that hold what is yet to be told (SYN-001).
    sync_store: str | None = None


class OpenAnswer(_Value):
    """Where the mission is."""

    mission_slug: str
    mission_id: str | None = None
    status_events_path: str
    #: The file that writers of this mission lock, with the system's advisory locks or by making it.
    lock_path: str | None = None
    #: The file that is locked by whoever syncs, when that is done with the system's advisory locks (SYN-001).
    sync_lock_path: str | None = None


class TransitionAnswer(_Value):
    """What a transition did. ``changed: false`` is a no-op and has no event id (STA-001)."""

    changed: bool
    event_id: str | None = None
    work_package_id: str
    from_lane: str | None = None
    to_lane: str
    status_events_path: str | None = None


class BatchAnswer(_Value):
    """What each move did, in order."""

    transitions: list[TransitionAnswer]


class StartAnswer(_Value):
    """What a start did; ``changed: false``, when the actor had it in hand already, has no event ids."""

    changed: bool
    event_ids: list[str] = []
    work_package_id: str
    from_lane: str | None = None
    to_lane: str
    holder: Actor
    status_events_path: str | None = None


class RecoverAnswer(_Value):
    """Who held the work package, how it is known that he is gone, and where it is now."""

    changed: bool
    event_id: str | None = None
    work_package_id: str
    from_lane: str
    to_lane: str
    holder: Actor
    #: In words, such as "process 123 ended".
    evidence: str
    status_events_path: str | None = None


class MergeLogsAnswer(_Value):
    """The merged log and how many rows it has."""

    path: str
    rows: int


class RepairAnswer(_Value):
    """What was moved aside: one diagnostic with ``line`` for each, and the files that hold the bytes now."""

    changed: bool
    quarantined: list[dict[str, Any]] = []
    files: list[str] = []


class PromptAnswer(_Value):
    """The prompt and the eleven identity fields in its frontmatter."""

    path: str
    metadata: dict[str, str]


class DispatchAnswer(_Value):
    """The prompt is about what was asked for."""

    prompt_path: str


class DiffAnswer(_Value):
    """Commands that show all changes of the lane and no others, each as words and as a line to paste into a shell."""

    base_ref: str
    mission_branch: str
    lane_branch: str
    #: Where they are run.
    cwd: str
    commands: Annotated[list[list[str]], Field(min_length=1)]
    lines: list[str] = []


class GuardAnswer(_Value):
    """What the guard came to, and by which work package.

    A finding is a diagnostic with ``diagnostic_code`` and ``message``; one about a file names it as ``file``.
    """

    outcome: Literal["allowed", "scope_violation", "stale_or_ambiguous_context"]
    #: What blocks the commit; empty when it is allowed.
    findings: list[dict[str, Any]] = []
    #: What is reported and blocks nothing, such as a cached work package that is not the active one.
    warnings: list[dict[str, Any]] = []
    mission_slug: str | None = None
    work_package_id: str | None = None
    lane_id: str | None = None
    #: Where the active work package was read, such as ``canonical_status``.
    context_source: str | None = None
    owned_files: list[str] = []


class PreflightAnswer(_Value):
    """How the target branch stands to its upstream, whether that blocks, and what to do about it.

    A finding has ``diagnostic_code``, ``message``, ``branch_or_work_package``, ``violated_invariant`` and
    ``remediation`` (MSP-003).
    """

    blocked: bool
    state: Literal["in_sync", "ahead", "behind", "diverged", "no_tracking_branch", "missing_branch", "unknown"]
    target_branch: str
    tracking_branch: str | None = None
    #: Commits that only the target has, and that only its upstream has; None when they cannot be counted.
    ahead: int | None = None
    behind: int | None = None
    findings: list[dict[str, Any]] = []
    #: The branch for a pull request that holds the mission's own changes and nothing else (MSP-004).
    focused_branch: str | None = None
    #: Commands that make it, run in this order in ``cwd``, each as words and as a line to paste into a shell.
    commands: list[list[str]] = []
    lines: list[str] = []
    cwd: str | None = None


class ReviewStanding(_Value):
    """What the latest artifact and the latest event say about one work package."""

    work_package_id: str
    lane: str | None
    #: The artifact with the highest number, relative to the repository (RAC-003); None where there is none.
    artifact_path: str | None = None
    #: ``approved``, ``rejected``; None where there is none or it cannot be read (RAC-006).
    artifact_verdict: str | None = None
    #: ``approved``, ``changes_requested``; None where no event says.
    event_verdict: str | None = None
    #: A complete override stands (RAC-005).
    overridden: bool = False


class SignoffAnswer(_Value):
    """Whether the mission may ship, the standing of every work package, and a finding for each that blocks (RAC-007).

    A finding has ``diagnostic_code``, ``message``, ``mission_slug``, ``branch_or_work_package``,
    ``latest_review_cycle_path``, ``latest_review_cycle_verdict``, ``violated_invariant`` and ``remediation``.
    """

    blocked: bool
    reviews: list[ReviewStanding]
    findings: list[dict[str, Any]] = []
    #: What is reported and blocks nothing, such as a verdict that the profile does not go by (RAC-004).
    warnings: list[dict[str, Any]] = []


class StateAnswer(_Value):
    """Which lane each work package is in; None where no transition says."""

    #: ``missing``, ``empty``, ``annotations-only``, ``bootstrap-only``, ``no-transitions`` (rows, but none
    #: of lanes or annotations) or ``active``; None when the implementation cannot tell (LOG-012).
    log: Literal["missing", "empty", "annotations-only", "bootstrap-only", "no-transitions", "active"] | None
    lanes: Mapping[str, str | None]
    #: What was noticed without refusing, such as rows of another mission.
    reports: list[dict[str, Any]] = []
    #: With ``recover``: one diagnostic with ``line`` for each line that was left out.
    left_out: list[dict[str, Any]] = []


class EventRow(_Value):
    """One row as it was understood."""

    line: Annotated[int, Field(ge=1)]
    kind: Literal["lane", "annotation", "lifecycle", "decision", "retrospective"]
    event_id: str | None = None


class EventsAnswer(_Value):
    """The rows in file order."""

    events: list[EventRow]


class MaterializeAnswer(_Value):
    """The snapshot, and the file that holds it."""

    path: str
    snapshot: dict[str, Any]


class SurfaceAnswer(_Value):
    """A command: argv, what is added to the environment, and where it is run."""

    argv: Annotated[list[str], Field(min_length=1)]
    env: dict[str, str] = {}
    cwd: str


#: The value that ``ok`` holds, by operation.
ANSWERS: Final[dict[str, type[_Value]]] = {
    "hello": HelloAnswer,
    "open": OpenAnswer,
    "transition": TransitionAnswer,
    "state": StateAnswer,
    "events": EventsAnswer,
    "materialize": MaterializeAnswer,
    "surface": SurfaceAnswer,
    "batch": BatchAnswer,
    "start": StartAnswer,
    "recover": RecoverAnswer,
    "merge_logs": MergeLogsAnswer,
    "repair": RepairAnswer,
    "prompt": PromptAnswer,
    "dispatch": DispatchAnswer,
    "diff": DiffAnswer,
    "guard": GuardAnswer,
    "preflight": PreflightAnswer,
    "signoff": SignoffAnswer,
}


class Trouble(BaseModel):
    """A diagnostic. Only the message is demanded here; the suite judges the rest (STA-003)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    message: str


class Unsupported(BaseModel):
    """Why the operation is not offered."""

    model_config = ConfigDict(extra="allow", frozen=True)
    reason: str


class Reply(BaseModel):
    """One reply: the id of the request and exactly one outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: StrictInt
    ok: dict[str, Any] | None = None
    #: By rule. Nothing was changed.
    refused: Trouble | None = None
    #: It could not be done. Nothing durable happened.
    failed: Trouble | None = None
    #: It may or may not have happened.
    unknown: Trouble | None = None
    unsupported: Unsupported | None = None

    @model_validator(mode="after")
    def _one_outcome(self) -> Reply:
        given = [name for name in self.model_fields_set if name != "id"]
        if len(given) != 1 or getattr(self, given[0]) is None:
            raise ValueError(f"a reply has exactly one outcome, this one has {', '.join(given) or 'none'}")
        return self


# --- outcomes


class OutcomeKind(StrEnum):
    """What became of an operation. The last three are the runner's word."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"
    CRASHED = "crashed"
    HUNG = "hung"
    GARBLED = "garbled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back for one request.

    ``value`` is the answer for ok, the diagnostic for refused, failed and unknown, ``{"reason": ...}`` for
    unsupported, and ``{"message": ...}`` for what the runner found. ``evidence`` is what was seen on the
    way: exit status, stdout, stderr, argv.
    """

    kind: OutcomeKind
    value: Mapping[str, Any]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    #: How long it took, in seconds.
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Say whether the implementation claims success."""
        return self.kind is OutcomeKind.OK

    @property
    def declined(self) -> bool:
        """Say whether the implementation claims that nothing durable happened."""
        return self.kind in (OutcomeKind.REFUSED, OutcomeKind.FAILED)

    @property
    def broken(self) -> bool:
        """Say whether the runner had to give up on the operation."""
        return self.kind in (OutcomeKind.CRASHED, OutcomeKind.HUNG, OutcomeKind.GARBLED)

    def __str__(self) -> str:
        """One line for a failure message."""
        text = str(self.value.get("message") or self.value.get("reason") or dict(self.value))
        code = self.value.get("diagnostic_code")
        return f"{self.kind} {f'[{code}] ' if code else ''}{text[:400]}"

    @classmethod
    def success(cls, answer: BaseModel, **evidence: Any) -> Outcome:
        """Return ok with ``answer``."""
        return cls(OutcomeKind.OK, answer.model_dump(mode="json"), evidence)

    @classmethod
    def refused(cls, diagnostic: Mapping[str, Any], **evidence: Any) -> Outcome:
        """Return refused: against a rule, nothing changed."""
        return cls(OutcomeKind.REFUSED, diagnostic, evidence)

    @classmethod
    def failed(cls, diagnostic: Mapping[str, Any], **evidence: Any) -> Outcome:
        """Return failed: it could not be done, nothing durable happened."""
        return cls(OutcomeKind.FAILED, diagnostic, evidence)

    @classmethod
    def unsupported(cls, reason: str) -> Outcome:
        """Return unsupported: this implementation cannot be asked that."""
        return cls(OutcomeKind.UNSUPPORTED, {"reason": reason})


def protocol_schema() -> dict[str, Any]:
    """Return the JSON Schema of a line: ``RequestLine``, ``Reply``, and what ``ok`` holds for each operation."""
    adapters: dict[str, TypeAdapter[Any]] = {"Request": REQUEST, "Reply": TypeAdapter(Reply)}
    adapters |= {f"{name}_answer": TypeAdapter(model) for name, model in ANSWERS.items()}
    definitions: dict[str, Any] = {}
    for name, adapter in adapters.items():
        schema = adapter.json_schema(ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {})
        definitions[name] = schema
    requests = definitions.pop("Request")["oneOf"]
    lines = [_with_id(definitions[reference["$ref"].rpartition("/")[2]]) for reference in requests]
    definitions["RequestLine"] = {"description": "A request as one line: its own keys and an id.", "oneOf": lines}
    definitions["Reply"] = _exactly_one_outcome(definitions["Reply"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-kitty:protocol:{PROTOCOL_VERSION}",
        "title": "pytest-kitty protocol",
        "description": "What travels between the runner and an implementation under test, one object a line.",
        "anyOf": [{"$ref": "#/$defs/RequestLine"}, {"$ref": "#/$defs/Reply"}],
        "$defs": definitions,
    }


def _with_id(request: dict[str, Any]) -> dict[str, Any]:
    return {
        **request,
        "properties": {"id": {"type": "integer"}, **request["properties"]},
        "required": ["id", "operation", *request.get("required", ())],
    }


def _exactly_one_outcome(reply: dict[str, Any]) -> dict[str, Any]:
    properties = {name: value["anyOf"][0] if "anyOf" in value else value for name, value in reply["properties"].items()}
    return {**reply, "properties": properties, "minProperties": 2, "maxProperties": 2}
