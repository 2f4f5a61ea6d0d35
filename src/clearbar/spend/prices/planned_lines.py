"""What agreements cost by the day: lines that stand beside the charges. Pure; nothing is stored.

A plan's fee is spread over the days of its months, a commitment costs every hour, machines every
paid hour. Of each, what was used is told from what was not, as in FOCUS, and the two add up to the
fee exactly. A credit takes off what its charges cost until it is used up.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Context, Decimal, localcontext
from fnmatch import fnmatchcase
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

from clearbar.spend.charge import Origin, label_text
from clearbar.spend.prices.agreement_prices import (
    COMMITMENT,
    CREDIT,
    PLAN,
    SELF_HOSTED,
    usd_per_paid_hour,
)
from clearbar.spend.prices.price_contract import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clearbar.spend.prices.agreements import Agreements, Commitment, Credit, Plan, SelfHosted

_EXACT: Final = Context(prec=100)
_PLACES: Final = Decimal("1e-24")
_HOURS: Final = 24
_DAY: Final = timedelta(days=1)
_ZERO: Final = Decimal(0)

AGREED_NAMES: Final = {
    PLAN: "(plans)",
    f"{PLAN}-unused": "(plans, unused)",
    COMMITMENT: "(commitments)",
    f"{COMMITMENT}-unused": "(commitments, unused)",
    SELF_HOSTED: "(own machines, less than charged)",
    f"{SELF_HOSTED}-unused": "(own machines, unused)",
    CREDIT: "(declared credits)",
}
"""Source of a line of an agreement's own -> its name in reports."""

Status = Literal["", "used", "unused"]
Category = Literal["purchase", "credit", "adjustment"]


@dataclass(frozen=True, slots=True)
class AgreedUse:
    """What one origin used on one day under one agreement."""

    name: str
    """As in the id of a price: `plan:team`."""
    origin_id: int
    day: date
    calls: int
    tokens: int
    list_usd: Decimal
    """What it would have cost by the price book, as far as that is known."""
    cost_usd: Decimal
    """What the charges themselves cost: that of a self-hosted model."""


@dataclass(frozen=True, slots=True)
class PaidUse:
    """What one origin's charges cost on one day."""

    origin_id: int
    day: date
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """Money that no single charge tells of."""

    name: str
    """The agreement: `plan:team`, `commitment:ptu`, `self-hosted:llama`, `credit:start`."""
    origin: Origin
    """Of a share that was given to those who used it, theirs; else one of the agreement's own."""
    day: date
    cost_usd: Decimal
    category: Category
    status: Status = ""
    """As in FOCUS; empty where it cannot be told."""


def agreement_in(price_id: str, known: Iterable[str]) -> str | None:
    """Return which of some agreements the id of a price names."""
    return next((n for n in known if price_id == n or price_id.endswith(f"+{n}")), None)


def agreement_names(agreements: Agreements) -> tuple[str, ...]:
    """Return the agreements that charges name in the id of their price."""
    return (
        *(f"{PLAN}:{each.name}" for each in agreements.plans),
        *(f"{COMMITMENT}:{each.name}" for each in agreements.commitments),
        *(f"{SELF_HOSTED}:{each.name}" for each in agreements.self_hosted),
    )


def planned_lines(
    agreements: Agreements,
    used: Iterable[AgreedUse],
    paid: Iterable[PaidUse],
    origins: Mapping[int, Origin],
    until: date,
) -> list[PlannedLine]:
    """Return the lines of all days before `until`, in a stable order.

    Of each plan, commitment and machine the lines of whole months (of days, for the latter two) add
    up to what it cost, exactly, however it is split.
    """
    by_name: dict[str, list[AgreedUse]] = defaultdict(list)
    for use in used:
        by_name[use.name].append(use)
    lines: list[PlannedLine] = []
    with localcontext(_EXACT):
        for plan in agreements.plans:
            lines += _plan_lines(plan, by_name[f"{PLAN}:{plan.name}"], origins, until)
        for commitment in agreements.commitments:
            uses = by_name[f"{COMMITMENT}:{commitment.name}"]
            lines += _commitment_lines(commitment, uses, origins, until)
        for machine in agreements.self_hosted:
            lines += _machine_lines(machine, by_name[f"{SELF_HOSTED}:{machine.name}"], until)
        lines += _credit_lines(agreements.credits, paid, origins, until)
    return lines


