"""Record files that an earlier version wrote are read as if they were of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import record

from clearbar.core.period import ALL
from clearbar.spend.repricing.reprice import reprice
from clearbar.spend.storage.folder import Manifest
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.verify import verify_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook

NEW = (
    "aliases",
    "reported_cost",
    "reported_currency",
    "charge_category",
    "commitment_status",
)


def make_older(path: Path) -> None:
    """Drop the columns that an earlier version did not have."""
    aside = path.with_suffix(".older")
    with duckdb.connect() as connection:
        kept = connection.read_parquet(str(path)).select(duckdb.StarExpression(exclude=NEW))
        kept.write_parquet(str(aside))
    aside.replace(path)


def said(path: Path, *columns: str) -> list[tuple[object, ...]]:
    """Return some columns of a file, in the order of its rows."""
    with duckdb.connect() as connection:
        return connection.read_parquet(str(path)).select(*columns).fetchall()


@pytest.fixture
def folder(tmp_path: Path, book: PriceBook) -> Path:
    """Return a ledger as an earlier version left it, with charges of two records."""
    ledger = Ledger(tmp_path / "old")
    append(ledger, book, [record(output_tokens=1), record(output_tokens=2)])
    append(ledger, book, [record("upstream:msg_2")], at=2)
    ledger.settle()
    for kind in ("records", "merged"):
        for path in (ledger.folder.path / kind).glob("*.parquet"):
            make_older(path)
    manifest = ledger.folder.manifest()
    ledger.folder.publish_manifest(Manifest(covers=manifest.covers, merged=manifest.merged))
    ledger.close()
    return ledger.folder.path


def test_the_charges_of_older_files_are_read(folder: Path) -> None:
    ledger = Ledger(folder)
    assert (total(ledger).calls, total(ledger).output_tokens) == (2, 12)
    ledger.close()


def test_older_files_take_newer_records_beside_them(folder: Path, book: PriceBook) -> None:
    ledger = Ledger(folder)
    append(ledger, book, [record(output_tokens=3), record("upstream:msg_3")], at=3)
    assert (total(ledger).calls, total(ledger).output_tokens) == (3, 23)
    ledger.close()


def test_an_older_ledger_is_sound(folder: Path) -> None:
    ledger = Ledger(folder)
    ledger.settle()
    assert verify_ledger(ledger) == []
    ledger.close()


def test_an_older_ledger_is_priced_again(folder: Path, book: PriceBook) -> None:
    ledger = Ledger(folder)
    assert reprice(ledger, book, ALL, 9) == 0
    ledger.close()


def test_records_of_before_say_what_they_meant(folder: Path) -> None:
    Ledger(folder).close()
    names = ("aliases", "charge_category", "commitment_status", "reported_cost")
    for path in (folder / "records").glob("*.parquet"):
        assert set(said(path, *names)) == {("", "usage", "", None)}


def test_rows_stay_in_their_order_while_somebody_reads_them(folder: Path) -> None:
    paths = list((folder / "records").glob("*.parquet"))
    before = [said(path, "digest") for path in paths]
    Ledger(folder).close()
    assert [said(path, "digest") for path in paths] == before


def test_a_file_that_an_older_process_still_writes_is_read_too(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [record()])
    ledger.settle()
    append(ledger, book, [record("upstream:msg_2")], at=2)
    [late] = ledger.folder.record_files().keys() - ledger.folder.manifest().covers
    make_older(ledger.folder.record_file(late))
    assert total(ledger).calls == 2


def test_a_ledger_of_today_is_not_looked_at_again(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record()])
    ledger.settle()
    [path] = ledger.folder.record_files().values()
    before = path.stat().st_ino
    Ledger(ledger.folder.path).close()
    assert path.stat().st_ino == before


def test_a_file_that_cannot_be_read_is_left_to_the_check(folder: Path) -> None:
    path = min((folder / "records").glob("*.parquet"))
    path.write_bytes(b"no such thing")
    ledger = Ledger(folder)
    assert any("cannot be read" in problem.what for problem in verify_ledger(ledger))
    ledger.close()
