from __future__ import annotations

import ast
import doctest
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from processes import is_gone
from pytest_kitty import facade, fixtures

PUPPETS = Path(__file__).parent / "puppets"
USAGE_ERROR = 4

Run = Callable[..., pytest.RunResult]


def documented() -> dict[str, str]:
    """Return the docstring of each public fixture."""
    tree = ast.parse(Path(fixtures.__file__).read_text(encoding="utf-8"))
    made = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    return {node.name: ast.get_docstring(node) or "" for node in made}


FIXTURES = documented()

CLAUSES = """
import pytest
from pytest_kitty.scenarios import Finding, ScenarioFailure, inconclusive, not_applicable

@pytest.fixture
def broken():
    raise OSError("no disk")

@pytest.fixture
def breaks_afterwards():
    yield
    raise OSError("disk gone")

@pytest.mark.kitty_clause("STA-001")
def test_that_holds(): pass

@pytest.mark.kitty_clause("STA-001")
@pytest.mark.parametrize("number", [1, 2])
def test_that_holds_too(number): pass

@pytest.mark.kitty_clause("STA-002")
def test_of_a_clause_that_is_broken_once(): pass

@pytest.mark.kitty_clause("STA-002")
def test_that_fails():
    raise ScenarioFailure(Finding.GLUED_LINE, "two rows on line 3")

@pytest.mark.kitty_clause("STA-003")
def test_that_decides_nothing():
    inconclusive("the fault took no effect")

@pytest.mark.kitty_clause("STA-004")
def test_of_what_is_not_claimed():
    not_applicable("it does not write")

@pytest.mark.kitty_clause("LOG-001")
def test_that_asserts():
    assert 1 == 2, "one is not two"

@pytest.mark.kitty_clause("LOG-002")
def test_that_is_skipped():
    pytest.skip("not on this machine")

@pytest.mark.kitty_clause("LOG-003")
def test_whose_set_up_fails(broken): pass

@pytest.mark.kitty_clause("LOG-004")
def test_whose_tear_down_fails(breaks_afterwards): pass

@pytest.mark.kitty_clause("LOG-005")
def test_that_raises():
    raise KeyError("lane")

@pytest.mark.kitty_clause("SEC-001")
@pytest.mark.kitty_clause("RAC-001")
def test_of_two_clauses(): pass

def test_of_no_clause(): pass
"""
# In the order of the families, not of the alphabet.
TABLE = [
    "*= clauses*=*",
    "STA-001   holds          3 passed",
    "STA-002   violated       1 passed, 1 failed   glued-line",
    "STA-003   undecided      1 inconclusive",
    "STA-004   not applicable 1 not applicable",
    "LOG-001   violated       1 failed   unnamed",
    "LOG-002   undecided      1 inconclusive",
    "LOG-003   undecided      1 errors",
    "LOG-004   undecided      1 errors",
    "LOG-005   undecided      1 errors",
    "RAC-001   holds          1 passed",
    "SEC-001   holds          1 passed",
    "violations:",
    "  LOG-001 test_that_asserts",
    "      unnamed: one is not two",
    "  STA-002 test_that_fails",
    "      glued-line: two rows on line 3",
    "errors of the suite:",
    "      KeyError: 'lane'",
    "      OSError: no disk",
    "      OSError: disk gone",
    "not decided:",
    "      inconclusive: the fault took no effect",
    "1 x not applicable: it does not write",
    "3 of 11 clauses hold, 2 violated, 5 undecided, 1 not applicable",
]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a process of its own, with this plugin and no other unless ``autoload`` is asked for."""
    for name in os.environ:
        if name.startswith(("PYTEST_XDIST", "KITTY_")):
            monkeypatch.delenv(name)

    def run(*arguments: str, autoload: bool = False, plugin: bool = True) -> pytest.RunResult:
        if autoload:
            monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
        else:
            monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        load = ["-p", "kitty"] if plugin and not autoload else []
        return pytester.runpytest_subprocess(*load, "-W", "error", "-p", "no:cacheprovider", *arguments, timeout=120)

    return run


def said(result: pytest.RunResult) -> str:
    return f"{result.stdout}\n{result.stderr}"


def refused(result: pytest.RunResult, *words: str) -> None:
    """Check that a run ended with a usage error that says ``words``, and no traceback."""
    assert result.ret == USAGE_ERROR, said(result)
    assert "Traceback" not in said(result)
    assert "INTERNALERROR" not in said(result)
    errors = [line for line in said(result).splitlines() if line.startswith("ERROR: ")]
    assert len(errors) == 1
    for word in words:
        assert word in errors[0]


def seed_of(result: pytest.RunResult) -> int:
    (line,) = [line for line in result.outlines if line.startswith("kitty: ")]
    found = re.search(r"seed (\d+)", line)
    assert found
    return int(found[1])


# --- fixtures


def test_every_public_fixture_is_documented() -> None:
    values = {"mission", "repository", "prompt", "sandbox", "sync_client", "sync_service"}
    assert set(FIXTURES) == {
        "kitty",
        "kitty_event_log",
        "kitty_implementation",
        "kitty_only_loopback",
        *(f"kitty_{name}" for name in values),
        *(f"kitty_{name}_factory" for name in values),
    }
    for name, text in FIXTURES.items():
        assert "Example::" in text, name


def test_the_example_of_every_fixture_runs(pytester: pytest.Pytester, run: Run) -> None:
    examples = []
    for name, text in FIXTURES.items():
        example = textwrap.dedent(text.partition("Example::")[2])
        assert "def test_mine(" in example
        examples.append(example.replace("test_mine", f"test_{name}"))
    pytester.makepyfile("import pytest\n" + "\n".join(examples))
    result = run("-v", "--strict-markers")
    result.assert_outcomes(passed=len(FIXTURES))


def test_the_examples_of_the_facade_are_true(tmp_path: Path) -> None:
    shown = set()
    runner = doctest.DocTestRunner()
    with facade.Kitty(tmp_path) as kitty:
        for example in doctest.DocTestFinder().find(facade.Kitty, globs={"kitty": kitty}):
            runner.run(example)
            if example.examples:
                shown.add(example.name.rpartition(".")[2])
    assert runner.summarize(verbose=False).failed == 0
    offered = {name for name in vars(facade.Kitty) if not name.startswith("_")}
    assert offered - shown == {"close", "repo"}


def test_the_fixtures_are_listed_with_their_docstrings(run: Run) -> None:
    result = run("--fixtures")
    lines = [line.strip() for line in result.outlines]
    for name, text in FIXTURES.items():
        (at,) = [n for n, line in enumerate(lines) if line.split(" ")[0] == name]
        assert lines[at + 1] == text.splitlines()[0]
    assert result.ret == 0


def test_two_fixtures_of_one_test_share_their_mission(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        def test_shared(kitty_mission, kitty_event_log):
            assert kitty_event_log is kitty_mission.log

        def test_apart(kitty):
            one, other = kitty.mission(), kitty.mission()
            assert one.root != other.root
            assert one.root.parent == other.root.parent

        seen = []

        def test_first(kitty_mission): seen.append(kitty_mission.root)
        def test_second(kitty_mission): seen.append(kitty_mission.root); assert len(set(seen)) == 2
        """
    )
    run().assert_outcomes(passed=4)


