"""What scenarios about prompts have in common: asking for them, reading what they say of themselves, tampering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from time import monotonic
from typing import Any

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.formats.frontmatter import FrontmatterError, parse_yaml, split
from kitty_reliability.formats.prompts import PROMPT_FIELDS, PromptFormatError, encode_prompt_values, read_prompt
from kitty_reliability.implementations.protocol import Capability, Dispatch, Outcome, Prompt
from pytest_kitty.scenarios import Finding, inconclusive

from .starts import give_inputs, startable
from .world import World, Worlds, another_process

__all__ = [
    "LANES",
    "Made",
    "Target",
    "ask",
    "dispatch",
    "dispatch_request",
    "made",
    "neighbour",
    "race",
    "rewritten",
    "target",
    "world_for",
]

#: The lane that a work package is in when a prompt of some kind is written for it; planned for any other kind.
LANES: Mapping[str, str] = {"review": "for_review"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a prompt is asked for: a work package of a mission, in a repository spelled in some way."""

    world: World
    mission: Mission
    work_package: str
    kind: str = "review"
    root: str | None = None
    lane_worktree: str | None = None

    @property
    def temporary(self) -> Path:
        """The directory for temporary files that every prompt of the scenario goes under."""
        return self.world.worlds.base / "tmp"

    def request(self, **keys: Any) -> Prompt:
        """Return the request for one prompt."""
        values: dict[str, Any] = {
            "root": self.root or str(self.mission.root),
            "mission": self.mission.slug,
            "work_package": self.work_package,
            "kind": self.kind,
            "actor": self.world.reviewer,
            "lane_worktree": self.lane_worktree,
            "temporary": str(self.temporary),
            **keys,
        }
        return Prompt(**values)


@dataclass(frozen=True, slots=True)
class Made:
    """A prompt that was written: for what, where, what was answered, and the bytes as they were at once."""

    target: Target
    path: Path
    metadata: Mapping[str, str]
    data: bytes


def world_for(
    worlds: Worlds, kind: str = "review", work_packages: Sequence[str] = ("WP01", "WP02"), **options: Any
) -> World:
    """Build a world whose work packages are where a prompt of ``kind`` is written for them."""
    worlds.needs(Capability.PROMPT)
    (worlds.base / "tmp").mkdir(mode=0o700, exist_ok=True)
    return startable(worlds, dict.fromkeys(work_packages, LANES.get(kind, "planned")), **options)


def neighbour(world: World, kind: str = "review", **options: Any) -> Mission:
    """Build another mission in the repository of ``world``, with the same work packages."""
    names = sorted(world.mission.work_packages)
    lanes = {f"lane-{chr(ord('a') + number)}": [name] for number, name in enumerate(names)}
    packages = dict.fromkeys(names, LANES.get(kind, "planned"))
    options = {"seed": str(world.rng.random()), "bootstrap": "planned", "lane_manifest": lanes, **options}
    built = mission(world.mission.root, packages, **options)
    give_inputs(built.directory)
    return built


def target(world: World, work_package: str = "WP01", **keys: Any) -> Target:
    """Return a work package of the world's own mission as what prompts are asked for."""
    return Target(world, world.mission, work_package, **keys)


def ask(asked: Target, **keys: Any) -> Made:
    """Ask for a prompt, which has to be written; judge that it is there and says what it was asked for."""
    __tracebackhide__ = True
    return made(asked, asked.world.ask(asked.request(**keys)))


def made(asked: Target, outcome: Outcome) -> Made:
    """Judge that a prompt was written, that it is whole, and that it is about what was asked for."""
    __tracebackhide__ = True
    world = asked.world
    answer = world.accepted(outcome, f"a prompt of kind {asked.kind} for {asked.work_package}")
    path = Path(answer["path"])
    try:
        found = Made(asked, path, dict(answer["metadata"]), path.read_bytes())
        said = read_prompt(path).metadata.as_dict()
    except (OSError, PromptFormatError) as error:
        world.fail(Finding.IDENTITY_DIFFERS, f"the prompt {path} was told as written: {error}")
    expected = {
        **{name: found.metadata.get(name, "<not answered>") for name in PROMPT_FIELDS},
        "repo_root": str(asked.mission.root.resolve()),
        "mission_id": str(asked.mission.meta.get("mission_id") or ""),
        "mission_slug": asked.mission.slug,
        "work_package_id": asked.work_package,
    }
    if asked.lane_worktree is not None:
        expected["lane_worktree"] = str(Path(asked.lane_worktree).resolve())
    blank = [name for name in PROMPT_FIELDS if not said[name] and name != "mission_id"]
    world.check(not blank, Finding.IDENTITY_DIFFERS, f"{path} says nothing of {', '.join(blank)}")
    wrong = {name: (said[name], value) for name, value in expected.items() if said[name] != value}
    if "mission_id" in wrong and not expected["mission_id"]:
        del wrong["mission_id"]  # released versions put the slug there
    world.check(not wrong, Finding.IDENTITY_DIFFERS, f"{path} says, and should say: {wrong}")
    same = said["prompt_path"] == str(path) or Path(said["prompt_path"]).resolve() == path.resolve()
    world.check(same, Finding.IDENTITY_DIFFERS, f"the prompt {path} says that it is {said['prompt_path']}")
    return found


