"""Homes of the released command that are logged in to a hosted service, without one (blackbox: section 4e).

A service on the loopback plays its part for as long as the command logs in; who is logged in is kept in the home, and
homes can be copied. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from kitty_reliability.faults.sync_service import SyncService
from kitty_reliability.formats.quiet import GIT_CONFIG, private

from .base import ImplementationError
from .processes import clean_environment, end_processes_with, run_to_end

__all__ = ["Accounts"]

_DAYS: Final = 86_400
#: What has to be answered for a log-in without a browser to work.
_ANSWERS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "/oauth/device": {
            "device_code": "device",
            "user_code": "ABCD-EFGH",
            "verification_uri": "http://127.0.0.1/device",
            "expires_in": 600,
            "interval": 0,
        },
        "/oauth/token": {
            "access_token": "access",
            "refresh_token": "refresh",
            "token_type": "Bearer",
            "expires_in": 30 * _DAYS,
            "refresh_token_expires_in": 60 * _DAYS,
            "scope": "offline_access",
            "session_id": "session",
        },
        "/api/v1/me": {
            "user_id": "user",
            "email": "kitty@example.invalid",
            "name": "Kitty Sandbox",
            "teams": [{"id": "team", "name": "Team", "role": "owner", "is_private_teamspace": True}],
        },
    }
)
#: Versions before 3.2.7 take the address from here, and all of them leave no process behind when it says so.
_CONFIG: Final = '[sync]\nserver_url = "{address}"\nbackground_daemon = "manual"\n'
_CONFIGS: Final = (".spec-kitty/config.toml", ".kittify/config.toml")


class Accounts:
    """Makes homes, each with an account of its own.

    Args:
        executable: the ``spec-kitty`` command.
        base: an empty directory for all of them.
    """

    def __init__(self, executable: Path, base: Path) -> None:
        self._executable = executable
        self._base = base
        self._homes: list[Path] = []

    def add(self, address: str, limit: float) -> dict[str, str]:
        """Return the variables of a new home that is logged in, whose sync goes to ``address``.

        Raises:
            ImplementationError: it cannot be logged in within ``limit`` seconds; the text holds what it said.
        """
        if not self._homes:
            self._log_in(limit)
        place = self._base / str(len(self._homes))
        shutil.copytree(self._base / "0", place, symlinks=True)
        return self._variables(place, address)

    def close(self) -> None:
        """End every process that still has one of the homes."""
        for home in self._homes:
            end_processes_with(f"HOME={home}")

    def _log_in(self, limit: float) -> None:
        """Make the home that the others are copies of."""
        place = self._base / "0"
        for name in ("home", "tmp", "run"):
            (place / name).mkdir(parents=True, mode=0o700)
        (place / "home" / ".gitconfig").write_text(GIT_CONFIG, encoding="utf-8", newline="\n")
        with SyncService(answers=_ANSWERS) as service:
            variables = clean_environment({**self._variables(place, service.url), **service.environment()})
            done = run_to_end([str(self._executable), "auth", "login", "--headless"], variables, place, limit)
        if done.status != 0:
            said = (done.stdout + done.stderr).decode("utf-8", "backslashreplace").strip()[-500:]
            raise ImplementationError(f"`spec-kitty auth login --headless` ended with {done.status}: {said}")

    def _variables(self, place: Path, address: str) -> dict[str, str]:
        variables, _ = private(place)
        home = Path(variables["HOME"])
        for name in _CONFIGS:
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text(_CONFIG.format(address=address), encoding="utf-8", newline="\n")
        self._homes.append(home)
        return variables
