"""Lines of calls as plain rows, and rows as columns: quicker than an object for each call.

A row is what the line says, with its tag in front. There are rows for lines that have all fields
of today, as nearly all have; a line of an older or a newer Clearbar is read as the entry it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import astuple, fields

from clearbar.route.journal.entry import Ended, Entry, Held, Noted, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from clearbar.route.journal.tail import Lines, Tail

Row: TypeAlias = "tuple[Any, ...]"
"""A tag, then the fields of a `Held` or an `Ended` in their order."""
EndedCall: TypeAlias = "tuple[Row, int, Row, int, bytes]"
"""A call that ended: its beginning, how long the line of that is, its end, the place of the line
that tells of its end, and the JSON of that line. A plain tuple, as there are so many."""
HELD: Final = "H"
ENDED: Final = "E"
CALL_ID: Final = 1
"""Where a row has the id of the call."""
_OTHER: Final[Row] = ("",)
_TAG_BYTES: Final = len(b'["H"')


class Calls(NamedTuple):
    """Calls that ended, one at least, as columns."""

    calls: Sequence[EndedCall]
    held: Mapping[str, Sequence[Any]]
    """Fields of `Held`."""
    held_bytes: Sequence[int]
    ended: Mapping[str, Sequence[Any]]
    """Fields of `Ended`."""
    offsets: Sequence[int]
    payloads: Sequence[bytes]


def rows_in(tail: Tail, lines: Lines) -> Iterable[tuple[int, bytes, Row]]:
    """Return place, JSON and row of each line, in their order; the row of no call has no tag.

    What is no entry is left out, and a problem of `tail`.
    """
    try:
        rows = [_DECODERS[payload[:_TAG_BYTES]](payload) for payload in lines.payloads]
    except (KeyError, msgspec.MsgspecError):
        block = tail.block_of(lines)
        return zip(block.offsets, block.payloads, map(row_of, block.entries), strict=True)
    return zip(lines.offsets, lines.payloads, rows, strict=True)


def row_of(entry: Entry) -> Row:
    """Return the row of an entry."""
    if isinstance(entry, Held):
        return HELD, *astuple(entry)
    return (ENDED, *astuple(entry)) if isinstance(entry, Ended) else _OTHER


def held_of(row: Row) -> Held:
    """Return the beginning of a call as an object."""
    return Held(*row[1:])


def ended_of(row: Row) -> Ended:
    """Return the end of a call as an object."""
    return Ended(*row[1:])


def columns_of(calls: Sequence[EndedCall]) -> Calls:
    """Return calls as columns."""
    helds, held_bytes, endeds, offsets, payloads = zip(*calls, strict=True)
    return Calls(
        calls,
        dict(zip(_OF_HELD, zip(*helds, strict=True), strict=True)),
        held_bytes,
        dict(zip(_OF_ENDED, zip(*endeds, strict=True), strict=True)),
        offsets,
        payloads,
    )


_OF_HELD: Final = ("tag", *Held.__struct_fields__)
_OF_ENDED: Final = ("tag", *Ended.__struct_fields__)


def _decoder_of(kind: type[Held | Ended], tag: str) -> Callable[[bytes], Row]:
    types = [field.type for field in fields(kind)]
    row: Any = tuple.__class_getitem__((Literal[tag], *types))
    decode: Callable[[bytes], Row] = msgspec.json.Decoder(row).decode
    return decode


def _checked(kind: type[Refused | Noted]) -> Callable[[bytes], Row]:
    decode = msgspec.json.Decoder(kind).decode

    def row(payload: bytes) -> Row:
        decode(payload)
        return _OTHER

    return row


_DECODERS: Final[Mapping[bytes, Callable[[bytes], Row]]] = {
    b'["H"': _decoder_of(Held, HELD),
    b'["E"': _decoder_of(Ended, ENDED),
    b'["R"': _checked(Refused),
    b'["N"': _checked(Noted),
}
