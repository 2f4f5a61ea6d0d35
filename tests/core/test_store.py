from __future__ import annotations

import sqlite3
from contextlib import closing
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import LedgerError
from clearbar.core.store import Store

if TYPE_CHECKING:
    from pathlib import Path

READ = "INSERT INTO file_read VALUES (?, 'f', 'litellm', 1, '2026-09-01')"


def uris(store: Store) -> list[str]:
    return [str(uri) for [uri] in store.rows("SELECT uri FROM file_read ORDER BY 1")]


def test_a_new_store_has_its_tables(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "kept" / "facts.db")) as store:
        assert uris(store) == []


def test_what_was_committed_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "facts.db")) as store, store.transaction() as connection:
        connection.execute(READ, ("a",))
    with closing(Store(tmp_path / "facts.db")) as store:
        assert uris(store) == ["a"]


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "facts.db")) as store:
        with pytest.raises(sqlite3.IntegrityError), store.transaction() as connection:
            connection.executemany(READ, [("a",), ("a",)])
        assert uris(store) == []


def test_a_reader_never_waits_for_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with closing(Store(path)) as writer, closing(Store(path)) as reader:
        with writer.transaction() as connection:
            connection.execute(READ, ("a",))
            assert uris(reader) == []
        assert uris(reader) == ["a"]


def open_and_close(path: str) -> str:
    """Return what went wrong, if anything did."""
    from pathlib import Path

    try:
        Store(Path(path)).close()
    except LedgerError as error:
        return error.message
    return ""


def test_many_processes_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number // 8}.db") for number in range(160)]
    with get_context("forkserver").Pool(8) as pool:
        assert set(pool.map(open_and_close, paths, chunksize=1)) == {""}


def test_a_store_of_a_newer_clearbar_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "facts.db")) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(LedgerError) as caught:
        Store(tmp_path / "facts.db")
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("content", [b"this is no database, whatever its name says", b"\x00" * 200])
def test_a_file_that_is_no_store_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "facts.db").write_bytes(content)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Store(tmp_path / "facts.db")


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where a folder should be")
    with pytest.raises(LedgerError, match="kept cannot be read or written: file exists") as caught:
        Store(tmp_path / "kept" / "facts.db")
    assert caught.value.hint == "a file stands where a folder has to be: move it away"


def test_what_was_scored_and_decided_is_never_edited(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "facts.db")) as store:
        with store.transaction() as connection:
            connection.execute(
                "INSERT INTO docket VALUES (1, 'defence', 'w', '2026-09-01', '{}', '', 'h')"
            )
        for change in ("UPDATE docket SET workflow = 'x'", "DELETE FROM docket"):
            with pytest.raises(sqlite3.IntegrityError), store.transaction() as connection:
                connection.execute(change)


def test_a_question_to_a_damaged_file_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "facts.db")
    with pytest.raises(LedgerError, match="cannot be read"):
        store.rows("SELECT broken FROM nowhere")
    store.close()
