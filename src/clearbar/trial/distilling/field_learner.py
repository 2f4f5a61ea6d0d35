"""Learns to extract: from answers that are JSON objects whose texts stand in the input.

An answer is an object of field to text, list of texts, or null. Where each text stands in the
input is looked up: longer texts first, the first place that is free. A field whose texts mostly do
not stand in their inputs (a category, a date written otherwise) cannot be learned so.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import structs
from scipy import sparse  # type: ignore[import-untyped]

from clearbar.tools.classifier import packed_terms
from clearbar.tools.extractor import (
    BEGIN,
    FORBIDDEN,
    INSIDE,
    OUTSIDE,
    Extractor,
    features_of,
    may_follow,
    may_start,
    tags_of,
    tokens_of,
)
from clearbar.tools.text_features import MAX_CHARACTERS
from clearbar.trial.distilling.chain_field import learn_chain_field
from clearbar.trial.distilling.examples import folds_of
from clearbar.trial.grading.grade_json import field_agreement, json_in, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from clearbar.tools.classifier import Description
    from clearbar.trial.distilling.examples import Example

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]
    Fields = Mapping[str, Sequence[str]]
    Span = tuple[str, int, int]

PENALTY: Final = 3.0
FOLDS: Final = 3
MIN_TEXTS: Final = 2
MAX_FIELDS: Final = 60
MOST_ELSEWHERE: Final = 0.1
"""A field of whose texts more than this share does not stand in the input is refused."""


@dataclass(frozen=True, slots=True)
class LearnedFields:
    """An extractor."""

    extractor: Extractor

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what its file holds."""
        return {
            "coefficients": self.extractor.coefficients,
            "intercepts": self.extractor.intercepts,
            "transitions": self.extractor.transitions,
            "terms": packed_terms(self.extractor.terms),
        }

    def described(self, description: Description) -> Description:
        """Return the description with its tags and its fields that are lists."""
        many = tuple(sorted(self.extractor.many))
        return structs.replace(description, labels=self.extractor.tags, many=many)


@dataclass(frozen=True, slots=True)
class _Tagged:
    """A text, cut into tokens."""

    features: list[list[str]]
    tags: list[str]


@dataclass(frozen=True)
class FieldLearner:
    """Learns fields from some of the examples, and is tried on others."""

    examples: Sequence[Example]
    penalty: float = PENALTY

    @cached_property
    def answers(self) -> list[Fields]:
        """The fields of each example, each with its texts."""
        return [_fields(example.answer) or {} for example in self.examples]

    @property
    def names(self) -> tuple[str, ...]:
        """The fields."""
        return tuple(sorted({name for fields in self.answers for name in fields}))

    @property
    def settings(self) -> dict[str, Any]:
        """What the report says of the settings."""
        return {"penalty": self.penalty}

    def settled(self, rng: np.random.Generator) -> FieldLearner:  # noqa: ARG002 - nothing to choose
        """Return the learner: penalties from 1 to 10 hardly differ."""
        return self

    def folds(self, rng: np.random.Generator) -> Ints:
        """Return the fold of each example."""
        return folds_of(self.examples, FOLDS, rng, by_answer=False)

    @cached_property
    def many(self) -> frozenset[str]:
        """The fields that are lists in any answer."""
        return frozenset(
            name
            for example in self.examples
            for name, value in _object(example.answer).items()
            if isinstance(value, list)
        )

    @cached_property
    def tagged(self) -> list[_Tagged]:
        """The tokens of each example."""
        found: list[_Tagged] = []
        for example, fields in zip(self.examples, self.answers, strict=True):
            text = example.text[:MAX_CHARACTERS]
            tokens = tokens_of(text)
            spans = spans_in(text, fields)[0]
            found.append(_Tagged(features_of(tokens), tags_of(tokens, spans)))
        return found

    def learn(self, rows: Ints) -> LearnedFields:
        """Return what the examples of these rows teach."""
        tagged = [self.tagged[row] for row in rows if self.tagged[row].tags]
        tags = _tags(tagged)
        tag_of = {tag: at for at, tag in enumerate(tags)}
        features = [each for one in tagged for each in one.features]
        having = Counter(feature for each in features for feature in set(each))
        terms = tuple(sorted(term for term, texts in having.items() if texts >= MIN_TEXTS))
        allowed = np.array([[may_follow(before, tag) for tag in tags] for before in tags])
        field = learn_chain_field(
            _indicators(features, terms),
            [tag_of[tag] for one in tagged for tag in one.tags],
            [len(one.tags) for one in tagged],
            (allowed, np.array([may_start(tag) for tag in tags])),
            self.penalty,
        )
        extractor = Extractor(
            tags,
            self.many,
            terms,
            field.coefficients.astype(np.float32),
            field.intercepts,
            np.where(allowed, field.transitions, FORBIDDEN),
        )
        return LearnedFields(extractor)

    def tried(self, learned: LearnedFields, rows: Ints) -> tuple[Floats, Floats]:
        """Return the score of each answer to these rows, the F1 of its fields, and its raw score.

        The F1 is that of the grader `json_fields`, where null is a field left out.
        """
        scores, raw = np.empty(len(rows)), np.empty(len(rows))
        for at, row in enumerate(rows):
            example = self.examples[row]
            answer, raw[at] = learned.extractor.predict(example.text)
            scores[at] = field_agreement(
                leaves(json_in(answer), nulls=False),
                leaves(json_in(example.answer), nulls=False),
            )
        return scores, raw


