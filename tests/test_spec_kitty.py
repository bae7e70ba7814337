from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kitty_reliability.formats.prompts import PROMPT_FIELDS, encode_prompt_values
from kitty_reliability.implementations import released
from kitty_reliability.implementations.base import ImplementationError
from kitty_reliability.implementations.processes import shell_line
from kitty_reliability.implementations.protocol import (
    Capability,
    Diff,
    Dispatch,
    Events,
    Materialize,
    Open,
    OutcomeKind,
    Prompt,
    Signoff,
    Start,
    State,
    Surface,
    Transition,
)
from kitty_reliability.implementations.spec_kitty import SpecKitty
from processes import is_gone

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the fake command is a script with a #! line, and signals are POSIX"
)

FAKE = """#!{python}
import json, os, signal, subprocess, sys, time
if "--help" in sys.argv:
    print("Examples:\\n    spec-kitty emit --not-an-option")
    for option in ("--to", "--actor", "--force", "--reason", "--review-ref", "--workspace-context"):
        print("| *  " + option + "  TEXT  anything |")
    sys.exit(0)
if "--version" in sys.argv:
    print("a banner\\n   v9.9.9\\nspec-kitty-cli version 9.8.7")
    sys.exit(0)
{body}
"""


class Bench:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "repo"
        self.mission = self.root / "kitty-specs" / "demo"
        self.mission.mkdir(parents=True)
        self.executable = folder / "spec-kitty"
        self.session: SpecKitty | None = None

    def answering(self, body: str, **environment: str) -> SpecKitty:
        self.executable.write_text(FAKE.format(python=sys.executable, body=body), encoding="utf-8")
        self.executable.chmod(self.executable.stat().st_mode | stat.S_IXUSR)
        self.session = SpecKitty(self.executable, environment=environment)
        return self.session

    def printing(self, status: int = 0, stdout: str = "", stderr: str = "") -> SpecKitty:
        return self.answering(f"sys.stdout.write({stdout!r}); sys.stderr.write({stderr!r}); sys.exit({status})")

    def move(self, to: str = "claimed", **fields: Any) -> Transition:
        fields = {"actor": "ann", **fields}
        return Transition(root=str(self.root), mission="demo", work_package="WP01", to=to, **fields)


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    bench = Bench(tmp_path)
    yield bench
    if bench.session is not None:
        bench.session.close()


def test_success_is_what_the_command_claims(bench: Bench) -> None:
    told = {"event_id": "E1", "wp_id": "WP01", "from_lane": "planned", "to_lane": "claimed", "actor": "ann"}
    outcome = bench.printing(stdout=json.dumps(told), stderr="warning: old\n").ask(bench.move())
    assert outcome.ok, outcome
    assert outcome.value == {
        "changed": True,
        "event_id": "E1",
        "work_package_id": "WP01",
        "from_lane": "planned",
        "to_lane": "claimed",
        "status_events_path": None,
    }
    assert outcome.evidence["exit_status"] == 0
    assert outcome.evidence["stderr"] == "warning: old\n"
    assert outcome.seconds > 0


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "kind", "message"),
    [
        (
            1,
            '{"error": "Illegal transition: blocked -> done"}',
            "",
            OutcomeKind.REFUSED,
            "Illegal transition",
        ),
        (
            1,
            '{"error": "Transition requires actor identity"}',
            "",
            OutcomeKind.REFUSED,
            "Transition requires",
        ),
        (
            1,
            '{"error": "Invalid JSON on line 3: Illegal transition"}',
            "",
            OutcomeKind.FAILED,
            "Invalid JSON",
        ),
        (1, '{"error": "something new"}', "", OutcomeKind.FAILED, "something new"),
        (
            1,
            '{"error": "Unknown lane: x", "diagnostic_code": "C"}',
            "",
            OutcomeKind.FAILED,
            "Unknown lane: x",
        ),
        (
            2,
            "",
            'warning\n{\n  "error": "mission_not_found",\n  "handle": "h"\n}\n',
            OutcomeKind.REFUSED,
            "mission",
        ),
        (2, "", "Usage: spec-kitty ...\nNo such option\n", OutcomeKind.REFUSED, "Usage"),
        (1, "", "a sentence", OutcomeKind.FAILED, "a sentence"),
        (1, "", "", OutcomeKind.FAILED, "exit status 1 without a word"),
    ],
)
def test_what_it_declines(bench: Bench, status: int, stdout: str, stderr: str, kind: OutcomeKind, message: str) -> None:
    outcome = bench.printing(status, stdout, stderr).ask(bench.move())
    assert outcome.kind is kind
    assert outcome.value["message"].startswith(message)
    # The diagnostic is the command's own, key for key.
    told = json.loads(stdout) if stdout else {}
    assert told.items() <= outcome.value.items()


