"""What a model costs, from which source, and where two sources say different things. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain
from clearbar.spend.prices.litellm_prices import Condition
from clearbar.spend.prices.price_rate import FIRST_DAY, LAST_DAY, MAX_SIZE, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.prices.litellm_prices import ListedModel, LiteLLMPrices
    from clearbar.spend.prices.price_rate import Rate

_TIERS: Final = ("", "batch", "flex", "priority")
_MILLION: Final = 10**6
_TOLERATED: Final = Decimal("0.01")

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "prices": "What models cost: those that calls name, or the one asked for.",
        "prices[].provider": "Who bills.",
        "prices[].model": "The model as reported.",
        "prices[].price_id": "The price, as charges name it; null where there is none.",
        "prices[].from": "The first UTC day on which it holds; null for ever before.",
        "prices[].until": "The first UTC day on which it no longer holds; null for open.",
        "prices[].service_tier": "The tier it is of; empty for the standard one.",
        "prices[].weekdays_utc": "The days of the week on which it holds; empty for all.",
        "prices[].hours_utc": "The hours in which it holds; empty for all day.",
        "prices[].input_tokens_over": "More input than this; 0 for any.",
        "prices[].covered": "Whether such calls were paid in advance: it is then a list value.",
        "prices[].usd_per_million": "Price of a million by meter, as text; `calls` is of one.",
        "prices[].source": "Where the price comes from.",
        "tables": "Where the price book and the table given by `--against` differ by over 1%.",
        "tables[].provider": "Who bills.",
        "tables[].model": "The model as reported.",
        "tables[].listed_as": "Its name in the table; null where the table has none.",
        "tables[].meter": "What is priced.",
        "tables[].service_tier": "The tier; empty for the standard one.",
        "tables[].input_tokens_over": "More input than this; 0 for any.",
        "tables[].book_usd": "Price of a million by the price book, as text; null for none.",
        "tables[].table_usd": "Price of a million by the table, as text; null for none.",
        "tables[].effect_usd": "Table minus book for what was used, as text; null where not known.",
    }
)
"""Every field of what `clearbar spend prices --json` prints, beside those of `price_logs`."""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One price of a model, and when it holds."""

    provider: str
    model: str
    service_tier: str
    rate: Rate | None
    """None: there is no price."""
    source: str


@dataclass(frozen=True, slots=True)
class Differs:
    """A price of which the book and a table say different things."""

    provider: str
    model: str
    listed_as: str | None
    meter: str
    condition: Condition
    book_usd: Decimal | None
    """Of one unit; None where it has no price."""
    table_usd: Decimal | None
    effect_usd: Decimal | None
    """Table minus book, for what was used under that condition; None where that is not known."""


def price_rows(
    book: PriceBook, models: Sequence[tuple[str, str]], day: date | None
) -> list[PriceRow]:
    """Return the prices of models (provider, model): those of a day, or of all time where None."""
    resolved = book.resolve(models)
    kinds = [
        Kind(provider, model, resolved[provider, model], tier, "", "")
        for provider, model in models
        for tier in (_TIERS if day is None else ("",))
    ]
    rows: list[PriceRow] = []
    for kind, rates in book.rates_in_force(kinds):
        shown = [rate for rate in rates if day is None or rate.on(day)]
        rows += [_row(book, kind, rate) for rate in shown]
        if not shown and not kind.service_tier:
            rows.append(PriceRow(kind.provider, kind.model, "", None, "no price"))
    return rows


def _row(book: PriceBook, kind: Kind, rate: Rate) -> PriceRow:
    source = book.explain(rate.price_id)["source"]
    return PriceRow(kind.provider, kind.model, kind.service_tier, rate, source)


def differing(
    book: PriceBook,
    table: LiteLLMPrices,
    models: Sequence[tuple[str, str]],
    used: Mapping[tuple[str, str, str], int],
    day: date,
) -> list[Differs]:
    """Return where the book's prices of a day and a table differ by over 1%, dearest first.

    `used` is how much of each (provider, model, meter) was used at standard prices. A model that
    one of the two does not have is one row without a meter.
    """
    resolved, found = book.resolve(models), list[Differs]()
    for provider, model in models:
        kind = Kind(provider, model, resolved[provider, model], "", "", "")
        ours = _own_prices(book, kind, day)
        listed = table.find(provider or (kind.price_model or "").partition("/")[0], model)
        if not ours or listed is None:
            if ours or listed:
                name = listed.name if listed else None
                found.append(Differs(provider, model, name, "", Condition(), None, None, None))
            continue
        found += _against(provider, model, ours, listed, used)
    return sorted(found, key=_dearest)