def race(targets: Sequence[Target], turns: int, environment: Mapping[str, str]) -> list[tuple[Made, float, float]]:
    """Let each target be asked for ``turns`` times by a process of its own with ``environment``, all at once.

    Who lets one reviewer at a time into a worktree declines the others; each target has to come to a prompt.

    Returns:
        what each made, with the moments before it was asked for and after it was answered, on one clock.
    """
    __tracebackhide__ = True
    for world in {id(one.world): one.world for one in targets}.values():
        world.commit()
    with ExitStack() as stack:
        sessions = [stack.enter_context(another_process(one.world, environment)) for one in targets]
        pool = stack.enter_context(ThreadPoolExecutor(len(targets)))
        # Everybody is awake before the start.
        list(pool.map(lambda session: session.greeting, sessions))
        barrier = Barrier(len(targets))

        def one(number: int) -> list[tuple[Target, Outcome, bytes | None, float, float]]:
            answers = []
            barrier.wait(2 * sessions[number].deadline)
            for _ in range(turns):
                before = monotonic()
                outcome = sessions[number].ask(targets[number].request())
                answers.append((targets[number], outcome, _bytes(outcome), before, monotonic()))
            return answers

        answers = [answer for several in pool.map(one, range(len(targets))) for answer in several]
    found = []
    served = [asked for asked, outcome, *_ in answers if outcome.ok]
    for asked, outcome, data, before, after in answers:
        if asked.world.answered(outcome).declined and asked in served:
            continue
        answer = asked.world.accepted(outcome, f"a prompt for {asked.work_package}, among several at once")
        path = Path(answer["path"])
        # The bytes of that moment: a prompt may be outlived by newer ones until all have ended.
        found.append((Made(asked, path, dict(answer["metadata"]), data or b""), before, after))
    return found


def _bytes(outcome: Outcome) -> bytes | None:
    try:
        return Path(outcome.value["path"]).read_bytes()
    except (OSError, KeyError, TypeError):
        return None


def dispatch_request(prompt: Made, asked: Target | None = None, **keys: Any) -> Dispatch:
    """Return the question whether ``prompt`` may be dispatched for what it was made for, or for ``asked``."""
    meant = asked or prompt.target
    values: dict[str, Any] = {
        "root": meant.root or str(meant.mission.root),
        "mission": meant.mission.slug,
        "work_package": meant.work_package,
        "prompt_path": str(prompt.path),
        "lane_worktree": meant.lane_worktree,
        **keys,
    }
    return Dispatch(**values)


def dispatch(prompt: Made, asked: Target | None = None, **keys: Any) -> Outcome:
    """Ask whether ``prompt`` may be dispatched for what it was made for, or for ``asked``."""
    world = (asked or prompt.target).world
    world.worlds.needs(Capability.DISPATCH)
    return world.answered(world.ask(dispatch_request(prompt, asked, **keys)))


def rewritten(prompt: Made, changes: Mapping[str, object], drop: Sequence[str] = ()) -> None:
    """Write ``prompt`` anew with ``changes`` to its frontmatter and without the keys in ``drop``; the rest as it was."""
    parts = split(prompt.data.decode("utf-8"))
    try:
        values = parse_yaml(parts[0]) if parts else {}
    except FrontmatterError as error:
        inconclusive(f"the prompt's frontmatter cannot be edited: {error}")
    kept = {key: value for key, value in {**values, **changes}.items() if key not in drop}
    prompt.path.write_bytes(encode_prompt_values(kept, parts[1] if parts else ""))
