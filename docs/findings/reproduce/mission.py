"""What the reproductions ask about: a mission in a repository of its own, and a quiet home.

Standard library only. Nothing outside a temporary directory is touched; nothing reaches a network.
"""

import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

MISSION_ID = "01E2D7M870BGGP49DN6WXX7XS0"


def event(number):
    """Return the event id number ``number`` of this mission."""
    return f"01E2D7P2T0NR1NK0HYZ7RAV{number:03}"


class Mission:
    """Work packages WP01 and WP02, both planned, committed on main."""

    def __init__(self, slug="demo-01E2D7M8", packages=("WP01", "WP02"), **meta):
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

    def walk(self, package, *lanes, first=10, before="planned", now=False):
        """Return the lines that take ``package`` from ``before`` through ``lanes``, dated today when ``now``."""
        return [
            self.row(package, old, new, first + number, at=self.now(number) if now else None)
            for number, (old, new) in enumerate(pairwise((before, *lanes)))
        ]

    def approve_rejected(self, package, reference="r1", first=10):
        """Write the rows of a ``package`` whose review asked for changes, and that was approved by force afterwards."""
        said = {"reviewer": "rev", "verdict": "changes_requested", "reference": reference, "feedback_path": None}
        self.add(*self.walk(package, "claimed", "in_progress", "for_review", "in_review", first=first),
                 self.row(package, "in_review", "planned", first + 5, review_ref=reference, review_result=said),
                 self.row(package, "planned", "approved", first + 6, force=True, reason="r"))  # fmt: skip

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

    def contexts(self, pattern="*.json"):
        """Return the files that say which lane a worktree is of."""
        return list((self.root / ".kittify" / "workspaces").glob(pattern))

    def diverge(self):
        """Publish main, and let it and its upstream each go on by a commit of its own."""
        origin, second = str(self.base / "origin.git"), self.base / "second"
        self.git("init", "-q", "--bare", "-b", "main", origin)
        self.git("remote", "add", "origin", origin)
        self.git("push", "-q", "-u", "origin", "main")
        self.git("clone", "-q", origin, str(second))
        (second / "theirs").touch()
        self.git("add", "-A", cwd=second)
        self.git("commit", "-qm", "Theirs", cwd=second)
        self.git("push", "-q", cwd=second)
        self.commit("Ours")
        self.git("fetch", "-q")

    def git(self, *arguments, cwd=None):
        """Run git and return what it printed."""
        done = self._git(*arguments, cwd=cwd)
        if done.returncode:
            raise OSError(f"git {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def _git(self, *arguments, cwd=None):
        return subprocess.run(
            ["git", *arguments], cwd=cwd or self.root, env=self.environment, capture_output=True, text=True, check=False
        )

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

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
