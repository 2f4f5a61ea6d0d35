"""A classifier or extractor learned from logged answers: one file, no model, well under 1 ms.

Its file (see `tensor_file`) is made by `clearbar trial distil`. It holds numbers and words only;
reading it runs nothing. The words are n-grams of the texts it was trained on: treat the file as
confidential as those.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec
import numpy as np

from clearbar.tools.extractor import Extractor
from clearbar.tools.near_duplicates import normalised
from clearbar.tools.tensor_file import damaged, read_tensors
from clearbar.tools.text_features import Grams, Vocabulary, weigh_all
from clearbar.tools.tool import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from clearbar.tools.tensor_file import TensorFile

FORMAT: Final = "clearbar.classifier/1"
TRAINED: Final = ("cases", "clusters", "inputs")
_MISFIT: Final = "its parts do not fit each other"
SEPARATOR: Final = "\n"
"""Between the terms of a vocabulary: no term holds it."""

Task = Literal["label", "extract"]


class Description(msgspec.Struct, frozen=True):
    """What a classifier's file says of itself."""

    format: str
    task: Task
    labels: tuple[str, ...]
    """label: the answers it can give. extract: the tags of its tokens."""
    grams: tuple[Grams, ...] = ()
    many: tuple[str, ...] = ()
    """extract: the fields that are lists."""
    examples: int = 0
    """How many it was trained on."""
    labelled_by: str = ""
    """Whose logged answers it learned; empty for references."""
    agreement: float = 0.0
    """With answers it was not trained on, by cross-validation."""
    seed: int = 0
    penalty: float = 0.0
    """The C of its logistic regression."""


class Model(Protocol):
    """What answers: a text in, an answer and its raw confidence out."""

    def predict(self, text: str) -> tuple[str, float]:
        """Return the answer and a raw score in [0, 1], larger for surer."""
        ...


@dataclass(frozen=True, slots=True)
class Labeller:
    """Multinomial logistic regression over tf-idf."""

    labels: tuple[str, ...]
    vocabularies: tuple[Vocabulary, ...]
    coefficients: NDArray[np.float32]
    """One row for each term of the vocabularies, in their order; one column for each label."""
    intercepts: NDArray[np.float64]

    def probabilities(self, text: str) -> NDArray[np.float64]:
        """Return the probability of each label."""
        rows, weights = weigh_all(self.vocabularies, text)
        scores = weights @ self.coefficients[rows] + self.intercepts
        odds = np.exp(scores - scores.max())
        shares: NDArray[np.float64] = odds / odds.sum()
        return shares

    def predict(self, text: str) -> tuple[str, float]:
        """Return the likeliest label and its probability."""
        shares = self.probabilities(text)
        best = int(shares.argmax())
        return self.labels[best], float(shares[best])


@dataclass(frozen=True, slots=True)
class Calibration:
    """Raw score to the share of answers with such a score that were right: lines between knots."""

    scores: tuple[float, ...]
    """Ascending, at least one."""
    shares: tuple[float, ...]
    """Never falling."""

    def confidence(self, score: float) -> float:
        """Return the share at a score; beyond the outermost knots, theirs."""
        at = bisect_right(self.scores, score)
        if at == 0:
            return self.shares[0]
        if at == len(self.scores):
            return self.shares[-1]
        left, right = self.scores[at - 1], self.scores[at]
        part = (score - left) / (right - left)
        return self.shares[at - 1] + part * (self.shares[at] - self.shares[at - 1])


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Digests of what a classifier has seen, so that it is never certified on that."""

    cases: frozenset[int]
    clusters: frozenset[int]
    inputs: frozenset[int]

    def holds(self, case_id: str, cluster: str | None, text: str) -> bool:
        """Return whether it has seen the case, another of its cluster, or the same input."""
        return (
            short_digest(case_id) in self.cases
            or (cluster is not None and short_digest(cluster) in self.clusters)
            or short_digest(normalised(text)) in self.inputs
        )


def short_digest(text: str) -> int:
    """Return the first 64 bits of a text's SHA-256."""
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class Classifier:
    """A loaded classifier or extractor."""

    description: Description
    model: Model
    calibration: Calibration
    trained_on: TrainedOn
    digest: str
    """SHA-256 of its file."""

    def answer(self, text: str) -> Answer:
        """Return the label, or the JSON object of the fields found, with calibrated confidence."""
        found, score = self.model.predict(text)
        return Answer(found, confidence=self.calibration.confidence(score))


