"""From a number back to the bytes: one charge, its price line by line, and who told of it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from clearbar.core.money import plain
from clearbar.spend.charge import METERS, charge_id, digest_of
from clearbar.spend.files.source_file import SourceFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.spend.charge import Origin

_PER_MILLION: Final = "usd_per_million."
_PER_CALL: Final = "usd_per_call"
_PER_UNIT: Final = (_PER_MILLION, _PER_CALL)
"""Beginnings of the keys under which the price book tells a price that becomes a line."""
_EXACT: Final = Context(prec=60)

Bytes = Literal["unchanged", "changed", "missing", "not kept"]

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "charge_id": "The charge's id.",
        "identity": "What makes it the same charge wherever it is seen; the id is made of it.",
        "started_at": "When the call, or the bucket of calls, began, in UTC.",
        "origin": "Who made the call, with what: the dimensions that were reported.",
        "workflow": "The workflow that it is charged to; null where no rule took it.",
        "rule": "Which rule took it, with its line.",
        "calls": "1, or the calls of a bucket.",
        "cost_usd": "The cost, as text; null where it is not known.",
        "covered_usd": "What it would have cost by the price book, as text, where it was paid in"
        " advance; else null.",
        "basis": "`billed`, `priced`, `estimated` or `unpriced`.",
        "price_id": "The price that made the cost; null where none did.",
        "price_version": "The price book that it stood in.",
        "price": "What the price book says of that price.",
        "lines": "One for each meter with a quantity.",
        "lines[].meter": "The meter.",
        "lines[].quantity": "How much of it.",
        "lines[].unit_price_usd": "Price of one unit, as text; null where none applies.",
        "lines[].cost_usd": "Their exact product, as text; null without a unit price.",
        "witnesses": "The records that tell of the charge; the one that counts comes first.",
        "witnesses[].source": "The format it was read from.",
        "witnesses[].parser_version": "The version of the source that read it.",
        "witnesses[].uri": "The file.",
        "witnesses[].line": "Its line or row; null where the file is one document.",
        "witnesses[].byte_offset": "First byte of the line; null where bytes are not kept.",
        "witnesses[].byte_length": "Bytes of the line.",
        "witnesses[].digest": "Stands for the line's bytes as they were read.",
        "witnesses[].lines": "How many lines of the file told of the charge.",
        "witnesses[].bytes": "`unchanged`, `changed`, `missing` or `not kept`: the file today.",
        "witnesses[].wins": "Whether the charge's quantities are this record's.",
    }
)
"""Every field of `trace_json`, by its path."""


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One meter of the charge: quantity times unit price."""

    meter: str
    quantity: int
    unit_price_usd: Decimal | None
    """None where the price is not per unit of this meter: a bill, an estimate, no price."""

    @property
    def cost_usd(self) -> Decimal | None:
        """The exact product."""
        if self.unit_price_usd is None:
            return None
        return _EXACT.multiply(Decimal(self.quantity), self.unit_price_usd)


@dataclass(frozen=True, slots=True)
class Witness:
    """A record that tells of the charge."""

    source: str
    parser_version: int
    uri: str
    line: int | None
    byte_offset: int | None
    byte_length: int | None
    digest: str
    lines: int
    """How many lines of the file told of it."""
    bytes: Bytes
    """Whether the file still says what was read."""
    wins: bool
    """Whether the charge's quantities are this record's."""


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known of one charge."""

    charge_id: str
    identity: str
    started_at: str
    origin: Origin
    calls: int
    cost_usd: Decimal | None
    basis: str
    price_id: str | None
    price_version: str | None
    price: Mapping[str, str]
    """What the price book says of the price: validity, context, source."""
    lines: tuple[PriceLine, ...]
    witnesses: tuple[Witness, ...]
    workflow: str | None = None
    rule: str = ""
    covered_usd: Decimal | None = None
    """What it would have cost by the price book, where it was paid in advance."""


def trace_of(
    records: Sequence[Mapping[str, Any]],
    origin: Origin,
    price: Mapping[str, str],
    kept: Path = Path(),
) -> Trace:
    """Return the trace of a charge from its records, the winner first.

    `kept` is where Clearbar keeps what is its own: a file there is named relative to it.
    """
    winner = records[0]
    if price and not _multiplies_out(winner, price):
        price = no_longer_known(winner["price_id"])
    told = records[:1] if winner["source"] == "table" else records
    earliest = min(record["started_at"] for record in told)
    return Trace(
        charge_id=winner["charge_id"],
        identity=_first_identity(records),
        started_at=f"{earliest.isoformat()}Z",
        origin=origin,
        calls=winner["calls"],
        cost_usd=winner["cost_usd"],
        basis=winner["basis"],
        price_id=winner["price_id"],
        price_version=winner["price_version"],
        price={key: value for key, value in price.items() if not key.startswith(_PER_UNIT)},
        lines=tuple(_price_lines(winner, price)),
        witnesses=tuple(_witness(record, kept, wins=record is winner) for record in records),
        covered_usd=winner["covered_usd"],
    )


def _first_identity(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the identity of which the charge's id is made; the winner's where it is worn."""
    own = records[0]["charge_id"]
    names: list[str] = [record["identity"] for record in records]
    return next((name for name in names if charge_id(name) == own), names[0])


