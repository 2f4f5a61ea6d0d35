"""Logs of raw answers: one a line, in a list, as server-sent events, or in what people wrap them.

A body is looked for in the members that loggers use (`response`, `body`, `result`...), also where
it is JSON or a stream written as text. What stands around it is kept as far as it is certain: the
time, the model that was asked for, the provider's id of the request. Request and answer are not.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.core.errors import Problem
from clearbar.spend.files.entry import Entry, text
from clearbar.spend.files.json_records import CUT_SHORT, Document, decode, documents
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes.answer_context import Around, with_headers, with_wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearbar.spend.files.source_file import Line, SourceFile

    IsBody = Callable[[dict[str, Any]], bool]

MEMBERS: Final = (
    "response",
    "body",
    "string",
    "raw_response",
    "result",
    "message",
    "chunk",
    "chunks",
    "event",
    "events",
    "data",
    "interactions",
)
"""The members in which a body may stand, the likeliest first."""
_FAILED: Final = frozenset({"error", "errored", "canceled", "expired"})
"""Types of errors, and of what a batch has no answer to."""
_DEEPEST: Final = 8
_LOOKED_AT: Final = 8
_SSE_STARTS: Final = (b"data:", b"event:", b"id:", b"retry:", b":", b"HTTP/")
_SSE_NAMES: Final = frozenset({"event", "id", "retry", ""})
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)


class Body(NamedTuple):
    """An answer, or an event of a stream, and what stands around it."""

    value: dict[str, Any]
    around: Around
    entry: Entry
    alone: bool = True
    """Whether no other answer stands in the same wrapper, so that its request id is this one's."""


def bodies(file: SourceFile, is_body: IsBody, what: str) -> Iterator[Body | Problem]:
    """Yield the bodies of a file; for what holds none a `Problem` that misses `what`.

    Raises:
        UnreadableFile: when the file is damaged or too large.
    """
    owned, owner = "", set[str]()
    for found in _events(file) if _is_stream(file.head) else _documents(file):
        if isinstance(found, Problem):
            yield found
            continue
        if isinstance(found.value, dict) and not found.around.request_id and is_body(found.value):
            yield Body(found.value, found.around, found.entry)  # the common case
            continue
        try:
            inner = list(_inside(found.value, is_body, found.around, _DEEPEST))
        except QuarantineError as error:
            yield error.problem(found.entry.number)
            continue
        if not inner and not _is_error(found.value):
            hint = "one answer a line, as the API sent it; other lines belong into another file"
            yield Problem(f"no {what}", hint, found.entry.number)
        ids = {_id_of(value) for value, _ in inner} - {""}
        if found.around.request_id and found.around.request_id == owned:
            ids |= owner  # more of the same reply: its request id is the first answer's alone
        owned, owner = found.around.request_id, ids or owner
        alone = len(inner) == 1 >= len(ids) or len(ids) == 1
        for value, around in inner:
            yield Body(value, around, found.entry, alone)


def _id_of(body: dict[str, Any]) -> str:
    """Return the id of the answer that a body is or, as an event, tells of; empty for none."""
    holder = next((body[n] for n in ("response", "message") if isinstance(body.get(n), dict)), body)
    return text(holder.get("id"))


def opens_with(file: SourceFile, is_body: IsBody) -> bool:
    """Return whether one of the first records in the first bytes holds a body."""
    for value in islice(_first_values(file.head), _LOOKED_AT):
        try:
            if next(_inside(value, is_body, Around(), _DEEPEST), None):
                return True
        except QuarantineError:
            continue
    return False


class _Found(NamedTuple):
    value: Any
    around: Around
    entry: Entry


def _documents(file: SourceFile) -> Iterator[_Found | Problem]:
    for found in documents(file):
        if not isinstance(found, Document):
            yield found
            continue
        number = found.line.number if found.line else None
        if isinstance(found.value, list):
            for place, value in enumerate(found.value, 1):
                yield _Found(value, Around(), Entry(value, number or place, found.line))
        else:
            yield _Found(found.value, Around(), Entry(found.value, number, found.line))


