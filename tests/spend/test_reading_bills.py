"""Bills in a ledger: every view sums to the bill, and calls keep their cost and their workflow."""

from __future__ import annotations

import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import NOON_US, record

from clearbar.core.errors import LedgerError
from clearbar.core.period import ALL, Period
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.charge import Origin
from clearbar.spend.reading import LedgerReading
from clearbar.spend.reconciling.closed import Closed, Fixed
from clearbar.spend.reconciling.told import LINE_NAMES, RESIDUAL
from clearbar.spend.report import BY, report_json, spend_report, total_of
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.verify import verify_ledger
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    import random

    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.report import SpendReport

DAY_US = 86_400_000_000
MIDNIGHT_US = NOON_US // DAY_US * DAY_US
DAY = date(2026, 9, 21)
CALL = Origin(source="otlp", provider="acme", model="acme-1", team="legal")
BILL = Origin(source="acme_costs", provider="acme", account="org-1")


def call(identity: str, usd: str, origin: Origin = CALL, **values: Any) -> Record:
    return record(identity, origin, reported_cost_usd=Decimal(usd), **values)


def bill(identity: str, usd: str | None, origin: Origin = BILL, **values: Any) -> Record:
    given = {
        "evidence": "provider",
        "grain": "bill",
        "calls": 0,
        "started_at_us": MIDNIGHT_US,
        "ended_at_us": MIDNIGHT_US + DAY_US,
        "reported_cost_usd": None if usd is None else Decimal(usd),
        "reported_basis": "billed",
        "input_tokens": None,
        "output_tokens": None,
    }
    return record(identity, origin, **{**given, **values})


def report(ledger: Ledger, by: str, period: Period = ALL) -> SpendReport:
    reading = LedgerReading(ledger)
    names = {key: o.team or UNATTRIBUTED for key, o in reading.origins.items()}
    return spend_report(reading, period, by, names, UNATTRIBUTED, 0)


def costs(ledger: Ledger, by: str, period: Period = ALL) -> dict[str, Decimal]:
    return {row.key: row.usage.cost_usd for row in report(ledger, by, period).rows}


@pytest.fixture
def filled(ledger: Ledger, book: PriceBook) -> Ledger:
    records = [
        call("upstream:gen-1", "4"),
        call("upstream:gen-2", "3", Origin("otlp", "acme", "acme-2", team="support")),
        call("upstream:gen-3", "5", started_at_us=NOON_US - DAY_US),
        bill("bill:1", "7.5"),
        bill("bill:2", "1", started_at_us=MIDNIGHT_US + 0, charge_category="tax"),
        bill("bill:3", "-2", charge_category="credit"),
    ]
    append(ledger, book, records)
    return ledger


@pytest.mark.parametrize("by", [*BY, "label:env"])
def test_the_rows_of_every_view_add_up_to_the_total(filled: Ledger, by: str) -> None:
    found = report(filled, by)
    assert total_of(row.usage for row in found.rows) == found.total
    assert found.total.cost_usd == Decimal("11.5")
    assert found.total.calls == 3


def test_workflows_keep_what_was_logged_and_the_rest_is_a_row_of_its_own(filled: Ledger) -> None:
    assert costs(filled, "workflow") == {
        "legal": 9,
        "support": 3,
        "(tax)": 1,
        "(billed, not logged)": Decimal("0.5"),
        "(credits)": -2,
    }


def test_an_account_with_a_bill_is_worth_the_bill(filled: Ledger) -> None:
    assert costs(filled, "account", Period(DAY, date(2026, 9, 22))) == {
        "org-1": Decimal("6.5"),
        "(none)": 0,
    }


def test_what_no_call_tells_of_is_listed(filled: Ledger) -> None:
    found = report_json(report(filled, "workflow"))
    assert found["residual"]["cost_usd"] == "0.5"
    lines = [(each["name"], each["account"], each["cost_usd"]) for each in found["lines"]]
    assert sorted(lines) == [
        ("(billed, not logged)", "", "-7"),
        ("(billed, not logged)", "org-1", "7.5"),
        ("(credits)", "org-1", "-2"),
        ("(tax)", "org-1", "1"),
    ]


