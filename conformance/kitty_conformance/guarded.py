"""A shared lane in a real linked worktree, what is staged there, and the judgement of whoever guards it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from kitty_reliability.build.lanes import RepositoryMission
from kitty_reliability.build.mission import WorkPackage
from kitty_reliability.build.repository import Repository, git_environment
from kitty_reliability.build.worktrees import Checkout, Lane
from kitty_reliability.formats.frontmatter import join, parse_yaml, split
from kitty_reliability.implementations.processes import clean_environment, run_to_end
from kitty_reliability.implementations.protocol import Capability, Guard
from pytest_kitty.scenarios import Finding

from .world import World, Worlds

__all__ = ["Guarded", "told_of"]

_CONFIG: Final = ".kittify/config.yaml"
_BUILT: Final = re.compile(r"(?:/[^/\s\"]+)+/world-\d+")


class Guarded:
    """A lane that WP01 had and WP04 has now, each with files of its own.

    Arguments:
        lanes: where the two are on the board.
        mode: of the policy; None writes none, so that the profile's default holds.
        beside: there is a second lane, whose WP02 is in progress and owns ``beside/**``.
        options: as of a world.
    """

    def __init__(
        self,
        worlds: Worlds,
        lanes: Sequence[str] = ("approved", "in_progress"),
        *,
        mode: str | None = "block",
        beside: bool = False,
        **options: Any,
    ) -> None:
        worlds.needs(Capability.GUARD)
        words = ["".join(worlds.rng.choices("bcdfghjkmnpqrstvwxz", k=8)) for _ in range(2)]
        #: The directory of WP01, and that of WP04.
        self.first, self.second = (f"src/{word}" for word in words)
        owned = {"WP01": self.first, "WP04": self.second}
        packages = {
            wp: WorkPackage(lane, owned_files=[f"{folder}/**"])
            for (wp, folder), lane in zip(owned.items(), lanes, strict=True)
        }
        split = {"lane-a": list(packages)}
        if beside:
            split["lane-b"] = ["WP02"]
            packages["WP02"] = WorkPackage("in_progress", owned_files=["beside/**"])
        self.world: World = worlds(packages, lanes=split, lane_commits=0, **options)
        assert self.world.repository is not None
        self.made: Repository = self.world.repository
        self.built: RepositoryMission = self.world.mission  # type: ignore[assignment] # it is in a repository
        self.lane: Lane = self.built.lane("lane-a")
        if mode is not None:
            config = self.made.root / _CONFIG
            text = config.read_text(encoding="utf-8")
            policy = f"policy: {{commit_guard: {{enabled: true, mode: {mode}}}}}\n"
            config.write_bytes(f"{text}{policy}".encode())
        self.world.commit()

    # --- what is there

    def own(self, work_package: str, *globs: str) -> None:
        """Have the task file in the main checkout say that a work package owns these."""
        self.write_task(self.built.task_file(work_package), owned_files=list(globs))

    def write_task(self, path: Path, **keys: Any) -> None:
        """Change keys of the frontmatter of a task file."""
        parts = split(path.read_text(encoding="utf-8"))
        assert parts is not None
        path.write_bytes(join({**parse_yaml(parts[0]), **keys}, parts[1]).encode())

    def advance(self) -> None:
        """Have the lane move on: WP01 is approved, WP04 is taken in hand."""
        self.built.wp("WP01").submit().review().approve()
        self.built.wp("WP04").claim().start()

    def rename_lane(self, lane_id: str) -> None:
        """Have the lane be called otherwise: its branch, its context and its entry in the manifest."""
        lane, old = self.lane, self.lane.lane_id
        lane.missing_context()
        branch = lane.branch.removesuffix(old) + lane_id
        lane.git("branch", "--quiet", "--move", branch)
        lane.branch, lane.lane_id = branch, lane_id
        lane.context = replace(lane.context, lane_id=lane_id, branch_name=branch)
        lane.fresh_context()
        manifest = self.built.paths.lanes
        manifest.write_bytes(manifest.read_bytes().replace(f'"{old}"'.encode(), f'"{lane_id}"'.encode()))

    def clear(self) -> None:
        """Have the lane's worktree and index be as its last commit."""
        self.lane.git("reset", "--quiet", "--hard")

    # --- asking

    def ask(self, root: Path | None = None) -> Mapping[str, Any]:
        """Ask for a judgement of the lane's worktree, or of another place."""
        __tracebackhide__ = True
        return self.world.accepted(self.world.ask(Guard(root=str(root or self.lane.path))), "the guard judges")

    def commit(self, *arguments: str, checkout: Checkout | None = None) -> tuple[bool, str]:
        """Commit with the implementation's own command as hook; return whether there is a commit, and what was said."""
        __tracebackhide__ = True
        checkout = checkout or self.lane
        command = self.world.command(Guard(root=str(checkout.path)), "text")
        hook = self.made.root / ".git" / "hooks" / "pre-commit"
        hook.parent.mkdir(exist_ok=True)
        exports = [f"export {name}={shlex.quote(value)}" for name, value in command["env"].items()]
        hook.write_bytes("\n".join(["#!/bin/sh", *exports, f"exec {shlex.join(command['argv'])}", ""]).encode())
        hook.chmod(0o755)
        before = checkout.head
        git = {name: value for name, value in git_environment(self.made.clock).items() if name.startswith("GIT_")}
        argv = ["git", "commit", "--quiet", "--message", "Work", *arguments]
        done = run_to_end(argv, clean_environment(git), checkout.path, self.world.implementation.deadline)
        hook.unlink()
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        self.world.asked.append(f"git commit -> exit status {done.status}: {said[-300:]}")
        self.world.check(done.status is not None, Finding.HANG, "git commit did not end")
        self.world.check("Traceback (most recent call last)" not in said, Finding.CRASH, said[-300:])
        committed = checkout.head != before
        self.world.check(
            committed == (done.status == 0),
            Finding.WRONG_EXIT_STATUS,
            f"exit status {done.status}; commit: {committed}",
        )
        return committed, said

    # --- judging

    def allowed(self, what: str, root: Path | None = None) -> Mapping[str, Any]:
        """Judge that what is staged passes."""
        __tracebackhide__ = True
        answer = self.ask(root)
        said = answer["outcome"], *answer["findings"]
        self.world.check(said == ("allowed",), Finding.SAFE_BLOCKED, f"{what}: {_text(said)}")
        return answer

    def violates(self, what: str, files: Collection[str], root: Path | None = None) -> Mapping[str, Any]:
        """Judge that these files, all of them and no others, are outside what is owned."""
        __tracebackhide__ = True
        answer = self.ask(root)
        check = self.world.check
        check(answer["outcome"] != "allowed", Finding.UNSAFE_PASSED, f"{what}: it is allowed")
        check(answer["outcome"] == "scope_violation", Finding.WRONG_DIAGNOSTIC, f"{what}: {_text(answer)}")
        named = {item.get("file") for item in answer["findings"]}
        safe, silent = sorted(map(str, named - set(files))), sorted(set(files) - named)
        check(
            not safe, Finding.SAFE_BLOCKED, f"{what}: reported as outside: {safe[:5]}; outside are: {sorted(files)[:5]}"
        )
        check(not silent, Finding.WRONG_DIAGNOSTIC, f"{what}: not named as `file` of a finding: {silent[:5]}")
        return answer

    def unproven(self, what: str) -> Mapping[str, Any]:
        """Judge that no work package is found active, that this blocks, and that no set of files is applied."""
        __tracebackhide__ = True
        answer = self.ask()
        check = self.world.check
        check(answer["outcome"] != "allowed", Finding.UNSAFE_PASSED, f"{what}: it is allowed")
        check(answer["outcome"] == "stale_or_ambiguous_context", Finding.WRONG_DIAGNOSTIC, f"{what}: {_text(answer)}")
        codes = [item.get("diagnostic_code") for item in answer["findings"]]
        check(codes and all(codes), Finding.WRONG_DIAGNOSTIC, f"{what}: findings without a code: {_text(answer)}")
        applied = answer["owned_files"] or [item["file"] for item in answer["findings"] if "file" in item]
        check(not applied, Finding.WRONG_DIAGNOSTIC, f"{what}: a set of files is applied: {_text(answer)}")
        return answer

    def commits(self, what: str, *arguments: str, checkout: Checkout | None = None) -> str:
        """Judge that a real commit passes the hook, and return what was said."""
        __tracebackhide__ = True
        committed, said = self.commit(*arguments, checkout=checkout)
        self.world.check(committed, Finding.SAFE_BLOCKED, f"{what}: git commit: {said[-300:]}")
        return said

    def is_stopped(self, what: str, *arguments: str) -> str:
        """Judge that the hook stops a real commit, and return what was said."""
        __tracebackhide__ = True
        committed, said = self.commit(*arguments)
        self.world.check(not committed, Finding.UNSAFE_PASSED, f"{what}: git commit made it")
        return said


def told_of(items: Sequence[Mapping[str, Any]], *words: str) -> bool:
    """Say whether one of the diagnostics has all of the words, in any case."""
    # Where a world is built is named by its scenario, and so by the very words that are looked for.
    told = [_BUILT.sub("", json.dumps(item, ensure_ascii=False, default=str)).lower() for item in items]
    return any(all(word.lower() in text for word in words) for text in told)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:600]
