"""What keeps a command offline, quiet, and out of everything that is the user's (blackbox: section 2)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

__all__ = ["GIT_CONFIG", "NOWHERE", "private", "proxied", "synced"]

#: The discard port of this machine: where nobody listens.
NOWHERE: Final = "http://127.0.0.1:9"

#: No questions, no news, no colours, no wrapped lines.
_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "SPEC_KITTY_ALLOW_PROTECTED_BRANCH_COMMITS": "1",
        "SPEC_KITTY_NON_INTERACTIVE": "1",
        "SPEC_KITTY_NO_UPGRADE_CHECK": "1",
        "SPEC_KITTY_NO_NAG": "1",
        "SPEC_KITTY_NO_BANNER": "1",
        "CI": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "200",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONIOENCODING": "utf-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Kitty Sandbox",
        "GIT_AUTHOR_EMAIL": "kitty@example.invalid",
        "GIT_COMMITTER_NAME": "Kitty Sandbox",
        "GIT_COMMITTER_EMAIL": "kitty@example.invalid",
    }
)
_FOLDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HOME": "home",
        "USERPROFILE": "home",
        "SPEC_KITTY_HOME": "home/.kittify",
        "XDG_CONFIG_HOME": "home/.config",
        "XDG_CACHE_HOME": "home/.cache",
        "XDG_DATA_HOME": "home/.local/share",
        "XDG_STATE_HOME": "home/.local/state",
        "XDG_RUNTIME_DIR": "run",
        "TMPDIR": "tmp",
        "TEMP": "tmp",
        "TMP": "tmp",
        **(
            {"APPDATA": "home/AppData/Roaming", "LOCALAPPDATA": "home/AppData/Local"} if sys.platform == "win32" else {}
        ),
    }
)
#: The text of ``home/.gitconfig``.
GIT_CONFIG: Final = """\
[user]
	name = Kitty Sandbox
	email = kitty@example.invalid
[init]
	defaultBranch = main
[commit]
	gpgSign = false
[tag]
	gpgSign = false
[gc]
	auto = 0
[maintenance]
	auto = false
[core]
	autocrlf = false
	fsmonitor = false
[advice]
	detachedHead = false
[safe]
	directory = *
"""


def proxied(proxy: str = NOWHERE) -> dict[str, str]:
    """Return the variables that send a program's web traffic to ``proxy``, all but that to the loopback."""
    variables = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy)
    variables["NO_PROXY"] = "127.0.0.1,localhost,::1"
    # Some programs read only the one spelling, and what the environment already says may be in the other.
    return variables | {name.lower(): value for name, value in variables.items()}


def synced(url: str = NOWHERE, *, on: bool = True) -> dict[str, str]:
    """Return the variables that switch a spec-kitty process's sync on or off, and point it at ``url`` only."""
    return {**proxied(), "SPEC_KITTY_ENABLE_SAAS_SYNC": str(int(on)), "SPEC_KITTY_SAAS_URL": url}


def private(base: Path, *, sync: bool = False) -> tuple[dict[str, str], list[Path]]:
    """Return the variables of a command whose HOME, TMPDIR and the like are below ``base``, and those folders.

    The folders are not made here, nor is ``home/.gitconfig``, which the variables name: ``GIT_CONFIG`` is its text.
    """
    folders = {name: base.joinpath(*folder.split("/")) for name, folder in _FOLDERS.items()}
    variables = {name: str(folder) for name, folder in folders.items()}
    config = str(folders["HOME"] / ".gitconfig")
    return {**_SETTINGS, **synced(on=sync), **variables, "GIT_CONFIG_GLOBAL": config}, [*folders.values()]
