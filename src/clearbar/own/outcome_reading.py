"""Outcome files into the store; a declared file is read again only when it has changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from clearbar.core.errors import Problem
from clearbar.own import outcomes
from clearbar.own.outcome_file import read_outcomes
from clearbar.spend.files.source_file import state_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from clearbar.core.store import Store

_SOURCE = "outcomes"


class OutcomesRead(NamedTuple):
    """What reading some files has come to."""

    new: int
    known: int
    problems: tuple[tuple[Path, Problem], ...]
    """What was not taken in, with its file."""


def add_files(store: Store, paths: Iterable[Path], now: datetime) -> OutcomesRead:
    """Store what the files say; what cannot be read is told, and the rest goes on."""
    new = known = 0
    bad: list[tuple[Path, Problem]] = []
    for path in paths:
        read = list(read_outcomes(path))
        bad += [(path, item) for item in read if isinstance(item, Problem)]
        good = [item for item in read if not isinstance(item, Problem)]
        appended = outcomes.append(store, good, now)
        new, known = new + appended.new, known + appended.known
    return OutcomesRead(new, known, tuple(bad))


def add_changed_files(store: Store, paths: Iterable[Path], now: datetime) -> OutcomesRead:
    """Do as `add_files` with the files that are new or changed, or had a problem the last time."""
    told = store.rows("SELECT uri, fingerprint FROM file_read WHERE source = ?", _SOURCE)
    states = {path: state_of(path) for path in paths}
    changed = [path for path, state in states.items() if (str(path), state) not in told]
    found = add_files(store, changed, now)
    faulty = {path for path, _ in found.problems}
    with store.transaction() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO file_read VALUES (?, ?, ?, 0, ?)",
            [
                (str(path), states[path], _SOURCE, now.isoformat(timespec="seconds"))
                for path in changed
                if path not in faulty
            ],
        )
    return found


def named_files(folder: Path, text: str) -> list[Path]:
    """Return the files that a path or a glob names; none where the text is words."""
    root = Path(Path(text).anchor) if Path(text).is_absolute() else folder
    try:
        found = list(root.glob(str(Path(text).relative_to(Path(text).anchor))))
    except (ValueError, IndexError, NotImplementedError, OSError):  # words, not a path
        return []
    return [path for path in found if path.is_file() and not path.name.startswith(".")]
