"""Random worlds of bills, aggregates and calls: each dollar once, in whatever order it came."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.spend.told_rows import bill, bucket, call

from clearbar.core.period import ALL
from clearbar.spend.reconciliation import compare
from clearbar.spend.reconciling.accounts import DeclaredAccount
from clearbar.spend.reconciling.reconcile import Reconciled, reconcile
from clearbar.spend.usage import USAGE_FIELDS, Usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from clearbar.spend.reconciling.told import Told

pytestmark = pytest.mark.slow

FIRST = date(2026, 9, 1)
NAMES = st.sampled_from(["", "a", "b"])
CENTS = st.integers(0, 9_999).map(lambda cents: Decimal(cents) / 100)
DECLARED = st.sampled_from(
    [
        (),
        (DeclaredAccount(name="a", bills="projects"),),
        (DeclaredAccount(name="a", bills="whole"), DeclaredAccount(name="b", bills="projects")),
    ]
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    calls = draw(st.integers(0, 9))
    tokens = {name: draw(st.integers(0, 99)) for name in ("input_tokens", "output_tokens")}
    return Usage(calls=calls, calls_priced=calls, cost_usd=draw(CENTS), **tokens)


@st.composite
def bills(draw: st.DrawFn, key: int) -> Told:
    source = draw(st.sampled_from(["openai_costs", "focus", "aws_cur"]))
    unknown = draw(st.integers(0, 9)) == 0
    category = draw(st.sampled_from(["usage"] * 4 + ["tax", "credit", "purchase"]))
    usd = draw(CENTS) * (-1 if category == "credit" else 1)
    tokens = Usage(input_tokens=draw(st.integers(0, 99)))
    return bill(
        tokens if unknown else tokens + Usage(cost_usd=usd),
        key,
        source=source,
        category=category,
        day=FIRST + timedelta(draw(st.integers(0, 9))),
        days=1 if source == "openai_costs" else draw(st.sampled_from([1, 1, 2, 7, 30])),
        account=draw(NAMES),
        project=draw(NAMES),
        model=draw(st.sampled_from(["", "gpt-5"])),
        uri=draw(st.sampled_from(["one", "two", "three"])),
        provider=draw(st.sampled_from(["openai", "openai", "azure"])),
        unpriced_lines=int(unknown),
    )


@st.composite
def logs(draw: st.DrawFn, key: int) -> Told:
    make: Callable[..., Told] = draw(st.sampled_from([call, call, bucket]))
    names = {name: draw(NAMES) for name in ("account", "project", "credential")}
    wide = draw(st.sampled_from([60, 1440])) if make is bucket else 0
    return make(
        draw(usages()),
        key=key,
        day=FIRST + timedelta(draw(st.integers(0, 9))),
        model=draw(st.sampled_from(["", "gpt-5", "o3"])),
        width_minutes=wide,
        uri=draw(st.sampled_from(["one", "two"])),
        provider=draw(st.sampled_from(["openai", "openai", "azure"])),
        **names,
    )


@st.composite
def worlds(draw: st.DrawFn) -> list[Told]:
    count = draw(st.integers(1, 12))
    return [draw(bills(key) if draw(st.booleans()) else logs(key)) for key in range(count)]


def logged(rows: list[Told], found: Reconciled) -> Usage:
    """Return what calls say, and aggregates beyond them."""
    parts = [row.usage for row in rows if row.grain != "bill"]
    return sum([*parts, *(each.usage for each in found.overlaps)], Usage())


def total(rows: list[Told], found: Reconciled) -> Usage:
    return sum((each.usage for each in found.lines), logged(rows, found))


@given(worlds(), DECLARED)
def test_the_total_is_the_bills_and_what_of_the_logs_is_in_none(
    rows: list[Told], declared: tuple[DeclaredAccount, ...]
) -> None:
    found = reconcile(rows, declared)
    inside = sum((each.logged_usd for each in found.billed), Decimal(0))
    inside += sum((each.cost_usd for each in found.held), Decimal(0))
    raised = sum((e.logged_usd + e.residual_usd - e.billed_usd for e in found.billed), Decimal(0))
    billed = sum((row.usage.cost_usd for row in found.bills), Decimal(0))
    left = logged(rows, found).cost_usd - inside
    assert left >= 0
    assert total(rows, found).cost_usd == billed + raised + left
    assert raised >= 0


@given(worlds(), DECLARED)
def test_bills_hold_of_what_is_not_certain_no_more_than_they_have_room_for(
    rows: list[Told], declared: tuple[DeclaredAccount, ...]
) -> None:
    found = reconcile(rows, declared)
    accounts: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        accounts[row.origin.provider] |= {row.origin.account} - {""}
    for provider, known in accounts.items():
        mine = [each for each in found.billed if each.provider == provider]
        if any(each.projects for each in mine) or {each.account for each in mine} != known:
            room = sum((max(each.residual_usd, Decimal(0)) for each in mine), Decimal(0))
            held = [e for e in found.held if e.provider == provider and e.account]
            assert sum((each.cost_usd for each in held), Decimal(0)) <= room


@given(worlds())
def test_of_an_account_no_day_has_two_bills(rows: list[Told]) -> None:
    found = reconcile(rows)
    days: dict[tuple[str, str, date], set[int]] = defaultdict(set)
    for each in found.billed:
        for n in range(each.days):
            place = each.provider, each.account, each.day + timedelta(n)
            assert each.days > 1 or each.days not in days[place]
            days[place].add(each.days)


@given(worlds())
def test_every_line_of_a_bill_counts_or_is_told_as_told_twice(rows: list[Told]) -> None:
    found = reconcile(rows)
    whole = sum((row.usage.cost_usd for row in rows if row.grain == "bill"), Decimal(0))
    counted = sum((row.usage.cost_usd for row in found.bills), Decimal(0))
    assert whole == counted + sum((each.cost_usd for each in found.duplicates), Decimal(0))


@given(worlds())
def test_no_aggregate_is_taken_below_nothing(rows: list[Told]) -> None:
    left = {(row.key, row.day): row.usage for row in rows if row.grain == "bucket"}
    for each in reconcile(rows).overlaps:
        left[each.origin_id, each.day] += each.usage
    for usage in left.values():
        assert all(getattr(usage, name) >= 0 for name in USAGE_FIELDS)


@given(worlds(), DECLARED, st.randoms())
def test_the_order_of_rows_changes_nothing(
    rows: list[Told], declared: tuple[DeclaredAccount, ...], order: Random
) -> None:
    mixed = list(rows)
    order.shuffle(mixed)
    one, other = reconcile(rows, declared), reconcile(mixed, declared)
    assert sorted(map(repr, one.overlaps)) == sorted(map(repr, other.overlaps))
    assert (one.lines, one.billed) == (other.lines, other.billed)
    assert (one.duplicates, one.held) == (other.duplicates, other.held)


@given(worlds(), DECLARED)
def test_a_comparison_has_every_dollar_of_bills_and_logs(
    rows: list[Told], declared: tuple[DeclaredAccount, ...]
) -> None:
    found = reconcile(rows, declared)
    compared = compare(rows, ALL, declared).accounts
    usage = sum((r.usage.cost_usd for r in found.bills if r.category == "usage"), Decimal(0))
    assert sum((each.billed_usd for each in compared), Decimal(0)) == usage
    assert sum((each.logged_usd for each in compared), Decimal(0)) == logged(rows, found).cost_usd
    assert all(each.beside_usd >= 0 for each in compared)
