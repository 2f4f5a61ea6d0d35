"""Reads `[gateway]`, `[[route]]`, `[[budget]]` and `[[team]]` of clearbar.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.errors import nearest
from clearbar.core.money import ZERO
from clearbar.core.toml_table import shown
from clearbar.route import declare_keys as gateway
from clearbar.route import declare_route_keys as keys
from clearbar.route.declared_route import DeclaredGateway, DeclaredRoute, Team
from clearbar.route.route import Budget, GatewaySettings
from clearbar.tools.address import PROTOCOLS
from clearbar.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clearbar.core.toml_table import Place, Table
    from clearbar.own.workflow import Workflow
    from clearbar.tools.address import Protocol
    from clearbar.tools.tool import DataClass

EACH: Final = "*"
"""As the name of a budget: each of that scope has one of its own."""
_WHOLE_LIFE: Final = ("task", "run")


def read_gateway(table: Table) -> DeclaredGateway:
    """Return what is declared of the gateway itself."""
    data = table.take(gateway.UPSTREAM_DATA)
    given = {"openai": table.take(gateway.OPENAI), "anthropic": table.take(gateway.ANTHROPIC)}
    upstreams = [
        _upstream(protocol, found, data, table.place.at(protocol).line)
        for protocol in PROTOCOLS
        if (found := given[protocol]) is not None
    ]
    port, admin_port = table.take(gateway.PORT), table.take(gateway.ADMIN_PORT)
    if port == admin_port:
        table.place.at(gateway.PORT.name).fault("is the admin_port too: choose another")
    settings = GatewaySettings(
        host=table.take(gateway.HOST),
        port=port,
        admin_port=admin_port,
        admin_host=table.take(gateway.ADMIN_HOST),
        workers=table.take(gateway.WORKERS),
        upstreams=tuple(each.name for each in upstreams),
        default_workflow=table.take(gateway.DEFAULT_WORKFLOW),
        max_body_bytes=table.take(gateway.MAX_BODY),
        header_timeout_s=table.take(gateway.HEADER_TIMEOUT),
        body_timeout_s=table.take(gateway.BODY_TIMEOUT),
        first_byte_timeout_s=table.take(gateway.FIRST_BYTE),
        stall_timeout_s=table.take(gateway.STALL),
        drain_s=table.take(gateway.DRAIN),
        retries=table.take(gateway.RETRIES),
        max_output_tokens=table.take(gateway.MAX_OUTPUT),
        unpriced_usd=table.take(gateway.UNPRICED),
        store_env=table.take(gateway.STORE),
        admin_token_env=table.take(gateway.ADMIN_TOKEN),
        open_metrics=table.take(gateway.OPEN_METRICS),
        durability=table.take(gateway.DURABILITY),
        shared_objects=table.take(gateway.SHARED_OBJECTS),
    )
    return DeclaredGateway(settings, tuple(upstreams), table.place.line)


def read_route(table: Table) -> DeclaredRoute:
    """Return the route. That what it names exists is `check_route`'s to say."""
    return DeclaredRoute(
        workflow=table.take(keys.WORKFLOW),
        mode=table.take(keys.MODE),
        tool=table.take(keys.TOOL),
        fallbacks=table.take(keys.FALLBACKS),
        tools=table.take(keys.TOOLS),
        holdout_share=table.take(keys.HOLDOUT),
        shadow_share=table.take(keys.SHADOW),
        old_tool=table.take(keys.OLD_TOOL),
        capture=table.take(keys.CAPTURE),
        watch=table.take(keys.WATCH),
        line=table.place.line,
    )


def read_budget(table: Table) -> Budget:
    """Return the budget. That what it names exists is `check_budgets`' to say."""
    scope, name = table.take(keys.BUDGET_SCOPE), table.take(keys.BUDGET_NAME)
    if scope == "organisation" and name:
        table.place.at(keys.BUDGET_NAME.name).fault(
            "the organisation has no name: leave it out, or choose another scope"
        )
    elif scope != "organisation" and keys.BUDGET_NAME.name not in table.values:
        table.place.fault(
            f'expected the key "name" of a budget of scope "{scope}", found none:'
            ' name whose it is, or "*" for each'
        )
    usd, per = table.take(keys.BUDGET_USD), table.take(keys.BUDGET_PER)
    return Budget(
        scope=scope,
        name=name,
        usd=usd or ZERO,
        per=per or ("run" if scope in _WHOLE_LIFE else "month"),
        warn_at=tuple(sorted(table.take(keys.WARN_AT))),
        drain_at=table.take(keys.DRAIN_AT),
        line=table.place.line,
    )


