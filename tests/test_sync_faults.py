from __future__ import annotations

import ast
import errno
import gc
import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import filelock
import freezegun
import pytest

from kitty_reliability.faults import sync, sync_script
from kitty_reliability.faults.network import only_loopback
from kitty_reliability.faults.sync import (
    FakeSyncClient,
    LockNotHeldError,
    SyncError,
    file_lock_held,
    run_during_shutdown,
    sqlite_lock_held,
)
from kitty_reliability.faults.sync_script import ScriptError, Step, SyncFault, SyncScript
from kitty_reliability.faults.sync_service import SyncService

#: Far more than anything takes that does not wait for ever.
LONG = 30.0
WORDS = "cannot schedule new futures after interpreter shutdown"
ON_THE_WIRE = sorted(set(SyncFault) - {SyncFault.LOCK_HELD, SyncFault.INTERPRETER_SHUTDOWN})


@pytest.fixture(autouse=True)
def nothing_else_is_reached() -> Iterator[None]:
    with only_loopback():
        yield


def ask(
    service: SyncService, method: str = "GET", path: str = "/", body: Any = None, timeout: float = LONG, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=timeout)
    try:
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            return response.status, response.headers, response.read()
    finally:
        connection.close()


def outcome(service: SyncService) -> int | str:
    """What one attempt comes to: a status, or the name of an error."""
    try:
        return ask(service)[0]
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__


# --- the script


def test_the_words_of_the_issue_are_there() -> None:
    assert {
        "lock-held", "interpreter-shutdown", "refused", "reset", "timeout", "trickle",
        "401", "403", "429", "500", "malformed", "oversized",
    } <= set(SyncFault)  # fmt: skip


