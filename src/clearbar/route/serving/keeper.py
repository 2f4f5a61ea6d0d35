"""What the supervisor has done for it by a workspace, in a thread where waiting is no harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.route.operating.facts import AccountRow, AlarmRow, KeyIssued, KeyRow, KeyWanted
    from clearbar.route.route import RouteTable


@dataclass(frozen=True, slots=True)
class Published:
    """The table that stands in the file now."""

    table: RouteTable
    changed: bool


class Keeper(Protocol):
    """Reads and writes the workspace. One thread calls it, never two at once."""

    def publish(self) -> Published:
        """Write the table of routes, where anything that it is made of has changed.

        Raises:
            ClearbarError: when the declarations are wrong; the table before stays in force.
        """

    def charge(self) -> int:
        """Move what the journals say into the ledger; return how many charges were new."""

    def recover(self, worker: str) -> None:
        """Settle the budgets of a worker that has died, from its journal."""

    def dead_workers(self) -> Sequence[str]:
        """Return workers with journals whose processes are gone and that were not recovered."""

    def write_off_lost(self) -> Sequence[str]:
        """Declare workers of other machines lost that give no sign of life; return those."""

    def watch(self) -> None:
        """Judge new shadow grades; an alarm goes into the docket and into the next table."""

    def judge(self) -> None:
        """Give the verdicts of today, and record those that are news."""

    def expire(self) -> None:
        """Delete captured requests and journals whose time is over."""

    def journal_lag_s(self) -> float:
        """Return how old the oldest line of a journal is that is not in the ledger yet."""

    def balances(self) -> Sequence[AccountRow]:
        """Return the accounts of the periods that run now, and of runs and tasks in use."""

    def alarms(self) -> Sequence[AlarmRow]:
        """Return recent alarms, the newest first."""

    def keys(self) -> Sequence[KeyRow]:
        """Return all keys that were ever issued."""

    def issue_key(self, wanted: KeyWanted) -> KeyIssued:
        """Issue a key."""

    def revoke_key(self, key_id: str) -> KeyRow:
        """Revoke a key."""

    def close(self) -> None:
        """Close the workspace."""
