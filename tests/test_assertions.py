"""Each assertion of the suite is known, and said to catch somebody: without it the certificate is none."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from kit import kitty_conform
from kitty_conformance import caught
from kitty_conformance.assertions import assertions, passed_through
from kitty_conformance.bench import Bench, Judged, Seen
from kitty_conformance.catalogue import scenarios
from kitty_conformance.mutants import create, late, mutants
from kitty_conformance.nulls import NULLS
from kitty_reliability.implementations.protocol import Hello, State

SUITE = Path(__file__).parent.parent / "conformance" / "kitty_conformance"


def test_the_record_is_about_this_suite() -> None:
    record = caught.read()
    assert record.keys() == assertions().keys(), "run: make certificate"
    for who in record.values():
        spec, _, scenario = (who or "null:refuse").partition(" ")
        kind, _, name = spec.partition(":")
        assert name in NULLS if kind == "null" else create(name)
        assert not scenario or scenario in scenarios()
    for name in caught._CHANCE:
        assert name in scenarios() or (SUITE / name).is_file()


def test_every_finding_that_a_scenario_names_is_in_an_assertion() -> None:
    said = "\n".join(assertions().values())
    for module in sorted({scenario.module for scenario in scenarios().values()}):
        text = (SUITE / module).read_text(encoding="utf-8")
        for finding in re.findall(r"world\.(?:check|fail)\(\s*[^()]*?(Finding\.\w+)", text):
            assert finding in said, (module, finding)


def test_a_failure_is_traced_to_its_assertions() -> None:
    from kitty_conformance.world import World
    from pytest_kitty.scenarios import Finding, ScenarioFailure

    class Told(World):
        def __init__(self) -> None:
            pass

        def story(self) -> str:
            return ""

    with pytest.raises(ScenarioFailure) as raised:
        Told().reported({"work_package_id": "WP02"}, "WP01", "claimed")
    assert raised.value.finding is Finding.WRONG_ROW
    (name,) = passed_through(raised.value.__traceback__)
    assert name.startswith("world.World.reported ")
    assert "answer.get('work_package_id') == work_package" in assertions()[name].replace('"', "'")


def test_who_is_caught_elsewhere_is_not_caught_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = sorted(assertions())[:2]
    monkeypatch.setattr(caught, "read", lambda: {here: "mutant:x", there: None, "test_x.test_gone 0": None})
    catches = caught.Caught()
    gone = "test_x.test_gone 0, which caught nobody that is known, is not in the suite any more"
    assert catches.faults() == [gone]
    seen = Seen("test_own[1]", ["LOG-001"], "fail", "wrong-row", "", [there])
    catches.add("mutant:x", Judged(1, {}, [seen]), [], "test_own", "wrong-row")
    assert [fault.partition(": ")[0] for fault in catches.faults()] == [gone, here]
    assert catches.record()[there] == "mutant:x"
    assert here not in catches.unknown()

    other = caught.Caught()
    other.add("mutant:x", Judged(1, {}, [seen]), [], "test_own", "lane-disagrees")
    assert other.record()[there] is None, "with another finding than its own it is not caught"


@pytest.mark.parametrize("kind", late.KINDS)
def test_who_goes_wrong_late_is_the_reference_until_then(kind: str, tmp_path: Path) -> None:
    from kitty_reliability.build.mission import mission

    built = mission(tmp_path, {"WP01": "claimed"})
    program = create(f"{kind}@2")()
    assert program.answer(Hello()).ok
    asked = State(root=str(tmp_path), mission=built.slug)
    before = built.log.path.read_bytes()
    assert program.answer(asked).value["lanes"] == {"WP01": "claimed"}
    assert built.log.path.read_bytes() == before


def test_who_goes_wrong_in_a_later_world_leaves_the_earlier_ones_alone(tmp_path: Path) -> None:
    from kitty_reliability.build.mission import mission

    program = create("refuse@2.1")()
    for number, well in ((1, True), (2, False), (3, False)):
        root = tmp_path / f"world-{number}"
        root.mkdir()
        built = mission(root, {"WP01": "claimed"})
        assert program.answer(State(root=str(root), mission=built.slug)).ok is well


@pytest.mark.parametrize(
    ("kind", "status", "printed"),
    [("end", 1, "{"), ("wrap", 0, "[{"), ("chatter", 0, "\x1b[33mHint"), ("trace", 0, "{")],
)
def test_a_command_that_goes_wrong_is_the_reference_otherwise(
    kind: str, status: int, printed: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from kitty_reliability.build.mission import mission

    built = mission(tmp_path, {"WP01": "claimed"})
    program = create(f"{kind}@1")()
    assert isinstance(program, late.Late)
    assert program.run(["state", f"--root={tmp_path}", f"--mission={built.slug}", "--format=json"]) == status
    out, err = capfd.readouterr()
    assert out.startswith(printed)
    assert '"WP01": "claimed"' in out
    assert ("Traceback" in err) is (kind == "trace")


@pytest.mark.parametrize("name", ["forget@1", "refuse@x.1", "refuse@1."])
def test_an_unknown_mistake_is_named(name: str) -> None:
    with pytest.raises(LookupError, match="known, each with @N behind it: refuse, "):
        create(name)
    assert "refuse@1" not in mutants()


def test_the_certificate_turns_red_without_an_assertion(tmp_path: Path) -> None:
    """A copy of the suite in which one judgement is not made any more: its mutant is caught by nothing."""
    shutil.copytree(SUITE, tmp_path / "kitty_conformance", ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "kitty_conformance" / "test_event_log.py"
    text = module.read_text(encoding="utf-8")
    asserted = '_expect_lanes(world, {"WP01": expected, "WP02": "claimed"}, f"{earlier} then {later}")'
    assert text.count(asserted) == 1
    module.write_text(text.replace(asserted, "assert expected"), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = kitty_conform("certify", "-n", "1", "--clause", "LOG-005", env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    gone = r"^test_event_log\.test_rows_are_ordered_by_instant \w+: mutant:[\w-]+ is not caught by this assertion: it is gone$"
    assert re.search(gone, done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^mutants: \d+ of \d+ killed", done.stdout, re.MULTILINE)


def test_what_is_left_out_does_not_disturb_what_follows() -> None:
    """Scenarios with parameters are left out once one failed: the next module starts as if they had been run."""
    asked = ["test_a_no_op_reports_no_event", "test_half_a_character_is_refused_by_every_writer"]
    with Bench() as bench:
        judged = bench.judge("null:refuse", (), asked[0], None, asked)
    assert {seen.scenario.partition("[")[0]: seen.finding for seen in judged.scenarios} == dict.fromkeys(
        asked, "legal-refused"
    )
