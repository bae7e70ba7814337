"""How review artifacts look, by name: what released writers write, what real ones have, what is damaged in them.

Interop: section 1.6; scenarios RA-03 to RA-10; clauses RAC-003 to RAC-006.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from kitty_reliability.formats.reviews import ReviewFinding, encode_frontmatter

__all__ = ["SHAPES", "Shape"]

_Values = dict[str, Any]
_Write = Callable[[_Values, str], bytes]


@dataclass(frozen=True, slots=True)
class Shape:
    """How an artifact looks.

    Arguments:
        write: makes the bytes of the values and the body that a sound artifact would have.
        finding: what a reader of ``contract-320`` has to say of it; None: it is read.
        released: whether 3.2.7 reads it.
    """

    write: _Write
    finding: ReviewFinding | None = None
    released: bool = True


def _sound(**keys: Any) -> _Write:
    return lambda values, body: encode_frontmatter({**values, **keys}, body)


def _without(*names: str, **keys: Any) -> _Write:
    def write(values: _Values, body: str) -> bytes:
        kept = {key: value for key, value in values.items() if key not in names}
        return encode_frontmatter({**kept, **keys}, body)

    return write


def _override(**keys: str) -> _Write:
    return _sound(**{f"review_artifact_override_{key}": value for key, value in keys.items()})


def _override_of_four(values: _Values, body: str) -> bytes:
    # Spliced in by an older command: at the end, in its own order, all of it between double quotes.
    more = {"at": values["reviewed_at"], "actor": "arbiter", "wp_id": values["wp_id"], "reason": "out of scope"}
    lines = "".join(f"review_artifact_override_{key}: {json.dumps(value)}\n" for key, value in more.items())
    sound = encode_frontmatter(values, body)
    end = sound.index(b"\n---\n", 4) + 1
    return sound[:end] + lines.encode() + sound[end:]


def _own_words(values: _Values, body: str) -> bytes:
    # What agents write by hand: other names for the same things.
    own = {
        "cycle": values["cycle_number"],
        "mission": values["mission_slug"],
        "reviewer": values["reviewer_agent"],
        "verdict": values["verdict"],
        "work_package_id": values["wp_id"],
    }
    return encode_frontmatter(own, body)


def _conflict(values: _Values, body: str) -> bytes:
    ours = encode_frontmatter(values, body)
    theirs = encode_frontmatter({**values, "verdict": "approved", "reviewer_agent": "other-agent"}, body)
    return b"<<<<<<< HEAD\n" + ours + b"=======\n" + theirs + b">>>>>>> kitty/mission\n"


def _conflict_in_frontmatter(values: _Values, body: str) -> bytes:
    line = f"verdict: {values['verdict']}\n".encode()
    both = b"<<<<<<< HEAD\n" + line + b"=======\nverdict: approved\n>>>>>>> kitty/mission\n"
    return encode_frontmatter(values, body).replace(line, both)


def _conflict_in_body(values: _Values, body: str) -> bytes:
    return encode_frontmatter(values, f"<<<<<<< HEAD\n{body}=======\nAll is well.\n>>>>>>> kitty/mission\n")


def _unclosed(values: _Values, body: str) -> bytes:
    return encode_frontmatter(values, "").removesuffix(b"---\n") + f"\n{body}".encode()


def _repeated_key(values: _Values, body: str) -> bytes:
    return encode_frontmatter(values, body).replace(b"wp_id:", b"verdict: approved\nwp_id:")


def _unquoted_date(values: _Values, body: str) -> bytes:
    at = str(values["reviewed_at"])
    return encode_frontmatter(values, body).replace(f"'{at}'".encode(), at.encode())


def _crlf(values: _Values, body: str) -> bytes:
    return encode_frontmatter(values, body).replace(b"\n", b"\r\n")


_F = ReviewFinding
#: The shapes by name. The first is what released writers wrote until they left the verdict out.
SHAPES: Final[dict[str, Shape]] = {
    "eight-keys": Shape(_sound()),
    "without-verdict": Shape(_without("verdict")),
    "override": Shape(_override(actor="arbiter", reason="out of scope")),
    "override-of-four": Shape(_override_of_four),
    "override-without-reason": Shape(_override(actor="arbiter")),
    "override-without-actor": Shape(_override(reason="out of scope")),
    "override-blank": Shape(_override(actor="arbiter", reason="  ")),
    "override-wrong-type": Shape(_sound(review_artifact_override_actor=["arbiter"]), _F.WRONG_TYPE),
    "affected-files": Shape(
        _sound(affected_files=[{"path": "src/a.py", "line_range": "10-20"}, {"path": "docs/b c.md"}])
    ),
    "extra-keys": Shape(_sound(tags=["late"], severity={"high": 2, "low": 0}, review_cycle=1)),
    "crlf": Shape(_crlf),
    "prose": Shape(lambda _, body: body.encode(), _F.NO_FRONTMATTER, released=False),
    "prose-after-blank-line": Shape(
        lambda values, body: b"\n" + encode_frontmatter(values, body), _F.NO_FRONTMATTER, released=False
    ),
    "empty": Shape(lambda _values, _body: b"", _F.NO_FRONTMATTER, released=False),
    "unclosed": Shape(_unclosed, _F.NO_FRONTMATTER, released=False),
    "conflict": Shape(_conflict, _F.CONFLICT_MARKERS, released=False),
    "conflict-in-frontmatter": Shape(_conflict_in_frontmatter, _F.CONFLICT_MARKERS, released=False),
    "conflict-in-body": Shape(_conflict_in_body, _F.CONFLICT_MARKERS),
    "bad-yaml": Shape(lambda _, body: f"---\nverdict: [rejected\n---\n\n{body}".encode(), _F.BAD_YAML, released=False),
    "repeated-key": Shape(_repeated_key, _F.BAD_YAML, released=False),
    "not-a-mapping": Shape(lambda _, body: f"---\n- rejected\n---\n\n{body}".encode(), _F.BAD_YAML, released=False),
    "not-utf8": Shape(lambda values, body: encode_frontmatter(values, body) + b"\xff\n", _F.NOT_UTF8, released=False),
    "changes-requested": Shape(_sound(verdict="changes_requested"), _F.UNKNOWN_VERDICT),
    "reject": Shape(_sound(verdict="reject"), _F.UNKNOWN_VERDICT),
    "for-arbiter": Shape(_sound(verdict="changes_requested_for_arbiter"), _F.UNKNOWN_VERDICT),
    "verdict-in-capitals": Shape(_sound(verdict="REJECTED"), _F.UNKNOWN_VERDICT),
    "verdict-blank": Shape(_sound(verdict=""), _F.UNKNOWN_VERDICT),
    "verdict-null": Shape(_sound(verdict=None), _F.WRONG_TYPE),
    "verdict-nested": Shape(_sound(verdict={"word": "rejected"}), _F.WRONG_TYPE),
    "orchestrator-fix": Shape(_sound(verdict="approved_after_orchestrator_fix")),
    "arbiter-override": Shape(_sound(verdict="arbiter_override")),
    "own-words": Shape(_own_words, _F.MISSING_FIELD, released=False),
    "without-reviewer": Shape(_without("reviewer_agent"), _F.MISSING_FIELD, released=False),
    "without-cycle-number": Shape(_without("cycle_number"), _F.MISSING_FIELD, released=False),
    "blank-work-package": Shape(_sound(wp_id=""), _F.MISSING_FIELD, released=False),
    "hostile-mission": Shape(_sound(mission_slug="../../x"), _F.UNSAFE_SEGMENT),
    "cycle-zero": Shape(_sound(cycle_number=0), _F.WRONG_TYPE, released=False),
    "cycle-true": Shape(_sound(cycle_number=True), _F.WRONG_TYPE, released=False),
    "cycle-text": Shape(_sound(cycle_number="2"), _F.WRONG_TYPE),
    "affected-texts": Shape(_sound(affected_files=["src/a.py"]), _F.WRONG_TYPE, released=False),
    "affected-text": Shape(_sound(affected_files="src/a.py"), _F.WRONG_TYPE, released=False),
    "affected-without-path": Shape(_sound(affected_files=[{"line_range": "1-2"}]), _F.WRONG_TYPE, released=False),
    "nested-reviewer": Shape(_sound(reviewer_agent={"tool": "claude"}), _F.WRONG_TYPE, released=False),
    "unquoted-date": Shape(_unquoted_date, _F.WRONG_TYPE, released=False),
    "command-list": Shape(_sound(reproduction_command=["make", "test"]), _F.WRONG_TYPE, released=False),
    "without-body": Shape(lambda values, _: encode_frontmatter(values, ""), _F.EMPTY_BODY),
    "blank-body": Shape(lambda values, _: encode_frontmatter(values, " \n\t\n"), _F.EMPTY_BODY),
}
