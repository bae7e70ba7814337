"""The reference's signoff, where the suite does not look: real missions, codes, odd places, one source alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.reviews import write_review
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.mission import MissionPaths, read_meta
from kitty_reliability.formats.profiles import CONTRACT_320, SPEC_KITTY_32, Profile
from kitty_reliability.formats.reviews import ReviewFormatError, read_artifact
from kitty_reliability.implementations.protocol import Signoff
from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.reducer import Reducer
from kitty_reliability.reference.signing import Signing, Standing

Oracle = Callable[[str], Iterator[dict[str, Any]]]

REJECTED, MALFORMED, CONTRADICT = (
    "REJECTED_REVIEW_ARTIFACT_CONFLICT",
    "REVIEW_ARTIFACT_SCHEMA_INVALID",
    "REVIEW_VERDICTS_CONTRADICT",
)


@pytest.fixture
def made(tmp_path: Path) -> Mission:
    return mission(tmp_path / "repo", {"WP01": "in_review", "WP02": "in_review", "WP03": "planned"})


def ask(made: Mission, profile: Profile = CONTRACT_320) -> Any:
    outcome = Reference(profile).answer(Signoff(root=str(made.root), mission=made.slug))
    assert outcome.ok, outcome
    assert outcome.value["blocked"] is bool(outcome.value["findings"])
    return outcome.value


def codes(made: Mission, profile: Profile = CONTRACT_320, key: str = "findings") -> dict[str, str]:
    return {item["branch_or_work_package"]: item["diagnostic_code"] for item in ask(made, profile)[key]}


def standing(made: Mission, work_package: str) -> Any:
    return next(one for one in ask(made)["reviews"] if one["work_package_id"] == work_package)


# --- real missions


def signing(missions: Path, name: str, profile: Profile) -> Signing:
    """Return the signing of a real mission, whatever its topology: the corpus has its files in one place."""
    paths = MissionPaths.under(missions.parent, name)
    reducer = Reducer(profile, name, read_meta(paths.meta).mission_id)
    if paths.log.exists():
        reducer.add(read_rows(paths.log.read_bytes(), profile))
    return Signing(paths, profile, reducer)


def standings(missions: Path, name: str, profile: Profile) -> tuple[Signing, dict[str, Standing]]:
    signs = signing(missions, name, profile)
    return signs, {one.work_package: one for one in signs.standings()}


def test_the_released_gate_blocks_the_same_work_packages_of_real_missions(real_missions: Path, oracle: Oracle) -> None:
    known: dict[str, tuple[Signing, dict[str, Standing]]] = {}
    checked = 0
    for case in oracle("merge_gate"):
        name = case["mission"]
        signs, found = known.setdefault(name, standings(real_missions, name, SPEC_KITTY_32))
        one = found[case["wp"]]
        assert one.lane == case["lane"], case
        assert one.event == case["event_verdict"], case
        assert one.overridden is case["override_complete"], case
        assert (signs.finding(one) is not None) is case["blocks"], case
        checked += 1
    assert checked > 1000


def test_the_latest_artifacts_of_real_missions_decide(real_missions: Path, oracle: Oracle) -> None:
    blocked = {}
    for case in oracle("review_cycles"):
        signs, found = standings(real_missions, case["mission"], CONTRACT_320)
        one, latest = found[case["wp_id"]], case["files"][-1]
        assert one.path is not None
        assert (one.path.parent.name, one.path.name) == (
            case["wp_dir"],
            f"review-cycle-{case['latest_cycle_number']}.md",
        )
        word = latest.get("frontmatter_verdict")
        assert one.verdict == (word if one.problem is None else None)
        assert "parsed" not in latest or one.problem is None or word == "changes_requested", latest
        finding = signs.finding(one)
        overridden = case["snapshot_override_complete"] or latest.get("parsed", {}).get("has_complete_override", False)
        ships = case["lane"] in ("approved", "done")
        if one.problem is None and word is not None:
            assert (finding is not None) is (ships and word == "rejected" and not overridden), case
        if finding is not None:
            blocked[case["mission"], case["wp_id"]] = finding.code
    assert set(blocked.values()) == {REJECTED, MALFORMED}


# --- one source alone


def test_an_event_alone_rejects(made: Mission) -> None:
    made.wp("WP01").reject(artifact=False).approve(force=True, event=False, artifact=False)

    assert codes(made) == codes(made, SPEC_KITTY_32) == {"WP01": REJECTED}
    finding = ask(made)["findings"][0]
    assert finding["latest_review_cycle_path"] is None
    assert finding["latest_review_cycle_verdict"] == "changes_requested"


def test_a_word_that_no_event_has_is_no_approval(made: Mission) -> None:
    review = {"reviewer": "r", "verdict": "rejected", "reference": "x"}
    made.log.lane("WP01", "approved", review_result=review)

    assert codes(made) == {"WP01": REJECTED}
    assert codes(made, SPEC_KITTY_32) == {}


@pytest.mark.parametrize(("event", "expected"), [(True, {}), (False, {"WP01": MALFORMED})])
def test_an_artifact_without_a_verdict_leaves_it_to_the_event(
    made: Mission, event: bool, expected: dict[str, str]
) -> None:
    made.wp("WP01").approve(shape="without-verdict", event=event)

    assert codes(made) == expected


def test_without_any_review_nothing_is_rejected(made: Mission) -> None:
    made.log.lane("WP01", "approved", force=True)

    assert codes(made) == {}
    assert standing(made, "WP03")["lane"] == "planned"


def test_a_log_that_cannot_be_read_is_no_answer(made: Mission) -> None:
    made.log.raw(b'{"torn')

    outcome = Reference().answer(Signoff(root=str(made.root), mission=made.slug))
    assert (str(outcome.kind), outcome.value["diagnostic_code"]) == ("failed", "ROW_TORN")


# --- overrides


def test_an_override_in_either_place_counts(made: Mission) -> None:
    for name, place in (("WP01", "event"), ("WP02", "artifact")):
        wp = made.wp(name).reject().approve(force=True, event=False, artifact=False)
        wp.override(event=place == "event", artifact=place == "artifact")

    assert codes(made) == {}
    assert codes(made, SPEC_KITTY_32) == {"WP02": REJECTED}
    assert standing(made, "WP01")["overridden"] is standing(made, "WP02")["overridden"] is True


def test_an_override_that_was_taken_back_in_the_log_does_not_live_on_in_the_artifact(made: Mission) -> None:
    wp = made.wp("WP01").reject().approve(force=True, event=False, artifact=False).override()
    wp.withdraw_override(artifact=False)

    assert codes(made) == {"WP01": REJECTED}


def test_an_override_is_outdated_by_a_later_rejection(made: Mission) -> None:
    wp = made.wp("WP01").reject().approve(force=True, event=False, artifact=False).override()
    assert codes(made) == {}
    wp.reject(force=True).rework().reject().approve(force=True, event=False, artifact=False)

    assert codes(made) == {"WP01": REJECTED}


def test_an_override_of_an_older_writer_names_its_work_package(made: Mission) -> None:
    shape = "override-of-four"
    made.wp("WP01").reject(shape=shape).approve(force=True, event=False, artifact=False)
    wp = made.wp("WP02").reject(shape=shape).approve(force=True, event=False, artifact=False)
    path = wp.artifacts[0].path
    path.write_bytes(path.read_bytes().replace(b'override_wp_id: "WP02"', b'override_wp_id: "WP01"'))

    assert codes(made) == {"WP02": REJECTED}


def test_a_malformed_artifact_can_be_overridden_and_is_told(made: Mission) -> None:
    made.wp("WP01").approve(shape="prose").override(artifact=False)

    assert codes(made) == {}
    assert codes(made, key="warnings") == {"WP01": MALFORMED}


# --- artifacts


def test_an_artifact_without_a_word_below_is_gone_by(made: Mission) -> None:
    made.wp("WP01").approve(shape="without-body")
    made.wp("WP02").approve(shape="blank-body", artifact_verdict="rejected")

    assert codes(made) == {"WP02": REJECTED}


def test_an_artifact_of_another_work_package_is_none(made: Mission) -> None:
    wp = made.wp("WP01").approve()
    write_review(made, "WP01", verdict="approved", wp_id="WP02")

    assert codes(made) == {"WP01": MALFORMED}
    assert wp.artifacts[0].number == 1


def test_of_two_directories_with_one_number_the_worse_counts(made: Mission) -> None:
    first = made.wp("WP01").approve().directory
    other = first.with_name("WP01-before-it-was-renamed")
    shutil.copytree(first, other)
    assert codes(made) == {}
    other.joinpath("review-cycle-1.md").write_bytes(b"prose")
    assert codes(made) == {"WP01": MALFORMED}
    other.rename(first.with_name("WP01"))

    assert ask(made)["findings"][0]["latest_review_cycle_path"].endswith("/WP01/review-cycle-1.md")


def test_the_highest_number_counts_whichever_directory_has_it(made: Mission) -> None:
    """The file was renamed after the first review, and its directory was not."""
    wp = made.wp("WP01").reject()
    wp.directory.rename(wp.directory.with_name("WP01-as-it-was-called"))
    write_review(made, "WP01", number=2, verdict="approved")
    wp.approve(force=True, event=False, artifact=False)
    assert codes(made) == {}
    assert standing(made, "WP01")["artifact_path"].endswith("/WP01-work/review-cycle-2.md")


@pytest.mark.parametrize("shape", ["orchestrator-fix", "arbiter-override"])
def test_the_words_of_an_arbiter_approve(made: Mission, shape: str) -> None:
    made.wp("WP01").approve(shape=shape)

    assert (codes(made), codes(made, key="warnings")) == ({}, {})


def test_what_goes_on_or_does_not_decide_is_told(made: Mission) -> None:
    made.wp("WP01").reject(shape="prose")
    made.wp("WP02").approve(shape="reject")

    assert codes(made) == {"WP02": MALFORMED}
    assert codes(made, key="warnings") == {"WP01": MALFORMED}
    assert codes(made, SPEC_KITTY_32, "warnings") == {"WP01": MALFORMED, "WP02": MALFORMED}


def test_a_contradiction_is_told_under_either_profile(made: Mission) -> None:
    made.wp("WP01").reject(artifact_verdict="approved").approve(force=True, event=False, artifact=False)

    for profile in (CONTRACT_320, SPEC_KITTY_32):
        (warning,) = ask(made, profile)["warnings"]
        assert warning["diagnostic_code"] == CONTRADICT
        assert (warning["latest_review_cycle_verdict"], warning["event_verdict"]) == ("approved", "changes_requested")
    assert (codes(made), codes(made, SPEC_KITTY_32)) == ({}, {"WP01": REJECTED})


def test_what_leads_out_of_the_repository_is_not_followed(made: Mission, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    for name in ("WP01", "WP02"):
        shutil.copytree(made.wp(name).approve().directory, outside / name)
    directory = made.wp("WP02").directory
    shutil.rmtree(directory)
    try:
        made.wp("WP01").directory.joinpath("review-cycle-2.md").symlink_to(outside / "WP01" / "review-cycle-1.md")
        directory.symlink_to(outside / "WP02")
    except OSError:
        pytest.skip("no symbolic links here")
    assert codes(made) == {"WP01": MALFORMED, "WP02": MALFORMED}
    directory.unlink()
    directory.symlink_to("nowhere")

    assert codes(made) == {"WP01": MALFORMED, "WP02": MALFORMED}
    assert standing(made, "WP02")["artifact_path"].endswith("tasks/WP02-work")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(made: Mission) -> None:
    path = made.wp("WP01").approve().directory / "review-cycle-2.md"
    os.mkfifo(path)

    assert codes(made) == {"WP01": MALFORMED}
    with pytest.raises(ReviewFormatError, match="no regular file"):
        read_artifact(path)
