"""Calls that ended as rows of the ledger, many at a time: columns, with what they share apart.

What `charge_record` says of one call, for all calls of which there is nothing special to say, at a
small part of the cost: nearly all calls of a gateway. Those of which there is go one by one.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, count, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from clearbar.route.journal.charge_record import (
    COUNTED,
    FREE_OPERATIONS,
    alias_of,
    fault_in,
    fault_of,
    identities_of,
    is_charge,
    record_of,
    usd_of,
)
from clearbar.spend.charge import MAX_QUANTITY, digest_of
from clearbar.spend.storage.batch import kind_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from clearbar.route.journal.entry import Ended, Held
    from clearbar.spend.storage.batch import Kind

LAST_US: Final = 253_402_300_800_000_000
"""The year 10000."""
_USUAL_BYTES: Final = 8_000
"""Of both lines of a call. So no name or id of it is too long for the ledger."""
_DOLLAR_NUSD: Final = 10**9
_OF_HELD: Final = attrgetter(
    "provider",
    "model",
    "key",
    "team",
    "user",
    "environment",
    "workflow",
    "labels",
    "tool",
    "arm",
    "declared",
)
_OF_ENDED: Final = attrgetter("model", "outcome", "known", "priced", "service_tier", "speed", "geo")


EndedCall: TypeAlias = "tuple[Held, int, Ended, int, bytes]"
"""A call that ended: its beginning, how long the line of that is, its end, the place of the line
that tells of its end, and the JSON of that line. A plain tuple, as there are so many."""


class Rows(NamedTuple):
    """Calls of one segment as columns."""

    segment: str
    """Relative to the folder of journals."""
    call_ids: Sequence[str]
    identities: list[str]
    columns: dict[str, Sequence[Any]]
    """Fields of `Record`, but for the identity; what is not here is the default in every row."""
    kinds: Sequence[Kind]
    """What rows share with others."""
    kind_numbers: Sequence[int]
    """Which of the kinds each row is of."""


def runs_of(calls: Sequence[EndedCall]) -> Iterator[tuple[bool, list[EndedCall]]]:
    """Yield the calls in their order, those together that follow each other and are all usual.

    With each whether they are usual: charges without a fault, with a date, of short lines.
    """
    if _all_usual(calls):
        yield True, list(calls)
        return
    for usual, run in groupby(calls, key=_is_usual):
        yield usual, list(run)


def rows_of(segment: str, calls: Sequence[EndedCall]) -> Rows:
    """Return usual calls as columns: the same as a `record_of` of each would say."""
    helds, _, endeds, offsets, payloads = zip(*calls, strict=True)
    pairs = list(
        zip(_numbered(map(_OF_HELD, helds)), _numbered(map(_OF_ENDED, endeds)), strict=True)
    )
    numbers = _numbered(pairs)
    examples = dict(zip(numbers, calls, strict=True))
    usages = [ended.usage for ended in endeds]
    columns: dict[str, Sequence[Any]] = {
        meter: [usage.get(meter) for usage in usages] for meter in set(chain(*usages))
    }
    columns |= {
        "started_at_us": [held.at_us for held in helds],
        "ended_at_us": [ended.at_us for ended in endeds],
        "reported_cost_usd": _dollars(endeds),
        "aliases": list(map(alias_of, helds)),
        "trace_id": [held.trace_id for held in helds],
        "session_id": [held.run for held in helds],
        "task_id": [held.task for held in helds],
        "latency_ms": [ended.latency_ms for ended in endeds],
        "offset": offsets,
        "length": list(map(len, payloads)),
        "digest": list(map(digest_of, payloads)),
    }
    return Rows(
        segment,
        [held.call_id for held in helds],
        identities_of(helds, endeds),
        columns,
        [kind_of(record_of(held, ended, identity="")) for held, _, ended, *_ in examples.values()],
        numbers,
    )


def _numbered(keys: Iterable[Hashable]) -> list[int]:
    """Return a number for each key, the same for equal ones: 0, 1, ... as they first come."""
    numbers: defaultdict[Hashable, int] = defaultdict(count().__next__)
    return [numbers[key] for key in keys]


def _dollars(endeds: Sequence[Ended]) -> list[str | None]:
    """Return what the workers took for the calls, in nano-dollars, as dollars; None: no price."""
    if max([ended.cost_nusd for ended in endeds]) < _DOLLAR_NUSD:
        return [f"0.{ended.cost_nusd:09d}" if ended.priced else None for ended in endeds]
    return [f"{usd_of(ended.cost_nusd):f}" if ended.priced else None for ended in endeds]


def is_datable(*times_us: int) -> bool:
    """Return whether a calendar has these times."""
    return all(0 <= at_us < LAST_US for at_us in times_us)


def _all_usual(calls: Sequence[EndedCall]) -> bool:
    """Return whether `_is_usual` says so of each; asks all at once, which is quick."""
    helds, lengths, endeds, _, payloads = zip(*calls, strict=True)
    times = [held.at_us for held in helds] + [ended.at_us for ended in endeds]
    usages = [ended.usage for ended in endeds]
    quantities = list(chain(*[usage.values() for usage in usages]))
    meters = set(chain(*usages))
    return (
        max(lengths) + max(map(len, payloads)) <= _USUAL_BYTES
        and is_datable(min(times), max(times))
        and meters <= COUNTED
        and ("reasoning_tokens" not in meters or not any(map(fault_in, usages)))
        and min(quantities, default=0) >= 0
        and max(quantities, default=0) <= MAX_QUANTITY
        and min([ended.cost_nusd for ended in endeds]) >= 0
        and "unsent" not in {ended.outcome for ended in endeds}
        and FREE_OPERATIONS.isdisjoint({held.operation for held in helds})
    )


def _is_usual(call: EndedCall) -> bool:
    held, held_bytes, ended, _, payload = call
    return (
        held_bytes + len(payload) <= _USUAL_BYTES
        and is_datable(held.at_us, ended.at_us)
        and is_charge(held, ended)
        and not fault_of(ended)
    )
