from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.implementations.base import ImplementationError
from kitty_reliability.implementations.in_process import InProcess
from kitty_reliability.implementations.program import MAX_REPLY_BYTES, Program
from kitty_reliability.implementations.protocol import Hello, Materialize, Outcome, OutcomeKind, State, Transition
from processes import is_gone, is_running

PUPPETS = Path(__file__).parent / "puppets"
STATE = State(root="/somewhere", mission="demo")
PATIENT = 60.0
SHORT = 1.0

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="asks by process id whether a process ended: POSIX")


class Stage:
    """Starts puppets, and ends them and what they left behind."""

    def __init__(self, folder: Path) -> None:
        self.note = folder / "child"
        self._programs: list[Program] = []

    def program(self, puppet: str, *arguments: str, **options: Any) -> Program:
        argv = [sys.executable, str(PUPPETS / f"{puppet}.py"), *arguments]
        program = Program(argv, f"exec:{puppet}", **options)
        self._programs.append(program)
        return program

    def once(self, puppet: str, *arguments: str) -> Program:
        return self.program(puppet, *arguments, per_operation=True)

    @property
    def child(self) -> int:
        return int(self.note.read_text(encoding="ascii"))

    def strike(self) -> None:
        if self.note.exists():
            _end(self.child)
        for program in self._programs:
            program.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.strike()


def lanes(outcome: Outcome) -> dict[str, str]:
    assert outcome.ok, (outcome, outcome.evidence)
    return outcome.value["lanes"]  # type: ignore[no-any-return]


def pid(outcome: Outcome) -> int:
    return int(lanes(outcome)["pid"])


# --- a session


def test_a_session_is_one_process_for_many_operations(stage: Stage) -> None:
    program = stage.program("healthy")
    first = program.ask(STATE, deadline=PATIENT)
    second = program.ask(State(root="/somewhere", mission="other"), deadline=PATIENT)
    assert lanes(first)["asked"] == "state demo"
    assert lanes(second)["asked"] == "state other"
    assert pid(first) == pid(second)
    assert first.seconds > 0


def test_two_sessions_are_two_processes(stage: Stage) -> None:
    one, other = stage.program("healthy"), stage.program("healthy")
    assert pid(one.ask(STATE, deadline=PATIENT)) != pid(other.ask(STATE, deadline=PATIENT))


@posix_only
def test_a_session_knows_its_process(stage: Stage) -> None:
    program = stage.program("healthy")
    assert program.process_id is None
    program.ask(STATE, deadline=PATIENT)
    assert program.process_id not in (None, os.getpid())
    program.close()
    assert program.process_id is None
    assert InProcess(object, "python:x").process_id is None  # type: ignore[arg-type]


def test_close_ends_the_program_and_its_children(stage: Stage) -> None:
    program = stage.program("parent", str(stage.note))
    running = pid(program.ask(STATE, deadline=PATIENT))
    assert is_running(running)
    assert is_running(stage.child)
    program.close()
    assert is_gone(running)
    assert is_gone(stage.child)


@posix_only
def test_the_with_statement_closes_the_session(stage: Stage) -> None:
    with stage.program("healthy") as program:
        running = pid(program.ask(STATE, deadline=PATIENT))
    assert is_gone(running)


def test_a_closed_session_can_be_asked_again(stage: Stage) -> None:
    program = stage.program("healthy")
    first = pid(program.ask(STATE, deadline=PATIENT))
    program.close()
    program.close()
    assert pid(program.ask(STATE, deadline=PATIENT)) != first


@posix_only
def test_a_program_that_hangs_is_ended_with_its_children(stage: Stage) -> None:
    program = stage.program("hangs", str(stage.note))
    running = pid(program.ask(STATE, deadline=PATIENT))
    outcome = program.ask(STATE, deadline=SHORT)
    assert outcome.kind is OutcomeKind.HUNG
    assert outcome.value["message"] == "no reply within 1 s"
    assert is_gone(running)
    assert is_gone(stage.child)


