"""Charges as the ledger stages them for pricing, and what pricing says of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from clearbar.spend.charge import METERS
from clearbar.spend.engine import connect
from clearbar.spend.prices.price_rate import Kind
from clearbar.spend.prices.price_rows import insert
from clearbar.spend.prices.pricing import price

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from clearbar.spend.prices.book import PriceBook

STAGED = {
    "row_id": "BIGINT",
    "origin_id": "BIGINT",
    **dict.fromkeys(("price_model", "provider", "model"), "VARCHAR"),
    "started_at": "TIMESTAMP",
    **dict.fromkeys(("service_tier", "speed", "geo", "grain", "status", "usage"), "VARCHAR"),
    "calls": "BIGINT",
    **dict.fromkeys((*METERS, "reasoning_tokens"), "BIGINT"),
    "reported_cost_usd": "DECIMAL(38,24)",
    "reported_basis": "VARCHAR",
    "reported_cost": "DECIMAL(38,24)",
    "reported_currency": "VARCHAR",
    "agreements": "VARCHAR",
}
USUAL: dict[str, Any] = {
    **dict.fromkeys(STAGED),
    "provider": "openai",
    "model": "gpt-4o",
    "price_model": "openai/gpt-4o",
    "started_at": datetime(2026, 9, 1),  # noqa: DTZ001 - the ledger's timestamps are UTC without a zone
    **dict.fromkeys(("service_tier", "speed", "geo"), ""),
    "grain": "call",
    "status": "ok",
    "usage": "final",
    "calls": 1,
    "reported_basis": "estimated",
    "reported_currency": "",
    "agreements": "",
}


class Priced(NamedTuple):
    cost_usd: Decimal | None
    basis: str
    price_id: str | None
    price_version: str | None
    covered_usd: Decimal | None = None


def charge(price_model: str | None = "openai/gpt-4o", /, **fields: Any) -> dict[str, Any]:
    provider, _, model = (price_model or "/").partition("/")
    named = {"provider": provider, "model": model, "price_model": price_model}
    return {**USUAL, **named, **fields}


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=None)


def price_all(book: PriceBook, charges: Sequence[dict[str, Any]], *keys: str) -> list[Priced]:
    kinds: dict[tuple[str | None, ...], int] = {}
    rows = []
    for row, each in enumerate(charges):
        kind = tuple(each[field] for field in Kind._fields)
        numbers = {"row_id": row, "origin_id": kinds.setdefault(kind, len(kinds))}
        rows.append(tuple({**each, **numbers}.values()))
    with connect() as connection:
        insert(connection, "staged", dict(zip(USUAL, STAGED.values(), strict=True)), rows)
        price(connection, book, "staged", *([keys] if keys else []))
        priced = connection.table("staged_priced").order("row_id")
        rows_ = priced.project(", ".join(Priced._fields)).fetchall()
        found = [Priced(*row) for row in rows_]
    assert len(found) == len(charges)
    return found


def price_one(
    book: PriceBook, price_model: str | None = "openai/gpt-4o", /, **fields: Any
) -> Priced:
    return price_all(book, [charge(price_model, **fields)])[0]
