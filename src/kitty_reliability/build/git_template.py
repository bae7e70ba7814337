"""A repository written without git: its objects, references, index and worktree pointers (models: C3, C4, D1).

Real git is the builder that this stands in for, and the oracle that it is tested against. Only what differs from place
to place is made anew: the stat data in an index, the two pointers of a worktree, the address of the remote.

A ``Ledger`` answers only while nobody else touched the repository (``sound``); after that real git takes over.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .files import holds, make_directory, put, put_seen
from .git_looking import NotPlainError, as_known, look, mode_of, require_files
from .git_objects import IDENTITY, Entry, Files, Packed, commit, folders_of, index_of, pack, packed, trees_of

__all__ = [
    "IDENTITY",
    "Change",
    "Entry",
    "Files",
    "Ledger",
    "NotPlainError",
    "Packed",
    "commit",
    "pack",
    "packed",
    "put",
]


class Change(NamedTuple):
    """A commit to be made: what it writes over its parent's files."""

    message: str
    files: Mapping[str, bytes]
    seconds: int


class Ledger:
    """All that is in a repository, known without asking git; the fast way to do what ``Steps`` does.

    Arguments:
        root: the work tree; absolute, without links.
        head: the reference that is checked out.
        config, exclude: the bytes of ``.git/config`` and ``.git/info/exclude``.
        bare: the bare repository that is its remote, what is checked out there, and the bytes of its ``config``.
    """

    def __init__(
        self, root: str, head: str, config: bytes, exclude: bytes, bare: tuple[str, str, bytes] | None
    ) -> None:
        self.root = root
        self.git = f"{root}{os.sep}.git"
        self.head = head
        self.config = config
        self.bare = bare[0] if bare else ""
        self.refs: dict[str, str] = {}
        self.remote_refs: dict[str, str] = {}
        self._remote_written = b""
        self._trees: dict[str, Files] = {}
        self._blobs: dict[str, bytes] = {}
        self._index: tuple[Files, dict[str, os.stat_result]] = ({}, {})
        self._dirty = False
        self._written: dict[str, bytes] = {}
        self._local: dict[str, Packed] = {}
        self._sent: dict[str, Packed] = {}
        self._unsent: dict[str, Packed] = {}
        self._coming: dict[str, Packed] = {}
        self._have: set[str] = set()
        self._parents: dict[str, str] = {}
        #: What is in ``.git``; known once something was written.
        self._names: set[str] = set()
        #: What is checked out in a linked worktree, whose files and index are not known here.
        self._elsewhere: set[str] = set()
        for git in (self.git, self.bare) if bare else (self.git,):
            for inside in ("", "/objects", "/objects/pack", "/refs"):
                make_directory(git + inside)
        make_directory(f"{self.git}/info")
        self._keep("HEAD", f"ref: {head}\n".encode())
        self._keep("config", config)
        self._keep("info/exclude", exclude)
        if bare:
            put(f"{self.bare}/HEAD", f"ref: {bare[1]}\n".encode())
            put(f"{self.bare}/config", bare[2])

    # --- trust

    def sound(self) -> bool:
        """Say whether the repository is still what was written here, so that nothing is done from old knowledge."""
        try:
            if set(os.listdir(self.git)) != self._names or _loose(f"{self.git}/refs"):  # noqa: PTH208
                return False
            if os.listdir(f"{self.git}/info") != ["exclude"]:  # noqa: PTH208 - attributes, sparse checkouts
                return False
        except OSError:
            return False
        if self.bare and (_loose(f"{self.bare}/refs") or not holds(f"{self.bare}/packed-refs", self._remote_written)):
            return False
        return all(holds(f"{self.git}/{name}", data) for name, data in self._written.items())

    # --- what is there

    def tip(self, ref: str) -> str | None:
        """Return the commit of a reference."""
        return self.refs.get(ref)

    def remote_tip(self, ref: str) -> str | None:
        """Return the commit of a reference of the remote."""
        return self.remote_refs.get(ref)

    def contains(self, commit_id: str, older: str) -> bool:
        """Say whether ``older`` is ``commit_id`` or one of its ancestors."""
        walk: str | None = commit_id
        while walk is not None and walk != older:
            walk = self._parents.get(walk)
        return walk is not None

    # --- steps; nothing is in git's files before ``flush``

    def commit(self, message: str, seconds: int, only: Mapping[str, bytes] | None = None) -> str:
        """Commit the work tree as it is, as ``git add --all`` and ``git commit`` would.

        ``only`` is written first; nothing else changed since the last commit of this verb, if there was one.
        """
        if only is not None and self._dirty:
            files, stats = dict(self._index[0]), self._index[1]
        else:
            files, stats = look(self.root, self._blob)
        for path, data in (only or {}).items():
            stats[path] = put_seen(f"{self.root}/{path}", data)
            files[path] = Entry(mode_of(stats[path]), self._blob(data))
        parent = self.refs.get(self.head)
        made = self._commit(files, [parent] if parent else [], message, seconds)
        self._index, self._dirty = (files, stats), True
        self.refs[self.head] = made
        return made

    def grow(self, ref: str, changes: Iterable[Change], start: str | None = None) -> str:
        """Add commits to a branch, in the work tree too when it is the one checked out."""
        if ref in self._elsewhere:
            raise NotPlainError(ref)
        tip = start or self.refs[ref]
        before = self._trees[tip]
        made = list(changes)
        require_files(before, _paths(made))
        files, stats = self._index
        if ref == self.head:
            for path in _paths(made):
                if not as_known(self.root, path, stats.get(path)):
                    raise NotPlainError(path)
        for change in made:
            tip = self._change(tip, change)
        self.refs[ref] = tip
        if ref == self.head:
            # What the index says of all other files stays as it is, as with `git read-tree -m -u`.
            files = dict(files)
            for path, entry in self._trees[tip].items():
                if before.get(path) != entry:
                    files[path] = entry
                    stats[path] = self._check_out(self.root, path, entry)
            self._index, self._dirty = (files, stats), True
        return tip

    def grow_remote(self, ref: str, changes: Iterable[Change]) -> str:
        """Add commits to a branch of the remote."""
        tip = self.remote_refs[ref]
        changes = list(changes)
        require_files(self._trees[tip], _paths(changes))
        kept = self._local, self._unsent, self._have
        # What this side has is no reason not to send it: the remote may lack it.
        self._local, self._unsent, self._have = {}, {}, set()
        for change in changes:
            tip = self._change(tip, change)
        self._sent |= self._local
        self._coming |= self._local
        self._local, self._unsent, self._have = kept
        self.remote_refs[ref] = tip
        return tip

    def point(self, ref: str, commit_id: str) -> None:
        """Set a reference."""
        self.refs[ref] = commit_id

    def configure(self, text: str) -> None:
        """Add sections to the configuration."""
        self.config += text.encode()

    def publish(self, ref: str, upstream: str, tracking: str) -> None:
        """Push a branch."""
        self._sent |= self._unsent
        self._unsent = {}
        self.remote_refs[upstream] = self.refs[tracking] = self.refs[ref]

    def fetch(self, upstream: str, tracking: str) -> None:
        """Fetch a branch that ``grow_remote`` grew."""
        self._local |= self._coming
        self._have |= set(self._coming)
        self._coming = {}
        self.refs[tracking] = self.remote_refs[upstream]

    def worktree(self, name: str, branch: str) -> None:
        """Check a branch out in the linked worktree ``.worktrees/<name>``; its two pointers are absolute."""
        own, path = f"{self.git}/worktrees/{name}", f"{self.root}/.worktrees/{name}"
        self._names.add("worktrees")
        self._elsewhere.add(f"refs/heads/{branch}")
        files = self._trees[self.refs[f"refs/heads/{branch}"]]
        folders = [f"{path}/{inside}" for inside in folders_of(tuple(files))]
        for folder in (f"{self.git}/worktrees", own, f"{self.root}/.worktrees", path, *folders):
            make_directory(folder)
        put(f"{own}/HEAD", f"ref: refs/heads/{branch}\n".encode())
        put(f"{own}/commondir", b"../..\n")
        put(f"{own}/gitdir", os.fsencode(path.replace(os.sep, "/")) + b"/.git\n")
        put(f"{path}/.git", b"gitdir: " + os.fsencode(own.replace(os.sep, "/")) + b"\n")
        stats = {inside: self._check_out(path, inside, entry) for inside, entry in files.items()}
        put(f"{own}/index", index_of(files, stats))

    def flush(self) -> None:
        """Write packs, references and index, once for all steps before."""
        for git, objects in ((self.git, self._local), (self.bare, self._sent)):
            if objects:
                name, data, index = pack(tuple(objects.values()))
                put(f"{git}/objects/pack/{name}.pack", data)
                put(f"{git}/objects/pack/{name}.idx", index)
        self._local, self._sent = {}, {}
        if self.bare and (references := _references(self.remote_refs)) != self._remote_written:
            put(f"{self.bare}/packed-refs", references)
            self._remote_written = references
        self._keep("config", self.config)
        self._keep("packed-refs", _references(self.refs))
        if self._dirty:
            self._keep("index", index_of(*self._index))
            self._dirty = False
        if not self._names:
            self._names = set(os.listdir(self.git))  # noqa: PTH208

    # --- inside

    def _keep(self, name: str, data: bytes) -> None:
        if self._written.get(name) != data:
            put(f"{self.git}/{name}", data)
            self._written[name] = data

    def _check_out(self, root: str, path: str, entry: Entry) -> os.stat_result:
        return put_seen(f"{root}/{path}", self._blobs[entry.id], 0o777 if entry.mode & 0o100 else 0o666)

    def _commit(self, files: Files, parents: list[str], message: str, seconds: int) -> str:
        trees = trees_of(tuple(sorted(files.items())))
        made = commit(trees[-1].id, parents, message, seconds)
        self._add(made, *trees)
        self._trees[made.id] = files
        if parents:
            self._parents[made.id] = parents[0]
        return made.id

    def _change(self, parent: str, change: Change) -> str:
        files = dict(self._trees[parent])
        for path, data in change.files.items():
            mode = files[path].mode if path in files else 0o100644
            files[path] = Entry(mode, self._blob(data))
        return self._commit(files, [parent], change.message, change.seconds)

    def _blob(self, data: bytes) -> str:
        blob = packed("blob", data)
        if blob.id not in self._have:
            self._have.add(blob.id)
            self._blobs[blob.id] = data
            self._add(blob)
        return blob.id

    def _add(self, *objects: Packed) -> None:
        for item in objects:
            self._local[item.id] = self._unsent[item.id] = item


def _paths(changes: Iterable[Change]) -> set[str]:
    return {path for change in changes for path in change.files}


def _references(refs: Mapping[str, str]) -> bytes:
    lines = [f"{refs[name]} {name}\n" for name in sorted(refs)]
    return ("# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines)).encode()


def _loose(folder: str) -> bool:
    """Say whether a reference stands in a file of its own; git writes them so, we never do."""
    paths = [f"{folder}/{name}" for name in os.listdir(folder)]  # noqa: PTH208 - see `files`
    return any(not os.path.isdir(path) or _loose(path) for path in paths)  # noqa: PTH112
