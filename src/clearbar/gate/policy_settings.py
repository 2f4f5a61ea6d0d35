"""The `[policy]` table of clearbar.toml: the thresholds and grace periods of the gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.own.workflow import Stakes

Mode = Literal["advise", "enforce"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)


def _stakes_review() -> dict[Stakes, float]:
    return {"high": 0.5, "normal": 1.0, "low": 2.0}


@dataclass(frozen=True, slots=True)
class Policy:
    """What the rules of the gate measure against. Every field has a default."""

    mode: Mode = "advise"
    """`advise` reports verdicts; `enforce` also refuses the work of what is paused or killed."""
    grace_days: int = 14
    """How long a workflow may spend without an owner or a metric, from its first charge."""
    review_days: int = 90
    """How long a defence holds, where the workflow itself does not say."""
    outcome_window_days: int = 30
    """Spending without one outcome in this many days is unmeasured."""
    max_pause_days: int = 60
    """A pause that lasts longer, with nothing changed, ends in a kill."""
    verdict_days: int = 30
    """How long a verdict holds before it lapses."""
    window_days: int = 30
    """Days before the clock over which the facts of a verdict are measured."""
    tokens_growth: float = 0.2
    """Growth of tokens, period over period, above which outcomes have to follow: 0.2 is 20%."""
    outcomes_growth: float = 0.1
    """Growth of outcomes below which they count as flat: 0.1 is 10%."""
    error_rate: float = 0.05
    """How often a statistical test of the gate may find what is not there."""
    power: float = 0.8
    """How often such a test has to find what is there; with less data it finds nothing."""
    interval_level: float = 0.95
    """Stated coverage of every interval that is shown or decided on."""
    inhouse_providers: tuple[str, ...] = ()
    """Providers that run in-house, in lower case: restricted data may go to them."""
    stakes_review: Mapping[Stakes, float] = field(default_factory=_stakes_review, hash=False)
    """Factor on the policy's `review_days` by stakes: high stakes are reviewed sooner."""