def load_classifier(path: Path) -> Classifier:
    """Return the classifier that a file holds.

    Raises:
        ClearbarError: when it cannot be read, is damaged, or is of another format.
    """
    file = read_tensors(path)
    try:
        description = msgspec.json.decode(file.description, type=Description)
        return _built(description, file)
    except KeyError as error:
        raise damaged(path, "a part of it is missing") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        what = str(error) if type(error) is ValueError else "its description is not understood"
        raise damaged(path, what) from error


def _built(description: Description, file: TensorFile) -> Classifier:
    if description.format != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    arrays = file.arrays
    build = _labeller if description.task == "label" else _extractor
    return Classifier(
        description,
        build(description, arrays),
        _calibration(arrays["confidence.scores"], arrays["confidence.shares"]),
        TrainedOn(*(frozenset(arrays[f"trained.{what}"].tolist()) for what in TRAINED)),
        file.digest,
    )


def _labeller(description: Description, arrays: Mapping[str, NDArray[Any]]) -> Labeller:
    vocabularies = tuple(_vocabulary(grams, arrays) for grams in description.grams)
    rows = sum(len(vocabulary.terms) for vocabulary in vocabularies)
    _check_shapes(arrays, rows, len(description.labels))
    return Labeller(description.labels, vocabularies, arrays["coefficients"], arrays["intercepts"])


def _extractor(description: Description, arrays: Mapping[str, NDArray[Any]]) -> Extractor:
    terms, tags = terms_in(arrays["terms"]), description.labels
    _check_shapes(arrays, len(terms), len(tags))
    if arrays["transitions"].shape != (len(tags), len(tags)):
        raise ValueError(_MISFIT)
    return Extractor(
        tags,
        frozenset(description.many),
        terms,
        arrays["coefficients"],
        arrays["intercepts"],
        arrays["transitions"],
    )


def _check_shapes(arrays: Mapping[str, NDArray[Any]], rows: int, columns: int) -> None:
    fits = (rows, columns), (columns,)
    if not columns or fits != (arrays["coefficients"].shape, arrays["intercepts"].shape):
        raise ValueError(_MISFIT)


def _calibration(scores: NDArray[Any], shares: NDArray[Any]) -> Calibration:
    rises = scores.shape == shares.shape and scores.ndim == 1 and (np.diff(scores) > 0).all()
    if not (rises and scores.size and shares.min() >= 0 and shares.max() <= 1):
        raise ValueError(_MISFIT)
    return Calibration(tuple(scores.tolist()), tuple(shares.tolist()))


def _vocabulary(grams: Grams, arrays: Mapping[str, NDArray[Any]]) -> Vocabulary:
    terms, idf = terms_in(arrays[f"{grams}.terms"]), arrays[f"{grams}.idf"]
    if idf.shape != (len(terms),):
        raise ValueError(_MISFIT)
    return Vocabulary(grams, terms, idf)


def terms_in(packed: NDArray[np.uint8]) -> tuple[str, ...]:
    """Return the terms of an array of bytes."""
    text = packed.tobytes().decode("utf-8", "surrogatepass")
    return tuple(text.split(SEPARATOR)) if text else ()


def packed_terms(terms: Sequence[str]) -> NDArray[np.uint8]:
    """Return the bytes of terms, none of which is empty or holds a separator."""
    return np.frombuffer(SEPARATOR.join(terms).encode("utf-8", "surrogatepass"), np.uint8)


def description_json(description: Description) -> str:
    """Return the text of a description, as it stands in a file."""
    return json.dumps(msgspec.to_builtins(description), ensure_ascii=False, sort_keys=True)
