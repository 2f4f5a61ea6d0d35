"""Charges as rows of a plain table, one by one or by the day. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.charge import DIMENSIONS, METERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.spend.charge import Origin
    from clearbar.spend.export.rows import Beside, Group

_NAMED: Final = tuple(name for name in DIMENSIONS if name not in ("source", "workflow"))
_QUANTITIES: Final = (*METERS, "reasoning_tokens")
_FIRST: Final = ("kind", "day", "workflow", "cost_usd", "basis", "calls")
_CONTEXT: Final = (
    *("grain", "service_tier", "speed", "geo", "price_id", "price_version"),
    *("charge_category", "commitment_status", "corrects_month"),
)
_TRACE: Final = (
    *("charge_id", "identity", "started_at", "ended_at", "status", "usage"),
    *("reported_cost_usd", "reported_basis", "reported_cost", "reported_currency"),
    *("trace_id", "session_id", "task_id", "latency_ms"),
    *("uri", "line", "byte_offset", "byte_length", "digest", "parser_version", "read_at"),
)
"""What leads from a charge back to the bytes that it was read from."""

_MONEY: Final = frozenset({"cost_usd", "reported_cost_usd", "reported_cost"})
_MOMENTS: Final = frozenset({"started_at", "ended_at", "read_at"})
_NUMBERS: Final = frozenset(
    {"calls", "latency_ms", "line", "byte_offset", "byte_length", "parser_version", *_QUANTITIES}
)

BY_DAY: Final = (
    *(*_FIRST, "source", *_NAMED, "caller_workflow", "labels"),
    *(*_CONTEXT, *_QUANTITIES),
)
BY_CHARGE: Final = (*BY_DAY, *_TRACE)


def types_of(columns: tuple[str, ...]) -> dict[str, str]:
    """Return column -> type in a Parquet file."""
    return {name: _type_of(name) for name in columns}


def _type_of(name: str) -> str:
    if name in _MONEY:
        return "DECIMAL(38,24)"
    if name in _MOMENTS:
        return "TIMESTAMP"
    if name in _NUMBERS:
        return "BIGINT"
    return "DATE" if name == "day" else "VARCHAR"


def of_charge(charge: Mapping[str, Any], origin: Origin, workflow: str) -> dict[str, Any]:
    """Return a charge's row; its columns are those of a record file."""
    kept = {name: charge[name] for name in (*_TRACE, *_QUANTITIES, *_CONTEXT) if name in charge}
    first = {name: charge[name] for name in ("day", "cost_usd", "basis", "calls")}
    return {"kind": "charge", **first, "workflow": workflow, **_of_origin(origin), **kept}


def of_group(group: Group) -> dict[str, Any]:
    """Return the row of charges of one day."""
    names = ("day", "workflow", "cost_usd", "basis", "calls", *_CONTEXT)
    told = {name: getattr(group, name) for name in names if hasattr(group, name)}
    cost_usd = None if group.basis == "unpriced" else group.cost_usd
    return {
        "kind": "charge",
        **told,
        **_of_origin(group.origin),
        **group.meters,
        "cost_usd": cost_usd,
    }


def of_beside(line: Beside) -> dict[str, Any]:
    """Return the row of what a report counts beside the charges; it tells no single meter."""
    return {
        "kind": line.kind,
        "day": line.day,
        "workflow": line.workflow,
        "cost_usd": line.usage.cost_usd,
        "calls": line.usage.calls,
        "corrects_month": line.month,
        **_of_origin(line.origin),
    }


def _of_origin(origin: Origin) -> dict[str, str]:
    named = {name: getattr(origin, name) for name in ("source", *_NAMED, "labels")}
    return {**named, "caller_workflow": origin.workflow}
