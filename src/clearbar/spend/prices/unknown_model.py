"""Names of models that a person typed: what they mean, and the way out where nobody knows them."""

from __future__ import annotations

from collections import defaultdict
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import UnknownName
from clearbar.spend.prices.price_sources import price_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.prices.litellm_prices import LiteLLMPrices

_SHOWN: Final = 3
_NEAR: Final = 0.7


def pair_named(book: PriceBook, asked: str) -> tuple[str, str]:
    """Return the provider and model that a name means; a path may name no provider at all."""
    provider, slash, model = asked.partition("/")
    pair = (provider, model) if slash else ("", asked)
    found = book.resolve([pair, ("", asked)])
    return pair if found[pair] or not found["", asked] else ("", asked)


def refuse_unknown(
    book: PriceBook,
    asked: str,
    models: Sequence[tuple[str, str]],
    table: LiteLLMPrices | None = None,
) -> None:
    """Raise where no price book, declared price or table knows what is asked for.

    Raises:
        UnknownName: with the names that are nearest, and the way out.
    """
    if any(book.resolve(models).values()) or (table and any(table.find(*one) for one in models)):
        return
    if any(row.rate for row in price_rows(book, models, None)):
        return
    names = nearest_models(asked, book)
    meant = f" Did you mean {' or '.join(names)}?" if names else ""
    provider, _, model = asked.rpartition("/")
    raise UnknownName(
        f'the price book does not know "{asked}".{meant}',
        "declare what it costs in clearbar.toml: [[price]] with"
        f' provider = "{provider or "*"}", model = "{model}"',
    )


def nearest_models(asked: str, book: PriceBook) -> list[str]:
    """Return the names of the price book that are nearest to one that it does not have."""
    names, by_model = book.names(), defaultdict[str, list[str]](list)
    for name in names:
        by_model[name.rpartition("/")[2]].append(name)
    _, slash, model = asked.lower().rpartition("/")
    found = get_close_matches(asked.lower(), names, n=_SHOWN, cutoff=_NEAR) if slash else []
    near = get_close_matches(model, by_model, n=_SHOWN, cutoff=_NEAR)
    own = book.resolve([("", name) for name in near])
    found += [own["", name] or min(by_model[name], key=len) for name in near]
    return list(dict.fromkeys(found))[:_SHOWN]
