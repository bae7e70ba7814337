"""Missions with long logs, to be measured on."""

from __future__ import annotations

from pathlib import Path

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.formats.events import encode_row

__all__ = ["log_of_pairs", "long_log"]

_CYCLE = ("claimed", "in_progress", "blocked", "in_progress", "planned")


def long_log(root: Path, rows: int, *, packages: int = 12) -> Mission:
    """A mission of so many work packages whose log has ``rows`` lane rows."""
    built = mission(root, {f"WP{number:02}": "planned" for number in range(1, packages + 1)})
    log = built.log
    log.defer()
    for number in range(rows - len(log.rows)):
        package = f"WP{number % packages + 1:02}"
        log.lane(package, _CYCLE[(number // packages) % len(_CYCLE)], illegal=True)
        log.rows.clear()
    log.flush()
    return built


def log_of_pairs(root: Path, rows: int) -> Mission:
    """A mission of one work package whose log has ``rows`` lane rows, each two of the same instant."""
    built = mission(root, {"WP01": "claimed"})
    log = built.log
    template = log.rows[-1]
    lines = []
    for number in range(rows):
        if number % 2 == 0:
            log.clock.tick()
        lanes = {"from_lane": "claimed", "to_lane": ("claimed", "in_progress")[number % 2]}
        lines.append(encode_row({**template, **lanes, "event_id": log.ids.ulid(log.clock.now), "at": log.clock.text}))
    built.paths.log.write_bytes(b"".join(lines))
    return built
