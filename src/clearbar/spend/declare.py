"""Reads `[[price]]` and `[[table]]` of clearbar.toml."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from clearbar.core.errors import ClearbarError
from clearbar.core.toml_kinds import (
    DATE,
    EXACT_TEXT,
    GLOB,
    SHARE,
    TEXT,
    USD,
    choice,
    decimal_of,
    mapping_of,
)
from clearbar.core.toml_table import Key, Kind, Place, Table, expected
from clearbar.spend.charge import (
    CACHE_READ_METERS,
    CACHE_WRITE_METERS,
    DIMENSIONS,
    FEE_METERS,
    METERS,
)
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.prices.declare_agreements import ONLY, only_of
from clearbar.spend.prices.price_override import PriceOverride

if TYPE_CHECKING:
    from datetime import date

COLUMN_FIELDS: Final = (
    "started_at",
    "cost_usd",
    "identity",
    "calls",
    *(dimension for dimension in DIMENSIONS if dimension != "source"),
    *METERS,
    "reasoning_tokens",
    "session_id",
    "task_id",
    "service_tier",
)
"""What a column can be mapped to. The dimension `source` says which reader read it."""

_Counted = Literal["inside", "beside"]
_COUNTED: Final[tuple[_Counted, ...]] = ("inside", "beside")
_CostBasis = Literal["billed", "estimated"]
_COST_BASES: Final[tuple[_CostBasis, ...]] = ("billed", "estimated")


_MOST_PER_CALL: Final = Decimal(10_000)
_MOST_PER_MILLION: Final = Decimal(10**6)
_MOST_PER_MILLION_TOKENS: Final = Decimal(10**5)
"""A hundred times the dearest there is; with the largest quantity of a record, still a number that
the ledger can hold."""


def _price(value: object, _: Place) -> Decimal:
    price = decimal_of(value)
    if price is None or not 0 <= price <= _MOST_PER_MILLION:
        raise expected("US dollars from 0 to 1,000,000", value)
    return price


def _call_price(value: object, _: Place) -> Decimal:
    price = decimal_of(value)
    if price is None or not 0 <= price <= _MOST_PER_CALL:
        raise expected("US dollars from 0 to 10,000", value)
    return price


PROVIDER: Final = Key(
    "provider", GLOB, "", "Glob over the provider that bills.", '"azure"', required=True
)
MODEL: Final = Key("model", GLOB, "", "Glob over the model.", '"gpt-4o*"', required=True)
FROM: Final[Key[date | None]] = Key(
    "from", DATE, None, "The first day on which it holds.", "2026-07-01"
)
UNTIL: Final[Key[date | None]] = Key(
    "until", DATE, None, "The first day on which it no longer holds.", "2027-07-01"
)
SERVICE_TIER: Final[Key[str | None]] = Key(
    "service_tier", TEXT, None, "Only for charges that were served at this tier.", '"batch"'
)
DISCOUNT: Final[Key[Decimal | None]] = Key(
    "discount",
    SHARE,
    None,
    "Share that is taken off the price book; stands instead of prices.",
    '"0.22"',
)
USD_PER_MILLION: Final[Key[dict[str, Decimal]]] = Key(
    "usd_per_million",
    mapping_of(Kind(USD.name, _price), "meter", METERS),
    {},
    "Price of a million units by meter; a meter that is not named keeps the book's price.",
    '{ input_tokens = "2.10", output_tokens = "8.40" }',
)
USD_PER_CALL: Final[Key[Decimal | None]] = Key(
    "usd_per_call",
    Kind(USD.name, _call_price),
    None,
    "Price of each call, on top of its meters.",
    '"0.01"',
)
SOURCE: Final = Key(
    "source", TEXT, "", "Where the price comes from; shown with each charge.", '"contract 2026-17"'
)
PRICE_KEYS: Final = (
    PROVIDER,
    MODEL,
    ONLY,
    FROM,
    UNTIL,
    SERVICE_TIER,
    DISCOUNT,
    USD_PER_MILLION,
    USD_PER_CALL,
    SOURCE,
)


def read_price(table: Table) -> PriceOverride:
    """Return the price override."""
    start, end = table.take(FROM), table.take(UNTIL)
    if start and end and end <= start:
        table.place.at(UNTIL.name).fault(f"expected a day after {start}, found {end}")
    prices = {USD_PER_MILLION.name, USD_PER_CALL.name} & table.values.keys()
    if prices and DISCOUNT.name in table.values:
        table.place.at(DISCOUNT.name).fault(
            f"stands beside {' and '.join(sorted(prices))}: declare a discount or prices, not both"
        )
    per_million = table.take(USD_PER_MILLION)
    for meter, price in per_million.items():
        if meter not in FEE_METERS and price > _MOST_PER_MILLION_TOKENS:
            place = table.place.at(USD_PER_MILLION.name, meter)
            place.fault(f"${price:,f} a million is no price of tokens: is it one of a single unit?")
    if not prices and DISCOUNT.name not in table.values:
        table.place.fault("expected discount, usd_per_million or usd_per_call, found none")
    return PriceOverride(
        provider=table.take(PROVIDER),
        model=table.take(MODEL),
        start=start,
        end=end,
        service_tier=table.take(SERVICE_TIER),
        usd_per_million=per_million,
        usd_per_call=table.take(USD_PER_CALL),
        discount=table.take(DISCOUNT),
        source=table.take(SOURCE),
        only=only_of(table),
    )


def _timezone(value: object, place: Place) -> str:
    name = TEXT.read(value, place)
    if name != "UTC":
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError) as error:
            raise ClearbarError(
                f'"{name}" is no IANA time zone', "such as Europe/Berlin"
            ) from error
    return name


NAME: Final = Key("name", TEXT, "", "The name of the mapping.", '"azure-export"', required=True)
FILES: Final = Key(
    "files",
    GLOB,
    "",
    "Glob of the files it reads, relative to clearbar.toml or absolute.",
    '"exports/azure-*.csv"',
    required=True,
)
COLUMNS: Final[Key[dict[str, str]]] = Key(
    "columns",
    mapping_of(EXACT_TEXT, "field", COLUMN_FIELDS),
    {},
    "Field of a charge = column of the file; `started_at` is needed.",
    '{ started_at = "Date", model = "Model", input_tokens = "Prompt", cost_usd = "Cost" }',
    required=True,
)
CONSTANTS: Final[Key[dict[str, str]]] = Key(
    "constants",
    mapping_of(TEXT, "field", COLUMN_FIELDS),
    {},
    "Field of a charge = the same value for every row.",
    '{ provider = "azure" }',
)
LABELS: Final[Key[dict[str, str]]] = Key(
    "labels", mapping_of(EXACT_TEXT, "label"), {}, "Label = column.", '{ channel = "Channel" }'
)
CACHED_TOKENS: Final[Key[_Counted | None]] = Key(
    "cached_tokens",
    choice(_COUNTED),
    None,
    "Whether cached tokens are counted inside `input_tokens` or beside it; needed where a cache"
    " column is mapped, and never guessed.",
    '"inside"',
)
REASONING_TOKENS: Final[Key[_Counted]] = Key(
    "reasoning_tokens",
    choice(_COUNTED),
    "inside",
    "Whether reasoning tokens are counted inside `output_tokens` or beside it.",
    '"beside"',
)
COST_BASIS: Final[Key[_CostBasis]] = Key(
    "cost_basis",
    choice(_COST_BASES),
    "estimated",
    "Whether `cost_usd` is what a bill says or what some program computed.",
    '"billed"',
)
TIMEZONE: Final = Key(
    "timezone", Kind("time zone", _timezone), "UTC", "Of times that carry none.", '"Europe/Berlin"'
)
TABLE_KEYS: Final = (
    NAME,
    FILES,
    COLUMNS,
    CONSTANTS,
    LABELS,
    CACHED_TOKENS,
    REASONING_TOKENS,
    COST_BASIS,
    TIMEZONE,
)


def read_table(table: Table) -> TableMapping:
    """Return the mapping of a kind of table."""
    mapping = TableMapping(
        name=table.take(NAME),
        files=table.take(FILES),
        columns=table.take(COLUMNS),
        constants=table.take(CONSTANTS),
        labels=table.take(LABELS),
        cached_tokens=table.take(CACHED_TOKENS),
        reasoning_tokens=table.take(REASONING_TOKENS),
        cost_basis=table.take(COST_BASIS),
        timezone=table.take(TIMEZONE),
    )
    if COLUMNS.name in table.values:
        _check_columns(mapping, table)
    return mapping


def _check_columns(mapping: TableMapping, table: Table) -> None:
    columns = table.place.at(COLUMNS.name)
    if "started_at" not in mapping.columns:
        columns.fault("expected a column for started_at, found none")
    if not mapping.columns.keys() & {"cost_usd", *METERS}:
        columns.fault("expected a column for cost_usd or for a meter, found none")
    cached = [name for name in (*CACHE_READ_METERS, *CACHE_WRITE_METERS) if name in mapping.columns]
    if cached and CACHED_TOKENS.name not in table.values:
        columns.at(cached[0]).fault(
            "needs cached_tokens: does the export count it inside or beside input_tokens?"
        )
    for twice in sorted(mapping.columns.keys() & mapping.constants.keys()):
        table.place.at(CONSTANTS.name, twice).fault("is a column too: declare one of the two")
