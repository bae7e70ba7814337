from __future__ import annotations

import functools
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from kitty_reliability import Mission, mission
from kitty_reliability.implementations.program import Program
from kitty_reliability.implementations.protocol import (
    ANSWERS,
    REQUEST,
    Batch,
    Diff,
    Dispatch,
    Events,
    Guard,
    Hello,
    HelloAnswer,
    Materialize,
    MergeLogs,
    Move,
    Open,
    Outcome,
    OutcomeKind,
    Preflight,
    Prompt,
    Recover,
    Repair,
    Reply,
    Request,
    Signoff,
    Start,
    State,
    Surface,
    Transition,
    protocol_schema,
)

PUPPETS = Path(__file__).parent / "puppets"
SERVE = [sys.executable, "-m", "kitty_reliability.implementations.serve"]
OUTCOMES = {
    "ok": {"anything": 1},
    "refused": {"message": "m"},
    "failed": {"message": "m", "line": 3},
    "unknown": {"message": "m"},
    "unsupported": {"reason": "r"},
}
FULL = Transition(
    root="/r",
    mission="m",
    work_package="WP01",
    to="approved",
    actor="ann \u00e9\u4e2d",
    force=True,
    reason='because\nof "it"',
    review_ref="PR#1",
    evidence={"review": {"reviewer": "bo", "verdict": "approved", "reference": "PR#1"}},
    review_result={"reviewer": "bo", "verdict": "approved", "reference": "PR#1"},
    workspace_context="worktree:lane-a",
    execution_mode="direct_repo",
    policy_metadata={"agent": None, "n": [1, 2.5]},
)
REQUESTS: list[Request] = [
    Hello(),
    Open(root="/r", mission="m"),
    Transition(root="/r", mission="m", work_package="WP01", to="claimed"),
    FULL,
    State(root="/r", mission="m"),
    State(root="/r", mission="m", recover=True),
    Events(root="/r", mission="m"),
    Materialize(root="/r", mission="m"),
    Surface(request=FULL, format="text"),
    Surface(request=State(root="/r", mission="m", recover=True)),
    Surface(request=Materialize(root="/r", mission="m")),
    Batch(root="/r", mission="m", moves=[Move(work_package="WP01", to="claimed", actor="a")]),
    Start(root="/r", mission="m", work_package="WP01", actor={"role": "implementer", "tool": "t"}, process_id=1),
    Recover(root="/r", mission="m", work_package="WP01", actor="a", reason="gone"),
    MergeLogs(base="%O", ours="%A", theirs="%B"),
    Repair(root="/r", mission="m"),
    Prompt(root="/r", mission="m", work_package="WP01", temporary="/tmp"),
    Dispatch(root="/r", mission="m", work_package="WP01", prompt_path="/p.md", requested={"base_ref": "x"}),
    Diff(root="/r", mission="m", work_package="WP01"),
    Surface(request=MergeLogs(base="%O", ours="%A", theirs="%B")),
    Guard(root="/r"),
    Preflight(root="/r", mission="m", publish=True),
    Signoff(root="/r", mission="m"),
    Surface(request=Guard(root="/r")),
]

hypothesis_profile = hypothesis_settings(database=None, derandomize=True, max_examples=200)


@functools.cache
def validator(name: str | None = None) -> Draft202012Validator:
    """Return what validates by the whole schema, or by one of its definitions."""
    schema = protocol_schema()
    if name is not None:
        del schema["anyOf"]
        schema["$ref"] = f"#/$defs/{name}"
    return Draft202012Validator(schema)


def told(subject: str, lines: list[bytes]) -> list[dict[str, Any]]:
    """Serve ``subject``, send it ``lines`` and return its replies."""
    sent = b"".join(line.rstrip(b"\n") + b"\n" for line in lines)
    done = subprocess.run([*SERVE, subject], input=sent, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


# --- replies


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_reply_has_one_outcome(kind: str) -> None:
    reply = Reply.model_validate_json(json.dumps({"id": 7, kind: OUTCOMES[kind]}))
    assert reply.id == 7
    assert reply.model_fields_set == {"id", kind}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(OUTCOMES, 2)))
def test_a_reply_with_two_outcomes_is_none(first: str, second: str) -> None:
    with pytest.raises(ValidationError, match="exactly one outcome, this one has"):
        Reply.model_validate({"id": 7, first: OUTCOMES[first], second: OUTCOMES[second]})


@pytest.mark.parametrize("kind", OUTCOMES)
def test_null_is_no_outcome(kind: str) -> None:
    with pytest.raises(ValidationError, match="exactly one outcome"):
        Reply.model_validate({"id": 7, kind: None})


