"""Bills whose periods overlap: no day has two bills, and none is lost where one can count."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.spend.told_rows import DAY, bill, call, cost_after

from clearbar.spend.reconciling.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from clearbar.spend.reconciling.told import Told

DAYS = 31
AMOUNTS = st.lists(st.integers(0, 900), min_size=DAYS, max_size=DAYS)


def part(usd: str, first: int, days: int, uri: str, **values: object) -> Told:
    """Return a line that begins so many days after the first."""
    given_ = {"source": "focus", **values}
    return bill(usd, key=first, day=DAY + timedelta(first), days=days, uri=uri, **given_)


def test_a_week_and_the_month_around_it_count_once() -> None:
    rows = part("300", 0, 30, "month.csv"), part("70", 7, 7, "week.csv")
    assert cost_after(*rows) == 300


def test_weeks_that_cross_the_month_give_way_where_the_month_covers_more() -> None:
    weeks = [part("7", 7 * n, 7, "weeks.csv") for n in range(4)]
    rows = *weeks, part("35", 5, 30, "month.csv")
    assert cost_after(*rows) == 35
    rows = *weeks, part("9", 5, 9, "part.csv")
    assert cost_after(*rows) == 28


def test_two_unaligned_bills_of_one_length_count_once() -> None:
    rows = part("14", 0, 14, "first.csv"), part("14", 7, 14, "second.csv")
    assert cost_after(*rows) == 14


def test_a_bill_of_unknown_worth_gives_way_to_one_that_is_known_however_few_its_days() -> None:
    unknown = part("0", 0, 30, "in-euro.csv", unpriced_lines=1)
    assert cost_after(unknown, part("70", 7, 7, "week.csv")) == 70
    half_known = part("200", 0, 30, "in-euro.csv", unpriced_lines=1)
    assert cost_after(half_known, part("70", 7, 7, "week.csv")) == 200


def test_a_bill_of_unknown_worth_that_is_the_only_one_counts() -> None:
    found = reconcile([part("0", 0, 30, "in-euro.csv", unpriced_lines=1)])
    assert [row.unpriced_lines for row in found.bills] == [1]


def test_bills_that_meet_add_up() -> None:
    rows = part("14", 0, 14, "first.csv"), part("16", 14, 16, "second.csv")
    assert cost_after(*rows) == 30


def test_what_gives_way_names_both_files_and_the_days_that_are_left() -> None:
    rows = part("300", 0, 30, "month.csv"), part("70", 28, 7, "week.csv")
    [found] = reconcile(rows).duplicates
    assert (found.files, found.counted_files) == (("week.csv",), ("month.csv",))
    assert found.uncovered == ((DAY + timedelta(30), DAY + timedelta(35)),)
    assert found.cost_usd == 70


def test_days_that_are_left_are_worth_what_was_logged() -> None:
    logged = call("12", day=DAY + timedelta(31))
    rows = part("300", 0, 30, "month.csv"), part("70", 28, 7, "week.csv"), logged
    assert cost_after(*rows) == 312


def test_a_source_that_covers_the_rest_completes_another() -> None:
    daily = [part("1", n, 1, "days.csv", source="aws_cur") for n in range(20)]
    rows = *daily, part("15", 15, 15, "rest.csv")
    assert cost_after(*rows) == 15 + 15


def test_a_line_of_a_month_beside_the_days_of_its_file_adds_to_the_days_of_all_files() -> None:
    rows = [
        part("100", 0, 30, "first.csv"),
        part("1", 0, 1, "first.csv"),
        part("2", 1, 1, "second.csv"),
    ]
    assert cost_after(*rows) == 103


def test_the_short_week_at_the_end_makes_no_export_of_weeks_and_days() -> None:
    weeks = [part("7", 0, 7, "weeks.csv"), part("1", 7, 1, "weeks.csv")]
    days = [part("1", n, 1, "days.csv") for n in range(7)]
    assert cost_after(*weeks, *days) == 8


def test_parts_of_one_export_add_up() -> None:
    rows = part("10", 0, 30, "part-1.csv"), part("20", 0, 30, "part-2.csv", model="gpt-5")
    assert cost_after(*rows) == 30


def test_parts_of_one_export_stay_together_beside_an_unaligned_bill() -> None:
    rows = [
        part("10", 0, 15, "part-1.csv"),
        part("20", 0, 15, "part-2.csv", model="gpt-5"),
        part("15", 8, 15, "other.csv"),
    ]
    assert cost_after(*rows) == 30


def test_tax_of_a_bill_that_gives_way_counts_where_no_other_has_any() -> None:
    rows = [
        part("300", 0, 30, "month.csv"),
        part("30", 0, 30, "month.csv", category="tax"),
        part("70", 7, 7, "week.csv"),
        part("7", 7, 7, "week.csv", category="tax"),
        part("-5", 8, 1, "week.csv", category="credit"),
    ]
    assert cost_after(*rows) == 300 + 30 - 5
    assert sorted(each.cost_usd for each in reconcile(rows).duplicates) == [7, 70]


@st.composite
def cuts(draw: st.DrawFn) -> tuple[list[Decimal], list[list[tuple[int, int]]], list[Told]]:
    """Return a true month by the day, the spans of each file, and the lines that a ledger holds.

    Lines of one source and one span are one, as their identity is.
    """
    truth = [Decimal(cents) / 100 for cents in draw(AMOUNTS)]
    files: list[list[tuple[int, int]]] = []
    lines: dict[tuple[str, int, int], Told] = {}
    for number in range(draw(st.integers(1, 4))):
        source = draw(st.sampled_from(["focus", "aws_cur", "gcp_billing"]))
        first, step = draw(st.integers(0, 20)), draw(st.sampled_from([1, 2, 7, 10, 14, 30, DAYS]))
        spans = list(_spans(first, draw(st.integers(first + 1, DAYS)), step))
        files.append(spans)
        for start, end in spans:
            usd = str(sum(truth[start:end]))
            row = part(usd, start, end - start, f"{number}.csv", source=source)
            lines.setdefault((source, start, end), row)
    return truth, files, list(lines.values())


def _spans(first: int, until: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(first, until, step):
        yield start, min(start + step, until)


@given(cuts())
def test_no_cut_of_a_month_into_bills_is_worth_more_than_the_month(
    cut: tuple[list[Decimal], list[list[tuple[int, int]]], list[Told]],
) -> None:
    truth, files, rows = cut
    found = cost_after(*rows)
    assert found <= sum(truth)
    if any(spans[0][0] == 0 and spans[-1][1] == DAYS for spans in files):
        assert found == sum(truth)


@given(cuts(), st.lists(st.integers(0, 900), min_size=DAYS, max_size=DAYS), st.randoms())
def test_every_day_is_worth_its_bill_or_what_was_logged(
    cut: tuple[list[Decimal], list[list[tuple[int, int]]], list[Told]],
    logged: list[int],
    order: Random,
) -> None:
    truth, _, rows = cut
    calls = [
        call(str(Decimal(cents) / 100), key=100 + n, day=DAY + timedelta(n))
        for n, cents in enumerate(logged)
    ]
    found = reconcile([*rows, *calls])
    covered = {(each.day - DAY).days + n for each in found.billed for n in range(each.days)}
    expected = sum(truth[n] if n in covered else calls[n].usage.cost_usd for n in range(DAYS))
    assert cost_after(*rows, *calls) == expected
    mixed = [*rows, *calls]
    order.shuffle(mixed)
    assert reconcile(mixed).lines == found.lines
    assert reconcile(mixed).duplicates == found.duplicates
