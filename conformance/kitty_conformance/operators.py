"""Operator mutants: small slips made by rule in the reference, and whether the suite notices.

``python -m kitty_conformance.operators --seed 1 --sample 60`` negates conditions, drops raises, shifts comparisons and
whole numbers, and takes ``and`` for ``or``. Each slip is run against the clauses that its module speaks of; what they
miss, against all. The reference is not imported: its command has to slip too, so an environment is made of a copy.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Final

from kitty_reliability.implementations.processes import run_to_end
from pytest_kitty.report import Verdict

from .apart import Notes
from .catalogue import clauses, scenarios
from .reporting.document import ReportError, read_report

__all__ = ["LEFT_ALONE", "Copy", "Fate", "Site", "main", "sites"]

#: What removes, cuts or replaces files, or makes references: a slip there might reach what is not of a scenario.
LEFT_ALONE: Final = frozenset({
    "commits.restore", "files.cut", "files.replace_file", "files.write_exclusively", "focused.point", "hooks.install",
    "prompts._prune", "prompts._read_back", "store._set_torn_aside", "store.take_back",
})  # fmt: skip
_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
#: The clauses to begin with for a module that names none.
_FIRST: Final[dict[str, list[str]]] = {
    "annotations": ["LOG-001", "LOG-002", "LOG-006"],
    "lane_records": ["DIF-001", "DIF-002", "RPM-003", "OWN-001"],
    "locations": ["STA-005", "STA-010", "OWN-001", "SEC-001", "SEC-002"],
    "store": ["STA-001", "STA-002", "STA-009", "LOG-001"],
    "syncing": [f"SYN-{number:03}" for number in range(1, 12)],
}
_USUAL: Final = ["STA-001", "STA-007", "STA-010", "LOG-001", "SEC-004"]
_RANGE: Final = re.compile(r"\b([A-Z]{3})-(\d{3})(?: to [A-Z]{3}-(\d{3}))?")
#: How long the clauses of a module and all of them may take, in seconds; what takes longer hangs.
_FEW_SECONDS, _ALL_SECONDS = 180.0, 1800.0


@dataclass(frozen=True, slots=True)
class Site:
    """One slip: ``new`` in place of ``old``, which begins at a byte of a module."""

    module: str
    line: int
    function: str
    start: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a slip: who noticed it, a scenario and its clauses or what ended the run; empty: survived."""

    site: Site
    noticed: str


def _reference() -> Path:
    found = find_spec("kitty_reliability")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("kitty_reliability is not installed: pip install pytest-kitty")
    return Path(next(iter(found.submodule_search_locations)), "reference")


def sites(module: str) -> list[Site]:
    """Return every slip that can be made in the functions of a module of the reference, in order of source.

    Raises:
        OSError: there is no such module.
    """
    source = (_reference() / f"{module}.py").read_bytes()
    lines = source.splitlines(keepends=True)
    found = []
    for name, node in _nodes(ast.parse(source), ""):
        for old, new in _slips(node) if f"{module}.{name.rpartition('.')[2]}" not in LEFT_ALONE else ():
            start = sum(map(len, lines[: old.lineno - 1])) + old.col_offset
            end = sum(map(len, lines[: (old.end_lineno or 0) - 1])) + (old.end_col_offset or 0)
            found.append(Site(module, old.lineno, name, start, source[start:end].decode(), new))
    return sorted(found, key=lambda site: (site.start, site.new))


def _nodes(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """Return what stands in functions, with the name of the outermost; positions in f-strings are not to be trusted."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not function:
            yield from ((f"{child.name}.{name}", inner) for name, inner in _nodes(child, ""))
        elif isinstance(child, ast.FunctionDef) and not function:
            for line in child.body:
                yield child.name, line
                yield from _nodes(line, child.name)
        elif function and not isinstance(child, ast.JoinedStr):
            yield function, child
            yield from _nodes(child, function)


def _slips(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Return what is replaced, and by what."""
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.comprehension):
        for test in node.ifs if isinstance(node, ast.comprehension) else [node.test]:
            # A comparison is shifted below; for all but the greater and less that is to negate it.
            if not isinstance(test, ast.Constant | ast.Compare):
                yield test, f"(not ({ast.unparse(test)}))"
    elif isinstance(node, ast.Raise):
        yield node, "pass"
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, f"({ast.unparse(ast.BoolOp(other, node.values))})"
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            shifted = [*node.ops[:place], _COMPARED[type(operator)](), *node.ops[place + 1 :]]
            yield node, f"({ast.unparse(ast.Compare(node.left, shifted, node.comparators))})"
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield node, f"({node.value} + 1)"


