"""Reads a repository's history with git itself: no hook, no filter, no configured program runs.

A repository is a file of others: its configuration may name programs, even one that is to fetch
what is missing of a partial clone. Nothing is fetched, and what it says of itself is checked.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Timer
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.core.errors import ClearbarError
from clearbar.own.merged.change import Change, Commit, changes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from clearbar.own.merged.joining import Joined

_TIMEOUT_S: Final = 300
_MAX_BYTES: Final = 128 * 2**20
_FIELDS: Final = 6
_FORMAT: Final = "%x00%H%x00%P%x00%at%x00%ct%x00%B%x00"
"""What git prints holds no other NUL: no message and no path can."""
_LATEST_S: Final = 253_402_128_000
"""A commit may claim any time; the last one that has a date and a day after it."""
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
_SETTLED: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}
"""Older gits know no GIT_NO_LAZY_FETCH: there, no protocol is allowed to fetch by."""
_LOG: Final = (
    *("log", "--date-order", f"--format={_FORMAT}", "--encoding=UTF-8", "--no-color"),
    *("--no-ext-diff", "--no-textconv", "--no-renames", "--no-relative"),
)


class History(NamedTuple):
    """What a repository tells of merged work."""

    root: Path
    """The top of its working tree; of a bare one its folder, without `.git`."""
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
    root = _root(repository)
    main = branch or _main_branch(repository)
    tip = _git(repository, "rev-parse", "--verify", "--quiet", f"{main}^{{commit}}")
    behind = _since(repository, tip.decode().strip(), since)
    trunk, files = [], {}
    for commit, paths in _entries(
        _git(repository, *_LOG, "--first-parent", "-m", "--name-only", *behind)
    ):
        trunk.append(commit)
        files[commit.sha] = paths
    commits = {each.sha: each for each, _ in _entries(_git(repository, *_LOG, *behind))}
    commits |= {each.sha: each for each in trunk}
    changes = changes_of(commits, [each.sha for each in trunk], files)
    return History(root, main, changes)


def branches(repository: Path) -> list[str]:
    """Return the branches of a repository, its own and those of others, the newest work first.

    Raises:
        ClearbarError: when git is missing, or the folder is no repository.
    """
    words = ("--sort=-committerdate", "--format=%(refname:short)", "refs/heads", "refs/remotes")
    return _git(repository, "for-each-ref", *words).decode(errors="replace").splitlines()


def _since(repository: Path, tip: str, day: date) -> tuple[str, ...]:
    """Return, in git's words, what the main branch took in since a day, however old it is.

    A commit that was made before the day belongs to a merge after it: or else the first commit of
    the work would depend on the day.
    """
    words = (f"--since={day.isoformat()}T00:00:00Z", "--format=%P", tip, "--")
    parents = _git(repository, "log", "--first-parent", *words).decode().splitlines()
    if not parents:
        return ("--max-count=0", tip, "--")
    before = parents[-1].split()[:1]
    return (tip, *(f"^{sha}" for sha in before), "--")


def _root(repository: Path) -> Path:
    if _git(repository, "rev-parse", "--is-bare-repository").strip() == b"true":
        found = _git(repository, "rev-parse", "--absolute-git-dir")
    else:
        found = _git(repository, "rev-parse", "--show-toplevel")
    told = found.decode(errors="replace").rstrip("\n")
    return repository.__class__(told.removesuffix(".git"))


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
    parts = output.decode("utf-8", "replace").split("\0")[1:]
    if len(parts) % _FIELDS:
        raise ClearbarError("git tells of the history in another form", "use a newer git")
    for at in range(0, len(parts), _FIELDS):
        sha, parents, written, committed, message, paths = parts[at : at + _FIELDS]
        merged_at = _moment(committed)
        written_at = _moment(written) if written else merged_at
        commit = Commit(sha, tuple(parents.split()), written_at, merged_at, message)
        yield commit, [line for line in paths.split("\n") if line]


def _moment(seconds: str) -> datetime:
    told = int(seconds) if seconds.isascii() and seconds.isdigit() else 0
    return datetime.fromtimestamp(min(told, _LATEST_S), tz=UTC)


def _git(repository: Path, *words: str) -> bytes:
    """Return what git prints.

    Raises:
        ClearbarError: when it cannot be run, fails, takes too long or prints too much.
    """
    with _running(repository, words) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        printed = process.stdout.read(_MAX_BYTES + 1)
        if len(printed) > _MAX_BYTES:
            process.kill()
            raise ClearbarError("the history is too long to read", "read fewer days: --since DATE")
    if process.returncode < 0:
        raise ClearbarError("git took too long", "read fewer days: --since DATE")
    if process.returncode > 0:
        raise ClearbarError(
            f"{repository} is no git repository, or has no such branch",
            "name the folder of a whole clone that is yours, and the branch with --branch",
        )
    return printed


@contextmanager
def _running(repository: Path, words: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """Yield git as it runs; it is ended when it takes too long."""
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    try:
        process = subprocess.Popen(
            ["git", "-C", str(repository), *_QUIET, *words],  # noqa: S607 - the user's own git
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**known, **_SETTLED},
        )
    except FileNotFoundError as error:
        raise ClearbarError("git is not installed", "install git") from error
    timer = Timer(_TIMEOUT_S, process.kill)
    timer.start()
    try:
        with process:
            yield process
    finally:
        timer.cancel()
