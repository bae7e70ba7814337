"""Runs inside the environment of the released package: reads what is asked for with its own readers, prints JSON.

Input, as JSON on stdin: a list of mission directories, for an object of what ``look`` says of each. With the argument
``questions``: on each line a list of ``[reader, argument]`` with a name of ``READERS``, for a line with a list of answers.
A refusal is an answer: ``{"error": text}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any


def look(directory: Path) -> dict[str, Any]:
    """Return what the released package makes of one mission."""
    from specify_cli.lanes.persistence import read_lanes_json
    from specify_cli.mission_metadata import load_meta, validate_meta
    from specify_cli.status.reducer import materialize_snapshot, materialize_to_json
    from specify_cli.status.store import read_event_stream, read_events_raw
    from specify_cli.status.validate import (
        validate_done_evidence,
        validate_event_schema,
        validate_transition_legality,
    )
    from specify_cli.status.wp_metadata import read_authored_wp_frontmatter

    said: dict[str, Any] = {}
    stream = read_event_stream(directory)
    lanes = [row for row in read_events_raw(directory) if "to_lane" in row and row.get("kind") is None]
    said["lane_rows"] = len(lanes)
    said["annotations"] = len(stream.annotations)
    said["problems"] = [problem for row in lanes for problem in validate_event_schema(row)]
    said["problems"] += validate_transition_legality(lanes) + validate_done_evidence(lanes)
    manifest = read_lanes_json(directory)
    said["lanes"] = None if manifest is None else [lane.lane_id for lane in manifest.lanes]
    said["status_json"] = materialize_to_json(materialize_snapshot(directory))
    meta = load_meta(directory)
    said["meta_errors"] = list(validate_meta(meta))
    said["work_packages"] = {}
    for path in sorted((directory / "tasks").glob("WP*.md")):
        metadata, _ = read_authored_wp_frontmatter(path)
        said["work_packages"][path.name] = metadata.work_package_id
    return said


def mission(directory: str) -> dict[str, Any]:
    """Say what ``look`` says; raise for any problem that a validator has."""
    said = look(Path(directory))
    refuse(said["problems"] + said["meta_errors"])
    return said


def events(directory: str) -> dict[str, Any]:
    """Return the rows that are no transitions by name, with all names; raise where a contract refuses one."""
    from spec_kitty_events.conformance import validate_event
    from spec_kitty_events.conformance.validators import _EVENT_TYPE_TO_MODEL
    from specify_cli.decisions import emit
    from specify_cli.retrospective import events as named
    from specify_cli.retrospective import lifecycle_events as typed
    from specify_cli.retrospective.gate import _read_retrospective_events
    from specify_cli.status.lifecycle_events import LIFECYCLE_EVENT_TYPES, read_lifecycle_events

    log = Path(directory) / "status.events.jsonl"
    decisions = {
        "DecisionPointOpened": emit.DecisionPointOpenedInterviewPayload,
        "DecisionPointResolved": emit.DecisionPointResolvedInterviewPayload,
    }
    said = []
    for row in read_lifecycle_events(log):
        kind = row["event_type"]
        said.append(kind)
        if kind in decisions:
            decisions[kind].model_validate_json(json.dumps(row["payload"]))
        elif kind in _EVENT_TYPE_TO_MODEL:
            result = validate_event(dict(row["payload"]), kind, strict=True)
            refuse([f"{kind}: {problem}" for problem in (*result.model_violations, *result.schema_violations)])
    for row in _read_retrospective_events(log):
        kind = row["event_name"]
        said.append(kind)
        words = kind.removeprefix("retrospective.").split(".")
        model = getattr(named, "".join(word.title() for word in words) + "Payload")
        model.model_validate(row["payload"])
        named.ActorRef.model_validate(row["actor"])
        refuse([] if row["mid8"] == row["mission_id"][:8] else [f"{kind}: mid8 {row['mid8']!r}"])
    for line in log.read_text().splitlines():
        row = json.loads(line)
        kind = row.pop("type", None)
        if kind is not None:
            said.append(kind)
            actor = typed.Actor(**row.pop("actor"))
            written = getattr(typed, kind)(**row, actor=actor).to_dict()
            refuse([] if written == {**row, "type": kind, "actor": asdict(actor)} else [f"{kind}: {row}"])
    own = {name for name in vars(typed) if name.startswith("Retrospective")}
    # ``ProjectInitialized`` goes to the project's own log.
    known = (LIFECYCLE_EVENT_TYPES - {"ProjectInitialized"}) | named.RETROSPECTIVE_EVENT_NAMES | own | set(decisions)
    return {"events": said, "known": sorted(known)}


def artifacts(directory: str) -> dict[str, Any]:
    """Return the verdict word of each review artifact; raise for one that its validator refuses."""
    from specify_cli.review.cycle import validate_review_artifact_file

    paths = sorted(Path(directory, "tasks").glob("*/review-cycle-*.md"))
    return {f"{path.parent.name}/{path.name}": validate_review_artifact_file(path).cycle_number for path in paths}


def references(directory: str) -> dict[str, str | None]:
    """Return where each ``review_ref`` of the log leads; raise for one that leads nowhere."""
    from specify_cli.review.cycle import resolve_review_cycle_pointer
    from specify_cli.status.store import read_events_raw

    found = {}
    for row in read_events_raw(Path(directory)):
        reference = row.get("review_ref")
        if reference and reference.startswith("review-cycle://"):
            path = resolve_review_cycle_pointer(Path(directory).parent.parent, reference).path
            refuse([] if path else [f"{reference} leads nowhere"])
            found[reference] = str(path)
    return found


def gate(directory: str) -> None:
    """Raise when the merge gate finds an approved work package whose latest review rejects it."""
    from specify_cli.post_merge.review_artifact_consistency import find_rejected_review_artifact_conflicts

    refuse([found.wp_id for found in find_rejected_review_artifact_conflicts(Path(directory))])


def context(asked: dict[str, str]) -> dict[str, Any]:
    """Return what is remembered of a lane; raise when nothing is, or when the ownership guard cannot go by it."""
    from specify_cli.workspace.context import load_context, resolve_active_wp_for_branch

    root = Path(asked["root"])
    loaded = load_context(root, asked["name"])
    if loaded is None:
        raise ValueError("no context")
    found = resolve_active_wp_for_branch(root, loaded.branch_name)
    refuse([found.diagnostic_code] if found.diagnostic_code else found.warnings)
    return {**loaded.to_dict(), "active": found.wp_id, "owned": found.owned_files, "source": found.context_source}


def manifest(directory: str) -> Any:
    """Return the lane manifest as the release would write it again."""
    from specify_cli.lanes.persistence import read_lanes_json

    found = read_lanes_json(Path(directory))
    if found is None:
        raise ValueError("no manifest")
    return found.to_dict()


def merge_state(asked: dict[str, str]) -> dict[str, Any]:
    """Return a merge state; raise when there is none to resume from."""
    from specify_cli.merge.state import load_state

    found = load_state(Path(asked["root"]), asked["mission"])
    if found is None:
        raise ValueError("no state")
    return asdict(found)


def prompt(asked: dict[str, str]) -> str:
    """Say that a prompt is what was asked for; raise with the diagnostic when it is not."""
    from specify_cli.review import prompt_metadata

    paths = {key: Path(asked[key]) for key in ("repo_root", "lane_worktree", "prompt_path")}
    wanted = prompt_metadata.ReviewPromptMetadata(**{**asked, **paths})
    prompt_metadata.validate_review_prompt_metadata(wanted.prompt_path, wanted)
    return asked["prompt_path"]


def refuse(problems: list[Any]) -> None:
    """Raise when there is a problem."""
    if problems:
        raise ValueError("; ".join(map(str, problems)))


#: What can be asked by name; each raises for what the released package does not accept.
READERS: dict[str, Callable[[Any], Any]] = {
    reader.__name__: reader
    for reader in (
        mission,
        events,
        artifacts,
        references,
        gate,
        context,
        manifest,
        merge_state,
        prompt,
    )
}


def attempt(reader: Callable[[Any], Any], argument: Any) -> Any:
    """Return what a reader says; a failure is an answer."""
    try:
        return reader(argument)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the answer
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer every question of every line, or of the whole input."""
    if sys.argv[1:] == ["questions"]:
        for line in sys.stdin:
            print(json.dumps([attempt(READERS[name], argument) for name, argument in json.loads(line)]), flush=True)
    else:
        json.dump({name: attempt(look, Path(name)) for name in json.load(sys.stdin)}, sys.stdout)


if __name__ == "__main__":
    main()
