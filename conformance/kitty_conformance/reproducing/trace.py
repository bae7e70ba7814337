"""What a scenario put on disk and asked, step by step, such that it can be played again without the suite."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from kitty_conformance.catalogue import scenario_name
from kitty_reliability.implementations.base import Implementation
from kitty_reliability.implementations.protocol import Outcome, Request
from kitty_reliability.implementations.spec_kitty import SpecKitty
from pytest_kitty.plugin import clause_report
from pytest_kitty.report import ScenarioResult

from . import script

__all__ = ["Trace", "Tracer", "tracer_key"]

#: Stand for the directory of the scenario, and for the home of a command.
_BASE, _PRIVATE = "@BASE@", "@PRIVATE@"
_MOST_BYTES: Final = 16_000_000

Entry = dict[str, Any]


class Trace:
    """Notes the steps of one scenario, whose files are under ``base``.

    ``obstacle`` says why they cannot be played again; it is None when they can. ``commands_only`` leaves out what is
    answered without a command, by an implementation that is reached by its commands.
    """

    def __init__(self, base: Path, *, commands_only: bool = False) -> None:
        self.base = base
        self.commands_only = commands_only
        self.before: dict[str, Entry] = {}
        self.steps: list[dict[str, Any]] = []
        self.obstacle: str | None = None
        self.seen: list[dict[str, Any]] = []
        self.git_config = ""
        self._then: dict[str, Entry] | None = None
        self._change: dict[str, Entry | None] = {}
        self._files: dict[str, str] = {}

    def stop(self, obstacle: str) -> None:
        """Note that what follows cannot be played again."""
        self.obstacle = self.obstacle or obstacle

    def asking(self) -> None:
        """Note what the scenario itself changed since the last step."""
        if self.obstacle is not None:
            return
        now = self._look()
        if self._then is None:
            self.before = now
        else:
            self._change = _difference(self._then, now)
        self._files = script.look(self.base)

    def asked(self, request: Request, outcome: Outcome, deadline: float) -> None:
        """Note a request of the protocol, or the command that it came to where that is seen."""
        evidence = outcome.evidence
        if "argv" in evidence:
            output = [evidence[name] for name in ("exit_status", "stdout", "stderr")]
            self.ran(evidence["argv"], evidence["environment"], evidence["cwd"], deadline, *output)
        elif not self.commands_only:
            observed = {str(outcome.kind): {} if outcome.broken else dict(outcome.value)}
            self._step({"ask": request.model_dump(mode="json"), "deadline": deadline}, observed, None)

    def ran(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        cwd: str,
        deadline: float,
        status: int | None,
        stdout: str,
        stderr: str,
    ) -> None:
        """Note a command and what it did; ``status`` is None when it did not end."""
        observed: dict[str, Any] = {"status": status, "stdout": stdout, "stderr": stderr}
        home = environment.get("HOME")
        if git_config := environment.get("GIT_CONFIG_GLOBAL"):
            self.git_config = Path(git_config).read_text(encoding="utf-8") if Path(git_config).is_file() else ""
        step = {"run": list(argv), "environment": dict(environment), "cwd": cwd, "deadline": deadline}
        self._step(step, {"hung": {}} if status is None else observed, None if home is None else Path(home).parent)

    def _step(self, step: Mapping[str, Any], observed: Mapping[str, Any], private: Path | None) -> None:
        if self.obstacle is not None:
            return
        named = self._named(step)
        self.steps.append({"change": self._change, **(named if private is None else _replaced(named, str(private), _PRIVATE))})  # fmt: skip
        now = script.look(self.base)
        seen = {"observed": observed, "changed": script.changes(self._files, now)}
        self.seen.append(script.alike(seen, self.base, private or _PRIVATE))
        self._then = self._look()

    def _named(self, value: Any) -> Any:
        return _replaced(_replaced(value, str(self.base), _BASE), os.path.realpath(self.base), _BASE)

    def _look(self) -> dict[str, Entry]:
        """Return everything under the directory of the scenario."""
        found: dict[str, Entry] = {}
        size = 0
        for directory, names, files in os.walk(self.base):
            for name in sorted([*names, *files]):
                path = Path(directory) / name
                entry = self._entry(path)
                size += len(entry.get("base64") or entry.get("text") or "")
                if size > _MOST_BYTES:
                    self.stop("its files are larger than a reproduction should be")
                    return found
                found[path.relative_to(self.base).as_posix()] = entry
        return found

    def _entry(self, path: Path) -> Entry:
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            return {"link": self._named(str(path.readlink()))}
        if stat.S_ISDIR(status.st_mode):
            return {"directory": True, "mode": mode}
        if not stat.S_ISREG(status.st_mode):
            self.stop(f"{path.name} is neither a file nor a directory nor a link")
            return {"directory": True, "mode": mode}
        data = path.read_bytes()
        try:
            return {"text": self._named(data.decode("utf-8")), "mode": mode}
        except UnicodeDecodeError:
            return {"base64": b64encode(data).decode("ascii"), "mode": mode}


def _difference(then: Mapping[str, Entry], now: Mapping[str, Entry]) -> dict[str, Entry | None]:
    changed: dict[str, Entry | None] = {name: None for name in then if name not in now}
    return {**changed, **{name: entry for name, entry in now.items() if then.get(name) != entry}}


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {_replaced(key, old, new): _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(item, old, new) for item in value]
    return value


class Tracer:
    """A pytest plugin that runs the scenarios with ``names`` and keeps the trace of each."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = set(names)
        self.traces: dict[str, Trace] = {}
        self.results: dict[str, ScenarioResult] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        """Let the suite find this."""
        config.stash[tracer_key] = self

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the scenarios that are asked for."""
        items[:] = [item for item in items if scenario_name(item.nodeid) in self.names]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Take the verdicts along."""
        found = clause_report(session.config).results
        self.results = {scenario_name(node_id): result for node_id, result in found.items()}

    def begin(self, node_id: str, base: Path, implementation: Implementation) -> Trace:
        """Return the trace of a scenario that begins, whose files are under ``base``."""
        trace = Trace(base, commands_only=isinstance(implementation, SpecKitty))
        self.traces[scenario_name(node_id)] = trace
        return trace


tracer_key = pytest.StashKey[Tracer]()
