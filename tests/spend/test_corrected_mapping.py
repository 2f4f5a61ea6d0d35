"""A mapping that was wrong is put right in clearbar.toml; the same files are added again."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest

from clearbar.core.period import ALL
from clearbar.spend.charge import charge_id
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.usage import Usage

ROWS = "at,model,in,cached,out,id\n2026-09-01T20:00:00,gpt-4o,1000,200,100,r-1\n"
BASIC = {"model": "model", "input_tokens": "in"}


@pytest.fixture
def folder(tmp_path: Path, book: PriceBook) -> Path:
    shutil.copytree(book.path.parent, tmp_path / ".clearbar" / "prices")
    (tmp_path / "calls.csv").write_text(ROWS)
    return tmp_path


def added(folder: Path, columns: dict[str, str], declared: str = "", discount: str = "") -> Usage:
    """Declare the table, add it, and return the total."""
    told = ", ".join(f'{name} = "{column}"' for name, column in columns.items())
    (folder / "clearbar.toml").write_text(
        f'[[table]]\nname = "calls"\nfiles = "*.csv"\n{declared}\n'
        f'columns = {{ started_at = "at", {told} }}\nconstants = {{ provider = "openai" }}\n'
        + (f'[[price]]\nprovider = "*"\nmodel = "*"\ndiscount = "{discount}"' if discount else "")
    )
    with Workspace(folder) as workspace:
        workspace.add([str(folder / "calls.csv")])
        if discount:
            workspace.reprice(ALL)
        return workspace.spend(ALL, "model").total


def test_a_column_mapped_later_makes_no_other_charges(folder: Path) -> None:
    added(folder, BASIC)
    found = added(folder, {**BASIC, "output_tokens": "out"})
    assert (found.calls, found.input_tokens, found.output_tokens) == (1, 1_000, 100)


@pytest.mark.parametrize(("wrong", "right"), [("beside", "inside"), ("inside", "beside")])
def test_the_latest_reading_of_a_row_counts(folder: Path, wrong: str, right: str) -> None:
    columns = {**BASIC, "cache_read_tokens": "cached", "identity": "id"}
    added(folder, columns, f'cached_tokens = "{wrong}"')
    found = added(folder, columns, f'cached_tokens = "{right}"')
    assert found.input_tokens == (800 if right == "inside" else 1_000)


@pytest.mark.parametrize(("wrong", "right"), [("beside", "inside"), ("inside", "beside")])
def test_repricing_does_not_bring_an_earlier_reading_back(
    folder: Path, wrong: str, right: str
) -> None:
    columns = {**BASIC, "cache_read_tokens": "cached", "identity": "id"}
    added(folder, columns, f'cached_tokens = "{wrong}"')
    before = added(folder, columns, f'cached_tokens = "{right}"')
    after = added(folder, columns, f'cached_tokens = "{right}"', discount="0.5")
    assert (after.input_tokens, after.cost_usd) == (before.input_tokens, before.cost_usd / 2)


def test_a_corrected_time_zone_moves_the_charge(folder: Path) -> None:
    columns = {**BASIC, "identity": "id"}
    added(folder, columns)
    added(folder, columns, 'timezone = "America/Los_Angeles"')
    with Workspace(folder) as workspace:
        days = [row.key for row in workspace.spend(ALL, "day").rows]
        began = workspace.trace(charge_id("gateway:calls:r-1")).started_at
    assert days == [str(date(2026, 9, 2))]
    assert began == "2026-09-02T03:00:00Z"


def test_a_file_behind_a_link_is_mapped_by_the_name_of_the_link(folder: Path) -> None:
    elsewhere = folder / "elsewhere.txt"
    (folder / "calls.csv").rename(elsewhere)
    (folder / "calls.csv").symlink_to(elsewhere)
    assert added(folder, BASIC).calls == 1


def test_a_bill_of_many_calls_and_the_log_of_them_count_once(folder: Path) -> None:
    rows = "at,model,usd,n\n2026-09-01,gpt-4o,1.5,2\n"
    calls = "at,model,usd,n\n2026-09-01T08:00:00Z,gpt-4o,0.5,1\n2026-09-01T09:00:00Z,gpt-4o,0.5,1\n"
    (folder / "calls.csv").write_text(rows + calls.partition("\n")[2])
    columns = {"model": "model", "cost_usd": "usd", "calls": "n"}
    found = added(folder, columns, 'cost_basis = "billed"')
    assert (found.calls, str(found.cost_usd.normalize())) == (2, "1.5")
