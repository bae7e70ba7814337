"""The page of costs is made from what the benchmarks record."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_page", DOCS / "benchmarks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HERE", tmp_path)
    return module


def run_of(*extra: dict[str, Any]) -> str:
    machine = {"node": "host-7", "system": "Linux", "python_version": "3.11.7", "cpu": {"count": 2, "brand_raw": "CPU"}}
    return json.dumps({"machine_info": machine, "benchmarks": [{"extra_info": info} for info in extra]})


def test_a_row_says_whether_its_target_is_met(page: ModuleType, tmp_path: Path) -> None:
    rows = {"judging to git diff": 2.004, "peak memory to the log": 6.01, "cold to warm": 3.9}
    (tmp_path / "run.json").write_text(run_of({"rows": rows}, {"checked": {"reading": 2.5}}), encoding="utf-8")
    page.main(str(tmp_path / "run.json"))
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| git diff of the same index | at most 2 | 2.00 | met |" in text
    assert "| the size of the file | at most 6 | 6.01 | **not met** |" in text
    assert "| cold | at least 4 | 3.90 | **not met** |" in text
    assert text.count("not measured") == len(page.TABLE) - 3
    assert "host-7" not in text
    stored = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert stored == {"python": "3.11", "rows": rows, "checked": {"reading": 2.5}}


def test_a_curve_is_drawn_with_its_names_apart(page: ModuleType, tmp_path: Path) -> None:
    curves = {"missions": {"one": [[1, 1e-4], [500, 0.1]], "other": [[1, 2e-4], [500, 0.101]]}}
    (tmp_path / "run.json").write_text(run_of({"curve": curves}), encoding="utf-8")
    page.main(str(tmp_path / "run.json"))
    drawn = ET.parse(tmp_path / "benchmarks-missions.svg").getroot()
    texts = {str(text.text): float(text.get("y", 0)) for text in drawn.iter() if text.tag.endswith("text")}
    assert abs(texts["one"] - texts["other"]) >= 16
    assert {"1 ms", "100 ms", "1,000", "missions of a repository"} <= set(texts)
    assert "(benchmarks-missions.svg)" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")


def test_no_row_is_there_twice(page: ModuleType) -> None:
    keys = [row.key for row in page.TABLE]
    assert len(keys) == len(set(keys))
