"""A model that nobody knows: the nearest names and the way out."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import UnknownName
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.price_override import PriceOverride
from clearbar.spend.prices.unknown_model import nearest_models, pair_named, refuse_unknown

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("openai/gpt-4o-mni", ["openai/gpt-4o-mini"]),
        ("nosuch/gpt-4o", ["openai/gpt-4o"]),
        ("claude-sonet-4-5", ["anthropic/claude-sonnet-4-5"]),
        ("nosuch/zzzzzz", []),
    ],
)
def test_the_nearest_names_are_those_of_the_book(
    book: PriceBook, asked: str, names: list[str]
) -> None:
    assert nearest_models(asked, book)[: max(len(names), 1)] == names


def test_an_unknown_model_names_the_way_out(book: PriceBook) -> None:
    with pytest.raises(UnknownName) as error:
        refuse_unknown(book, "nosuch/gpt-4o", [("nosuch", "gpt-4o")])
    assert 'does not know "nosuch/gpt-4o". Did you mean openai/gpt-4o' in error.value.message
    assert '[[price]] with provider = "nosuch", model = "gpt-4o"' in error.value.hint


def test_a_model_with_a_declared_price_is_known(tmp_path: Path) -> None:
    declared = PriceOverride("house", "own-*", usd_per_million={"input_tokens": Decimal(1)})
    refuse_unknown(PriceBook.open(tmp_path, [declared]), "house/own-1", [("house", "own-1")])


@pytest.mark.parametrize(
    ("asked", "pair"),
    [
        ("gpt-4o", ("", "gpt-4o")),
        ("openai/gpt-4o", ("openai", "gpt-4o")),
        ("openrouter/anthropic/claude-sonnet-4.5", ("openrouter", "anthropic/claude-sonnet-4.5")),
        ("models/gemini-2.5-pro", ("", "models/gemini-2.5-pro")),
        ("nosuch/model", ("nosuch", "model")),
    ],
)
def test_a_name_is_taken_apart_as_calls_report_it(
    book: PriceBook, asked: str, pair: tuple[str, str]
) -> None:
    assert pair_named(book, asked) == pair
