"""RAC-001 to RAC-007, STA-010: whether the latest reviews allow a mission to ship.

A scenario asks for one signoff of several work packages, and judges by name which of them block. The sound twin passes
in the same world first. What blocks is an answer with a finding for each work package, not a refusal.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from kitty_reliability.build.reviews import SIBLINGS, write_review, write_sibling
from kitty_reliability.build.work_package import WorkPackageVerbs
from kitty_reliability.implementations.protocol import Capability, Signoff
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding, inconclusive

from .world import CommandResult, World, Worlds, told

_OLD: Final = datetime(2020, 1, 1, tzinfo=UTC)
_NEW: Final = datetime(2030, 1, 1, tzinfo=UTC)


class _Gate:
    """A mission that is about to ship, and the one question about it."""

    def __init__(self, worlds: Worlds, packages: Mapping[str, Any], **options: Any) -> None:
        worlds.needs(Capability.SIGNOFF)
        # Released versions sign off a mission with lanes only.
        self.world: World = worlds(packages, lane_manifest={"lane-a": list(packages)}, **options)
        self.by_artifact = self.world.profile.artifact_decides

    def wp(self, work_package: str) -> WorkPackageVerbs:
        return self.world.mission.wp(work_package)

    def reject(self, *work_packages: str, **keys: Any) -> None:
        """Have the latest review of each reject it, by artifact and by event, and move it to approved all the same."""
        for work_package in work_packages:
            self.wp(work_package).reject(**keys).approve(force=True, event=False, artifact=False)

    def request(self, root: Path | None = None) -> Signoff:
        return Signoff(root=str(root or self.world.mission.root), mission=self.world.mission.slug)

    def answer(self, what: str, root: Path | None = None, *, commit: bool = True) -> Mapping[str, Any]:
        __tracebackhide__ = True
        if commit:
            self.world.commit()
        return self.world.accepted(self.world.ask(self.request(root)), what)

    def blocks(
        self, *work_packages: str, what: str, root: Path | None = None, commit: bool = True
    ) -> Mapping[str, Any]:
        """Judge that these work packages block, each with a finding of its own, and no others; none: it passes."""
        __tracebackhide__ = True
        answer = self.answer(what, root, commit=commit)
        found = sorted(map(str, findings(answer)))
        check = self.world.check
        check(answer["blocked"] or not work_packages, Finding.UNSAFE_PASSED, f"{what}, and it passes")
        missing, more = (
            sorted(set(one) - set(other)) for one, other in ((work_packages, found), (found, work_packages))
        )
        check(not missing, Finding.UNSAFE_PASSED, f"{what}: {', '.join(missing)} is not among what blocks ({found})")
        check(not more, Finding.SAFE_BLOCKED, f"{what}: {', '.join(more)} blocks: {answer['findings']}")
        check(answer["blocked"] is bool(work_packages), Finding.SAFE_BLOCKED, f"{what}, and nothing is said to block")
        return answer

    def latest(self, answer: Mapping[str, Any], work_package: str) -> None:
        """Judge that the artifact which is shown as the latest is that of the highest number on disk."""
        __tracebackhide__ = True
        shown = _standing(answer, work_package).get("artifact_path") or findings(answer).get(work_package, {}).get(
            "latest_review_cycle_path"
        )
        if shown is None and not self.by_artifact:
            return
        paths = self.wp(work_package).directory.glob("review-cycle-*.md")
        highest = max((path for path in paths if path.stem[13:].isdigit()), key=lambda path: int(path.stem[13:]))
        self.world.check(
            self.is_shown(shown, highest),
            Finding.WRONG_COPY,
            f"the latest of {work_package} is {highest.name}, not {shown}",
        )

    def is_shown(self, shown: object, path: Path) -> bool:
        """Say whether ``shown``, absolute or from the root, is the path of an artifact."""
        return isinstance(shown, str) and os.path.abspath(self.world.mission.root / shown) == os.path.abspath(path)


def findings(answer: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what blocks, by work package."""
    return {str(item.get("branch_or_work_package")): item for item in answer["findings"]}