@pytest.mark.parametrize(
    "message",
    [
        {"ok": {}},
        {"id": None, "ok": {}},
        {"id": 7, "ok": []},
        {"id": 7, "ok": {}, "more": 1},
        {"id": 7, "crashed": {"message": "m"}},
        {"id": 7, "refused": {}},
        {"id": 7, "failed": {"message": 5}},
        {"id": 7, "unsupported": {"message": "m"}},
    ],
    ids=json.dumps,
)
def test_what_is_no_reply(message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Reply.model_validate(message)
    assert not validator("Reply").is_valid(message)


def test_an_id_alone_is_no_reply() -> None:
    with pytest.raises(ValidationError, match="exactly one outcome, this one has none"):
        Reply.model_validate({"id": 7})


@pytest.mark.parametrize("number", ["7", True], ids=json.dumps)
def test_an_id_is_a_number(number: object) -> None:
    message = {"id": number, "ok": {}}
    assert not validator("Reply").is_valid(message)
    with pytest.raises(ValidationError):
        Reply.model_validate_json(json.dumps(message))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["id", *OUTCOMES, "message", "reason", "crashed"]) | st.text(max_size=4)
SOME_REPLY = st.dictionaries(NAMES, JSON | st.sampled_from(list(OUTCOMES.values())), max_size=4)


@given(SOME_REPLY | st.builds(lambda value, number: {**value, "id": number}, SOME_REPLY, st.integers()))
@hypothesis_profile
def test_an_arbitrary_object_is_a_reply_or_a_validation_error(message: dict[str, Any]) -> None:
    for read in (lambda: Reply.model_validate(message), lambda: Reply.model_validate_json(json.dumps(message))):
        try:
            reply = read()
        except ValidationError:
            continue
        (kind,) = reply.model_fields_set - {"id"}
        assert kind in OUTCOMES
        assert set(message) == {"id", kind}
        assert getattr(reply, kind) is not None


@given(st.binary(max_size=40))
@hypothesis_profile
def test_arbitrary_bytes_are_no_reply(line: bytes) -> None:
    with pytest.raises(ValidationError):
        Reply.model_validate_json(line)


# --- requests


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.operation)
def test_a_request_survives_the_way_through_json(request_: Request) -> None:
    assert REQUEST.validate_json(json.dumps(request_.model_dump(mode="json"))) == request_


@given(
    st.builds(
        Transition,
        root=st.text(),
        mission=st.text(),
        work_package=st.text(),
        to=st.text(),
        actor=st.none() | st.text(),
        force=st.booleans(),
        reason=st.none() | st.text(),
        evidence=st.none() | st.dictionaries(st.text(), st.none() | st.integers(-(2**53), 2**53) | st.text()),
    )
)
@hypothesis_profile
def test_any_transition_survives_the_way_through_json(request: Transition) -> None:
    line = json.dumps({"id": 1, **request.model_dump(mode="json")})
    assert "\n" not in line
    message = json.loads(line)
    del message["id"]
    assert REQUEST.validate_python(message) == request
    assert validator("RequestLine").is_valid({**message, "id": 1})