def test_a_hung_command_is_killed_with_its_children(bench: Bench, tmp_path: Path) -> None:
    note = tmp_path / "child"
    session = bench.answering(
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\ntime.sleep(60)"
    )
    started = time.monotonic()
    outcome = session.ask(State(root=str(bench.root), mission="demo"), deadline=2)
    assert outcome.kind is OutcomeKind.HUNG
    assert time.monotonic() - started < 20
    assert is_gone(int(note.read_text()))


def test_a_child_that_outlives_the_command_ends_with_the_session(bench: Bench, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells the environment of a process")
    note = tmp_path / "child"
    session = bench.answering(
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "child = subprocess.Popen(sleep, start_new_session=True)\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        'print(\'{"work_packages": [{"id": "WP01", "lane": "genesis"}]}\')'
    )
    outcome = session.ask(State(root=str(bench.root), mission="demo"), deadline=20)
    assert outcome.value["lanes"] == {"WP01": "genesis"}
    session.close()
    assert is_gone(int(note.read_text()))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("os._exit(137)", "ended by SIGKILL"),
        ("raise OSError('no disk')", "traceback: OSError: no disk"),
    ],
)
def test_crashes(bench: Bench, body: str, message: str) -> None:
    outcome = bench.answering(body).ask(bench.move())
    assert (outcome.kind, outcome.value["message"]) == (OutcomeKind.CRASHED, message)


@pytest.mark.parametrize(
    "stdout",
    [
        "",
        "moved",
        "[1]",
        '{"wp_id": "WP01"}',
        'Connection failed\n{"event_id": "E"}',
        '{"error": "but exit status 0"}',
    ],
)
def test_success_without_an_answer_is_garbled(bench: Bench, stdout: str) -> None:
    assert bench.printing(stdout=stdout).ask(bench.move()).kind is OutcomeKind.GARBLED


def test_bytes_that_are_not_utf_8_are_garbled(bench: Bench) -> None:
    session = bench.answering('sys.stdout.buffer.write(b\'{"event_id": "\\xff"}\')')
    assert session.ask(bench.move()).kind is OutcomeKind.GARBLED


def test_the_command_line_says_what_the_request_says(bench: Bench) -> None:
    session = bench.printing()
    request = bench.move("in_progress", actor=None, force=True, reason="r", workspace_context="")
    json_surface = session.ask(Surface(request=request)).value
    command = [str(bench.executable), "agent", "status", "emit", "WP01", "--to", "in_progress", "--actor", ""]
    command += ["--force", "--reason", "r", "--workspace-context", "", "--mission", "demo"]
    assert json_surface["argv"] == [*command, "--json"]
    assert json_surface["cwd"] == str(bench.root)
    assert session.ask(Surface(request=request, format="text")).value["argv"] == command
    assert session.ask(request).evidence["argv"] == json_surface["argv"]


def test_what_the_command_has_no_words_for_is_unsupported(bench: Bench) -> None:
    session = bench.printing()
    verdict = {"reviewer": "r", "verdict": "approved", "reference": "PR#1"}
    where: Any = {"root": str(bench.root), "mission": "demo"}
    for request in (
        bench.move("approved", review_result=verdict),
        bench.move(policy_metadata={"agent": "a"}),
        State(recover=True, **where),
        Events(**where),
        Surface(request=bench.move("approved", review_result=verdict)),
    ):
        assert session.ask(request).kind is OutcomeKind.UNSUPPORTED
    assert "--review-result-json" in session.ask(bench.move(review_result=verdict)).value["reason"]


