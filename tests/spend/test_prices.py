"""The price book: made once, finds models by what charges call them, and explains itself."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from textwrap import dedent

import pytest
from tests.spend.staged import at, price_one

from clearbar.core.errors import UnknownName
from clearbar.spend.engine import connect
from clearbar.spend.prices import book as prices
from clearbar.spend.prices.agreements import NO_AGREEMENTS
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.model_reference import USUAL
from clearbar.spend.prices.price_edition import edition_now
from clearbar.spend.prices.price_override import PriceOverride
from clearbar.spend.prices.price_rate import Kind


@pytest.mark.parametrize(
    ("provider", "model", "price_model"),
    [
        ("openai", "gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("", "gpt-4o", "openai/gpt-4o"),
        ("", "openai/gpt-4o", "openai/gpt-4o"),
        ("", "azure/gpt-4o", "azure/openai/gpt-4o"),
        ("azure_openai", "gpt-4o", "azure/openai/gpt-4o"),
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "google/claude-sonnet-4-5"),
        ("google", "models/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("google", "publishers/google/models/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("", "models/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("", "vertex_ai/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("", "litellm/azure/gpt-4o", "azure/openai/gpt-4o"),
        ("", "openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("openrouter", "anthropic/claude-sonnet-4.5", "openrouter/anthropic/claude-sonnet-4.5"),
        ("x_ai", "grok-4", "x-ai/grok-4-0709"),
        ("aws", "apac.amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0"),
        (
            "aws",
            "arn:aws:bedrock:us-east-1:1234:inference-profile/global.anthropic.claude-sonnet-4-6",
            "aws/global.anthropic.claude-sonnet-4-6-v1:0",
        ),
    ],
)
def test_a_model_is_found_under_the_names_that_hosts_give_it(
    book: PriceBook, provider: str, model: str, price_model: str
) -> None:
    assert book.resolve([(provider, model)]) == {(provider, model): price_model}


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("aws", "us.no-such/model@1-v1:0"),
        ("own-cluster", "gpt-4o"),
        ("", "ollama/mistral-large-latest"),
        ("", ""),
        ("openai", ""),
    ],
)
def test_what_the_book_does_not_know_is_none(book: PriceBook, provider: str, model: str) -> None:
    assert book.resolve([(provider, model)]) == {(provider, model): None}


def test_a_second_run_does_not_load_the_price_library(book: PriceBook) -> None:
    book.resolve([("openai", "gpt-4o")])
    script = (
        "import sys; from pathlib import Path; from clearbar.spend.prices.book import PriceBook;"
        "book = PriceBook.open(Path(sys.argv[1]));"
        "book.resolve([('openai', 'gpt-4o')]); book.explain('openai/gpt-4o#0');"
        "sys.exit('genai_prices' in sys.modules)"
    )
    folder = str(book.path.parent)
    assert subprocess.run([sys.executable, "-c", script, folder], check=False).returncode == 0


def test_importing_the_book_loads_neither_the_price_library_nor_the_engine() -> None:
    script = (
        "import sys, clearbar.spend.prices.book;"
        "sys.exit(bool({'genai_prices', 'duckdb'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_damaged_list_of_found_models_is_made_anew(tmp_path: Path) -> None:
    book = PriceBook.open(tmp_path)
    book.resolve([("openai", "gpt-4o")])
    next(tmp_path.glob("*.models.json")).write_text("{")
    assert book.resolve([("openai", "gpt-4o")]) == {("openai", "gpt-4o"): "openai/gpt-4o"}


def _open_and_explain(folder: Path) -> dict[str, str]:
    return PriceBook.open(folder).explain("openai/gpt-4o#0")


@pytest.mark.slow
def test_processes_that_make_the_book_at_once_all_read_a_whole_one(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        answers = list(pool.map(_open_and_explain, [tmp_path] * 3))
    assert answers == [answers[0]] * 3
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".parquet"]


def test_the_version_names_the_overrides(tmp_path: Path, book: PriceBook) -> None:
    override = PriceOverride("*", "*", discount=Decimal("0.1"))
    other = PriceBook.open(tmp_path, [override])
    assert other.version != book.version
    assert PriceBook.open(tmp_path, [override]).version == other.version
    assert book.version.startswith("genai-prices 0.2.")


def test_overrides_share_the_file(book: PriceBook) -> None:
    other = PriceBook.open(book.path.parent, [PriceOverride("*", "*", discount=Decimal("0.1"))])
    assert other.path == book.path


def test_a_price_explains_its_conditions_and_exact_unit_prices(book: PriceBook) -> None:
    said = book.explain("google/gemini-2.5-pro#1")
    assert said["input_tokens_over"] == "200000"
    assert said["usd_per_million.input_tokens"] == "2.5"
    assert said["source"] == book.version


def test_a_filled_gap_explains_where_it_comes_from(book: PriceBook) -> None:
    found = price_one(book, "openai/gpt-5", service_tier="batch", input_tokens=1)
    said = book.explain(found.price_id or "")
    assert (said["context"], said["until"]) == ("processing=batch", "2026-10-14")
    assert said["usd_per_million.input_tokens"] == "0.625"
    assert "Batch API" in said["source"]


def test_a_price_at_some_hours_names_them(book: PriceBook) -> None:
    found = price_one(
        book, "deepseek/deepseek-v4-flash", started_at=at("2026-11-02T02:00:00"), input_tokens=1
    )
    assert book.explain(found.price_id or "")["hours_utc"] == "01:00-04:00"


def test_audio_and_calls_are_explained_in_their_own_units(book: PriceBook) -> None:
    assert book.explain("groq/whisper-large-v3#0")["usd_per_hour.audio_seconds"] == "0.111"
    assert book.explain("perplexity/sonar#0")["usd_per_call"] == "0.012"


@pytest.mark.parametrize(
    "price_id", ["", "openai/gpt-4o#99", "no/such#0", "override:1", "override:x", "a#1+override:0"]
)
def test_an_unknown_price_names_the_way_out(book: PriceBook, price_id: str) -> None:
    with pytest.raises(UnknownName) as error:
        book.explain(price_id)
    assert "another version" in error.value.hint


def test_the_rates_of_a_kind_never_overlap(book: PriceBook) -> None:
    names = ["openai/gpt-5.6-sol", "google/gemini-2.5-pro", "deepseek/deepseek-v4-flash"]
    kinds = [Kind("", "", name, tier, "", "") for name in names for tier in ("", "batch", "flex")]
    for _, rates in book.rates_in_force(kinds):
        for place, one in enumerate(rates):
            for other in rates[place + 1 :]:
                days = max(one.start, other.start) < min(one.end, other.end)
                hours = max(one.from_second, other.from_second) < min(
                    one.to_second, other.to_second
                )
                sizes = max(one.over, other.over) < min(one.up_to, other.up_to)
                weekdays = one.weekdays & other.weekdays
                assert not (days and weekdays and hours and sizes)


def test_a_rate_knows_its_days(book: PriceBook) -> None:
    kind = Kind("openai", "gpt-5.6-sol", "openai/gpt-5.6-sol", "", "", "")
    [(_, rates)] = book.rates_in_force([kind])
    assert sorted({rate.start for rate in rates}) == [date.min, date(2026, 8, 21)]


def test_the_shipped_book_is_what_the_locked_library_says(tmp_path: Path) -> None:
    shipped = (
        Path(prices.__file__).parent.parent / "price_book" / edition_now((), NO_AGREEMENTS).rates
    )
    prices.make(tmp_path / "made.parquet")
    with connect() as connection:
        books = [
            connection.read_parquet(str(path)) for path in (shipped, tmp_path / "made.parquet")
        ]
        assert books[0].except_(books[1]).fetchall() == []
        assert books[1].except_(books[0]).fetchall() == []


def test_the_shipped_names_mean_what_the_locked_library_says(tmp_path: Path) -> None:
    own = PriceBook(tmp_path, edition_now((), NO_AGREEMENTS))
    found = own.resolve(USUAL)
    shipped = Path(prices.__file__).parent.parent / "price_book" / f"{own.path.stem}.models.json"
    assert json.loads(shipped.read_bytes()) == {"\n".join(pair): found[pair] for pair in USUAL}


def test_a_usual_name_is_priced_without_the_price_library(tmp_path: Path) -> None:
    program = f"""
        import pathlib, sys
        from clearbar.spend.prices.book import PriceBook
        book = PriceBook.open(pathlib.Path({str(tmp_path)!r}))
        pair = ("anthropic", "claude-opus-4-5-20251101")
        assert book.resolve([pair]) == {{pair: "anthropic/claude-opus-4-5"}}
        assert "genai_prices" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", dedent(program)], check=True)
