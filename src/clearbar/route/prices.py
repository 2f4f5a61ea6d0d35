"""The price list: what a worker knows of prices, made from the price book, carried as JSON.

Workers load no price library and no engine. So whoever makes the table of routes looks up, with the
ledger's own price book, each model that tools name, all models that the book has of their providers
and those that were seen before, with all tiers, speeds and places that change a price. A model that
is not in the list has no price: its calls cost what the settings say of unpriced ones, until the
list is made again with that model among the seen.

Make it anew when clearbar.toml changes, when an unknown model was seen, and once a day.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from clearbar.core.money import plain
from clearbar.route.tool_prices import (
    NO_KINDS,
    REST,
    SIZE_METERS,
    FreePrices,
    GpuPrices,
    Kinds,
    Row,
    ToolPrices,
)
from clearbar.spend.charge import OUTPUT_METERS
from clearbar.spend.prices.model_reference import USUAL
from clearbar.spend.prices.price_gaps import shipped_gaps
from clearbar.spend.prices.price_rate import ALL_WEEKDAYS, AUDIO, Kind, Rate, context_of, tier_of
from clearbar.tools.address import PROTOCOLS, provider_of
from clearbar.tools.cost import IN_PROCESS
from clearbar.tools.tool import GpuPrice, NoPrice, TokenPrice

__all__ = ["PriceList", "ToolPrices"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.prices.price_override import PriceOverride
    from clearbar.tools.tool import Tool

_TIERS: Final = ("", "batch", "flex", "priority", "scale")
_SECOND_US: Final = 10**6
_DAY_US: Final = 86_400 * _SECOND_US
_ALWAYS: Final = (-(2**62), 2**62, 0, _DAY_US, -1, 2**62)
_NANO: Final = 9
_EXACT: Final = 24
_NINE_SECONDS: Final = Decimal("0.0025")
"""Of an hour, by which audio is priced."""
_HOUR_S: Final = 3600
_FEE: Final = "calls"
_MOST_KEPT: Final = 4096


class _Row(msgspec.Struct, array_like=True, frozen=True):
    """A rate: times in microseconds, money as decimal text."""

    start_us: int
    end_us: int
    from_second: int
    to_second: int
    over: int
    up_to: int
    least_seconds: int
    prices: dict[str, str]
    weekdays: int = ALL_WEEKDAYS


class _Model(msgspec.Struct, array_like=True, frozen=True):
    """The rates of a model: tier, speed and place -> which of `sets`."""

    kinds: dict[str, int]
    sets: tuple[tuple[_Row, ...], ...]


class _Listed(msgspec.Struct, frozen=True):
    version: str
    made_at_us: int
    tiers: tuple[str, ...]
    speeds: tuple[str, ...]
    places: tuple[str, ...]
    models: dict[str, _Model]
    """By provider and model, a newline between them, lower case."""


class PriceList:
    """The prices of all tools and models that a table of routes can lead to."""

    def __init__(self, listed: _Listed) -> None:
        self._listed = listed
        self._by_tool: dict[str, ToolPrices | None] = {}
        """Of tools with a price of their own; None: by the book."""
        self._by_model: dict[tuple[str, str], ToolPrices] = {}
        self._providers: dict[str, str] = {}
        self._unknown = ToolPrices(NO_KINDS, listed.made_at_us)

    @classmethod
    def of(
        cls,
        book: PriceBook,
        tools: Iterable[Tool],
        made_at: datetime,
        *,
        overrides: Sequence[PriceOverride] = (),
        seen: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """Make the list with a price book.

        `overrides` are those that the book was opened with: they may name tiers of their own.
        `seen` are pairs of provider and model as calls reported them, such as dated names.
        """
        pairs = _pairs(book, tools, seen)
        models = book.resolve(pairs)
        tiers, speeds = _tiers_and_speeds(book, overrides)
        places = tuple(sorted({"", *(gap.geo for gap in shipped_gaps())}))
        kinds = [
            Kind(provider, model, models[provider, model], tier, speed, place)
            for provider, model in sorted(pairs)
            for tier in (*tiers, REST)
            for speed in (*speeds, REST)
            for place in (*places, REST)
        ]
        found: dict[str, dict[str, tuple[_Row, ...]]] = {}
        for kind, rates in book.rates_in_force(kinds):
            if rates:
                name = _model_key(kind.provider, kind.model)
                pace = kind.speed if kind.speed == REST else context_of("", kind.speed)
                text = f"{kind.service_tier}\n{pace}\n{kind.geo}"
                found.setdefault(name, {})[text] = tuple(map(_row_of, rates))
        return cls(
            _Listed(
                version=book.version,
                made_at_us=_us(made_at),
                tiers=tiers,
                speeds=tuple(context_of("", speed) for speed in speeds),
                places=places,
                models={name: _shared(rows) for name, rows in found.items()},
            )
        )

    @property
    def version(self) -> str:
        """The version of the price book that it was made from."""
        return self._listed.version

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self._listed)
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the list that `to_json` made values of.

        Raises:
            msgspec.ValidationError: when they are none.
        """
        return cls(msgspec.convert(values, type=_Listed))

    def for_tool(self, tool: Tool, model: str, asked: str = "") -> ToolPrices:
        """Return the prices of a tool with a model, as asked for or as reported.

        Where that model is not in the list, those of `asked` are taken: an answer may call its
        model by a dated name. Cheap enough to be called for every request.
        """
        name = tool.name
        if name not in self._by_tool:
            self._by_tool[name] = _own_prices(tool, self._listed.made_at_us)
            self._providers[name] = provider_of(tool)
        own = self._by_tool[name]
        if own is not None:
            return own
        return self._of_model(name, model) or self._of_model(name, asked) or self._unknown

    def _of_model(self, tool: str, model: str) -> ToolPrices | None:
        """Return the prices of a model; only what is in the list is kept: clients name anything."""
        found = self._by_model.get((tool, model))
        if found is None:
            key = _model_key(self._providers[tool], model)
            listed = self._listed.models.get(key)
            if listed is None:
                return None
            found = ToolPrices(self._kinds(listed), self._listed.made_at_us)
            if len(self._by_model) < _MOST_KEPT:
                self._by_model[tool, model] = found
        return found

    def _kinds(self, listed: _Model) -> Kinds:
        sets = [tuple(map(_compiled, rows)) for rows in listed.sets]
        rows = {}
        for text, index in listed.kinds.items():
            tier, speed, place = text.split("\n")
            rows[tier, speed, place] = sets[index]
        listing = self._listed
        places = frozenset(listing.places)
        return Kinds(frozenset(listing.tiers), frozenset(listing.speeds), places, rows)


