"""The reference as a command: exit status, one JSON value on stdout, or text (clauses STA-001, STA-003).

A command is a request of the protocol, and each of its keys is an option: there is one list of them. Exit status:
0 done, or nothing to do; 1 refused, failed or blocked; 2 wrong usage. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.implementations import protocol
from kitty_reliability.implementations.protocol import Outcome

from .focused import Focus
from .preflight import told

if TYPE_CHECKING:
    from .adapter import Reference

__all__ = ["arguments_for", "main", "printable"]

_COMMANDS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "transition": (protocol.Transition, "move a work package to a lane"),
    "batch": (protocol.Batch, "move several work packages in one durable act"),
    "start": (protocol.Start, "take a work package in hand, or its review"),
    "recover": (protocol.Recover, "give back a work package whose holder is gone"),
    "state": (protocol.State, "say which lane each work package is in"),
    "materialize": (protocol.Materialize, "write the snapshot"),
    "repair": (protocol.Repair, "move aside what cannot be read, and write the snapshot anew"),
    "prompt": (protocol.Prompt, "write the prompt of a review"),
    "dispatch": (protocol.Dispatch, "compare a prompt with what is asked for before anybody is launched"),
    "diff": (protocol.Diff, "say which commands show the changes of a work package"),
    "preflight": (protocol.Preflight, "compare the target branch with its upstream, before merge and ship"),
    "focus": (Focus, "make the branch of a pull request that holds the mission's own changes and nothing else"),
    "signoff": (protocol.Signoff, "say whether the latest reviews allow to ship; exit status 1 when they do not"),
    "guard": (protocol.Guard, "judge what is staged, as a pre-commit hook: exit status 1 blocks the commit"),
    "merge_logs": (protocol.MergeLogs, "merge two logs that went apart, as a merge driver of git"),
}
#: The one command that is no request: it is about the command itself.
_INSTALL: Final = "install_guard"
_HELP: Final = {
    "root": "the repository, or any directory in one of its checkouts (default: the current one)",
    "mission": "name of the mission's directory",
    "work_package": "such as WP01",
    "to": "the lane to move to",
    "force": "needs an actor and a reason",
    "recover": "read what can be read",
    "publish": "ask the remote itself",
    "commit": "commit log and snapshot as well",
}


def main(argv: Sequence[str], reference: Reference) -> int:
    """Run one command of ``reference`` and return the exit status."""
    options = vars(_parser().parse_args(list(argv)))
    if options["operation"] == _INSTALL:
        return _install(options["root"], reference)
    as_json = options.pop("format") == "json"
    try:
        request = _request(options)
    except ValueError as error:
        print(f"error: {printable(_short(error))}", file=sys.stderr)
        return 2
    if isinstance(request, protocol.Guard) and "GIT_INDEX_FILE" in os.environ:
        # `git commit --all` and `git commit FILE` make an index of their own, and tell it to the hook.
        reference.index = str(Path(os.environ["GIT_INDEX_FILE"]).absolute())
    outcome = reference.answer(request)
    if outcome.ok and isinstance(request, protocol.Guard):
        return _guarded(outcome.value, reference, as_json=as_json)
    status = _show(outcome, reference, as_json=as_json)
    # The result is out before anybody else is asked: no service can keep it back (SYN-009).
    sys.stdout.flush()
    reference.final_sync.finish(request, outcome, as_json=as_json)
    return status


def _show(outcome: Outcome, reference: Reference, *, as_json: bool) -> int:
    """Print what became of a request and return the exit status."""
    if outcome.ok:
        print(json.dumps(dict(outcome.value), sort_keys=True) if as_json else _success(outcome.value, reference))
        return int(outcome.value.get("blocked", False))
    if as_json:
        print(json.dumps({**outcome.value, "result": str(outcome.kind)}, sort_keys=True))
    else:
        print(f"{outcome.kind}: {reference.printable(str(outcome.value['message']))}", file=sys.stderr)
        for key in ("diagnostic_code", "remediation", "status_events_path"):
            if key in outcome.value:
                print(f"  {key}: {reference.printable(str(outcome.value[key]))}", file=sys.stderr)
    return 1


def _install(root: str, reference: Reference) -> int:
    """Write the pre-commit hook of a repository."""
    from .hooks import install

    try:
        path = install(str(Path(root).absolute()), [*reference.command, "guard"])
    except (DiagnosticError, OSError) as error:
        print(f"error: {reference.printable(str(error))}", file=sys.stderr)
        return 1
    print(f"wrote {reference.printable(str(path))}")
    return 0


def _guarded(answer: Mapping[str, Any], reference: Reference, *, as_json: bool) -> int:
    """Say what the guard came to, and return the exit status of a hook."""
    if as_json:
        print(json.dumps(dict(answer), sort_keys=True))
    for word, items in () if as_json else (("blocked", answer["findings"]), ("warning", answer["warnings"])):
        for item in items:
            text = f"{word}: {item['diagnostic_code']}: {item['message']}; {item['remediation']}"
            print(reference.printable(text), file=sys.stderr)
    return 1 if answer["findings"] else 0


def arguments_for(request: BaseModel, form: str) -> list[str]:
    """Return the arguments that ask for ``request``; ``form`` is ``json`` or ``text``."""
    values = request.model_dump(mode="json", exclude_defaults=True)
    if isinstance(request, protocol.Guard):
        del values["root"]  # a hook is of every checkout: git runs it in the one that is committed in
    arguments = [request.operation, f"--format={form}"]  # type: ignore[attr-defined] # every request has one
    for name, value in values.items():
        option = _option(name)
        if value is True:
            arguments.append(option)
        else:
            arguments.append(f"{option}={value if isinstance(value, str) else json.dumps(value)}")
    return arguments


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kitty_reliability.reference",
        description="A small implementation of the workflow contract, as a command.",
    )
    commands = parser.add_subparsers(dest="operation", required=True, metavar="COMMAND")
    for operation, (model, sentence) in _COMMANDS.items():
        command = commands.add_parser(operation, help=sentence, description=sentence.capitalize() + ".")
        command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
        for name, field in model.model_fields.items():
            if name == "operation":
                continue
            if field.annotation is bool:
                command.add_argument(_option(name), action="store_true", help=_HELP.get(name))
            else:
                required = field.is_required() and name != "root"
                kind = None if _is_text(field.annotation) else "JSON"
                command.add_argument(_option(name), required=required, metavar=kind, help=_HELP.get(name))
    sentence = "write the pre-commit hook of a repository, which runs guard"
    command = commands.add_parser(_INSTALL, help=sentence, description=sentence.capitalize() + ".")
    command.add_argument("--root", default=".", help=_HELP["root"])
    return parser


def _is_text(annotation: Any) -> bool:
    return annotation is str or annotation == str | None


def _request(options: dict[str, Any]) -> Any:
    """Return the request; ValueError says which option is wrong."""
    model, _ = _COMMANDS[options["operation"]]
    values = {name: value for name, value in options.items() if value is not None}
    for name, value in values.items():
        annotation = model.model_fields[name].annotation
        if isinstance(value, str) and not _is_text(annotation):
            values[name] = value if str in get_args(annotation) and value[:1] != "{" else _read(_option(name), value)
    if "root" in model.model_fields:
        values["root"] = str(Path(values.get("root", ".")).absolute())
    return model.model_validate(values)


def _read(option: str, text: str) -> Any:
    """Return the JSON value of an option; a bare word stays a word."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip()[:1] in ("{", "["):
            raise ValueError(f"{option} is not JSON: {error}") from None
        return text


def _short(error: ValueError) -> str:
    return "; ".join(str(error).splitlines()[:3])


def _success(answer: Any, reference: Reference) -> str:
    if "lanes" in answer:
        lines = [f"{wp_id}  {lane or '-'}" for wp_id, lane in answer["lanes"].items()]
        lines += [f"note: {item['message']}" for item in [*answer["reports"], *answer["left_out"]]]
        lines = lines or [f"log: {answer['log']}"]
    elif "transitions" in answer:
        lines = [_moved(one) for one in answer["transitions"]]
    elif "to_lane" in answer:
        lines = [_moved(answer)]
    elif "quarantined" in answer:
        lines = [f"moved aside: {item['message']}" for item in answer["quarantined"]] or ["nothing to repair"]
    elif "focused_branch" in answer:
        lines = told(answer)
    elif "left_out" in answer:
        lines = _focused(answer)
    elif "reviews" in answer:
        lines = [f"{item['diagnostic_code']}: {item['message']}; {item['remediation']}" for item in answer["findings"]]
        lines = lines or ["nothing blocks the signoff"]
        lines += [f"note: {item['message']}" for item in answer["warnings"]]
    elif "lines" in answer:
        lines = list(answer["lines"])
    else:
        lines = [f"wrote {answer['path']}" if "path" in answer else f"{answer['prompt_path']} is the one"]
    return "\n".join(map(reference.printable, lines))


def _focused(answer: Any) -> list[str]:
    already = "" if answer["changed"] else " already"
    found = (
        f"{answer['branch']} is {answer['commit']}{already}: {len(answer['files'])} files changed on {answer['base']}"
    )
    return [found, *(f"left out, no work package owns it: {path}" for path in answer["left_out"])]


def _moved(answer: Any) -> str:
    if not answer["changed"]:
        return f"{answer['work_package_id']} is {answer['to_lane']} already; nothing was written"
    events = ", ".join(answer.get("event_ids") or [str(answer.get("event_id"))])
    return f"{answer['work_package_id']}: {answer['from_lane']} -> {answer['to_lane']} (event {events})"


def printable(text: str) -> str:
    """Return ``text`` without anything that a terminal would obey (SEC-004)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
