"""What no row can hold is refused before anything is written (SEC-004, LOG-009). PYTEST_DONT_REWRITE"""

from __future__ import annotations

import json
from typing import Final

from kitty_reliability.formats.diagnostics import diagnostic
from kitty_reliability.formats.row_shapes import ACTOR_KEYS
from kitty_reliability.formats.strict_json import parse
from kitty_reliability.implementations.protocol import Move, Recover, Start

__all__ = ["require_writable"]

_WRITTEN: Final = ("work_package", "actor", "reason", "review_ref", "evidence", "review_result", "policy_metadata")


def require_writable(asked: Move | Start | Recover) -> None:
    """Refuse lone surrogates, NaN, extreme depth, and an actor of another shape.

    Raises:
        DiagnosticError: TEXT_NOT_ENCODABLE, VALUE_INVALID.
    """
    for name in _WRITTEN:
        value = getattr(asked, name, None)
        if name == "actor" and isinstance(value, dict) and value.keys() != ACTOR_KEYS:
            raise diagnostic("VALUE_INVALID", problem=f"an actor has the keys {', '.join(sorted(ACTOR_KEYS))}")
        try:
            parse(json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8"))
        except UnicodeEncodeError:
            raise diagnostic("TEXT_NOT_ENCODABLE", field=name) from None
        except (ValueError, TypeError, RecursionError) as error:
            raise diagnostic("VALUE_INVALID", problem=f"{name} cannot be written: {error}") from None
