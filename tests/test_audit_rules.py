"""What the rules of an audit say of sound, old, broken and hostile missions."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.audit.baseline import Baseline, BaselineError, Entry
from kitty_reliability.audit.findings import CannotJudge, Finding, Severity
from kitty_reliability.audit.mission import AuditedMission
from kitty_reliability.audit.places import MissionPlace, WrongPathError, find_missions
from kitty_reliability.audit.rules import MOST_FINDINGS, RULES, audit
from kitty_reliability.build.mission import mission
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.instants import instant
from kitty_reliability.formats.mission import read_meta
from kitty_reliability.formats.profiles import CONTRACT_320, SPEC_KITTY_32
from kitty_reliability.formats.released_rows import read
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.reference.reducer import Reducer

CORPUS_DAY = instant("2026-11-22T00:00:00Z")
Told = dict[str, list[Finding]]
Oracle = Callable[[str], Iterator[dict[str, Any]]]


def asked(place: MissionPlace) -> dict[str, list[tuple[str, Finding]]]:
    """Ask every rule; a rule that cannot judge answers nothing here."""
    answers = audit(place, now=CORPUS_DAY)
    return {
        rule: [(str(one.severity(RULES[rule].severity)), one) for one in found]
        for rule, found in answers.items()
        if not isinstance(found, CannotJudge)
    }


def speaking(directory: Path) -> set[tuple[str, str]]:
    (place,) = find_missions([directory])
    return {(rule, level) for rule, found in asked(place).items() for level, _ in found}


# --- the corpus and its oracles


@pytest.fixture(scope="module")
def corpus_findings(real_missions: Path) -> dict[str, dict[str, list[tuple[str, Finding]]]]:
    return {place.name: asked(place) for place in find_missions([real_missions])}


def of_rule(found: dict[str, Any], rule: str, *levels: str) -> list[tuple[str, Finding]]:
    return [(name, one) for name, rules in found.items() for level, one in rules[rule] if not levels or level in levels]


def test_every_rule_judges_every_real_mission(corpus_findings: dict[str, Any]) -> None:
    assert len(corpus_findings) == 246
    assert all(set(rules) == set(RULES) for rules in corpus_findings.values())


def test_no_real_log_file_or_name_is_a_false_alarm(corpus_findings: dict[str, Any]) -> None:
    """Old logs, annotations, prose reviews and legacy verdicts: whatever the released reader reads without a word."""
    assert of_rule(corpus_findings, "log-integrity") == []
    assert of_rule(corpus_findings, "unsafe-identifiers") == []
    assert of_rule(corpus_findings, "mission-files", "error", "warning") == []


def test_rejections_that_ship_are_those_of_the_oracle(corpus_findings: dict[str, Any], oracle: Oracle) -> None:
    artifacts, cleared = set(), set()
    for case in oracle("review_cycles"):
        latest = max(case["files"], key=lambda file: int(file["name"].split("-")[2].removesuffix(".md")))
        if case["lane"] in ("approved", "done") and latest.get("frontmatter_verdict") == "rejected":
            key = case["mission"], case["wp_id"]
            artifacts.add(key)
            if (latest.get("parsed") or {}).get("has_complete_override") or case["snapshot_override_complete"]:
                cleared.add(key)
    events = {(case["mission"], case["wp"]) for case in oracle("merge_gate") if case["blocks"]}
    assert (len(artifacts), len(cleared), len(events)) == (47, 34, 13)

    found = of_rule(corpus_findings, "contradictory-verdicts")
    told = {(name, one.subject) for name, one in found if one.file.startswith("tasks/")}
    assert told == artifacts
    errors = of_rule(corpus_findings, "contradictory-verdicts", "error")
    assert {(name, one.subject) for name, one in errors if one.file.startswith("tasks/")} == artifacts - cleared
    # What the merge gate of the released package goes by: the event.
    assert {(name, one.subject) for name, one in found if one.file == "status.events.jsonl"} == events


def test_snapshots_that_disagree_are_those_of_the_oracle(corpus_findings: dict[str, Any], oracle: Oracle) -> None:
    disagreeing = {
        case["mission"]
        for case in oracle("snapshots")
        if case["status_json"]["exists"] and not case["status_json"]["agrees"]
    }
    assert len(disagreeing) == 5
    found = of_rule(corpus_findings, "snapshot-agreement")
    assert {name for name, _ in found} == disagreeing
    # Stale runtime slots are told; a count, or a work package that no row has, is wrong.
    assert {name for name, _ in of_rule(corpus_findings, "snapshot-agreement", "error")} == {
        "expected-artifacts-manifest-repair-01KZY498",
        "rc3-lane-allocation-single-seam-01M0GGX8",
    }


def test_stranded_claims_are_the_claimed_ones_of_the_oracle(corpus_findings: dict[str, Any], oracle: Oracle) -> None:
    claimed = {
        (case["mission"], work_package)
        for case in oracle("snapshots")
        for work_package, entry in case["work_packages"].items()
        if entry["lane"] == "claimed"
    }
    assert len(claimed) == 10
    assert {(name, one.subject) for name, one in of_rule(corpus_findings, "stranded-claims")} == claimed


def test_a_work_package_is_an_orphan_when_oracle_and_folder_disagree(
    corpus_findings: dict[str, Any], oracle: Oracle, real_missions: Path
) -> None:
    expected = set()
    for case in oracle("snapshots"):
        names = (path.name for path in (real_missions / case["mission"] / "tasks").glob("WP*.md"))
        # The log of a coordinated mission may be on a branch that is not here.
        elsewhere = (
            not case["has_log"] and read_meta(real_missions / case["mission"] / "meta.json").data["topology"] == "coord"
        )
        if {name[:4] for name in names} != set(case["work_packages"]) and not elsewhere:
            expected.add(case["mission"])
    assert {name for name, _ in of_rule(corpus_findings, "orphan-work-packages")} == expected


def test_what_only_the_contract_refuses_is_no_error(oracle: Oracle, tmp_path: Path) -> None:
    """An error is what nobody reads, or what readers take for different things; the rest is told."""
    seen = set()
    for number, case in enumerate(oracle("reader_edges")):
        folder = tmp_path / "kitty-specs" / f"edge-{number}"
        folder.mkdir(parents=True)
        data = case["log"].encode("utf-8", "surrogatepass")
        (folder / "status.events.jsonl").write_bytes(data)
        (place,) = find_missions([folder])
        levels = {level for level, one in asked(place)["log-integrity"] if not one.subject.startswith(AMBIGUOUS)}
        whole = audit(place, ["log-integrity", "unsafe-identifiers", "mission-files"], now=CORPUS_DAY)
        assert not any(isinstance(answer, CannotJudge) for answer in whole.values())
        try:
            Reducer(SPEC_KITTY_32, folder.name, None).add(read(data))
            released = True
        except DiagnosticError:
            released = False
        if released:
            assert "error" not in levels, case["case"]
        seen.add((released, "error" in levels, "warning" in levels))
    # Read by all, by released readers alone, by nobody.
    assert {(True, False, False), (True, False, True), (False, True, False)} <= seen


#: Said of rows that are read, whoever reads them.
AMBIGUOUS = ("EVENT_ID_CONFLICT", "FOREIGN_ROW")


# --- one mutation, one rule

Change = Callable[[Path], None]
LOG = "status.events.jsonl"


def rows(directory: Path) -> list[bytes]:
    return (directory / LOG).read_bytes().splitlines(keepends=True)


def write(directory: Path, lines: list[bytes]) -> None:
    (directory / LOG).write_bytes(b"".join(lines))


def edit_row(directory: Path, number: int, **values: Any) -> None:
    lines = rows(directory)
    lines[number] = json.dumps({**json.loads(lines[number]), **values}, sort_keys=True).encode() + b"\n"
    write(directory, lines)


def drop_row(directory: Path) -> None:
    lines = rows(directory)
    del lines[next(n for n, line in enumerate(lines) if b'"to_lane": "for_review"' in line)]
    write(directory, lines)


def swap_rows(directory: Path) -> None:
    write(directory, rows(directory)[::-1])


def tear(directory: Path) -> None:
    (directory / LOG).write_bytes((directory / LOG).read_bytes()[:-9])


def garble(directory: Path) -> None:
    lines = rows(directory)
    lines[2] = b"<<<<<<< HEAD\n"
    write(directory, lines)


def repeat_row(directory: Path) -> None:
    write(directory, [*rows(directory), rows(directory)[0]])


def same_id(directory: Path) -> None:
    value = {**json.loads(rows(directory)[0]), "reason": "another story"}
    write(directory, [*rows(directory), json.dumps(value).encode() + b"\n"])


def foreign_row(directory: Path) -> None:
    value = {**json.loads(rows(directory)[-1]), "mission_id": "01KZZZZZZZZZZZZZZZZZZZZZZZ", "wp_id": "WP01"}
    value["event_id"] = "01KZZZZZZZZZZZZZZZZZZZZZZY"
    write(directory, [*rows(directory), json.dumps(value).encode() + b"\n"])


def unsafe_package(directory: Path) -> None:
    value = {**json.loads(rows(directory)[-1]), "wp_id": "../../etc", "event_id": "01KZZZZZZZZZZZZZZZZZZZZZZY"}
    write(directory, [*rows(directory), json.dumps(value).encode() + b"\n"])


def edit_snapshot(directory: Path) -> None:
    value = json.loads((directory / "status.json").read_bytes())
    value["work_packages"]["WP01"]["lane"] = "planned"
    (directory / "status.json").write_text(json.dumps(value))


def stale_runtime(directory: Path) -> None:
    value = json.loads((directory / "status.json").read_bytes())
    value["work_packages"]["WP01"]["assignee"] = "somebody"
    (directory / "status.json").write_text(json.dumps(value))


def second_verdict(directory: Path, **more: str) -> None:
    stem = next((directory / "tasks").glob("WP01-*.md")).stem
    folder = directory / "tasks" / stem
    folder.mkdir(exist_ok=True)
    values = {"cycle_number": 10, "mission_slug": directory.name, "wp_id": "WP01", "reviewer_agent": "lee"}
    values |= {"reviewed_at": "2026-01-01T00:00:00Z", "affected_files": [], "verdict": "rejected", **more}
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())
    (folder / "review-cycle-10.md").write_text(f"---\n{text}---\n\nNot yet.\n")


def cleared_verdict(directory: Path) -> None:
    second_verdict(directory, review_artifact_override_actor="lee", review_artifact_override_reason="it was fixed")


def old_review(directory: Path) -> None:
    second_verdict(directory, verdict="changes_requested")


def conflicted_review(directory: Path) -> None:
    second_verdict(directory, verdict="approved")
    path = next((directory / "tasks").glob("*/review-cycle-10.md"))
    path.write_text(path.read_text() + "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n")


def dangling_reference(directory: Path) -> None:
    number = next(n for n, line in enumerate(rows(directory)) if b'"review_ref": null' in line)
    edit_row(directory, number, review_ref=f"review-cycle://{directory.name}/WP01-x/review-cycle-7.md")


def dangling_dependency(directory: Path) -> None:
    path = next((directory / "tasks").glob("WP02-*.md"))
    path.write_text(path.read_text().replace("dependencies: []", "dependencies: [WP77]"))
    assert "WP77" in path.read_text()


def lost_task(directory: Path) -> None:
    next((directory / "tasks").glob("WP02-*.md")).unlink()


def new_task(directory: Path) -> None:
    path = next((directory / "tasks").glob("WP02-*.md"))
    path.with_name("WP03-new.md").write_text(path.read_text().replace("work_package_id: WP02", "work_package_id: WP03"))


def second_task(directory: Path) -> None:
    path = next((directory / "tasks").glob("WP02-*.md"))
    path.with_name("WP02-again.md").write_text(path.read_text())


def renamed_task(directory: Path) -> None:
    path = next((directory / "tasks").glob("WP02-*.md"))
    path.write_text(path.read_text().replace("work_package_id: WP02", "work_package_id: WP09"))


def jump(directory: Path) -> None:
    lines = rows(directory)
    number = next(n for n, line in enumerate(lines) if b'"to_lane": "in_progress"' in line)
    edit_row(directory, number, from_lane="done")


def lose_log(directory: Path) -> None:
    (directory / LOG).unlink()


def coerce(directory: Path) -> None:
    edit_row(directory, 0, force=0)


def separator(directory: Path) -> None:
    lines = rows(directory)
    lines[-1] = json.dumps({**json.loads(lines[-1]), "reason": "a\u2028b"}, ensure_ascii=False).encode() + b"\n"
    write(directory, lines)


def no_newline(directory: Path) -> None:
    (directory / LOG).write_bytes((directory / LOG).read_bytes()[:-1])


def bad_meta(directory: Path) -> None:
    (directory / "meta.json").write_text("[1, 2]")


def edit_meta(directory: Path, **values: Any) -> None:
    value = json.loads((directory / "meta.json").read_bytes())
    (directory / "meta.json").write_text(json.dumps({**value, **values}))


def option_branch(directory: Path) -> None:
    edit_meta(directory, target_branch="--upload-pack=evil")


def second_lane(directory: Path) -> None:
    lanes = [{"lane_id": name, "wp_ids": ["WP01", "WP01"]} for name in ("lane-a", "lane-b")]
    (directory / "lanes.json").write_text(json.dumps({"lanes": lanes}))


def numeric_id(directory: Path) -> None:
    edit_meta(directory, mission_id=7)


def manifest_of_another(directory: Path) -> None:
    (directory / "lanes.json").write_text(json.dumps({"mission_slug": "another", "lanes": []}))


def manifest_of_another_id(directory: Path) -> None:
    (directory / "lanes.json").write_text(json.dumps({"mission_id": "01KZZZZZZZZZZZZZZZZZZZZZZZ", "lanes": []}))


def last_row_ahead(directory: Path) -> None:
    edit_row(directory, len(rows(directory)) - 1, at="2999-01-01T00:00:00+00:00")
    (directory / "status.json").unlink()


def bidi_task(directory: Path) -> None:
    (directory / "tasks" / "notes\u202etxt.exe").write_text("")


ERROR, WARNING, INFO = "error", "warning", "info"
MUTATIONS: list[tuple[Change, set[tuple[str, str]]]] = [
    # A row less: the chain has a gap, and the snapshot counts what is gone.
    (drop_row, {("lane-chain", WARNING), ("snapshot-agreement", ERROR)}),
    (swap_rows, set()),
    (tear, {("log-integrity", ERROR)}),
    (garble, {("log-integrity", ERROR)}),
    (repeat_row, {("log-integrity", INFO)}),
    (same_id, {("log-integrity", ERROR)}),
    (foreign_row, {("log-integrity", ERROR)}),
    (coerce, {("log-integrity", WARNING)}),
    (separator, {("log-integrity", WARNING)}),
    (no_newline, {("log-integrity", INFO)}),
    (unsafe_package, {("unsafe-identifiers", ERROR)}),
    (option_branch, {("unsafe-identifiers", ERROR)}),
    (bidi_task, {("unsafe-identifiers", ERROR)}),
    (edit_snapshot, {("snapshot-agreement", ERROR)}),
    (stale_runtime, {("snapshot-agreement", WARNING)}),
    (second_verdict, {("contradictory-verdicts", ERROR)}),
    (cleared_verdict, {("contradictory-verdicts", INFO)}),
    (old_review, {("mission-files", INFO)}),
    (conflicted_review, {("mission-files", ERROR)}),
    (dangling_reference, {("unresolvable-references", WARNING)}),
    (dangling_dependency, {("unresolvable-references", WARNING)}),
    (lost_task, {("orphan-work-packages", WARNING)}),
    (new_task, {("orphan-work-packages", WARNING)}),
    (second_task, {("mission-files", ERROR)}),
    (renamed_task, {("mission-files", ERROR)}),
    (second_lane, {("mission-files", ERROR)}),
    (jump, {("lane-chain", WARNING)}),
    (numeric_id, {("mission-files", ERROR)}),
    (manifest_of_another, {("mission-files", WARNING)}),
    (manifest_of_another_id, {("mission-files", WARNING)}),
    (last_row_ahead, {("log-integrity", WARNING)}),
    (lose_log, {("snapshot-agreement", ERROR), ("orphan-work-packages", WARNING)}),
    (bad_meta, {("mission-files", ERROR)}),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = mission(tmp_path_factory.mktemp("sound"), {"WP01": "done", "WP02": "in_review"}).directory
    meta = read_meta(built / "meta.json")
    reducer = Reducer(CONTRACT_320, built.name, meta.mission_id)
    reducer.add(read_rows((built / LOG).read_bytes()))
    (built / "status.json").write_bytes(encode_snapshot(reducer.snapshot(meta)))
    return built


@pytest.mark.parametrize(("change", "expected"), MUTATIONS, ids=[change.__name__ for change, _ in MUTATIONS])
def test_the_right_rule_speaks_and_no_other(
    sound: Path, tmp_path: Path, change: Change, expected: set[tuple[str, str]]
) -> None:
    copy = tmp_path / "kitty-specs" / sound.name
    shutil.copytree(sound, copy)
    assert speaking(copy) == set()
    change(copy)
    assert speaking(copy) == expected


# --- hostile missions


def hostile(tmp_path: Path, name: str = "m") -> Path:
    folder = tmp_path / "repository" / "kitty-specs" / name
    (folder / "tasks").mkdir(parents=True)
    (folder / "meta.json").write_text('{"mission_type": "software-dev"}')
    return folder


def found(folder: Path) -> list[tuple[str, str]]:
    (place,) = find_missions([folder])
    return sorted((rule, f"{one.file}: {one.what}") for rule, all_of_it in asked(place).items() for _, one in all_of_it)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": "' + b"x" * 10_000_000 + b'"}\n', "line 1 has 10000009 bytes"),
        (b"\0" * 4096 + b"\n", "line 1 is not JSON"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n", "line 1 is nested deeper"),
        (b'{"wp_id": "\xff"}\n', "line 1 is not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}\n', "line 1 begins with a byte-order mark"),
        (b'{"kind": "\x1b[2J"}\n', "line 1 is not JSON"),
        (b'{"kind": "\\u001b[2J\\u202e"}\n', "line 1 is of unknown kind"),
        (b'{"n": ' + b"9" * 5000 + b"}\n", "line 1"),
    ],
    ids=["10 MB", "NUL", "deep", "not UTF-8", "BOM", "raw escape", "escape", "digits"],
)
def test_a_hostile_line_is_a_finding(tmp_path: Path, data: bytes, said: str) -> None:
    folder = hostile(tmp_path)
    (folder / LOG).write_bytes(data)
    ((rule, what),) = found(folder)
    assert rule == "log-integrity"
    assert what.startswith(f"{LOG}: {said}")
    assert what.isprintable()


def test_many_bad_lines_are_counted(tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    (folder / LOG).write_bytes(b"{\n" * 5000)
    said = found(folder)
    assert len(said) == MOST_FINDINGS + 1
    # All was read: of a longer one the rest is not, and costs nothing.
    (folder / LOG).write_bytes(b"{\n" * 140_000 + b"[\n" * 30_000_000)
    (place,) = find_missions([folder])
    looked = AuditedMission(place, CORPUS_DAY)
    assert len(looked.refused) == looked.seen_lines == (1 << 17) + 1
    assert {one.fields["line"] for one in looked.refused} == set(range(1, looked.seen_lines + 1))
    with pytest.raises(CannotJudge, match=f"nothing behind line {looked.seen_lines} was read"):
        _ = looked.reducer
    assert ("log-integrity", f".: {5000 - MOST_FINDINGS} more findings of log-integrity") in said


@pytest.mark.parametrize("name", ["meta.json", LOG, "status.json", "lanes.json", "tasks/WP01-a.md"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link out", "link to nowhere", "not UTF-8", "deep"])
def test_a_file_that_is_none_is_a_finding(tmp_path: Path, name: str, kind: str) -> None:
    folder = hostile(tmp_path)
    path = folder / name
    path.unlink(missing_ok=True)
    secret = tmp_path / "secret"
    secret.write_text('{"secret": "hunter2"}\n')
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link out":
        path.symlink_to(secret)
    elif kind == "link to nowhere":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "not UTF-8":
        path.write_bytes(b"---\n\xff\n---\n")
    else:
        path.write_bytes(b"---\na: " * (name.startswith("tasks")) + b"[" * 100_000 + b"\n---\n")
    said = found(folder)
    if (name, kind) == ("tasks/WP01-a.md", "folder"):
        assert said == []  # a folder of reviews may be called that
        return
    rules = {rule for rule, what in said if what.startswith(name)}
    assert rules == {"log-integrity" if name == LOG and kind in ("not UTF-8", "deep") else "mission-files"}
    assert "hunter2" not in str(said)
    assert all(what.isprintable() for _, what in said)


@pytest.mark.parametrize("name", ["tasks", "tasks/WP01-a"])
def test_a_folder_that_leads_out_is_not_followed(tmp_path: Path, name: str) -> None:
    folder = hostile(tmp_path)
    outside = tmp_path / "outside"
    (outside / "WP01-a").mkdir(parents=True)
    (outside / "WP01-a.md").write_text("no frontmatter")
    (outside / "review-cycle-1.md").write_text("---\nverdict: rejected\n---\n")
    shutil.rmtree(folder / "tasks")
    if name != "tasks":
        (folder / "tasks").mkdir()
    (folder / name).symlink_to(outside, target_is_directory=True)
    assert found(folder) == [
        ("mission-files", f"{name}: is a link that leads out of the mission; it was not followed"),
    ]


def test_a_mission_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(folder, elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)
    (place,) = find_missions([folder.parent])
    answers = audit(place, now=CORPUS_DAY)
    assert [str(one.what) for one in answers.pop("mission-files")] == [  # type: ignore[union-attr]
        "the directory of the mission is a link; it was not followed"
    ]
    assert all(isinstance(answer, CannotJudge) for answer in answers.values())


def test_a_repository_behind_a_link_is_audited(tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(folder.parent.parent, target_is_directory=True)
    for path in (link, link / "kitty-specs", link / "kitty-specs" / "m"):
        assert [place.directory for place in find_missions([path])] == [folder.resolve()]


@pytest.mark.parametrize("name", ["-rf", "a..b", "\x1b[2J", "a\u202eb", "a b", "a\nb"])
def test_a_name_that_could_lead_elsewhere_is_a_finding(tmp_path: Path, name: str) -> None:
    said = found(hostile(tmp_path, name))
    assert [rule for rule, _ in said] == ["unsafe-identifiers"]
    assert all(what.isprintable() for _, what in said)


def test_a_file_without_the_right_to_read_is_a_finding(tmp_path: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("root reads everything")
    folder = hostile(tmp_path)
    (folder / "meta.json").chmod(0)
    assert found(folder) == [("mission-files", "meta.json: cannot be opened: Permission denied")]


# --- paths and baselines


@pytest.mark.parametrize("make", ["missing", "file", "empty"])
def test_a_path_without_missions_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / make
    if make == "file":
        path.write_text("")
    elif make == "empty":
        path.mkdir()
    with pytest.raises(WrongPathError, match=r"name a kitty-specs folder"):
        find_missions([path])


def test_missions_that_lie_out_of_the_repository_are_not_found(tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "kitty-specs").symlink_to(folder.parent, target_is_directory=True)
    with pytest.raises(WrongPathError, match="leads out of the repository"):
        find_missions([other])


def test_each_mission_is_found_once_and_nothing_else(tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    (folder.parent / ".cache").mkdir()
    (folder.parent / "README.md").write_text("")
    places = find_missions([folder.parent.parent, folder.parent, folder])
    assert [place.name for place in places] == ["m"]


def test_an_entry_of_a_baseline_stands_for_one_finding(tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    path = tmp_path / "baseline.json"
    old, new = (RULES["log-integrity"].found(LOG, subject, "what") for subject in ("old", "new"))
    baseline = Baseline(path)
    baseline.entries.update([baseline.entry(folder, old)])
    baseline.write()
    read_back = Baseline.load(path)
    assert read_back.entries == baseline.entries
    assert read_back.known(folder, [old, new, old]) == [True, False, False]
    judged = {("repository/kitty-specs/m", "log-integrity")}
    assert read_back.stale([], judged) == [baseline.entry(folder, old)]
    assert read_back.stale([baseline.entry(folder, old)], judged) == []
    # What was not asked is not stale, and what is gone is.
    assert read_back.stale([], set()) == []
    shutil.rmtree(folder)
    assert read_back.stale([], set()) == [baseline.entry(folder, old)]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 2, "findings": []}', '{"version": 1, "findings": [1]}', "[" * 100_000]
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(BaselineError, match="--kitty-audit-write-baseline"):
        Baseline.load(path)


def test_an_entry_cannot_reach_the_terminal() -> None:
    assert str(Entry("m", "rule", "\x1b[2J", "a\nb")) == r"m rule: \x1b[2J, a\nb"


def test_a_baseline_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match=r"taken'$"):
        Baseline(tmp_path / "taken").write()
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_an_answer_does_not_keep_what_was_read(tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    (folder / LOG).write_bytes(b"oops\n" * 3)
    (place,) = find_missions([folder])
    reasons = [answer for answer in audit(place, RULES).values() if isinstance(answer, CannotJudge)]
    assert reasons
    assert [(reason.__traceback__, reason.__context__) for reason in reasons] == [(None, None)] * len(reasons)


def test_every_rule_rests_on_clauses_of_the_contract() -> None:
    from kitty_conformance.catalogue import clauses

    for rule in RULES.values():
        assert rule.severity is not Severity.OFF
        assert set(rule.clauses) <= set(clauses())
        assert rule.sentence.endswith(".")
        assert rule.remedy


def test_a_finding_survives_the_way_from_another_process() -> None:
    one = RULES["lane-chain"].found("a\x1b", "s\n", "w\u202e" * 500, line=3, cap=Severity.INFO)
    assert Finding.of(json.loads(json.dumps(one.as_dict()))) == one
    assert (one.file, one.subject, one.place) == ("a\\x1b", "s\\n", "a\\x1b:3")
    assert len(one.what) <= 400
