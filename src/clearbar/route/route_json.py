"""Routes as plain JSON: stable names, money as decimal text, days as ISO 8601."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from clearbar.core.money import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.route.route import Budget, Capture, Cascade, Route, RouteTable

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "gateway": "Where the gateway listens, when it runs.",
        "gateway.declared": "Whether clearbar.toml has a `[gateway]`.",
        "gateway.host": "Address for clients and operators.",
        "gateway.port": "Port for clients.",
        "gateway.admin_port": "Port for operators.",
        "gateway.workers": "Worker processes.",
        "gateway.upstreams": "Default upstreams, by protocol.",
        "gateway.keys": "How many keys are in force.",
        "routes": "One for each workflow, in the order of the file.",
        "routes[].workflow": "Name of the workflow.",
        "routes[].mode": "`advise`, `shadow` or `enforce`.",
        "routes[].verdict": "`fund`, `pause` or `kill`, as the docket records it.",
        "routes[].owner": "The accountable person; null for nobody.",
        "routes[].team": "The team that lists it; null for none.",
        "routes[].next_step": "What would change the verdict; may be empty.",
        "routes[].lapses_on": "Day on which the verdict lapses; null without one.",
        "routes[].data_class": "`public`, `internal` or `restricted`.",
        "routes[].tool": "The tool in force, used in the mode `enforce` only; null: whatever model "
        "a request names.",
        "routes[].fallbacks": "Asked in this order where the one before fails.",
        "routes[].cascade": "Null where the tool is none.",
        "routes[].cascade.first": "The tool that is asked first.",
        "routes[].cascade.then": "The tool that is asked where the first is not sure enough.",
        "routes[].cascade.threshold": "From this confidence on, the first answer stands.",
        "routes[].cascade.agree_with": "Tools whose agreement is the confidence; may be empty.",
        "routes[].old_tool": "The tool before, to which an alarm goes back; null where not known.",
        "routes[].holdout_share": "Share of the requests that stays on the old tool.",
        "routes[].shadow_share": "Share of the requests of which a copy is asked.",
        "routes[].allowed": "Tools among which clients may choose; empty for any.",
        "routes[].capture": "What is kept of requests and answers; null for nothing.",
        "routes[].capture.share": "Share of the requests.",
        "routes[].capture.days": "Days until they are deleted.",
        "routes[].capture.redact": "Regular expressions of what is replaced.",
        "routes[].capture.protect": "`plain`, `hashed` or `encrypted`.",
        "routes[].why": "Why it is so, in sentences.",
        "routes[].line": "Line of clearbar.toml.",
        "budgets": "All budgets, those of workflows too.",
        "budgets[].scope": "What has it: `organisation`, `team`, `workflow`, `key`, `user`, "
        "`task` or `run`.",
        "budgets[].name": "Whose it is; `*` for each, empty for the organisation.",
        "budgets[].usd": "What may be spent, as text.",
        "budgets[].per": "`month` or `day` in UTC, or `run` for all of its life.",
        "budgets[].warn_at": "Shares at which to warn.",
        "budgets[].drain_at": "Share from which nothing new begins; null for none.",
    }
)
"""Every field, by its path, in the order in which they are written."""


def routes_json(table: RouteTable, routes: Sequence[Route], *, declared: bool) -> dict[str, object]:
    """Return routes of a table as JSON values; `FIELD_DOCS` says what each field means."""
    settings = table.settings
    return {
        "gateway": {
            "declared": declared,
            "host": settings.host,
            "port": settings.port,
            "admin_port": settings.admin_port,
            "workers": settings.workers,
            "upstreams": list(settings.upstreams),
            "keys": len(table.keys),
        },
        "routes": [route_json(each) for each in routes],
        "budgets": [_budget_json(each) for each in table.budgets],
    }


def route_json(route: Route) -> dict[str, object]:
    """Return one route as JSON values."""
    return {
        "workflow": route.workflow,
        "mode": route.mode,
        "verdict": route.verdict,
        "owner": route.owner,
        "team": route.team or None,
        "next_step": route.next_step,
        "lapses_on": None if route.lapses_on is None else route.lapses_on.isoformat(),
        "data_class": route.data_class,
        "tool": route.tool,
        "fallbacks": list(route.fallbacks),
        "cascade": None if route.cascade is None else _cascade_json(route.cascade),
        "old_tool": route.old_tool,
        "holdout_share": route.holdout_share,
        "shadow_share": route.shadow_share,
        "allowed": list(route.allowed),
        "capture": None if route.capture is None else _capture_json(route.capture),
        "why": list(route.why),
        "line": route.line,
    }


def _cascade_json(cascade: Cascade) -> dict[str, object]:
    return {
        "first": cascade.first,
        "then": cascade.then,
        "threshold": cascade.threshold,
        "agree_with": list(cascade.agree_with),
    }


def _capture_json(capture: Capture) -> dict[str, object]:
    return {
        "share": capture.share,
        "days": capture.days,
        "redact": list(capture.redact),
        "protect": capture.protect,
    }


def _budget_json(budget: Budget) -> dict[str, object]:
    return {
        "scope": budget.scope,
        "name": budget.name,
        "usd": plain(budget.usd),
        "per": budget.per,
        "warn_at": list(budget.warn_at),
        "drain_at": budget.drain_at,
    }