def _dearest(differs: Differs) -> tuple[Decimal, str, str]:
    return -abs(differs.effect_usd or Decimal(0)), differs.provider, differs.model


def _against(
    provider: str,
    model: str,
    ours: Mapping[tuple[str, Condition], Decimal],
    listed: ListedModel,
    used: Mapping[tuple[str, str, str], int],
) -> Iterator[Differs]:
    for meter, condition in sorted(ours.keys() | listed.prices.keys()):
        book_usd, table_usd = ours.get((meter, condition)), listed.prices.get((meter, condition))
        if not _same(book_usd, table_usd):
            quantity = used.get((provider, model, meter), 0) if condition == Condition() else None
            effect = None
            if quantity is not None and book_usd is not None and table_usd is not None:
                effect = (table_usd - book_usd) * quantity
            yield Differs(
                provider, model, listed.name, meter, condition, book_usd, table_usd, effect
            )


def _same(book_usd: Decimal | None, table_usd: Decimal | None) -> bool:
    """Return whether two prices say the same; one that only one of the two has says nothing."""
    if book_usd is None or table_usd is None:
        return True
    return abs(table_usd - book_usd) <= _TOLERATED * max(book_usd, table_usd)


def _own_prices(book: PriceBook, kind: Kind, day: date) -> dict[tuple[str, Condition], Decimal]:
    """Return the book's prices of a day by meter and condition; of hours that differ the dearest.

    A table without hours names those of the day's peak.
    """
    kinds = [kind._replace(service_tier=tier) for tier in _TIERS]
    found: dict[tuple[str, Condition], Decimal] = {}
    for asked, rates in book.rates_in_force(kinds):
        for rate in rates:
            if rate.start <= day < rate.end and not rate.covered:
                condition = Condition(asked.service_tier, _size(rate.over))
                for meter, price in rate.prices.items():
                    if meter.endswith("_tokens"):
                        key = meter, condition
                        found[key] = max(price, found.get(key, price))
    return found


def _size(over: int) -> int:
    """Return a threshold as tables write it: one token below it means from it on."""
    return (over + 1) // 1000 * 1000 if over > 0 else 0


def row_json(row: PriceRow) -> dict[str, Any]:
    """Return a price as JSON values."""
    rate = row.rate
    said: dict[str, Any] = {
        "provider": row.provider,
        "model": row.model,
        "price_id": None,
        "from": None,
        "until": None,
        "service_tier": row.service_tier,
        "weekdays_utc": "",
        "hours_utc": "",
        "input_tokens_over": 0,
        "covered": False,
        "usd_per_million": {},
        "source": row.source,
    }
    if rate is None:
        return said
    return said | {
        "price_id": rate.price_id,
        "from": None if rate.start == FIRST_DAY else str(rate.start),
        "until": None if rate.end == LAST_DAY else str(rate.end),
        "weekdays_utc": rate.weekdays_text,
        "hours_utc": rate.hours_text,
        "input_tokens_over": max(rate.over, 0),
        "covered": rate.covered,
        "usd_per_million": {
            meter: plain(shown_price(meter, p)) for meter, p in rate.prices.items()
        },
    }


def sizes_of(rate: Rate) -> str:
    """Return the sizes of input for which a rate holds; empty for any."""
    over = f"over {rate.over:,}" if rate.over > 0 else ""
    up_to = f"up to {rate.up_to:,}" if rate.up_to < MAX_SIZE else ""
    return " ".join(text for text in (over, up_to) if text)


def shown_price(meter: str, price: Decimal) -> Decimal:
    """Return the price of a million units, of one call, or of an hour of audio."""
    return price if meter in ("calls", "audio_seconds") else price * _MILLION


def differs_json(differs: Differs) -> dict[str, Any]:
    """Return a difference as JSON values."""
    return {
        "provider": differs.provider,
        "model": differs.model,
        "listed_as": differs.listed_as,
        "meter": differs.meter,
        "service_tier": differs.condition.service_tier,
        "input_tokens_over": differs.condition.over,
        "book_usd": _million(differs.book_usd),
        "table_usd": _million(differs.table_usd),
        "effect_usd": None if differs.effect_usd is None else plain(differs.effect_usd),
    }


def _million(price: Decimal | None) -> str | None:
    return None if price is None else plain(price * _MILLION)
