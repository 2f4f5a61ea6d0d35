"""The columns of a record file. Plain types only, so that any engine reads the same folder."""

from __future__ import annotations

from typing import Final

from clearbar.spend.charge import METERS

COST_TYPE: Final = "DECIMAL(38,24)"
"""Exact: a unit price of up to 24 places times a whole quantity."""

_IDENTITY: Final = {
    "charge_id": "VARCHAR",
    "origin_id": "BIGINT",
    "day": "DATE",
    "started_at": "TIMESTAMP",
    "ended_at": "TIMESTAMP",
    "seen_at": "TIMESTAMP",
    "identity": "VARCHAR",
    "aliases": "VARCHAR",
    "evidence": "TINYINT",
    "final": "BIGINT",
}
_CALL: Final = {
    "grain": "VARCHAR",
    "calls": "BIGINT",
    "status": "VARCHAR",
    "usage": "VARCHAR",
}
CONTEXT: Final = {
    "service_tier": "VARCHAR",
    "speed": "VARCHAR",
    "geo": "VARCHAR",
}
"""Beside its model, what the price of a call depends on."""
_MONEY: Final = {
    "cost_usd": COST_TYPE,
    "basis": "VARCHAR",
    "price_id": "VARCHAR",
    "price_version": "VARCHAR",
    "covered_usd": COST_TYPE,
    "reported_cost_usd": COST_TYPE,
    "reported_basis": "VARCHAR",
    "reported_cost": COST_TYPE,
    "reported_currency": "VARCHAR",
    "charge_category": "VARCHAR",
    "commitment_status": "VARCHAR",
}
_THREADS: Final = {
    "trace_id": "VARCHAR",
    "session_id": "VARCHAR",
    "task_id": "VARCHAR",
    "latency_ms": "BIGINT",
}
_PROVENANCE: Final = {
    "source": "VARCHAR",
    "parser_version": "INTEGER",
    "uri": "VARCHAR",
    "line": "BIGINT",
    "byte_offset": "BIGINT",
    "byte_length": "BIGINT",
    "digest": "VARCHAR",
    "lines": "BIGINT",
    "read_at": "TIMESTAMP",
}

STORED: Final[dict[str, str]] = {
    **_IDENTITY,
    **_CALL,
    **CONTEXT,
    **dict.fromkeys((*METERS, "reasoning_tokens"), "BIGINT"),
    **_MONEY,
    **_THREADS,
    **_PROVENANCE,
}
"""Column -> DuckDB type, in the order in which they stand in a file."""

QUERIED: Final[tuple[str, ...]] = (
    "charge_id",
    "origin_id",
    "day",
    "grain",
    "calls",
    *METERS,
    "cost_usd",
    "basis",
    "status",
    "started_at",
    "ended_at",
    "service_tier",
    "speed",
    "geo",
    "charge_category",
    "uri",
    "price_id",
    "covered_usd",
)
"""What shared queries may use of a charge."""

TAKEN: Final[dict[str, str]] = {
    "identity": "VARCHAR",
    "started_at_us": "BIGINT",
    "ended_at_us": "BIGINT",
    "seen_at_us": "BIGINT",
    "final": "BIGINT",
    "calls": "BIGINT",
    **dict.fromkeys((*METERS, "reasoning_tokens"), "BIGINT"),
    "reported_cost_usd": COST_TYPE,
    "reported_cost": COST_TYPE,
    "aliases": "VARCHAR",
    **_THREADS,
    "line": "BIGINT",
    "offset": "BIGINT",
    "length": "BIGINT",
    "digest": "VARCHAR",
    "lines": "BIGINT",
}
"""What each record says for itself: fields of `Record`, with their types in the engine."""

SHARED: Final[dict[str, str]] = {
    "evidence": "VARCHAR",
    "grain": "VARCHAR",
    "status": "VARCHAR",
    "usage": "VARCHAR",
    **CONTEXT,
    "reported_basis": "VARCHAR",
    "reported_currency": "VARCHAR",
    "charge_category": "VARCHAR",
    "commitment_status": "VARCHAR",
}
"""Fields of `Record` that say one of a few things. So many records of a file share all of them."""
