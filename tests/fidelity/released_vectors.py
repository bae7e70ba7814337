"""Runs inside the environment of the released package: answers the golden vectors of profile spec-kitty-3.2.

Input, as JSON on stdin: ``{"folder": a scratch directory, "vectors": [{"id", "input"}, ...]}``. Output: id -> ``{"ok": value}``
or ``{"error": text}``. Nothing of this project is imported.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def bytes_of(value: dict[str, Any]) -> bytes:
    """Return the bytes that a vector means."""
    if "pieces" in value:
        return b"".join(piece["text"].encode() * piece["times"] for piece in value["pieces"])
    return base64.b64decode(value["base64"]) if "base64" in value else value["text"].encode()


def _mission(folder: Path, given: dict[str, Any]) -> Path:
    directory = folder / "kitty-specs" / given.get("mission_slug", "demo-01KVMSSN")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "status.events.jsonl").write_bytes(bytes_of(given["log"]))
    (directory / "meta.json").write_text(json.dumps(given.get("meta", {})))
    return directory


def rows(folder: Path, given: dict[str, Any]) -> Any:
    """Return event id and work package of the rows that count, transitions first."""
    from specify_cli.status.store import read_event_stream

    stream = read_event_stream(_mission(folder, given))
    return [[row.event_id, row.wp_id] for row in (*stream.transitions, *stream.annotations)]


def reducer(folder: Path, given: dict[str, Any]) -> Any:
    """Return the snapshot as the release writes it."""
    from specify_cli.status.reducer import materialize_snapshot, materialize_to_json

    return materialize_to_json(materialize_snapshot(_mission(folder, given)))


def transitions(_: Path, given: dict[str, Any]) -> Any:
    """Return nothing for a legal transition; raise for another."""
    from specify_cli.status.models import GuardContext
    from specify_cli.status.transitions import validate_transition

    brought = {key: value for key, value in given.items() if key not in ("from", "to")}
    if "review_result" in brought:
        brought["review_result"] = SimpleNamespace(**brought["review_result"])
    if "evidence" in brought:
        brought["evidence"] = SimpleNamespace(
            **{key: SimpleNamespace(**one) for key, one in brought["evidence"].items()}
        )
    legal, problem = validate_transition(given["from"], given["to"], GuardContext(**brought))
    if not legal:
        raise ValueError(problem)


def globs(_: Path, given: dict[str, Any]) -> Any:
    """Say whether the commit guard takes the path for one of the patterns."""
    from specify_cli.policy.commit_guard import _matches_any_glob

    return bool(_matches_any_glob(given["path"], given["patterns"]))


def frontmatter(folder: Path, given: dict[str, Any]) -> Any:
    """Return frontmatter and body; raise also for a key that the release does not know, and for a file without an id."""
    from specify_cli.frontmatter import FrontmatterManager
    from specify_cli.status.wp_metadata import WPMetadata

    path = folder / "WP01-demo.md"
    path.write_bytes(bytes_of(given["file"]))
    values, body = FrontmatterManager().read(path)
    if unknown := sorted(set(values) - set(WPMetadata.model_fields)):
        raise ValueError(f"unknown keys {unknown}")
    WPMetadata.model_validate({"work_package_id": values.get("work_package_id"), "title": "t"}, strict=False)
    return [json.loads(json.dumps(values, default=repr)), body]


def prompts(folder: Path, given: dict[str, Any]) -> Any:
    """Raise unless the prompt is what was asked for."""
    from specify_cli.review import prompt_metadata

    path = folder / "prompt.md"
    path.write_bytes(bytes_of(given["file"]))
    asked = given["requested"]
    paths = {key: Path(asked[key]) for key in ("repo_root", "lane_worktree", "prompt_path")}
    prompt_metadata.validate_review_prompt_metadata(path, prompt_metadata.ReviewPromptMetadata(**{**asked, **paths}))


def prompt_paths(_: Path, given: dict[str, Any]) -> Any:
    """Return where the prompt is, below the directory for temporary files."""
    import tempfile

    from specify_cli.review.prompt_metadata import review_prompt_path

    asked = {**given, "repo_root": Path(given["repo_root"])}
    return review_prompt_path(**asked).relative_to(tempfile.gettempdir()).as_posix()


READERS: dict[str, Callable[[Path, dict[str, Any]], Any]] = {
    reader.__name__: reader for reader in (rows, reducer, transitions, globs, frontmatter, prompts, prompt_paths)
}


def main() -> None:
    """Answer everything; what a reader raises is an answer."""
    asked = json.load(sys.stdin)
    folder, said = Path(asked["folder"]), {}
    with contextlib.redirect_stdout(sys.stderr):
        for vector in asked["vectors"]:
            try:
                said[vector["id"]] = {"ok": READERS[vector["id"].partition("/")[0]](folder, vector["input"])}
            except Exception as error:  # noqa: BLE001 - whatever it raises is the answer
                said[vector["id"]] = {"error": f"{type(error).__name__}: {error}"[:500]}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