def _pairs(
    book: PriceBook, tools: Iterable[Tool], seen: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return provider and model of all that may be asked for or reported."""
    asked = [tool for tool in tools if tool.kind in PROTOCOLS]
    providers = {provider for tool in asked if (provider := provider_of(tool))}
    pairs = {(provider_of(tool), tool.model) for tool in asked if tool.model}
    pairs |= {(provider, name) for provider in providers for name in _models_of(book, provider)}
    pairs |= {pair for pair in (*USUAL, *seen) if pair[0] in providers}
    return {(provider, model) for provider, model in pairs if provider and model}


def _models_of(book: PriceBook, provider: str) -> set[str]:
    """Return the ids of the models that the book has of a provider."""
    from clearbar.spend.engine import connect  # noqa: PLC0415 - workers load no engine

    with connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT price_model FROM read_parquet(?) WHERE starts_with(price_model, ?)",
            [str(book.path), f"{provider}/"],
        ).fetchall()
    return {name.rpartition("/")[2] for [name] in rows}


def _tiers_and_speeds(
    book: PriceBook, overrides: Sequence[PriceOverride]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tiers and the speeds by which any price differs; empty is the standard."""
    from clearbar.spend.engine import connect  # noqa: PLC0415 - as above

    with connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT context FROM read_parquet(?)", [str(book.path)]
        ).fetchall()
    parts = [part.partition("=") for [context] in rows for part in context.split("&") if part]
    tiers = {*_TIERS, *(tier_of(each.service_tier or "") for each in overrides)}
    tiers |= {name for key, _, name in parts if key != "speed"}
    speeds = {"", *(name for key, _, name in parts if key == "speed")}
    return tuple(sorted(tiers)), tuple(sorted(speeds))


