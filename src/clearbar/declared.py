"""What people declare: clearbar.toml -> typed declarations; every fault at once, with its line."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import DeclarationError
from clearbar.core.toml_kinds import DATE, TEXT, table_of, tables_of
from clearbar.core.toml_table import Faults, Key, Place, Table, reference, shown
from clearbar.gate.declare import POLICY_KEYS, read_policy
from clearbar.gate.kill_rule import parse_kill_rule
from clearbar.gate.policy_settings import Policy
from clearbar.own.declare import KILL, MATCH, TIER_KEYS, WORKFLOW_KEYS, read_tier, read_workflow
from clearbar.own.tiers import shipped_tiers, tier_of
from clearbar.route.declare import (
    check_budgets,
    check_gateway,
    check_route,
    check_teams,
    read_budget,
    read_gateway,
    read_route,
    read_team,
)
from clearbar.route.declare_keys import GATEWAY_KEYS
from clearbar.route.declare_route_keys import BUDGET_KEYS, ROUTE_KEYS, TEAM_KEYS
from clearbar.route.declared_route import DeclaredGateway
from clearbar.spend.declare import PRICE_KEYS, TABLE_KEYS, read_price, read_table
from clearbar.spend.prices.agreements import NO_AGREEMENTS, Agreements
from clearbar.spend.prices.declare_agreements import (
    COMMITMENT_KEYS,
    CREDIT_KEYS,
    CURRENCY_KEYS,
    ONLY,
    PLAN_KEYS,
    SELF_HOSTED_KEYS,
    check_currencies,
    read_commitment,
    read_credit,
    read_currency,
    read_plan,
    read_self_hosted,
    whole,
)
from clearbar.spend.reconciling.accounts import name_missed
from clearbar.spend.reconciling.declare_accounts import ACCOUNT_KEYS, check_accounts, read_account
from clearbar.tools.declare import TOOL_KEYS, check_cascades, read_tool
from clearbar.trial.declare import TRIAL_KEYS, check_names, read_trial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from clearbar.own.workflow import TierRule, Workflow
    from clearbar.route.declared_route import DeclaredRoute, Team
    from clearbar.route.route import Budget
    from clearbar.spend.files.table_mapping import TableMapping
    from clearbar.spend.prices.agreements import Commitment, Credit, CurrencyRate, Plan, SelfHosted
    from clearbar.spend.prices.price_override import PriceOverride
    from clearbar.spend.reconciling.accounts import DeclaredAccount
    from clearbar.tools.tool import Tool
    from clearbar.trial.plan import TrialPlan


@dataclass(frozen=True, slots=True)
class Declared:
    """All that clearbar.toml says."""

    workspace_name: str = ""
    """Empty where it is not declared."""
    as_of: date | None = None
    """The day on which the clock stands still; None for the real one."""
    workflows: tuple[Workflow, ...] = ()
    """In the order of the file, which is the order in which their match rules are tried."""
    tiers: tuple[TierRule, ...] = ()
    prices: tuple[PriceOverride, ...] = ()
    agreements: Agreements = NO_AGREEMENTS
    accounts: tuple[DeclaredAccount, ...] = ()
    tables: tuple[TableMapping, ...] = ()
    tools: tuple[Tool, ...] = ()
    """Those that declare no tier have that of their model's name, or of the last tool they ask."""
    trials: tuple[TrialPlan, ...] = ()
    policy: Policy = Policy()  # noqa: RUF009 - frozen
    gateway: DeclaredGateway = DeclaredGateway()  # noqa: RUF009 - frozen
    routes: tuple[DeclaredRoute, ...] = ()
    budgets: tuple[Budget, ...] = ()
    """Without the `budget_usd_month` of workflows."""
    teams: tuple[Team, ...] = ()


