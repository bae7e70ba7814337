"""STA-004: a start that is killed, stopped, slow or cut short leaves what somebody can go on with."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitty_reliability.faults.moments import NoEffect, changes_size, crash_points, reaches, suspend_when
from kitty_reliability.faults.process import NotSupportedHere, Ran, Running, Sandbox
from kitty_reliability.implementations.program import Program
from kitty_reliability.implementations.protocol import Capability, Hello
from pytest_kitty.scenarios import Finding, inconclusive

from .starts import chain, converges, shown, startable, started
from .world import Worlds, another_process

#: How often a fault that came too late is tried again.
_TRIES = 5


@pytest.fixture
def starts(worlds: Worlds) -> Worlds:
    """The worlds, for an implementation that starts work packages."""
    worlds.needs(Capability.WRITE, Capability.START)
    return worlds


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Where the implementation's own command is run."""
    with Sandbox(tmp_path / "sandbox") as made:
        yield made


class Bench:
    """A world whose WP01 is started by the implementation's own command, again and again from the same beginning."""

    def __init__(self, starts: Worlds, sandbox: Sandbox, padding: int = 0) -> None:
        starts.needs(Capability.SURFACE)
        world = self.world = startable(starts, {"WP01": "planned", "WP02": "planned"})
        if padding:
            world.mission.log.lifecycle("MissionCreated", purpose_context="x" * padding)
        command = world.command(world.start_request("WP01", world.actor), "text")
        self.argv, self.cwd, self.env = command["argv"], command["cwd"], command["env"]
        self.sandbox = sandbox
        self.mark = world.mark()
        self._pristine = starts.base / "pristine"
        shutil.copytree(world.mission.root, self._pristine, symlinks=True)
        # The positive control.
        self.unharmed(self.run())
        self.restore()

    @property
    def seconds(self) -> float:
        """How long one command may take."""
        return self.world.implementation.deadline

    def few(self, fast: int, slow: int) -> int:
        """Return ``slow`` for an implementation whose commands take seconds."""
        return slow if self.world.implementation.greeting.typical_seconds > 1 else fast

    def restore(self) -> None:
        """Put the world back to where the start begins."""
        shutil.rmtree(self.world.mission.root)
        shutil.copytree(self._pristine, self.world.mission.root, symlinks=True)
        self.world.acknowledged.clear()

    def start(self) -> Running:
        """Start the command and leave it running."""
        return self.sandbox.start(self.argv, cwd=self.cwd, env=self.env)

    def run(self, limit: int | None = None) -> Ran:
        """Run the command to its end, with no file longer than ``limit``."""
        ran = self.sandbox.run(self.argv, cwd=self.cwd, env=self.env, seconds=self.seconds, file_size_limit=limit)
        return self.ended(ran)

    def ended(self, ran: Ran) -> Ran:
        """Judge that a command came to an end."""
        self.world.asked.append(f"the command of a start -> {ran.ending}")
        self.world.check(not ran.late, Finding.HANG, f"the command of a start: {ran.ending}")
        return ran

    def unharmed(self, ran: Ran) -> None:
        """Judge a command that nothing happened to."""
        __tracebackhide__ = True
        self.world.check(ran.status == 0, Finding.LEGAL_REFUSED, f"{ran.ending}: {(ran.stderr or ran.stdout)[-300:]!r}")
        chain(self.world, self.mark, "WP01", "in_progress")

    def left(self, ran: Ran) -> None:
        """Judge what a command left that something happened to."""
        if ran.status == 0:
            self.unharmed(ran)
        converges(self.world, self.mark, self.world.actor, ["WP02"])

    def until_it_works(self, fault: Callable[[Running], bool]) -> Iterator[Running]:
        """Yield a running command on which ``fault`` took effect; inconclusive when it always comes too late."""
        for _ in range(_TRIES):
            with self.start() as running:
                if fault(running):
                    yield running
                    return
            self.restore()
        inconclusive("the command was over each time before anything could be done to it")


@pytest.mark.kitty_clause("STA-004")
def test_what_is_claimed_and_not_started_is_shown(starts: Worlds) -> None:
    """A work package that is claimed is told with its holder and the command that goes on; that is what then works."""
    world = startable(starts, {"WP01": "claimed", "WP02": "planned"})
    mark = world.mark()
    started(world, mark, world.start("WP02", world.actor), "WP02")
    shown(world, "WP01", world.actor)
    mark = world.mark()
    started(world, mark, world.start("WP01", world.actor), "WP01")


@pytest.mark.kitty_clause("STA-004")
def test_a_start_is_killed_at_every_change(starts: Worlds, sandbox: Sandbox) -> None:
    """Killed at the first change of the mission's files, the second, ... until it ends unharmed."""
    bench = Bench(starts, sandbox)
    most = bench.few(30, 3)
    watch = [bench.world.mission.directory, bench.world.mission.root / ".kittify"]
    try:
        for point in crash_points(bench.start, watch, prepare=bench.restore, seconds=bench.seconds):
            bench.world.asked.append(f"a start, killed at change {point.number} ({point.changes[-1:]})")
            bench.left(point.ran)
            if point.number >= most:
                break
    except NoEffect as error:
        inconclusive(str(error))
    except TimeoutError as error:
        bench.world.fail(Finding.HANG, str(error))