def _row_of(rate: Rate) -> _Row:
    prices = {meter: plain(price) for meter, price in rate.prices.items()}
    days = (_day_us(rate.start), _day_us(rate.end))
    hours = (rate.from_second, rate.to_second)
    sizes = (rate.over, rate.up_to)
    return _Row(*days, *hours, *sizes, rate.least_seconds, prices, rate.weekdays)


def _shared(rows: dict[str, tuple[_Row, ...]]) -> _Model:
    """Return the rates of a model, equal ones once."""
    sets = list(dict.fromkeys(repr(each) for each in rows.values()))
    first = {repr(each): each for each in rows.values()}
    kinds = {text: sets.index(repr(each)) for text, each in rows.items()}
    return _Model(kinds, tuple(first[text] for text in sets))


def _compiled(row: _Row) -> Row:
    prices = {meter: Decimal(text) for meter, text in row.prices.items()}
    fee = prices.pop(_FEE, Decimal(0))
    if AUDIO in prices:
        prices[AUDIO] *= _NINE_SECONDS
    places = _EXACT if AUDIO in prices else max(map(_places, (fee, *prices.values())))
    return Row(
        row.start_us,
        row.end_us,
        row.from_second * _SECOND_US,
        row.to_second * _SECOND_US,
        row.over,
        row.up_to,
        {meter: _count(price, places) for meter, price in prices.items()},
        _count(fee, places),
        10 ** (places - _NANO),
        row.least_seconds,
        row.weekdays,
    )


def _own_prices(tool: Tool, made_at_us: int) -> ToolPrices | None:
    """Return the prices of a tool that declares its own; None where they are the book's."""
    cost = tool.cost
    if isinstance(cost, NoPrice) or tool.kind in IN_PROCESS:
        return FreePrices()
    if isinstance(cost, GpuPrice):
        busy = Fraction(cost.output_tokens_per_second) * Fraction(cost.utilisation)
        return GpuPrices(Fraction(cost.usd_per_gpu_hour) / (_HOUR_S * busy))
    if cost.input_usd_per_million is None and cost.output_usd_per_million is None:
        return None
    nothing: frozenset[str] = frozenset()
    kinds = Kinds(nothing, nothing, nothing, {(REST, REST, REST): (_own_row(cost),)})
    return ToolPrices(kinds, made_at_us, strict=True)


def _own_row(cost: TokenPrice) -> Row:
    """Return the row of a declared price: one rate for all input, one for all output."""
    given = [
        (meters, per_million.scaleb(-6))
        for meters, per_million in (
            (SIZE_METERS, cost.input_usd_per_million),
            (OUTPUT_METERS, cost.output_usd_per_million),
        )
        if per_million is not None
    ]
    places = max(_places(price) for _, price in given)
    prices = {meter: _count(price, places) for meters, price in given for meter in meters}
    return Row(*_ALWAYS, prices, 0, 10 ** (places - _NANO))


def _places(price: Decimal) -> int:
    """Return how many decimal places make a whole number of it, at least those of a nano-dollar."""
    exponent = price.normalize().as_tuple().exponent
    return max(_NANO, -int(exponent))


def _count(price: Decimal, places: int) -> int:
    return int(Fraction(price) * 10**places)


def _model_key(provider: str, model: str) -> str:
    return f"{provider}\n{model.strip().lower()}"


def _day_us(day: date) -> int:
    return _us(datetime.combine(day, time(), UTC))


def _us(at: datetime) -> int:
    whole = int(at.astimezone(UTC).replace(microsecond=0).timestamp())
    return whole * _SECOND_US + at.microsecond
