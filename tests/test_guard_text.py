"""What the released hook prints, in the words of the protocol."""

from __future__ import annotations

from kitty_reliability.implementations.guard_text import guard_answer

STALE = (
    "[spec-kitty guard] WARNING: ACTIVE_WP_CONTEXT_STALE: workspace context current_wp=WP01, canonical active_wp=WP02; "
    "lane_id=lane-a\n"
)
OUTSIDE = (
    "[spec-kitty guard] BLOCKED: ACTIVE_WP_SCOPE_VIOLATION: {} is outside active_wp=WP02 owned_files ['src/two/**']; "
    "lane_id=lane-a; context_source=canonical_status\n"
)
END = "[spec-kitty guard] Commit blocked by ownership policy.\n"


def test_silence_is_leave() -> None:
    answer = guard_answer(0, "")
    assert (answer.outcome, answer.findings, answer.warnings, answer.work_package_id) == ("allowed", [], [], None)


def test_a_violation_names_its_file_and_what_it_is_judged_by() -> None:
    answer = guard_answer(1, STALE + OUTSIDE.format("src/one/n.py") + END)
    assert answer.outcome == "scope_violation"
    assert [(item["diagnostic_code"], item["file"]) for item in answer.findings] == [
        ("ACTIVE_WP_SCOPE_VIOLATION", "src/one/n.py")
    ]
    assert [item["diagnostic_code"] for item in answer.warnings] == ["ACTIVE_WP_CONTEXT_STALE"]
    assert (answer.work_package_id, answer.lane_id, answer.context_source, answer.mission_slug) == (
        "WP02",
        "lane-a",
        "canonical_status",
        None,
    )


def test_a_name_may_hold_a_line_break_and_the_words_around_it() -> None:
    name = "a is outside active_wp=WP09\nb.py"
    answer = guard_answer(1, OUTSIDE.format(name) + OUTSIDE.format("c.py") + END)
    assert [item["file"] for item in answer.findings] == [name, "c.py"]
    assert {item["work_package_id"] for item in answer.findings} == {"WP02"}


def test_a_context_that_is_not_proven_outranks_a_protected_path() -> None:
    ambiguous = "[spec-kitty guard] BLOCKED: ACTIVE_WP_CONTEXT_AMBIGUOUS: Cannot prove active WP; lane_id=lane-a\n"
    protected = "[spec-kitty guard] BLOCKED: Protected path: kitty-specs/m/spec.md — implementation branches must not\n"
    answer = guard_answer(1, ambiguous + protected + END)
    assert answer.outcome == "stale_or_ambiguous_context"
    assert [item.get("file") for item in answer.findings] == [None, "kitty-specs/m/spec.md"]
    assert guard_answer(1, protected + END).outcome == "scope_violation"


def test_a_warning_blocks_nothing() -> None:
    answer = guard_answer(0, OUTSIDE.format("a.py").replace("BLOCKED", "WARNING"))
    assert (answer.outcome, answer.findings, answer.warnings[0]["file"]) == ("allowed", [], "a.py")


def test_what_blocks_without_a_word_is_not_said_to_be_a_violation() -> None:
    assert guard_answer(1, "").outcome == "stale_or_ambiguous_context"
