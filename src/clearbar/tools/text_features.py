"""What a text is made of, in numbers: its word and character n-grams, weighed by tf-idf.

Words are runs of two or more letters, digits or underscores, in lower case, alone, in pairs and in
threes. Characters are taken two to five at a time within each word, with a space before and after
it. A weight is (1 + ln count) * idf, with idf = 1 + ln((1 + texts) / (1 + texts that have it));
the weights of each kind have length 1. These are the definitions of scikit-learn's
`TfidfVectorizer(sublinear_tf=True)` with `analyzer` "word" and "char_wb", in plain Python, so that
nothing but numpy is needed to answer. A test holds the two equal.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Grams = Literal["word", "char"]
GRAMS: Final[tuple[Grams, ...]] = ("word", "char")

MAX_CHARACTERS: Final = 20_000
"""What stands beyond is not looked at, neither to train nor to answer."""
MAX_WORDS: Final = 3
"""The longest word n-gram."""
MIN_CHARACTERS_A_GRAM: Final = 2
MAX_CHARACTERS_A_GRAM: Final = 5
_WORD: Final = re.compile(r"\b\w\w+\b")


def word_ngrams(text: str) -> list[str]:
    """Return all runs of one to three words, in lower case, with one space between words."""
    words = _WORD.findall(text[:MAX_CHARACTERS].lower())
    runs = [
        [" ".join(words[at : at + n]) for at in range(len(words) - n + 1)]
        for n in range(2, MAX_WORDS + 1)
    ]
    return list(chain(words, *runs))


def char_ngrams(text: str) -> list[str]:
    """Return all runs of two to five characters within words that have a space at both ends."""
    found: list[str] = []
    for word in text[:MAX_CHARACTERS].lower().split():
        padded = f" {word} "
        length = len(padded)
        for n in range(MIN_CHARACTERS_A_GRAM, MAX_CHARACTERS_A_GRAM + 1):
            if n >= length:  # a word as short as this counts once, whole
                found.append(padded)
                break
            found += [padded[at : at + n] for at in range(length - n + 1)]
    return found


NGRAMS: Final[Mapping[Grams, Callable[[str], list[str]]]] = {
    "word": word_ngrams,
    "char": char_ngrams,
}


@dataclass(frozen=True)
class Vocabulary:
    """The n-grams of one kind that count, each with its weight."""

    grams: Grams
    terms: tuple[str, ...]
    """Each stands in the row of its position."""
    idf: NDArray[np.float64]
    """One for each term."""

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The position of each term."""
        return {term: row for row, term in enumerate(self.terms)}

    def weigh(self, text: str) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the rows of the terms that the text has, and their weights, of length 1."""
        row_of = self.row_of
        counts = Counter(row_of[gram] for gram in NGRAMS[self.grams](text) if gram in row_of)
        rows = np.fromiter(counts, np.intp, len(counts))
        weights = np.fromiter(counts.values(), np.float64, len(counts))
        weights = (1.0 + np.log(weights)) * self.idf[rows]
        length = float(np.sqrt(weights @ weights))
        return rows, weights / length if length else weights


def weigh_all(
    vocabularies: Sequence[Vocabulary], text: str
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the rows and weights of a text in several vocabularies, stacked in their order."""
    rows: list[NDArray[np.intp]] = []
    weights: list[NDArray[np.float64]] = []
    above = 0
    for vocabulary in vocabularies:
        own_rows, own_weights = vocabulary.weigh(text)
        rows.append(own_rows + above)
        weights.append(own_weights)
        above += len(vocabulary.terms)
    return np.concatenate(rows), np.concatenate(weights)


def inverse_frequency(texts: int, having: Iterable[int]) -> NDArray[np.float64]:
    """Return the idf of terms, of which each stands in so many of the texts."""
    counts = np.fromiter(having, np.float64)
    idf: NDArray[np.float64] = np.log((1.0 + texts) / (1.0 + counts)) + 1.0
    return idf
