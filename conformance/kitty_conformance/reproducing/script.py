#!/usr/bin/env python3
"""Play what made a scenario of kitty-conform fail, with nothing but Python's own library.

    python3 reproduce.py                      the implementation that failed
    python3 reproduce.py PROGRAM ARGUMENT...  another one, that speaks the protocol on stdin and stdout

Exit status: 1 what was seen then is seen again, 0 it is not, 2 it cannot be played, such as without the program.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
#: What no two runs have alike: ids, times, digests, names of temporary files.
DIFFERENT = re.compile(
    r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b"
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|\b[0-9a-f]{7,64}\b"
    r"|\bkitty-(?:again|released)-\w+"
    r"|\bprocess(?: id)? \d+|\bpid[=: ]*\d+|\b\d+(?:\.\d+)? ?(?:ms|s|seconds)\b"
)


class Session:
    """One process of a program that speaks the protocol; it is started anew after it broke off."""

    def __init__(self, argv: list[str], once: bool) -> None:
        self.argv, self.once = argv, once
        self.process: subprocess.Popen[bytes] | None = None
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        self.number = 0

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the one outcome of a request; for one without an answer, what the runner calls that."""
        stdin = (self.process or self.start()).stdin
        assert stdin is not None
        self.number += 1
        try:
            stdin.write((json.dumps({"id": self.number, **message}) + "\n").encode())
            stdin.flush()
        except OSError:
            pass  # it has ended, and that is told next
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return self.broken("hung")
        if line is None:
            return self.broken("crashed")
        try:
            reply: dict[str, Any] = json.loads(line)
            number = reply.pop("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.broken("garbled")
        if number != self.number:
            return self.broken("garbled")
        if self.once:
            self.close()
        return reply

    def start(self) -> subprocess.Popen[bytes]:
        """Start the program."""
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.lines = queue.Queue()
        threading.Thread(target=read, args=(self.process.stdout, self.lines), daemon=True).start()
        return self.process

    def broken(self, what: str) -> dict[str, Any]:
        """End the program, which did not answer."""
        self.close()
        return {what: {}}

    def close(self) -> None:
        """End the program."""
        if self.process is not None and self.process.stdin is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process = None


def read(stream: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    """Hand on what the program prints."""
    for line in stream:
        lines.put(line)
    lines.put(None)


def put(base: Path, entries: dict[str, Any]) -> None:
    """Write files as they were; None removes one."""
    for name, entry in sorted(entries.items(), key=lambda pair: (pair[1] is None, pair[0])):
        path = base / name
        if entry is None or (os.path.lexists(path) and not path.is_dir()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif os.path.lexists(path):
                path.unlink()
        if entry is None:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if "link" in entry:
            path.symlink_to(entry["link"].replace("@BASE@", str(base)))
        elif "directory" in entry:
            path.mkdir(exist_ok=True)
        elif "text" in entry:
            path.write_bytes(entry["text"].replace("@BASE@", str(base)).encode())
        else:
            path.write_bytes(base64.b64decode(entry["base64"]))
    # Last, and inner ones first: nothing can be put into a directory that may not be written.
    for name, entry in sorted(entries.items(), reverse=True):
        if entry is not None and "mode" in entry:
            (base / name).chmod(entry["mode"])


def filled(value: Any, base: Path, private: Path) -> Any:
    """Return ``value`` with the directories of this run."""
    if isinstance(value, str):
        return value.replace("@BASE@", str(base)).replace("@PRIVATE@", str(private))
    if isinstance(value, dict):
        return {filled(key, base, private): filled(item, base, private) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, base, private) for item in value]
    return value


def run(step: dict[str, Any], private: Path, git_config: str) -> dict[str, Any]:
    """Run a command of the implementation's own, in a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not re.match(r"(GIT|SPEC_KITTY|XDG|PYTHON)", name)}
    for name, value in step["environment"].items():
        if value.startswith(str(private)):
            path = Path(value)
            if name == "GIT_CONFIG_GLOBAL":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(git_config, encoding="utf-8")
            else:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            step["run"], env={**kept, **step["environment"]}, cwd=step["cwd"], stdin=subprocess.DEVNULL,
            capture_output=True, timeout=step["deadline"], check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"hung": {}}
    words = {"stdout": done.stdout, "stderr": done.stderr}
    return {"status": done.returncode, **{name: data.decode("utf-8", "replace") for name, data in words.items()}}


def look(base: Path) -> dict[str, str]:
    """Return what is on disk, but for git's own files."""
    found: dict[str, str] = {}
    for directory, names, files in os.walk(base):
        names[:] = [name for name in names if name != ".git"]
        for name in files:
            path = Path(directory) / name
            shown = "-> " + str(path.readlink()) if path.is_symlink() else path.read_bytes().decode("utf-8", "replace")
            found[path.relative_to(base).as_posix()] = shown
    return found


def changes(then: dict[str, str], now: dict[str, str]) -> dict[str, str | None]:
    """Return the files that are different, as they are now; None: one that is gone."""
    return {name: now.get(name) for name in sorted({*then, *now}) if then.get(name) != now.get(name)}


def alike(value: Any, base: Path, private: Path | str) -> Any:
    """Return ``value`` without what no two runs have alike."""
    if isinstance(value, str):
        for path, name in ((private, "@PRIVATE@"), (base, "@BASE@")):
            value = value.replace(str(path), name)
        return DIFFERENT.sub("~", value)
    if isinstance(value, dict):
        return {alike(key, base, private): alike(item, base, private) for key, item in value.items()}
    return [alike(item, base, private) for item in value] if isinstance(value, (list, tuple)) else value


def play(recipe: dict[str, Any], program: list[str]) -> list[Any]:
    """Play the steps and return what is seen at each, without what no two runs have alike."""
    seen: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="kitty-again-") as directory:
        top = Path(directory).resolve()
        base, private = top / "base", top / "private"
        base.mkdir()
        put(base, recipe["before"])
        session = Session(filled(program, base, private), recipe["once"])
        try:
            for step in recipe["steps"]:
                put(base, step["change"])
                step = filled({name: value for name, value in step.items() if name != "change"}, base, private)
                then = look(base)
                if "ask" in step:
                    observed = session.ask(step["ask"], step["deadline"])
                else:
                    observed = run(step, private, recipe["git_config"])
                changed = changes(then, look(base))
                seen.append(alike({"observed": observed, "changed": changed}, base, private))
        finally:
            session.close()
    return seen


def main(arguments: list[str]) -> int:
    """Play, compare and say so."""
    recipe = json.loads((HERE / "recipe.json").read_text(encoding="utf-8"))
    program = arguments or [sys.executable if word == "@PYTHON@" else word for word in recipe["program"]]
    try:
        seen = play(recipe, program)
    except Exception as error:  # noqa: BLE001 - Python's own status for it, 1, would say that the failure was seen
        print(f"cannot be played: {type(error).__name__}: {error}")
        return 2
    expected = HERE / "seen.json"
    if os.environ.get("KITTY_RECORD"):
        expected.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")
        return 1
    before = json.loads(expected.read_text(encoding="utf-8"))
    for number, (step, now, then) in enumerate(zip(recipe["steps"], seen, before, strict=True), 1):
        asked = step.get("ask") or step.get("run")
        print(f"step {number}: {json.dumps(asked)[:300]}\n{json.dumps(now, indent=1)}")
        if now != then:
            print(f"NOT SEEN AGAIN: step {number} came to something else than then:\n{json.dumps(then, indent=1)}")
            return 0
    print(f"SEEN AGAIN: {recipe['finding']}: {json.dumps(recipe['detail'])}\n{recipe['promise']}")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
