"""What distilling found, and whether it is worth a trial. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clearbar.trial.distilling.learning_curve import fit_curve, forecast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from clearbar.tools.classifier import Task
    from clearbar.trial.distilling.learning_curve import Forecast, Point


@dataclass(frozen=True, slots=True)
class DistilReport:
    """What was learned, or why not."""

    task: Task
    labelled_by: str
    """The tool whose logged answers were learned; empty for the references."""
    examples: int
    available: int
    """Labels that could be had: the examples, or more."""
    needed: float | None
    """The bar and the gate above it; None where no bar was given."""
    seed: int
    labels: tuple[str, ...] = ()
    """The answers it can give; extract: the fields."""
    points: tuple[Point, ...] = ()
    """The learning curve as measured, fewest labels first."""
    predicted: Forecast | None = None
    """The agreement expected of the labels available; None where nothing could be learned."""
    worthwhile: bool = False
    advice: str = ""
    """In words: what was found, and the way on."""
    labels_needed: int | None = None
    """About how many labels would be enough; None where none would, or none are needed."""
    grams: tuple[str, ...] = ()
    """label: the kinds of terms that agreed best."""
    penalty: float = 0.0
    """The C of the regression or of the field."""
    calibration_error: float | None = None
    """How far its confidence and the share of its right answers lie apart, on average."""
    file: Path | None = None
    """None where none was written."""
    file_bytes: int = 0
    digest: str = ""


def judged(report: DistilReport, points: Sequence[Point], rng: np.random.Generator) -> DistilReport:
    """Return the report with what is expected, whether that is enough, and what to do."""
    predicted = forecast(points, report.available, rng)
    worthwhile = report.needed is None or predicted.agreement >= report.needed
    wanted = None if worthwhile else fit_curve(points).labels_for(report.needed or 0.0)
    found = replace(
        report,
        points=tuple(points),
        predicted=predicted,
        worthwhile=worthwhile,
        labels_needed=wanted,
    )
    return replace(found, advice=f"{_expected(predicted)}{_way_on(found)}")


def _expected(predicted: Forecast) -> str:
    return (
        f"{predicted.labels} labels are expected to agree in {_percent(predicted.agreement)}"
        f" of cases ({_percent(predicted.low)} to {_percent(predicted.high)})"
    )


def _way_on(report: DistilReport) -> str:
    if report.needed is None:
        return ""
    wanted = report.labels_needed
    if report.worthwhile:
        more = "worth a trial"
    elif wanted:
        more = f"about {wanted} labels would do"
    else:
        more = "no number of labels is expected to do"
    return f", where {_percent(report.needed)} are needed: {more}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
