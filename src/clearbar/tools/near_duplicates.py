"""Past inputs that are nearly equal to a new one: exact, and quick among hundreds of thousands.

Likeness is the Jaccard index of the sets of four-character pieces (shingles) of two normalised
texts: shared pieces over all pieces. 1 is the same set, and one word changed in a sentence of ten
leaves about 0.7. Search is exact, not by sampling: at a threshold t, two sets that are alike share
one of the |x| - ceil(t |x|) + 1 rarest pieces of each (prefix filtering, Chaudhuri et al. 2006), so
only the rarest pieces of each text are indexed, and texts that share one are compared whole.
Pieces are compared by 40 bits of a hash.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SHINGLE: Final = 4
MAX_TEXTS: Final = 1 << 24
_HASH_BITS: Final = 40
_BUCKET_BITS: Final = 20
_COUNT_BITS: Final = 12
_MOST_OFTEN: Final = (1 << _COUNT_BITS) - 1
_BATCH: Final = 4096
"""Texts at a time: 12 bits, so that text, count and hash of a piece are sorted as one number."""
_PRIME: Final = np.uint64(0x100000001B3)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_ROUNDING: Final = 1e-9


def normalised(text: str) -> str:
    """Return a text in Unicode's NFKC, without case, with one space for each run of white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclass(frozen=True, slots=True)
class Near:
    """A past text that is alike."""

    at: int
    """Its position."""
    likeness: float


class NearIndex:
    """Past texts, found by likeness of `threshold` or more, in (0, 1]."""

    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        if len(texts) > MAX_TEXTS:
            raise ValueError("too many texts")
        self._threshold = threshold
        batches = list(_batches(texts))
        self._often = np.zeros(1 << _BUCKET_BITS, np.int64)
        for _, hashes in batches:
            self._often += np.bincount(hashes & _low_bits(_BUCKET_BITS), minlength=len(self._often))
        owners = [owner for owner, _ in batches]
        self._sizes = np.bincount(np.concatenate([_NONE, *owners]), minlength=len(texts))
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)])
        self._pieces = np.concatenate([_NO_PIECES, *(self._rarest_first(*one) for one in batches)])
        """The pieces of each text, rarest first."""
        self._index(np.concatenate([_NONE, *owners]))

    def _index(self, owners: NDArray[np.int64]) -> None:
        """Keep, of each text, the rarest pieces."""
        within = np.arange(len(owners)) - self._starts[owners]
        kept = within < self._prefix(self._sizes)[owners]
        order = np.argsort(self._pieces[kept], kind="stable")
        self._posted_pieces, self._posted = self._pieces[kept][order], owners[kept][order]

    def _rarest_first(
        self, owners: NDArray[np.int64], hashes: NDArray[np.uint64]
    ) -> NDArray[np.uint64]:
        """Return the pieces of each owner, sorted by how many texts have them.

        The order need only be the same for all texts, so the counts may be coarse: pieces that
        share a bucket are counted together, and counts from 4095 on are one.
        """
        often = np.minimum(self._often[hashes & _low_bits(_BUCKET_BITS)], _MOST_OFTEN)
        local = (owners - owners[:1]).astype(np.uint64)
        keys = local << np.uint64(_HASH_BITS + _COUNT_BITS)
        keys |= often.astype(np.uint64) << np.uint64(_HASH_BITS)
        return np.sort(keys | hashes) & _low_bits(_HASH_BITS)

    def _prefix(self, sizes: NDArray[Any]) -> NDArray[np.int64]:
        needed = np.ceil(sizes * self._threshold - _ROUNDING)
        prefix: NDArray[np.int64] = (sizes - needed + 1).astype(np.int64)
        return prefix

    def nearest(self, text: str) -> list[Near]:
        """Return the most alike texts: all that share the highest likeness; none below it."""
        pieces = self._rarest_first(*next(_batches([text])))
        rarest = pieces[: self._prefix(np.array([len(pieces)]))[0]]
        firsts = np.searchsorted(self._posted_pieces, rarest, "left")
        ends = np.searchsorted(self._posted_pieces, rarest, "right")
        lists = [self._posted[a:b] for a, b in zip(firsts, ends, strict=True) if a < b]
        found = np.unique(np.concatenate([_NONE, *lists]))
        sizes = self._sizes[found]
        fits = (sizes >= len(pieces) * self._threshold - _ROUNDING) & (
            sizes * self._threshold <= len(pieces) + _ROUNDING
        )
        return self._compared(np.sort(pieces), found[fits])

    def _compared(self, pieces: NDArray[np.uint64], found: NDArray[np.int64]) -> list[Near]:
        if not len(found):
            return []
        sizes = self._sizes[found]
        firsts = np.cumsum(sizes) - sizes
        places = np.arange(sizes.sum()) + np.repeat(self._starts[found] - firsts, sizes)
        theirs = self._pieces[places]
        at = np.minimum(np.searchsorted(pieces, theirs), len(pieces) - 1)
        shared = np.add.reduceat((pieces[at] == theirs).astype(np.int64), firsts)
        likeness = shared / (sizes + len(pieces) - shared)
        best = float(likeness.max())
        if best < self._threshold - _ROUNDING:
            return []
        return [Near(int(text), best) for text in found[likeness >= best - _ROUNDING]]