def test_a_program_that_never_reads_hangs(stage: Stage) -> None:
    assert stage.program("deaf").ask(STATE, deadline=SHORT).kind is OutcomeKind.HUNG


def test_the_deadline_counts_while_a_long_request_is_written(stage: Stage) -> None:
    program = stage.program("deaf")
    request = Transition(root="/r", mission="m", work_package="WP01", to="claimed", reason="x" * 1_000_000)
    outcome = _within(5, lambda: program.ask(request, deadline=SHORT))
    assert outcome is not None
    assert outcome.kind is OutcomeKind.HUNG


@posix_only
def test_close_does_not_wait_for_a_child_that_left_the_group(stage: Stage) -> None:
    program = stage.program("daemon", str(stage.note))
    running = pid(program.ask(STATE, deadline=PATIENT))
    closed = _within(5, lambda: (program.close(), True)[1])
    assert is_gone(running)
    assert closed


def test_a_program_that_dies_before_its_reply_crashed(stage: Stage) -> None:
    outcome = stage.program("dies").ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.CRASHED
    assert outcome.value["message"] == "the program ended without a reply (exit status 3)"
    assert outcome.evidence["stderr"].replace("\r", "") == "last words\n"


@posix_only
def test_a_program_that_a_signal_ends_crashed(stage: Stage) -> None:
    outcome = stage.program("dies_by_signal").ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.CRASHED
    assert f"exit status {-signal.SIGKILL}" in outcome.value["message"]


def test_a_program_that_dies_between_two_operations_crashed(stage: Stage) -> None:
    program = stage.program("dies_after_answering")
    first = program.ask(STATE, deadline=PATIENT)
    time.sleep(0.3)  # most likely it is gone by now; what follows holds either way
    second = program.ask(STATE, deadline=PATIENT)
    assert second.kind is OutcomeKind.CRASHED
    assert "exit status 7" in second.value["message"]
    assert pid(program.ask(STATE, deadline=PATIENT)) != pid(first)


def test_after_a_crash_in_mid_session_the_next_operation_gets_a_new_process(stage: Stage) -> None:
    program = stage.program("dies_in_second")
    first = program.ask(STATE, deadline=PATIENT)
    assert program.ask(STATE, deadline=PATIENT).kind is OutcomeKind.CRASHED
    assert pid(program.ask(STATE, deadline=PATIENT)) != pid(first)


def test_a_slow_start_is_no_fault(stage: Stage) -> None:
    outcome = stage.program("starts_slowly").ask(STATE, deadline=PATIENT)
    assert lanes(outcome)
    assert outcome.seconds >= 1


def test_a_reply_in_two_pieces_is_one_reply(stage: Stage) -> None:
    program = stage.program("pauses")
    assert pid(program.ask(STATE, deadline=PATIENT)) == pid(program.ask(STATE, deadline=PATIENT))


def test_a_reply_that_death_cuts_short_is_garbled(stage: Stage) -> None:
    outcome = stage.program("dies_in_line").ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED
    assert outcome.evidence["line"] == '{"id": 1, "o'


def test_a_second_answer_is_told_with_the_next_operation(stage: Stage) -> None:
    program = stage.program("doubles")
    first = program.ask(STATE, deadline=PATIENT)
    second = program.ask(STATE, deadline=PATIENT)
    assert second.kind is OutcomeKind.GARBLED
    assert '"pid"' in second.evidence["line"]
    assert pid(program.ask(STATE, deadline=PATIENT)) != pid(first)


def test_an_answer_before_its_request_is_garbled(stage: Stage) -> None:
    program = stage.program("answers_ahead")
    assert program.ask(STATE, deadline=PATIENT).ok
    time.sleep(0.5)  # both lines are in one write; this is for the thread that reads them
    outcome = program.ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED
    assert outcome.value["message"] == "a line that nobody asked for"