def test_every_word_says_what_it_is() -> None:
    tree = ast.parse(Path(sync_script.__file__).read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "SyncFault")
    said = [
        (before.targets[0].id, after.value.value)
        for before, after in pairwise(body)
        if isinstance(before, ast.Assign)
        and isinstance(before.targets[0], ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    ]
    assert [name for name, text in said if text] == list(SyncFault.__members__)


def test_steps_follow_each_other_and_then_the_default_holds() -> None:
    script = SyncScript("401", ("reset", {"times": 2}), Step(SyncFault.SERVER_ERROR), default="malformed")
    assert [script.step(attempt).fault for attempt in range(6)] == [
        "401", "reset", "reset", "500", "malformed", "malformed",
    ]  # fmt: skip
    assert script.length == 4
    assert script.faults == {"401", "reset", "500", "malformed"}


def test_one_fault_several_times_and_then_all_is_well() -> None:
    script = SyncScript.of("429", times=3, retry_after=7)
    assert [script.step(attempt).retry_after for attempt in range(4)] == [7, 7, 7, None]
    assert script.step(3).fault is SyncFault.OK


def test_an_empty_script_is_all_well() -> None:
    assert SyncScript().step(0) == Step(SyncFault.OK)


def test_scripts_are_values() -> None:
    script = SyncScript("401", ("429", {"retry_after": 7}))
    assert {script: 1}[SyncScript(SyncFault.UNAUTHORIZED, Step(SyncFault.RATE_LIMITED, retry_after=7))] == 1
    assert script != SyncScript("401", "429")
    with pytest.raises(FrozenInstanceError):
        script.default = Step(SyncFault.RESET)  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        script.steps[0].times = 2  # type: ignore[misc]


@pytest.mark.parametrize("fault", SyncFault)
def test_a_step_fills_in_what_its_fault_takes_and_nothing_else(fault: SyncFault) -> None:
    takes = sync_script._PARAMETERS[fault]
    step = Step(fault)
    given = {name: getattr(step, name) for name in sync_script._RANGES if name != "times"}
    assert given == {name: takes.get(name) for name in given}


@pytest.mark.parametrize("word", ["502", "REFUSED", "", 401, None])
def test_a_wrong_word_is_named_with_the_right_ones(word: Any) -> None:
    with pytest.raises(ScriptError, match=f"no sync fault {word!r}; there are: ok, lock-held, .*unknown"):
        SyncScript("ok", (word, {}))


@pytest.mark.parametrize(
    ("fault", "parameters", "said"),
    [
        ("reset", {"retry_after": 1}, "reset takes times; not retry_after"),
        ("401", {"seconds": 1}, "401 takes times, text, retry_after; not seconds"),
        ("trickle", {"speed": 1}, "trickle takes times, bytes_per_second, size; not speed"),
        ("reset", {"times": 0}, "times is a whole number, 1 or more; not 0"),
        ("reset", {"times": True}, "not True"),
        ("reset", {"times": 1.5}, "not 1.5"),
        ("reset", {"times": None}, "not None"),
        ("timeout", {"seconds": -1}, "seconds is a number, 0 or more; not -1"),
        ("timeout", {"seconds": float("nan")}, "not nan"),
        ("timeout", {"seconds": float("inf")}, "not inf"),
        ("trickle", {"bytes_per_second": 0}, "bytes_per_second is a number above 0; not 0"),
        ("trickle", {"size": 1}, "size is a whole number, 2 or more; not 1"),
        ("oversized", {"status": 199}, "status is a whole number from 200 to 599 whose answer has a body; not 199"),
        ("oversized", {"status": 600}, "not 600"),
        ("429", {"retry_after": -1}, "retry_after is"),
        ("429", {"retry_after": "1\r\nX: y"}, "retry_after is"),
        ("malformed", {"text": 7}, "text is a text without lone surrogates; not 7"),
    ],
)
def test_a_wrong_parameter_is_named(fault: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ScriptError, match=said):
        SyncScript((fault, parameters))


@pytest.mark.parametrize("like", [7, ("401",), ("401", 3), ["401", {}]])
def test_a_step_of_no_known_shape_is_named(like: Any) -> None:
    with pytest.raises(ScriptError, match="a step is a word"):
        SyncScript(like)


# --- the client in this process


@pytest.mark.parametrize(
    ("fault", "kind", "builtin", "message"),
    [
        ("lock-held", sync.SyncLockHeldError, TimeoutError, "lock unavailable"),
        ("interpreter-shutdown", sync.SyncShutdownError, RuntimeError, f"^{WORDS}$"),
        ("refused", sync.SyncRefusedError, ConnectionRefusedError, "refused"),
        ("reset", sync.SyncResetError, ConnectionResetError, "reset"),
        ("timeout", sync.SyncTimeoutError, TimeoutError, "timed out"),
        ("401", sync.SyncAuthError, sync.SyncStatusError, "HTTP 401: Unauthorized"),
        ("403", sync.SyncAuthError, sync.SyncStatusError, "HTTP 403: Forbidden"),
        ("429", sync.SyncStatusError, sync.SyncStatusError, "HTTP 429: Too Many Requests"),
        ("500", sync.SyncStatusError, sync.SyncStatusError, "HTTP 500: Internal Server Error"),
        ("malformed", sync.SyncMalformedError, ValueError, "not JSON"),
        ("oversized", sync.SyncMalformedError, ValueError, "2000000 bytes of text/html"),
        ("truncated", sync.SyncMalformedError, ValueError, "after 50 of 100 bytes"),
        ("unknown", sync.SyncUnknownError, SyncError, "the tide is out"),
    ],
)
def test_the_client_fails_by_its_own_type_and_by_pythons(
    fault: str, kind: type[Exception], builtin: type[Exception], message: str
) -> None:
    with pytest.raises(SyncError, match=message) as caught:
        FakeSyncClient(SyncScript(fault)).call("push")
    assert type(caught.value) is kind
    assert isinstance(caught.value, builtin)


def test_what_a_failure_carries() -> None:
    client = FakeSyncClient(SyncScript(("429", {"retry_after": 7}), ("malformed", {"text": "{"}), "oversized"))
    with pytest.raises(sync.SyncStatusError) as limited:
        client.call("push")
    assert (limited.value.status, limited.value.retry_after) == (429, 7)
    with pytest.raises(sync.SyncMalformedError) as malformed:
        client.call("push")
    assert malformed.value.body == "{"
    with pytest.raises(sync.SyncMalformedError) as oversized:
        client.call("push")
    assert len(oversized.value.body) == 2_000_000


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred\x1b[0m\r", "nul \0"])
@pytest.mark.parametrize("fault", ["lock-held", "401", "500", "unknown"])
def test_a_message_comes_as_it_is_written(fault: str, text: str) -> None:
    with pytest.raises(SyncError) as caught:
        FakeSyncClient(SyncScript((fault, {"text": text}))).call("push")
    assert str(caught.value).endswith(text)


def test_a_repeated_call_is_neither_dropped_nor_tried_again() -> None:
    client = FakeSyncClient(SyncScript.of("refused", times=3))
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            client.call("push", {"id": 1})
    assert client.call("push", {"id": 1}) == "{}"
    assert [(call.operation, call.payload, call.fault) for call in client.calls] == [
        ("push", {"id": 1}, fault) for fault in ("refused", "refused", "refused", "ok")
    ]
    assert client.calls[0].at <= client.calls[-1].at


def test_a_payload_is_kept_as_it_was() -> None:
    client, payload = FakeSyncClient(), {"rows": [1]}
    client.call("push", payload)
    payload["rows"].append(2)
    assert client.calls[0].payload == {"rows": [1]}


def test_slow_calls_take_their_time() -> None:
    client = FakeSyncClient(
        SyncScript(("trickle", {"size": 10, "bytes_per_second": 100}), ("timeout", {"seconds": 0.1}))
    )
    started = time.monotonic()
    assert json.loads(client.call("pull")) == {}
    between = time.monotonic()
    with pytest.raises(TimeoutError):
        client.call("pull")
    assert between - started >= 0.09
    assert time.monotonic() - between >= 0.09


def test_each_of_many_threads_gets_its_own_step() -> None:
    client = FakeSyncClient(SyncScript(("reset", {"times": 50}), ("401", {"times": 50})))

    def attempt(number: int) -> str:
        try:
            return client.call("push", number)
        except SyncError as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        came = Counter(pool.map(attempt, range(120)))
    assert came == {"SyncResetError": 50, "SyncAuthError": 50, "{}": 20}
    assert sorted(call.payload for call in client.calls) == list(range(120))


# --- the service on the loopback


def test_a_request_is_written_down_whole() -> None:
    with SyncService(SyncScript(default=("ok", {"text": '{"accepted": 2}'}))) as service:
        status, headers, body = ask(service, "POST", "/api/v1/events/?page=2", b'[{"id": 1}]', Authorization="Bearer x")
    assert (status, json.loads(body)) == (200, {"accepted": 2})
    assert headers["Content-Type"] == "application/json"
    (request,) = service.requests
    assert (request.method, request.path, request.fault) == ("POST", "/api/v1/events/?page=2", "ok")
    assert request.header("authorization") == "Bearer x"
    assert request.header("X-Not-There") is None
    assert request.json() == [{"id": 1}]
    assert [connection.client.partition(":")[0] for connection in service.connections] == ["127.0.0.1"]
    assert service.connections[0].at <= request.at


def test_a_body_in_chunks_is_put_together() -> None:
    with SyncService() as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=LONG)
        connection.request("PUT", "/", iter([b"one, ", b"two"]), {}, encode_chunked=True)
        with connection.getresponse() as response:
            assert response.read() == b"{}"
        connection.close()
    assert service.requests[0].body == b"one, two"


def test_a_client_that_waits_to_be_told_to_go_on_is_told() -> None:
    with SyncService() as service, socket.create_connection(("127.0.0.1", service.port), LONG) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"[]")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    assert service.requests[0].body == b"[]"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WHATEVER"])
