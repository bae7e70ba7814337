"""Whether a line has the shape of ``report.schema.json``: a report may come from anybody, and its readers take the shape for granted.

The part of JSON Schema that the file uses, except for ``additionalProperties: false``: a later report has more keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

__all__ = ["fits", "schema_text"]

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def fits(kind: str, value: Any) -> bool:
    """Say whether ``value`` is a line of the kind ``header``, ``result`` or ``footer``."""
    return _fits(value, _definitions()[kind])


def schema_text() -> str:
    """Return the file ``report.schema.json``: written by hand, and read by people as it is."""
    return files("kitty_conformance.reporting").joinpath("report.schema.json").read_text(encoding="utf-8")


@cache
def _definitions() -> Mapping[str, Any]:
    definitions: Mapping[str, Any] = json.loads(schema_text())["$defs"]
    return definitions


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    if "$ref" in schema:
        return _fits(value, _definitions()[schema["$ref"].rpartition("/")[2]])
    if "oneOf" in schema and sum(_fits(value, one) for one in schema["oneOf"]) != 1:
        return False
    types = schema.get("type", [])
    if types and not any(_is(value, name) for name in ([types] if isinstance(types, str) else types)):
        return False
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return all(_fits(item, schema.get("items", {})) for item in value)
    return not isinstance(value, dict) or _has(value, schema)


def _has(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    others = schema.get("additionalProperties") or {}
    properties = schema.get("properties", {})
    return set(schema.get("required", ())) <= set(value) and all(
        _fits(item, properties.get(key, others)) for key, item in value.items()
    )


def _is(value: Any, name: str) -> bool:
    # True is an integer to Python alone.
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
