"""The durable append of the reference: what it reads, what it believes, what it takes back."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitty_reliability.build.event_log import EventLog
from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.formats.diagnostics import DiagnosticError
from kitty_reliability.formats.events import encode_row, read_rows
from kitty_reliability.formats.mission import read_meta
from kitty_reliability.formats.profiles import CONTRACT_320
from kitty_reliability.reference.reducer import Reducer
from kitty_reliability.reference.store import LogStore


@pytest.fixture
def built(tmp_path: Path) -> Mission:
    return mission(tmp_path / "repo", {"WP01": "planned", "WP02": "claimed"})


def store_of(built: Mission) -> LogStore:
    return LogStore(built.paths, CONTRACT_320, lock_seconds=0.2)


def next_row(built: Mission, **keys: Any) -> dict[str, Any]:
    """Return a legal row that is not in the log yet."""
    log = built.log
    log.clock.tick()
    template = {**log.rows[0], "from_lane": "planned", "to_lane": "claimed", "wp_id": "WP01", "actor": "x"}
    return {**template, "event_id": log.ids.ulid(log.clock.now), "at": log.clock.text, **keys}


def append(store: LogStore, built: Mission, row: dict[str, Any]) -> None:
    with store.locked():
        store.open_for_append(read_meta(built.paths.meta))
        store.append(row)


class _Reads:
    """Counts the bytes that are read from one file, by whichever call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.bytes = 0
        original = Path.read_bytes
        original_open = Path.open

        def read_bytes(target: Path) -> bytes:
            data = original(target)
            if target == path:
                self.bytes += len(data)
            return data

        def opened(target: Path, *arguments: Any, **options: Any) -> Any:
            file = original_open(target, *arguments, **options)
            if target == path and "r" in (arguments[0] if arguments else "r"):
                inner = file.read

                class Counted:
                    def read(_self, *size: Any) -> Any:  # noqa: N805
                        data = inner(*size)
                        self.bytes += len(data)
                        return data

                    def seek(_self, *where: Any) -> Any:  # noqa: N805
                        return file.seek(*where)

                    def __enter__(_self) -> Any:  # noqa: N805
                        return _self

                    def __exit__(_self, *_: object) -> None:  # noqa: N805
                        file.close()

                return Counted()
            return file

        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        monkeypatch.setattr(Path, "open", opened)


def test_an_append_reads_its_own_row_and_not_the_log(built: Mission, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2000):
        built.log.defer().note("WP02", f"note {number}")
    built.log.flush()
    store = store_of(built)
    append(store, built, next_row(built))
    reads = _Reads(monkeypatch, built.log.path)
    row = next_row(built, from_lane="claimed", to_lane="in_progress")
    append(store, built, row)
    assert reads.bytes == len(encode_row(row))
    assert built.log.path.stat().st_size > 300_000


def test_rows_that_another_process_added_are_seen(built: Mission) -> None:
    store = store_of(built)
    meta = read_meta(built.paths.meta)
    assert store.read(meta).lane("WP01") == "planned"
    built.log.lane("WP01", "claimed").lane("WP01", "in_progress")
    assert store.read(meta).lane("WP01") == "in_progress"


def test_a_log_that_was_rewritten_in_the_middle_is_read_anew(built: Mission) -> None:
    store = store_of(built)
    meta = read_meta(built.paths.meta)
    assert store.read(meta).lane("WP02") == "claimed"
    changed = built.log.path.read_bytes().replace(b'"to_lane": "claimed"', b'"to_lane": "blocked"')
    built.log.path.write_bytes(changed + encode_row(next_row(built)))
    reducer = store.read(meta)
    assert reducer.lane("WP02") == "blocked"
    assert reducer.lane("WP01") == "claimed"


def test_a_log_that_was_replaced_by_a_shorter_one_is_read_anew(built: Mission) -> None:
    store = store_of(built)
    meta = read_meta(built.paths.meta)
    store.read(meta)
    first = built.log.path.read_bytes().splitlines(keepends=True)[0]
    replacement = built.log.path.with_suffix(".new")
    replacement.write_bytes(first)
    replacement.replace(built.log.path)
    assert store.read(meta).work_packages == ["WP01"]


def test_a_log_that_disappeared_reduces_to_nothing(built: Mission) -> None:
    store = store_of(built)
    meta = read_meta(built.paths.meta)
    store.read(meta)
    built.log.path.unlink()
    assert store.read(meta).work_packages == []
    assert not store.exists


@pytest.mark.parametrize("broken", [b"", b"not json\n"], ids=["whole", "broken"])
@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_collected_after_a_reading_as_before_it(
    built: Mission, request: pytest.FixtureRequest, collecting: bool, broken: bytes
) -> None:
    request.addfinalizer(gc.enable)
    (gc.enable if collecting else gc.disable)()
    built.log.path.write_bytes(built.log.path.read_bytes() + broken)
    with pytest.raises(DiagnosticError) if broken else nullcontext():
        store_of(built).read(read_meta(built.paths.meta))
    assert gc.isenabled() is collecting


def test_a_broken_log_does_not_spoil_what_comes_after_its_repair(built: Mission) -> None:
    store = store_of(built)
    meta = read_meta(built.paths.meta)
    healthy = built.log.path.read_bytes()
    built.log.path.write_bytes(healthy + b"oops\n")
    for _ in range(2):
        with pytest.raises(DiagnosticError, match="ROW_NOT_JSON"):
            store.read(meta)
    built.log.path.write_bytes(healthy)
    assert store.read(meta).lane("WP02") == "claimed"