@pytest.mark.parametrize(
    "message",
    [
        {"operation": "dance"},
        {"operation": "open", "root": "/r"},
        {"operation": "state", "root": "/r", "mission": "m", "more": 1},
        {"operation": "transition", "root": "/r", "mission": "m", "to": "claimed"},
        {"operation": "surface", "request": {"operation": "hello"}},
        {"operation": "surface", "request": {"operation": "state", "root": "/r", "mission": "m"}, "format": "xml"},
    ],
    ids=json.dumps,
)
def test_what_is_no_request(message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        REQUEST.validate_python(message)
    assert not validator("RequestLine").is_valid({**message, "id": 1})


# --- the schema


def test_the_schema_is_a_json_schema() -> None:
    schema = protocol_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    schema = protocol_schema()
    text = json.dumps(schema)
    wanted = {part.partition('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}
    assert "Transition" in wanted
    assert wanted <= set(schema["$defs"])


def test_the_schema_has_the_answer_of_every_operation() -> None:
    definitions = protocol_schema()["$defs"]
    assert {f"{operation}_answer" for operation in ANSWERS} <= set(definitions)
    assert {request.operation for request in REQUESTS} == set(ANSWERS)


def test_the_schema_accepts_every_line_that_the_runner_sends(tmp_path: Path) -> None:
    record = tmp_path / "lines"
    with Program([sys.executable, str(PUPPETS / "records.py"), str(record)], "exec:records") as program:
        kinds = {program.ask(request, deadline=60).kind for request in REQUESTS}
    assert kinds == {OutcomeKind.REFUSED}
    lines = record.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(REQUESTS)
    for number, (line, request) in enumerate(zip(lines, REQUESTS, strict=True), start=1):
        message = json.loads(line)
        validator().validate(message)
        validator("RequestLine").validate(message)
        assert message.pop("id") == number
        assert REQUEST.validate_python(message) == request


@pytest.fixture
def built(tmp_path: Path) -> Mission:
    return mission(tmp_path, {"WP01": "planned", "WP02": "in_progress"})


def test_the_schema_accepts_every_reply_of_the_served_reference(built: Mission) -> None:
    where = {"root": str(built.root), "mission": built.slug}
    move: dict[str, Any] = {**where, "work_package": "WP01", "actor": "ann"}
    asked: list[tuple[Request, str]] = [
        (Hello(), "ok"),
        (Open(**where), "ok"),
        (State(**where), "ok"),
        (Transition(**move, to="claimed"), "ok"),
        (Transition(**move, to="claimed"), "ok"),
        (Transition(**move, to="done"), "refused"),
        (Transition(**move, to="nowhere"), "refused"),
        (Open(root=str(built.root), mission="another"), "refused"),
        (Events(**where), "ok"),
        (Materialize(**where), "ok"),
        (Surface(request=State(**where)), "ok"),
    ]
    lines = [json.dumps({"id": 100 + n, **request.model_dump(mode="json")}) for n, (request, _) in enumerate(asked)]
    replies = told("reference", [line.encode() for line in lines])
    with built.log.path.open("ab") as log:
        log.write(b'{"half')
    damaged = [State(**where, recover=True), State(**where), Events(**where)]
    asked += zip(damaged, ["ok", "failed", "failed"], strict=True)
    lines = [json.dumps({"id": 111 + n, **request.model_dump(mode="json")}) for n, request in enumerate(damaged)]
    replies += told("reference", [line.encode() for line in lines])

    assert len(replies) == len(asked)
    for number, (reply, (request, kind)) in enumerate(zip(replies, asked, strict=True), start=100):
        validator().validate(reply)
        validator("Reply").validate(reply)
        assert Reply.model_validate(reply).id == number
        assert set(reply) == {"id", kind}, reply
        if kind == "ok":
            validator(f"{request.operation}_answer").validate(reply["ok"])


@pytest.mark.parametrize("operation", ANSWERS)
def test_the_schema_refuses_an_answer_without_keys(operation: str) -> None:
    assert not validator(f"{operation}_answer").is_valid({})
    with pytest.raises(ValidationError):
        ANSWERS[operation].model_validate({})


@pytest.mark.parametrize(
    "message",
    [
        {"id": 1, "operation": "dance"},
        {"operation": "hello"},
        {"ok": {}},
        {"id": "1", "ok": {}},
        {"id": 1, "ok": {}, "more": 1},
        {"id": 1, "refused": {"diagnostic_code": "C"}},
        [],
        "hello",
    ],
    ids=json.dumps,
)
def test_the_schema_refuses_what_is_no_line_of_the_protocol(message: object) -> None:
    assert not validator().is_valid(message)


@pytest.mark.parametrize(
    "message",
    [
        {"id": 1, "refused": {"message": "m"}, "failed": {"message": "m"}},
        {"id": 1},
        {"id": 1, "ok": None},
        {"id": 1, "operation": "state"},
        {"id": 1, "operation": "hello", "more": 1},
    ],
    ids=json.dumps,
)
def test_the_schema_refuses_what_the_code_refuses(message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Reply.model_validate(message)
    with pytest.raises(ValidationError):
        REQUEST.validate_python({name: value for name, value in message.items() if name != "id"})
    assert not validator().is_valid(message)


# --- the other side


def test_what_is_no_request_is_refused_and_the_next_one_is_answered() -> None:
    lines = [
        b"prose",
        b"[]",
        b"{}",
        b'{"id": 3}',
        b'{"id": 4, "operation": "dance"}',
        b'{"id": 5, "operation": "hello"}',
    ]
    replies = told("reference", lines)
    assert [next(iter(set(reply) - {"id"})) for reply in replies] == ["refused"] * 5 + ["ok"]
    assert [reply["id"] for reply in replies] == [0, 0, 0, 3, 4, 5]
    assert replies[0]["refused"]["message"].startswith("not a request of this protocol")
    for reply in replies:
        validator().validate(reply)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [([], 2, "usage: "), (["a", "b"], 2, "usage: "), (["nobody"], 3, "error: unknown implementation 'nobody'")],
)
def test_what_cannot_be_served_is_said_on_stderr(arguments: list[str], status: int, message: str) -> None:
    done = subprocess.run([*SERVE, *arguments], input=b"", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.decode().startswith(message)
    assert b"Traceback" not in done.stderr


def test_an_outcome_reads_as_one_line() -> None:
    assert str(Outcome.refused({"message": "no", "diagnostic_code": "CODE"})) == "refused [CODE] no"
    assert str(Outcome.unsupported("a viewer")) == "unsupported a viewer"
    assert str(Outcome(OutcomeKind.OK, {"log": None})) == "ok {'log': None}"


@pytest.mark.parametrize("seconds", [-1, 3601, 1e308, float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["typical_seconds", "lock_seconds", "sync_seconds"])
def test_nobody_declares_that_he_takes_for_ever(key: str, seconds: float) -> None:
    with pytest.raises(ValidationError, match=key):
        HelloAnswer(name="n", version="1", protocol=1, profile="contract-320", **{key: seconds})