_NONE: Final = np.empty(0, np.int64)
_NO_PIECES: Final = np.empty(0, np.uint64)


def _low_bits(count: int) -> np.uint64:
    return np.uint64((1 << count) - 1)


def _batches(
    texts: Sequence[str],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
    """Yield, for some texts at a time, their distinct pieces: whose each is, and its hash."""
    for start in range(0, len(texts), _BATCH):
        padded = [_padded(text) for text in texts[start : start + _BATCH]]
        lengths = np.array([len(text) for text in padded])
        joined = "".join(padded).encode("utf-32-le", "surrogatepass")
        hashes = _hashes(np.frombuffer(joined, "<u4").astype(np.uint64))
        pieces = lengths - SHINGLE + 1
        firsts = np.cumsum(lengths) - lengths
        places = np.arange(pieces.sum()) + np.repeat(firsts - np.cumsum(pieces) + pieces, pieces)
        local = np.repeat(np.arange(len(padded), dtype=np.uint64), pieces)
        keys = np.unique(local << np.uint64(_HASH_BITS) | hashes[places])
        yield (
            (keys >> np.uint64(_HASH_BITS)).astype(np.int64) + start,
            keys & _low_bits(_HASH_BITS),
        )


def _padded(text: str) -> str:
    return f" {normalised(text)} ".ljust(SHINGLE)


def _hashes(points: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the hash of the piece that starts at each character, as long as there is one."""
    pieces = len(points) - SHINGLE + 1
    mixed = np.zeros(pieces, np.uint64)
    for at in range(SHINGLE):
        mixed = (mixed ^ points[at : at + pieces]) * _PRIME
        mixed ^= mixed >> np.uint64(29)
    mixed *= _MIX
    return (mixed ^ (mixed >> np.uint64(32))) & _low_bits(_HASH_BITS)


def majority(answers: Sequence[str]) -> str:
    """Return the most frequent answer; of several, the one that came first."""
    counts: dict[str, int] = {}
    for answer in answers:
        counts[answer] = counts.get(answer, 0) + 1
    most = max(counts.values(), default=0)
    return next((answer for answer, count in counts.items() if count == most), "")


def likeness(one: str, other: str) -> float:
    """Return the likeness of two texts, by their pieces themselves."""
    first, second = _pieces(one), _pieces(other)
    return len(first & second) / len(first | second)


def _pieces(text: str) -> frozenset[str]:
    padded = _padded(text)
    return frozenset(padded[at : at + SHINGLE] for at in range(len(padded) - SHINGLE + 1))
