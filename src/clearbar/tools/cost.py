"""What an answer costs in USD, by the tool's own cost model; unknown is None, never zero."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING, Final

from clearbar.tools.address import provider_of
from clearbar.tools.rates import cost_by
from clearbar.tools.tool import Answer, GpuPrice, NoPrice, TokenPrice, TokenUsage

if TYPE_CHECKING:
    from datetime import datetime

    from clearbar.tools.rates import Rates
    from clearbar.tools.tool import Failure, Kind, Tool

IN_PROCESS: Final[tuple[Kind, ...]] = ("rules", "classifier")
"""Kinds that are worked out here: no call leaves, so that none is billed."""
_PLACES: Final = Decimal("1e-24")
"""To which a quotient is rounded; sums and products are exact."""
_MILLION: Final = Decimal(10**6)
_HOUR_S: Final = 3600
_REFUSED: Final = range(300, 600)


def cost_usd(tool: Tool, found: Answer | Failure, rates: Rates, at: datetime) -> Decimal | None:
    """Return what a call of a tool cost that was made at a time; None where that is not known.

    As in the ledger, a call that the endpoint refused, or sent elsewhere, costs nothing where it
    reports no usage, nor does one that never left. One that broke off may have been billed: its
    cost is not known.
    """
    if isinstance(tool.cost, NoPrice) or tool.kind in IN_PROCESS:
        return Decimal(0)
    usage = found.usage
    if usage is None:
        free = not isinstance(found, Answer) and (not found.sent or (found.status or 0) in _REFUSED)
        return Decimal(0) if free else None
    if isinstance(tool.cost, GpuPrice):
        return _gpu_cost(tool.cost, usage)
    if not _from_the_book(tool.cost):
        return _own_cost(tool.cost, usage)
    if not isinstance(found, Answer):
        return cost_by(rates.in_force(provider_of(tool), tool.model or ""), usage, at)
    served = (found.service_tier, found.speed, found.geo)
    model = found.model or tool.model or ""
    return cost_by(rates.in_force(provider_of(tool), model, *served), usage, at)


def expected_usd_per_case(
    tool: Tool, input_tokens: float, output_tokens: float, rates: Rates, at: datetime
) -> Decimal | None:
    """Return what a case will cost at mean token counts, before anything is measured.

    Counts are rounded up to whole tokens. None where the price is not known, and for a cascade,
    whose cost is that of its parts and of how often the second is asked.
    """
    if tool.kind == "cascade":
        return None
    if tool.kind in ("command", "python") and not isinstance(tool.cost, NoPrice):
        return None  # it reports no tokens
    usage = TokenUsage(input_tokens=_up(input_tokens), output_tokens=_up(output_tokens))
    return cost_usd(tool, Answer("", usage=usage), rates, at)


def usd_per_output_token(price: GpuPrice) -> Decimal:
    """Return what one token costs of a GPU that works a share of its hours, to 24 places."""
    return _gpu_cost(price, TokenUsage(output_tokens=1)) or Decimal(0)


def _up(tokens: float) -> int:
    return int(Decimal(str(tokens)).to_integral_value(ROUND_CEILING))


def _from_the_book(price: TokenPrice) -> bool:
    return price.input_usd_per_million is None and price.output_usd_per_million is None


def _own_cost(price: TokenPrice, usage: TokenUsage) -> Decimal | None:
    """Price all input, cached or not, by the one declared rate."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    cached = (
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )
    total = usage.input_tokens + sum(count or 0 for count in cached)
    parts = (
        (price.input_usd_per_million, total),
        (price.output_usd_per_million, usage.output_tokens),
    )
    cost = Decimal(0)
    with localcontext() as exact:
        exact.prec = 60
        for rate, count in parts:
            if rate is None and count:
                return None
            cost += (rate or Decimal(0)) * count / _MILLION
    return cost


def _gpu_cost(price: GpuPrice, usage: TokenUsage) -> Decimal | None:
    """Return the share of GPU time that the output took: USD/h / (3600 s * tokens/s * share)."""
    if usage.output_tokens is None:
        return None
    with localcontext() as exact:
        exact.prec = 60
        tokens_per_hour = _HOUR_S * price.output_tokens_per_second * price.utilisation
        cost = price.usd_per_gpu_hour * usage.output_tokens / tokens_per_hour
        return cost.quantize(_PLACES, rounding=ROUND_HALF_EVEN)
