"""The families of golden vectors, in the order of the manifest."""

from __future__ import annotations

from typing import Final

from . import (
    diagnostic_cases,
    frontmatter_cases,
    glob_cases,
    prompt_cases,
    reducer_cases,
    row_cases,
    transition_cases,
)
from .cases import Family

__all__ = ["FAMILIES"]

FAMILIES: Final = (
    Family(
        "rows", row_cases.__doc__ or "", "interop 2.1 to 2.4", ("LOG-006", "LOG-007", "LOG-008", "LOG-009", "SEC-002"),
        row_cases.cases, row_cases.answer,
    ),
    Family(
        "instants", "Spellings of one instant (clause LOG-005)", "interop 2.1", ("LOG-005",),
        row_cases.instant_cases, row_cases.answer_instant,
    ),
    Family(
        "reducer", reducer_cases.__doc__ or "", "interop 4",
        ("LOG-001", "LOG-002", "LOG-003", "LOG-004", "LOG-005", "LOG-006", "LOG-010", "LOG-011", "LOG-012"),
        reducer_cases.cases, reducer_cases.answer,
    ),
    Family(
        "transitions", transition_cases.__doc__ or "", "interop 3", ("STA-007",),
        transition_cases.cases, transition_cases.answer,
    ),
    Family("globs", glob_cases.__doc__ or "", "interop 7", ("OWN-008",), glob_cases.cases, glob_cases.answer),
    Family(
        "frontmatter", frontmatter_cases.__doc__ or "", "interop 1.3", ("SEC-005", "OWN-005"),
        frontmatter_cases.cases, frontmatter_cases.answer,
    ),
    Family(
        "prompts", prompt_cases.__doc__ or "", "interop 6", ("RPM-001", "RPM-002", "RPM-005", "RPM-006"),
        prompt_cases.cases, prompt_cases.answer,
    ),
    Family(
        "prompt_paths", "Where the prompt of one invocation is (clauses RPM-004, RPM-007, RPM-008)", "interop 6",
        ("RPM-004", "RPM-007", "RPM-008"), prompt_cases.path_cases, prompt_cases.answer_path,
    ),
    Family(
        "diagnostics", diagnostic_cases.__doc__ or "", "interop 10", ("STA-003",),
        diagnostic_cases.cases, diagnostic_cases.answer,
    ),
)  # fmt: skip
