"""Files that are made to do harm: bombs, depths, widths, lengths; small, but large once read."""

from __future__ import annotations

import gzip
import io
import zipfile
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

MB: Final = 1024 * 1024


def bomb(head: bytes, filling: bytes, size: int, tail: bytes = b"") -> bytes:
    """Return a gzip file that begins with `head` and holds `size` bytes of filling."""
    written = io.BytesIO()
    block = filling * (MB // len(filling))
    with gzip.GzipFile(fileobj=written, mode="wb", compresslevel=1, mtime=0) as stream:
        stream.write(head)
        for _ in range(size // MB):
            stream.write(block)
        stream.write(tail)
    return written.getvalue()


@cache
def zip_bomb(size: int) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.jsonl", b"\x00" * size)
    return written.getvalue()


def one_long_line(order: Random, head: bytes) -> bytes:
    return head[:2_000].partition(b"\n")[0] + order.choice((b" ", b"a", b"[", b"\x00")) * (2 * MB)


def many_lines(order: Random, head: bytes) -> bytes:
    """Return lines of nothing, or the same line over and over."""
    line = order.choice((b"\n", b"{}\n", b"[]\n", b"x\n", head[:1_500].partition(b"\n")[0] + b"\n"))
    return head[:2_000].partition(b"\n")[0] + b"\n" + line * (300_000 // max(10, len(line)))


def packed(order: Random, head: bytes) -> bytes:
    """Return a file of which a thousandth stands on the disk."""
    filling = order.choice((b"\x00", b"[", b"{}\n", b'{"a":', b"[],", b"a,", b'"a\n",', b" "))
    return bomb(head[:3_000], filling, order.choice((1, 1, 2)) * MB)


def packed_again(order: Random, head: bytes) -> bytes:
    return gzip.compress(packed(order, head), mtime=0)


def archive(order: Random, head: bytes) -> bytes:  # noqa: ARG001 - as the others
    return zip_bomb(order.choice((1, 16)) * MB)


def nothing(order: Random, head: bytes) -> bytes:
    return order.choice((b"", b"\n", b"\x00" * 5_000, order.randbytes(3_000), b" " * MB, head[:3]))


def a_list_of_lists(order: Random, head: bytes) -> bytes:
    start = head[: order.choice((0, 200))]
    return start + b"[" + order.choice((b"[],", b"{},", b"1.5,", b'"",')) * 100_000 + b"0]"


HOSTILE: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (
    one_long_line,
    many_lines,
    packed,
    packed_again,
    archive,
    nothing,
    nothing,
    nothing,
    a_list_of_lists,
)
