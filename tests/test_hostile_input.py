"""Hostile bytes: typed errors with a line number, in bounded memory, and never another exception."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from random import Random

import pytest

from kitty_reliability.formats.diagnostics import Diagnostic, DiagnosticError
from kitty_reliability.formats.events import read_rows, recover_rows
from kitty_reliability.formats.profiles import CONTRACT_320, SPEC_KITTY_32, Profile

LOGS, MUTATIONS = 50, 100
DEEP = b"[" * 200_000
ROW = b'{"event_id": "01JNDKQJ00000000000000000Z", "event_type": "X", "payload": %s}\n'

HOSTILE = {
    "deep arrays": ROW % (DEEP + b"]" * 200_000),
    "deep objects": ROW % (b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
    "an unclosed depth": ROW % DEEP,
    "an integer of 5,000 digits": ROW % (b"7" * 5000),
    "a float of 5,000 digits": ROW % (b"7." + b"7" * 5000),
    "an exponent without end": ROW % b"1e999999999",
    "a line of 20 MB": ROW % (b'"' + b"x" * 20_000_000 + b'"'),
    "a line of 20 MB without an end": b"x" * 20_000_000,
    "20 MB of blanks": b" " * 20_000_000 + b"\n",
    "a million newlines": b"\n" * 1_000_000 + b"oops\n",
    "dense numbers": ROW % (b"[" + b"1," * 1_000_000 + b"1]"),
    "a lone surrogate": ROW % b'"\\ud800"',
    "a million keys": ROW % (b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}"),
    "zeros": b"\0" * 1_000_000,
}


def refusal(data: bytes, profile: Profile) -> Diagnostic | None:
    """Return what a strict read says of ``data``; any other exception is the test's failure."""
    try:
        read_rows(data, profile)
    except DiagnosticError as error:
        return error.diagnostic
    return None


@pytest.mark.parametrize("profile", [CONTRACT_320, SPEC_KITTY_32], ids=lambda profile: profile.name)
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_bytes_give_rows_or_an_error_with_a_line(what: str, profile: Profile) -> None:
    data = HOSTILE[what]
    if what == "a million keys" and not profile.strict_rows:
        pytest.skip("released readers have no limit for a line, and a dictionary of Python takes what it takes")
    tracemalloc.start()
    found = [refusal(data, profile), *recover_rows(data, profile)[1]]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(isinstance(item.fields["line"], int) for item in found if item is not None)
    # Rows and their diagnostics are small change beside a file of some size.
    assert peak < 10 * len(data) + 1_000_000


@pytest.mark.parametrize("profile", [CONTRACT_320, SPEC_KITTY_32], ids=lambda profile: profile.name)
def test_random_bytes_in_real_logs_give_rows_or_an_error_with_a_line(real_missions: Path, profile: Profile) -> None:
    logs = [path for path in sorted(real_missions.glob("*/status.events.jsonl")) if path.stat().st_size]
    chosen = logs[:: max(1, len(logs) // LOGS)][:LOGS]
    assert len(chosen) == LOGS
    random = Random(950)
    refused = 0
    for log in chosen:
        healthy = log.read_bytes()[:100_000]
        for _ in range(MUTATIONS):
            data = bytearray(healthy)
            for _ in range(random.randint(1, 3)):
                at = random.randrange(len(data))
                match random.randrange(4):
                    case 0:
                        data[at] = random.randrange(256)
                    case 1:
                        del data[at : at + random.randint(1, 40)]
                    case 2:
                        data[at:at] = random.choice([b"\n", b'"', b"{", b"}", b"\0", b"\xff", b"\\ud800", b"1e999"])
                    case _:
                        data[at:at] = data[at : at + random.randint(1, 200)]
            lines = bytes(data).count(b"\n") + 1
            found = refusal(bytes(data), profile)
            refused += found is not None
            assert found is None or 1 <= found.fields["line"] <= lines
    # Most of what hits a row breaks it; a reader that refuses nothing has not looked.
    assert refused > LOGS * MUTATIONS // 4


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of a process is told by the resource module")
def test_a_process_that_reads_20_mb_stays_small(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(HOSTILE["a line of 20 MB"])
    code = (
        "import resource, sys\n"
        "from kitty_reliability.formats.events import read_rows\n"
        "from kitty_reliability.formats.diagnostics import DiagnosticError\n"
        "unit = 1 if sys.platform == 'darwin' else 1024\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit\n"
        "try: read_rows(open(sys.argv[1], 'rb').read())\n"
        "except DiagnosticError as error: print(error.diagnostic.code)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, log], capture_output=True, text=True, check=True, timeout=120)
    said, grown = done.stdout.split()
    assert said == "ROW_TOO_LONG"
    assert int(grown) < 10 * log.stat().st_size
