"""The endpoints of the admin API, one function each, and their table."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.route.operating.endpoint import TEXT, Endpoint, ProblemError
from clearbar.route.operating.facts import (
    AlarmRow,
    Draining,
    HoldEnded,
    HoldGiven,
    HoldSettled,
    HoldWanted,
    KeyIssued,
    KeyRow,
    KeyWanted,
    NotFoundError,
    Readiness,
    Reloaded,
    RouteRow,
    WorkerRow,
)
from clearbar.route.route import Refusal, Scope

if TYPE_CHECKING:
    from clearbar.route.operating.endpoint import Asked
    from clearbar.route.operating.facts import AccountRow
    from clearbar.route.route import Route

_NANO: Final = 9


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor answers."""

    alive: Literal[True]
    version: str


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """The table of routes in force."""

    generation: int
    routes: list[RouteRow]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one budget account; dollars are exact decimals."""

    account: str
    scope: Scope
    name: str
    per: Literal["month", "day", "run"]
    limit_usd: Decimal
    spent_usd: Decimal
    held_usd: Decimal
    left_usd: Decimal
    draining: bool


class Budgets(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts in use."""

    budgets: list[Budget]


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """The worker processes."""

    workers: list[WorkerRow]


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """All keys that were ever issued."""

    keys: list[KeyRow]


class Alarms(msgspec.Struct, frozen=True, kw_only=True):
    """Recent alarms, the newest first."""

    alarms: list[AlarmRow]


async def health(asked: Asked) -> Health:
    """Answer as long as the supervisor runs."""
    return Health(alive=True, version=asked.facts.version)


async def readiness(asked: Asked) -> Readiness:
    """Answer with 503 and why where requests cannot be served."""
    found = asked.facts.ready()
    if not found.ready:
        raise ProblemError(503, "not_ready", "; ".join(found.why) or "starting", retry_after_s=1)
    return found


async def metrics(asked: Asked) -> bytes:
    """Return the metrics in the text format of Prometheus."""
    await asked.metrics.refresh()
    return asked.metrics.page()


async def routes(asked: Asked) -> Routes:
    """Return every route."""
    table = asked.facts.table()
    ordered = sorted(table.routes.values(), key=lambda route: route.workflow)
    return Routes(generation=table.generation, routes=[row_of(route) for route in ordered])


async def route(asked: Asked) -> RouteRow:
    """Return the route of one workflow."""
    found = asked.facts.table().routes.get(asked.names["workflow"])
    if found is None:
        raise ProblemError(404, "no_workflow", "there is no such workflow", hint="GET /v1/routes")
    return row_of(found)


async def budgets(asked: Asked) -> Budgets:
    """Return every account."""
    return Budgets(budgets=[_budget(row) for row in await asked.facts.balances()])


async def workers(asked: Asked) -> Workers:
    """Return every worker."""
    await asked.facts.look()
    return Workers(workers=list(asked.facts.workers()))


async def alarms(asked: Asked) -> Alarms:
    """Return recent alarms."""
    return Alarms(alarms=list(await asked.facts.alarms()))


async def keys(asked: Asked) -> Keys:
    """Return every key, without what is secret."""
    return Keys(keys=list(await asked.facts.keys()))


async def issue_key(asked: Asked) -> KeyIssued:
    """Issue a key."""
    return await asked.facts.issue_key(asked.body)


async def revoke_key(asked: Asked) -> KeyRow:
    """Revoke a key."""
    return await asked.facts.revoke_key(asked.names["key_id"])


async def reload(asked: Asked) -> Reloaded:
    """Read the declarations again."""
    try:
        return await asked.facts.reload()
    except ClearbarError as error:
        raise ProblemError(422, "declarations", error.message, hint=error.hint) from error


async def drain(asked: Asked) -> Draining:
    """Begin to end."""
    return await asked.facts.drain()


async def hold(asked: Asked) -> HoldGiven:
    """Hold money for a call that the client makes itself."""
    found = await asked.facts.hold(asked.body, asked.key)
    if isinstance(found, Refusal):
        raise ProblemError(
            found.status, found.code, found.message, retry_after_s=found.retry_after_s
        )
    return found


