"""The golden vectors are what their generators write, are what their schemas say, and are shipped."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kitty_conformance import vectors
from kitty_conformance.command import main
from kitty_conformance.vectors.cases import bytes_of, plain, spelled

ROOT = Path(__file__).parent.parent


def load(name: str) -> Any:
    return json.loads((vectors.folder() / name).read_bytes())


MANIFEST = load("manifest.json")
FILES = {entry["file"]: load(entry["file"]) for entry in MANIFEST["files"]}
EVERY = [one for file in FILES.values() for one in file.get("vectors", ())]


def test_the_files_are_what_the_generators_write() -> None:
    assert vectors.stale() == [], "run: python -m kitty_conformance.vectors write"


def test_writing_mends_what_is_stale_and_removes_what_nobody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in vectors.folder().rglob("*.json"):
        copy = tmp_path / path.relative_to(vectors.folder())
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(vectors, "folder", lambda: tmp_path)
    assert main(["vectors", "check"]) == 0
    (tmp_path / "rows.json").write_bytes(b"{}\n")
    (tmp_path / "older.json").write_bytes(b"{}\n")
    assert main(["vectors", "check"]) == 1
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["older.json;", "rows.json;"]
    assert main(["vectors", "write"]) == 0
    assert main(["vectors", "check"]) == 0
    assert not (tmp_path / "older.json").exists()


@pytest.mark.parametrize("name", ["manifest.json", *FILES])
def test_a_file_is_what_its_schema_says(name: str) -> None:
    schema = load(f"schemas/{name.removesuffix('.json')}.schema.json")
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(load(name))] == []


@pytest.mark.parametrize("name", ["manifest.json", *FILES])
def test_a_schema_refuses_another_shape(name: str) -> None:
    validator = Draft202012Validator(load(f"schemas/{name.removesuffix('.json')}.schema.json"))
    whole = load(name)
    (items,) = (key for key in ("vectors", "edges", "files") if key in whole)
    first = whole[items][0]
    assert not validator.is_valid({**whole, "mood": "fine"})
    assert not validator.is_valid({**whole, items: [{**first, "mood": "fine"}]})
    for key in first.keys() - {"remark"}:
        assert not validator.is_valid({**whole, items: [{one: first[one] for one in first if one != key}]}), key
    if items == "vectors":
        (outcome, *_) = first["expected"]
        for wrong in (
            [],
            [{**outcome, "profiles": ["another"]}],
            [{"profiles": outcome["profiles"]}],
            [{**outcome, "ok": 7}],
        ):
            assert not validator.is_valid({**whole, items: [{**first, "expected": wrong}]}), wrong


def test_the_manifest_lists_every_file_as_it_is() -> None:
    there = {path.name for path in vectors.folder().glob("*.json")} - {"manifest.json"}
    assert there == FILES.keys()
    for entry in MANIFEST["files"]:
        data = (vectors.folder() / entry["file"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        assert entry["count"] == len(FILES[entry["file"]].get("vectors") or FILES[entry["file"]]["edges"])
        assert (vectors.folder() / entry["schema"]).exists()
    assert MANIFEST["count"] == sum(entry["count"] for entry in MANIFEST["files"])


def test_ids_are_unique_and_each_profile_has_one_expectation() -> None:
    assert len({one["id"] for one in EVERY}) == len(EVERY) > 700
    for one in EVERY:
        assert sorted(name for expected in one["expected"] for name in expected["profiles"]) == sorted(one["profiles"])


def test_the_bytes_of_a_file_are_the_same_everywhere() -> None:
    for path in vectors.folder().rglob("*.json"):
        data = path.read_bytes()
        assert data.isascii()
        assert data.endswith(b"\n")
        assert b"\r" not in data
        # Half a character is none in most languages, and an integer beyond 53 bits another one.
        json.loads(
            data, parse_constant=pytest.fail, parse_int=lambda digits: abs(int(digits)) < 2**53 or pytest.fail(digits)
        )
        json.dumps(json.loads(data), ensure_ascii=False).encode()


@pytest.mark.parametrize("data", [b"a\r\n\x00", b"\xff", "\u2028\U0001f600".encode()])
def test_bytes_come_back_as_they_went(data: bytes) -> None:
    assert bytes_of(spelled(data)) == data
    assert bytes_of({"pieces": [{"text": "ab", "times": 2}, {"text": "c", "times": 0}]}) == b"abab"


def test_what_json_parsers_differ_about_is_told_apart() -> None:
    assert plain({"a": [2**53, True, 7], "b": float("inf")}) == {
        "a": [{"$integer": "9007199254740992"}, True, 7],
        "b": {"$float": "inf"},
    }


def test_the_vectors_are_in_wheel_and_sdist() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert "conformance/kitty_conformance" in build["wheel"]["packages"]
    assert {"conformance", "schemas"} <= set(build["sdist"]["include"])
    # The builder leaves out what git ignores, and nothing else.
    assert not {"exclude", "only-include"} & (build["wheel"].keys() | build["sdist"].keys())
    paths = [path.relative_to(ROOT).as_posix() for path in vectors.folder().rglob("*.json")]
    ignored = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ignored.stdout == ""
