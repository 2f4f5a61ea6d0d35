"""The dated price book: the price library's rates in one file, beside the user's own prices.

The file is made once per version of the library, and comes ready-made for the version that Clearbar
is locked to, with the models that usual names mean; the user's overrides are laid over its rates
when charges are priced, so that changing them rebuilds nothing. The library itself is imported only
to make the file and to look up a model that was never seen before.
"""

from __future__ import annotations

import hashlib
import os
import re
from importlib.metadata import version as version_of
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec

from clearbar.core.errors import UnknownName
from clearbar.core.money import plain
from clearbar.spend.model_reference import USUAL, candidates
from clearbar.spend.price_contract import contract_rate, overrides_for, with_overrides
from clearbar.spend.price_gaps import gaps_text, in_context, in_place, shipped_gaps
from clearbar.spend.price_rate import (
    AUDIO,
    DAY_SECONDS,
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
    from pathlib import Path
    from typing import Self

    from clearbar.spend.price_override import PriceOverride

_FORMAT: Final = 1
"""Raised when the file's columns, or the way in which models are found, change."""

_Found = dict[str, str | None]


class PriceBook:
    """Rates by price model, and the price models by what charges call them."""

    def __init__(self, folder: Path, overrides: Sequence[PriceOverride]) -> None:
        library = version_of("genai-prices")
        rules = f"{_FORMAT}\n{gaps_text()}\n{list(overrides)!r}"
        digest = hashlib.sha256(rules.encode()).hexdigest()[:8]
        slug = re.sub(r"[^a-z0-9.]+", "-", f"genai-prices-{library}-{_FORMAT}".lower())
        self.version = f"genai-prices {library}+{digest}"
        """Names the library's version, and by a digest the shipped gaps and the overrides."""
        self.path = folder / f"{slug}.parquet"
        self._names_path = folder / f"{slug}.models.json"
        self._overrides = tuple(overrides)
        self._read: dict[str, tuple[Rate, ...]] = {}

    @classmethod
    def open(cls, folder: Path, overrides: Sequence[PriceOverride] = ()) -> Self:
        """Open the book in a folder; make its file first where there is none."""
        book = cls(folder, overrides)
        if not book.path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            for path in (book._names_path, book.path):
                shipped = files("clearbar.spend").joinpath("price_book", path.name)
                if shipped.is_file() and not path.exists():
                    _publish(path, shipped.read_bytes())
            if not book.path.exists():
                make(book.path)
        return book

    def resolve(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
        """Return (provider, model) as reported -> price model, None where the book has none."""
        wanted = {pair: "\n".join(pair) for pair in pairs}
        known = self._known_names()
        new = {key: _find(*pair) for pair, key in wanted.items() if key not in known}
        if new:
            known = {**self._known_names(), **new}
            _publish(self._names_path, msgspec.json.encode(known))
        return {pair: known[key] for pair, key in wanted.items()}

    def rates_in_force(self, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, list[Rate]]]:
        """Yield each kind of charge with its rates, which never overlap; none: unpriced."""
        book = self._book({kind.price_model for kind in kinds if kind.price_model})
        for kind in kinds:
            tier, rates = tier_of(kind.service_tier), list[Rate]()
            if kind.price_model in book:
                context = context_of(kind.service_tier, kind.speed)
                known = in_context(kind.price_model, book[kind.price_model], context)
                rates = in_place(kind.price_model, known, kind.geo)
            named = overrides_for(self._overrides, *kind[:3], tier)
            yield kind, with_overrides(rates, named)

    def explain(self, price_id: str) -> dict[str, str]:
        """Return the conditions, the exact unit prices and the sources of a rate.

        Raises:
            UnknownName: when this version of the book has no such rate.
        """
        name, *override = price_id.split("override:")
        rate = self._rate(name.removesuffix("+"))
        sources = [self.version] if rate else []
        sources += [gap.source for gap in shipped_gaps() if gap.name in name.split("+")]
        if override:
            number = self._override_number(price_id, override[0])
            chosen = self._overrides[number - 1]
            rate = contract_rate((number, chosen), rate)
            sources.append(chosen.source or f"[[price]] number {number} in clearbar.toml")
        if rate is None:
            raise _unknown(price_id)
        return {**_conditions(rate), **_unit_prices(rate), "source": "; ".join(sources)}

    def _override_number(self, price_id: str, text: str) -> int:
        if not text.isdigit() or not 0 < int(text) <= len(self._overrides):
            raise _unknown(price_id)
        return int(text)

    def _book(self, price_models: Collection[str]) -> dict[str, tuple[Rate, ...]]:
        """Return price model -> rates; each is read from the file once."""
        from clearbar.spend.price_rows import read_rates  # noqa: PLC0415 - loads DuckDB

        new = set(price_models) - self._read.keys()
        if new:
            self._read |= dict.fromkeys(new, ()) | read_rates(self.path, new)
        return self._read

    def _known_names(self) -> _Found:
        try:
            return msgspec.json.decode(self._names_path.read_bytes(), type=_Found)
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}

    def _rate(self, name: str) -> Rate | None:
        price_model = name.partition("#")[0]
        book = self._book({price_model} - {""}).get(price_model, ())
        return next((rate for rate in _variants(price_model, book) if rate.price_id == name), None)


def _variants(price_model: str, book: Sequence[Rate]) -> Iterator[Rate]:
    """Yield every rate that charges of a price model can have had without overrides."""
    for context in sorted({rate.context for rate in book}):
        for geo in sorted({gap.geo for gap in shipped_gaps()}):
            yield from in_place(price_model, in_context(price_model, book, context), geo)


def _find(provider: str, model: str) -> str | None:
    from clearbar.spend.price_table import find  # noqa: PLC0415 - loads the price library

    found = (find(*candidate) for candidate in candidates(provider, model))
    return next((name for name in found if name), None) if model else None


def make(path: Path) -> None:
    """Flatten the library's prices into a file of rates. Takes about a second."""
    from clearbar.spend.price_rows import write_rates  # noqa: PLC0415 - loads DuckDB
    from clearbar.spend.price_table import flatten  # noqa: PLC0415 - loads the price library

    aside = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    write_rates(aside, flatten())
    _put_in_place(aside, path)


def ship(folder: Path) -> None:
    """Make what a new workspace starts with: the book, and the models that usual names mean."""
    book = PriceBook(folder, ())
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
        "hours_utc": _hours(rate),
        "input_tokens_over": str(rate.over) if rate.over > 0 else "",
        "input_tokens_up_to": str(rate.up_to) if rate.up_to < MAX_SIZE else "",
        "least_audio_seconds": str(rate.least_seconds or ""),
    }
    return {"price_id": rate.price_id, **{key: text for key, text in said.items() if text}}


def _hours(rate: Rate) -> str:
    if (rate.from_second, rate.to_second) == (0, DAY_SECONDS):
        return ""
    ends = (rate.from_second, rate.to_second)
    return "-".join(f"{second // 3600:02d}:{second // 60 % 60:02d}" for second in ends)


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