def test_the_environment_is_private(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "PYTHONPATH", "SPEC_KITTY_HOME", "https_proxy", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "/outside")
    monkeypatch.setenv("GITHUB_ACTIONS", "kept")
    session = bench.answering("print(json.dumps(dict(os.environ)))", EXTRA="1")
    request = Materialize(root=str(bench.root), mission="demo")
    seen = session.ask(request).value["snapshot"]
    assert not [name for name, value in seen.items() if value == "/outside"]
    assert "GIT_DIR" not in seen
    assert "PYTHONDONTWRITEBYTECODE" not in seen
    assert (seen["EXTRA"], seen["GITHUB_ACTIONS"]) == ("1", "kept")
    assert Path(seen["HOME"], ".gitconfig").is_file()
    added = session.ask(Surface(request=request)).value["env"]
    assert added.items() <= seen.items()
    with session.sibling({"PYTHONPATH": "/given"}) as other:
        theirs = other.ask(request).value["snapshot"]
        assert (theirs["EXTRA"], theirs["PYTHONPATH"]) == ("1", "/given")
        assert theirs["HOME"] != seen["HOME"]
    assert not Path(theirs["HOME"]).exists()


def test_hello_and_open(bench: Bench) -> None:
    session = bench.printing()
    assert session.greeting.version == "9.8.7"
    does = {
        "write",
        "snapshot",
        "start",
        "surface",
        "commit",
        "merge_logs",
        "prompt",
        "diff",
        "signoff",
        "sync",
        "guard",
    }
    assert session.greeting.capabilities == does
    opened = session.ask(Open(root=str(bench.root), mission="demo"))
    assert opened.value["mission_id"] is None
    (bench.mission / "meta.json").write_text('{"mission_id": "M"}', encoding="utf-8")
    opened = session.ask(Open(root=str(bench.root), mission="demo"))
    assert opened.value["mission_id"] == "M"
    assert opened.value["status_events_path"] == str(bench.mission / "status.events.jsonl")
    for name in ("none", "../kitty-specs/demo", "..", ".", ""):
        assert session.ask(Open(root=str(bench.root), mission=name)).kind is OutcomeKind.REFUSED
    bench.executable.unlink()
    with SpecKitty(bench.executable) as other, pytest.raises(ImplementationError, match="cannot be started"):
        _ = other.greeting


def test_finding_a_released_version(tmp_path: Path) -> None:
    for target in ("", "3.2.0a8"):
        with pytest.raises(ImplementationError, match=r"kitty-conform run --install spec-kitty:3\.2"):
            released.find(target, tmp_path)
    # Half an installation is none.
    home = tmp_path / "3.2.7"
    (home / "bin").mkdir(parents=True)
    with pytest.raises(ImplementationError, match="not installed"):
        released.find("", tmp_path)
    (home / ".complete").touch()
    assert released.find("", tmp_path) == released.find("3.2.7", tmp_path) == home / "bin" / "spec-kitty"
    assert released.install("3.2.7", tmp_path) == home / "bin" / "spec-kitty"
    with pytest.raises(ImplementationError, match="neither a version nor an executable"):
        released.find(str(tmp_path / "spec-kitty"), tmp_path)
    assert released.find(sys.executable, tmp_path) == Path(sys.executable).absolute()