def _standing(answer: Mapping[str, Any], work_package: str) -> Mapping[str, Any]:
    found = [one for one in answer["reviews"] if one["work_package_id"] == work_package]
    return found[0] if found else {}


def _of(items: Any, work_package: str) -> list[Mapping[str, Any]]:
    names = ("branch_or_work_package", "work_package_id", "wp_id")
    return [item for item in items if any(item.get(name) == work_package for name in names)]


# --- RAC-001, RAC-002


@pytest.mark.kitty_clause("RAC-001")
def test_an_approved_work_package_that_was_rejected_blocks(worlds: Worlds) -> None:
    """Approved by force after a rejection (#904); once it is reviewed again and approved, it passes."""
    gate = _Gate(worlds, {"WP01": "in_review", "WP02": "in_review"})
    gate.wp("WP01").approve()
    gate.wp("WP02").approve()
    gate.blocks(what="both were approved")
    gate.wp("WP02").reject().rework()
    gate.reject("WP02")
    gate.blocks("WP02", what="the latest review of WP02 rejects it, and it is approved")
    gate.wp("WP02").reject(force=True).rework().approve()
    gate.blocks(what="WP02 was reviewed again and approved")


@pytest.mark.kitty_clause("RAC-001")
def test_work_that_goes_on_blocks_nothing(worlds: Worlds) -> None:
    """Rejected work packages that are planned, in progress, blocked, canceled or in review again are no part of what ships."""
    packages = ["WP01", "WP02", "WP03", "WP04", "WP05", "WP06"]
    gate = _Gate(worlds, dict.fromkeys(packages, "in_review"))
    gate.wp("WP01").approve()
    gate.wp("WP02").reject()
    gate.wp("WP03").reject(to="in_progress")
    gate.wp("WP04").reject().rework()
    gate.wp("WP05").block()
    gate.wp("WP06").cancel()
    gate.blocks(what="no rejected work package is approved or done")
    gate.wp("WP02").approve(force=True, event=False, artifact=False)
    gate.blocks("WP02", what="WP02 was approved without another review")


@pytest.mark.kitty_clause("RAC-001")
def test_a_work_package_has_its_own_reviews(worlds: Worlds) -> None:
    """WP010 and WP01b are not WP01, whatever number their artifacts have; a directory may be named by the id alone (#354)."""
    packages = dict.fromkeys(("WP01", "WP010", "WP02", "WP020"), "in_review")
    gate = _Gate(worlds, packages)
    tasks = gate.world.mission.paths.tasks
    for name in ("WP01", "WP02"):
        (tasks / f"{name}-work.md").rename(tasks / f"{name}.md")
    gate.wp("WP01").approve()
    gate.wp("WP010").approve(cycle=7)
    gate.wp("WP020").approve()
    gate.wp("WP02").approve()
    other = tasks / "WP01b-work"
    shutil.copytree(gate.wp("WP010").directory, other)
    gate.blocks(what="all were approved")
    gate.wp("WP01").reject()
    gate.reject("WP020", cycle=9)
    gate.wp("WP01").approve(force=True, event=False, artifact=False)
    answer = gate.blocks("WP01", "WP020", what="WP01 and WP020 were rejected, WP010 and WP02 approved")
    for name in packages:
        gate.latest(answer, name)


