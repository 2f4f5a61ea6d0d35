"""The nouns of merged work, and how a history tells of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.own.merged.reverting import is_only_a_revert, turns_of

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
    """The commit by which the work is known, in any clone: the first that was made for it, or the
    one that it says it was picked from."""
    branch: str
    """Where it was made; empty where the history does not say."""
    began_at: datetime
    merged_at: datetime
    folders: frozenset[str]
    """The folders whose files it changed, each with all those above it; the top one is empty."""
    turns: tuple[datetime, ...] = ()
    """When it was taken back, brought back, and so on by turns."""

    @property
    def reverted_at(self) -> datetime | None:
        """When it was taken back; None where it stands."""
        return self.turns[-1] if len(self.turns) % 2 else None


class Step(NamedTuple):
    """A commit of the main branch, and what it brought there."""

    commit: Commit
    own: tuple[Commit, ...]
    """Behind a merge the commits that it merged; else the commit itself."""


_NAMED: Final = (
    re.compile(r"Merge branch '([^']+)'"),
    re.compile(r"Merge remote-tracking branch '(?:[^/']+/)?([^']+)'"),
    re.compile(r"Merge pull request #\d+ from [^/\s]+/(\S+)"),
    re.compile(r"Merged in (\S+) \(pull request #\d+\)"),
)
"""How git and the large hosts name the branch in a merge's first line."""
_PICKED: Final = re.compile(r"^\(cherry picked from commit ([0-9a-f]{40,64})\)$", re.MULTILINE)


def changes_of(
    commits: Mapping[str, Commit],
    trunk: Sequence[str],
    files: Mapping[str, Iterable[str]],
) -> list[Change]:
    """Return the changes that reached the main branch, the oldest first.

    `trunk` are the shas of the main branch, newest first, by first parents; `files` says for each
    which paths it changed against the one before it. What only takes others back is no change.
    """
    steps = steps_of(commits, trunk)
    turns = turns_of(steps)
    return [
        _change(step, turned, files.get(step.commit.sha, ()))
        for step, turned in zip(steps, turns, strict=True)
        if not is_only_a_revert(step)
    ]


def steps_of(commits: Mapping[str, Commit], trunk: Sequence[str]) -> list[Step]:
    """Return the steps of the main branch, the oldest first; a commit belongs to one at most."""
    brought = set(trunk)
    found = []
    for sha in reversed(trunk):
        own = _brought_by(commits, commits[sha], brought)
        brought.update(each.sha for each in own)
        found.append(Step(commits[sha], tuple(own) or (commits[sha],)))
    return found


def _change(step: Step, turned: Sequence[datetime], paths: Iterable[str]) -> Change:
    merge = step.commit
    first = min(step.own, key=lambda each: (each.written_at, each.sha))
    picked = _PICKED.findall(merge.message)
    return Change(
        sha=merge.sha,
        task=picked[-1] if picked else first.sha,
        branch=branch_named(merge.message) if len(merge.parents) > 1 else "",
        began_at=first.written_at,
        merged_at=merge.committed_at,
        folders=frozenset(_folders(paths)),
        turns=tuple(turned),
    )


def branch_named(message: str) -> str:
    """Return the branch that the first line of a merge's message names; empty for none."""
    first_line = message.partition("\n")[0]
    found = (pattern.match(first_line) for pattern in _NAMED)
    return next((match[1] for match in found if match), "")


def _brought_by(commits: Mapping[str, Commit], merge: Commit, brought: set[str]) -> list[Commit]:
    """Return the commits behind a merge's other parents, without what came there before it."""
    waiting = [sha for sha in merge.parents[1:] if sha in commits]
    seen: set[str] = set()
    while waiting:
        sha = waiting.pop()
        if sha not in seen and sha not in brought:
            seen.add(sha)
            waiting += (each for each in commits[sha].parents if each in commits)
    return [commits[sha] for sha in seen]


def _folders(paths: Iterable[str]) -> Iterable[str]:
    for path in paths:
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            yield folder
