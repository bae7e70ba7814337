"""JSON Schemas of the files of golden vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kitty_reliability.formats.diagnostics import TABLE
from kitty_reliability.formats.lanes import Guard, Lane
from kitty_reliability.formats.profiles import PROFILES
from kitty_reliability.formats.prompts import PROMPT_FIELDS

__all__ = ["schemas"]

Shape = dict[str, Any]

_TEXT: Final[Shape] = {"type": "string"}
_COUNT: Final[Shape] = {"type": "integer", "minimum": 0}
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_PROFILES: Final[Shape] = {"type": "array", "items": {"enum": [*PROFILES]}, "minItems": 1, "uniqueItems": True}
#: Bytes, in one of three spellings.
_BYTES: Final[Shape] = {
    "description": "Bytes: text in UTF-8, base64, or pieces that stand one behind the other, each so many times.",
    "oneOf": [
        {"type": "object", "required": ["text"], "additionalProperties": False, "properties": {"text": _TEXT}},
        {
            "type": "object",
            "required": ["base64"],
            "additionalProperties": False,
            "properties": {"base64": {"type": "string", "contentEncoding": "base64"}},
        },
        {
            "type": "object",
            "required": ["pieces"],
            "additionalProperties": False,
            "properties": {
                "pieces": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["text", "times"],
                        "additionalProperties": False,
                        "properties": {"text": _TEXT, "times": _COUNT},
                    },
                }
            },
        },
    ],
}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Shape:
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": [*required], "additionalProperties": False, "properties": properties}


def _list(items: Any) -> Shape:
    return {"type": "array", "items": items}


_CODE: Final[Shape] = {"enum": [*TABLE]}
_ROW: Final = _object(
    {
        "line": _COUNT,
        "kind": {"enum": ["lane", "annotation", "lifecycle", "decision", "retrospective"]},
        "event_id": {},
    },
    {"wp_id": _TEXT},
)
_LOST: Final = _list(_object({"line": _COUNT, "diagnostic_code": _CODE}))
_STEP: Final[Shape] = {
    "type": "object",
    "required": ["from", "to"],
    "properties": {"from": _TEXT, "to": _TEXT, "force": {"type": "boolean"}},
    "description": "The lanes as they were typed, and what the transition brings along.",
}
_PLACE: Final = _object(dict.fromkeys(("repo_root", "mission_slug", "work_package_id", "invocation_id"), _TEXT))
_ELEVEN: Final = _object(dict.fromkeys(PROMPT_FIELDS, _TEXT))
_LANE: Final[Shape] = {"enum": [str(lane) for lane in Lane]}

#: Family -> (its input, what is expected when nothing is refused).
_FAMILIES: Final[Mapping[str, tuple[Shape, Shape]]] = {
    "rows": (
        _object({"log": _BYTES}, {"recover": {"const": True}}),
        _object({"rows": _list(_ROW)}, {"left_out": _LOST}),
    ),
    "instants": (_object({"at": _TEXT}), _object({"nanoseconds": {"type": "string", "pattern": "^-?[0-9]+$"}})),
    "reducer": (
        _object({"mission_slug": _TEXT, "meta": {"type": "object"}, "log": _BYTES}),
        _object(
            {
                "log": {"enum": ["empty", "no-transitions", "annotations-only", "bootstrap-only", "active"]},
                "snapshot": {"type": "object"},
                "reports": _LOST,
            }
        ),
    ),
    "transitions": (_STEP, _object({"from": _LANE, "to": _LANE})),
    "globs": (_object({"patterns": _list(_TEXT), "path": _TEXT}), _object({"matches": {"type": "boolean"}})),
    "frontmatter": (_object({"file": _BYTES}), _object({"frontmatter": {"type": "object"}, "body": _TEXT})),
    "prompts": (_object({"file": _BYTES, "requested": _ELEVEN}), _object({"metadata": _ELEVEN})),
    "prompt_paths": (_PLACE, _object({"path": _TEXT})),
    "diagnostics": (
        _object({"diagnostic_code": _CODE, "fields": {"type": "object"}}),
        {
            "type": "object",
            "required": ["diagnostic_code", "violated_invariant", "message", "remediation"],
            "properties": {
                "diagnostic_code": _CODE,
                "violated_invariant": _TEXT,
                "message": _TEXT,
                "remediation": _TEXT,
            },
        },
    ),
}


def schemas() -> dict[str, Shape]:
    """Return the schemas by family, that of the lane table and that of the manifest among them."""
    made = {name: _family(name, given, ok) for name, (given, ok) in _FAMILIES.items()}
    return {**made, "lane_table": _lane_table(), "manifest": _manifest([*made, "lane_table"])}


def _family(name: str, given: Shape, ok: Shape) -> Shape:
    error = _object(
        {"diagnostic_code": _CODE},
        {"line": _COUNT, "lines": _list(_COUNT), "key": _TEXT, "differing": _list({"enum": [*PROMPT_FIELDS]})},
    )
    expected = {
        "type": "object",
        "required": ["profiles"],
        "additionalProperties": False,
        "properties": {"profiles": _PROFILES, "ok": ok, "error": error},
        "oneOf": [{"required": ["ok"]}, {"required": ["error"]}],
        "description": "What has to come out under these profiles: a value, or an error that has this code.",
    }
    vector = _object(
        {
            "id": {
                "type": "string",
                "pattern": f"^{name}/[A-Za-z0-9_-]+$",
                "description": "Never changes, is never used again.",
            },
            "shows": {"type": "string", "minLength": 1},
            "profiles": _PROFILES,
            "input": given,
            "expected": {"type": "array", "items": expected, "minItems": 1},
        },
        {"remark": {"type": "string", "description": "What the other profile does instead."}},
    )
    head = {"family": {"const": name}, "version": {"const": 1}, "description": _TEXT}
    file = _object({**head, "vectors": {"type": "array", "items": vector, "minItems": 1}})
    return _titled(name, f"Golden vectors: {name}", file)


def _lane_table() -> Shape:
    edge = _object({"from": _LANE, "to": _LANE, "guard": {"enum": [str(guard) for guard in Guard]}})
    file = _object({"description": _TEXT, "edges": {"type": "array", "items": edge, "minItems": 29, "maxItems": 29}})
    return _titled("lane_table", "Golden vectors: the lane table", file)


def _manifest(families: Iterable[str]) -> Shape:
    digest = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    entry = _object(
        {
            "file": {"type": "string", "pattern": "^[a-z_]+\\.json$"},
            "schema": {"type": "string", "pattern": "^schemas/[a-z_]+\\.schema\\.json$"},
            "sha256": digest,
            "family": {"enum": [*families]},
            "count": {"type": "integer", "minimum": 1},
            "profiles": _PROFILES,
            "section": {"type": "string", "description": "Where the format is described."},
            "clauses": _list({"type": "string", "pattern": "^[A-Z]{3}-[0-9]{3}$"}),
            "generator": _TEXT,
        }
    )
    contract = _object({"clauses": _COUNT, "hash": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}})
    head = {"version": {"const": 1}, "contract": contract, "profiles": _PROFILES, "generator": _TEXT, "count": _COUNT}
    return _titled("manifest", "Golden vectors: the manifest", _object({**head, "files": _list(entry)}))


def _titled(name: str, title: str, shape: Shape) -> Shape:
    return {"$schema": _DRAFT, "$id": f"urn:pytest-kitty:vectors:1:{name}", "title": title, **shape}
