"""Where the members of a JSON object stand in its bytes, found without building its values.

The decoder walks over the bytes at the speed of C and hands out each top-level value as a view.
Where they stand follows from their lengths alone: an object's bytes are its names, its values and
its punctuation. If these add up to the bytes that there are, then nothing else is there: no blank,
no escape in a name, and no name twice. Otherwise the members are walked one by one.
"""

from __future__ import annotations

from typing import Final, cast

import msgspec

from clearbar.spend.files.json_records import without_lone_surrogates

MAX_MEMBERS: Final = 256
"""Top-level names of a body; what has more is no request of these APIs."""
_SMALL: Final = 64 * 1024
_BLANK: Final = b" \t\n\r"
_STEP: Final = 4096
_LONGEST_NAME: Final = 256
_BACKSLASH: Final = ord("\\")


class NotAnObject(Exception):  # noqa: N818 - not an error of ours
    """Bytes that are no JSON object, or one that two readers may read differently; says why."""

    def __init__(self, what: str, *, ambiguous: bool = False) -> None:
        super().__init__(what)
        self.ambiguous = ambiguous
        """Whether they are an object all the same."""


class Layout(msgspec.Struct, frozen=True, gc=False):
    """The members of an object: their values' bytes and where these start."""

    payload: bytes
    values: dict[str, msgspec.Raw]
    """By name, in the order of the bytes; views into `payload`."""
    starts: list[int] | None
    """Of each value, in that order; None: they follow from the lengths."""

    def place(self, wanted: str) -> tuple[int, int] | None:
        """Return where one value starts and ends; None where it is not there."""
        if self.starts is not None:
            return self.places().get(wanted)
        at = 1
        for name, raw in self.values.items():
            at += len(name) + 3
            if name == wanted:
                return at, at + len(raw)
            at += len(raw) + 1
        return None

    def places(self) -> dict[str, tuple[int, int]]:
        """Return where each value starts and ends."""
        found: dict[str, tuple[int, int]] = {}
        if self.starts is not None:
            for (name, raw), start in zip(self.values.items(), self.starts, strict=True):
                found[name] = start, start + len(raw)
            return found
        at = 1
        for name, raw in self.values.items():
            start = at + len(name) + 3
            at = start + len(raw)
            found[name] = start, at
            at += 1
        return found


def layout_of(payload: bytes) -> Layout:
    """Return where the members of an object stand.

    Raises:
        NotAnObject: when it is none, is nested too deeply, or says a name twice.
    """
    text = payload
    try:
        values = _decoded(payload)
    except NotAnObject as error:
        if error.ambiguous:
            raise
        # Halves of characters, as clients leave them when they cut a text, are replaced by as many
        # bytes: the places stay right.
        text = without_lone_surrogates(payload)
        values = _decoded(text)
    if len(values) > MAX_MEMBERS:
        raise NotAnObject(_TOO_MANY, ambiguous=True)
    size = 1 + 4 * len(values) + len("".join(values)) + sum(map(len, values.values()))
    if size == len(payload) and values:
        return Layout(payload, values, None)
    if any(len(name) > _LONGEST_NAME for name in values):
        raise NotAnObject("has a name without an end", ambiguous=True)
    return Layout(payload, values, _walked(text, values))


def _decoded(payload: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _decoder.decode(payload) if len(payload) <= _SMALL else _counted(payload)
    except msgspec.ValidationError:
        raise NotAnObject("is not a JSON object") from None
    except RecursionError:
        raise NotAnObject("is nested too deeply", ambiguous=True) from None
    except (ValueError, MemoryError):
        raise NotAnObject("is not JSON") from None


def _counted(payload: bytes) -> dict[str, msgspec.Raw]:
    """Return the members of a large body, counted while they are read: they could fill memory."""
    seen = 0

    def counted(_: type, name: str) -> _Name:
        nonlocal seen
        seen += 1
        if seen > MAX_MEMBERS:
            raise NotAnObject(_TOO_MANY, ambiguous=True)
        return _Name(name)

    decoder = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=counted)
    return cast("dict[str, msgspec.Raw]", decoder.decode(payload))


def _walked(payload: bytes, values: dict[str, msgspec.Raw]) -> list[int]:
    """Return where the values start, each member proven to stand where it is looked for.

    Raises:
        NotAnObject: when a name is there twice.
    """
    starts: list[int] = []
    at = _after_blanks(payload, _after_blanks(payload, 0) + 1)
    for name, raw in values.items():
        start = _after_blanks(payload, _after_name(payload, at, name))
        end = start + len(raw)
        if payload[start:end] != bytes(raw):
            raise NotAnObject(_TWICE, ambiguous=True)
        # No value is the beginning of a longer one, but for numbers: so what follows counts.
        at = _after_blanks(payload, end)
        if payload[at] not in _ENDS:
            raise NotAnObject(_TWICE, ambiguous=True)
        starts.append(start)
        if payload[at] == _COMMA:
            at = _after_blanks(payload, at + 1)
    if payload[at] != _CLOSED:
        raise NotAnObject(_TWICE, ambiguous=True)
    return starts


def _after_name(payload: bytes, at: int, name: str) -> int:
    """Return where the bytes behind the name and the colon start.

    Raises:
        NotAnObject: when it is not this name that stands there.
    """
    plain = b'"%b":' % name.encode()
    if payload.startswith(plain, at):
        return at + len(plain)
    if payload[at] == _CLOSED:
        raise NotAnObject(_TWICE, ambiguous=True)
    end = payload.find(b'"', at + 1)
    while _is_escaped(payload, end):
        end = payload.find(b'"', end + 1)
    if msgspec.json.decode(payload[at : end + 1], type=str) != name:
        raise NotAnObject(_TWICE, ambiguous=True)
    return _after_blanks(payload, end + 1) + 1


def _is_escaped(payload: bytes, at: int) -> bool:
    before = at - 1
    while payload[before] == _BACKSLASH:
        before -= 1
    return (at - before) % 2 == 0


def _after_blanks(payload: bytes, at: int) -> int:
    if at >= len(payload) or payload[at] not in _BLANK:
        return at
    if payload[at + 1] not in _BLANK:
        return at + 1
    while True:
        piece = payload[at : at + _STEP]
        rest = len(piece.lstrip(_BLANK))
        at += len(piece) - rest
        if rest or not piece:
            return at


class _Name(str):
    """A name of which the decoder tells while it reads on."""

    __slots__ = ()


_TWICE: Final = "says a name twice"
_TOO_MANY: Final = f"has more than {MAX_MEMBERS} members"
_COMMA, _CLOSED = b",}"
_ENDS: Final = frozenset(b",}")
_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