@pytest.mark.kitty_clause("STA-004")
def test_a_start_is_told_to_end(starts: Worlds, sandbox: Sandbox) -> None:
    """SIGTERM as soon as the log has changed."""
    bench = Bench(starts, sandbox)
    written = changes_size(bench.world.log)
    for running in bench.until_it_works(lambda running: reaches(running, written, bench.seconds)):
        running.terminate()
        bench.left(bench.ended(running.wait(bench.seconds)))


@pytest.mark.kitty_clause("STA-004")
def test_a_start_is_suspended(starts: Worlds, sandbox: Sandbox) -> None:
    """SIGSTOP as soon as the log has changed: others are not let in, and it ends well when it goes on."""
    bench = Bench(starts, sandbox)
    world = bench.world
    written = changes_size(world.log)
    try:
        for running in bench.until_it_works(lambda running: suspend_when(running, written, bench.seconds)):
            lanes = world.lanes(world.state())
            seen, lane = lanes.get("WP01"), world.lane("WP01")
            world.check(seen == lane, Finding.LANE_DISAGREES, f"WP01 is {lane}; it says {seen}")
            request = world.start_request("WP01", f"other-{world.rng.randrange(10**6)}")
            variable = world.implementation.greeting.lock_variable
            with another_process(world, {variable: "1"} if variable else None) as other:
                world.declined(world.ask(request, of=other), "somebody else is at it, suspended")
            running.resume()
            ran = bench.ended(running.wait(bench.seconds))
            bench.unharmed(ran)
            bench.left(ran)
    except NotSupportedHere as error:
        inconclusive(str(error))


@pytest.mark.kitty_clause("STA-004")
def test_a_start_is_cut_short(starts: Worlds, sandbox: Sandbox) -> None:
    """No file may become longer than the log and a bit: the rows are cut off at one byte, at another, at none."""
    bench = Bench(starts, sandbox, padding=300_000)
    size, acted = len(bench.mark.data or b""), 0
    for more in range(0, 1201, bench.few(200, 450)):
        bench.restore()
        try:
            ran = bench.run(size + more)
        except NotSupportedHere as error:
            inconclusive(str(error))
        acted += ran.status != 0
        bench.world.asked.append(f"a start, {more} bytes written at most: {ran.ending}")
        bench.left(ran)
    if not acted:
        inconclusive("no limit stopped it: it writes the log in another way")


@pytest.mark.kitty_clause("STA-004")
@pytest.mark.parametrize("through", [0, 1, 200, 600])
def test_a_start_that_failed_left_nothing(starts: Worlds, through: int) -> None:
    """The disk takes none or some of the rows: "failed" says that nothing is there; and the retry converges."""
    world = startable(starts, {"WP01": "planned", "WP02": "planned", "WP03": "planned"})
    mark = world.mark()
    started(world, mark, world.start("WP03", world.actor), "WP03")
    mark = world.mark()
    fault = world.disk_fault("torn", bytes_through=through)
    request = world.start_request("WP01", world.actor)
    outcome = world.answered(world.under(fault, lambda faulty: world.ask(request, of=faulty)))
    if outcome.ok:
        started(world, mark, outcome, "WP01")
    if outcome.declined:
        world.untouched(mark, "the start failed")
    converges(world, mark, world.actor, ["WP02"])


@pytest.mark.kitty_clause("STA-004")
def test_a_start_on_a_slow_disk(starts: Worlds) -> None:
    """Each write takes its time: it is a start like any other."""
    world = startable(starts, {"WP01": "planned", "WP02": "planned"})
    mark = world.mark()
    request = world.start_request("WP01", world.actor)
    fault = world.disk_fault("slow", seconds=0.2)
    outcome = world.under(fault, lambda slow: world.ask(request, of=slow))
    started(world, mark, outcome, "WP01")
    converges(world, mark, world.actor, ["WP02"])


@pytest.mark.kitty_clause("STA-004")
def test_a_start_that_nobody_waits_for(starts: Worlds, sandbox: Sandbox) -> None:
    """The input of a session ends behind the request: the start happened or it did not, and can be gone on with."""
    world = startable(starts, {"WP01": "planned", "WP02": "planned", "WP03": "planned"})
    mark = world.mark()
    started(world, mark, world.start("WP03", world.actor), "WP03")
    program = another_process(world)
    if not isinstance(program, Program):
        inconclusive("it is no program that is asked over its input")
    mark = world.mark()
    requests = [Hello(), world.start_request("WP01", world.actor)][program.per_operation :]
    lines = [json.dumps({"id": number, **one.model_dump(mode="json")}) for number, one in enumerate(requests, 1)]
    ran = sandbox.run(
        program.argv,
        cwd=Path.cwd(),
        env={**os.environ, **program.environment},
        stdin="".join(f"{line}\n" for line in lines).encode(),
        seconds=world.implementation.deadline,
    )
    world.asked.append(f"a start, and the input ended behind it: {ran.ending}")
    world.check(not ran.late, Finding.HANG, f"its input has ended: {ran.ending}")
    if b'"event_ids"' in ran.stdout:
        chain(world, mark, "WP01", "in_progress")
    converges(world, mark, world.actor, ["WP02"])
