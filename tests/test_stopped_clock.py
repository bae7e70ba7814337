"""A clock that stands still: what a Python program sees of it, and what goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from kitty_reliability.faults.clock import StoppedClock

_MOMENT = datetime(2026, 3, 2, 9, 0, 59, 250_000, tzinfo=timezone(timedelta(hours=2)))
_LOOKS = """
import json, pickle, time
from datetime import datetime, timedelta, timezone
def look():
    return [
        time.time(), time.time_ns(), time.strftime("%M:%S"), time.strftime("%Y", time.gmtime(0)), time.gmtime().tm_sec,
        time.localtime().tm_sec, datetime.now(timezone.utc).isoformat(), datetime.utcnow().second, datetime.today().second,
        datetime.now().second,
    ]
first, began = look(), time.monotonic()
while time.monotonic() == began:
    pass
now = datetime.now(timezone.utc)
sound = isinstance(now, datetime) and isinstance(now + timedelta(1), datetime) and issubclass(type(now), datetime)
sound = sound and datetime.fromisoformat("2020-01-01").year == 2020 and pickle.loads(pickle.dumps(now)) == now
print(json.dumps([first, look(), sound]))
"""


def looks(environment: dict[str, str]) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LOOKS],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
    )
    first, second, sound = json.loads(done.stdout)
    assert first == second or not environment
    assert sound
    return list(first)


def test_every_look_gives_the_moment() -> None:
    seconds = _MOMENT.timestamp()
    told = looks(StoppedClock(_MOMENT).environment())
    assert told == [
        seconds, int(seconds * 1000) * 10**6, "00:59", "1970", 59, 59, _MOMENT.astimezone(UTC).isoformat(), 59, 59, 59
    ]  # fmt: skip


def test_without_it_the_time_is_the_real_one() -> None:
    assert looks({})[0] != _MOMENT.timestamp()


def test_a_moment_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        StoppedClock(datetime(2026, 1, 1))
