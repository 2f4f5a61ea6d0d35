"""What was learned from logged answers, and what to expect of it: the curve before the money."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.cli.trial_view import print_labelled, print_wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from clearbar.trial.distilling.distil_report import DistilReport
    from clearbar.trial.distilling.learning_curve import Forecast, Point

_BAR_WIDTH: Final = 24

DISTIL_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "task": "`label` (one of a few answers) or `extract` (the fields of a JSON object).",
        "labelled_by": "The tool whose logged answers were learned; empty for the references.",
        "examples": "Cases that were learned from.",
        "labels": "The answers that it can give, or the fields.",
        "points": "The learning curve as measured, fewest labels first.",
        "points[].labels": "So many labels",
        "points[].agreement": "gave this mean score on cases that were not trained on.",
        "points[].low": "Its lower bound.",
        "points[].high": "Its upper bound.",
        "points[].tested": "Cases that it was measured on.",
        "available": "Labels that could be had.",
        "predicted": "What is expected of that many; null where nothing could be learned.",
        "predicted.labels": "That many labels.",
        "predicted.agreement": "The expected mean score.",
        "predicted.low": "Its lower bound.",
        "predicted.high": "Its upper bound.",
        "needed": "The score from which it is worth a trial; null without an absolute bar.",
        "worthwhile": "Whether that much is expected.",
        "advice": "What was found and the way on, in words.",
        "labels_needed": "About how many labels would be enough; null where none would.",
        "calibration_error": "How far its confidence is off on average; null where unknown.",
        "file": "The file that was written; null where none was.",
        "file_bytes": "Its size.",
        "digest": "Its SHA-256; empty where none was written.",
        "seed": "Fixes what is left to chance.",
    }
)
"""Every field of `distil_json`."""


def distil_json(report: DistilReport) -> dict[str, Any]:
    """Return a report as JSON values; `DISTIL_DOCS` says what each field means."""
    predicted = report.predicted
    return {
        "task": report.task,
        "labelled_by": report.labelled_by,
        "examples": report.examples,
        "labels": list(report.labels),
        "points": [{**_agreement_json(each), "tested": each.tested} for each in report.points],
        "available": report.available,
        "predicted": None if predicted is None else _agreement_json(predicted),
        "needed": report.needed,
        "worthwhile": report.worthwhile,
        "advice": report.advice,
        "labels_needed": report.labels_needed,
        "calibration_error": report.calibration_error,
        "file": None if report.file is None else str(report.file),
        "file_bytes": report.file_bytes,
        "digest": report.digest,
        "seed": report.seed,
    }


def print_distil(console: Console, report: DistilReport) -> None:
    """Print the advice, then the learning curve with what is expected of all labels."""
    print_wrapped(console, report.advice, "bold")
    if report.points:
        console.print()
        console.print("  labels  agreement    90% bounds")
    ascii_only = not console.encoding.startswith("utf")
    for each in report.points:
        console.print(_curve_line(each, ascii_only=ascii_only), soft_wrap=True)
    if report.predicted is not None and report.available > report.examples:
        line = _curve_line(report.predicted, ascii_only=ascii_only)
        console.print(f"{line} expected", soft_wrap=True)
    console.print()
    learned = f"{report.examples:,} answers of {report.labelled_by or 'the references'}"
    print_labelled(console, "learned", learned)
    if report.labels:
        print_labelled(console, "answers", f"{len(report.labels)}: {', '.join(report.labels[:12])}")
    if report.calibration_error is not None:
        off = f"its confidence is off by {report.calibration_error:.1%} on average"
        print_labelled(console, "confident", off)
    if report.file is not None:
        print_labelled(console, "file", f"{report.file} ({report.file_bytes:,} bytes)")


def _curve_line(each: Point | Forecast, *, ascii_only: bool) -> str:
    filled = round(each.agreement * _BAR_WIDTH)
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    bounds = f"{each.low:.3f}..{each.high:.3f}"
    bar = full * filled + empty * (_BAR_WIDTH - filled)
    return f"  {each.labels:6,}      {each.agreement:.3f}  {bounds}  {bar}"


def _agreement_json(each: Point | Forecast) -> dict[str, Any]:
    return {
        "labels": each.labels,
        "agreement": each.agreement,
        "low": each.low,
        "high": each.high,
    }
