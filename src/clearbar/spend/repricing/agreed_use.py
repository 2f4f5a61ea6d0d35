"""What charges say of agreements: who used how much under which, on which day."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from clearbar.spend.charge import (
    CACHE_READ_METERS,
    CACHE_WRITE_METERS,
    INPUT_METERS,
    OUTPUT_METERS,
)
from clearbar.spend.prices.agreement_prices import COMMITMENT, PLAN, SELF_HOSTED
from clearbar.spend.prices.planned_lines import (
    AgreedUse,
    PaidUse,
    agreement_in,
    agreement_names,
    planned_lines,
    shares,
)
from clearbar.spend.reconciling.told import Line
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from clearbar.spend.charge import Origin
    from clearbar.spend.engine import Engine
    from clearbar.spend.prices.agreements import Agreements
    from clearbar.spend.reconciling.told import Overlap, Told

_NAMED: Final = "|".join(f"{kind}:" for kind in (PLAN, COMMITMENT, SELF_HOSTED))
"""As a regular expression: what the id of a price has in it that names an agreement."""
_TOKENS: Final = (*INPUT_METERS, *CACHE_READ_METERS, *CACHE_WRITE_METERS, *OUTPUT_METERS)


def agreed_use(
    engine: Engine, charges: nw.LazyFrame[Any], agreements: Agreements
) -> list[AgreedUse]:
    """Return who used how much under which agreement, on which day."""
    known = agreement_names(agreements)
    if not known:
        return []
    named = charges.filter(nw.col("price_id").str.contains(_NAMED))
    keys = ("price_id", "origin_id", "day")
    sums = named.group_by(*keys).agg(
        nw.col("calls").sum(),
        *(nw.col(meter).sum() for meter in _TOKENS),
        nw.col("covered_usd").sum(),
        nw.col("cost_usd").sum(),
    )
    columns = (*keys, "calls", *_TOKENS, "covered_usd", "cost_usd")
    found = []
    for price_id, origin_id, day, calls, *tokens, list_usd, cost_usd in engine.rows(
        sums.select(*columns)
    ):
        if name := agreement_in(price_id, known):
            use = AgreedUse(
                name=name,
                origin_id=origin_id,
                day=day,
                calls=calls,
                tokens=sum(count or 0 for count in tokens),
                list_usd=list_usd or _ZERO,
                cost_usd=cost_usd or _ZERO,
            )
            found.append(use)
    return found


_ZERO: Final = Usage().cost_usd


def beyond_calls(
    used: Iterable[AgreedUse], told: Iterable[Told], overlaps: Sequence[Overlap]
) -> list[AgreedUse]:
    """Return the use with what aggregates tell again of other charges taken off, in proportion."""
    whole: dict[tuple[int, date], Usage] = defaultdict(Usage)
    for row in told:
        if row.grain == "bucket":
            whole[row.key, row.day] += row.usage
    left = {(each.origin_id, each.day): whole[each.origin_id, each.day] for each in overlaps}
    for each in overlaps:
        left[each.origin_id, each.day] += each.usage
    found = (
        _scaled(use, whole[place], left[place])
        if (place := (use.origin_id, use.day)) in left
        else use
        for use in used
    )
    return [use for use in found if use.calls or use.tokens or use.list_usd or use.cost_usd]


def _scaled(use: AgreedUse, whole: Usage, left: Usage) -> AgreedUse:
    return replace(
        use,
        calls=use.calls * left.calls // (whole.calls or 1),
        tokens=use.tokens * left.tokens // (whole.tokens or 1),
        list_usd=_part(use.list_usd, left.tokens, whole.tokens),
        cost_usd=_part(use.cost_usd, left.cost_usd, whole.cost_usd),
    )


def _part(amount: Decimal, left: Decimal | int, whole: Decimal | int) -> Decimal:
    return shares(amount, [Decimal(left), Decimal(whole - left)])[0] if whole else amount


def agreed_lines(
    agreements: Agreements,
    used: list[AgreedUse],
    costs: Mapping[tuple[int, date], Usage],
    origins: Mapping[int, Origin],
    until: date,
) -> list[Line]:
    """Return what agreements cost before a day, as lines that stand beside the charges.

    `costs` are what the charges themselves cost, by origin and day; credits come off them.
    """
    paid = [PaidUse(key, day, usage.cost_usd) for (key, day), usage in sorted(costs.items())]
    found = planned_lines(agreements, used, paid, origins, until)
    return [Line(line.origin, line.day, Usage(cost_usd=line.cost_usd)) for line in found]


@dataclass(frozen=True, slots=True)
class Covered:
    """What a plan or a commitment covered: calls that cost nothing extra."""

    name: str
    """`plan:NAME` or `commitment:NAME`; else of the group."""
    calls: int
    list_usd: Decimal
    """What they would have cost by the price book, as far as it knows them."""


def covered(
    used: Iterable[AgreedUse], group: Callable[[AgreedUse], str] = attrgetter("name")
) -> tuple[Covered, ...]:
    """Return what each plan and commitment covered, by name; or what they did by another group."""
    sums: dict[str, Usage] = defaultdict(Usage)
    for use in used:
        if not use.name.startswith(f"{SELF_HOSTED}:"):
            sums[group(use)] += Usage(calls=use.calls, cost_usd=use.list_usd)
    return tuple(Covered(name, each.calls, each.cost_usd) for name, each in sorted(sums.items()))
