"""Where a branch stands beside its remote: ahead, behind, stale, lost, shallow, unrelated (clauses MSP-002 to MSP-008).

Each function is a method of ``Repository``; ``repo`` is that repository.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .errors import BuildError
from .git_template import Change
from .mission import PROJECT_CONFIG
from .names import quoted, require_reference

if TYPE_CHECKING:
    from .repository import Repository

__all__ = [
    "detach",
    "diverge",
    "drop_branch",
    "protect",
    "retarget",
    "shallow",
    "tag_like_branch",
    "tracking_section",
    "unborn",
    "unrelate",
]


def tracking_section(branch: str, remote: str, upstream: str) -> str:
    """Return the part of ``.git/config`` that has ``branch`` track ``upstream`` of ``remote``."""
    return f"[branch {quoted(branch)}]\n\tremote = {quoted(remote)}\n\tmerge = {quoted(f'refs/heads/{upstream}')}\n"


def diverge(
    repo: Repository, branch: str | None = None, *, ahead: int = 0, behind: int = 0, fetched: bool = True
) -> Repository:
    """Set a branch exactly ``ahead`` and ``behind`` of the branch that it tracks.

    What the branch had alone is pushed first, so the counts are those asked for. The commits change
    ``src/local.txt`` and ``src/remote.txt``, so they merge.

    Arguments:
        branch: the branch; the one the repository began with when left out.
        ahead: commits that only the branch has.
        behind: commits that only the remote has.
        fetched: False leaves the tracking reference where it was: it does not know of the commits behind.

    Raises:
        BuildError: no remote, no such branch, a negative count, or a branch that has diverged before.
    """
    branch = branch or repo.branch
    upstream, tracking = _places(repo, branch)
    if ahead < 0 or behind < 0:
        raise BuildError(f"{branch} cannot be {ahead} ahead and {behind} behind")
    repo.begin()
    tip = _tip(repo, branch)
    remote_tip = repo.steps.remote_tip(upstream)
    if remote_tip is not None and not repo.steps.contains(tip, remote_tip):
        raise BuildError(f"{branch} has diverged from {repo.remote_name} before; build it in one call")
    if remote_tip != tip or repo.steps.tip(tracking) != tip:
        repo.steps.publish(f"refs/heads/{branch}", upstream, tracking)
    if behind:
        repo.grow_remote(upstream, [_commit(repo, "remote", number) for number in range(1, behind + 1)])
        if fetched:
            repo.steps.fetch(upstream, tracking)
    if ahead:
        repo.grow(branch, [_commit(repo, "local", number) for number in range(1, ahead + 1)])
    repo.steps.flush()
    return repo


def retarget(
    repo: Repository, branch: str | None = None, *, upstream: str | None = None, remote: str | None = None
) -> Repository:
    """Set what a branch tracks: another branch of the remote, which is pushed, or nothing when left out.

    Arguments:
        branch: the branch; the one the repository began with when left out.
        upstream: the branch of the remote to track; None tracks nothing.
        remote: a new name for the remote.

    Raises:
        BuildError: no remote, no such branch, or git refused a name.
    """
    branch = branch or repo.branch
    _places(repo, branch)
    for kind, name in (("branch", upstream), ("remote", remote)):
        if name is not None:
            require_reference(kind, name)
    repo.leave()
    _tip(repo, branch)
    if remote is not None:
        repo.git("remote", "rename", repo.remote_name, remote)
        repo.remote_name = remote
    repo.git("config", "--remove-section", f"branch.{branch}", check=False)
    if upstream is None:
        repo.upstreams.pop(branch, None)
        return repo
    repo.git("push", "--quiet", "--set-upstream", repo.remote_name, f"refs/heads/{branch}:refs/heads/{upstream}")
    repo.upstreams[branch] = upstream
    return repo


def unborn(repo: Repository, branch: str = "unborn") -> Repository:
    """Check out a branch that has no commit yet; the tracked files go from the work tree."""
    require_reference("branch", branch)
    repo.leave()
    repo.git("switch", "--quiet", "--orphan", branch)
    return repo


def detach(repo: Repository) -> Repository:
    """Check out the commit itself, no branch."""
    repo.leave()
    repo.git("checkout", "--quiet", "--detach")
    return repo


def drop_branch(repo: Repository, branch: str | None = None) -> Repository:
    """Remove a local branch; HEAD is detached first when it is the one checked out. Tracking stays as it was.

    Raises:
        BuildError: no such branch.
    """
    branch = branch or repo.branch
    repo.leave()
    _tip(repo, branch)
    if repo.git("branch", "--show-current").strip() == branch:
        detach(repo)
    # Not `branch -D`, which would remove what the branch is configured to track.
    repo.git("update-ref", "-d", f"refs/heads/{branch}")
    return repo


def tag_like_branch(repo: Repository, branch: str | None = None) -> Repository:
    """Make a tag with the branch's name at the branch's first commit: the short name means two things now.

    Raises:
        BuildError: no such branch, or the tag is there already.
    """
    branch = branch or repo.branch
    repo.leave()
    _tip(repo, branch)
    first = repo.git("rev-list", "--max-parents=0", "--first-parent", f"refs/heads/{branch}").split()[-1]
    repo.git("tag", branch, first)
    return repo


def shallow(repo: Repository, depth: int = 1) -> Repository:
    """Cut the history of all that the remote has to ``depth`` commits, as a shallow clone has it.

    Raises:
        BuildError: no remote, or a depth below 1.
    """
    if repo.remote is None:
        raise BuildError("a repository is cut against its remote; build it with remote=True")
    if depth < 1:
        raise BuildError(f"depth {depth} is below 1")
    repo.leave()
    repo.git("fetch", "--quiet", f"--depth={depth}", repo.remote_name)
    return repo


def unrelate(repo: Repository, branch: str | None = None, *, fetched: bool = True) -> Repository:
    """Replace the branch of the remote by a history that shares no commit with the local one.

    Raises:
        BuildError: no remote.
    """
    branch = branch or repo.branch
    upstream, tracking = _places(repo, branch)
    repo.leave()
    change = _commit(repo, "unrelated", 1)
    bare = f"--git-dir={repo.remote}"
    tree = repo.git(bare, "hash-object", "-w", "--stdin", stdin=change.files["src/unrelated.txt"]).strip()
    tree = repo.git(bare, "mktree", stdin=f"100644 blob {tree}\tunrelated.txt\n".encode()).strip()
    commit = repo.git(bare, "commit-tree", tree, stdin=b"Begin elsewhere\n").strip()
    repo.git(bare, "update-ref", upstream, commit)
    if fetched:
        repo.git("fetch", "--quiet", repo.remote_name, f"+{upstream}:{tracking}")
    return repo


def protect(repo: Repository, *names: str) -> Repository:
    """Name protected branches in ``.kittify/config.yaml`` and commit that; the first branch when left out."""
    listed = json.dumps(list(names or [repo.branch]), ensure_ascii=False)
    path = repo.root / ".kittify" / "config.yaml"
    text = PROJECT_CONFIG.replace("protected_branches: []", f"protected_branches: {listed}")
    repo.commit(f"Protect {listed}", files={path.relative_to(repo.root).as_posix(): text})
    return repo


def _places(repo: Repository, branch: str) -> tuple[str, str]:
    """Return the branch's reference at the remote and the one that tracks it here."""
    if repo.remote is None:
        raise BuildError(f"{branch} has no remote to differ from; build the repository with remote=True")
    upstream = repo.upstreams.get(branch, branch)
    return f"refs/heads/{upstream}", f"refs/remotes/{repo.remote_name}/{upstream}"


def _tip(repo: Repository, branch: str) -> str:
    tip = repo.steps.tip(f"refs/heads/{branch}")
    if tip is None:
        raise BuildError(f"there is no branch {branch!r}")
    return tip


def _commit(repo: Repository, side: str, number: int) -> Change:
    # The moment makes each content new, also when a branch is moved on a second time.
    return repo.change(f"Work {number} ({side})", {f"src/{side}.txt": f"{number} at {repo.clock.text}\n".encode()})
