"""Artifacts, prompts, merge states and missions made by verbs, as the released package reads them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.build.legacy import LEGACY, legacy
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.prompts import BuiltPrompt, prompt
from kitty_reliability.build.reviews import SHAPES, write_cycles, write_review, write_sibling
from kitty_reliability.formats.events import read_rows
from kitty_reliability.formats.merge_state import MergeState, encode_merge_state, state_path
from kitty_reliability.formats.mission import read_meta
from kitty_reliability.formats.profiles import PROFILES, SPEC_KITTY_32, Profile
from kitty_reliability.formats.prompts import PROMPT_FIELDS
from kitty_reliability.formats.reviews import encode_artifact, read_artifact
from kitty_reliability.formats.snapshot import encode_snapshot
from kitty_reliability.implementations.processes import clean_environment
from kitty_reliability.reference.reducer import Reducer

READER = Path(__file__).with_name("released_reader.py")

#: Runs in the environment of the released package: what its readers and its merge gate say.
SCRIPT = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from specify_cli.merge.state import load_state
from specify_cli.post_merge.review_artifact_consistency import find_rejected_review_artifact_conflicts
from specify_cli.review import prompt_metadata
from specify_cli.review.artifacts import ReviewCycleArtifact
from specify_cli.review.cycle import validate_review_cycle_pointer

def artifact(path):
    try:
        read = ReviewCycleArtifact.from_file(Path(path))
    except ValueError:
        return None
    again = Path(path).with_name("again.txt")
    read.write(again)
    return {**read.to_dict(), "body": read.body, "complete": read.has_complete_override, "bytes": again.read_text()}

def numbers(directory):
    try:
        next_number = ReviewCycleArtifact.next_cycle_number(Path(directory))
    except ValueError:
        next_number = None
    return [ReviewCycleArtifact.latest_cycle_number(Path(directory)), next_number]

def built_prompt(requested):
    paths = {key: Path(requested[key]) for key in ("repo_root", "lane_worktree", "prompt_path")}
    wanted = prompt_metadata.ReviewPromptMetadata(**{**requested, **paths})
    options = {key: value for key, value in requested.items() if key not in ("prompt_path", "repo_root", "lane_worktree")}
    made = prompt_metadata.build_review_prompt_metadata(
        repo_root=paths["repo_root"], lane_worktree=paths["lane_worktree"], **options
    )
    try:
        prompt_metadata.validate_review_prompt_metadata(wanted.prompt_path, wanted)
        said = "sound"
    except prompt_metadata.ReviewPromptMetadataError as error:
        said = error.diagnostic["diagnostic_code"]
    return [said, str(made.prompt_path)]

asked = json.load(sys.stdin)
said = {
    "artifacts": [artifact(path) for path in asked.get("artifacts", [])],
    "numbers": [numbers(path) for path in asked.get("directories", [])],
    "references": [validate_review_cycle_pointer(text).cycle_number for text in asked.get("references", [])],
    "prompts": [built_prompt(requested) for requested in asked.get("prompts", [])],
    "gates": [
        [finding.wp_id for finding in find_rejected_review_artifact_conflicts(Path(path))]
        for path in asked.get("missions", [])
    ],
    "states": [asdict(load_state(Path(root), name)) for root, name in asked.get("states", [])],
}
json.dump(said, sys.stdout)
"""

Ask = Callable[..., Any]


