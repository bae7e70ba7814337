"""The words of the protocol in those of the released command, and what it prints in those of the protocol. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from kitty_reliability.formats.prompts import PromptFormatError, read_prompt

from .protocol import Materialize, MaterializeAnswer, Open, OpenAnswer, Outcome, State, Transition

__all__ = [
    "answer_of",
    "claims",
    "commands_shown",
    "open_mission",
    "options_of",
    "prompt_named",
    "read_places",
    "standing",
]

#: What the text of ``action`` says of a start, the last thing it says counts.
_STARTED: Final = re.compile(r"(?P<claimed>Claimed) (?P<wp>WP\w+)|(?P<held>WP\w+) is already in lane: (?P<lane>\w+)")
#: How ``action review`` names the prompt that it wrote.
_PROMPT: Final = re.compile(r"^[ \t]+cat (?P<path>\S.*?)[ \t]*$", re.MULTILINE)
#: The commands that it shows for a lane's changes: on its output, and in the prompt before the task itself begins.
_LOOK: Final = re.compile(
    r"^(?:(?:[ \t]*|.*Review diff: )(?P<line>git (?:diff|log) .+?)[ \t]*|"
    r"[ \t]*\"diff_command\": (?P<json>\".+\"),?)$",
    re.MULTILINE,
)
_TASK_BEGINS: Final = "WORK PACKAGE PROMPT BEGINS"
#: What a prompt says of a lane in its text; before 3.2 it says so nowhere else.
_CONTEXT: Final = re.compile(
    r"^Branch: +(?P<lane>\S.*)\nBase branch: (?P<base>\S.*) \(\d+ commits ahead\)\n(?:.*\n)*? +cd (?P<cwd>\S.*)$",
    re.MULTILINE,
)


def claims(text: str) -> list[re.Match[str]]:
    """Return what ``action`` says it claimed: ``claimed`` and ``wp``, or ``held`` and the ``lane`` that it is in."""
    return list(_STARTED.finditer(text))


def prompt_named(text: str) -> str | None:
    """Return the path of the prompt that ``action review`` says it wrote, as it says it."""
    named: list[str] = [match["path"] for match in _PROMPT.finditer(text)]
    return named[-1] if named else None


def commands_shown(text: str, body: str) -> list[str]:
    """Return the lines for looking at changes that stand in what was printed, and in a prompt before its task begins."""
    found = _LOOK.finditer(f"{text}\n{body.partition(_TASK_BEGINS)[0]}")
    return list(dict.fromkeys(match["line"] or _unquoted(match["json"]) for match in found))


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def read_places(prompt: Path) -> tuple[dict[str, str], str] | None:
    """Return what a prompt says of branches and place, and its text; None when it says nothing of them."""
    try:
        read = read_prompt(prompt)
    except PromptFormatError:
        try:
            body = prompt.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
        said = _CONTEXT.search(body.partition(_TASK_BEGINS)[0])
        if said is None:
            return None
        # One branch stands for both: it knows the mission's branch as the base, and as nothing else.
        names = {"base_ref": said["base"], "mission_branch": said["base"], "lane_branch": said["lane"]}
        return {**names, "cwd": said["cwd"]}, body
    of = read.metadata
    names = {"base_ref": of.base_ref, "mission_branch": of.mission_branch, "lane_branch": of.lane_branch}
    return {**names, "cwd": of.lane_worktree}, read.body


_LOG: Final = "status.events.jsonl"


def options_of(request: Transition) -> list[tuple[str, str | None]]:
    """Return the options of ``emit`` that say what ``request`` says."""
    options: list[tuple[str, str | None]] = [("--to", request.to), ("--actor", str(request.actor or ""))]
    if request.force:
        options.append(("--force", None))
    texts = {
        "--reason": request.reason,
        "--review-ref": request.review_ref,
        "--evidence-json": None if request.evidence is None else json.dumps(request.evidence),
        "--review-result-json": None if request.review_result is None else json.dumps(request.review_result),
        "--workspace-context": request.workspace_context,
        "--execution-mode": request.execution_mode if request.execution_mode != "worktree" else None,
    }
    return options + [(option, text) for option, text in texts.items() if text is not None]


def answer_of(request: Transition | State | Materialize, told: dict[str, Any]) -> dict[str, Any]:
    """Return what the command printed in the words of the protocol; ``checked_answer`` judges its shape."""
    match request:
        case Transition():
            event = told.get("event_id")
            changed = told.get("changed", told.get("transition_applied"))
            return {
                "changed": event is not None if changed is None else changed,
                "event_id": event,
                "work_package_id": told.get("work_package_id", told.get("wp_id")),
                "from_lane": told.get("from_lane"),
                "to_lane": told.get("to_lane"),
                "status_events_path": told.get("status_events_path"),
            }
        case Materialize():
            path = Path(request.root) / "kitty-specs" / request.mission / "status.json"
            return MaterializeAnswer(path=str(path), snapshot=told).model_dump()
        case State():
            rows = told.get("work_packages")
            lanes = {row.get("id"): row.get("lane") for row in rows} if isinstance(rows, list) else None
            return {"log": None, "lanes": lanes}


def standing(blocker: dict[str, Any]) -> dict[str, Any]:
    """Return what a blocker says of a work package: without the path of an artifact, the verdict is an event's."""
    path, verdict = blocker.get("latest_review_cycle_path"), blocker.get("latest_review_cycle_verdict")
    return {
        "work_package_id": blocker.get("branch_or_work_package"),
        "lane": blocker.get("lane"),
        "artifact_path": path,
        "artifact_verdict": None if path is None else verdict,
        "event_verdict": verdict if path is None else None,
    }


def open_mission(request: Open) -> Outcome:
    """Find the mission as the command does: by its directory, on the checked-out branch."""
    if Path(request.mission).name != request.mission or request.mission in ("", ".."):
        return Outcome.refused({"message": f"not the name of a mission: {request.mission!r}"})
    directory = Path(request.root) / "kitty-specs" / request.mission
    if not directory.is_dir():
        return Outcome.refused({"message": f"no mission directory {directory}"})
    try:
        meta = json.loads((directory / "meta.json").read_bytes())
        told = meta.get("mission_id")
    except (OSError, ValueError, AttributeError):
        told = None
    answer = OpenAnswer(
        mission_slug=request.mission,
        mission_id=told if isinstance(told, str) else None,
        status_events_path=str(directory / _LOG),
    )
    return Outcome.success(answer)