def test_every_method_is_served(method: str) -> None:
    with SyncService() as service:
        assert ask(service, method)[2] == b"{}"
    assert service.requests[0].method == method


def test_an_answer_to_head_has_no_body() -> None:
    with SyncService(SyncScript("500")) as service, socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", ["401", "403", "429", "500"])
def test_a_status_comes_with_its_message_and_retry_after(status: str) -> None:
    with SyncService(SyncScript((status, {"retry_after": 7, "text": "no\nway"}), status)) as service:
        code, headers, body = ask(service)
        plain = ask(service)
    assert (code, headers["Retry-After"], json.loads(body)["message"]) == (int(status), "7", "no\nway")
    assert plain[1]["Retry-After"] == ("1" if status == "429" else None)


def test_a_malformed_body_is_announced_as_json() -> None:
    with SyncService(SyncScript("malformed")) as service:
        status, headers, body = ask(service)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(body)


def test_an_oversized_body_is_a_big_page() -> None:
    with SyncService(SyncScript(("oversized", {"status": 502}), ("oversized", {"size": 10}))) as service:
        status, headers, body = ask(service)
        assert len(ask(service)[2]) == 10
    assert (status, headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert body.startswith(b"<!doctype html>")
    assert len(body) == 2_000_000


def test_a_truncated_body_ends_in_the_middle() -> None:
    with SyncService(SyncScript("truncated")) as service, pytest.raises(http.client.IncompleteRead) as caught:
        ask(service)
    assert (len(caught.value.partial), caught.value.expected) == (50, 50)


def test_a_failure_of_no_category_says_so_with_an_odd_status() -> None:
    with SyncService(SyncScript("unknown")) as service:
        status, _, body = ask(service)
    assert (status, body) == (418, b"the tide is out")


def test_a_reset_is_one() -> None:
    with SyncService(SyncScript("reset")) as service:
        with pytest.raises(ConnectionResetError) as caught:
            ask(service, "POST", "/", b"x")
        assert outcome(service) == 200
    assert type(caught.value) is ConnectionResetError  # and not the end of the stream, which is its subclass
    assert service.requests[0].body == b"x"


def test_silence_lasts_as_long_as_the_client_waits() -> None:
    with SyncService(SyncScript("timeout")) as service:
        with pytest.raises(TimeoutError):
            ask(service, timeout=0.2)
        assert outcome(service) == 200
    assert [request.fault for request in service.requests] == ["timeout", "ok"]


def test_silence_of_some_seconds_ends_without_an_answer() -> None:
    with SyncService(SyncScript(("timeout", {"seconds": 0.05}))) as service:
        assert outcome(service) == "RemoteDisconnected"


def test_a_trickle_is_slow_and_whole() -> None:
    with SyncService(SyncScript(("trickle", {"size": 10, "bytes_per_second": 50}))) as service:
        started = time.monotonic()
        status, _, body = ask(service)
    assert time.monotonic() - started >= 0.18
    assert (status, len(body), json.loads(body)) == (200, 10, {})


def test_a_refused_service_is_not_there_until_it_accepts_again() -> None:
    with SyncService(SyncScript(("refused", {"times": 3}), "500")) as service:
        for _ in range(5):
            assert outcome(service) == "ConnectionRefusedError"
        assert service.refusing
        service.accept_again()
        assert not service.refusing
        assert [outcome(service), outcome(service)] == [500, 200]
    assert service.acted == ["500", "ok"]
    assert len(service.connections) == 2


def test_the_port_is_closed_before_the_answer_ahead_of_it_is_out() -> None:
    with SyncService(SyncScript("401", "refused", "403", "refused")) as service:
        assert [outcome(service), outcome(service)] == [401, "ConnectionRefusedError"]
        service.accept_again()
        assert [outcome(service), outcome(service)] == [403, "ConnectionRefusedError"]
        service.accept_again()
        assert outcome(service) == 200


def test_a_connection_from_before_the_port_closed_takes_no_step() -> None:
    with SyncService(SyncScript("ok", "refused", "500")) as service:
        early = socket.create_connection(("127.0.0.1", service.port), LONG)
        with early:
            # The accept queue is in order: once the later one is answered, the early one has been accepted.
            assert outcome(service) == 200
            early.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                early.recv(1)
        service.accept_again()
        assert outcome(service) == 500
    assert service.acted == ["ok", "500"]


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the system reserves no port for two sockets")
def test_nobody_else_gets_the_port_while_it_refuses() -> None:
    with SyncService(SyncScript("refused")) as service, socket.socket() as other:
        with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
            other.bind(("127.0.0.1", service.port))
        service.accept_again()
        assert outcome(service) == 200


def test_accepting_again_needs_something_to_end() -> None:
    with SyncService() as service, pytest.raises(RuntimeError, match="does not refuse"):
        service.accept_again()
    with SyncService(SyncScript(default="refused")) as service, pytest.raises(RuntimeError, match="for ever"):
        service.accept_again()


def test_repeated_and_mixed_failures_come_in_order() -> None:
    script = SyncScript(("500", {"times": 2}), "reset", "401", ("timeout", {"seconds": 0}), "truncated", "429")
    with SyncService(script) as service:
        came = [outcome(service) for _ in range(8)]
    assert came == [500, 500, "ConnectionResetError", 401, "RemoteDisconnected", "IncompleteRead", 429, 200]
    assert service.acted == [script.step(attempt).fault for attempt in range(8)]


def test_client_and_service_perform_the_same_script() -> None:
    script = SyncScript("401", ("500", {"times": 2}), "malformed")
    client = FakeSyncClient(script)
    for _ in range(4):
        with pytest.raises(SyncError):
            client.call("push")
    with SyncService(script) as service:
        for _ in range(4):
            ask(service)
    assert [call.fault for call in client.calls] == service.acted == ["401", "500", "500", "malformed"]


def test_several_at_once_each_get_a_step() -> None:
    script = SyncScript(("500", {"times": 20}), ("reset", {"times": 20}))
    with SyncService(script) as service, ThreadPoolExecutor(8) as pool:
        came = Counter(pool.map(lambda _: outcome(service), range(48)))
    assert came == {500: 20, "ConnectionResetError": 20, 200: 8}
    assert Counter(service.acted) == {"500": 20, "reset": 20, "ok": 8}
    assert len(service.connections) == 48


def test_one_that_hangs_keeps_nobody_else_waiting() -> None:
    with SyncService(SyncScript("timeout")) as service:
        hanging = threading.Thread(target=outcome, args=(service,))
        hanging.start()
        while not service.requests:
            time.sleep(0.01)
        assert outcome(service) == 200
        assert hanging.is_alive()
    hanging.join(LONG)
    assert not hanging.is_alive()


def test_fixed_answers_take_no_step() -> None:
    with SyncService(SyncScript("401"), answers={"/api/v1/me": {"name": "kitty"}}) as service:
        assert json.loads(ask(service, path="/api/v1/me?full=1")[2]) == {"name": "kitty"}
        assert [outcome(service), json.loads(ask(service, path="/api/v1/me")[2])] == [401, {"name": "kitty"}]
    assert [request.fault for request in service.requests] == [None, "401", None]
    assert service.acted == ["401"]


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\r\n", b"\r\n", b"GET\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_request_is_a_connection_only(garbage: bytes) -> None:
    with SyncService(SyncScript("401")) as service:
        with socket.create_connection(("127.0.0.1", service.port), LONG) as client:
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        assert outcome(service) == 401
    assert (len(service.connections), len(service.requests)) == (2, 1)


@pytest.mark.parametrize("fault", ["timeout", "trickle", "oversized", "silent client", "half a request"])
def test_it_ends_at_once_with_clients_that_hang(fault: str) -> None:
    slow = {"trickle": {"bytes_per_second": 0.001}, "oversized": {"size": 20_000_000}}
    said = {"silent client": b"", "half a request": b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"}
    script = SyncScript() if fault in said else SyncScript(default=(fault, slow.get(fault, {})))
    clients = []
    with SyncService(script) as service:
        for _ in range(5):
            clients.append(socket.create_connection(("127.0.0.1", service.port), LONG))
            clients[-1].sendall(said.get(fault, b"GET / HTTP/1.1\r\n\r\n"))
        while len(service.connections) < 5 or (fault not in said and len(service.acted) < 5):
            time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 10
    for client in clients:
        client.close()


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="the system does not list open files")
def test_no_thread_and_no_socket_is_left() -> None:
    def round_of_everything() -> None:
        parameters = {"timeout": {"seconds": 0}, "trickle": {"bytes_per_second": 1000}}
        words = [word for word in ON_THE_WIRE if word != "refused"]
        with SyncService(SyncScript(*((word, parameters.get(word, {})) for word in words), "refused")) as service:
            for _ in range(len(words) + 1):
                outcome(service)
            service.accept_again()
            assert outcome(service) == 200

    round_of_everything()
    gc.collect()
    threads, files = threading.enumerate(), len(list(Path("/dev/fd").iterdir()))
    round_of_everything()
    # An unclosed socket would be closed, and warned of, here.
    gc.collect()
    assert threading.enumerate() == threads
    assert len(list(Path("/dev/fd").iterdir())) == files


def test_a_frozen_clock_does_not_stop_it() -> None:
    with freezegun.freeze_time("2025-03-03"), SyncService(SyncScript(("timeout", {"seconds": 0.05}))) as service:
        assert [outcome(service), outcome(service)] == ["RemoteDisconnected", 200]
    assert {request.at.year for request in service.requests} == {2025}


@pytest.mark.parametrize(("fault", "who"), [("lock-held", "lock_held"), ("interpreter-shutdown", "run_during")])
def test_what_does_not_happen_on_a_wire_is_refused(fault: str, who: str) -> None:
    with pytest.raises(ScriptError, match=f"{fault} does not happen on a wire; .*{who}"):
        SyncService(SyncScript("401", default=fault))


def test_a_service_is_there_for_one_block() -> None:
    service = SyncService()
    with pytest.raises(RuntimeError, match="inside its with block"):
        _ = service.url
    with service:
        assert service.url == f"http://127.0.0.1:{service.port}"
    with pytest.raises(RuntimeError, match="for one with block"):
        service.__enter__()


def test_another_process_is_pointed_here_and_nowhere_else() -> None:
    program = (
        "import os, urllib.request\n"
        "assert os.environ['SPEC_KITTY_ENABLE_SAAS_SYNC'] == '1'\n"
        "print(urllib.request.urlopen(os.environ['SPEC_KITTY_SAAS_URL'] + '/x', b'hello').read().decode())\n"
        "try:\n"
        "    urllib.request.urlopen('http://host.invalid/')\n"
        "except urllib.error.URLError as error:\n"
        "    print(type(error.reason).__name__)\n"
    )
    with SyncService() as service:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | service.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
    # The second one reached the proxy that is not there; a look-up of the name would have failed otherwise.
    assert done.stdout.split() == ["{}", "ConnectionRefusedError"]
    assert [(request.method, request.path, request.body) for request in service.requests] == [("POST", "/x", b"hello")]


def test_urllib_meets_the_faults_as_well() -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with SyncService(SyncScript("403")) as service:
        with pytest.raises(urllib.request.HTTPError) as caught:
            opener.open(service.url, timeout=LONG)
        caught.value.close()
        with opener.open(service.url, timeout=LONG) as response:
            assert response.read() == b"{}"
    assert caught.value.code == 403


# --- locks


def take_file(path: Path) -> None:
    filelock.FileLock(path, timeout=0).acquire().lock.release()


def take_database(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=0)
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id)")
    finally:
        connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="the second kind of locks is POSIX")
