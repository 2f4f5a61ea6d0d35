"""How bills and logs agree, by provider and account: coverage, error, and what is missing. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from clearbar.core.period import ALL, Period
from clearbar.spend.reconciling.billed_plans import plans_in_bills
from clearbar.spend.reconciling.reconcile import reconcile
from clearbar.spend.reconciling.told import RESIDUAL, model_scope, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clearbar.spend.charge import Origin
    from clearbar.spend.prices.agreements import SelfHosted
    from clearbar.spend.reading import LedgerReading
    from clearbar.spend.reconciling.accounts import DeclaredAccount
    from clearbar.spend.reconciling.billed_plans import PlanInBill
    from clearbar.spend.reconciling.bills import Billed
    from clearbar.spend.reconciling.choosing import Duplicate
    from clearbar.spend.reconciling.reconcile import Reconciled
    from clearbar.spend.reconciling.told import Told

_NOTHING: Final = Decimal(0)
_DIGITS: Final = 60
_OWN_SERVERS: Final = frozenset(
    {
        "hosted_vllm",
        "llama.cpp",
        "llamafile",
        "lm_studio",
        "lmstudio",
        "ollama",
        "ollama_chat",
        "sglang",
        "vllm",
    }
)
"""Providers that are programs on machines of one's own, as logs name them."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A day, or several days that a bill does not tell apart: what is billed and what is logged."""

    day: date
    days: int
    billed_usd: Decimal
    logged_usd: Decimal
    """Of a bill of some projects alone: what it holds of what is logged."""
    beside_usd: Decimal = _NOTHING
    """What is logged on these days and is not in the bill."""

    @property
    def off_usd(self) -> Decimal:
        """How far the two are apart."""
        return abs(self.billed_usd - self.logged_usd)


