"""What a mutant is."""

from __future__ import annotations

from typing import Any, ClassVar

from kitty_reliability.reference.adapter import Reference
from kitty_reliability.reference.reducer import Reducer
from kitty_reliability.reference.store import LogStore
from kitty_reliability.reference.transitions import Rules
from kitty_reliability.reference.workflow import Workflow

__all__ = ["LogStore", "Mutant", "Reducer", "Reference", "Rules", "Workflow", "mutant", "declare", "reference"]


class Mutant(Reference):
    """The reference with one mistake."""

    #: The clause that the mistake breaks.
    clause: ClassVar[str]
    #: The scenario that has to catch it, without its parameters.
    scenario: ClassVar[str]
    #: The finding that it has to be caught with.
    finding: ClassVar[str]
    #: Said to be slower than the reference: a smaller crowd shows the mistake as well (STA-008).
    typical_seconds = 0.05


def mutant(
    name_: str,
    *,
    clause: str,
    scenario: str,
    finding: str,
    mistake: str,
    workflow: type[Workflow] | None = None,
    store: type[LogStore] | None = None,
    reducer: type[Reducer] | None = None,
    rules: type[Rules] | None = None,
    adapter: type[Reference] = Reference,
) -> type[Mutant]:
    """Return the mutant that has the given broken part in place of the reference's own."""
    base = workflow or Workflow
    parts = {
        "store_class": store or base.store_class,
        "reducer_class": reducer or base.reducer_class,
        "rules_class": rules or base.rules_class,
    }
    broken = type("BrokenWorkflow", (base,), parts)
    bases = (Mutant,) if adapter is Reference else (adapter, Mutant)
    return type(
        "".join(word.capitalize() for word in name_.split("-")),
        bases,
        {
            "__doc__": mistake,
            "workflow_class": broken,
            "name": name_,
            "clause": clause,
            "scenario": scenario,
            "finding": finding,
            "command": ("-m", "kitty_conformance.mutants", name_),
        },
    )


def declare(clause: str, name: str, scenario: str, finding: str, mistake: str, **parts: Any) -> type[Mutant]:
    """Return a mutant as ``mutant`` does, declared as the row of a table."""
    return mutant(name, clause=clause, scenario=scenario, finding=finding, mistake=mistake, **parts)


def reference(**parts: type) -> type[Reference]:
    """Return the reference with broken parts, by the names that it has for them, such as ``claims_class``."""
    return type("BrokenReference", (Reference,), parts)
