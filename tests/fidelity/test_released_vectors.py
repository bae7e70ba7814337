"""The golden vectors of profile spec-kitty-3.2 against the released package itself, asked once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kitty_conformance.vectors import folder
from kitty_reliability.faults.process import Sandbox

SCRIPT = Path(__file__).with_name("released_vectors.py")
PROFILE = "spec-kitty-3.2"

#: Vectors of profile spec-kitty-3.2 that 3.2.7 answers otherwise, by id.
DIFFERENCES = {
    "reducer/number-in-the-slug": "3.2.7 takes the number from the slug of the first row, not from that of meta.json",
    "rows/policy-list-on-a-claim": "3.2.7 reads the row, and dies of it when it reduces: no snapshot in both cases",
    "rows/wp-id-list": "3.2.7 reads the row, and dies of it when it reduces: no snapshot in both cases",
    "rows/wp-id-null": "3.2.7 keeps null until it writes the snapshot; the name there is the one of the vector",
    "rows/wp-id-number": "3.2.7 keeps the number until it writes the snapshot; the name there is the one of the vector",
}


def every_vector() -> dict[str, dict[str, Any]]:
    """Return what the release can be asked, by id; of diagnostics and instants it has no function."""
    families = json.loads((folder() / "manifest.json").read_text())["files"]
    names = {family["file"] for family in families} - {"lane_table.json", "diagnostics.json", "instants.json"}
    files = [json.loads((folder() / name).read_text()) for name in sorted(names)]
    # A recovery read is another operation than the one that the release has.
    return {one["id"]: one for file in files for one in file["vectors"] if not one["input"].get("recover")}


def expected(vector: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Return what a vector expects, as the release tells it."""
    outcome = next(one for one in vector["expected"] if profile in one["profiles"])
    if "error" in outcome:
        return {"error": True}
    family, ok = vector["id"].partition("/")[0], outcome["ok"]
    told: Any = {
        "rows": lambda: [
            [row["event_id"], row["wp_id"]]
            for kind in ("lane", "annotation")
            for row in ok["rows"]
            if row["kind"] == kind
        ],
        "reducer": lambda: json.dumps(whole(ok["snapshot"]), sort_keys=True, indent=2, ensure_ascii=False) + "\n",
        "globs": lambda: ok["matches"],
        "frontmatter": lambda: [whole(ok["frontmatter"]), ok["body"]],
        "prompt_paths": lambda: ok["path"],
    }.get(family, lambda: None)()
    return {"ok": told}


def whole(value: Any) -> Any:
    """Return ``value`` with its large integers as integers."""
    if isinstance(value, dict):
        return int(value["$integer"]) if set(value) == {"$integer"} else {key: whole(one) for key, one in value.items()}
    return [whole(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def said(
    sandbox: Sandbox, released_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    asked = [{"id": name, "input": vector["input"]} for name, vector in every_vector().items()]
    done = subprocess.run(
        [released_python, SCRIPT],
        env=sandbox.environment,
        input=json.dumps({"folder": str(tmp_path_factory.mktemp("vectors")), "vectors": asked}),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return answers


def same(told: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return "error" in told if "error" in wanted else told == wanted


def test_the_release_answers_every_vector_of_its_profile(said: dict[str, dict[str, Any]]) -> None:
    vectors = {name: vector for name, vector in every_vector().items() if PROFILE in vector["profiles"]}
    differing = {name for name, vector in vectors.items() if not same(said[name], expected(vector, PROFILE))}
    assert len(vectors) > 600
    shown = [(name, said[name], expected(vectors[name], PROFILE)) for name in sorted(differing - DIFFERENCES.keys())]
    assert shown == [], "not explained"
    assert DIFFERENCES.keys() - differing == set(), "nothing to explain"


def test_the_release_answers_otherwise_where_a_vector_says_so(said: dict[str, dict[str, Any]]) -> None:
    vectors = {name: vector for name, vector in every_vector().items() if PROFILE not in vector["profiles"]}
    assert len(vectors) > 10
    assert [name for name, vector in vectors.items() if not vector["remark"]] == []
    assert [name for name, vector in vectors.items() if same(said[name], expected(vector, "contract-320"))] == []
