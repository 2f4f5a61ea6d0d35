"""What a charge costs, and how far that can be trusted."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.spend.staged import Priced, at, charge, price_all, price_one

if TYPE_CHECKING:
    from clearbar.spend.prices.book import PriceBook

CACHE_CASE = {
    "input_tokens": 5,
    "cache_read_tokens": 128_955,
    "cache_write_5m_tokens": 1_000,
    "cache_write_1h_tokens": 253,
    "output_tokens": 500,
    "web_searches": 2,
}


def test_each_kind_of_cache_has_its_own_price(book: PriceBook) -> None:
    found = price_one(book, "anthropic/claude-sonnet-4-5", **CACHE_CASE)
    assert (found.cost_usd, found.basis) == (Decimal("0.0714695"), "priced")


def test_a_batch_halves_tokens_and_leaves_search_fees(book: PriceBook) -> None:
    found = price_one(
        book,
        "anthropic/claude-sonnet-4-5",
        service_tier="batch",
        started_at=at("2026-10-20"),
        **CACHE_CASE,
    )
    assert found.cost_usd == Decimal("0.04573475")


def test_a_batch_before_the_library_knew_batches_costs_half_too(book: PriceBook) -> None:
    found = price_one(book, "anthropic/claude-sonnet-4-5", service_tier="batch", **CACHE_CASE)
    assert (found.cost_usd, found.basis) == (Decimal("0.04573475"), "priced")
    assert found.price_id == "anthropic/claude-sonnet-4-5#0+anthropic-batch"


def test_cached_tokens_are_not_counted_as_fresh_ones_too(book: PriceBook) -> None:
    found = price_one(
        book,
        "anthropic/claude-3-7-sonnet-latest",
        input_tokens=3,
        cache_write_5m_tokens=12_304,
        output_tokens=550,
    )
    assert found.cost_usd == Decimal("0.054399")


def test_a_long_context_re_rates_the_whole_request(book: PriceBook) -> None:
    found = price_one(
        book,
        "google/gemini-2.5-pro",
        input_tokens=150_000,
        cache_read_tokens=100_000,
        output_tokens=678,
    )
    assert found.cost_usd == Decimal("0.41017")


def test_the_long_context_begins_above_the_threshold(book: PriceBook) -> None:
    below, above = price_all(
        book,
        [charge("google/gemini-2.5-pro", input_tokens=size) for size in (200_000, 200_001)],
    )
    assert (below.cost_usd, above.cost_usd) == (Decimal("0.25"), Decimal("0.5000025"))


def test_xai_begins_the_long_context_at_the_threshold(book: PriceBook) -> None:
    below, at_it = price_all(
        book, [charge("x-ai/grok-4.3", input_tokens=size) for size in (199_999, 200_000)]
    )
    assert below.price_id != at_it.price_id


@pytest.mark.parametrize(
    ("tier", "cost"), [("priority", "0.0434"), ("", "0.0217"), ("default", "0.0217")]
)
def test_a_tier_has_the_price_it_was_served_at(book: PriceBook, tier: str, cost: str) -> None:
    found = price_one(
        book,
        "openai/gpt-5.6-sol",
        started_at=at("2026-10-20"),
        service_tier=tier,
        input_tokens=1_500,
        cache_read_tokens=8_000,
        cache_write_tokens=500,
        output_tokens=500,
    )
    assert found.cost_usd == Decimal(cost)


def test_a_tier_is_unpriced_before_its_price_is_known(book: PriceBook) -> None:
    found = price_one(book, "openai/gpt-5.6-sol", service_tier="priority", input_tokens=1)
    assert found == Priced(None, "unpriced", None, None)


def test_a_prepaid_tier_is_unpriced(book: PriceBook) -> None:
    assert price_one(book, service_tier="scale", input_tokens=1).basis == "unpriced"


def test_fast_mode_in_a_batch_is_unpriced(book: PriceBook) -> None:
    found = price_one(
        book, "anthropic/claude-opus-4-8", service_tier="batch", speed="fast", input_tokens=1
    )
    assert found.basis == "unpriced"


def test_a_batch_meter_that_the_later_price_does_not_halve_stays_unpriced(book: PriceBook) -> None:
    fresh, cached = price_all(
        book,
        [
            charge("openai/gpt-5.4", service_tier="batch", input_tokens=1_000_000),
            charge("openai/gpt-5.4", service_tier="batch", cache_read_tokens=1_000),
        ],
    )
    assert (fresh.basis, cached.basis) == ("priced", "unpriced")


def test_inference_in_the_united_states_costs_a_tenth_more(book: PriceBook) -> None:
    home, anywhere = price_all(
        book,
        [
            charge("anthropic/claude-opus-4-6", geo=geo, input_tokens=1_000_000, web_searches=1_000)
            for geo in ("us", "global")
        ],
    )
    assert (home.cost_usd, anywhere.cost_usd) == (Decimal("15.5"), Decimal(15))


def test_a_place_whose_price_is_not_known_is_unpriced_where_places_have_prices(
    book: PriceBook,
) -> None:
    found = price_one(book, "anthropic/claude-opus-4-6", geo="eu", input_tokens=1)
    assert found.basis == "unpriced"


def test_elsewhere_a_named_place_makes_the_list_price_an_estimate(book: PriceBook) -> None:
    found = price_one(book, geo="eu", input_tokens=1_000_000)
    assert (found.cost_usd, found.basis) == (Decimal("2.5"), "estimated")


def test_deepseek_is_dearer_at_peak_hours(book: PriceBook) -> None:
    peak, off_peak, next_peak = price_all(
        book,
        [
            charge(
                "deepseek/deepseek-v4-flash",
                started_at=at(f"2026-11-02T{hour}"),
                input_tokens=1_000_000,
            )
            for hour in ("03:59:59.999999", "04:00:00", "06:00:00")
        ],
    )
    assert (peak.cost_usd, off_peak.cost_usd) == (Decimal("0.3"), Decimal("0.15"))
    assert next_peak.cost_usd == peak.cost_usd


def test_reasoning_with_a_price_of_its_own_is_taken_out_of_output(book: PriceBook) -> None:
    found = price_one(
        book, "perplexity/sonar-deep-research", output_tokens=1_000, reasoning_tokens=400
    )
    assert found.cost_usd == (Decimal("0.008") * 600 + Decimal("0.003") * 400) / 1000


def test_more_reasoning_than_output_is_never_clamped(book: PriceBook) -> None:
    found = price_one(book, "perplexity/sonar-deep-research", output_tokens=1, reasoning_tokens=2)
    assert found.basis == "unpriced"


def test_a_model_may_charge_for_each_call(book: PriceBook) -> None:
    found = price_one(book, "perplexity/sonar", input_tokens=1_000, calls=3, grain="bucket")
    assert found.cost_usd == Decimal("0.037")


def test_audio_is_exact_to_the_last_place_though_an_hour_has_3600_seconds(
    book: PriceBook,
) -> None:
    found = price_one(book, "groq/whisper-large-v3", audio_seconds=17)
    assert found.cost_usd == Decimal("0.000524166666666666666667")


def test_groq_bills_at_least_ten_seconds_of_audio(book: PriceBook) -> None:
    short, ten = price_all(
        book, [charge("groq/whisper-large-v3", audio_seconds=seconds) for seconds in (1, 10)]
    )
    assert short.cost_usd == ten.cost_usd


def test_one_meter_without_a_price_makes_the_whole_charge_unpriced(book: PriceBook) -> None:
    found = price_one(book, input_tokens=1_000, code_sessions=1)
    assert found == Priced(None, "unpriced", None, None)


def test_a_zero_meter_needs_no_price(book: PriceBook) -> None:
    assert price_one(book, input_tokens=1_000, code_sessions=0).basis == "priced"


def test_an_unknown_model_is_unpriced(book: PriceBook) -> None:
    assert price_one(book, None, input_tokens=1).basis == "unpriced"


def test_a_known_model_without_prices_is_unpriced(book: PriceBook) -> None:
    assert price_one(book, "google/gemma-4-31b-it", input_tokens=1).basis == "unpriced"


def test_a_bill_comes_before_the_book(book: PriceBook) -> None:
    found = price_one(book, input_tokens=1, reported_cost_usd=Decimal(7), reported_basis="billed")
    assert found == Priced(Decimal(7), "billed", None, None)


def test_the_book_comes_before_what_a_program_computed(book: PriceBook) -> None:
    found = price_one(book, input_tokens=1_000_000, reported_cost_usd=Decimal(7))
    assert (found.cost_usd, found.basis) == (Decimal("2.5"), "priced")


def test_what_a_program_computed_stands_where_the_book_has_no_price(book: PriceBook) -> None:
    found = price_one(book, None, input_tokens=1, reported_cost_usd=Decimal(7))
    assert found == Priced(Decimal(7), "estimated", None, None)


@pytest.mark.parametrize("status", ["error", "cache_hit"])
def test_a_call_that_used_nothing_costs_nothing(book: PriceBook, status: str) -> None:
    found = price_one(book, None, status=status, usage="missing")
    assert found == Priced(Decimal(0), "priced", None, None)


def test_a_hit_in_a_gateways_cache_costs_nothing_whatever_it_counts(book: PriceBook) -> None:
    assert price_one(book, status="cache_hit", input_tokens=1_000).cost_usd == 0


def test_zero_of_everything_costs_nothing_even_on_an_unknown_model(book: PriceBook) -> None:
    assert price_one(book, None, input_tokens=0, output_tokens=0).cost_usd == 0


@pytest.mark.parametrize("status", ["ok", "cancelled"])
def test_missing_usage_is_unknown_and_not_zero(book: PriceBook, status: str) -> None:
    found = price_one(book, status=status, usage="missing")
    assert found == Priced(None, "unpriced", None, None)


def test_a_call_of_which_nothing_is_known_is_not_free(book: PriceBook) -> None:
    assert price_one(book).basis == "unpriced"


def test_partial_usage_is_an_estimate(book: PriceBook) -> None:
    assert price_one(book, usage="partial", output_tokens=1).basis == "estimated"


def test_a_bucket_without_size_tiers_is_priced(book: PriceBook) -> None:
    assert price_one(book, grain="bucket", calls=9, input_tokens=9).basis == "priced"


def test_a_bucket_with_size_tiers_is_an_estimate_by_its_mean_call(book: PriceBook) -> None:
    short, long = price_all(
        book,
        [
            charge("google/gemini-2.5-pro", grain="bucket", calls=2, input_tokens=tokens)
            for tokens in (400_000, 400_001)
        ],
    )
    assert (short.basis, short.cost_usd) == ("estimated", Decimal("0.5"))
    assert long.cost_usd == Decimal("1.0000025")


def test_a_bucket_that_does_not_say_how_many_calls_it_holds_is_taken_to_hold_small_ones(
    book: PriceBook,
) -> None:
    found = price_one(
        book, "google/gemini-2.5-pro", grain="bucket", calls=0, input_tokens=1_000_000
    )
    assert (found.cost_usd, found.basis) == (Decimal("1.25"), "estimated")


def test_a_bucket_of_a_model_with_peak_hours_is_an_estimate(book: PriceBook) -> None:
    found = price_one(book, "deepseek/deepseek-v4-flash", grain="bucket", input_tokens=1)
    assert found.basis == "estimated"


def test_the_largest_record_is_priced_exactly(book: PriceBook) -> None:
    found = price_one(book, "openai/gpt-4", output_tokens=10**13 - 1)
    assert found.cost_usd == Decimal("599999999.99994")


def test_nothing_staged_gives_nothing(book: PriceBook) -> None:
    assert price_all(book, []) == []


def test_prices_with_many_places_and_with_few_are_exact_side_by_side(book: PriceBook) -> None:
    fine, plain = price_all(
        book,
        [
            charge("huggingface_together/Qwen/Qwen3-VL-8B-Instruct", input_tokens=3),
            charge(input_tokens=3),
        ],
    )
    assert fine.cost_usd == Decimal("0.00000054000000000000006")
    assert plain.cost_usd == Decimal("0.0000075")


def test_an_origin_has_the_price_of_each_context_it_used(book: PriceBook) -> None:
    asked = [
        charge("anthropic/claude-sonnet-4-5", input_tokens=1_000_000, service_tier=tier)
        for tier in ("", "batch", "scale")
    ]
    found = price_all(book, asked)
    assert [each.cost_usd for each in found] == [Decimal(6), Decimal(3), None]
    assert price_all(book, asked, "origin_id") == found