def no_longer_known(price_id: str) -> dict[str, str]:
    """Return what can be said of a price that was declared once and is not today."""
    return {"price_id": price_id, "source": "a price that clearbar.toml or the price book had then"}


def _multiplies_out(record: Mapping[str, Any], price: Mapping[str, str]) -> bool:
    """Return whether a price can be the one that made the cost; also where lines cannot tell."""
    if not _unit_prices(price):
        return True
    costs = [line.cost_usd for line in _price_lines(record, price)]
    known = [cost for cost in costs if cost is not None]
    return len(known) < len(costs) or sum(known, Decimal(0)) == record["cost_usd"]


def trace_json(trace: Trace) -> dict[str, Any]:
    """Return the trace as JSON values."""
    return {
        "charge_id": trace.charge_id,
        "identity": trace.identity,
        "started_at": trace.started_at,
        "origin": msgspec.to_builtins(trace.origin),
        "workflow": trace.workflow,
        "rule": trace.rule,
        "calls": trace.calls,
        "cost_usd": None if trace.cost_usd is None else plain(trace.cost_usd),
        "covered_usd": None if trace.covered_usd is None else plain(trace.covered_usd),
        "basis": trace.basis,
        "price_id": trace.price_id,
        "price_version": trace.price_version,
        "price": dict(trace.price),
        "lines": [_line_json(line) for line in trace.lines],
        "witnesses": [
            {name: getattr(witness, name) for name in Witness.__slots__}
            for witness in trace.witnesses
        ],
    }


def _line_json(line: PriceLine) -> dict[str, Any]:
    cost, unit = line.cost_usd, line.unit_price_usd
    return {
        "meter": line.meter,
        "quantity": line.quantity,
        "unit_price_usd": None if unit is None else plain(unit),
        "cost_usd": None if cost is None else plain(cost),
    }


def _price_lines(record: Mapping[str, Any], price: Mapping[str, str]) -> list[PriceLine]:
    units = _unit_prices(price)
    return [
        PriceLine(meter, quantity, units.get(meter))
        for meter, quantity in _quantities(record, units)
    ]


def _unit_prices(price: Mapping[str, str]) -> dict[str, Decimal]:
    """Return meter -> price of one, from what the price book says of a rate."""
    found = {
        key.removeprefix(_PER_MILLION): Decimal(text).scaleb(-6, _EXACT)
        for key, text in price.items()
        if key.startswith(_PER_MILLION)
    }
    if _PER_CALL in price:
        found["calls"] = Decimal(price[_PER_CALL])
    return found


def _quantities(record: Mapping[str, Any], units: Mapping[str, Decimal]) -> list[tuple[str, int]]:
    found = {meter: record[meter] for meter in METERS if record[meter]}
    reasoning = record["reasoning_tokens"]
    if reasoning and "reasoning_tokens" in units:
        found["output_tokens"] -= reasoning
        found["reasoning_tokens"] = reasoning
    if "calls" in units:
        found["calls"] = record["calls"]
    return list(found.items())


def _witness(record: Mapping[str, Any], kept: Path, *, wins: bool) -> Witness:
    names = ("source", "parser_version", "uri", "line", "byte_offset", "byte_length", "digest")
    values = {name: record[name] for name in names}
    return Witness(**values, lines=record["lines"], bytes=_bytes_now(record, kept), wins=wins)


def _bytes_now(record: Mapping[str, Any], kept: Path) -> Bytes:
    offset, length = record["byte_offset"], record["byte_length"]
    if offset is None or length is None or not record["digest"]:
        return "not kept"
    path = kept / record["uri"]
    if not path.exists():
        return "missing"
    try:
        with SourceFile(path, b"").open() as stream:
            stream.seek(offset)
            payload = stream.read(length)
    except (OSError, EOFError, zlib.error):
        return "changed"
    return "unchanged" if digest_of(payload) == record["digest"] else "changed"
