"""Agreements as prices: what is covered costs nothing extra, and a machine's hour becomes a price.

A token of a self-hosted model costs the seconds it takes, at the price of a second in which the
machines work: usd_per_gpu_hour * gpus * (1 + overhead) / (3600 * utilisation * tokens_per_second).
Input and output take time of different kinds, so each has the rate that was measured for it.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import CACHE_READ_METERS, CACHE_WRITE_METERS
from clearbar.spend.prices.price_override import PriceOverride
from clearbar.spend.prices.price_rate import scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.spend.prices.agreements import Agreements, Commitment, Plan, SelfHosted

PLAN: Final = "plan"
COMMITMENT: Final = "commitment"
SELF_HOSTED: Final = "self-hosted"
CREDIT: Final = "credit"

_SECONDS_OF_AN_HOUR: Final = 3600
_MILLION: Final = 10**6


def price_rules(
    overrides: Sequence[PriceOverride], agreements: Agreements
) -> tuple[PriceOverride, ...]:
    """Return all rules that stand before the price book, in the order in which the last wins.

    Declared prices come first, so that their numbers are those of clearbar.toml.
    """
    return (
        *overrides,
        *map(_machine_price, agreements.self_hosted),
        *(_covered(COMMITMENT, each) for each in agreements.commitments),
        *(_covered(PLAN, each) for each in agreements.plans),
    )


def usd_per_million(machine: SelfHosted) -> dict[str, Decimal]:
    """Return meter -> US dollars per million tokens, of the meters that a language model has."""
    fresh = _per_million(machine, machine.input_tokens_per_second)
    cached = _per_million(
        machine, machine.cached_tokens_per_second or machine.input_tokens_per_second
    )
    return {
        "input_tokens": fresh,
        **dict.fromkeys(CACHE_WRITE_METERS, fresh),
        CACHE_READ_METERS[0]: cached,
        "output_tokens": _per_million(machine, machine.output_tokens_per_second),
    }


def usd_per_paid_hour(machine: SelfHosted) -> Decimal:
    """Return what all its GPUs cost in an hour, working or not."""
    return machine.usd_per_gpu_hour * machine.gpus * (1 + machine.overhead)


def _per_million(machine: SelfHosted, tokens_per_second: Decimal) -> Decimal:
    with localcontext() as exact:
        exact.prec = 80
        worked = _SECONDS_OF_AN_HOUR * machine.utilisation * tokens_per_second
        return scaled(usd_per_paid_hour(machine) * _MILLION / worked, Decimal(1))


def _machine_price(machine: SelfHosted) -> PriceOverride:
    share = f"{machine.utilisation * 100:f}".rstrip("0").rstrip(".")
    said = f"{machine.gpus} GPUs at ${machine.usd_per_gpu_hour:f} an hour, {share}% used"
    return PriceOverride(
        provider=machine.provider,
        model=machine.model,
        start=machine.start,
        end=machine.end,
        usd_per_million=usd_per_million(machine),
        source=f"{machine.source}: {said}" if machine.source else said,
        only=machine.only,
        name=f"{SELF_HOSTED}:{machine.name}",
    )


def _covered(kind: str, agreed: Plan | Commitment) -> PriceOverride:
    return PriceOverride(
        provider=agreed.provider,
        model=agreed.model,
        start=agreed.start,
        end=agreed.end,
        service_tier=agreed.service_tier,
        source=agreed.source or f'[[{kind}]] "{agreed.name}" in clearbar.toml',
        only=agreed.only,
        name=f"{kind}:{agreed.name}",
        covers=True,
    )
