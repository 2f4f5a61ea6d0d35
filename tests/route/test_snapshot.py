"""The snapshot: whole or not at all, for its owner only, and a damaged one changes nothing."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.made import CASCADE, HAIKU, OPUS, RULES, SECRET, TODAY, UPSTREAM, route, table

from clearbar.core.errors import ClearbarError
from clearbar.route.route import Budget, Capture, Cascade, RouteTable
from clearbar.route.snapshot import SnapshotReader, read, write
from clearbar.route.table_json import read_table, table_json
from clearbar.tools.tool import GpuPrice, NoPrice, TokenPrice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FULL = table(
    route(
        tool="thrifty",
        cascade=Cascade("haiku", "opus", 0.8372, ("rules",)),
        capture=Capture(0.5, 7, ("a+",), "hashed"),
        lapses_on=TODAY,
        why=("One.", "Two: ü."),
        fallbacks=("rules",),
    ),
    tools=(
        replace(
            HAIKU, cost=TokenPrice(Decimal("0.25"), None), settings={"top": [0.5, {"a": None}]}
        ),
        replace(OPUS, cost=GpuPrice(Decimal(3), Decimal(850), Decimal("0.30"))),
        replace(RULES, cost=NoPrice("runs here")),
        CASCADE,
        UPSTREAM,
    ),
    budgets=(Budget("user", "*", Decimal("0.10"), "day", (0.5, 0.9), 0.95, 7),),
    settings={"unpriced_usd": Decimal("0.07"), "default_workflow": "replies"},
)
PRICES = {"tools": {"haiku": [1, 2, None]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "route" / "table.json"


def test_what_is_written_is_what_is_read(path: Path) -> None:
    write(FULL, PRICES, path)
    assert read(path) == (FULL, PRICES)


def test_only_its_owner_may_read_it_and_nothing_else_is_left(path: Path) -> None:
    write(FULL, PRICES, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_it_holds_no_key(path: Path) -> None:
    write(FULL, PRICES, path)
    assert SECRET.encode() not in path.read_bytes()


def test_what_cannot_be_written_leaves_the_one_before(path: Path) -> None:
    write(FULL, PRICES, path)
    with pytest.raises(TypeError):
        write(FULL, {"no": object()}, path)
    assert read(path).table == FULL
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_sees_one_or_the_other_while_it_is_replaced(path: Path) -> None:
    tables = [FULL, replace(FULL, generation=2, budgets=())]
    write(FULL, PRICES, path)
    done = threading.Event()

    def replace_often() -> None:
        for number in range(60):
            write(tables[number % 2], PRICES, path)
        done.set()

    writer = threading.Thread(target=replace_often)
    writer.start()
    seen = set()
    while not done.is_set():
        found = read(path).table
        assert found in tables
        seen.add(found.generation)
    writer.join()
    assert seen


def damaged(data: bytes, how: str) -> bytes:
    return {
        "empty": b"",
        "cut": data[:-20],
        "no body": data.partition(b"\n")[0],
        "a bit": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        "other": b"\x00" * 64,
        "format": data.replace(b'"format":1', b'"format":2', 1),
    }[how]


@pytest.mark.parametrize("how", ["empty", "cut", "no body", "a bit", "other", "format"])
def test_a_damaged_file_is_told_and_not_taken(path: Path, how: str) -> None:
    write(FULL, PRICES, path)
    path.write_bytes(damaged(path.read_bytes(), how))
    with pytest.raises(ClearbarError, match=r"table\.json is"):
        read(path)


def test_a_file_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(ClearbarError, match=r"table\.json cannot be read: No such file"):
        read(path)


def test_a_look_finds_a_snapshot_once(path: Path) -> None:
    reader = SnapshotReader(path)
    assert reader.look() is None
    assert reader.fault
    write(FULL, PRICES, path)
    found = reader.look()
    assert found is not None
    assert found.table == FULL
    assert (reader.look(), reader.fault) == (None, "")


def test_a_damaged_file_changes_nothing_and_is_looked_at_once(path: Path) -> None:
    reader = SnapshotReader(path)
    write(FULL, PRICES, path)
    assert reader.look() is not None
    path.write_bytes(path.read_bytes()[:-3])
    assert [reader.look(), reader.look()] == [None, None]
    assert reader.fault == "table.json is damaged"
    write(replace(FULL, generation=2), PRICES, path)
    mended = reader.look()
    assert mended is not None
    assert (mended.table.generation, reader.fault) == (2, "")


def test_a_file_that_is_gone_for_a_while_is_looked_at_again(path: Path) -> None:
    reader = SnapshotReader(path)
    write(FULL, PRICES, path)
    assert reader.look() is not None
    aside = path.with_name("aside")
    path.rename(aside)
    assert reader.look() is None
    aside.rename(path)
    assert reader.look() is not None


def test_a_snapshot_of_the_same_size_and_time_is_another_one(path: Path) -> None:
    reader = SnapshotReader(path)
    write(FULL, PRICES, path)
    assert reader.look() is not None
    write(replace(FULL, generation=2), PRICES, path)
    os.utime(path, ns=(1, 1))
    assert reader.look() is not None


def broken(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(table_json(FULL)))
    change(values)
    return values


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(generation="1"),
        lambda it: it.pop("made_at"),
        lambda it: it.update(more=1),
        lambda it: it["routes"]["replies"].update(mode="force"),
        lambda it: it["routes"]["replies"].update(workflow="other"),
        lambda it: it["routes"]["replies"].update(tool="gone"),
        lambda it: it["routes"]["replies"].update(data_class="secret"),
        lambda it: it["routes"]["replies"]["cascade"].update(threshold="high"),
        lambda it: it["routes"].update(replies=[]),
        lambda it: it["tools"]["haiku"].update(kind="oracle"),
        lambda it: it["tools"]["haiku"].update(cost={"basis": "a", "more": 1}),
        lambda it: it["tools"]["thrifty"].update(first="gone"),
        lambda it: it["keys"]["aaaabbbb"].update(hashed=1),
        lambda it: it["budgets"][0].update(usd="much"),
        lambda it: it["budgets"][0].update(scope="planet"),
        lambda it: it["settings"].update(port="8787"),
        lambda it: it["settings"].update(upstreams=["gone"]),
    ],
)
def test_what_is_no_table_is_not_taken_for_one(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(ClearbarError):
        read_table(broken(change))


def test_a_sound_body_that_is_no_table_is_of_another_version(path: Path) -> None:
    import hashlib

    path.parent.mkdir()
    body = json.dumps({"table": {"generation": 1}, "prices": {}}).encode()
    head = json.dumps({"format": 1, "sha256": hashlib.sha256(body).hexdigest()}).encode()
    path.write_bytes(head + b"\n" + body)
    with pytest.raises(ClearbarError, match="another version"):
        read(path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_breaks_the_reader(values: object) -> None:
    with pytest.raises(ClearbarError):
        read_table(values)


def test_a_table_without_anything_is_a_table() -> None:
    empty = RouteTable(1, FULL.made_at)
    assert read_table(json.loads(json.dumps(table_json(empty)))) == empty
