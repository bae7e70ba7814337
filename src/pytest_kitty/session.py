"""What one pytest run knows about the implementation under test. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kitty_reliability.formats.profiles import PROFILES, Profile
from kitty_reliability.formats.visible import visible, visible_line
from kitty_reliability.implementations.base import ImplementationError
from kitty_reliability.implementations.registry import connect, read_settings

if TYPE_CHECKING:
    from kitty_reliability.implementations.base import Implementation

__all__ = ["KittySession"]

_DEFAULT = "reference"
#: Of a name or a version, in characters.
_MOST_SHOWN = 80


class KittySession:
    """The implementation under test, connected on first use, and the seed of the run."""

    def __init__(self, config: pytest.Config, *, spec: str | None, profile: str | None, seed: int) -> None:
        self._config = config
        self._spec = spec
        self._profile_name = profile
        self._implementation: Implementation | None = None
        self.seed = seed

    @property
    def implementation(self) -> Implementation:
        """The session on the implementation under test.

        Raises:
            pytest.UsageError: it cannot be found or does not say who it is.
        """
        if self._implementation is None:
            self._implementation = self._connect()
        return self._implementation

    @property
    def profile(self) -> Profile:
        """What to judge by: the profile that was asked for, or the one that is declared."""
        return PROFILES[self._profile_name or self.implementation.greeting.profile]

    def connect_or_stop(self) -> None:
        """Connect now, so that a wrong name stops the run before anything is collected."""
        _ = self.implementation

    def describe(self) -> str:
        """Name the implementation, its version and the profile, for headers and tables."""
        if self._implementation is None and self._spec is None:
            return ""
        greeting = self.implementation.greeting
        # Of its own choice, and beside the verdicts: neither a line of its own nor a page.
        name, version = (visible_line(text[:_MOST_SHOWN]) for text in (greeting.name, greeting.version))
        return f"{name} {version}, profile {self.profile.name}, seed {self.seed}"

    def header(self) -> str:
        """The line in the header of the run."""
        return f"kitty: {self.describe()} ({self.implementation.spec})"

    def close(self) -> None:
        """End the implementation's processes."""
        if self._implementation is not None:
            self._implementation.close()

    def _connect(self) -> Implementation:
        if self._profile_name is not None and self._profile_name not in PROFILES:
            known = ", ".join(PROFILES)
            raise pytest.UsageError(f"--kitty-profile: unknown profile {self._profile_name!r}; known: {known}")
        implementation: Implementation | None = None
        try:
            settings = read_settings(self._config.rootpath / "pyproject.toml")
            extra: dict[str, Any] = {}
            for offered in self._config.hook.pytest_kitty_implementations(config=self._config):
                extra |= offered or {}
            spec = self._spec or settings.implementation or _DEFAULT
            self._profile_name = self._profile_name or settings.profile
            if self._profile_name is not None and self._profile_name not in PROFILES:
                raise ImplementationError(f"[tool.kitty] profile: unknown profile {self._profile_name!r}")
            implementation = connect(spec, settings=settings, extra=extra)
            declared = implementation.greeting.profile
            if self._profile_name is None and declared not in PROFILES:
                raise ImplementationError(f"{spec}: declares unknown profile {declared!r}")
        except ImplementationError as error:
            if implementation is not None:
                implementation.close()
            raise pytest.UsageError(f"kitty: {visible(str(error))}") from None
        return implementation
