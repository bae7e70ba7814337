from __future__ import annotations

import _socket
import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import getaddrinfo as getaddrinfo_of_before
from typing import Any

import pytest

from kitty_reliability.faults.disk import DiskFault
from kitty_reliability.faults.network import (
    NOWHERE,
    Attempt,
    LoopbackServer,
    NetworkForbidden,
    NetworkGuard,
    only_loopback,
    proxied,
)
from kitty_reliability.faults.shim.kitty_network_shim import is_loopback

#: Kept for documentation: a packet there reaches nobody, should the guard be broken.
FAR, FAR6, NAME = "203.0.113.1", "2001:db8::1", "host.invalid"
LONG = 30.0


def on_socket(how: str, *arguments: Any, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM) -> None:
    with socket.socket(family, kind) as it:
        getattr(it, how)(*arguments)


def raw_connect() -> None:
    it = _socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        it.connect((FAR, 80))
    finally:
        it.close()


async def in_a_loop() -> None:
    await asyncio.get_running_loop().create_connection(asyncio.Protocol, FAR, 80)


LEAVING: list[tuple[str, str, Callable[[], Any]]] = [
    ("connect", f"{FAR}:80", lambda: on_socket("connect", (FAR, 80))),
    ("connect", f"{FAR}:80", lambda: on_socket("connect_ex", (FAR, 80))),
    ("connect", f"{NAME}:80", lambda: on_socket("connect", (NAME, 80))),
    ("connect", f"{NAME}:80", lambda: on_socket("connect_ex", (NAME, 80))),
    ("connect", f"[{FAR6}]:80", lambda: on_socket("connect", (FAR6, 80), family=socket.AF_INET6)),
    ("connect", f"[::ffff:{FAR}]:80", lambda: on_socket("connect", (f"::ffff:{FAR}", 80), family=socket.AF_INET6)),
    ("connect", "0.0.0.0:80", lambda: on_socket("connect", ("0.0.0.0", 80))),
    ("connect", ":80", lambda: on_socket("connect", ("", 80))),
    ("connect", f"{FAR}:80", raw_connect),
    ("connect", f"{FAR}:80", lambda: asyncio.run(in_a_loop())),
    ("sendto", f"{FAR}:53", lambda: on_socket("sendto", b"x", (FAR, 53))),
    ("sendto", f"{NAME}:53", lambda: on_socket("sendto", b"x", 0, (NAME, 53))),
    ("sendmsg", f"{FAR}:53", lambda: on_socket("sendmsg", [b"x"], [], 0, (FAR, 53))),
    ("sendmsg", f"{NAME}:53", lambda: on_socket("sendmsg", [b"x"], [], 0, (NAME, 53))),
    ("getaddrinfo", f"{NAME}:80", lambda: socket.getaddrinfo(NAME, 80)),
    ("getaddrinfo", f"{NAME}:80", lambda: socket.getaddrinfo(NAME.encode(), "80")),
    ("getaddrinfo", f"{NAME}:80", lambda: getaddrinfo_of_before(NAME, 80)),
    ("getaddrinfo", f"{FAR}:80", lambda: socket.create_connection((FAR, 80))),
    ("getaddrinfo", f"{NAME}:80", lambda: urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{NAME}/")),
    ("gethostbyname", NAME, lambda: socket.gethostbyname(NAME)),
    ("gethostbyname", NAME, lambda: socket.gethostbyname_ex(NAME)),
    ("gethostbyaddr", FAR, lambda: socket.gethostbyaddr(FAR)),
    ("getnameinfo", f"{FAR}:80", lambda: socket.getnameinfo((FAR, 80), 0)),
]  # fmt: skip


def swallowed(attempt: Callable[[], Any]) -> None:
    try:
        attempt()
    except Exception:  # noqa: BLE001
        return


@contextmanager
def told(text: str) -> Iterator[tuple[NetworkGuard, pytest.ExceptionInfo[NetworkForbidden]]]:
    """A guard that is expected to fail at its end."""
    with pytest.raises(NetworkForbidden, match=f"^tried: {text}") as caught, only_loopback() as guard:
        yield guard, caught


# --- in this process


@pytest.mark.parametrize(("operation", "address", "attempt"), LEAVING)
def test_what_would_leave_is_refused_and_remembered(operation: str, address: str, attempt: Callable[[], Any]) -> None:
    with told("") as (guard, at_the_end), pytest.raises(NetworkForbidden) as at_once:
        attempt()
    assert f"{operation} to {address}: nothing but the loopback" in str(at_once.value)
    assert guard.attempts == (Attempt(operation, address, os.getpid()),)
    assert f"tried: {operation} to {address} by process {os.getpid()}" in str(at_the_end.value)


def test_every_family_but_those_of_the_machine_is_refused() -> None:
    if not hasattr(socket, "AF_NETLINK"):
        pytest.skip("the system has no other family that anybody may open")
    with told("connect"):
        swallowed(lambda: on_socket("connect", (0, 0), family=socket.AF_NETLINK, kind=socket.SOCK_RAW))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "LocalHost"])