@pytest.mark.kitty_clause("RAC-001")
@pytest.mark.parametrize("asked_in", ["the main checkout", "the coordination worktree"])
def test_the_reviews_are_those_beside_the_log(worlds: Worlds, asked_in: str) -> None:
    """With a coordination branch, artifacts of another time lie in the main checkout; one verdict from either place (#2885)."""
    gate = _Gate(worlds, {"WP01": "in_review", "WP02": "in_review"}, topology="coord", decoys=True)
    mission = gate.world.mission
    root = mission.root if asked_in == "the main checkout" else mission.log.path.parent.parent.parent
    for name in ("WP01", "WP02"):
        gate.wp(name).approve()
    gate.world.commit()
    if gate.world.ask(gate.request(root)).declined and root != mission.root:
        inconclusive("it does not answer there, which is no unsafe answer")
    gate.blocks(what="both were approved", root=root)
    gate.wp("WP01").reject()
    gate.wp("WP01").approve(force=True, event=False, artifact=False)
    decoy = mission.paths.tasks / gate.wp("WP02").directory.name / "review-cycle-9.md"
    decoy.parent.mkdir(parents=True)
    decoy.write_bytes((gate.wp("WP01").directory / "review-cycle-2.md").read_bytes().replace(b"WP01", b"WP02"))
    gate.blocks("WP01", what="WP01 was rejected on the coordination branch", root=root)


@pytest.mark.kitty_clause("RAC-002")
def test_a_done_work_package_that_was_rejected_blocks(worlds: Worlds) -> None:
    """It was merged all the same: what it is called by now changes nothing of its latest review."""
    gate = _Gate(worlds, {"WP01": "in_review", "WP02": "in_review", "WP03": "in_review"})
    for name in ("WP01", "WP02", "WP03"):
        gate.wp(name).approve().done()
    gate.blocks(what="all are done, and were approved")
    gate.wp("WP02").reject(force=True).rework()
    gate.reject("WP02")
    gate.wp("WP02").done()
    gate.wp("WP03").reject(force=True)
    gate.world.mission.log.lane("WP03", "done", force=True)
    gate.blocks("WP02", "WP03", what="the latest reviews of WP02 and WP03 reject them, and they are done")


# --- RAC-003


@pytest.mark.kitty_clause("RAC-003")
def test_the_highest_number_is_the_latest(worlds: Worlds) -> None:
    """10 comes after 9 and 100 after 99, gaps are none, and the file that was changed last is another one (#904)."""
    verdicts: dict[str, dict[int, str]] = {
        "WP01": {9: "rejected", 10: "approved"},
        "WP02": {9: "approved", 10: "rejected"},
        "WP03": {2: "approved", 10: "rejected"},
        "WP04": {1: "approved", 2: "approved", 7: "rejected"},
        "WP05": {99: "rejected", 100: "approved"},
        "WP06": {99: "approved", 100: "rejected"},
    }
    gate = _Gate(worlds, dict.fromkeys(verdicts, "in_review"))
    for name in verdicts:
        gate.wp(name).approve(artifact=False)
        write_review(gate.world.mission, name, number=1 if name == "WP04" else 2, verdict="approved")
    gate.blocks(what="every review approves")
    for name, numbers in verdicts.items():
        gate.wp(name).reject(force=True, artifact=False).rework()
        for number, verdict in numbers.items():
            path = gate.wp(name).directory / f"review-cycle-{number}.md"
            path.unlink(missing_ok=True)
            newest = _NEW if number == min(numbers) else _OLD
            write_review(gate.world.mission, name, number=number, verdict=verdict, modified=newest)
        # The event says what the highest number says, so that every profile has to come to the same.
        if numbers[max(numbers)] == "approved":
            gate.wp(name).approve(artifact=False)
        else:
            gate.reject(name, artifact=False)
    expected = [name for name, numbers in verdicts.items() if numbers[max(numbers)] == "rejected"]
    answer = gate.blocks(*expected, what="by number, some of the latest artifacts reject")
    for name in verdicts:
        gate.latest(answer, name)


