"""Files made by number, checked one by one, and then ingested together: one batch after another."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.spend.sources.fuzz.checks import BrokenLaw, Checked, told
from tests.spend.sources.fuzz.corpus import by_source
from tests.spend.sources.fuzz.hostile import HOSTILE
from tests.spend.sources.fuzz.mutations import mutated

from clearbar.core.store import Store
from clearbar.spend.files.candidates import candidates
from clearbar.spend.ingest import ingest
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.spend.sources.fuzz.checks import Outcome

    from clearbar.spend.files.table_mapping import TableMapping
    from clearbar.spend.ingest import Summary
    from clearbar.spend.prices.book import PriceBook

MOST_KEPT: Final = 10_000
"""Of the problems of one file; more are counted."""
_LEFT_OUT: Final = 0.8
"""Of Parquet files: each takes twenty times the time of another."""
_HOSTILE_SHARE: Final = 0.002
_NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
_MAPPED: Final = "table"


class Made(NamedTuple):
    """A file that was made: by its number and the seed it can be made again."""

    number: int
    source: str
    name: str
    content: bytes
    mapping: TableMapping | None


@dataclass(slots=True)
class Tally:
    """What a run has seen."""

    files: int = 0
    bytes: int = 0
    lines: int = 0
    problems: int = 0
    ingested: int = 0
    """Files that were ingested too, by the hundred."""
    unknown: int = 0
    """Files that no source knew."""
    cpu_s: float = 0.0
    slowest_s: float = 0.0
    slowest: int = 0
    by_source: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str, str]] = field(default_factory=list)
    """Number of the file, source of the good file it was made of, what happened."""


def made(seed: int, number: int) -> Made:
    """Return a file; the same for the same seed and number while the samples are the same."""
    order = Random(f"{seed}:{number}")
    sources = by_source()
    name = order.choice(sorted(sources))
    sample = order.choice(sources[name])
    if sample.name.endswith(".parquet") and order.random() < _LEFT_OUT:
        sample = order.choice(
            [each for each in sources[name] if not each.name.endswith(".parquet")]
        )
    if order.random() < _HOSTILE_SHARE:
        content = order.choice(HOSTILE)(order, sample.content)
        return Made(number, name, sample.name, content, sample.mapping)
    others = sources[order.choice(sorted(sources))] if order.random() < 0.5 else sources[name]
    file_name, content = mutated(order, sample, others)
    return Made(number, name, file_name, content, sample.mapping)


def run_batch(
    seed: int,
    numbers: Sequence[int],
    book: PriceBook,
    checked: Checked,
    tally: Tally,
    note: Callable[[int], None] = lambda number: None,  # noqa: ARG005 - nothing to note
    *,
    ingested: bool = True,
) -> None:
    """Make some files, check each, ingest all: what was read and what was refused is all."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as text:
        folder = Path(text)
        good: dict[Path, tuple[Made, Outcome]] = {}
        for number in numbers:
            note(number)
            file = made(seed, number)
            path = path_of(folder, file)
            path.parent.mkdir(parents=True)
            path.write_bytes(file.content)
            try:
                outcome = checked.check(path, file.mapping, file.source)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
                tally.failures.append((number, file.source, told(error)))
                path.unlink()
                continue
            _count(tally, file, outcome)
            good[path] = file, outcome
        if ingested:
            _check_ingest(folder, folder, good, book, tally)
            tally.ingested += len(good)


def _count(tally: Tally, file: Made, outcome: Outcome) -> None:
    tally.files += 1
    tally.bytes += len(file.content)
    tally.lines += outcome.lines
    tally.problems += outcome.problems
    tally.unknown += not outcome.source
    tally.cpu_s += outcome.cpu_s
    tally.by_source[file.source] += 1
    if outcome.cpu_s > tally.slowest_s:
        tally.slowest_s, tally.slowest = outcome.cpu_s, file.number


def _check_ingest(
    base: Path, folder: Path, good: dict[Path, tuple[Made, Outcome]], book: PriceBook, tally: Tally
) -> None:
    try:
        check_ingest(base, folder, good, book)
    except Exception as error:  # noqa: BLE001 - as above
        numbers = [file.number for file, _ in good.values()]
        before = len(tally.failures)
        if len(good) > 1:  # look for the file that does it
            paths, half = list(good), len(good) // 2
            for part in (paths[:half], paths[half:]):
                inner = folder / f"{good[part[0]][0].number}-{len(part)}"
                _check_ingest(base, inner, {path: good[path] for path in part}, book, tally)
        if len(tally.failures) == before:
            span = f"{numbers[0]} to {numbers[-1]}, {len(good)} files" if len(good) > 1 else "it"
            source = next(iter(good.values()))[0].source
            tally.failures.append((numbers[0], source, f"ingest of {span}: {told(error)}"))


def check_ingest(
    base: Path, folder: Path, good: dict[Path, tuple[Made, Outcome]], book: PriceBook
) -> Summary:
    """Ingest the files, which stand below `base`, into a fresh ledger in `folder`.

    Raises:
        BrokenLaw: when not all that was told of is new, merged or quarantined, or is in the ledger.
    """
    files = candidates([str(path) for path in good], base)
    mappings = {str(file.mapping): file.mapping for file, _ in good.values() if file.mapping}
    declared = [
        replace(mapping, files=f"**/{_declared_as(mapping)}/*") for mapping in mappings.values()
    ]
    with _ledger(folder) as (ledger, store):
        summary = ingest(files, ledger, book, store, declared, base, _NOW)
        told_of = sum(_told(outcome) for _, outcome in good.values())
        frame = ledger.charges(["charge_id"])
        charges = len(ledger.engine.rows(frame)) if frame is not None else 0
        kept = store.rows("SELECT count(*) FROM problem")
    if summary.records != told_of:
        raise BrokenLaw(f"{told_of} records were told of, {summary.records} ingested")
    if summary.files != len(good):
        raise BrokenLaw(f"{summary.files} of {len(good)} files were taken")
    if summary.new != charges:
        raise BrokenLaw(f"{summary.new} charges are new, {charges} are in the ledger: {summary}")
    if int(str(next(iter(kept))[0])) != sum(min(_refused(o), MOST_KEPT) for _, o in good.values()):
        raise BrokenLaw(f"{kept} problems are kept of {summary.quarantined}")
    return summary


def _refused(outcome: Outcome) -> int:
    return outcome.problems if outcome.source else 1


def _told(outcome: Outcome) -> int:
    """Return how many records an ingest counts; a file that none knows is one problem."""
    return outcome.lines + outcome.problems if outcome.source else 1


def path_of(folder: Path, file: Made) -> Path:
    """Return where a file is written: alone, for its name may tell its format."""
    return folder / "files" / str(file.number) / _declared_as(file.mapping) / file.name


def _declared_as(mapping: TableMapping | None) -> str:
    """Return the folder of the files that a mapping is declared for."""
    return f"table-{sha256(str(mapping).encode()).hexdigest()[:8]}" if mapping else "file"


@contextmanager
def _ledger(folder: Path) -> Iterator[tuple[Ledger, Store]]:
    folder.mkdir(exist_ok=True, parents=True)
    with (
        closing(Ledger(folder / "ledger")) as ledger,
        closing(Store(folder / "facts.db")) as store,
    ):
        yield ledger, store
