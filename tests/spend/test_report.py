"""Spend by a dimension: rows that add up to the total, dearest first."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.ledger_cases import append
from tests.spend.record_makers import NOON_US, ORIGIN, record

from clearbar.core.errors import UnknownName
from clearbar.core.period import ALL
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.charge import Origin, label_text
from clearbar.spend.reading import LedgerReading
from clearbar.spend.report import (
    BY,
    UNNAMED,
    SpendReport,
    dearest_charges,
    dearest_first,
    key_of,
    report_json,
    spend_report,
    total_of,
)
from clearbar.spend.usage import Usage, UsageRow

if TYPE_CHECKING:
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

DAY_US = 86_400_000_000
LEGAL = Origin(
    source="litellm",
    provider="anthropic",
    model="claude-sonnet-4-5",
    team="legal",
    labels=label_text({"env": "live", "ticket": "A-1"}),
)
UNKNOWN = Origin(source="litellm", provider="acme", model="acme-7")
SUMS = {
    "calls",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "cost_usd",
    "calls_billed",
    "calls_priced",
    "calls_estimated",
    "calls_unpriced",
}


def report(ledger: Ledger, by: str) -> SpendReport:
    reading = LedgerReading(ledger)
    names = {key: "letters" if o.team else UNATTRIBUTED for key, o in reading.origins.items()}
    return spend_report(reading, ALL, by, names, UNATTRIBUTED, 7)


@pytest.fixture
def filled(ledger: Ledger, book: PriceBook) -> Ledger:
    records = [
        record("upstream:msg_1", LEGAL, output_tokens=1_000),
        record("upstream:msg_2", LEGAL, started_at_us=NOON_US - DAY_US),
        record("upstream:msg_3"),
        record("upstream:msg_4", UNKNOWN),
    ]
    append(ledger, book, records)
    return ledger


@pytest.mark.parametrize("by", [*BY, "label:env", "label:nothing"])
def test_the_rows_add_up_to_the_total(filled: Ledger, by: str) -> None:
    found = report(filled, by)
    assert total_of(row.usage for row in found.rows) == found.total
    assert found.total.calls == 4


def test_the_dearest_row_comes_first(filled: Ledger) -> None:
    assert [row.key for row in report(filled, "team").rows] == ["legal", UNNAMED]


def test_days_come_in_their_order(filled: Ledger) -> None:
    assert [row.key for row in report(filled, "day").rows] == ["2026-09-20", "2026-09-21"]


def test_what_no_rule_takes_is_a_row_and_a_sum(filled: Ledger) -> None:
    found = report(filled, "workflow")
    [row] = [row for row in found.rows if row.key == UNATTRIBUTED]
    assert row.usage == found.unattributed
    assert found.unattributed.calls == 2


def test_calls_without_a_price_are_counted_beside_the_cost(filled: Ledger) -> None:
    found = report(filled, "provider")
    rows = {row.key: row.usage for row in found.rows}
    assert (rows["acme"].calls_unpriced, rows["acme"].cost_usd) == (1, Decimal(0))
    assert found.total.calls_unpriced == 1


def test_the_values_of_one_label_are_the_rows(filled: Ledger) -> None:
    assert {row.key for row in report(filled, "label:env").rows} == {"live", UNNAMED}


def test_all_labels_of_an_origin_are_one_row(filled: Ledger) -> None:
    assert report(filled, "label").rows[0].key == "env=live, ticket=A-1"


def test_a_dimension_that_does_not_exist_names_the_nearest(filled: Ledger) -> None:
    with pytest.raises(UnknownName, match='Did you mean "model"') as caught:
        report(filled, "modle")
    assert "provider" in caught.value.hint


def test_an_unknown_dimension_is_refused_even_while_there_is_nothing_to_show(
    ledger: Ledger,
) -> None:
    with pytest.raises(UnknownName):
        report(ledger, "modle")


def test_a_dimension_that_was_not_reported_is_said_to_be_so() -> None:
    assert key_of(ORIGIN, "team") == UNNAMED


def test_the_dearest_charges_are_listed_with_their_ids(filled: Ledger) -> None:
    [first, *rest] = dearest_charges(LedgerReading(filled), ALL, 2)
    assert (first["cost_usd"], first["basis"], first["day"]) == ("0.0153", "priced", "2026-09-21")
    assert len(rest) == 1


def test_a_charge_without_a_price_is_not_among_the_dearest(filled: Ledger) -> None:
    assert len(dearest_charges(LedgerReading(filled), ALL)) == 3


def test_an_empty_ledger_has_no_dearest_charges(ledger: Ledger) -> None:
    assert dearest_charges(LedgerReading(ledger), ALL) == []


def test_rows_of_one_key_are_summed_and_empty_ones_left_out() -> None:
    rows = dearest_first([("a", Usage(calls=1)), ("b", Usage()), ("a", Usage(calls=2))])
    assert rows == (UsageRow("a", Usage(calls=3)),)


def test_of_equal_costs_the_row_with_more_calls_comes_first() -> None:
    rows = dearest_first([("a", Usage(calls=1)), ("b", Usage(calls=2)), ("c", Usage(calls=2))])
    assert [row.key for row in rows] == ["b", "c", "a"]


def json_of(ledger: Ledger) -> dict[str, Any]:
    return report_json(report(ledger, "team"))


def test_json_holds_the_documented_sums_in_every_place(filled: Ledger) -> None:
    found = json_of(filled)
    for sums in (found["total"], found["unattributed"], found["overlap"]):
        assert set(sums) == SUMS
    assert all(set(row) == SUMS | {"key"} for row in found["rows"])


def test_json_holds_money_as_exact_text(filled: Ledger) -> None:
    costs = [Decimal(row["cost_usd"]) for row in json_of(filled)["rows"]]
    assert sum(costs) == Decimal(json_of(filled)["total"]["cost_usd"]) == Decimal("0.0162")


def test_json_counts_what_is_in_no_sum(filled: Ledger) -> None:
    found = json_of(filled)
    assert (found["unpriced_calls"], found["quarantined_records"]) == (1, 7)
