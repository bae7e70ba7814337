"""Golden vectors: what the formats and rules of a mission come to, as JSON that a program in any language can go by.

``manifest.json`` names the files. ``python -m kitty_conformance.vectors write`` makes all of them anew, ``check`` says
which are not what would be written. The lane table is typed from the contract and only listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

__all__ = ["VERSION", "encoded", "expected_files", "folder", "stale", "write"]

#: Of the shapes of these files. Ids of vectors never change and are never used again.
VERSION: Final = 1
_COMMAND: Final = "python -m kitty_conformance.vectors write"


def folder() -> Path:
    """Return where the files are."""
    return Path(str(files(__package__)))


def encoded(value: Any) -> bytes:
    """Return the bytes of a file: ASCII, one blank, final newline; ValueError for what JSON does not have."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode("ascii")


@cache
def expected_files() -> dict[str, bytes]:
    """Return every file that is generated, by its name in the folder."""
    from .cases import vectors_of
    from .families import FAMILIES
    from .shapes import schemas

    made: dict[str, bytes] = {}
    listed: list[dict[str, Any]] = []
    for family in FAMILIES:
        vectors = vectors_of(family)
        head = {"family": family.name, "version": VERSION, "description": family.about}
        made[f"{family.name}.json"] = encoded({**head, "vectors": vectors})
        profiles = sorted({name for vector in vectors for name in vector["profiles"]})
        about = {"section": family.section, "clauses": [*family.clauses], "generator": _COMMAND}
        listed.append({"family": family.name, "count": len(vectors), "profiles": profiles, **about})
        if family.name == "transitions":
            listed.append(_lane_table())
    for name, schema in schemas().items():
        made[f"schemas/{name}.schema.json"] = encoded(schema)
    entries = [_entry(item, made) for item in listed]
    made["manifest.json"] = encoded(_manifest(entries))
    return made


def _lane_table() -> dict[str, Any]:
    from kitty_reliability.formats.profiles import PROFILES

    from .transition_cases import table

    about = {"section": "interop 3.2", "clauses": ["STA-007"], "generator": "typed from the contract"}
    return {"family": "lane_table", "count": len(table()["edges"]), "profiles": [*PROFILES], **about}


def _entry(item: Mapping[str, Any], made: Mapping[str, bytes]) -> dict[str, Any]:
    name = f"{item['family']}.json"
    data = made[name] if name in made else (folder() / name).read_bytes()
    schema = f"schemas/{item['family']}.schema.json"
    return {"file": name, "schema": schema, "sha256": hashlib.sha256(data).hexdigest(), **item}


def _manifest(entries: list[dict[str, Any]]) -> dict[str, Any]:
    from kitty_conformance.catalogue import clauses, contract_hash
    from kitty_reliability.formats.profiles import PROFILES

    return {
        "version": VERSION,
        "contract": {"clauses": len(clauses()), "hash": f"sha256:{contract_hash()}"},
        "profiles": [*PROFILES],
        "generator": _COMMAND,
        "count": sum(entry["count"] for entry in entries),
        "files": entries,
    }


def stale() -> list[str]:
    """Return the names of the files that are not what would be written, and of those that nobody would write."""
    wanted = expected_files()
    there = {path.relative_to(folder()).as_posix(): path for path in folder().rglob("*.json")}
    differing = {name for name, data in wanted.items() if name not in there or there[name].read_bytes() != data}
    return sorted(differing | (there.keys() - wanted.keys() - {"lane_table.json"}))


def write() -> list[str]:
    """Write the files that are stale and return their names; what nobody would write is removed."""
    wanted, changed = expected_files(), stale()
    for name in changed:
        path = folder() / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(wanted[name])
    return changed
