"""What scenarios about the merge and ship preflight have in common: asking, running what is printed, looking at it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kitty_reliability.build.repository import Repository, git_environment
from kitty_reliability.implementations.processes import Finished, run_to_end
from kitty_reliability.implementations.protocol import Capability, Outcome, Preflight
from kitty_reliability.observe.refs import mark_repository
from kitty_reliability.observe.tree import mark_tree
from pytest_kitty.scenarios import Finding

from .world import World, Worlds

__all__ = ["DESTROYS", "FETCHES", "Scene", "advises", "scene", "texts"]

#: A file of a tree, as git lists it: mode and blob; None when it goes.
Files = Mapping[str, tuple[str, str] | None]

#: What throws work away.
DESTROYS: Final = re.compile(
    r"\breset\b.*--(hard|merge|keep)|\bpush\b.*(--force|--mirror|--delete|\s-[a-zA-Z]*f|\s\+\S)|\bforce[- ]push|\bgit\b.*\bclean\b"
    r"|\bhard[- ]reset|\bcheckout\b.*(\s-f\b|--force|\s\.\s*$)|\bbranch\b.*\s-[DfM]\b|\bstash (drop|clear)",
    re.IGNORECASE,
)
#: What fetches. That there is nothing to fetch is no such advice.
FETCHES: Final = re.compile(r"\bgit\b.*\b(fetch|pull)\b|\bfetch (it|the|origin)\b", re.IGNORECASE)
#: Advice against something is no advice to do it.
_AGAINST: Final = re.compile(r"\b(no|not|never|avoid|without|instead of|don't)\b", re.IGNORECASE)


class Scene:
    """A mission in a repository with a remote, where both may go on."""

    def __init__(self, world: World) -> None:
        assert world.repository is not None
        self.world = world
        self.made: Repository = world.repository
        self.slug = world.mission.slug
        self.directory = f"kitty-specs/{self.slug}"
        #: What is added to the environment of the printed commands.
        self.environment: dict[str, str] = {}
        world.commit()

    # --- asking

    def request(self, *, publish: bool = False) -> Preflight:
        """Return what is asked."""
        return Preflight(root=str(self.made.root), mission=self.slug, publish=publish)

    def ask(self, *, publish: bool = False) -> Outcome:
        """Ask how the target stands."""
        return self.world.ask(self.request(publish=publish))

    def answer(self, *, publish: bool = False) -> Mapping[str, Any]:
        """Return how the target stands, which has to be answered."""
        __tracebackhide__ = True
        return self.world.accepted(self.ask(publish=publish), "the preflight answers")

    def stands(self, state: str, ahead: int | None = None, behind: int | None = None, *, publish: bool = False) -> Any:
        """Judge the state, and the counts when they are given."""
        __tracebackhide__ = True
        answer = self.answer(publish=publish)
        found = (answer["state"], answer["ahead"], answer["behind"])
        expected = (state, ahead, behind) if ahead is not None else (state, *found[1:])
        self.world.check(
            found == expected, Finding.WRONG_STATE, f"state, ahead and behind are {found}; they should be {expected}"
        )
        return answer

    def passes(self, *, publish: bool = False) -> None:
        """Judge that a target in sync is neither blocked nor anything else: the positive control."""
        __tracebackhide__ = True
        answer = self.stands("in_sync", 0, 0, publish=publish)
        self.lets(answer, "the target is in sync")

    def blocks(self, answer: Mapping[str, Any], what: str) -> None:
        """Judge that an answer blocks."""
        __tracebackhide__ = True
        self.world.check(answer["blocked"], Finding.UNSAFE_PASSED, f"{what}, and it is not blocked: {dict(answer)}")

    def lets(self, answer: Mapping[str, Any], what: str) -> None:
        """Judge that an answer does not block."""
        __tracebackhide__ = True
        self.world.check(not answer["blocked"], Finding.SAFE_BLOCKED, f"{what}, and it is blocked: {dict(answer)}")

    # --- the repository

    def git(self, *arguments: str) -> str:
        """Run git in the repository and return what it printed."""
        return self.made.git(*arguments).strip()

    def remote_tip(self) -> str:
        """The commit that the remote's branch is now."""
        upstream = self.made.upstreams[self.made.branch]
        return self.git(f"--git-dir={self.made.remote}", "rev-parse", "--verify", f"refs/heads/{upstream}")

    def remote_commit(self, files: Mapping[str, bytes], *, fetched: bool = True) -> None:
        """Have the remote's branch go on with ``files``."""
        upstream = f"refs/heads/{self.made.upstreams[self.made.branch]}"
        self.made.leave()
        self.made.grow_remote(upstream, [self.made.change("Work of others", files)])
        if fetched:
            self.git("fetch", "--quiet", self.made.remote_name)

    def files(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return the files of a commit."""
        rows = self.made.git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")[:-1]
        listed = [row.partition("\t") for row in rows]
        return {path: (told.split(" ")[0], told.split(" ")[2]) for told, _, path in listed}

    def differing(self, before: str, after: str) -> dict[str, tuple[str, str] | None]:
        """Return what ``after`` changed: each file as it is there."""
        old, new = self.files(before), self.files(after)
        return {path: new.get(path) for path in {*old, *new} if old.get(path) != new.get(path)}

    # --- running what is printed

    def run(self, argv: Sequence[str], cwd: str) -> Finished:
        """Run one printed command."""
        __tracebackhide__ = True
        try:
            # As in a shell: git is configured, and knows who works here.
            done = run_to_end(argv, git_environment() | self.environment, cwd, self.world.implementation.deadline)
        except (OSError, ValueError) as error:
            self.world.fail(Finding.ADVICE_FAILS, f"{argv} cannot be run in {cwd}: {error}")
        self.world.asked.append(f"{list(argv)[-3:]} -> exit status {done.status}")
        return done

    def run_all(self, answer: Mapping[str, Any], *, pasted: bool = False) -> tuple[bool, str]:
        """Run the printed commands in order until one fails; say whether all went well, and what they said.

        Nothing but the one new branch may come of it.
        """
        __tracebackhide__ = True
        refs, tree = mark_repository(self.made.root), mark_tree(self.made.root)
        cwd = answer["cwd"] or str(self.made.root)
        shell = shutil.which("sh") or "sh"
        commands = [[shell, "-c", line] for line in answer["lines"]] if pasted else answer["commands"]
        self.world.check(
            commands, Finding.ADVICE_FAILS, f"there is no command for {answer['focused_branch']}: {dict(answer)}"
        )
        said, well = "", True
        for argv in commands:
            done = self.run(argv, cwd)
            said += (done.stdout + done.stderr).decode("utf-8", "replace")
            well = done.status == 0
            if not well:
                break
        new = f"ref refs/heads/{answer['focused_branch']}: "
        changed = [text for text in refs.changes() if not text.startswith(f"{new}absent -> ")]
        moved = [text for text in changed if text.startswith(new)]
        self.world.check(not moved, Finding.OVERWRITTEN, f"the printed commands moved what was there: {moved}")
        self.world.check(not changed, Finding.REFUSAL_CHANGED_STATE, f"the printed commands: {changed[:3]}")
        files = tree.changes(ignore=[".git"])
        self.world.check(not files, Finding.REFUSAL_CHANGED_STATE, f"the printed commands changed files: {files[:3]}")
        return well, said

    def focused(self, answer: Mapping[str, Any]) -> str:
        """Return the commit of the focused branch; empty when there is none."""
        ref = f"refs/heads/{answer['focused_branch']}"
        return self.git("for-each-ref", "--format=%(objectname)", ref)

    def made_by(self, answer: Mapping[str, Any], *, pasted: bool = False) -> str:
        """Run the commands, which have to make the branch, and return its commit."""
        __tracebackhide__ = True
        well, said = self.run_all(answer, pasted=pasted)
        commit = self.focused(answer)
        self.world.check(
            well and commit,
            Finding.ADVICE_FAILS,
            f"the printed commands {'made no branch' if well else 'failed'}: {said[-400:]}",
        )
        return commit

    def holds(self, commit: str, expected: Files) -> None:
        """Judge that a commit is the remote's tip with ``expected`` and nothing else."""
        __tracebackhide__ = True
        world, tip = self.world, self.remote_tip()
        on_it = tip in self.git("rev-list", commit).split()
        world.check(on_it, Finding.ADVICE_FAILS, f"the branch does not sit on the remote's tip {tip}")
        found = self.differing(tip, commit)
        foreign = sorted(found.keys() - expected.keys())
        world.check(not foreign, Finding.SWEPT_IN, f"{len(foreign)} files that are not the mission's: {foreign[:4]}")
        missing = sorted(path for path in expected if found.get(path, "-") != expected[path])
        world.check(
            not missing, Finding.CHANGE_HIDDEN, f"{len(missing)} changes of the mission are missing: {missing[:4]}"
        )


def scene(worlds: Worlds, packages: Any = None, *, place: Mapping[str, Any] | None = None, **options: Any) -> Scene:
    """Build a mission in a repository whose branch is in sync with its remote's."""
    worlds.needs(Capability.PREFLIGHT)
    options.setdefault("topology", None if "lanes" in options else "single_branch")
    made = Scene(worlds(packages or {"WP01": "approved"}, place={"remote": True, **(place or {})}, **options))
    made.made.diverge()
    return made


def texts(value: Any) -> list[str]:
    """Return every text of an answer, and each list of words as a line."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [" ".join(value), *value]
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else []
    return [text for item in items for text in texts(item)]


def advises(text: str, what: re.Pattern[str]) -> str | None:
    """Return the sentence that advises to do what ``what`` finds; None when there is none."""
    for sentence in re.split(r"[\n;]|(?<=[.!?])\s", text):
        if what.search(sentence) and not _AGAINST.search(sentence):
            return sentence.strip()
    return None