GARBAGE = {
    "prose": ("Traceback (most recent call last):", "not a reply"),
    "nothing": ("", "not a reply"),
    "a list": ("[1]", "not a reply"),
    "two objects": ('{"id": <id>, "refused": {"message": "m"}} {}', "not a reply"),
    "no id": ('{"refused": {"message": "m"}}', "not a reply"),
    "wrong id": ('{"id": 4711, "refused": {"message": "m"}}', "a reply to 4711"),
    "two outcomes": ('{"id": <id>, "refused": {"message": "m"}, "failed": {"message": "m"}}', "exactly one outcome"),
    "an outcome and null": ('{"id": <id>, "refused": {"message": "m"}, "ok": null}', "exactly one outcome"),
    "null": ('{"id": <id>, "ok": null}', "exactly one outcome"),
    "no outcome": ('{"id": <id>}', "exactly one outcome"),
    "unknown key": ('{"id": <id>, "refused": {"message": "m"}, "more": 1}', "not a reply: more: Extra inputs"),
    "an outcome of the runner": ('{"id": <id>, "crashed": {"message": "m"}}', "not a reply"),
    "refused without a message": ('{"id": <id>, "refused": {"diagnostic_code": "C"}}', "not a reply"),
    "unsupported without a reason": ('{"id": <id>, "unsupported": {}}', "not a reply"),
    "ok is a text": ('{"id": <id>, "ok": "yes"}', "not a reply"),
    "ok lacks a key": ('{"id": <id>, "ok": {"log": null}}', "wrong shape: lanes"),
    "ok has a key too many": ('{"id": <id>, "ok": {"log": null, "lanes": {}, "more": 1}}', "wrong shape: more"),
    "ok has a wrong type": ('{"id": <id>, "ok": {"log": "busy", "lanes": {}}}', "wrong shape: log"),
}


@pytest.mark.parametrize(("line", "message"), GARBAGE.values(), ids=GARBAGE)
def test_a_line_that_is_no_reply_is_garbled(stage: Stage, line: str, message: str) -> None:
    outcome = stage.program("says", line).ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED
    assert message in outcome.value["message"]


def test_a_garbled_line_is_evidence(stage: Stage) -> None:
    outcome = stage.program("says", "z" * 5000).ask(STATE, deadline=PATIENT)
    assert outcome.evidence["line"] == "z" * 500


def test_an_answer_of_the_wrong_shape_is_evidence(stage: Stage) -> None:
    outcome = stage.program("says", '{"id": <id>, "ok": {"sesame": 1}}').ask(STATE, deadline=PATIENT)
    assert outcome.evidence["answer"] == "{'sesame': 1}"


def test_after_an_answer_of_the_wrong_shape_the_next_operation_gets_a_new_process(stage: Stage) -> None:
    program = stage.program("greets_wrongly")
    first = pid(program.ask(STATE, deadline=PATIENT))
    assert program.ask(Hello(), deadline=PATIENT).kind is OutcomeKind.GARBLED
    assert pid(program.ask(STATE, deadline=PATIENT)) != first


def test_after_a_garbled_line_the_next_operation_gets_a_new_process(stage: Stage) -> None:
    # The ids go on, the process does not: a line for id 1 is right once.
    program = stage.program("says", '{"id": 2, "refused": {"message": "m"}}')
    kinds = [program.ask(STATE, deadline=PATIENT).kind for _ in range(3)]
    assert kinds == [OutcomeKind.GARBLED, OutcomeKind.REFUSED, OutcomeKind.GARBLED]


def test_bytes_that_are_not_utf_8_are_garbled(stage: Stage) -> None:
    outcome = stage.program("says_bytes").ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED
    assert "\ufffd" in outcome.evidence["line"]


@pytest.mark.parametrize("kind", ["refused", "failed", "unknown"])
def test_a_diagnostic_arrives_key_for_key(stage: Stage, kind: str) -> None:
    line = f'{{"id": <id>, "{kind}": {{"message": "m", "diagnostic_code": "C", "line": 3}}}}'
    outcome = stage.program("says", line).ask(STATE, deadline=PATIENT)
    assert outcome.kind == kind
    assert outcome.value == {"message": "m", "diagnostic_code": "C", "line": 3}
    assert not outcome.ok
    assert not outcome.broken
    assert outcome.declined is (kind != "unknown")


