"""Mistakes around the final sync (clauses SYN-001 to SYN-011, and SEC-007)."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from socket import create_connection
from threading import Thread
from typing import Any, ClassVar

from filelock import FileLock

from kitty_reliability.implementations.protocol import Outcome, Recover, Request, Start, Surface, Transition
from kitty_reliability.reference.syncing import ADDRESS, FinalSync, SyncDiagnostic, SyncFailure

from .base import Mutant, Reference, declare, reference

__all__ = ["MUTANTS"]


# --- how a command ends


class _EndsWith1(FinalSync):
    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        super().show(found, as_json=as_json)
        if found:
            raise SystemExit(1)


class _FailsAStart(_EndsWith1):
    of: ClassVar[type[Any]] = Start

    def finish(self, request: Request, outcome: Outcome, *, as_json: bool) -> None:
        kind = _EndsWith1 if isinstance(request, self.of) else FinalSync
        kind.finish(self if kind is _EndsWith1 else FinalSync(self.workflow), request, outcome, as_json=as_json)


class _FailsARecovery(_FailsAStart):
    of = Recover


class _DiesOfALock(FinalSync):
    def sync(self, request: Any, outcome: Outcome) -> list[SyncDiagnostic]:
        found = super().sync(request, outcome)
        if any("lock" in one.diagnostic_code for one in found):
            raise TimeoutError("sync.lock")
        return found


class _UsesAPool(FinalSync):
    def sync(self, request: Any, outcome: Outcome) -> list[SyncDiagnostic]:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(super().sync, request, outcome).result()


class _TellsItAsFailed(Reference):
    def answer(self, request: Request) -> Outcome:
        outcome = super().answer(request)
        writes = isinstance(request, Transition) and outcome.ok and self.final_sync.on()
        if writes and self.final_sync.sync(request, outcome):
            return Outcome(outcome.kind, {**outcome.value, "result": "failed"})
        return outcome


# --- where it tells of it


class _OnStdout(FinalSync):
    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        for one in found:
            print(one.line(as_json=as_json))


class _SaysThatItSyncs(FinalSync):
    def finish(self, request: Request, outcome: Outcome, *, as_json: bool) -> None:
        if self.on():
            print("Syncing ...")
        super().finish(request, outcome, as_json=as_json)


class _TellsAnErrorInWordsToo(Reference):
    def answer(self, request: Request) -> Outcome:
        outcome = super().answer(request)
        if outcome.declined:
            print(f"Nothing was done: {outcome.value['message']}")
        return outcome


class _BeginsALine(Reference):
    def answer(self, request: Request) -> Outcome:
        if self.final_sync.on():
            print("preparing to sync ... ", end="", file=sys.stderr, flush=True)
        return super().answer(request)


class _Silent(FinalSync):
    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        pass


class _SilentOfALock(FinalSync):
    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        super().show((one for one in found if "lock" not in one.diagnostic_code), as_json=as_json)


class _SilentOfAReset(FinalSync):
    def send(self, address: str, message: bytes) -> None:
        with suppress(ConnectionResetError):
            super().send(address, message)


class _AllOnStderr(Reference):
    def surface(self, request: Surface) -> Outcome:
        outcome = super().surface(request)
        if request.format == "json":
            return outcome
        script = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], stdout=2).returncode)"
        return Outcome(outcome.kind, {**outcome.value, "argv": [sys.executable, "-c", script, *outcome.value["argv"]]})


# --- what it tells


class _Telling(FinalSync):
    """Prints what ``told`` makes of a diagnostic."""

    def told(self, one: SyncDiagnostic) -> dict[str, Any]:
        return asdict(one)

    def line(self, one: SyncDiagnostic, *, as_json: bool) -> str:
        if as_json:
            return json.dumps(self.told(one))
        keys = " ".join(f"{key}={str(value).lower()}" for key, value in self.told(one).items() if key != "message")
        return f"sync_diagnostic {keys} message={one.message}"

    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        for one in found:
            print(self.line(one, as_json=as_json), file=sys.stderr)


class _Fatal(_Telling):
    def told(self, one: SyncDiagnostic) -> dict[str, Any]:
        return {**asdict(one), "fatal": True}


class _WithoutSeverity(_Telling):
    def told(self, one: SyncDiagnostic) -> dict[str, Any]:
        return {key: value for key, value in asdict(one).items() if key != "severity"}


class _AsASentence(_Telling):
    def line(self, one: SyncDiagnostic, *, as_json: bool) -> str:  # noqa: ARG002
        return f"Warning: sync did not work: {one.message}"


class _Repeats(FinalSync):
    def distinct(self, found: Iterable[SyncDiagnostic]) -> list[SyncDiagnostic]:
        return list(found)


class _ComparesMessagesAsSpelled(FinalSync):
    def distinct(self, found: Iterable[SyncDiagnostic]) -> list[SyncDiagnostic]:
        return list(dict.fromkeys(found))


class _OneACode(FinalSync):
    def distinct(self, found: Iterable[SyncDiagnostic]) -> list[SyncDiagnostic]:
        return list({one.diagnostic_code: one for one in found}.values())


class _OneAProcess(FinalSync):
    def distinct(self, found: Iterable[SyncDiagnostic]) -> list[SyncDiagnostic]:
        return list(found)[:1]


class _Red(FinalSync):
    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        red = "\x1b[1;31m" if "FORCE_COLOR" in os.environ or sys.stderr.isatty() else ""
        for one in found:
            print(f"{red}sync did not work{red and chr(27)}{red and '[0m'}", file=sys.stderr)
            print(one.line(as_json=as_json), file=sys.stderr)


class _LooksLikeAnError(FinalSync):
    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        for one in found:
            print(f"❌ Error: sync did not work\n{one.line(as_json=as_json)}", file=sys.stderr)


class _HighlightsJson(FinalSync):
    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        for one in found:
            line = one.line(as_json=as_json)
            print(f"\x1b[33m{line}\x1b[0m" if "FORCE_COLOR" in os.environ else line, file=sys.stderr)


class _TellsOfSyncAlone(Reference):
    def answer(self, request: Request) -> Outcome:
        outcome, found = super().answer(request), list[SyncDiagnostic]()
        if outcome.declined and self.final_sync.on():
            self.final_sync.send_all([b"{}"], found)
        return Outcome.failed(asdict(found[0])) if found else outcome


class _EndsAsSyncDoes(FinalSync):
    def finish(self, request: Request, outcome: Outcome, *, as_json: bool) -> None:
        super().finish(request, outcome, as_json=as_json)
        if not outcome.ok and self.on():
            raise SystemExit(0)


# --- whom it asks


class _AlwaysOn(FinalSync):
    def on(self) -> bool:
        return True


class _OnWhenSet(FinalSync):
    def on(self) -> bool:
        return bool(os.environ.get("SPEC_KITTY_ENABLE_SAAS_SYNC"))


class _GoesWhereItIsSent(FinalSync):
    def send(self, address: str, message: bytes) -> None:
        with urllib.request.urlopen(urllib.request.Request(address, message), timeout=self.seconds):
            pass


class _AsksTheMakersToo(FinalSync):
    def send(self, address: str, message: bytes) -> None:
        super().send(address, message)
        create_connection(("192.0.2.1", 443), timeout=self.seconds).close()


# --- how long it takes


class _WaitsForTheEnd(FinalSync):
    def start(self, worker: Thread) -> None:
        worker.start()
        worker.join()

    def send(self, address: str, message: bytes) -> None:
        patient = FinalSync(self.workflow, 10_000)
        patient.send(address, message)


class _WaitsForEachByte(FinalSync):
    def start(self, worker: Thread) -> None:
        worker.start()
        worker.join()


class _AsksFourTimes(FinalSync):
    def sync(self, request: Any, outcome: Outcome) -> list[SyncDiagnostic]:
        for _ in range(4):
            found = super().sync(request, outcome)
            if not any("timeout" in one.diagnostic_code for one in found):
                break
        return found


class _WaitsForTheLock(FinalSync):
    def locked(self, path: Path) -> Any:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path, timeout=-1)


class _SyncsFirst(Reference):
    def answer(self, request: Request) -> Outcome:
        if isinstance(request, Transition) and self.final_sync.on():
            self.final_sync.send_all([b"{}"], [])
        return super().answer(request)


# --- which code, and which letters


class _UnknownIsAuth(FinalSync):
    def code(self, status: int) -> str:
        code = super().code(status)
        return "sync.server_auth_failure" if code == "sync.unknown_failure" else code


class _GoesByWords(FinalSync):
    def judge(self, status: int, body: bytes) -> None:
        if status == 418 and b"auth" in body:
            raise SyncFailure("sync.server_auth_failure", "log in again")
        super().judge(status, body)


class _AsItCame(_Telling):
    """Nothing is escaped but what JSON itself asks for."""

    def line(self, one: SyncDiagnostic, *, as_json: bool) -> str:
        if as_json:
            return json.dumps(asdict(one), ensure_ascii=False)
        return super().line(one, as_json=as_json)


class _EscapesNewlinesOnly(_AsItCame):
    def line(self, one: SyncDiagnostic, *, as_json: bool) -> str:
        return super().line(one, as_json=as_json).replace("\n", "\\n").replace("\r", "\\r")


class _JsonAsItCame(FinalSync):
    def show(self, found: Iterable[SyncDiagnostic], *, as_json: bool) -> None:
        if not as_json:
            super().show(found, as_json=as_json)
            return
        for one in found:
            print(json.dumps(asdict(one), ensure_ascii=False), file=sys.stderr)


class _NamesTheAddress(FinalSync):
    def classified(self, error: Exception) -> SyncDiagnostic:
        one = super().classified(error)
        return SyncDiagnostic(one.diagnostic_code, f"{os.environ.get(ADDRESS)}: {error}")


def _syn(clause: str, name: str, scenario: str, finding: str, mistake: str, part: type[Any]) -> type[Mutant]:
    adapter = reference(sync_class=part) if issubclass(part, FinalSync) else part
    return declare(clause, name, scenario, finding, mistake, adapter=adapter)


# fmt: off
MUTANTS: list[type[Mutant]] = [
    _syn("SYN-001", "ends-as-sync-does-with-1", "test_a_failing_sync_costs_no_success", "wrong-exit-status",
         "The change is made, sync fails, and the command ends with 1 (#952).", _EndsWith1),
    _syn("SYN-001", "tells-a-change-as-failed", "test_a_failing_sync_costs_no_success", "local-result-hidden",
         "The change is made, sync fails, and the result says failed (#2605).", _TellsItAsFailed),
    _syn("SYN-001", "fails-a-start-for-sync", "test_a_failing_sync_costs_no_other_writer_its_success",
         "wrong-exit-status", "Transitions were mended; a start still ends as its sync does.", _FailsAStart),
    _syn("SYN-001", "fails-a-recovery-for-sync", "test_a_failing_sync_costs_no_other_writer_its_success",
         "wrong-exit-status", "Whoever takes a work package back from a holder who is gone is told that he did not.",
         _FailsARecovery),
    _syn("SYN-001", "dies-of-a-sync-lock", "test_a_held_lock_costs_no_success", "wrong-exit-status",
         "That the lock is busy is raised where nobody catches it.", _DiesOfALock),
    _syn("SYN-001", "syncs-in-a-pool", "test_the_end_of_the_interpreter_costs_no_success", "wrong-exit-status",
         "Sync is handed to a pool of threads, which takes nothing any more while the interpreter exits (#735).",
         _UsesAPool),
    _syn("SYN-001", "silent-of-a-sync-lock", "test_a_held_lock_costs_no_success", "diagnostic-missing",
         "What could not be sent because the lock was busy is told to nobody.", _SilentOfALock),
    _syn("SYN-002", "sync-diagnostic-on-stdout", "test_stdout_is_one_json_value", "stdout-polluted",
         "The diagnostic is printed on stdout, behind the result.", _OnStdout),
    _syn("SYN-002", "says-that-it-syncs", "test_stdout_is_one_json_value", "stdout-polluted",
         "A line of progress stands on stdout beside the JSON.", _SaysThatItSyncs),
    _syn("SYN-002", "tells-an-error-in-words-too", "test_stdout_is_one_json_value", "stdout-polluted",
         "Successes are pure JSON; an error is told in words first (#4601).", _TellsAnErrorInWordsToo),
    _syn("SYN-002", "begins-a-line-on-stderr", "test_records_in_one_pipe_stay_whole", "stdout-polluted",
         "A line that stderr begins is ended by the JSON of stdout, where both lead to one pipe (#2178).",
         _BeginsALine),
    _syn("SYN-003", "swallows-a-failing-sync", "test_text_tells_the_success_and_stderr_the_rest",
         "diagnostic-missing", "Whatever goes wrong with sync is swallowed.", _Silent),
    _syn("SYN-003", "text-diagnostic-on-stdout", "test_text_tells_the_success_and_stderr_the_rest",
         "stdout-polluted", "With text, the diagnostic stands on stdout.", _OnStdout),
    _syn("SYN-003", "tells-success-on-stderr", "test_text_tells_the_success_and_stderr_the_rest",
         "local-result-hidden", "The success is told on stderr as well, and stdout is empty.", _AllOnStderr),
    _syn("SYN-004", "fatal-diagnostic", "test_a_diagnostic_has_all_its_keys", "wrong-diagnostic",
         "A diagnostic of sync says that it is fatal.", _Fatal),
    _syn("SYN-004", "diagnostic-without-severity", "test_a_diagnostic_has_all_its_keys", "wrong-diagnostic",
         "A diagnostic of sync does not say how severe it is.", _WithoutSeverity),
    _syn("SYN-004", "diagnostic-as-a-sentence", "test_a_diagnostic_has_all_its_keys", "diagnostic-missing",
         "What went wrong is a sentence that no program can read.", _AsASentence),
    _syn("SYN-004", "silent-of-a-reset", "test_a_diagnostic_has_all_its_keys", "diagnostic-missing",
         "A connection that breaks off counts as one that was not needed.", _SilentOfAReset),
    _syn("SYN-005", "repeats-diagnostics", "test_equal_diagnostics_are_shown_once", "diagnostic-repeated",
         "Each change that could not be told of has a line, all of them alike.", _Repeats),
    _syn("SYN-005", "compares-messages-as-spelled", "test_equal_diagnostics_are_shown_once", "diagnostic-repeated",
         "Messages that differ in case and blanks count as different.", _ComparesMessagesAsSpelled),
    _syn("SYN-005", "one-diagnostic-a-code", "test_different_diagnostics_are_all_shown", "diagnostic-missing",
         "Of two failures of one kind only one is shown, whatever they say.", _OneACode),
    _syn("SYN-005", "one-diagnostic-a-process", "test_different_diagnostics_are_all_shown", "diagnostic-missing",
         "Only the first failure of a process is shown, as released versions do it.", _OneAProcess),
    _syn("SYN-006", "red-diagnostic", "test_nothing_looks_like_a_failure", "failure-styled",
         "Where there are colours, a failing sync is red.", _Red),
    _syn("SYN-006", "error-prefix", "test_nothing_looks_like_a_failure", "failure-styled",
         "A line in front of the diagnostic begins with Error.", _LooksLikeAnError),
    _syn("SYN-006", "highlights-json", "test_nothing_looks_like_a_failure", "failure-styled",
         "Where there are colours, JSON is coloured, and is no JSON any more.", _HighlightsJson),
    _syn("SYN-007", "tells-of-sync-alone", "test_the_local_failure_is_the_one_that_counts", "local-result-hidden",
         "Change and sync fail, and the error is that of sync.", _TellsOfSyncAlone),
    _syn("SYN-007", "status-of-sync", "test_the_local_failure_is_the_one_that_counts", "wrong-exit-status",
         "A failing sync never counts, and takes the failure of the change along.", _EndsAsSyncDoes),
    _syn("SYN-008", "sync-is-always-on", "test_nobody_is_contacted_unless_sync_is_on", "reached-out",
         "The switch is not asked.", _AlwaysOn),
    _syn("SYN-008", "on-when-set", "test_nobody_is_contacted_unless_sync_is_on", "reached-out",
         "Any value of the switch counts as on, 0 too.", _OnWhenSet),
    _syn("SYN-008", "goes-where-it-is-sent", "test_nobody_else_is_contacted", "reached-out",
         "A redirection is followed to wherever it leads.", _GoesWhereItIsSent),
    _syn("SYN-008", "asks-the-makers-too", "test_nobody_else_is_contacted", "reached-out",
         "Besides the configured address, one is asked that stands in the code.", _AsksTheMakersToo),
    _syn("SYN-009", "waits-for-the-end-of-sync", "test_a_slow_service_holds_nothing_up", "hang",
         "A silent service is waited for until it speaks (#2875).", _WaitsForTheEnd),
    _syn("SYN-009", "waits-for-each-byte", "test_a_slow_service_holds_nothing_up", "hang",
         "Every read has its limit, and their number has none.", _WaitsForEachByte),
    _syn("SYN-009", "waits-for-each-message", "test_a_slow_service_holds_nothing_up", "hang",
         "Each message has the declared bound, and all of them together have none.", _WaitsForEachByte),
    _syn("SYN-009", "asks-four-times", "test_a_slow_service_holds_nothing_up", "hang",
         "Each attempt has the declared bound, and there are four of them.", _AsksFourTimes),
    _syn("SYN-009", "waits-for-the-sync-lock", "test_a_held_lock_holds_nothing_up", "hang",
         "Whoever syncs is waited for, for ever.", _WaitsForTheLock),
    _syn("SYN-009", "syncs-first", "test_a_slow_service_holds_nothing_up", "held-up",
         "The service is asked before the change is made.", _SyncsFirst),
    _syn("SYN-010", "unknown-counts-as-auth", "test_what_fits_nowhere_is_unknown", "wrong-diagnostic",
         "Whatever is not recognised counts as a failure to log in, as released versions do it.", _UnknownIsAuth),
    _syn("SYN-010", "goes-by-words", "test_what_fits_nowhere_is_unknown", "wrong-diagnostic",
         "A failure is of the kind whose name stands in its text, an author's among them.", _GoesByWords),
    _syn("SYN-011", "message-as-it-came", "test_a_message_forges_nothing_and_drives_no_terminal", "record-forged",
         "A newline in a message begins a record of its own.", _AsItCame),
    _syn("SYN-011", "escapes-newlines-only", "test_a_message_forges_nothing_and_drives_no_terminal",
         "terminal-obeyed", "Newlines are escaped, escape sequences are not.", _EscapesNewlinesOnly),
    _syn("SYN-011", "json-as-it-came", "test_a_message_forges_nothing_and_drives_no_terminal", "terminal-obeyed",
         "JSON escapes what it has to; C1 controls and text turned around are not among that.", _JsonAsItCame),
    _syn("SEC-007", "names-the-address", "test_a_failing_sync_leaks_nothing", "leaked",
         "The message names the address, with the token that stands in it.", _NamesTheAddress),
]
# fmt: on
