"""SYN: a success stays a success, whatever becomes of the sync behind it; and what is said of that, and where.

Every scenario looks at commands that ran as processes of their own against a service on the loopback that fails by script
(``finalizers``). The twin of each is the same command with a service that is well, or with sync off.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import combinations
from random import Random
from typing import Final, Literal

import pytest

from kitty_reliability.faults.sync_script import StepLike, SyncFault, SyncScript
from kitty_reliability.implementations.protocol import Capability
from kitty_reliability.observe.output import Output, OutputError, one_json_value, sync_diagnostics
from kitty_reliability.observe.rows import lanes_from_bytes
from kitty_reliability.observe.tree import find_bytes
from pytest_kitty.plugin import kitty_session
from pytest_kitty.scenarios import Finding, inconclusive, not_applicable

from .conftest import guard_key
from .finalizers import WRITERS, Case, Finalizers, Seen, failing
from .world import World, Worlds

See = Callable[..., list[Seen]]
_Form = Literal["json", "text"]

#: No end of it comes before the patience of any client does.
_TRICKLE: Final = ("trickle", {"bytes_per_second": 5.0, "size": 100_000})
_ANSWERED: Final[dict[str, StepLike]] = {
    word: word for word in ("401", "403", "429", "500", "unknown", "malformed", "oversized")
}
_UNANSWERED: Final[dict[str, StepLike]] = {
    **{word: word for word in ("refused", "reset", "timeout", "truncated")},
    "trickle": _TRICKLE,
}
_WELL: Final = Case()


@pytest.fixture(scope="session")
def finalizers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finalizers:
    """Runs each command once in this run."""
    session = kitty_session(request.config)

    def make(name: str) -> Worlds:
        base = tmp_path_factory.mktemp("finalizers")
        # Drawn from the case alone: the same draws in any order.
        return Worlds(base, session.implementation, session.profile, Random(f"{session.seed}:{name}"))

    return Finalizers(make)


@pytest.fixture
def see(worlds: Worlds, finalizers: Finalizers, request: pytest.FixtureRequest) -> See:
    """Returns what the commands of some cases did, once the twin of all of them, with which all is well, was seen."""
    worlds.needs(Capability.WRITE, Capability.SURFACE, Capability.SYNC)

    def seen(*cases: Case, again: bool = False) -> list[Seen]:
        guard = request.node.stash[guard_key]
        (well,) = finalizers.see(guard, [_WELL])
        _succeeded(well, well)
        if not well.connections:
            inconclusive(f"with sync on, its command does not contact the service: {well.what}")
        return finalizers.see(guard, cases, again=again)

    return seen


@pytest.fixture
def look(worlds: Worlds, finalizers: Finalizers, request: pytest.FixtureRequest) -> See:
    """Returns what the commands of some cases did, whether they ask a service or not."""
    worlds.needs(Capability.WRITE, Capability.SURFACE, Capability.SYNC)
    return lambda *cases, again=False: finalizers.see(request.node.stash[guard_key], cases, again=again)


@pytest.fixture
def see_store(worlds: Worlds, look: See) -> See:
    """Returns what the commands of some cases did whose database is damaged or locked."""
    if worlds.implementation.greeting.sync_store is None:
        not_applicable("it declares no database of what is yet to be told")
    return look


def _wanted(seen: Seen, well: Seen) -> None:
    """Leave it undecided when what became of the database shows nowhere."""
    if (seen.stderr, seen.diagnostics) == (well.stderr, well.diagnostics):
        inconclusive("nothing shows that it wanted the database")


# --- SYN-001


def _succeeded(seen: Seen, twin: Seen) -> None:
    """Judge that a command ended well, told so as its twin did, and did what it told."""
    __tracebackhide__ = True
    world = seen.world
    world.check(seen.status is not None, Finding.HANG, f"it did not end; {seen.what}")
    world.check(seen.status == 0, Finding.WRONG_EXIT_STATUS, f"the change was made, sync failed; {seen.what}")
    now = lanes_from_bytes(world.log.read_bytes()).get("WP01")
    world.check(
        now == WRITERS[seen.case.asks], Finding.ACKED_ROW_MISSING, f"exit status 0, and WP01 is {now}; {seen.what}"
    )
    if seen.case.form == "text":
        _text_tells(seen, twin)
        return
    value, as_twin = seen.result(), twin.result()
    missing = set(as_twin) - set(value) if isinstance(value, dict) and isinstance(as_twin, dict) else {"an object"}
    missing.discard(world.implementation.greeting.sync_field or "")
    world.check(
        not missing, Finding.LOCAL_RESULT_HIDDEN, f"the result lacks {', '.join(sorted(missing))}: {seen.stdout!r}"
    )
    told = value.get("error") or value.get("result") in ("error", "failed", "refused", "unknown")
    world.check(not told, Finding.LOCAL_RESULT_HIDDEN, f"what was done is told as a failure: {seen.stdout!r}")
    if seen.case.asks == "transition" and value.get("event_id"):
        world.one_row(seen.mark, str(value["event_id"]), "WP01", "claimed")


def _text_tells(seen: Seen, twin: Seen) -> None:
    """Judge that stdout has the words of the result that it has when nothing goes wrong."""
    __tracebackhide__ = True
    words = [word for word in ("WP01", "claimed", "in_progress") if word in twin.stdout.text]
    missing = [word for word in words if word not in seen.stdout.text]
    if missing or not seen.stdout.strip():
        observed = f"stdout does not tell of {', '.join(words)}: {seen.stdout!r}; {seen.what}"
        seen.world.fail(Finding.LOCAL_RESULT_HIDDEN, observed)


@pytest.mark.kitty_clause("SYN-001")
@pytest.mark.parametrize("what", ["an answer that is none", "no answer"])
def test_a_failing_sync_costs_no_success(see: See, what: str) -> None:
    """The service refuses, breaks, is silent or talks nonsense: the command ends as if all were well."""
    faults = _ANSWERED if what == "an answer that is none" else _UNANSWERED
    well, well_text, *all_seen = see(
        _WELL, Case(form="text"), *(failing(fault) for fault in faults.values()),
        *(failing(faults[word], "text") for word in ("401", "500", "refused") if word in faults),
    )  # fmt: skip
    for seen in all_seen:
        _succeeded(seen, well if seen.case.form == "json" else well_text)


@pytest.mark.kitty_clause("SYN-001")
def test_a_held_lock_costs_no_success(see: See) -> None:
    """Another process holds the lock of whoever syncs, and does not let go."""
    well, seen = see(_WELL, Case(locked=True))
    _succeeded(seen, well)
    if seen.requests:
        inconclusive("the lock that it names keeps nobody from syncing")
    _ = seen.code()


@pytest.mark.kitty_clause("SYN-001")
def test_the_end_of_the_interpreter_costs_no_success(see: See) -> None:
    """The command runs while its interpreter exits, when nothing can be handed to threads any more."""
    off, seen = see(Case(switch="0", ending=True), Case(ending=True))
    if off.status != 0:
        inconclusive(f"it does not run while the interpreter exits, even with sync off: {off.stderr[-300:]!r}")
    _succeeded(seen, off)
    if not (seen.requests or seen.diagnostics):
        inconclusive(f"nothing was sent, and nothing tells of that; {seen.what}")


@pytest.mark.kitty_clause("SYN-001")
@pytest.mark.parametrize("asks", [one for one in WRITERS if one != "transition"])
def test_a_failing_sync_costs_no_other_writer_its_success(worlds: Worlds, see: See, asks: str) -> None:
    """What holds for a transition holds for whatever else changes a mission."""
    worlds.needs(Capability(asks))
    # Released versions start with text only.
    form: _Form = "text" if asks == "start" else "json"
    (seen,) = see(failing("401", form, asks=asks) if asks != "batch" else _six_times_one())
    _succeeded(seen, seen)


@pytest.mark.kitty_clause("SYN-001")
@pytest.mark.parametrize("store", ["damaged", "locked"])
def test_a_store_that_cannot_be_used_costs_no_success(see_store: See, store: Literal["damaged", "locked"]) -> None:
    """What is yet to be told cannot be written down: the command ends as if it could."""
    well, seen = see_store(_WELL, Case(store=store))
    _succeeded(seen, well)
    _wanted(seen, well)


# --- SYN-002


@pytest.mark.kitty_clause("SYN-002")
@pytest.mark.parametrize("ending", ["success", "error"])
def test_stdout_is_one_json_value(look: See, request: pytest.FixtureRequest, ending: str) -> None:
    """Whatever fails, here or there: stdout is one JSON value and nothing else."""
    if ending == "success":
        cases = [_WELL, failing("401"), failing("refused"), failing("unknown"), failing("oversized")]
        look = request.getfixturevalue("see")
    else:
        cases = [failing("401", asks=asks) for asks in ("damaged", "nowhere")]
    for seen in look(*cases):
        seen.world.check(
            (seen.status == 0) == (ending == "success"), Finding.WRONG_EXIT_STATUS, f"{ending} was due; {seen.what}"
        )
        value = seen.result()
        seen.world.check(isinstance(value, dict), Finding.STDOUT_POLLUTED, f"{value!r} is no result; {seen.what}")


@pytest.mark.kitty_clause("SYN-002")
def test_a_damaged_store_leaves_stdout_alone(see_store: See) -> None:
    """Whatever is said of the database, it is not said on stdout."""
    (seen,) = see_store(Case(store="damaged"))
    value = seen.result()
    seen.world.check(isinstance(value, dict), Finding.STDOUT_POLLUTED, f"{value!r} is no result; {seen.what}")


@pytest.mark.kitty_clause("SYN-002")
def test_records_in_one_pipe_stay_whole(see: See) -> None:
    """Both streams lead to one pipe: the result begins and ends a line, whatever stderr has on the others."""
    (seen,) = see(failing("401", streams="merged"))
    seen.world.check(seen.status == 0, Finding.WRONG_EXIT_STATUS, seen.what)
    lines = [line for line in seen.stdout.text.splitlines() if not sync_diagnostics(line)]
    whole = any(_is_object("\n".join(lines[at:end])) for at, end in combinations(range(len(lines) + 1), 2))
    seen.world.check(whole, Finding.STDOUT_POLLUTED, f"in one pipe with stderr no line is the result: {seen.stdout!r}")


def _is_object(text: str) -> bool:
    try:
        return isinstance(one_json_value(text), dict)
    except OutputError:
        return False


# --- SYN-003, SYN-004

_MORE: Final[dict[str, tuple[str, ...]]] = {"json": ("429", "reset"), "text": ()}


@pytest.mark.kitty_clause("SYN-003")
def test_text_tells_the_success_and_stderr_the_rest(see: See) -> None:
    """With text, stdout has the result and no diagnostic, stderr the diagnostic."""
    well, *all_seen = see(Case(form="text"), *(failing(fault, "text") for fault in ("401", "500", "refused")))
    for seen in all_seen:
        _succeeded(seen, well)
        on_stdout = sync_diagnostics(seen.stdout)
        seen.world.check(not on_stdout, Finding.STDOUT_POLLUTED, f"a diagnostic is on stdout: {seen.stdout!r}")
        _ = seen.code()


@pytest.mark.kitty_clause("SYN-004")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_diagnostic_has_all_its_keys(see: See, form: _Form) -> None:
    """Severity, code, message and phase are texts that say something, and ``fatal`` is false."""
    # The others cost nothing: their commands were run with JSON anyway.
    for seen in see(*(failing(fault, form) for fault in ("401", "500", "refused", *_MORE[form]))):
        _complete(seen)


def _complete(seen: Seen) -> None:
    """Judge that something is told, and that whatever is told has all its keys."""
    __tracebackhide__ = True
    _ = seen.code()
    for one in seen.diagnostics:
        empty = [
            key
            for key in ("severity", "diagnostic_code", "message", "sync_phase")
            if not (isinstance(one.get(key), str) and one[key].strip())
        ]
        seen.world.check(not empty, Finding.WRONG_DIAGNOSTIC, f"{', '.join(empty)} says nothing: {one}")
        seen.world.check(one.get("fatal") is False, Finding.WRONG_DIAGNOSTIC, f"fatal is {one.get('fatal')!r}: {one}")


@pytest.mark.kitty_clause("SYN-004")
def test_a_damaged_store_is_told_of_by_a_diagnostic(see_store: See) -> None:
    """What could not be written down will never be told: that is said where a program can read it."""
    (seen,) = see_store(Case(store="damaged"))
    _complete(seen)


# --- SYN-005


def _keys(seen: Seen) -> list[tuple[str, str, str]]:
    """Return code, phase and normalised message of each diagnostic."""
    return [
        (str(one["diagnostic_code"]), str(one["sync_phase"]), " ".join(str(one.get("message")).split()).casefold())
        for one in seen.diagnostics
    ]


def _asks(worlds: Worlds) -> str:
    """Return what has most to tell the service."""
    return "batch" if Capability.BATCH in worlds.implementation.greeting.capabilities else "transition"


def _six_times_one(asks: str = "batch") -> Case:
    """Return the case in which each attempt meets the same failure, in other letters or with other blanks."""
    spelled = [("500", {"text": text}) for text in ("The tide is out", "the tide  is out", "the TIDE is\tout ")]
    return Case(SyncScript(*spelled, default=("500", {"text": "the tide is out"})), asks=asks)


@pytest.mark.kitty_clause("SYN-005")
def test_equal_diagnostics_are_shown_once(worlds: Worlds, see: See) -> None:
    """Six changes, and each meets the same failure: one line."""
    (seen,) = see(_six_times_one(_asks(worlds)))
    _ = seen.told()
    keys = _keys(seen)
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    seen.world.check(not repeated, Finding.DIAGNOSTIC_REPEATED, f"shown more than once: {repeated}; {seen.what}")
    if not worlds.profile.every_sync_diagnostic:
        seen.world.check(len(keys) == 1, Finding.DIAGNOSTIC_REPEATED, f"{len(keys)} lines in one process; {seen.what}")


@pytest.mark.kitty_clause("SYN-005")
def test_different_diagnostics_are_all_shown(worlds: Worlds, see: See) -> None:
    """Six changes meet one failure once, another one twice, and a third for the rest."""
    first, second = ("500", {"text": "the tide is out"}), ("500", {"text": "the moon is down"})
    script = SyncScript("401", second, second, default=first)
    alone_401, alone_500, seen = see(failing("401"), failing(first), Case(script, "json", _asks(worlds)))
    _ = alone_401.told(), alone_500.told()
    keys, world = _keys(seen), seen.world
    repeated = [key for key in keys if keys.count(key) > 1]
    world.check(not repeated, Finding.DIAGNOSTIC_REPEATED, f"shown more than once: {repeated}; {seen.what}")
    if not worlds.profile.every_sync_diagnostic:
        _ = seen.code()
        world.check(len(keys) == 1, Finding.DIAGNOSTIC_REPEATED, f"{len(keys)} lines in one process; {seen.what}")
        return
    # What was tried again is told by how it ended; what was not is a failure of its own.
    last = {(one.path, one.body): script.step(number) for number, one in enumerate(seen.requests)}
    met = list(dict.fromkeys((step.fault, step.text) for step in last.values()))
    if len(met) < 2:
        inconclusive(f"one command met {len(met)} failure: {seen.requests}")
    codes = {SyncFault.UNAUTHORIZED: alone_401.code(), SyncFault.SERVER_ERROR: alone_500.code()}
    shows_text = "the tide is out" in str(alone_500.diagnostics[0].get("message"))
    for fault, text in met:
        shown = [message for code, _, message in keys if code == codes[fault]]
        if shows_text and fault is SyncFault.SERVER_ERROR:
            shown = [message for message in shown if str(text) in message]
        world.check(shown, Finding.DIAGNOSTIC_MISSING, f"nothing tells of {fault} ({text}); {seen.what}")


# --- SYN-006

_SGR: Final = re.compile(r"\x1b\[([\d;:]*)m")
#: How highlighters show data; it says nothing of a failure.
_VALUE: Final = re.compile(r"\x1b\[[\d;]*m(?:False|True|None)\x1b\[0?m")
_ERROR: Final = re.compile(r"^\W*error\s*:", re.IGNORECASE | re.MULTILINE)
_ESCAPE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")


def _red(text: str) -> bool:
    """Say whether anything is shown in red, a truth value aside: the colour by its number, of the 256, or mixed."""
    for match in _SGR.finditer(_VALUE.sub("", text)):
        codes = [int(code or 0) for code in re.split("[;:]", match[1])]
        if set(codes[:1] if codes[0] in (38, 48) else codes) & {31, 41, 91, 101}:
            return True
        if codes[:2] in ([38, 5], [48, 5]) and set(codes[2:3]) & {1, 9, 124, 160, 196}:
            return True
        if codes[:2] in ([38, 2], [48, 2]) and len(codes) > 4 and codes[2] > 2 * max(codes[3], codes[4], 40):
            return True
    return False


def _unstyled(seen: Seen, name: str, stream: Output) -> None:
    """Judge that a stream shows no failure."""
    __tracebackhide__ = True
    world = seen.world
    world.check(not _red(stream.text), Finding.FAILURE_STYLED, f"{name} is red: {stream[-300:]!r}")
    said = _ERROR.search(_ESCAPE.sub("", stream.text))
    world.check(said is None, Finding.FAILURE_STYLED, f"a line of {name} begins like a failure: {stream[-300:]!r}")


@pytest.mark.kitty_clause("SYN-006")
@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("streams", ["terminals", "merged"])
def test_nothing_looks_like_a_failure(see: See, streams: Literal["terminals", "merged"], form: _Form) -> None:
    """On a terminal, and in a pipe with FORCE_COLOR: no red, no ``Error:``, and no escape sequence in JSON."""
    if streams == "terminals" and sys.platform == "win32":
        inconclusive("this system has no pseudo-terminals")
    (seen,) = see(failing("401", form, streams=streams))
    seen.world.check(seen.status == 0, Finding.WRONG_EXIT_STATUS, seen.what)
    told = sync_diagnostics(_ESCAPE.sub("", (seen.stdout + b"\n" + seen.stderr).decode("utf-8", "replace")))
    told = told or (seen.diagnostics if streams == "terminals" else [])
    # In one pipe, what stands in a field of the result cannot be told from what else is there.
    hidden = streams == "merged" and form == "json" and seen.world.implementation.greeting.sync_field is not None
    if not (told or hidden):
        inconclusive(f"no diagnostic tells of the failure; {seen.what}")
    for name, stream in (("stdout", seen.stdout), ("stderr", seen.stderr)):
        _unstyled(seen, name, stream)
        objects = [line for line in stream.text.splitlines() if _ESCAPE.sub("", line).lstrip()[:1] in ("{", "[", '"')]
        coloured = [line for line in objects if "\x1b" in line] if form == "json" else []
        seen.world.check(not coloured, Finding.FAILURE_STYLED, f"an escape sequence inside JSON: {coloured[:1]}")
    if form == "json" and streams == "terminals":
        seen.world.check("\x1b" not in seen.stdout.text, Finding.FAILURE_STYLED, f"stdout is styled: {seen.stdout!r}")
        _ = seen.result()


@pytest.mark.kitty_clause("SYN-006")
def test_a_damaged_store_does_not_look_like_a_failure(see_store: See) -> None:
    """On a terminal, what is said of the database is neither red nor an error."""
    if sys.platform == "win32":
        inconclusive("this system has no pseudo-terminals")
    (seen,) = see_store(Case(store="damaged", form="text", streams="terminals"))
    seen.world.check(seen.status == 0, Finding.WRONG_EXIT_STATUS, seen.what)
    for name, stream in (("stdout", seen.stdout), ("stderr", seen.stderr)):
        _unstyled(seen, name, stream)


# --- SYN-007


def _said(seen: Seen) -> str:
    """Return what was said besides diagnostics of sync; numbers are drawn anew each time."""
    lines = [line for line in f"{seen.stdout.text}\n{seen.stderr.text}".splitlines() if not sync_diagnostics(line)]
    return re.sub(r"\d+", "0", "\n".join(line.strip() for line in lines))


@pytest.mark.kitty_clause("SYN-007")
@pytest.mark.parametrize(("asks", "form"), [("damaged", "json"), ("illegal", "text")])
def test_the_local_failure_is_the_one_that_counts(see: See, asks: str, form: _Form) -> None:
    """The change itself fails, and sync does too: exit status and message are those of the change."""
    alone, seen = see(Case(switch="0", form=form, asks=asks), failing("401", form, asks=asks))
    world = seen.world
    alone.world.check(alone.status not in (0, None), Finding.WRONG_EXIT_STATUS, f"it has to fail; {alone.what}")
    world.check(seen.status is not None, Finding.HANG, f"it did not end; {seen.what}")
    world.check(
        seen.status == alone.status, Finding.WRONG_EXIT_STATUS, f"alone it ends with {alone.status}; {seen.what}"
    )
    world.untouched(seen.mark, "the change failed")
    if form == "json":
        value, expected = seen.result(), alone.result()
        for key in ("diagnostic_code", "code", "result"):
            same = value.get(key) == expected.get(key)
            world.check(same, Finding.LOCAL_RESULT_HIDDEN, f"{key} is {value.get(key)!r}, alone {expected.get(key)!r}")
        return
    first = next((line for line in _said(alone).splitlines() if line), "")
    # Worlds have names of their own.
    first = first.replace(alone.world.mission.slug, "").partition(str(alone.world.mission.root))[0].strip()[:60]
    world.check(
        first in _said(seen).replace(world.mission.slug, ""),
        Finding.LOCAL_RESULT_HIDDEN,
        f"{first!r} is not said; {seen.what}",
    )


# --- SYN-008


@pytest.mark.kitty_clause("SYN-008")
def test_nobody_is_contacted_unless_sync_is_on(see: See) -> None:
    """The switch is not there, empty, or false, as people write that: no connection at all."""
    off = see(*(Case(switch=switch) for switch in (None, "0", "False", "")))
    for seen in off:
        world, switch = seen.world, seen.case.switch
        world.check(seen.status == 0, Finding.LEGAL_REFUSED, f"sync is off; {seen.what}")
        asked = f"sync is {switch!r}, and the service had {seen.connections} connections"
        world.check(not seen.connections, Finding.REACHED_OUT, asked)


@pytest.mark.kitty_clause("SYN-008")
def test_nobody_else_is_contacted(see: See) -> None:
    """The configured service sends its client on to another address: that one is not asked."""
    well, seen = see(_WELL, Case(redirected=True))
    _succeeded(seen, well)
    seen.world.check(
        not seen.decoyed, Finding.REACHED_OUT, "it followed the service to an address that nobody configured"
    )


# --- SYN-009


def _in_time(see: See, case: Case) -> tuple[Seen, Seen]:
    """Judge that a command ended, no later than declared; return it and its twin.

    The bound is on what it takes more than when all is well, or from its first request on. As much as all of it takes
    when all is well comes on top, for this machine may be busy; when that was not enough, both are run once more,
    beside each other.
    """
    __tracebackhide__ = True
    for again in (False, True):
        well, seen = see(_WELL, case, again=again)
        bound = seen.world.implementation.greeting.sync_seconds
        seen.world.check(seen.status is not None, Finding.HANG, f"the declared bound is {bound:g} s; {seen.what}")
        waited = seen.seconds - well.seconds if seen.asking is None else seen.asking
        if waited <= bound + max(2.0, well.seconds):
            return well, seen
    return seen.world.fail(Finding.HANG, f"the bound is {bound:g} s; it was held up {waited:.1f} s; {seen.what}")


@pytest.mark.kitty_clause("SYN-009")
@pytest.mark.parametrize("fault", ["timeout", "trickle"])
def test_a_slow_service_holds_nothing_up(worlds: Worlds, see: See, fault: str) -> None:
    """The service accepts and says nothing, or a byte now and then: the change is made first, and the command ends.

    The bound is that of all of it: six changes do not have it six times.
    """
    many = [failing(_UNANSWERED[fault], asks="batch")] if fault == "timeout" and _asks(worlds) == "batch" else []
    # Beside each other: most of it is waiting.
    first, *_ = see(failing(_UNANSWERED[fault]), *many)
    first.world.check(
        first.durable_first is not False, Finding.HELD_UP, "the service was asked, and the change was not on disk"
    )
    for case in many:
        _, six = _in_time(see, case)
        _succeeded(six, six)
    well, seen = _in_time(see, failing(_UNANSWERED[fault]))
    _succeeded(seen, well)


@pytest.mark.kitty_clause("SYN-009")
def test_a_held_lock_holds_nothing_up(see: See) -> None:
    """Somebody syncs and does not end: the command does."""
    well, seen = _in_time(see, Case(locked=True))
    _succeeded(seen, well)


@pytest.mark.kitty_clause("SYN-009")
def test_a_locked_store_holds_nothing_up(see_store: See) -> None:
    """Somebody writes to the database and does not end: the command does."""
    well, seen = _in_time(see_store, Case(store="locked"))
    _succeeded(seen, well)
    _wanted(seen, well)


# --- SYN-010


@pytest.mark.kitty_clause("SYN-010")
def test_what_fits_nowhere_is_unknown(see: See) -> None:
    """A failure of no kind has not the code of another one, whatever words stand in its text."""
    worded = ("unknown", {"text": "the author's clock is shut down"})
    kinds = {"401": "401", "403": "403", "refused": "refused", "timeout": "timeout"}
    *known, unknown, in_words = see(*(failing(fault) for fault in kinds.values()), failing("unknown"), failing(worded))
    taken = {seen.told(): kind for seen, kind in zip(known, kinds, strict=True)}
    for seen in (unknown, in_words):
        code = seen.code()
        seen.world.check(
            code not in taken, Finding.WRONG_DIAGNOSTIC, f"{code}, the code of {taken.get(code)}; {seen.what}"
        )


# --- SYN-011

#: Line and record separators, escape sequences of both kinds, what goes back, and what turns text around.
_RAW: Final = re.compile("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORGED: Final = "sync.forged"
_HOSTILE: Final = (
    "before\n"
    f'{{"diagnostic_code": "{_FORGED}", "fatal": true, "message": "x", "severity": "error", "sync_phase": "final_sync"}}\n'
    f"sync_diagnostic severity=error diagnostic_code={_FORGED} fatal=true sync_phase=final_sync message=x\r\n"
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b31m \x08\x7f \u202eevil\u202c \u2066x\u2069 after"
)


@pytest.mark.kitty_clause("SYN-011")
@pytest.mark.parametrize(("status", "form"), [("500", "json"), ("500", "text"), ("401", "text")])
def test_a_message_forges_nothing_and_drives_no_terminal(see: See, status: str, form: _Form) -> None:
    """The service answers with records, escape sequences and text turned around: one record, and nothing raw."""
    bland, seen = see(failing(status, form), failing((status, {"text": _HOSTILE}), form))
    _ = bland.told(), seen.code()
    world = seen.world
    world.check(seen.status == 0, Finding.WRONG_EXIT_STATUS, seen.what)
    codes = [str(one.get("diagnostic_code")) for one in (*seen.diagnostics, *sync_diagnostics(seen.stdout))]
    world.check(
        _FORGED not in codes and len(seen.diagnostics) == len(bland.diagnostics),
        Finding.RECORD_FORGED,
        f"one failure, and {len(codes)} records: {', '.join(codes)}",
    )
    for name, stream in (("stdout", seen.stdout), ("stderr", seen.stderr)):
        raw = _RAW.search(stream.text.replace("\r\n", "\n")) or ("\r" in stream.text.replace("\r\n", "\n"))
        world.check(not raw, Finding.TERMINAL_OBEYED, f"{name} holds what a terminal obeys: {stream[-400:]!r}")


# --- SEC-007, for what sync says


@pytest.mark.kitty_clause("SEC-007")
def test_a_failing_sync_leaks_nothing(see: See) -> None:
    """Tokens in the environment and in the address itself are not in what is said of the failure, nor in a file."""
    secret = "token-of-nobody-4711"
    names = ("GITHUB_TOKEN", "SPEC_KITTY_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "USER", "LOGNAME")
    variables = tuple((name, secret) for name in names)
    (seen,) = see(failing("refused", environment=variables, user=f"me:{secret}@"))
    world: World = seen.world
    world.check(seen.status == 0, Finding.WRONG_EXIT_STATUS, seen.what)
    for stream in (seen.stdout, seen.stderr):
        world.check(secret not in stream.text, Finding.LEAKED, f"a token is printed: {stream[-300:]!r}")
    files = find_bytes(world.mission.root, secret.encode())
    world.check(not files, Finding.LEAKED, f"a token is in {', '.join(map(str, files))}")
