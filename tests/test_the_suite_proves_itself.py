"""Nulls hold no clause, every mutant is caught by its own scenario with its own finding, verdicts do not waver."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from kit import kitty_conform
from kitty_conformance.mutants import mutants
from kitty_conformance.nulls import NULLS
from pytest_kitty.scenarios import Finding

ROOT = Path(__file__).parent.parent
SUITE = ROOT / "conformance" / "kitty_conformance"
CERTIFICATE = ROOT / "docs" / "certificate.md"
CLAUSES = tomllib.loads((SUITE / "clauses.toml").read_text(encoding="utf-8"))


def conform(*arguments: str, only: str | None = None) -> subprocess.CompletedProcess[str]:
    return run(*arguments, "--", "-p", "no:randomly", *(["-k", only] if only else []))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return kitty_conform("run", *arguments, cwd=ROOT, limit=600)


def verdicts(output: str) -> dict[str, str]:
    """Return clause -> verdict of a printed table."""
    table = re.findall(r"^([A-Z]{3}-\d{3}) +(holds|violated|undecided|not applicable)", output, re.MULTILINE)
    return dict(table)


def test_the_certificate_is_one(tmp_path: Path) -> None:
    """The reference conforms, no null holds a clause, every mutant is caught by its own scenario and finding."""
    file, table = tmp_path / "certificate.json", tmp_path / "table.md"
    done = kitty_conform("certify", "--json", file, "--table", table, cwd=ROOT, limit=900)
    assert done.returncode == 0, done.stdout + done.stderr
    certificate = json.loads(file.read_text(encoding="utf-8"))
    assert certificate["certified"]
    assert certificate["reference"] == dict.fromkeys(CLAUSES, "holds")
    assert certificate["nulls"] == {name: {"held": [], "of": len(CLAUSES)} for name in NULLS}
    assert {result["name"] for result in certificate["mutants"]} == mutants().keys()
    assert table.read_text(encoding="utf-8") in CERTIFICATE.read_text(encoding="utf-8"), "run: make certificate"


def test_every_clause_has_a_mutant_a_scenario_and_a_promise() -> None:
    with_mutants = Counter(mutant.clause for mutant in mutants().values())
    assert min(with_mutants.values()) >= 2, with_mutants
    with_scenarios = set()
    for module in SUITE.glob("test_*.py"):
        with_scenarios |= set(re.findall(r'kitty_clause\("([A-Z]+-\d+)"\)', module.read_text(encoding="utf-8")))
    assert with_mutants.keys() == with_scenarios == CLAUSES.keys()
    assert all(
        clause["promise"] and clause["source"] and clause["side"] in {"R", "W", "R/W", "G"}
        for clause in CLAUSES.values()
    )


def test_every_mutant_says_what_is_wrong_with_it() -> None:
    for mutant in mutants().values():
        assert mutant.__doc__
        assert mutant.__doc__.endswith(".")
        assert mutant.finding in set(Finding)


def test_the_catalogue_agrees_with_the_contract() -> None:
    contract = ROOT.parent / "shared" / "contract.md"
    if not contract.is_file():
        pytest.skip("the contract is not beside the project (../shared/contract.md)")
    rows = dict(re.findall(r"^\| ([A-Z]+-\d{3}) \| ([RWG/]+) \|", contract.read_text(encoding="utf-8"), re.MULTILINE))
    for name, clause in CLAUSES.items():
        assert rows.get(name) == clause["side"], name


def test_the_reference_conforms_as_a_program_in_another_order_and_with_two_workers() -> None:
    done = run("served:reference", "-n", "2")
    found = verdicts(done.stdout)
    assert found == dict.fromkeys(CLAUSES, "holds"), done.stdout + done.stderr
    assert done.returncode == 0
    assert done.stdout.rstrip().splitlines()[-1].endswith("0 violated, 0 undecided, 0 not applicable")


def test_diagnostics_may_stand_in_a_declared_field_and_a_database_may_hold_what_is_to_be_told() -> None:
    clauses = ("SYN-002", "SYN-004", "SYN-005")
    done = conform("mutant:tells-in-a-field", *(word for one in clauses for word in ("--clause", one)), only="not text")
    assert verdicts(done.stdout) == dict.fromkeys(clauses, "holds"), done.stdout + done.stderr
    passed = re.findall(r"^SYN-\d+ +holds +(\d+) passed$", done.stdout, re.MULTILINE)
    assert sum(map(int, passed)) == 8, "none is left out, as those about the database are for the reference"


def test_the_reference_conforms_as_a_program_that_is_started_for_each_operation() -> None:
    spec = f"once:{sys.executable} -m kitty_reliability.implementations.serve reference"
    done = conform(spec, "--clause", "STA-001", "--clause", "LOG-012")
    assert verdicts(done.stdout) == {"STA-001": "holds", "LOG-012": "holds"}, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_verdicts_on_a_mutant_do_not_depend_on_seed_order_or_workers() -> None:
    clauses = [word for number in range(1, 13) for word in ("--clause", f"LOG-{number:03}")]
    runs = [
        conform("mutant:timestamps-as-text", "--seed", "1", *clauses),
        conform("mutant:timestamps-as-text", "--seed", "2", "-n", "2", *clauses),
        run("mutant:timestamps-as-text", *clauses),
    ]
    found = [verdicts(done.stdout) for done in runs]
    assert len(found[0]) == 12
    assert found[0] == found[1] == found[2]
    assert [done.returncode for done in runs] == [1, 1, 1]


def test_the_judged_profile_is_the_one_that_was_asked_for() -> None:
    done = conform("reference", "--profile", "spec-kitty-3.2", "--clause", "LOG-010")
    assert verdicts(done.stdout) == {"LOG-010": "violated"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope"], "unknown implementation 'nope'"),
        (["python:no.such.module:X"], "No module named 'no'"),
        (["exec:./there/is/nothing"], "cannot be started"),
        (["null:nobody"], "unknown null 'nobody'"),
        (["mutant:zzz"], "unknown mutant 'zzz'; `kitty-conform certify --table FILE` names all"),
        (["mutant:torn-falls-back"], "did you mean 'guard-torn-falls-back'?"),
        (["reference", "--profile", "contract-999"], "unknown profile 'contract-999'"),
        (["reference", "--clause", "STA-999"], "no scenario of STA-999"),
        (["reference", "--clause", "log-001"], "did you mean LOG-001?"),
        (["spec-kitty:0.0.1"], "this installs it: kitty-conform run --install spec-kitty:0.0.1"),
        (["reference", "--jobs", "-1"], "'-1' is no number of processes"),
        (["reference", "--reproductions", __file__], "cannot be made; name a directory"),
    ],
)
def test_a_wrong_configuration_ends_with_3_and_a_sentence(arguments: list[str], says: str) -> None:
    done = conform(*arguments)
    assert done.returncode == 3, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_undecided_clause_ends_with_2(tmp_path: Path) -> None:
    adapter = tmp_path / "undecided_adapter.py"
    adapter.write_text(
        "from kitty_reliability.implementations.protocol import Outcome\n"
        "from kitty_reliability.reference.adapter import Reference\n\n\n"
        "class Adapter(Reference):\n"
        "    def state(self, request):\n"
        "        return Outcome.unsupported('no time for it')\n",
        encoding="utf-8",
    )
    done = kitty_conform("run", "python:undecided_adapter:Adapter", "--clause", "LOG-012", "--details", cwd=tmp_path)
    assert verdicts(done.stdout) == {"LOG-012": "undecided"}, done.stdout + done.stderr
    assert done.returncode == 2
    assert "it cannot be asked state: no time for it" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["certify", "--json", "{here}"], "--json: {here} cannot be written; name a file in a directory that is there"),
        (["certify", "--json", "{here}/no/x"], "--json: {here}/no/x cannot be written"),
        (["explain", "log-003"], "did you mean LOG-003"),
        (["compare", "{file}", "{file}"], "{file}: line 1 is no line of a report of format 1"),
    ],
)
def test_a_wrong_argument_is_told_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    from kitty_conformance.command import main

    file = tmp_path / "garbage"
    file.write_text("no report\n", encoding="utf-8")
    names = {"here": str(tmp_path), "file": str(file)}
    assert main([word.format(**names) for word in arguments]) == 3
    assert says.format(**names) in capsys.readouterr().err


def test_the_published_schema_is_the_protocol() -> None:
    from kitty_conformance.schemas import text

    published = (SUITE / "protocol.schema.json").read_text(encoding="utf-8")
    assert published == text("protocol"), (
        "run: kitty-conform schema > conformance/kitty_conformance/protocol.schema.json"
    )


def test_a_part_of_a_run_does_not_pass_for_the_whole() -> None:
    done = run("reference", "--", "-k", "test_a_success_is_one_row")
    assert done.returncode == 2
    assert re.search(r"^not decided: nothing was run for .*\bLOG-001, ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("jobs", [(), ("-n", "1")], ids=["alone", "worker"])
def test_an_implementation_that_ends_its_process_does_not_conform(tmp_path: Path, jobs: tuple[str, ...]) -> None:
    (tmp_path / "ending_adapter.py").write_text(
        "import os\n\n"
        "from kitty_reliability.reference.adapter import Reference\n\n\n"
        "class Adapter(Reference):\n"
        "    def materialize(self, request):\n"
        "        os._exit(0)\n",
        encoding="utf-8",
    )
    clauses = ["--clause", "LOG-011", "--clause", "STA-001"]
    done = kitty_conform("run", "python:ending_adapter:Adapter", *clauses, *jobs, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert ("was not run to its end" in done.stdout) if jobs else ("ended before its end" in done.stderr)
    assert verdicts(done.stdout)["STA-001"] == "holds"


def test_a_seed_of_zero_is_a_seed() -> None:
    done = conform("reference", "--clause", "LOG-012", "--seed", "0")
    assert re.search(r"seed 0 =", done.stdout), done.stdout + done.stderr
