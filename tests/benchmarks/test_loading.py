"""What the plugin costs those who use none of it, beside other plugins."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from measuring import medians

pytest.importorskip("pytest_benchmark")

PEERS = {
    "pytest-httpserver": "pytest_httpserver.pytest_plugin",
    "pytest-mock": "pytest_mock",
    "hypothesis": "_hypothesis_pytestplugin",
}

COUNT = """
import atexit, os, sys
atexit.register(lambda: open(os.environ["MODULES"], "w").write("\\n".join(sys.modules)))
"""


def pytest_with(where: Path, *plugins: str, **variables: str) -> Callable[[], object]:
    """Run the empty test with these plugins and no other."""
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"-p{name}" for name in plugins)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
    return lambda: subprocess.run(argv, cwd=where, env=environment, stdout=subprocess.DEVNULL, check=True)


def test_a_run_that_uses_none_of_it(benchmark: Any, record: Any, tmp_path: Path) -> None:
    missing = [name for name, module in PEERS.items() if importlib.util.find_spec(module.split(".")[0]) is None]
    if missing:
        pytest.skip(f"not installed, see the extra `benchmark`: {', '.join(missing)}")
    (tmp_path / "test_empty.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
    ways = {"bare": (), "kitty": ("kitty",), **{name: (module,) for name, module in PEERS.items()}}
    found = benchmark.pedantic(
        medians, args=({way: pytest_with(tmp_path, *plugins) for way, plugins in ways.items()}, 21), rounds=1
    )
    added = {way: seconds - found["bare"] for way, seconds in found.items()}
    record("pytest with the plugin to bare pytest", found["kitty"] / found["bare"])
    for name in PEERS:
        record(f"what the plugin adds to what {name} adds", added["kitty"] / added[name])
    (tmp_path / "conftest.py").write_text(COUNT, encoding="utf-8")
    modules = {}
    for way in ("bare", "kitty"):
        pytest_with(tmp_path, *ways[way], MODULES=str(tmp_path / way))()
        modules[way] = set((tmp_path / way).read_text(encoding="utf-8").split("\n"))
    loaded = modules["kitty"] - modules["bare"]
    record("modules of others that the plugin loads", len([name for name in loaded if "kitty" not in name]))