@pytest.mark.kitty_clause("RAC-003")
def test_the_highest_number_of_two_directories_is_the_latest(worlds: Worlds) -> None:
    """The task file got another name, and the reviews before that lie in the directory of the old one."""
    verdicts = {"WP01": ("rejected", "approved"), "WP02": ("approved", "rejected")}
    gate = _Gate(worlds, dict.fromkeys(verdicts, "in_review"))
    for name in verdicts:
        gate.wp(name).approve()
    gate.blocks(what="both were approved")
    latest = {}
    for name, (older, newer) in verdicts.items():
        there = gate.wp(name).directory
        gate.wp(name).reject(force=True, artifact=False).rework()
        for number, verdict in ((9, older), (10, newer)):
            write_review(gate.world.mission, name, number=number, verdict=verdict)
        # The events of either say what the highest number says, so that every profile has to come to the same.
        if newer == "approved":
            gate.wp(name).approve(artifact=False)
        else:
            gate.reject(name, artifact=False)
        # Of one the first directory by name has it, of the other the second.
        latest[name] = there.with_name(f"{name}-{'aaa' if newer == 'approved' else 'zzz'}") / "review-cycle-10.md"
        latest[name].parent.mkdir()
        (there / latest[name].name).rename(latest[name])
    answer = gate.blocks("WP02", what="artifact 10 rejects WP02, and approves WP01")
    for name, path in latest.items():
        shown = _standing(answer, name).get("artifact_path")
        same = gate.is_shown(shown, path) or (shown is None and not gate.by_artifact)
        gate.world.check(
            same, Finding.WRONG_COPY, f"the latest of {name} is {path.parent.name}/{path.name}, not {shown}"
        )


@pytest.mark.kitty_clause("RAC-003")
def test_only_a_number_makes_an_artifact(worlds: Worlds) -> None:
    """Drafts, copies of an editor, feedback and decisions lie beside the artifacts, and say that all is well."""
    gate = _Gate(worlds, {"WP01": "in_review", "WP02": "in_review"})
    for name in ("WP01", "WP02"):
        for number in (1, 2):
            write_review(gate.world.mission, name, number=number, verdict="approved")
        gate.wp(name).approve(cycle=3)
        for sibling in SIBLINGS:
            write_sibling(gate.world.mission, name, sibling)
    gate.blocks(what="the latest artifacts approve")
    gate.wp("WP02").reject(force=True, cycle=4).rework()
    gate.reject("WP02", cycle=5)
    answer = gate.blocks("WP02", what="artifact 5 of WP02 rejects it")
    gate.latest(answer, "WP01")
    gate.latest(answer, "WP02")


# --- RAC-004


@pytest.mark.kitty_clause("RAC-004")
def test_one_of_two_contradicting_sources_decides_and_both_are_shown(worlds: Worlds) -> None:
    """Artifact and event in all four combinations, and an artifact without any event (#2996, #4116)."""
    packages = ["WP01", "WP02", "WP03", "WP04", "WP05"]
    gate = _Gate(worlds, dict.fromkeys(packages, "in_review"))
    gate.wp("WP01").approve()
    gate.blocks(what="WP01 was approved by both, the others are in review")
    gate.reject("WP02")
    gate.reject("WP03", artifact_verdict="approved")
    gate.wp("WP04").approve(artifact_verdict="rejected")
    gate.wp("WP05").approve(artifact_verdict="rejected", event=False)
    expected = ["WP02", "WP04", "WP05"] if gate.by_artifact else ["WP02", "WP03"]
    answer = gate.blocks(*expected, what=f"the {'artifact' if gate.by_artifact else 'event'} decides")
    for name, artifact, event in (("WP03", "approved", "changes_requested"), ("WP04", "rejected", "approved")):
        standing = _standing(answer, name)
        shown = {standing.get("artifact_verdict"), standing.get("event_verdict")} == {artifact, event}
        said = told(_of([*answer["findings"], *answer["warnings"]], name))
        gate.world.check(
            shown or (artifact in said and event in said),
            Finding.WRONG_DIAGNOSTIC,
            f"the artifact of {name} says {artifact}, the event {event}; shown is {dict(standing)} {said}",
        )


# --- RAC-005


@pytest.mark.kitty_clause("RAC-005")
def test_a_complete_override_clears_until_it_is_taken_back(worlds: Worlds) -> None:
    """Recorded in the log and in the artifact, for one of two rejected work packages (#1817, #2684)."""
    gate = _Gate(worlds, {"WP01": "in_review", "WP02": "in_review"})
    gate.reject("WP01", "WP02")
    gate.blocks("WP01", "WP02", what="both were rejected")
    gate.wp("WP01").override()
    gate.blocks("WP02", what="a complete override of WP01 stands")
    gate.wp("WP02").override()
    gate.blocks(what="complete overrides of both stand")
    gate.wp("WP01").withdraw_override()
    gate.blocks("WP01", what="the override of WP01 was taken back")


