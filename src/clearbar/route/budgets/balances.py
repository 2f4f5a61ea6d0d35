"""What every account has left, as the store knows it: workers report about once a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from clearbar.route.budgets.store import BudgetStore
    from clearbar.route.route import Per, Scope

_ALL = """
SELECT account, limit_nusd, drain_nusd, spent_nusd,
    COALESCE((SELECT SUM(held_nusd) FROM budget_leases
        WHERE budget_leases.account = budget_accounts.account), 0),
    COALESCE((SELECT SUM(leased_nusd) FROM budget_leases
        WHERE budget_leases.account = budget_accounts.account), 0)
FROM budget_accounts ORDER BY account
"""
_DAY = len("2026-11-22")


@dataclass(frozen=True, slots=True)
class Balance:
    """One account; amounts in nano-dollars."""

    account: str
    scope: Scope
    name: str
    """Whose it is; empty for the organisation's."""
    per: Per
    period: str
    """`2026-11`, `2026-11-22`; empty where it has no calendar."""
    limit_nusd: int
    spent_nusd: int
    held_nusd: int
    """For calls in flight."""
    leased_nusd: int
    """To workers, with what they hold."""
    draining: bool
    """Only begun work goes on."""
    warned: tuple[float, ...]
    """Shares of the limit whose warnings were given."""

    @property
    def left_nusd(self) -> int:
        """What nobody spent or holds; negative where calls cost more than was held for them."""
        return self.limit_nusd - self.spent_nusd - self.held_nusd


def balances(store: BudgetStore) -> list[Balance]:
    """Return every account that was ever used, sorted by id.

    Raises:
        BudgetStoreError: the store cannot be reached.
    """
    with store.reading() as session:
        warned: dict[str, list[int]] = {}
        for account, threshold in session.rows(
            "SELECT account, threshold_nusd FROM budget_warnings ORDER BY threshold_nusd"
        ):
            warned.setdefault(account, []).append(threshold)
        return [_balance(row, warned.get(row[0], ())) for row in session.rows(_ALL)]


def running(found: Iterable[Balance], today: date) -> list[Balance]:
    """Return those whose period runs on a day (UTC), and those without a calendar."""
    periods = ("", f"{today:%Y-%m}", f"{today:%Y-%m-%d}")
    return [each for each in found if each.period in periods]


def _balance(row: tuple[Any, ...], warned: Sequence[int]) -> Balance:
    account, limit, drain, spent, held, leased = row
    whose, _, period = account.rpartition("/")
    scope, _, name = whose.partition(":")
    per = "run" if period == "run" else "day" if len(period) == _DAY else "month"
    return Balance(
        account=account,
        scope=cast("Scope", scope),
        name=name,
        per=cast("Per", per),
        period="" if per == "run" else period,
        limit_nusd=limit,
        spent_nusd=spent,
        held_nusd=int(held),
        leased_nusd=int(leased),
        draining=drain is not None and spent >= drain,
        warned=tuple(round(each / limit, 4) for each in warned) if limit else (),
    )
