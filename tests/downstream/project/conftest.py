from __future__ import annotations

from collections.abc import Callable

import pytest

from kitty_reliability.build.mission import Mission


@pytest.fixture
def reviewed(kitty_mission_factory: Callable[..., Mission]) -> Mission:
    """A mission with one work package approved and one in review."""
    return kitty_mission_factory({"WP01": "approved", "WP02": "in_review"})
