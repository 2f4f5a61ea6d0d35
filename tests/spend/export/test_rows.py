"""What stands beside the charges makes them sum to what a report counts, whatever both say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from clearbar.spend.charge import Origin
from clearbar.spend.export.rows import RECONCILED, Beside, Counted, beside
from clearbar.spend.usage import Usage

DAY = date(2026, 10, 5)
CALL = Origin("litellm", provider="openai", model="gpt-4o", account="org-1")
BILL = Origin("focus", provider="openai", account="org-1", labels="|sku=x|")
RESIDUAL = Origin("bill-residual", provider="openai", account="org-1")


def usd(amount: str) -> Usage:
    return Usage(cost_usd=Decimal(amount))


def test_charges_that_are_counted_as_they_are_need_no_line() -> None:
    charge = Counted(DAY, CALL, "letters", usd("1"))
    assert beside([charge], [charge], []) == []


def test_a_bill_beyond_the_calls_is_short_by_what_the_calls_hold() -> None:
    call = Counted(DAY, CALL, "letters", usd("80"))
    residual = Counted(DAY, RESIDUAL, "", usd("20"), is_bill=True)
    billed = Counted(DAY, BILL, "", usd("100"), is_bill=True)
    [line] = beside([call, residual], [call, billed], [])
    assert (line.kind, line.usage, line.origin.source) == ("reconciled", usd("-80"), RECONCILED)
    assert (line.origin.provider, line.origin.account) == ("openai", "org-1")


def test_a_correction_is_a_line_that_names_its_month() -> None:
    told = Counted(DAY, CALL, "letters", usd("-3"), month="2026-09")
    assert beside([told], [], [told]) == [
        Beside("correction", DAY, CALL, "letters", usd("-3"), "2026-09")
    ]


def test_another_workflow_than_the_one_fixed_is_seen_in_both() -> None:
    fixed, now = (Counted(DAY, CALL, name, usd("5")) for name in ("letters", "tickets"))
    assert {(line.workflow, line.usage) for line in beside([fixed], [now], [])} == {
        ("letters", usd("5")),
        ("tickets", usd("-5")),
    }


COUNTED = st.builds(
    Counted,
    st.sampled_from([DAY, date(2026, 10, 6)]),
    st.sampled_from([CALL, BILL, RESIDUAL]),
    st.sampled_from(["letters", "tickets", ""]),
    st.builds(
        Usage,
        calls=st.integers(-9, 9),
        output_tokens=st.integers(-9, 9),
        cost_usd=st.decimals(-100, 100, places=24),
    ),
    st.booleans(),
)
LISTS = st.lists(COUNTED, max_size=8)


def total(lines: list[Counted] | list[Beside]) -> Usage:
    return sum((line.usage for line in lines), Usage())


@given(LISTS, LISTS, LISTS)
def test_charges_and_the_lines_beside_them_sum_to_what_is_counted(
    counted: list[Counted], charged: list[Counted], corrections: list[Counted]
) -> None:
    everything = [*counted, *corrections]
    lines = beside(everything, charged, corrections)
    assert total(charged) + total(lines) == total(everything)
    corrected = [line for line in lines if line.kind == "correction"]
    assert total(corrected) == total(corrections)


@given(LISTS, LISTS, st.data())
def test_their_order_changes_nothing(
    counted: list[Counted], charged: list[Counted], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(counted))
    assert beside(shuffled, charged, []) == beside(counted, charged, [])