def test_lines_are_nobodys_whatever_the_rules_say(filled: Ledger) -> None:
    reading = LedgerReading(filled)
    lines = {key for key, origin in reading.origins.items() if origin.source in LINE_NAMES}
    assert {reading.fixed[key][0] for key in lines} == {""}
    assert reading.fixed.keys() == lines


def test_the_finest_sums_add_up_to_the_others(filled: Ledger) -> None:
    reading = LedgerReading(filled)
    finest = reading.by_origin_and_day(ALL)
    assert total_of(finest.values()) == total(filled)
    days = {day for _, day in finest}
    for day in days:
        parts = total_of(usage for (_, each), usage in finest.items() if each == day)
        assert parts == reading.by_day(ALL)[day]


def test_a_line_of_a_bill_of_several_days_is_a_row_beside_its_days(
    ledger: Ledger, book: PriceBook
) -> None:
    monthly = bill("bill:1", "10", ended_at_us=MIDNIGHT_US + 30 * DAY_US)
    append(ledger, book, [call("upstream:gen-1", "4"), monthly])
    assert costs(ledger, "day") == {
        "2026-09-21": 0,
        "2026-09-21..2026-10-21 (billed, not logged)": 10,
    }


def test_a_line_of_a_bill_over_the_new_year_is_of_its_days(ledger: Ledger, book: PriceBook) -> None:
    first = int((date(2026, 12, 30) - date(1970, 1, 1)).days) * DAY_US
    line = bill("bill:1", "10", started_at_us=first, ended_at_us=first + 5 * DAY_US)
    append(ledger, book, [line])
    [found] = [each for each in LedgerReading(ledger).told(ALL) if each.grain == "bill"]
    assert (found.day, found.days) == (date(2026, 12, 30), 5)


def test_a_line_that_says_it_is_of_centuries_is_of_its_day(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [bill("bill:1", "10", ended_at_us=MIDNIGHT_US + 90_000 * DAY_US)])
    assert costs(ledger, "day") == {"2026-09-21": 10}


def test_a_bill_read_twice_counts_once(filled: Ledger, book: PriceBook) -> None:
    before = total(filled)
    append(filled, book, [bill("bill:1", "7.5")], at=2, uri="copy")
    assert total(filled) == before


def test_a_line_that_was_pulled_again_replaces_the_one_before(
    filled: Ledger, book: PriceBook
) -> None:
    append(filled, book, [bill("bill:1", "8", final=2)], at=2, uri="again")
    assert costs(filled, "account")["org-1"] == 7


def test_lines_of_unknown_worth_are_counted_beside_the_cost(
    filled: Ledger, book: PriceBook
) -> None:
    line = bill("bill:9", None, reported_cost=Decimal(9), reported_currency="XTS")
    append(filled, book, [line], at=2)
    found = report(filled, "workflow")
    assert found.unpriced_lines == 1
    assert found.total.cost_usd == Decimal("11.5")


def test_a_ledger_of_calls_alone_asks_nothing_more(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [call("upstream:gen-1", "4")])
    found = LedgerReading(ledger)
    assert found.reconciled.lines == ()
    assert found._told == []


def test_an_empty_ledger_has_nothing_to_reconcile(ledger: Ledger) -> None:
    found = LedgerReading(ledger)
    assert (found.told(ALL), found.lines(ALL), found.overlap(ALL)) == ([], [], Usage())
    assert found.by_workflow_and_day(ALL, {}) == {}


def test_calls_that_reached_no_provider_explain_no_aggregate(
    ledger: Ledger, book: PriceBook
) -> None:
    whole = record(
        "bucket:1",
        Origin("acme_usage", "acme", "acme-1"),
        evidence="provider",
        grain="bucket",
        calls=5,
        started_at_us=MIDNIGHT_US,
        ended_at_us=MIDNIGHT_US + DAY_US,
        input_tokens=500,
    )
    cached = call("upstream:gen-1", "0", status="cache_hit", input_tokens=100)
    failed = call("upstream:gen-2", "0", status="error", input_tokens=None, output_tokens=None)
    append(ledger, book, [whole, cached, failed])
    assert total(ledger).calls == 7


def test_a_credit_of_a_bill_is_sound(filled: Ledger) -> None:
    assert verify_ledger(filled) == []


