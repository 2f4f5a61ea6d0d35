"""Aggregates against calls: what two accounts both hold counts once, meter by meter."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import combinations, product
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spend.told_rows import DAY, NEXT_DAY, bucket, call, total_after

from clearbar.spend.charge import BASES
from clearbar.spend.reconciling.reconcile import reconcile
from clearbar.spend.reconciling.sharing import agree, most_shared
from clearbar.spend.reconciling.told import Overlap, Told, model_scope
from clearbar.spend.usage import USAGE_FIELDS, Usage

if TYPE_CHECKING:
    from random import Random

SMALL, LARGE = Usage(calls=2, input_tokens=10), Usage(calls=5, input_tokens=30)


def test_what_the_calls_hold_comes_off_the_aggregate() -> None:
    [found] = reconcile([bucket(LARGE), call(SMALL)]).overlaps
    assert found == Overlap(2, DAY, Usage(calls=-2, input_tokens=-10))


def test_an_aggregate_of_all_that_was_logged_sets_the_total() -> None:
    assert total_after(bucket(LARGE, model="gpt-5"), call(SMALL, model="gpt-5")) == LARGE


def test_an_aggregate_that_knows_of_less_than_the_logs_adds_nothing() -> None:
    assert total_after(bucket(SMALL), call(LARGE)) == LARGE


def test_each_meter_is_reconciled_by_itself() -> None:
    one, other = Usage(calls=5, output_tokens=7), Usage(calls=6, input_tokens=9)
    expected = Usage(calls=6, input_tokens=9, output_tokens=7)
    assert total_after(bucket(one), call(other)) == expected


def test_another_day_is_another_matter() -> None:
    assert reconcile([bucket(LARGE), call(SMALL, day=NEXT_DAY)]).overlaps == ()


def test_another_model_is_another_matter() -> None:
    rows = [bucket(LARGE, model="gpt-5"), call(SMALL, model="gpt-4o")]
    assert reconcile(rows).overlaps == ()


def test_another_provider_is_another_matter() -> None:
    assert reconcile([bucket(LARGE), call(SMALL, provider="azure")]).overlaps == ()


def test_an_aggregate_without_a_model_holds_calls_of_every_model() -> None:
    assert total_after(bucket(LARGE), call(SMALL, model="gpt-5")) == LARGE


def test_an_aggregate_of_a_project_holds_calls_of_an_unknown_project() -> None:
    assert total_after(bucket(LARGE, project="letters"), call(SMALL)) == LARGE


def test_an_aggregate_of_a_key_holds_no_call_of_another_key() -> None:
    rows = bucket(LARGE, credential="one"), call(SMALL, credential="two")
    assert total_after(*rows) == LARGE + SMALL


def test_calls_of_a_known_other_account_never_match() -> None:
    rows = bucket(LARGE, account="a"), call(SMALL, account="b")
    assert total_after(*rows) == LARGE + SMALL


def test_each_call_explains_one_aggregate_only() -> None:
    rows = [
        bucket(SMALL, project="a", uri="page"),
        bucket(SMALL, key=4, project="b", uri="page"),
        call(SMALL),
    ]
    assert total_after(*rows) == SMALL + SMALL


def test_a_call_of_an_unknown_project_makes_room_for_one_that_is_known() -> None:
    rows = [
        bucket(SMALL, project="a", uri="page"),
        bucket(SMALL, key=4, project="b", uri="page"),
        call(SMALL),
        call(SMALL, key=5, project="a"),
    ]
    assert total_after(*rows) == SMALL + SMALL


def test_without_an_aggregate_nothing_is_corrected() -> None:
    assert reconcile([call(LARGE), call(SMALL, key=3)]).overlaps == ()


def test_a_release_date_in_a_model_name_tells_no_other_model() -> None:
    names = {"gpt-5", "gpt-5-2025-08-07", "gpt-5-20250807", "gpt-5@20250807"}
    assert {model_scope(name) for name in names} == {"gpt-5"}


def test_the_same_usage_by_key_and_by_project_counts_once() -> None:
    rows = [
        bucket(SMALL, credential="k1", uri="by-key"),
        bucket(LARGE, key=4, credential="k2", uri="by-key"),
        bucket(SMALL + LARGE, key=5, project="letters", uri="by-project"),
    ]
    assert total_after(*rows) == SMALL + LARGE


def test_the_same_usage_by_the_hour_and_by_the_day_counts_once() -> None:
    rows = [
        bucket(SMALL, width_minutes=60, uri="hours"),
        bucket(LARGE, key=4, width_minutes=60, model="gpt-5", uri="hours"),
        bucket(SMALL + LARGE, key=5, width_minutes=1440, uri="days"),
    ]
    assert total_after(*rows) == SMALL + LARGE


def test_the_same_usage_grouped_by_tier_too_counts_once() -> None:
    rows = [
        bucket(SMALL, context="service_tier", uri="tiers"),
        bucket(SMALL, key=4, uri="plain"),
    ]
    assert total_after(*rows) == SMALL


def test_a_key_that_is_null_in_a_grouping_by_keys_is_usage_of_its_own() -> None:
    rows = [
        bucket(SMALL, credential="k1", uri="by-key"),
        bucket(LARGE, key=4, uri="by-key"),
    ]
    assert total_after(*rows) == SMALL + LARGE


def test_a_key_that_is_null_stays_usage_of_its_own_when_another_pull_says_it_alone() -> None:
    rows = [
        bucket(SMALL, credential="k1", uri="first"),
        bucket(LARGE, key=4, uri="first"),
        bucket(LARGE, key=4, uri="second", day=NEXT_DAY),
        bucket(SMALL, credential="k1", uri="third", day=NEXT_DAY),
    ]
    assert total_after(*rows) == SMALL + LARGE + SMALL + LARGE


def test_a_file_that_holds_both_groupings_is_seen_by_its_exact_sums() -> None:
    one = Usage(calls=2, input_tokens=11)
    rows = [
        bucket(one, credential="k1", uri="both"),
        bucket(LARGE, key=4, credential="k2", uri="both"),
        bucket(one + LARGE, key=5, uri="both"),
    ]
    assert total_after(*rows) == one + LARGE


def test_two_sources_of_the_same_usage_count_once() -> None:
    rows = [bucket(SMALL), bucket(LARGE, key=4, source="table", uri="export")]
    assert total_after(*rows) == LARGE


def test_aggregates_that_a_known_dimension_tells_apart_add_up() -> None:
    rows = [
        bucket(SMALL, account="a"),
        bucket(LARGE, key=4, account="b", source="table", uri="export"),
    ]
    assert total_after(*rows) == SMALL + LARGE


def test_an_aggregate_of_many_days_holds_the_calls_of_each() -> None:
    rows = [
        bucket(LARGE, days=30, width_minutes=43_200),
        call(SMALL),
        call(SMALL, key=4, day=DAY + timedelta(29)),
        call(SMALL, key=5, day=DAY + timedelta(30)),
    ]
    assert total_after(*rows) == LARGE + SMALL


def test_of_calls_told_of_twice_the_less_certain_account_goes() -> None:
    found = total_after(
        bucket(Usage(calls=5, calls_unpriced=2, calls_estimated=3)),
        call(Usage(calls=4, calls_priced=4)),
    )
    assert found == Usage(calls=5, calls_priced=4, calls_estimated=1)


SUMS = tuple(name for name in USAGE_FIELDS if not name.startswith("calls_"))
COUNTS = st.integers(0, 50)
NAMES = st.sampled_from(["", "a", "b"])


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    by_basis = {f"calls_{basis}": draw(COUNTS) for basis in BASES}
    tokens = {name: draw(COUNTS) for name in SUMS if name.endswith("_tokens")}
    cost_usd = draw(st.decimals(0, 100, places=24))
    return Usage(calls=sum(by_basis.values()), cost_usd=cost_usd, **tokens, **by_basis)


USAGES = usages()


@st.composite
def rows_told(draw: st.DrawFn) -> list[Told]:
    """Return some calls and aggregates of one view."""
    rows = []
    for key in range(draw(st.integers(1, 8))):
        make = draw(st.sampled_from([bucket, call]))
        names = {name: draw(NAMES) for name in ("model", "account", "project", "credential")}
        day = draw(st.sampled_from([DAY, NEXT_DAY]))
        rows.append(make(draw(USAGES), key=key, day=day, uri="page", **names))
    return rows


@given(rows_told())
def test_no_overlap_takes_more_off_an_aggregate_than_it_holds(rows: list[Told]) -> None:
    left = {(row.key, row.day): row.usage for row in rows}
    for found in reconcile(rows).overlaps:
        left[found.origin_id, found.day] += found.usage
    for usage in left.values():
        assert all(getattr(usage, name) >= 0 for name in USAGE_FIELDS)


@given(rows_told())
def test_only_aggregates_are_corrected(rows: list[Told]) -> None:
    buckets = {row.key for row in rows if row.grain == "bucket"}
    assert {found.origin_id for found in reconcile(rows).overlaps} <= buckets


@given(rows_told())
def test_every_call_keeps_exactly_one_basis(rows: list[Told]) -> None:
    found = total_after(*rows)
    assert found.calls == sum(getattr(found, f"calls_{basis}") for basis in BASES)


@given(rows_told(), st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[Told], order: Random) -> None:
    mixed = list(rows)
    order.shuffle(mixed)
    one, other = reconcile(rows), reconcile(mixed)
    assert sorted(map(repr, one.overlaps)) == sorted(map(repr, other.overlaps))
    assert one.lines == other.lines


def most_in_common(rows: list[Told], name: str) -> int | Decimal:
    """Return by trying every set of aggregates how much of them calls can account for, at most.

    What the aggregates of a set have, and what the calls can give that may be in any other one:
    the least of all these sums is the most that both have in common.
    """
    buckets = [row for row in rows if row.grain == "bucket"]
    calls = [row for row in rows if row.grain == "call"]
    sums: list[int | Decimal] = []
    for size in range(len(buckets) + 1):
        for some in combinations(range(len(buckets)), size):
            others = [row for n, row in enumerate(buckets) if n not in some]
            given_to_others = [
                each
                for each in calls
                if any(
                    each.day == row.day and agree(each.dimensions, row.dimensions) for row in others
                )
            ]
            parts = [buckets[n] for n in some] + given_to_others
            sums.append(sum(getattr(part.usage, name) for part in parts))
    return min(sums)


@settings(max_examples=200)
@given(rows_told())
def test_what_is_taken_off_is_the_most_that_both_can_have_in_common(rows: list[Told]) -> None:
    found = sum((each.usage for each in reconcile(rows).overlaps), Usage())
    for name in SUMS:
        assert -getattr(found, name) == most_in_common(rows, name), name


@given(USAGES, USAGES, USAGES)
def test_of_many_accounts_of_the_same_usage_the_greatest_counts(
    one: Usage, two: Usage, three: Usage
) -> None:
    rows = [
        bucket(one, uri="days", width_minutes=1440),
        bucket(two, key=4, uri="hours", width_minutes=60),
        call(three),
    ]
    found = total_after(*rows)
    for name in SUMS:
        assert getattr(found, name) == max(getattr(each, name) for each in (one, two, three))


def test_a_way_round_is_found_where_the_first_choice_blocks() -> None:
    assert most_shared([5, 5], [5, 5, 0], [[0, 1], [0, 2]]) == [5, 5, 0]


def test_a_way_round_may_lead_over_several() -> None:
    edges = [[0, 1], [1, 2], [0, 3]]
    assert sum(most_shared([4, 5, 3], [4, 4, 5, 0], edges)) == 12


FLOWS = st.integers(1, 4).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 9), min_size=size, max_size=size),
        st.lists(st.integers(0, 9), min_size=size, max_size=size),
        st.lists(st.lists(st.integers(0, size - 1), unique=True), min_size=size, max_size=size),
    )
)


@given(FLOWS)
def test_no_way_is_missed(flow: tuple[list[int], list[int], list[list[int]]]) -> None:
    supplies, demands, edges = flow
    found = most_shared(supplies, demands, edges)
    numbers = range(len(supplies))
    limits = []
    for some in product([False, True], repeat=len(supplies)):
        reached = {demand for n in numbers if some[n] for demand in edges[n]}
        kept_back = sum(supplies[n] for n in numbers if not some[n])
        limits.append(kept_back + sum(demands[demand] for demand in reached))
    assert sum(found) == min(limits)
    assert all(0 <= part <= whole for part, whole in zip(found, demands, strict=True))


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
