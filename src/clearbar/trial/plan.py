"""What `[[trial]]` of clearbar.toml declares: how the cheapest tool of a workflow is searched for.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from clearbar.trial.grading.grade_settings import GradeSettings
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from clearbar.own.workflow import Stakes
    from clearbar.tools.tool import DataClass, Tool

CERTIFY_BY_STAKES: Final[Mapping[Stakes, float]] = MappingProxyType(
    {"high": 0.01, "normal": 0.05, "low": 0.10}
)
"""At most the probability that a tool below the bar is certified, where a trial does not say."""
FRESH_DAYS_BY_STAKES: Final[Mapping[Stakes, int]] = MappingProxyType(
    {"high": 30, "normal": 90, "low": 180}
)
"""How long a certificate holds, even if nothing has changed."""
DROP_RATE: Final = 0.10
SLACK: Final = 0.01
FUTILITY: Final = 0.05
MAX_CASES: Final = 2000
CONCURRENCY: Final = 16
_CONFIDENTIALITY: Final[tuple[DataClass, ...]] = ("public", "internal", "restricted")


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """One declared trial. None means: the default, which for error rates is of the stakes."""

    workflow: str
    cases: str
    """Path of the cases, relative to clearbar.toml."""
    tools: tuple[str, ...] = ()
    """Names; their order says nothing: the cheapest is tried first."""
    grade: GradeSettings = field(default_factory=lambda: GradeSettings("exact"))
    prompt: str = ""
    """The instructions that every tool is given before a case."""
    prompt_file: str | None = None
    """Where they stand, relative to clearbar.toml, instead of in `prompt`."""
    error_rate: float | None = None
    drop_rate: float = DROP_RATE
    slack: float = SLACK
    futility: float = FUTILITY
    max_usd: Decimal | None = None
    """What the trial may cost, over all its runs; None sets no limit."""
    max_cases: int = MAX_CASES
    train_share: float | None = None
    """Share of the cases that is kept for training and for thresholds; they certify nothing.

    None: half where a tool learns from them or a cascade takes a threshold, else none.
    """
    seed: int = 0
    concurrency: int = CONCURRENCY
    """Calls at a time, over all tools."""
    capture: bool = False
    """Whether the texts of answers are kept, so that another grader needs no new calls."""
    line: int | None = None
    """Line in clearbar.toml."""

    def error(self, stakes: Stakes) -> Error:
        """Return the error rates; those not declared follow from the stakes."""
        certify = CERTIFY_BY_STAKES[stakes] if self.error_rate is None else self.error_rate
        return Error(certify, self.drop_rate, self.slack, self.futility)


def may_be_given(tool: Tool, data: DataClass) -> bool:
    """Return whether a tool may be given data of this class."""
    return _CONFIDENTIALITY.index(tool.data_class) >= _CONFIDENTIALITY.index(data)