def read_team(table: Table) -> Team:
    """Return the team."""
    return Team(table.take(keys.TEAM_NAME), table.take(keys.TEAM_WORKFLOWS), table.place.line)


def check_gateway(
    declared: DeclaredGateway, place: Place, tools: Iterable[str], workflows: Iterable[str]
) -> None:
    """Note where `[gateway]` takes the name of a tool, or names no workflow."""
    for name in {*tools} & {*declared.settings.upstreams}:
        place.at(name).fault(f'a [[tool]] is called "{name}" too: give that another name')
    default = declared.settings.default_workflow
    if default:
        _check_name(default, "workflow", workflows, place.at(gateway.DEFAULT_WORKFLOW.name))


def check_route(
    route: DeclaredRoute, place: Place, workflows: Iterable[str], tools: Mapping[str, Tool]
) -> None:
    """Note what a route names that is not there, or cannot stand there.

    `tools` are the declared ones and the default upstreams.
    """
    if route.workflow:
        _check_name(route.workflow, "workflow", workflows, place.at(keys.WORKFLOW.name))
    if route.tool is not None:
        here = place.at(keys.TOOL.name)
        _check_name(route.tool, "tool", tools, here)
        if route.tool in tools and tools[route.tool].kind == "cascade":
            here.fault(
                "a cascade is in force with the threshold that a trial certified: leave it out, and"
                " the certificate chooses"
            )
    if route.old_tool is not None:
        _check_single(route.old_tool, tools, place.at(keys.OLD_TOOL.name))
    for key, names in (
        (keys.FALLBACKS.name, route.fallbacks or ()),
        (keys.TOOLS.name, route.tools),
    ):
        for at, name in enumerate(names):
            _check_single(name, tools, place.at(key, at))
            if key == keys.FALLBACKS.name and name == route.tool:
                place.at(key, at).fault(f"{shown(name)} is the tool in force already")


def check_budgets(
    budgets: Sequence[Budget], place: Place, workflows: Sequence[Workflow], teams: Sequence[Team]
) -> None:
    """Note budgets of what is not there, and two of one thing. `place` is that of the list."""
    known = {"workflow": [each.name for each in workflows], "team": [each.name for each in teams]}
    of_workflows = {each.name: each for each in workflows if each.budget_usd_month is not None}
    first: dict[tuple[str, str, str], int | None] = {}
    for at, budget in enumerate(budgets):
        here = place.at(at, keys.BUDGET_NAME.name)
        if budget.scope in known and budget.name not in ("", EACH):
            _check_name(budget.name, budget.scope, known[budget.scope], here)
        key = budget.scope, budget.name, budget.per
        if key in first:
            here.fault(f"has a budget per {budget.per} already, on line {first[key]}")
        first.setdefault(key, budget.line)
        if key[0] == "workflow" and key[2] == "month" and key[1] in of_workflows:
            here.fault(
                f"{shown(budget.name)} declares budget_usd_month on line"
                f" {of_workflows[budget.name].line}: keep one of the two"
            )


def check_teams(teams: Sequence[Team], place: Place, workflows: Iterable[str]) -> None:
    """Note workflows of teams that are not there, or of two teams. `place` is that of the list."""
    owners: dict[str, str] = {}
    known = list(workflows)
    for at, team in enumerate(teams):
        for number, name in enumerate(team.workflows):
            here = place.at(at, keys.TEAM_WORKFLOWS.name, number)
            _check_name(name, "workflow", known, here)
            if owners.setdefault(name, team.name) != team.name:
                here.fault(f"{shown(name)} is of the team {shown(owners[name])} already")


def _check_single(name: str, tools: Mapping[str, Tool], place: Place) -> None:
    """Note a name of no tool, or of a cascade: only a tool in force may be one."""
    _check_name(name, "tool", tools, place)
    if name in tools and tools[name].kind == "cascade":
        place.fault(f"{shown(name)} is a cascade: name one of the tools that it asks")


def _check_name(name: str, what: str, known: Iterable[str], place: Place) -> None:
    listed = list(known)
    if name not in listed:
        way_out = nearest(name, listed) or (f" Known here: {', '.join(listed)}." if listed else "")
        place.fault(f"no {what} is called {shown(name)}.{way_out}")


def _upstream(protocol: Protocol, found: gateway.Upstream, data: DataClass, line: int) -> Tool:
    url, key_env = found
    return Tool(protocol, protocol, data_class=data, url=url, key_env=key_env, line=line)
