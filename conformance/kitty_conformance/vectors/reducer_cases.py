"""What the rows of a log add up to (clauses LOG-001 to LOG-006, LOG-010 to LOG-012)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kitty_reliability.formats.events import encode_row, read_rows
from kitty_reliability.formats.mission import Meta
from kitty_reliability.formats.profiles import Profile
from kitty_reliability.reference.reducer import Reducer

from .cases import CONTRACT, Case, bytes_of, spelled
from .row_cases import annotation, event_id, lane

__all__ = ["answer", "cases"]

_SLUG = "demo-01KVMSSN"
_META = {
    "mission_id": "01KVMSSN000000000000000000",
    "mission_number": None,
    "mission_slug": _SLUG,
    "mission_type": "software-dev",
}
_RESULT = {"reviewer": "bob", "verdict": "changes_requested", "reference": "review:1"}
_APPROVAL = _RESULT | {"verdict": "approved"}
_EVIDENCE = {"review": _APPROVAL}


def answer(given: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """Return the state of the log, the snapshot, and what is reported without being refused."""
    meta = Meta(given["meta"])
    reducer = Reducer(profile, given["mission_slug"], meta.mission_id)
    reducer.add(read_rows(bytes_of(given["log"]), profile))
    reports = [{"line": one.fields["line"], "diagnostic_code": one.code} for one in reducer.reports]
    return {"log": reducer.log_state(), "snapshot": reducer.snapshot(meta), "reports": reports}


def _way(*lanes: str, start: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """Return the rows that lead through ``lanes``."""
    sources = ("genesis", *lanes[:-1])
    steps = zip(sources, lanes, strict=True)
    return [
        lane(number, from_lane=source, to_lane=target, **changes)
        for number, (source, target) in enumerate(steps, start)
    ]


_REVIEWED = ("planned", "claimed", "in_progress", "for_review", "in_review")


def cases() -> Iterator[Case]:
    """Yield the cases: order, repetition, same instants, foreign rows, slots, kinds of logs, names."""
    for name, shows, rows, *meta in (*_orders(), *_same_instants(), *_foreign(), *_slots(), *_logs(), *_names()):
        log = b"".join(row if isinstance(row, bytes) else encode_row(row) for row in rows)
        yield Case(name, shows, {"mission_slug": _SLUG, "meta": meta[0] if meta else _META, "log": spelled(log)})
    for name, shows, rows in _contract():
        log = b"".join(map(encode_row, rows))
        given = {"mission_slug": _SLUG, "meta": _META, "log": spelled(log)}
        yield Case(name, shows, given, CONTRACT, "3.2.x orders rows by the text of the timestamp")


def _orders() -> Iterator[tuple[str, str, list[Any]]]:
    rows = _way(*_REVIEWED)
    yield "straight", "Rows in order", rows
    yield "reversed", "The order of lines does not matter", rows[::-1]
    yield "repeated", "A row that occurs twice counts once", [*rows[:2], rows[1], rows[0]]
    yield "repeated-forced", "A forced row that occurs twice is forced once", [lane(1, force=True, reason="r")] * 2
    yield "repeated-annotation", "So does an annotation", [lane(1), annotation(2), annotation(2)]
    yield (
        "one-id-two-contents",
        "One event id with two contents is refused, naming both lines",
        [lane(1), lane(1, to_lane="canceled")],
    )
    yield "one-id-two-kinds", "A lane row and an annotation cannot share an id", [lane(1), annotation(1)]
    yield "one-id-two-packages", "Nor can the rows of two work packages", [lane(1), lane(1, wp_id="WP02")]
    yield (
        "broken-chain",
        "from_lane is not compared with the lane in force",
        [lane(1), lane(2, from_lane="done", to_lane="blocked")],
    )
    yield (
        "illegal-edge",
        "A reader takes an illegal edge as it was written",
        [lane(1), lane(2, from_lane="planned", to_lane="done")],
    )
    yield "same-instant-by-id", "At one instant the higher event id counts last", [
        lane(2, at="2026-01-05T09:00:00+00:00", to_lane="canceled"), lane(1, at="2026-01-05T09:00:00+00:00")
    ]  # fmt: skip
    yield (
        "older-bootstrap",
        "Older logs begin with a forced row from planned to planned",
        [lane(1, from_lane="planned", force=True)],
    )
    yield "fraction-and-none", "A fraction is later than none, within one second", [
        lane(1, at="2026-01-05T09:00:00+00:00"), lane(2, at="2026-01-05T09:00:00.5+00:00", from_lane="planned", to_lane="blocked")
    ]  # fmt: skip


def _contract() -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    yield "offset-is-earlier", "A later text that names an earlier instant is earlier", [
        lane(1, at="2026-01-05T09:30:00+02:00"), lane(2, at="2026-01-05T08:00:00+00:00", from_lane="planned", to_lane="claimed")
    ]  # fmt: skip
    yield (
        "zulu-and-offset-equal",
        "Two spellings of one instant are one instant: the id decides",
        [
            lane(1, at="2026-01-05T09:00:00Z", to_lane="blocked"),
            lane(2, at="2026-01-05T09:00:00.000000+00:00"),
        ],
    )
    yield (
        "rejection-in-other-spelling",
        "A rejection outranks an approval of the same instant in another time zone",
        [
            *_way(*_REVIEWED),
            lane(6, at="2026-01-05T11:00:00+01:00", from_lane="in_review", to_lane="planned", review_result=_RESULT),
            lane(7, at="2026-01-05T10:00:00Z", from_lane="in_review", to_lane="approved", review_result=_APPROVAL),
        ],
    )


def _same_instants() -> Iterator[tuple[str, str, list[Any]]]:
    now = "2026-01-05T10:00:00+00:00"

    def ends(rejected: str, *, first: int, then: int, source: str = "in_review", **more: Any) -> list[dict[str, Any]]:
        return [
            *_way(*_REVIEWED),
            lane(first, at=now, from_lane=source, to_lane=rejected, review_result=_RESULT, **more),
            lane(then, at=now, from_lane="in_review", to_lane="approved", review_result=_APPROVAL),
        ]

    yield (
        "rejected-then-approved",
        "At one instant a rejection to in_progress outranks an approval",
        ends("in_progress", first=6, then=7),
    )
    yield "approved-then-rejected", "Whichever of the two has the higher id", ends("in_progress", first=7, then=6)
    yield "rejected-to-planned", "So does a rejection to planned", ends("planned", first=6, then=7)
    yield (
        "rejected-from-for-review",
        "And one from for_review that names its review",
        ends("in_progress", first=6, then=7, source="for_review", review_ref="review:1"),
    )
    yield (
        "back-without-a-review",
        "A step back from for_review that names no review is no rejection",
        ends("in_progress", first=6, then=7, source="for_review"),
    )
    yield (
        "rejection-then-done",
        "It outranks done as well",
        [
            *_way(*_REVIEWED),
            lane(6, at=now, from_lane="in_review", to_lane="in_progress", review_result=_RESULT),
            lane(7, at=now, from_lane="in_review", to_lane="done", review_result=_APPROVAL, evidence=_EVIDENCE),
        ],
    )
    yield (
        "rejection-then-blocked",
        "What is neither an approval nor a rejection counts by its id",
        [
            *_way(*_REVIEWED),
            lane(6, at=now, from_lane="in_review", to_lane="in_progress", review_result=_RESULT),
            lane(7, at=now, from_lane="in_progress", to_lane="blocked"),
        ],
    )
    yield (
        "approved-a-second-later",
        "A later approval counts",
        [
            *_way(*_REVIEWED),
            lane(6, at=now, from_lane="in_review", to_lane="in_progress", review_result=_RESULT),
            lane(7, at="2026-01-05T10:00:01+00:00", from_lane="in_progress", to_lane="approved", evidence=_EVIDENCE),
        ],
    )


def _foreign() -> Iterator[tuple[str, str, list[Any]]]:
    other = {"mission_id": "01KW0000000000000000000000", "mission_slug": "other-01KW0000"}
    yield (
        "foreign-row",
        "A row of another mission moves nothing, and is reported",
        [lane(1), lane(2, to_lane="done", **other)],
    )
    yield (
        "foreign-slug",
        "Without an id the slug tells",
        [lane(1), lane(2, to_lane="done", mission_slug="other-01KW0000")],
    )
    yield (
        "own-id-other-slug",
        "The id decides over the slug",
        [lane(1, mission_id=_META["mission_id"], mission_slug="renamed")],
    )
    yield "older-slug-key", "Older rows call it feature_slug", [lane(1, mission_slug=..., feature_slug=_SLUG)]
    yield "no-slug", "A row that names no mission is of this one", [lane(1, mission_slug=...)]
    yield "foreign-only", "A log of nothing but foreign rows", [lane(1, **other)]


def _slots() -> Iterator[tuple[str, str, list[Any]]]:
    yield "claim-slots", "A claim sets agent and process", [
        lane(1), lane(2, from_lane="planned", to_lane="claimed", policy_metadata={"agent": "claude", "shell_pid": 7, "shell_pid_created_at": "9.5"})
    ]  # fmt: skip
    yield (
        "claim-slots-elsewhere",
        "Any other transition does not",
        [lane(1, policy_metadata={"agent": "claude", "shell_pid": 7})],
    )
    yield "big-process-id", "An integer beyond 53 bits keeps its digits", [
        lane(1), lane(2, from_lane="planned", to_lane="claimed", policy_metadata={"shell_pid": 2**63 + 1})
    ]  # fmt: skip
    yield "review-result", "A review result is kept until the next review ends", [
        *_way(*_REVIEWED), lane(6, from_lane="in_review", to_lane="approved", review_result=_APPROVAL | {"feedback_path": "f.md"})
    ]  # fmt: skip
    yield (
        "review-result-extra-keys",
        "Of a review result four keys are kept",
        [lane(1, review_result=_APPROVAL | {"mood": "fine"})],
    )
    yield "review-without-result", "A review that ends without a result empties the slot", [
        *_way(*_REVIEWED), lane(6, from_lane="in_review", to_lane="planned")
    ]  # fmt: skip
    yield "canceled", "A cancellation keeps its reason", [lane(1, to_lane="canceled", reason="not wanted")]
    yield (
        "canceled-by-a-program",
        "A reason that a program made up is told apart",
        [lane(1, to_lane="canceled", reason="move-task: x")],
    )
    yield "canceled-and-back", "It is gone when the work package goes on", [
        lane(1, to_lane="canceled", reason="r"), lane(2, from_lane="canceled", to_lane="planned", force=True, reason="back")
    ]  # fmt: skip
    yield (
        "structured-actor",
        "Of a structured actor the tool is shown",
        [lane(1, actor={"role": "implementer", "profile": None, "tool": "claude", "model": "m"})],
    )
    yield (
        "structured-actor-without-tool",
        "Or else its role",
        [lane(1, actor={"role": "implementer", "profile": None, "tool": None, "model": None})],
    )
    yield (
        "annotations",
        "Annotations replace texts, merge subtasks, append notes",
        [
            lane(1),
            annotation(2, delta={"agent": "a", "subtasks": {"T1": "planned", "T2": "done"}, "note": "one"}),
            annotation(3, delta={"agent": "", "subtasks": {"T1": "done"}, "note": "two", "model": "m"}),
        ],
    )
    yield "annotation-before-the-transition", "They fold after every transition, whenever they were made", [
        annotation(1, delta={"agent": "early"}), lane(2), lane(3, from_lane="planned", to_lane="claimed", policy_metadata={"agent": "late"})
    ]  # fmt: skip
    yield "tracker-refs", "Tracker references are united, or replaced", [
        lane(1), annotation(2, delta={"tracker_refs": ["#2", "#1"]}), annotation(3, delta={"tracker_refs": ["#1", "#3"]}),
        lane(4, wp_id="WP02"), annotation(5, wp_id="WP02", delta={"tracker_refs": ["#1"]}),
        annotation(6, wp_id="WP02", delta={"tracker_refs": ["#9"], "tracker_refs_replace": ["#7", "#7"]}),
    ]  # fmt: skip
    yield "claim-released", "A release empties agent and process, then the values of the same delta count", [
        lane(1), annotation(2, delta={"agent": "a", "shell_pid": 7, "shell_pid_created_at": "x"}),
        annotation(3, delta={"release_runtime_claim": True, "agent": "b"}),
    ]  # fmt: skip
    yield "review-override", "An override of a review is a slot", [
        lane(1), annotation(2, delta={"review": {"at": "2026-01-05T09:00:00+00:00", "actor": "arb", "wp_id": "WP01", "reason": "ok"}})
    ]  # fmt: skip
    yield "review-override-withdrawn", "Four empty texts withdraw it", [
        lane(1), annotation(2, delta={"review": {"at": "x", "actor": "arb", "wp_id": "WP01", "reason": "ok"}}),
        annotation(3, delta={"review": {"at": "", "actor": "", "wp_id": "", "reason": ""}}),
    ]  # fmt: skip
    yield (
        "retrospective",
        "Rows of the family event_name make the block retrospective",
        [
            lane(1),
            *(
                {
                    "event_name": f"retrospective.{name}",
                    "event_id": event_id(number),
                    "at": f"2026-01-05T10:{number:02d}:00+00:00",
                    "payload": {},
                }
                for number, name in enumerate(("requested", "started", "proposal.generated", "proposal.applied"), 2)
            ),
        ],
    )


def _logs() -> Iterator[tuple[Any, ...]]:
    yield "empty", "An empty log", []
    yield "bootstrap-only", "A log of bootstrap rows", [lane(1), lane(2, wp_id="WP02")]
    yield "annotations-only", "A log of annotations invents no lane", [annotation(1)]
    yield (
        "no-transitions",
        "A log of other rows",
        [{"event_type": "MissionCreated", "timestamp": "2026-01-05T09:00:00+00:00"}],
    )
    yield "force-counted", "Forced rows are counted for each work package", [
        lane(1, force=True, reason="r"), lane(2, force=True, reason="r", from_lane="planned", to_lane="done"), lane(3, wp_id="WP02")
    ]  # fmt: skip
    yield "every-lane", "The summary counts the nine lanes of a board", [
        lane(number, wp_id=f"WP{number:02d}", to_lane=target)
        for number, target in enumerate(("planned", "claimed", "in_progress", "for_review", "in_review", "approved", "done", "blocked", "canceled", "planned"), 1)
    ]  # fmt: skip
    yield "uninitialized", "uninitialized is on no board", [lane(1, to_lane="uninitialized")]
    yield "number-of-the-mission", "mission_number is a text in a snapshot", [lane(1)], _META | {"mission_number": 42}
    yield "number-in-digits", "Older files have it as digits", [lane(1)], _META | {"mission_number": "042"}
    yield "number-in-the-slug", "Or as the beginning of the slug", [lane(1)], _META | {"mission_slug": "042-demo"}
    yield "no-meta", "A mission without meta.json", [lane(1)], {}
    yield "torn-end", "A torn log is refused", [lane(1), encode_row(lane(2))[:30]]


def _names() -> Iterator[tuple[str, str, list[Any]]]:
    yield "prototype-names", "Work packages that are called like methods", [
        lane(1, wp_id="constructor"), lane(2, wp_id="toString"), lane(3, wp_id="hasOwnProperty", to_lane="canceled")
    ]  # fmt: skip
    yield "prototype-subtasks", "Subtasks that are called like methods", [
        lane(1), annotation(2, delta={"subtasks": {"__proto__": "done", "constructor": "planned"}})
    ]  # fmt: skip
    yield (
        "sorted-names",
        "Work packages are sorted by code point",
        [lane(1, wp_id="WP10"), lane(2, wp_id="WP2"), lane(3, wp_id="WP02"), lane(4, wp_id="wp01")],
    )
    yield "unicode-note", "Text is kept as it is, not normalised", [
        lane(1), annotation(2, delta={"note": "e\u0301 \u00e9 \u2028 \x00 \U0001f600"})
    ]  # fmt: skip
