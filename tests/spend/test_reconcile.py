"""One dollar, two records: the greater of the two accounts counts, meter by meter."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from clearbar.spend.charge import BASES, Origin
from clearbar.spend.reconcile import Correction, DayUsage, corrections, scope
from clearbar.spend.usage import USAGE_FIELDS, Usage

DAY, NEXT_DAY = date(2026, 9, 1), date(2026, 9, 2)
BUCKET = Origin(source="openai_usage", provider="openai", model="gpt-5-2025-08-07")
CALL = Origin(source="litellm", provider="openai", model="gpt-5", team="legal")
SMALL, LARGE = Usage(calls=2, input_tokens=10), Usage(calls=5, input_tokens=30)


def bucket(usage: Usage, origin: Origin = BUCKET, key: int = 1, day: date = DAY) -> DayUsage:
    return DayUsage(key, origin, "bucket", day, usage)


def calls(usage: Usage, origin: Origin = CALL, key: int = 2, day: date = DAY) -> DayUsage:
    return DayUsage(key, origin, "call", day, usage)


def total_after(*rows: DayUsage) -> Usage:
    return sum((found.usage for found in corrections(rows)), sum((r.usage for r in rows), Usage()))


def test_what_the_calls_hold_comes_off_the_aggregate() -> None:
    [found] = corrections([bucket(LARGE), calls(SMALL)])
    assert found == Correction(1, DAY, Usage(calls=-2, input_tokens=-10))


def test_an_aggregate_of_all_that_was_logged_sets_the_total() -> None:
    assert total_after(bucket(LARGE), calls(SMALL)) == LARGE


def test_an_aggregate_that_knows_of_less_than_the_logs_adds_nothing() -> None:
    assert total_after(bucket(SMALL), calls(LARGE)) == LARGE


def test_each_meter_is_reconciled_by_itself() -> None:
    told = total_after(
        bucket(Usage(calls=5, output_tokens=7)), calls(Usage(calls=6, input_tokens=9))
    )
    assert told == Usage(calls=6, input_tokens=9, output_tokens=7)


def test_another_day_is_another_matter() -> None:
    assert corrections([bucket(LARGE), calls(SMALL, day=NEXT_DAY)]) == []


def test_another_model_is_another_matter() -> None:
    other = Origin(source="litellm", provider="openai", model="gpt-4o")
    assert corrections([bucket(LARGE), calls(SMALL, other)]) == []


def test_an_aggregate_of_a_project_holds_no_call_of_an_unknown_project() -> None:
    of_project = Origin(source="openai_usage", provider="openai", model="gpt-5", project="letters")
    assert corrections([bucket(LARGE, of_project), calls(SMALL)]) == []


def test_an_aggregate_of_a_project_holds_the_calls_of_that_project() -> None:
    one = Origin(source="openai_usage", provider="openai", model="gpt-5", project="letters")
    other = Origin(source="litellm", provider="openai", model="gpt-5", project="letters")
    assert total_after(bucket(LARGE, one), calls(SMALL, other)) == LARGE


def test_each_call_explains_one_aggregate_only() -> None:
    told = total_after(bucket(SMALL), bucket(SMALL, key=3), calls(SMALL))
    assert told == SMALL + SMALL


def test_without_an_aggregate_nothing_is_corrected() -> None:
    assert corrections([calls(LARGE), calls(SMALL, key=3)]) == []


def test_a_release_date_in_a_model_name_tells_no_other_model() -> None:
    assert scope(BUCKET) == scope(CALL)


SUMS = tuple(name for name in USAGE_FIELDS if not name.startswith("calls_"))
COUNTS = st.integers(0, 50)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    by_basis = {f"calls_{basis}": draw(COUNTS) for basis in BASES}
    tokens = {name: draw(COUNTS) for name in SUMS if name.endswith("_tokens")}
    cost_usd = draw(st.decimals(0, 100, places=24))
    return Usage(calls=sum(by_basis.values()), cost_usd=cost_usd, **tokens, **by_basis)


USAGES = usages()
PROJECTS = st.sampled_from(["", "letters", "tickets"])


@st.composite
def told(draw: st.DrawFn) -> list[DayUsage]:
    rows = []
    for key in range(draw(st.integers(1, 8))):
        grain = draw(st.sampled_from(["bucket", "call"]))
        origin = Origin(
            source="openai_usage" if grain == "bucket" else "litellm",
            provider="openai",
            model=draw(st.sampled_from(["gpt-5", "gpt-5-2025-08-07", "gpt-4o"])),
            project=draw(PROJECTS),
        )
        day = draw(st.sampled_from([DAY, NEXT_DAY]))
        rows.append(DayUsage(key, origin, grain, day, draw(USAGES)))
    return rows


@given(told())
def test_no_correction_takes_more_off_an_aggregate_than_it_holds(rows: list[DayUsage]) -> None:
    left = {(row.origin_id, row.day): row.usage for row in rows}
    for found in corrections(rows):
        left[found.origin_id, found.day] += found.usage
    for usage in left.values():
        assert all(getattr(usage, name) >= 0 for name in USAGE_FIELDS)


@given(told())
def test_only_aggregates_are_corrected(rows: list[DayUsage]) -> None:
    buckets = {row.origin_id for row in rows if row.grain == "bucket"}
    assert {found.origin_id for found in corrections(rows)} <= buckets


@given(told())
def test_the_total_is_the_greater_account_where_all_name_the_same(rows: list[DayUsage]) -> None:
    sums: dict[tuple[object, ...], dict[str, Usage]] = defaultdict(lambda: defaultdict(Usage))
    plain = []
    for row in rows:
        unnamed = Origin(
            source=row.origin.source, provider=row.origin.provider, model=row.origin.model
        )
        plain.append(DayUsage(row.origin_id, unnamed, row.grain, row.day, row.usage))
        sums[*scope(unnamed), row.day][row.grain] += row.usage
    expected = Usage()
    for each in sums.values():
        one, other = each["bucket"], each["call"]
        most = {name: max(getattr(one, name), getattr(other, name)) for name in SUMS}
        expected += Usage(**most)
    found = total_after(*plain)
    assert [getattr(found, name) for name in SUMS] == [getattr(expected, name) for name in SUMS]


@given(told())
def test_every_call_keeps_exactly_one_basis(rows: list[DayUsage]) -> None:
    found = total_after(*rows)
    assert found.calls == sum(getattr(found, f"calls_{basis}") for basis in BASES)


def test_of_calls_told_of_twice_the_less_certain_account_goes() -> None:
    found = total_after(
        bucket(Usage(calls=5, calls_unpriced=2, calls_estimated=3)),
        calls(Usage(calls=4, calls_priced=4)),
    )
    assert found == Usage(calls=5, calls_priced=4, calls_estimated=1)


@given(told(), st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[DayUsage], order: object) -> None:
    mixed = list(rows)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    assert corrections(mixed) == corrections(rows)


@given(USAGES, USAGES, USAGES)
def test_usages_add_in_any_order_and_grouping(one: Usage, two: Usage, three: Usage) -> None:
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)


@given(USAGES)
def test_adding_nothing_changes_nothing(usage: Usage) -> None:
    assert usage + Usage() == usage


def test_a_sum_of_money_is_never_rounded() -> None:
    great, small = Usage(cost_usd=Decimal(10**12)), Usage(cost_usd=Decimal("1e-24"))
    assert (great + small).cost_usd - Decimal(10**12) == Decimal("1e-24")


def test_all_tokens_are_those_of_every_kind() -> None:
    usage = Usage(input_tokens=1, cache_read_tokens=2, cache_write_tokens=4, output_tokens=8)
    assert usage.tokens == 15