def test_an_aggregate_of_an_origin_that_is_gone_is_an_error(filled: Ledger) -> None:
    for path in filled.folder.origin_files().values():
        path.unlink()
    with pytest.raises(LedgerError, match="is missing"):
        LedgerReading(filled)


def test_a_closed_month_keeps_what_it_counted_once_and_its_lines(
    ledger: Ledger, book: PriceBook
) -> None:
    times = {"started_at_us": MIDNIGHT_US, "ended_at_us": MIDNIGHT_US + DAY_US}
    told: dict[str, Any] = {"evidence": "provider", "grain": "bucket", "calls": 3, **times}
    records = [call("upstream:gen-1", "4"), call("bucket:1", "6", **told), bill("bill:1", "7")]
    append(ledger, book, records)
    before = LedgerReading(ledger)
    month = Period(date(2026, 9, 1), date(2026, 10, 1))
    rows = tuple(
        Fixed(before.origins[key], "", day, usage)
        for (key, day), usage in before.by_origin_and_day(month).items()
    )
    closed = Closed((month,), rows, (), tuple(before.overlaps().items()))
    after = LedgerReading(ledger, closed)
    assert after.overlaps() == {}
    assert (after.overlap(ALL), after.by_day(ALL)) == (before.overlap(ALL), before.by_day(ALL))
    assert sorted(map(repr, after.lines(ALL))) == sorted(map(repr, before.lines(ALL)))
    assert set(after.fixed) == set(after.by_origin(ALL))


def test_a_line_of_a_bill_is_nobodys_first_day(filled: Ledger, book: PriceBook) -> None:
    append(ledger := filled, book, [bill("bill:old", "1", started_at_us=NOON_US - 99 * DAY_US)])
    reading = LedgerReading(ledger)
    first = {reading.origins[key].source for key in reading.first_days()}
    assert first == {"otlp"}


def test_the_residual_is_in_no_list_of_dearest_charges(filled: Ledger) -> None:
    sources = {key: origin.source for key, origin in LedgerReading(filled).origins.items()}
    found = LedgerReading(filled).dearest(ALL, 10)
    assert RESIDUAL not in {sources[key] for _, key, *_ in found}
    assert len(found) == 3


@st.composite
def told_in_files(draw: st.DrawFn) -> list[Record]:
    """Return calls, aggregates and lines of bills of a few days and accounts."""
    records = []
    for number in range(draw(st.integers(1, 8))):
        origin = Origin(
            source="otlp",
            provider="acme",
            model="acme-1",
            account=draw(st.sampled_from(["", "a", "b"])),
            team=draw(st.sampled_from(["", "legal"])),
        )
        usd = f"{draw(st.integers(0, 900))}e-2"
        start = MIDNIGHT_US + draw(st.integers(0, 2)) * DAY_US
        kind = draw(st.sampled_from(["call", "bucket", "bill"]))
        if kind == "call":
            made = call(f"upstream:gen-{number}", usd, origin, started_at_us=start)
        elif kind == "bill":
            end = start + draw(st.sampled_from([1, 3])) * DAY_US
            made = bill(f"bill:{number}", usd, origin, started_at_us=start, ended_at_us=end)
        else:
            width = {"started_at_us": start, "ended_at_us": start + DAY_US}
            told: dict[str, Any] = {"evidence": "provider", "grain": "bucket", "calls": 3, **width}
            made = call(f"bucket:{number}", usd, origin, **told)
        records.append(made)
    return records


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(told_in_files(), st.randoms(use_true_random=False))
def test_order_splitting_and_repetition_of_files_change_no_sum(
    book: PriceBook, records: list[Record], order: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        straight, mixed = Ledger(Path(one)), Ledger(Path(other))
        append(straight, book, records)
        shuffled = records + records[: len(records) // 2]
        order.shuffle(shuffled)
        for at, cut in enumerate((shuffled[:3], shuffled[3:]), 2):
            append(mixed, book, cut, at=at)
        here, there = LedgerReading(straight), LedgerReading(mixed)
        assert here.by_origin_and_day(ALL) == there.by_origin_and_day(ALL)
        assert here.overlaps() == there.overlaps()
        assert here.lines(ALL) == there.lines(ALL)
        straight.close()
        mixed.close()
