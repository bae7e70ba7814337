"""``kitty-conform new-adapter``: a first adapter to go on from, which can be run as it is."""

from __future__ import annotations

import shlex
from argparse import Namespace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from .exit_status import refuse

__all__ = ["LANGUAGES", "main", "register", "write_adapter"]

#: Language -> the adapter's file.
LANGUAGES: Final = {"python": "adapter.py", "node": "adapter.mjs", "sh": "adapter.sh"}


def register(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    command = commands.add_parser(
        "new-adapter",
        help="write a first adapter",
        description="Write an adapter that answers hello and says of the rest that it is not there yet.",
    )
    command.add_argument("language", choices=[*LANGUAGES])
    command.add_argument("directory", type=Path, metavar="DIR", help="made if it is not there")
    command.set_defaults(action=main)


def main(options: Namespace) -> int:
    """Do what the command line says, and return its exit status: 0, or 3 when the adapter cannot be written."""
    try:
        file = write_adapter(options.language, options.directory)
    except OSError as error:
        remedy = "; move it away, or name another directory" if isinstance(error, FileExistsError) else ""
        return refuse(f"{error.filename}: {error.strerror}{remedy}")
    print(f"{file} is written. Run it:\n{how_to_run(options.language, file)}")
    return 0


def write_adapter(language: str, directory: Path) -> Path:
    """Write the first adapter in ``language`` to ``directory`` and return its path.

    Raises:
        OSError: it cannot be written; FileExistsError when there is one.
    """
    name = LANGUAGES[language]
    text = files("kitty_conformance").joinpath("templates", language, name).read_bytes()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / name).open("xb") as file:
        file.write(text)
    return directory / name


def how_to_run(language: str, file: Path) -> str:
    """Return the line for a shell that runs the suite against the adapter ``file``."""
    if language == "python":
        # A module is found in the folder that one is in.
        return f"cd {shlex.quote(str(file.parent))} && kitty-conform run python:{file.stem}:Adapter"
    return f"kitty-conform run {shlex.quote(f'exec:{language} {shlex.quote(str(file))}')}"