def test_what_is_not_offered_is_unsupported(stage: Stage) -> None:
    outcome = stage.program("says", '{"id": <id>, "unsupported": {"reason": "a viewer"}}').ask(STATE, deadline=PATIENT)
    assert (outcome.kind, outcome.value) == (OutcomeKind.UNSUPPORTED, {"reason": "a viewer"})


def test_a_reply_of_5_mb_is_fine(stage: Stage) -> None:
    outcome = stage.program("talks_much", "5000000").ask(STATE, deadline=PATIENT)
    assert len(lanes(outcome)["much"]) == 5_000_000


def test_a_reply_that_is_too_long_is_garbled(stage: Stage) -> None:
    outcome = stage.program("talks_much", str(MAX_REPLY_BYTES)).ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED
    assert f"more than {MAX_REPLY_BYTES}" in outcome.value["message"]


def test_a_flood_on_stderr_does_not_block_the_program(stage: Stage) -> None:
    program = stage.program("floods_stderr")
    outcome = program.ask(STATE, deadline=PATIENT)
    assert pid(outcome) == pid(program.ask(STATE, deadline=PATIENT))
    assert 0 < len(outcome.evidence["stderr"]) <= 20_000


def test_the_evidence_of_a_crash_ends_with_the_last_words(stage: Stage) -> None:
    outcome = stage.program("floods_and_dies").ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.CRASHED
    told = outcome.evidence["stderr"].replace("\r", "")
    assert told.endswith("yyy\nlast words\n")
    assert len(told) <= 20_000


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ImplementationError, match=r"'\./no/such/program' cannot be started"):
        Program(["./no/such/program", "--flag"], "exec:./no/such/program").ask(STATE, deadline=PATIENT)


@posix_only
def test_a_file_that_is_not_executable_is_named(tmp_path: Path) -> None:
    file = tmp_path / "adapter"
    file.write_text("#!/bin/sh\n", encoding="ascii")
    with pytest.raises(ImplementationError, match=r"adapter' cannot be started: .*executable"):
        Program([str(file)], "exec:adapter").ask(STATE, deadline=PATIENT)


def test_a_program_that_does_not_say_who_it_is_is_an_error(stage: Stage) -> None:
    program = stage.program("dies")
    with pytest.raises(ImplementationError, match="exec:dies: no answer to hello: crashed the program ended"):
        _ = program.greeting


def test_the_default_deadline_is_a_multiple_of_what_the_program_declares(stage: Stage) -> None:
    hello = '{"name": "n", "version": "1", "protocol": 1, "profile": "contract-320", "typical_seconds": %s}'
    slow = stage.program("says", f'{{"id": <id>, "ok": {hello % 2}}}')
    quick = stage.program("says", f'{{"id": <id>, "ok": {hello % 0.01}}}')
    assert slow.deadline == 60
    assert quick.deadline == 15
    assert slow.ask(Hello()).ok


def test_a_sibling_is_another_process_with_more_environment(stage: Stage) -> None:
    program = stage.program("healthy", environment={"KITTY_PUPPET": "mine"})
    mine = program.ask(STATE, deadline=PATIENT)
    with program.sibling({"KITTY_PUPPET": "theirs"}) as sibling, program.sibling() as plain:
        theirs = sibling.ask(STATE, deadline=PATIENT)
        assert lanes(plain.ask(STATE, deadline=PATIENT))["extra"] == "mine"
    assert (lanes(mine)["extra"], lanes(theirs)["extra"]) == ("mine", "theirs")
    assert pid(mine) != pid(theirs)
    # The sibling's end is not the program's.
    assert pid(program.ask(STATE, deadline=PATIENT)) == pid(mine)


