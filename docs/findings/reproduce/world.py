"""What the reproductions share: a mission in a repository of its own, a quiet home, the command and git.

Standard library only. ``python SCRIPT.py PATH/TO/spec-kitty`` exits with 1 when the promise is broken, 0 when it is
kept, 2 when the version cannot be asked. Nothing outside a temporary directory is touched; nothing reaches a network.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MISSION_ID = "01E2D7M870BGGP49DN6WXX7XS0"
#: Seconds that a command may take.
LIMIT = 300


def event(number):
    """Return the event id number ``number`` of this mission."""
    return f"01E2D7P2T0NR1NK0HYZ7RAV{number:03}"


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

    def __str__(self):
        return f"exit status {self.status}, stdout {self.out.strip()[:400]!r}, stderr {self.err.strip()[-300:]!r}"


class Service(BaseHTTPRequestHandler):
    """Logs anybody in, and answers everything else with ``status`` and ``body``."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answers = {
            "/oauth/device": {"device_code": "d", "user_code": "A-B", "verification_uri": "http://127.0.0.1/", "interval": 0},
            "/oauth/token": {
                "access_token": "a", "refresh_token": "r", "expires_in": 10**6, "refresh_token_expires_in": 10**6,
                "session_id": "s", "scope": "offline_access", "token_type": "Bearer",
            },
            "/api/v1/me": {
                "user_id": "u", "email": "finding@example.invalid", "name": "Finding",
                "teams": [{"id": "t", "name": "T", "role": "owner", "is_private_teamspace": True}],
            },
        }  # fmt: skip
        fixed = answers.get(self.path)
        if fixed is None:
            self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(200 if fixed else 302 if self.server.redirect else self.server.status)
        body = (json.dumps(fixed) if fixed else self.server.body).encode()
        if self.server.redirect and not fixed:
            self.send_header("Location", f"{self.server.redirect}/")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the name is the base class's

    def log_message(self, *words):
        pass