class Copy:
    """An environment in ``directory`` in which ``kitty_reliability`` is a copy that slips can be made in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        venv.create(directory / "venv", symlinks=os.name != "nt")
        paths = {"base": str(directory / "venv"), "platbase": str(directory / "venv")}
        self._python = Path(sysconfig.get_path("scripts", "venv", paths)) / Path(sys.executable).name
        installed = Path(sysconfig.get_path("purelib", "venv", paths))
        shutil.copytree(_reference().parent, installed / "kitty_reliability")
        self._reference = installed / "kitty_reliability" / "reference"
        # Behind the copy comes everything that is installed here, in any of the ways to install.
        here = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (installed / "behind.pth").write_text(here, encoding="utf-8")

    def judge(self, site: Site, only: Sequence[str], seconds: float = _ALL_SECONDS) -> Fate:
        """Run the suite, the clauses ``only`` or all when empty, against the slip, until a scenario notices it."""
        path = self._reference / f"{site.module}.py"
        before = path.read_bytes()
        end = site.start + len(site.old.encode())
        self._write(path, before[: site.start] + site.new.encode() + before[end:])
        try:
            return Fate(site, self._noticed(only, seconds))
        finally:
            self._write(path, before)

    def _write(self, path: Path, source: bytes) -> None:
        path.write_bytes(source)
        # Time and size do not tell that code is stale whose source is changed twice a second.
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()

    def _noticed(self, only: Sequence[str], seconds: float) -> str:
        with tempfile.TemporaryDirectory(dir=self._directory) as run:
            report = Path(run, "report")
            argv = [str(self._python), "-m", "kitty_conformance.command", "run", "reference", "--quiet", "--seed=1"]
            argv += [f"--report-json={report}", *(f"--clause={clause}" for clause in only)]
            argv += ["--", "-x", "-p", "no:randomly", "-p", "no:xdist", f"--basetemp={run}/worlds", *_ignored(only)]
            environment = Notes.environment(Path(run))
            # What was compiled for the run before serves for this one.
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            done = run_to_end(argv, environment, run, seconds)
            # A run that was ended may have left half a line.
            with suppress(ReportError, OSError):
                for one in read_report(report).results:
                    if one["verdict"] in (Verdict.FAIL, Verdict.ERROR):
                        return f"{one['scenario']} ({', '.join(one['clauses'])})"
        ended = "it hangs" if done.status is None else f"the run ends with {done.status}"
        return "" if done.status == 0 else ended


def _ignored(only: Sequence[str]) -> list[str]:
    """Return arguments that leave out the modules of the suite without a scenario of ``only``."""
    wanted = {one.module for one in scenarios().values() if not only or set(only) & set(one.clauses)}
    modules = {one.module for one in scenarios().values()} - wanted
    return [f"--ignore={files('kitty_conformance') / name}" for name in sorted(modules)]


def _first(module: str) -> list[str]:
    """Return the clauses to begin with: those that the module says it is about."""
    tree = ast.parse((_reference() / f"{module}.py").read_bytes())
    named = [
        f"{family}-{number:03}"
        for family, first, last in _RANGE.findall(ast.get_docstring(tree) or "")
        for number in range(int(first), int(last or first) + 1)
    ]
    return [clause for clause in named or _FIRST.get(module, _USUAL) if clause in clauses()]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (that of the process when None); 1 when a slip survives, else 0."""
    parser = argparse.ArgumentParser(prog="python -m kitty_conformance.operators", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what the sample is drawn with (default: 1)")
    parser.add_argument("--sample", type=int, default=60, help="how many slips (default: 60)")
    parser.add_argument("--module", action="append", help="only in this module of the reference; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what became of each as JSON")
    options = parser.parse_args(argv)
    try:
        names = options.module or sorted(path.stem for path in _reference().glob("[!_]*.py"))
        drawn = [site for name in names for site in sites(name)]
    except OSError as error:
        parser.error(f"no such module of the reference: {error}")
    chosen = Random(options.seed).sample(drawn, min(options.sample, len(drawn)))
    print(f"{len(chosen)} of {len(drawn)} slips; none is made in {', '.join(sorted(LEFT_ALONE))}\n")
    print("| module | line | function | slip | noticed by |\n|---|---|---|---|---|")
    fates: list[Fate] = []
    with tempfile.TemporaryDirectory() as directory:
        copy = Copy(Path(directory))
        left: list[Fate] = []
        for site in sorted(chosen, key=lambda site: (site.module, site.start)):
            fate = copy.judge(site, _first(site.module), _FEW_SECONDS)
            (fates if fate.noticed else left).append(fate)
            _tell(fate)
        print(f"\n{len(left)} are not noticed by the clauses of their module, and run against all:\n", flush=True)
        for fate in left:
            fates.append(copy.judge(fate.site, []))
            _tell(fates[-1])
    survived = sum(not fate.noticed for fate in fates)
    print(f"\n{len(fates) - survived} of {len(fates)} noticed, {survived} survived")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(fate) for fate in fates], indent=1) + "\n", encoding="utf-8")
    return 1 if survived else 0


def _tell(fate: Fate) -> None:
    site = fate.site
    old, new = (" ".join(text.split()).replace("|", "\\|") for text in (site.old, site.new))
    where = f"{site.module} | {site.line} | {site.function}"
    print(f"| {where} | `{old}` → `{new}` | {fate.noticed or '**nobody**'} |", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