def test_the_loopback_is_reached(host: str) -> None:
    with only_loopback() as guard, socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with socket.socket() as client:
            client.connect((host, port))
        socket.create_connection((host, port), LONG).close()
        on_socket("sendto", b"x", (host, port))
        on_socket("sendmsg", [b"x"], [], 0, (host, port))
        assert socket.getaddrinfo(host, port)
        assert socket.gethostbyname("localhost").startswith("127.")
    assert guard.attempts == ()


def test_the_loopback_of_the_other_family_is_reached() -> None:
    with only_loopback():
        for host in ("::1", "::ffff:127.0.0.1"):
            on_socket("sendto", b"x", (host, 9), family=socket.AF_INET6)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system has no Unix sockets")
def test_unix_sockets_and_connected_ones_are_left_alone() -> None:
    with tempfile.TemporaryDirectory() as directory, only_loopback(), socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{directory}/s")
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{directory}/s")
            assert client.sendmsg([b"hello"]) == 5
            assert server.accept()[0].close() is None
        one, other = socket.socketpair()
        with one, other:
            one.sendall(b"x")
            assert other.recv(1) == b"x"


def test_listening_on_every_address_is_no_attempt() -> None:
    with only_loopback() as guard:
        assert socket.getaddrinfo(None, 0, flags=socket.AI_PASSIVE)
        assert socket.getaddrinfo("0.0.0.0", 0)
    assert guard.attempts == ()