class World:
    """One mission with work packages WP01 and WP02, both planned, committed on main."""

    def __init__(self, slug="demo-01E2D7M8", packages=("WP01", "WP02"), **meta):
        self.command = sys.argv[1] if len(sys.argv) > 1 else "spec-kitty"
        self.base = Path(tempfile.mkdtemp(prefix="finding-"))
        self.home = self.base / "home"
        self.root = self.base / "repo"
        self.slug = slug
        self.folder = self.root / "kitty-specs" / slug
        self.log = self.folder / "status.events.jsonl"
        for folder in (self.home, self.base / "tmp", self.folder / "tasks", self.root / ".kittify"):
            folder.mkdir(parents=True)
        self.environment = self._quiet()
        self._write(meta, packages)
        self.git("init", "-q", "-b", "main")
        ignored = ".worktrees/ .kittify/workspaces/ .kittify/sync-state.json .kittify/runtime/ .kittify/merge* "
        ignored += ".kittify/projects/ .kittify/locks/ .kittify/legacy*"
        (self.root / ".git" / "info" / "exclude").write_text("\n".join(ignored.split()) + "\n")
        self.commit("Begin")

    def _quiet(self):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "SPEC_KITTY", "PYTHON"))}
        nowhere = "http://127.0.0.1:9"
        own = {
            "HOME": str(self.home), "SPEC_KITTY_HOME": str(self.home / ".kittify"), "TMPDIR": str(self.base / "tmp"),
            "XDG_CONFIG_HOME": str(self.home / ".config"), "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_DATA_HOME": str(self.home / ".local" / "share"), "XDG_STATE_HOME": str(self.home / ".local" / "state"),
            "SPEC_KITTY_ENABLE_SAAS_SYNC": "0", "SPEC_KITTY_SAAS_URL": nowhere, "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere,
            "SPEC_KITTY_ALLOW_PROTECTED_BRANCH_COMMITS": "1", "SPEC_KITTY_NON_INTERACTIVE": "1", "SPEC_KITTY_NO_BANNER": "1",
            "SPEC_KITTY_NO_UPGRADE_CHECK": "1", "SPEC_KITTY_NO_NAG": "1", "CI": "1", "NO_COLOR": "1", "TERM": "dumb",
            "COLUMNS": "200", "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "Finding", "GIT_AUTHOR_EMAIL": "finding@example.invalid",
            "GIT_COMMITTER_NAME": "Finding", "GIT_COMMITTER_EMAIL": "finding@example.invalid",
        }  # fmt: skip
        return {**kept, **own}

    def _write(self, meta, packages):
        (self.root / ".kittify" / "config.yaml").write_text(
            "protection: {protected_branches: []}\npreflight: {enabled: false}\n"
            "project: {uuid: 00000000-0000-4000-8000-000000000000, slug: demo, node_id: d036a097a835, "
            "build_id: 00000000-0000-4000-8000-000000000001}\n"
        )
        values = {
            "created_at": "2020-03-02T09:01:00+00:00", "friendly_name": "demo", "mission_id": MISSION_ID,
            "mission_number": None, "mission_slug": self.slug, "mission_type": "software-dev", "slug": self.slug,
            "target_branch": "main", "topology": "single_branch", "vcs": "git", **meta,
        }  # fmt: skip
        (self.folder / "meta.json").write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
        (self.folder / "tasks.md").write_text("# Tasks\n")
        for name in packages:
            (self.folder / "tasks" / f"{name}-work.md").write_text(
                f"---\nwork_package_id: {name}\ntitle: Work package {name}\ndependencies: []\nsubtasks: []\n"
                f"authoritative_surface: src/{name.lower()}/\nexecution_mode: code_change\n"
                f'owned_files:\n- "src/{name.lower()}/**"\n---\n\n# Work package {name}\n'
            )
        rows = [self.row(name, "planned", "planned", number, force=True) for number, name in enumerate(packages)]
        self.log.write_text("".join(line + "\n" for line in rows))

    def row(self, package, before, after, number, *, at=None, **keys):
        """Return a line of the log: ``package`` goes from ``before`` to ``after``."""
        values = {
            "actor": "ann", "at": at or f"2020-03-02T09:{number:02}:00+00:00", "event_id": event(number), "evidence": None,
            "execution_mode": "worktree", "force": False, "from_lane": before, "mission_id": MISSION_ID,
            "mission_slug": self.slug, "policy_metadata": None, "reason": None, "review_ref": None, "to_lane": after,
            "wp_id": package, **keys,
        }  # fmt: skip
        return json.dumps(values, sort_keys=True)

    def now(self, number=0):
        """Return the time, ``number`` milliseconds from now."""
        return (datetime.now(UTC) + timedelta(milliseconds=number)).isoformat()

    def walk(self, package, *lanes, first=10):
        """Return the lines that take ``package`` from planned through ``lanes``."""
        pairs = zip(("planned", *lanes), lanes, strict=False)
        return [self.row(package, before, after, first + number) for number, (before, after) in enumerate(pairs)]

    def add(self, *lines):
        """Write ``lines`` behind the log and commit."""
        with self.log.open("a", encoding="utf-8") as log:
            log.writelines(line + "\n" for line in lines)
        self.commit("Go on")

    def startable(self, *, shared=False):
        """Write what ``agent action`` asks for before it starts anything: lanes, a plan and its analysis.

        Each work package has a lane of its own, or all of them one when ``shared``.
        """
        names = sorted(path.name[:4] for path in (self.folder / "tasks").iterdir())
        keys = {"predicted_surfaces": [], "depends_on_lanes": [], "parallel_group": 0}
        lanes = [
            {"lane_id": f"lane-{letter}", "wp_ids": [name], "write_scope": [f"src/{name.lower()}/**"], **keys}
            for letter, name in zip("abc", names, strict=False)
        ]
        if shared:
            lanes = [{**lanes[0], "wp_ids": names, "write_scope": [f"src/{name.lower()}/**" for name in names]}]
        manifest = {
            "version": 1, "mission_slug": self.slug, "mission_id": MISSION_ID, "mission_branch": f"kitty/mission-{self.slug}",
            "target_branch": "main", "lanes": lanes, "computed_at": "2020-03-02T09:03:00+00:00", "computed_from": "dependency_graph",
        }  # fmt: skip
        (self.folder / "lanes.json").write_text(json.dumps(manifest, indent=2) + "\n")
        inputs = ""
        for name in ("spec", "plan", "tasks"):
            path = self.folder / f"{name}.md"
            path.touch()
            inputs += f"  {name}.md:\n    path: {name}.md\n    sha256: {sha256(path.read_bytes()).hexdigest()}\n"
        (self.folder / "analysis-report.md").write_text(
            "---\nartifact_type: spec-kitty.analysis-report\ninput_artifacts:\n"
            f"{inputs}  charter:\n    path:\n    sha256:\n---\n# Analysis\n"
        )
        self.commit("Plan")

    def review(self, package, verdict, number=1):
        """Write and commit a review artifact, and return its path."""
        path = self.folder / "tasks" / f"{package}-work" / f"review-cycle-{number}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"---\ncycle_number: {number}\nmission_slug: {self.slug}\nwp_id: {package}\nreviewer_agent: rev\n"
            f"reviewed_at: '2020-03-02T09:30:00Z'\nverdict: {verdict}\naffected_files: []\nreproduction_command: null\n"
            "---\n\n# A review\n"
        )
        self.commit("A review")
        return path

    @property
    def lane(self):
        """The worktree of the first lane, once a start made it."""
        return self.root / ".worktrees" / f"{self.slug}-lane-a"

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
        done = subprocess.run(
            ["git", "commit", "-qm", message],
            cwd=worktree or self.lane,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"$ git commit {message}\n  exit status {done.returncode}")
        return done.returncode == 0, (done.stdout + done.stderr).strip()[-600:]

    def action(self, kind, package, actor, **keys):
        """Run ``agent action implement`` or ``review``."""
        return self.run("agent", "action", kind, package, f"--agent={actor}", "--mission", self.slug, **keys)

    def git(self, *arguments, cwd=None, check=True):
        """Run git and return what it printed."""
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.root, env=self.environment, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise OSError(f"git {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def run(self, *arguments, cwd=None, **environment):
        """Run the command, with ``environment`` added."""
        done = subprocess.run(
            [self.command, *arguments], cwd=cwd or self.root, env={**self.environment, **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="backslashreplace", timeout=LIMIT, check=False,
        )  # fmt: skip
        shown = [word if len(word) < 60 else word[:57] + "..." for word in arguments]
        print(f"$ spec-kitty {' '.join(shown)}\n  exit status {done.returncode}")
        return Run(done)

    @contextmanager
    def service(self, status=200, body="{}", redirect=None):
        """Give a hosted service on the loopback; ``asked`` is what it was asked besides logging in."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
        server.status, server.body, server.redirect, server.asked = status, body, redirect, []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
            server.server_close()

    def login(self, service):
        """Log in to a service and return the variables with which a command syncs with it."""
        for folder in (".spec-kitty", ".kittify"):
            (self.home / folder).mkdir(exist_ok=True)
            (self.home / folder / "config.toml").write_text(
                f'[sync]\nserver_url = "{service.url}"\nbackground_daemon = "manual"\n'
            )
        on = {"SPEC_KITTY_ENABLE_SAAS_SYNC": "1", "SPEC_KITTY_SAAS_URL": service.url, "NO_PROXY": "127.0.0.1"}
        if not getattr(self, "logged_in", False):
            self.logged_in = self.run("auth", "login", "--headless", **on).status == 0
            control(self.logged_in, "it cannot be logged in")
        return on

    def emit(self, package, lane, *options, actor="ann", **keys):
        words = ["agent", "status", "emit", package, "--to", lane, "--actor", actor, *options]
        return self.run(*words, "--mission", self.slug, "--json", **keys)

    def lanes(self, **keys):
        """Return the lane of each work package as ``tasks status`` says it, and the run."""
        done = self.run("agent", "tasks", "status", "--mission", self.slug, "--json", **keys)
        packages = done.json.get("work_packages") or []
        return {package["id"]: package["lane"] for package in packages}, done

    def rows(self):
        """Return the rows that can be read on disk."""
        found = []
        for line in self.log.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def moves(self, package):
        """Return the lanes that ``package`` went to on disk, in file order."""
        return [row.get("to_lane") for row in self.rows() if isinstance(row, dict) and row.get("wp_id") == package]


def control(holds, what):
    """End with 2 unless the legal twin worked: what follows would prove nothing."""
    if not holds:
        print(f"NOT REACHED: {what}")
        raise SystemExit(2)


def judge(broken, observed):
    """Say what was observed, and end with 1 when the promise is broken."""
    print(f"{'BROKEN' if broken else 'KEPT'}: {observed}")
    raise SystemExit(1 if broken else 0)


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