# --- markers


def test_the_markers_are_listed(run: Run) -> None:
    result = run("--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.kitty(*work_packages, wps, slug, topology, meta, sync): *"])
    result.stdout.fnmatch_lines(["@pytest.mark.kitty_clause(id): *"])


def test_the_markers_are_strict_and_their_options_count(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import json, pytest

        OPTIONS = {"work_packages": {"WP07": "in_review"}, "slug": "mine", "topology": "lanes", "meta": {"colour": "red"}}

        @pytest.mark.kitty(**OPTIONS)
        @pytest.mark.kitty_clause("STA-001")
        def test_mission(kitty_mission):
            assert kitty_mission.lanes == {"WP07": "in_review"}
            assert kitty_mission.slug == "mine"
            meta = json.loads(kitty_mission.paths.meta.read_text(encoding="utf-8"))
            assert (meta["topology"], meta["colour"]) == ("lanes", "red")

        @pytest.mark.kitty(**OPTIONS)
        def test_repository(kitty_repository):
            (mission,) = kitty_repository.missions
            assert (mission.slug, mission.lanes) == ("mine", {"WP07": "in_review"})

        @pytest.mark.kitty(slug="of-the-class")
        class TestMany:
            def test_of_the_class(self, kitty_mission):
                assert kitty_mission.slug == "of-the-class"

            @pytest.mark.kitty(slug="nearer")
            def test_nearer(self, kitty_mission):
                assert kitty_mission.slug == "nearer"
        """
    )
    run("--strict-markers").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("arguments", "wrong"), [("wp={}, slugs='x'", "slugs, wp"), ("{'WP01': 'done'}", "positional arguments")]
)
def test_a_marker_that_is_wrong_is_told(pytester: pytest.Pytester, run: Run, arguments: str, wrong: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.kitty({arguments})\ndef test_mine(kitty_mission): pass\n")
    result = run()
    result.assert_outcomes(errors=1)
    assert f"@pytest.mark.kitty takes meta, slug, sync, topology, work_packages, wps; not {wrong}" in said(result)


def test_a_clause_marker_without_a_clause_stops_no_run(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.kitty_clause()\ndef test_mine(): pass\n")
    assert "INTERNALERROR" not in said(run())


# --- the implementation under test


def test_an_unknown_implementation_is_a_usage_error(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(): pass")
    refused(run("--kitty-implementation", "nobody"), "unknown implementation 'nobody'", "reference", "spec-kitty")


def test_a_program_that_does_not_greet_is_a_usage_error(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(): pass")
    spec = f"exec:{shlex.join([sys.executable, str(PUPPETS / 'dies.py')])}"
    refused(run("--kitty-implementation", spec), "no answer to hello", "exit status 3")


def test_an_unknown_profile_is_a_usage_error(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(): pass")
    result = run("--kitty-implementation", "reference", "--kitty-profile", "contract-999")
    refused(result, "unknown profile 'contract-999'", "contract-320", "spec-kitty-3.2")


def test_an_unknown_profile_is_a_usage_error_without_an_implementation(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(): pass")
    refused(run("--kitty-profile", "contract-999"), "unknown profile 'contract-999'")


@pytest.mark.skipif(sys.platform == "win32", reason="asks by process id whether a process ended: POSIX")
def test_a_profile_that_is_declared_and_unknown_is_a_usage_error(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytester.makepyfile("def test_mine(): pass")
    note = tmp_path / "child"
    spec = f"exec:{shlex.join([sys.executable, str(PUPPETS / 'parent.py'), str(note)])}"
    monkeypatch.setenv("KITTY_PUPPET", "contract-999")
    refused(run("--kitty-implementation", spec), "declares unknown profile 'contract-999'")
    assert is_gone(int(note.read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="asks by process id whether a process ended: POSIX")
def test_the_end_of_the_run_is_the_end_of_the_implementation(
    pytester: pytest.Pytester, run: Run, tmp_path: Path
) -> None:
    pytester.makepyfile("def test_mine(kitty_implementation): assert kitty_implementation.greeting.name == 'puppet'")
    note = tmp_path / "child"
    spec = f"exec:{shlex.join([sys.executable, str(PUPPETS / 'parent.py'), str(note)])}"
    result = run("--kitty-implementation", spec)
    result.assert_outcomes(passed=1)
    assert "kitty: puppet 1, profile contract-320, seed " in said(result)
    assert is_gone(int(note.read_text()))


def test_the_header_names_the_implementation_only_when_one_was_named(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(kitty_implementation): pass")
    assert not [line for line in run().outlines if line.startswith("kitty:")]
    result = run("--kitty-implementation", "null:refuse", "--kitty-profile", "spec-kitty-3.2", "--kitty-seed", "7")
    assert "kitty: null:refuse 0, profile spec-kitty-3.2, seed 7 (null:refuse)" in result.outlines


def test_the_ini_file_names_what_a_flag_does_not(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\nkitty_implementation = null:echo\nkitty_profile = spec-kitty-3.2\nkitty_seed = 11\n")
    pytester.makepyfile("def test_mine(): pass")
    assert "kitty: null:echo 0, profile spec-kitty-3.2, seed 11 (null:echo)" in run().outlines
    flags = ("--kitty-implementation=null:crash", "--kitty-profile=contract-320", "--kitty-seed=0")
    assert "kitty: null:crash 0, profile contract-320, seed 0 (null:crash)" in run(*flags).outlines


def test_a_seed_in_the_ini_file_that_is_no_number_is_a_usage_error(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\nkitty_seed = eleven\n")
    pytester.makepyfile("def test_mine(): pass")
    refused(run("--kitty-implementation", "reference"), "kitty_seed", "eleven")


def test_each_run_draws_a_seed_of_its_own(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(): pass")
    # Two seeds of 31 bits are the same once in two thousand million runs.
    assert seed_of(run("--kitty-implementation", "reference")) != seed_of(run("--kitty-implementation", "reference"))


def test_the_project_file_names_implementations(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyprojecttoml(
        '[tool.kitty]\nimplementation = "mine"\nprofile = "spec-kitty-3.2"\n'
        'implementations = {mine = "null:accept", other = "null:echo"}\n[tool.pytest.ini_options]\n'
    )
    pytester.makepyfile("def test_mine(kitty_implementation): print('asked:', kitty_implementation.greeting.name)")
    run("-s").stdout.fnmatch_lines(["*asked: null:accept"])
    result = run("-s", "--kitty-implementation", "other")
    result.stdout.fnmatch_lines(["kitty: null:echo 0, profile spec-kitty-3.2, *", "*asked: null:echo"])


def test_a_project_file_that_is_wrong_is_a_usage_error(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyprojecttoml("[tool.kitty]\nimplementatoin = 'mine'\n[tool.pytest.ini_options]\n")
    pytester.makepyfile("def test_mine(): pass")
    refused(run("--kitty-implementation", "reference"), "pyproject.toml", "implementatoin")


def test_a_hook_names_implementations(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(
        """
        from kitty_reliability.implementations.protocol import HelloAnswer, Outcome

        class Mine:
            def answer(self, request):
                hello = HelloAnswer(name="hooked", version="3", protocol=1, profile="contract-320")
                return Outcome.success(hello)

        def pytest_kitty_implementations(config):
            return {"mine": Mine, "short": "null:echo"}
        """
    )
    pytester.makepyfile("def test_mine(kitty_implementation): assert kitty_implementation.ask is not None")
    result = run("--kitty-implementation", "mine")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["kitty: hooked 3, profile contract-320, seed * (mine)"])
    run("--kitty-implementation", "short").stdout.fnmatch_lines(["kitty: null:echo 0, *"])
    refused(run("--kitty-implementation", "nobody"), "known names: mine, reference, short, spec-kitty")


# --- loading


def test_the_plugin_loads_by_name_without_autoload(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(kitty_mission): assert kitty_mission.lanes == {'WP01': 'planned'}")
    run(plugin=False).assert_outcomes(errors=1)
    run("-p", "kitty", plugin=False).assert_outcomes(passed=1)


def test_the_plugin_can_be_disabled(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(kitty_mission): pass")
    result = run("-p", "no:kitty", autoload=True)
    result.assert_outcomes(errors=1)
    assert "fixture 'kitty_mission' not found" in said(result)


@pytest.mark.parametrize("autoload", [False, True], ids=["bare pytest", "beside other plugins"])
def test_loading_the_plugin_imports_nothing_but_the_plugin(
    pytester: pytest.Pytester, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autoload: bool
) -> None:
    # Registered before a test runs, called after everything else: what a hook imports at the very end counts too.
    pytester.makeconftest(
        """
        import atexit, os, sys

        @atexit.register
        def write():
            with open(os.environ["MODULES"], "w") as file:
                file.write("\\n".join(sys.modules))
        """
    )
    pytester.makepyfile("def test_nothing(): pass")

    def modules(name: str, *arguments: str, plugin: bool) -> set[str]:
        monkeypatch.setenv("MODULES", str(tmp_path / name))
        run(*arguments, autoload=autoload, plugin=plugin).assert_outcomes(passed=1)
        return set((tmp_path / name).read_text().splitlines())

    without = modules("without", "-p", "no:kitty", plugin=False)
    assert not [name for name in without if name.startswith(("pytest_kitty", "kitty_"))]
    added = modules("with", plugin=True) - without
    assert added == {"pytest_kitty", "pytest_kitty.plugin", "pytest_kitty.fixtures"}


# --- clauses


def test_the_scenarios_of_a_user_give_the_clause_table(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(CLAUSES)
    result = run("--strict-markers")
    result.stdout.fnmatch_lines(TABLE)
    result.assert_outcomes(passed=7, failed=3, skipped=3, errors=2)
    assert "test_of_no_clause" not in said(result)


def test_the_table_is_the_same_from_several_workers(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(CLAUSES)
    result = run("-p", "xdist", "-n", "2", "--strict-markers", "--kitty-implementation", "null:refuse")
    result.stdout.fnmatch_lines(["*= clauses: null:refuse 0, profile contract-320, seed * =*", *TABLE[1:]])
    result.assert_outcomes(passed=7, failed=3, skipped=3, errors=2)


def test_no_table_without_a_scenario(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_mine(): pass")
    assert "clauses" not in said(run())


def test_a_failed_scenario_tells_its_story(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest
        from pytest_kitty.scenarios import Finding, ScenarioFailure

        @pytest.mark.kitty_clause("STA-001")
        def test_mine():
            raise ScenarioFailure(Finding.HANG, "no reply", "built: a mission\\nasked: state")
        """
    )
    run().stdout.fnmatch_lines(["E *hang: no reply", "E *built: a mission", "E *asked: state"])