def test_a_lock_file_is_held_against_both_kinds_of_locks(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "lock"
    with file_lock_held(path), path.open("r+b") as file:
        for take in (fcntl.flock, fcntl.lockf):
            with pytest.raises(BlockingIOError):
                take(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


LOCKS = pytest.mark.parametrize(
    ("held", "take", "refusal"),
    [(file_lock_held, take_file, filelock.Timeout), (sqlite_lock_held, take_database, sqlite3.OperationalError)],
    ids=["file", "sqlite"],
)


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@LOCKS
def test_a_lock_is_held_by_another_process_for_the_block(
    held: Any, take: Any, refusal: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "lock"
    take(path)
    with held(path) as lock:
        assert lock.path == path
        assert lock.process != os.getpid()
        assert is_there(lock.process)
        with pytest.raises(refusal):
            take(path)
    assert not is_there(lock.process)
    take(path)


@LOCKS
def test_a_lock_is_released_when_the_block_fails(
    held: Any, take: Any, refusal: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "lock"

    def fails() -> None:
        with held(path):
            with pytest.raises(refusal):
                take(path)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    take(path)


@LOCKS
def test_a_lock_that_somebody_has_cannot_be_taken(
    held: Any, take: Any, refusal: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "lock"
    with held(path), pytest.raises(LockNotHeldError, match=f"{path} could not be taken: .*lock"), held(path, seconds=0):
        pytest.fail("two hold one lock")


@LOCKS
def test_a_lock_that_was_lost_on_the_way_is_no_proof(
    held: Any, take: Any, refusal: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "lock"

    def loses() -> None:
        with held(path) as lock:
            os.kill(lock.process, 9)
            os.waitid(os.P_PID, lock.process, os.WEXITED | os.WNOWAIT)

    with pytest.raises(LockNotHeldError, match="not held to the end: its holder ended with status -9"):
        loses()
    take(path)


# --- the end of an interpreter

SCHEDULES = """
import sys
from concurrent.futures import ThreadPoolExecutor
try:
    print(ThreadPoolExecutor().submit(int).result(), *sys.argv[1:])
except RuntimeError as error:
    print(error, *sys.argv[1:])
"""


def test_work_is_really_scheduled_while_the_interpreter_exits() -> None:
    in_life = subprocess.run([sys.executable, "-c", SCHEDULES], capture_output=True, text=True, check=True)
    at_the_end = run_during_shutdown(SCHEDULES)
    assert in_life.stdout == "0\n"
    assert (at_the_end.stdout, at_the_end.stderr, at_the_end.returncode) == (f"{WORDS}\n", "", 0)


def test_the_fake_has_the_words_of_the_real_one() -> None:
    with pytest.raises(RuntimeError) as fake:
        FakeSyncClient(SyncScript("interpreter-shutdown")).call("push")
    assert run_during_shutdown(SCHEDULES).stdout == f"{fake.value}\n"


def test_a_file_runs_as_a_program_with_its_arguments(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"assert __name__ == '__main__'\n{SCHEDULES}", encoding="utf-8")
    assert run_during_shutdown(program, "--json", "x").stdout == f"{WORDS} --json x\n"


def test_what_comes_before_runs_while_all_is_well(tmp_path: Path) -> None:
    done = run_during_shutdown(SCHEDULES, before=SCHEDULES, directory=tmp_path, environment=dict(os.environ))
    assert done.stdout == f"0\n{WORDS}\n"


def test_exit_handlers_from_before_find_the_same() -> None:
    before = f"import atexit\natexit.register(exec, {SCHEDULES!r}, {{}})"
    assert run_during_shutdown("pass", before=before).stdout == f"{WORDS}\n"


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(0)", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit('so sorry')", 1, "so sorry"),
        ("raise KeyError('it')", 1, "KeyError: 'it'"),
    ],
)
def test_the_status_is_the_programs(program: str, status: int, said: str) -> None:
    done = run_during_shutdown(f"print('out')\n{program}")
    assert (done.stdout, done.returncode) == ("out\n", status)
    assert done.stderr.strip().rpartition("\n")[2] == said


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_during_shutdown("import time\ntime.sleep(600)", seconds=1)


# --- what it is made of


def test_no_hosted_code_is_imported() -> None:
    program = (
        "import sys\n"
        "import kitty_reliability\n"
        "before = set(sys.modules)\n"
        "import kitty_reliability.faults.sync, kitty_reliability.faults.sync_service, kitty_reliability.faults.network\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))\n"
    )
    run = partial(subprocess.run, capture_output=True, text=True, check=True)
    assert set(run([sys.executable, "-c", program]).stdout.split()) <= {"kitty_reliability"}
