"""A worker's earlier life in the store: its holds end, then it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.budgets.asking import ask_to_return
from clearbar.route.budgets.store import MOST_ASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.budgets.holding import Lease
    from clearbar.route.budgets.leases import Ask
    from clearbar.route.budgets.store import Incarnation


class Former:
    """An incarnation that takes no new holds."""

    def __init__(self, incarnation: Incarnation, leases: Mapping[str, Lease]) -> None:
        self.incarnation = incarnation
        self._leases = [leases[each] for each in sorted(leases)]

    @property
    def calls(self) -> int:
        """Holds that are still open."""
        return sum(lease.calls for lease in self._leases)

    def asks(self) -> list[tuple[Lease, Ask]]:
        """Return what to report, up to one exchange's worth: all that is idle goes back."""
        owed = [lease for lease in self._leases if lease.is_owed]
        return [(lease, ask_to_return(lease)) for lease in owed[:MOST_ASKS]]

    def spent(self) -> dict[str, int]:
        """Return all that it spent of each account."""
        return {lease.account.id: lease.spent for lease in self._leases}
