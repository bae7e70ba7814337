"""Review-cycle artifacts: their bytes, their reading, the shapes that the builder makes of them, the real ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_reliability.build.errors import BuildError
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.reviews import (
    SHAPES,
    SIBLINGS,
    artifact_directory,
    override_artifact,
    write_cycles,
    write_review,
    write_sibling,
)
from kitty_reliability.formats.profiles import CONTRACT_320, PROFILES, SPEC_KITTY_32, Profile
from kitty_reliability.formats.reviews import (
    EVENT_VERDICTS,
    AffectedFile,
    ReferenceKind,
    ReviewArtifact,
    ReviewFinding,
    ReviewFormatError,
    ReviewReference,
    Verdict,
    artifact_name,
    cycle_number,
    cycles,
    encode_artifact,
    encode_frontmatter,
    latest_cycle,
    next_cycle_number,
    parse_artifact,
    parse_reference,
    read_artifact,
)

Oracle = Callable[[str], Iterator[dict[str, Any]]]

SOUND = ReviewArtifact(2, "demo-01JNDKSD", "WP01", "claude", "2025-03-03T09:00:00Z", "# Review\n", Verdict.REJECTED)


@pytest.fixture
def made(tmp_path: Path) -> Mission:
    return mission(tmp_path / "repo", {"WP01": "in_review", "WP02": "planned"})


def finding_of(data: bytes, profile: Profile = CONTRACT_320) -> str:
    with pytest.raises(ReviewFormatError) as refused:
        parse_artifact(data, profile)
    return str(refused.value.finding)


def reading(data: bytes, profile: Profile = CONTRACT_320) -> ReviewArtifact | ReviewFinding:
    try:
        return parse_artifact(data, profile)
    except ReviewFormatError as error:
        return error.finding


# --- bytes


def test_an_artifact_has_alphabetical_keys_a_blank_line_and_the_body() -> None:
    files = (AffectedFile("src/a.py", "10-20"), AffectedFile("docs/b c.md"))
    artifact = dataclasses.replace(SOUND, affected_files=files, reproduction_command="make test # all")

    assert encode_artifact(artifact) == (
        b"---\naffected_files:\n- path: src/a.py\n  line_range: 10-20\n- path: docs/b c.md\ncycle_number: 2\n"
        b"mission_slug: demo-01JNDKSD\nreproduction_command: 'make test # all'\n"
        b"reviewed_at: '2025-03-03T09:00:00Z'\nreviewer_agent: claude\nverdict: rejected\nwp_id: WP01\n---\n\n# Review\n"
    )


def test_an_override_stands_below_what_the_review_said() -> None:
    artifact = dataclasses.replace(SOUND, override_actor="arbiter", override_reason="late", extra={"zeal": 1})

    assert (
        encode_artifact(artifact)
        .split(b"---\n")[1]
        .endswith(
            b"wp_id: WP01\nzeal: 1\nreview_artifact_override_actor: arbiter\nreview_artifact_override_reason: late\n"
        )
    )


def test_what_is_not_said_is_not_written() -> None:
    data = encode_artifact(dataclasses.replace(SOUND, verdict=None))

    assert b"verdict" not in data
    assert b"override" not in data
    assert b"affected_files: []\n" in data
    assert b"reproduction_command:\n" in data


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=20) | st.sampled_from(
    ["yes", "No", "on", "null", "~", "1", "0123", "0o17", "0x1f", "1e5", "1.5", ".5", "1:30", "2025-03-03", "true", "=",
     "a: b", "- a", "#", "a #b", "'", '"', "\\", " a", "a ", "a\n", "\na", "a\n---\nb", "\x07", "\x85", "\u2028",
     "\ufeff", "@x", "`", "%", "&a", "*a", "!x", "|", ">", "{", "[", ",", "?", "key: ", "\U0001f408"]
)  # fmt: skip
given_texts = texts.filter(lambda text: bool(text.strip()))


@settings(max_examples=300)
@given(given_texts, given_texts, texts, st.none() | texts, st.lists(st.tuples(texts, st.none() | texts), max_size=3))
def test_an_artifact_comes_back_as_it_was(
    reviewer: str, at: str, body: str, command: str | None, files: list[tuple[str, str | None]]
) -> None:
    artifact = ReviewArtifact(
        1, "demo", "WP01", reviewer, at, "x" + body, Verdict.APPROVED, tuple(AffectedFile(*item) for item in files),
        command, override_actor=command, override_reason=reviewer,
    )  # fmt: skip

    data = encode_artifact(artifact)

    # An unresolved merge is refused whoever wrote it; no generated text holds one by accident.
    assert parse_artifact(data) == artifact
    assert encode_artifact(parse_artifact(data)) == data


def test_a_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode_frontmatter({"verdict": ["a", {"b": "\ud800"}]}, "")


def test_windows_newlines_are_read_as_newlines() -> None:
    assert parse_artifact(encode_artifact(SOUND).replace(b"\n", b"\r\n")) == SOUND


def test_keys_that_nobody_knows_are_kept() -> None:
    artifact = dataclasses.replace(SOUND, extra={"tags": ["a"], "zeal": 3})

    assert parse_artifact(encode_artifact(artifact)) == artifact


# --- findings


@pytest.mark.parametrize("shape", [name for name in SHAPES if SHAPES[name].finding is None])
def test_a_sound_shape_is_read_by_both_profiles(made: Mission, shape: str) -> None:
    path = write_review(made, "WP01", shape=shape).path

    readings = [read_artifact(path, profile) for profile in PROFILES.values()]

    assert readings[0] == readings[1]
    assert (readings[0].cycle_number, readings[0].wp_id, readings[0].mission_slug) == (1, "WP01", made.slug)
    assert "Review 1 of WP01" in readings[0].body


@pytest.mark.parametrize("shape", [name for name in SHAPES if SHAPES[name].finding is not None])
def test_a_damaged_shape_is_a_typed_finding(made: Mission, shape: str) -> None:
    path = write_review(made, "WP01", shape=shape).path

    assert finding_of(path.read_bytes()) == SHAPES[shape].finding


@pytest.mark.parametrize("shape", [name for name in SHAPES if SHAPES[name].released])
def test_the_released_profile_reads_what_the_released_reader_reads(made: Mission, shape: str) -> None:
    assert read_artifact(write_review(made, "WP01", shape=shape).path, SPEC_KITTY_32).cycle_number in (1, 2)


@pytest.mark.parametrize("shape", [name for name in SHAPES if not SHAPES[name].released])
def test_the_released_profile_refuses_what_the_released_reader_refuses(made: Mission, shape: str) -> None:
    with pytest.raises(ReviewFormatError):
        read_artifact(write_review(made, "WP01", shape=shape).path, SPEC_KITTY_32)


def test_the_shapes_meet_every_finding_that_a_file_can_be() -> None:
    of_files = {shape.finding for shape in SHAPES.values()} - {None}

    others = {ReviewFinding.UNREADABLE, ReviewFinding.UNNUMBERED_SIBLING, ReviewFinding.BAD_REFERENCE}
    assert of_files | others == set(ReviewFinding)


def test_the_shapes_differ_in_their_bytes(made: Mission) -> None:
    written = {name: write_review(made, "WP01", shape=name, number=n).path for n, name in enumerate(SHAPES, 1)}

    contents = {path.read_bytes().replace(str(n).encode(), b"") for n, path in enumerate(written.values(), 1)}
    assert len(contents) == len(SHAPES)


def test_a_directory_and_a_missing_file_are_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "review-cycle-1.md"):
        with pytest.raises(ReviewFormatError, match="unreadable") as refused:
            read_artifact(path)
        assert refused.value.finding is ReviewFinding.UNREADABLE


@pytest.mark.parametrize(
    ("body", "conflict"),
    [
        ("<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n", True),
        ("<<<<<<< HEAD\na\n||||||| base\n=======\nb\n>>>>>>>\n", True),
        ("a\n=======\nb\n", False),
        ("<<<<<<< HEAD\n", False),
        ("    <<<<<<< HEAD\n    =======\n    >>>>>>> x\n", False),
        (">>>>>>> x\n=======\n<<<<<<< HEAD\n", False),
    ],
    ids=["whole", "three-way", "heading", "one", "quoted", "reversed"],
)
def test_a_body_has_a_conflict_when_it_has_all_of_one(body: str, conflict: bool) -> None:
    data = encode_artifact(dataclasses.replace(SOUND, body=body))

    if conflict:
        assert finding_of(data) == "conflict-markers"
    else:
        assert parse_artifact(data).body == body


def test_a_finding_names_the_key_it_is_about() -> None:
    with pytest.raises(ReviewFormatError) as refused:
        parse_artifact(encode_artifact(SOUND).replace(b"rejected", b"perhaps"))

    assert (refused.value.field, str(refused.value)) == ("verdict", "unknown-verdict: verdict is 'perhaps'")


def test_only_a_rejection_asks_for_changes() -> None:
    asks = [verdict for verdict in Verdict if EVENT_VERDICTS[verdict] == "changes_requested"]

    assert asks == [Verdict.REJECTED]


@pytest.mark.parametrize(
    ("actor", "reason", "complete"),
    [("a", "b", True), ("a", None, False), (None, "b", False), ("a", " ", False), (None, None, False)],
)
def test_an_override_is_complete_with_actor_and_reason(actor: str | None, reason: str | None, complete: bool) -> None:
    artifact = dataclasses.replace(SOUND, override_actor=actor, override_reason=reason)

    assert parse_artifact(encode_artifact(artifact)).has_complete_override is complete


# --- names and numbers


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("review-cycle-1.md", 1),
        ("review-cycle-10.md", 10),
        ("review-cycle-0.md", None),
        ("review-cycle-01.md", None),
        ("review-cycle-\u0661.md", None),
        ("review-cycle-1.md\n", None),
        ("review-cycle--1.md", None),
        ("review-cycle-final.md", None),
        ("review-cycle-1.md.orig", None),
        ("x-review-cycle-1.md", None),
        ("review-cycle-" + "9" * 10 + ".md", 9999999999),
        # More than a file's name can have, and than Python makes a number of; a reference can say it.
        ("review-cycle-" + "9" * 5000 + ".md", None),
    ],
    ids=ascii,
)
def test_a_name_has_its_number_or_none(name: str, number: int | None) -> None:
    assert cycle_number(name) == number
    assert number is None or artifact_name(number) == name


def test_ten_comes_after_nine_and_age_does_not_matter(made: Mission) -> None:
    written = write_cycles(made, "WP01", {2: "approved", 9: "approved", 10: "rejected"})

    newest = max(written, key=lambda review: review.path.stat().st_mtime)
    directory = artifact_directory(made, "WP01")
    assert newest.number == 2
    assert list(cycles(directory)) == [2, 9, 10]
    assert latest_cycle(directory) == directory / "review-cycle-10.md"
    assert next_cycle_number(directory) == 11


def test_without_artifacts_there_is_no_latest_and_the_next_is_one(made: Mission) -> None:
    directory = artifact_directory(made, "WP01")

    assert (cycles(directory), latest_cycle(directory), next_cycle_number(directory)) == ({}, None, 1)


def test_a_directory_of_the_name_is_no_artifact(made: Mission) -> None:
    path = write_review(made, "WP01").path
    path.with_name("review-cycle-7.md").mkdir()

    assert list(cycles(path.parent)) == [1]


def test_a_link_to_nowhere_is_the_latest_and_cannot_be_read(made: Mission) -> None:
    latest = write_review(made, "WP01").path.with_name("review-cycle-7.md")
    try:
        latest.symlink_to("nowhere")
    except OSError:
        pytest.skip("no symbolic links here")

    assert latest_cycle(latest.parent) == latest
    with pytest.raises(ReviewFormatError, match="unreadable"):
        read_artifact(latest)


@pytest.mark.parametrize("name", SIBLINGS)
def test_a_sibling_is_never_the_latest(made: Mission, name: str) -> None:
    path = write_review(made, "WP01").path
    sibling = write_sibling(made, "WP01", name)

    assert sibling.read_bytes() == SIBLINGS[name]
    assert latest_cycle(sibling.parent) == path


@pytest.mark.parametrize("name", ["review-cycle-final.md", "review-cycle-0.md", "review-cycle-02.md"])
def test_a_sibling_without_a_number_stops_the_numbering(made: Mission, name: str) -> None:
    sibling = write_sibling(made, "WP01", name)

    with pytest.raises(ReviewFormatError, match=name) as refused:
        next_cycle_number(sibling.parent)
    assert refused.value.finding is ReviewFinding.UNNUMBERED_SIBLING
    with pytest.raises(BuildError, match="say number="):
        write_review(made, "WP01")
    assert write_review(made, "WP01", number=3).number == 3


# --- references


def test_a_reference_leads_to_the_artifact(made: Mission) -> None:
    review = write_review(made, "WP01", number=10)

    reference = parse_reference(review.reference)

    assert review.reference == f"review-cycle://{made.slug}/{review.path.parent.name}/review-cycle-10.md"
    assert reference == ReviewReference.to(made.slug, review.path.parent.name, 10)
    assert (reference.kind, reference.number, str(reference)) == (ReferenceKind.ARTIFACT, 10, review.reference)
    assert reference.path(made.root) == review.path


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [
        ("action-review-claim", "sentinel", None),
        (" force-override ", "sentinel", None),
        ("feedback://demo/WP01-x/a.md", "feedback", ".git/spec-kitty/feedback/demo/WP01-x/a.md"),
        ("feedback://demo/WP01-x", "feedback", None),
        ("feedback://../WP01/a.md", "feedback", None),
        ("docs/review.md", "path", "docs/review.md"),
        ("lane-approved:WP01", "path", "lane-approved:WP01"),
    ],
)
def test_other_references_are_what_they_are(text: str, kind: str, path: str | None) -> None:
    reference = parse_reference(text)

    assert (reference.kind, reference.number) == (kind, None)
    assert reference.path(Path("r")) == (None if path is None else Path("r") / path)


def test_legacy_feedback_lies_in_the_git_directory() -> None:
    reference = parse_reference("feedback://demo/WP01-x/a.md")

    assert reference.path(Path("r"), Path("common")) == Path("common/spec-kitty/feedback/demo/WP01-x/a.md")


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "review-cycle://", "review-cycle://demo/WP01/review-cycle-0.md", "review-cycle://demo/WP01/x.md",
        "review-cycle://demo/review-cycle-1.md", "review-cycle://demo/WP01/x/review-cycle-1.md",
        "review-cycle://../WP01/review-cycle-1.md", "review-cycle://demo/.x/review-cycle-1.md",
        "review-cycle:///WP01/review-cycle-1.md", "review-cycle://demo/WP 01/review-cycle-1.md",
    ],
)  # fmt: skip
def test_a_malformed_reference_is_a_finding(text: str) -> None:
    with pytest.raises(ReviewFormatError) as refused:
        parse_reference(text)

    assert refused.value.finding is ReviewFinding.BAD_REFERENCE


def test_a_number_below_one_has_no_name() -> None:
    with pytest.raises(ValueError, match="from 1"):
        artifact_name(0)


# --- the builder


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    def built(root: Path) -> list[bytes]:
        made = mission(root, {"WP01": "in_review"})
        return [
            write_review(made, "WP01", shape=shape, number=n).path.read_bytes() for n, shape in enumerate(SHAPES, 1)
        ]

    assert built(tmp_path / "a") == built(tmp_path / "b")


def test_an_artifact_lies_beside_the_file_of_its_work_package(made: Mission) -> None:
    made.task_file("WP01").rename(made.paths.tasks / "WP01.md")

    assert write_review(made, "WP01").path == made.paths.tasks / "WP01" / "review-cycle-1.md"
    assert write_review(made, "WP02").path.parent.name == made.task_file("WP02").stem


def test_keys_are_set_and_dropped_before_the_shape_is_made(made: Mission) -> None:
    path = write_review(
        made, "WP01", at="2026-01-01T00:00:00Z", reviewer="rev", verdict="approved", body="Fine.\n",
        reproduction_command="make", drop=["affected_files"], modified=datetime(2026, 1, 2, tzinfo=UTC),
    ).path  # fmt: skip

    artifact = read_artifact(path)
    assert (artifact.reviewed_at, artifact.reviewer_agent, artifact.verdict) == (
        "2026-01-01T00:00:00Z",
        "rev",
        "approved",
    )
    assert (artifact.body, artifact.reproduction_command) == ("Fine.\n", "make")
    assert b"affected_files" not in path.read_bytes()
    assert path.stat().st_mtime == datetime(2026, 1, 2, tzinfo=UTC).timestamp()


def test_a_file_of_another_name_has_no_reference(made: Mission) -> None:
    review = write_review(made, "WP01", name="review-cycle-last.md")

    assert (review.path.name, review.number, review.reference) == ("review-cycle-last.md", None, "")
    assert read_artifact(review.path).cycle_number == 1


def test_an_override_is_put_on_and_taken_off(made: Mission) -> None:
    path = write_review(made, "WP01", shape="extra-keys").path
    before = read_artifact(path)

    override_artifact(path, "arbiter", "late")
    overridden = read_artifact(path)
    override_artifact(path, None, None)

    assert overridden == dataclasses.replace(before, override_actor="arbiter", override_reason="late")
    assert read_artifact(path) == before


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda made: write_review(made, "WP09"), "no work package 'WP09'; it has: WP01, WP02"),
        (lambda made: write_review(made, "WP01", shape="round"), "unknown shape 'round'; known: eight-keys"),
        (lambda made: write_review(made, "WP01", number=0), "from 1"),
        (lambda made: [write_review(made, "WP01", number=1) for _ in "12"], "review-cycle-1.md is there already"),
        (lambda made: write_review(made, "WP01", shape="own-words", drop=["wp_id"]), "must not be dropped"),
        (lambda made: write_sibling(made, "WP01", "x"), "unknown sibling 'x'; known: baseline"),
        (lambda made: override_artifact(write_review(made, "WP01", shape="prose").path, "a", "b"), "no-frontmatter"),
    ],
    ids=["work-package", "shape", "number", "taken", "drop", "sibling", "override"],
)
def test_wrong_use_is_told_by_name(made: Mission, call: Callable[[Mission], object], problem: str) -> None:
    with pytest.raises(BuildError, match=problem):
        call(made)


# --- real ones


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_every_real_artifact_is_read_or_refused_as_the_released_reader_does(
    oracle: Oracle, real_missions: Path, profile: Profile
) -> None:
    seen = 0
    for row in oracle("review_cycles"):
        for file in row["files"]:
            path = real_missions / row["mission"] / "tasks" / row["wp_dir"] / file["name"]
            seen += 1
            # Bodies are not part of the corpus.
            data = path.read_bytes() + b"\nA body.\n"
            ours = reading(data, profile)
            if isinstance(ours, ReviewFinding):
                # What only contract-320 refuses: a word that no vocabulary has (RAC-006).
                word = profile is CONTRACT_320 and ours is ReviewFinding.UNKNOWN_VERDICT
                assert "error" in file or word, (path, ours)
                assert file["has_frontmatter"] or ours is ReviewFinding.NO_FRONTMATTER
                continue
            assert "parsed" in file, path
            said = file["parsed"]
            plain = [key for key in said if key not in ("affected_files", "has_complete_override")]
            assert {key: getattr(ours, key) for key in plain} == {key: said[key] for key in plain}
            assert [item.path for item in ours.affected_files] == [item["path"] for item in said["affected_files"]]
            assert ours.has_complete_override is said["has_complete_override"]
            # The lenient profile leaves a word that means nothing among the other keys.
            assert (ours.verdict or ours.extra.get("verdict")) == file["frontmatter_verdict"]
    assert seen == 300


def test_latest_and_next_number_of_every_real_directory_are_those_of_the_released_reader(
    oracle: Oracle, real_missions: Path
) -> None:
    for row in oracle("review_cycles"):
        directory = real_missions / row["mission"] / "tasks" / row["wp_dir"]
        assert next_cycle_number(directory) == row["next_cycle_number"], directory
        latest = latest_cycle(directory)
        assert latest is not None
        assert cycle_number(latest.name) == row["latest_cycle_number"], directory
        assert list(cycles(directory)) == sorted(cycles(directory))
        parsed = None if "latest_error" in row else row["latest_parsed_cycle"]
        if parsed is None:
            with pytest.raises(ReviewFormatError):
                read_artifact(latest, SPEC_KITTY_32)
        else:
            assert read_artifact(latest, SPEC_KITTY_32).cycle_number == parsed


def test_what_released_writers_wrote_is_written_again_to_the_byte(oracle: Oracle, real_missions: Path) -> None:
    # A writer of the released package sorts the keys and puts the time between single quotes; agents write by hand.
    machine = 0
    for path in sorted(real_missions.glob("*/tasks/*/review-cycle-*.md")):
        data = path.read_bytes()
        artifact = reading(data, SPEC_KITTY_32)
        if isinstance(artifact, ReviewFinding):
            continue
        simple = artifact.reproduction_command is None and b"reproduction_command:\n" in data
        keys = [line.split(b":")[0] for line in data.split(b"\n")[1:] if line[:1].isalpha()]
        if not simple or keys != sorted(keys) or b"reviewed_at: '" not in data or b'"' in data:
            continue
        machine += 1
        again = encode_artifact(dataclasses.replace(artifact, body=""))
        assert again == data, path
    assert machine > 100


def test_real_overrides_are_laid_out_as_the_older_shape_is(made: Mission, real_missions: Path) -> None:
    def block(path: Path) -> list[str]:
        lines = path.read_text(encoding="utf-8").split("---\n")[1].splitlines()
        return [line.split(":")[0] for line in lines if line.startswith("review_artifact_override_")]

    shape = write_review(made, "WP01", shape="override-of-four").path
    real = [
        block(path)
        for path in sorted(real_missions.glob("*/tasks/*/review-cycle-*.md"))
        if b"override_actor" in path.read_bytes()
    ]

    assert len(real) == 40
    assert all(found == block(shape) for found in real)


def test_real_verdicts_and_events_contradict_each_other(oracle: Oracle, real_missions: Path) -> None:
    # The reason for RAC-004: work packages at rest whose latest artifact still says rejected.
    gate = {(row["mission"], row["wp"]): row for row in oracle("merge_gate")}
    at_rest = passed = 0
    for row in oracle("review_cycles"):
        directory = real_missions / row["mission"] / "tasks" / row["wp_dir"]
        latest = latest_cycle(directory)
        assert latest is not None
        artifact = reading(latest.read_bytes() + b"\nA body.\n")
        if isinstance(artifact, ReviewFinding):
            continue
        said = gate[row["mission"], row["wp_id"]]
        assert said["blocks"] == row["merge_gate_blocks"]
        if said["lane"] in ("approved", "done") and artifact.verdict is Verdict.REJECTED:
            at_rest += 1
            passed += not said["blocks"]
    assert 0 < passed < at_rest
