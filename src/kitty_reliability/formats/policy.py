"""``policy.commit_guard`` in ``.kittify/config.yaml`` of the main checkout (interop: section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from .frontmatter import FrontmatterError, parse_yaml
from .profiles import Profile

__all__ = ["CONFIG_FILE", "GuardPolicy", "Mode", "guard_policy", "read_guard_policy"]

CONFIG_FILE: Final = ".kittify/config.yaml"

Mode = Literal["block", "warn", "off"]


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What the guard of what is staged does with its findings, and which of them it looks for."""

    mode: Mode
    protects_missions: bool = True
    enforces_ownership: bool = True
    #: What is wrong with the file, in words; the defaults stand in for that.
    problem: str | None = None


def read_guard_policy(root: Path, profile: Profile) -> GuardPolicy:
    """Return the policy of the main checkout at ``root``; the profile's defaults where the file does not say.

    A file that cannot be read never makes a guard that blocks any weaker; 3.2.x goes on with warnings.
    """
    path = root / CONFIG_FILE
    try:
        config = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        config = {}
    except (OSError, ValueError, FrontmatterError) as error:
        return GuardPolicy(_default(profile), problem=f"cannot be read: {error}")
    section: Any = config
    for key in ("policy", "commit_guard"):
        section = section.get(key)
        if not isinstance(section, dict):
            return GuardPolicy(_default(profile), problem=None if section is None else f"{key} is no mapping")
    return guard_policy(section, profile)


def guard_policy(section: dict[str, Any], profile: Profile) -> GuardPolicy:
    """Return the policy that ``policy.commit_guard`` spells out."""
    problems = []

    def flag(value: Any, name: str) -> bool:
        if isinstance(value, bool):
            return value
        problems.append(f"{name} is {value!r}")
        return bool(value) or profile.guard_blocks

    enabled = flag(section.get("enabled", True), "enabled")
    missions = section.get("block_mission_specs", section.get("block_kitty_specs", True))
    mode = section.get("mode", _default(profile))
    if mode not in get_args(Mode):
        problems.append(f"mode is {mode!r}")
        mode = _default(profile)
    return GuardPolicy(
        mode if enabled else "off",
        flag(missions, "block_mission_specs"),
        flag(section.get("enforce_ownership", True), "enforce_ownership"),
        "; ".join(problems) or None,
    )


def _default(profile: Profile) -> Mode:
    return "block" if profile.guard_blocks else "warn"
