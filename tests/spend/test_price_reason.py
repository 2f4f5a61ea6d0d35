"""Why a recorded cost is not the book's: said only as far as the calls themselves tell."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from clearbar.spend.prices.price_reason import Compared, Reason, difference, reasons

BOOK = {
    "input_tokens": Decimal("0.8"),
    "cache_read_tokens": Decimal("0.08"),
    "cache_write_5m_tokens": Decimal(1),
    "output_tokens": Decimal(4),
}


def call(
    fresh: int, written: int, recorded: str | Decimal, cached: int = 0, name: str = "a"
) -> Compared:
    ours = (fresh * Decimal("0.8") + written * 4) / 10**6
    return Compared(name, fresh, cached, written, Decimal(recorded), ours)


def at_prices(usd_in: str, usd_out: str, count: int) -> list[Compared]:
    chance = Random(5)
    sizes = [(chance.randrange(500, 9_000), chance.randrange(10, 900)) for _ in range(count)]
    return [
        call(fresh, written, (fresh * Decimal(usd_in) + written * Decimal(usd_out)) / 10**6)
        for fresh, written in sizes
    ]


def why(*records: Compared, others: list[Compared] | None = None) -> list[Reason]:
    return list(reasons(records, others or list(records), BOOK))


def test_a_cost_that_is_the_books_has_no_reason() -> None:
    assert why(call(1_000, 100, "0.0012"), call(1_000, 100, "0.001209")) == []


def test_other_prices_are_found_from_the_calls_alone() -> None:
    [reason] = why(*at_prices("1", "5", 20))
    assert (reason.cause, reason.calls) == ("other price", 20)
    assert reason.text == (
        "recorded at $1 input, $5 output a million; the book says $0.8 input, $4 output a million"
    )


def test_other_prices_are_found_beside_an_odd_call() -> None:
    odd = call(1_000, 100, "7", name="odd")
    found = why(*at_prices("1", "5", 20), odd)
    assert {reason.cause: reason.calls for reason in found} == {"anomaly": 1, "other price": 20}
    assert found[0].charge_id == "odd"


def test_a_month_of_few_calls_is_explained_by_the_other_months_of_its_model() -> None:
    months = at_prices("1", "5", 20)
    [reason] = why(months[0], others=months)
    assert reason.cause == "other price"


def test_a_single_call_is_too_few_to_say_why() -> None:
    [reason] = why(call(1_000, 100, "0.0024"))
    assert reason.cause == "too few"
    assert reason.text.startswith("recorded at 2 times the book's price")


def test_one_factor_over_all_calls_is_another_price() -> None:
    [reason] = why(call(1_000, 100, "0.0024"), call(2_000, 300, "0.0056"))
    assert (reason.cause, reason.text) == ("other price", "recorded at 2 times the book's price")


def test_a_cost_far_from_any_price_is_an_anomaly_with_its_effect() -> None:
    [reason] = why(call(1_000, 100, "960"), call(1_000, 100, "0.0012"))
    assert (reason.cause, reason.effect_usd) == ("anomaly", Decimal("959.9988"))
    assert reason.text == "far from any price: 8e+05 times the book's"


def test_a_cost_of_zero_is_said_to_be_one() -> None:
    [reason] = why(call(1_000, 100, "0"))
    assert (reason.cause, reason.effect_usd) == ("zero", Decimal("-0.0012"))


@pytest.mark.parametrize("recorded", ["0.00084", "0.00139"])
def test_a_cost_between_cached_and_written_input_fits_a_cache(recorded: str) -> None:
    [reason] = why(call(1_000, 100, recorded), call(1_000, 100, "0.0012"))
    assert reason.cause == "cache"


def test_a_record_that_tells_of_its_cache_is_not_explained_by_one() -> None:
    [reason] = why(call(1_000, 100, "0.00084", cached=500), call(1_000, 100, "0.0012"))
    assert reason.cause == "unexplained"


def test_costs_that_follow_no_price_are_unexplained() -> None:
    odd = [call(1_000, 100, str(Decimal("0.002") * n * n)) for n in range(2, 7)]
    assert {reason.cause for reason in why(*odd, call(1_000, 100, "0.0012"))} == {"unexplained"}


def test_a_cost_for_what_the_book_has_free_is_an_anomaly() -> None:
    free = Compared("a", 1_000, 0, 100, Decimal(1), Decimal(0))
    [reason] = reasons([free, free], [free, free], {})
    assert (reason.cause, reason.text) == ("anomaly", "a cost for what has no price")


def test_effects_add_up_to_the_whole_difference_exactly() -> None:
    records = [
        *at_prices("1", "5", 12),
        call(1_000, 100, "960.000000000000000000000001"),
        call(1_000, 100, "0"),
        call(1_000, 100, "0.00084"),
    ]
    found = why(*records)
    assert sum(reason.effect_usd for reason in found) == difference(records)
    assert sum(reason.calls for reason in found) == len(records)
