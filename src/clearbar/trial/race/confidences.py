"""Confidences of a cascade's first tool, from which the grid of its thresholds is made.

They must not come from the cases of the trial. Agreement has a fixed grid, since it can only be one
of a few shares; so has a tool that would have to be asked. What is computed here is asked for
nothing: rules and classifiers answer the training fold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clearbar.tools.tool import Tool
    from clearbar.trial.trial import Case

_STEPS: Final = 20


def confidences_of(
    first: Tool, agreeing: int, train: Sequence[Case], folder: Path
) -> tuple[float, ...]:
    """Return confidences like those that the first tool's answers will have.

    `agreeing` is the number of tools whose agreement is the confidence; 0 takes the tool's own.

    Raises:
        ClearbarError: when the tool's file cannot be read.
    """
    if agreeing:
        return tuple(count / agreeing for count in range(agreeing + 1))
    if not train or first.kind not in ("rules", "classifier"):
        return tuple(step / _STEPS for step in range(1, _STEPS + 1))
    return tuple(_answered(first, train, folder))


def _answered(first: Tool, train: Sequence[Case], folder: Path) -> list[float]:
    path = folder / (first.file or "")
    if first.kind == "rules":
        from clearbar.tools.rules import load_rules  # noqa: PLC0415 - only where it is asked

        answer = load_rules(path).answer
    else:
        from clearbar.tools.classifier import load_classifier  # noqa: PLC0415 - as above

        answer = load_classifier(path).answer
    return [answer(case.input).confidence or 0.0 for case in train]
