from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kitty_conformance.mutants import mutants
from kitty_reliability import __version__
from kitty_reliability.implementations.base import ImplementationError
from kitty_reliability.implementations.in_process import InProcess
from kitty_reliability.implementations.program import Program
from kitty_reliability.implementations.protocol import Hello, HelloAnswer, Outcome, OutcomeKind, State
from kitty_reliability.implementations.registry import Settings, connect, names, read_settings

PUPPETS = Path(__file__).parent / "puppets"
PATIENT = 60.0

posix_quoting = pytest.mark.skipif(sys.platform == "win32", reason="quotes as a POSIX shell does")

BACKEND = """
from kitty_reliability.implementations.protocol import HelloAnswer, Outcome

class Backend:
    def __init__(self, name="class"):
        self.name = name

    def answer(self, request):
        return Outcome.success(HelloAnswer(name=self.name, version="1", protocol=1, profile="contract-320"))

class Inner:
    Nested = Backend

def make():
    return Backend("function")

ready = Backend("object")
number = 5
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Writes a module into the current directory, and returns its name."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    written: list[str] = []

    def write(text: str) -> str:
        written.append(f"backend_{uuid4().hex}")
        (tmp_path / f"{written[-1]}.py").write_text(text, encoding="utf-8")
        return written[-1]

    yield write
    for name in written:
        sys.modules.pop(name, None)


class Named:
    """An implementation from a hook."""

    def answer(self, _request: Any) -> Outcome:
        return Outcome.success(HelloAnswer(name="hooked", version="1", protocol=1, profile="contract-320"))


def settings(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return read_settings(file)


def puppet(kind: str, name: str, *arguments: str) -> str:
    return f"{kind}:{shlex.join([sys.executable, str(PUPPETS / f'{name}.py'), *arguments])}"


# --- kinds


def test_the_reference_is_asked_in_this_process() -> None:
    with connect("reference") as session:
        assert session.in_this_process
        assert (session.greeting.name, session.greeting.version) == ("reference", __version__)
        assert session.spec == "reference"


def test_the_served_reference_says_the_same_hello_from_another_process() -> None:
    with connect("reference") as here, connect("served:reference") as served:
        assert isinstance(served, Program)
        assert not served.in_this_process
        assert served.greeting == here.greeting


def test_a_served_module_of_the_current_directory(module: Callable[[str], str]) -> None:
    with connect(f"served:python:{module(BACKEND)}:ready") as session:
        assert session.greeting.name == "object"


def test_what_cannot_be_served_is_refused_before_a_process_is_started() -> None:
    with pytest.raises(ImplementationError, match="unknown implementation 'nobody'"):
        connect("served:nobody")


@posix_quoting
def test_exec_is_quoted_as_in_a_shell(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with 'quotes'"
    folder.mkdir()
    for name in ("says.py", "speak.py"):
        (folder / name).write_bytes((PUPPETS / name).read_bytes())
    hello = {"name": 'it\'s "me"', "version": "1 2", "protocol": 1, "profile": "contract-320"}
    line = json.dumps({"id": 0, "ok": hello}).replace('"id": 0', '"id": <id>')
    spec = f"exec:{shlex.join([sys.executable, str(folder / 'says.py'), line])}"
    with connect(spec) as session:
        assert session.greeting.name == 'it\'s "me"'
        assert session.greeting.version == "1 2"
        assert session.spec == spec


@posix_quoting
def test_exec_keeps_one_process_and_once_takes_a_new_one() -> None:
    request = State(root="/r", mission="m")
    for kind, processes in (("exec", 1), ("once", 2)):
        with connect(puppet(kind, "healthy")) as session:
            told = [session.ask(request, deadline=PATIENT).value["lanes"]["pid"] for _ in range(2)]
        assert len(set(told)) == processes


@pytest.mark.parametrize("kind", ["exec", "once"])
def test_a_command_line_that_names_no_program(kind: str) -> None:
    for spec in (f"{kind}:", f"{kind}:  ", kind):
        with pytest.raises(ImplementationError, match=f"'{spec}' names no program"):
            connect(spec)


@posix_quoting
def test_a_command_line_with_an_open_quote() -> None:
    with pytest.raises(ImplementationError, match="is not a command line: No closing quotation"):
        connect("exec:./adapter 'half")


@pytest.mark.parametrize(
    ("path", "name"), [("Backend", "class"), ("make", "function"), ("ready", "object"), ("Inner.Nested", "class")]
)
def test_a_python_name_from_the_current_directory(module: Callable[[str], str], path: str, name: str) -> None:
    with connect(f"python:{module(BACKEND)}:{path}") as session:
        assert isinstance(session, InProcess)
        assert session.greeting.name == name


def test_a_python_class_makes_a_new_object_for_each_sibling(module: Callable[[str], str]) -> None:
    name = module(BACKEND + "\nmade = []\nclass Counted(Backend):\n    def __init__(self): made.append(self)\n")
    with connect(f"python:{name}:Counted") as one, one.sibling() as other:
        one.ask(Hello(), deadline=PATIENT)
        other.ask(Hello(), deadline=PATIENT)
    assert len(sys.modules[name].made) == 2


def test_a_python_module_that_there_is_not() -> None:
    with pytest.raises(
        ImplementationError, match="'python:no_such_module_here:Name' cannot be loaded: ModuleNotFoundError: No module"
    ):
        connect("python:no_such_module_here:Name")


def test_a_python_attribute_that_there_is_not(module: Callable[[str], str]) -> None:
    with pytest.raises(
        ImplementationError, match=r"cannot be loaded: AttributeError: module .* has no attribute 'Missing'"
    ):
        connect(f"python:{module(BACKEND)}:Missing")


def test_a_python_spec_without_a_name() -> None:
    with pytest.raises(ImplementationError, match=r"'python:json' names no object; write python:package.module:Name"):
        connect("python:json")


def test_a_python_object_without_answer(module: Callable[[str], str]) -> None:
    with pytest.raises(ImplementationError, match=r"has no method answer\(request\)"):
        connect(f"python:{module(BACKEND)}:number")


def test_a_python_class_without_answer_does_not_greet(module: Callable[[str], str]) -> None:
    session = connect(f"python:{module('class Mute: pass')}:Mute")
    with session, pytest.raises(ImplementationError, match=r"no answer to hello.*no attribute 'answer'"):
        _ = session.greeting


def test_what_a_program_wrote_instead_of_a_greeting_is_told() -> None:
    script = "import sys; print('no ' * 9, file=sys.stderr); print('Hi'); sys.exit(3)"
    with (
        connect(shlex.join(["exec:" + sys.executable, "-c", script])) as session,
        pytest.raises(ImplementationError) as told,
    ):
        _ = session.greeting
    assert "no answer to hello: garbled not a reply: " in str(told.value)
    assert "; its line: 'Hi'" in str(told.value)
    silent = connect(shlex.join(["exec:" + sys.executable, "-c", script.replace("print('Hi')", "0")]))
    with silent, pytest.raises(ImplementationError, match=r"\(exit status 3\); its stderr: 'no no "):
        _ = silent.greeting


@pytest.mark.parametrize("text", ["def (", "raise RuntimeError('no')"], ids=["syntax", "raises"])
def test_a_module_that_cannot_be_imported_is_named(module: Callable[[str], str], text: str) -> None:
    with pytest.raises(ImplementationError, match="cannot be loaded"):
        connect(f"python:{module(text)}:Name")


@pytest.mark.parametrize("spec", ["python::Name", "python:.relative:Name"])
def test_a_module_name_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(ImplementationError, match="cannot be loaded"):
        connect(spec)


@pytest.mark.parametrize("name", ["refuse", "accept", "amnesiac", "crash", "echo"])
def test_a_null_is_found_by_name(name: str) -> None:
    with connect(f"null:{name}") as session:
        assert session.greeting.name == f"null:{name}"


def test_a_mutant_is_found_by_name() -> None:
    name = sorted(mutants())[0]
    with connect(f"mutant:{name}") as session, connect(f"served:mutant:{name}") as served:
        assert session.greeting == served.greeting
        assert session.ask(Hello(), deadline=PATIENT).ok


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("null:nobody", "unknown null 'nobody'; known: .*amnesiac"),
        ("null:", "unknown null ''; known: .*amnesiac"),
        ("mutant:file-ordr", "unknown mutant 'file-ordr'; did you mean 'file-order'"),
        ("mutant:", "unknown mutant ''; `kitty-conform certify --table FILE` names all"),
    ],
)
def test_an_unknown_null_or_mutant_is_refused_by_name(spec: str, says: str) -> None:
    with pytest.raises(ImplementationError, match=says):
        connect(spec)


@pytest.mark.parametrize("spec", ["spec-kitty:9.9.9", "spec-kitty"])
def test_a_released_version_that_is_not_installed_says_how_to_get_it(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITTY_RELEASED", str(tmp_path))
    with pytest.raises(ImplementationError, match=r"is not installed .*kitty-conform run --install spec-kitty:\d"):
        connect(spec)


# --- names


def test_the_names_of_entry_points() -> None:
    assert {"reference", "spec-kitty"} <= set(names())
    assert names() == sorted(names())


@pytest.mark.parametrize("spec", ["nobody", "", "null", "mutant", "reference:", "kitty:reference", "REFERENCE"])
def test_an_unknown_name_lists_the_known_ones(spec: str) -> None:
    known = Settings(implementations={"from-file": "reference"})
    with pytest.raises(ImplementationError) as caught:
        connect(spec, settings=known, extra={"from-hook": Named})
    text = str(caught.value)
    assert f"unknown implementation {spec!r}" in text
    for name in ("from-file", "from-hook", "reference", "spec-kitty"):
        assert name in text.partition("known names:")[2]


def test_a_name_of_the_settings(tmp_path: Path) -> None:
    read = settings(tmp_path, '[tool.kitty.implementations]\nmine = "served:reference"\n')
    with connect("mine", settings=read) as session:
        assert isinstance(session, Program)
        assert session.greeting.name == "reference"


def test_an_alias_of_an_alias(tmp_path: Path) -> None:
    read = settings(tmp_path, '[tool.kitty.implementations]\na = "b"\nb = "reference"\n')
    with connect("a", settings=read) as session:
        assert session.greeting.name == "reference"


@pytest.mark.parametrize(
    ("table", "route"), [({"a": "a"}, "a"), ({"a": "b", "b": "a"}, "a -> b"), ({"a": "b", "b": "b"}, "a -> b")]
)
def test_an_alias_of_itself_is_refused(table: dict[str, str], route: str) -> None:
    with pytest.raises(ImplementationError, match=f"implementation 'a' is defined by itself: {route}"):
        connect("a", settings=Settings(implementations=table))


def test_a_name_of_a_hook_wins_over_the_settings() -> None:
    known = Settings(implementations={"mine": "reference"})
    with connect("mine", settings=known, extra={"mine": Named}) as session:
        assert session.greeting.name == "hooked"
        assert session.spec == "mine"


def test_a_name_of_a_hook_may_be_a_spec() -> None:
    with connect("mine", extra={"mine": "null:refuse"}) as session:
        assert session.greeting.name == "null:refuse"


def test_a_name_of_the_settings_may_lead_to_one_of_a_hook() -> None:
    with connect("a", settings=Settings(implementations={"a": "b"}), extra={"b": Named}) as session:
        assert session.greeting.name == "hooked"


# --- [tool.kitty]


def test_no_file_and_no_table_are_the_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "pyproject.toml") == Settings()
    assert settings(tmp_path, "[tool.ruff]\nline-length = 120\n") == Settings()
    assert settings(tmp_path, "") == Settings()


def test_every_key_of_the_table(tmp_path: Path) -> None:
    text = '[tool.kitty]\nimplementation = "mine"\nprofile = "spec-kitty-3.2"\nimplementations = {mine = "reference"}\n'
    assert settings(tmp_path, text) == Settings("mine", {"mine": "reference"}, "spec-kitty-3.2")


def test_an_unknown_key_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        ImplementationError, match=r"pyproject.toml: unknown keys in \[tool.kitty\]: colour, size; known"
    ) as caught:
        settings(tmp_path, '[tool.kitty]\nsize = 5\ncolour = "tabby"\n')
    assert "implementation, implementations, profile" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("implementation = 5", "implementation is a text"),
        ('profile = ["contract-320"]', "profile is a text"),
        ('implementations = "reference"', "maps names to texts"),
        ('implementations = ["reference"]', "maps names to texts"),
        ("implementations = {mine = 5}", "maps names to texts"),
        ('implementations = {mine = ["./adapter"]}', "maps names to texts"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ImplementationError, match=f"pyproject.toml: .*{message}"):
        settings(tmp_path, f"[tool.kitty]\n{line}\n")


@pytest.mark.parametrize("text", ["tool = 5", "[tool]\nkitty = 5", '[[tool.kitty]]\nprofile = "contract-320"'])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImplementationError, match=r"pyproject.toml"):
        settings(tmp_path, text)


@pytest.mark.parametrize("data", [b"[tool.kitty", b"profile = ", b"profile = '\xff'"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_bytes(data)
    with pytest.raises(ImplementationError, match=r"pyproject.toml: "):
        read_settings(file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImplementationError, match="directory"):
        read_settings(tmp_path)


def test_an_in_process_null_keeps_its_promise() -> None:
    with connect("null:crash") as session:
        outcome = session.ask(State(root="/r", mission="m"), deadline=PATIENT)
    assert outcome.kind is OutcomeKind.CRASHED
    assert "crashed on purpose" in outcome.value["message"]
