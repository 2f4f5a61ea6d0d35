"""Rows to reconcile, in one line each."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clearbar.core.money import plain
from clearbar.spend.charge import Origin
from clearbar.spend.reconciling.reconcile import reconcile
from clearbar.spend.reconciling.told import RESIDUAL, Told
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY, NEXT_DAY = date(2026, 9, 1), date(2026, 9, 2)


def told(grain: str, usage: Usage | str, key: int = 0, day: date = DAY, **values: Any) -> Told:
    """Return a row; `usage` may be money alone. Values of an origin or of the row."""
    if isinstance(usage, str):
        usage = Usage(cost_usd=Decimal(usage))
    own = {name: values.pop(name) for name in list(values) if name in Told.__dataclass_fields__}
    source = {"bucket": "openai_usage", "bill": "openai_costs"}.get(grain, "call")
    origin = Origin(**{"source": source, "provider": "openai", **values})
    return Told(key=key, origin=origin, grain=grain, day=day, usage=usage, **own)


def call(usage: Usage | str, key: int = 1, **values: Any) -> Told:
    return told("call", usage, key, **values)


def bucket(usage: Usage | str, key: int = 2, **values: Any) -> Told:
    return told("bucket", usage, key, **values)


def bill(usage: Usage | str, key: int = 3, **values: Any) -> Told:
    return told("bill", usage, key, **values)


def total_after(*rows: Told) -> Usage:
    """Return what all calls, aggregates and lines sum to once they are reconciled."""
    found = reconcile(rows)
    parts = [row.usage for row in rows if row.grain != "bill"]
    parts += [each.usage for each in found.overlaps] + [each.usage for each in found.lines]
    return sum(parts, Usage())


def cost_after(*rows: Told) -> Decimal:
    return total_after(*rows).cost_usd


def cost_by_account(rows: Iterable[Told]) -> dict[str, Decimal]:
    """Return account -> cost once all is reconciled."""
    rows = list(rows)
    found = reconcile(rows)
    account_of = {(row.key, row.day): row.origin.account for row in rows}
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.grain != "bill":
            sums[row.origin.account] += row.usage.cost_usd
    for each in found.overlaps:
        sums[account_of[each.origin_id, each.day]] += each.usage.cost_usd
    for line in found.lines:
        sums[line.origin.account] += line.usage.cost_usd
    return dict(sums)


def residuals(*rows: Told) -> list[tuple[str, date, str]]:
    """Return account, day and cost of each residual."""
    return [
        (line.origin.account, line.day, plain(line.usage.cost_usd))
        for line in reconcile(rows).lines
        if line.origin.source == RESIDUAL
    ]
