"""Calls that ended as rows of the ledger, many at a time: columns, with what they share apart.

What `charge_record` says of one call, for all calls of which there is nothing special to say, at a
small part of the cost: nearly all calls of a gateway. Those of which there is go one by one.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.route.journal.call_rows import columns_of, ended_of, held_of
from clearbar.route.journal.charge_record import (
    COUNTED,
    FREE_OPERATIONS,
    LONG_ID,
    fault_in,
    fault_of,
    identity_of,
    is_charge,
    record_of,
    usd_of,
)
from clearbar.spend.charge import MAX_QUANTITY, digest_of
from clearbar.spend.identity import PROVIDER_PREFIXES, span
from clearbar.spend.storage.batch import NANO_DOLLARS, kind_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from clearbar.route.journal.call_rows import Calls, EndedCall
    from clearbar.spend.storage.batch import Kind

LAST_US: Final = 253_402_300_800_000_000
"""The year 10000."""
_USUAL_BYTES: Final = 8_000
"""Of both lines of a call. So no name or id of it is too long for the ledger."""
_MOST_NUSD: Final = 10**18
"""More than whole numbers of the engine are sure to hold."""
_OF_HELD: Final = (
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
_OF_ENDED: Final = ("model", "outcome", "known", "priced", "service_tier", "speed", "geo")


class Rows(NamedTuple):
    """Calls of one segment as columns."""

    segment: str
    """Relative to the folder of journals."""
    call_ids: Sequence[str]
    identities: list[str]
    columns: dict[str, Sequence[Any]]
    """Fields of `Record`, but for the identity; what is not here is the default in every row.
    `NANO_DOLLARS` may stand for the reported cost."""
    kinds: Sequence[Kind]
    """What rows share with others."""
    kind_numbers: Sequence[int]
    """Which of the kinds each row is of."""


def runs_of(calls: Calls) -> Iterator[tuple[bool, Calls]]:
    """Yield the calls in their order, those together that follow each other and are all usual.

    With each whether they are usual: charges without a fault, with a date, of short lines.
    """
    if _all_usual(calls):
        yield True, calls
        return
    for usual, run in groupby(calls.calls, key=_is_usual):
        yield usual, columns_of(list(run))


def rows_of(segment: str, calls: Calls) -> Rows:
    """Return usual calls as columns: the same as a `record_of` of each would say."""
    held, ended, payloads = calls.held, calls.ended, calls.payloads
    numbers = _kind_numbers(calls)
    examples = dict(zip(numbers, calls.calls, strict=True))
    columns: dict[str, Sequence[Any]] = {
        **_quantities(ended["usage"]),
        "started_at_us": held["at_us"],
        "ended_at_us": ended["at_us"],
        **_costs(ended["cost_nusd"], ended["priced"]),
        "aliases": _aliases(held["trace_id"], held["span_id"]),
        "trace_id": held["trace_id"],
        "session_id": held["run"],
        "task_id": held["task"],
        "latency_ms": ended["latency_ms"],
        "offset": calls.offsets,
        "length": list(map(len, payloads)),
        "digest": list(map(digest_of, payloads)),
    }
    return Rows(
        segment,
        held["call_id"],
        _identities(calls),
        {name: values for name, values in columns.items() if _says_anything(values)},
        list(map(_kind, examples.values())),
        numbers,
    )


def _kind(call: EndedCall) -> Kind:
    return kind_of(record_of(held_of(call[0]), ended_of(call[2]), identity=""))


def _kind_numbers(calls: Calls) -> Sequence[int]:
    """Return a number for each call, the same for calls that share all but what columns say."""
    held, ended = calls.held, calls.ended
    columns = [*(held[name] for name in _OF_HELD), *(ended[name] for name in _OF_ENDED)]
    if 0 in held["amount_nusd"]:  # what is free says so
        amounts = zip(held["amount_nusd"], ended["cost_nusd"], strict=True)
        columns.append([not (amount or cost) for amount, cost in amounts])
    differing = [column for column in columns if column.count(column[0]) < len(column)]
    if not differing:
        return [0] * len(calls.calls)
    return _numbered(zip(*differing, strict=True))


def _numbered(keys: Iterable[Hashable]) -> list[int]:
    """Return a number for each key, the same for equal ones: 0, 1, ... as they first come."""
    numbers: defaultdict[Hashable, int] = defaultdict(count().__next__)
    return [numbers[key] for key in keys]


def _quantities(usages: Sequence[dict[str, int]]) -> dict[str, Sequence[int | None]]:
    """Return a column for each meter that any of the calls tells of."""
    meters: set[str] = set().union(*usages)
    return {meter: [usage.get(meter) for usage in usages] for meter in meters}


def _identities(calls: Calls) -> list[str]:
    """Return the `identity_of` each call; quick for ids of the forms that providers give."""
    found: Sequence[str] = calls.ended["upstream_id"]
    known = [upstream_id.startswith(PROVIDER_PREFIXES) for upstream_id in found]
    if all(known) and min(map(len, found)) >= LONG_ID:
        return [f"upstream:{upstream_id}" for upstream_id in found]
    parts = calls.held["call_id"], calls.held["provider"], found
    return list(map(identity_of, *parts))


def _aliases(trace_ids: Sequence[str], span_ids: Sequence[str]) -> list[str]:
    """Return by which other identity a trace knows each call, as `alias_of` has it."""
    return [
        span(trace_id, span_id) if trace_id and span_id else ""
        for trace_id, span_id in zip(trace_ids, span_ids, strict=True)
    ]


def _costs(
    costs_nusd: Sequence[int], priced: Sequence[bool]
) -> dict[str, Sequence[int | str | None]]:
    """Return what the workers took for the calls; None: no price."""
    if max(costs_nusd) > _MOST_NUSD:
        costs = zip(costs_nusd, priced, strict=True)
        return {
            "reported_cost_usd": [f"{usd_of(nusd):f}" if known else None for nusd, known in costs]
        }
    if all(priced):
        return {NANO_DOLLARS: costs_nusd}
    costs = zip(costs_nusd, priced, strict=True)
    return {NANO_DOLLARS: [nusd if known else None for nusd, known in costs]}


def _says_anything(values: Sequence[Any]) -> bool:
    """Return whether a column of texts has one; numbers always say something."""
    return values[0] != "" or any(values)


def is_datable(*times_us: int) -> bool:
    """Return whether a calendar has these times."""
    return all(0 <= at_us < LAST_US for at_us in times_us)


def _all_usual(calls: Calls) -> bool:
    """Return whether `_is_usual` says so of each; asks all at once, which is quick."""
    held, ended = calls.held, calls.ended
    usages = ended["usage"]
    quantities = [each for usage in usages for each in usage.values()]
    meters = set().union(*usages)
    times = [*held["at_us"], *ended["at_us"]]
    return (
        max(calls.held_bytes) + max(map(len, calls.payloads)) <= _USUAL_BYTES
        and is_datable(min(times), max(times))
        and meters <= COUNTED
        and ("reasoning_tokens" not in meters or not any(map(fault_in, usages)))
        and min(quantities, default=0) >= 0
        and max(quantities, default=0) <= MAX_QUANTITY
        and min(ended["cost_nusd"]) >= 0
        and "unsent" not in set(ended["outcome"])
        and FREE_OPERATIONS.isdisjoint(held["operation"])
    )


def _is_usual(call: EndedCall) -> bool:
    held_row, held_bytes, ended_row, _, payload = call
    held, ended = held_of(held_row), ended_of(ended_row)
    return (
        held_bytes + len(payload) <= _USUAL_BYTES
        and is_datable(held.at_us, ended.at_us)
        and is_charge(held, ended)
        and not fault_of(ended)
    )
