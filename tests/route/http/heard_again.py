"""An upstream that gives the same replies again: heard as they come, or each as if it were new."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.route.http.wires import Heard, lab, read_request

from clearbar.route.http.repeated_reply import Repeated
from clearbar.route.http.repeated_stream import RepeatedStreams

if TYPE_CHECKING:
    from collections.abc import Sequence

OK = b"HTTP/1.1 200 OK\r\n"


def reply(body: bytes, more: bytes = b"", length: bytes | None = None, line: bytes = OK) -> bytes:
    said = b"%d" % len(body) if length is None else length
    return line + b"X-Id: 7\r\nContent-Length: " + said + b"\r\n" + more + b"\r\n" + body


async def hear_all(
    replies: Sequence[Sequence[bytes]], *, forgets: bool
) -> list[tuple[object, ...]]:
    """Return what is heard of replies that come in pieces; behind an empty one it hangs up.

    With `forgets` no head is known from the reply before.
    """
    left = list(replies)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left:
            await read_request(reader)
            for piece in left.pop(0):
                if not piece:
                    writer.close()
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.002)

    found = []
    async with lab(talk) as at:
        for _ in replies:
            found.append(_told(await at.hear()))
            if forgets:
                for pool in at.upstreams._pools.values():
                    pool.repeated, pool.streams = Repeated(), RepeatedStreams()
    return found


def _told(heard: Heard) -> tuple[object, ...]:
    kind = None if heard.broken is None else heard.broken.kind
    return heard.status, list(heard.headers), heard.body, heard.ended, kind
