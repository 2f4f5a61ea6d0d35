"""A trial's money: reserved before a call, settled after it. Never more than the limit is promised.

Pure. Amounts are exact US dollars.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_ZERO: Final = Decimal(0)


class Budget:
    """What may still be spent. `limit_usd` None sets no limit; then unknown prices are allowed."""

    def __init__(self, limit_usd: Decimal | None, spent_usd: Decimal = _ZERO) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        """Settled, with calls of unknown cost at the most that they can have cost."""
        self.reserved_usd = _ZERO
        """For calls in flight, at the most that they can cost."""

    def reserve(self, ceiling_usd: Decimal | None) -> bool:
        """Set the most that a call can cost aside; False where the limit does not allow it.

        A call whose ceiling is not known fits under no limit.
        """
        if ceiling_usd is None:
            return self.limit_usd is None
        if self.limit_usd is not None and self._promised + ceiling_usd > self.limit_usd:
            return False
        self.reserved_usd += ceiling_usd
        return True

    def settle(self, ceiling_usd: Decimal | None, cost_usd: Decimal | None) -> None:
        """End a reservation with what the call cost; None, which is never zero, keeps all of it."""
        held = _ZERO if ceiling_usd is None else ceiling_usd
        self.reserved_usd -= held
        self.spent_usd += held if cost_usd is None else cost_usd

    def could_ever(self, ceiling_usd: Decimal | None) -> bool:
        """Return whether a call would fit if all that is in flight turned out free."""
        if self.limit_usd is None:
            return True
        return ceiling_usd is not None and self.spent_usd + ceiling_usd <= self.limit_usd

    @property
    def _promised(self) -> Decimal:
        return self.spent_usd + self.reserved_usd
