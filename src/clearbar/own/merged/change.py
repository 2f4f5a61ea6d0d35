"""The nouns of merged work, and how a history tells of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime


class Commit(NamedTuple):
    """A commit of the repository."""

    sha: str
    parents: tuple[str, ...]
    written_at: datetime
    """The author's time: earlier than the commit's where it was rebased."""
    committed_at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Change:
    """One piece of work that reached the main branch."""

    sha: str
    """Of the commit on the main branch."""
    task: str
    """The first commit of the work, by which it is known before and after it is merged."""
    branch: str
    """Where it was made; empty where the history does not say."""
    began_at: datetime
    merged_at: datetime
    folders: frozenset[str]
    """The folders whose files it changed, each with all those above it; the top one is empty."""
    reverted_at: datetime | None = None
    """When it was taken back, if it was."""


_NAMED: Final = (
    re.compile(r"Merge branch '([^']+)'"),
    re.compile(r"Merge remote-tracking branch '(?:[^/']+/)?([^']+)'"),
    re.compile(r"Merge pull request #\d+ from [^/\s]+/(\S+)"),
    re.compile(r"Merged in (\S+) \(pull request #\d+\)"),
)
"""How git and the large hosts name the branch in a merge's first line."""
_REVERTS: Final = re.compile(r"This reverts commit ([0-9a-f]{40})\b")


def changes_of(
    commits: Mapping[str, Commit],
    trunk: Sequence[str],
    files: Mapping[str, Iterable[str]],
) -> list[Change]:
    """Return the changes that reached the main branch, the oldest first.

    `trunk` are the shas of the main branch, newest first, by first parents; `files` says for each
    which paths it changed against the one before it.
    """
    on_trunk = set(trunk)
    reverted = _reverted(commits[sha] for sha in trunk)
    found = []
    for sha in reversed(trunk):
        commit = commits[sha]
        own = _own_commits(commits, commit, on_trunk)
        first = min(own, key=lambda each: (each.written_at, each.sha))
        taken_back = [reverted[each.sha] for each in (commit, *own) if each.sha in reverted]
        found.append(
            Change(
                sha=sha,
                task=first.sha,
                branch=branch_named(commit.message) if len(commit.parents) > 1 else "",
                began_at=first.written_at,
                merged_at=commit.committed_at,
                folders=frozenset(_folders(files.get(sha, ()))),
                reverted_at=min(taken_back, default=None),
            )
        )
    return found


def branch_named(message: str) -> str:
    """Return the branch that the first line of a merge's message names; empty for none."""
    first_line = message.partition("\n")[0]
    found = (pattern.match(first_line) for pattern in _NAMED)
    return next((match[1] for match in found if match), "")


def _reverted(commits: Iterable[Commit]) -> dict[str, datetime]:
    """Return sha -> when it was taken back; a revert that was itself taken back does not count."""
    newest_first = sorted(commits, key=lambda each: each.committed_at, reverse=True)
    found: dict[str, datetime] = {}
    for commit in newest_first:
        if commit.sha not in found:
            found |= dict.fromkeys(_REVERTS.findall(commit.message), commit.committed_at)
    return found


def _own_commits(commits: Mapping[str, Commit], merge: Commit, on_trunk: set[str]) -> list[Commit]:
    """Return what a merge brought: the commits behind its other parents, without the trunk's."""
    waiting = [sha for sha in merge.parents[1:] if sha in commits]
    seen: set[str] = set()
    while waiting:
        sha = waiting.pop()
        if sha not in seen and sha not in on_trunk:
            seen.add(sha)
            waiting += (each for each in commits[sha].parents if each in commits)
    return [commits[sha] for sha in seen] or [merge]


def _folders(paths: Iterable[str]) -> Iterable[str]:
    for path in paths:
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            yield folder
