"""The price library as rates: its functions are sampled, its data structures are not translated.

The only importer of the price library. Only the data bundled with the pinned version are read.

For each model, time is cut at every start date and the day at every hour of change; within such a
cell the library's answer is constant, so one question per cell and context gives the whole truth.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.prices.price_rate import (
    AUDIO,
    DAY_SECONDS,
    FIRST_DAY,
    LAST_DAY,
    MAX_SIZE,
    NO_SIZE,
    Rate,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_UNITS: Final = {
    "input_tokens": "input_text_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "input_image_tokens": "input_image_tokens",
    "input_video_tokens": "input_video_tokens",
    "cache_read_tokens": "cache_text_read_tokens",
    "cache_read_audio_tokens": "cache_audio_read_tokens",
    "cache_read_image_tokens": "cache_image_read_tokens",
    "cache_write_5m_tokens": "cache_text_write_5m_tokens",
    "cache_write_1h_tokens": "cache_text_write_1h_tokens",
    "cache_write_tokens": "cache_text_write_tokens",
    "output_tokens": "output_text_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "output_image_tokens": "output_image_tokens",
    "reasoning_tokens": "output_text_reasoning_tokens",
    "web_searches": "web_searches",
    "file_searches": "storage_searches",
    "input_characters": "input_characters",
    AUDIO: "input_audio_seconds",
    "calls": "requests",
}
"""Our meter -> the library's unit. Its unit per image or code session does not exist."""

_CONTEXT_KEYS: Final = ("processing", "service_tier", "speed")
"""The request contexts that a charge can state."""

_STANDARD_TIER: Final = {"service_tier": "default"}
"""The standard price by another name: its variants change nothing."""
_SECONDS_OF_AN_HOUR: Final = 3600


class Tiered(tuple[tuple[int, Decimal], ...]):
    """(more than this much input, price) from the lowest tier up."""

    __slots__ = ()


_Prices = dict[str, Decimal | Tiered]
_Cell = tuple[date, date, int, int]


def flatten() -> Iterator[tuple[str, list[Rate]]]:
    """Yield each price model of the library with its rates; none for a model without prices."""
    providers = {provider.id: provider for provider in _snapshot().providers}
    for provider in providers.values():
        for model in provider.models:
            yield _model_rates(f"{provider.id}/{model.id}", provider, model, _contexts(model))
        for lender in provider.fallback_model_providers or ():
            for model in providers[lender].models:
                name = f"{provider.id}/{lender}/{model.id}"
                yield _model_rates(name, provider, model, [{}])


def find(provider: str | None, model: str) -> str | None:
    """Return the price model that the library finds for a reference, or None."""
    try:
        owner, found = _snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    if any(found is own for own in owner.models):
        return f"{owner.id}/{found.id}"
    lender = next(
        other.id
        for other in _snapshot().providers
        if other.id in (owner.fallback_model_providers or ())
        and any(found is own for own in other.models)
    )
    return f"{owner.id}/{lender}/{found.id}"


@cache
def _snapshot() -> DataSnapshot:
    from genai_prices.data import providers  # noqa: PLC0415 - 0.3 s, only when rebuilt
    from genai_prices.data_snapshot import DataSnapshot  # noqa: PLC0415 - as above

    return DataSnapshot(providers=providers, from_auto_update=False)


def _contexts(model: ModelInfo) -> list[dict[str, str]]:
    contexts: list[dict[str, str]] = [{}]
    for variant in model.price_variants or ():
        known = set(variant.when) <= set(_CONTEXT_KEYS) and variant.when != _STANDARD_TIER
        if known and variant.when not in contexts:
            contexts.append(variant.when)
    return contexts


def _model_rates(
    name: str, provider: Provider, model: ModelInfo, contexts: Sequence[Mapping[str, str]]
) -> tuple[str, list[Rate]]:
    rates: list[Rate] = []
    for context in contexts:
        text = "&".join(f"{key}={value}" for key, value in sorted(context.items()))
        for cell, prices in _cells(model, context):
            start, end, from_second, to_second = cell
            for over, up_to, flat in _sizes(prices):
                rates.append(
                    Rate(
                        price_id=f"{name}#{len(rates)}",
                        context=text,
                        prices=flat,
                        start=start,
                        end=end,
                        from_second=from_second,
                        to_second=to_second,
                        over=over,
                        up_to=up_to,
                    )
                )
    if any(AUDIO in rate.prices for rate in rates):
        least = _least_seconds(provider, model)
        rates = [replace(rate, least_seconds=least) for rate in rates]
    return name, rates


