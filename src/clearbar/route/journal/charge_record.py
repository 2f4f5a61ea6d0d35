"""What a call of the gateway tells the ledger. Pure.

Costs. What the price book prices carries usage: the ledger prices it, with the same book. What the
worker priced goes along as reported cost. By a price that the tool itself declares (own rates, GPU
hours, free by declaration) it is `declared` and stands before the book; else it is an estimate, and
counts where the book has no price. Where the worker knew no price either, the charge is `unpriced`,
whatever was taken from a budget for it.

Estimated usage, as of a stream that was cut, is `partial`, so that its cost is `estimated`. A call
whose worker died is charged as its budgets are: with the amount that was held, as an estimate; of a
call that nothing was held for, its tokens as estimated beforehand.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from clearbar.spend.charge import MAX_QUANTITY, METERS, Origin, Record, label_text, labels_of
from clearbar.spend.identity import PROVIDER_PREFIXES, gateway, span, upstream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.journal.entry import Ended, Held

SOURCE: Final = "gateway"
KIND_LABEL: Final = "route"
_USAGE: Final = {"reported": "final", "estimated": "partial", "none": "missing"}
_STATUS: Final = {"ok": "ok", "error": "error", "cut": "cancelled", "lost": "cancelled"}
FREE_OPERATIONS: Final = frozenset({"models", "count_tokens"})
"""They use no tool: without usage and cost they are no charges."""
COUNTED: Final = frozenset((*METERS, "reasoning_tokens"))
_GATEWAY: Final = "clearbar"
"""The gateway's name in the identity of its charges."""
_SHORTEST_UNIQUE_ID: Final = 16
"""Without its prefix: `chatcmpl-123` is what some servers say again and again."""
LONG_ID: Final = _SHORTEST_UNIQUE_ID + max(map(len, PROVIDER_PREFIXES))
"""With a provider's prefix so long an id is unique, whichever the prefix is."""
_SEPARATOR: Final = re.compile("[_-]")


def is_charge(held: Held, ended: Ended | None) -> bool:
    """Return whether a call is a charge: it left, and it used a tool, or cost something."""
    if ended is None:
        return held.operation not in FREE_OPERATIONS or held.amount_nusd > 0
    if ended.outcome == "unsent":
        return False
    used = bool(ended.usage or ended.cost_nusd)
    return used or held.operation not in FREE_OPERATIONS


def identity_of(call_id: str, provider: str, upstream_id: str) -> str:
    """Return the identity of a call by the provider's id of its answer; else the gateway's."""
    if len(_SEPARATOR.split(upstream_id, 1)[-1]) < _SHORTEST_UNIQUE_ID:
        return own_identity(call_id)
    return upstream(provider, upstream_id)


def own_identity(call_id: str) -> str:
    """Return the identity of a call by the gateway's id of it."""
    return gateway(_GATEWAY, call_id)


def alias_of(held: Held) -> str:
    """Return by which other identity a trace knows a call: the span of this attempt alone.

    Not the trace, the request or the span around it, which its other attempts share.
    """
    return span(held.trace_id, held.span_id) if held.trace_id and held.span_id else ""


def record_of(held: Held, ended: Ended, **place: Any) -> Record:
    """Return what a call that ended tells the ledger.

    `place` has the record's identity, and offset, length and digest of the line that tells of its
    end.
    """
    return Record(
        evidence="gateway",
        origin=_origin(held, ended.model or held.model),
        started_at_us=held.at_us,
        ended_at_us=ended.at_us,
        aliases=alias_of(held),
        status=_status(ended),
        usage=_usage(ended),
        service_tier=ended.service_tier,
        speed=ended.speed,
        geo=ended.geo,
        reported_cost_usd=usd_of(ended.cost_nusd) if ended.priced else None,
        reported_basis=basis_of(held, ended),
        upstream_id=ended.upstream_id,
        latency_ms=ended.latency_ms,
        trace_id=held.trace_id,
        session_id=held.run,
        task_id=held.task,
        **_told(ended.usage),
        **place,
    )


def basis_of(held: Held, ended: Ended) -> Literal["declared", "estimated"]:
    """Return what kind of statement the cost is: the tool's own price stands before the book's.

    So does that a tool which was held for nothing has cost nothing, however it ended.
    """
    free = not held.amount_nusd and not ended.cost_nusd
    declared = ended.priced and (free or (held.declared and ended.known == "reported"))
    return "declared" if declared else "estimated"


def lost_record(held: Held, **place: Any) -> Record:
    """Return what a call tells the ledger whose worker died; `place` is of its beginning."""
    tokens = {"input_tokens": held.input_tokens, "output_tokens": held.output_tokens}
    return Record(
        evidence="gateway",
        origin=_origin(held, held.model),
        started_at_us=held.at_us,
        aliases=alias_of(held),
        status="cancelled",
        usage="missing" if held.amount_nusd else "partial",
        reported_cost_usd=usd_of(held.amount_nusd) if held.amount_nusd else None,
        trace_id=held.trace_id,
        session_id=held.run,
        task_id=held.task,
        **({} if held.amount_nusd else _told(tokens)),
        **place,
    )


def fault_of(ended: Ended) -> str:
    """Return what is wrong with a call that ended; empty for nothing."""
    return fault_in(ended.usage) or ("its cost is negative" if ended.cost_nusd < 0 else "")


def fault_in(usage: Mapping[str, int]) -> str:
    """Return what is wrong with a usage; empty for nothing."""
    for meter, count in usage.items():
        if meter not in COUNTED:
            return "its usage names a meter that does not exist"
        if not 0 <= count <= MAX_QUANTITY:
            return f"{meter} is {'negative' if count < 0 else 'impossibly large'}"
    if usage.get("reasoning_tokens", 0) > usage.get("output_tokens", 0):
        return "reasoning_tokens exceed output_tokens"
    return ""


def usd_of(amount_nusd: int) -> Decimal:
    """Return nano-dollars as dollars."""
    return Decimal(amount_nusd).scaleb(-9)


def _origin(held: Held, model: str) -> Origin:
    return _shared_origin(
        held.provider,
        model,
        held.key,
        held.team,
        held.user,
        held.environment,
        held.workflow,
        held.labels,
        held.tool,
        held.arm,
    )


@lru_cache(maxsize=4096)
def _shared_origin(
    provider: str,
    model: str,
    key: str,
    team: str,
    user: str,
    environment: str,
    workflow: str,
    labels: str,
    tool: str,
    arm: str,
) -> Origin:
    """Return who called, with what. Task and run are no labels: origins are to stay few."""
    own = {"kind": KIND_LABEL, "tool": tool, "arm": arm}
    return Origin(
        source=SOURCE,
        provider=provider,
        model=model,
        credential=key,
        team=team,
        principal=user,
        environment=environment,
        workflow=workflow,
        labels=label_text(labels_of(labels) | own),
    )


def _status(ended: Ended) -> Any:
    return _STATUS[ended.outcome]


def _usage(ended: Ended) -> Any:
    return _USAGE[ended.known]


def _told(usage: Mapping[str, int]) -> dict[str, Any]:
    return {meter: count for meter, count in usage.items() if meter in COUNTED}
