from __future__ import annotations

import builtins
import errno
import inspect
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from kitty_reliability.faults.disk import DiskFault

Mode = Literal["lost", "full", "torn", "slow"]
MODES: list[Mode] = ["lost", "full", "torn", "slow"]
OLD, NEW, THROUGH = b"old row\n", b"new row", 3


# --- ways of writing; the same text runs in another process, so each stands alone


def os_write(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        return os.write(descriptor, b"new row")
    finally:
        os.close(descriptor)


def os_write_until_done(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        data = b"new row"
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def open_ab(path: Path) -> None:
    with open(path, "ab") as file:  # noqa: PTH123
        file.write(b"new row")


def open_ab_unbuffered(path: Path) -> int:
    with open(path, "ab", buffering=0) as file:  # noqa: PTH123
        return file.write(b"new row")


def open_a(path: Path) -> None:
    with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write("new row")


def open_read_and_append(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(b"new row")


def open_w(path: Path) -> None:
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("new row")


def os_write_truncating(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT)
    try:
        return os.write(descriptor, b"new row")
    finally:
        os.close(descriptor)


def write_bytes(path: Path) -> None:
    path.write_bytes(b"new row")


def write_text(path: Path) -> None:
    path.write_text("new row", encoding="utf-8")


def os_replace(path: Path) -> None:
    temporary = path.with_name("temporary")
    temporary.write_bytes(b"new row")
    os.replace(temporary, path)  # noqa: PTH105


def path_replace(path: Path) -> None:
    temporary = path.with_name("temporary")
    temporary.write_bytes(b"new row")
    temporary.replace(path)


APPENDING = [os_write, os_write_until_done, open_ab, open_ab_unbuffered, open_a, open_read_and_append]
TRUNCATING = [open_w, os_write_truncating, write_bytes, write_text]
REPLACING = [os_replace, path_replace]
UNBUFFERED = [os_write, open_ab_unbuffered, os_write_truncating]
Way = Callable[[Path], Any]

every_mode = pytest.mark.parametrize("mode", MODES)
every_way = pytest.mark.parametrize("way", [*APPENDING, *TRUNCATING, *REPLACING], ids=lambda way: way.__name__)


def what_stands(mode: Mode, way: Way) -> bytes:
    """What is on disk after ``way`` wrote NEW to a file that held OLD."""
    if mode == "lost":
        return OLD
    kept = OLD if way in APPENDING else b""
    if way in REPLACING:
        return NEW if mode == "slow" else OLD
    return kept + {"full": b"", "torn": NEW[:THROUGH], "slow": NEW}[mode]


def what_is_said(mode: Mode, way: Way) -> Any:
    """What the writer gets back: an error number, or what the call returns."""
    if mode == "full" or (mode == "torn" and way not in UNBUFFERED):
        return errno.ENOSPC
    if way in UNBUFFERED:
        return THROUGH if mode == "torn" else len(NEW)
    return None


def outcome(way: Way, path: Path) -> Any:
    try:
        return way(path)
    except OSError as error:
        return error.errno


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "with space" / "log.jsonl"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def fault_on(path: Path, mode: Mode, **options: Any) -> DiskFault:
    marker = path.parent.parent / f"acted-{mode}"
    return DiskFault(path, mode, marker, **{"bytes_through": THROUGH, **options})


def run(fault: DiskFault, program: str, *arguments: str) -> str:
    """Run a program in another Python with the fault in place."""
    environment = {**os.environ, **fault.environment()}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout


def program_of(*ways: Way) -> str:
    """A program that writes to the file named first in each way, and prints what each was told."""
    sources = "\n\n".join(inspect.getsource(way) for way in ways)
    return (
        "from __future__ import annotations\n"
        "import json, os, sys\nfrom pathlib import Path\nfrom typing import Any\n"
        f"{sources}\n"
        f"told = []\nfor way in ({', '.join(way.__name__ for way in ways)},):\n"
        "    try: told.append(way(Path(sys.argv[1])))\n"
        "    except OSError as error: told.append(error.errno)\n"
        "print(json.dumps(told))\n"
    )


# --- in this process


@every_mode
@every_way
def test_a_write_in_this_process_meets_the_fault(target: Path, mode: Mode, way: Way) -> None:
    fault = fault_on(target, mode)

    with fault.here():
        told = outcome(way, target)

    assert told == what_is_said(mode, way)
    assert target.read_bytes() == what_stands(mode, way)
    assert fault.acted > 0


@every_mode
@every_way
def test_another_file_beside_it_is_written_as_ever(target: Path, mode: Mode, way: Way) -> None:
    other = target.with_name("other.jsonl")
    other.write_bytes(OLD)
    fault = fault_on(target, mode)

    with fault.here():
        told = outcome(way, other)

    assert told == (len(NEW) if way in UNBUFFERED else None)
    assert other.read_bytes() == (OLD + NEW if way in APPENDING else NEW)
    assert target.read_bytes() == OLD
    assert fault.acted == 0


@every_way
def test_after_the_block_a_write_is_a_write_again(target: Path, way: Way) -> None:
    fault = fault_on(target, "full")
    with fault.here():
        outcome(way, target)
    target.write_bytes(OLD)
    acted = fault.acted

    way(target)

    assert target.read_bytes() == (OLD + NEW if way in APPENDING else NEW)
    assert fault.acted == acted


def everything_replaced() -> dict[str, Any]:
    names = ("open", "write", "writev", "pwrite", "pwritev", "sendfile", "copy_file_range", "replace", "rename")
    return {
        **{name: getattr(os, name) for name in names if hasattr(os, name)},
        "io": io.open,
        "builtins": builtins.open,
    }


@every_mode
def test_after_the_block_every_function_is_the_original(target: Path, mode: Mode) -> None:
    before = everything_replaced()

    with fault_on(target, mode).here():
        inside = everything_replaced()

    assert all(inside[name] is not before[name] for name in before)
    assert all(everything_replaced()[name] is before[name] for name in before)


def test_an_error_in_the_block_takes_the_fault_away_too(target: Path) -> None:
    before = everything_replaced()

    with pytest.raises(KeyError), fault_on(target, "lost").here():
        raise KeyError

    assert all(everything_replaced()[name] is before[name] for name in before)


def test_two_faults_on_two_files_are_in_place_together(target: Path) -> None:
    other = target.with_name("other.jsonl")
    other.write_bytes(OLD)
    lost, full = fault_on(target, "lost"), fault_on(other, "full")

    with lost.here(), full.here():
        told = [outcome(write_bytes, target), outcome(write_bytes, other)]

    assert told == [None, errno.ENOSPC]
    assert (target.read_bytes(), other.read_bytes()) == (OLD, b"")
    assert (lost.acted > 0, full.acted > 0) == (True, True)


@every_mode
def test_reading_is_not_a_write(target: Path, mode: Mode) -> None:
    fault = fault_on(target, mode)

    with fault.here():
        descriptor = os.open(target, os.O_RDONLY)
        told = [target.read_bytes(), target.read_text(encoding="utf-8"), os.read(descriptor, 100)]
        os.close(descriptor)

    assert told == [OLD, OLD.decode(), OLD]
    assert fault.acted == 0


def test_a_fault_that_never_met_a_write_did_not_act(target: Path) -> None:
    fault = fault_on(target, "lost")
    with fault.here():
        pass

    assert fault.acted == 0
    assert not fault.marker.exists()


@every_mode
def test_it_is_counted_how_often_a_fault_acted(target: Path, mode: Mode) -> None:
    fault = fault_on(target, mode)

    with fault.here():
        counts = [outcome(os_write, target) and fault.acted for _ in range(3)]

    assert counts == [1, 2, 3]


def test_a_full_disk_names_the_file(target: Path) -> None:
    with fault_on(target, "full").here(), pytest.raises(OSError, match="No space left on device") as caught:
        target.write_bytes(NEW)

    assert caught.value.filename == str(target)


@pytest.mark.parametrize("through", [0, 1, 3, 6, 7, 100])
def test_a_torn_write_lets_through_as_many_bytes_as_it_was_told(target: Path, through: int) -> None:
    with fault_on(target, "torn", bytes_through=through).here():
        told = outcome(os_write_until_done, target)

    assert target.read_bytes() == OLD + NEW[:through]
    assert told == (None if through >= len(NEW) else errno.ENOSPC)


def test_a_torn_disk_counts_the_bytes_over_several_writes(target: Path) -> None:
    with fault_on(target, "torn", bytes_through=10).here():
        told = [outcome(os_write, target) for _ in range(3)]

    assert told == [7, 3, errno.ENOSPC]
    assert target.read_bytes() == OLD + NEW + NEW[:3]


@pytest.mark.parametrize("way", [open_ab, open_w, write_bytes, os_write], ids=lambda way: way.__name__)
def test_a_lost_write_to_a_file_that_was_not_there_leaves_it_empty(target: Path, way: Way) -> None:
    target.unlink()

    with fault_on(target, "lost").here():
        way(target)

    assert target.read_bytes() == b""


@pytest.mark.parametrize("way", REPLACING, ids=lambda way: way.__name__)
def test_a_lost_replacement_takes_the_temporary_file_with_it(target: Path, way: Way) -> None:
    with fault_on(target, "lost").here():
        way(target)

    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("way", REPLACING, ids=lambda way: way.__name__)
@pytest.mark.parametrize("mode", ["full", "torn"])
def test_a_replacement_that_fails_leaves_both_files(target: Path, mode: Mode, way: Way) -> None:
    with fault_on(target, mode).here():
        outcome(way, target)

    assert (target.read_bytes(), target.with_name("temporary").read_bytes()) == (OLD, NEW)


def test_moving_the_file_away_is_not_a_write_to_it(target: Path) -> None:
    fault = fault_on(target, "full")

    with fault.here():
        target.rename(target.with_name("aside"))

    assert target.with_name("aside").read_bytes() == OLD
    assert fault.acted == 0


def test_a_file_named_by_a_relative_path_is_the_same_file(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(target.parent)
    fault = fault_on(target, "lost")

    with fault.here():
        open_ab(Path(target.name))
        os_write(Path("..") / target.parent.name / target.name)

    assert target.read_bytes() == OLD
    assert fault.acted == 2


def test_a_fault_on_a_relative_path_is_on_that_file(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(target.parent)
    fault = DiskFault(Path(target.name), "lost", target.parent.parent / "acted")

    with fault.here():
        open_ab(target)

    assert target.read_bytes() == OLD
    assert fault.acted > 0


def test_text_is_encoded_as_open_would_encode_it(target: Path) -> None:
    with (
        fault_on(target, "slow").here(),
        target.open("w", encoding="utf-16-le", errors="replace", newline="\r\n") as file,
    ):
        print("ü", file=file)
        told = (file.encoding, file.errors, file.mode, Path(file.name))

    assert target.read_bytes() == "ü\r\n".encode("utf-16-le")
    assert told == ("utf-16-le", "replace", "w", target)


def test_a_file_can_be_written_and_read_back_through_one_handle(target: Path) -> None:
    with fault_on(target, "slow").here(), target.open("w+b") as file:
        file.write(NEW)
        file.seek(0)
        told = file.read()

    assert told == target.read_bytes() == NEW


def test_a_file_that_must_be_new_is_refused_when_it_is_there(target: Path) -> None:
    with fault_on(target, "lost").here(), pytest.raises(FileExistsError):
        target.open("x")


def test_a_descriptor_that_was_closed_by_a_file_object_is_forgotten(target: Path) -> None:
    other = target.with_name("other.jsonl")
    fault = fault_on(target, "lost")

    with fault.here():
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_APPEND), "ab"):
            pass
        os_write(other)

    assert other.read_bytes() == NEW


def test_a_write_through_fdopen_meets_the_fault(target: Path) -> None:
    fault = fault_on(target, "lost")

    with fault.here(), os.fdopen(os.open(target, os.O_WRONLY | os.O_APPEND), "ab") as file:
        file.write(NEW)

    assert (target.read_bytes(), fault.acted) == (OLD, 1)


# --- in another process


@every_mode
@every_way
def test_a_write_in_another_process_meets_the_fault(target: Path, mode: Mode, way: Way) -> None:
    fault = fault_on(target, mode)

    (told,) = json.loads(run(fault, program_of(way), str(target)))

    assert told == what_is_said(mode, way)
    assert target.read_bytes() == what_stands(mode, way)
    assert fault.acted > 0


@every_mode
def test_in_another_process_other_files_are_written_as_ever(target: Path, mode: Mode) -> None:
    fault = fault_on(target, mode)
    other = target.with_name("other.jsonl")
    other.write_bytes(OLD)

    told = json.loads(run(fault, program_of(os_write, open_ab, open_a), str(other)))

    assert told == [len(NEW), None, None]
    assert other.read_bytes() == OLD + NEW * 3
    assert fault.acted == 0


def test_a_fault_for_other_processes_is_not_in_place_in_this_one(target: Path) -> None:
    fault = fault_on(target, "lost")
    before = dict(os.environ)

    fault.environment()
    open_ab(target)

    assert target.read_bytes() == OLD + NEW
    assert dict(os.environ) == before


def test_a_fault_reaches_the_processes_that_the_program_starts(target: Path) -> None:
    fault = fault_on(target, "lost")
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]], check=True)"

    run(fault, program, program_of(open_ab), str(target))

    assert target.read_bytes() == OLD
    assert fault.acted > 0


def test_writes_of_several_processes_are_counted_together(target: Path) -> None:
    fault = fault_on(target, "lost")

    for _ in range(2):
        run(fault, program_of(os_write, os_write), str(target))

    assert fault.acted == 4


def test_the_path_of_modules_that_was_set_is_kept(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "neighbour.py").write_text("name = 'there'\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))

    assert run(fault_on(target, "lost"), "import neighbour; print(neighbour.name)") == "there\n"


def test_a_program_with_the_fault_in_place_imports_nothing_of_the_project(target: Path) -> None:
    told = run(
        fault_on(target, "lost"),
        "import sys; print('kitty_disk_shim' in sys.modules, 'kitty_reliability' in sys.modules)",
    )

    assert told == "True False\n"


def test_a_slow_write_waits_before_it_happens(target: Path) -> None:
    fault = fault_on(target, "slow", seconds=600.0)
    environment = {**os.environ, **fault.environment()}

    with subprocess.Popen([sys.executable, "-c", program_of(open_ab), str(target)], env=environment) as process:
        try:
            while fault.acted == 0 and process.poll() is None:
                time.sleep(0.01)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
            assert target.read_bytes() == OLD
        finally:
            process.kill()

    assert target.read_bytes() == OLD
    assert fault.acted == 1
