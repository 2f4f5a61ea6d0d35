"""Reports that providers answer in pages: `data[]` of buckets with a time, each with `results[]`.

A result is an aggregate or a line of a bill. Its natural key is everything that it says beside its
quantities, so that a dimension that nobody knew of keeps results apart; read again, it replaces
what was read before. Where a page says when it was pulled (`pulled_at`), the latest wins.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.core.errors import Problem
from clearbar.spend.files.entry import Entry
from clearbar.spend.files.json_records import Document, documents, fields
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.timestamps import moment_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile

WHOLE_PAGE: Final = "save the whole page that the API answers"
_DEEPEST: Final = 4


class Result(NamedTuple):
    """One result of a bucket."""

    value: dict[str, Any]
    start_us: int
    end_us: int
    key: tuple[str, ...]
    pulled_us: int | None
    entry: Entry


def results(
    file: SourceFile, start: str, end: str, quantities: frozenset[str]
) -> Iterator[Result | Problem]:
    """Yield each result of each bucket; `start` and `end` are the names of a bucket's times.

    `quantities` are the members of a result that say how much, or only repeat another in words.

    Raises:
        UnreadableFile: when the file is damaged or too large.
    """
    for found in documents(file):
        if not isinstance(found, Document):
            yield found
            continue
        for place, (bucket, pulled_at) in enumerate(_buckets(found.value, None, _DEEPEST), 1):
            number = found.line.number if found.line else place
            entry = Entry(bucket, number, found.line)
            try:
                yield from _results(entry, (start, end), pulled_at, quantities)
            except QuarantineError as error:
                yield error.problem(number)


def _buckets(value: Any, pulled_at: Any, deepest: int) -> Iterator[tuple[Any, Any]]:
    """Yield what may be buckets: the items of lists and of pages."""
    items = value
    if isinstance(value, dict):
        pulled_at = value.get("pulled_at") or pulled_at
        items = value.get("data")
    if not isinstance(items, list) or not deepest:
        yield value, pulled_at
        return
    for item in items:
        yield from _buckets(item, pulled_at, deepest - 1)


def _results(
    entry: Entry, times: tuple[str, str], pulled_at: Any, quantities: frozenset[str]
) -> Iterator[Result | Problem]:
    bucket = entry.value if isinstance(entry.value, dict) else {}
    if not isinstance(bucket.get("results"), list):
        raise QuarantineError("no bucket with its results", WHOLE_PAGE)
    start, end = (moment_us(bucket.get(name), name) for name in times)
    if end <= start:
        raise QuarantineError("the bucket ends before it begins")
    pulled_us = moment_us(pulled_at, "pulled_at") if pulled_at else None
    seen: Counter[tuple[str, ...]] = Counter()
    for result in bucket["results"]:
        value = fields(result)
        if not value:
            yield Problem("an empty result", WHOLE_PAGE, entry.number)
            continue
        key = _key(value, quantities)
        seen[key] += 1
        if seen[key] > 1:  # two lines of one bucket that say the same are two lines
            key = (*key, str(seen[key]))
        yield Result(value, start, end, key, pulled_us, entry)


def _key(value: dict[str, Any], quantities: frozenset[str]) -> tuple[str, ...]:
    said = (item for item in value.items() if item[0] not in quantities)
    return tuple(sorted(f"{name}={said}" for name, said in said if isinstance(said, str | bool)))