def test_a_row_that_is_taken_back_leaves_the_bytes_of_before(built: Mission) -> None:
    store = store_of(built)
    meta = read_meta(built.paths.meta)
    before = built.log.path.read_bytes()
    with store.locked():
        store.open_for_append(meta)
        size = store.size
        store.append(next_row(built))
        assert built.log.path.read_bytes() != before
        store.take_back(size)
    assert built.log.path.read_bytes() == before
    assert store.read(meta).lane("WP01") == "planned"


def test_a_log_that_was_not_there_is_not_there_after_a_row_was_taken_back(tmp_path: Path) -> None:
    built = mission(tmp_path / "repo", {"WP01": "genesis"}, log=False)
    other = EventLog(tmp_path / "scratch", mission_slug=built.slug, mission_id=built.mission_id)
    row = other.lane("WP01", "planned").last
    store = store_of(built)
    with store.locked():
        store.open_for_append(read_meta(built.paths.meta))
        store.append(row)
        store.take_back(0)
    assert not built.paths.log.exists()


def test_a_held_lock_is_told_after_its_bound(built: Mission) -> None:
    holder, waiter = store_of(built), store_of(built)
    with holder.locked(), pytest.raises(DiagnosticError, match="EVENT_LOCK_TIMEOUT"), waiter.locked():
        pass


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
@pytest.mark.parametrize("target", ["elsewhere", "/dev/null", "dangling"])
def test_a_log_that_is_a_link_is_not_followed(built: Mission, tmp_path: Path, target: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(built.log.path.read_bytes())
    before = elsewhere.read_bytes()
    built.log.path.unlink()
    built.log.path.symlink_to(target if target.startswith("/") else tmp_path / target)
    with pytest.raises(DiagnosticError, match="EVENT_LOG_OUTSIDE_ROOT"):
        append(store_of(built), built, next_row(built))
    assert elsewhere.read_bytes() == before
    assert not (tmp_path / "dangling").exists()


def test_a_torn_end_is_kept_and_the_same_torn_end_is_kept_once(built: Mission) -> None:
    store = store_of(built)
    for _ in range(2):
        built.log.path.write_bytes(built.log.path.read_bytes() + b'{"torn')
        append(store, built, next_row(built))
    kept = list(built.directory.glob("*.torn-*"))
    assert [path.read_bytes() for path in kept] == [b'{"torn']
    read_rows(built.log.path.read_bytes())


# --- portions, however they are cut, add up to the whole


def _rows() -> st.SearchStrategy[list[dict[str, Any]]]:
    lanes = st.sampled_from(["planned", "claimed", "in_progress", "in_review", "approved", "done", "blocked"])
    row = st.fixed_dictionaries(
        {
            "wp_id": st.sampled_from(["WP01", "WP02"]),
            "from_lane": lanes,
            "to_lane": lanes,
            "second": st.integers(0, 3),
            "force": st.booleans(),
            "note": st.one_of(st.none(), st.sampled_from(["a", "b"])),
        }
    )
    return st.lists(row, max_size=12)


def _encoded(drawn: list[dict[str, Any]]) -> list[bytes]:
    lines = []
    for number, item in enumerate(drawn):
        common = {
            "event_id": f"01J{number:023}",
            "at": f"2025-01-01T00:00:0{item['second']}+00:00",
            "wp_id": item["wp_id"],
            "actor": "x",
        }
        if item["note"]:
            lines.append(encode_row({**common, "kind": "annotation", "delta": {"note": item["note"]}}))
        else:
            keys = ("from_lane", "to_lane", "force")
            lines.append(encode_row({**common, "execution_mode": "worktree", **{key: item[key] for key in keys}}))
    return lines


@settings(max_examples=150)
@given(drawn=_rows(), cuts=st.lists(st.integers(0, 12), max_size=4), order=st.randoms(use_true_random=False))
def test_rows_in_portions_and_in_any_order_reduce_to_the_same(drawn: Any, cuts: Any, order: Any) -> None:
    lines = _encoded(drawn)
    whole = Reducer(CONTRACT_320, "m", None)
    whole.add(read_rows(b"".join(lines)))
    shuffled = list(lines)
    order.shuffle(shuffled)
    # A repeated line changes nothing either.
    shuffled += shuffled[:2]
    pieces = Reducer(CONTRACT_320, "m", None)
    for portion in _portions(shuffled, sorted(cuts)):
        pieces.add(read_rows(b"".join(portion)))
    meta = read_meta(Path("there-is-none"))
    assert whole.snapshot(meta) == pieces.snapshot(meta)


def _portions(lines: list[bytes], cuts: list[int]) -> Iterator[list[bytes]]:
    start = 0
    for cut in [*cuts, len(lines)]:
        yield lines[start:cut]
        start = max(start, cut)


def test_half_a_copy_of_a_torn_end_does_not_stand_in_the_way(built: Mission) -> None:
    torn = b'{"torn'
    healthy = built.log.path.read_bytes()
    built.log.path.write_bytes(healthy + torn)
    append(store_of(built), built, next_row(built))
    (half,) = built.directory.glob("*.torn-*")
    half.write_bytes(torn[:2])

    built.log.path.write_bytes(built.log.path.read_bytes() + torn)
    append(store_of(built), built, next_row(built, from_lane="claimed", to_lane="in_progress"))
    assert sorted(path.read_bytes() for path in built.directory.glob("*.torn-*")) == [torn[:2], torn]