@pytest.fixture
def ask(released_python: Path, tmp_path: Path) -> Ask:
    """Asks the released package, in a process of its own."""

    def answer(*arguments: str, asked: object, temporary: Path | None = None) -> Any:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        added = {"HOME": str(home), "SPEC_KITTY_HOME": str(home), "SPEC_KITTY_ENABLE_SAAS_SYNC": "0"}
        if temporary is not None:
            temporary.mkdir(exist_ok=True)
            added["TMPDIR"] = str(temporary)
        done = subprocess.run(
            [str(released_python), *(arguments or ("-c", SCRIPT))],
            input=json.dumps(asked).encode(),
            env=clean_environment(added),
            capture_output=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return answer


# --- artifacts


def test_every_shape_is_read_and_written_again_as_we_read_and_write_it(tmp_path: Path, ask: Ask) -> None:
    made = mission(tmp_path / "repo", {"WP01": "in_review"})
    # One file a directory: what is written again lies beside it.
    paths = []
    for number, shape in enumerate(SHAPES):
        path = write_review(made, "WP01", shape=shape, number=number + 1).path
        paths.append(path.rename(_directory(tmp_path / shape) / path.name))

    said = dict(zip(SHAPES, ask(asked={"artifacts": [str(path) for path in paths]})["artifacts"], strict=True))

    assert {name for name in SHAPES if said[name] is not None} == {name for name in SHAPES if SHAPES[name].released}
    for path, (name, answer) in zip(paths, said.items(), strict=True):
        if answer is None:
            continue
        ours = read_artifact(path, SPEC_KITTY_32)
        values = ours.frontmatter()
        assert {key: values[key] for key in answer if key not in ("body", "complete", "bytes")} == {
            key: value for key, value in answer.items() if key not in ("body", "complete", "bytes")
        }, name
        assert (ours.body, ours.has_complete_override) == (answer["body"], answer["complete"]), name
        # 3.2.7 leaves out the verdict and every key that it does not know, and keeps the quotes that it has read.
        again = answer["bytes"].replace('"', "") if name == "override-of-four" else answer["bytes"]
        assert encode_artifact(replace(ours, verdict=None, extra={})).decode() == again, name


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


def test_numbers_and_references_are_those_of_the_released_package(tmp_path: Path, ask: Ask) -> None:
    made = mission(tmp_path / "repo", {"WP01": "in_review", "WP02": "in_review"})
    written = write_cycles(made, "WP01", {2: "approved", 9: "approved", 10: "rejected"})
    other = write_cycles(made, "WP02", {3: "rejected"})[0]
    write_sibling(made, "WP02", "review-cycle-final.md")
    directories = [str(written[0].path.parent), str(other.path.parent)]

    said = ask(asked={"directories": directories, "references": [review.reference for review in written]})

    assert said["numbers"] == [[10, 11], [3, None]]
    assert said["references"] == [2, 9, 10]


# --- missions made by the verbs


def a_life_with_two_rejections(root: Path) -> Mission:
    made = mission(root, {"WP01": "genesis"})
    made.wp("WP01").plan().claim().start().submit().review().reject().rework().reject(to="in_progress").rework()
    made.wp("WP01").approve().done()
    return made


def every_verdict(root: Path) -> Mission:
    made = mission(root, {f"WP0{number}": "in_review" for number in range(1, 7)})
    made.wp("WP01").reject()
    made.wp("WP02").approve().reject(force=True)
    made.wp("WP03").block().rework().cancel()
    made.wp("WP04").done()
    made.wp("WP05").reject().override()
    made.wp("WP06").reject().override(complete=False).withdraw_override()
    return made


def sources_that_disagree(root: Path) -> Mission:
    made = mission(root, {f"WP0{number}": "in_review" for number in range(1, 7)})
    made.wp("WP01").reject(cycle=1).rework().approve(force=True, artifact=False)
    made.wp("WP02").approve(artifact_verdict="rejected")
    made.wp("WP03").reject(event=False)
    made.wp("WP04").approve(event=False)
    made.wp("WP05").reject(artifact=False)
    made.wp("WP06").reject(shape="prose", artifact_verdict="approved")
    return made


def rejected_at_rest(root: Path) -> Mission:
    """Both sources reject: WP01 and WP02 block everywhere; the others were cleared, or not quite."""
    made = mission(root, {f"WP0{number}": "in_review" for number in range(1, 8)})
    for wp in made.work_packages:
        made.wp(wp).reject().approve(force=True, event=False, artifact=False)
    made.wp("WP02").done()
    made.wp("WP03").override()
    made.wp("WP04").override(complete=False)
    made.wp("WP05").override().withdraw_override()
    made.wp("WP06").reject(to="in_progress").rework().approve()
    made.wp("WP07").reject()
    return made


BUILDERS = [a_life_with_two_rejections, every_verdict, sources_that_disagree, rejected_at_rest]


def _ours(made: Mission, profile: Profile) -> str:
    meta = read_meta(made.paths.meta)
    reducer = Reducer(profile, made.slug, meta.mission_id)
    reducer.add(read_rows(made.log.path.read_bytes(), profile))
    return encode_snapshot(reducer.snapshot(meta)).decode()


def test_the_released_snapshot_of_missions_made_by_verbs_is_ours_byte_for_byte(tmp_path: Path, ask: Ask) -> None:
    built = [builder(tmp_path / builder.__name__) for builder in BUILDERS]

    said = ask(str(READER), asked=[str(made.directory) for made in built])

    for made in built:
        answer = said[str(made.directory)]
        assert "error" not in answer, answer["error"]
        assert (answer["problems"], answer["meta_errors"]) == ([], [])
        for profile in PROFILES.values():
            assert _ours(made, profile) == answer["status_json"]


def test_the_released_gate_blocks_where_both_sources_reject_and_nowhere_else(tmp_path: Path, ask: Ask) -> None:
    built = [builder(tmp_path / builder.__name__) for builder in BUILDERS]

    said = ask(asked={"missions": [str(made.directory) for made in built]})

    assert said["gates"] == [[], [], [], ["WP01", "WP02", "WP04", "WP05"]]


def test_legacy_missions_are_read_as_their_names_promise(tmp_path: Path, ask: Ask) -> None:
    built = {name: legacy(name, tmp_path / name) for name in LEGACY}

    said = ask(str(READER), asked=[str(made.directory) for made in built.values()])

    answers = {name: said[str(made.directory)] for name, made in built.items()}
    assert {name for name in LEGACY if "error" not in answers[name]} == {
        name for name in LEGACY if LEGACY[name].released
    }
    assert "CorruptLanesError" in answers["manifest-with-feature-slug"]["error"]
    for name, made in built.items():
        if LEGACY[name].released:
            for profile in PROFILES.values():
                assert _ours(made, profile) == answers[name]["status_json"], name


# --- prompts and merge states


def test_prompts_lie_where_the_released_package_puts_them_and_are_judged_as_they_are_named(
    tmp_path: Path, ask: Ask
) -> None:
    made = mission(tmp_path / "a repo", {"WP01": "in_review"})
    temporary = (tmp_path / "tmp").resolve()

    def each(number: int) -> BuiltPrompt:
        return prompt(made, temporary=temporary, invocation_id=f"{number:032x}")

    damage: list[tuple[str, Callable[[BuiltPrompt], BuiltPrompt]]] = [
        ("sound", lambda built: built),
        ("REVIEW_PROMPT_METADATA_MISSING", BuiltPrompt.missing),
        ("REVIEW_PROMPT_METADATA_MISSING", BuiltPrompt.emptied),
        ("REVIEW_PROMPT_METADATA_MISSING", BuiltPrompt.truncated),
        ("REVIEW_PROMPT_METADATA_MISSING", BuiltPrompt.without_frontmatter),
        ("REVIEW_PROMPT_METADATA_MISSING", BuiltPrompt.as_directory),
    ]
    for field in PROMPT_FIELDS:
        damage += [
            ("REVIEW_PROMPT_METADATA_MISMATCH", lambda built, field=field: built.tampered(field)),
            ("REVIEW_PROMPT_METADATA_MISMATCH", lambda built, field=field: built.without(field)),
        ]
    built = [change(each(number)) for number, (_, change) in enumerate(damage)]

    said = ask(asked={"prompts": [each.requested.as_dict() for each in built]}, temporary=temporary)

    expected = [[word, str(one.path)] for (word, _), one in zip(damage, built, strict=True)]
    assert said["prompts"] == expected


def test_a_merge_state_is_read_as_we_read_it(tmp_path: Path, ask: Ask) -> None:
    full = MergeState(
        "01JNDKSD00000000000000000A", "demo", "main", ("WP01", "WP02"), ("WP01",), "WP02", True, "squash",
        str(tmp_path), "2025-03-03T09:00:00+00:00", "2025-03-03T09:01:00+00:00", True, True, {"coord_ref": "x"},
    )  # fmt: skip
    states = [full, MergeState("042-demo", "042-demo", "main", ())]
    for state in states:
        path = state_path(tmp_path, state.mission_id)
        path.parent.mkdir(parents=True)
        path.write_bytes(encode_merge_state(state))

    said = ask(asked={"states": [[str(tmp_path), state.mission_id] for state in states]})

    assert said["states"] == [json.loads(encode_merge_state(state)) for state in states]
