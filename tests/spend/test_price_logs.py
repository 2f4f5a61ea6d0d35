"""Recorded costs against the price book, by model and month; real logs too."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.ledger_cases import append
from tests.spend.record_makers import NOON_US, record

from clearbar.core.period import ALL, Period
from clearbar.core.store import Store
from clearbar.spend.charge import Origin
from clearbar.spend.files.candidates import candidates
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.ingest import ingest
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.price_override import PriceOverride
from clearbar.spend.repricing.price_logs import FIELD_DOCS, month_json, recorded_against_book
from clearbar.spend.repricing.reprice import reprice
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.repricing.price_logs import ModelMonth

GPT_4O = Origin(source="litellm", provider="openai", model="gpt-4o")
DAY_US = 86_400_000_000


def told(number: int, recorded: str, **values: Any) -> Any:
    given: dict[str, Any] = {"input_tokens": 100_000, "output_tokens": 0}
    given["reported_cost_usd"] = Decimal(recorded)
    return record(f"upstream:msg_{number}", GPT_4O, **(given | values))


def compared(ledger: Ledger, book: PriceBook, period: Period = ALL) -> list[ModelMonth]:
    return recorded_against_book(ledger, book, period)


def test_a_recorded_cost_is_compared_with_the_books(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told(1, "0.25"), told(2, "0.5")])
    [month] = compared(ledger, book)
    assert (month.provider, month.model, month.month) == ("openai", "gpt-4o", "2026-09")
    assert (month.calls, month.calls_off) == (2, 1)
    assert (str(month.gap_usd.normalize()), month.gap_share) == ("0.25", 0.5)


def test_months_are_compared_one_by_one(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told(1, "0.25"), told(2, "0.3", started_at_us=NOON_US + 31 * DAY_US)])
    assert [(m.month, m.calls_off) for m in compared(ledger, book)] == [
        ("2026-10", 1),
        ("2026-09", 0),
    ]


def test_only_the_period_is_looked_at(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told(1, "0.3")])
    assert compared(ledger, book, Period(date(2026, 10, 1), date(2026, 11, 1))) == []


def test_a_bill_is_no_opinion(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told(1, "9", reported_basis="billed")])
    assert compared(ledger, book) == []


def test_a_record_without_a_cost_is_not_compared(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record("upstream:msg_1", GPT_4O)])
    assert compared(ledger, book) == []


def test_what_only_the_log_knows_a_price_of_is_not_compared(
    ledger: Ledger, book: PriceBook
) -> None:
    secret = Origin(source="litellm", provider="vllm", model="own")
    append(ledger, book, [record("upstream:msg_1", secret, reported_cost_usd=Decimal(1))])
    assert compared(ledger, book) == []


def test_an_empty_ledger_has_nothing_to_compare(ledger: Ledger, book: PriceBook) -> None:
    assert compared(ledger, book) == []


def test_a_repriced_record_is_compared_once_by_its_new_price(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told(1, "0.2")])
    contract = PriceBook.open(book.path.parent, [PriceOverride("*", "*", discount=Decimal("0.2"))])
    reprice(ledger, contract, ALL, 2)
    [month] = compared(ledger, contract)
    assert (month.calls, month.calls_off) == (1, 0)


def test_a_price_that_the_book_no_longer_knows_is_compared_all_the_same(
    ledger: Ledger, book: PriceBook
) -> None:
    contract = PriceBook.open(book.path.parent, [PriceOverride("*", "*", discount=Decimal("0.2"))])
    append(ledger, contract, [told(1, "0.25"), told(2, "0.25")])
    [month] = compared(ledger, book)
    assert [reason.text for reason in month.reasons] == ["recorded at 1.25 times the book's price"]


def test_a_cost_800_000_times_its_price_is_seen_with_its_effect(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [told(1, "0.25"), told(2, "200000")])
    [month] = compared(ledger, book)
    [reason] = month.reasons
    assert (reason.cause, reason.effect_usd) == ("anomaly", Decimal("199999.75"))
    assert ledger.records_of(reason.charge_id)[0]["reported_cost_usd"] == 200_000


def test_every_field_of_the_json_is_documented(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told(1, "0.5")])
    [month] = compared(ledger, book)
    values = month_json(month)
    found = {"logs", *(f"logs[].{name}" for name in values)}
    found |= {f"logs[].reasons[].{name}" for name in values["reasons"][0]}
    assert found == set(FIELD_DOCS)


@pytest.fixture(scope="module")
def coding_assistant(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[ModelMonth]]:
    """Return what 2,781 real messages of a coding assistant cost, as recorded and by the book."""
    folder = tmp_path_factory.mktemp("assistant")
    mapping = TableMapping(
        name="messages",
        files=str(shared_data / "aider/*.csv"),
        columns={
            "started_at": "time_unix",
            "principal": "user_id",
            "model": "main_model",
            "input_tokens": "prompt_tokens",
            "output_tokens": "completion_tokens",
            "cost_usd": "cost_usd",
        },
    )
    book, ledger = PriceBook.open(folder / "prices"), Ledger(folder / "ledger")
    store, now = Store(folder / "facts.db"), datetime(2026, 11, 1, tzinfo=UTC)
    files = candidates(["aider/message_send.csv"], shared_data)
    summary = ingest(files, ledger, book, store, [mapping], folder, now)
    assert (summary.records, summary.quarantined) == (2_781, 0)
    yield compared(ledger, book)
    ledger.close()
    store.close()


def test_recorded_and_own_cost_of_a_real_assistant_agree_on_its_main_models(
    coding_assistant: list[ModelMonth],
) -> None:
    main = [month for month in coding_assistant if month.recorded_usd > 1]
    assert len(main) == 8
    assert sum(month.calls for month in main) > 1_700
    assert all(abs(month.gap_share or 0) < 0.002 for month in main)


def test_each_gap_over_one_percent_of_a_real_assistant_has_a_reason(
    coding_assistant: list[ModelMonth],
) -> None:
    apart = [m for m in coding_assistant if m.gap_share is None or abs(m.gap_share) > 0.01]
    assert len(apart) > 20
    explained = sum(
        abs(reason.effect_usd)
        for month in apart
        for reason in month.reasons
        if reason.cause in ("other price", "cache", "zero")
    )
    whole = sum(abs(reason.effect_usd) for month in apart for reason in month.reasons)
    assert explained / whole > Decimal("0.96")


def test_the_prices_at_which_a_real_assistant_recorded_are_found(
    coding_assistant: list[ModelMonth],
) -> None:
    found = {
        (month.model, month.month): month.reasons[0].text.partition(";")[0]
        for month in coding_assistant
        if month.reasons
    }
    haiku = "recorded at $1 input, $5 output a million"
    assert found["claude-3-5-haiku-20241022", "2024-11"] == haiku
    assert found["claude-3-5-haiku-20241022", "2025-02"] == haiku
    deepseek = "recorded at $0.14 input, $0.28 output a million"
    assert found["deepseek/deepseek-chat", "2024-12"] == deepseek
    assert found["openrouter/openai/gpt-4o", "2025-03"] == (
        "recorded at $5 input, $15 output a million"
    )


def test_cached_input_that_a_real_assistant_does_not_tell_of_is_seen(
    coding_assistant: list[ModelMonth],
) -> None:
    [month] = [
        m
        for m in coding_assistant
        if (m.model, m.month) == ("claude-3-5-sonnet-20241022", "2024-11")
    ]
    assert [(reason.cause, reason.calls) for reason in month.reasons] == [("cache", 19)]
    assert round(month.reasons[0].effect_usd, 3) == Decimal("-0.020")
