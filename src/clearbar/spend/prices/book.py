"""The dated price book: the price library's rates in one file, beside the user's own prices.

The file is made once per version of the library, and comes ready-made for the version that Clearbar
is locked to, with the models that usual names mean; the user's overrides are laid over its rates
when charges are priced, so that changing them rebuilds nothing. The library itself is imported only
to make the file and to look up a model that was never seen before.
"""

from __future__ import annotations

import os
from importlib.resources import files
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.core.money import plain
from clearbar.spend.prices.agreement_prices import price_rules
from clearbar.spend.prices.agreements import NO_AGREEMENTS
from clearbar.spend.prices.currencies import explain_rate, is_rate
from clearbar.spend.prices.model_reference import USUAL, candidates
from clearbar.spend.prices.price_contract import (
    agreements_of,
    contract_rate,
    name_of,
    overrides_for,
    with_overrides,
)
from clearbar.spend.prices.price_edition import Edition, edition_now, find_edition, keep
from clearbar.spend.prices.price_gaps import gaps_of, in_context, in_place
from clearbar.spend.prices.price_hours import at_hours, hour_rules
from clearbar.spend.prices.price_rate import (
    AUDIO,
    FIRST_DAY,
    LAST_DAY,
    MAX_SIZE,
    Kind,
    Rate,
    context_of,
    tier_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path
    from typing import Self

    from clearbar.spend.charge import Origin
    from clearbar.spend.prices.agreements import Agreements, CurrencyRate
    from clearbar.spend.prices.price_contract import Numbered
    from clearbar.spend.prices.price_override import PriceOverride

_Found = dict[str, str | None]


class PriceBook:
    """Rates by price model, and the price models by what charges call them."""

    def __init__(self, folder: Path, edition: Edition, *, keep_names: bool = True) -> None:
        """Make the book of an edition; its file has to be in the folder before it is asked.

        `keep_names` notes the models of names that were never seen before in the folder.
        """
        self.version = edition.version
        """Names the library's version, and by a digest the shipped gaps and all declared rules."""
        self.path = folder / edition.rates
        self.currencies: tuple[CurrencyRate, ...] = edition.agreements.currencies
        self._names_path = self.path.with_suffix(".models.json")
        self._keep_names = keep_names
        self._found: _Found = {}
        self._gaps = gaps_of(edition.gaps)
        self._hours = hour_rules(edition.gaps)
        self._rules = price_rules(edition.overrides, edition.agreements)
        self._read: dict[str, tuple[Rate, ...]] = {}

    @classmethod
    def open(
        cls,
        folder: Path,
        overrides: Sequence[PriceOverride] = (),
        agreements: Agreements = NO_AGREEMENTS,
    ) -> Self:
        """Open the book in a folder; make its file first where there is none."""
        edition = edition_now(overrides, agreements)
        book = cls(folder, edition)
        if not book.path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            for path in (book._names_path, book.path):
                shipped = files("clearbar.spend").joinpath("price_book", path.name)
                if shipped.is_file() and not path.exists():
                    _publish(path, shipped.read_bytes())
            if not book.path.exists():
                make(book.path)
        if to_keep := keep(edition, folder):
            _publish(*to_keep)
        return book

    @classmethod
    def edition(
        cls,
        wanted: str,
        folder: Path,
        beside: Path,
        overrides: Sequence[PriceOverride] = (),
        agreements: Agreements = NO_AGREEMENTS,
    ) -> Self:
        """Open the book that somebody names: see `find_edition`.

        Raises:
            ClearbarError: when there is no such book, or more than one.
        """
        place, edition = find_edition(wanted, folder, beside, overrides, agreements)
        return cls(place, edition, keep_names=place == folder)

    def resolve(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
        """Return (provider, model) as reported -> price model, None where the book has none."""
        wanted = {pair: "\n".join(pair) for pair in pairs}
        known = self._known_names()
        new = {key: _find(*pair) for pair, key in wanted.items() if key not in known}
        if new:
            self._found |= new
            known = self._known_names()
            if self._keep_names:
                _publish(self._names_path, msgspec.json.encode(known))
        return {pair: known[key] for pair, key in wanted.items()}

    def rates_in_force(self, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, list[Rate]]]:
        """Yield each kind of charge with its rates, which never overlap; none: unpriced."""
        book = self._book({kind.price_model for kind in kinds if kind.price_model})
        for kind in kinds:
            tier, rates = tier_of(kind.service_tier), list[Rate]()
            if kind.price_model in book:
                context = context_of(kind.service_tier, kind.speed)
                rates = self._rates_in(kind, book[kind.price_model], context)
            named = overrides_for(self._rules, *kind[:3], tier, kind.agreements)
            listed = rates
            if not rates and kind.price_model in book and any(rule.covers for _, rule in named):
                listed = self._rates_in(kind, book[kind.price_model], "")
            yield kind, with_overrides(rates, named, listed)

    def names(self) -> list[str]:
        """Return the price models that have prices, in their order."""
        import duckdb  # noqa: PLC0415 - slow to load

        from clearbar.spend.prices.price_rows import named_in  # noqa: PLC0415 - loads DuckDB

        try:
            return named_in(self.path)
        except duckdb.Error as error:
            raise self._unreadable() from error

    def agreements_of(self, origin: Origin) -> str:
        """Return which rules hold for an origin alone, as `Kind.agreements` says it."""
        return agreements_of(self._rules, origin)

    def _rates_in(self, kind: Kind, rates: Sequence[Rate], context: str) -> list[Rate]:
        name = kind.price_model or ""
        known = at_hours(name, in_context(name, rates, context, self._gaps), self._hours)
        return in_place(name, known, kind.geo, self._gaps)

    def explain(self, price_id: str, day: date | None = None) -> dict[str, str]:
        """Return the conditions, the exact unit prices and the sources of a rate.

        A rate of which rules of hours take days away has several parts: `day` chooses one.

        Raises:
            UnknownName: when this version of the book has no such rate.
        """
        if is_rate(price_id):
            return explain_rate(price_id)
        name, chosen = self._rule_in(price_id)
        rate = self._rate(name, day)
        sources = [self.version] if rate else []
        said_of = {gap.name: gap.source for gap in self._gaps}
        said_of |= {hours.name: hours.source for hours in self._hours}
        sources += [said_of[part] for part in name.split("+") if part in said_of]
        if chosen:
            number, rule = chosen
            rate = contract_rate(chosen, rate)
            sources.append(rule.source or f"[[price]] number {number} in clearbar.toml")
        if rate is None:
            raise _unknown(price_id)
        said = {"source": "; ".join(sources)}
        if rate.covered:
            return {**_conditions(rate), "covered": "paid in advance: costs nothing extra", **said}
        return {**_conditions(rate), **_unit_prices(rate), **said}

    def _rule_in(self, price_id: str) -> tuple[str, Numbered | None]:
        """Return the book's part of the id of a price, and the rule that was laid over it."""
        for number, rule in enumerate(self._rules, 1):
            name = name_of(number, rule)
            if price_id == name or price_id.endswith(f"+{name}"):
                return price_id.removesuffix(name).removesuffix("+"), (number, rule)
        return price_id, None

    def _book(self, price_models: Collection[str]) -> dict[str, tuple[Rate, ...]]:
        """Return price model -> rates; each is read from the file once."""
        import duckdb  # noqa: PLC0415 - slow to load

        from clearbar.spend.prices.price_rows import read_rates  # noqa: PLC0415 - loads DuckDB

        new = set(price_models) - self._read.keys()
        if new:
            try:
                self._read |= dict.fromkeys(new, ()) | read_rates(self.path, new)
            except duckdb.Error as error:
                raise self._unreadable() from error
        return self._read

    def _unreadable(self) -> ClearbarError:
        name, way_out = self.path.name, "if it is one of .clearbar/prices, delete it"
        return ClearbarError(f"{name} cannot be read as a price book", way_out)

    def _known_names(self) -> _Found:
        try:
            kept = msgspec.json.decode(self._names_path.read_bytes(), type=_Found)
        except (FileNotFoundError, msgspec.MsgspecError):
            kept = {}
        return {**kept, **self._found} if self._found else kept

    def _rate(self, name: str, day: date | None) -> Rate | None:
        price_model = name.partition("#")[0]
        book = self._book({price_model} - {""}).get(price_model, ())
        found = [rate for rate in self._variants(price_model, book) if rate.price_id == name]
        that_day = (rate for rate in found if day and rate.on(day))
        return next(that_day, found[0] if found else None)

    def _variants(self, price_model: str, book: Sequence[Rate]) -> Iterator[Rate]:
        """Yield every rate that charges of a price model can have had without overrides."""
        for context in sorted({rate.context for rate in book}):
            for geo in sorted({gap.geo for gap in self._gaps}):
                known = in_context(price_model, book, context, self._gaps)
                hourly = at_hours(price_model, known, self._hours)
                yield from in_place(price_model, hourly, geo, self._gaps)


def _find(provider: str, model: str) -> str | None:
    from clearbar.spend.prices.price_table import find  # noqa: PLC0415 - loads the price library

    found = (find(*candidate) for candidate in candidates(provider, model))
    return next((name for name in found if name), None) if model else None


def make(path: Path) -> None:
    """Flatten the library's prices into a file of rates. Takes about a second."""
    from clearbar.spend.prices.price_rows import write_rates  # noqa: PLC0415 - loads DuckDB
    from clearbar.spend.prices.price_table import flatten  # noqa: PLC0415 - loads the price library

    aside = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    write_rates(aside, flatten())
    _put_in_place(aside, path)


def ship(folder: Path) -> None:
    """Make what a new workspace starts with: the book, and the models that usual names mean."""
    book = PriceBook(folder, edition_now((), NO_AGREEMENTS))
    make(book.path)
    book.resolve(USUAL)


def _publish(path: Path, content: bytes) -> None:
    aside = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    aside.write_bytes(content)
    _put_in_place(aside, path)


def _put_in_place(aside: Path, path: Path) -> None:
    """Make a finished file durable and visible at once; of several processes the last one stays."""
    for step in (aside, path.parent):
        if step == path.parent:
            aside.replace(path)
        handle = os.open(step, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _conditions(rate: Rate) -> dict[str, str]:
    said = {
        "context": rate.context,
        "from": "" if rate.start == FIRST_DAY else rate.start.isoformat(),
        "until": "" if rate.end == LAST_DAY else rate.end.isoformat(),
        "weekdays_utc": rate.weekdays_text,
        "hours_utc": rate.hours_text,
        "input_tokens_over": str(rate.over) if rate.over > 0 else "",
        "input_tokens_up_to": str(rate.up_to) if rate.up_to < MAX_SIZE else "",
        "least_audio_seconds": str(rate.least_seconds or ""),
    }
    return {"price_id": rate.price_id, **{key: text for key, text in said.items() if text}}


def _unit_prices(rate: Rate) -> dict[str, str]:
    prices = {}
    for meter, price in rate.prices.items():
        if meter == "calls":
            prices["usd_per_call"] = plain(price)
        elif meter == AUDIO:
            prices[f"usd_per_hour.{meter}"] = plain(price)
        else:
            prices[f"usd_per_million.{meter}"] = plain(price.scaleb(6))
    return prices


def _unknown(price_id: str) -> UnknownName:
    return UnknownName(
        f'the price book has no price "{price_id}"',
        "it was made with another version of the price book or of [[price]] in clearbar.toml",
    )
