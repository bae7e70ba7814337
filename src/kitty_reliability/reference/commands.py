"""The reference as a command: exit status, one JSON value on stdout, or text (clauses STA-001, STA-003).

Exit status: 0 done, or nothing to do; 1 refused or failed; 2 wrong usage. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitty_reliability.implementations import protocol

if TYPE_CHECKING:
    from .adapter import Reference

__all__ = ["arguments_for", "main"]

_TEXT_OPTIONS = ("actor", "reason", "review_ref", "workspace_context")
_JSON_OPTIONS = ("evidence", "review_result", "policy_metadata")


def main(argv: Sequence[str], reference: Reference) -> int:
    """Run one command of ``reference`` and return the exit status."""
    options = _parser().parse_args(list(argv))
    try:
        request = _request(options)
    except ValueError as error:
        print(f"error: {_printable(str(error))}", file=sys.stderr)
        return 2
    outcome = reference.answer(request)
    as_json = options.format == "json"
    if outcome.ok:
        print(json.dumps(dict(outcome.value), sort_keys=True) if as_json else _success(outcome.value))
        return 0
    if as_json:
        print(json.dumps({**outcome.value, "result": str(outcome.kind)}, sort_keys=True))
    else:
        print(f"{outcome.kind}: {_printable(str(outcome.value['message']))}", file=sys.stderr)
        for key in ("diagnostic_code", "remediation", "status_events_path"):
            if key in outcome.value:
                print(f"  {key}: {_printable(str(outcome.value[key]))}", file=sys.stderr)
    return 1


def arguments_for(request: protocol.Transition | protocol.State | protocol.Materialize, format_: str) -> list[str]:
    """Return the arguments that ask for ``request``."""
    arguments = [request.operation, "--root", request.root, "--mission", request.mission, "--format", format_]
    if isinstance(request, protocol.Transition):
        arguments += [f"--work-package={request.work_package}", f"--to={request.to}"]
        for name in _TEXT_OPTIONS:
            value = getattr(request, name)
            if value is not None:
                arguments.append(f"--{name.replace('_', '-')}={value}")
        for name in _JSON_OPTIONS:
            value = getattr(request, name)
            if value is not None:
                arguments.append(f"--{name.replace('_', '-')}={json.dumps(value)}")
        if request.force:
            arguments.append("--force")
    elif isinstance(request, protocol.State) and request.recover:
        arguments.append("--recover")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kitty_reliability.reference",
        description="A small implementation of the workflow contract, as a command.",
    )
    commands = parser.add_subparsers(dest="operation", required=True, metavar="COMMAND")
    for name, sentence in (
        ("transition", "move a work package to a lane"),
        ("state", "say which lane each work package is in"),
        ("materialize", "write the snapshot"),
    ):
        command = commands.add_parser(name, help=sentence, description=sentence.capitalize() + ".")
        command.add_argument("--root", default=".", help="the repository (default: the current directory)")
        command.add_argument("--mission", required=True, help="name of the mission's directory")
        command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
        if name == "transition":
            command.add_argument("--work-package", required=True, help="such as WP01")
            command.add_argument("--to", required=True, help="the lane to move to")
            command.add_argument("--force", action="store_true", help="needs an actor and a reason")
            for option in _TEXT_OPTIONS:
                command.add_argument(f"--{option.replace('_', '-')}")
            for option in _JSON_OPTIONS:
                command.add_argument(f"--{option.replace('_', '-')}", metavar="JSON", help="a JSON object")
        elif name == "state":
            command.add_argument("--recover", action="store_true", help="read what can be read")
    return parser


def _request(options: argparse.Namespace) -> protocol.Request:
    values: dict[str, Any] = {
        "operation": options.operation,
        "root": str(Path(options.root).absolute()),
        "mission": options.mission,
    }
    if options.operation == "transition":
        values |= {"work_package": options.work_package, "to": options.to, "force": options.force}
        values |= {name: getattr(options, name) for name in _TEXT_OPTIONS}
        for name in _JSON_OPTIONS:
            text = getattr(options, name)
            if text is not None:
                values[name] = _json_object(name, text)
    elif options.operation == "state":
        values["recover"] = options.recover
    return protocol.REQUEST.validate_python(values)


def _json_object(name: str, text: str) -> dict[str, Any]:
    option = f"--{name.replace('_', '-')}"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{option} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{option} is not a JSON object")
    return value


def _success(answer: Any) -> str:
    if "lanes" in answer:
        lines = [f"{wp_id}  {lane or '-'}" for wp_id, lane in answer["lanes"].items()]
        lines += [f"note: {item['message']}" for item in [*answer["reports"], *answer["left_out"]]]
        return "\n".join(map(_printable, lines)) or f"log: {answer['log']}"
    if "changed" in answer:
        if not answer["changed"]:
            return _printable(f"{answer['work_package_id']} is {answer['to_lane']} already; nothing was written")
        return _printable(
            f"{answer['work_package_id']}: {answer['from_lane']} -> {answer['to_lane']} (event {answer['event_id']})"
        )
    return _printable(f"wrote {answer['path']}")


def _printable(text: str) -> str:
    """Return ``text`` without anything that a terminal would obey (SEC-004)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
