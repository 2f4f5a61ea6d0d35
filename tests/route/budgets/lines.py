"""Lines of a journal, with only what budgets look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.route import lines

if TYPE_CHECKING:
    from clearbar.route.budgets.allowance import Holding
    from clearbar.route.journal.entry import Ended, Held


def held_line(call_id: str, holding: Holding, at_us: int = 0, request_id: str = "") -> Held:
    """Return the line of a call that is about to be made."""
    return lines.held(
        call_id=call_id,
        at_us=at_us,
        request_id=request_id,
        accounts=holding.account_ids,
        amount_nusd=holding.amount_nusd,
        worker=holding.worker,
    )


def ended_line(call_id: str, cost_nusd: int, at_us: int = 0) -> Ended:
    """Return the line of a call that ended."""
    outcome = "ok" if cost_nusd else "unsent"
    return lines.ended(call_id=call_id, at_us=at_us, outcome=outcome, cost_nusd=cost_nusd)
