"""Where released versions of ``spec-kitty`` are installed, one environment each, and how they get there.

``python -m kitty_reliability.implementations.released VERSION [DIRECTORY]`` installs one and prints the path
of its executable. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock

from .base import ImplementationError

__all__ = ["DEFAULT_VERSION", "default_directory", "find", "install", "main"]

#: The version that is taken when none is named.
DEFAULT_VERSION: Final = "3.2.7"
_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?[0-9A-Za-z.]*")
#: Before it, the command cannot start with a typer that was released later than it.
_FIRST_WITH_CURRENT_TYPER: Final = (3, 2, 6)
_OLD_TYPER: Final = "typer<0.25.2"
_COMPLETE: Final = ".complete"
_TAIL: Final = 15


def default_directory() -> Path:
    """Return KITTY_RELEASED, or ``.kitty/released`` under the current directory."""
    return Path(os.environ.get("KITTY_RELEASED") or Path(".kitty", "released")).absolute()


def install(version: str, directory: Path) -> Path:
    """Install a version into ``directory/<version>`` unless it is there, and return its executable.

    Raises:
        ImplementationError: it is no version, or it cannot be installed.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ImplementationError(f"{version!r} is no version of spec-kitty, such as {DEFAULT_VERSION}")
    # Its scripts hold this path; a link in it may go, and 4.x refuses to run behind one.
    home = directory.resolve() / version
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not (home / _COMPLETE).is_file():
            # What an interrupted installation left may lack anything.
            shutil.rmtree(home, ignore_errors=True)
            packages = [f"spec-kitty-cli=={version}", "pytest"]
            if tuple(int(part or 0) for part in match.groups()) < _FIRST_WITH_CURRENT_TYPER:
                packages.append(_OLD_TYPER)
            _step(version, [sys.executable, "-m", "venv", str(home)])
            pip = [str(_program(home, "python")), "-m", "pip", "install", "--quiet"]
            _step(version, [*pip, "--disable-pip-version-check", *packages])
            executable = _program(home, "spec-kitty")
            if not executable.is_file():
                raise ImplementationError(f"spec-kitty {version} was installed, but there is no {executable}")
            (home / _COMPLETE).touch()
    return _program(home, "spec-kitty")


def find(target: str, directory: Path) -> Path:
    """Return the executable that ``target`` names: "" (the default version), a version, or a path.

    Raises:
        ImplementationError: it is not there; the text says how to get it.
    """
    version = target or DEFAULT_VERSION
    if _VERSION.fullmatch(version):
        home = directory.absolute() / version
        if (home / _COMPLETE).is_file():
            return _program(home, "spec-kitty")
        raise ImplementationError(
            f"spec-kitty {version} is not installed in {directory}; "
            f"this installs it: kitty-conform run --install spec-kitty:{version}"
        )
    found = shutil.which(str(Path(target).expanduser()))
    if found is None:
        raise ImplementationError(
            f"{target!r} is neither a version nor an executable file; this installs a version: "
            f"make conformance IMPLEMENTATION=spec-kitty:<version>, such as {DEFAULT_VERSION}"
        )
    return Path(found).absolute()


def _program(home: Path, name: str) -> Path:
    return home / "Scripts" / f"{name}.exe" if sys.platform == "win32" else home / "bin" / name


def _step(version: str, argv: list[str]) -> None:
    """Run one step of an installation, away from the packages of whoever runs it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-_TAIL:])
        raise ImplementationError(f"spec-kitty {version} cannot be installed:\n{tail}")


def main(arguments: list[str]) -> int:
    """Install the version that the command line names and print the path of its executable."""
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        print(f"usage: python -m {__spec__.name if __spec__ else __name__} VERSION [DIRECTORY]", file=sys.stderr)
        return 2
    try:
        print(install(arguments[0], Path(arguments[1]) if len(arguments) == 2 else default_directory()))
    except ImplementationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