def shares(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Return parts of a total in proportion to some weights; they add up to it exactly.

    Parts are rounded down to 24 places; the last weight above zero takes what is left.
    """
    with localcontext(_EXACT):
        whole = sum(weights, _ZERO)
        if not whole:
            return [_ZERO] * len(weights)
        parts = [
            (total * weight / whole).quantize(_PLACES, rounding=ROUND_DOWN) for weight in weights
        ]
        last = max(at for at, weight in enumerate(weights) if weight)
        parts[last] += total - sum(parts, _ZERO)
        return parts


def _plan_lines(
    plan: Plan, uses: Sequence[AgreedUse], origins: Mapping[int, Origin], until: date
) -> Iterator[PlannedLine]:
    if not plan.usd_per_month:
        return
    fee = plan.usd_per_month * plan.seats
    by_month: dict[tuple[int, int], list[AgreedUse]] = defaultdict(list)
    for use in uses:
        by_month[_month(use.day)].append(use)
    for month, grouped in groupby(_days(plan.start, plan.end, until), key=_month):
        days = list(grouped)
        inside = [use for use in by_month[month] if days[0] <= use.day <= days[-1]]
        daily = dict(zip(_days_of_month(month), _monthly_shares(fee, month), strict=True))
        yield from _told_apart(
            f"{PLAN}:{plan.name}",
            _own_origin(PLAN, plan),
            [(day, daily[day]) for day in days],
            inside,
            origins if plan.split == "list_value" else None,
        )


def _commitment_lines(
    commitment: Commitment,
    uses: Sequence[AgreedUse],
    origins: Mapping[int, Origin],
    until: date,
) -> Iterator[PlannedLine]:
    if not commitment.usd_per_hour:
        return
    cost = commitment.usd_per_hour * commitment.units * _HOURS
    by_day: dict[date, list[AgreedUse]] = defaultdict(list)
    for use in uses:
        by_day[use.day].append(use)
    capacity = (commitment.tokens_per_hour or 0) * commitment.units * _HOURS
    for day in _days(commitment.start, commitment.end, until):
        yield from _told_apart(
            f"{COMMITMENT}:{commitment.name}",
            _own_origin(COMMITMENT, commitment),
            [(day, cost)],
            by_day[day],
            origins if commitment.split == "list_value" else None,
            capacity,
        )


def _told_apart(
    name: str,
    own: Origin,
    fees: Sequence[tuple[date, Decimal]],
    uses: Sequence[AgreedUse],
    origins: Mapping[int, Origin] | None,
    capacity: int = 0,
) -> Iterator[PlannedLine]:
    """Yield the lines of some days' fees: what was used, and what was not.

    Use is measured by tokens against `capacity`, else by list value against the fee. With `origins`
    what was used goes to those who used it, on the days on which they did.
    """
    whole = sum((fee for _, fee in fees), _ZERO)
    weights = [Decimal(use.tokens) if capacity else use.list_usd for use in uses]
    value = sum(weights, _ZERO)
    if uses and not value:
        for day, fee in fees:
            yield PlannedLine(name, own, day, fee, "purchase")
        return
    limit = Decimal(capacity) if capacity else whole
    used, unused = shares(whole, [min(value, limit), limit - min(value, limit)])
    daily = [fee for _, fee in fees]
    if origins is None:
        for (day, _), part in zip(fees, shares(used, daily), strict=True):
            yield from _line(name, own, day, part, "used")
    else:
        for use, part in zip(uses, shares(used, weights), strict=True):
            yield from _line(name, origins[use.origin_id], use.day, part, "used")
    for (day, _), part in zip(fees, shares(unused, daily), strict=True):
        yield from _line(name, _unused(own), day, part, "unused")


def _line(
    name: str, origin: Origin, day: date, cost_usd: Decimal, status: Status
) -> Iterator[PlannedLine]:
    if cost_usd:
        yield PlannedLine(name, origin, day, cost_usd, "purchase", status)


def _machine_lines(
    machine: SelfHosted, uses: Sequence[AgreedUse], until: date
) -> Iterator[PlannedLine]:
    """Yield what the machines cost beyond what calls carry.

    It is negative where calls carry more: the machines worked for more time than was declared.
    """
    if machine.hours_per_day is None:
        return
    cost = usd_per_paid_hour(machine) * machine.hours_per_day
    carried: dict[date, Decimal] = defaultdict(Decimal)
    for use in uses:
        carried[use.day] += use.cost_usd
    name, own = f"{SELF_HOSTED}:{machine.name}", _own_origin(SELF_HOSTED, machine)
    for day in _days(machine.start, machine.end, until):
        rest = cost - carried[day]
        if rest < 0:
            yield PlannedLine(name, own, day, rest, "adjustment")
        else:
            yield from _line(name, _unused(own), day, rest, "unused")


def _credit_lines(
    credits_: Sequence[Credit],
    paid: Iterable[PaidUse],
    origins: Mapping[int, Origin],
    until: date,
) -> Iterator[PlannedLine]:
    """Yield what credits take off; of one charge's cost, no two take the same dollar."""
    open_uses = sorted((use for use in paid if use.day < until), key=lambda use: use.day)
    left = [use.cost_usd for use in open_uses]
    for credit in credits_:
        rest, taken = credit.usd, defaultdict[date, Decimal](Decimal)
        for at, use in enumerate(open_uses):
            if rest > 0 and left[at] > 0 and _takes(credit, use, origins[use.origin_id]):
                part = min(rest, left[at])
                rest, left[at] = rest - part, left[at] - part
                taken[use.day] += part
        own = _own_origin(CREDIT, credit)
        for day, part in sorted(taken.items()):
            yield PlannedLine(f"{CREDIT}:{credit.name}", own, day, part.copy_negate(), "credit")


def _takes(credit: Credit, use: PaidUse, origin: Origin) -> bool:
    return (
        credit.start <= use.day
        and (credit.end is None or use.day < credit.end)
        and _fits(credit.provider, origin.provider)
        and _fits(credit.model, origin.model)
        and names(credit.only, origin)
    )


def _fits(glob: str, name: str) -> bool:
    return glob == "*" or fnmatchcase(name.lower(), glob.lower())


def _own_origin(kind: str, agreed: Plan | Commitment | SelfHosted | Credit) -> Origin:
    """Return the origin of a line of its own: who and what the agreement names without a glob."""
    said = {"provider": agreed.provider, "model": agreed.model, **dict(agreed.only)}
    plain = {name: text for name, text in said.items() if not set(text) & set("*?[")}
    return Origin(**{**plain, "source": kind, "service": agreed.name})


def _unused(own: Origin) -> Origin:
    values = {name: getattr(own, name) for name in Origin.__struct_fields__}
    labels = label_text({"commitment_status": "unused"})
    return Origin(**{**values, "source": f"{own.source}-unused", "labels": labels})


def _days(start: date | None, end: date | None, until: date) -> Iterator[date]:
    day = start or until
    while day < min(end or until, until):
        yield day
        day += _DAY


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _days_of_month(month: tuple[int, int]) -> list[date]:
    return [date(*month, day) for day in range(1, monthrange(*month)[1] + 1)]


def _monthly_shares(fee: Decimal, month: tuple[int, int]) -> list[Decimal]:
    return shares(fee, [Decimal(1)] * monthrange(*month)[1])