@pytest.mark.kitty_clause("RAC-005")
def test_a_partial_override_clears_nothing(worlds: Worlds) -> None:
    """The reason or the actor is missing, in the log as in the artifact."""
    shapes = {"WP02": "override-without-reason", "WP03": "override-without-actor", "WP04": "override-blank"}
    gate = _Gate(worlds, dict.fromkeys(("WP01", *shapes), "in_review"))
    gate.reject("WP01")
    gate.wp("WP01").override()
    gate.blocks(what="a complete override of WP01 stands")
    log = gate.world.mission.log
    for name, shape in shapes.items():
        gate.reject(name, shape=shape)
        parts = {"actor": "" if name == "WP03" else "arbiter", "reason": "out of scope" if name == "WP03" else ""}
        log.annotate(name, review={"at": log.clock.text, "wp_id": name, **parts})
    gate.blocks(*shapes, what="every override but that of WP01 lacks something")


@pytest.mark.kitty_clause("RAC-005")
def test_an_override_of_another_work_package_clears_nothing(worlds: Worlds) -> None:
    """WP010 was overridden; WP01 was not, and what is recorded at WP02 says that it is about WP010."""
    gate = _Gate(worlds, dict.fromkeys(("WP01", "WP010", "WP02"), "in_review"))
    gate.reject("WP010")
    gate.wp("WP010").override()
    gate.blocks(what="a complete override of WP010 stands")
    gate.reject("WP01", "WP02")
    log = gate.world.mission.log
    review = {"at": log.clock.text, "wp_id": "WP010", "actor": "arbiter", "reason": "out of scope"}
    log.annotate("WP02", review=review)
    gate.blocks("WP01", "WP02", what="only WP010 was overridden")


@pytest.mark.kitty_clause("RAC-005")
def test_an_override_of_an_earlier_artifact_is_no_override_of_the_latest(worlds: Worlds) -> None:
    """The artifact that was overridden is not the one that rejects now."""
    gate = _Gate(worlds, {"WP01": "in_review"})
    gate.reject("WP01")
    gate.wp("WP01").override(event=not gate.by_artifact)
    gate.blocks(what="the override of the only rejection is complete")
    gate.wp("WP01").reject(force=True).rework()
    if not gate.by_artifact:
        # Who rejects again takes the override back in the log; an artifact is left behind as it is.
        gate.wp("WP01").withdraw_override(artifact=False)
    gate.reject("WP01")
    gate.blocks("WP01", what="a later artifact rejects it, and nobody overrode that one")


# --- RAC-006

#: What cannot be gone by, though every one of them was written by somebody who approves.
_MALFORMED: Final = (
    "prose",
    "empty",
    "unclosed",
    "conflict",
    "conflict-in-frontmatter",
    "bad-yaml",
    "not-a-mapping",
    "not-utf8",
    "changes-requested",
    "reject",
    "for-arbiter",
    "verdict-in-capitals",
    "verdict-nested",
)
#: What every reader can go by.
_SOUND: Final = ("eight-keys", "crlf", "extra-keys")


def _fails_closed(gate: _Gate, paths: Mapping[str, Path], sound: str) -> None:
    """Judge that every artifact in ``paths`` is a finding of another kind than a rejection, which ``sound`` has."""
    __tracebackhide__ = True
    check = gate.world.check
    if gate.by_artifact:
        answer = gate.blocks(sound, *paths, what="what cannot be read is no approval")
    else:
        answer = gate.answer("the signoff is answered")
    plain = findings(answer).get(sound, {}).get("diagnostic_code")
    for name, path in paths.items():
        about = _of([*answer["findings"], *answer["warnings"]], name)
        codes = {item.get("diagnostic_code") for item in about} - {None, "", plain}
        check(codes, Finding.DAMAGE_UNREPORTED, f"{path.name} of {name} cannot be gone by; of {name} is said: {about}")
        shown = [item.get("latest_review_cycle_path") for item in about]
        check(
            any(gate.is_shown(one, path) for one in shown) or path.name in told(about),
            Finding.WRONG_DIAGNOSTIC,
            f"{path.name} of {name} cannot be gone by, and is not named: {about}",
        )


