"""The cost of a preflight in a large repository, beside the git commands that it cannot do without."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from measuring import ratio

from kitty_reliability.build.mission import Mission, mission
from kitty_reliability.build.repository import Repository, git_environment, repository
from kitty_reliability.implementations.protocol import Preflight
from kitty_reliability.reference.adapter import Reference

pytest.importorskip("pytest_benchmark")

COMMITS, MISSIONS = 5000, 200


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, Mission]:
    """200 missions, and 5,000 commits of which the target has 84 alone and the remote 6."""
    repo = repository(tmp_path_factory.mktemp("large") / "repo", remote=True)
    repo.leave()
    built = [mission(repo.root, {"WP01": "approved"}, name=f"m{number}") for number in range(MISSIONS)]
    repo.commit("Plan")
    changes = [repo.change(f"Work {number}", {"src/work.txt": b"%d\n" % number}) for number in range(COMMITS - 90)]
    repo.grow(repo.branch, changes)
    repo.diverge(ahead=84, behind=6)
    return repo, built[-1]


def commands(repo: Repository, *, publish: bool) -> Callable[[], None]:
    """What git has to be asked: branch and upstream, HEAD and shallowness, the counts, a common commit, the remote."""
    branch, tracking = "refs/heads/main", "refs/remotes/origin/main"
    asked = [
        ["for-each-ref", "--format=%(objectname) %(upstream)", branch],
        ["rev-parse", "--is-shallow-repository", "--symbolic-full-name", "HEAD"],
        ["rev-list", "--left-right", "--count", f"{branch}...{tracking}"],
        ["merge-base", branch, tracking],
    ]
    if publish:
        asked.append(["ls-remote", "origin", branch])
    environment = git_environment()

    def run() -> None:
        for words in asked:
            subprocess.run(["git", *words], cwd=repo.root, env=environment, capture_output=True, check=True)

    return run


@pytest.mark.parametrize("publish", [False, True], ids=["merge", "publish"])
def test_a_preflight_costs_little_more_than_its_git_commands(
    benchmark: Any, record: Any, large: Any, *, publish: bool
) -> None:
    repo, built = large
    reference = Reference()
    request = Preflight(root=str(repo.root), mission=built.slug, publish=publish)

    def preflight() -> None:
        assert reference.answer(request).value["state"] == "diverged"

    assert int(repo.git("rev-list", "--count", "--all")) >= COMMITS
    assert len(list((repo.root / "kitty-specs").iterdir())) == MISSIONS
    preflight()
    found = benchmark.pedantic(ratio, args=(preflight, commands(repo, publish=publish), 25), rounds=1)
    assert record(f"preflight to its git commands, {'publish' if publish else 'merge'}", found) <= 3
