"""One dollar, two records: an aggregate sets the total, single calls set the split.

Where a provider's aggregate and single calls describe the same provider, model and UTC day (and the
project, key or user that the aggregate names), each sum counts once: what the calls already hold is
taken off the aggregate, and what is left of it is the part that no log explains.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import BASES
from clearbar.spend.usage import USAGE_FIELDS, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from clearbar.spend.charge import Origin

_OWN_DIMENSIONS: Final = ("account", "project", "credential", "principal")
_TOLD_TWICE: Final = tuple(name for name in USAGE_FIELDS if not name.startswith("calls_"))
_DATED: Final = re.compile(r"-(20\d{2}-\d{2}-\d{2}|20\d{6})$")


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What one origin used on one day."""

    origin_id: int
    origin: Origin
    grain: str
    day: date
    usage: Usage


@dataclass(frozen=True, slots=True)
class Correction:
    """What to take off an origin's aggregate on a day, because single calls hold it too."""

    origin_id: int
    day: date
    usage: Usage
    """Negative."""


def scope(origin: Origin) -> tuple[str, str]:
    """Return provider and model, without a release date: what an aggregate and a log agree on."""
    return origin.provider, _DATED.sub("", origin.model)


def corrections(rows: Iterable[DayUsage]) -> list[Correction]:
    """Return what has to come off the aggregates, in a stable order."""
    calls: dict[tuple[str, str, date], list[DayUsage]] = defaultdict(list)
    buckets: dict[tuple[str, str, date], list[DayUsage]] = defaultdict(list)
    for row in rows:
        (buckets if row.grain == "bucket" else calls)[*scope(row.origin), row.day].append(row)
    return [
        found
        for key in sorted(buckets.keys() & calls.keys())
        for found in _of_one_day(buckets[key], calls[key])
    ]


def _of_one_day(buckets: list[DayUsage], calls: list[DayUsage]) -> Iterator[Correction]:
    """Yield corrections for one provider, model and day; each call explains one aggregate only."""
    left = {row.origin_id: row.usage for row in calls}
    for bucket in sorted(buckets, key=lambda row: (-_named(row.origin), row.origin_id)):
        for call in sorted(calls, key=lambda row: row.origin_id):
            if _covers(bucket.origin, call.origin):
                shared = _shared(bucket.usage, left[call.origin_id])
                if shared != Usage():
                    left[call.origin_id] += -shared
                    bucket = replace(bucket, usage=bucket.usage + -shared)  # noqa: PLW2901 - what is left of it
                    yield Correction(bucket.origin_id, bucket.day, -shared)


def _covers(bucket: Origin, call: Origin) -> bool:
    """Whether an aggregate's own dimensions say that it holds the call.

    An aggregate of a project holds no call of which the project is not known to be that one.
    """
    return all(getattr(bucket, name) in ("", getattr(call, name)) for name in _OWN_DIMENSIONS)


def _named(origin: Origin) -> int:
    return sum(bool(getattr(origin, name)) for name in _OWN_DIMENSIONS)


def _shared(bucket: Usage, call: Usage) -> Usage:
    """Return what both tell of; of the aggregate's calls, those of the least certain cost."""
    shared = {name: min(getattr(bucket, name), getattr(call, name)) for name in _TOLD_TWICE}
    calls = shared["calls"]
    for basis in reversed(BASES):
        name = f"calls_{basis}"
        shared[name] = min(getattr(bucket, name), calls)
        calls -= shared[name]
    return Usage(**shared)
