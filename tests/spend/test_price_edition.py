"""An edition of the price book is kept with its rules, so that its prices can be made again."""

from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import record
from tests.spend.staged import price_one

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.core.period import ALL
from clearbar.spend.prices.agreements import Agreements, CurrencyRate, Plan, SelfHosted
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.price_edition import editions, read_edition
from clearbar.spend.prices.price_override import PriceOverride
from clearbar.spend.repricing.reprice import reprice

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.storage.ledger import Ledger

HALF = PriceOverride(
    "*", "*", date(2026, 1, 1), discount=Decimal("0.5"), only=(("team", "search"),), name=""
)
AGREED = Agreements(
    currencies=(CurrencyRate("EUR", Decimal("1.0873"), date(2026, 7, 1)),),
    plans=(Plan(name="seats", provider="x", start=date(2026, 1, 1), usd_per_month=Decimal(20)),),
    self_hosted=(
        SelfHosted(
            name="llama",
            model="llama-*",
            usd_per_gpu_hour=Decimal("3.13"),
            gpus=1,
            input_tokens_per_second=Decimal(850),
            output_tokens_per_second=Decimal(850),
            utilisation=Decimal("0.3"),
        ),
    ),
)


@pytest.fixture
def folder(tmp_path: Path, book: PriceBook) -> Path:
    """Return a folder of prices of its own, with the file of rates and no editions."""
    shutil.copy(book.path, tmp_path / book.path.name)
    return tmp_path


def test_an_edition_that_was_kept_says_all_that_its_prices_follow_from(folder: Path) -> None:
    made = PriceBook.open(folder, [HALF], AGREED)
    [kept] = editions(folder)
    assert (kept.version, kept.overrides, kept.agreements) == (made.version, (HALF,), AGREED)


def test_opening_a_book_again_keeps_no_second_edition(folder: Path) -> None:
    for _ in range(2):
        PriceBook.open(folder, [HALF])
    assert len(editions(folder)) == 1


def test_a_kept_edition_prices_as_it_did_whatever_is_declared_now(folder: Path) -> None:
    before = PriceBook.open(folder, (), AGREED)
    PriceBook.open(folder, [HALF])
    again = PriceBook.edition(before.version, folder, folder, [HALF])
    fields = {"provider": "vllm", "model": "llama-3", "input_tokens": 10**6}
    assert price_one(again, None, **fields) == price_one(before, None, **fields)


@pytest.mark.parametrize("part", ["version", "digest", "file", "first letters"])
def test_an_edition_is_found_by_any_name_that_only_it_has(folder: Path, part: str) -> None:
    made = PriceBook.open(folder, [HALF])
    PriceBook.open(folder, (), AGREED)
    digest = made.version.rpartition("+")[2]
    names = {
        "version": made.version,
        "digest": digest,
        "file": f"{made.path.stem}.{digest}.json",
        "first letters": digest[:6],
    }
    assert PriceBook.edition(names[part], folder, folder).version == made.version


def test_a_folder_with_one_edition_is_enough_of_a_name(folder: Path, tmp_path: Path) -> None:
    made = PriceBook.open(folder, [HALF])
    assert PriceBook.edition(".", tmp_path / "other", folder).version == made.version


def test_an_unknown_edition_is_told_which_there_are(folder: Path) -> None:
    versions = {PriceBook.open(folder, [HALF]).version, PriceBook.open(folder).version}
    with pytest.raises(UnknownName) as caught:
        PriceBook.edition("0.1.0", folder, folder)
    assert all(version in caught.value.hint for version in versions)


def test_a_name_that_two_editions_have_is_refused(folder: Path) -> None:
    PriceBook.open(folder, [HALF])
    PriceBook.open(folder)
    with pytest.raises(UnknownName, match="2 editions are called"):
        PriceBook.edition("genai-prices", folder, folder)


def test_where_no_edition_was_kept_that_is_said(folder: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        PriceBook.edition("0.1.0", folder / "none", folder)
    assert "none is kept yet" in caught.value.hint


def test_a_file_of_rates_is_a_book_under_what_is_declared_now(
    folder: Path, book: PriceBook
) -> None:
    shutil.copy(book.path, folder / "mine.parquet")
    discount = PriceOverride("*", "*", discount=Decimal("0.2"))
    mine = PriceBook.edition("mine.parquet", folder / "none", folder, [discount])
    found = price_one(mine, input_tokens=10**6)
    assert (found.cost_usd, found.price_version) == (Decimal(2), mine.version)
    assert mine.version.startswith("mine+")


def test_a_file_of_other_rates_has_another_version(folder: Path) -> None:
    (folder / "a").mkdir()
    for name, content in (("mine.parquet", b"one"), ("a/mine.parquet", b"two")):
        (folder / name).write_bytes(content)
    one = PriceBook.edition("mine.parquet", folder, folder)
    two = PriceBook.edition("a/mine.parquet", folder, folder)
    assert one.version != two.version


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"version":1}', b"[" * 100_000])
def test_a_file_that_is_no_edition_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "book.json").write_bytes(content)
    with pytest.raises(ClearbarError, match=r"book\.json is no edition"):
        PriceBook.edition("book.json", tmp_path, tmp_path)


def test_other_files_beside_editions_are_passed_over(folder: Path) -> None:
    made = PriceBook.open(folder)
    (folder / "notes.json").write_text('{"to": "do"}')
    assert [edition.version for edition in editions(folder)] == [made.version]


def test_a_file_that_holds_no_rates_is_refused(folder: Path) -> None:
    (folder / "mine.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ClearbarError, match=r"mine\.parquet cannot be read as a price book"):
        price_one(PriceBook.edition("mine.parquet", folder, folder), input_tokens=1)


def test_an_edition_without_its_rates_says_which_file_is_lost(folder: Path) -> None:
    made = PriceBook.open(folder)
    made.path.unlink()
    with pytest.raises(ClearbarError, match="has lost its rates"):
        PriceBook.edition(made.version, folder, folder)


def test_an_edition_reads_no_rates_from_elsewhere(folder: Path) -> None:
    made = PriceBook.open(folder)
    path = folder / f"{made.path.stem}.{made.version.rpartition('+')[2]}.json"
    values = json.loads(path.read_bytes()) | {"rates": f"../{folder.name}/{made.path.name}"}
    path.write_text(json.dumps(values))
    with pytest.raises(ClearbarError, match="has lost its rates"):
        read_edition(path)


def test_a_book_of_another_folder_writes_nothing_there(folder: Path, tmp_path: Path) -> None:
    made = PriceBook.open(folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    other = PriceBook.edition(str(folder), tmp_path / "own", tmp_path)
    assert other.resolve([("openai", "gpt-4o-never-seen-before")])
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert other.version == made.version


def test_repricing_by_an_edition_gives_its_prices_back_exactly(
    ledger: Ledger, folder: Path
) -> None:
    before = PriceBook.open(folder)
    append(ledger, before, [record(f"upstream:msg_{n}", output_tokens=n) for n in range(5)])
    first = total(ledger).cost_usd
    quarter = PriceBook.open(folder, [PriceOverride("*", "*", discount=Decimal("0.25"))])
    assert reprice(ledger, quarter, ALL, 2) == 5
    assert reprice(ledger, PriceBook.edition(before.version, folder, folder), ALL, 3) == 5
    assert total(ledger).cost_usd == first
    assert reprice(ledger, PriceBook.edition(before.version, folder, folder), ALL, 4) == 0
