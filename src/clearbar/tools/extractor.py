"""Fields of a text that stand in it word for word: tokens are tagged, runs of tags become values.

A token is a run of letters, digits and underscores, or one other character that is no white
space. Its features are its own form, its neighbours, and the form of the piece between white space
that it stands in. A linear-chain conditional random field (Lafferty, McCallum and Pereira 2001)
scores sequences of tags: outside (O), beginning (B-FIELD) and inside (I-FIELD) a field. The
likeliest one is taken (Viterbi). The answer is a JSON object: field to the text found, or to the
list of texts, in their order; a field that is not found is left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from clearbar.tools.text_features import MAX_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Span = tuple[str, int, int]
    """Field, start and end."""

OUTSIDE: Final = "O"
BEGIN: Final = "B-"
INSIDE: Final = "I-"
FORBIDDEN: Final = -1e9
"""The score of a tag that may not follow another."""
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_PIECE: Final = re.compile(r"\S+")
_RUN: Final = re.compile(r"(.)\1+")
_NEIGHBOURS: Final = (-2, -1, 1, 2)
_AFFIX: Final = 3
_SHAPE: Final = 12


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it stands."""

    text: str
    start: int
    end: int
    piece: str
    """What stands around it between white space."""
    gap: str
    """What stands before it: nothing, a space, or a line break."""


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a text."""
    found: list[Token] = []
    last = 0
    for piece in _PIECE.finditer(text):
        gap = "\n" if "\n" in text[last : piece.start()] else " "
        last = piece.end()
        for token in _TOKEN.finditer(piece[0]):
            start = piece.start() + token.start()
            end = start + len(token[0])
            found.append(Token(token[0], start, end, piece[0], "" if token.start() else gap))
    return found


def shape_of(text: str) -> str:
    """Return the form of a text: X, x and 9 for letters and digits; others as they are."""
    return "".join(
        "9" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in text
    )


def _short(shape: str) -> str:
    return _RUN.sub(r"\1+", shape)


@dataclass(frozen=True, slots=True)
class _Forms:
    """The tokens of a text in their forms."""

    tokens: Sequence[Token]
    words: Sequence[str]
    shapes: Sequence[str]
    short: Sequence[str]

    def word(self, at: int) -> str:
        return self.words[at] if 0 <= at < len(self.words) else ""

    def form(self, at: int) -> str:
        return self.short[at] if 0 <= at < len(self.short) else ""


def features_of(tokens: Sequence[Token]) -> list[list[str]]:
    """Return the features of each token."""
    shapes = [shape_of(token.text) for token in tokens]
    words = [token.text.lower() for token in tokens]
    forms = _Forms(tokens, words, shapes, [_short(shape) for shape in shapes])
    return [[*_own(forms, at), *_around(forms, at)] for at in range(len(tokens))]


def _own(forms: _Forms, at: int) -> Iterator[str]:
    token, word = forms.tokens[at], forms.words[at]
    piece = shape_of(token.piece)
    yield f"w={word}"
    yield f"s={forms.shapes[at][:_SHAPE]}"
    yield f"z={forms.short[at]}"
    yield f"p={_short(piece)}"
    yield f"P={piece[:_SHAPE]}:{len(piece)}"
    yield f"g={token.gap!r}"
    yield f"@={'@' in token.piece}:{'.' in token.piece[:-1]}:{'/' in token.piece}"
    for n in range(1, _AFFIX + 1):
        yield f"a{n}={word[:n]}"
        yield f"e{n}={word[-n:]}"


def _around(forms: _Forms, at: int) -> Iterator[str]:
    before, word, after = forms.word(at - 1), forms.words[at], forms.word(at + 1)
    for step in _NEIGHBOURS:
        yield f"w{step}={forms.word(at + step)}"
        yield f"z{step}={forms.form(at + step)}"
    yield f"w-1w={before}|{word}"
    yield f"ww+1={word}|{after}"
    yield f"w-1w+1={before}|{after}"
    yield f"w-2w-1={forms.word(at - 2)}|{before}"
    yield f"zz={forms.form(at - 1)}|{forms.short[at]}"
    yield f"zz+1={forms.short[at]}|{forms.form(at + 1)}"


def tags_of(tokens: Sequence[Token], spans: Iterable[Span]) -> list[str]:
    """Return the tag of each token; of spans that overlap, the first counts."""
    tags = [OUTSIDE] * len(tokens)
    for name, start, end in spans:
        inside = [at for at, token in enumerate(tokens) if token.start < end and token.end > start]
        if inside and all(tags[at] == OUTSIDE for at in inside):
            tags[inside[0]] = BEGIN + name
            for at in inside[1:]:
                tags[at] = INSIDE + name
    return tags


def spans_of(tokens: Sequence[Token], tags: Sequence[str]) -> Iterator[Span]:
    """Yield the spans that tags mark."""
    at = 0
    while at < len(tags):
        first = at
        at += 1
        if tags[first].startswith(BEGIN):
            name = tags[first].removeprefix(BEGIN)
            while at < len(tags) and tags[at] == INSIDE + name:
                at += 1
            yield name, tokens[first].start, tokens[at - 1].end


def answer_of(text: str, spans: Iterable[Span], many: frozenset[str]) -> str:
    """Return the JSON object of the spans; of a field that is no list, the first counts."""
    lists: dict[str, list[str]] = {}
    for name, start, end in sorted(spans, key=lambda span: span[1:]):
        lists.setdefault(name, []).append(text[start:end])
    found = {name: values if name in many else values[0] for name, values in lists.items()}
    return json.dumps(found, ensure_ascii=False)


def may_start(tag: str) -> bool:
    """Return whether a text may start with the tag."""
    return not tag.startswith(INSIDE)


def may_follow(before: str, tag: str) -> bool:
    """Return whether a tag may follow another."""
    name = tag.removeprefix(INSIDE)
    return may_start(tag) or before in {BEGIN + name, INSIDE + name}


@dataclass(frozen=True)
class Extractor:
    """Finds the fields of a text."""

    tags: tuple[str, ...]
    many: frozenset[str]
    """The fields that are lists."""
    terms: tuple[str, ...]
    """The features that count, each in the row of its position."""
    coefficients: NDArray[np.float32]
    """One row for each feature, one column for each tag."""
    intercepts: NDArray[np.float64]
    transitions: NDArray[np.float64]
    """Added to the score where the tag of the column follows that of the row."""
    row_of: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "row_of", {term: row for row, term in enumerate(self.terms)})

    def predict(self, text: str) -> tuple[str, float]:
        """Return the JSON object, and the probability that all tags are right."""
        tokens = tokens_of(text[:MAX_CHARACTERS])
        if not tokens:
            return "{}", 1.0
        path, probability = likeliest(self.scores(tokens), self.transitions)
        tags = [self.tags[tag] for tag in path]
        return answer_of(text, spans_of(tokens, tags), self.many), probability

    def scores(self, tokens: Sequence[Token]) -> NDArray[np.float64]:
        """Return, for each token, the score of each tag for itself."""
        row_of = self.row_of
        scores = np.empty((len(tokens), len(self.tags)))
        for at, features in enumerate(features_of(tokens)):
            rows = [row_of[feature] for feature in features if feature in row_of]
            scores[at] = self.coefficients[rows].sum(axis=0, dtype=np.float64) + self.intercepts
        scores[0, [not may_start(tag) for tag in self.tags]] = FORBIDDEN
        return scores


def likeliest(
    scores: NDArray[np.float64], transitions: NDArray[np.float64]
) -> tuple[list[int], float]:
    """Return the sequence of tags with the highest score, and its probability."""
    best = all_ways = scores[0]
    came_from: list[NDArray[np.intp]] = []
    for own in scores[1:]:
        ways = best[:, None] + transitions
        came_from.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + own
        top = all_ways.max()
        all_ways = np.log(np.exp(all_ways - top) @ np.exp(transitions) + 1e-300) + top + own
    path = [int(best.argmax())]
    for back in reversed(came_from):
        path.append(int(back[path[-1]]))
    top = all_ways.max()
    total = top + np.log(np.exp(all_ways - top).sum())
    return path[::-1], min(float(np.exp(best.max() - total)), 1.0)
