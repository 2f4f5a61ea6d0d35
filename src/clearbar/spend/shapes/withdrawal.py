"""What an earlier pull told of and a later one of the same days does not: it counts no more.

Buckets and bills of recent days change, and a line of them may move: from one project, model or
line item to another. The new line would stand beside the old one. So the old one is told again,
as nothing: no calls, no quantities, no cost.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.spend.charge import METERS, Record, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK: Final = '{"clearbar_withdrawn":1,'
"""How each line begins."""


_COUNTS: Final = (*METERS, "reasoning_tokens")
_NUMBERS: Final = range(253_402_300_800_000_000)
"""What a number of a record may be: moments, the largest of all, end with the year 9999."""
_COSTS: Final = ("reported_cost_usd", "reported_cost")


class _Withdrawn(msgspec.Struct, frozen=True):
    clearbar_withdrawn: int
    pulled: str
    """When: a later withdrawal of the same line is another one."""
    record: Record


def withdrawn(before: Iterable[Record], now: Iterable[Record]) -> list[Record]:
    """Return the records to withdraw, by identity: those told before and not now.

    Those that were withdrawn before, and not told since, are not withdrawn again.
    """
    last = {record.identity: record for record in before}
    for record in now:
        last.pop(record.identity, None)
    return [_as_nothing(last[key]) for key in sorted(last) if not _is_nothing(last[key])]


def lines_of(records: Iterable[Record], pulled: str) -> bytes:
    """Return records as the lines of a file of withdrawals."""
    encoder = msgspec.json.Encoder(decimal_format="string")
    return b"".join(encoder.encode(_Withdrawn(1, pulled, each)) + b"\n" for each in records)


def record_of(line: bytes) -> Record:
    """Return the record of a line.

    Raises:
        msgspec.DecodeError: when the line is none of `lines_of`.
    """
    record = msgspec.json.decode(line, type=_Withdrawn).record
    if record != _as_nothing(record) or not _can_be_stored(record):
        raise msgspec.ValidationError("no withdrawal: it counts, or does not say what and when")
    return msgspec.structs.replace(record, digest=digest_of(line))


def _can_be_stored(record: Record) -> bool:
    numbers = (value for value in msgspec.structs.astuple(record) if isinstance(value, int))
    return bool(record.identity) and all(number in _NUMBERS for number in numbers)


def _is_nothing(record: Record) -> bool:
    told = ("calls", *_COUNTS, *_COSTS)
    return not any(getattr(record, name) for name in told)


def _as_nothing(record: Record) -> Record:
    zero = {name: 0 for name in _COUNTS if getattr(record, name) is not None}
    free = {name: Decimal(0) for name in _COSTS if getattr(record, name) is not None}
    place = {"line": None, "offset": None, "length": None, "digest": "", "lines": 1}
    return msgspec.structs.replace(record, calls=0, **zero, **free, **place)
