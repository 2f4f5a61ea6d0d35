"""Several processes at once: readers see whole records only, and nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import record
from tests.spend.written_usage import (
    CALLS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    add,
    charges_of,
    make_workspace,
    started,
    write_usage,
)

from clearbar.core.period import ALL
from clearbar.spend.reading import LedgerReading
from clearbar.spend.report import total_of
from clearbar.spend.storage.folder import Manifest
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

WRITERS, READERS, BATCH_RECORDS = 4, 2, 20


def sum_until_told_to_stop(workspace: Path, results: Path, stop: Path) -> None:
    """Open the ledger again and again; write down calls, input and output of each sum."""
    with results.open("w") as file:
        while not stop.exists():
            with Workspace(workspace) as opened:
                usage = total_of(LedgerReading(opened.ledger).by_origin(ALL).values())
            sums = (usage.calls, usage.input_tokens, usage.output_tokens)
            file.write(f"{json.dumps(sums)}\n")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which writers and readers have met, beside a clean run."""
    folder = tmp_path_factory.mktemp("world")
    paths = write_usage(folder / "usage")
    clean = make_workspace(folder / "clean")
    first = started(add, clean, paths, 10_000)
    first.join()
    shared = make_workspace(folder / "shared", clean)
    stop = folder / "stop"
    readers = [
        started(sum_until_told_to_stop, shared, folder / f"sums-{number}", stop)
        for number in range(READERS)
    ]
    writers = [
        started(add, shared, paths[number:] + paths[:number], BATCH_RECORDS)
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.join()
    time.sleep(0.2)
    stop.touch()
    for reader in readers:
        reader.join()
    assert {process.exitcode for process in (first, *writers, *readers)} == {0}
    return folder


def sums(world: Path) -> list[list[tuple[int, int, int]]]:
    """Return each reader's sums in the order of time."""
    paths = sorted(world.glob("sums-*"))
    return [[tuple(json.loads(line)) for line in path.read_text().splitlines()] for path in paths]


@pytest.mark.slow
def test_a_reader_sums_whole_records_only(world: Path) -> None:
    for calls, given, answered in (each for reader in sums(world) for each in reader):
        assert (given, answered) == (calls * INPUT_TOKENS, calls * OUTPUT_TOKENS)


@pytest.mark.slow
def test_a_reader_never_sees_more_than_the_truth(world: Path) -> None:
    assert max(calls for reader in sums(world) for calls, _, _ in reader) <= CALLS


@pytest.mark.slow
def test_what_a_reader_has_seen_never_vanishes(world: Path) -> None:
    for reader in sums(world):
        assert reader == sorted(reader)


@pytest.mark.slow
def test_readers_see_the_ledger_grow(world: Path) -> None:
    assert len({calls for reader in sums(world) for calls, _, _ in reader}) > 1


@pytest.mark.slow
def test_the_end_is_as_if_one_process_had_read_all(world: Path) -> None:
    assert charges_of(world / "shared") == charges_of(world / "clean")


@pytest.mark.slow
def test_the_ledger_is_sound_afterwards(world: Path) -> None:
    with Workspace(world / "shared") as opened:
        assert opened.check() == []


def age(path: Path, hours: int) -> None:
    moment = time.time() - hours * 3600
    os.utime(path, (moment, moment))


def test_a_reading_survives_that_an_old_merged_file_is_replaced(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=2)])
    reading = LedgerReading(ledger)
    [merged] = (ledger.folder.path / "merged").iterdir()
    age(merged, hours=9)
    append(ledger, book, [record(output_tokens=3)], at=2)
    ledger.settle()
    assert total_of(reading.by_origin(ALL).values()).output_tokens == 2


def test_a_merged_file_that_nobody_can_still_be_reading_is_removed(
    ledger: Ledger, book: PriceBook
) -> None:
    for at in (1, 2, 3):
        append(ledger, book, [record(output_tokens=at)], at=at)
        ledger.settle()
        for path in (ledger.folder.path / "merged").iterdir():
            age(path, hours=2)
    append(ledger, book, [record(output_tokens=9)], at=9)
    ledger.settle()
    assert len(list((ledger.folder.path / "merged").iterdir())) == 2


def test_leftovers_of_a_killed_process_are_removed_after_an_hour(
    ledger: Ledger, book: PriceBook
) -> None:
    staging = ledger.folder.path / "staging"
    for name, hours in (("old.jsonl", 2), ("young.jsonl", 0)):
        (staging / name).touch()
        age(staging / name, hours)
    append(ledger, book, [record()])
    ledger.settle()
    assert [path.name for path in staging.glob("*.jsonl")] == ["young.jsonl"]


def test_a_manifest_of_a_slower_process_hides_no_records(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record()])
    ledger.settle()
    slower = ledger.folder.manifest()
    append(ledger, book, [record("upstream:msg_2"), record(output_tokens=99)], at=2)
    ledger.settle()
    before = total(ledger)
    ledger.folder.publish_manifest(slower)
    assert total(ledger) == before


def test_a_manifest_that_covers_nothing_hides_no_records(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=2)])
    before = total(ledger)
    ledger.folder.publish_manifest(Manifest())
    assert total(ledger) == before


def test_a_process_counts_its_own_records_and_not_those_of_others(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=2)])
    others = set(ledger.folder.record_files())
    append(ledger, book, [record(output_tokens=3), record("upstream:msg_2")], at=2)
    assert ledger.settle(ledger.folder.record_files().keys() - others) == 1


def test_a_process_whose_records_another_has_settled_still_counts_them(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=2)])
    mine = set(ledger.folder.record_files())
    ledger.settle()
    assert ledger.settle(mine) == 1


def test_a_process_that_wrote_nothing_counts_nothing(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=2)])
    assert ledger.settle() == 0
