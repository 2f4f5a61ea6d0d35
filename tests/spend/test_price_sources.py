"""What a model costs, from which source, and where LiteLLM's table says something else."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.ledger_cases import append
from tests.spend.record_makers import record

from clearbar.core.errors import ClearbarError
from clearbar.core.period import ALL, Period
from clearbar.spend.charge import Origin
from clearbar.spend.prices.agreements import Agreements, Plan
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.litellm_prices import Condition, read_litellm_prices
from clearbar.spend.prices.price_sources import (
    FIELD_DOCS,
    differing,
    differs_json,
    price_rows,
    row_json,
    sizes_of,
)
from clearbar.spend.repricing.price_use import models_used, standard_use

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.prices.litellm_prices import LiteLLMPrices
    from clearbar.spend.prices.price_sources import Differs
    from clearbar.spend.storage.ledger import Ledger

DAY = date(2026, 9, 20)
GPT = ("openai", "gpt-4o")
GPT_ENTRY = {
    "litellm_provider": "openai",
    "input_cost_per_token": 2.5e-06,
    "output_cost_per_token": 1e-05,
    "cache_read_input_token_cost": 1.25e-06,
    "max_tokens": 16384,
}


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """Write a table of prices and read it."""

    def read(**models: dict[str, Any]) -> LiteLLMPrices:
        path = tmp_path / "prices.json"
        path.write_text(json.dumps(models))
        return read_litellm_prices(path)

    return read


def test_prices_are_read_from_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(
        '{"m": {"litellm_provider": "openai", "input_cost_per_token": 1.23456789012345678901e-07}}'
    )
    found = read_litellm_prices(path).find("openai", "m")
    assert found is not None
    assert found.prices["input_tokens", Condition()] == Decimal("1.23456789012345678901e-07")


def test_tiers_and_sizes_are_told_apart(table: Any) -> None:
    found = table(
        m={
            "litellm_provider": "openai",
            "input_cost_per_token_batches": 1e-06,
            "input_cost_per_token_above_200k_tokens": 2e-06,
            "input_cost_per_token_above_200k_tokens_priority": 3e-06,
            "cache_creation_input_token_cost_above_1hr": 4e-06,
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 5e-06,
            "output_cost_per_token_above_moon": 9,
        }
    ).find("openai", "m")
    assert found.prices == {
        ("input_tokens", Condition("batch")): Decimal("1e-06"),
        ("input_tokens", Condition("", 200_000)): Decimal("2e-06"),
        ("input_tokens", Condition("priority", 200_000)): Decimal("3e-06"),
        ("cache_write_1h_tokens", Condition()): Decimal("4e-06"),
        ("cache_write_1h_tokens", Condition("", 200_000)): Decimal("5e-06"),
    }


@pytest.mark.parametrize(
    ("key", "litellm_provider", "provider", "model"),
    [
        ("gpt-4o", "openai", "openai", "gpt-4o"),
        ("gpt-4o", "openai", "openai", "GPT-4o"),
        ("azure/gpt-4o", "azure", "azure", "gpt-4o"),
        ("gemini/gemini-2.5-pro", "gemini", "google", "gemini-2.5-pro"),
        ("gemini-2.5-pro", "vertex_ai-language-models", "google", "gemini-2.5-pro"),
        ("xai/grok-4", "xai", "x-ai", "grok-4"),
        ("openrouter/openai/gpt-4o", "openrouter", "openrouter", "openai/gpt-4o"),
        ("anthropic.claude-x-v1:0", "bedrock_converse", "aws", "anthropic.claude-x-v1:0"),
    ],
)
def test_a_model_is_found_as_its_provider_sells_it(
    table: Any, key: str, litellm_provider: str, provider: str, model: str
) -> None:
    found = table(**{key: GPT_ENTRY | {"litellm_provider": litellm_provider}})
    listed = found.find(provider, model)
    assert (listed.name, listed.provider) == (key, provider)


def test_the_price_of_one_provider_is_not_taken_for_anothers(table: Any) -> None:
    found = table(**{"gpt-4o": GPT_ENTRY})
    assert found.find("azure", "gpt-4o") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"a": 1}',
        b'{"a": {"litellm_provider": "openai"}}',
        b"[" * 100_000,
        b'{"a": NaN',
        b"\xff\xfe",
        b'{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e999999999999999999}}',
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(content)
    with pytest.raises(ClearbarError, match=r"prices\.json is no table of prices"):
        read_litellm_prices(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="cannot be read"):
        read_litellm_prices(tmp_path / "none.json")


@pytest.mark.parametrize("price", [-1e-06, "free", True, None, 1e9])
def test_what_is_no_price_is_passed_over(table: Any, price: Any) -> None:
    entry = GPT_ENTRY | {"output_cost_per_token": price}
    found = table(m=entry).find("openai", "m")
    assert ("output_tokens", Condition()) not in found.prices


def against(book: PriceBook, listed: LiteLLMPrices, **used: int) -> list[Differs]:
    return differing(
        book, listed, [GPT], {(*GPT, meter): count for meter, count in used.items()}, DAY
    )


def test_equal_prices_do_not_differ(book: PriceBook, table: Any) -> None:
    assert against(book, table(**{"gpt-4o": GPT_ENTRY})) == []


def test_a_price_that_differs_has_an_effect_on_what_was_used(book: PriceBook, table: Any) -> None:
    dearer = GPT_ENTRY | {"output_cost_per_token": 1.2e-05}
    [found] = against(book, table(**{"gpt-4o": dearer}), output_tokens=3_000_000)
    assert (found.meter, found.listed_as, found.effect_usd) == (
        "output_tokens",
        "gpt-4o",
        Decimal(6),
    )
    assert differs_json(found)["book_usd"] == "10"
    assert differs_json(found)["table_usd"] == "12"


def test_the_effect_under_another_condition_is_not_known(book: PriceBook, table: Any) -> None:
    listed = table(**{"gpt-4o": GPT_ENTRY | {"input_cost_per_token_batches": 9e-06}})
    [found] = differing(book, listed, [GPT], {(*GPT, "input_tokens"): 10}, date(2026, 11, 1))
    assert (found.condition.service_tier, found.effect_usd) == ("batch", None)


def test_a_model_of_only_one_source_is_said_to_be_one(book: PriceBook, table: Any) -> None:
    listed = table(**{"gpt-4o": GPT_ENTRY, "secret": GPT_ENTRY})
    secret = [("openai", "secret-model-0")]
    assert differing(book, listed, secret, {}, DAY) == []
    [only_there] = differing(book, listed, [("openai", "secret")], {}, DAY)
    [only_here] = differing(book, listed, [("openai", "gpt-4o-mini")], {}, DAY)
    assert (only_there.listed_as, only_here.listed_as) == ("secret", None)


def test_what_a_model_costs_at_all_times_is_in_its_order(book: PriceBook) -> None:
    rows = price_rows(book, [("google", "gemini-2.5-pro")], None)
    standard = [row for row in rows if not row.service_tier]
    assert [sizes_of(row.rate) for row in standard if row.rate] == [
        "up to 200,000",
        "over 200,000",
    ]
    assert {row.service_tier for row in rows} >= {"", "batch"}
    assert rows[0].source == book.version


def test_a_model_without_a_price_has_a_row_that_says_so(book: PriceBook) -> None:
    [row] = price_rows(book, [("vllm", "own-llama")], DAY)
    assert (row.rate, row.source) == (None, "no price")
    assert row_json(row)["price_id"] is None


def test_a_covered_model_is_shown_with_its_list_value(book: PriceBook) -> None:
    seats = Agreements(plans=(Plan(name="seats", provider="openai", start=date(2026, 1, 1)),))
    [row] = price_rows(PriceBook.open(book.path.parent, (), seats), [GPT], DAY)
    said = row_json(row)
    assert (said["covered"], said["usd_per_million"]["input_tokens"]) == (True, "2.5")
    assert '[[plan]] "seats"' in said["source"]


def test_prices_of_hours_say_in_which(book: PriceBook) -> None:
    rows = price_rows(book, [("deepseek", "deepseek-chat")], DAY)
    assert [row_json(row)["hours_utc"] for row in rows] == [
        "00:00-00:30",
        "00:30-16:30",
        "16:30-24:00",
    ]


def test_every_field_of_the_json_is_documented(book: PriceBook, table: Any) -> None:
    [row] = price_rows(book, [GPT], DAY)
    dearer = GPT_ENTRY | {"output_cost_per_token": 1.2e-05}
    [found] = against(book, table(**{"gpt-4o": dearer}))
    said = {"prices", "tables", *(f"prices[].{name}" for name in row_json(row))}
    assert said | {f"tables[].{name}" for name in differs_json(found)} == set(FIELD_DOCS)


def test_use_is_summed_by_model_and_meter(ledger: Ledger, book: PriceBook) -> None:
    origin = Origin(source="litellm", provider="openai", model="gpt-4o")
    append(ledger, book, [record("upstream:msg_1", origin), record("upstream:msg_2", origin)])
    append(ledger, book, [record("upstream:msg_3", origin, service_tier="batch")])
    assert models_used(ledger) == [GPT]
    assert standard_use(ledger, ALL) == {(*GPT, "input_tokens"): 200, (*GPT, "output_tokens"): 20}
    assert standard_use(ledger, Period(date(2026, 1, 1), date(2026, 2, 1))) == {}


def test_an_empty_ledger_uses_nothing(ledger: Ledger) -> None:
    assert (models_used(ledger), standard_use(ledger, ALL)) == ([], {})
