"""What is removed of journals, and what never is."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.route.journal.journals import append, ended, held, journal, write
from tests.route.journal.test_reader import write_and_die

from clearbar.core.store import Store
from clearbar.route.journal.charges import charge_journal
from clearbar.route.journal.reader import entries
from clearbar.route.journal.retention import remove_charged
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = 4096


class Home:
    """Journals, and a ledger of their charges."""

    def __init__(self, path: Path, book: PriceBook) -> None:
        self.journals = path / "journal"
        self.store = Store(path / "facts.db")
        self._ledger = Ledger(path / "ledger")
        self._book = book

    def close(self) -> None:
        self._ledger.close()
        self.store.close()

    def charge(self) -> int:
        now = datetime.now(UTC)
        return charge_journal(self.journals, self._ledger, self._book, self.store, now)

    def remove(self, days: float) -> int:
        """Remove as if so many days had passed."""
        later = datetime.now(UTC) + timedelta(days=days)
        return remove_charged(self.journals, self.store, later, days=7)

    def segments(self, worker: str = "w1") -> list[str]:
        return sorted(path.name for path in (self.journals / worker).glob("*.log"))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return PriceBook.open(tmp_path_factory.mktemp("prices"))


@pytest.fixture
def home(tmp_path: Path, book: PriceBook) -> Iterator[Home]:
    with closing(Home(tmp_path, book)) as opened:
        yield opened


def test_what_is_charged_and_old_goes_with_its_folder(home: Home) -> None:
    write(home.journals, *(held(f"c{n}") for n in range(30)), segment_bytes=SMALL)
    home.charge()
    count = len(home.segments())
    assert home.remove(days=6) == 0
    assert home.remove(days=8) == count
    assert not (home.journals / "w1").exists()
    assert home.store.rows("SELECT * FROM journal_read") == []
    assert home.charge() == 0


def test_what_is_not_charged_stays_however_old(home: Home) -> None:
    write(home.journals, held())
    assert home.remove(days=99) == 0
    assert home.charge() == 1


def test_a_living_worker_keeps_what_it_writes_and_loses_what_it_left(home: Home) -> None:
    with journal(home.journals, segment_bytes=SMALL) as opened:
        append(opened, (e for n in range(30) for e in (held(f"c{n}"), ended(f"c{n}"))))
        assert home.charge() == 30
        before = home.segments()
        assert home.remove(days=8) == len(before) - 2  # the current one, and the next made ready
        append(opened, (e for n in range(30, 60) for e in (held(f"c{n}"), ended(f"c{n}"))))
        assert home.charge() == 30


def test_the_beginning_of_a_call_in_flight_stays(home: Home) -> None:
    with journal(home.journals, segment_bytes=SMALL) as opened:
        opened.append(held("long"))
        append(opened, (e for n in range(30) for e in (held(f"c{n}"), ended(f"c{n}"))))
        home.charge()
        home.remove(days=8)
        assert home.segments()[0] == "00000001.log"
        opened.append(ended("long"))
        assert home.charge() == 1


def test_the_room_behind_the_last_line_of_a_dead_worker_is_given_back(home: Home) -> None:
    write_and_die(home.journals)
    [full, spare] = sorted((home.journals / "w1").glob("*.log"))
    assert full.stat().st_size == spare.stat().st_size == 16 * 2**20
    before = [placed.entry for placed in entries(home.journals)]
    modified = full.stat().st_mtime
    assert home.remove(days=0) == 0
    assert home.segments() == [full.name]
    assert full.stat().st_size < SMALL
    assert full.stat().st_mtime == pytest.approx(modified)
    assert [placed.entry for placed in entries(home.journals)] == before
    assert home.charge() == 3


def test_what_a_dead_worker_was_making_ready_is_removed(home: Home) -> None:
    write(home.journals, held())
    unfinished = home.journals / "w1" / "00000002.new"
    unfinished.write_bytes(bytes(100))
    home.remove(days=0)
    assert not unfinished.exists()


def test_a_dead_worker_that_wrote_nothing_keeps_its_first_segment(home: Home) -> None:
    write(home.journals)
    path = home.journals / "w1" / "00000001.log"
    os.truncate(path, SMALL)
    home.remove(days=0)
    assert path.exists()
    assert path.stat().st_size < 100


def test_without_journals_there_is_nothing_to_remove(home: Home) -> None:
    assert home.remove(days=99) == 0