def load(path: Path) -> Declared:
    """Return what the file declares.

    Raises:
        DeclarationError: when it cannot be read, or says what Clearbar does not understand.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DeclarationError(f"{path.name}:{line}: not UTF-8", "save it as UTF-8") from error
    except OSError as error:
        said = error.strerror or str(error)
        raise DeclarationError(f"{path} cannot be read: {said}", "is this the folder?") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Declared:
    """Return what the text of the file at `path` declares.

    Raises:
        DeclarationError: as `FILE:LINE: KEY: what is wrong`, one line for each fault.
    """
    try:
        values = tomllib.loads(text, parse_float=_exact)
        faults = Faults(path.name, text)
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise _syntax_error(str(error), text, path.name) from error
    except RecursionError as error:
        raise DeclarationError(f"{path.name}:1: nested too deeply") from error
    declared = _read(Table(values, Place(faults), KEYS))
    faults.raise_if_any()
    return declared


def _exact(number: str) -> Decimal:
    try:
        return Decimal(number)
    except ArithmeticError as error:
        raise ValueError("a number out of all bounds") from error


def _syntax_error(said: str, text: str, file: str) -> DeclarationError:
    what, _, where = said.partition(" (at ")
    line, column = 1, ""
    if found := re.match(r"line (\d+), column (\d+)", where):
        line, column = int(found[1]), f", column {found[2]}"
    elif where:
        line, column = text.count("\n") + 1, ", at the end"
    return DeclarationError(
        f"{file}:{line}: not TOML: {what[:1].lower()}{what[1:]}{column}",
        "text stands in quotes, lists in [ ], inline tables in { } on one line",
    )


def _workflow(table: Table) -> Workflow:
    workflow = read_workflow(table)
    for at, rule in enumerate(workflow.kill_rules):
        table.place.at(KILL.name, at).read(partial(parse_kill_rule, rule))
    return workflow


NAME: Final = Key("name", TEXT, "", "The name of the organisation or team.", '"Acme"')
AS_OF: Final[Key[date | None]] = Key(
    "as_of",
    DATE,
    None,
    "Stops the clock on this day, for sample worlds and audits.",
    "2026-11-01",
)


def _workspace(table: Table) -> tuple[str, date | None]:
    return table.take(NAME), table.take(AS_OF)


WORKSPACE: Final[Key[tuple[str, date | None]]] = Key(
    "workspace", table_of((NAME, AS_OF), _workspace), ("", None), "The workspace as a whole."
)
WORKFLOWS: Final[Key[tuple[Workflow, ...]]] = Key(
    "workflow",
    tables_of(WORKFLOW_KEYS, _workflow, unique="name"),
    (),
    "A named process that uses AI.",
)
TIERS: Final[Key[tuple[TierRule, ...]]] = Key(
    "tier",
    tables_of(TIER_KEYS, read_tier),
    (),
    "Your own tier for some models, before the shipped table; the first that matches wins.",
)
PRICES: Final[Key[tuple[PriceOverride, ...]]] = Key(
    "price",
    tables_of(PRICE_KEYS, read_price),
    (),
    "Your own price or discount, before the price book; the last that matches wins.",
)
CURRENCIES: Final[Key[tuple[CurrencyRate | None, ...]]] = Key(
    "currency",
    tables_of(CURRENCY_KEYS, read_currency),
    (),
    "What another currency is worth from a day on; without one, costs in it stay unknown.",
)
PLANS: Final[Key[tuple[Plan, ...]]] = Key(
    "plan",
    tables_of(PLAN_KEYS, read_plan, unique="name"),
    (),
    "A subscription or seats at a flat price: what it covers costs nothing extra.",
)
COMMITMENTS: Final[Key[tuple[Commitment, ...]]] = Key(
    "commitment",
    tables_of(COMMITMENT_KEYS, read_commitment, unique="name"),
    (),
    "Provisioned throughput: capacity that is paid by the hour, used or not.",
)
SELF_HOSTED: Final[Key[tuple[SelfHosted | None, ...]]] = Key(
    "self_hosted",
    tables_of(SELF_HOSTED_KEYS, read_self_hosted, unique="name"),
    (),
    "A model on your own machines; its price follows from their cost and what you measured.",
)
CREDITS: Final[Key[tuple[Credit | None, ...]]] = Key(
    "credit",
    tables_of(CREDIT_KEYS, read_credit, unique="name"),
    (),
    "Money off that was granted once; it lasts until charges have used it up.",
)
ACCOUNTS: Final[Key[tuple[DeclaredAccount, ...]]] = Key(
    "account",
    tables_of(ACCOUNT_KEYS, read_account),
    (),
    "An account of a provider that bills and logs call by several names.",
)
TABLES: Final[Key[tuple[TableMapping, ...]]] = Key(
    "table",
    tables_of(TABLE_KEYS, read_table, unique="name"),
    (),
    "How the columns of a table (CSV, JSONL or Parquet) become charges.",
)
TOOLS: Final[Key[tuple[Tool, ...]]] = Key(
    "tool",
    tables_of(TOOL_KEYS, read_tool, unique="name"),
    (),
    "What can do the work: a model, a command, a function, rules, a classifier, a cascade of them.",
)
TRIALS: Final[Key[tuple[TrialPlan, ...]]] = Key(
    "trial",
    tables_of(TRIAL_KEYS, read_trial, unique="workflow"),
    (),
    "How the cheapest tool that clears a workflow's bar is searched for.",
)
POLICY: Final = Key(
    "policy",
    table_of(POLICY_KEYS, read_policy),
    Policy(),
    "The thresholds and grace periods of the gate.",
)
GATEWAY: Final[Key[DeclaredGateway]] = Key(
    "gateway",
    table_of(GATEWAY_KEYS, read_gateway),
    DeclaredGateway(),
    "The gateway: where it listens, and where requests go that no route sends elsewhere.",
)
ROUTES: Final[Key[tuple[DeclaredRoute, ...]]] = Key(
    "route",
    tables_of(ROUTE_KEYS, read_route, unique="workflow"),
    (),
    "What is done with a workflow's requests; one without it has a route all the same.",
)
BUDGETS: Final[Key[tuple[Budget, ...]]] = Key(
    "budget",
    tables_of(BUDGET_KEYS, read_budget),
    (),
    "What may be spent through the gateway, beside `budget_usd_month` of workflows.",
)
TEAMS: Final[Key[tuple[Team, ...]]] = Key(
    "team",
    tables_of(TEAM_KEYS, read_team, unique="name"),
    (),
    "A team and its workflows; a workflow is of one team at most.",
)
KEYS: Final = (
    WORKSPACE,
    WORKFLOWS,
    TIERS,
    PRICES,
    CURRENCIES,
    PLANS,
    COMMITMENTS,
    SELF_HOSTED,
    CREDITS,
    ACCOUNTS,
    TABLES,
    TOOLS,
    TRIALS,
    POLICY,
    GATEWAY,
    ROUTES,
    BUDGETS,
    TEAMS,
)
REFERENCE: Final = reference(KEYS)
"""Every key of clearbar.toml: what docs/reference/clearbar-toml.md is made of."""


def _read(root: Table) -> Declared:
    name, as_of = root.take(WORKSPACE)
    workflows, tiers = root.take(WORKFLOWS), root.take(TIERS)
    tools, trials = root.take(TOOLS), root.take(TRIALS)
    check_cascades(tools, root.place.at(TOOLS.name))
    tiered = [_with_tier(tool, tiers) for tool in tools]
    known = {each.name for each in workflows}, {each.name for each in tools}
    for at, trial in enumerate(trials):
        check_names(trial, root.place.at(TRIALS.name, at), *known)
    gateway, routes, budgets, teams = _routing(root, workflows, tools)
    accounts = root.take(ACCOUNTS)
    check_accounts(accounts, root.place.at(ACCOUNTS.name))
    agreements = _agreements(root)
    _check_rules(workflows, agreements.credits, accounts, root.place)
    return Declared(
        workspace_name=name,
        as_of=as_of,
        workflows=workflows,
        tiers=tiers,
        prices=root.take(PRICES),
        agreements=agreements,
        accounts=accounts,
        tables=root.take(TABLES),
        tools=tuple(_with_parts_tier(tool, tiered) for tool in tiered),
        trials=trials,
        policy=root.take(POLICY),
        gateway=gateway,
        routes=routes,
        budgets=budgets,
        teams=teams,
    )


def _check_rules(
    workflows: Sequence[Workflow],
    credits_: Sequence[Credit],
    accounts: Sequence[DeclaredAccount],
    place: Place,
) -> None:
    """Note each rule for an account by a name that charges do not have once they are read."""
    rules = [
        (place.at(WORKFLOWS.name, at, MATCH.name, number, "account"), glob)
        for at, workflow in enumerate(workflows)
        for number, rule in enumerate(workflow.match_rules)
        for glob in dict(rule.conditions).get("account", ())
    ]
    rules += [
        (place.at(CREDITS.name, at, ONLY.name, "account"), glob)
        for at, each in enumerate(credits_)
        if (glob := dict(each.only).get("account"))
    ]
    for where, glob in rules:
        if name := name_missed(glob, accounts):
            where.fault(f"takes only an alias of the account {shown(name)}: write its name")


def _agreements(root: Table) -> Agreements:
    currencies = whole(root.take(CURRENCIES))
    check_currencies(currencies, root.place.at(CURRENCIES.name))
    return Agreements(
        currencies=currencies,
        plans=root.take(PLANS),
        commitments=root.take(COMMITMENTS),
        self_hosted=whole(root.take(SELF_HOSTED)),
        credits=whole(root.take(CREDITS)),
    )


def _routing(
    root: Table, workflows: Sequence[Workflow], tools: Sequence[Tool]
) -> tuple[DeclaredGateway, tuple[DeclaredRoute, ...], tuple[Budget, ...], tuple[Team, ...]]:
    """Return what is declared of the gateway, with the names in it checked."""
    place, names = root.place, [each.name for each in workflows]
    gateway, routes = root.take(GATEWAY), root.take(ROUTES)
    budgets, teams = root.take(BUDGETS), root.take(TEAMS)
    check_gateway(gateway, place.at(GATEWAY.name), [each.name for each in tools], names)
    known = {each.name: each for each in (*gateway.upstreams, *tools)}
    for at, route in enumerate(routes):
        check_route(route, place.at(ROUTES.name, at), names, known)
    check_budgets(budgets, place.at(BUDGETS.name), workflows, teams)
    check_teams(teams, place.at(TEAMS.name), names)
    return gateway, routes, budgets, teams


def _with_tier(tool: Tool, tiers: Sequence[TierRule]) -> Tool:
    """Give a tool that declares no tier the one of its model's name."""
    if tool.tier != "unknown" or not tool.model:
        return tool
    return replace(tool, tier=tier_of(tool.model, tiers, shipped_tiers()))


def _with_parts_tier(tool: Tool, tools: Sequence[Tool]) -> Tool:
    """Give a cascade that declares no tier the one of the tool that it asks last."""
    if tool.tier != "unknown" or tool.kind != "cascade":
        return tool
    return replace(tool, tier=next((e.tier for e in tools if e.name == tool.then), tool.tier))
