"""A reconciliation for people and programs: what is missing, what to do, JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain, usd
from clearbar.spend.reconciling.projects import declared
from clearbar.spend.reconciling.proposed_lines import of_alias, of_bills

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from clearbar.spend.reconciliation import Account, Compared, Reconciliation
    from clearbar.spend.reconciling.billed_plans import PlanInBill
    from clearbar.spend.reconciling.choosing import Duplicate

_PULLED: Final = ("openai", "anthropic")
"""Providers whose bills an API has."""
_SHOWN_DAYS: Final = 3
_UNBILLED: Final = {
    "": (
        "no log says who bills these calls: they count beside every bill",
        (
            "let the logs name the provider: `provider` in [table.columns] or [table.constants],"
            " custom_llm_provider in rows of LiteLLM, gen_ai.provider.name in spans"
        ),
    ),
    "openrouter": (
        "no bill comes: its activity says what was charged",
        "where it is not read yet: clearbar spend pull openrouter",
    ),
}
"""What is missing, and what to do, where it is not a bill."""

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
        "accounts[].beside_usd": "What stands beside bills of some projects alone, on their days.",
        "accounts[].projects": "The projects that its bills are of; empty for the whole account.",
        "accounts[].residual_usd": "Billed less compared, as text; negative where logs say more.",
        "accounts[].coverage": "Share of the bill that logs of its days explain; null without one.",
        "accounts[].error": "How far both are apart by day, as a share of the bill; null as above.",
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
    mine = [p for p in found.plans if (p.provider, p.account) == (account.provider, account.name)]
    about_plans = [_of_plan(each) for each in mine]
    return [*_of_bills(account, found), *about_plans, *_of_logs(account), *_of_worth(account)]


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
    elif account.is_self_hosted:
        yield (
            "self-hosted: no bill comes",
            "it costs what clearbar.toml declares: [[self_hosted]], or [[price]]",
        )
    elif not account.compared:
        yield _UNBILLED.get(account.provider, ("there is no bill", pull))
        yield from _of_names(account, others, found)
    elif days := account.days_without_bill:
        left = usd(account.logged_usd - account.compared_usd - account.beside_usd)
        yield f"{_days(days)} without a bill, on which {left} is logged", pull
    yield from map(_of_duplicate, account.duplicates)
    yield from _of_projects(account, found)


def _of_names(
    account: Account, others: Sequence[Account], found: Reconciliation
) -> Iterator[tuple[str, str]]:
    """Yield whose bill of the same days this account's may be, under another name."""
    suspected = [(twice, each) for each in others if (twice := _may_be_twice(account, each)) > 0]
    for twice, other in sorted(suspected, key=lambda each: (-each[0], each[1].name))[:1]:
        lines = of_alias(account.provider, account.name, other.name, found.declared)
        yield (
            (
                f'"{other.name}" has a bill of the same days, beyond its own logs: if it is this'
                f" account, they have two names, and {usd(twice)} counts twice"
            ),
            f"if they are one, write into clearbar.toml:\n{lines}",
        )


def _may_be_twice(account: Account, other: Account) -> Decimal:
    """Return what counts twice if the bill of another name is of this account."""
    days = (cost for day, cost in account.logged.items() if day in other.billed_days)
    return min(sum(days, Decimal(0)), other.residual_usd)


def _of_duplicate(twice: Duplicate) -> tuple[str, str]:
    what = f"{usd(twice.cost_usd)} of {twice.category} from {twice.day} up to {twice.until}"
    by, counted = _with_files(twice.source, twice.files), twice.counted
    if twice.counted_files:
        counted = _with_files(counted, twice.counted_files)
    said = f"{by} tells of {what} that {counted} tells of too; {twice.counted} counts"
    if not twice.uncovered:
        return said, "nothing: it is counted once"
    days = ", ".join(f"{start} up to {end}" for start, end in twice.uncovered[:_SHOWN_DAYS])
    return (
        f"{said}, and has no line of {days}",
        "add a bill of these days: until then they are worth what is logged",
    )


def _with_files(source: str, files: Sequence[str]) -> str:
    names = [file.replace("\\", "/").rpartition("/")[2] for file in files if file]
    shown = ", ".join(names[:_SHOWN_DAYS]) + (", ..." if len(names) > _SHOWN_DAYS else "")
    return f"{source} ({shown})" if shown else source


def _of_projects(account: Account, found: Reconciliation) -> Iterator[tuple[str, str]]:
    """Yield what was assumed of bills that name projects."""
    provider, name = account.provider, account.name
    named = _listed(sorted(account.projects_alone or account.billed_projects - {""}))
    is_declared = declared(provider, name, found.declared) is not None
    if account.projects_alone:
        lines = of_bills(provider, name, "whole", found.declared)
        yield (
            (
                f"the bill is taken to be of the {named} alone: of logs that name no project it"
                f" holds what it has room for; {usd(account.beside_usd)} stands beside it"
            ),
            "nothing: it is declared so"
            if is_declared
            else f"if it is of the whole account, write into clearbar.toml:\n{lines}",
        )
    elif account.billed_projects - {""} and account.residual_usd < 0 and not is_declared:
        lines = of_bills(provider, name, "projects", found.declared)
        yield (
            (
                "the bill is taken to be of the whole account, and less than the logs by"
                f" {usd(-account.residual_usd)}; it names the {named}"
            ),
            f"if it leaves out others, write into clearbar.toml:\n{lines}",
        )


def _of_plan(plan: PlanInBill) -> tuple[str, str]:
    more = ", ..." if len(plan.names) > _SHOWN_DAYS else ""
    called = ", ".join(f'"{name}"' for name in plan.names[:_SHOWN_DAYS]) + more
    if plan.gives_way:
        return (
            (
                f"the plan {plan.plan} is billed as {called} at {usd(plan.billed_usd)}; the"
                f" {usd(plan.declared_usd)} that is declared for this time gives way"
            ),
            "nothing: it is counted once",
        )
    return (
        (
            f"the plan {plan.plan} counts {usd(plan.declared_usd)} as declared, beside"
            f" {usd(plan.billed_usd)} that is billed as {called}: if that is the plan, it counts"
            " twice"
        ),
        (
            f"say so under its [[plan]]: billed_as = {json.dumps(plan.names[0])}; or, where no bill"
            " has it, billed_as = []"
        ),
    )


def _listed(projects: Sequence[str]) -> str:
    shown = ", ".join(projects[:_SHOWN_DAYS]) + (", ..." if len(projects) > _SHOWN_DAYS else "")
    return f"{'project' if len(projects) == 1 else 'projects'} {shown}"


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
                f"{_counted(account.unpriced_lines, 'line')} of the bill of unknown worth: it only"
                " raises what is logged"
            ),
            "declare a [[currency]] for them in clearbar.toml, then: clearbar spend reprice",
        )
    if account.unpriced_calls:
        where = (
            "where billed, the residual holds the cost"
            if account.compared
            else "not in what is logged"
        )
        table = "[[self_hosted]]" if account.is_self_hosted else "[[price]]"
        yield (
            f"{_counted(account.unpriced_calls, 'call')} without a price: {where}",
            f"declare a {table} for them in clearbar.toml, then: clearbar spend reprice",
        )


def _days(days: Sequence[date]) -> str:
    shown = ", ".join(str(day) for day in days[:_SHOWN_DAYS])
    more = ", ..." if len(days) > _SHOWN_DAYS else ""
    return f"{_counted(len(days), 'day')} ({shown}{more})"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
        "beside_usd": _money(account.beside_usd),
        "projects": sorted(account.projects_alone),
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
