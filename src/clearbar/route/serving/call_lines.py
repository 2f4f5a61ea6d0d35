"""What the journal says of a call: its beginning, and of its end what the answer told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.journal.entry import Held
from clearbar.tools.tool import TokenPrice

if TYPE_CHECKING:
    from clearbar.route.budgets.allowance import Holding
    from clearbar.route.route import Arm, Caller
    from clearbar.route.serving.inquiry import Claim
    from clearbar.route.serving.means import Means
    from clearbar.route.wire.metering import Metered
    from clearbar.tools.tool import Tool

_BY_THE_BOOK: Final = TokenPrice()


def held_of(
    means: Means,
    caller: Caller,
    tool: Tool,
    claim: Claim,
    holding: Holding | None,
    *,
    request_id: str,
    operation: str,
    stream: bool,
    provider: str,
    model: str,
    arm: Arm = "passed",
    attempt: int = 1,
) -> Held:
    """Return the line of the journal for a call about to be made, with ids of its own."""
    now_us = means.now_us()
    return Held(
        means.ids.next(now_us),
        now_us,
        request_id,
        attempt,
        arm,
        operation,
        stream,
        caller.workflow,
        tool.name,
        provider,
        model,
        caller.key,
        caller.team,
        caller.user,
        caller.task,
        caller.run,
        caller.environment,
        caller.labels,
        caller.trace_id,
        means.ids.span_id(),
        caller.parent_span_id,
        () if holding is None else holding.account_ids,
        0 if holding is None else holding.amount_nusd,
        claim.input_tokens,
        claim.output_tokens,
        means.worker if holding is None else holding.worker,
        caller.sampled or not caller.parent_span_id,
        by_own_price(tool),
    )


def by_own_price(tool: Tool) -> bool:
    """Return whether a tool's price is one that the workspace declares of it, not the book's."""
    return tool.cost != _BY_THE_BOOK


def reported(metered: Metered | None) -> tuple[str, str, str, str, str, str]:
    """Return what an answer told of itself, in the order of `Ended`; None: there was none."""
    if metered is None:
        return "", "", "", "", "", ""
    return (
        metered.model,
        metered.upstream_id,
        metered.service_tier,
        metered.speed,
        metered.geo,
        metered.stop_reason,
    )
