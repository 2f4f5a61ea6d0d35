"""Bills of some projects alone: what others use is not in them, and is not lost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.spend.told_rows import DAY, NEXT_DAY, bill, bucket, call, told

from clearbar.core.money import plain
from clearbar.core.period import ALL, Period
from clearbar.spend.reconciliation import compare
from clearbar.spend.reconciliation_words import missing
from clearbar.spend.reconciling.accounts import DeclaredAccount
from clearbar.spend.reconciling.reconcile import reconcile

if TYPE_CHECKING:
    from clearbar.spend.reconciling.told import Told

WHOLE = DeclaredAccount(name="acme", provider="openai", bills="whole")
PROJECTS = DeclaredAccount(name="acme", provider="openai", bills="projects")


def cost(*rows: Told, accounts: tuple[DeclaredAccount, ...] = ()) -> Decimal:
    found = reconcile(rows, accounts)
    parts = [row.usage.cost_usd for row in rows if row.grain != "bill"]
    parts += [each.usage.cost_usd for each in found.overlaps]
    parts += [each.usage.cost_usd for each in found.lines]
    return sum(parts, Decimal(0))


def test_calls_of_an_unknown_project_fill_the_bill_of_one_and_the_rest_stays() -> None:
    assert cost(bill("10", project="a"), call("15")) == 15


def test_a_bill_of_one_project_keeps_what_no_call_tells_of() -> None:
    assert cost(bill("10", project="a"), call("4")) == 10


def test_calls_of_the_project_itself_are_in_its_bill_whole() -> None:
    assert cost(bill("10", project="a"), call("12", project="a")) == 10
    rows = bill("10", project="a"), call("6", project="a"), call("5", key=4)
    assert cost(*rows) == 11


def test_calls_of_another_project_are_in_no_bill_of_this_one() -> None:
    assert cost(bill("10", project="a"), call("5", project="b")) == 15
    assert cost(bill("10", project="a", account="x"), call("5", project="b")) == 15


def test_an_aggregate_of_another_project_stays_beside_the_bill() -> None:
    rows = bill("10", project="a"), bucket("5", project="b", model="o3")
    assert cost(*rows) == 15


def test_a_bill_that_names_several_projects_is_of_the_whole_account() -> None:
    rows = bill("6", project="a"), bill("4", key=4, project="b"), call("15")
    assert cost(*rows) == 10


def test_people_can_say_that_a_bill_is_of_the_projects_it_names() -> None:
    rows = bill("6", project="a"), bill("4", key=4, project="b"), call("15")
    assert cost(*rows, accounts=(PROJECTS,)) == 15
    named = [bill("6", project="a", account="acme"), call("15", account="acme")]
    assert cost(*named, accounts=(PROJECTS,)) == 15


def test_people_can_say_that_a_bill_is_whole() -> None:
    assert cost(bill("10", project="a"), call("15"), accounts=(WHOLE,)) == 10


def test_what_clearbar_pulled_is_whole() -> None:
    page = "/acme/.clearbar/pulled/openai/costs/page-00001.json"
    assert cost(bill("10", project="a", uri=page), call("15")) == 10


def test_what_a_cloud_sends_is_whole_though_it_always_names_a_project() -> None:
    assert cost(bill("10", project="a", source="aws_cur"), call("15")) == 10


def test_costs_of_one_project_give_way_to_those_of_the_whole_account() -> None:
    rows = bill("10", project="a", uri="filtered"), bill("15", key=4, uri="whole")
    assert cost(*rows) == 15
    rows = bill("10", project="a", uri="grouped"), bill("10", key=4, uri="whole")
    assert cost(*rows) == 10


def test_a_bill_holds_nothing_of_an_account_that_is_known_and_another() -> None:
    rows = bill("10", account="a"), bill("1", key=4), call("5", key=5, account="b")
    assert cost(*rows) == 10 + 5


def said(*rows: Told, accounts: tuple[DeclaredAccount, ...] = ()) -> list[str]:
    found = compare(rows, ALL, accounts)
    return [what for account in found.accounts for what, _ in missing(account, found)]


def test_what_was_assumed_of_a_bill_of_one_project_is_said() -> None:
    [what] = said(bill("10", project="a"), call("15"))
    assert what == (
        "the bill is taken to be of the project a alone: of logs that name no project it holds what"
        " it has room for; $5.00 stands beside it"
    )


def test_a_bill_of_one_project_is_compared_with_what_it_holds() -> None:
    [found] = compare([bill("10", project="a"), call("15")], ALL).accounts
    assert [found.compared_usd, found.logged_usd, found.beside_usd] == [10, 15, 5]


def test_what_was_assumed_of_a_whole_bill_that_names_projects_is_said() -> None:
    rows = bill("6", project="a"), bill("4", key=4, project="b"), call("15")
    [what] = said(*rows)
    assert what == (
        "the bill is taken to be of the whole account, and less than the logs by $5.00; it names"
        " the projects a, b"
    )


def test_what_a_bill_is_of_may_show_in_another_month() -> None:
    rows = [
        bill("10", project="a"),
        call("15"),
        bill("4", key=4, project="b", day=NEXT_DAY),
        call("3", key=5, day=NEXT_DAY),
    ]
    [found] = compare(rows, Period(DAY, NEXT_DAY)).accounts
    assert [found.compared_usd, found.logged_usd, found.beside_usd] == [15, 15, 0]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Told], Decimal, Decimal]:
    """Return a bill of project a, calls of two projects of whom some do not say, and the truth.

    The truth is what was billed of one, and what was logged of the other.
    """
    rows: list[Told] = []
    billed, others, unknown = Decimal(0), Decimal(0), Decimal(0)
    for key in range(draw(st.integers(1, 8))):
        usd = Decimal(draw(st.integers(1, 900))) / 100
        day = draw(st.sampled_from([DAY, NEXT_DAY]))
        project = draw(st.sampled_from(["a", "b"]))
        named = draw(st.booleans())
        rows.append(call(plain(usd), key, day=day, project=project if named else ""))
        if project == "a":
            billed += usd
            rows.append(bill(plain(usd), 100 + key, day=day, project="a"))
        else:
            others += usd
            unknown += 0 if named else usd
    return rows, billed + others, unknown


@given(worlds())
def test_a_bill_of_a_project_that_is_logged_whole_loses_no_dollar_of_others(
    world: tuple[list[Told], Decimal, Decimal],
) -> None:
    rows, truth, _ = world
    if any(row.grain == "bill" for row in rows):
        assert cost(*rows) == truth


@given(worlds(), st.data())
def test_what_is_missing_in_the_logs_is_lost_at_most_where_another_project_fills_it(
    world: tuple[list[Told], Decimal, Decimal], data: st.DataObject
) -> None:
    rows, truth, unknown = world
    bills = [row for row in rows if row.grain == "bill"]
    of_a = [n for n, row in enumerate(rows) if row.grain == "call" and _is_of_a(row, rows)]
    gone = data.draw(st.sets(st.sampled_from(of_a))) if of_a else set()
    left = [row for n, row in enumerate(rows) if n not in gone]
    if bills:
        assert truth - unknown <= cost(*left) <= truth


def _is_of_a(row: Told, rows: list[Told]) -> bool:
    return any(each.grain == "bill" and each.key == 100 + row.key for each in rows)


def test_an_account_without_bills_has_nothing_beside_them() -> None:
    [found] = compare([told("call", "3")], ALL).accounts
    assert found.beside_usd == 0
