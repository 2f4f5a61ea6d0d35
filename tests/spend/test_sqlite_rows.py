"""Hostile databases: none is waited for, none is believed beyond its own size."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from clearbar.spend.files import sqlite_rows
from clearbar.spend.files.source_file import UnreadableFile
from clearbar.spend.files.sqlite_rows import SqliteTables

if TYPE_CHECKING:
    from pathlib import Path

ENDLESS = """
CREATE VIEW message AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)
SELECT id, 'ses' AS session_id, '{}' AS data FROM n"""
COMPUTED = """
CREATE TABLE message (id text, data text AS (printf('%.*c', 30000000, 'x')));
INSERT INTO message (id) VALUES ('msg_1')"""


def made(folder: Path, script: str, name: str = "opencode.db") -> Path:
    path = folder / name
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def filled(folder: Path, rows: int, data: str, script: str = "") -> Path:
    path = made(folder, f"{script} CREATE TABLE message (id, data)")
    with closing(sqlite3.connect(path)) as connection, connection:
        told = [(number, data) for number in range(rows)]
        connection.executemany("INSERT INTO message VALUES (?, ?)", told)
    return path


def read(path: Path, *columns: str) -> list[tuple[object, ...]]:
    with SqliteTables(path) as tables:
        return list(tables.rows("message", columns))


def test_rows_come_with_their_row_id(tmp_path: Path) -> None:
    path = made(tmp_path, "CREATE TABLE message (id, data); INSERT INTO message VALUES ('a', 'b')")
    assert read(path, "data", "id") == [(1, "b", "a")]


@pytest.mark.parametrize("name", ["a b?mode=rwc&x=#%41.db", "späß.db", "file:x.db"])
def test_any_name_of_a_file_is_only_a_name(name: str, tmp_path: Path) -> None:
    path = made(tmp_path, "CREATE TABLE message (id); INSERT INTO message VALUES (7)", name)
    assert read(path, "id") == [(1, 7)]
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("script", [ENDLESS, COMPUTED, "CREATE TABLE other (id)"])
def test_views_and_computed_columns_are_not_there(script: str, tmp_path: Path) -> None:
    assert read(made(tmp_path, script), "id", "data") == []


def test_virtual_tables_are_not_there(tmp_path: Path) -> None:
    path = made(tmp_path, "CREATE VIRTUAL TABLE message USING fts5(id, data)")
    with SqliteTables(path) as tables:
        assert tables.columns("message") == []


def test_a_query_may_read_and_nothing_else(tmp_path: Path) -> None:
    path = made(tmp_path, "CREATE TABLE message (id)")
    with SqliteTables(path) as tables:
        for query in ("DELETE FROM message", "ATTACH ':memory:' AS m", "SELECT random()"):
            with pytest.raises(sqlite3.DatabaseError):
                tables._connection.execute(query)


def test_more_rows_than_the_file_can_hold_end_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_rows, "_LEAST_STEPS", 20_000)
    monkeypatch.setattr(sqlite_rows, "_STEPS_PER_BYTE", 0)
    path = filled(tmp_path, 9000, "")
    with pytest.raises(UnreadableFile, match="damaged"):
        read(path, "id")


def test_pages_that_are_told_over_and_over_end_the_reading(tmp_path: Path) -> None:
    path = filled(tmp_path, 400, "x" * 300, "PRAGMA page_size = 512;")
    content = bytearray(path.read_bytes())
    root = 512 * 1
    assert content[root] == 5, "the table's first page is an inner one"
    cells = int.from_bytes(content[root + 3 : root + 5], "big")
    first = int.from_bytes(content[root + 12 : root + 14], "big")
    for cell in range(1, cells):  # every child is the first child
        place = int.from_bytes(content[root + 12 + 2 * cell :][:2], "big")
        content[root + place : root + place + 4] = content[root + first : root + first + 4]
    content[root + 8 : root + 12] = (2).to_bytes(4, "big")  # and the last is the page itself
    path.write_bytes(content)
    begun = time.process_time()
    with pytest.raises(UnreadableFile):
        read(path, "id", "data")
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("cut", [0, 16, 99, 600, 4096])
def test_a_database_cut_short_is_unreadable_or_empty(cut: int, tmp_path: Path) -> None:
    path = filled(tmp_path, 900, "x")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UnreadableFile):
        read(path, "id")


def test_a_database_that_is_not_there_any_more_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be opened"):
        SqliteTables(tmp_path / "gone.db")


@pytest.mark.parametrize("place", range(100, 700, 40))
def test_names_that_are_no_text_are_damage(place: int, tmp_path: Path) -> None:
    path = filled(tmp_path, 3, "x", "PRAGMA page_size = 512;")
    content = bytearray(path.read_bytes())
    content[place : place + 8] = b"\xff\xfe\x80\x9e\xd9\xff\x00\x80"
    path.write_bytes(content)
    try:
        read(path, "id", "data")
    except UnreadableFile as error:
        assert error.hint  # noqa: PT017 - it may be read, too
