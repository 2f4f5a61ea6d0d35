"""Good files made bad, whatever they hold: bytes flipped, cut, spliced, packed, written otherwise.

A change takes the bytes of a file and the order of chance, and returns other bytes.
"""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Final

from tests.spend.sources.fuzz.structures import STRUCTURES
from tests.spend.sources.fuzz.texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.spend.sources.fuzz.corpus import Sample

    Change = Callable[[Random, bytes], bytes]

ENDINGS: Final = [
    ".json",
    ".jsonl",
    ".ndjson",
    ".log",
    ".csv",
    ".tsv",
    ".txt",
    ".parquet",
    ".db",
    ".binpb",
    ".pb",
    ".gz",
    ".json.gz",
    ".csv.gz",
    ".yaml",
]
_MOST_BYTES: Final = 4 * 1024 * 1024
_ODD: Final = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",  # half a character, which UTF-8 forbids
    b"\xc0\x80",
    b"\r",
    b"\n",
    b"\r\n",
    b"\\",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"PAR1",
    b"\xe2\x80\xa8",
    b"data: ",
    b"\x0a\xff\xff\xff\xff\x0f",  # a length in protobuf of four thousand million
)


def flipped(order: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(order.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[order.randrange(len(changed))] ^= 1 << order.randrange(8)
    return bytes(changed)


def overwritten(order: Random, content: bytes) -> bytes:
    place = order.randrange(len(content) + 1)
    length = order.choice((1, 4, 8, 64))
    return content[:place] + order.randbytes(length) + content[place + length :]


def cut(order: Random, content: bytes) -> bytes:
    return content[: order.randrange(len(content) + 1)]


def beheaded(order: Random, content: bytes) -> bytes:
    return content[order.randrange(len(content) + 1) :]


def without_a_part(order: Random, content: bytes) -> bytes:
    first, last = sorted(order.randrange(len(content) + 1) for _ in range(2))
    return content[:first] + content[last:]


def with_a_part_again(order: Random, content: bytes) -> bytes:
    first, last = sorted(order.randrange(len(content) + 1) for _ in range(2))
    return content[:last] + content[first:last] * order.choice((1, 1, 2, 20)) + content[last:]


def with_something_odd(order: Random, content: bytes) -> bytes:
    place = order.choice((0, len(content), order.randrange(len(content) + 1)))
    odd = order.choice(_ODD) * order.choice((1, 1, 1, 3, 1000))
    return content[:place] + odd + content[place:]


def lines_in_another_order(order: Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)[:5_000]
    if order.random() < 0.5:
        return b"".join(order.sample(lines, len(lines)))
    return b"".join(order.choices(lines, k=len(lines) * order.choice((1, 2, 10)))) if lines else b""


def numbers_of_the_format(order: Random, content: bytes) -> bytes:
    """Put an extreme number where binary formats may hold a length or an offset."""
    width = order.choice((1, 2, 4, 8))
    value = order.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), 2**31 % 256**width))
    place = order.randrange(len(content) + 1)
    way = order.choice(("big", "little"))
    written = value.to_bytes(width, "big" if way == "big" else "little")
    return content[:place] + written + content[place + width :]


def otherwise_encoded(order: Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    way = order.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "utf-8-sig"))
    return text.encode(way, "replace")


def compressed(order: Random, content: bytes) -> bytes:
    packed = gzip.compress(content, order.choice((1, 9)), mtime=0)
    way = order.randrange(5)
    if way == 0:
        return flipped(order, packed)
    if way == 1:
        return packed[: order.randrange(len(packed))]
    if way == 2:
        return packed + order.choice((b"\x00" * 100, b"rubbish", packed, packed[:10]))
    if way == 3:
        return gzip.compress(packed, mtime=0)
    return packed


def compressed_otherwise(order: Random, content: bytes) -> bytes:
    return zlib.compress(content) if order.random() < 0.5 else b"PK\x03\x04" + content


BYTES: Final[tuple[Change, ...]] = (
    flipped,
    overwritten,
    cut,
    beheaded,
    without_a_part,
    with_a_part_again,
    with_something_odd,
    lines_in_another_order,
    numbers_of_the_format,
    otherwise_encoded,
    compressed,
    compressed_otherwise,
)
_WEIGHTS: Final = ((BYTES, 3), (TEXTS, 4), (STRUCTURES, 5))


def mutated(order: Random, sample: Sample, others: Sequence[Sample]) -> tuple[str, bytes]:
    """Return the name and the content of a file that one to three changes have made bad."""
    name, content = sample.name, sample.content
    if order.random() < 0.1:
        content = _spliced(order, content, order.choice(others).content)
    is_binary = b"\x00" in content[:4096]
    for _ in range(order.choice((1, 1, 2, 3))):
        kinds = [BYTES] if is_binary and order.random() < 0.9 else [kind for kind, _ in _WEIGHTS]
        weights = [weight for kind, weight in _WEIGHTS if kind in kinds]
        [changes] = order.choices(kinds, weights)
        content = order.choice(changes)(order, content)[:_MOST_BYTES]
    if order.random() < 0.08:
        name = name.partition(".in.")[0] + order.choice(ENDINGS)
    return name, content


def _spliced(order: Random, content: bytes, other: bytes) -> bytes:
    here, there = order.randrange(len(content) + 1), order.randrange(len(other) + 1)
    return content[:here] + other[there:]
