"""Which tasks and runs have begun: a soft pause lets them end.

A worker knows those that it began itself at once, and those of other workers about a second later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.account import plain_name, works_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.route.route import Caller

REMEMBERED: Final = 200_000
"""The newest, in each worker; the store remembers more."""


class Begun:
    """What one worker knows of it."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}
        self._new: dict[str, None] = {}
        self.place = 0
        """In the store's order: everything up to here is known."""

    def has(self, caller: Caller) -> bool:
        """Return whether the task or the run of a caller was paid for before."""
        known = self._known
        if caller.task and f"task:{plain_name(caller.task)}" in known:
            return True
        return bool(caller.run) and f"run:{plain_name(caller.run)}" in known

    def mark(self, caller: Caller) -> None:
        """Note that a call of this caller was paid for."""
        if caller.task or caller.run:
            for work in works_of(caller):
                if work not in self._known:
                    self._known[work] = self._new[work] = None

    def take_new(self) -> tuple[str, ...]:
        """Return what the store has to learn; it counts as told."""
        new, self._new = self._new, {}
        return tuple(new)

    def not_told(self, works: Iterable[str]) -> None:
        """Take back what the store did not learn."""
        self._new.update(dict.fromkeys(works))

    @property
    def has_new(self) -> bool:
        """Whether the store has to learn something."""
        return bool(self._new)

    def learn(self, rows: Iterable[tuple[int, str]]) -> None:
        """Take in what the store knows, oldest first."""
        for self.place, work in rows:
            self._known[work] = None
        while len(self._known) > REMEMBERED:
            self._known.pop(next(iter(self._known)))