def spans_in(text: str, fields: Fields) -> tuple[list[Span], dict[str, int]]:
    """Return where the texts of fields stand, and of each field how many stand nowhere."""
    wanted = sorted(
        ((name, value) for name, values in fields.items() for value in values if value),
        key=lambda pair: -len(pair[1]),
    )
    taken: list[Span] = []
    nowhere: dict[str, int] = {}
    for name, value in wanted:
        places = (match.span() for match in re.finditer(re.escape(value), text))
        span = next((place for place in places if _is_free(text, place, taken)), None)
        if span is None:
            nowhere[name] = nowhere.get(name, 0) + 1
        else:
            taken.append((name, *span))
    return taken, nowhere


def check_fields(examples: Iterable[Example]) -> str:
    """Return why these answers cannot be learned as fields; empty where they can."""
    told: Counter[str] = Counter()
    nowhere: Counter[str] = Counter()
    others = count = 0
    for example in examples:
        count += 1
        fields = _fields(example.answer)
        others += fields is None
        told.update({name: len(values) for name, values in (fields or {}).items()})
        nowhere.update(spans_in(example.text, fields or {})[1])
    if others > MOST_ELSEWHERE * count:
        return "the answers are JSON, but not objects of field to text or list of texts"
    if not +told or len(told) > MAX_FIELDS:
        return f"the answers name {len(+told)} fields: one to {MAX_FIELDS} can be learned"
    elsewhere = [name for name in sorted(told) if nowhere[name] > MOST_ELSEWHERE * told[name]]
    if elsewhere:
        names = ", ".join(elsewhere[:5])
        return f"the texts of these fields mostly do not stand in their inputs: {names}"
    return ""


def looks_like_fields(examples: Sequence[Example]) -> bool:
    """Return whether most answers are JSON objects."""
    objects = sum(isinstance(json_in(example.answer), dict) for example in examples)
    return 2 * objects > len(examples)


def _object(answer: str) -> dict[str, object]:
    value = json_in(answer)
    return value if isinstance(value, dict) else {}


def _fields(answer: str) -> dict[str, list[str]] | None:
    """Return the texts of each field; None for what is no object of such fields."""
    value = json_in(answer)
    if not isinstance(value, dict):
        return None
    fields: dict[str, list[str]] = {}
    for name, each in value.items():
        texts = each if isinstance(each, list) else [] if each is None else [each]
        if not all(isinstance(text, str) for text in texts):
            return None
        fields[name] = texts
    return fields


def _is_free(text: str, place: tuple[int, int], taken: Iterable[Span]) -> bool:
    """Return whether a place is whole words, and nobody else's."""
    start, end = place
    inside_word = (start > 0 and text[start - 1 : start + 1].isalnum()) or (
        end < len(text) and text[end - 1 : end + 1].isalnum()
    )
    return not inside_word and all(end <= a or start >= b for _, a, b in taken)


def _tags(tagged: Iterable[_Tagged]) -> tuple[str, ...]:
    """Return the tags seen, with the inside of each field that has a beginning."""
    seen = {tag for one in tagged for tag in one.tags} | {OUTSIDE}
    seen |= {INSIDE + tag.removeprefix(BEGIN) for tag in seen if tag.startswith(BEGIN)}
    return tuple(sorted(seen))


def _indicators(features: Sequence[Sequence[str]], terms: Sequence[str]) -> Any:
    column_of = {term: column for column, term in enumerate(terms)}
    columns: list[int] = []
    ends = [0]
    for each in features:
        columns += [column_of[term] for term in each if term in column_of]
        ends.append(len(columns))
    shape = (len(features), len(terms))
    return sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=shape)
