"""Git's formats as bytes: objects, trees, commits, packs, indexes (models: C3, C4).

Same content, identity and date give the same ids as git's own. What was made once in this process is kept in memory,
keyed by what was asked: an object by its content, a tree by its files, a pack by its objects.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha1
from typing import Final, NamedTuple

__all__ = ["IDENTITY", "Entry", "Files", "Packed", "commit", "folders_of", "index_of", "pack", "packed", "trees_of"]

#: Who commits; the configuration of a built repository says the same.
IDENTITY: Final = ("Kitty Builder", "kitty@example.invalid")

_KINDS: Final = {"commit": 1, "tree": 2, "blob": 3}
#: A row of an index, without the name.
_ROW: Final = struct.Struct(">10I20sH")
_WINDOWS: Final = os.name == "nt"
_encoded: Final = lru_cache(maxsize=8192)(os.fsencode)


class Packed(NamedTuple):
    """An object as it stands in a pack."""

    id: str
    entry: bytes
    crc: int


class Entry(NamedTuple):
    """A file in a tree: its mode, and the id of its blob."""

    mode: int
    id: str


Files = dict[str, Entry]


@lru_cache(maxsize=8192)
def packed(kind: str, data: bytes) -> Packed:
    """Return the object of ``kind`` (``commit``, ``tree`` or ``blob``) with content ``data``."""
    name = sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
    size = len(data) >> 4
    head = bytearray([_KINDS[kind] << 4 | len(data) & 15])
    while size:
        head[-1] |= 0x80
        head.append(size & 0x7F)
        size >>= 7
    entry = bytes(head) + zlib.compress(data, 1)
    return Packed(name, entry, zlib.crc32(entry))


@lru_cache(maxsize=1024)
def trees_of(files: tuple[tuple[str, Entry], ...]) -> tuple[Packed, ...]:
    """Return the trees that hold ``files``; the root is the last."""
    made: list[Packed] = []
    folders: dict[str, list[tuple[str, Entry]]] = {}
    rows: list[tuple[bytes, bytes]] = []
    for path, entry in files:
        folder, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(folder, []).append((rest, entry))
        else:
            name = _encoded(path)
            rows.append((name, b"%o %s\0" % (entry.mode, name) + bytes.fromhex(entry.id)))
    for folder, inside in folders.items():
        made += trees_of(tuple(inside))
        name = _encoded(folder)
        # Git sorts a directory as if its name ended with a slash.
        rows.append((name + b"/", b"40000 %s\0" % name + bytes.fromhex(made[-1].id)))
    return (*made, packed("tree", b"".join(row for _, row in sorted(rows))))


@lru_cache(maxsize=1024)
def folders_of(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the directories that files at ``paths`` are in, each after the one that it is in."""
    found = {path[:end] for path in paths for end, letter in enumerate(path) if letter == "/"}
    return tuple(sorted(found))


def commit(tree: str, parents: Iterable[str], message: str, seconds: int) -> Packed:
    """Return the commit of ``tree`` by the builder's identity, ``seconds`` after the epoch."""
    who = f"{IDENTITY[0]} <{IDENTITY[1]}> {seconds} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
    return packed("commit", ("\n".join(lines) + f"\n\n{message}\n").encode())


@lru_cache(maxsize=256)
def pack(objects: tuple[Packed, ...]) -> tuple[str, bytes, bytes]:
    """Return the name of a pack of ``objects``, the pack, and its index (format version 2)."""
    offsets, offset = {}, 12
    for item in objects:
        offsets[item.id] = offset
        offset += len(item.entry)
    body = b"PACK" + struct.pack(">II", 2, len(objects)) + b"".join(item.entry for item in objects)
    trailer = sha1(body, usedforsecurity=False).digest()
    ordered = sorted(objects)
    first = [0] * 256
    for item in ordered:
        first[int(item.id[:2], 16)] += 1
    for number in range(1, 256):
        first[number] += first[number - 1]
    index = b"".join(
        [
            b"\xfftOc\0\0\0\2",
            struct.pack(">256I", *first),
            *(bytes.fromhex(item.id) for item in ordered),
            struct.pack(f">{len(ordered)}I", *(item.crc for item in ordered)),
            struct.pack(f">{len(ordered)}I", *(offsets[item.id] for item in ordered)),
            trailer,
        ]
    )
    return f"pack-{trailer.hex()}", body + trailer, index + sha1(index, usedforsecurity=False).digest()


def index_of(files: Files, stats: Mapping[str, os.stat_result]) -> bytes:
    """Return an index (format version 2) with the true stat data, so that nothing looks changed."""
    rows = []
    for path in sorted(files, key=_encoded):
        name, entry, stat = _encoded(path), files[path], stats[path]
        # Git on Windows records no device, inode, owner or group.
        where = (0, 0) if _WINDOWS else (stat.st_dev & 0xFFFFFFFF, stat.st_ino & 0xFFFFFFFF)
        who = (0, 0) if _WINDOWS else (stat.st_uid, stat.st_gid)
        made, changed = divmod(stat.st_ctime_ns, 10**9), divmod(stat.st_mtime_ns, 10**9)
        row = _ROW.pack(
            *(made[0] & 0xFFFFFFFF, made[1], changed[0] & 0xFFFFFFFF, changed[1]),
            *where, entry.mode, *who, stat.st_size & 0xFFFFFFFF, bytes.fromhex(entry.id), min(len(name), 0xFFF),
        )  # fmt: skip
        row += name
        rows.append(row + b"\0" * (8 - len(row) % 8))
    data = b"DIRC" + struct.pack(">II", 2, len(rows)) + b"".join(rows)
    return data + sha1(data, usedforsecurity=False).digest()
