"""Writes docs/benchmarks.md, its plots and docs/benchmarks.json from a run of the benchmarks: ``make benchmarks-table``."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent

Points = Sequence[tuple[float, float]]


class Row(NamedTuple):
    """A row of the table; ``key`` is what the benchmark records it by."""

    key: str
    what: str
    peer: str
    target: float
    at_least: bool = False

    def met(self, measured: float) -> bool:
        """Say whether the target is met, as far as the table shows."""
        shown = float(f"{measured:.2f}")
        return shown >= self.target if self.at_least else shown <= self.target


def _memory_and_disk(key: str, *rest: Any) -> list[Row]:
    what, *others = rest
    return [Row(f"{key}, {where}", f"{what}, {where}", *others) for where in ("in memory", "on a disk")]


NEW, KNOWN = "git to a repository with new content", "git to a repository built before"
TABLE = [
    Row("pytest with the plugin to bare pytest", "pytest that uses no fixture of the plugin", "bare pytest", 1.05),
    Row("modules of others that the plugin loads", "modules that the plugin loads, its own aside", "-", 0),
    *(
        Row(f"what the plugin adds to what {name} adds", "what the plugin adds to pytest", f"what {name} adds", 1)
        for name in ("pytest-httpserver", "pytest-mock", "hypothesis")
    ),
    *_memory_and_disk(
        "mission to its files, built before", "six work packages with history", "the same bytes by write_bytes", 2
    ),
    *_memory_and_disk("mission to its files, new content", "the same, new content", "the same bytes by write_bytes", 2),
    *_memory_and_disk(KNOWN, "repository with origin, lane, diverged main, built before: faster than", "git", 40, True),
    *_memory_and_disk("repository built before to bare inodes", "the same", "the bare inodes", 3),
    *_memory_and_disk(NEW, "the same with new content: faster than", "git", 8, True),
    Row("released to read and reduce", "read and reduce 100,000 rows: faster than", "the released package", 8, True),
    Row("read and reduce to json.loads", "the same", "json.loads alone on each line", 1),
    Row("pairs of one instant, 16,000 rows to 8,000", "reduce 16,000 rows in pairs of one instant", "8,000 rows", 2.2),
    Row("appender: 100,000 rows to 100", "append with readback, log of 100,000 rows", "100 rows", 1.5),
    Row("transitioner: 100,000 rows to 100", "a transition, log of 100,000 rows", "100 rows", 1.5),
    Row("append to write and fsync, on a disk", "append with readback, durable", "one write and fsync", 2),
    Row("released to the corpus", "read and reduce 246 real missions: faster than", "the released package", 8, True),
    Row("state over a session to an empty round trip", "state over a session, 60 rows", "an empty round trip", 3),
    Row("state over a session to bare pipes", "the same", "a line that comes back through bare pipes", 3),
    Row("judging to git diff", "the guard, 2,000 staged files and 200 globs", "git diff of the same index", 2),
    Row("preflight to its git commands, merge", "preflight before a merge", "its git commands", 3),
    Row("preflight to its git commands, publish", "preflight before publishing", "its git commands", 3),
    Row("seconds of the suite", "the suite, in-process, two processes: seconds", "-", 20),
    Row("milliseconds of the slowest scenario", "its slowest scenario but sweeps of faults: ms", "-", 150),
    Row("cold to warm", "the suite against the released command, warm: faster than", "cold", 4, True),
    Row("seconds of the certificate", "the certificate, two processes: seconds", "-", 300),
    Row("peak memory to the log", "peak memory, log of 100,000 rows", "the size of the file", 6),
]

WORDS = """# What things cost

Every cost stands beside that of a peer, or of what cannot be done without, measured in turns in one run: the ratio of medians
says the same on another machine, where the times would not. `make benchmarks-table` measures anew and writes this page.

{machine}

