"""Writes the folder of a reproduction, and keeps it when its script has seen the failure again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kitty_conformance.reporting.document import Document
from kitty_conformance.reporting.view import View
from kitty_reliability.formats.visible import visible
from kitty_reliability.implementations.base import Implementation
from kitty_reliability.implementations.program import Program
from kitty_reliability.implementations.registry import connect
from kitty_reliability.implementations.spec_kitty import SpecKitty

from . import script
from .trace import Trace, Tracer

__all__ = ["reproduce"]

_SECONDS = 600


def reproduce(document: Document, directory: Path, arguments: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Run what failed again, and write a folder into ``directory`` for each failure that a script repeats.

    Arguments:
        document: the report of the run.
        arguments: more arguments for pytest.

    Returns:
        For each failure ``folder``, its name in ``directory``, or ``reason`` why there is none.
    """
    failed = {one["scenario"]: one for one in document.results if one["verdict"] in ("fail", "known deviation")}
    tracer = Tracer(failed)
    _run_again(document, tracer, arguments)
    program = _program(document.header["implementation"]["spec"])
    found = {}
    for number, (name, result) in enumerate(sorted(failed.items()), start=1):
        reason = _reason(tracer, name, result)
        folder = f"{number:03}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')[:80]}"
        if reason is None:
            # As it was seen when it was run again, without the path of the place that it was run in.
            trace = tracer.traces[name]
            result = {**result, "detail": tracer.results[name].detail.replace(str(trace.base), "@BASE@")}
            reason = _written(document, result, trace, program, directory / folder)
        found[name] = {"folder": folder} if reason is None else {"reason": reason}
    return found


def _run_again(document: Document, tracer: Tracer, arguments: Sequence[str]) -> None:
    from kitty_conformance.command import run

    header = document.header
    # Its table was printed once.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run(
            header["implementation"]["spec"],
            profile=header["profile"],
            clauses=header["selected"],
            seed=header["seed"],
            arguments=["-q", "-q", "--tb=no", *arguments],
            plugins=[tracer],
        )


def _reason(tracer: Tracer, name: str, result: Mapping[str, Any]) -> str | None:
    """Return why no script can repeat a failure, None when one may."""
    again = tracer.results.get(name)
    if again is None or again.finding != result["finding"]:
        return f"it failed once; run again, it came to {'nothing' if again is None else again.finding or again.verdict}"
    trace = tracer.traces.get(name)
    if trace is None or not trace.steps:
        return "nothing was asked"
    return trace.obstacle


def _program(spec: str) -> list[str]:
    """Return what starts a session on the implementation, with @PYTHON@ for this interpreter."""
    with connect(spec) as implementation:
        return _argv(implementation)


def _argv(implementation: Implementation) -> list[str]:
    if isinstance(implementation, Program):
        return ["@PYTHON@" if word == sys.executable else word for word in implementation.argv]
    if isinstance(implementation, SpecKitty):
        return []
    return ["@PYTHON@", "-m", "kitty_reliability.implementations.serve", implementation.spec]


def _written(
    document: Document, result: Mapping[str, Any], trace: Trace, program: list[str], folder: Path
) -> str | None:
    """Write ``folder`` and return None, or why its script does not repeat the failure."""
    with tempfile.TemporaryDirectory() as temporary:
        draft = Path(temporary) / "draft"
        draft.mkdir()
        _write(document, result, trace, program, draft)
        if (status := _play(draft, {"KITTY_RECORD": "1"})) != 1:
            return f"the script ended with status {status}"
        seen = json.loads((draft / "seen.json").read_text(encoding="utf-8"))
        for number, (then, now) in enumerate(zip(trace.seen, seen, strict=True), start=1):
            if not _same(then, now):
                return f"played by the script, step {number} of {len(seen)} came to something else"
        if _play(draft, {}) != 1:
            return "played twice by the script, it came to two different things"
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(draft, folder)
    return None


def _play(draft: Path, added: Mapping[str, str]) -> int:
    try:
        done = subprocess.run(
            [sys.executable, str(draft / "reproduce.py")],
            env={**os.environ, **added},
            cwd=Path.cwd(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1
    return done.returncode


def _same(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Say whether the script saw what the suite saw; the runner adds to an answer what its keys default to."""
    if then["changed"] != now["changed"] or then["observed"].keys() != now["observed"].keys():
        return False
    return all(_part_of(now["observed"][key], then["observed"][key]) for key in now["observed"])


def _part_of(part: Any, whole: Any) -> bool:
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _part_of(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


def _write(document: Document, result: Mapping[str, Any], trace: Trace, program: list[str], draft: Path) -> None:
    view = View(document)
    promise = " ".join(view.promise(clause) for clause in result["clauses"])
    recipe = {
        "finding": result["finding"],
        "detail": result["detail"],
        "promise": f"Expected: {promise}",
        "program": program,
        "once": document.header["implementation"]["spec"].startswith("once:"),
        "git_config": trace.git_config,
        "before": trace.before,
        "steps": trace.steps,
    }
    (draft / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(str(script.__file__), draft / "reproduce.py")
    (draft / "observed.txt").write_text(visible(result["detail"]) + "\n", encoding="utf-8")
    (draft / "expected.txt").write_text(promise + "\n", encoding="utf-8")
    clauses = " and ".join(result["clauses"])
    text = (
        f"{view.subject} breaks {clauses}: {promise} "
        f"In scenario {result['scenario']} it was seen that: {view.meaning(result['finding'])} "
        "`python3 reproduce.py` puts the state before on disk, asks the same and compares what comes of it.\n"
    )
    (draft / "README.md").write_text(text, encoding="utf-8")
