"""A plan that is declared and billed: the bill counts where it says so, and else somebody hears."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from tests.spend.ledger_cases import append
from tests.spend.test_reading_bills import BILL, bill
from tests.spend.told_rows import bill as billed

from clearbar.core.period import ALL, Period
from clearbar.spend.charge import Origin
from clearbar.spend.prices.agreements import Agreements, Plan
from clearbar.spend.prices.planned_lines import planned_lines
from clearbar.spend.reading import LedgerReading
from clearbar.spend.reconciliation import reconciliation
from clearbar.spend.reconciliation_words import missing
from clearbar.spend.reconciling.accounts import DeclaredAccount
from clearbar.spend.reconciling.billed_plans import plans_in_bills, unbilled
from clearbar.spend.report import total_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.reconciling.told import Told
    from clearbar.spend.storage.ledger import Ledger

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
SEATS = "|sku=Team seats|"


def plan(**values: Any) -> Plan:
    given_: dict[str, Any] = {"name": "seats", "provider": "openai", "start": SEPTEMBER}
    return Plan(**(given_ | {"usd_per_month": Decimal(150), "seats": 2} | values))


def line(usd: str, day: date = SEPTEMBER, **values: Any) -> Told:
    given_ = {"category": "purchase", "labels": SEATS, "source": "focus"}
    return billed(usd, day=day, **(given_ | values))


def declared_cost(plans: Iterable[Plan], *bills: Told, until: date = NOVEMBER) -> Decimal:
    agreements = Agreements(plans=unbilled(plans, bills))
    return sum((each.cost_usd for each in planned_lines(agreements, [], [], {}, until)), Decimal(0))


def test_a_month_whose_bill_has_the_line_of_a_plan_costs_what_the_bill_says() -> None:
    named = [plan(billed_as=("Team*",))]
    assert declared_cost(named) == 600
    assert declared_cost(named, line("280")) == 300
    assert declared_cost(named, line("280"), line("280", OCTOBER)) == 0


def test_a_line_of_another_name_changes_nothing() -> None:
    assert declared_cost([plan(billed_as=("Pro*",))], line("280")) == 600
    assert declared_cost([plan()], line("280")) == 600


def test_a_line_of_another_provider_or_account_changes_nothing() -> None:
    named = [plan(billed_as=("Team*",), only=(("account", "acme"),))]
    assert declared_cost(named, line("280", provider="anthropic")) == 600
    assert declared_cost(named, line("280", account="other")) == 600
    assert declared_cost(named, line("280", account="acme")) == 300


def test_a_plan_may_call_its_account_by_any_of_its_names() -> None:
    named = [plan(billed_as=("Team*",), only=(("account", "org-1"),))]
    accounts = (DeclaredAccount(name="acme", aliases=("org-1",)),)
    assert unbilled(named, [line("280", account="acme")]) == (named[0],)
    [left] = unbilled(named, [line("280", account="acme")], accounts)
    assert left.start == OCTOBER


def test_the_account_of_a_plan_is_named_in_letters_of_either_case_as_calls_are() -> None:
    named = [plan(billed_as=("Team*",), only=(("account", "Acme"),))]
    assert declared_cost(named, line("280", account="acme")) == 300


def test_a_line_of_several_days_stands_for_these() -> None:
    half = line("140", SEPTEMBER + timedelta(15), days=30)
    left = 600 - 150 - Decimal(300) * 15 / 31
    assert round(declared_cost([plan(billed_as=("Team*",))], half), 20) == round(left, 20)


def test_a_line_that_gives_money_back_is_no_fee() -> None:
    assert declared_cost([plan(billed_as=("Team*",))], line("-20")) == 600


def test_the_category_of_a_line_without_a_name_may_name_it() -> None:
    unnamed = line("280", labels="", source="aws_cur")
    assert declared_cost([plan(billed_as=("purchase",))], unnamed) == 300


def test_a_line_that_may_be_the_plan_is_told_with_what_would_count_twice() -> None:
    [found] = plans_in_bills([plan()], [line("280")], ALL, NOVEMBER)
    assert [found.declared_usd, found.billed_usd] == [300, 280]
    assert (found.names, found.gives_way) == (("Team seats",), False)


def test_a_plan_that_no_bill_has_is_told_of_by_nobody() -> None:
    assert plans_in_bills([plan(billed_as=())], [line("280")], ALL, NOVEMBER) == ()
    assert plans_in_bills([plan(usd_per_month=None)], [line("280")], ALL, NOVEMBER) == ()


def test_tokens_and_models_are_no_plan() -> None:
    usage = billed("70", model="gpt-5")
    assert plans_in_bills([plan()], [usage], ALL, NOVEMBER) == ()


def test_only_the_time_that_is_over_and_asked_for_is_told_of() -> None:
    rows = [line("280"), line("280", OCTOBER)]
    asked = Period(OCTOBER, NOVEMBER)
    [found] = plans_in_bills([plan()], rows, asked, OCTOBER + timedelta(10))
    assert found.billed_usd == 280
    assert round(found.declared_usd, 2) == round(Decimal(300) * 10 / 31, 2)


def test_months_in_which_the_line_has_another_name_are_told() -> None:
    rows = [line("280"), line("290", OCTOBER, labels="|sku=Business seats|")]
    named = [plan(billed_as=("Team*",))]
    gives_way, twice = plans_in_bills(named, rows, ALL, NOVEMBER)
    assert gives_way.gives_way
    assert [gives_way.declared_usd, gives_way.billed_usd] == [300, 280]
    assert (twice.gives_way, twice.names) == (False, ("Business seats",))
    assert twice.declared_usd == 300


def test_the_last_day_of_the_calendar_has_a_month() -> None:
    rows = [line("280", date.max)]
    assert declared_cost([plan(billed_as=("Team*",))], *rows) == 600


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 45)), max_size=6),
    st.integers(0, 70),
)
def test_declared_and_given_way_are_the_whole_fee(spans: list[tuple[int, int]], until: int) -> None:
    rows = [line("5", SEPTEMBER + timedelta(a), days=b, key=n) for n, (a, b) in enumerate(spans)]
    named, last = plan(billed_as=("Team*",)), SEPTEMBER + timedelta(until)
    found = plans_in_bills([named], rows, ALL, last)
    given_way = sum((each.declared_usd for each in found if each.gives_way), Decimal(0))
    left = declared_cost([named], *rows, until=last)
    whole = declared_cost([named], until=last)
    assert abs(left + given_way - whole) < Decimal("1e-15")


def test_in_a_ledger_the_bill_and_the_plan_count_once(ledger: Ledger, book: PriceBook) -> None:
    seats = Origin(source="acme_costs", provider="acme", account="org-1", labels=SEATS)
    purchase = bill("bill:1", "280", seats, charge_category="purchase")
    append(ledger, book, [bill("bill:2", "7", BILL), purchase])
    assert found_cost(ledger, plan(provider="acme")) == 287 + 300
    assert found_cost(ledger, plan(provider="acme", billed_as=("Team*",))) == 287


def found_cost(ledger: Ledger, declared: Plan) -> Decimal:
    reading = LedgerReading(ledger)
    reading.add_agreed(Agreements(plans=(declared,)), OCTOBER)
    return total_of(reading.by_origin(ALL).values()).cost_usd


def test_reconcile_says_which_line_may_be_the_plan_and_what_to_write(
    ledger: Ledger, book: PriceBook
) -> None:
    seats = Origin(source="acme_costs", provider="acme", account="org-1", labels=SEATS)
    append(ledger, book, [bill("bill:1", "280", seats, charge_category="purchase")])
    reading = LedgerReading(ledger)
    reading.add_agreed(Agreements(plans=(plan(provider="acme"),)), OCTOBER)
    found = reconciliation(reading, ALL)
    said = [each for account in found.accounts for each in missing(account, found)]
    what = (
        "the plan seats counts $300.00 as declared, beside $280.00 that is billed as"
        ' "Team seats": if that is the plan, it counts twice'
    )
    step = (
        'say so under its [[plan]]: billed_as = "Team seats"; or, where no bill has it,'
        " billed_as = []"
    )
    assert (what, step) in said
