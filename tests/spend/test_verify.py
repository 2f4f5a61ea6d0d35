"""`clearbar check` for the ledger: sound means that every number still stands on its records."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import record

from clearbar.core.errors import LedgerError
from clearbar.spend.storage.verify import verify_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger


@pytest.fixture
def sound(ledger: Ledger, book: PriceBook) -> Ledger:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=2)])
    append(ledger, book, [record("upstream:msg_2")], at=2)
    ledger.settle()
    return ledger


def only(folder: Path) -> Path:
    return min(folder.glob("*.parquet"))


def what(ledger: Ledger) -> str:
    """Return the one problem of a ledger."""
    [problem] = verify_ledger(ledger)
    assert problem.hint
    return problem.what


def rewrite(path: Path, select: str) -> None:
    """Replace a file by a selection from it, called `old`."""
    aside = path.with_suffix(".new")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE old AS FROM '{path}'")
        connection.execute(f"COPY ({select}) TO '{aside}' (FORMAT parquet)")
    aside.replace(path)


def test_a_credit_on_a_bill_is_sound(ledger: Ledger, book: PriceBook) -> None:
    credit: dict[str, Any] = {
        "grain": "bill",
        "calls": 0,
        "reported_basis": "billed",
        "evidence": "provider",
    }
    amount: dict[str, Any] = {"reported_cost_usd": Decimal("-1.5"), "charge_category": "credit"}
    append(ledger, book, [record("bucket:1", **credit, **amount)])
    assert verify_ledger(ledger) == []


def test_an_empty_ledger_is_sound(ledger: Ledger) -> None:
    assert verify_ledger(ledger) == []


def test_a_ledger_as_it_was_written_is_sound(sound: Ledger) -> None:
    assert verify_ledger(sound) == []


def test_a_record_file_that_is_gone_is_missed(sound: Ledger) -> None:
    path = only(sound.folder.path / "records")
    path.unlink()
    assert what(sound) == f"{path} is missing"


@pytest.mark.parametrize("folder", ["records", "merged"])
def test_a_file_that_was_cut_short_is_found(sound: Ledger, folder: str) -> None:
    path = only(sound.folder.path / folder)
    path.write_bytes(path.read_bytes()[:-9])
    assert "cannot be read" in what(sound)


@pytest.mark.parametrize("folder", ["records", "merged"])
def test_a_file_that_is_no_parquet_is_found(sound: Ledger, folder: str) -> None:
    only(sound.folder.path / folder).write_bytes(b"no such thing")
    assert "cannot be read" in what(sound)


def test_damage_in_the_middle_of_a_file_is_found(sound: Ledger) -> None:
    path = only(sound.folder.path / "records")
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 2] = b"\xff" * (
        len(content) // 2 - len(content) // 4
    )
    path.write_bytes(content)
    assert verify_ledger(sound)


def test_charges_are_merged_anew_where_the_merged_file_is_gone(sound: Ledger) -> None:
    before = total(sound)
    only(sound.folder.path / "merged").unlink()
    assert total(sound) == before


def test_a_sum_without_its_origins_is_refused(sound: Ledger) -> None:
    for path in sound.folder.origin_files().values():
        path.unlink()
    with pytest.raises(LedgerError, match="is missing"):
        total(sound)


def test_a_merged_file_that_is_gone_is_missed(sound: Ledger) -> None:
    only(sound.folder.path / "merged").unlink()
    assert "cannot be read" in what(sound)


def test_after_the_named_way_out_a_merged_file_is_there_again(sound: Ledger) -> None:
    before = total(sound)
    only(sound.folder.path / "merged").unlink()
    (sound.folder.path / "manifest.json").unlink()
    assert total(sound) == before
    assert verify_ledger(sound) == []


def test_a_damaged_manifest_is_found(sound: Ledger) -> None:
    (sound.folder.path / "manifest.json").write_text("{")
    assert "manifest.json is damaged" in what(sound)


def test_a_missing_origin_is_found(sound: Ledger) -> None:
    for path in (sound.folder.path / "origins").iterdir():
        path.unlink()
    assert "is missing" in what(sound)


def test_an_altered_origin_is_found(sound: Ledger) -> None:
    for path in (sound.folder.path / "origins").iterdir():
        rewrite(path, "SELECT * REPLACE ('other-team' AS team) FROM old")
    assert "is altered" in what(sound)


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("SELECT * EXCLUDE line FROM old", "other columns"),
        ("SELECT * REPLACE ('ff' AS charge_id) FROM old", "an id that is not its identity's"),
        ("SELECT * REPLACE ('guessed' AS basis) FROM old", "a basis that does not exist"),
        ("SELECT * REPLACE ('unpriced' AS basis) FROM old", "a cost where it is unpriced"),
        ("SELECT * REPLACE (-1::BIGINT AS cache_read_tokens) FROM old", "a negative quantity"),
        ("SELECT * REPLACE (-cost_usd AS cost_usd) FROM old", "a negative cost that no bill says"),
    ],
)
def test_an_altered_record_is_found(sound: Ledger, select: str, said: str) -> None:
    rewrite(only(sound.folder.path / "records"), select)
    assert said in what(sound)
