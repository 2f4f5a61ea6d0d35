"""The chain: what goes round its locks is found."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from tests.gate.made import NOW

from clearbar.core.errors import ClearbarError, LedgerError
from clearbar.core.store import Store
from clearbar.gate.docket import (
    GENESIS,
    Head,
    append,
    entries,
    head,
    history,
    parse_head,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPEND_FIFTY = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from clearbar.core.store import Store
from clearbar.gate.docket import append

store = Store(Path(sys.argv[1]))
for number in range(50):
    append(store, "defence", sys.argv[2], datetime.now(UTC), {"number": number})
store.close()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "facts.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def chain(store: Store) -> Store:
    for number in range(1, 6):
        append(store, "defence", f"w{number % 2}", NOW, {"number": number})
    return store


def behind_the_triggers(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    for kind in ("edited", "deleted"):
        connection.execute(f"DROP TRIGGER IF EXISTS docket_is_never_{kind}")
    connection.execute(statement, values)
    connection.commit()
    connection.close()


@pytest.fixture
def path(chain: Store, tmp_path: Path) -> Path:
    assert verify(chain) == []
    return tmp_path / "facts.sqlite"


def test_an_empty_docket_is_unbroken(store: Store) -> None:
    assert verify(store, Head(0, GENESIS)) == []
    assert head(store) == Head(0, GENESIS)


def test_entries_are_numbered_from_one_and_hold_the_hash_before(chain: Store) -> None:
    found = entries(chain)
    assert [entry.entry for entry in found] == [1, 2, 3, 4, 5]
    assert [entry.previous_hash for entry in found] == [GENESIS, *(e.hash for e in found[:-1])]


def test_the_hash_can_be_recomputed_from_its_documentation(chain: Store) -> None:
    entry = entries(chain)[2]
    listed = [3, "defence", "w1", "2026-11-01T09:30:00+00:00", '{"number":3}', entry.previous_hash]
    text = json.dumps(listed, separators=(",", ":"))
    assert entry.hash == hashlib.sha256(text.encode()).hexdigest()


def test_history_is_that_of_one_workflow_in_order(chain: Store) -> None:
    assert [entry.entry for entry in history(chain, "w1")] == [1, 3, 5]


def test_times_are_stored_in_utc(store: Store) -> None:
    east = datetime.fromisoformat("2026-11-01T00:30:00+02:00")
    assert append(store, "defence", "w", east, {}).day.isoformat() == "2026-10-31"


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="zone"):
        append(store, "defence", "w", NOW.replace(tzinfo=None), {})


def test_the_file_refuses_an_edit(chain: Store) -> None:
    with pytest.raises(LedgerError, match="append-only"):
        chain.rows("UPDATE docket SET body = '{}' WHERE entry = 2")


def test_the_file_refuses_a_removal(chain: Store) -> None:
    with pytest.raises(LedgerError, match="append-only"):
        chain.rows("DELETE FROM docket WHERE entry = 2")


@pytest.mark.parametrize(
    "edit",
    [
        """UPDATE docket SET body = '{"number":9}' WHERE entry = 3""",
        "UPDATE docket SET workflow = 'w9' WHERE entry = 3",
        "UPDATE docket SET at = '2026-10-01T09:30:00+00:00' WHERE entry = 3",
        "UPDATE docket SET kind = 'override' WHERE entry = 3",
        "UPDATE docket SET hash = 'f00' WHERE entry = 3",
    ],
)
def test_an_edited_entry_is_found(chain: Store, path: Path, edit: str) -> None:
    behind_the_triggers(path, edit)
    assert verify(chain)[0].line == 3


def test_an_edited_entry_with_a_new_hash_breaks_the_next_one(chain: Store, path: Path) -> None:
    entry = entries(chain)[2]
    listed = [3, entry.kind, entry.workflow, entry.at, "{}", entry.previous_hash]
    forged = hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()
    behind_the_triggers(path, "UPDATE docket SET body = '{}', hash = ? WHERE entry = 3", forged)
    assert [problem.line for problem in verify(chain)] == [4]


def test_an_edited_entry_is_named_by_its_number(chain: Store, path: Path) -> None:
    behind_the_triggers(path, "UPDATE docket SET at = '2020-01-01T00:00:00+00:00' WHERE entry = 2")
    assert verify(chain)[0].what.startswith("entry 2 of the docket ")


def test_a_removed_entry_is_found(chain: Store, path: Path) -> None:
    behind_the_triggers(path, "DELETE FROM docket WHERE entry IN (2, 3)")
    [problem] = verify(chain)
    assert problem.what == "entries of the docket are missing between 1 and 4"


def test_a_removed_first_entry_is_found(chain: Store, path: Path) -> None:
    behind_the_triggers(path, "DELETE FROM docket WHERE entry = 1")
    assert [problem.line for problem in verify(chain)] == [2]


def test_reordered_entries_are_found(chain: Store, path: Path) -> None:
    for old, new in ((2, 9), (3, 2), (9, 3)):
        behind_the_triggers(path, "UPDATE docket SET entry = ? WHERE entry = ?", new, old)
    assert {problem.line for problem in verify(chain)} == {2, 3, 4}


def test_a_cut_end_is_found_by_a_head_that_was_kept(chain: Store, path: Path) -> None:
    kept = head(chain)
    behind_the_triggers(path, "DELETE FROM docket WHERE entry = 5")
    assert verify(chain) == []
    assert [problem.line for problem in verify(chain, kept)] == [5]


def test_a_rewritten_chain_is_found_by_a_head_that_was_kept(tmp_path: Path, chain: Store) -> None:
    other = Store(tmp_path / "other.sqlite")
    for number in range(1, 6):
        append(other, "defence", "forged", NOW, {"number": number})
    assert verify(other) == []
    assert verify(other, head(chain))
    other.close()


def test_a_head_stays_good_while_the_chain_grows(chain: Store) -> None:
    kept = head(chain)
    append(chain, "defence", "w1", NOW, {})
    assert verify(chain, kept) == []


def test_a_head_of_nothing_has_no_other_hash(chain: Store) -> None:
    assert verify(chain, Head(0, "f" * 64))


def test_a_damaged_file_is_a_problem_not_a_crash(chain: Store, path: Path) -> None:
    behind_the_triggers(path, "UPDATE docket SET body = CAST(x'ff' AS TEXT) WHERE entry = 2")
    [problem] = verify(chain)
    assert "damaged" in problem.what


def test_a_head_reads_back_as_written(chain: Store) -> None:
    assert parse_head(f" {head(chain)}\n") == head(chain)


@pytest.mark.parametrize("text", ["", "12", "12:abc", "x:" + GENESIS])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ClearbarError, match="no head"):
        parse_head(text)


def test_four_processes_that_append_at_once_keep_one_unbroken_chain(
    store: Store, tmp_path: Path
) -> None:
    path = str(tmp_path / "facts.sqlite")
    command = [sys.executable, "-c", APPEND_FIFTY, path]
    running = [subprocess.Popen([*command, f"w{number}"]) for number in range(4)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0, 0]
    assert head(store).entries == 200
    assert verify(store, head(store)) == []
    for number in range(4):
        bodies = [json.loads(entry.body)["number"] for entry in history(store, f"w{number}")]
        assert bodies == list(range(50))
