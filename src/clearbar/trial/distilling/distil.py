"""From logged answers to a tool that asks no model, and how good it would be, before any is asked.

All figures come from cross-validation over the cases given, which are those of the training fold
alone. They are no certificate: that takes a trial on other cases. The file says which cases were
trained on, by digest, so that none of them can certify it.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np

from clearbar.tools.classifier import FORMAT, Description, description_json
from clearbar.tools.tensor_file import write_tensors
from clearbar.trial.distilling.distil_report import DistilReport, judged
from clearbar.trial.distilling.examples import Example, examples_of, trained_arrays
from clearbar.trial.distilling.field_learner import FieldLearner, check_fields, looks_like_fields
from clearbar.trial.distilling.isotonic import calibrate, calibration_error
from clearbar.trial.distilling.label_learner import LabelLearner, check_labels
from clearbar.trial.distilling.learning_curve import GATE, point

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from clearbar.tools.classifier import Calibration, Task
    from clearbar.trial.distilling.learning_curve import Point
    from clearbar.trial.trial import Case

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["DistilReport", "distil"]

MIN_EXAMPLES: Final = 60
MAX_EXAMPLES: Final[Mapping[Task, int]] = MappingProxyType({"label": 50_000, "extract": 5_000})
"""Of more, so many are drawn: what they add is little, and the time is not."""
SIZES: Final = (0.125, 0.25, 0.5, 1.0)
"""Shares of the training folds that make the points of the learning curve."""


class Learned(Protocol):
    """What some examples taught."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what its file holds."""
        ...

    def described(self, description: Description) -> Description:
        """Return the description with what is this one's own."""
        ...


L = TypeVar("L", bound=Learned)


class Learner(Protocol[L]):
    """Learns from some of its examples, and is tried on others."""

    @property
    def examples(self) -> Sequence[Example]:
        """All of them."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The labels, or the fields."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """What the report says of its settings."""
        ...

    def settled(self, rng: np.random.Generator) -> Self:
        """Return the learner with the settings that agree best in cross-validation."""
        ...

    def folds(self, rng: np.random.Generator) -> Ints:
        """Return the fold of each example."""
        ...

    def learn(self, rows: Ints) -> L:
        """Return what the examples of these rows teach."""
        ...

    def tried(self, learned: L, rows: Ints) -> tuple[Floats, Floats]:
        """Return the score in [0, 1] of each answer to these rows, and its raw confidence."""
        ...


def distil(
    cases: Iterable[Case],
    file: Path | None,
    *,
    labelled_by: str = "",
    bar: float | None = None,
    available: int | None = None,
    seed: int = 0,
) -> DistilReport:
    """Learn from the training fold; write the file if it is worthwhile, and a file is named.

    `labelled_by`: the tool whose logged answers are learned; empty for references. `bar`: the
    agreement that it has to clear; without one the file is written however good it is.
    `available`: labels that could be had, where that is more than there are cases now: then no
    file is written, since more is to be learned first. The same arguments give the same file.

    Raises:
        ClearbarError: when scikit-learn is not installed and labels are to be learned, or the file
            cannot be written.
    """
    examples = examples_of(cases, labelled_by)
    task: Task = "extract" if looks_like_fields(examples) else "label"
    drawn = np.random.default_rng(seed).permutation(len(examples))[: MAX_EXAMPLES[task]]
    examples = [examples[at] for at in np.sort(drawn)]
    blank = DistilReport(
        task=task,
        labelled_by=labelled_by,
        examples=len(examples),
        available=min(max(available or 0, len(examples)), MAX_EXAMPLES[task]),
        needed=None if bar is None else bar + GATE,
        seed=seed,
    )
    if len(examples) < MIN_EXAMPLES:
        few = f"{len(examples)} cases to train on have an answer: it takes {MIN_EXAMPLES} or more"
        return replace(blank, advice=few)
    refusal = check_fields(examples) if task == "extract" else check_labels(examples)
    if refusal:
        return replace(blank, advice=refusal)
    with _one_thread():
        if task == "extract":
            return _distilled(FieldLearner(examples), blank, file)
        return _distilled(LabelLearner(examples), blank, file)


def _one_thread() -> AbstractContextManager[object]:
    """Return a context in which sums are made in one order, however many cores there are.

    Matrices as small as these are also several times faster so. The library comes with
    scikit-learn; extraction, which goes without, then takes the threads it finds.
    """
    try:
        limits: AbstractContextManager[object] = import_module("threadpoolctl").threadpool_limits(1)
    except ImportError:
        return nullcontext()
    return limits


def _distilled(learner: Learner[L], blank: DistilReport, file: Path | None) -> DistilReport:
    rng = np.random.default_rng(blank.seed)
    learner = learner.settled(rng)
    points, calibration, error = _measured(learner, rng)
    report = replace(
        judged(blank, points, rng),
        labels=learner.names,
        calibration_error=error,
        **learner.settings,
    )
    if file is None or not report.worthwhile or report.available > report.examples:
        return report
    return _written(report, learner.learn(np.arange(report.examples)), learner, calibration, file)


def _measured(
    learner: Learner[L], rng: np.random.Generator
) -> tuple[list[Point], Calibration, float]:
    """Return the learning curve, the calibration of what nearly all labels give, and its error.

    Each case is answered by what was learned from parts of the other folds.
    """
    folds = learner.folds(rng)
    names = np.unique(folds)
    scores, sizes = np.zeros((len(SIZES), len(folds))), np.zeros(len(SIZES))
    raw = np.zeros(len(folds))
    for fold in names:
        own, others = np.flatnonzero(folds == fold), rng.permutation(np.flatnonzero(folds != fold))
        for at, share in enumerate(SIZES):
            rows = np.sort(others[: max(round(share * len(others)), 2)])
            sizes[at] += len(rows) / len(names)
            scores[at, own], raw[own] = learner.tried(learner.learn(rows), own)
    points = [
        point(round(size), float(row.mean()), len(folds))
        for size, row in zip(sizes, scores, strict=True)
    ]
    right = (scores[-1] == 1.0).astype(np.float64)
    return points, calibrate(raw, right), calibration_error(raw, right, rng)


def _written(
    report: DistilReport,
    learned: Learned,
    learner: Learner[Any],
    calibration: Calibration,
    file: Path,
) -> DistilReport:
    arrays = {
        **learned.arrays(),
        **trained_arrays(learner.examples),
        "confidence.scores": np.array(calibration.scores),
        "confidence.shares": np.array(calibration.shares),
    }
    description = Description(
        format=FORMAT,
        task=report.task,
        labels=(),
        examples=report.examples,
        labelled_by=report.labelled_by,
        agreement=report.points[-1].agreement,
        seed=report.seed,
        penalty=report.penalty,
    )
    text = description_json(learned.described(description))
    digest = write_tensors(file, text, arrays)
    return replace(report, file=file, file_bytes=file.stat().st_size, digest=digest)
