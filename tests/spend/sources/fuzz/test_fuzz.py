"""Files made bad by chance, over all sources: no crash, bounded, and none of it lost or quoted.

Half a million of them: `python -m tests.spend.sources.fuzz 500000`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.spend.sources.fuzz.batches import Tally, made, run_batch
from tests.spend.sources.fuzz.checks import BrokenLaw, Checked
from tests.spend.sources.fuzz.corpus import by_source
from tests.spend.sources.samples import cases

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook

_LINES: Final = (".jsonl", ".ndjson")
_RUBBISH: Final = b'{"cut": "sho'


def failures(seed: int, count: int, book: PriceBook) -> list[tuple[int, str, str]]:
    tally, checked = Tally(), Checked()
    for start in range(0, count, 500):
        run_batch(seed, range(start, min(start + 500, count)), book, checked, tally)
    assert tally.files + len(tally.failures) == count
    return tally.failures


def test_three_hundred_bad_files_are_read_or_refused(book: PriceBook) -> None:
    assert failures(11, 300, book) == []


@pytest.mark.slow
def test_five_thousand_bad_files_are_read_or_refused(book: PriceBook) -> None:
    assert failures(12, 5_000, book) == []


def test_files_are_made_of_samples_of_every_source() -> None:
    assert {source.NAME for source in SOURCES} <= by_source().keys()


def test_a_file_can_be_made_again_by_its_number() -> None:
    first = [made(1, number).content for number in range(100)]
    assert [made(1, number).content for number in reversed(range(100))] == first[::-1]
    assert [made(2, number).content for number in range(100)] != first


@pytest.mark.parametrize(
    "what", ["Zq7secret", "a problem of Mulberrybush", "x" * 600], ids=["text", "word", "length"]
)
def test_a_problem_that_quotes_a_file_is_found(what: str) -> None:
    with pytest.raises(BrokenLaw):
        Checked()._check_problem(Problem(what), frozenset())


def by_line(case: Path) -> bool:
    """Return whether a sample has one JSON value a line, and tells of its calls line by line."""
    return case.name.endswith(_LINES)


@pytest.mark.parametrize(
    "case",
    [case for case in cases() if by_line(case)],
    ids=lambda case: f"{case.parent.name}-{case.name}",
)
def test_each_broken_line_is_one_problem_and_takes_no_record_with_it(
    case: Path, tmp_path: Path
) -> None:
    file = open_source_file(case)
    if case.parent.name == "table":
        pytest.skip("a table is read by its mapping")
    source = next(source for source in SOURCES if source.recognises(file))
    good = list(source.read(file))
    lines = case.read_bytes().splitlines()
    lines[1:1] = [_RUBBISH]
    path = tmp_path / case.name
    path.write_bytes(b"\n".join([*lines, _RUBBISH, _RUBBISH]))
    bad = list(source.read(open_source_file(path)))
    assert told(bad) == (told(good)[0], told(good)[1] + 3)


def told(items: Sequence[object]) -> tuple[int, int]:
    """Return how many lines records tell of, and how many problems there are."""
    lines = sum(getattr(item, "lines", 0) for item in items)
    return lines, sum(isinstance(item, Problem) for item in items)
