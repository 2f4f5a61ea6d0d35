"""Withdrawals: what a pull writes of lines that an API no longer tells of."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import Problem
from clearbar.spend.charge import Origin, Record
from clearbar.spend.files.source_file import SourceFile, open_source_file
from clearbar.spend.shapes.withdrawal import lines_of, record_of, withdrawn
from clearbar.spend.sources import SOURCES
from clearbar.spend.sources import withdrawn as source

if TYPE_CHECKING:
    from pathlib import Path

BILL = Record(
    identity="bucket:openai_costs:1",
    evidence="provider",
    origin=Origin("openai_costs", provider="openai", project="proj_1"),
    started_at_us=1_793_491_200_000_000,
    grain="bill",
    calls=0,
    reported_cost_usd=Decimal("0.06"),
    reported_basis="billed",
)
BUCKET = msgspec.structs.replace(
    BILL, identity="bucket:openai_usage:1", grain="bucket", calls=3, input_tokens=7, images=None
)


def written(folder: Path, *records: Record, more: bytes = b"") -> SourceFile:
    path = folder / "withdrawn.jsonl"
    path.write_bytes(lines_of(withdrawn(records, []), "20261120T120000000000") + more)
    return open_source_file(path)


def test_what_is_no_longer_told_costs_nothing() -> None:
    [gone] = withdrawn([BILL], [])
    assert (gone.identity, gone.reported_cost_usd, gone.calls) == (BILL.identity, Decimal(0), 0)


def test_a_quantity_that_was_told_is_none_now_and_one_that_was_not_stays_unknown() -> None:
    [gone] = withdrawn([BUCKET], [])
    assert (gone.input_tokens, gone.images) == (0, None)


def test_tokens_of_calls_that_nobody_counts_are_withdrawn() -> None:
    uncounted = msgspec.structs.replace(BUCKET, calls=0, reported_cost_usd=None)
    [gone] = withdrawn([uncounted], [])
    assert gone.input_tokens == 0
    assert withdrawn([uncounted, gone], []) == []


def test_what_is_still_told_is_not_withdrawn() -> None:
    assert withdrawn([BILL], [BILL]) == []


def test_what_was_withdrawn_is_not_withdrawn_again() -> None:
    [gone] = withdrawn([BILL], [])
    assert withdrawn([BILL, gone], []) == []


def test_what_was_told_again_after_it_was_withdrawn_can_be_withdrawn_again() -> None:
    [gone] = withdrawn([BILL], [])
    assert len(withdrawn([BILL, gone, BILL], [])) == 1


def test_a_file_of_withdrawals_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    file = written(tmp_path, BILL)
    assert [each.NAME for each in SOURCES if each.recognises(file)] == ["withdrawn"]


def test_a_record_names_the_line_that_withdraws_it(tmp_path: Path) -> None:
    _, second = source.read(written(tmp_path, BILL, BUCKET))
    assert isinstance(second, Record)
    assert (second.line, second.identity) == (2, BUCKET.identity)


def test_a_line_that_is_none_is_kept_with_a_reason(tmp_path: Path) -> None:
    *_, bad = source.read(written(tmp_path, BILL, more=b"{broken\n"))
    assert bad == Problem("not a withdrawal", "pull these days again", 2)


RECORDS = st.lists(st.sampled_from([BILL, BUCKET, *withdrawn([BILL, BUCKET], [])]), max_size=6)


@given(RECORDS, RECORDS)
def test_after_it_the_last_word_on_every_line_is_what_the_api_tells(
    before: list[Record], now: list[Record]
) -> None:
    last = {record.identity: record for record in [*before, *withdrawn(before, now), *now]}
    counting = {key for key, record in last.items() if record.calls or record.reported_cost_usd}
    assert counting <= {record.identity for record in now}


@given(st.sampled_from([BILL, BUCKET]), st.integers(0, 10**17), st.text(min_size=1, max_size=20))
def test_a_line_says_again_what_was_withdrawn(record: Record, started: int, key: str) -> None:
    told = msgspec.structs.replace(record, started_at_us=started, identity=key)
    [gone] = withdrawn([told], [])
    line = lines_of([gone], "20261120T120000000000").rstrip(b"\n")
    assert msgspec.structs.replace(record_of(line), digest="") == gone


def test_a_line_that_counts_is_no_withdrawal() -> None:
    with pytest.raises(msgspec.ValidationError, match="no withdrawal"):
        record_of(lines_of([BILL], "20261120T120000000000").rstrip(b"\n"))