async def settle(asked: Asked) -> HoldEnded:
    """Settle a hold to what was used."""
    return await asked.facts.settle(asked.names["hold_id"], asked.body, asked.key)


async def release(asked: Asked) -> HoldEnded:
    """Give a hold back."""
    return await asked.facts.release(asked.names["hold_id"], asked.key)


async def openapi(asked: Asked) -> bytes:
    """Return this document."""
    return asked.document


def row_of(route: Route) -> RouteRow:
    """Return a route as the API shows it."""
    return RouteRow(
        workflow=route.workflow,
        mode=route.mode,
        verdict=route.verdict,
        owner=route.owner,
        next_step=route.next_step,
        lapses_on=route.lapses_on,
        data_class=route.data_class,
        tool=route.tool,
        fallbacks=route.fallbacks,
        old_tool=route.old_tool,
        holdout_share=route.holdout_share,
        shadow_share=route.shadow_share,
        allowed=route.allowed,
        captured=route.capture is not None,
        why=route.why,
    )


def _budget(row: AccountRow) -> Budget:
    limit, spent, held, left = (
        Decimal(nusd).scaleb(-_NANO)
        for nusd in (row.limit_nusd, row.spent_nusd, row.held_nusd, row.left_nusd)
    )
    return Budget(
        account=row.account,
        scope=row.scope,
        name=row.name,
        per=row.per,
        limit_usd=limit,
        spent_usd=spent,
        held_usd=held,
        left_usd=left,
        draining=row.draining,
    )


ENDPOINTS: Final = (
    Endpoint("GET", "/healthz", "health", "Whether the supervisor runs", health, Health, "open"),
    Endpoint(
        "GET", "/readyz", "readiness", "Whether requests can be served",
        readiness, Readiness, "open", errors=(503,),
    ),
    Endpoint(
        "GET", "/metrics", "metrics", "Metrics for Prometheus",
        metrics, None, "metrics", content_type=TEXT, errors=(403,),
    ),
    Endpoint("GET", "/openapi.json", "openapi", "This document", openapi, dict, "open"),
    Endpoint("GET", "/v1/routes", "routes", "The table of routes, and why", routes, Routes),
    Endpoint(
        "GET", "/v1/routes/{workflow}", "route", "The route of one workflow",
        route, RouteRow, errors=(404,),
    ),
    Endpoint("GET", "/v1/budgets", "budgets", "Every budget and what is left", budgets, Budgets),
    Endpoint("GET", "/v1/workers", "workers", "The worker processes", workers, Workers),
    Endpoint("GET", "/v1/alarms", "alarms", "Tools that fell under their bar", alarms, Alarms),
    Endpoint("GET", "/v1/keys", "keys", "Every key, without what is secret", keys, Keys),
    Endpoint(
        "POST", "/v1/keys", "issueKey", "Issue a key; it is shown this once",
        issue_key, KeyIssued, body=KeyWanted, status=201, errors=(404,),
    ),
    Endpoint(
        "DELETE", "/v1/keys/{key_id}", "revokeKey", "Revoke a key",
        revoke_key, KeyRow, errors=(404,),
    ),
    Endpoint(
        "POST", "/v1/reload", "reload", "Read the declarations again",
        reload, Reloaded, errors=(422,),
    ),
    Endpoint("POST", "/v1/drain", "drain", "End when nothing is in flight", drain, Draining,
             status=202),
    Endpoint(
        "POST", "/v1/holds", "hold", "Hold money for a call that you make yourself",
        hold, HoldGiven, "holder", HoldWanted, 201, errors=(403, 404, 409, 429, 503),
    ),
    Endpoint(
        "POST", "/v1/holds/{hold_id}/settle", "settle", "Settle a hold to what was used",
        settle, HoldEnded, "holder", HoldSettled, errors=(404,),
    ),
    Endpoint(
        "POST", "/v1/holds/{hold_id}/release", "release", "Give a hold back: nothing was sent",
        release, HoldEnded, "holder", errors=(404,),
    ),
)  # fmt: skip
"""Every endpoint; there are no others."""

MISSING: Final = (NotFoundError,)
"""Errors of `AdminFacts` that are answered with 404."""
