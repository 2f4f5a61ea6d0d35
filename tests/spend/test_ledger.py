"""The ledger: a charge is counted once, whoever tells of it, however often, in any order."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import NOON_US, ORIGIN, record

from clearbar.core.errors import LedgerError, UnknownName
from clearbar.core.period import ALL, Period
from clearbar.spend.charge import Origin, charge_id, label_text
from clearbar.spend.reading import LedgerReading
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook

TRACE = Origin(source="otlp", provider="anthropic", model="claude-sonnet-4-5", workflow="letters")
GATEWAY = Origin(source="litellm", provider="anthropic", model="claude-sonnet-4-5", team="legal")
DAY_US = 86_400_000_000


def test_an_empty_ledger_sums_to_nothing(ledger: Ledger) -> None:
    assert total(ledger).calls == 0


def test_a_record_becomes_a_priced_charge(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record(input_tokens=1_000, output_tokens=100)])
    assert total(ledger).cost_usd == Decimal("0.0045")  # $3 and $15 a million


def test_the_same_records_twice_add_nothing(ledger: Ledger, book: PriceBook) -> None:
    records = [record(f"upstream:msg_{n}") for n in range(5)]
    append(ledger, book, records)
    assert append(ledger, book, records, at=2, uri="copy") == 5
    assert total(ledger).calls == 5


def test_a_fuller_reading_of_an_aggregate_replaces_the_earlier_one(
    ledger: Ledger, book: PriceBook
) -> None:
    day: dict[str, Any] = {"evidence": "provider", "grain": "bucket", "digest": ""}
    append(ledger, book, [record("bucket:1", calls=3, final=3, output_tokens=30, **day)])
    append(ledger, book, [record("bucket:1", calls=9, final=9, output_tokens=90, **day)], at=2)
    assert (total(ledger).calls, total(ledger).output_tokens) == (9, 90)


def test_a_stream_that_its_provider_log_saw_cut_is_what_the_gateway_saw_whole(
    ledger: Ledger, book: PriceBook
) -> None:
    answers = Origin(source="anthropic_answers", provider="anthropic", model="claude-sonnet-4-5")
    cut = record(origin=answers, evidence="provider", usage="partial", output_tokens=1)
    append(ledger, book, [cut, record(origin=GATEWAY, output_tokens=500)])
    assert total(ledger).output_tokens == 500


def test_a_stream_that_a_gateway_saw_cut_is_not_what_an_agents_log_saw_begin(
    ledger: Ledger, book: PriceBook
) -> None:
    agent = Origin(source="claude_code", provider="anthropic", model="claude-sonnet-4-5")
    begun = record(origin=agent, evidence="client", output_tokens=1)
    append(ledger, book, [record(usage="partial", output_tokens=300), begun])
    assert total(ledger).output_tokens == 300


def test_records_already_known_make_no_file(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record()])
    append(ledger, book, [record()], at=2)
    assert len(ledger.folder.record_files()) == 1


def test_two_records_of_one_charge_count_once(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=159)])
    assert (total(ledger).calls, total(ledger).output_tokens) == (1, 159)


def test_the_whole_record_with_most_output_wins_never_a_maximum_per_field(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [record(input_tokens=900, output_tokens=1), record(output_tokens=2)])
    assert (total(ledger).input_tokens, total(ledger).output_tokens) == (100, 2)


def test_a_final_record_beats_one_with_more_output(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record(output_tokens=999), record(output_tokens=5, final=3)])
    assert total(ledger).output_tokens == 5


def test_the_gateways_quantities_win_over_the_traces(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record(origin=TRACE, evidence="trace", output_tokens=999, final=3)])
    append(ledger, book, [record(origin=GATEWAY, evidence="gateway", output_tokens=7)], at=2)
    assert total(ledger).output_tokens == 7


def test_what_two_witnesses_know_of_one_charge_is_united(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record(origin=TRACE, evidence="trace")])
    append(ledger, book, [record(origin=GATEWAY)], at=2)
    reading = LedgerReading(ledger)
    [key] = reading.by_origin(ALL)
    origin = reading.origins[key]
    assert (origin.source, origin.team, origin.workflow) == ("litellm", "legal", "letters")


def test_labels_of_the_winner_stand_before_those_of_others(ledger: Ledger, book: PriceBook) -> None:
    one = Origin(source="litellm", labels=label_text({"ticket": "A-1", "env": "live"}))
    two = Origin(source="otlp", labels=label_text({"ticket": "B-2", "step": "draft"}))
    append(ledger, book, [record(origin=two, evidence="trace"), record(origin=one)])
    reading = LedgerReading(ledger)
    [key] = reading.by_origin(ALL)
    assert reading.origins[key].labels == "|env=live|step=draft|ticket=A-1|"


def test_a_charge_begins_when_its_earliest_record_says(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record(output_tokens=99), record(started_at_us=NOON_US - DAY_US)])
    assert list(LedgerReading(ledger).by_day(ALL)) == [date(2026, 9, 20)]


def test_what_has_no_price_is_unpriced_and_not_zero(ledger: Ledger, book: PriceBook) -> None:
    unknown = Origin(source="litellm", provider="acme", model="acme-7")
    append(ledger, book, [record(origin=unknown)])
    assert (total(ledger).calls_unpriced, total(ledger).cost_usd) == (1, Decimal(0))


def test_a_period_takes_the_charges_of_its_days(ledger: Ledger, book: PriceBook) -> None:
    days = [record(f"upstream:msg_{n}", started_at_us=NOON_US + n * DAY_US) for n in range(4)]
    append(ledger, book, days)
    chosen = Period(date(2026, 9, 22), date(2026, 9, 24))
    assert sorted(LedgerReading(ledger).by_day(chosen)) == [date(2026, 9, 22), date(2026, 9, 23)]


def test_a_charge_is_found_by_the_beginning_of_its_id(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record()])
    whole = charge_id("upstream:msg_1")
    [found] = ledger.records_of(whole[:6])
    assert found["charge_id"] == whole


@pytest.mark.parametrize("prefix", ["", "abc", "ffffffff"])
def test_an_unknown_or_too_short_charge_id_is_refused(
    ledger: Ledger, book: PriceBook, prefix: str
) -> None:
    append(ledger, book, [record()])
    with pytest.raises(UnknownName):
        ledger.records_of(prefix)


def test_a_damaged_manifest_names_the_way_out(ledger: Ledger) -> None:
    (ledger.folder.path / "manifest.json").write_text("{")
    with pytest.raises(LedgerError) as caught:
        ledger.charges()
    assert "rebuilt" in caught.value.hint


def test_without_its_manifest_the_ledger_rebuilds_the_same_charges(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=2)])
    before = total(ledger)
    (ledger.folder.path / "manifest.json").unlink()
    assert total(ledger) == before


@st.composite
def told(draw: st.DrawFn) -> Record:
    return record(
        f"upstream:msg_{draw(st.integers(0, 3))}",
        origin=draw(st.sampled_from([TRACE, GATEWAY, ORIGIN])),
        evidence=draw(st.sampled_from(["client", "trace", "gateway", "provider"])),
        output_tokens=draw(st.integers(0, 3)),
        final=draw(st.integers(0, 1)),
        started_at_us=NOON_US + DAY_US * draw(st.integers(0, 2)),
    )


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(told(), min_size=1, max_size=12), st.integers(0, 2**32), st.integers(1, 4))
def test_order_and_overlap_of_files_change_nothing(
    book: PriceBook,
    tmp_path_factory: pytest.TempPathFactory,
    records: list[Record],
    seed: int,
    parts: int,
) -> None:
    straight = Ledger(tmp_path_factory.mktemp("straight"))
    append(straight, book, records)
    shuffled = Ledger(tmp_path_factory.mktemp("shuffled"))
    order = random.Random(seed)
    for part in range(parts):
        mixed = order.sample(records, len(records))
        whole = part == parts - 1
        append(shuffled, book, mixed if whole else mixed[:3], at=part + 2)
        if order.random() < 0.5:
            shuffled.settle()
    one, other = LedgerReading(straight), LedgerReading(shuffled)
    assert one.by_origin(ALL) == other.by_origin(ALL)
    assert one.by_day(ALL) == other.by_day(ALL)
    straight.close()
    shuffled.close()