def test_the_program_runs_in_the_directory_of_the_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("healthy.py", "speak.py"):
        shutil.copy(PUPPETS / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    with Program([sys.executable, "healthy.py"], "exec:healthy.py") as program:
        assert lanes(program.ask(STATE, deadline=PATIENT))


# --- a process for each operation


def test_per_operation_each_operation_gets_a_process(stage: Stage) -> None:
    program = stage.once("healthy")
    assert pid(program.ask(STATE, deadline=PATIENT)) != pid(program.ask(STATE, deadline=PATIENT))


@posix_only
def test_per_operation_nothing_is_left_running(stage: Stage) -> None:
    program = stage.once("parent", str(stage.note))
    assert is_gone(pid(program.ask(STATE, deadline=PATIENT)))
    assert is_gone(stage.child)


def test_per_operation_a_sibling_is_per_operation_too(stage: Stage) -> None:
    with stage.once("healthy").sibling() as sibling:
        assert pid(sibling.ask(STATE, deadline=PATIENT)) != pid(sibling.ask(STATE, deadline=PATIENT))


def test_per_operation_a_program_that_never_exits_hangs(stage: Stage) -> None:
    outcome = stage.once("never_exits").ask(STATE, deadline=3)
    assert outcome.kind is OutcomeKind.HUNG
    assert outcome.value["message"] == "still running 3 s after its stdin was closed"


def test_per_operation_an_exit_status_after_the_answer_is_a_crash(stage: Stage) -> None:
    outcome = stage.once("exits_with_3").ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.CRASHED
    assert "it answered, then ended with status 3" in outcome.value["message"]


@pytest.mark.parametrize(("puppet", "extra"), [("doubles", '"pid"'), ("adds_a_line", "goodbye")])
def test_per_operation_a_second_line_is_garbled(stage: Stage, puppet: str, extra: str) -> None:
    outcome = stage.once(puppet).ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED
    assert outcome.value["message"] == "a second line for one request"
    assert extra in outcome.evidence["line"]


@pytest.mark.parametrize(
    ("puppet", "kind"),
    [("dies", OutcomeKind.CRASHED), ("dies_in_line", OutcomeKind.GARBLED), ("pauses", OutcomeKind.OK)],
)
def test_per_operation_faults_are_told_as_in_a_session(stage: Stage, puppet: str, kind: OutcomeKind) -> None:
    assert stage.once(puppet).ask(STATE, deadline=PATIENT).kind is kind


def test_per_operation_garbage_does_not_hurt_the_next_operation(stage: Stage) -> None:
    program = stage.once("says", '{"id": 2, "refused": {"message": "m"}}')
    kinds = [program.ask(STATE, deadline=PATIENT).kind for _ in range(2)]
    assert kinds == [OutcomeKind.GARBLED, OutcomeKind.REFUSED]


# --- an object in this process


class Subject:
    """Answers with what ``does`` returns; says how often it was asked."""

    def __init__(self, does: Callable[[int], Any]) -> None:
        self.asked = 0
        self.does = does

    def answer(self, _request: Any) -> Any:
        self.asked += 1
        return self.does(self.asked)


def fine(asked: int) -> Outcome:
    return Outcome(OutcomeKind.OK, {"log": None, "lanes": {"asked": str(asked)}})


def answering(does: Callable[[int], Any]) -> InProcess:
    return InProcess(lambda: Subject(does), "python:test:Subject")


def test_one_object_answers_every_operation_of_a_session() -> None:
    with answering(fine) as session:
        assert [lanes(session.ask(STATE, deadline=PATIENT)) for _ in range(2)] == [{"asked": "1"}, {"asked": "2"}]


def test_a_sibling_in_this_process_is_another_object() -> None:
    with answering(fine) as session, session.sibling({"KITTY_PUPPET": "x"}) as sibling:
        session.ask(STATE, deadline=PATIENT)
        assert lanes(sibling.ask(STATE, deadline=PATIENT)) == {"asked": "1"}
    assert "KITTY_PUPPET" not in os.environ


@pytest.mark.parametrize("error", [RuntimeError("on purpose"), SystemExit(3), KeyboardInterrupt()])
def test_an_object_that_raises_crashed(error: BaseException) -> None:
    def raises(asked: int) -> Outcome:
        if asked == 1:
            raise error
        return fine(asked)

    with answering(raises) as session:
        outcome = session.ask(STATE, deadline=PATIENT)
        assert outcome.kind is OutcomeKind.CRASHED
        assert outcome.value["message"] == f"{type(error).__name__}: {error}"
        assert "in raises" in outcome.evidence["traceback"]
        # The object is still there: what it remembers may be what is being tested.
        assert lanes(session.ask(STATE, deadline=PATIENT)) == {"asked": "2"}


def test_an_object_that_cannot_be_made_crashed() -> None:
    def factory() -> Any:
        raise LookupError("no such backend")

    with InProcess(factory, "python:test:factory") as session:
        outcome = session.ask(STATE, deadline=PATIENT)
    assert (outcome.kind, outcome.value["message"]) == (OutcomeKind.CRASHED, "LookupError: no such backend")


def test_an_object_that_never_returns_hangs_and_the_next_operation_works() -> None:
    release = threading.Event()
    made: list[Subject] = []

    def factory() -> Any:
        made.append(Subject(fine if made else lambda _: release.wait(120)))
        return made[-1]

    try:
        with InProcess(factory, "python:test:factory") as session:
            outcome = session.ask(STATE, deadline=0.2)
            assert (outcome.kind, outcome.value["message"]) == (OutcomeKind.HUNG, "no answer within 0.2 s")
            assert lanes(session.ask(STATE, deadline=PATIENT)) == {"asked": "1"}
    finally:
        release.set()
    assert len(made) == 2


@pytest.mark.parametrize("nonsense", [5, "ok", {"lanes": {}}, OutcomeKind.OK], ids=repr)
def test_an_object_that_returns_nonsense_is_garbled(nonsense: Any) -> None:
    with answering(lambda _: nonsense) as session:
        outcome = session.ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED
    assert type(nonsense).__name__ in outcome.value["message"]


def test_an_object_that_returns_none_is_garbled() -> None:
    with answering(lambda _: None) as session:
        assert session.ask(STATE, deadline=PATIENT).kind is OutcomeKind.GARBLED


def test_an_answer_of_the_wrong_shape_from_an_object_is_garbled() -> None:
    with answering(lambda _: Outcome(OutcomeKind.OK, {"log": None})) as session:
        outcome = session.ask(STATE, deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED
    assert "lanes" in outcome.value["message"]


@pytest.mark.parametrize("value", [None, 5])
def test_an_answer_that_is_no_mapping_is_garbled(value: Any) -> None:
    with answering(lambda _: Outcome(OutcomeKind.OK, value)) as session:
        assert session.ask(STATE, deadline=PATIENT).kind is OutcomeKind.GARBLED


@pytest.mark.parametrize("value", [None, {}])
def test_a_refusal_without_a_message_from_an_object_is_garbled(value: Any) -> None:
    with answering(lambda _: Outcome(OutcomeKind.REFUSED, value)) as session:
        assert session.ask(STATE, deadline=PATIENT).kind is OutcomeKind.GARBLED


def test_an_outcome_of_a_kind_that_there_is_not_is_garbled() -> None:
    kind: Any = "splendid"
    with answering(lambda _: Outcome(kind, {"message": "m"})) as session:
        assert session.ask(STATE, deadline=PATIENT).kind is OutcomeKind.GARBLED


def test_an_answer_that_json_cannot_hold_is_garbled() -> None:
    answer = {"path": "p", "snapshot": {"x": object()}}
    with answering(lambda _: Outcome(OutcomeKind.OK, answer)) as session:
        outcome = session.ask(Materialize(root="/r", mission="m"), deadline=PATIENT)
    assert outcome.kind is OutcomeKind.GARBLED


# --- helpers


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """Return what ``call`` returns, or None when it takes longer: what it waits for is left to the tear-down."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else None


def _end(process: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))