@dataclass(slots=True)
class Account:
    """One account of a provider over a period; `name` is empty where it is not known."""

    provider: str
    name: str
    compared: list[Compared] = field(default_factory=list)
    """The days with a bill for usage."""
    billed_days: set[date] = field(default_factory=set)
    """Every day that a bill is of, also of one that began before the period."""
    other_usd: Decimal = _NOTHING
    """Tax, credits, purchases and adjustments."""
    logged: dict[date, Decimal] = field(default_factory=dict)
    """Day -> what calls cost, and what aggregates have beyond them."""
    aggregated_usd: Decimal = _NOTHING
    """Of the logged cost, what only aggregates tell of."""
    unpriced_calls: int = 0
    unpriced_lines: int = 0
    billed_models: set[str] = field(default_factory=set)
    logged_models: set[str] = field(default_factory=set)
    billed_projects: set[str] = field(default_factory=set)
    """What lines of its bills name; empty among them where one names none."""
    projects_alone: set[str] = field(default_factory=set)
    """The projects that bills are of, which are not of the whole account."""
    duplicates: list[Duplicate] = field(default_factory=list)
    is_self_hosted: bool = False
    """Whether all of it was served on machines of one's own, so that nobody sends a bill."""

    @property
    def billed_usd(self) -> Decimal:
        """What is billed for usage."""
        return sum((each.billed_usd for each in self.compared), _NOTHING)

    @property
    def logged_usd(self) -> Decimal:
        """What is logged on all days."""
        return sum(self.logged.values(), _NOTHING)

    @property
    def compared_usd(self) -> Decimal:
        """What is logged on the days that have a bill."""
        return sum((each.logged_usd for each in self.compared), _NOTHING)

    @property
    def beside_usd(self) -> Decimal:
        """What is logged on billed days and stands beside bills of some projects alone."""
        return sum((each.beside_usd for each in self.compared), _NOTHING)

    @property
    def residual_usd(self) -> Decimal:
        """What is billed beyond the logs of the same days; negative where it is less."""
        return self.billed_usd - self.compared_usd

    @property
    def coverage(self) -> float | None:
        """Share of the bill that the logs of its days explain; above 1 where they say more.

        None where nothing is billed, or less than nothing.
        """
        return float(self.compared_usd / self.billed_usd) if self.billed_usd > 0 else None

    @property
    def error(self) -> float | None:
        """How far bill and logs are apart, day by day, as a share of the bill; None as above."""
        off = sum((each.off_usd for each in self.compared), _NOTHING)
        return float(off / self.billed_usd) if self.billed_usd > 0 else None

    @property
    def days_without_logs(self) -> list[date]:
        """Billed days on which nothing is logged; of a bill of several days the first."""
        return [c.day for c in self.compared if c.billed_usd > 0 and not c.logged_usd]

    @property
    def days_without_bill(self) -> list[date]:
        """Days with logged cost and without a bill."""
        logged = (day for day, cost in self.logged.items() if cost)
        return sorted(day for day in logged if day not in self.billed_days)

    @property
    def models_not_logged(self) -> list[str]:
        """Models that the bill names and no log does."""
        return sorted(self.billed_models - self.logged_models)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How bills and logs of a period agree."""

    period: Period
    accounts: tuple[Account, ...]
    """By provider and account; the dearest provider first."""
    declared: tuple[DeclaredAccount, ...] = ()
    plans: tuple[PlanInBill, ...] = ()
    """Plans whose line a bill has, or may have."""


def reconciliation(reading: LedgerReading, period: Period) -> Reconciliation:
    """Return how bills and logs of a period agree, as the ledger holds them now."""
    with localcontext(prec=_DIGITS):
        found = compare(reading.told(ALL), period, reading.accounts, reading.machines)
        plans = plans_in_bills(
            reading.plans, reading.reconciled.bills, period, reading.until, reading.accounts
        )
        return replace(found, plans=plans)


def compare(
    rows: Sequence[Told],
    period: Period,
    declared: Sequence[DeclaredAccount] = (),
    machines: Sequence[SelfHosted] = (),
) -> Reconciliation:
    """Return how what is told of a period agrees.

    `rows` are all that is told, of whatever time: what a bill is of may show in another month. A
    bill that crosses the period is compared whole, and shown in the period in which it begins.
    """
    found = reconcile(rows, declared)
    shown = _with_whole_bills(rows, period)
    accounts = _Accounts(rows, period)
    for row in (each for each in rows if each.day in shown):
        accounts.take(row)
    for overlap in (each for each in found.overlaps if each.day in shown):
        accounts.take_off(overlap.origin_id, overlap.day, overlap.usage.cost_usd)
    for twice in found.duplicates:
        if twice.day < shown.end and shown.start < twice.until:
            accounts.of(twice.provider, twice.account).duplicates.append(twice)
    for row in (each for each in found.bills if each.day in period):
        accounts.of(row.origin.provider, row.origin.account).unpriced_lines += row.unpriced_lines
    for line in found.lines:
        if line.origin.source != RESIDUAL and line.day in period:
            accounts.of(line.origin.provider, line.origin.account).other_usd += line.usage.cost_usd
    accounts.compare(found, shown)
    accounts.find_self_hosted((row for row in rows if row.day in period), machines)
    return Reconciliation(period, tuple(accounts.dearest_first()), tuple(declared))


def _with_whole_bills(rows: Iterable[Told], period: Period) -> Period:
    """Return the period with all days of each bill of several days that crosses it."""
    start, end = period.start, period.end
    bills = [(row.day, row.until) for row in rows if row.grain == "bill" and row.days > 1]
    for first, until in spans(bills):
        if first < period.end and until > period.start:
            start, end = min(start, first), max(end, until)
    return Period(start, end)


class _Accounts:
    def __init__(self, rows: Iterable[Told], period: Period) -> None:
        self._period = period
        self._known: dict[str, set[str]] = defaultdict(set)
        self._accounts: dict[tuple[str, str], Account] = {}
        self._aggregates: dict[tuple[int, date], Account] = {}
        for row in rows:
            if row.origin.account:
                self._known[row.origin.provider].add(row.origin.account)

    def of(self, provider: str, name: str) -> Account:
        """Return an account; what is of an unknown one is of the only one that is known."""
        known = self._known.get(provider, set())
        if not name and len(known) == 1:
            [name] = known
        return self._accounts.setdefault((provider, name), Account(provider, name))

    def take(self, row: Told) -> None:
        account = self.of(row.origin.provider, row.origin.account)
        model = model_scope(row.origin.model)
        if row.grain == "bill":
            account.billed_models.update({model} if model else ())
            account.billed_projects.update({row.origin.project} if row.category == "usage" else ())
            return
        account.logged_models.update({model} if model else ())
        self._log(account, row.day, row.usage.cost_usd)
        if row.grain == "bucket":
            self._aggregates[row.key, row.day] = account
        if row.day in self._period:
            account.unpriced_calls += row.usage.calls_unpriced
            account.aggregated_usd += row.usage.cost_usd if row.grain == "bucket" else 0

    def take_off(self, key: int, day: date, cost_usd: Decimal) -> None:
        account = self._aggregates[key, day]
        account.aggregated_usd += cost_usd if day in self._period else 0
        self._log(account, day, cost_usd)

    def compare(self, found: Reconciled, shown: Period) -> None:
        for each in (each for each in found.billed if each.day in shown):
            account = self.of(each.provider, each.account)
            account.billed_days.update(each.day + timedelta(n) for n in range(each.days))
            if each.day in self._period:
                account.projects_alone |= each.projects
                logged = self._logged(account, each, found)
                inside = logged
                if each.projects:
                    inside = each.logged_usd + self._held(account, each, found)
                account.compared.append(
                    Compared(each.day, each.days, each.billed_usd, inside, logged - inside)
                )
        for account in self._accounts.values():
            account.logged = {d: usd for d, usd in account.logged.items() if d in self._period}

    def find_self_hosted(self, rows: Iterable[Told], machines: Sequence[SelfHosted]) -> None:
        """Mark the accounts without a bill of which everything was served at home."""
        at_home: dict[tuple[str, str], bool] = {}
        for row in rows:
            origin = row.origin
            account = self.of(origin.provider, origin.account)
            key = account.provider, account.name
            is_one = row.grain != "bill" and _is_self_hosted(origin, machines)
            at_home[key] = at_home.get(key, True) and is_one
        for key, account in self._accounts.items():
            account.is_self_hosted = at_home.get(key, False) and not account.compared

    def dearest_first(self) -> Iterator[Account]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for account in self._accounts.values():
            sums[account.provider] += max(account.billed_usd, account.logged_usd)
        yield from sorted(
            self._accounts.values(),
            key=lambda each: (-sums[each.provider], each.provider, not each.name, each.name),
        )

    @staticmethod
    def _log(account: Account, day: date, cost_usd: Decimal) -> None:
        account.logged[day] = account.logged.get(day, _NOTHING) + cost_usd

    def _held(self, account: Account, billed: Billed, found: Reconciled) -> Decimal:
        """Return what a bill holds of the account's cost that does not say its project."""
        daily = _daily(billed, found)
        held = (each for each in found.held if each.billed == billed and each.day not in daily)
        mine = (each for each in held if self.of(each.provider, each.account) is account)
        return sum((each.cost_usd for each in mine), _NOTHING)

    @staticmethod
    def _logged(account: Account, billed: Billed, found: Reconciled) -> Decimal:
        """Return what is logged on the days of a bill that have no line of their own."""
        daily = _daily(billed, found)
        days = (billed.day + timedelta(n) for n in range(billed.days))
        left = (account.logged.get(day, _NOTHING) for day in days if day not in daily)
        return sum(left, _NOTHING)


def _is_self_hosted(origin: Origin, machines: Sequence[SelfHosted]) -> bool:
    """Return whether a program or a declared `[[self_hosted]]` of one's own served it.

    One that names `only` some calls is left out: what is told no longer has all dimensions.
    """
    if origin.provider in _OWN_SERVERS:
        return True
    return any(
        fnmatchcase(origin.provider.lower(), each.provider.lower())
        and fnmatchcase(origin.model.lower(), each.model.lower())
        for each in machines
        if not each.only
    )


def _daily(billed: Billed, found: Reconciled) -> set[date]:
    """Return the days that have a line of their own beside a bill of several days."""
    if billed.days == 1:
        return set()
    return {
        each.day
        for each in found.billed
        if each.days == 1 and (each.provider, each.account) == (billed.provider, billed.account)
    }
