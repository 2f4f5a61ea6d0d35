"""A reconciliation for people and programs: what is missing, what to do, JSON."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain, usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from clearbar.spend.reconciliation import Account, Compared, Reconciliation

_PULLED: Final = ("openai", "anthropic", "openrouter")
"""Providers whose bills an API has."""
_SHOWN_DAYS: Final = 3

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "period.start": "First day of the period, in UTC; 1970-01-01 for all of time.",
        "period.end": "First day after the period; 9999-01-01 for all of time.",
        "accounts": "One for each account of a provider, the dearest provider first.",
        "accounts[].provider": "Who bills.",
        "accounts[].account": "The account; empty where it is not known.",
        "accounts[].billed_usd": "What is billed for usage, as text; null without a bill.",
        "accounts[].other_usd": "Tax, credits, purchases and adjustments of the bill, as text.",
        "accounts[].logged_usd": "What calls, and aggregates beyond them, cost on all days.",
        "accounts[].aggregated_usd": "Of that, what only aggregates tell of.",
        "accounts[].compared_usd": "Of the logged, what is of days that have a bill.",
        "accounts[].residual_usd": "Billed less compared, as text; negative where logs say more.",
        "accounts[].coverage": "Share of the bill that logs of the same days explain.",
        "accounts[].error": "How far both are apart, day by day, as a share of the bill.",
        "accounts[].days_without_logs": "Billed days on which nothing is logged.",
        "accounts[].days_without_bill": "Days with logged cost and without a bill.",
        "accounts[].models_not_logged": "Models that the bill names and no log does.",
        "accounts[].unpriced_calls": "Calls whose cost is not known.",
        "accounts[].unpriced_lines": "Lines of the bill whose worth is not known.",
        "accounts[].days": "The days with a bill, or spans that it does not tell apart.",
        "accounts[].days[].day": "The UTC day, or the first one.",
        "accounts[].days[].days": "How many days.",
        "accounts[].days[].billed_usd": "What is billed for them, as text.",
        "accounts[].days[].logged_usd": "What is logged on them, as text.",
        "accounts[].missing": "What keeps bill and logs apart.",
        "accounts[].missing[].what": "A sentence.",
        "accounts[].missing[].next_step": "What to do.",
    }
)
"""Every field of `reconciliation_json`, by its path."""


def missing(account: Account, found: Reconciliation) -> list[tuple[str, str]]:
    """Return what is missing, and what to do about each."""
    return [*_of_bills(account, found), *_of_logs(account), *_of_worth(account)]


def reconciliation_json(found: Reconciliation) -> dict[str, Any]:
    """Return JSON values."""
    return {
        "period": {"start": str(found.period.start), "end": str(found.period.end)},
        "accounts": [_account_json(each, found) for each in found.accounts],
    }


def _of_bills(account: Account, found: Reconciliation) -> Iterator[tuple[str, str]]:
    pull = (
        f"clearbar spend pull {account.provider}"
        if account.provider in _PULLED
        else "add its bill, or a FOCUS export of it: clearbar spend add FILE"
    )
    others = [
        each
        for each in found.accounts
        if each.provider == account.provider and each.name and each is not account
    ]
    if not account.name and others:
        yield (
            (
                f"{usd(account.logged_usd)} is of an account that no log names; of it the bills of "
                "the others hold what they have room for"
            ),
            "let the logs say the account: `account` of a table, or one export for each",
        )
    elif not account.compared:
        yield "there is no bill", pull
        if billed := next((each.name for each in others if each.compared), ""):
            yield (
                f'"{billed}" has a bill: if it is this account, they have two names',
                "a known other account never matches: give logs and bill the same name",
            )
    elif days := account.days_without_bill:
        left = usd(account.logged_usd - account.compared_usd)
        yield f"{_days(days)} without a bill, on which {left} is logged", pull
    for twice in account.duplicates:
        what = f"{usd(twice.cost_usd)} of {twice.category} from {twice.day} up to {twice.until}"
        counted = f"{twice.counted} tells of too; {twice.counted} counts"
        yield f"{twice.source} tells of {what} that {counted}", "nothing: it is counted once"


def _of_logs(account: Account) -> Iterator[tuple[str, str]]:
    if days := account.days_without_logs:
        yield f"{_days(days)} without logs", "add the logs of these days: clearbar spend add FILE"
    if models := account.models_not_logged:
        names = ", ".join(models[:_SHOWN_DAYS]) + (", ..." if len(models) > _SHOWN_DAYS else "")
        yield (
            f"billed and never logged: {names}",
            "find who calls them, and add their logs: clearbar spend add FILE",
        )


def _of_worth(account: Account) -> Iterator[tuple[str, str]]:
    if account.unpriced_lines:
        yield (
            (
                f"{account.unpriced_lines:,} lines of the bill are of unknown worth, so it only "
                "raises what is logged"
            ),
            "declare a [[currency]] for them in clearbar.toml, then: clearbar spend reprice",
        )
    if account.unpriced_calls:
        yield (
            f"{account.unpriced_calls:,} calls have no price; the residual holds their cost",
            "declare a [[price]] for them in clearbar.toml, then: clearbar spend reprice",
        )


def _days(days: Sequence[date]) -> str:
    shown = ", ".join(str(day) for day in days[:_SHOWN_DAYS])
    more = ", ..." if len(days) > _SHOWN_DAYS else ""
    return f"{len(days)} {'day' if len(days) == 1 else 'days'} ({shown}{more})"


def _account_json(account: Account, found: Reconciliation) -> dict[str, Any]:
    said = [{"what": what, "next_step": step} for what, step in missing(account, found)]
    return {
        "provider": account.provider,
        "account": account.name,
        "billed_usd": _money(account.billed_usd) if account.compared else None,
        "other_usd": _money(account.other_usd),
        "logged_usd": _money(account.logged_usd),
        "aggregated_usd": _money(account.aggregated_usd),
        "compared_usd": _money(account.compared_usd),
        "residual_usd": _money(account.residual_usd),
        "coverage": account.coverage,
        "error": account.error,
        "days_without_logs": [str(day) for day in account.days_without_logs],
        "days_without_bill": [str(day) for day in account.days_without_bill],
        "models_not_logged": account.models_not_logged,
        "unpriced_calls": account.unpriced_calls,
        "unpriced_lines": account.unpriced_lines,
        "days": [_compared_json(each) for each in account.compared],
        "missing": said,
    }


def _compared_json(each: Compared) -> dict[str, Any]:
    billed, logged = _money(each.billed_usd), _money(each.logged_usd)
    return {"day": str(each.day), "days": each.days, "billed_usd": billed, "logged_usd": logged}


def _money(amount: Decimal) -> str:
    return plain(amount)
