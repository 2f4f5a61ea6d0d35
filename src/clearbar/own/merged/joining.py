"""Which merged change paid-for work belongs to: by branch; else by folder and time. Pure.

A day's use on a branch belongs to the next merge of that branch. Use on the main branch, or on one
that its log does not name, belongs to a change only if it is the one change that was being made on
that day and that touches the folder. Where several are, nothing is guessed: it stays unjoined, and
is counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from clearbar.spend.charge import labels_of
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from clearbar.own.merged.change import Change
    from clearbar.spend.charge import Origin

How = Literal["branch", "folder", "several", "not_merged", "elsewhere"]
HOW: Final[dict[How, str]] = {
    "branch": "joined by branch",
    "folder": "joined by folder and time",
    "several": "not joined: several changes were being made there",
    "not_merged": "not joined: nothing was merged of it",
    "elsewhere": "not of this repository, or its log does not say where",
}
"""How spend was joined, or why not, in words."""


_BEFORE_ONE_COMMIT: Final = timedelta(days=1)
"""Work that arrives as one commit, as squashed work does, was begun before that is written."""


class Used(NamedTuple):
    """What one origin used on one UTC day."""

    origin: Origin
    day: date
    usage: Usage


@dataclass(frozen=True, slots=True)
class Joined:
    """The changes that spend was joined to, and the coverage of the join."""

    changes: tuple[tuple[Change, Usage], ...]
    """Those with spend, the oldest first."""
    coverage: Mapping[How, Usage]
    """All use, by how it was joined; the parts sum to the whole."""


def join(changes: Sequence[Change], used: Iterable[Used], root: PurePosixPath, main: str) -> Joined:
    """Return what was spent on each change. `root` is the top of the repository."""
    joining = _Joining(changes, root, main)
    spent: defaultdict[str, Usage] = defaultdict(Usage)
    coverage: dict[How, Usage] = dict.fromkeys(HOW, Usage())
    for row in used:
        how, change = joining.place(row)
        coverage[how] += row.usage
        if change is not None:
            spent[change.sha] += row.usage
    found = tuple((change, spent[change.sha]) for change in changes if change.sha in spent)
    return Joined(found, coverage)


class _Joining:
    def __init__(self, changes: Sequence[Change], root: PurePosixPath, main: str) -> None:
        self._changes = changes
        self._root = root
        self._main = {"", "HEAD", main, main.rpartition("/")[2]}
        self._of_branch: defaultdict[str, list[Change]] = defaultdict(list)
        for change in changes:
            if change.branch:
                self._of_branch[change.branch].append(change)

    def place(self, row: Used) -> tuple[How, Change | None]:
        labels = labels_of(row.origin.labels)
        folder = self._folder(labels.get("cwd", ""), row.origin.project)
        if folder is None:
            return "elsewhere", None
        branch = labels.get("branch", "")
        if branch not in self._main:
            found = next((c for c in self._of_branch.get(branch, []) if row.day <= _day(c)), None)
            if found is not None:
                return "branch", found
            if branch in self._of_branch or self._all_named(row.day):
                return "not_merged", None
        return self._by_folder(folder, row.day)

    def _all_named(self, day: date) -> bool:
        """Whether every change under way on a day names its branch: another branch is none."""
        return all(change.branch for change in self._changes if _under_way(change, day))

    def _by_folder(self, folder: str, day: date) -> tuple[How, Change | None]:
        fitting = [
            change
            for change in self._changes
            if _under_way(change, day) and folder in change.folders
        ]
        if not fitting:
            return "not_merged", None
        return ("folder", fitting[0]) if len(fitting) == 1 else ("several", None)

    def _folder(self, cwd: str, project: str) -> str | None:
        """Return where in the repository a log was written: a folder, empty for the top.

        A log of another machine has another path: there the folder's own name says which
        repository it is.
        """
        path = PurePosixPath(cwd.replace("\\", "/"))
        if path.is_relative_to(self._root):
            return _text(path.relative_to(self._root))
        if self._root.name in path.parts:
            below = path.parts[path.parts.index(self._root.name) + 1 :]
            return _text(PurePosixPath(*below))
        return "" if project == self._root.name and not cwd else None


def _text(path: PurePosixPath) -> str:
    return "" if path == PurePosixPath() else str(path)


def _under_way(change: Change, day: date) -> bool:
    began = change.began_at.date()
    if not change.branch:
        began -= _BEFORE_ONE_COMMIT
    return began <= day <= _day(change)


def _day(change: Change) -> date:
    return change.merged_at.date()
