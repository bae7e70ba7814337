"""Keeps a Python process on the loopback: anything else is refused before a packet leaves, and written down.

Standard library only, no import of the package: it also runs inside other programs.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["NetworkForbidden", "Shim", "install_from_environment", "is_loopback"]


class NetworkForbidden(RuntimeError):
    """Something else than the loopback was asked for; the text says what and how (NFR-002).

    No ``OSError``: code that expects the network to fail would take it for that and go on.
    """


#: What is in force, the innermost last.
_active: list[Shim] = []
_hooked: list[bool] = []
_changing = threading.Lock()

_ADDRESSES = ("socket.connect", "socket.sendto", "socket.sendmsg")
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
#: Where the address stands among the arguments of a method.
_METHODS = {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}


class Shim:
    """One guard. While several are in force, the innermost writes down.

    Arguments:
        record: a file that is there; each refusal adds a line of JSON. A file, because forked and other
            processes write to it as well.
    """

    def __init__(self, record: str) -> None:
        self.record = record

    def install(self) -> None:
        """Put it in force in this process, for all its threads."""
        with _changing:
            if not _hooked:
                # It sees also those who imported a function before, or call the C module. It cannot be taken
                # away again; without a guard in force it returns at once.
                sys.addaudithook(_audit)
                _hooked.append(True)
            if not _active:
                _wrap_methods()
            _active.append(self)

    def remove(self) -> None:
        """Take it out of force."""
        with _changing:
            _active.remove(self)
            if not _active:
                _unwrap_methods()

    def write_down(self, operation: str, address: str, process: int) -> None:
        """Remember a refusal. It does not matter to the caller whether the guard's owner still listens."""
        line = json.dumps({"operation": operation, "address": address, "process": process})
        with contextlib.suppress(OSError):
            descriptor = os.open(self.record, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, line.encode() + b"\n")
            finally:
                os.close(descriptor)


def is_loopback(host: Any) -> bool:
    """Whether a host, a name or a numeric address, is 127.0.0.0/8, ::1 or localhost; no name is looked up."""
    try:
        text = bytes(host).decode("ascii") if isinstance(host, (bytes, bytearray)) else str(host)
        if text.lower() == "localhost":
            return True
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def install_from_environment() -> None:
    """Put in force the guard that the environment describes."""
    Shim(os.environ["KITTY_NETWORK_GUARD"]).install()


def _forbid(operation: str, address: str) -> None:
    for innermost in _active[-1:]:
        innermost.write_down(operation, address, os.getpid())
    raise NetworkForbidden(f"{operation} to {address}: nothing but the loopback may be reached (NFR-002)")


def _check(operation: str, family: int | None, address: Any) -> None:
    if family == getattr(socket, "AF_UNIX", -1):
        return
    if not isinstance(address, tuple) or not address:
        _forbid(operation, repr(address))
    elif family not in (None, socket.AF_INET, socket.AF_INET6) or not is_loopback(address[0]):
        host, port = (_spelled(part) for part in (*address, "")[:2])
        _forbid(operation, _spelled_address(host, port))


def _spelled(part: Any) -> str:
    return bytes(part).decode("ascii", "replace") if isinstance(part, (bytes, bytearray)) else str(part)


def _spelled_address(host: str, port: str) -> str:
    return (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active:
        return
    if event in _ADDRESSES:
        if arguments[1] is not None:
            _check(event.partition(".")[2], arguments[0].family, arguments[1])
    elif event in _LOOKUPS:
        address = arguments[0] if isinstance(arguments[0], tuple) else (arguments[0], *arguments[1:2])
        # No host or the wildcard: what one listens on, not where one goes.
        if address[0] not in (None, "", b"", "0.0.0.0", "::"):
            _check(event.partition(".")[2], None, address)


# The methods are wrapped as well: the interpreter looks a name up before it tells an audit hook of the call.

_wrapped: list[tuple[type, str, Any]] = []


def _wrap_methods() -> None:
    owner: Any = socket.socket
    for name, place in _METHODS.items():
        if hasattr(owner, name):
            _wrapped.append((owner, name, vars(owner).get(name)))
            setattr(owner, name, _checked(name, place, getattr(owner, name)))


def _unwrap_methods() -> None:
    while _wrapped:
        owner, name, own = _wrapped.pop()
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


def _checked(name: str, place: int, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: socket.socket, *arguments: Any) -> Any:
        # With too few arguments there is no address, or the method itself says what is missing.
        given = arguments[place:][:1]
        if _active and given and given[0] is not None and len(arguments) > (name == "sendto"):
            _check(name.partition("_")[0], self.family, given[0])
        return method(self, *arguments)

    call.__name__ = name
    return call


def _be_ssh(record: str, *words: str) -> str:
    """Be what git calls for SSH, with ``[-p port] [user@]host command`` at the end; return what to say."""
    options, host = words[:-2], words[-2].rpartition("@")[2]
    address = _spelled_address(host, options[options.index("-p") + 1] if "-p" in options else "22")
    if not is_loopback(host):
        Shim(record).write_down("ssh", address, os.getppid())
    return f"ssh to {address}: there is no SSH here, and nothing but the loopback may be reached (NFR-002)"


if __name__ == "__main__":
    sys.exit(_be_ssh(*sys.argv[1:]))
