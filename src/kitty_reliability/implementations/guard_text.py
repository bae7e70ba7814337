"""What the released pre-commit hook prints, in the words of the protocol (interop: section 7). PYTEST_DONT_REWRITE"""

from __future__ import annotations

import re
from typing import Any, Final

from .protocol import GuardAnswer

__all__ = ["guard_answer"]

#: A file name may have any letter in it, so that a record ends where the next one begins.
_RECORD: Final = re.compile(
    r"^\[spec-kitty guard\] (WARNING|BLOCKED): (.*?)(?=\n\[spec-kitty guard\] |\Z)", re.M | re.S
)
_CODE: Final = re.compile(r"(ACTIVE_WP_[A-Z_]+): ")
_FILE: Final = re.compile(
    r"ACTIVE_WP_SCOPE_VIOLATION: (?P<file>.*) is outside active_wp="
    r"|Protected path: (?P<protected>.*) — implementation branches"
    r"|Out of scope: (?P<unscoped>.*) — not matched by owned_files",
    re.S,
)
#: What is said of the context, in any record.
_KEYS: Final = {
    "work_package_id": re.compile(r"\bactive_wp=(WP\w+)"),
    "lane_id": re.compile(r"\blane_id=([^\s;]+)"),
    "context_source": re.compile(r"\bcontext_source=(\w+)"),
}
_SCOPE: Final = "ACTIVE_WP_SCOPE_VIOLATION"


def guard_answer(status: int | None, said: str) -> GuardAnswer:
    """Return the answer that exit status and stderr of the hook amount to; nothing that it does not say is added."""
    records = [(kind, _diagnostic(text.strip("\n"))) for kind, text in _RECORD.findall(said)]
    findings = [
        item for kind, item in records if kind == "BLOCKED" and (len(item) > 1 or "blocked by" not in item["message"])
    ]
    warnings = [item for kind, item in records if kind == "WARNING"]
    outcome = "allowed"
    if status:
        unproven = any("file" not in item for item in findings)
        outcome = "stale_or_ambiguous_context" if unproven or not findings else "scope_violation"
    known = {key: next((item[key] for _, item in records if key in item), None) for key in _KEYS}
    answer = {"outcome": outcome, "findings": findings if status else [], "warnings": warnings}
    return GuardAnswer.model_validate(answer | known)


def _diagnostic(text: str) -> dict[str, Any]:
    item: dict[str, Any] = {"message": text}
    code, file = _CODE.match(text), _FILE.match(text)
    if code is not None:
        item["diagnostic_code"] = code[1]
    if file is not None:
        item["file"] = next(name for name in file.groups() if name is not None)
    tail = text[file.end() - len("active_wp=") :] if file is not None and code is not None else text
    item |= {key: found[1] for key, pattern in _KEYS.items() if (found := pattern.search(tail))}
    return item
