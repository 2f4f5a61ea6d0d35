"""Lines of a journal, with only what budgets look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.journal.entry import Ended, Held

if TYPE_CHECKING:
    from clearbar.route.budgets.allowance import Holding


def held_line(call_id: str, holding: Holding, at_us: int = 0, request_id: str = "") -> Held:
    """Return the line of a call that is about to be made."""
    return Held(
        call_id=call_id,
        at_us=at_us,
        request_id=request_id,
        attempt=1,
        arm="tool",
        operation="chat",
        stream=False,
        workflow="support",
        tool="small",
        provider="openai",
        model="small",
        key="k",
        team="",
        user="",
        task="",
        run="",
        environment="",
        labels="",
        trace_id="",
        span_id="",
        parent_span_id="",
        accounts=holding.account_ids,
        amount_nusd=holding.amount_nusd,
        worker=holding.worker,
    )


def ended_line(call_id: str, cost_nusd: int, at_us: int = 0) -> Ended:
    """Return the line of a call that ended."""
    return Ended(
        call_id=call_id,
        at_us=at_us,
        outcome="ok" if cost_nusd else "unsent",
        status=200,
        usage={},
        known="none",
        cost_nusd=cost_nusd,
        priced=True,
    )
