"""Programs that know nothing. No clause may hold for any of them: what such a program passes proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kitty_reliability.formats.identifiers import is_safe_segment
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.in_process import Answers
from kitty_reliability.implementations.protocol import Outcome

__all__ = ["NULLS", "create"]


class _Null:
    """Says hello like everybody else: what it cannot do, it does not say."""

    name = "null"

    def answer(self, request: protocol.Request) -> Outcome:
        """Answer ``request``."""
        if isinstance(request, protocol.Hello):
            return Outcome.success(
                protocol.HelloAnswer(
                    name=f"null:{self.name}",
                    version="0",
                    protocol=protocol.PROTOCOL_VERSION,
                    profile="contract-320",
                    capabilities=frozenset(protocol.Capability),
                    typical_seconds=0.01,
                    sync_variable="SPEC_KITTY_SAAS_URL",
                )
            )
        return self.other(request)

    def other(self, request: protocol.Request) -> Outcome:
        """Answer anything but hello."""
        raise NotImplementedError


class Refuse(_Null):
    """Refuses everything, with a diagnostic that looks complete."""

    name = "refuse"

    def other(self, request: protocol.Request) -> Outcome:
        """Refuse."""
        fields = request.model_dump(mode="json")
        return Outcome.refused(
            {
                "message": "refused; line 1",
                "diagnostic_code": "REFUSED",
                "violated_invariant": "STA-003",
                "remediation": "none",
                "mission_slug": fields.get("mission"),
                "work_package_id": fields.get("work_package"),
                "requested_lane": fields.get("to"),
                "status_events_path": f"{fields.get('root')}/kitty-specs/{fields.get('mission')}/status.events.jsonl",
                "line": 1,
            }
        )


class Accept(_Null):
    """Accepts everything, with answers that look right and are made up."""

    name = "accept"

    def __init__(self) -> None:
        self.count = 0

    def other(self, request: protocol.Request) -> Outcome:
        """Accept."""
        self.count += 1
        answers: dict[str, dict[str, Any]] = {
            "open": {"mission_slug": "x", "status_events_path": "/x"},
            "transition": self.transition(request),
            "state": {"log": "active", "lanes": self.lanes(), "reports": [], "left_out": []},
            "events": {"events": []},
            "materialize": {"path": "/x", "snapshot": {"work_packages": {}}},
            "surface": {"argv": ["true"], "cwd": "/"},
            "batch": {"transitions": []},
            "start": {"changed": True, "event_ids": ["01J"], **self.held(request), "to_lane": "in_progress"},
            "recover": {
                **self.held(request),
                "changed": True,
                "from_lane": "claimed",
                "to_lane": "planned",
                "evidence": "x",
            },
            "merge_logs": {"path": "/x", "rows": 0},
            "repair": {"changed": True},
            "prompt": {"path": "/x", "metadata": {}},
            "dispatch": {"prompt_path": "/x"},
            "diff": {
                **dict.fromkeys(("base_ref", "mission_branch", "lane_branch", "cwd"), "/"),
                "commands": [["true"]],
            },
            "guard": {"outcome": "allowed"},
            "preflight": {"blocked": False, "state": "in_sync", "target_branch": "main", "ahead": 0, "behind": 0},
            "signoff": {"blocked": False, "reviews": []},
        }
        return Outcome(protocol.OutcomeKind.OK, answers[request.operation])

    def transition(self, request: protocol.Request) -> dict[str, Any]:
        """Claim that it happened."""
        fields = request.model_dump(mode="json")
        return {
            "changed": True,
            "event_id": f"01J{self.count:023}",
            "work_package_id": fields.get("work_package") or "",
            "to_lane": fields.get("to") or "",
        }

    def held(self, request: protocol.Request) -> dict[str, Any]:
        """Make a holder up."""
        fields = request.model_dump(mode="json")
        return {"work_package_id": fields.get("work_package") or "", "holder": fields.get("actor") or "x"}

    def lanes(self) -> dict[str, str | None]:
        """Make lanes up."""
        return {"WP01": "planned", "WP02": "claimed"}


class Amnesiac(Accept):
    """Acknowledges, remembers it for as long as it lives, and stores nothing."""

    name = "amnesiac"

    def __init__(self) -> None:
        super().__init__()
        self.memory: dict[str, str | None] = {}

    def transition(self, request: protocol.Request) -> dict[str, Any]:
        """Remember it."""
        answer = super().transition(request)
        if is_safe_segment(str(answer["work_package_id"])):
            self.memory[str(answer["work_package_id"])] = str(answer["to_lane"])
        return answer

    def lanes(self) -> dict[str, str | None]:
        """Return what is remembered."""
        return dict(self.memory)


class Crash(_Null):
    """Dies of every operation."""

    name = "crash"

    def other(self, request: protocol.Request) -> Outcome:  # noqa: ARG002
        """Die."""
        raise RuntimeError("null: crashed on purpose")


class Echo(_Null):
    """Gives every request back as its answer."""

    name = "echo"

    def other(self, request: protocol.Request) -> Outcome:
        """Echo."""
        return Outcome(protocol.OutcomeKind.OK, request.model_dump(mode="json"))


NULLS: dict[str, Callable[[], Answers]] = {null.name: null for null in (Refuse, Accept, Amnesiac, Crash, Echo)}


def create(name: str) -> Callable[[], Answers]:
    """Return what makes the null called ``name``; LookupError with the known names otherwise."""
    try:
        return NULLS[name]
    except KeyError:
        raise LookupError(f"unknown null {name!r}; known: {', '.join(sorted(NULLS))}") from None
