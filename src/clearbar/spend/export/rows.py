"""The nouns of an export: what is summed by day, and the lines that make it equal to the reports.

A report counts each dollar once: what a bill and calls both tell of, what a closed month fixed and
what follows from agreements stands beside the charges. An export has these as lines of their own,
so that its rows sum to what `clearbar spend` says, to the last decimal.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from clearbar.spend.charge import Origin
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime
    from decimal import Decimal

Kind = Literal["charge", "reconciled", "correction"]
"""A charge, or several of a day; what makes them count once; what corrects a closed month."""

RECONCILED: Final = "reconciled"
"""The source of a line that stands for many origins of an account: those of its bills."""
_NOTHING: Final = Usage()


@dataclass(frozen=True, slots=True)
class Group:
    """Charges of one day that share all by which they are priced and attributed."""

    day: date
    origin: Origin
    workflow: str
    grain: str
    basis: str
    cost_usd: Decimal
    calls: int
    meters: Mapping[str, int]
    """Meter, and `reasoning_tokens` -> how much; only where there is some."""
    service_tier: str = ""
    speed: str = ""
    geo: str = ""
    price_id: str = ""
    price_version: str = ""
    charge_category: str = "usage"
    commitment_status: str = ""
    ended_at: datetime | None = None
    """Of a line of a bill: when what it bills ended."""
    charge_ids: tuple[str, ...] = ()
    """Of a line of a bill: itself."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A line that is no charge: usage and money that a report counts beside its charges."""

    kind: Kind
    day: date
    origin: Origin
    workflow: str
    usage: Usage
    month: str = ""
    """Of a correction: the closed month that it corrects."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a report counts, or what charges say, for one origin on one day."""

    day: date
    origin: Origin
    workflow: str
    usage: Usage
    is_bill: bool = False
    """Whether it is of a bill, or of a line that stands for what a bill has beyond the calls."""
    month: str = ""
    """Of what corrects a closed month: that month."""


@dataclass(slots=True)
class _Balance:
    sums: dict[tuple[date, Origin, str], Usage] = field(
        default_factory=lambda: defaultdict(lambda: _NOTHING)
    )

    def add(self, each: Counted, sign: int) -> None:
        origin = _account_of(each.origin) if each.is_bill else each.origin
        key = (each.day, origin, each.workflow)
        self.sums[key] += each.usage if sign > 0 else -each.usage


def beside(
    counted: Iterable[Counted], charged: Iterable[Counted], corrections: Iterable[Counted]
) -> list[Beside]:
    """Return the lines that, added to the charges, make what a report counts; in a stable order.

    `counted` is all that the report counts, `charged` what the charges say, and `corrections` those
    of the counted that correct a closed month.
    """
    balance = _Balance()
    own = []
    for each in counted:
        balance.add(each, 1)
    for each in charged:
        balance.add(each, -1)
    for each in corrections:
        balance.add(each, -1)
        place = (each.day, each.origin, each.workflow)
        own.append(Beside("correction", *place, each.usage, each.month))
    lines = [
        Beside("reconciled", day, origin, workflow, usage)
        for (day, origin, workflow), usage in balance.sums.items()
        if usage != _NOTHING
    ]
    return sorted([*own, *lines], key=lambda line: (line.day, repr(line)))


def _account_of(origin: Origin) -> Origin:
    """Return whom a bill is of: its lines and the residual share nothing else."""
    return Origin(RECONCILED, provider=origin.provider, account=origin.account)
