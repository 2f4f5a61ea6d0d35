"""Bills against logs: a day of an account that has a bill is worth the bill."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.spend.told_rows import (
    DAY,
    NEXT_DAY,
    bill,
    bucket,
    call,
    cost_after,
    cost_by_account,
    residuals,
    total_after,
)

from clearbar.spend.reconciling.reconcile import reconcile
from clearbar.spend.reconciling.told import RESIDUAL, Told
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from random import Random

FIRST = date(2026, 9, 1)
CENTS = st.integers(0, 9_999).map(lambda cents: Decimal(cents) / 100)


def test_what_a_bill_says_beyond_the_logs_is_a_line_of_its_own() -> None:
    assert residuals(bill("12.50"), call("10")) == [("", DAY, "2.5")]


def test_a_bill_below_the_logs_lowers_the_total() -> None:
    assert residuals(bill("7"), call("10")) == [("", DAY, "-3")]
    assert cost_after(bill("7"), call("10")) == 7


def test_a_bill_that_agrees_leaves_no_line() -> None:
    assert reconcile([bill("10"), call("4"), call("6", key=4)]).lines == ()


def test_a_day_without_a_bill_keeps_what_was_logged() -> None:
    assert cost_after(bill("7"), call("10"), call("3", day=NEXT_DAY)) == 10


def test_a_bill_of_nothing_is_a_bill() -> None:
    assert cost_after(bill("0"), call("10")) == 0


def test_a_bill_without_logs_counts_whole() -> None:
    assert cost_after(bill("7")) == 7


def test_lines_of_one_bill_add_up() -> None:
    assert cost_after(bill("7", model="gpt-5"), bill("2", key=4, model="o3"), call("1")) == 9


def test_a_bill_stands_before_an_aggregate_too() -> None:
    rows = bill("7"), bucket("20", model="gpt-5"), call("10", model="gpt-5")
    assert cost_after(*rows) == 7


def test_a_bill_of_another_provider_is_another_matter() -> None:
    assert cost_after(bill("7", provider="azure"), call("10")) == 17


def test_a_bill_of_a_known_other_account_is_another_matter() -> None:
    assert cost_after(bill("7", account="a"), call("10", account="b")) == 17


def test_calls_of_an_unknown_account_are_in_the_bill_of_the_only_one() -> None:
    rows = bill("7", account="a"), call("10"), call("1", key=4, account="a")
    assert cost_by_account(rows) == {"a": 7, "": 0}


def test_a_bill_of_an_unknown_account_is_of_the_only_one_that_is_known() -> None:
    assert cost_by_account([bill("7"), call("10", account="a")]) == {"a": 7}


def test_calls_of_an_unknown_account_are_in_the_bills_where_every_account_has_one() -> None:
    rows = bill("7", account="a"), bill("4", key=4, account="b"), call("30")
    assert cost_by_account(rows) == {"a": 7, "b": 4, "": 0}


def test_calls_of_an_unknown_account_fill_a_bill_and_the_rest_stays() -> None:
    rows = bill("7", account="a"), call("10"), call("5", key=4, account="b")
    assert cost_by_account(rows) == {"a": 7, "": 3, "b": 5}


def test_a_bill_of_an_unknown_account_holds_of_known_ones_what_it_has_room_for() -> None:
    rows = bill("7"), call("5", account="a"), call("4", key=4, account="b")
    assert cost_after(*rows) == 9


def test_tax_credits_and_purchases_are_lines_beside_the_usage() -> None:
    rows = [
        bill("10"),
        bill("1.90", key=4, category="tax"),
        bill("-3", key=5, category="credit"),
        bill("50", key=6, category="purchase"),
        call("9"),
    ]
    lines = {each.origin.source: each.usage.cost_usd for each in reconcile(rows).lines}
    assert lines == {
        RESIDUAL: 1,
        "bill-tax": Decimal("1.90"),
        "bill-credit": -3,
        "bill-purchase": 50,
    }
    assert cost_after(*rows) == Decimal("58.90")


def test_a_day_with_tax_alone_has_no_bill_of_its_usage() -> None:
    assert cost_after(bill("2", category="tax"), call("10")) == 12


def test_a_purchase_and_the_usage_that_it_covers_count_once() -> None:
    rows = bill("100", category="purchase"), bill("0", key=4), call("80")
    assert cost_after(*rows) == 100


def test_of_two_bills_of_one_day_the_providers_own_counts() -> None:
    rows = bill("10"), bill("10.01", key=4, source="focus"), call("9")
    [found] = reconcile(rows).duplicates
    assert (found.source, found.counted, found.cost_usd) == (
        "focus",
        "openai_costs",
        Decimal("10.01"),
    )
    assert cost_after(*rows) == 10


def test_costs_of_an_api_in_two_groupings_are_one_bill() -> None:
    rows = [
        bill("4", project="a", uri="by-project"),
        bill("6", key=4, project="b", uri="by-project"),
        bill("10", key=5, uri="whole"),
    ]
    [found] = reconcile(rows).duplicates
    assert found.source == "openai_costs, grouped otherwise,"
    assert cost_after(*rows) == 10


def test_a_credit_that_one_grouping_tells_apart_another_has_taken_off() -> None:
    rows = [
        bill("10", project="a", credential="k", uri="by-key"),
        bill("12", key=4, model="gpt-5", uri="by-line"),
        bill("-2", key=5, labels="|line_item=credit|", uri="by-line", category="credit"),
    ]
    assert cost_after(*rows) == 10


def test_days_that_were_pulled_in_different_groupings_keep_their_credits() -> None:
    rows = [
        bill("12", project="a", uri="by-project"),
        bill("-2", key=4, project="a", uri="by-project", category="credit"),
        bill("6", key=5, model="gpt-5", uri="by-line", day=NEXT_DAY),
        bill("-1", key=6, model="gpt-5", uri="by-line", day=NEXT_DAY, category="credit"),
    ]
    assert cost_after(*rows) == 15


def test_a_line_of_unknown_worth_in_a_bill_that_does_not_count_is_in_no_figure() -> None:
    rows = bill("9"), bill(Usage(), key=4, source="focus", unpriced_lines=1)
    assert [row.unpriced_lines for row in reconcile(rows).bills] == [0]


def test_a_project_that_is_null_in_a_grouping_by_projects_is_a_line_of_its_own() -> None:
    rows = bill("4", project="a"), bill("6", key=4, labels="|null_in=project|")
    assert cost_after(*rows) == 10


def test_a_line_without_an_item_among_others_of_its_day_counts_with_these() -> None:
    item = bill("4", labels="|line_item=Images|")
    assert cost_after(item, bill("6", key=4, labels="|null_in=item|")) == 10
    assert cost_after(item, bill("4", key=4)) == 4


def test_lines_of_other_bills_may_name_what_they_like() -> None:
    rows = bill("4", project="a", source="focus", uri="one"), bill("6", source="focus", uri="two")
    assert cost_after(*rows) == 10


def test_of_focus_and_a_declared_table_focus_counts() -> None:
    rows = bill("10", source="table"), bill("9", key=4, source="focus")
    assert cost_after(*rows) == 9


def test_a_day_that_only_the_other_bill_has_counts_by_that() -> None:
    rows = bill("10"), bill("9", key=4, source="focus"), bill("8", source="focus", day=NEXT_DAY)
    assert cost_after(*rows) == 18


def test_tax_of_two_bills_in_one_month_counts_once() -> None:
    rows = bill("2", category="tax"), bill("2", source="focus", category="tax", day=NEXT_DAY)
    assert cost_after(*rows) == 2


def test_a_bill_by_the_month_gives_way_to_one_that_covers_as_many_days() -> None:
    daily = [bill("1", day=FIRST + timedelta(n)) for n in range(30)]
    assert cost_after(*daily, bill("40", key=4, source="focus", days=30)) == 30


def test_a_bill_by_the_month_counts_where_another_has_a_few_days_only() -> None:
    rows = bill("1"), bill("40", key=4, source="focus", days=30)
    assert cost_after(*rows) == 40


def test_a_line_of_a_month_is_set_against_the_whole_month() -> None:
    rows = [
        bill("40", days=30),
        call("10"),
        call("15", key=4, day=FIRST + timedelta(29)),
        call("5", key=5, day=FIRST + timedelta(30)),
    ]
    [line] = reconcile(rows).lines
    assert (line.day, line.usage.cost_usd) == (FIRST, Decimal(15))
    assert line.origin.labels == "|days=2026-09-01..2026-10-01|"
    assert cost_after(*rows) == 45


def test_beside_a_line_of_a_month_a_day_with_its_own_is_set_against_its_own() -> None:
    rows = [
        bill("40", days=30),
        bill("12", key=4, day=NEXT_DAY),
        call("10"),
        call("15", key=5, day=NEXT_DAY),
    ]
    assert residuals(*rows) == [("", FIRST, "30"), ("", NEXT_DAY, "-3")]
    assert cost_after(*rows) == 52


def test_a_bill_with_a_line_of_unknown_worth_never_lowers_the_logs() -> None:
    unknown = bill(Usage(), key=4, unpriced_lines=1)
    assert cost_after(bill("7"), unknown, call("10")) == 10
    assert cost_after(bill("12"), unknown, call("10")) == 12


def test_calls_without_a_price_are_in_the_residual() -> None:
    unpriced = call(Usage(calls=3, calls_unpriced=3), key=4)
    assert residuals(bill("7"), call("5"), unpriced) == [("", DAY, "2")]


def test_tokens_that_only_the_bill_knows_stand_on_its_line() -> None:
    rows = [
        bill(Usage(input_tokens=100, cost_usd=Decimal(3)), model="gpt-5"),
        bucket(Usage(calls=4, input_tokens=80), model="gpt-5"),
        call(Usage(calls=1, input_tokens=30, cost_usd=Decimal(1)), model="gpt-5"),
    ]
    assert total_after(*rows) == Usage(calls=4, input_tokens=100, cost_usd=Decimal(3))
    [line] = reconcile(rows).lines
    assert line.usage.input_tokens == 20


def test_what_a_bill_is_set_against_is_exact_to_the_last_decimal() -> None:
    tiny = Decimal("1e-24")
    rows = bill(str(10**9)), call(Usage(cost_usd=tiny))
    [line] = reconcile(rows).lines
    assert str(line.usage.cost_usd) == "999999999." + "9" * 24
    assert cost_after(*rows) == 10**9


def test_the_last_day_of_the_calendar_is_a_day() -> None:
    last = date.max
    rows = bill("7", day=last), bucket("2", day=last), call("1", day=last), bill("3"), call("4")
    assert cost_after(*rows) == 10


@st.composite
def rows_billed(draw: st.DrawFn) -> list[Told]:
    """Return bills of some days and accounts, calls and aggregates."""
    rows = []
    for key in range(draw(st.integers(1, 9))):
        make = draw(st.sampled_from([bill, call, bucket]))
        cost = draw(CENTS)
        account = draw(st.sampled_from(["", "a", "b", "c"]))
        if make is bill and not account:
            account = "a"
        day = FIRST + timedelta(draw(st.integers(0, 2)))
        model = draw(st.sampled_from(["gpt-5", "o3"]))
        rows.append(make(str(cost), key=key, day=day, account=account, model=model, uri="page"))
    return rows


def slow_total(rows: list[Told]) -> Decimal:
    """Return the total by the sentences of the rule, a day at a time, from single sums."""
    accounts = {row.origin.account for row in rows} - {""}
    total = Decimal(0)
    plain = [row for row in rows if row.grain != "bill"]
    logged = reconcile(plain)
    for day in sorted({row.day for row in rows}):
        known: dict[str, Decimal] = {}
        billed: dict[str, Decimal] = {}
        for row in rows:
            if row.day == day:
                sums = billed if row.grain == "bill" else known
                name = row.origin.account
                sums[name] = sums.get(name, Decimal(0)) + row.usage.cost_usd
        account_of = {row.key: row.origin.account for row in plain if row.day == day}
        for each in logged.overlaps:
            if each.day == day:
                known[account_of[each.origin_id]] += each.usage.cost_usd
        unknown = known.pop("", Decimal(0))
        total += sum(billed.values())
        total += sum(cost for name, cost in known.items() if name not in billed)
        if accounts - billed.keys():
            room = [max(cost - known.get(name, 0), Decimal(0)) for name, cost in billed.items()]
            total += max(unknown - sum(room), Decimal(0))
    return total


@given(rows_billed())
def test_the_total_is_that_of_a_slow_and_plain_reckoning(rows: list[Told]) -> None:
    if any(row.grain == "bill" for row in rows):
        assert cost_after(*rows) == slow_total(rows)


@given(rows_billed())
def test_a_day_of_an_account_with_a_bill_is_worth_the_bill(rows: list[Told]) -> None:
    for day in {row.day for row in rows}:
        of_day = [row for row in rows if row.day == day]
        costs = cost_by_account(of_day)
        for account in {row.origin.account for row in of_day if row.grain == "bill"}:
            lines = [row for row in of_day if row.grain == "bill"]
            mine = [row.usage.cost_usd for row in lines if row.origin.account == account]
            assert costs.get(account, 0) == sum(mine)


@given(rows_billed(), st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[Told], order: Random) -> None:
    mixed = list(rows)
    order.shuffle(mixed)
    one, other = reconcile(rows), reconcile(mixed)
    assert (one.lines, one.billed, one.duplicates) == (other.lines, other.billed, other.duplicates)


@given(rows_billed())
def test_lines_are_nobodys_and_none_is_empty(rows: list[Told]) -> None:
    for line in reconcile(rows).lines:
        assert line.origin.source == RESIDUAL
        assert not line.origin.workflow
        assert line.usage != Usage()