@pytest.mark.kitty_clause("RAC-006")
def test_an_artifact_that_is_malformed_fails_closed(worlds: Worlds) -> None:
    """No frontmatter, conflict markers, unknown words: a finding of its own, and an earlier artifact is no way out (#963, #3244)."""
    shapes = dict(zip((f"WP{number:02}" for number in range(2, 99)), _MALFORMED, strict=False))
    sound = dict(zip((f"WP{number:02}" for number in range(20, 99)), _SOUND, strict=False))
    gate = _Gate(worlds, dict.fromkeys(("WP01", *shapes, *sound), "in_review"))
    for name, shape in sound.items():
        gate.wp(name).approve(shape=shape)
    gate.blocks(what="the artifacts of what is approved are sound")
    gate.reject("WP01")
    paths = {}
    for name, shape in shapes.items():
        write_review(gate.world.mission, name, verdict="approved")
        wp = gate.wp(name).approve(shape=shape)
        paths[name] = wp.artifacts[-1].path
    _fails_closed(gate, paths, "WP01")


@pytest.mark.kitty_clause("RAC-006")
def test_an_artifact_that_cannot_be_read_fails_closed(worlds: Worlds) -> None:
    """A link to nowhere, a link to itself, a file that nobody may read: each is the latest artifact."""
    gate = _Gate(worlds, dict.fromkeys(("WP01", "WP02", "WP03", "WP04"), "in_review"))
    for name in ("WP02", "WP03", "WP04"):
        gate.wp(name).approve()
    gate.blocks(what="what is approved was approved")
    gate.reject("WP01")
    paths = {name: gate.wp(name).directory / "review-cycle-2.md" for name in ("WP02", "WP03")}
    try:
        paths["WP02"].symlink_to("review-cycle-7.md")
        paths["WP03"].symlink_to(paths["WP03"].name)
    except OSError as error:
        inconclusive(f"there are no links here: {error}")
    unreadable = write_review(gate.world.mission, "WP04", verdict="approved").path
    gate.world.commit()
    unreadable.chmod(0)
    if not os.access(unreadable, os.R_OK):
        paths["WP04"] = unreadable
    try:
        _fails_closed(gate, paths, "WP01")
    finally:
        unreadable.chmod(0o644)


# --- RAC-007


@pytest.mark.kitty_clause("RAC-007")
def test_the_finding_names_what_it_is_about(worlds: Worlds) -> None:
    """Two work packages block, one of them done; each finding has the names of its own."""
    gate = _Gate(worlds, dict.fromkeys(("WP01", "WP02", "WP03"), "in_review"))
    for name in ("WP01", "WP02", "WP03"):
        gate.wp(name).approve()
    gate.blocks(what="all were approved")
    for name, number in (("WP02", 4), ("WP03", 12)):
        gate.wp(name).reject(force=True).rework()
        gate.reject(name, cycle=number)
    gate.wp("WP03").done()
    found = findings(gate.blocks("WP02", "WP03", what="WP02 and WP03 were rejected"))
    for name, number in (("WP02", 4), ("WP03", 12)):
        _names(gate, found[name], name, gate.wp(name).directory / f"review-cycle-{number}.md")