| what | beside | target | measured | |
|---|---|---|---|---|
"""

PLOTS = {"rows": "rows of a log", "work packages": "work packages of a mission", "missions": "missions of a repository"}

#: Each is told from the others, and from the page behind it, be that white or black.
COLOURS = ("#2f81f7", "#e0701b", "#2da44e", "#bf4fcf")
GREY = "#808890"
WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 530, 20, 310


def table(measured: Mapping[str, float], machine: str) -> str:
    """Return the page's text; a row that was not measured says so."""
    lines = []
    for row in TABLE:
        sign = "at least" if row.at_least else "at most"
        found = measured.get(row.key)
        said = "not measured | " if found is None else f"{found:.2f} | {'met' if row.met(found) else '**not met**'}"
        lines.append(f"| {row.what} | {row.peer} | {sign} {row.target:g} | {said} |")
    pictures = [
        f"\n![Seconds over {PLOTS[name]}]({file.name})"
        for name in PLOTS
        if (file := HERE / f"benchmarks-{_file(name)}.svg").exists()
    ]
    return WORDS.format(machine=machine) + "\n".join([*lines, "\n## How costs grow", *pictures]) + "\n"


def plot(title: str, curves: Mapping[str, Points]) -> str:
    """Return a drawing of seconds over sizes, both by powers of ten."""
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points]
    x_axis, y_axis = _axis(xs, LEFT, RIGHT), _axis(ys, BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f"<title>Seconds over {title}</title>",
    ]
    for power, x in x_axis.ticks():
        parts.append(_line(x, TOP, x, BOTTOM) + _text(x, BOTTOM + 18, f"{10**power:,}", "middle"))
    for power, y in y_axis.ticks():
        parts.append(_line(LEFT, y, RIGHT, y) + _text(LEFT - 8, y + 4, _seconds(power), "end"))
    parts.append(_text((LEFT + RIGHT) / 2, HEIGHT - 12, title, "middle"))
    ends = _apart([y_axis.at(points[-1][1]) for points in curves.values()])
    for (name, points), colour, end in zip(curves.items(), COLOURS, ends, strict=False):
        places = [(x_axis.at(x), y_axis.at(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(_text(RIGHT + 10, end + 4, name, "start", colour))
    return "\n".join([*parts, "</svg>\n"])


class _Axis(NamedTuple):
    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return where a value is drawn."""
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[tuple[int, float]]:
        """Return the powers of ten, and where they are drawn."""
        return [(power, self.at(10.0**power)) for power in range(self.low, self.high + 1)]


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return _Axis(low, max(high, low + 1), start, end)


def _apart(heights: Sequence[float], least: float = 17) -> list[float]:
    """Return where the names of curves go that end at these heights: none on another."""
    placed: dict[int, float] = {}
    lowest = -least
    for number in sorted(range(len(heights)), key=heights.__getitem__):
        lowest = placed[number] = max(heights[number], lowest + least)
    return [placed[number] for number in range(len(heights))]


def _seconds(power: int) -> str:
    for unit, least in (("s", 0), ("ms", -3), ("µs", -6)):
        if power >= least:
            return f"{10 ** (power - least)} {unit}"
    return f"1e{power} s"


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    where = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {where} stroke="{GREY}" stroke-opacity="0.3"/>'


def _text(x: float, y: float, said: str, anchor: str, colour: str = GREY) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{said}</text>'


def _file(name: str) -> str:
    return name.replace(" ", "-")


def _machine(info: Mapping[str, Any]) -> str:
    # Not the name of the machine, which is nobody's business.
    brand = info.get("cpu", {}).get("brand_raw", info.get("processor") or "a processor")
    return (
        f"Measured on {info.get('cpu', {}).get('count')} x {brand}, {info['system']}, Python {info['python_version']}."
    )


def main(source: str) -> None:
    """Write page, plots and stored ratios from the JSON of pytest-benchmark."""
    run = json.loads(Path(source).read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = {"rows": {}, "checked": {}, "curve": {}}
    for benchmark in run["benchmarks"]:
        for kind, values in found.items():
            values.update(benchmark["extra_info"].get(kind, {}))
    stored = HERE / "benchmarks.json"
    ratios = {kind: {key: round(value, 3) for key, value in found[kind].items()} for kind in ("rows", "checked")}
    python = ".".join(run["machine_info"]["python_version"].split(".")[:2])
    stored.write_text(json.dumps({"python": python, **ratios}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for name, curves in found["curve"].items():
        (HERE / f"benchmarks-{_file(name)}.svg").write_text(plot(PLOTS[name], curves), encoding="utf-8")
    page = table(found["rows"], _machine(run["machine_info"]))
    (HERE / "benchmarks.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
