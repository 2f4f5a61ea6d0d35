"""Which cases certify, and which are kept for training: none serves for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.trial.declaration import asked_tools
from clearbar.trial.running.asking import COMPUTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from clearbar.tools.tool import Tool
    from clearbar.trial.cases import Split
    from clearbar.trial.declaration import Declaration
    from clearbar.trial.plan import TrialPlan
    from clearbar.trial.trial import Case

_TRAINED: Final = "classifier"


def train_share(plan: TrialPlan, tools: Mapping[str, Tool]) -> float:
    """Return the share of the cases that certify nothing."""
    if plan.train_share is not None:
        return plan.train_share
    learns = any(tool.kind == _TRAINED for tool in tools.values())
    thresholds = any(tool.kind == "cascade" and not tool.agree_with for tool in tools.values())
    return 0.5 if learns or thresholds else 0.0


def drawn_cases(
    declaration: Declaration, tools: Mapping[str, Tool], folds: Split
) -> tuple[Case, ...]:
    """Return the cases that certify: of the fold for it, none whose answer a tool has seen."""
    asked = asked_tools(tools, declaration.tools).values()
    seen = [_seen_by(tool, declaration.folder) for tool in asked if tool.kind in COMPUTED]
    cases = tuple(case for case in folds.certify if not any(has_seen(case) for has_seen in seen))
    if not cases:
        raise ClearbarError(
            f"{declaration.plan.cases} leaves no case to certify with",
            "add cases that no tool was trained on, or lower train_share",
        )
    return cases[: declaration.plan.max_cases]


def _seen_by(tool: Tool, folder: Path) -> Callable[[Case], bool]:
    """Return what says whether a tool was made with the answer to a case in hand."""
    path = folder / (tool.file or "")
    if tool.kind == "rules":
        from clearbar.tools.rules import load_rules  # noqa: PLC0415 - only where it is tried

        knows = load_rules(path).knows
        return lambda case: knows(case.input)
    from clearbar.tools.classifier import load_classifier  # noqa: PLC0415 - as above

    holds = load_classifier(path).trained_on.holds
    return lambda case: holds(case.id, case.cluster, case.input)