def test_a_clause_is_selected(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(CLAUSES)
    result = run("--kitty-clause", "STA-001", "--kitty-clause", "SEC-001")
    result.assert_outcomes(passed=4, deselected=10)
    result.stdout.fnmatch_lines(
        ["STA-001   holds *", "SEC-001   holds *", "* clauses hold, 0 violated, 0 undecided, *"]
    )
    assert "STA-002" not in said(result)


def test_the_table_of_a_run_without_failures_has_a_line_for_each_clause(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.kitty_clause('STA-001')\ndef test_mine(): pass\n")
    assert "STA-001   holds          1 passed" in run().outlines


def test_a_clause_that_no_scenario_has_is_a_usage_error(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(CLAUSES)
    refused(run("--kitty-clause", "STA-999"), "--kitty-clause: no scenario of STA-999 was collected")


# --- company


def test_every_worker_has_the_seed_of_the_run(pytester: pytest.Pytester, run: Run, tmp_path: Path) -> None:
    pytester.makepyfile(
        f"""
        import pathlib
        import pytest
        from pytest_kitty.plugin import kitty_session

        @pytest.mark.parametrize("number", range(8))
        def test_mine(request, number, worker_id):
            seed = kitty_session(request.config).seed
            (pathlib.Path({str(tmp_path)!r}) / f"{{worker_id}}-{{number}}").write_text(str(seed))
        """
    )
    result = run("-p", "xdist", "-n", "2", "--kitty-implementation", "reference")
    result.assert_outcomes(passed=8)
    seeds: dict[str, set[int]] = {}
    for file in tmp_path.glob("gw*-*"):
        seeds.setdefault(file.name.split("-")[0], set()).add(int(file.read_text()))
    assert seeds == {"gw0": {seed_of(result)}, "gw1": {seed_of(result)}}


def test_everything_works_in_parallel_in_random_order(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("lane", ["planned", "claimed", "in_progress", "for_review"])
        def test_mission(kitty, kitty_implementation, lane):
            from kitty_reliability.implementations.protocol import State

            mission = kitty.mission({"WP01": lane})
            outcome = kitty_implementation.ask(State(root=str(mission.root), mission=mission.slug))
            assert outcome.value["lanes"] == {"WP01": lane}

        def test_repository(kitty_repository):
            assert kitty_repository.status == ""
        """
    )
    result = run("-p", "xdist", "-n", "2", "-p", "randomly", "--kitty-implementation", "served:reference")
    result.assert_outcomes(passed=5)