def test_wrong_arguments_are_the_methods_own_affair() -> None:
    with only_loopback():
        for how, arguments in (("connect", ()), ("sendto", (b"x",)), ("sendmsg", ())):
            with pytest.raises(TypeError):
                on_socket(how, *arguments)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.255.255.255", True),
        ("::1", True),
        ("0:0:0:0:0:0:0:1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        (b"localhost", True),
        (bytearray(b"::1"), True),
        ("128.0.0.1", False),
        ("::", False),
        ("0.0.0.0", False),
        ("::ffff:10.0.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
        (None, False),
        (b"\xff", False),
        ("<broadcast>", False),
    ],
)
def test_what_counts_as_loopback(host: Any, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_thread_is_held_as_well_and_what_it_swallows_is_not_lost() -> None:
    with told(f"connect to {FAR}:81"):
        thread = threading.Thread(target=swallowed, args=(lambda: on_socket("connect", (FAR, 81)),))
        thread.start()
        thread.join(LONG)


def test_many_threads_are_all_remembered() -> None:
    def attempt(number: int) -> None:
        swallowed(lambda: on_socket("connect", (FAR, number)))

    with told(".* and 10 more:") as (guard, _):
        threads = [threading.Thread(target=attempt, args=(number,)) for number in range(1, 21)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
    assert {attempt.address for attempt in guard.attempts} == {f"{FAR}:{number}" for number in range(1, 21)}


@pytest.mark.parametrize("error", [KeyError("another"), SystemExit(0), pytest.skip.Exception("no network")])
def test_another_error_does_not_hide_an_attempt(error: BaseException) -> None:
    with told(f"connect to {FAR}:80") as (_, caught):
        swallowed(lambda: on_socket("connect", (FAR, 80)))
        raise error
    assert caught.value.__cause__ is error


def test_another_error_alone_is_left_alone() -> None:
    with pytest.raises(KeyError), only_loopback():
        raise KeyError


def test_an_interruption_stays_one() -> None:
    def interrupted() -> None:
        with only_loopback():
            swallowed(lambda: on_socket("connect", (FAR, 80)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_the_innermost_remembers_and_the_outer_one_still_holds() -> None:
    with told(f"connect to {FAR}:2") as (outer, _):
        with told(f"connect to {FAR}:1") as (inner, _):
            swallowed(lambda: on_socket("connect", (FAR, 1)))
        assert len(inner.attempts) == 1
        assert outer.attempts == ()
        swallowed(lambda: on_socket("connect", (FAR, 2)))
    assert len(outer.attempts) == 1


def test_everything_is_as_it_was_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = ("connect", "connect_ex", "sendto", "sendmsg")
    before = [getattr(socket.socket, name) for name in names], dict(vars(socket.socket)), threading.enumerate()
    with told("getaddrinfo") as (guard, _):
        assert socket.socket.connect is not before[0][0]
        assert guard.environment()["KITTY_NETWORK_GUARD"].startswith(str(tmp_path))
        swallowed(lambda: socket.getaddrinfo(FAR, 80))
    after = [getattr(socket.socket, name) for name in names], dict(vars(socket.socket)), threading.enumerate()
    assert after == before
    assert list(tmp_path.iterdir()) == []
    # A numeric address needs nobody to be looked up.
    assert socket.getaddrinfo(FAR, 80)


def test_a_test_that_tries_fails_by_name(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makepyfile("""
        import socket
        import pytest
        from kitty_reliability.faults.network import only_loopback

        @pytest.fixture(autouse=True)
        def guarded():
            with only_loopback():
                yield

        def test_that_does_not(): pass

        def test_that_tries(): socket.getaddrinfo("host.invalid", 443)

        def test_that_tries_and_swallows():
            try:
                socket.getaddrinfo("host.invalid", 443)
            except Exception:
                pass
    """)
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:xdist", "-rA")
    result.assert_outcomes(passed=2, failed=1, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *::test_that_tries - *NetworkForbidden: getaddrinfo to host.invalid:443*",
            "ERROR *::test_that_tries_and_swallows - *NetworkForbidden: tried: getaddrinfo to host.invalid:443*",
        ]
    )


# --- other programs


def run(
    program: str, guard: NetworkGuard, *options: str, over: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | (over or {})
    environment |= guard.environment(environment)
    argv = [sys.executable, *options, "-c", program]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=LONG)


def test_a_python_program_is_held_and_what_it_swallows_is_not_lost() -> None:
    program = (
        "import os, socket\n"
        "try:\n"
        f"    socket.socket().connect(({FAR!r}, 80))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, os.getpid())\n"
    )
    with told(f"connect to {FAR}:80 by process") as (guard, _):
        done = run(program, guard)
        name, process = done.stdout.split()
        assert (name, done.stderr) == ("NetworkForbidden", "")
        assert guard.attempts == (Attempt("connect", f"{FAR}:80", int(process)),)


def test_a_program_of_a_program_is_held_as_well() -> None:
    inner = f"import socket; socket.getaddrinfo({NAME!r}, 80)"
    with told(f"getaddrinfo to {NAME}:80") as (guard, _):
        done = run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])", guard)
        assert "NetworkForbidden: getaddrinfo" in done.stderr


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_program_that_heeds_proxies_is_told_no(scheme: str) -> None:
    program = (
        "import urllib.request\n"
        "try:\n"
        f"    urllib.request.urlopen('{scheme}://{NAME}/x')\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    with told(f"proxy to {NAME}") as (guard, _):
        done = run(program, guard, "-I")
        assert "403" in done.stdout


def test_the_loopback_is_free_to_a_program() -> None:
    def hello(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    with only_loopback() as guard:
        server = LoopbackServer(hello)
        try:
            url = f"http://127.0.0.1:{server.port}/"
            done = run(f"import urllib.request; print(urllib.request.urlopen({url!r}).read().decode())", guard)
        finally:
            server.end()
    assert (done.stdout, done.stderr) == ("hello\n", "")


def proxy_port(guard: NetworkGuard) -> int:
    return int(guard.environment({})["HTTPS_PROXY"].rpartition(":")[2])


def through_the_proxy(guard: NetworkGuard, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", proxy_port(guard)), LONG) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            return answer.read()


@pytest.mark.parametrize(
    ("request_line", "address"),
    [
        ("CONNECT host.invalid:443 HTTP/1.1", "host.invalid:443"),
        ("CONNECT [2001:db8::1]:443 HTTP/1.1", "[2001:db8::1]:443"),
        ("GET http://user:secret@host.invalid:8080/x HTTP/1.1", "host.invalid:8080"),
        ("GET http://[bad HTTP/1.1", "http://[bad"),
        ("GET /x HTTP/1.1", "/x"),
        ("nonsense", r"b'nonsense\r\n'"),
    ],
)
def test_the_proxy_says_no_and_remembers_who_was_asked_for(request_line: str, address: str) -> None:
    with told("proxy") as (guard, _):
        answer = through_the_proxy(guard, f"{request_line}\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"(NFR-002)\n")
    assert guard.attempts == (Attempt("proxy", address, 0),)


@pytest.mark.parametrize("request_line", ["CONNECT 127.0.0.1:1 HTTP/1.1", "GET http://localhost:1/ HTTP/1.1", ""])
def test_asking_the_proxy_for_the_loopback_or_for_nothing_is_no_attempt(request_line: str) -> None:
    with only_loopback() as guard:
        assert b" 200 " not in through_the_proxy(guard, f"{request_line}\r\n\r\n".encode())
    assert guard.attempts == ()


@pytest.mark.parametrize("said", [b"", b"CONNECT host.invalid"])
def test_it_ends_though_somebody_hangs_on_the_proxy(said: bytes) -> None:
    with only_loopback() as guard:
        client = socket.create_connection(("127.0.0.1", proxy_port(guard)), LONG)
        client.sendall(said)
    with client:
        assert client.recv(1) == b""


def test_who_asked_the_proxy_and_left_is_remembered() -> None:
    with told("proxy to host.invalid:443") as (guard, _):
        client = socket.create_connection(("127.0.0.1", proxy_port(guard)), LONG)
        client.sendall(b"CONNECT host.invalid:443 HTTP/1.1\r\n")
        client.close()


def test_both_spellings_of_the_proxy_variables_are_set() -> None:
    variables = proxied()
    assert {name.upper() for name in variables} == {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    assert all(variables[name] == variables[name.upper()] for name in variables)
    assert (variables["https_proxy"], variables["no_proxy"]) == (NOWHERE, "127.0.0.1,localhost,::1")


def test_another_faults_sitecustomize_still_runs(tmp_path: Path) -> None:
    disk = DiskFault(tmp_path / "log", "lost", tmp_path / "marker")
    program = (
        "import socket\n"
        f"open({str(disk.path)!r}, 'a').write('row')\n"
        f"try: socket.getaddrinfo({NAME!r}, 80)\n"
        "except Exception: pass\n"
    )
    with told(f"getaddrinfo to {NAME}:80") as (guard, _):
        done = run(program, guard, over=disk.environment())
    assert done.stderr == ""
    assert disk.acted > 0


def test_nested_guards_do_not_chase_each_others_sitecustomize() -> None:
    with only_loopback() as guard:
        assert run("print('fine')", guard, over=guard.environment({})).stdout == "fine\n"


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        (f"ssh://{NAME}/x", f"{NAME}:22"),
        (f"ssh://someone@{NAME}:2222/x", f"{NAME}:2222"),
        (f"someone@{NAME}:x.git", f"{NAME}:22"),
        ("ssh://[2001:db8::1]/x", "[2001:db8::1]:22"),
    ],
)
def test_git_over_ssh_is_refused_and_remembered(remote: str, address: str) -> None:
    with told(re.escape(f"ssh to {address}")) as (guard, _):
        environment = os.environ | guard.environment()
        done = subprocess.run(
            ["git", "ls-remote", remote], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode != 0
    assert f"ssh to {address}: there is no SSH here" in done.stderr


def test_git_over_ssh_to_the_loopback_is_no_attempt() -> None:
    with only_loopback() as guard:
        environment = os.environ | guard.environment()
        done = subprocess.run(
            ["git", "ls-remote", "ssh://127.0.0.1/x"], env=environment, capture_output=True, check=False
        )
    assert b"there is no SSH here" in done.stderr


def test_git_has_no_other_protocol() -> None:
    with only_loopback() as guard:
        environment = os.environ | guard.environment()
        done = subprocess.run(
            ["git", "ls-remote", f"git://{NAME}/x"], env=environment, capture_output=True, check=False
        )
    assert b"transport 'git' not allowed" in done.stderr


def test_a_guard_that_is_over_guards_nobody_new() -> None:
    with only_loopback() as guard:
        environment = os.environ | guard.environment()
    with pytest.raises(RuntimeError, match="the guard is over"):
        guard.environment()
    # A program that outlives it is still held, though nobody listens any more.
    program = f"import socket; socket.getaddrinfo({NAME!r}, 80)"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert "NetworkForbidden" in done.stderr
    assert not Path(environment["KITTY_NETWORK_GUARD"]).exists()


@pytest.mark.parametrize("network_first", [True, False])
def test_two_faults_work_in_one_program_whichever_environment_is_laid_over_the_other(
    tmp_path: Path, network_first: bool
) -> None:
    fault = DiskFault(tmp_path / "log", "lost", tmp_path / "marker")
    program = f"open({str(fault.path)!r}, 'ab').write(b'x')\nimport socket\nsocket.getaddrinfo({NAME!r}, 80)"
    with told(f"getaddrinfo to {NAME}:80") as (guard, _):
        disk, network = fault.environment(), guard.environment()
        both = network | disk if network_first else disk | network
        subprocess.run([sys.executable, "-c", program], env=os.environ | both, capture_output=True, check=False)
    assert fault.acted
    assert fault.path.read_bytes() == b""