def _cells(model: ModelInfo, context: Mapping[str, str]) -> Iterator[tuple[_Cell, _Prices]]:
    days, seconds = _cuts(model)
    for from_second, to_second in pairwise(seconds):
        open_cell: tuple[date, _Prices] | None = None
        for day in days:
            at = datetime.combine(day, time(), UTC).replace(
                hour=from_second // 3600, minute=from_second // 60 % 60, second=from_second % 60
            )
            prices = _prices_at(model, at, context)
            if open_cell is not None and open_cell[1] != prices:
                yield (open_cell[0], day, from_second, to_second), open_cell[1]
                open_cell = None
            if open_cell is None and prices:
                open_cell = (day, prices)
        if open_cell is not None:
            yield (open_cell[0], LAST_DAY, from_second, to_second), open_cell[1]


def _cuts(model: ModelInfo) -> tuple[list[date], list[int]]:
    days, seconds = {FIRST_DAY}, {0, DAY_SECONDS}
    conditional = model.prices if isinstance(model.prices, list) else []
    for dated in (*conditional, *(model.price_variants or ())):
        constraint: Any = dated.constraint
        if hasattr(constraint, "start_date"):
            days.add(constraint.start_date)
        elif constraint is not None:
            seconds |= {_second(constraint.start_time), _second(constraint.end_time)}
    return sorted(days), sorted(seconds)


def _second(at: time) -> int:
    moment = datetime.combine(date(2000, 1, 2), at)
    utc = moment.astimezone(UTC) if at.tzinfo else moment
    return utc.hour * 3600 + utc.minute * 60 + utc.second


def _prices_at(model: ModelInfo, at: datetime, context: Mapping[str, str]) -> _Prices:
    """Return meter -> price, empty where the context has no price of its own at that time."""
    honoured = not context or any(
        variant.when == context and (variant.constraint is None or variant.constraint.active(at))
        for variant in model.price_variants or ()
    )
    return _by_meter(model.get_prices(at, context)) if honoured else {}


def _by_meter(prices: ModelPrice) -> _Prices:
    units = _priced_units()
    stated = vars(prices)  # getattr also looks among the units for every price that is not there
    found: _Prices = {}
    for meter, candidates in units.items():
        for price_key, per in candidates:
            price: Any = stated.get(price_key)
            if price is not None:
                found[meter] = _per_unit(price, per)
                break
    if found.get("reasoning_tokens") == found.get("output_tokens"):
        found.pop("reasoning_tokens", None)
    return found


@cache
def _priced_units() -> dict[str, list[tuple[str, Decimal]]]:
    """Return meter -> (price key, factor to our unit) of its unit and ancestors, nearest first.

    The library checks that of two priced ancestors the join is priced too: the nearest is one.
    """
    from genai_prices.data_units import unit_data  # noqa: PLC0415 - with the library

    def candidates(unit: str) -> list[tuple[str, Decimal]]:
        own = unit_data[unit]["dimensions"].items()
        nearest = sorted(
            (other for other in unit_data.values() if other["dimensions"].items() <= own),
            key=lambda other: -len(other["dimensions"]),
        )
        return [(other["price_key"], _factor(other["per"])) for other in nearest]

    return {meter: candidates(unit) for meter, unit in _UNITS.items()}


def _factor(per: int) -> Decimal:
    """Return what turns a price per `per` units into ours: per unit, for audio per hour."""
    return Decimal(1) if per == _SECONDS_OF_AN_HOUR else Decimal(1) / per


def _per_unit(price: Any, factor: Decimal) -> Decimal | Tiered:
    if isinstance(price, Decimal):
        return scaled(price, factor)
    tiers = [(NO_SIZE, price.base), *((tier.start, tier.price) for tier in price.tiers)]
    return Tiered((start, scaled(value, factor)) for start, value in tiers)


def _sizes(prices: _Prices) -> Iterator[tuple[int, int, dict[str, Decimal]]]:
    """Yield (more than, up to, prices) for each size of input at which a price changes."""
    edges = {NO_SIZE}
    for price in prices.values():
        edges |= {start for start, _ in price} if isinstance(price, Tiered) else set()
    starts = sorted(edges)
    for over, up_to in zip(starts, [*starts[1:], MAX_SIZE], strict=True):
        yield over, up_to, {meter: _at_size(price, over) for meter, price in prices.items()}


def _at_size(price: Decimal | Tiered, over: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    return next(value for start, value in reversed(price) if start <= over)


def _least_seconds(provider: Provider, model: ModelInfo) -> int:
    """Return how many seconds the library bills for one second of audio, if more than one."""

    def cost(seconds: int) -> Decimal:
        usage = {"audio_seconds": seconds, "input_audio_seconds": seconds}
        return model.calc_price(usage, provider).total_price

    hour = cost(_SECONDS_OF_AN_HOUR)
    billed = round(cost(1) / hour * _SECONDS_OF_AN_HOUR) if hour else 1
    return billed if billed > 1 else 0
