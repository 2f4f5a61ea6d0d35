"""What is written down of a call: before its request leaves, and how it ended.

Never here: network, disk, clock. A call's id is random, and means nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from clearbar.tools.address import provider_of
from clearbar.tools.tool import Failure, GpuPrice, NoPrice
from clearbar.trial.attempts import Attempt, AttemptEnd
from clearbar.trial.identity import answer_digest

if TYPE_CHECKING:
    from datetime import datetime

    from clearbar.tools.tool import Answer, Tool
    from clearbar.trial.attempts import CostSource
    from clearbar.trial.running.purchase import NoAnswer, Question

SELF_HOSTED: Final = "self-hosted"
"""Who bills where nobody does: tools with a cost of their own that name no provider."""


def begun(question: Question, ceiling_usd: Decimal | None, at: datetime) -> Attempt:
    """Return a call that is about to be made, under an id of its own."""
    tool = question.tool
    return Attempt(
        uuid4().hex,
        question.asked,
        question.kind,
        question.workflow,
        question.trial,
        tool.name,
        biller_of(tool),
        tool.model or "",
        question.tool_digest,
        question.prompt_digest,
        question.case_digest,
        ceiling_usd,
        at,
    )


def ended(
    attempt: Attempt,
    said: Answer | Failure,
    at: datetime,
    cost: tuple[Decimal | None, CostSource],
) -> AttemptEnd:
    """Return how a call ended that was made, and what it cost by whom (`Pricing.cost`)."""
    usd, source = cost
    if isinstance(said, Failure):
        return AttemptEnd(
            attempt.attempt_id,
            "failed",
            at,
            said.what,
            http_status=said.status,
            usage=said.usage,
            cost_usd=usd,
            cost_source=source,
            upstream_id=said.upstream_id,
            latency_ms=said.latency_ms,
        )
    return AttemptEnd(
        attempt.attempt_id,
        "answered",
        at,
        answer_digest=answer_digest(said.text),
        usage=said.usage,
        cost_usd=usd,
        cost_source=source,
        confidence=said.confidence,
        model=said.model,
        upstream_id=said.upstream_id,
        service_tier=said.service_tier,
        speed=said.speed,
        geo=said.geo,
        latency_ms=said.latency_ms,
    )


def never_sent(attempt: Attempt, why: NoAnswer, at: datetime) -> AttemptEnd:
    """Return the end of a call whose request could not leave, and so cost nothing."""
    cost = Decimal(0)
    return AttemptEnd(
        attempt.attempt_id, "failed", at, why.what, cost_usd=cost, cost_source="declared"
    )


def biller_of(tool: Tool) -> str:
    """Return who bills, as a charge names it; what has a cost of its own bills itself."""
    if tool.provider is None and isinstance(tool.cost, NoPrice | GpuPrice):
        return SELF_HOSTED
    return provider_of(tool)