def _names(gate: _Gate, finding: Mapping[str, Any], name: str, path: Path) -> None:
    __tracebackhide__ = True
    mission = gate.world.mission
    keys = ("diagnostic_code", "violated_invariant", "remediation")
    missing = [key for key in keys if not finding.get(key)]
    if not {finding.get(key) for key in ("mission_slug", "mission", "mission_id")} & {mission.slug, mission.mission_id}:
        missing.append("the mission")
    words = {"rejected"} if gate.by_artifact else {"rejected", "changes_requested"}
    if finding.get("latest_review_cycle_verdict") not in words:
        missing.append("the verdict")
    if not gate.is_shown(finding.get("latest_review_cycle_path"), path):
        missing.append(f"the path of {path.name}")
    gate.world.check(
        not missing, Finding.WRONG_DIAGNOSTIC, f"the finding about {name} does not name {', '.join(missing)}: {finding}"
    )


@pytest.mark.kitty_clause("RAC-007")
def test_the_command_says_so_by_its_exit_status(worlds: Worlds) -> None:
    """Status 0 when nothing blocks; otherwise another one, with the finding on stdout as JSON, or told as text."""
    worlds.needs(Capability.SURFACE)
    gate = _Gate(worlds, {"WP01": "in_review"})
    gate.wp("WP01").approve()
    gate.world.commit()
    clean = gate.world.run(gate.request())
    _ended(gate, clean, blocked=False)
    clean.json()
    gate.wp("WP01").reject(force=True).rework()
    gate.reject("WP01")
    gate.world.commit()
    result = gate.world.run(gate.request())
    _ended(gate, result, blocked=True)
    keys = ("diagnostic_code", "violated_invariant", "remediation")
    said = [item for item in _of(_objects(result.json()), "WP01") if all(item.get(key) for key in keys)]
    gate.world.check(
        said,
        Finding.WRONG_DIAGNOSTIC,
        f"stdout has no finding about WP01 with {', '.join(keys)}: {result.stdout[-300:]!r}",
    )
    text = gate.world.run(gate.request(), form="text")
    _ended(gate, text, blocked=True)
    shown = text.stdout + text.stderr
    code = str(said[0]["diagnostic_code"]).encode()
    gate.world.check(
        b"WP01" in shown and code in shown,
        Finding.WRONG_DIAGNOSTIC,
        f"the text does not say that WP01 blocks with {code!r}: {shown[-300:]!r}",
    )


def _ended(gate: _Gate, result: CommandResult, *, blocked: bool) -> None:
    __tracebackhide__ = True
    finding = Finding.UNSAFE_PASSED if blocked else Finding.SAFE_BLOCKED
    gate.world.check(
        (result.status != 0) is blocked,
        finding,
        f"exit status {result.status}: {(result.stdout + result.stderr)[-300:]!r}",
    )


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)


# --- STA-010


@pytest.mark.kitty_clause("STA-010")
@pytest.mark.reads_only
@pytest.mark.parametrize("snapshot", ["none", "stale"])
def test_signoff_changes_nothing(worlds: Worlds, snapshot: str) -> None:
    """Whether it passes or blocks: no file, ref or index entry differs, and no snapshot is made (#2934)."""
    gate = _Gate(worlds, {"WP01": "in_review", "WP02": "in_review"}, git=True)
    world = gate.world
    gate.wp("WP01").approve()
    if snapshot == "stale":
        world.snapshot_path.write_bytes(json.dumps({"event_count": 0, "work_packages": {}}).encode())
    world.commit()
    files, repository = mark_tree(world.mission.root), mark_repository(world.mission.root)
    gate.blocks(what="WP01 was approved, WP02 is in review", commit=False)
    changes = [*files.changes(ignore=[".git"], directories=False), *repository.changes()]
    world.check(not changes, Finding.READ_CHANGED_STATE, f"it passed, and {', '.join(changes)}")
    gate.reject("WP02")
    world.commit()
    files, repository = mark_tree(world.mission.root), mark_repository(world.mission.root)
    gate.blocks("WP02", what="WP02 was rejected", commit=False)
    if Capability.SURFACE in world.implementation.greeting.capabilities:
        world.run(gate.request())
    changes = [*files.changes(ignore=[".git"], directories=False), *repository.changes()]
    world.check(not changes, Finding.READ_CHANGED_STATE, f"it blocked, and {', '.join(changes)}")
