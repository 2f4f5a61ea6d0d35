"""Reads a repository's history with git itself: no hook, no filter, no configured program runs."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.core.errors import ClearbarError
from clearbar.own.merged.change import Change, Commit, changes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from clearbar.own.merged.joining import Joined

_TIMEOUT_S: Final = 300
_MAX_BYTES: Final = 512 * 2**20
_FORMAT: Final = "%x1e%H%x1f%P%x1f%at%x1f%ct%x1f%B%x1f"
_MAIN: Final = ("origin/HEAD", "main", "master", "trunk")
_QUIET: Final = (
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "log.showSignature=false",
    "-c",
    "core.quotePath=false",
)


class History(NamedTuple):
    """What a repository tells of merged work."""

    root: Path
    """The top of its working tree."""
    branch: str
    """The branch that counts as merged."""
    changes: list[Change]
    """The oldest first."""


class MergedWork(NamedTuple):
    """A repository's merged work and what it cost a workflow."""

    history: History
    joined: Joined
    recorded: tuple[int, int]
    """New and known outcomes."""


def read_history(repository: Path, branch: str | None, since: date) -> History:
    """Return the changes that reached the main branch since a day.

    Raises:
        ClearbarError: when git is missing, or the folder is no repository, or has no such branch.
    """
    top = _git(repository, "rev-parse", "--show-toplevel").decode(errors="surrogateescape")
    main = branch or _main_branch(repository)
    _git(repository, "rev-parse", "--verify", "--quiet", f"{main}^{{commit}}")
    after = f"--since={since.isoformat()}T00:00:00Z"
    log = ("log", "--date-order", f"--format={_FORMAT}", "--no-ext-diff", "--no-textconv")
    trunk, files = [], {}
    for commit, paths in _entries(
        _git(repository, *log, "--first-parent", "-m", "--name-only", after, main, "--")
    ):
        trunk.append(commit)
        files[commit.sha] = paths
    commits = {each.sha: each for each, _ in _entries(_git(repository, *log, after, main, "--"))}
    commits |= {each.sha: each for each in trunk}
    changes = changes_of(commits, [each.sha for each in trunk], files)
    return History(repository.__class__(top.rstrip("\n")), main, changes)


def _main_branch(repository: Path) -> str:
    for name in _MAIN:
        try:
            found = _git(repository, "rev-parse", "--abbrev-ref", "--verify", "--quiet", name)
        except ClearbarError:
            continue
        return found.decode(errors="replace").strip() or name
    raise ClearbarError(
        "the repository has no branch called main, master or trunk",
        "name the branch that work is merged into: --branch NAME",
    )


def _entries(output: bytes) -> Iterator[tuple[Commit, list[str]]]:
    for entry in output.decode("utf-8", "replace").split("\x1e")[1:]:
        sha, parents, written, committed, message, paths = entry.split("\x1f", 5)
        commit = Commit(sha, tuple(parents.split()), _moment(written), _moment(committed), message)
        yield commit, [line for line in paths.split("\n") if line]


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), tz=UTC)


def _git(repository: Path, *words: str) -> bytes:
    """Return what git prints.

    Raises:
        ClearbarError: when it cannot be run, fails, takes too long or prints too much.
    """
    settled = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *_QUIET, *words],  # noqa: S607 - the user's own git
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env={**known, **settled},
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise ClearbarError("git is not installed", "install git") from error
    except subprocess.TimeoutExpired as error:
        raise ClearbarError("git took too long", "read fewer days: --since DATE") from error
    if done.returncode != 0:
        raise ClearbarError(
            f"{repository} is no git repository, or has no such branch",
            "name the folder of a clone, and the branch with --branch",
        )
    if len(done.stdout) > _MAX_BYTES:
        raise ClearbarError("the history is too long to read", "read fewer days: --since DATE")
    return done.stdout