def _is_stream(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf\r\n ").startswith(_SSE_STARTS)


def _events(file: SourceFile) -> Iterator[_Found | Problem]:
    """Yield the events of server-sent events; the headers of `curl --include` may go before."""
    headers: dict[str, str] = {}
    in_headers, around = False, Around()
    for line in file.lines():
        payload = line.payload.removeprefix(b"\xef\xbb\xbf")
        name, _, value = payload.partition(b":")
        if payload.startswith(b"HTTP/"):
            in_headers, headers = True, {}
        elif payload.startswith(b"data:"):
            if in_headers:
                in_headers, around = False, with_headers(Around(), headers)
            yield from _event(value.strip(), line, around)
        elif payload.decode("latin-1").partition(":")[0] in _SSE_NAMES or not payload.strip():
            continue
        elif in_headers:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()
        else:
            yield Problem("no server-sent event", CUT_SHORT, line.number)


def _event(data: bytes, line: Line, around: Around) -> Iterator[_Found | Problem]:
    if data == b"[DONE]":
        return
    try:
        value = decode(data)
    except QuarantineError as error:
        yield error.problem(line.number)
    else:
        yield _Found(value, around, Entry(value, line.number, line))


def _first_values(head: bytes) -> Iterator[Any]:
    lines = head.split(b"\n", 4 * _LOOKED_AT)[: 4 * _LOOKED_AT]
    found = False
    stream = _is_stream(head)
    for line in lines:
        if stream and not line.startswith(b"data:"):
            continue
        try:
            value = decode(line.removeprefix(b"data:").strip())
        except QuarantineError:
            continue
        found = True
        yield from value[:_LOOKED_AT] if isinstance(value, list) else (value,)
    if not found and not stream:
        try:
            value = decode(_mended(head))
        except QuarantineError:
            return
        yield from value[:_LOOKED_AT] if isinstance(value, list) else (value,)


def _mended(head: bytes) -> bytes:
    """Return the beginning of a JSON value as a value: cut behind its last whole member."""
    open_ones: list[bytes] = []
    cut, closing = 0, b""
    for token in _TOKEN.finditer(head):
        sign = token[0]
        if sign in {b"{", b"["}:
            open_ones.append(b"}" if sign == b"{" else b"]")
        elif sign in {b"}", b"]"}:
            if not open_ones:
                break
            open_ones.pop()
        elif sign == b'"':
            break
        elif sign != b",":
            continue
        if len(open_ones) <= _DEEPEST:  # a body stands no deeper; deeper members need no mending
            cut = token.start() if sign == b"," else token.end()
            closing = b"".join(reversed(open_ones))
    return head[:cut] + closing


def _inside(
    value: Any, is_body: IsBody, around: Around, deepest: int
) -> Iterator[tuple[dict[str, Any], Around]]:
    """Yield the bodies in a value, and what stands around each."""
    if isinstance(value, dict) and is_body(value):
        yield value, around
    elif not deepest:
        return
    elif isinstance(value, str):
        yield from _in_text(value, is_body, around, deepest - 1)
    elif isinstance(value, list):
        for each in value:
            yield from _inside(each, is_body, around, deepest - 1)
    elif isinstance(value, dict):
        yield from _in_members(value, is_body, with_wrapper(around, value), deepest - 1)


def _in_members(
    wrapper: dict[str, Any], is_body: IsBody, around: Around, deepest: int
) -> list[tuple[dict[str, Any], Around]]:
    """Return the bodies in the first member that holds any.

    Raises:
        QuarantineError: when there are none, and a text that may have held one is broken.
    """
    broken: QuarantineError | None = None
    for name in MEMBERS:
        inner = wrapper.get(name)
        if inner and isinstance(inner, dict | list | str):
            try:
                found = list(_inside(inner, is_body, around, deepest))
            except QuarantineError as error:
                broken = error  # it may be a line of prose that opens with a bracket
                continue
            if found:
                return found
    if broken:
        raise broken
    return []


def _in_text(
    said: str, is_body: IsBody, around: Around, deepest: int
) -> Iterator[tuple[dict[str, Any], Around]]:
    said = said.lstrip()
    if said.startswith(("{", "[")):
        yield from _inside(_decoded(said), is_body, around, deepest)
    elif said.startswith(("data:", "event:", ":")):
        for line in said.split("\n"):
            name, _, data = line.partition(":")
            if name == "data" and data.strip() != "[DONE]":
                yield from _inside(_decoded(data), is_body, around, deepest)


def _decoded(said: str) -> Any:
    return decode(said.strip().encode("utf-8", "replace"))


def _is_error(value: Any) -> bool:
    """Return whether a value is, or wraps, an error: it has cost nothing and tells no usage."""
    for _ in range(_DEEPEST):
        if not isinstance(value, dict):
            return False
        if value.get("error") or text(value.get("type")) in _FAILED:
            return True
        value = next((value[name] for name in MEMBERS if value.get(name)), None)
        if isinstance(value, str) and value.startswith("{"):
            try:
                value = _decoded(value)
            except QuarantineError:
                return False
    return False
