"""The nouns of a run: all that is fixed before a trial begins, and what it is run with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clearbar.trial.grading.labelling import LabelRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    from clearbar.tools.tool import Tool
    from clearbar.trial.grading.grader import Asker, Grader
    from clearbar.trial.race.race import Race
    from clearbar.trial.recorded.recorded_score import RecordedScore
    from clearbar.trial.running.ceiling import Pricing
    from clearbar.trial.running.evidence import Evidence
    from clearbar.trial.running.judging import RecordedJudge
    from clearbar.trial.running.purchase import Time
    from clearbar.trial.running.standing import Standing
    from clearbar.trial.trial import Case, Identity


@dataclass(frozen=True, slots=True)
class Trial:
    """All that is fixed before a trial begins."""

    identity: Identity
    race: Race
    cases: Sequence[Case]
    """In the fixed order; none of them was used for training."""
    tools: Mapping[str, Tool]
    """Every tool that the race may ask, parts of cascades too."""
    digests: Mapping[str, str]
    """Tool -> `identity.answering_digest`."""
    grader: Grader
    prompt: str = ""
    max_usd: Decimal | None = None
    concurrency: int = 16
    capture: bool = False
    recorded: Mapping[tuple[str, str], RecordedScore] = field(default_factory=dict)
    """(tool, case) -> a score from elsewhere; such a case is not asked again."""
    graded_later: bool = False
    """Whether the grader is a judge or a person, who is asked after an answer is recorded."""
    judge: RecordedJudge | None = None
    """The asker that the grader was made with, where it is a judge."""
    warnings: tuple[str, ...] = ()

    @property
    def label_rule(self) -> LabelRule | None:
        """Which answers people look at beside a judge; None where they correct none."""
        share = self.race.plan.judge_share
        return None if share is None else LabelRule(self.identity.seed, share)

    @property
    def asks_people(self) -> bool:
        """Whether people have a say: as graders, or to correct a judge."""
        return self.graded_later and (self.judge is None or self.label_rule is not None)


@dataclass(frozen=True, slots=True)
class Means:
    """What a trial is run with."""

    asker: Asker
    evidence: Evidence
    pricing: Pricing
    time: Time
    claims: Path
    """A folder for the lock that keeps a second process from running the same trial."""
    progress: Callable[[Standing], None] = field(default=lambda _: None)