def test_an_installation_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[list[str]] = []

    def run(argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        steps.append(argv)
        return subprocess.CompletedProcess(argv, 1 if "pip" in argv else 0, "no such release\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ImplementationError, match=r"spec-kitty 3\.2\.5 cannot be installed:\nno such release"):
        released.install("3.2.5", tmp_path)
    assert steps[-1][-3:] == ["spec-kitty-cli==3.2.5", "pytest", "typer<0.25.2"]
    with pytest.raises(ImplementationError, match="cannot be installed"):
        released.install("3.2.6", tmp_path)
    assert steps[-1][-2:] == ["spec-kitty-cli==3.2.6", "pytest"]
    with pytest.raises(ImplementationError, match="no version"):
        released.install("../elsewhere", tmp_path)


def _start(bench: Bench, **fields: Any) -> Start:
    return Start(**{"root": str(bench.root), "mission": "demo", "work_package": "WP01", "actor": "ann", **fields})


@pytest.mark.parametrize(
    ("kind", "said", "changed", "lane"),
    [
        (
            "implement",
            "→ WP01 moved to 'doing'\n✓ Claimed WP01 (agent: ann, PID: 7, target: main)\n",
            True,
            "in_progress",
        ),
        ("implement", "WP01 is already in lane: in_progress. Action will not move it\n", False, "in_progress"),
        ("review", "✓ Claimed WP01 for review (agent: ann, PID: 7)\n", True, "in_review"),
        ("review", "WP01 is already in lane: in_review. Workflow will not move it\n", False, "in_review"),
    ],
)
def test_a_start_is_what_the_text_of_the_command_claims(
    bench: Bench, kind: str, said: str, changed: bool, lane: str
) -> None:
    outcome = bench.printing(stdout=said).ask(_start(bench, kind=kind))
    assert outcome.ok, outcome
    assert (outcome.value["changed"], outcome.value["to_lane"], outcome.value["event_ids"]) == (changed, lane, [])
    argv = outcome.evidence["argv"]
    assert argv[1:] == ["agent", "action", kind, "WP01", "--agent=ann", "--mission", "demo"]


def test_a_start_that_is_refused_says_why_whatever_else_is_printed(bench: Bench) -> None:
    session = bench.printing(1, "Error: WP01 is already claimed by 'bob'\n", "warning: old\n")
    outcome = session.ask(_start(bench))
    assert outcome.kind is OutcomeKind.FAILED
    assert "claimed by 'bob'" in outcome.value["message"]
    assert bench.printing(0, "done\n").ask(_start(bench)).kind is OutcomeKind.GARBLED


def test_a_start_that_the_command_cannot_be_asked_for_is_unsupported(bench: Bench) -> None:
    session = bench.printing()
    structured = dict.fromkeys(("role", "profile", "tool", "model"), "x")
    for request in (_start(bench, actor=structured), _start(bench, process_id=7)):
        assert session.ask(request).kind is OutcomeKind.UNSUPPORTED
    assert session.ask(Surface(request=_start(bench), format="json")).kind is OutcomeKind.UNSUPPORTED
    named = session.ask(Surface(request=_start(bench), format="text"))
    assert named.value["argv"][1:4] == ["agent", "action", "implement"]
    assert named.value["cwd"] == str(bench.root)


def test_a_prompt_is_the_one_that_the_text_names(bench: Bench, tmp_path: Path) -> None:
    request = Prompt(root=str(bench.root), mission="demo", work_package="WP01", actor="rev", temporary=str(tmp_path))
    path = tmp_path / "a prompt.md"
    values = dict.fromkeys(PROMPT_FIELDS, "x")
    path.write_bytes(encode_prompt_values(values, "Review it.\n"))
    outcome = bench.printing(stdout=f"Read it:\n    cat {path}\n").ask(request)
    assert outcome.ok, outcome
    assert outcome.value == {"path": str(path), "metadata": values}
    path.unlink()
    session = bench.printing(stdout=f"    cat {path}\n")
    assert session.ask(request).value["metadata"] == {}
    named = session.ask(Surface(request=request, format="text"))
    assert named.value["env"]["TMPDIR"] == str(tmp_path)
    assert bench.printing(0, "done\n").ask(request).kind is OutcomeKind.GARBLED
    assert bench.printing(1, "Error: held by 'bob'\n").ask(request).kind is OutcomeKind.FAILED


def test_a_diff_is_every_command_that_is_shown(bench: Bench, tmp_path: Path) -> None:
    request = Diff(root=str(bench.root), mission="demo", work_package="WP01")
    path = tmp_path / "prompt.md"
    values = {**dict.fromkeys(PROMPT_FIELDS, "x"), "lane_worktree": "/w", "base_ref": "b", "lane_branch": "l"}
    body = (
        '  "diff_command": "git diff \\u00df..HEAD",\n  git log b..l --oneline   # its commits\n  git diff b..l\nread git log\n'
        "║ WORK PACKAGE PROMPT BEGINS ║\ngit diff of-the-task\n"
    )
    path.write_bytes(encode_prompt_values(values, body))
    shown = f"   Review diff: git log b..l --oneline\n    cat {path}\n"
    session = bench.printing(stdout=shown)
    assert Capability.DIFF in session.greeting.capabilities
    outcome = session.ask(request)
    assert outcome.ok, outcome
    lines = ["git log b..l --oneline", "git diff ß..HEAD", "git log b..l --oneline   # its commits", "git diff b..l"]
    assert outcome.value["lines"] == lines
    assert outcome.value["commands"] == [shell_line(line) for line in lines]
    assert [outcome.value[key] for key in ("cwd", "base_ref", "lane_branch")] == ["/w", "b", "l"]
    path.write_bytes(encode_prompt_values(values, '  "diff_command": "git \\q",\n'))
    assert bench.printing(stdout=f"    cat {path}\n").ask(request).value["lines"] == ['"git \\q"']
    path.write_bytes(encode_prompt_values(values, "nothing\n"))
    assert bench.printing(stdout=f"    cat {path}\n").ask(request).kind is OutcomeKind.GARBLED
    path.write_bytes(b"nothing\n")
    assert bench.printing(stdout=shown).ask(request).kind is OutcomeKind.GARBLED
    # Before 3.2 a prompt has no frontmatter.
    path.write_text(
        "Branch:      l l\nBase branch: b (2 commits ahead)\n\nReview commands:\n  cd /a w\n  git diff b..l\n",
        encoding="utf-8",
    )
    old = bench.printing(stdout=shown).ask(request).value
    assert [old[key] for key in ("cwd", "base_ref", "mission_branch", "lane_branch")] == ["/a w", "b", "b", "l l"]
    assert old["lines"] == ["git log b..l --oneline", "git diff b..l"]
    assert bench.printing(1, "Error: not for review\n").ask(request).kind is OutcomeKind.FAILED


def test_a_prompt_that_the_command_cannot_be_asked_for_is_unsupported(bench: Bench) -> None:
    session = bench.printing()
    where = {"root": str(bench.root), "mission": "demo", "work_package": "WP01"}
    for request in (
        Prompt(**where, kind="implement"),
        Prompt(**where, lane_worktree="/x"),
        Prompt(**{**where, "work_package": "WP01\0"}),
        Dispatch(**where, prompt_path="/x"),
    ):
        assert session.ask(request).kind is OutcomeKind.UNSUPPORTED


def _signoff(bench: Bench) -> Signoff:
    return Signoff(root=str(bench.root), mission="demo")


@pytest.mark.parametrize(
    ("path", "verdict", "artifact", "event"),
    [
        ("kitty-specs/demo/tasks/WP01-x/review-cycle-2.md", "rejected", "rejected", None),
        (None, "changes_requested", None, "changes_requested"),
    ],
)
def test_a_signoff_is_what_a_dry_run_of_the_merge_claims(
    bench: Bench, path: str | None, verdict: str, artifact: str | None, event: str | None
) -> None:
    blocker = {
        "diagnostic_code": "REJECTED_REVIEW_ARTIFACT_CONFLICT",
        "branch_or_work_package": "WP01",
        "lane": "done",
        "latest_review_cycle_path": path,
        "latest_review_cycle_verdict": verdict,
    }
    told = {"mission_slug": "demo", "blocked": True, "blockers": [blocker]}
    outcome = bench.printing(1, json.dumps(told)).ask(_signoff(bench))
    assert outcome.ok, outcome
    assert outcome.value["blocked"] is True
    assert outcome.value["findings"] == [{"mission_slug": "demo", **blocker}]
    assert outcome.value["reviews"] == [
        {
            "work_package_id": "WP01",
            "lane": "done",
            "artifact_path": path,
            "artifact_verdict": artifact,
            "event_verdict": event,
            "overridden": False,
        }
    ]
    assert outcome.evidence["argv"][1:] == ["merge", "--mission", "demo", "--dry-run", "--json"]


def test_a_signoff_that_nothing_blocks_shows_no_reviews(bench: Bench) -> None:
    outcome = bench.printing(0, json.dumps({"mission_slug": "demo", "lanes": []})).ask(_signoff(bench))
    assert outcome.ok, outcome
    assert (outcome.value["blocked"], outcome.value["reviews"], outcome.value["findings"]) == (False, [], [])


@pytest.mark.parametrize(
    ("status", "stdout", "kind"),
    [
        (1, '{"ready": false, "blocker": "missing_mission_branch"}', "failed"),
        (1, "", "failed"),
        (0, "all is well", "garbled"),
        (1, '{"blocked": true, "blockers": ["WP01"]}', "garbled"),
        (1, '{"blocked": true, "blockers": [{"branch_or_work_package": 1}]}', "garbled"),
    ],
)
def test_a_dry_run_that_ends_otherwise_is_no_signoff(bench: Bench, status: int, stdout: str, kind: str) -> None:
    assert str(bench.printing(status, stdout).ask(_signoff(bench)).kind) == kind


def test_a_signoff_as_text_is_the_same_dry_run(bench: Bench) -> None:
    answer = bench.printing().ask(Surface(request=_signoff(bench), format="text"))
    assert answer.value["argv"][1:] == ["merge", "--mission", "demo", "--dry-run"]


def test_a_line_of_the_shell_ends_with_what_it_began_and_with_its_own_status(tmp_path: Path) -> None:
    late = "(sleep 0.2; echo late > late) & false"

    assert subprocess.run(shell_line(late), cwd=tmp_path).returncode == 1
    assert (tmp_path / "late").read_text() == "late\n"
