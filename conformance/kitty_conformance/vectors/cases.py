"""What a family of golden vectors is made of: cases, what answers them, and bytes that JSON can carry."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.profiles import PROFILES, Profile

__all__ = ["CONTRACT", "Case", "Family", "bytes_of", "plain", "spelled", "vectors_of"]

CONTRACT: Final = ("contract-320",)
#: Integers beyond it are not the same in every language.
_SAFE: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Case:
    """One vector before it is answered.

    ``remark`` says what released 3.2.x does instead, where a case is of ``contract-320`` alone.
    """

    name: str
    shows: str
    input: Mapping[str, Any]
    profiles: tuple[str, ...] = tuple(PROFILES)
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Vectors of one shape, which stand in the file ``<name>.json``.

    ``answer`` is given the input of a case and a profile; it returns the expected value, or raises DiagnosticError.
    """

    name: str
    about: str
    section: str
    clauses: tuple[str, ...]
    cases: Callable[[], Iterable[Case]]
    answer: Callable[[Mapping[str, Any], Profile], Mapping[str, Any]]


def spelled(data: bytes | str) -> dict[str, Any]:
    """Return ``data`` as a vector has it: ``text`` when it is UTF-8, ``base64`` otherwise."""
    data = data.encode() if isinstance(data, str) else data
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def bytes_of(value: Mapping[str, Any]) -> bytes:
    """Return the bytes that a vector means: ``text``, ``base64``, or ``pieces`` with how often each is there."""
    if "pieces" in value:
        return b"".join(str(piece["text"]).encode() * int(piece["times"]) for piece in value["pieces"])
    return base64.b64decode(value["base64"]) if "base64" in value else str(value["text"]).encode()


def plain(value: Any) -> Any:
    """Return ``value`` as any JSON parser keeps it: an integer beyond 53 bits becomes ``{"$integer": digits}``."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE:
        return {"$integer": str(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


def vectors_of(family: Family) -> list[dict[str, Any]]:
    """Return the vectors of a family, each with what is expected under each profile that it applies to."""
    return [_vector(family, case) for case in family.cases()]


def _vector(family: Family, case: Case) -> dict[str, Any]:
    expected: list[dict[str, Any]] = []
    for name in case.profiles:
        outcome = _outcome(family, case, PROFILES[name])
        same = next((one for one in expected if {**one, "profiles": None} == {**outcome, "profiles": None}), None)
        if same is None:
            expected.append({"profiles": [name], **outcome})
        else:
            same["profiles"].append(name)
    remark = {"remark": case.remark} if case.remark else {}
    return {
        "id": f"{family.name}/{case.name}",
        "shows": case.shows,
        "profiles": list(case.profiles),
        **remark,
        "input": dict(case.input),
        "expected": expected,
    }


def _outcome(family: Family, case: Case, profile: Profile) -> dict[str, Any]:
    try:
        return {"ok": plain(family.answer(case.input, profile))}
    except DiagnosticError as error:
        fields = error.diagnostic.fields
        kept = {key: fields[key] for key in ("line", "lines", "key", "differing") if key in fields}
        return {"error": plain({"diagnostic_code": error.diagnostic.code, **kept})}
