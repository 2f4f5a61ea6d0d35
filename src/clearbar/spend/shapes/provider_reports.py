"""Reports that providers answer in pages: `data[]` of buckets with a time, each with `results[]`.

A result is an aggregate or a line of a bill. Its natural key is everything that it says beside its
quantities, so that a dimension that nobody knew of keeps results apart; read again, it replaces
what was read before. Where a page says when it was pulled (`pulled_at`), the latest wins.

One bucket in two groupings is the same usage twice. In several files the ledger sees that; within
one it cannot, because a dimension may be null in a grouping. So of a file the first grouping of a
bucket is read, and any other is refused: one that names other dimensions and repeats no result.
A result that leaves out what others name is null there, and no whole: its key and a label say so.
Of costs the others of its bucket matter; of usage, whose buckets may be hours that make up a day,
those of its whole file: what any bucket of it names was asked for in all of its kind.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.core.errors import Problem
from clearbar.spend.charge import NULL_IN, labels_of
from clearbar.spend.files.entry import Entry, text
from clearbar.spend.files.json_records import Document, documents, fields
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import moment_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clearbar.spend.charge import Origin
    from clearbar.spend.files.source_file import SourceFile

WHOLE_PAGE: Final = "save the whole page that the API answers"
_DEEPEST: Final = 4
_RESULT: Final = ".result"
_NO_BUCKET: Final = "a result without its bucket has no time"
_DIMENSIONS: Final = {
    "project_id": "project",
    "workspace_id": "project",
    "api_key_id": "credential",
    "line_item": "item",
    "description": "item",
}
"""What costs are grouped by -> the name of that."""
_REGROUPED: Final = "a bucket that this file tells of in another grouping too"
_APART: Final = "keep each grouping in a file of its own: of several the finest counts"


class Result(NamedTuple):
    """One result of a bucket."""

    value: dict[str, Any]
    start_us: int
    end_us: int
    key: tuple[str, ...]
    pulled_us: int | None
    entry: Entry
    is_null_in: tuple[str, ...] = ()
    """What it leaves out of what others of its bucket are grouped by: project, credential, item."""
    asked: frozenset[str] = frozenset()
    """Of usage: by which dimensions what is of its kind is grouped in the file."""

    @property
    def number(self) -> int | None:
        """The line of its bucket, or the bucket's place in the file."""
        return self.entry.number


def results(
    file: SourceFile, start: str, end: str, quantities: frozenset[str]
) -> Iterator[Result | Problem]:
    """Yield each result of each bucket; `start` and `end` are the names of a bucket's times.

    `quantities` are the members of a result that say how much, or only repeat another in words.

    Raises:
        UnreadableFile: when the file is damaged or too large.
    """
    groupings = _Groupings()
    for found in documents(file):
        if not isinstance(found, Document):
            yield found
            continue
        for place, (bucket, pulled_at) in enumerate(_buckets(found.value, None, _DEEPEST), 1):
            number = found.line.number if found.line else place
            entry = Entry(bucket, number, found.line)
            try:
                told = list(_results(entry, (start, end), pulled_at, quantities))
                groupings.check(each for each in told if isinstance(each, Result))
                yield from told
            except QuarantineError as error:
                yield error.problem(number)


def results_of_usage(
    file: SourceFile, start: str, end: str, dimensions: Mapping[str, str]
) -> Iterator[Result | Problem]:
    """Yield each result of each bucket of usage, with what its kind is grouped by in the file.

    `dimensions` are the members of a result that it may be grouped by -> the names of these. The
    file is read twice: only its end tells what was asked for at its beginning.

    Raises:
        UnreadableFile: when the file is damaged or too large.
    """
    asked: dict[str, set[str]] = defaultdict(set)
    for found in Damage().noted(results(file, start, end, frozenset())):
        if isinstance(found, Result):
            named = (own for name, own in dimensions.items() if _says(found.value.get(name)))
            asked[_kind(found)].update(named)
    by_kind = {kind: frozenset(named) for kind, named in asked.items()}
    for found in results(file, start, end, frozenset()):
        if isinstance(found, Result):
            yield found._replace(asked=by_kind.get(_kind(found), frozenset()))
        else:
            yield found


def null_label(found: Result) -> dict[str, str]:
    """Return the label of a result that is null where others of its bucket are not."""
    return {NULL_IN: " ".join(found.is_null_in)}


def nulls(found: Result, told: Mapping[str, object]) -> str:
    """Return the names of what usage is grouped by and does not tell, as its label holds them."""
    return " ".join(sorted(name for name in found.asked if not told[name]))


def null_key(origin: Origin) -> tuple[str, ...]:
    """Return what the label of nulls adds to an identity: nothing where there is none."""
    told = labels_of(origin.labels).get(NULL_IN)
    return (told,) if told else ()


class _Groupings:
    """How the buckets of a file are grouped."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[set[frozenset[str]], set[int]]] = {}
        """Bucket and kind of result -> which dimensions were named, and digests of the results."""

    def check(self, bucket: Iterable[Result]) -> None:
        """Take one telling of a bucket.

        Raises:
            QuarantineError: when the file has told of it in another grouping.
        """
        told: dict[tuple[Any, ...], tuple[set[str], set[int]]] = {}
        for each in bucket:
            span = each.start_us, each.end_us, text(each.value.get("object"))
            named, results = told.setdefault(span, (set(), set()))
            named.update(said.partition("=")[0] for said in each.key)
            results.add(hash(each.key))
        for span, (named, results) in told.items():
            groups, known = self._known.setdefault(span, (set(), set()))
            if groups and frozenset(named) not in groups and known.isdisjoint(results):
                raise QuarantineError(_REGROUPED, _APART)
            groups.add(frozenset(named))
            known |= results


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
        is_result = text(bucket.get("object")).endswith(_RESULT)
        raise QuarantineError(_NO_BUCKET if is_result else "no bucket with its results", WHOLE_PAGE)
    start, end = (moment_us(bucket.get(name), name) for name in times)
    if end <= start:
        raise QuarantineError("the bucket ends before it begins")
    pulled_us = moment_us(pulled_at, "pulled_at") if pulled_at else None
    seen: Counter[tuple[str, ...]] = Counter()
    named = {name for result in bucket["results"] for name in _named(result)}
    for result in bucket["results"]:
        value = fields(result)
        if not value:
            yield Problem("an empty result", WHOLE_PAGE, entry.number)
            continue
        key = _key(value, quantities)
        seen[key] += 1
        if seen[key] > 1:  # two lines of one bucket that say the same are two lines
            key = (*key, str(seen[key]))
        is_null_in = tuple(sorted(named - _named(value)))
        yield Result(value, start, end, key, pulled_us, entry, is_null_in)


def _kind(found: Result) -> str:
    return text(found.value.get("object"))


def _says(value: object) -> bool:
    return value is False or bool(text(value))


def _named(result: object) -> set[str]:
    """Return what a result names of what it may be grouped by."""
    values = result if isinstance(result, dict) else {}
    return {dimension for name, dimension in _DIMENSIONS.items() if text(values.get(name))}


def _key(value: dict[str, Any], quantities: frozenset[str]) -> tuple[str, ...]:
    said = (item for item in value.items() if item[0] not in quantities)
    return tuple(sorted(f"{name}={said}" for name, said in said if isinstance(said, str | bool)))
