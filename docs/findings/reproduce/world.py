"""What the reproductions share: a mission, the command that is asked about it, and how a script ends.

Standard library only. ``python SCRIPT.py PATH/TO/spec-kitty`` exits with 1 when the promise is broken, 0 when it is
kept, 2 when the version cannot be asked.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from mission import Mission

#: Seconds that a command may take.
LIMIT = 300


class Run:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        """The one JSON object on stdout, or an empty one."""
        try:
            value = json.loads(self.out)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def missing(self, *more):
        """Return which keys of a diagnostic, and which of ``more``, the JSON object lacks."""
        keys = ("diagnostic_code", "violated_invariant", "remediation", *more)
        return [key for key in keys if not self.json.get(key)]

    def prompt(self):
        """Return the file with the prompt that this start of a review names."""
        named = re.findall(r"^[ \t]+cat (\S.*?)[ \t]*$", self.out, re.MULTILINE)
        control(self.status == 0 and named, self)
        return Path(named[-1])

    def diffs(self):
        """Return the commands that this start of a review shows for its diff."""
        return re.findall(r"Review diff: (git .+?)[ \t]*$", self.out, re.MULTILINE)

    def __str__(self):
        return f"exit status {self.status}, stdout {self.out.strip()[:400]!r}, stderr {self.err.strip()[-300:]!r}"


class World(Mission):
    """A mission and the command, which the command line names."""

    command = sys.argv[1] if len(sys.argv) > 1 else "spec-kitty"

    def action(self, kind, package, actor, **keys):
        """Run ``agent action implement`` or ``review``."""
        return self.run("agent", "action", kind, package, f"--agent={actor}", "--mission", self.slug, **keys)

    def work(self, package="WP01", lane="lane-a"):
        """Start ``package`` and commit a file of it in its lane: the legal twin of much that is asked behind it."""
        control(self.action("implement", package, "ann").status == 0, "the legal twin fails")
        taken, said = self.change(f"src/{package.lower()}/a.py", lane)
        control(taken, f"the lane takes no commit: {said}")

    def hand_over(self, *lanes):
        """Take WP01, which is in progress since just now, on to for_review and through ``lanes``."""
        self.add(*self.walk("WP01", "for_review", *lanes, first=40, before="in_progress", now=True))

    def guarded(self):
        """Guard the commits of the one lane that the work packages share, and begin with WP01 there."""
        with (self.root / ".kittify" / "config.yaml").open("a") as config:
            config.write("policy: {commit_guard: {enabled: true, mode: block}}\n")
        self.startable(shared=True)
        self.work()

    def stopped(self, name):
        """See that a commit of ``name``, no file of WP01, is stopped; take it back, and return what was said."""
        taken, said = self.change(name)
        control(not taken, f"{name} is let through: {said}")
        self.git("reset", "-q", "--hard", cwd=self.lane)
        return said

    def change(self, name, lane="lane-a"):
        """Commit a new file in a lane; return whether that was let through, and what was said."""
        worktree = self.lane.with_name(f"{self.slug}-{lane}")
        path = worktree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
        self.git("add", "-A", cwd=worktree)
        return self.staged(name, worktree)

    def staged(self, message, worktree=None):
        """Commit what is staged in a lane; return whether that was let through, and what was said."""
        done = self._git("commit", "-qm", message, cwd=worktree or self.lane)
        print(f"$ git commit {message}\n  exit status {done.returncode}")
        return done.returncode == 0, (done.stdout + done.stderr).strip()[-600:]

    def emit(self, package, lane, *options, actor="ann", **keys):
        words = ["agent", "status", "emit", package, "--to", lane, "--actor", actor, *options]
        return self.run(*words, "--mission", self.slug, "--json", **keys)

    def lanes(self, **keys):
        """Return the lane of each work package as ``tasks status`` says it, and the run."""
        done = self.run("agent", "tasks", "status", "--mission", self.slug, "--json", **keys)
        packages = done.json.get("work_packages") or []
        return {package["id"]: package["lane"] for package in packages}, done

    def merge_plan(self):
        """Run ``merge`` without merging anything."""
        return self.run("merge", "--mission", self.slug, "--dry-run", "--json")

    def merge_logs(self, ours, theirs):
        """Run the merge driver on this log with the line ``ours`` and with the lines ``theirs`` behind it.

        Return the run and the text of the result.
        """
        files = [self.base / name for name in ("ancestor", "ours", "theirs")]
        for path, lines in zip(files, ((), (ours,), theirs), strict=True):
            path.write_text(self.log.read_text() + "".join(line + "\n" for line in lines))
        return self.run("merge-driver-event-log", *map(str, files)), files[1].read_text()

    def changed_by(self, *words):
        """Return the files of the checkout, besides logs, that the command of ``words`` changes, and the run."""
        before = self._files()
        run = self.run(*words, "--mission", self.slug, "--json")
        after = self._files()
        return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)), run

    def _files(self):
        files = (path for path in self.root.rglob("*") if path.is_file() and "/logs/" not in str(path))
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}

    def run(self, *arguments, cwd=None, **environment):
        """Run the command, with ``environment`` added."""
        done = subprocess.run(
            [self.command, *arguments], cwd=cwd or self.root, env={**self.environment, **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="backslashreplace", timeout=LIMIT, check=False,
        )  # fmt: skip
        shown = [word if len(word) < 60 else word[:57] + "..." for word in arguments]
        print(f"$ spec-kitty {' '.join(shown)}\n  exit status {done.returncode}")
        return Run(done)


def control(holds, what):
    """End with 2 unless the legal twin worked: what follows would prove nothing."""
    if not holds:
        print(f"NOT REACHED: {what}")
        raise SystemExit(2)


def judge(broken, observed):
    """Say what was observed, and end with 1 when the promise is broken."""
    print(f"{'BROKEN' if broken else 'KEPT'}: {observed}")
    raise SystemExit(1 if broken else 0)


def row_with(key, text):
    """Return the scenario of a row whose ``key`` is the JSON ``text``: it has to be refused with its line number."""

    def scenario(world):
        w = world()
        w.add(w.row("WP02", "planned", "claimed", 10))
        control(w.lanes()[1].status == 0, "the log is not read")
        w.add(w.row("WP01", "planned", "claimed", 11, **{key: "VALUE"}).replace('"VALUE"', text))
        lanes, run = w.lanes()
        judge(
            "Traceback" in run.err or run.status == 0 or "line 4" not in run.out + run.err,
            f"the row is line 4; {lanes}; {run}",
        )

    return scenario


def main(scenario):
    """Run ``scenario`` in a world that is removed afterwards."""
    made = []

    def world(*arguments, **keys):
        made.append(World(*arguments, **keys))
        return made[-1]

    try:
        scenario(world)
    except (OSError, subprocess.SubprocessError, LookupError, ValueError) as error:
        print(f"NOT REACHED: {type(error).__name__}: {error}")
        raise SystemExit(2) from None
    finally:
        for one in made:
            shutil.rmtree(one.base, ignore_errors=True)
