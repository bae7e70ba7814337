"""``kitty-conform completion``: what a shell needs to complete the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kitty_reliability.formats.diagnostics import TABLE
from kitty_reliability.formats.profiles import PROFILES

from .catalogue import clauses, findings
from .exit_status import refuse

__all__ = ["SHELLS", "register", "script"]

SHELLS: Final = ("bash", "zsh", "fish")


def register(commands: Any, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Add the command to the subparsers ``commands``; ``parser`` makes the parser of the whole command line."""
    command = commands.add_parser(
        "completion",
        help="print the completion script of a shell",
        description='Print a completion script: eval "$(kitty-conform completion bash)" in ~/.bashrc; '
        'eval "$(kitty-conform completion zsh)" behind compinit in ~/.zshrc; '
        "kitty-conform completion fish > ~/.config/fish/completions/kitty-conform.fish.",
    )
    command.add_argument("shell", choices=SHELLS)
    command.set_defaults(action=lambda options: _print(options.shell, parser()))


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """Return the completion script of ``parser`` for ``shell``, one of SHELLS; ``parser`` gets what can be chosen.

    Raises:
        ModuleNotFoundError: shtab, which writes them, is not installed.
    """
    import shtab

    choices = {
        "clause": [*clauses()],
        "id": [*clauses(), *findings(), *TABLE],
        "implementation": ["reference", "spec-kitty"],
        "profile": [*PROFILES],
    }
    for action in _actions(parser):
        if action.type is Path:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]
        elif action.dest in choices:
            action.choices = choices[action.dest]
    return str(shtab.complete(parser, shell=shell))


def _print(shell: str, parser: argparse.ArgumentParser) -> int:
    try:
        print(script(shell, parser))
    except ModuleNotFoundError:
        return refuse("completion needs shtab: pip install 'pytest-kitty[completion]'")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)
